"""The working behind a due date: each day from the start on, counted or skipped, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ledger.rules.calendars import Calendars, DayKind
from ledger.rules.deadlines import Deadline
from ledger.rules.errors import UnannouncedYearError

_ONE = timedelta(days=1)
_WEEKDAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: A strip longer than this says nothing to anybody; the longest clause with its extension takes about five weeks.
_MAX_DAYS = 400


@dataclass(frozen=True, slots=True)
class WorkingDay:
    """One day of the working.

    Attributes:
        code: start (day zero) | workday | make_up | weekend | holiday | unannounced.
        number: its number among the days counted; None where it is skipped.
        why_zh, why_en: why it is counted or not.
    """

    day: date
    code: str
    number: int | None
    why_zh: str
    why_en: str

    @property
    def weekday_zh(self) -> str:
        return _WEEKDAYS_ZH[self.day.weekday()]

    @property
    def weekday_en(self) -> str:
        return _WEEKDAYS_EN[self.day.weekday()]

    def to_value(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "weekday": self.day.isoweekday(),
            "code": self.code,
            "number": self.number,
            "why_zh": self.why_zh,
            "why_en": self.why_en,
        }


def working(calendars: Calendars, given: Deadline) -> tuple[WorkingDay, ...]:
    """From day zero to the last day, each with why it is counted or not.

    An unconfirmed deadline ends with the first day of the year that is not announced. Empty where nothing is counted.
    """
    if given.working_days is None:
        return ()
    return tuple(_days(calendars, given.day_zero, given.working_days))


def _days(calendars: Calendars, day_zero: date, working_days: int) -> Iterator[WorkingDay]:
    yield WorkingDay(day_zero, "start", None, "起算日，当天不计入", "the day on which the clock starts is not counted")
    number, day = 0, day_zero
    for _ in range(_MAX_DAYS):
        if number == working_days:
            return
        day += _ONE
        try:
            kind = calendars.kind(day)
        except UnannouncedYearError:
            yield WorkingDay(
                day,
                "unannounced",
                None,
                f"{day.year} 年节假日安排尚未公布，不推算",
                f"the holidays of {day.year} are not announced; nothing is guessed",
            )
            return
        number += kind.works
        yield WorkingDay(day, kind.code, number if kind.works else None, *_why(kind, number))


def _why(kind: DayKind, number: int) -> tuple[str, str]:
    if kind.code == "holiday" and kind.holiday is not None:
        return f"{kind.holiday.name_zh}放假，不计", f"{kind.holiday.name_en} holiday, skipped"
    if kind.code == "weekend":
        return "周末，不计", "weekend, skipped"
    if kind.code == "make_up":
        return f"调休上班，第 {number} 个工作日", f"make-up working day, counted as number {number}"
    return f"第 {number} 个工作日", f"working day number {number}"
