"""Which entries a list shows: an agency's own queries, and those of others for its data, newest first.

A provider sees who asked for its data while it was its data (谁查了我的数据): never before it published a table, nor
after another agency took it over.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from catalog.errors import RequestError
from ledger import Ledger
from ledger.fields import DATE

#: Entries are fetched in so many at once.
_CHUNK = 200
QUERY_KINDS = frozenset({"query.served", "query.referred", "query.refused", "query.failed"})
#: What an entry says for its resource where a batch asked more than one table; they stand in ``resources``.
SEVERAL = "batch"
#: So many records of use are looked through for what became of an answer.
_USES = 10_000

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; an empty text narrows nothing. Days are the county's, both included."""

    resource: str = ""
    requester: str = ""
    first_day: str = ""
    last_day: str = ""

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> Filter:
        """The filter in an address.

        Raises:
            RequestError: 400, a day that does not exist.
        """
        days = {name: arguments.get(name, "") for name in ("from", "to")}
        for name, day in days.items():
            if day and not DATE.accepts(day):
                raise RequestError(
                    400, f"{name} is a day, YYYY-MM-DD; choose it again", f"{name} 应为日期 YYYY-MM-DD；请重新选择"
                )
        return cls(arguments.get("resource", ""), arguments.get("requester", ""), days["from"], days["to"])

    def arguments(self) -> dict[str, str]:
        """What :meth:`of` reads."""
        named = {
            "resource": self.resource,
            "requester": self.requester,
            "from": self.first_day,
            "to": self.last_day,
        }
        return {name: value for name, value in named.items() if value}

    def span(self, ledger: Ledger) -> tuple[int, int | None]:
        """The entries of these days: the first number, and the one after the last (None: up to the newest)."""
        first = ledger.first_at(_begins(self.first_day)) if self.first_day else 0
        if not self.last_day:
            return first, None
        after = date.fromisoformat(self.last_day) + timedelta(days=1)
        return first, ledger.first_at(_begins(after.isoformat()))


def own(ledger: Ledger, requester: str, wanted: Filter, before: int | None) -> Iterator[Entry]:
    """What was asked in the name of ``requester``, newest first."""
    where = {"requester": requester}
    first, end = wanted.span(ledger)
    end = _earlier(before, end)
    found = _of(ledger, wanted.resource, where, first, end) if wanted.resource else _newest(ledger, where, first, end)
    for entry in found:
        if entry["kind"] in QUERY_KINDS or entry["kind"] == "audit.read":
            yield entry


def by_others(ledger: Ledger, provider: str, wanted: Filter, before: int | None) -> Iterator[Entry]:
    """Who else asked for the provider's data, newest first."""
    first, end = wanted.span(ledger)
    where = {"requester": wanted.requester} if wanted.requester else {}
    lists = [
        _of(ledger, resource, where, max(first, since), _earlier(_earlier(before, end), until))
        for resource, since, until in provided(ledger, provider)
        if wanted.resource in ("", resource)
    ]
    last = None
    for entry in heapq.merge(*lists, key=lambda entry: -entry["seq"]):
        if entry["seq"] == last:  # a batch that asked two of its tables
            continue
        last = entry["seq"]
        if entry["kind"] in QUERY_KINDS and entry["requester"] != provider:
            yield entry


def provided(ledger: Ledger, provider: str) -> list[tuple[str, int, int | None]]:
    """The tables that were ever the provider's: ``database/table``, first entry, and the one after the last."""
    spans: list[tuple[str, int, int | None]] = []
    open_since: dict[str, int] = {}
    for entry in ledger.since(0, ["resource.published"]):
        resource, ours = entry["resource"], entry["provider"] == provider
        if ours:
            open_since.setdefault(resource, entry["seq"])
        elif resource in open_since:
            spans.append((resource, open_since.pop(resource), entry["seq"]))
    return spans + [(resource, since, None) for resource, since in open_since.items()]


def uses(ledger: Ledger, where: Mapping[str, str]) -> dict[int, Entry]:
    """The newest record of use by the entry that it is about, of a requester or a resource."""
    found: dict[int, Entry] = {}
    for entry in ledger.newest(_USES, where={"kind": "use.recorded", **where}):
        found.setdefault(entry["served"], entry)
    return found


def _of(ledger: Ledger, resource: str, where: dict[str, str], first: int, end: int | None) -> Iterator[Entry]:
    """Entries about a table, newest first, batches that asked it beside others among them."""
    batches = (
        entry
        for entry in _newest(ledger, {**where, "resource": SEVERAL}, first, end)
        if resource in entry.get("resources", ())
    )
    alone = _newest(ledger, {**where, "resource": resource}, first, end)
    return heapq.merge(alone, batches, key=lambda entry: -entry["seq"])


def _newest(ledger: Ledger, where: dict[str, str], first: int, end: int | None) -> Iterator[Entry]:
    """Entries from ``first`` up to before ``end``, newest first."""
    before = end
    while True:
        rows: list[Entry] = ledger.newest(_CHUNK, before=before, where=where)
        for row in rows:
            if row["seq"] < first:
                return
            yield row
        if len(rows) < _CHUNK:
            return
        before = rows[-1]["seq"]


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _begins(day: str) -> str:
    """When a day begins in the county (UTC+8), in the form of an entry's time."""
    before = date.fromisoformat(day) - timedelta(days=1)
    return f"{before.isoformat()}T16:00:00.000Z"
