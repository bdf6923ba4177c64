"""Which columns a table has, in which order and of which type: from the database itself, with the titles beside them.

Only what is found here ever becomes part of a statement.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.titles import ROW_ID, ColumnText, TableText, Titles
from ledger import CATEGORIES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: How old the titles may be, and with them the roles of columns.
TITLES_SECONDS = 1.0
#: What a value of a column is compared with, by the column's declared type in SQL.
_KINDS = {"INTEGER": "integer", "NUMERIC": "number"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``kind`` is text, integer or number: the JSON type of what it is compared with."""

    name: str
    kind: str
    text: ColumnText


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table that may be asked: its columns in stored order, the row number among them."""

    database: str
    table: str
    columns: Mapping[str, Column]
    text: TableText

    @property
    def resource(self) -> str:
        return f"{self.database}/{self.table}"


class Schemas:
    """The schemas of one instance's category databases, read anew only where they changed.

    Args:
        path_of: from a category to its database's file.
        titles: the instance's titles as they are now.
    """

    def __init__(self, path_of: Callable[[str], Path], titles: Callable[[], Titles]) -> None:
        self._path_of = path_of
        self._titles = titles
        self._lock = threading.Lock()
        self._titles_now: Titles | None = None
        self._titles_until = 0.0
        self._connections: dict[str, sqlite3.Connection] = {}
        self._known: dict[tuple[str, str], tuple[tuple[int, Titles], TableSchema | None]] = {}

    def table(self, database: str, table: str) -> TableSchema | None:
        """The schema of a table; None where there is no such table that may be asked by name.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        if database not in CATEGORIES or not _NAME.fullmatch(table):
            return None
        with self._lock:
            connection = self._connections.get(database) or self._connect(database)
            (version,) = connection.execute("PRAGMA schema_version").fetchone()
            state = version, self._current_titles()
            known = self._known.get((database, table))
            if known is not None and known[0] == state:
                return known[1]
            found = _read(connection, state[1].table(database, table))
            if found is not None:  # names in addresses are the asker's: what is remembered of them has an end
                self._known[database, table] = state, found
            return found

    def _current_titles(self) -> Titles:
        """The titles, looked for anew once a second: they hang on a file."""
        now = time.monotonic()
        if self._titles_now is None or now >= self._titles_until:
            self._titles_now, self._titles_until = self._titles(), now + TITLES_SECONDS
        return self._titles_now

    def close(self) -> None:
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
            self._known.clear()

    def _connect(self, database: str) -> sqlite3.Connection:
        uri = f"{self._path_of(database).absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=1)
        self._connections[database] = connection
        return connection


def _read(connection: sqlite3.Connection, text: TableText) -> TableSchema | None:
    # Neither a view nor a table of an index for searching, virtual or its shadow.
    sql = "SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?"
    if connection.execute(sql, (text.name,)).fetchone() is None:
        return None
    rows = connection.execute(
        "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = 0", (text.name,)
    ).fetchall()
    # Pages of rows go by the surrogate key; a table without it is not one of ours.
    if (ROW_ID, "INTEGER", 1) not in rows:
        return None
    columns = {name: Column(name, _KINDS.get(kind.upper(), "text"), text.column(name)) for name, kind, _ in rows}
    return TableSchema(text.database, text.name, columns, text)
