"""Requests as the interface gives them: codes and instants, no words of a language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalog.desk.desk import Desk
from catalog.desk.moves import FORMS, Looking
from catalog.desk.shelf import Line
from catalog.desk.view import APPLICATION, DRAFTED, SAID, ClockView, clocks, days_left, timeliness
from catalog.identity.actor import Actor
from ledger.cases import Case
from ledger.rules.deadlines import stamp


def line_json(desk: Desk, line: Line, now: datetime) -> dict[str, Any]:
    """A request in a list."""
    code = timeliness(line, stamp(now))
    return {
        "number": line.number,
        "act": line.act,
        "state": line.state,
        "open": bool(line.is_open),
        "requester": line.requester,
        "provider": line.provider,
        "resource": line.resource or None,
        "received_at": line.received_at,
        "stop": line.stop,
        "timeliness": code,
        "due_at": line.due_at or None,
        "clause": line.clause or None,
        "standing": line.standing or None,
        "working_days_left": days_left(desk.rules, line.due_at, now) if code in ("open", "overdue") else None,
        "urgent": bool(line.urgent),
        "awaits": line.awaits or None,
        "last_entry": line.last,
        "last_kind": line.last_kind,
        "last_at": line.last_at,
    }


def case_json(desk: Desk, actor: Actor, case: Case) -> dict[str, Any]:
    """A request in full, for one of its parties."""
    now = desk.now()
    kinds = set(desk.allowed(actor, case))
    looking = Looking(desk, case, actor.agency, now, actor.officer)
    return {
        "number": case.id,
        "act": case.act.value,
        "state": case.state.value,
        "open": case.state.is_open,
        "requester": case.requester,
        "provider": case.provider,
        "resource": case.resource,
        "purpose": case.purpose,
        "received_at": case.received_at,
        "recorded_at": case.recorded_at,
        "urgent_target_at": case.target_at,
        "subjects": case.subjects,
        "parent": case.parent,
        "linked": case.linked,
        "revision": case.revision,
        "deadlines": [_deadline(clock) for clock in clocks(desk, case, now)],
        "entries": [_entry(desk, actor, case, seq) for seq in sorted(case.entries)],
        "moves": [form.slug for form in FORMS if form.is_offered(looking, kinds)],
    }


def _deadline(clock: ClockView) -> dict[str, Any]:
    reading = clock.reading
    return {
        "stop": reading.stop.value,
        "timeliness": reading.timeliness.value,
        "due_at": reading.due_at,
        "clause": reading.clause,
        "standing": reading.standing,
        "stopped_at": reading.stopped_at,
        "working_days": reading.working_days,
        "waiting_days": reading.waiting_days,
        "working_days_left": clock.left,
        "entry": clock.seq,
        "days": [day.to_value() for day in clock.days],
    }


def _entry(desk: Desk, actor: Actor, case: Case, seq: int) -> dict[str, Any]:
    entry, opened = desk.ledger.entry(seq), desk.opened(seq)
    own = entry.get("by") == actor.agency
    return {
        "entry": seq,
        "t": entry["t"],
        "kind": entry["kind"],
        "by": entry.get("by"),
        "person": entry.get("by_person"),
        "fields": {name: entry[name] for name in _FIELDS if name in entry},
        "words": _words(opened, own=own) if own or entry["kind"] != DRAFTED else {},
        "files": [
            {
                "name": each.name,
                "type": each.kind.ending,
                "size_bytes": each.size_bytes,
                "sha256": each.sha256,
                "url": f"/requests/{case.id}/files/{seq}/{place}",
            }
            for place, each in enumerate(desk.attachments(seq) if entry.get("files") else ())
        ],
        "items": entry.get("items", 0),
        "receipt": f"/requests/{case.id}/entries/{seq}.json",
    }


#: Open fields of moves that say what was done.
_FIELDS = (
    "result", "rows", "carrier", "to", "linked", "method", "days", "step", "about", "dispute", "outcome", "verdict",
    "ground", "statute", "article", "covers", "answer", "channel", "form",
)  # fmt: skip


def _words(opened: Mapping[str, Any], *, own: bool) -> dict[str, Any]:
    names = [*SAID, "participants"] if own else [name for name in (*SAID, "participants") if name != "approver"]
    said = {name: opened[name] for name in names if opened.get(name)}
    application = opened.get("application")
    if isinstance(application, dict):
        said["application"] = {name: application[name] for name in APPLICATION if name in application}
    return said


def table_json(desk: Desk, seq: int) -> list[dict[str, Any]]:
    """The rows of an entry's table that were not erased: ``item``, its number from 0, and its ``value``."""
    return [{"item": index, "value": value} for index, value in desk.items(seq)]
