"""Counting working days: day zero is not counted, make-up days are, rest days are not.

Source: 民法典 art. 201 (the first day is not counted); 行政处罚法 art. 85 (working days, without statutory holidays).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, timedelta

from ledger.rules.calendars import Calendars
from ledger.rules.errors import RuleDataError, UnannouncedYearError


def nth_after(calendars: Calendars, day: date, count: int) -> date:
    """The ``count``-th working day after ``day`` (1 is the next one).

    Cost: two binary searches.

    Raises:
        UnannouncedYearError: it may lie in a year that is not announced, or beyond one.
        RuleDataError: ``count`` is less than 1.
    """
    if count < 1:
        raise RuleDataError(f"got {count} working days, want 1 or more", f"得到 {count} 个工作日，应不少于 1")
    ordinals = calendars.working_ordinals
    index = bisect_right(ordinals, day.toordinal()) + count - 1
    if index >= len(ordinals):
        raise UnannouncedYearError(_first_gap(calendars, day))
    found = date.fromordinal(ordinals[index])
    _check_announced(calendars, day, found)
    return found


def count_after(calendars: Calendars, day: date, until: date) -> int:
    """How many working days lie after ``day`` and not after ``until``; 0 if ``until`` is ``day`` or before.

    Raises:
        UnannouncedYearError: a day between is of a year that is not announced.
    """
    if until <= day:
        return 0
    _check_announced(calendars, day, until)
    ordinals = calendars.working_ordinals
    return bisect_right(ordinals, until.toordinal()) - bisect_left(ordinals, day.toordinal() + 1)


def _check_announced(calendars: Calendars, day: date, until: date) -> None:
    for year in range((day + timedelta(days=1)).year, until.year + 1):
        if year not in calendars.years:
            raise UnannouncedYearError(year)


def _first_gap(calendars: Calendars, day: date) -> int:
    year = (day + timedelta(days=1)).year
    while year in calendars.years:
        year += 1
    return year
