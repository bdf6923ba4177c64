"""A case as its entries leave it: facts that were recorded, and what follows from them. Frozen; no clock of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.cases.states import Act, State, Stop

#: Answers that end a case by themselves; a partial one only together with a refused part.
_CLOSING = {
    "full": State.ANSWERED,
    "no_record": State.NO_RECORD,
    "redirected": State.REDIRECTED,
    "with_supervisor": State.WITH_SUPERVISOR,
    "refused": State.REFUSED,
    "letter": State.LETTER_SENT,
    "corrected": State.ANSWERED,
    "upheld": State.ANSWERED,
    "not_ours": State.ANSWERED,
}
#: What gave the requester something.
GIVING = frozenset({"full", "partial", "delivered_offline"})


@dataclass(frozen=True, slots=True)
class Deadline:
    """What is owed until when, as an entry says it.

    Attributes:
        stop: the event that stops this clock.
        since: when it began to run, in the form of ``t``; days are counted from here.
        due_at: the last instant, in the form of ``t``; None where there is none, or it is not known yet.
        clause, standing: the clause that counts the days, and whether it is ``statutory`` or a ``local_standard``; None
            where none is in force.
        extension_days: how many working days the clause allows it to be extended; 0 where it allows none.
        seq: the entry that says so.
    """

    stop: Stop
    since: str
    due_at: str | None
    clause: str | None
    standing: str | None
    extension_days: int
    seq: int

    @property
    def clock(self) -> str:
        """``due``, ``unconfirmed`` (a year not announced yet) or ``no_clock`` (no clause in force)."""
        if self.due_at is not None:
            return "due"
        return "no_clock" if self.clause is None else "unconfirmed"


@dataclass(frozen=True, slots=True)
class Exit:
    """One act of the provider by which it says that it has done what it owes, or will not.

    Attributes:
        result: full, partial, no_record, redirected, with_supervisor, delivered_offline, refused, refused_part, letter,
            corrected, upheld, not_ours.
        confirmed: of an offline delivery, the entry by which the requester confirmed it.
        reopened: the parties, or the data authority's mediation, agreed that more is to be given: the case is open
            again, the time it took stands.
        ordered: the government decided that it is to be given: as if there had been no exit.
        verdict: ``upheld`` or ``improper``, the newest that stands.
    """

    seq: int
    at: str
    result: str
    confirmed: int | None = None
    reopened: bool = False
    ordered: bool = False
    verdict: str | None = None

    @property
    def void(self) -> bool:
        """Whether it counts as if it had not been: found improper, or overruled by the government."""
        return self.ordered or self.verdict == "improper"


@dataclass(frozen=True, slots=True)
class Wait:
    """A span in which the requester's doing was awaited: shown beside the clock, which runs on."""

    since: str
    until: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acted in the case: the agency, their number in it, and the entry by which they first did."""

    agency: str
    number: int
    seq: int


@dataclass(frozen=True, slots=True)
class RefusalDraft:
    """A refusal that somebody drafted and nobody approved yet."""

    seq: int
    person: int | None
    content: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Dispute:
    """One step of a dispute. ``about``: the disputed entry; None: silence. ``outcome``: None while it is open."""

    seq: int
    step: str
    about: int | None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a supervisor found about one entry."""

    seq: int
    by: str
    about: int
    verdict: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A document of supervision."""

    seq: int
    by: str
    form: str
    to: str
    report_due_at: str | None
    reported: int | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Objection:
    """An agency's objection (令825 art. 30) to entry ``about``, and how it ended; None while it is open."""

    seq: int
    by: str
    about: int
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is particular to a case transfer: T1 to T8 of the checklist."""

    type: str
    steps: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    result: str | None = None
    assistance: tuple[tuple[int, bool], ...] = ()  # seq of the asking, whether given


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        requester: the agency to which something is owed; of a transfer, the receiver.
        provider: the agency that owes it; of a transfer, the sender.
        received_at: when it was received: the clock starts here. ``recorded_at``: when that was recorded.
        target_at: for what is marked urgent, when it is to be answered by the county's own setting; never law.
        subjects: how many subjects are asked about.
        parent, redirects: of a linked case, the one before it, and how often the request was passed on.
        last: the newest entry. ``revision``: the newest that was no reminder: what an officer looked at is stale only
            when this has moved on.
        persons: those who acted, in the order of their first act.
        reminders: those that were sent, as :func:`ledger.cases.guards.reminder_of` names them.
        entries: the kind of each of its entries, by number.
        waits: spans of waiting for the requester.
    """

    id: str
    act: Act
    requester: str
    provider: str
    resource: str | None
    opened: int
    received_at: str
    recorded_at: str
    purpose: str | None
    target_at: str | None
    subjects: int
    parent: str | None
    redirects: int
    deadlines: tuple[Deadline, ...]
    last: int
    revision: int
    last_at: str
    authenticated: bool = False
    auth_failed: bool = False
    supplements: int = 0
    awaiting_supplement: bool = False
    decided: int | None = None
    decided_at: str | None = None
    withdrawn_at: str | None = None
    draft: RefusalDraft | None = None
    extension_asked: tuple[int, int] | None = None  # seq, days
    extended: bool = False
    exits: tuple[Exit, ...] = ()
    assigned: str | None = None
    linked: str | None = None
    disputes: tuple[Dispute, ...] = ()
    escalated: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    orders: tuple[Order, ...] = ()
    proposed: int | None = None
    objections: tuple[Objection, ...] = ()
    fee_complaints: int = 0
    transfer: Transfer | None = None
    persons: tuple[Person, ...] = ()
    waits: tuple[Wait, ...] = ()
    reminders: frozenset[tuple[str, ...]] = frozenset()
    entries: Mapping[int, str] = field(default_factory=dict)  # seq -> kind

    @property
    def state(self) -> State:
        """Where it stands now: the newest exit that closes it and stands, or else the furthest step before."""
        if self.withdrawn_at is not None:
            return State.WITHDRAWN
        standing = [exit for exit in self.exits if not exit.void and not exit.reopened]
        closing = [exit for exit in standing if _closed_at(exit, standing) is not None]
        return self._closed_state(closing[-1]) if closing else self._open_state(standing)

    def _closed_state(self, exit: Exit) -> State:
        if exit.result == "with_supervisor" and self.assigned is not None:
            return State.REDIRECTED
        if exit.result == "letter" and self.transfer is not None and self.transfer.result is not None:
            return State(self.transfer.result)
        return _CLOSING.get(exit.result, State.ANSWERED)

    def _open_state(self, standing: Sequence[Exit]) -> State:
        given = [exit.result for exit in standing if exit.result in GIVING]
        if given:
            return State.DELIVERED if given[-1] == "delivered_offline" else State.PARTLY_ANSWERED
        if self.act is Act.TRANSFER:
            return State.NOTIFIED
        if self.decided is not None:
            return State.DECIDED
        if self.awaiting_supplement:
            return State.SUPPLEMENT_ASKED
        if self.authenticated:
            return State.AUTHENTICATED
        return State.AUTH_FAILED if self.auth_failed else State.RECEIVED

    def stopped_at(self, stop: Stop) -> str | None:
        """When the clock that ``stop`` stops was stopped, in the form of ``t``; None: it runs.

        An exit that was found improper, or overruled, stopped nothing. One that the parties agreed to open again did.
        """
        counting = [exit for exit in self.exits if not exit.void]
        ends = {exit.seq: at for exit in counting if (at := _closed_at(exit, counting)) is not None}
        if self.act is Act.APPLICATION and self.decided is not None and self.decided_at is not None:
            if stop is Stop.DECIDED:
                ends[self.decided] = self.decided_at
            else:  # the supply's clock started at the decision
                ends = {seq: at for seq, at in ends.items() if seq > self.decided}
        return min(ends.values(), default=None)

    def running(self) -> Deadline | None:
        """The deadline that the provider has now: the first whose clock was not stopped."""
        return next((one for one in self.current_deadlines() if self.stopped_at(one.stop) is None), None)

    def is_overdue(self, at: str) -> bool:
        """Whether a confirmed deadline has passed at ``at`` (in the form of ``t``) while its clock ran."""
        running = self.running()
        return self.withdrawn_at is None and running is not None and running.due_at is not None and running.due_at < at

    def deadline(self, stop: Stop) -> Deadline | None:
        """The deadline as it holds now."""
        found = [deadline for deadline in self.deadlines if deadline.stop is stop]
        return found[-1] if found else None

    def current_deadlines(self) -> tuple[Deadline, ...]:
        """The newest of each stop, in their order."""
        return tuple({deadline.stop: deadline for deadline in self.deadlines}.values())

    def exit(self, seq: int | None) -> Exit | None:
        """The exit that entry ``seq`` is, if it is one."""
        return next((exit for exit in self.exits if exit.seq == seq), None)

    def people(self, agency: str) -> tuple[Person, ...]:
        """Those of ``agency`` who acted."""
        return tuple(person for person in self.persons if person.agency == agency)

    @property
    def withheld(self) -> Exit | None:
        """The part refusal that stands, if there is one."""
        return next(
            (exit for exit in self.exits if exit.result == "refused_part" and not exit.void and not exit.reopened), None
        )

    @property
    def open_dispute(self) -> Dispute | None:
        return next((dispute for dispute in self.disputes if dispute.outcome is None), None)


def _closed_at(exit: Exit, among: Sequence[Exit]) -> str | None:
    """When ``exit`` ended what was owed, in the form of ``t``; None: it did not, or not yet.

    A partial answer does with a refused part among ``among``, at the later of the two; an offline delivery does once
    the requester confirmed it, and then at the instant of the delivery.
    """
    if exit.result in _CLOSING:
        return exit.at
    if exit.result == "delivered_offline":
        return exit.at if exit.confirmed is not None else None
    if exit.result == "partial":
        parts = [other.at for other in among if other.result == "refused_part"]
        return max(exit.at, min(parts)) if parts else None
    return None
