"""The other clocks, same engine: a transfer from its notice to what became of it, a correction from a row."""

from __future__ import annotations

import pytest

from catalog.desk.errors import DeskError
from catalog.desk.openings import read_correction, read_transfer
from ledger.cases import State, check_cases
from tests.catalog.desk.conftest import Office

NOTICE = {
    "receiver": "gaj",
    "transfer": "crime",
    "reference": "示市监案〔2026〕31号",
    "description": "检查中发现涉嫌生产不符合标准的食品，拟移送",
}


def notify(office: Office, **change: str) -> str:
    who = office.of("scjg-1")
    given = {**NOTICE, **change, "local_time": True}
    return office.desk.begin(who, read_transfer(given, office.desk.register_for(who.actor), office.desk.now())).number


def correct(office: Office, login: str = "zhzf-1", **change: str) -> str:
    who = office.of(login)
    given = {"resource": "work/penalties", "row": "6", "description": "罚款金额应为五百元，误作五千元", **change}
    return office.desk.begin(who, read_correction(given, office.desk.register_for(who.actor), (), None)).number


def test_a_transfer_from_its_notice_to_assistance(office: Office) -> None:
    number = notify(office)
    case = office.desk.case(office.of("scjg-1").actor, number)
    assert number.startswith("t-") and (case.provider, case.requester) == ("scjg", "gaj")
    assert case.deadlines[0].stop.value == "sent"
    office.send("scjg-1", number, "record-step", step="phone_notice", done_at="2026-01-05T09:30", answered="yes",
                note="现场电话告知公安机关值班室")  # fmt: skip
    office.send("gaj-1", number, "ask-assistance", want="technical_appraisal", note="请提供检验报告")
    assert "give-assistance" in office.offered("scjg-1", number) and "send-letter" in office.offered("scjg-1", number)
    sent = office.send("scjg-1", number, "send-letter", letter_number="示市监移〔2026〕3号",
                       materials=["fact_statement", "inspection_record"])  # fmt: skip
    entry = office.desk.ledger.entry(sent.seq)
    assert entry["materials"] == ["letter", "fact_statement", "inspection_record"]
    assert office.desk.case(office.of("gaj-1").actor, number).state is State.LETTER_SENT
    with pytest.raises(DeskError):
        office.send("gaj-1", number, "take", result="returned")
    office.send("gaj-1", number, "take", result="taken")
    asked = office.desk.case(office.of("gaj-1").actor, number).transfer
    assert asked is not None
    office.send("scjg-1", number, "give-assistance", asked=str(asked.assistance[0][0]), note="检验报告一份")
    case = office.desk.case(office.of("gaj-1").actor, number)
    assert case.state is State.TAKEN and case.transfer is not None and case.transfer.assistance[0][1]
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"receiver": "scjg"}, "receiver"),
        ({"receiver": "nobody"}, "receiver"),
        ({"transfer": "other"}, "transfer"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "phone", "received_at": "2099-01-01T09:00"}, "received_at"),
        ({"channel": "phone", "received_at": ""}, "received_at"),
        ({"description": ""}, "description"),
        ({"reference": "机密★20年"}, "reference"),
    ],
)
def test_a_notice_that_cannot_be_taken_says_where(office: Office, change: dict[str, str], field: str) -> None:
    size = office.service.ledger.size()
    with pytest.raises(DeskError) as caught:
        notify(office, **change)
    assert caught.value.field == field and office.service.ledger.size() == size


def test_a_step_lies_in_the_past_and_a_call_was_answered_or_not(office: Office) -> None:
    number = notify(office)
    for given in (
        {"step": "evidence", "done_at": "2099-01-01T00:00"},
        {"step": "evidence", "done_at": "yesterday"},
        {"step": "phone_notice", "done_at": "2026-01-05T09:30"},
    ):
        with pytest.raises(DeskError):
            office.send("scjg-1", number, "record-step", note="现场录像两段", **given)


def test_a_correction_is_answered_with_what_became_of_it(office: Office) -> None:
    number = correct(office)
    case = office.desk.case(office.of("scjg-1").actor, number)
    assert number.startswith("c-") and (case.requester, case.provider) == ("zhzf", "scjg")
    assert case.deadlines[0].clause is not None and case.deadlines[0].standing is not None
    assert office.desk.opened(case.opened)["row"] == "6"
    with pytest.raises(DeskError):  # no batch of that data came since
        office.send("scjg-1", number, "answer-correction", result="corrected", where="here", batch="x", text="已更正")
    with pytest.raises(DeskError):
        office.send("scjg-1", number, "answer-correction", result="upheld")
    office.send("scjg-1", number, "answer-correction", result="corrected", where="source", text="已在办案系统更正")
    assert office.desk.case(office.of("zhzf-1").actor, number).state is State.ANSWERED
    other = correct(office)
    office.send("scjg-1", other, "answer-correction", result="upheld", text="经核对决定书原件，金额无误")
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 2


@pytest.mark.parametrize(
    ("login", "change", "field"),
    [
        ("scjg-1", {}, "resource"),
        ("zhzf-1", {"resource": "work/nothing"}, "resource"),
        ("zhzf-1", {"description": ""}, "description"),
        ("zhzf-1", {"description": "11010519491231002X 的记录有误"}, "description"),
    ],
)
def test_a_correction_that_cannot_be_taken_says_where(
    office: Office, login: str, change: dict[str, str], field: str
) -> None:
    size = office.service.ledger.size()
    with pytest.raises(DeskError) as caught:
        correct(office, login, **change)
    assert caught.value.field == field and office.service.ledger.size() == size


def test_only_a_query_of_ones_own_agency_is_named(office: Office) -> None:
    who = office.of("zhzf-1")
    register = office.desk.register_for(who.actor)
    given = {"resource": "work/penalties", "description": "罚款金额应为五百元，误作五千元"}
    for entry in ({"kind": "query.served", "requester": "bjd", "seq": 3}, {"kind": "grant.given", "seq": 4}):
        with pytest.raises(DeskError) as caught:
            read_correction(given, register, (), entry)
        assert caught.value.field == "served"
