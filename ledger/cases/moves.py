"""Which move is whose, and in which state: one table for pages, interface, commands and audit.

A move that no row names is nobody's. A row names who may (and in which role the officer acts), on which acts, in which
states, and what must hold besides: of the case, and of the entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ledger import entries
from ledger.cases import guards, supervision
from ledger.cases.case import Case
from ledger.cases.guards import Check, When
from ledger.cases.opening import Entry, check_files, check_subjects, need_words
from ledger.cases.states import DUTY_WORDS, OPEN, PARTY_WORDS, Act, Party, State
from ledger.errors import MoveError

_ALL_STATES = frozenset(State)
_BEFORE_ANSWER = frozenset({State.AUTHENTICATED, State.SUPPLEMENT_ASKED})
_NOT_WITHDRAWN = _ALL_STATES - {State.WITHDRAWN}
_ALL_ACTS = frozenset(Act)
_REQUESTS = frozenset({Act.QUERY, Act.APPLICATION})
_TRANSFER = frozenset({Act.TRANSFER})

#: Duties. Whoever asks: officer, approver, or the agency's system. Whoever answers: answerer, approver, system.
_ASKS = frozenset({"officer", "approver", "system"})
_PERSON_ASKS = frozenset({"officer", "approver"})
_ANSWERS = frozenset({"answerer", "approver", "system"})
_PERSON_ANSWERS = frozenset({"answerer", "approver"})
_APPROVES = frozenset({"approver"})
_ANY = frozenset({"officer", "answerer", "approver", "system"})
_ANY_PERSON = frozenset({"officer", "answerer", "approver"})
_NOBODY: frozenset[str] = frozenset()

Who = Mapping[Party, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Move:
    """One row: ``kind`` by one of ``who`` (party to duties), on ``acts``, in ``states``, where all of the rest hold."""

    kind: str
    who: Who
    states: frozenset[State]
    acts: frozenset[Act] = _REQUESTS
    when: tuple[When, ...] = ()
    check: tuple[Check, ...] = ()
    only: Mapping[Party, When] = field(default_factory=dict)  # what must hold besides for this party


def _needs(rule: str, *names: str) -> Check:
    return lambda case, entry: need_words(entry, rule, *names)


def _supplement(case: Case, entry: Entry) -> None:
    check_files(entry)
    check_subjects(entry, case.subjects)
    need_words(entry, "C20", "supplement")


_REQUESTER, _PROVIDER = Party.REQUESTER, Party.PROVIDER
_JUSTICE, _INSPECTION, _AUTHORITY = Party.JUSTICE, Party.INSPECTION, Party.DATA_AUTHORITY
_SUPERVISORS: Who = {_JUSTICE: _PERSON_ASKS, _INSPECTION: _PERSON_ASKS}

TABLE: tuple[Move, ...] = (
    # The provider.
    Move(
        "request.authenticated",
        {_PROVIDER: _ANSWERS},
        frozenset({State.RECEIVED, State.AUTH_FAILED}),
    ),
    Move(
        "request.auth_failed",
        {_PROVIDER: _PERSON_ANSWERS},
        frozenset({State.RECEIVED}),
        check=(_needs("C20", "reason"),),
    ),
    Move(
        "request.supplement_asked",
        {_PROVIDER: _PERSON_ANSWERS},
        frozenset({State.AUTHENTICATED}),
        when=(guards.supplement_is_new,),
        check=(_needs("C20", "wanted"),),
    ),
    Move(
        "request.extension_asked",
        {_PROVIDER: _APPROVES},
        OPEN,
        _ALL_ACTS,
        when=(guards.clause_extends,),
        check=(guards.extension_days,),
    ),
    Move(
        "request.decided",
        {_PROVIDER: _APPROVES},
        _BEFORE_ANSWER,
        frozenset({Act.APPLICATION}),
        check=(guards.decides_the_supply,),
    ),
    Move(
        "request.answered",
        {_PROVIDER: _ANSWERS},
        _BEFORE_ANSWER | {State.DECIDED, State.PARTLY_ANSWERED, State.DELIVERED},
        check=(guards.answers,),
    ),
    Move(
        "request.refusal_drafted",
        {_PROVIDER: _PERSON_ANSWERS},
        _BEFORE_ANSWER | {State.PARTLY_ANSWERED, State.DELIVERED},
        check=(guards.drafts_a_refusal,),
    ),
    Move(
        "request.refused",
        {_PROVIDER: _APPROVES},
        _BEFORE_ANSWER | {State.PARTLY_ANSWERED, State.DELIVERED},
        when=(guards.refusal_is_drafted,),
        check=(guards.refuses_as_drafted,),
    ),
    # The requester.
    Move(
        "request.supplemented",
        {_REQUESTER: _ASKS},
        frozenset({State.SUPPLEMENT_ASKED}),
        check=(_supplement,),
    ),
    Move(
        "request.delivery_confirmed",
        {_REQUESTER: _PERSON_ASKS},
        frozenset({State.DELIVERED}),
        check=(guards.confirms_the_delivery,),
    ),
    Move("request.withdrawn", {_REQUESTER: _ASKS}, OPEN, _ALL_ACTS),
    Move("fee.complained", {_REQUESTER: _PERSON_ASKS}, _ALL_STATES, _ALL_ACTS, check=(_needs("C49", "note"),)),
    # Disputes and supervision.
    Move(
        "request.disputed",
        {_REQUESTER: _PERSON_ASKS, _AUTHORITY: _APPROVES},
        _NOT_WITHDRAWN,
        _ALL_ACTS,
        when=(supervision.no_dispute_is_open,),
        check=(supervision.disputes_in_order,),
        only={_REQUESTER: supervision.something_is_disputable, _AUTHORITY: supervision.mediation_failed},
    ),
    Move(
        "request.resolved",
        {_REQUESTER: _PERSON_ASKS, _AUTHORITY: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        check=(supervision.concludes_the_step,),
        only={_REQUESTER: supervision.negotiation_is_open, _AUTHORITY: supervision.mediation_is_open},
    ),
    Move(
        "request.escalated",
        {_REQUESTER: _PERSON_ASKS, _PROVIDER: _PERSON_ANSWERS},
        _ALL_STATES,
        _ALL_ACTS,
        check=(supervision.escalates_once, _needs("C46", "reason")),
    ),
    Move(
        "request.reviewed",
        _SUPERVISORS,
        _ALL_STATES,
        _ALL_ACTS,
        when=(supervision.something_is_judgeable,),
        check=(supervision.judges_once,),
    ),
    Move(
        "request.assigned",
        _SUPERVISORS,
        frozenset({State.WITH_SUPERVISOR}),
        check=(supervision.is_passed_on_twice, _needs("C35", "reason")),
    ),
    Move(
        "request.extended",
        {_AUTHORITY: _APPROVES},
        OPEN,
        _ALL_ACTS,
        when=(guards.extension_is_asked,),
        check=(guards.extension_as_asked,),
    ),
    Move(
        "order.proposed",
        {_JUSTICE: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        when=(supervision.nothing_is_proposed,),
        check=(supervision.proposes_with_cause,),
    ),
    Move(
        "order.issued",
        {_JUSTICE: _APPROVES, _INSPECTION: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        check=(supervision.issues_its_own_form,),
    ),
    Move(
        "order.reported",
        {_PROVIDER: _APPROVES, _REQUESTER: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        when=(supervision.a_report_is_owed,),
        check=(supervision.reports_on_an_order,),
    ),
    Move(
        "order.objected",
        {_PROVIDER: _APPROVES, _REQUESTER: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        when=(supervision.a_supervisor_acted,),
        check=(supervision.objects_to_a_supervisor,),
    ),
    Move(
        "order.objection_answered",
        {_JUSTICE: _APPROVES, _INSPECTION: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        when=(supervision.an_objection_is_open,),
        check=(supervision.answers_its_objection,),
    ),
    Move(
        "superior.notified",
        {_JUSTICE: _APPROVES},
        _ALL_STATES,
        _ALL_ACTS,
        check=(supervision.notifies_about_a_party,),
    ),
    # Transfers: the sender owes the letter.
    Move(
        "transfer.step_recorded",
        {_PROVIDER: _ANY},
        frozenset({State.NOTIFIED}),
        _TRANSFER,
        check=(guards.records_a_step,),
    ),
    Move(
        "transfer.letter_sent",
        {_PROVIDER: _PERSON_ANSWERS},
        frozenset({State.NOTIFIED}),
        _TRANSFER,
        check=(guards.sends_the_letter,),
    ),
    Move(
        "transfer.answered",
        {_REQUESTER: _ANY_PERSON},
        frozenset({State.LETTER_SENT}),
        _TRANSFER,
        check=(guards.answers_the_transfer,),
    ),
    Move(
        "transfer.assistance_asked",
        {_REQUESTER: _ANY_PERSON},
        frozenset({State.NOTIFIED, State.LETTER_SENT, State.TAKEN}),
        _TRANSFER,
    ),
    Move(
        "transfer.assistance_given",
        {_PROVIDER: _ANY},
        frozenset({State.NOTIFIED, State.LETTER_SENT, State.TAKEN}),
        _TRANSFER,
        when=(guards.assistance_is_owed,),
        check=(guards.gives_assistance,),
    ),
    # Corrections.
    Move(
        "correction.answered",
        {_PROVIDER: _PERSON_ANSWERS},
        frozenset({State.RECEIVED}),
        frozenset({Act.CORRECTION}),
        check=(guards.answers_the_correction,),
    ),
    # The program.
    Move(
        "deadline.set",
        {Party.PROGRAM: _NOBODY},
        _ALL_STATES,
        _ALL_ACTS,
        when=(guards.a_deadline_is_missing,),
        check=(guards.sets_a_missing_deadline,),
    ),
    Move(
        "reminder.sent",
        {Party.PROGRAM: _NOBODY},
        OPEN,
        _ALL_ACTS,
        when=(guards.a_deadline_runs,),
        check=(guards.reminds_in_time,),
    ),
)
MOVES: Mapping[str, Move] = {move.kind: move for move in TABLE}


@dataclass(frozen=True, slots=True)
class Allowed:
    """A move that could be made now, and by whom: the entry's own fields may still be wrong."""

    kind: str
    party: Party
    duties: frozenset[str]


def allowed(case: Case, at: str) -> Iterator[Allowed]:
    """The moves that the case allows at ``at`` (in the form of ``t``), each with who may make it."""
    for move in TABLE:
        if case.act not in move.acts or case.state not in move.states or not _holds(move.when, case, at):
            continue
        for party, duties in move.who.items():
            if party not in move.only or _holds((move.only[party],), case, at):
                yield Allowed(move.kind, party, duties)


def allowed_to(case: Case, at: str, party: Party, duties: Iterable[str]) -> tuple[str, ...]:
    """The kinds that somebody of ``party`` who holds ``duties`` could append now."""
    held = frozenset(duties)
    return tuple(
        one.kind for one in allowed(case, at) if one.party is party and (one.duties & held or party is Party.PROGRAM)
    )


def _holds(conditions: Iterable[When], case: Case, at: str) -> bool:
    try:
        for when in conditions:
            when(case, at)
    except MoveError:
        return False
    return True


#: What is said of who may act next: the parties' own moves, not what a supervisor may do in any state.
_NEXT = tuple(move.kind for move in TABLE if move.states != _ALL_STATES)


def next_steps(case: Case, at: str) -> tuple[str, str]:
    """Who may do what next, as one phrase in English and in Chinese."""
    found: dict[Party, list[str]] = {}
    for one in allowed(case, at):
        if one.kind in _NEXT and one.party is not Party.PROGRAM:
            found.setdefault(one.party, []).append(one.kind)
    if not found:
        return "nobody has anything to do next", "无待办事项"
    titles = {kind: entries.current(kind) for kinds in found.values() for kind in kinds}
    en = [f"{PARTY_WORDS[p][0]}: {', '.join(titles[kind].title_en.lower() for kind in k)}" for p, k in found.items()]
    zh = [f"{PARTY_WORDS[p][1]}：{'、'.join(titles[kind].title_zh for kind in k)}" for p, k in found.items()]
    return "; ".join(en), "；".join(zh)


def who_may(move: Move) -> tuple[str, str]:
    """Who makes a move, in words."""
    en, zh = [], []
    for party, duties in move.who.items():
        names = [DUTY_WORDS[duty] for duty in DUTY_WORDS if duty in duties]
        en.append(PARTY_WORDS[party][0] + (f" ({', '.join(name for name, _ in names)})" if names else ""))
        zh.append(PARTY_WORDS[party][1] + (f"（{'、'.join(name for _, name in names)}）" if names else ""))
    return " or ".join(en), "或".join(zh)
