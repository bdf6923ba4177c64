"""What a deadline has come to at an instant; waiting shown beside; linked cases; urgency."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from ledger.cases import (
    Case,
    Stop,
    Timeliness,
    chain,
    fold,
    missing_materials,
    overdue_reports,
    readings,
    total_working_days,
    urgency,
)
from ledger.errors import MoveError
from tools.desk_stories import DUE_AT, OTHER, PROVIDER, THIRD, Story, stamp
from tools.desk_told import STORIES, story_of, told

SHANGHAI = timezone(timedelta(hours=8))


def weekdays(start: str, end: str) -> int | None:
    """Working days after the day of ``start`` to that of ``end``, without holidays; 2027 is not announced."""
    first, last = (datetime.fromisoformat(t).astimezone(SHANGHAI).date() for t in (start, end))
    if last.year > 2026:
        return None
    days = (first + timedelta(n) for n in range(1, (last - first).days + 1))
    return sum(day.weekday() < 5 for day in days)


def reading(name: str, now: str, stop: Stop = Stop.SUPPLIED) -> tuple[Timeliness, int | None, int | None]:
    found = {one.stop: one for one in readings(fold(told(name)), now, weekdays)}[stop]
    return found.timeliness, found.working_days, found.waiting_days


NOW = "2026-12-01T01:00:00.000Z"


def test_due_at_the_last_instant_is_in_time_and_a_millisecond_later_is_overdue() -> None:
    assert reading("a query was authenticated", DUE_AT)[0] is Timeliness.OPEN
    assert reading("a query was authenticated", "2026-11-26T16:00:00.001Z")[0] is Timeliness.OVERDUE
    for at, want in ((DUE_AT, Timeliness.ON_TIME), ("2026-11-26T16:00:00.001Z", Timeliness.LATE)):
        story = story_of("a query was authenticated")
        story.full(t=at)
        assert readings(fold(story.entries), NOW, weekdays)[0].timeliness is want


def test_elapsed_days_stop_with_the_clock_and_otherwise_go_on() -> None:
    assert reading("answered in full, in time", NOW) == (Timeliness.ON_TIME, 0, 0)
    assert reading("answered in full, late", NOW) == (Timeliness.LATE, 4, 0)
    assert reading("a query was authenticated", NOW) == (Timeliness.OVERDUE, 6, 0)


def test_waiting_for_the_requester_is_shown_beside_and_pauses_nothing() -> None:
    assert reading("a supplement was asked for: the clock runs on", NOW) == (Timeliness.OVERDUE, 6, 6)
    assert reading("a supplement came after two days", NOW) == (Timeliness.OVERDUE, 6, 2)
    assert reading("not authenticated: the clock runs on", NOW) == (Timeliness.OVERDUE, 6, 6)
    assert reading("authenticated after a first failure", NOW) == (Timeliness.OVERDUE, 6, 1)
    # Confirmed days later: what counts is when it was delivered.
    assert reading("delivered offline in time, confirmed later", NOW)[0] is Timeliness.ON_TIME


def test_without_a_clause_nothing_is_ever_late_but_days_are_counted() -> None:
    assert reading("no clause in force: elapsed time only", NOW) == (Timeliness.NO_CLOCK, 6, 0)
    story = story_of("no clause in force: elapsed time only")
    story.authenticated().wait(days=30).full()
    assert readings(fold(story.entries), stamp(story.now), weekdays)[0].timeliness is Timeliness.NO_CLOCK


def test_an_unannounced_year_is_never_overdue_and_its_days_are_not_guessed() -> None:
    assert reading("the year is not announced: never overdue", "2027-03-01T01:00:00.000Z") == (
        Timeliness.UNCONFIRMED, None, 0,
    )  # fmt: skip
    assert reading("a supplement was asked for: the clock runs on", "2027-03-01T01:00:00.000Z")[2] is None


def test_a_deadline_that_was_set_leaves_the_old_one_where_it_was() -> None:
    case = fold(told("a standard was adopted: a deadline where there was none"))
    assert [one.clock for one in case.deadlines] == ["no_clock", "due"]
    assert case.deadlines[1].since == case.received_at, "counted from the receipt, not from the adoption"


def test_an_application_has_two_clocks() -> None:
    name = "an application was agreed to: the supply is due"
    assert reading(name, NOW, Stop.DECIDED)[0] is Timeliness.ON_TIME
    assert reading(name, NOW, Stop.SUPPLIED)[0] is Timeliness.OPEN
    assert reading(name, "2026-12-23T01:00:00.000Z", Stop.SUPPLIED)[0] is Timeliness.OVERDUE


def test_a_refusal_before_the_agreement_does_not_stop_the_supply() -> None:
    story = story_of("an application was authenticated")
    story.drafted()
    story.refused()
    story.disputed(3)
    story.resolved("provide")
    decided = story_of("an application was agreed to: the supply is due").entries[-1]
    story.add("request.decided", PROVIDER, **{k: v for k, v in decided.items() if k not in ("seq", "t", "prev", "log")})
    found = {one.stop: one for one in readings(fold(story.entries), NOW, weekdays)}
    assert found[Stop.DECIDED].timeliness is Timeliness.ON_TIME, "the refusal was an answer in time"
    assert found[Stop.SUPPLIED].timeliness is Timeliness.OPEN


def test_an_exit_that_was_agreed_to_open_again_stopped_the_clock_and_an_improper_one_did_not() -> None:
    assert reading("the negotiation ended with more to be given", NOW)[0] is Timeliness.ON_TIME
    assert reading("a refusal found improper stopped nothing", NOW)[0] is Timeliness.OVERDUE
    assert reading("the government decided that it is to be given", NOW)[0] is Timeliness.OVERDUE
    assert reading("the verdict was revoked on objection: the refusal stands", NOW)[0] is Timeliness.ON_TIME


def test_one_office_finding_it_improper_is_enough_until_that_is_revoked() -> None:
    story = story_of("a refusal found improper stopped nothing")
    story.reviewed(3, "upheld", by="dcs")
    assert readings(fold(story.entries), NOW, weekdays)[0].timeliness is Timeliness.OVERDUE


@pytest.mark.parametrize("name", STORIES)
def test_no_story_is_judged_in_time_without_an_act_of_the_provider(name: str) -> None:
    case = fold(told(name))
    for one in readings(case, max(NOW, case.last_at), weekdays):
        if one.timeliness in (Timeliness.ON_TIME, Timeliness.LATE):
            assert one.stopped_at is not None and one.due_at is not None
        if one.due_at is None:
            assert one.timeliness in (Timeliness.NO_CLOCK, Timeliness.UNCONFIRMED)


def test_urgency_is_measured_against_the_countys_own_target() -> None:
    story = story_of("an urgent query, against the county's own target")
    case = fold(story.entries)
    assert case.target_at is not None
    found = urgency(case, stamp(story.now))
    assert found is not None and (found.met, found.taken_s) == (None, 120)
    late = urgency(case, NOW)
    assert late is not None and late.met is False
    story.full()
    served = urgency(fold(story.entries), NOW)
    assert served is not None and (served.met, served.taken_s) == (True, 120)
    assert urgency(fold(told("a query was authenticated")), NOW) is None


def linked() -> dict[str, Case]:
    first, second, third = Story(), Story("q-1.2"), Story("q-1.3")
    first.query()
    first.authenticated()
    first.wait(days=1).redirected()
    second.wait(days=1).query(by=PROVIDER, provider=OTHER, parent="q-1", redirects=1, due_at="2026-11-27T16:00:00.000Z")
    second.add("request.authenticated", OTHER, method="session")
    second.wait(days=1).add("request.answered", OTHER, "", "text", result="redirected")
    second.add("request.assigned", "dcs", to=THIRD, linked="q-1.3")
    third.wait(days=3).query(by="dcs", by_role="inspection", provider=THIRD, parent="q-1.2", redirects=2)
    return {one.case: fold(one.entries) for one in (first, second, third)}


def test_linked_cases_have_clocks_of_their_own_and_one_total() -> None:
    cases = linked()
    for name in cases:
        assert [one.id for one in chain(name, cases)] == ["q-1", "q-1.2", "q-1.3"]
    links = chain("q-1", cases)
    assert [readings(one, NOW, weekdays)[0].timeliness for one in links[:2]] == [Timeliness.ON_TIME] * 2
    assert total_working_days(links, NOW, weekdays) == 6, "from the first receipt to now: the last is still open"
    assert total_working_days(links[:1], NOW, weekdays) == 6, "passed on and not begun yet: it goes on"
    assert total_working_days((fold(told("answered in full, late")),), NOW, weekdays) == 4


def test_links_that_lead_nowhere_or_in_a_circle_are_errors() -> None:
    cases = linked()
    with pytest.raises(MoveError) as caught:
        chain("q-1.2", {name: case for name, case in cases.items() if name != "q-1"})
    assert caught.value.rule == "C80"
    story = Story("q-1")
    story.query(by=PROVIDER, parent="q-1.2", redirects=2)
    with pytest.raises(MoveError, match="linked to itself"):
        chain("q-1", {**cases, "q-1": fold(story.entries)})


def test_the_checklist_of_a_transfer_says_what_is_missing_and_stops_nothing() -> None:
    story = Story()
    story.transfer()
    story.letter(materials=["letter"])
    assert missing_materials(fold(story.entries)) == ("fact_statement", "proof", "corrective_measure")
    assert missing_materials(fold(told("the transfer letter was sent"))) == ()
    crime = Story()
    crime.transfer(transfer="crime")
    assert missing_materials(fold(crime.entries)) == missing_materials(fold(told("no record"))) == ()


def test_a_report_is_overdue_past_the_time_that_the_office_set() -> None:
    name, due = "urged by the justice bureau", "2026-12-04T16:00:00.000Z"
    assert overdue_reports(fold(told(name)), due) == ()
    assert overdue_reports(fold(told(name)), "2026-12-04T16:00:00.001Z") == (3,)
    assert overdue_reports(fold(told("urged, answered late and reported")), "2026-12-31T00:00:00.000Z") == ()
    story = story_of(name)
    story.add("order.objected", PROVIDER, about=3)
    story.add("order.objection_answered", "sfj", objection=4, outcome="revoked")
    assert overdue_reports(fold(story.entries), "2026-12-31T00:00:00.000Z") == ()


def test_subjects_of_a_supplement_are_added() -> None:
    assert fold(told("200 subjects more")).subjects == 500


def test_the_helper_counts_weekdays() -> None:
    assert date(2026, 11, 23).weekday() == 0
    assert weekdays("2026-11-20T01:00:00.000Z", "2026-11-23T01:00:00.000Z") == 1
