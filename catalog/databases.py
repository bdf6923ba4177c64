"""Datasette's databases as this service keeps them: what is small is read without a thread.

Datasette hands every read to a pool of threads, also those that take microseconds: which columns a table has, which
rule allows it. Of twelve hops for a page of rows one is worth its cost, the rows themselves. Here the schema of a
category database is read once for each version of it, and the internal database, a few rows that nobody else writes,
is read in the event loop itself. Like :mod:`catalog.plugin` this depends on Datasette 1.0a41: docs/adr/0013.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datasette.database import Database
from datasette.utils import detect_fts, detect_primary_keys, get_outbound_foreign_keys, table_column_details
from datasette.utils.sqlite import sqlite_derived_table_dependencies

if TYPE_CHECKING:
    from datasette.app import Datasette

T = TypeVar("T")
#: Names in addresses are the asker's, so what is remembered of them has an end.
_REMEMBERED = 4_096


class CategoryDatabase(Database):  # type: ignore[misc]
    """One of the six: its schema from memory while it stays the same, and no failing statement in the log."""

    def __init__(self, datasette: Datasette, path: Path) -> None:
        super().__init__(datasette, path=str(path), is_mutable=True)
        self._peeking: sqlite3.Connection | None = None
        self._version = -1
        self._remembered: dict[tuple[str, str], Any] = {}

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """As Datasette's, which would print a failing statement with its parameters: what was searched for, that is."""
        return await super().execute(*args, **{**kwargs, "log_sql_errors": False})

    async def table_exists(self, table: str) -> bool:
        return self._schema("table_exists", table, lambda db: _is_there(db, "table", table))

    async def view_exists(self, table: str) -> bool:
        return self._schema("view_exists", table, lambda db: _is_there(db, "view", table))

    async def primary_keys(self, table: str) -> list[str]:
        return list(self._schema("primary_keys", table, lambda db: detect_primary_keys(db, table)))

    async def table_column_details(self, table: str) -> list[Any]:
        return list(self._schema("columns", table, lambda db: table_column_details(db, table)))

    async def table_columns(self, table: str) -> list[str]:
        return [column.name for column in await self.table_column_details(table)]

    async def fts_table(self, table: str) -> str | None:
        found: str | None = self._schema("fts_table", table, lambda db: detect_fts(db, table))
        return found

    async def foreign_keys_for_table(self, table: str) -> list[dict[str, Any]]:
        keys = self._schema("foreign_keys", table, lambda db: get_outbound_foreign_keys(db, table))
        return [dict(key) for key in keys]

    async def derived_table_dependencies(self) -> dict[str, str]:
        return dict(self._schema("derived", "", sqlite_derived_table_dependencies))

    def _schema(self, what: str, table: str, read: Callable[[sqlite3.Connection], T]) -> T:
        """``read``'s answer for the schema as it is now; read anew only where the schema's version has changed."""
        self._check_not_closed()
        if self._peeking is None:
            self._peeking = self.connect()
            self.ds._prepare_connection(self._peeking, self.name)
        (version,) = self._peeking.execute("PRAGMA schema_version").fetchone()
        if version != self._version or len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
            self._version = version
        key = (what, table)
        if key not in self._remembered:
            self._remembered[key] = read(self._peeking)
        found: T = self._remembered[key]
        return found


def read_without_a_thread(database: Database) -> None:
    """Let the internal database of a Datasette be read in the event loop; writes keep their thread."""

    async def execute_fn(read: Callable[[sqlite3.Connection], T]) -> T:
        database._check_not_closed()
        if database._read_connection is None:
            database._read_connection = database.connect()
            database.ds._prepare_connection(database._read_connection, database.name)
        return read(database._read_connection)

    database._execute_fn = execute_fn


def _is_there(db: sqlite3.Connection, kind: str, name: str) -> bool:
    row = db.execute("SELECT 1 FROM sqlite_master WHERE type = ? AND name = ?", (kind, name)).fetchone()
    return row is not None
