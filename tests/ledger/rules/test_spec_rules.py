"""The vectors of docs/spec/rules.md, computed again by a reader written for this test from that page alone.

It uses nothing of ``ledger``: json, hashlib, datetime. So a mistake that the program shares with its own vectors shows.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

VECTORS = json.loads((Path(__file__).resolve().parents[3] / "docs/spec/vectors/rules.json").read_text(encoding="utf-8"))
REGISTER, CALENDARS = VECTORS["register"], VECTORS["calendars"]
BEIJING = timezone(timedelta(hours=8))


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def day_of(at: datetime) -> date:  # G8
    return at.astimezone(BEIJING).date()


def holds(text: dict[str, Any], day: date) -> bool:  # G5
    return text["valid_from"] <= day.isoformat() <= text.get("valid_to", "9999-12-31")


def clause_of(register: dict[str, Any], case: dict[str, Any], day: date, urgent: bool) -> dict[str, Any] | None:  # G10
    found = []
    for clause in register["clauses"]:
        clock = clause.get("clock")
        if clock is None or not holds(clause, day) or clock.get("urgent", False) != urgent:
            continue
        if any(clock[name] != case[name] for name in ("act", "start", "stop")):
            continue
        if clock.get("sharing_class") in (None, case.get("sharing_class")):
            found.append((clock.get("working_days", 0), clause["kind"] != "statutory", clause["id"], clause))
    return min(found)[-1] if found else None


def works(calendars: dict[str, Any], day: date) -> bool | None:  # G13, G14
    if day.year not in [calendar["year"] for calendar in calendars["calendars"]]:
        return None
    for calendar in reversed(calendars["calendars"]):
        if day.isoformat() in calendar["make_up"]:
            return True
        if any(each["first"] <= day.isoformat() <= each["last"] for each in calendar["holidays"]):
            return False
    return day.isoweekday() < 6


def last_day(calendars: dict[str, Any], zero: date, count: int) -> date | None:  # G13-G15
    day = zero
    while count:
        day += timedelta(days=1)
        is_working = works(calendars, day)
        if is_working is None:
            return None
        count -= is_working
    return day


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def due(register: dict[str, Any], calendars: dict[str, Any], day: date) -> str:  # G16
    settings = register["settings"]
    midnight = datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(days=1)
    if settings["day_ends"] == "midnight":
        return stamp(midnight)
    hour, minute = map(int, settings["close_of_business"].split(":"))
    return stamp(midnight - timedelta(days=1) + timedelta(hours=hour, minutes=minute))


def fields(register: dict[str, Any], calendars: dict[str, Any], case: dict[str, Any], more: int = 0) -> dict[str, Any]:
    started = datetime.fromisoformat(case["started_at"])
    day = day_of(started)
    found: dict[str, Any] = {"act": case["act"], "stop": case["stop"], "clock": "no_clock"}
    clause = clause_of(register, case, day, False)
    if clause is not None:
        count = clause["clock"]["working_days"] + more
        last = last_day(calendars, day, count)
        found |= {"clause": clause["id"], "standing": clause["kind"], "working_days": count}
        found |= (
            {"clock": "unconfirmed"} if last is None else {"clock": "due", "due_at": due(register, calendars, last)}
        )
    if case.get("urgent"):  # G12
        at_once = clause_of(register, case, day, True)
        found["target_at"] = stamp(started + timedelta(minutes=register["settings"]["at_once_target_minutes"]))
        if at_once is not None:
            found |= {"clock": "at_once", "urgent_clause": at_once["id"]}
    return found | {"register": digest(register), "calendars": digest(calendars)}


def adopted(register: dict[str, Any], clause: dict[str, Any]) -> dict[str, Any]:  # G2, G20
    clauses = sorted([*register["clauses"], clause], key=lambda each: each["id"])
    return {**register, "clauses": clauses}


WITH_LOCAL = adopted(REGISTER, VECTORS["local"])


def test_the_digests_are_of_the_canonical_bytes() -> None:
    assert digest(REGISTER) == VECTORS["register_digest"]
    assert digest(WITH_LOCAL) == VECTORS["local_register_digest"]
    assert digest(CALENDARS) == VECTORS["calendars_digest"]


@pytest.mark.parametrize("case", VECTORS["deadlines"], ids=lambda case: case["desc"])
def test_each_deadline_and_its_working(case: dict[str, Any]) -> None:
    register = WITH_LOCAL if case["with_local"] else REGISTER
    assert fields(register, CALENDARS, case) == case["want"]
    day, number = day_of(datetime.fromisoformat(case["started_at"])), 0
    for shown, code, counted in case["want_days"]:
        assert shown == day.isoformat()
        is_working = works(CALENDARS, day) if code != "start" else False
        number += bool(is_working)
        assert counted == (number if is_working else None)
        assert (is_working is None) == (code == "unannounced")
        day += timedelta(days=1)


@pytest.mark.parametrize("case", VECTORS["extensions"], ids=lambda case: f"{case['act']} {case['days']}")
def test_each_extension(case: dict[str, Any]) -> None:
    asked = {**case, "start": "received", "stop": "decided" if case["act"] == "application" else "supplied"}
    clause = clause_of(REGISTER, asked, day_of(datetime.fromisoformat(case["started_at"])), False)
    allowed = clause["clock"].get("extension", {}).get("max_working_days", 0) if clause else 0
    if "want_error" in case:
        assert not 1 <= case["days"] <= allowed  # G17
    else:
        assert fields(REGISTER, CALENDARS, asked, case["days"]) == case["want"]


def test_the_changes_one_after_another() -> None:
    register, calendars = REGISTER, CALENDARS
    for change in VECTORS["changes"]:
        said = change["fields"]
        match change["kind"]:
            case "rule.adopted":
                register = adopted(register, VECTORS["local"])
            case "rule.ended":
                clauses = [
                    {**each, "valid_to": said["valid_to"]} if each["id"] == said["clause"] else each
                    for each in register["clauses"]
                ]
                register = {**register, "clauses": clauses}
            case "ground.set":
                grounds = [
                    {**each, "enabled": said["state"] == "enabled"} if each["code"] == said["ground"] else each
                    for each in register["grounds"]
                ]
                register = {**register, "grounds": grounds}
            case "rules.set":
                names = ("day_ends", "close_of_business", "at_once_target_minutes")
                register = {**register, "settings": {name: said[name] for name in names}}
            case "calendar.adopted":
                holidays = zip(said["holidays_zh"], said["holidays_en"], said["first"], said["last"], strict=True)
                keys = ("name_zh", "name_en", "first", "last")
                made = {name: said[name] for name in ("year", "notice", "issued", "source", "make_up")}
                made |= {"format": 1, "holidays": [dict(zip(keys, each, strict=True)) for each in holidays]}
                calendars = {**calendars, "calendars": [*calendars["calendars"], made]}
        assert {"register": digest(register), "calendars": digest(calendars)} == change["want"]
    assert len(VECTORS["changes"]) == 5


@pytest.mark.parametrize("case", VECTORS["refusals"], ids=lambda case: case["desc"])
def test_each_refusal(case: dict[str, Any]) -> None:
    given = case["refusal"]
    ground = next((each for each in REGISTER["grounds"] if each["code"] == given["ground"]), None)
    enabled = ground is not None and (ground["enabled"] or (case["rg11_enabled"] and ground["code"] == "RG11"))
    cited = [each for each in (ground or {}).get("citations", []) if each["id"] == given.get("citation")]
    allowed = bool(
        ground is not None
        and cited
        and "quote" in cited[0]
        and holds(cited[0], date.fromisoformat(case["on"]))  # G24
        and enabled  # G25
        and {each["name"] for each in ground.get("demands", [])} == set(given["fields"])  # G26
        and all(given["answers"].get(each["name"]) is each["must_be"] for each in ground.get("questions", []))  # G28
        and (ground["scope"] == "whole" or given.get("covers") == "part")  # G29
        and given["drafter"] != given["approver"]
    )
    assert allowed is case["want"]["allowed"]


def test_what_must_be_refused_is_named() -> None:
    assert {case["want_error"] for case in VECTORS["invalid_changes"]} == {"AdoptionError", "RuleDataError"}
    assert {case["want_error"] for case in VECTORS["invalid_clauses"]} == {"RuleDataError"}
