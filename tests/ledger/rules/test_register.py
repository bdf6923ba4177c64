"""The register: what it holds, what it refuses, and that it never changes."""

from __future__ import annotations

import copy
import hashlib
from datetime import date, time
from typing import Any

import pytest
import rfc8785

from ledger.rules import Clause, Register, RuleDataError, Settings, UnknownRuleError, packaged, shape
from ledger.rules.clauses import read_document
from ledger.rules.grounds import Ground, Negative
from tests.ledger.rules.support import LOCAL_THREE

REGISTER = packaged().register
CLAUSE: dict[str, Any] = REGISTER.clause("d809.21.conditional").to_value()
GROUND: dict[str, Any] = REGISTER.ground("RG11").to_value()
SECRET: dict[str, Any] = REGISTER.ground("RG01").to_value()


def test_what_is_read_writes_itself_again() -> None:
    assert Register.read(REGISTER.to_value()) == REGISTER


def test_the_digest_is_of_the_canonical_json() -> None:
    assert REGISTER.digest == hashlib.sha256(rfc8785.dumps(REGISTER.to_value())).hexdigest()


def test_the_articles_that_the_program_rests_on_are_there() -> None:
    ids = {clause.id.split(".")[0] + "." + clause.id.split(".")[1] for clause in REGISTER.clauses}
    assert {f"d809.{n}" for n in (14, 15, 20, 21, 22, 23, 26, 27, 28, 29)} <= ids
    assert {f"d825.{n}" for n in (26, 29, 30, 42)} <= ids
    opinion = [clause for clause in REGISTER.clauses if clause.number == "源政办发〔2021〕19号"]
    assert {(clause.valid_from, clause.valid_to) for clause in opinion} == {(date(2021, 11, 20), date(2026, 11, 19))}


def test_a_clause_is_in_force_from_its_first_to_its_last_day() -> None:
    query = REGISTER.clause("y19.query")
    days = [date(2021, 11, 19), date(2021, 11, 20), date(2026, 11, 19), date(2026, 11, 20)]
    assert [query.in_force(day) for day in days] == [False, True, True, False]


def test_no_packaged_clause_is_a_local_standard() -> None:
    assert {clause.kind for clause in REGISTER.clauses} == {"statutory"}


def test_adopting_gives_another_register_and_leaves_this_one() -> None:
    digest = REGISTER.digest
    new = REGISTER.adopt(LOCAL_THREE)
    assert new.clause("local.query") == LOCAL_THREE and new.digest != digest == REGISTER.digest
    with pytest.raises(UnknownRuleError):
        REGISTER.clause("local.query")
    with pytest.raises(RuleDataError, match="twice"):
        new.adopt(LOCAL_THREE)


def test_ending_a_clause_sooner() -> None:
    new = REGISTER.adopt(LOCAL_THREE).end("local.query", date(2027, 5, 31))
    assert new.clause("local.query").valid_to == date(2027, 5, 31)


@pytest.mark.parametrize("day", [date(2026, 11, 20), date(2021, 11, 19)])
def test_ending_never_prolongs_nor_ends_before_the_beginning(day: date) -> None:
    with pytest.raises(RuleDataError, match="clause of its own"):
        REGISTER.end("y19.query", day)


def test_a_ground_is_enabled_and_disabled_by_new_registers() -> None:
    on = REGISTER.set_ground("RG11", enabled=True)
    assert on.ground("RG11").enabled and not REGISTER.ground("RG11").enabled
    assert on.set_ground("RG11", enabled=False) == REGISTER
    with pytest.raises(UnknownRuleError, match="RG01"):
        REGISTER.set_ground("RG77", enabled=True)


def test_settings_are_in_the_digest() -> None:
    assert REGISTER.set(Settings(close_of_business=time(17))).digest != REGISTER.digest


def changed(value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return copy.deepcopy(value) | more


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: each for key, each in copy.deepcopy(value).items() if key not in names}


CLOCK = CLAUSE["clock"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (changed(CLAUSE, note="x"), "unknown key 'note'"),
        (without(CLAUSE, "quote"), "quote is missing"),
        (changed(CLAUSE, quote=""), "quote"),
        (changed(CLAUSE, quote="　"), "quote"),
        (changed(CLAUSE, id="第21条"), "id"),
        (changed(CLAUSE, valid_from="2025-02-29"), "day that exists"),
        (changed(CLAUSE, valid_from=date(2025, 8, 1)), "day that exists"),
        (changed(CLAUSE, valid_to="2025-07-31"), "before valid_from"),
        (changed(CLAUSE, level="规章"), "level"),
        (changed(CLAUSE, kind="local_standard"), "service standard"),
        (changed(LOCAL_THREE.to_value(), kind="statutory"), "service standard"),
        (changed(CLAUSE, clock=changed(CLOCK, act="questions")), "act"),
        (changed(CLAUSE, clock=changed(CLOCK, start="authenticated")), "start"),
        (changed(CLAUSE, clock=changed(CLOCK, stop="never")), "stop"),
        (changed(CLAUSE, clock=changed(CLOCK, working_days=0)), "working_days"),
        (changed(CLAUSE, clock=changed(CLOCK, working_days=True)), "working_days"),
        (changed(CLAUSE, clock=changed(CLOCK, working_days=3.0)), "working_days"),
        (changed(CLAUSE, clock=changed(CLOCK, at_once=True)), "either"),
        (changed(CLAUSE, clock=without(CLOCK, "working_days")), "either"),
        (changed(CLAUSE, clock=changed(CLOCK, calendar_days=3)), "unknown key"),
        (changed(CLAUSE, clock=changed(CLOCK, urgent=True)), "go together"),
        (changed(CLAUSE, clock=changed(without(CLOCK, "working_days"), at_once=True)), "go together"),
        (changed(CLAUSE, clock=changed(CLOCK, extension={"max_working_days": 10})), "needs is missing"),
        (changed(CLAUSE, clock=changed(CLOCK, extension={"max_working_days": 10, "needs": ["luck"]})), "one of"),
        ("第二十一条", "mapping"),
    ],
)
def test_a_clause_that_cannot_be_is_refused(value: Any, says: str) -> None:
    with pytest.raises(RuleDataError, match=says) as caught:
        Clause.read(value)
    assert caught.value.zh


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (changed(GROUND, extra=1), "unknown key"),
        (changed(GROUND, code="RG1"), "code"),
        (changed(GROUND, code="XX01"), "code"),
        (changed(GROUND, enabled="yes"), "true or false"),
        (changed(GROUND, citations=[]), "at least 1"),
        (without(GROUND, "part_zh"), "part_zh"),
        (without(GROUND, "note_en"), "note_en"),
        (changed(GROUND, citations=[*GROUND["citations"], GROUND["citations"][0]]), "twice"),
        (changed(GROUND, citations=[changed(GROUND["citations"][0], instead="nothing.1")]), "instead"),
        (changed(GROUND, citations=[without(GROUND["citations"][0], "source")]), "source"),
        (changed(GROUND, citations=[changed(GROUND["citations"][0], valid_to="2026-01-01")]), "repealed_by"),
        (changed(GROUND, demands=[{"name": "a", "form": "choice", "zh": "甲", "en": "a"}]), "choices"),
        (changed(GROUND, demands=[{"name": "a", "form": "text", "zh": "甲", "en": "a", "when": "now"}]), "when"),
        (changed(GROUND, terms=[{"level": "秘密", "max_years": 10}]), "terms need"),
        (changed(SECRET, terms=[{"level": "秘密", "max_years": 0}]), "max_years"),
    ],
)
def test_a_ground_that_cannot_be_is_refused(value: Any, says: str) -> None:
    with pytest.raises(RuleDataError, match=says):
        Ground.read(value)


def test_a_pattern_that_does_not_compile_is_refused() -> None:
    value = REGISTER.negatives[0].to_value() | {"patterns": ["("]}
    with pytest.raises(RuleDataError, match="regular expression"):
        Negative.read(value)


@pytest.mark.parametrize(
    "value",
    [
        {"day_ends": "noon", "close_of_business": "17:30", "at_once_target_minutes": 1},
        {"day_ends": "midnight", "close_of_business": "25:00", "at_once_target_minutes": 1},
        {"day_ends": "midnight", "close_of_business": "00:00", "at_once_target_minutes": 1},
        {"day_ends": "midnight", "close_of_business": "5pm", "at_once_target_minutes": 1},
        {"day_ends": "midnight", "close_of_business": "17:30", "at_once_target_minutes": 0},
        {"day_ends": "midnight", "close_of_business": "17:30"},
    ],
)
def test_settings_that_cannot_be_are_refused(value: Any) -> None:
    with pytest.raises(RuleDataError):
        Settings.read(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2", "given twice"),
        ("a: {b: 1, b: 2}", "given twice"),
        ("- 1", "mapping"),
        ("a: [", "YAML"),
        ("a: !!python/object/apply:os.getcwd []", "YAML"),
        ('a: !!int ""', "YAML"),
        ("1: a", "mapping"),
    ],
)
def test_yaml_that_misleads_is_refused(text: str, says: str) -> None:
    with pytest.raises(RuleDataError, match=says):
        shape.read_yaml(text, "file")


def test_days_in_yaml_stay_text() -> None:
    assert shape.read_yaml("a: 2026-02-30", "file") == {"a": "2026-02-30"}


def test_a_documents_fields_are_said_once() -> None:
    document = {
        name: CLAUSE[name] for name in ("number", "name_zh", "name_en", "level", "kind", "valid_from", "source")
    }
    own = {name: CLAUSE[name] for name in ("id", "article_zh", "article_en", "quote", "gist_en", "clock")}
    (clause,) = read_document({"format": 1, "document": document, "clauses": [own]}, "file")
    assert clause == REGISTER.clause("d809.21.conditional")
    with pytest.raises(RuleDataError, match="unknown key"):
        read_document({"format": 1, "document": document, "clauses": [own], "notes": []}, "file")
    with pytest.raises(RuleDataError, match="at least 1"):
        read_document({"format": 1, "document": document, "clauses": []}, "file")
