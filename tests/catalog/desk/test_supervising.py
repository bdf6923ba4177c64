"""Disputes, verdicts, orders, objections: each by whoever it is for, on a real ledger."""

from __future__ import annotations

import pytest

from catalog.desk.errors import DeskError, NoCaseError, NotAllowedError
from catalog.desk.view import case_view
from ledger.cases import State, check_cases
from tests.catalog.desk.conftest import Office

SEALED = {
    "ground": "RG03",
    "citation": "zacf.136",
    "covers": "whole",
    "field_register_number": "FC-2026-7",
    "answer_case_need": "no",
    "answer_state_provision": "no",
}
WHY = "查询方系依法办案，封存的例外应当适用"


@pytest.fixture
def refusal(office: Office) -> tuple[str, str]:
    """A refused request to an agency that is led from above, and the entry that refuses it."""
    number = office.ask(provider="sthj", description="某企业近三年被举报和查处的情况").number
    office.send("sthj-1", number, "authenticate", method="session")
    office.send("sthj-1", number, "refuse", **SEALED)
    return number, str(office.send("sthj-2", number, "approve-refusal").seq)


def state(office: Office, number: str) -> State:
    return office.desk.case(office.of("zhzf-1").actor, number).state


def test_what_negotiation_and_mediation_did_not_settle_the_government_decides(
    office: Office, refusal: tuple[str, str]
) -> None:
    number, entry = refusal
    with pytest.raises(NoCaseError):  # nothing lies with the data authority yet
        office.desk.case(office.of("sjj-2").actor, number)
    office.send("zhzf-1", number, "dispute", about=entry, step="negotiation", reason=WHY)
    office.send("zhzf-1", number, "conclude", outcome="not_settled", reason="双方意见不一致，未能谈成")
    office.send("zhzf-1", number, "dispute", about=entry, step="data_authority", reason=WHY)
    office.desk.follow()
    assert [line.number for line in office.desk.shelf.lying_with("data_authority", 9)] == [number]
    assert not office.offered("sjj-2", number) & {"dispute", "conclude"}
    office.send("sjj-2", number, "mediate", outcome="not_settled", reason="提供方坚持封存不得提供")
    assert office.offered("sjj-2", number) == {"to-government"}
    office.send("sjj-2", number, "to-government", reason="建议按办案需要予以提供")
    with pytest.raises(DeskError):
        office.send("sjj-2", number, "mediate", outcome="not_settled", document="示政决〔2026〕1号", reason=WHY)
    with pytest.raises(DeskError):
        office.send("sjj-2", number, "mediate", outcome="provide", reason=WHY)  # the government's decision has a number
    office.send("sjj-2", number, "mediate", outcome="provide", document="示政决〔2026〕1号", reason=WHY)
    assert state(office, number) is State.AUTHENTICATED
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 1


def test_an_improper_refusal_counts_as_none_until_an_objection_revokes_the_verdict(
    office: Office, refusal: tuple[str, str]
) -> None:
    number, entry = refusal
    office.send("zhzf-1", number, "escalate", to="justice", about=entry, reason=WHY)
    office.desk.follow()
    assert [line.number for line in office.desk.shelf.lying_with("justice", 9)] == [number]
    assert office.desk.shelf.lying_with("inspection", 9) == []
    verdict = office.send("sfj-1", number, "review", about=entry, verdict="improper", reason=WHY)
    assert state(office, number) is State.AUTHENTICATED
    with pytest.raises(NotAllowedError):
        office.send("sfj-1", number, "review", about=entry, verdict="upheld", reason=WHY)
    office.send("sthj-2", number, "object", about=str(verdict.seq), reason="查询方没有说明案件，例外不适用")
    assert office.desk.follow() == 0 and len(office.desk.shelf.lying_with("justice", 9)) == 1
    objection = str(office.desk.case(office.of("zhzf-1").actor, number).objections[0].seq)
    with pytest.raises(DeskError):  # whoever acted answers
        office.send("dcs-2", number, "answer-objection", objection=objection, outcome="revoked", reason=WHY)
    office.send("sfj-2", number, "answer-objection", objection=objection, outcome="revoked", reason="经复核原认定有误")
    assert state(office, number) is State.REFUSED
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 1


def test_each_office_issues_its_own_documents(office: Office, refusal: tuple[str, str]) -> None:
    number, entry = refusal
    letter = {"to": "sthj", "about": entry, "document": "示司督〔2026〕3号", "report_due": "2099-12-31"}
    for login, form in (("dcs-2", "urging_letter"), ("dcs-2", "opinion"), ("sfj-2", "inspection_opinion"),
                        ("sfj-2", "decision")):  # fmt: skip
        with pytest.raises(DeskError):
            office.send(login, number, "issue", form=form, **letter)
    for login in ("sfj-1", "dcs-1", "sjj-2", "zhzf-2"):
        with pytest.raises(DeskError):
            office.send(login, number, "issue", form="urging_letter", **letter)
    office.send("dcs-2", number, "issue", form="inspection_opinion", **letter)
    issued = office.send("sfj-2", number, "issue", form="urging_letter", **letter)
    order = office.desk.case(office.of("zhzf-1").actor, number).orders[-1]
    assert (order.form, order.to, order.report_due_at) == ("urging_letter", "sthj", "2099-12-31T16:00:00.000Z")
    actor = office.of("sthj-2").actor
    reports = case_view(office.desk, actor, office.desk.case(actor, number)).reports
    assert [(each.due, each.overdue) for each in reports] == [("2099-12-31 24:00", False)] * 2
    with pytest.raises(DeskError):
        office.send("sfj-2", number, "issue", form="urging_letter", **{**letter, "report_due": "2020-01-01"})
    assert "propose" not in office.offered("dcs-2", number)
    office.send("sfj-2", number, "propose", cause="unheeded", unheeded=str(issued.seq), reason="督办函期满未履行")
    office.send("sfj-2", number, "issue", form="decision", to="sthj", document="示政监决〔2026〕1号")
    decided = office.desk.ledger.newest(1, where={"kind": "order.issued"})[0]
    assert (decided["issuer"], decided["by"], decided["by_role"]) == ("government", "sfj", "justice")
    office.send("sthj-2", number, "report-order", order=str(issued.seq), note="已按督办函要求提供查处情况")
    assert "report-order" in office.offered("sthj-2", number)  # of the others
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 1


def test_the_superior_of_an_agency_led_from_above_is_notified(office: Office, refusal: tuple[str, str]) -> None:
    number, entry = refusal
    done = office.send("sfj-2", number, "notify-superior", agency="sthj", about=entry)
    assert office.desk.opened(done.seq)["superior"]
    other = office.ask().number
    assert "notify-superior" not in office.offered("sfj-2", other)
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 2


def test_a_request_that_was_passed_on_twice_is_assigned(office: Office) -> None:
    number = office.ask().number
    office.send("scjg-1", number, "authenticate", method="session")
    office.send("scjg-1", number, "redirect", to="jtys", text="道路运输许可由交通运输局核发和管理")
    linked = f"r{number[1:]}"
    office.send("jtys-1", linked, "authenticate", method="session")
    office.send("jtys-1", linked, "redirect", text="该企业的许可由上一家单位持有")
    office.send("dcs-1", linked, "assign", to="sthj", reason="该企业的许可由生态环境部门核发")
    third = office.desk.case(office.of("sthj-1").actor, f"s{number[1:]}")
    assert (third.state, third.redirects, third.parent) == (State.RECEIVED, 2, linked)
    assert state(office, linked) is State.REDIRECTED
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 3


def test_supervisors_look_only_where_it_is_recorded(office: Office, refusal: tuple[str, str]) -> None:
    number, _ = refusal
    for login in ("sfj-1", "dcs-2"):
        with pytest.raises(NoCaseError):
            office.desk.case(office.of(login).actor, number)
        office.desk.case(office.of(login).actor, number, supervising=True)
    with pytest.raises(NoCaseError):
        office.desk.case(office.of("jtys-1").actor, number, supervising=True)
