"""Cases as lists of entries, for the vectors of docs/spec/cases.md and for tests: short, and valid unless asked not.

A story needs no ledger: its entries are decoded ones whose ``prev`` nobody looks at. Everything in them is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Entry = dict[str, Any]

HASH = "0" * 64
#: Monday 09:00 in Asia/Shanghai. In this story the county adopted a renewal of its rule, three working days.
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DUE_AT = "2026-11-26T16:00:00.000Z"
LATER_DUE_AT = "2026-12-10T16:00:00.000Z"
SUPPLY_DUE_AT = "2026-12-22T16:00:00.000Z"

REQUESTER, PROVIDER, OTHER, THIRD = "scjg", "yjgl", "jtys", "zhzf"
AUTHORITY, JUSTICE, INSPECTION, OPERATOR = "sjj", "sfj", "dcs", "xxzx"
ROLES = {AUTHORITY: "data_authority", JUSTICE: "justice", INSPECTION: "inspection"}


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(act: str = "query", stop: str = "supplied", **change: Any) -> Entry:
    """Clock fields with a due time; a field changed to None is left out."""
    fields = {
        "act": act,
        "stop": stop,
        "clock": "due",
        "clause": "shifan-2026.3-4",
        "standing": "local_standard",
        "working_days": 3,
        "due_at": DUE_AT,
        "register": HASH,
        "calendars": HASH,
        **change,
    }
    return {name: value for name, value in fields.items() if value is not None}


def no_clock(act: str = "query", stop: str = "supplied") -> Entry:
    return clock(act, stop, clock="no_clock", clause=None, standing=None, working_days=None, due_at=None)


def unconfirmed(act: str = "query", stop: str = "supplied") -> Entry:
    return clock(act, stop, clock="unconfirmed", due_at=None)


def ground(covers: str = "whole", **change: Any) -> Entry:
    return {
        "ground": "RG01",
        "citation": "state-secrets-2024.13",
        "statute": "保守国家秘密法",
        "article": "第十三条",
        "covers": covers,
        "demanded": ["authority", "level", "fixed_on", "term", "register_number"],
        "register": HASH,
        **change,
    }


class Story:
    """Entries one after another; each call returns the entry that it added.

    Args:
        case: the id of the case that further entries are of.
    """

    def __init__(self, case: str = "q-1", start: datetime = START) -> None:
        self.case = case
        self.now = start
        self.entries: list[Entry] = []

    def wait(self, **span: int) -> Story:
        """Time passes: hours=, days=."""
        self.now += timedelta(**span)
        return self

    def add(self, kind: str, by: str | None = None, duty: str = "", /, *words: str, **fields: Any) -> Entry:
        """An entry of ``kind``; ``words`` are the particulars committed to. None in ``fields`` leaves one out."""
        entry: Entry = {"log": "", "prev": HASH, "seq": len(self.entries), "t": stamp(self.now), "kind": kind, "v": 1}
        if kind not in _WITHOUT_CASE:
            entry["case"] = self.case
        if by is not None:
            entry |= {"by": by, "by_role": ROLES.get(by, "agency"), "by_duty": duty or _DUTY.get(kind, "approver")}
            entry |= {"auth": "session"}
            if entry["by_duty"] != "system":
                entry["by_person"] = 1
        committed = [*(_WORDS.get(kind, ()) if not words else ()), *words]
        if committed:
            entry["commit"] = dict.fromkeys(sorted(committed), HASH)
        entry |= fields
        entry = {name: value for name, value in entry.items() if value is not None}
        self.entries.append(entry)
        self.now += timedelta(minutes=1)
        return entry

    # -- beginnings

    def query(self, **fields: Any) -> Entry:
        base = {
            "requester": REQUESTER,
            "provider": PROVIDER,
            "resource": "work/permits",
            "purpose": "case",
            "reference_kind": "case_number",
            "channel": "desk",
            "received_at": stamp(self.now),
            **clock(),
        }
        return self.add("request.received", REQUESTER, "officer", "officer", "reference", **{**base, **fields})

    def application(self, *words: str, **fields: Any) -> Entry:
        named = words or ("officer", "reference", "application", "approver")
        base = {
            "requester": REQUESTER,
            "provider": PROVIDER,
            "resource": "work/permits",
            "purpose": "case",
            "reference_kind": "case_number",
            "channel": "desk",
            "received_at": stamp(self.now),
            **clock("application", "decided", due_at=DUE_AT, extension_days=10, standing="statutory"),
        }
        return self.add("request.received", REQUESTER, "officer", *named, **{**base, **fields})

    def correction(self, **fields: Any) -> Entry:
        base = {
            "requester": REQUESTER,
            "provider": PROVIDER,
            "resource": "work/permits",
            "channel": "desk",
            "received_at": stamp(self.now),
            **clock("correction", "decided"),
        }
        return self.add("correction.received", REQUESTER, "officer", "officer", "description", **{**base, **fields})

    def transfer(self, **fields: Any) -> Entry:
        """The sender owes the letter: it is the provider."""
        base = {
            "sender": PROVIDER,
            "receiver": REQUESTER,
            "transfer": "power_moved",
            "channel": "phone",
            "received_at": stamp(self.now),
            **clock("transfer", "sent"),
        }
        return self.add("transfer.notified", PROVIDER, "officer", "officer", "description", **{**base, **fields})

    # -- shorthands, all valid where they are allowed

    def authenticated(self) -> Story:
        self.add("request.authenticated", PROVIDER, method="session")
        return self

    def full(self, **fields: Any) -> Entry:
        return self.add("request.answered", PROVIDER, **{"result": "full", "rows": 3, **fields})

    def partial(self, **fields: Any) -> Entry:
        return self.full(result="partial", **fields)

    def no_record(self, **fields: Any) -> Entry:
        return self.add("request.answered", PROVIDER, "", "text", **{"result": "no_record", **fields})

    def redirected(self, **fields: Any) -> Entry:
        base = {"result": "redirected", "to": OTHER, "linked": f"{self.case}.2"}
        return self.add("request.answered", PROVIDER, "", "text", **{**base, **fields})

    def delivered(self, **fields: Any) -> Entry:
        base = {"result": "delivered_offline", "carrier": "disc"}
        return self.add("request.answered", PROVIDER, "", "text", **{**base, **fields})

    def drafted(self, covers: str = "whole", **fields: Any) -> Entry:
        return self.add(
            "request.refusal_drafted", PROVIDER, "answerer", "reason", "withheld", **{**ground(covers), **fields}
        )

    def refused(self, covers: str = "whole", **fields: Any) -> Entry:
        drafted = [entry["seq"] for entry in self.entries if entry["kind"] == "request.refusal_drafted"]
        base = {**ground(covers), "drafted": drafted[-1] if drafted else 0, "by_person": 2}
        return self.add("request.refused", PROVIDER, "approver", "reason", "withheld", **{**base, **fields})

    def disputed(self, about: int | None, step: str = "negotiation", **fields: Any) -> Entry:
        by = AUTHORITY if step == "government" else REQUESTER
        return self.add("request.disputed", by, step=step, about=about, **fields)

    def resolved(self, outcome: str, by: str = REQUESTER, *words: str, **fields: Any) -> Entry:
        opened = [entry["seq"] for entry in self.entries if entry["kind"] == "request.disputed"]
        return self.add(
            "request.resolved", by, "", *words, **{"dispute": opened[-1] if opened else 0, "outcome": outcome, **fields}
        )

    def reviewed(self, about: int, verdict: str = "improper", by: str = JUSTICE, **fields: Any) -> Entry:
        return self.add("request.reviewed", by, about=about, verdict=verdict, **fields)

    def order(self, form: str = "urging_letter", **fields: Any) -> Entry:
        issuer = {"decision": "government", "inspection_opinion": "inspection"}.get(form, "justice")
        by = INSPECTION if form == "inspection_opinion" else JUSTICE
        return self.add("order.issued", by, **{"form": form, "issuer": issuer, "to": PROVIDER, **fields})

    def letter(self, **fields: Any) -> Entry:
        base = {"materials": ["letter", "fact_statement", "scene_photos"]}
        return self.add("transfer.letter_sent", PROVIDER, "answerer", "letter_number", **{**base, **fields})

    def reminder(self, **fields: Any) -> Entry:
        base = {"to": PROVIDER, "stop": "supplied", "stage": "before_due", "day": 1, "outbox": "smtp"}
        return self.add("reminder.sent", **{**base, **fields})

    # -- the world around the cases

    def registered(self) -> Story:
        """The agencies and offices of the stories."""
        roles = dict.fromkeys((REQUESTER, PROVIDER, OTHER, THIRD), "agency")
        roles |= {AUTHORITY: "data_authority", JUSTICE: "supervisor", INSPECTION: "supervisor", OPERATOR: "operator"}
        for agency, role in roles.items():
            names = {"name_zh": "示范县某单位", "name_en": "an invented agency", "short_name": "某单位"}
            superior = "示范市某局" if agency == PROVIDER else None
            self.add("agency.registered", v=2, agency=agency, **names, type="部门", role=role, superior=superior)
        self.add("office.named", agency=JUSTICE, office="justice", named_by=OPERATOR)
        self.add("office.named", agency=INSPECTION, office="inspection", named_by=OPERATOR)
        return self


_WITHOUT_CASE = {
    "agency.registered",
    "office.named",
    "batch.ingested",
    "register.adopted",
    "log.opened",
    "rules.adopted",
}
_DUTY = {
    "request.authenticated": "answerer",
    "request.auth_failed": "answerer",
    "request.supplement_asked": "answerer",
    "request.answered": "answerer",
    "request.supplemented": "officer",
    "request.delivery_confirmed": "officer",
    "request.withdrawn": "officer",
    "fee.complained": "officer",
    "transfer.step_recorded": "officer",
    "transfer.answered": "officer",
    "transfer.assistance_asked": "officer",
    "transfer.assistance_given": "officer",
    "correction.answered": "answerer",
}
_WORDS: dict[str, tuple[str, ...]] = {
    "request.auth_failed": ("reason",),
    "request.supplement_asked": ("wanted",),
    "request.supplemented": ("supplement",),
    "request.extension_asked": ("reason",),
    "request.answered": ("answer_sha256",),
    "request.assigned": ("reason",),
    "request.disputed": ("reason",),
    "request.escalated": ("reason",),
    "request.reviewed": ("reason",),
    "fee.complained": ("note",),
    "order.proposed": ("reason",),
    "order.issued": ("document",),
    "order.reported": ("note",),
    "order.objected": ("reason",),
    "order.objection_answered": ("reason",),
    "superior.notified": ("superior",),
    "transfer.step_recorded": ("note",),
    "correction.answered": ("text",),
}

Told = Callable[[Story], Any]


def told(*parts: Told, case: str = "q-1") -> list[Entry]:
    """The entries of a story to which each of ``parts`` adds something."""
    story = Story(case)
    for part in parts:
        part(story)
    return story.entries
