"""The state of a case is a fold over its entries. A move that a state does not allow is refused here, for everybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ledger import entries
from ledger.cases.case import Case, Person
from ledger.cases.effects import EFFECTS
from ledger.cases.moves import MOVES, Move, next_steps, who_may
from ledger.cases.opening import open_case
from ledger.cases.states import STATE_WORDS, Party, en, zh
from ledger.errors import EntryError, MoveError

#: Entries that change nothing an officer looked at.
QUIET = frozenset({"reminder.sent"})


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that its case did not allow: it has no effect. Whoever wrote it broke the rules."""

    seq: int
    kind: str
    error: EntryError | MoveError


def apply(case: Case | None, entry: Mapping[str, Any]) -> Case:
    """The case after ``entry``, decoded and with its chain fields; ``case`` None: before its first.

    Raises:
        EntryError: the entry does not fit the schema of its kind.
        MoveError: the case does not allow it, with the state it is in and who may do what next.
    """
    entries.check_entry(entry)
    if case is None:
        return open_case(entry)
    move = _row(case, entry)
    try:
        party = check_actor(case, move, entry)
        for when in (*move.when, *([move.only[party]] if party in move.only else [])):
            when(case, entry["t"])
        for check in move.check:
            check(case, entry)
    except MoveError as error:
        raise _told(case, entry, error) from error
    changed = EFFECTS[move.kind](case, entry)
    return replace(
        changed,
        last=entry["seq"],
        revision=case.revision if move.kind in QUIET else entry["seq"],
        last_at=entry["t"],
        persons=_persons(case, entry),
        entries={**case.entries, entry["seq"]: move.kind},
    )


def fold(found: Iterable[Mapping[str, Any]]) -> Case:
    """The case of ``found``, all of its entries by number.

    Raises:
        EntryError: an entry does not fit the schema of its kind.
        MoveError: an entry that the case did not allow, or no entry at all.
    """
    case = None
    for entry in found:
        case = apply(case, entry)
    if case is None:
        raise MoveError("C1", "there is no such case", "没有该案件")
    return case


def survey(found: Iterable[Mapping[str, Any]]) -> tuple[Case | None, tuple[Refused, ...]]:
    """The case as the entries that it allowed leave it, and the others, which have no effect."""
    case, refused = None, []
    for entry in found:
        try:
            case = apply(case, entry)
        except (EntryError, MoveError) as error:
            refused.append(Refused(entry.get("seq", -1), str(entry.get("kind")), error))
    return case, tuple(refused)


def party_of(case: Case, entry: Mapping[str, Any]) -> Party | None:
    """Who acted, seen from the case; None: nobody of it. Nobody supervises or mediates in a case of their own."""
    if "by" not in entry:
        return Party.PROGRAM
    by, role = entry["by"], entry["by_role"]
    if role == "agency":
        return {case.requester: Party.REQUESTER, case.provider: Party.PROVIDER}.get(by)
    return None if by in (case.requester, case.provider) else Party(role)


def check_actor(case: Case, move: Move, entry: Mapping[str, Any]) -> Party:
    """Who acted; raises unless it is somebody who may make the move (rules C11, C12, C13)."""
    party = party_of(case, entry)
    if party is None or party not in move.who:
        who_en, who_zh = who_may(move)
        raise MoveError(
            "C11",
            f"{entry.get('by', 'the program')}{_as_en(entry)} cannot do this; {who_en} can",
            f"{entry.get('by', '系统')}{_as_zh(entry)}不能办理；应由{who_zh}办理",
        )
    if party is Party.PROGRAM:
        return party
    if entry["by_duty"] not in move.who[party]:
        who_en, who_zh = who_may(move)
        raise MoveError(
            "C12",
            f"not as {en(entry['by_duty'])}; this is done by {who_en}",
            f"不得以{zh(entry['by_duty'])}身份办理；应由{who_zh}办理",
        )
    _check_person(case, entry)
    return party


def _as_en(entry: Mapping[str, Any]) -> str:
    return f" as {en(entry['by_role'])}" if "by_role" in entry else ""


def _as_zh(entry: Mapping[str, Any]) -> str:
    return f"（以{zh(entry['by_role'])}身份）" if "by_role" in entry else ""


def _check_person(case: Case, entry: Mapping[str, Any]) -> None:
    """C13: persons of an agency are numbered in the order of their first act in the case; a system is no person."""
    person = entry.get("by_person")
    most = max((known.number for known in case.people(entry["by"])), default=0)
    if (person is None) != (entry["by_duty"] == "system") or (person is not None and not 1 <= person <= most + 1):
        raise MoveError(
            "C13",
            f"person {person} of {entry['by']}: want 1 to {most + 1}, and none for a system",
            f"{entry['by']} 第 {person} 人：应为 1 至 {most + 1}，业务系统不写",
        )


def _persons(case: Case, entry: Mapping[str, Any]) -> tuple[Person, ...]:
    number = entry.get("by_person")
    if number is None or any(known.number == number for known in case.people(entry["by"])):
        return case.persons
    return (*case.persons, Person(entry["by"], number, entry["seq"]))


def _row(case: Case, entry: Mapping[str, Any]) -> Move:
    if entry.get("case") != case.id or entry["seq"] <= case.last or entry["t"] < case.last_at:
        raise MoveError(
            "C15",
            f"entry {entry['seq']} of case {entry.get('case')} does not follow entry {case.last} of case {case.id}",
            f"案件 {entry.get('case')} 的第 {entry['seq']} 条不能接在案件 {case.id} 的第 {case.last} 条之后",
        )
    move = MOVES.get(entry["kind"])
    if move is None:
        raise _told(
            case,
            entry,
            MoveError("C1", "this begins a case, it does not carry one on", "该条目用于开始案件，不能接续案件"),
        )
    if case.act not in move.acts or case.state not in move.states:
        raise _told(
            case,
            entry,
            MoveError(
                "C14",
                "the state of the case does not allow it" if case.act in move.acts else f"not in {en(case.act)}",
                "案件当前状态不允许" if case.act in move.acts else f"{zh(case.act)}没有此项办理",
            ),
        )
    return move


def _told(case: Case, entry: Mapping[str, Any], error: MoveError) -> MoveError:
    """The same error with the state of the case, and who may do what next."""
    kind = entries.current(entry["kind"])
    state_en, state_zh = STATE_WORDS[case.state]
    next_en, next_zh = next_steps(case, entry["t"])
    return MoveError(
        error.rule,
        f"case {case.id} is {state_en}; {kind.title_en.lower()!r} is not possible: {error.en}. Next: {next_en}",
        f"案件 {case.id} {state_zh}；不能“{kind.title_zh}”：{error.zh}。下一步：{next_zh}",
    )
