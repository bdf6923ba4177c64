"""Deadlines of many requests: looked up in a list, joined in SQLite, one call each, day by day without our calendars.

All four are asked about the same requests and must agree on every one of them.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import chinese_calendar

from bench.rounds import Sample, interleave, table
from ledger.rules import SHANGHAI, deadline, packaged
from ledger.rules.due_table import SQL_DAY, due_table

FIRST, LAST = date(2021, 11, 20), date(2026, 11, 19)
_WORKING_DAYS = 3

Answers = list[int | None]


def run(folder: Path, rounds: int, requests: int) -> str:
    """Measure with so many requests; return a Markdown table of rates on one core, ratios to the day-by-day count."""
    received = _received(requests)
    book = packaged()
    made = due_table(book, "query", FIRST, LAST)
    db = sqlite3.connect(folder / "requests.db")
    db.execute("CREATE TABLE requests (n INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL)")
    db.executemany("INSERT INTO requests VALUES (?, ?)", enumerate(received))
    made.write(db, "due_query")
    db.commit()
    join = f"SELECT due_ms FROM requests JOIN due_query ON day = {SQL_DAY.format('received_ms')} ORDER BY n"

    def one_by_one(asked: Sequence[int]) -> Answers:
        found = (deadline(book, "query", datetime.fromtimestamp(ms / 1_000, UTC)).due_at for ms in asked)
        return [None if due_at is None else round(due_at.timestamp() * 1_000) for due_at in found]

    sides: dict[str, Callable[[Sequence[int]], Answers]] = {
        "day by day, with chinesecalendar": lambda asked: [_naive(ms) for ms in asked],
        "the function, one call each": one_by_one,
        "joined in SQLite": lambda _: [due for (due,) in db.execute(join)],
        "looked up in the list": made.due_ms,
    }
    wanted = one_by_one(received)
    for name, side in sides.items():
        if side(received) != wanted:
            raise SystemExit(f"{name} disagrees with the function")
    few = received[: max(1, requests // 50)]  # the slow ones are timed on a part of them, and compared on all
    taken = dict(zip(sides, (few, few, received, received), strict=True))
    results = interleave({name: _timed(side, taken[name]) for name, side in sides.items()}, rounds)
    rows = [(name, f"{each.per_second:,.0f}", f"{each.ratio:.1f}") for name, each in results.items()]
    return (
        f"{requests:,} requests, {FIRST} to {LAST}; all four agree on every one; making the list of "
        f"{len(made.due):,} days is not counted.\n\n" + table(("deadlines", "a second", "ratio"), rows)
    )


def _received(count: int) -> list[int]:
    chance = random.Random(20261125)
    first = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=SHANGHAI).timestamp() * 1_000)
    last = int(datetime(LAST.year, LAST.month, LAST.day, 23, 59, 59, tzinfo=SHANGHAI).timestamp() * 1_000)
    return [chance.randint(first, last) for _ in range(count)]


def _naive(ms: int) -> int:
    """Three working days after the day of receipt, asking another library about each day."""
    day, left = datetime.fromtimestamp(ms / 1_000, SHANGHAI).date(), _WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= _works(day)
    end = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(days=1)
    return round(end.timestamp() * 1_000)


@cache
def _works(day: date) -> bool:
    return bool(chinese_calendar.is_workday(day))


def _timed(side: Callable[[Sequence[int]], Answers], asked: Sequence[int]) -> Callable[[], Sample]:
    def run_once() -> Sample:
        started = time.perf_counter()
        side(asked)
        return Sample(len(asked) / (time.perf_counter() - started))

    return run_once
