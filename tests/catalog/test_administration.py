"""The register in the hands of each kind of actor: both doors ask one table, and refuse before anything is done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.administration import Administration
from catalog.errors import UsageError
from catalog.grants import Grant
from catalog.identity import agencies, keys, officers, roles, tokens
from catalog.identity.actor import Actor
from catalog.identity.duties import DutyError
from catalog.identity.key_statement import KeyStatementError, PrivateKey, Statement, endorsed, key_id
from catalog.publishing import Publication
from catalog.service import Service
from ledger import Instance
from ledger.instance import check_private
from ledger.rules import adoption

PROVIDED = Publication("work/penalties", "scjg", "无条件共享")
GRANT = Grant(
    "g-9001", "scjg", "jkq", "documents", "documents", ("case",), "2026-01-01", "2099-12-31", "虚构规定第二条"
)


@pytest.fixture
def service(demo: Instance) -> Iterator[Service]:
    opened = Service.open(demo)
    yield opened
    opened.close()


def office(service: Service, login: str) -> Administration:
    """The register in the hands of a demonstration's officer."""
    row = service.register.one(
        "SELECT o.*, a.role, a.name_zh, a.name_en, f.office FROM officers o JOIN agencies a ON a.id = o.agency "
        "LEFT JOIN offices f ON f.agency = a.id WHERE o.id = ?",
        (login,),
    )
    assert row is not None
    held = roles.in_force(service.register, login, service.register.today())
    names = row["name_zh"], row["name_en"], row["role"]
    actor = Actor(row["agency"], *names, "session", officer=login, roles=frozenset(held), office=row["office"])
    return Administration(service.instance, service.register, service.ledger, actor)


def supervisors_key(service: Service) -> PrivateKey:
    from catalog.client import load_key

    file = service.instance.path / "demo/sfj-sys.key.pem"
    check_private(file)
    return load_key(file)


def statement(service: Service, agency: str, key: PrivateKey, endorser: PrivateKey | None) -> Statement:
    return endorsed(
        service.ledger.origin, agency, f"{agency}-2", service.register.timestamp(timedelta(days=9)), key, endorser
    )


def officer(agency: str, login: str) -> dict[str, str]:
    return {"id": login, "agency": agency, "title_zh": "岗", "title_en": "Post"}


def agency(name: str, role: str = "agency", **more: str) -> dict[str, str | None]:
    names = {
        "name_zh": "示范县水利局",
        "name_en": "Water Bureau",
        "short_name": "水利局",
        "type": "部门",
        "superior": None,
    }
    return {**names, "id": name, "role": role, **more}


#: All that can be done, to agency zhzf and its officer zhzf-1, with a fresh key or name where one is needed.
ACTS: dict[str, Callable[[Administration, Service], object]] = {
    "register_agency": lambda o, s: o.register_agency(agency("slj")),
    "name_office": lambda o, s: o.name_office("sjd", "justice"),
    "enrol": lambda o, s: o.enrol(officer("zhzf", "zhzf-9"), ["officer"]),
    "set_roles": lambda o, s: o.set_roles("zhzf-1", ["officer"], s.register.today(), roles.LAST_DAY),
    "add_deputy": lambda o, s: o.add_deputy("zhzf-1", "zhzf-2", "approver", s.register.today(), s.register.today()),
    "end_deputy": lambda o, s: o.end_deputy("zhzf-1", "zhzf-2", "approver"),
    "reset": lambda o, s: o.reset("zhzf-1"),
    "unlock": lambda o, s: o.unlock("zhzf-1"),
    "disable": lambda o, s: o.disable("zhzf-1"),
    "enable": lambda o, s: o.enable("zhzf-1"),
    "add_key": lambda o, s: o.add_key(statement(s, "zhzf", Ed25519PrivateKey.generate(), supervisors_key(s))),
    "revoke_key": lambda o, s: o.revoke_key(keys.listing(s.register, "zhzf")[0]["keyid"], "retired"),
    "add_token": lambda o, s: o.add_token("zhzf", "zhzf-sys", 5),
    "revoke_token": lambda o, s: o.revoke_token(tokens.listing(s.register, "zhzf")[0]["id"]),
    "publish": lambda o, s: o.publish(PROVIDED),
    "withdraw": lambda o, s: o.withdraw("work/penalties", "改由省平台提供"),
    "give": lambda o, s: o.give(GRANT),
    "revoke": lambda o, s: o.revoke("g-0001", "目的已实现"),
    "suspend": lambda o, s: o.suspend("zhzf", "work/penalties", "超出授权目的使用（虚构）"),
    "restore": lambda o, s: o.restore("s-0001", "已整改（虚构）"),
    "change_rules": lambda o, s: o.change_rules(
        lambda book: adoption.set_settings(book, book.register.settings, "示例")
    ),
    "set_ground": lambda o, s: o.set_ground("RG11", enabled=True, reason="示例"),
}
#: Who may do it to zhzf: its admin, the operator's, a supervisor's, the data authority's approver.
ALLOWED = {
    "register_agency": {"ywzx-3"},
    "name_office": {"ywzx-3"},
    "change_rules": {"sjj-2"},
    "set_ground": {"sfj-2"},
    "add_key": {"zhzf-3", "ywzx-3"},
    "revoke_key": {"zhzf-3", "sfj-3"},
    "revoke_token": {"zhzf-3", "sfj-3"},
    "publish": {"sjj-2"},
    "withdraw": {"sjj-2"},
    "give": {"scjg-3"},
    "revoke": {"scjg-3"},
    "suspend": {"sjj-2"},
    "restore": {"sjj-2"},
}
ASKERS = (
    "zhzf-1",
    "zhzf-2",
    "zhzf-3",
    "scjg-3",
    "ywzx-1",
    "ywzx-3",
    "sfj-1",
    "sfj-2",
    "sfj-3",
    "dcs-2",
    "sjj-1",
    "sjj-2",
    "sjj-3",
)


def test_every_act_of_the_class_is_in_the_table() -> None:
    public = {name for name in vars(Administration) if not name.startswith("_")}
    assert public - {"instance", "register", "ledger", "actor", "may_manage"} == set(ACTS)


@pytest.mark.parametrize("act", ACTS)
def test_each_act_is_done_by_those_who_may_and_refused_to_everybody_else_without_an_entry(
    service: Service, act: str
) -> None:
    allowed = ALLOWED.get(act, {"zhzf-3"})
    before = len(service.ledger.newest(10_000))
    for login in (each for each in ASKERS if each not in allowed):
        with pytest.raises(DutyError):
            ACTS[act](office(service, login), service)
    assert len(service.ledger.newest(10_000)) == before
    done = 0
    for login in sorted(allowed):
        try:
            ACTS[act](office(service, login), service)
        except UsageError:  # allowed, and there is nothing to end, enable, unlock, or revoke a second time
            continue
        done += 1
    assert len(service.ledger.newest(10_000)) - before == done
    assert done or act in ("end_deputy", "enable", "unlock", "restore", "name_office")  # both offices are named


# -- agencies ---------------------------------------------------------------------------------------------------------


def test_a_registered_agency_stands_in_the_register_and_in_the_directory(service: Service) -> None:
    office(service, "ywzx-3").register_agency(agency("slj"))
    found = agencies.find(service.register, "slj")
    assert found is not None and found["role"] == "agency"
    with closing(sqlite3.connect(service.instance.database_path("directory"))) as directory:
        rows = directory.execute("SELECT name, type, valid_from FROM agencies WHERE id_code = 'slj'").fetchall()
    assert rows == [("示范县水利局", "部门", service.register.today())]
    office(service, "ywzx-3").register_agency(agency("slj", name_zh="示范县水务局"))
    with closing(sqlite3.connect(service.instance.database_path("directory"))) as directory:
        assert directory.execute("SELECT name FROM agencies WHERE id_code = 'slj'").fetchall() == [("示范县水务局",)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "SLJ"}, "id"),
        ({"id": "1slj"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "console"}, "stands in entries"),
        ({"type": "局"}, "type"),
        ({"name_zh": " "}, "name_zh"),
        ({"name_zh": "局" * 101}, "name_zh"),
        ({"short_name": "a\nb"}, "short_name"),
        ({"id": "zhzf", "role": "supervisor"}, "stays so"),
        ({"id": "ywzx", "role": "supervisor"}, "nobody has two"),
        ({"id": "sfj", "role": "operator"}, "nobody has two"),
    ],
)
def test_an_agency_out_of_form_or_in_a_second_role_is_refused(
    service: Service, changes: dict[str, str], words: str
) -> None:
    before = len(service.ledger.newest(10_000))
    with pytest.raises(UsageError, match=words):
        office(service, "ywzx-3").register_agency({**agency("slj"), **changes})
    assert len(service.ledger.newest(10_000)) == before


# -- administrators ---------------------------------------------------------------------------------------------------


def test_the_operator_appoints_the_first_administrator_of_an_agency_and_nobody_after(service: Service) -> None:
    operator = office(service, "ywzx-3")
    operator.register_agency(agency("slj"))
    with pytest.raises(DutyError):
        operator.enrol(officer("slj", "slj-1"), ["officer"])
    with pytest.raises(DutyError):
        operator.enrol(officer("slj", "slj-3"), ["admin", "officer"])
    operator.enrol(officer("slj", "slj-3"), ["admin"])
    assert service.ledger.newest(1)[0]["by"] == "ywzx"
    with pytest.raises(DutyError):
        operator.enrol(officer("slj", "slj-4"), ["admin"])
    office(service, "slj-3").enrol(officer("slj", "slj-4"), ["officer"])


def test_the_operator_rescues_an_administrator_but_not_a_supervising_offices(service: Service) -> None:
    operator, supervisor = office(service, "ywzx-3"), office(service, "sfj-3")
    operator.reset("zhzf-3")
    operator.reset("sjj-3")
    for login in ("sfj-3", "dcs-3", "zhzf-1", "zhzf-2"):
        with pytest.raises(DutyError):
            operator.reset(login)
    supervisor.reset("dcs-3")
    with pytest.raises(DutyError):
        supervisor.reset("zhzf-3")


def test_a_deputy_administrator_does_what_the_administrator_does(service: Service) -> None:
    today = service.register.today()
    office(service, "zhzf-3").add_deputy("zhzf-1", "zhzf-3", "admin", today, today)
    office(service, "zhzf-1").reset("zhzf-2")
    assert officers.find(service.register, "zhzf-2")["password_until"]


# -- keys -------------------------------------------------------------------------------------------------------------


def test_whoever_adds_a_key_it_is_the_signatures_that_count(service: Service) -> None:
    own, operator = Ed25519PrivateKey.generate(), office(service, "ywzx-3")
    for endorser in (None, own, Ed25519PrivateKey.generate()):
        with pytest.raises(KeyStatementError):
            operator.add_key(statement(service, "scjg", own, endorser))
    operator.add_key(statement(service, "scjg", own, supervisors_key(service)))
    assert keys.find(service.register, key_id(own.public_key())).actor.agency == "scjg"


def test_a_key_is_revoked_for_a_reason_that_there_is(service: Service) -> None:
    keyid = keys.listing(service.register, "zhzf")[0]["keyid"]
    with pytest.raises(UsageError, match="rotated"):
        office(service, "zhzf-3").revoke_key(keyid, "because")
    office(service, "sfj-3").revoke_key(keyid, "ordered")
    assert service.ledger.newest(1)[0]["by"] == "sfj"
    with pytest.raises(UsageError, match="no key"):
        office(service, "zhzf-3").revoke_key("ed25519:" + "0" * 32, "lost")


# -- publishing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Publication("work/nothing", "scjg", "无条件共享"), "no table"),
        (Publication("work/_batches", "scjg", "无条件共享"), "no table"),
        (Publication("ledger/entries", "scjg", "无条件共享"), "no table"),
        (Publication("work/penalties", "nobody", "无条件共享"), "not registered"),
        (Publication("work/penalties", "ywzx", "无条件共享"), "operator"),
        (Publication("work/penalties", "scjg", "随便共享"), "sharing class"),
        (Publication("work/penalties", "scjg", "不予共享"), "statute and its article"),
        (Publication("work/penalties", "scjg", "不予共享", basis="涉及秘密"), "statute and its article"),
        (Publication("work/penalties", "scjg", "不予共享", basis="《保守国家秘密法》"), "statute and its article"),
        (Publication("work/penalties", "scjg", "有条件共享"), "--condition"),
        (Publication("work/penalties", "scjg", "有条件共享", condition="用" * 501), "500"),
        (Publication("work/penalties", "scjg", "无条件共享", purposes=("case",)), "有条件共享"),
    ],
)
def test_a_table_that_may_not_be_published_so_is_refused(service: Service, wanted: Publication, words: str) -> None:
    before = len(service.ledger.newest(10_000))
    if wanted.provider == "nobody":
        with pytest.raises(UsageError, match="not registered"):
            office(service, "sjj-2").publish(wanted)
    else:
        with pytest.raises(UsageError, match=words):
            office(service, "sjj-2").publish(wanted)
    assert len(service.ledger.newest(10_000)) == before


def test_publishing_withdrawing_and_publishing_otherwise_hold_at_once(service: Service) -> None:
    authority = office(service, "sjj-2")
    authority.withdraw("work/penalties", "改由省平台提供")
    asker = Actor("bjd", "", "", "agency", "session")
    decision = service.decision(asker, "work/penalties")
    assert decision is not None and decision.code == "not_published"
    with pytest.raises(UsageError, match="not published"):
        authority.withdraw("work/penalties", "再次")
    basis = "《中华人民共和国统计法》第二十八条"
    authority.publish(Publication("work/penalties", "scjg", "不予共享", basis=basis))
    decision = service.decision(asker, "work/penalties")
    assert decision is not None and not decision.allowed and basis in decision.reason_zh
    conditional = Publication(
        "work/penalties", "scjg", "有条件共享", condition="限各镇用于行政检查", types=("镇",), purposes=("inspection",)
    )
    authority.publish(conditional)
    entry = service.ledger.newest(1)[0]
    assert (entry["condition_types"], entry["condition_purposes"]) == (["镇"], ["inspection"])
    assert "sjj-2" not in str(entry)
    with pytest.raises(UsageError, match="reason"):
        authority.withdraw("work/penalties", " ")
