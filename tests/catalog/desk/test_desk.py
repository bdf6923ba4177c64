"""Asking, moving, being told who was faster: on a real ledger."""

from __future__ import annotations

import pytest

from catalog.desk.desk import Move
from catalog.desk.errors import DeskError, FasterError, NoCaseError, NotAllowedError
from catalog.identity.duties import DutyError
from ledger.cases import State, check_cases
from tests.catalog.desk.conftest import Office


def test_a_request_is_asked_authenticated_answered_and_the_whole_log_is_in_order(office: Office) -> None:
    done = office.ask()
    case = office.desk.case(office.of("scjg-1").actor, done.number)
    assert (case.state, case.requester, case.provider) == (State.RECEIVED, "zhzf", "scjg")
    assert case.deadlines[0].clock == "due" and case.deadlines[0].standing == "local_standard"
    office.move("scjg-1", done.number, "request.authenticated", {"method": "session"})
    office.move("scjg-1", done.number, "request.answered", {"result": "no_record"}, {"text": "经查无处罚记录"})
    assert office.desk.case(office.of("zhzf-1").actor, done.number).state is State.NO_RECORD
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 1


def test_numbers_follow_one_another(office: Office) -> None:
    first, second = office.ask().number, office.ask().number
    assert first[:2] == "q-" and int(second[-5:]) == int(first[-5:]) + 1


def test_who_is_no_party_sees_nothing(office: Office) -> None:
    number = office.ask().number
    for login in ("bjd-1", "sfj-1", "sjj-2"):
        with pytest.raises(NoCaseError):
            office.desk.case(office.of(login).actor, number)
    for login in ("zhzf-3", "ywzx-1"):
        with pytest.raises(DutyError):
            office.desk.case(office.of(login).actor, number)
    with pytest.raises(NoCaseError):
        office.desk.case(office.of("zhzf-1").actor, "q-20260101-00001")


@pytest.mark.parametrize("login", ["zhzf-3", "ywzx-1"])
def test_who_does_not_ask_sends_nothing(office: Office, login: str) -> None:
    with pytest.raises(DutyError):
        office.ask(login)


def test_who_looked_before_somebody_else_moved_is_told(office: Office) -> None:
    number = office.ask().number
    seen = office.desk.case(office.of("scjg-1").actor, number).revision
    office.move("scjg-1", number, "request.authenticated", {"method": "session"}, seen=seen)
    size = office.service.ledger.size()
    with pytest.raises(FasterError) as caught:
        office.move("scjg-2", number, "request.auth_failed", {}, {"reason": "签章不清"}, seen=seen)
    assert "市场监督管理局" in caught.value.zh and "认证通过" in caught.value.zh
    assert office.service.ledger.size() == size


def test_what_came_by_letter_is_recorded_by_who_received_it_and_its_clock_starts_then(office: Office) -> None:
    done = office.ask(
        "scjg-1", requester="zhzf", provider="scjg", channel="letter", received_at="2026-11-17T16:30:00+08:00"
    )
    case = office.desk.case(office.of("zhzf-1").actor, done.number)
    assert (case.requester, case.provider, case.received_at) == ("zhzf", "scjg", "2026-11-17T08:30:00.000Z")
    assert case.deadlines[0].due_at == "2026-11-20T16:00:00.000Z" and case.recorded_at > case.received_at
    with pytest.raises(DeskError):  # over the desk nobody asks in another's name
        office.ask("scjg-1", requester="zhzf", provider="scjg")
    with pytest.raises(DeskError):  # nor does a third agency record what others exchanged
        office.ask("bjd-1", requester="zhzf", channel="letter", received_at="2026-11-17T16:30:00+08:00")
    check_cases(office.service.ledger.newest(10_000)[::-1])


def test_what_the_case_does_not_allow_is_not_done(office: Office) -> None:
    number = office.ask().number
    office.move("zhzf-1", number, "request.withdrawn")
    size = office.service.ledger.size()
    for login, kind, fields, status in (
        ("scjg-1", "request.answered", {"result": "no_record"}, 409),
        ("zhzf-1", "request.authenticated", {"method": "session"}, 409),
        ("zhzf-1", "request.nothing", {}, 409),
    ):
        with pytest.raises(NotAllowedError) as caught:
            office.move(login, number, kind, fields)
        assert caught.value.status == status, kind
    assert office.service.ledger.size() == size


def test_an_approver_does_not_approve_their_own_draft_nor_an_answerer_any(office: Office) -> None:
    number = office.ask().number
    office.move("scjg-1", number, "request.authenticated", {"method": "session"})
    with pytest.raises(NotAllowedError):
        office.move("scjg-1", number, "request.extension_asked", {"days": 1}, {"reason": "材料较多"})


def test_a_form_sent_twice_is_done_once(office: Office) -> None:
    number = office.ask().number
    move = Move("request.authenticated", {"method": "session"}, once=("form:" + "x" * 20,))
    first = office.desk.move(office.of("scjg-1"), number, move)
    again = office.desk.move(office.of("scjg-1"), number, move)
    assert again.again and again.seq == first.seq
