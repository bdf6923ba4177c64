"""Calendars: which days the State Council's yearly notice makes rest days, and which weekend days working days.

One calendar for one year, as its notice says. A year without one is unknown: nothing is counted in it, nothing guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

from ledger.log import canonical
from ledger.rules import shape
from ledger.rules.errors import RuleDataError, UnannouncedYearError

_ONE = timedelta(days=1)
#: The longest holiday there ever was had 9 days; more than this is a slip of the pen.
_MAX_HOLIDAY = timedelta(days=20)


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days off, ``first`` to ``last``, both included, weekend days among them."""

    name_zh: str
    name_en: str
    first: date
    last: date

    @classmethod
    def read(cls, value: Any, where: str) -> Holiday:
        found = shape.only(value, where, ("name_zh", "name_en", "first", "last"))
        first, last = shape.day(found["first"], f"{where}.first"), shape.day(found["last"], f"{where}.last")
        if not first <= last <= first + _MAX_HOLIDAY:
            raise RuleDataError(
                f"{where}: {first} to {last} is no holiday", f"{where}：{first} 至 {last} 不是合理的假期"
            )
        return cls(
            shape.text(found["name_zh"], f"{where}.name_zh", 40),
            shape.text(found["name_en"], f"{where}.name_en", 80),
            first,
            last,
        )

    def to_value(self) -> dict[str, Any]:
        return {
            "name_zh": self.name_zh,
            "name_en": self.name_en,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }

    def days(self) -> Iterable[date]:
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The holidays of one year, as one notice orders them.

    Attributes:
        notice: its number, like 国办发明电〔2025〕7号; ``issued`` its date, ``source`` where it was read.
        make_up: Saturdays and Sundays that are worked (调休上班).
    """

    year: int
    notice: str
    issued: date
    source: str
    holidays: tuple[Holiday, ...]
    make_up: tuple[date, ...]

    @classmethod
    def read(cls, value: Any, where: str = "calendar") -> Calendar:
        """A calendar from its value (the inverse of :meth:`to_value`).

        Raises:
            RuleDataError: out of form; days of another year (December before may be named); days in two holidays; a
                make-up day in a holiday or on a weekday; no holiday at all.
        """
        found = shape.only(value, where, ("format", "year", "notice", "issued", "source", "holidays", "make_up"))
        shape.count(found["format"], f"{where}.format", 1, 1)
        made = cls(
            shape.count(found["year"], f"{where}.year", 1950, 9998),
            shape.text(found["notice"], f"{where}.notice", 100),
            shape.day(found["issued"], f"{where}.issued"),
            shape.text(found["source"], f"{where}.source", 500),
            shape.many(found["holidays"], f"{where}.holidays", Holiday.read, at_least=1),
            shape.many(found["make_up"], f"{where}.make_up", shape.day),
        )
        made._check(where)
        return made

    def _check(self, where: str) -> None:
        off = [day for holiday in self.holidays for day in holiday.days()]
        for earlier, later in (*pairwise(off), *pairwise(self.make_up)):
            if earlier >= later:
                raise RuleDataError(
                    f"{where}: {later} comes after {earlier} or twice; want days in order, each once",
                    f"{where}：{later} 排在 {earlier} 之后或重复；日期应依次排列，不得重复",
                )
        for day in (*off, *self.make_up):
            # A notice may reach back: that of 2019 moved days of December 2018.
            if not date(self.year - 1, 12, 1) <= day <= date(self.year, 12, 31):
                raise RuleDataError(
                    f"{where}: {day} is not of {self.year} or the December before",
                    f"{where}：{day} 不属于 {self.year} 年或上年十二月",
                )
        for day in self.make_up:
            if day.isoweekday() < 6 or day in off:
                raise RuleDataError(
                    f"{where}: the make-up day {day} must be a Saturday or Sunday and not in a holiday",
                    f"{where}：调休上班日 {day} 须为周六或周日，且不在假期内",
                )

    def to_value(self) -> dict[str, Any]:
        """What canonical JSON is made of."""
        return {
            "format": 1,
            "year": self.year,
            "notice": self.notice,
            "issued": self.issued.isoformat(),
            "source": self.source,
            "holidays": [holiday.to_value() for holiday in self.holidays],
            "make_up": [day.isoformat() for day in self.make_up],
        }


@dataclass(frozen=True, slots=True)
class DayKind:
    """What a day is: ``code`` is workday | weekend | holiday | make_up, ``holiday`` which one."""

    code: str
    holiday: Holiday | None = None

    @property
    def works(self) -> bool:
        return self.code in ("workday", "make_up")


@dataclass(frozen=True)
class Calendars:
    """The calendars that are announced, one for a year, in order of years."""

    calendars: tuple[Calendar, ...]

    @classmethod
    def of(cls, calendars: Iterable[Calendar]) -> Calendars:
        """Raises :class:`RuleDataError` where a year comes twice."""
        ordered = tuple(sorted(calendars, key=lambda calendar: calendar.year))
        for earlier, later in pairwise(ordered):
            if earlier.year == later.year:
                raise RuleDataError(
                    f"two calendars of {later.year}; want one", f"{later.year} 年有两份日历，应只有一份"
                )
        return cls(ordered)

    @classmethod
    def read(cls, value: Any, where: str = "calendars") -> Calendars:
        """From :meth:`to_value`. Raises :class:`RuleDataError`."""
        found = shape.only(value, where, ("format", "calendars"))
        shape.count(found["format"], f"{where}.format", 1, 1)
        return cls.of(shape.many(found["calendars"], f"{where}.calendars", Calendar.read))

    def adopt(self, calendar: Calendar) -> Calendars:
        """These and ``calendar``, which takes the place of one of the same year; these stay as they are."""
        return Calendars.of((*(each for each in self.calendars if each.year != calendar.year), calendar))

    def to_value(self) -> dict[str, Any]:
        return {"format": 1, "calendars": [calendar.to_value() for calendar in self.calendars]}

    @cached_property
    def canonical(self) -> bytes:
        """The bytes that :attr:`digest` is of."""
        return canonical.encode(self.to_value())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex: what entries name."""
        return hashlib.sha256(self.canonical).hexdigest()

    @cached_property
    def years(self) -> frozenset[int]:
        """The years that are announced."""
        return frozenset(calendar.year for calendar in self.calendars)

    def calendar(self, year: int) -> Calendar:
        """Raises :class:`UnannouncedYearError`."""
        for each in self.calendars:
            if each.year == year:
                return each
        raise UnannouncedYearError(year)

    def kind(self, day: date) -> DayKind:
        """What ``day`` is. Raises :class:`UnannouncedYearError` where its year is not announced."""
        if day.year not in self.years:
            raise UnannouncedYearError(day.year)
        return self._named.get(day) or DayKind("weekend" if day.isoweekday() > 5 else "workday")

    @cached_property
    def _named(self) -> dict[date, DayKind]:
        named: dict[date, DayKind] = {}
        for calendar in self.calendars:  # in order of years: a later notice's word on the December before holds
            for holiday in calendar.holidays:
                named |= dict.fromkeys(holiday.days(), DayKind("holiday", holiday))
            named |= dict.fromkeys(calendar.make_up, DayKind("make_up"))
        return named

    @cached_property
    def working_ordinals(self) -> tuple[int, ...]:
        """All working days of announced years as ordinals (``date.toordinal``), ascending."""
        found = []
        for year in sorted(self.years):
            day = date(year, 1, 1)
            while day.year == year:
                if self.kind(day).works:
                    found.append(day.toordinal())
                day += _ONE
        return tuple(found)
