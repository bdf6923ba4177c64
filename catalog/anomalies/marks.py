"""What one entry of the ledger counts for: marks, which the rules add up. Pure; particulars play no part.

Queries count by the table that was asked (or ``batch`` for look-ups in several), by the county's clock (UTC+8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from catalog.anomalies.thresholds import Thresholds

#: The kinds of entries that count.
KINDS = ("auth.failed", "query.failed", "query.referred", "query.refused", "query.served")
_COUNTY_OFFSET = timedelta(hours=8)
#: The resource of a batch over several tables (:mod:`catalog.query.batch`).
_SEVERAL = "batch"
# Measures: what is added up, and over which period (an hour like 2026-11-25t09, or a day).
HOUR, DAY, OFF, PURPOSE, AWAY, AUTH = "hour", "day", "off", "purpose", "away", "auth"


@dataclass(frozen=True, slots=True)
class Key:
    """What marks are added up for. ``resource`` and ``code`` (of a purpose) are empty where they play no part."""

    measure: str
    agency: str
    resource: str
    code: str
    period: str

    @property
    def day(self) -> str:
        return self.period[:10]


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry's share: so many queries (``n``) and rows or attempts (``amount``)."""

    key: Key
    n: int
    amount: int


def marks(entry: Mapping[str, Any], thresholds: Thresholds) -> Iterator[Mark]:
    """What a decoded entry counts for; nothing for an entry of another kind."""
    if entry["kind"] not in KINDS:
        return
    local = datetime.fromisoformat(entry["t"]) + _COUNTY_OFFSET
    day, hour = local.strftime("%Y-%m-%d"), local.strftime("%Y-%m-%dt%H")
    if entry["kind"] == "auth.failed":
        yield Mark(Key(AUTH, entry["agency"], "", "", hour), 1, entry.get("attempts", 1))
        return
    agency, resource = entry["requester"], entry["resource"]
    if entry["kind"] != "query.served":
        yield Mark(Key(AWAY, agency, "", "", hour), 1, 0)
        return
    if "/" not in resource and resource != _SEVERAL:
        return  # a page about the catalogue, not data
    queries, rows = entry.get("items", 1), entry.get("rows", 0)
    yield Mark(Key(HOUR, agency, resource, "", hour), queries, rows)
    yield Mark(Key(DAY, agency, "", "", day), queries, rows)
    if entry["auth"] == "session" and not thresholds.working_time.covers(day, local.strftime("%H:%M")):
        yield Mark(Key(OFF, agency, "", "", day), queries, rows)
    if "purpose" in entry:
        yield Mark(Key(PURPOSE, agency, resource, entry["purpose"], day), 1, rows)
