"""docs/spec/vectors/cases.json: what the stories come to, and that each attack is refused by its rule."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ledger.cases import State, allowed, apply, fold, missing_materials, readings
from ledger.cases.effects import EFFECTS
from ledger.cases.moves import MOVES
from ledger.cases.opening import OPENINGS
from ledger.errors import MoveError

ROOT = Path(__file__).resolve().parents[3]
VECTORS: dict[str, Any] = json.loads((ROOT / "docs/spec/vectors/cases.json").read_text(encoding="utf-8"))
COMMON: dict[str, Any] = VECTORS["every_entry_has"]
STORIES: dict[str, dict[str, Any]] = {story["desc"]: story for story in VECTORS["stories"]}


def entries_of(name: str) -> list[dict[str, Any]]:
    return [{**COMMON, **entry} for entry in STORIES[name]["entries"]] if name else []


@pytest.mark.parametrize("name", STORIES)
def test_a_story_comes_to_what_the_vectors_say(name: str) -> None:
    story, case, states = STORIES[name], None, []
    for entry in entries_of(name):
        case = apply(case, entry)
        states.append(case.state)
    assert case is not None and case == fold(entries_of(name))
    assert states == story["states"]
    for now, want in zip(VECTORS["instants"], story["timeliness"], strict=True):
        found = readings(case, max(now, case.last_at), lambda start, end: None)
        assert {one.stop: one.timeliness for one in found} == want
    at = max(VECTORS["instants"][0], case.last_at)
    assert [[one.kind, one.party, sorted(one.duties)] for one in allowed(case, at)] == story["allowed"]
    if case.transfer:
        assert list(missing_materials(case)) == story["missing"]


@pytest.mark.parametrize("attack", VECTORS["invalid"], ids=lambda attack: f"{attack['rule']} {attack['desc']}")
def test_an_attack_is_refused_by_its_rule(attack: dict[str, Any]) -> None:
    case = fold(entries_of(attack["after"])) if attack["after"] else None
    with pytest.raises(MoveError) as caught:
        apply(case, {**COMMON, **attack["entry"]})
    assert caught.value.rule == attack["rule"]
    assert caught.value.en and re.search("[\u4e00-\u9fff]", caught.value.zh)


def rules_in(folder: Path) -> set[str]:
    found: set[str] = set()
    for file in folder.glob("*.py"):
        found |= set(re.findall(r'"(C[0-9]+)"', file.read_text(encoding="utf-8")))
    return found


def test_every_rule_is_attacked_and_stands_in_the_specification() -> None:
    coded = rules_in(ROOT / "ledger/cases")
    attacked = {attack["rule"] for attack in VECTORS["invalid"]}
    across = rules_in(Path(__file__).parent)  # C80 on: across cases, test_check.py and test_timeliness.py
    assert coded == attacked | {rule for rule in across if int(rule[1:]) >= 80}
    page = (ROOT / "docs/spec/cases.md").read_text(encoding="utf-8")
    assert coded == set(re.findall(r"\*\*(C[0-9]+)\*\*", page))


def test_every_move_and_every_state_is_in_a_story() -> None:
    kinds = {entry["kind"] for story in STORIES.values() for entry in story["entries"]}
    assert kinds == {*MOVES, *OPENINGS}
    assert set(MOVES) == set(EFFECTS)
    assert {state for story in STORIES.values() for state in story["states"]} == set(State)
