"""A move ready to be appended, checked against the case as it was read, and void if the case moved on meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ledger import entries, once
from ledger.book import Ledger
from ledger.cases.case import Case
from ledger.cases.fold import apply, survey
from ledger.errors import ConflictError, MoveError
from ledger.items import FIELD as ITEM_COMMITMENTS
from ledger.items import SealedItems
from ledger.log.sequencer import Appended, Expect

#: What stands for the chain fields and commitments of an entry that is not appended yet.
_NO_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        agency, role: the agency, and the role in which it acts (:data:`ledger.case_kinds.AGENCY_ROLES`).
        duty: the officer's role in which they act; ``system`` for a program of the agency.
        officer: the officer's id, which goes into the entry as a commitment; None for a system.
        auth, keyid: how they were known.
    """

    agency: str
    role: str
    duty: str
    officer: str | None
    auth: str
    keyid: str | None = None


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """A move that the case allows. Appending raises :class:`ConflictError` where somebody was faster.

    ``once`` may be lengthened (``dataclasses.replace``), as by the key of a repeated call.
    """

    kind: str
    fields: Mapping[str, Any]
    particulars: Mapping[str, Any]
    expect: Expect
    batch: SealedItems | None = None
    once: tuple[str, ...] = ()

    def append(self, ledger: Ledger) -> Appended:
        """Append it: durable on return. Raises as :meth:`Ledger.append`."""
        return ledger.append(
            self.kind,
            self.fields,
            particulars=self.particulars,
            batch=self.batch,
            once=self.once,
            expect=self.expect,
        )

    async def append_async(self, ledger: Ledger) -> Appended:
        """:meth:`append`, without blocking the event loop."""
        return await ledger.append_async(
            self.kind,
            self.fields,
            particulars=self.particulars,
            batch=self.batch,
            once=self.once,
            expect=self.expect,
        )


@dataclass(frozen=True, slots=True)
class Words:
    """What of a move is not open: particulars, and the table of subjects or answers."""

    particulars: Mapping[str, Any] = field(default_factory=dict)
    batch: SealedItems | None = None


def draft_opening(
    kind: str, case_id: str, actor: Actor, now: datetime, fields: Mapping[str, Any], words: Words = Words()
) -> CaseDraft:
    """The entry that begins case ``case_id``; :class:`ConflictError` on append where it is taken.

    Raises:
        EntryError, MoveError: it could not begin a case so.
    """
    wanted = {"case": case_id, **_who(actor, 1), **fields}
    seq = fields.get("served", -1) + 1  # what a correction is about was served before it
    return _checked(None, kind, wanted, _particulars(actor, words), words.batch, seq, _t(now))


def draft_move(
    case: Case,
    kind: str,
    actor: Actor,
    now: datetime,
    fields: Mapping[str, Any] | None = None,
    words: Words = Words(),
    *,
    officers: Mapping[int, str | None],
) -> CaseDraft:
    """The entry that carries ``case`` on.

    Args:
        now: the wall clock, timezone-aware.
        officers: who the persons of the case are (:func:`known_officers`): what number the actor has follows from it.

    Raises:
        EntryError, MoveError: the case does not allow it.
    """
    person = person_number(case, actor, officers) if actor.officer is not None else None
    wanted = {"case": case.id, **_who(actor, person), **(fields or {})}
    return _checked(
        case, kind, wanted, _particulars(actor, words), words.batch, case.last + 1, max(_t(now), case.last_at)
    )


def draft_program(case: Case, kind: str, now: datetime, fields: Mapping[str, Any], words: Words = Words()) -> CaseDraft:
    """An entry of the program's own: ``deadline.set``, ``reminder.sent``.

    Raises:
        EntryError, MoveError: the case does not allow it; C72 where the same reminder was sent before.
    """
    wanted = {"case": case.id, **fields}
    seq = max(case.last, fields.get("cause", case.last)) + 1  # what causes it came before it, and after the case's last
    return _checked(case, kind, wanted, dict(words.particulars), None, seq, max(_t(now), case.last_at))


def person_number(case: Case, actor: Actor, officers: Mapping[int, str | None]) -> int:
    """The number of the officer among the persons of their agency who acted in the case; a new one gets the next.

    Raises:
        MoveError: somebody of the agency acted of whom it cannot be known any more who it was.
    """
    people = case.people(actor.agency)
    for person in people:
        known = officers.get(person.seq)
        if known is None:
            raise MoveError(
                "C13",
                f"who made entry {person.seq} is not known any more, so nobody of {actor.agency} can be told from them",
                f"第 {person.seq} 条的经手人已无法得知，无法区分 {actor.agency} 的经手人员",
            )
        if known == actor.officer:
            return person.number
    return max((person.number for person in people), default=0) + 1


def read_case(ledger: Ledger, case_id: str) -> Case:
    """The case as the entries that it allowed leave it; its ``last`` is the newest entry, allowed or not.

    An entry that should not be there (:func:`ledger.cases.findings` names it) must not stop everybody else's work.

    Raises:
        MoveError: there is no such case.
    """
    found = list(reversed(ledger.newest(2**31, where={"case": case_id})))
    case, refused = survey(found)
    if case is None:
        raise refused[0].error if refused else MoveError("C1", f"there is no case {case_id}", f"没有案件 {case_id}")
    return replace(case, last=found[-1]["seq"], last_at=found[-1]["t"])


def known_officers(ledger: Ledger, case: Case) -> dict[int, str | None]:
    """Who the persons of the case are: the entry of their first act to their id; None where it was erased."""
    return {person.seq: ledger.opened(person.seq).get("officer") for person in case.persons}


def append_again(ledger: Ledger, case: Case, draft: Callable[[Case], CaseDraft], *, tries: int = 5) -> Appended:
    """Append what ``draft`` makes of the case; again where only a reminder came between.

    Raises:
        ConflictError: somebody else moved the case on, or reminders came ``tries`` times.
        EntryError, MoveError: the case does not allow it.
    """
    seen = case.revision
    for left in reversed(range(tries)):
        try:
            return draft(case).append(ledger)
        except ConflictError:
            case = read_case(ledger, case.id)
            if case.revision != seen or not left:
                raise
    raise ConflictError("the case was never free", "案件一直被占用")


def _who(actor: Actor, person: int | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "by": actor.agency,
        "by_role": actor.role,
        "by_duty": actor.duty,
        "auth": actor.auth,
    }
    if actor.officer is not None:
        fields["by_person"] = person
    if actor.keyid is not None:
        fields["keyid"] = actor.keyid
    return fields


def _particulars(actor: Actor, words: Words) -> dict[str, Any]:
    return {**words.particulars, **({"officer": actor.officer} if actor.officer is not None else {})}


def _checked(
    case: Case | None,
    kind: str,
    fields: Mapping[str, Any],
    particulars: Mapping[str, Any],
    batch: SealedItems | None,
    seq: int,
    at: str,
) -> CaseDraft:
    """Let the fold itself say whether the entry would be allowed: what it refuses is never appended."""
    names: Sequence[str] = sorted({*particulars, *([ITEM_COMMITMENTS] if batch is not None else ())})
    trial = {
        **fields,
        **({"items": len(batch.sealed), "items_root": batch.root} if batch is not None else {}),
        **({"commit": dict.fromkeys(names, _NO_HASH)} if names else {}),
        "kind": kind,
        "v": entries.current(kind).version,
        "log": "",
        "prev": _NO_HASH,
        "seq": seq,
        "t": at,
    }
    apply(case, trial)
    expect = Expect("case", str(fields["case"]), None if case is None else case.last)
    return CaseDraft(kind, fields, particulars, expect, batch, once.keys_of(trial))


def _t(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
