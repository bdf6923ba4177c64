"""Vectors of cases (docs/spec/cases.md): stories that are allowed, what they come to, and moves that are refused."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from ledger import entries
from ledger.cases import Act, State, allowed, apply, fold, missing_materials, readings
from ledger.cases import Case as DeskCase
from ledger.cases.moves import TABLE
from ledger.cases.states import DUTY_WORDS, STATE_WORDS
from ledger.errors import MoveError
from tools.desk_refused import REFUSED
from tools.desk_stories import DUE_AT, HASH, Entry
from tools.desk_told import STORIES, story_of, told
from tools.vector_log import Case

#: What the vectors leave out of each entry.
COMMON: Entry = {"log": "", "prev": HASH, "v": 1}
#: The day after the stories' due time.
AFTER = "2026-11-27T01:00:00.000Z"


def desk_vectors() -> Case:
    """Stories with the state after each entry and how they stand at two instants; attacks with their rules."""
    return {
        "about": "Cases (cases.md): states, moves allowed, timeliness when due and the day after; moves to be refused.",
        "every_entry_has": COMMON,
        "instants": [DUE_AT, AFTER],
        "stories": [_story(name) for name in STORIES],
        "invalid": [
            {"desc": desc, "after": story, "entry": _less(entry), "rule": rule, "want_error": "MoveError"}
            for story, rule, desc, entry in attacks()
        ],
    }


def desk_tables() -> dict[str, str]:
    """The tables of cases.md: states and moves, from the program's own."""
    states = ["| state 状态 | open 在办 | in words | 说明 |", "|---|---|---|---|"]
    for state, (en, zh) in STATE_WORDS.items():
        states.append(f"| `{state}` | {'yes 是' if state.is_open else 'no 否'} | {en} | {zh} |")
    moves = ["| move 办理 | by 办理方 | acts 事项 | in states 状态 |", "|---|---|---|---|"]
    for move in TABLE:
        who = "; ".join(
            f"{party}" + (f" ({', '.join(duty for duty in DUTY_WORDS if duty in duties)})" if duties else "")
            for party, duties in move.who.items()
        )
        moves.append(
            f"| `{move.kind}` {entries.current(move.kind).title_zh} | {who} | {_names(move.acts, Act)} | "
            f"{_names(move.states, State)} |"
        )
    return {"case states": "\n".join(states) + "\n", "case moves": "\n".join(moves) + "\n"}


def _names(some: Collection[StrEnum], all_of: type[StrEnum]) -> str:
    """Names of states or acts, by what is left out where that is shorter."""
    left = [one.value for one in all_of if one not in some]
    if len(left) < 3 and len(some) > 3:
        return "all" + (f" but {', '.join(left)}" if left else "")
    return ", ".join(one.value for one in all_of if one in some)


def attacks() -> list[tuple[str, str, str, Entry]]:
    """Each attack: the story that it follows, the rule that forbids it, what it is, and its entry."""
    found = []
    for name, rule, desc, tried in REFUSED:
        story = story_of(name)
        tried(story)
        entry = story.entries[-1]
        _check_refused(name, rule, desc, entry)
        found.append((name, rule, desc, entry))
    return found


def _check_refused(name: str, rule: str, desc: str, entry: Entry) -> None:
    case = fold(told(name)) if name else None
    try:
        apply(case, entry)
    except MoveError as error:
        if error.rule != rule:
            raise SystemExit(f"{desc}: refused by {error.rule}, not {rule}: {error.en}") from error
    else:
        raise SystemExit(f"{desc}: not refused, want {rule}")


def _story(name: str) -> Case:
    story = told(name)
    states, case = [], None
    for entry in story:
        case = apply(case, entry)
        states.append(case.state.value)
    if case is None:
        raise SystemExit(f"{name}: no entries")
    return {
        "desc": name,
        "entries": [_less(entry) for entry in story],
        "states": states,
        "timeliness": [_timeliness(case, now) for now in (DUE_AT, AFTER)],
        "allowed": _allowed(case),
        **({"missing": list(missing_materials(case))} if case.transfer else {}),
    }


def _less(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if COMMON.get(name) != value}


def _timeliness(case: DeskCase, now: str) -> dict[str, str]:
    return {one.stop.value: one.timeliness.value for one in readings(case, max(now, case.last_at), _no_days)}


def _allowed(case: DeskCase) -> list[list[Any]]:
    return [[one.kind, one.party.value, sorted(one.duties)] for one in allowed(case, max(DUE_AT, case.last_at))]


def _no_days(start: str, end: str) -> int | None:
    return None
