"""How a case stands at an instant: computed from facts, never stored. The instant and the counting are arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ledger.cases.case import GIVING, Case, Deadline
from ledger.cases.states import State, Stop
from ledger.errors import MoveError

#: Working days from an instant to another (both in the form of ``t``), the day of the first not counted; None: a
#: calendar that is needed was not announced.
WorkingDays = Callable[[str, str], int | None]


class Timeliness(StrEnum):
    """What a deadline has come to. ``no_clock`` and ``unconfirmed`` are never on time, late or overdue."""

    NO_CLOCK = "no_clock"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    OVERDUE = "overdue"
    ON_TIME = "on_time"
    LATE = "late"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Reading:
    """One deadline of a case at an instant.

    Attributes:
        clause, standing: the clause, and whether it is ``statutory`` or the county's ``local_standard``.
        stopped_at: when its clock was stopped; None: it runs, or the request was withdrawn.
        working_days: since the clock began, to its stop or to now; None: a calendar is missing.
        waiting_days: of these, working days in which the requester's doing was awaited. The clock ran on.
    """

    stop: Stop
    timeliness: Timeliness
    due_at: str | None
    clause: str | None
    standing: str | None
    stopped_at: str | None
    working_days: int | None
    waiting_days: int | None


@dataclass(frozen=True, slots=True)
class Urgency:
    """How an urgent request was served, against the county's own target: no figure of this is law.

    Attributes:
        taken_s: seconds from receipt to the first answer that gave something or closed the case, or to now.
        met: None while nothing was given and the target is not over.
    """

    target_at: str
    taken_s: int
    met: bool | None


def readings(case: Case, now: str, working_days: WorkingDays) -> tuple[Reading, ...]:
    """Each deadline of the case as it stands at ``now`` (in the form of ``t``)."""
    return tuple(_reading(case, deadline, now, working_days) for deadline in case.current_deadlines())


def _reading(case: Case, deadline: Deadline, now: str, working_days: WorkingDays) -> Reading:
    stopped = case.stopped_at(deadline.stop)
    end = stopped or case.withdrawn_at or now
    return Reading(
        deadline.stop,
        _timeliness(case, deadline, stopped, end),
        deadline.due_at,
        deadline.clause,
        deadline.standing,
        stopped,
        working_days(deadline.since, end),
        _waiting(case, deadline.since, end, working_days),
    )


def _timeliness(case: Case, deadline: Deadline, stopped: str | None, end: str) -> Timeliness:
    if deadline.due_at is None:
        return Timeliness(deadline.clock)
    late = end > deadline.due_at
    if stopped is not None:
        return Timeliness.LATE if late else Timeliness.ON_TIME
    if case.withdrawn_at is not None and not late:
        return Timeliness.WITHDRAWN
    return Timeliness.OVERDUE if late else Timeliness.OPEN


def _waiting(case: Case, since: str, end: str, working_days: WorkingDays) -> int | None:
    total = 0
    for wait in case.waits:
        start, stop = max(wait.since, since), min(wait.until or end, end)
        if start < stop:
            days = working_days(start, stop)
            if days is None:
                return None
            total += days
    return total


def urgency(case: Case, now: str) -> Urgency | None:
    """How an urgent request was served; None where it was not marked urgent."""
    if case.target_at is None:
        return None
    ends = [exit.at for exit in case.exits if not exit.void and exit.result in GIVING]
    ends += [at for stop in Stop if (at := case.stopped_at(stop)) is not None]
    end = min(ends, default=case.withdrawn_at)
    taken = int((_instant(end or now) - _instant(case.received_at)).total_seconds())
    over = (end or now) > case.target_at
    return Urgency(case.target_at, taken, None if end is None and not over else not over)


def overdue_reports(case: Case, now: str) -> tuple[int, ...]:
    """The orders that stand and whose report, due at a time that the office set, had not come at ``now``."""
    return tuple(
        order.seq
        for order in case.orders
        if not order.revoked
        and order.reported is None
        and order.report_due_at is not None
        and order.report_due_at < now
    )


def chain(case_id: str, cases: Mapping[str, Case]) -> tuple[Case, ...]:
    """The cases of one request that was passed on, the first one first.

    Raises:
        MoveError: a case that is named is missing, or they name each other in a circle.
    """
    found: list[Case] = []
    name: str | None = case_id
    while name is not None:
        case = cases.get(name)
        if case is None or case in found:
            raise MoveError("C80", f"case {name} is missing or linked to itself", f"案件 {name} 缺失或循环转办")
        found.insert(0, case)
        name = case.parent
    name = found[-1].linked
    while name is not None and name in cases:
        case = cases[name]
        if case in found:
            raise MoveError("C80", f"case {name} is linked to itself", f"案件 {name} 循环转办")
        found.append(case)
        name = case.linked
    return tuple(found)


def total_working_days(links: tuple[Case, ...], now: str, working_days: WorkingDays) -> int | None:
    """Working days from the first receipt to the end of the last of the linked cases, or to now while it is open."""
    last = links[-1]
    open_still = last.state.is_open or last.state in (State.WITH_SUPERVISOR, State.REDIRECTED)
    ends = [at for stop in Stop if (at := last.stopped_at(stop)) is not None]
    end = now if open_still else last.withdrawn_at or max(ends, default=now)
    return working_days(links[0].received_at, end)


def missing_materials(case: Case) -> tuple[str, ...]:
    """What the transfer's checklist still lacks (T3 to T6 of the opinion); () for other cases, and where all is there.

    Raised is nothing: a letter that is late for want of a photograph would be worse than one that says what is missing.
    """
    transfer = case.transfer
    if transfer is None or transfer.type == "crime":  # 令310 has papers of its own
        return ()
    lacks = [name for name in ("letter", "fact_statement") if name not in transfer.materials]
    if not set(transfer.materials) & {"inspection_record", "scene_photos", "reports", "appraisal"}:
        lacks.append("proof")
    if transfer.type == "power_moved" and not {"corrective_measure", "no_corrective_measure"} & set(transfer.steps):
        lacks.append("corrective_measure")
    if "stop_order" in transfer.steps and "evidence" not in transfer.steps:
        lacks.append("evidence")
    return tuple(lacks)


def _instant(t: str) -> datetime:
    return datetime.fromisoformat(t)
