"""Invented histories: entries at chosen times, as a list that stands in for a ledger, or in a real one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import Ledger

#: A Monday, 2 March 2026, 09:00 by the county's clock.
MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def asked(agency: str = "zhzf", resource: str = "work/penalties", rows: int = 10, **more: Any) -> dict[str, Any]:
    """The fields of an answered query."""
    fields = {"kind": "query.served", "requester": agency, "auth": "token", "resource": resource, "route": "table"}
    return {**fields, "status": 200, "elapsed_us": 1, "format": "json", "size_bytes": 1, "rows": rows, **more}


def turned_away(kind: str = "query.referred", agency: str = "zhzf") -> dict[str, Any]:
    """The fields of a query that was not answered."""
    fields = {"kind": kind, "requester": agency, "auth": "token", "resource": "work/inspections", "route": "table"}
    clause = {"query.failed": {}, "query.referred": {"clause": "not_yet_granted"}}
    refused = {"clause": "RG16", "basis": "示范县规定（虚构）第一条"}
    return {**fields, "status": 403, "elapsed_us": 1, **clause.get(kind, refused)}


def failed(agency: str = "zhzf", attempts: int | None = None) -> dict[str, Any]:
    """The fields of a failed proof of identity."""
    more = {"attempts": attempts} if attempts is not None else {}
    return {"kind": "auth.failed", "agency": agency, "auth": "token", "reason": "expired", **more}


class Entries:
    """A list of entries with what :class:`catalog.anomalies.shelf.Shelf` asks of a ledger, and checks how it asks."""

    origin = "example.org/log"

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.read = 0

    def add(self, at: datetime, fields: dict[str, Any]) -> int:
        seq = len(self.all)
        t = f"{at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3]}Z"
        assert not self.all or self.all[-1]["t"] <= t, "time in a ledger never runs back"
        before = repr(self.all[-1]) if self.all else ""
        prev = hashlib.sha256(before.encode()).hexdigest()
        self.all.append({**fields, "seq": seq, "t": t, "v": 2, "prev": prev})
        return seq

    def size(self) -> int:
        return len(self.all)

    def entry(self, seq: int) -> dict[str, Any]:
        return self.all[seq]

    def since(self, seq: int, kinds: Sequence[str], until: int | None = None) -> list[dict[str, Any]]:
        assert until is not None, "a ledger of a million entries must not be read at once"
        assert until - seq <= 2_000
        self.read += until - seq
        return [entry for entry in self.all[seq:until] if entry["kind"] in kinds]


class RealHistory:
    """A real ledger whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = MONDAY
        Ledger.create(folder / "ledger.db", "example.org/log")
        self.ledger = Ledger(folder / "ledger.db", Ed25519PrivateKey.generate(), now=lambda: self.now)

    def add(self, at: datetime, fields: dict[str, Any], particulars: dict[str, Any] | None = None) -> int:
        self.now = at
        kind = fields["kind"]
        plain = {name: value for name, value in fields.items() if name != "kind"}
        return self.ledger.append(kind, plain, particulars=particulars or {}).seq


def weekdays(first: datetime, count: int) -> list[datetime]:
    """So many working days from ``first`` on."""
    days = [first + timedelta(days=offset) for offset in range(count * 2)]
    return [day for day in days if day.isoweekday() <= 5][:count]
