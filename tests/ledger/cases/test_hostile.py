"""Whatever stands in entries, reading cases gives a case or one of our errors; and what was read is what was asked."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.cases import Party, State, allowed, check_cases, findings, missing_materials, readings, survey, urgency
from ledger.cases.effects import EFFECTS
from ledger.errors import LedgerError
from tools.desk_refused import REFUSED
from tools.desk_stories import HASH, Entry, Story
from tools.desk_told import STORIES, story_of, told

TOLD = {name: told(name) for name in STORIES}
#: Every field with values that some story gives it, so that most changes fit the schema and only the case can refuse.
POOL: dict[str, list[Any]] = {}
for _entries in TOLD.values():
    for _entry in _entries:
        for _name, _value in _entry.items():
            if _value not in POOL.setdefault(_name, []):
                POOL[_name].append(_value)
WILD = st.none() | st.integers(-1, 600) | st.text(max_size=4) | st.lists(st.integers(), max_size=2) | st.just({})


@st.composite
def tampered(draw: st.DrawFn) -> list[Entry]:
    """Entries of one or two stories, some dropped, doubled, swapped or with another story's values in their fields."""
    names = draw(st.lists(st.sampled_from(sorted(TOLD)), min_size=1, max_size=2))
    entries = [dict(entry) for name in names for entry in TOLD[name]]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(entries) - 1))
        match draw(st.sampled_from(["field", "field", "field", "drop", "double", "remove", "wild"])):
            case "field":
                name = draw(st.sampled_from(sorted(POOL)))
                entries[at][name] = draw(st.sampled_from(POOL[name]))
            case "remove":
                entries[at].pop(draw(st.sampled_from(sorted(entries[at]))))
            case "wild":
                entries[at][draw(st.sampled_from(sorted(POOL)))] = draw(WILD)
            case "drop" if len(entries) > 1:
                del entries[at]
            case _:
                entries.insert(at, dict(entries[at]))
    if draw(st.booleans()):  # numbered and timed as a log would
        for seq, entry in enumerate(entries):
            entry |= {"seq": seq, "t": f"2026-11-{23 + seq // 60:02}T{seq // 60 + 1:02}:{seq % 60:02}:00.000Z"}
    return entries


def readable(entries: list[Entry]) -> bool:
    return all(type(entry.get("kind")) is str and type(entry.get("seq")) is int for entry in entries)


@given(tampered())
@settings(max_examples=300, deadline=None)
def test_nothing_makes_a_reader_raise_anything_but_our_errors(entries: list[Entry]) -> None:
    try:
        case, refused = survey(entries)
    except LedgerError as error:
        assert error.en and error.zh
        return
    assert len(refused) <= len(entries)
    if case is None:
        assert len(refused) == len(entries)
        return
    for now in (case.last_at, max("2026-12-31T00:00:00.000Z", case.last_at)):
        assert isinstance(case.state, State)
        assert all(one.duties or one.party is Party.PROGRAM for one in allowed(case, now))
        assert len(readings(case, now, lambda start, end: 0)) == len(case.current_deadlines())
        urgency(case, now)
        missing_materials(case)


@given(tampered())
@settings(max_examples=200, deadline=None)
def test_a_check_names_what_is_wrong_or_passes_and_never_breaks(entries: list[Entry]) -> None:
    log = Story().registered().entries
    log += [{**entry, "seq": entry["seq"] + len(log)} if type(entry.get("seq")) is int else entry for entry in entries]
    if not readable(log):
        return  # a log's entries were checked for these before anybody asks about cases
    try:
        found = list(findings(log))
    except LedgerError as error:
        assert type(error).__name__ == "VersionTooNewError"
        return
    assert all(one.rule and one.en and one.zh for one in found)
    if not found:
        assert check_cases(log) == sum(
            entry["kind"] in ("request.received", "correction.received", "transfer.notified") for entry in entries
        )


@given(st.sampled_from(sorted(TOLD)), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_an_entry_that_is_refused_can_be_left_out(name: str, choice: int) -> None:
    """An attack in the middle of a story changes nothing of what the story comes to."""
    _, _, _, tried = REFUSED[choice % len(REFUSED)]
    story = story_of(name)
    before, _ = survey(story.entries)
    tried(story)
    after, refused = survey(story.entries)
    assert after is not None
    if len(refused) == 1:  # in this story it is an attack too
        assert after == before
    else:
        assert not refused and after != before


def test_every_move_has_an_effect_or_is_known_to_have_none() -> None:
    assert {kind for kind, effect in EFFECTS.items() if effect.__name__ == "unchanged"} == {"superior.notified"}
    assert HASH == "0" * 64
