"""The gate: which refusals are lawful on their face."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules import Register, packaged
from ledger.rules.citations import article_number, find_citations
from ledger.rules.grounds import Ground, Negative
from ledger.rules.refusals import Decision, Refusal, decide_refusal
from ledger.rules.text_checks import check_text

RECEIVED, TODAY = date(2026, 11, 23), date(2026, 11, 25)
REGISTER = packaged().register

STATE_SECRET = Refusal(
    "RG01",
    "bmf.13",
    fields={
        "original_authority": "示范市甲局",
        "secrecy_level": "机密",
        "classified_on": "2020-03-02",
        "secret_until": "2030-03-01",
        "register_number": "2026-007",
    },
    answers={"authorised": True, "outside_scope": True},
    drafter="o1",
    approver="o2",
)
SEALED = Refusal(
    "RG03",
    "zacf.136",
    fields={"register_number": "F-12"},
    answers={"case_need": False, "state_provision": False},
    drafter="o1",
    approver="o2",
)
INFORMANT = Refusal(
    "RG11",
    "hjfd.146",
    covers="part",
    fields={"withheld": "举报人姓名、电话"},
    answers={"identity_only": True},
    drafter="o1",
    approver="o2",
)
NOT_SHARED = Refusal(
    "RG16",
    "d809.15",
    fields={"catalog_entry": "17", "published_on": "2026-10-01", "catalog_basis": "《示例法》第三条"},
    drafter="o1",
    approver="o2",
)


def decide(refusal: Refusal, register: Register = REGISTER, on: date = TODAY) -> Decision:
    return decide_refusal(register, refusal, received_on=RECEIVED, on=on)


def enabled(code: str) -> Register:
    return REGISTER.set_ground(code, enabled=True)


@pytest.mark.parametrize("refusal", [STATE_SECRET, SEALED, NOT_SHARED])
def test_a_refusal_with_all_that_its_ground_demands_is_allowed(refusal: Refusal) -> None:
    found = decide(refusal)
    assert (found.allowed, found.code, found.clause.id) == (True, "allowed", refusal.citation)


def test_a_repealed_article_is_refused_and_what_holds_now_is_named() -> None:
    found = decide(replace(INFORMANT, citation="hbf.57"))
    assert (found.allowed, found.code, found.clause.id) == (False, "repealed", "hbf.57")
    assert "生态环境法典" in found.reason_zh and "2026-08-14" in found.reason_zh
    assert "第一百四十六条" in found.lawful_zh and "县司法局启用" in found.lawful_zh
    assert "article 146" in found.lawful_en and "enabled" in found.lawful_en


def test_before_the_code_the_old_article_held_and_the_new_one_did_not() -> None:
    day = date(2026, 8, 14)
    old = decide(replace(INFORMANT, citation="hbf.57"), enabled("RG11"), on=day)
    assert old.allowed
    assert decide(INFORMANT, enabled("RG11"), on=day).code == "not_yet_in_force"
    assert decide(INFORMANT, enabled("RG11"), on=date(2026, 8, 15)).allowed


def test_a_ground_that_is_not_enabled_cannot_be_used_until_it_is() -> None:
    assert decide(INFORMANT).code == "not_enabled"
    assert decide(INFORMANT, enabled("RG11")).allowed
    assert decide(INFORMANT, enabled("RG11").set_ground("RG11", enabled=False)).code == "not_enabled"


def test_where_a_ground_covers_a_part_the_whole_cannot_be_refused() -> None:
    found = decide(replace(INFORMANT, covers="whole"), enabled("RG11"))
    assert found.code == "part_only" and "其余照常提供" in found.lawful_zh


def test_an_article_that_was_not_read_cannot_be_chosen() -> None:
    found = decide(replace(INFORMANT, citation="ggf.53"), enabled("RG11"))
    assert found.code == "unverified"
    assert "ggf.53" not in [each.id for each in enabled("RG11").ground("RG11").choosable(TODAY)]


@pytest.mark.parametrize(("name", "answer"), [("case_need", True), ("state_provision", True)])
def test_the_statutes_own_exception_comes_first(name: str, answer: bool) -> None:
    found = decide(replace(SEALED, answers={**SEALED.answers, name: answer}))
    assert (found.allowed, found.code, found.lawful_en) == (False, "exception", "Supply in time")


@pytest.mark.parametrize("name", ["case_need", "state_provision"])
def test_a_question_left_open_is_no_answer(name: str) -> None:
    answers = {key: value for key, value in SEALED.answers.items() if key != name}
    assert decide(replace(SEALED, answers=answers)).code == "question_open"


def change(refusal: Refusal, **fields: str) -> Refusal:
    return replace(refusal, fields={**refusal.fields, **fields})


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (replace(STATE_SECRET, ground=""), "no_ground"),
        (replace(STATE_SECRET, ground="RG99"), "unknown_ground"),
        (replace(STATE_SECRET, citation="bmf.99"), "unknown_article"),
        (replace(STATE_SECRET, citation=""), "unknown_article"),
        (change(STATE_SECRET, register_number=""), "field_missing"),
        (change(STATE_SECRET, register_number="机密文件的内容"), "classified_marking"),
        (change(STATE_SECRET, register_number="第七号"), "field_malformed"),
        (change(STATE_SECRET, classified_on="2020-02-30"), "field_malformed"),
        (change(STATE_SECRET, secrecy_level="内部"), "field_malformed"),
        (change(STATE_SECRET, title="x"), "unknown_field"),
        (change(STATE_SECRET, classified_on="2026-11-26", secret_until="2030-01-01"), "day_not_after_refusal"),
        (change(STATE_SECRET, secret_until="2026-11-24"), "day_not_before_refusal"),
        (change(STATE_SECRET, secret_until="2040-03-03"), "term_too_long"),
        (change(STATE_SECRET, secret_until=""), "term_missing"),
        (change(STATE_SECRET, until_condition="是"), "term_missing"),
        (replace(STATE_SECRET, answers={"authorised": False, "outside_scope": True}), "exception"),
        (replace(STATE_SECRET, answers={**STATE_SECRET.answers, "other": True}), "unknown_field"),
        (replace(STATE_SECRET, covers="all"), "scope"),
        (replace(STATE_SECRET, approver=""), "approver_missing"),
        (replace(STATE_SECRET, approver="o1"), "same_officer"),
        (replace(STATE_SECRET, text="见《关于某事的通知》"), "document_named"),
        (change(STATE_SECRET, original_authority="某发〔2020〕5号"), "document_named"),
        (replace(STATE_SECRET, text="机密★20年"), "classified_marking"),
        (replace(SEALED, text="当事人 110101 19900307 1234"), "id_number"),
        (replace(SEALED, text="x" * 501), "text_too_long"),
        (change(NOT_SHARED, published_on="2026-11-23"), "day_before_receipt"),
    ],
)
def test_each_thing_that_is_wrong_is_named_in_both_languages(refusal: Refusal, code: str) -> None:
    found = decide(refusal)
    assert (found.allowed, found.code) == (False, code)
    assert all((found.reason_zh, found.reason_en, found.lawful_zh, found.lawful_en))


def test_a_condition_for_release_stands_for_a_term() -> None:
    assert decide(change(STATE_SECRET, secret_until="", until_condition="是")).allowed


def test_the_longest_term_of_each_level_is_allowed_and_a_day_more_is_not() -> None:
    for level, until, beyond in (
        ("秘密", "2030-02-28", "2030-03-01"),
        ("机密", "2040-02-29", "2040-03-01"),
        ("绝密", "2050-02-28", "2050-03-01"),
    ):
        given = change(STATE_SECRET, classified_on="2020-02-29", secrecy_level=level)
        assert decide(change(given, secret_until=until)).allowed, level
        assert decide(change(given, secret_until=beyond)).code == "term_too_long", level


#: What people write instead of a ground, and what of the negative list it is.
EXCUSES = [
    ("涉密，不便提供", "NL01"),
    ("该数据较为敏感", "NL01"),
    ("按本局规定不对外提供", "NL02"),
    ("领导不同意", "NL03"),
    ("依据《行政处罚法》第五十条", "NL04"),
    ("数据安全法第 38 条", "NL05"),
    ("属于不予公开的信息", "NL06"),
    ("社会保险法第八十一条", "NL07"),
    ("系统尚未对接", "NL08"),
    ("申请材料不全", "NL09"),
    ("未缴纳查询费", "NL10"),
    ("联动执法尚待批准", "NL11"),
    ("依据《环境保护法》第五十七条", "NL12"),
]


@pytest.mark.parametrize(("text", "code"), EXCUSES)
def test_an_excuse_is_rejected_with_the_reason_why_and_what_would_be_lawful(text: str, code: str) -> None:
    found = decide(Refusal("", text=text, drafter="o1", approver="o2"))
    assert (found.allowed, found.code) == (False, code)
    assert found.lawful_zh and found.lawful_en


@pytest.mark.parametrize("negative", REGISTER.negatives, ids=lambda negative: negative.code)
def test_nothing_of_the_negative_list_can_be_chosen_as_a_ground(negative: Negative) -> None:
    found = decide(replace(STATE_SECRET, ground=negative.code))
    assert (found.allowed, found.code, found.reason_zh) == (False, negative.code, negative.why_zh)


@pytest.mark.parametrize(("text", "code"), EXCUSES)
def test_beside_a_good_ground_an_excuse_is_questioned_until_it_is_confirmed(text: str, code: str) -> None:
    refusal = replace(NOT_SHARED, text=text)
    found = decide(refusal)
    assert (found.allowed, found.code) == (False, "questioned")
    assert code in found.lawful_zh or code in found.lawful_en or len(found.reason_zh) > 5
    every = frozenset(negative.code for negative in REGISTER.negatives)
    assert decide(replace(refusal, confirmed=every)).allowed


def test_a_ground_of_secrecy_may_speak_of_secrecy() -> None:
    assert decide(replace(STATE_SECRET, text="属国家秘密，依法保密")).allowed


@pytest.mark.parametrize("ground", REGISTER.grounds, ids=lambda ground: ground.code)
def test_an_empty_refusal_on_any_ground_is_rejected(ground: Ground) -> None:
    register = REGISTER.set_ground(ground.code, enabled=True)
    for citation in ground.choosable(TODAY) or ground.citations:
        assert not decide(Refusal(ground.code, citation.id), register).allowed


def test_what_ships_disabled() -> None:
    off = {ground.code for ground in REGISTER.grounds if not ground.enabled}
    assert off == {"RG02", "RG11", "RG12", "RG13", "RG14", "RG15"}
    assert [ground.code for ground in REGISTER.grounds] == [f"RG{n:02}" for n in range(1, 19)]


def test_what_is_unverified_is_known() -> None:
    unread = {citation.id for ground in REGISTER.grounds for citation in ground.citations if not citation.is_verified}
    assert unread == {"cpzl.10", "ggf.53", "fbzd.20"}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("按期提供", []),
        ("密级：秘密", ["classified_marking"]),
        ("密 级 为 绝密", ["classified_marking"]),
        ("【机密】", ["classified_marking"]),
        ("（秘密）", ["classified_marking"]),
        ("绝密文件一份", ["classified_marking"]),
        ("机密级", ["classified_marking"]),
        ("１１０１０１１９９００３０７１２３４", ["id_number"]),
        ("编号1 110101199003071234", ["id_number"]),
        ("11010119900307123x", ["id_number"]),
        ("110101-19900307-1234", ["id_number"]),
        ("110101199013071234", []),
        ("91370323MA3C1K2X4B", []),
        ("2026年第123456789012345678901号", []),
        ("涉 密", ["secrecy_claim"]),
        ("不便提供", ["secrecy_claim"]),
    ],
)
def test_what_is_found_in_what_people_type(text: str, codes: list[str]) -> None:
    found = [each.code for each in check_text(text)]
    assert [code for code in found if code != "secrecy_claim" or codes == ["secrecy_claim"]] == codes
    for each in check_text(text):
        assert text not in each.zh and each.en


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("第五十七条", 57),
        ("第 57 条", 57),
        ("57", 57),
        ("第一百四十六条第一款", 146),
        ("第一千二百四十二条", 1242),
        ("第十条", 10),
        ("第一百零六条", 106),
        ("附则", None),
        ("", None),
    ],
)
def test_the_number_of_an_article(text: str, number: int | None) -> None:
    assert article_number(text) == number


@pytest.mark.parametrize(
    ("statute", "article", "ids"),
    [
        ("《中华人民共和国环境保护法》", "第57条", {"hbf.57"}),
        ("环境保护法", "第五十七条", {"hbf.57"}),
        ("政务数据共享条例", "15", {"d809.15"}),
        ("环境保护法", "第五十八条", set()),
        ("没有的法", "第一条", set()),
        ("环境保护法", "总则", set()),
    ],
)
def test_an_article_is_found_as_people_write_it(statute: str, article: str, ids: set[str]) -> None:
    assert {citation.id for _, citation in find_citations(REGISTER, statute, article)} == ids


def full(ground: Ground, citation_id: str, on: date) -> Refusal:
    """A refusal on ``ground`` with everything that it demands."""
    values = {"number": "F-12", "text": "示例"}
    days = {None: on, "not_after_refusal": on, "not_before_refusal": on, "before_receipt": on - timedelta(days=9)}
    fields = {}
    for demand in ground.demands:
        if demand.form == "day":
            fields[demand.name] = days.get(demand.when, on - timedelta(days=9)).isoformat()
        elif demand.name != "until_condition":
            fields[demand.name] = demand.choices[0] if demand.choices else values[demand.form]
    answers = {question.name: question.must_be for question in ground.questions}
    covers = "part" if ground.scope == "part" else "whole"
    return Refusal(ground.code, citation_id, covers, fields, answers, "o1", "o2")


@pytest.mark.parametrize("ground", REGISTER.grounds, ids=lambda ground: ground.code)
@given(on=st.dates(date(2021, 1, 1), date(2030, 1, 1)), is_enabled=st.booleans())
def test_on_any_day_just_what_is_enabled_read_and_in_force_passes(ground: Ground, on: date, is_enabled: bool) -> None:
    register = REGISTER.set_ground(ground.code, enabled=is_enabled)
    for citation in ground.citations:
        found = decide_refusal(register, full(ground, citation.id, on), received_on=on, on=on)
        assert found.allowed == (is_enabled and citation.is_verified and citation.in_force(on)), found


@given(st.text(max_size=80))
def test_any_text_can_be_looked_at_and_nothing_of_it_is_repeated(text: str) -> None:
    """What is said of it are fixed sentences."""
    known = ["classified_marking", "document_named", "id_number", "secrecy_claim"]
    found = check_text(text, names_no_document=True)
    assert [each.code for each in found] == [code for code in known if code in {each.code for each in found}]
    assert {each.zh for each in found} <= {each.zh for each in check_text(EVERYTHING, names_no_document=True)}


#: A text with everything that is looked for.
EVERYTHING = "机密★10年 《某文件》 110101199003071234 保密"
