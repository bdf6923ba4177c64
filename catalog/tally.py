"""How many rows an answer gives away: said by whoever has them in hand, read by the gate for the entry.

Counting them in the finished answer would mean to parse megabytes of it again, in each format. So whoever puts rows
into an answer calls :func:`add`; facets give values away as rows do and count as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Tally:
    """The rows of one answer; None while nothing that has rows was put into it.

    Attributes:
        reserved: how many of them were counted against the agency's quota before the answer was whole; the gate takes
            them back when it counts what is given, or when nothing is.
    """

    rows: int | None = None
    reserved: int = 0


_tally: ContextVar[Tally | None] = ContextVar("liandong_tally", default=None)


def begin() -> Tally:
    """Count anew for the request at hand. Tasks that it starts count into the same tally."""
    tally = Tally()
    _tally.set(tally)
    return tally


def add(rows: int) -> None:
    """Say that the answer gives ``rows`` more. Without a request that is recorded, nothing."""
    tally = _tally.get()
    if tally is not None:
        tally.rows = (tally.rows or 0) + rows


def reserve(rows: int) -> None:
    """Say that ``rows`` more were counted against a quota already."""
    tally = _tally.get()
    if tally is not None:
        tally.reserved += rows


def add_table(rows: Sized, facet_results: Mapping[str, Any] | None) -> None:
    """:func:`add` for rows of a table and, as Datasette has them, the values of its facets."""
    groups = (facet_results or {}).get("results", {})
    add(len(rows) + sum(len(group["results"]) for group in groups.values()))
