"""Test vectors of docs/spec/rules.md: a small register, calendars, deadlines, changes of the rules, refusals."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import cache
from typing import Any

from ledger.rules import Calendar, Clause, Register, Rulebook, Settings, adoption, deadline, extend, packaged, working
from ledger.rules.adoption import Change
from ledger.rules.refusals import Refusal, decide_refusal
from tools.vector_log import Case, error_of

_LOCAL = {
    "id": "local.query",
    "number": "示法发〔2026〕1号",
    "name_zh": "示范县查询服务标准",
    "name_en": "Service standard of Shifan County (invented)",
    "level": "service_standard",
    "kind": "local_standard",
    "article_zh": "第一条",
    "article_en": "article 1",
    "quote": "收到查询后三个工作日内答复。",
    "gist_en": "Queries are answered within three working days of receipt.",
    "valid_from": "2026-11-20",
    "source": "虚构 (invented)",
    "clock": {"act": "query", "start": "received", "stop": "supplied", "working_days": 3},
}
_INVENTED_2027 = {
    "format": 1,
    "year": 2027,
    "notice": "示例〔2026〕1号",
    "issued": "2026-12-01",
    "source": "虚构 (invented)",
    "holidays": [{"name_zh": "元旦", "name_en": "New Year's Day", "first": "2027-01-01", "last": "2027-01-03"}],
    "make_up": [],
}


@cache
def book() -> Rulebook:
    """Of the packaged rules what sets a clock, two grounds, and the real calendars."""
    register = packaged().register
    clauses = [clause for clause in register.clauses if clause.clock is not None]
    grounds = [register.ground("RG03"), register.ground("RG11")]
    return Rulebook(Register.of(clauses, grounds), packaged().calendars)


def rule_vectors() -> Case:
    base = book()
    local = adoption.adopt_rule(base, Clause.read(_LOCAL)).rulebook
    return {
        "about": "A register, calendars, deadlines, changes, refusals (rules.md). What is local is invented.",
        "register": base.register.to_value(),
        "register_digest": base.register.digest,
        "local": _LOCAL,
        "local_register_digest": local.register.digest,
        "calendars": base.calendars.to_value(),
        "calendars_digest": base.calendars.digest,
        "deadlines": [_deadline(base, False, *each) for each in _UNDER_THE_REGISTER]
        + [_deadline(local, True, *each) for each in _UNDER_THE_STANDARD],
        "extensions": _extensions(base),
        "changes": [_change(change) for change in _changes(base)],
        "invalid_changes": [_bad_change(base, *each) for each in _BAD_CHANGES],
        "refusals": [_refusal(base.register, *each) for each in _REFUSALS],
        "invalid_clauses": [
            {"desc": desc, "clause": {**_LOCAL, **more}, "want_error": error_of(Clause.read, {**_LOCAL, **more})}
            for desc, more in _BAD_CLAUSES
        ],
    }


_QUERY: dict[str, Any] = {"act": "query"}
_UNDER_THE_REGISTER: list[tuple[str, str, dict[str, Any]]] = [
    ("over Spring Festival", "2024-02-08T09:00:00+08:00", _QUERY),
    ("over Spring Festival with a Sunday that is worked", "2025-01-24T09:00:00+08:00", _QUERY),
    ("over National Day to a Saturday that is worked", "2026-09-30T09:00:00+08:00", _QUERY),
    ("received on a Sunday that is worked", "2026-01-04T09:00:00+08:00", _QUERY),
    ("received at ten to midnight before Labour Day", "2026-04-30T23:50:00+08:00", _QUERY),
    ("received in the last second of the opinion, due after it expired", "2026-11-19T23:59:59+08:00", _QUERY),
    ("the same second, written in UTC", "2026-11-19T15:59:59+00:00", _QUERY),
    ("received when it had expired", "2026-11-20T00:00:00+08:00", _QUERY),
    ("received the day before it began", "2021-11-19T23:59:59+08:00", _QUERY),
    ("urgent", "2026-11-18T09:00:00+08:00", {"act": "query", "urgent": True}),
    ("urgent when the opinion had expired", "2026-11-20T09:00:00+08:00", {"act": "query", "urgent": True}),
    ("a notice of transfer", "2026-11-18T09:00:00+08:00", {"act": "transfer", "start": "notified", "stop": "sent"}),
    (
        "an application for unconditional data",
        "2026-11-20T09:00:00+08:00",
        {"act": "application", "stop": "decided", "sharing_class": "unconditional"},
    ),
    (
        "an application for conditional data",
        "2026-11-20T09:00:00+08:00",
        {"act": "application", "stop": "decided", "sharing_class": "conditional"},
    ),
    ("an application for data of no class", "2026-11-20T09:00:00+08:00", {"act": "application", "stop": "decided"}),
    ("an application agreed to", "2026-11-20T09:00:00+08:00", {"act": "application", "start": "decided"}),
    ("a correction", "2026-12-17T09:00:00+08:00", {"act": "correction", "stop": "decided"}),
    ("a correction that runs into 2027", "2026-12-18T09:00:00+08:00", {"act": "correction", "stop": "decided"}),
]
_UNDER_THE_STANDARD: list[tuple[str, str, dict[str, Any]]] = [
    ("under the local standard", "2026-11-20T09:00:00+08:00", _QUERY),
    ("received on a Sunday", "2026-11-22T09:00:00+08:00", _QUERY),
    ("received on a Sunday in UTC, on Monday here", "2026-11-22T16:30:00+00:00", _QUERY),
    ("the last that is due in the year", "2026-12-28T09:00:00+08:00", _QUERY),
    ("the first that is not", "2026-12-29T09:00:00+08:00", _QUERY),
]


def _deadline(rulebook: Rulebook, is_local: bool, desc: str, started_at: str, asked: dict[str, Any]) -> Case:
    asked = {"start": "received", "stop": "supplied", **asked}
    found = deadline(rulebook, asked["act"], datetime.fromisoformat(started_at), **_without_act(asked))
    days = working(rulebook.calendars, found)
    return {
        "desc": desc,
        "with_local": is_local,
        "started_at": started_at,
        **asked,
        "want": found.fields(),
        "want_days": [[day.day.isoformat(), day.code, day.number] for day in days],
    }


def _without_act(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "act"}


def _extensions(base: Rulebook) -> list[Case]:
    cases = []
    for act, days in (("application", 10), ("application", 11), ("application", 0), ("query", 1)):
        started = datetime.fromisoformat("2026-11-03T09:00:00+08:00")
        found = deadline(base, act, started, sharing_class="conditional")
        case: Case = {"act": act, "sharing_class": "conditional", "started_at": started.isoformat(), "days": days}
        try:
            case["want"] = extend(base, found, days).fields()
        except Exception as error:  # whatever it is, its name goes into the vector
            case["want_error"] = type(error).__name__
        cases.append(case)
    return cases


def _changes(base: Rulebook) -> list[Change]:
    """Each made from the rules that the one before it left."""
    made: list[Change] = []
    for change_of in (
        lambda book: adoption.adopt_rule(book, Clause.read(_LOCAL)),
        lambda book: adoption.set_ground(book, "RG11", enabled=True, reason="示例"),
        lambda book: adoption.adopt_calendar(book, Calendar.read(_INVENTED_2027)),
        lambda book: adoption.set_settings(book, Settings("close_of_business"), "示例"),
        lambda book: adoption.end_rule(book, "local.query", date(2027, 12, 31), "示例"),
    ):
        made.append(change_of(made[-1].rulebook if made else base))
    return made


def _change(change: Change) -> Case:
    return {"kind": change.kind, "fields": change.fields, "want": change.rulebook.digests}


_BAD_CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("another digest than its content gives", {"register": "0" * 64}),
    ("a local standard as law", {"standing": "statutory"}),
    ("no day at all", {"working_days": 0}),
    ("it follows a change that there is not", {"after": 1}),
    ("an id that is taken", {"clause": "y19.query"}),
]


def _bad_change(base: Rulebook, desc: str, more: dict[str, Any]) -> Case:
    fields = adoption.adopt_rule(base, Clause.read(_LOCAL)).fields | more
    entry = {"kind": "rule.adopted", "seq": 1, "t": "2026-11-25T00:00:00.000Z", **fields}
    return {
        "desc": desc,
        "kind": "rule.adopted",
        "fields": fields,
        "want_error": error_of(adoption.fold, base, [entry], bytes.fromhex),
    }


_SEALED: dict[str, Any] = {
    "ground": "RG03",
    "citation": "zacf.136",
    "fields": {"register_number": "F-12"},
    "answers": {"case_need": False, "state_provision": False},
    "drafter": "o1",
    "approver": "o2",
}
_INFORMANT: dict[str, Any] = {
    "ground": "RG11",
    "citation": "hjfd.146",
    "covers": "part",
    "fields": {"withheld": "举报人姓名"},
    "answers": {"identity_only": True},
    "drafter": "o1",
    "approver": "o2",
}
_REFUSALS: list[tuple[str, dict[str, Any], str, bool]] = [
    ("a sealed record", _SEALED, "2026-11-25", False),
    (
        "the statute's own exception",
        {**_SEALED, "answers": {"case_need": True, "state_provision": False}},
        "2026-11-25",
        False,
    ),
    ("before the statute was in force", _SEALED, "2025-12-31", False),
    ("the drafter approves", {**_SEALED, "approver": "o1"}, "2026-11-25", False),
    ("a ground that is not enabled", _INFORMANT, "2026-11-25", False),
    ("the same, enabled", _INFORMANT, "2026-11-25", True),
    ("the whole refused for a part", {**_INFORMANT, "covers": "whole"}, "2026-11-25", True),
    ("a repealed article", {**_INFORMANT, "citation": "hbf.57"}, "2026-11-25", True),
    ("on its last day", {**_INFORMANT, "citation": "hbf.57"}, "2026-08-14", True),
    ("on the day after", {**_INFORMANT, "citation": "hbf.57"}, "2026-08-15", True),
    ("an article that was not read", {**_INFORMANT, "citation": "ggf.53"}, "2026-11-25", True),
    ("no ground", {"ground": "", "drafter": "o1", "approver": "o2"}, "2026-11-25", False),
]


def _refusal(register: Register, desc: str, given: dict[str, Any], on: str, enabled: bool) -> Case:
    judged = register.set_ground("RG11", enabled=True) if enabled else register
    day = date.fromisoformat(on)
    found = decide_refusal(judged, Refusal(**given), received_on=day, on=day)
    return {
        "desc": desc,
        "refusal": given,
        "on": on,
        "rg11_enabled": enabled,
        "want": {"allowed": found.allowed, "code": found.code},
    }


_BAD_CLAUSES: list[tuple[str, dict[str, Any]]] = [
    ("an unknown key", {"note": "x"}),
    ("no quote", {"quote": ""}),
    ("a day that does not exist", {"valid_from": "2026-02-30"}),
    ("it ends before it begins", {"valid_to": "2026-11-19"}),
    ("a service standard that calls itself law", {"kind": "statutory"}),
    ("a clock that starts with authentication", {"clock": {**_LOCAL["clock"], "start": "authenticated"}}),  # type: ignore[dict-item]
]


def rule_samples() -> tuple[str, str]:
    """The fields and the working of one deadline, for the specification's page."""
    base = book()
    found = deadline(base, "query", datetime.fromisoformat("2026-11-18T09:00:00+08:00"))
    days = [
        f"{day.day} {day.weekday_en} {day.code}{f' {day.number}' if day.number else ''}"
        for day in working(base.calendars, found)
    ]
    return json.dumps(found.fields(), indent=1), "\n".join(days)
