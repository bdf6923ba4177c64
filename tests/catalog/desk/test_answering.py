"""The provider's moves over the desk: authenticated, supplemented, answered, passed on, agreed to; on a real ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from catalog.desk import answers
from catalog.desk.errors import DeskError, NoCaseError, NotAllowedError
from catalog.desk.subjects import Subject
from ledger.cases import State, check_cases
from ledger.erasure import Erasure, erase
from tests.catalog.desk.conftest import Office

ROWS = "决定书文号\t当事人\t罚款（元）\n示市监罚〔2026〕8号\t甲公司\t00123\n示市监罚〔2026〕9号\t甲公司\t0\n"


def state(office: Office, number: str, login: str = "zhzf-1") -> State:
    return office.desk.case(office.of(login).actor, number).state


def whole_log_is_in_order(office: Office) -> int:
    return check_cases(office.service.ledger.newest(10_000)[::-1])


@pytest.fixture
def asked(office: Office) -> str:
    number = office.ask().number
    office.send("scjg-1", number, "authenticate", method="session")
    return number


def test_a_failed_authentication_leaves_the_due_time_and_can_be_put_right(office: Office) -> None:
    number = office.ask().number
    due = office.desk.case(office.of("zhzf-1").actor, number).deadlines
    office.send("scjg-1", number, "fail-authentication", reason="公函印章不清，请重新加盖后发来")
    assert state(office, number) is State.AUTH_FAILED
    office.send("scjg-1", number, "authenticate", method="letter")
    case = office.desk.case(office.of("zhzf-1").actor, number)
    assert case.state is State.AUTHENTICATED and case.deadlines == due


def test_a_supplement_is_asked_for_once(office: Office, asked: str) -> None:
    office.send("scjg-1", asked, "ask-supplement", wanted="请写明年度范围和被查对象的统一社会信用代码")
    assert state(office, asked) is State.SUPPLEMENT_ASKED
    office.send("zhzf-1", asked, "supplement", supplement="2023 年至 2026 年")
    assert "ask-supplement" not in office.offered("scjg-1", asked)
    with pytest.raises(NotAllowedError):
        office.send("scjg-1", asked, "ask-supplement", wanted="另请补充营业执照复印件")


def test_rows_are_given_as_they_were_typed_each_provable_alone(office: Office, asked: str) -> None:
    done = office.send("scjg-1", asked, "answer", rows=ROWS, text="近三年两件")
    assert state(office, asked) is State.ANSWERED
    entry = office.desk.ledger.entry(done.seq)
    table = answers.Table.of_items(value for _, value in office.desk.items(done.seq))
    assert entry["rows"] == entry["items"] == 2
    assert table.columns == ("决定书文号", "当事人", "罚款（元）") and table.rows[0][2] == "00123"
    assert office.desk.opened(done.seq)["answer_sha256"] == answers.digest(table, "近三年两件")
    assert whole_log_is_in_order(office) == 1


def test_a_partial_answer_leaves_the_rest_owed(office: Office, asked: str) -> None:
    office.send("scjg-1", asked, "answer-part", rows=ROWS)
    assert state(office, asked) is State.PARTLY_ANSWERED
    assert office.offered("scjg-1", asked) >= {"answer", "answer-part", "deliver"}
    assert not office.offered("scjg-1", asked) & {"answer-none", "redirect", "ask-supplement"}


def test_an_offline_delivery_counts_once_the_requester_confirms_it(office: Office, asked: str) -> None:
    office.send("scjg-1", asked, "deliver", carrier="disc", text="光盘一张，交执法协调科签收")
    assert state(office, asked) is State.DELIVERED
    office.send("zhzf-1", asked, "confirm")
    assert state(office, asked) is State.ANSWERED


@pytest.mark.parametrize(
    ("slug", "given", "code"),
    [
        ("answer", {"rows": ""}, "missing"),
        ("answer", {"rows": "a,a\n1,2"}, "rows"),
        ("answer", {"rows": "a,b\n1,2,3"}, "rows"),
        ("answer", {"rows": "a,b"}, "rows"),
        ("answer", {"rows": "a\n机密★20年"}, "classified_marking"),
        ("answer", {"rows": [{"a": 1}]}, "rows"),
        ("answer", {"rows": [{"a": "1"}, {"b": "1"}]}, "rows"),
        ("answer-none", {"text": "无"}, "missing"),
        ("answer-none", {"text": "该企业情况敏感，不便提供"}, "secrecy_claim"),
        ("deliver", {"carrier": "pigeon", "text": "光盘一张，交执法协调科签收"}, "missing"),
        ("redirect", {"to": "zhzf", "text": "由该局负责许可"}, "missing"),
        ("redirect", {"to": "jtys", "text": "身份证 11010519491231002X 的许可由该局办理"}, "id_number"),
    ],
)
def test_what_cannot_be_taken_says_why_and_stores_nothing(
    office: Office, asked: str, slug: str, given: Mapping[str, Any], code: str
) -> None:
    size = office.service.ledger.size()
    with pytest.raises(DeskError) as caught:
        office.send("scjg-1", asked, slug, **given)
    assert caught.value.code == code and caught.value.field
    assert office.service.ledger.size() == size


# -- passed on --------------------------------------------------------------------------------------------------------


def test_a_request_that_is_passed_on_goes_on_as_a_linked_case(office: Office) -> None:
    number = office.ask(subjects=(Subject("甲公司", "", ""), Subject("乙公司", "", ""))).number
    office.send("scjg-1", number, "authenticate", method="session")
    office.send("scjg-1", number, "redirect", to="jtys", text="道路运输许可由交通运输局核发和管理")
    first = office.desk.case(office.of("zhzf-1").actor, number)
    assert first.state is State.REDIRECTED and first.linked == f"r{number[1:]}"
    second = office.desk.case(office.of("jtys-1").actor, first.linked)
    assert (second.requester, second.provider, second.parent, second.redirects) == ("zhzf", "jtys", number, 1)
    assert second.state is State.RECEIVED and second.subjects == 2 and second.deadlines[0].due_at
    said = office.desk.opened(second.opened)
    assert said["reference"] == "示执案〔2026〕17号" and said["description"] == "甲公司近三年的行政处罚情况"
    assert [value["name"] for _, value in office.desk.items(second.opened)] == ["甲公司", "乙公司"]
    assert whole_log_is_in_order(office) == 2


def test_what_a_crash_kept_back_is_begun_by_whoever_looks_next(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    number = office.ask().number
    office.send("scjg-1", number, "authenticate", method="session")
    with monkeypatch.context() as crash:
        crash.setattr("catalog.desk.linked.begin", lambda desk, case: None)  # the process ended after the first entry
        office.send("scjg-1", number, "redirect", to="jtys", text="道路运输许可由交通运输局核发和管理")
        with pytest.raises(NoCaseError):
            office.desk.case(office.of("jtys-1").actor, f"r{number[1:]}")
    office.desk.case(office.of("zhzf-2").actor, number)
    assert office.desk.case(office.of("jtys-1").actor, f"r{number[1:]}").state is State.RECEIVED
    assert whole_log_is_in_order(office) == 2


def test_passed_on_twice_a_supervising_office_names_who_has_it(office: Office) -> None:
    number = office.ask().number
    office.send("scjg-1", number, "authenticate", method="session")
    office.send("scjg-1", number, "redirect", to="jtys", text="道路运输许可由交通运输局核发和管理")
    linked = f"r{number[1:]}"
    office.send("jtys-1", linked, "authenticate", method="session")
    office.send("jtys-1", linked, "redirect", text="该企业的许可由上一家单位持有")
    assert state(office, linked) is State.WITH_SUPERVISOR


# -- applications -----------------------------------------------------------------------------------------------------

APPLICATION = {
    "act": "application",
    "provider": "",
    "description": "",
    "resource": "work/permits",
    "approver": "zhzf-2",
    "application": {
        "basis": "示范条例第九条",
        "scene": "运输执法现场核对",
        "scope": "许可证号、有效期",
        "way": "接口查询",
        "period": "2026 年 12 月至 2027 年 12 月",
    },
}


def test_an_application_is_agreed_to_and_then_supplied_each_with_its_clock(office: Office) -> None:
    number = office.ask(**APPLICATION).number
    office.send("jtys-1", number, "authenticate", method="session")
    assert "agree" not in office.offered("jtys-1", number)  # an approver's to say
    office.send("jtys-2", number, "agree", terms="只用于运输执法现场核对")
    case = office.desk.case(office.of("zhzf-1").actor, number)
    assert case.state is State.DECIDED and [each.stop.value for each in case.deadlines] == ["decided", "supplied"]
    assert case.deadlines[1].clause is not None
    office.send("jtys-1", number, "answer", rows="许可证号\nJ-001\n")
    assert whole_log_is_in_order(office) == 1


def test_more_time_needs_the_data_authoritys_consent_and_a_clause_that_allows_it(office: Office, asked: str) -> None:
    assert "ask-extension" not in office.offered("scjg-2", asked)  # a query: nothing allows it
    number = office.ask(**APPLICATION).number
    office.send("jtys-1", number, "authenticate", method="session")
    before = office.desk.case(office.of("zhzf-1").actor, number)
    assert before.deadlines[0].extension_days == 10
    with pytest.raises(NoCaseError):
        office.desk.case(office.of("sjj-2").actor, number)
    office.send("jtys-2", number, "ask-extension", days="5", reason="数据需从旧系统导出")
    assert "extend" in office.offered("sjj-2", number)
    office.send("sjj-2", number, "extend", days="5")
    after = office.desk.case(office.of("zhzf-1").actor, number)
    assert (after.deadlines[-1].due_at or "") > (before.deadlines[0].due_at or "")
    assert whole_log_is_in_order(office) == 2


def test_what_was_erased_before_keeps_nobody_from_the_linked_case(office: Office) -> None:
    number = office.ask(subjects=(Subject("甲公司", "", ""),), urgent="1", urgent_reason="当日离开本县",
                        approver="zhzf-2").number  # fmt: skip
    office.send("scjg-1", number, "authenticate", method="session")
    opened = office.desk.case(office.of("zhzf-1").actor, number).opened
    erase(office.service.ledger, Erasure(opened, "示例规定", "sfj", law_requires="示例法"), office.desk.now())
    office.send("scjg-1", number, "redirect", to="jtys", text="道路运输许可由交通运输局核发和管理")
    linked = office.desk.case(office.of("jtys-1").actor, f"r{number[1:]}")
    assert linked.state is State.RECEIVED and linked.subjects == 0 and linked.target_at is not None
    assert office.desk.opened(linked.opened)["reference"] == f"（已抹除，见 {number}）"
    assert whole_log_is_in_order(office) == 2
