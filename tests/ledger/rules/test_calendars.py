"""Calendars and working days, day by day against a library that keeps the same notices."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules import Calendar, Calendars, RuleDataError, UnannouncedYearError, packaged, workdays
from tests.ledger.rules.support import invented_2027

CALENDARS = packaged().calendars
YEARS = range(2021, 2027)
GOOD: dict[str, Any] = CALENDARS.calendar(2026).to_value()


def days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def naive_nth(day: date, count: int) -> date:
    """The slow way, asking the library day by day."""
    while count:
        day += timedelta(days=1)
        count -= chinese_calendar.is_workday(day)
    return day


@pytest.mark.parametrize("year", YEARS)
def test_every_day_is_what_the_library_says(year: int) -> None:
    differ = [day for day in days_of(year) if CALENDARS.kind(day).works != chinese_calendar.is_workday(day)]
    assert differ == []


@pytest.mark.parametrize(("year", "count"), [(2024, 251), (2025, 248), (2026, 248)])
def test_how_many_working_days_a_year_has(year: int, count: int) -> None:
    assert sum(CALENDARS.kind(day).works for day in days_of(year)) == count


@pytest.mark.parametrize("count", [1, 3, 10, 20])
def test_counting_agrees_with_the_slow_way_on_every_day(count: int) -> None:
    for year in range(2021, 2026):
        for day in days_of(year):
            assert workdays.nth_after(CALENDARS, day, count) == naive_nth(day, count), day


def test_there_are_the_years_that_are_announced_and_no_more() -> None:
    assert CALENDARS.years == frozenset(YEARS)
    assert all(calendar.notice.startswith("国办发明电〔") for calendar in CALENDARS.calendars)
    for day in (date(2027, 1, 1), date(2020, 12, 31)):
        with pytest.raises(UnannouncedYearError, match=str(day.year)):
            CALENDARS.kind(day)


@pytest.mark.parametrize(
    ("day", "count", "year"),
    [("2026-12-29", 3, 2027), ("2026-12-31", 1, 2027), ("2027-06-01", 1, 2027), ("2020-06-01", 1, 2020)],
)
def test_nothing_is_counted_in_a_year_not_announced(day: str, count: int, year: int) -> None:
    with pytest.raises(UnannouncedYearError) as caught:
        workdays.nth_after(CALENDARS, date.fromisoformat(day), count)
    assert caught.value.year == year
    with pytest.raises(UnannouncedYearError):
        workdays.count_after(CALENDARS, date.fromisoformat(day), date(2027, 6, 2))


def test_a_gap_between_two_announced_years_is_not_jumped_over() -> None:
    gapped = Calendars.of([CALENDARS.calendar(2024), CALENDARS.calendar(2026)])
    with pytest.raises(UnannouncedYearError, match="2025"):
        workdays.nth_after(gapped, date(2024, 12, 31), 1)
    assert workdays.nth_after(gapped, date(2025, 12, 31), 1) == date(2026, 1, 4)


def test_less_than_one_day_is_no_count() -> None:
    with pytest.raises(RuleDataError):
        workdays.nth_after(CALENDARS, date(2026, 1, 5), 0)


@given(st.dates(date(2021, 1, 1), date(2026, 6, 30)), st.integers(1, 60))
def test_the_nth_day_is_a_working_day_with_n_of_them_up_to_it(day: date, count: int) -> None:
    found = workdays.nth_after(CALENDARS, day, count)
    assert CALENDARS.kind(found).works and workdays.count_after(CALENDARS, day, found) == count
    assert workdays.count_after(CALENDARS, day, found - timedelta(days=1)) == count - 1


def test_counting_backwards_counts_nothing() -> None:
    assert workdays.count_after(CALENDARS, date(2026, 11, 25), date(2026, 11, 25)) == 0
    assert workdays.count_after(CALENDARS, date(2026, 11, 25), date(2026, 1, 1)) == 0


def test_adopting_gives_new_calendars_and_leaves_the_old() -> None:
    new = CALENDARS.adopt(invented_2027())
    assert new.years == CALENDARS.years | {2027} and 2027 not in CALENDARS.years
    assert new.digest != CALENDARS.digest
    assert Calendars.read(new.to_value()) == new


def test_a_second_notice_of_a_year_takes_the_place_of_the_first() -> None:
    changed = CALENDARS.adopt(invented_2027()).adopt(invented_2027())
    assert len(changed.calendars) == len(CALENDARS.calendars) + 1
    with pytest.raises(RuleDataError, match="two calendars of 2027"):
        Calendars.of([invented_2027(), invented_2027()])


def test_a_notice_may_move_days_of_the_december_before() -> None:
    """As that of 2019 did: Saturday 2018-12-29 was worked, Monday 12-31 was off."""
    value = invented_2027().to_value() | {"make_up": ["2026-12-26"]}
    value["holidays"][0]["first"] = "2026-12-31"
    new = CALENDARS.adopt(Calendar.read(value))
    assert [new.kind(date(2026, 12, day)).code for day in (26, 30, 31)] == ["make_up", "workday", "holiday"]
    assert CALENDARS.kind(date(2026, 12, 31)).code == "workday"


def changed(**more: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | more


def holiday(first: str, last: str) -> dict[str, str]:
    return {"name_zh": "元旦", "name_en": "New Year's Day", "first": first, "last": last}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (changed(extra=1), "unknown key"),
        ({key: value for key, value in GOOD.items() if key != "notice"}, "notice is missing"),
        (changed(format=2), "format"),
        (changed(year="2026"), "year"),
        (changed(notice=" "), "notice"),
        (changed(issued="2025-11-31"), "issued"),
        (changed(holidays=[]), "at least 1"),
        (changed(holidays=[holiday("2026-01-02", "2026-01-01")]), "no holiday"),
        (changed(holidays=[holiday("2026-01-01", "2026-03-01")]), "no holiday"),
        (changed(holidays=[holiday("2027-01-01", "2027-01-02")]), "not of 2026"),
        (changed(holidays=[holiday("2025-11-30", "2025-12-01")]), "not of 2026"),
        (changed(holidays=[*GOOD["holidays"], GOOD["holidays"][0]]), "twice"),
        (changed(holidays=[{**holiday("2026-01-01", "2026-01-01"), "note": "x"}]), "unknown key"),
        (changed(make_up=["2026-01-05"]), "Saturday or Sunday"),
        (changed(make_up=["2026-01-03"]), "not in a holiday"),
        (changed(make_up=["2026-02-14", "2026-01-04"]), "comes after"),
        (changed(make_up=["2026-02-30"]), "make_up"),
        (changed(make_up="2026-01-04"), "list"),
        ([], "mapping"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(value: Any, says: str) -> None:
    with pytest.raises(RuleDataError, match=says) as caught:
        Calendar.read(value)
    assert caught.value.zh
