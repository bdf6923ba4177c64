"""When an answer is due.

For other modules: make a :class:`Rulebook` (``packaged()``, or what the ledger's entries make of it:
:func:`ledger.rules.adoption.fold`), call :func:`deadline`, put :meth:`Deadline.fields` into the entry. Their forms are
``ledger.kinds_rules.DEADLINE_FIELDS``. The day of the start, by the clock of Asia/Shanghai, is day zero; the answer is
due at the end of the last working day, and is on time if given at ``due_at`` or before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import Any

from ledger.rules import workdays
from ledger.rules.calendars import Calendars
from ledger.rules.clauses import ACTS, SHARING_CLASSES, STARTS, STOPS, USUAL_START, USUAL_STOP, Clause
from ledger.rules.errors import ExtensionError, InstantError, UnannouncedYearError, UnknownRuleError
from ledger.rules.register import Register

#: One offset since 1992, written out: no machine's time zone or zone file decides about a deadline.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

#: There is a due time; no working day of it is unknown.
DUE = "due"
#: It runs into a year that is not announced: not on time, not late, not guessed.
UNCONFIRMED = "unconfirmed"
#: No clause in force on the day of receipt sets a time: elapsed time is shown, nobody is late.
NO_CLOCK = "no_clock"
#: Urgent, under a clause that says at once (立即): measured against a local target.
AT_ONCE = "at_once"
STATES = (DUE, UNCONFIRMED, NO_CLOCK, AT_ONCE)


@dataclass(frozen=True)
class Rulebook:
    """A register and the calendars it counts by: all that a deadline depends on."""

    register: Register
    calendars: Calendars

    @cached_property
    def digests(self) -> dict[str, str]:
        """``register`` and ``calendars``: SHA-256 in hex, as entries name them."""
        return {"register": self.register.digest, "calendars": self.calendars.digest}


@dataclass(frozen=True, slots=True)
class Deadline:
    """When something is due, and by what.

    Attributes:
        state: of :data:`STATES`.
        started_at: the instant that started the clock, in UTC.
        day_zero: its day in Asia/Shanghai, which is not counted.
        clause: the clause that counts the days; None where there is none.
        working_days: how many, extensions included.
        last_day: the last of them, None where unknown.
        due_at: end of ``last_day`` as the register's settings have it, in UTC; None where unknown.
        midnight_at, close_of_business_at: both possible ends of ``last_day``, in UTC, for showing.
        unannounced_year: the year that makes it unconfirmed.
        urgent_clause: the clause of at once, where the request is urgent and one is in force.
        target_at: for what is urgent, the *local* target. Never law.
        extended_by: working days by which it was extended.
    """

    state: str
    act: str
    start: str
    stop: str
    started_at: datetime
    day_zero: date
    register: str
    calendars: str
    clause: Clause | None = None
    working_days: int | None = None
    last_day: date | None = None
    due_at: datetime | None = None
    midnight_at: datetime | None = None
    close_of_business_at: datetime | None = None
    unannounced_year: int | None = None
    urgent_clause: Clause | None = None
    target_at: datetime | None = None
    extended_by: int = 0

    @property
    def standing(self) -> str | None:
        """``statutory`` or ``local_standard``: what every figure about it must say; None where there is no clause."""
        return None if self.clause is None else self.clause.kind

    def is_late(self, at: datetime) -> bool | None:
        """Whether ``at`` is after the due time; None where nothing may be said (unconfirmed, no clock)."""
        return None if self.due_at is None else as_utc(at) > self.due_at

    def fields(self) -> dict[str, Any]:
        """The open fields of an entry that relies on this; what does not apply is left out."""
        found = {
            "act": self.act,
            "stop": self.stop,
            "clock": self.state,
            "clause": None if self.clause is None else self.clause.id,
            "standing": self.standing,
            "working_days": self.working_days,
            "due_at": None if self.due_at is None else stamp(self.due_at),
            "urgent_clause": None if self.urgent_clause is None else self.urgent_clause.id,
            "target_at": None if self.target_at is None else stamp(self.target_at),
            "register": self.register,
            "calendars": self.calendars,
        }
        return {name: value for name, value in found.items() if value is not None}


def deadline(
    rulebook: Rulebook,
    act: str,
    started_at: datetime,
    *,
    start: str | None = None,
    stop: str | None = None,
    received_at: datetime | None = None,
    sharing_class: str | None = None,
    urgent: bool = False,
) -> Deadline:
    """When the ``stop`` of an ``act`` is due that ``started_at``.

    Args:
        act: of :data:`ledger.rules.clauses.ACTS`.
        start, stop: of its ``STARTS`` and ``STOPS``; by default the act's usual ones (query: received, supplied;
            application and correction: received, decided; transfer: notified, sent). An application that was agreed to
            is due once more: ``start="decided", stop="supplied"`` (条例 art. 22).
        received_at: when the request was received, where that is not ``started_at``: the rule in force on *that* day
            counts.
        sharing_class: ``unconditional`` | ``conditional``, to each of which 条例 art. 21 gives its own time; None where
            it is not determined.
        urgent: marked especially urgent, with reason and approver (not checked here).

    Raises:
        InstantError: a time without a zone.
        UnknownRuleError: no such act, start, stop or sharing class.
    """
    _check_known("act", act, ACTS)
    start, stop = start or USUAL_START[act], stop or USUAL_STOP[act]
    _check_known("start", start, STARTS)
    _check_known("stop", stop, STOPS)
    _check_known("sharing class", sharing_class, (*SHARING_CLASSES, None))
    started = as_utc(started_at)
    in_force_on = local_day(started if received_at is None else received_at)
    register = rulebook.register
    digests = rulebook.register.digest, rulebook.calendars.digest
    bare = Deadline(NO_CLOCK, act, start, stop, started, local_day(started), *digests)
    clause = register.clock_clause(act, start, stop, in_force_on, sharing_class=sharing_class)
    found = bare
    if clause is not None and clause.clock is not None and clause.clock.working_days is not None:
        found = _due(rulebook, replace(bare, clause=clause, working_days=clause.clock.working_days))
    if not urgent:
        return found
    at_once = register.clock_clause(act, start, stop, in_force_on, sharing_class=sharing_class, urgent=True)
    target = started + timedelta(minutes=register.settings.at_once_target_minutes)
    return replace(found, state=found.state if at_once is None else AT_ONCE, urgent_clause=at_once, target_at=target)


def extend(rulebook: Rulebook, given: Deadline, working_days: int) -> Deadline:
    """The deadline extended by ``working_days`` once; who consented and was told is for the entry to say.

    Raises:
        ExtensionError: its clause allows none (19号), or not so many, or it was extended before.

    Source: 条例 (令809) art. 21: 延长的期限最长不得超过10个工作日.
    """
    clause = given.clause
    allowed = None if clause is None or clause.clock is None else clause.clock.extension
    if clause is None or allowed is None or given.working_days is None:
        label_en = clause.label_en if clause else "no clause in force"
        label_zh = clause.label_zh if clause else "无有效条款"
        raise ExtensionError(
            f"{label_en}: it allows no extension; answer in time, or the answer is late",
            f"{label_zh}：未规定可以延期；请按期答复，逾期即为迟答",
        )
    if given.extended_by or not 1 <= working_days <= allowed.max_working_days:
        raise ExtensionError(
            f"{clause.label_en}: got {working_days} working days (extended by {given.extended_by} before), "
            f"want once, 1 to {allowed.max_working_days}",
            f"{clause.label_zh}：申请延长 {working_days} 个工作日（此前已延长 {given.extended_by} 个），"
            f"只可延长一次，1 至 {allowed.max_working_days} 个工作日",
        )
    longer = replace(
        given,
        working_days=given.working_days + working_days,
        extended_by=working_days,
        unannounced_year=None,
        register=rulebook.register.digest,
        calendars=rulebook.calendars.digest,
    )
    return _due(rulebook, longer)


def _check_known(what: str, value: str | None, known: Sequence[str | None]) -> None:
    if value not in known:
        raise UnknownRuleError(
            f"no {what} {value!r}; there are {', '.join(map(str, known))}",
            f"没有 {value!r}；可用的有 {'、'.join(map(str, known))}",
        )


def _due(rulebook: Rulebook, counted: Deadline) -> Deadline:
    """``counted`` with its last day and due time, or unconfirmed."""
    if counted.working_days is None:
        return counted
    try:
        last = workdays.nth_after(rulebook.calendars, counted.day_zero, counted.working_days)
    except UnannouncedYearError as error:
        return replace(
            counted, state=UNCONFIRMED, unannounced_year=error.year, last_day=None, due_at=None,
            midnight_at=None, close_of_business_at=None,
        )  # fmt: skip
    settings = rulebook.register.settings
    midnight, close = end_of(last), end_of(last, settings.close_of_business)
    due_at = midnight if settings.day_ends == "midnight" else close
    return replace(counted, state=DUE, last_day=last, due_at=due_at, midnight_at=midnight, close_of_business_at=close)


def end_of(day: date, close: time | None = None) -> datetime:
    """24:00 of a day in Asia/Shanghai, or its close of business, in UTC. Source: 民法典 art. 203."""
    if close is None:
        return datetime.combine(day + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)
    return datetime.combine(day, close, SHANGHAI).astimezone(UTC)


def local_day(at: datetime) -> date:
    """The day of an instant in Asia/Shanghai. Raises :class:`InstantError` for a time without a zone."""
    return as_utc(at).astimezone(SHANGHAI).date()


def as_utc(at: datetime) -> datetime:
    """An instant in UTC. Raises :class:`InstantError` for a time without a zone: it names no instant."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise InstantError(
            f"the time {at.isoformat()} has no zone; write it like {at.isoformat()}+08:00",
            f"时间 {at.isoformat()} 没有时区；请写成 {at.isoformat()}+08:00",
        )
    return at.astimezone(UTC)


def stamp(at: datetime) -> str:
    """An instant as entries write it: UTC, milliseconds, Z."""
    return as_utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
