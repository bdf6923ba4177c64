"""When an answer is due."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import entries
from ledger.fields import Kind
from ledger.kinds_rules import DEADLINE_FIELDS
from ledger.rules import (
    SHANGHAI,
    Calendars,
    Clause,
    ExtensionError,
    InstantError,
    Rulebook,
    Settings,
    UnknownRuleError,
    deadline,
    extend,
    packaged,
    working,
)
from tests.ledger.rules.support import LOCAL_THREE, with_local_standard

#: Received (Asia/Shanghai unless it says otherwise) and the last day: domain.md §4, under a rule of three working days.
GOLDEN = [
    ("2024-02-08T09:00+08:00", "2024-02-19"),
    ("2025-01-24T09:00+08:00", "2025-02-05"),
    ("2025-09-30T09:00+08:00", "2025-10-11"),
    ("2026-01-04T09:00+08:00", "2026-01-07"),
    ("2026-02-13T09:00+08:00", "2026-02-25"),
    ("2026-02-14T09:00+08:00", "2026-02-26"),
    ("2026-04-30T23:50+08:00", "2026-05-08"),
    ("2026-09-18T09:00+08:00", "2026-09-22"),
    ("2026-09-30T09:00+08:00", "2026-10-10"),
    ("2026-11-18T09:00+08:00", "2026-11-23"),
    ("2026-11-19T23:59:59+08:00", "2026-11-24"),
    ("2026-11-22T09:00+08:00", "2026-11-25"),
    ("2026-11-22T16:30+00:00", "2026-11-26"),
    ("2026-12-28T09:00+08:00", "2026-12-31"),
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(("received", "last"), GOLDEN)
def test_the_golden_days(received: str, last: str) -> None:
    found = deadline(with_local_standard(), "query", at(received))
    assert (found.state, str(found.last_day)) == ("due", last)
    assert found.due_at == datetime.combine(found.last_day + timedelta(days=1), datetime.min.time(), SHANGHAI)


@pytest.mark.parametrize(("received", "last"), [each for each in GOLDEN if each[0] < "2026-11-20"])
def test_under_the_countys_opinion_they_are_the_same_until_it_expired(received: str, last: str) -> None:
    found = deadline(packaged(), "query", at(received))
    assert (found.clause.id, found.standing, str(found.last_day)) == ("y19.query", "statutory", last)


def test_what_runs_into_a_year_not_announced_is_unconfirmed_and_never_late() -> None:
    found = deadline(with_local_standard(), "query", at("2026-12-29T09:00+08:00"))
    assert (found.state, found.unannounced_year, found.due_at, found.last_day) == ("unconfirmed", 2027, None, None)
    assert found.is_late(at("2030-01-01T00:00+08:00")) is None


def test_after_the_opinion_expired_a_query_has_no_clock() -> None:
    found = deadline(packaged(), "query", at("2026-11-20T00:00+08:00"))
    assert (found.state, found.clause, found.due_at, found.standing) == ("no_clock", None, None, None)
    assert deadline(packaged(), "query", at("2026-11-19T23:59+08:00")).state == "due"
    assert deadline(packaged(), "query", at("2021-11-19T23:59+08:00")).state == "no_clock"


def test_a_local_standard_gives_it_one_and_says_that_it_is_local() -> None:
    found = deadline(with_local_standard(), "query", at("2026-11-20T09:00+08:00"))
    assert (found.state, found.standing, str(found.last_day)) == ("due", "local_standard", "2026-11-25")


def test_the_answer_is_on_time_at_the_last_instant_and_late_after_it() -> None:
    found = deadline(packaged(), "query", at("2026-11-18T09:00+08:00"))
    assert found.is_late(at("2026-11-24T00:00+08:00")) is False
    assert found.is_late(at("2026-11-24T00:00:00.001+08:00")) is True


def test_close_of_business_may_count_and_both_ends_are_shown() -> None:
    book = packaged()
    earlier = Rulebook(book.register.set(Settings(day_ends="close_of_business")), book.calendars)
    found, usual = (deadline(each, "query", at("2026-11-18T09:00+08:00")) for each in (earlier, book))
    assert found.due_at == found.close_of_business_at == at("2026-11-23T17:30+08:00")
    assert usual.due_at == usual.midnight_at == found.midnight_at
    assert found.register != usual.register


def test_the_strictest_binds_among_clauses_of_the_same_act_and_stop() -> None:
    value = LOCAL_THREE.to_value()
    value["clock"]["working_days"] = 2
    stricter = Clause.read(value | {"id": "local.query.2", "valid_from": "2026-01-01"})
    book = Rulebook(packaged().register.adopt(stricter), packaged().calendars)
    received = at("2026-11-18T09:00+08:00")
    assert deadline(book, "query", received).clause.id == "local.query.2"
    assert deadline(book, "transfer", received).clause.id == "y19.transfer"
    # Of two equally strict the statutory one is named.
    assert deadline(with_local_standard("2026-01-01"), "query", received).clause.id == "y19.query"


@pytest.mark.parametrize(
    ("act", "more", "clause", "last"),
    [
        ("application", {"sharing_class": "unconditional"}, "d809.21.unconditional", "2026-11-24"),
        ("application", {"sharing_class": "conditional"}, "d809.21.conditional", "2026-12-07"),
        ("application", {"start": "decided", "stop": "supplied"}, "d809.22", "2026-12-21"),
        ("correction", {}, "d809.26", "2026-12-07"),
    ],
)
def test_each_act_has_its_own_clock(act: str, more: dict[str, str], clause: str, last: str) -> None:
    found = deadline(packaged(), act, at("2026-11-23T09:00+08:00"), **more)
    assert (found.clause.id, str(found.last_day)) == (clause, last)


def test_a_transfer_runs_from_the_notice_and_ends_when_the_letter_is_sent() -> None:
    found = deadline(packaged(), "transfer", at("2026-11-18T09:00+08:00"))
    assert (found.clause.id, found.start, found.stop) == ("y19.transfer", "notified", "sent")
    assert str(found.last_day) == "2026-11-23"


def test_an_application_for_data_of_no_determined_class_has_no_clock() -> None:
    assert deadline(packaged(), "application", at("2026-11-23T09:00+08:00")).state == "no_clock"


def test_the_rule_of_the_day_of_receipt_counts_for_what_starts_later() -> None:
    """Agreed to after the clause began, received before: no clock of that clause."""
    decided, before = at("2025-08-04T09:00+08:00"), at("2025-07-31T09:00+08:00")
    more = {"start": "decided", "stop": "supplied"}
    assert deadline(packaged(), "application", decided, received_at=before, **more).state == "no_clock"
    assert deadline(packaged(), "application", decided, **more).state == "due"


def test_urgent_is_at_once_with_a_local_target_and_the_usual_limit() -> None:
    found = deadline(packaged(), "query", at("2026-11-18T09:00+08:00"), urgent=True)
    assert (found.state, found.urgent_clause.id, str(found.last_day)) == ("at_once", "y19.query.urgent", "2026-11-23")
    assert found.target_at == at("2026-11-18T11:00+08:00")


def test_urgent_without_a_clause_in_force_is_no_clock_with_a_target_beside_it() -> None:
    found = deadline(packaged(), "query", at("2026-11-20T09:00+08:00"), urgent=True)
    assert (found.state, found.urgent_clause, found.due_at) == ("no_clock", None, None)
    assert found.target_at is not None


def test_an_extension_is_counted_from_day_zero_and_holds_once() -> None:
    given_time = deadline(packaged(), "application", at("2026-11-03T09:00+08:00"), sharing_class="conditional")
    longer = extend(packaged(), given_time, 10)
    assert (str(given_time.last_day), str(longer.last_day)) == ("2026-11-17", "2026-12-01")
    with pytest.raises(ExtensionError, match="extended by 10 before"):
        extend(packaged(), longer, 1)


@pytest.mark.parametrize("days", [0, -1, 11])
def test_no_longer_extension_than_the_clause_allows(days: int) -> None:
    given_time = deadline(packaged(), "application", at("2026-11-03T09:00+08:00"), sharing_class="conditional")
    with pytest.raises(ExtensionError, match="1 to 10"):
        extend(packaged(), given_time, days)


@pytest.mark.parametrize(
    ("act", "received"), [("query", "2026-11-18"), ("query", "2026-11-20"), ("correction", "2026-11-18")]
)
def test_no_extension_where_the_clause_knows_none(act: str, received: str) -> None:
    with pytest.raises(ExtensionError, match="allows no extension"):
        extend(packaged(), deadline(packaged(), act, at(f"{received}T09:00+08:00")), 1)


def test_an_extension_may_run_into_the_unknown() -> None:
    given_time = deadline(packaged(), "application", at("2026-12-10T09:00+08:00"), sharing_class="conditional")
    assert (given_time.state, extend(packaged(), given_time, 10).state) == ("due", "unconfirmed")


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(InstantError, match="no zone"):
        deadline(packaged(), "query", datetime(2026, 11, 18, 9))


@pytest.mark.parametrize(
    "asked", [{"act": "appeal"}, {"start": "authenticated"}, {"stop": "forgotten"}, {"sharing_class": "secret"}]
)
def test_what_there_is_not_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(UnknownRuleError, match="there are"):
        deadline(packaged(), asked.pop("act", "query"), at("2026-11-18T09:00+08:00"), **asked)


def test_adopting_the_next_year_confirms_and_touches_nothing_old() -> None:
    from tests.ledger.rules.support import invented_2027

    old = with_local_standard()
    new = Rulebook(old.register, old.calendars.adopt(invented_2027()))
    received = at("2026-12-29T09:00+08:00")
    assert deadline(old, "query", received).state == "unconfirmed"
    found = deadline(new, "query", received)
    assert (found.state, str(found.last_day)) == ("due", "2027-01-04")
    assert found.calendars != old.calendars.digest
    before = at("2026-11-20T09:00+08:00")
    assert deadline(new, "query", before).due_at == deadline(old, "query", before).due_at


@pytest.mark.parametrize("received", ["2026-11-18", "2026-11-20", "2026-12-29"])
@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("book", [packaged(), with_local_standard()])
def test_its_fields_fit_an_entry(received: str, urgent: bool, book: Rulebook) -> None:
    kind = Kind("test.relies", 1, "测试", "Test", DEADLINE_FIELDS)
    fields = deadline(book, "query", at(f"{received}T09:00+08:00"), urgent=urgent).fields()
    entries.check_fields(kind, fields)
    assert fields["register"] == book.register.digest


received_instants = st.datetimes(datetime(2021, 11, 20), datetime(2026, 11, 19, 15)).map(
    lambda found: found.replace(tzinfo=UTC)
)


@given(received_instants)
def test_never_before_the_third_day_never_on_a_rest_day(received: datetime) -> None:
    found = deadline(packaged(), "query", received)
    assert found.last_day >= received.astimezone(SHANGHAI).date() + timedelta(days=3)
    assert packaged().calendars.kind(found.last_day).works


@given(received_instants, received_instants)
def test_who_asks_later_is_not_answered_sooner(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert deadline(packaged(), "query", first).due_at <= deadline(packaged(), "query", second).due_at


@given(received_instants, st.integers(-14 * 60, 14 * 60))
def test_the_zone_in_which_an_instant_is_written_changes_nothing(received: datetime, minutes: int) -> None:
    elsewhere = received.astimezone(timezone(timedelta(minutes=minutes)))
    assert deadline(packaged(), "query", elsewhere) == deadline(packaged(), "query", received)


@given(received_instants)
def test_the_working_shows_each_day_and_counts_what_is_due(received: datetime) -> None:
    found = deadline(packaged(), "query", received)
    days = working(packaged().calendars, found)
    assert (days[0].code, days[0].day, days[-1].day, days[-1].number) == ("start", found.day_zero, found.last_day, 3)
    assert [day.number for day in days if day.number] == [1, 2, 3]
    assert [day.day for day in days] == [days[0].day + timedelta(days=n) for n in range(len(days))]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_the_machines_time_zone_changes_nothing(zone: str) -> None:
    code = (
        "from datetime import datetime, UTC; from ledger.rules import deadline, packaged;"
        "print(deadline(packaged(), 'query', datetime(2026, 11, 18, 15, 59, tzinfo=UTC)).fields()['due_at'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "2026-11-23T16:00:00.000Z"


def test_the_working_of_an_unconfirmed_deadline_ends_where_nothing_is_known() -> None:
    found = deadline(with_local_standard(), "query", at("2026-12-29T09:00+08:00"))
    days = working(found_calendars := packaged().calendars, found)
    assert isinstance(found_calendars, Calendars)
    assert [(str(day.day), day.code) for day in days] == [
        ("2026-12-29", "start"),
        ("2026-12-30", "workday"),
        ("2026-12-31", "workday"),
        ("2027-01-01", "unannounced"),
    ]
    assert "2027" in days[-1].why_zh and "2027" in days[-1].why_en


def test_the_working_says_why() -> None:
    found = deadline(packaged(), "query", at("2026-09-30T09:00+08:00"))
    said = {str(day.day): (day.why_zh, day.why_en, day.weekday_zh) for day in working(packaged().calendars, found)}
    assert said["2026-10-01"] == ("国庆节放假，不计", "National Day holiday, skipped", "周四")
    assert said["2026-10-10"] == ("调休上班，第 3 个工作日", "make-up working day, counted as number 3", "周六")


def test_nothing_is_shown_where_nothing_is_counted() -> None:
    assert working(packaged().calendars, deadline(packaged(), "query", at("2026-11-20T09:00+08:00"))) == ()


def test_an_expired_clause_is_never_named_in_force() -> None:
    ids = {clause.id for clause in packaged().register.in_force(date(2026, 11, 25))}
    assert not [each for each in ids if each.startswith("y19.")] and "d809.26" in ids
