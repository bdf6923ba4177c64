"""What is too slow for the event loop: work, and not the wait for one's turn on a busy machine."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from catalog.query.reading import QUICK_CPU_SECONDS, QUICK_SECONDS, Reader, _TooSlowError
from catalog.query.statement import Statement

ROWS = 3_000  # enough that SQLite looks at the clock


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with closing(sqlite3.connect(tmp_path / "work.db")) as db, db:
        db.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        db.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x") for n in range(ROWS)))
    with closing(Reader(tmp_path / "work.db")) as found:
        yield found


def statement(sql: str) -> Statement:
    return Statement("work", "t", sql, (), ("a",), frozenset({"a"}), ROWS)


def interrupt(reader: Reader, seconds: float) -> None:
    """Once, while SQLite works, the thread waits: as if others had its processor."""
    is_late, waits = reader._is_late, iter([seconds])

    def look() -> bool:
        time.sleep(next(waits, 0))
        return is_late()

    reader._db.set_progress_handler(look, 1_000)


def test_a_statement_that_waited_for_its_turn_is_not_slow(reader: Reader) -> None:
    interrupt(reader, 3 * QUICK_CPU_SECONDS)
    found = reader.fetch(statement("SELECT a FROM t WHERE a % 1000 = 7"), QUICK_SECONDS, QUICK_CPU_SECONDS)
    assert found == [(7,), (1007,), (2007,)]


def test_one_that_kept_the_loop_too_long_by_the_clock_is(reader: Reader) -> None:
    interrupt(reader, 1.1 * QUICK_SECONDS)
    with pytest.raises(_TooSlowError):
        reader.fetch(statement("SELECT a FROM t WHERE a % 1000 = 7"), QUICK_SECONDS, QUICK_CPU_SECONDS)


def test_one_that_works_too_long_is(reader: Reader) -> None:
    sql = "SELECT t.a FROM t, t AS u WHERE t.a + u.a = -1"  # nine million pairs
    with pytest.raises(_TooSlowError):
        reader.fetch(statement(sql), 60, QUICK_CPU_SECONDS)
