"""After a calendar or a rule was adopted: what had no date gets one, as an entry of its own; what had one keeps it.

The rule in force when the request was *received* counts (DESIGN §3): a renewal that begins later gives no date to what
came before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from catalog.desk.rulebooks import SHARING_CLASS, clock_fields
from ledger import ConflictError
from ledger.cases import Case, CaseDraft, Deadline, Stop, append_again, draft_program, read_case
from ledger.errors import MoveError
from ledger.rules import DUE, NO_CLOCK, UNCONFIRMED, Rulebook, deadline

if TYPE_CHECKING:
    from catalog.desk.desk import Desk

#: Cases that are looked at in one go: a page waits for no more.
AT_ONCE = 200


class Renewal:
    """What of one desk is still to be looked at since the rules last changed. Threads share it; a race does no harm."""

    def __init__(self) -> None:
        self._head: int | None = None
        self._after: str | None = None

    def go_on(self, desk: Desk) -> int:
        """Give dates to open cases without one, a few at a time; return how many got one."""
        head = desk.rules.timeline().head
        if head is None:
            return 0
        if head != self._head:
            self._head, self._after = head, ""
        if self._after is None:
            return 0
        numbers = desk.shelf.undated(self._after, AT_ONCE)
        self._after = numbers[-1] if len(numbers) == AT_ONCE else None
        return sum(renew(desk, number, head) for number in numbers)


def renew(desk: Desk, number: str, cause: int) -> int:
    """Give the deadlines of one case their dates where the rules of now know them; return how many got one.

    Args:
        cause: the entry that changed the rules.
    """
    done, case = 0, read_case(desk.ledger, number)
    for fields in missing(case, desk.rules.current(), _sharing_class(desk, case)):
        # Another process was faster: it says the same.
        with suppress(ConflictError, MoveError):
            append_again(desk.ledger, case, partial(_draft, desk, {"cause": cause, **fields}))
            done += 1
            case = read_case(desk.ledger, number)
    return done


def _draft(desk: Desk, fields: dict[str, Any], case: Case) -> CaseDraft:
    return draft_program(case, "deadline.set", desk.now(), fields)


def missing(case: Case, book: Rulebook, sharing_class: str | None) -> Iterator[dict[str, Any]]:
    """What is to be said of those deadlines of ``case`` that ``book`` gives a date, or at least a clause. Pure."""
    for given in case.current_deadlines():
        if given.clock == "due" or case.stopped_at(given.stop) is not None:
            continue
        found = _reckoned(case, given, book, sharing_class)
        better = found.state == DUE or (found.state == UNCONFIRMED and given.clock == NO_CLOCK)
        if better:
            yield clock_fields(found)


def _reckoned(case: Case, given: Deadline, book: Rulebook, sharing_class: str | None) -> Any:
    received = datetime.fromisoformat(case.received_at)
    started = datetime.fromisoformat(given.since)
    start = "decided" if case.decided is not None and given.stop is Stop.SUPPLIED else None
    return deadline(
        book,
        case.act.value,
        started,
        start=start,
        stop=given.stop.value,
        received_at=received,
        sharing_class=None if start else sharing_class,
    )


def _sharing_class(desk: Desk, case: Case) -> str | None:
    published = desk.service.resource(case.resource) if case.resource is not None else None
    return SHARING_CLASS.get(published["sharing_class"]) if published is not None else None
