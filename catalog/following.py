"""A file of the instance that follows the ledger: what lists need, made from entries, made anew where it is missing.

Nothing is in such a file that is not in the ledger or its particulars, so it may be deleted at any time. Threads and
worker processes share it: whoever comes first reads what is new.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog.errors import RequestError
from ledger import Ledger

_META = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"


class LedgerFile:
    """The file: how far it has followed, and a transaction for who takes the next entries.

    Args:
        path: made where it is missing, for the service's own user alone.
        schema: statements that make the tables, each ending a line; where they change, the file is made anew.
        tables: their names, to be emptied where the ledger is another or the form changed.
        form: what else the content hangs on; another value and it is made anew.
    """

    def __init__(self, path: Path, schema: str, tables: Sequence[str], form: Mapping[str, str]) -> None:
        self._path = path
        self._tables = ("meta", *tables)
        self._form = dict(form)
        self._lock = threading.Lock()
        with self._failing_as_503():
            if not path.exists():
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is made again
            self._make(schema)

    def close(self) -> None:
        self._db.close()

    def _make(self, schema: str) -> None:
        """Make the tables; those of another version of the program go first."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            mark = hashlib.sha256(schema.encode()).hexdigest()
            self._db.execute(_META)
            if (mark,) not in self._db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall():
                for table in self._tables[1:]:
                    self._db.execute(f"DROP TABLE IF EXISTS {table}")
                self._db.execute("DELETE FROM meta")
                for statement in filter(str.strip, schema.split(";\n")):
                    self._db.execute(statement)
                self._db.execute("INSERT INTO meta VALUES ('schema', ?)", (mark,))
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def begin(self, ledger: Ledger, size: int) -> int:
        """Within a transaction: the first entry that was not taken yet, after emptying what is of another ledger."""
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        start = int(meta.get("taken", 0))
        wanted = {**self._form, "origin": ledger.origin}
        known = start <= size and {name: meta.get(name) for name in wanted} == wanted
        if known and (start == 0 or ledger.entry(start - 1)["prev"] == meta.get("prev")):
            return start
        for table in self._tables[1:]:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        self._db.execute("DELETE FROM meta WHERE key <> 'schema'")
        self._db.executemany("INSERT INTO meta VALUES (?, ?)", wanted.items())
        return 0

    def taken(self, ledger: Ledger, end: int) -> None:
        """Within a transaction: the entries before ``end`` were taken."""
        last = {"taken": str(end), "prev": ledger.entry(end - 1)["prev"]}
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", last.items())

    def all(self, sql: str, values: Iterable[Any] = ()) -> Sequence[Any]:
        """Rows of a query. Raises :class:`RequestError` 503 where the file cannot be read."""
        with self._lock, self._failing_as_503():
            return self._db.execute(sql, tuple(values)).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The only writer of the file, until the block ends. Raises :class:`RequestError` 503."""
        with self._lock, self._failing_as_503():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _failing_as_503(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RequestError(
                503,
                f"{self._path.name} cannot be read or written now ({error}); free disk space, or delete the file: it "
                "is made anew from the ledger",
                f"{self._path.name} 目前无法读写（{error}）；请腾出磁盘空间，或删除该文件，它会按台账重新生成",
            ) from error
