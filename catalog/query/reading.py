"""Running statements: read-only connections of our own to the category databases, one for each thread.

A connection can do nothing but SELECT from the columns that a statement may read: an authorizer says so to SQLite while
it compiles the statement, whatever its text. What is quick runs in the event loop itself, without a thread; what is not
done within :data:`QUICK_CPU_SECONDS` of work is run anew in a thread, up to the time limit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from catalog.query.errors import QueryError
from catalog.query.statement import Statement

T = TypeVar("T")
Row = tuple[Any, ...]
#: Gives all rows of a statement.
Fetch = Callable[[Statement], list[Row]]
#: How much one statement may work in the event loop, and how long it may keep it from everything else. By the thread's
#: own time: on a machine where others work too, a statement is not slow because it had to wait for its turn. By the
#: clock as well: one that waits for the disk works little.
QUICK_CPU_SECONDS = 0.01
QUICK_SECONDS = 0.1
#: So long a statement that was not quick is not tried again in the event loop.
SLOW_FOR_SECONDS = 1.0
THREADS = 4
#: Statements that wait for a thread, beside those that have one.
MAX_WAITING = 16
#: Virtual machine instructions between two looks at the clock: under 0.1 ms.
_STEPS = 1_000
_CACHED_STATEMENTS = 256
_ALLOWED_FUNCTIONS = frozenset({"like"})


class _TooSlowError(Exception):
    """The statement was stopped at its deadline."""


class Reader:
    """One read-only connection, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=1,
            cached_statements=_CACHED_STATEMENTS,
        )
        self._db.execute("PRAGMA query_only = ON")
        self._db.execute("PRAGMA trusted_schema = OFF")
        self._db.execute("PRAGMA temp_store = MEMORY")  # what is sorted never reaches the disk
        self._deadline = self._cpu_deadline = 0.0
        self._allowed: frozenset[str] = frozenset()
        self._table = ""
        self._read: set[str] = set()
        #: What each statement compiled so far reads: compiled ones are used again without asking the authorizer.
        self._reads: dict[str, tuple[str, frozenset[str]]] = {}
        self._db.set_progress_handler(self._is_late, _STEPS)
        self._db.set_authorizer(self._authorize)

    def close(self) -> None:
        self._db.close()

    def fetch(self, statement: Statement, seconds: float, cpu_seconds: float = inf) -> list[Row]:
        """All rows of a statement.

        Raises:
            _TooSlowError: it took longer than ``seconds``, or ``cpu_seconds`` of this thread.
            sqlite3.Error: the statement reads what it may not, or the file cannot be read.
        """
        self._allowed, self._table = statement.reads, statement.table
        known = self._reads.get(statement.sql)
        if known is not None and not (known[0] == statement.table and known[1] <= statement.reads):
            raise sqlite3.DatabaseError("not authorized")
        if known is None:
            self._read = set()
        self._deadline, self._cpu_deadline = time.monotonic() + seconds, time.thread_time() + cpu_seconds
        try:
            rows = self._db.execute(statement.sql, statement.parameters).fetchall()
        except sqlite3.OperationalError as error:
            # Python's own error, for text that is not UTF-8, has no such name; and its words hold the text.
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                raise _TooSlowError from error
            raise
        if known is None:
            if len(self._reads) >= 4 * _CACHED_STATEMENTS:
                self._reads.clear()
            self._reads[statement.sql] = statement.table, frozenset(self._read)
        return rows

    def _is_late(self) -> bool:
        return time.thread_time() > self._cpu_deadline or time.monotonic() > self._deadline

    def _authorize(self, action: int, first: str | None, second: str | None, _db: str | None, _by: str | None) -> int:
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and first == self._table and second in self._allowed:
            self._read.add(second)
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and first == self._table and second == "":
            return sqlite3.SQLITE_OK  # the table is named and no value of it is read but its row numbers
        if action == sqlite3.SQLITE_FUNCTION and second in _ALLOWED_FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


class Readers:
    """The connections of one process.

    Args:
        path_of: from a category to its database's file.
        limit_seconds: how long one statement may take.
    """

    def __init__(self, path_of: Callable[[str], Path], limit_seconds: float) -> None:
        self._path_of = path_of
        self.limit_seconds = limit_seconds
        self._own: dict[str, Reader] = {}  # the event loop's
        self._of_thread = threading.local()
        self._all: list[Reader] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="query")
        self._under_way = 0
        #: Texts of statements that were too slow for the event loop, and until when such go to a thread at once.
        self._slow: dict[str, float] = {}

    async def fetch(self, statement: Statement) -> list[Row]:
        """All rows of a statement.

        Raises:
            QueryError: 408, it takes longer than the limit; 503, too many such ones are under way.
            sqlite3.Error: the database cannot be read.
        """
        if self._slow.get(statement.sql, 0.0) < time.monotonic():
            reader = self._reader(self._own, statement.database)
            try:
                return reader.fetch(statement, QUICK_SECONDS, QUICK_CPU_SECONDS)
            except _TooSlowError:
                if len(self._slow) >= _CACHED_STATEMENTS:
                    self._slow.clear()
                self._slow[statement.sql] = time.monotonic() + SLOW_FOR_SECONDS
        return await self.in_thread(lambda fetch: fetch(statement), self.limit_seconds)

    async def in_thread(self, work: Callable[[Fetch], T], seconds: float) -> T:
        """Run ``work`` in a thread; all statements that it fetches have ``seconds`` together.

        Raises:
            QueryError: 408, they take longer; 503, too many such ones are under way.
            sqlite3.Error: a database cannot be read.
        """
        if self._under_way >= THREADS + MAX_WAITING:
            raise QueryError(
                503,
                "busy",
                "too many slow queries are under way; send it again in a few seconds, or narrow it",
                "正在执行的慢查询过多；请几秒后重试，或缩小查询范围",
                retry_after=5,
            )
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, work, seconds)
        except _TooSlowError as error:
            raise QueryError(
                408,
                "too_slow",
                f"the query took longer than {seconds:g} s and was stopped; narrow it "
                "with another condition, best on a "
                "number or a name, or ask for less at once",
                f"查询超过 {seconds:g} 秒，已中止；请增加条件（最好是编号或名称），或减少一次查询的内容",
            ) from error
        finally:
            self._under_way -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for reader in self._all:
            reader.close()

    def _work(self, work: Callable[[Fetch], T], seconds: float) -> T:
        readers: dict[str, Reader] | None = getattr(self._of_thread, "readers", None)
        if readers is None:
            readers = self._of_thread.readers = {}
        mine = readers
        end = time.monotonic() + seconds

        def fetch(statement: Statement) -> list[Row]:
            return self._reader(mine, statement.database).fetch(statement, end - time.monotonic())

        return work(fetch)

    def _reader(self, readers: dict[str, Reader], database: str) -> Reader:
        reader = readers.get(database)
        if reader is None:
            reader = readers[database] = Reader(self._path_of(database))
            self._all.append(reader)
        return reader
