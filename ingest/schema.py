"""The six category databases as files: creating them, and keeping their reference tables in step.

All tables have a surrogate ``id``; tables of batches have ``_batch``, the batch that last wrote the row. Tables whose
names begin with ``_`` are ours and are never published.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.db import quote_identifier

from ingest.connection import connect, database_errors, transaction
from ingest.mapping import DATABASES, SourceMapping
from ingest.tables import DATABASE_INFO, Field, Table, fixed_table, tables_of

#: Where the row hashes and the batches of a database lie. Names with ``_`` are never published.
ROWS_TABLE = "_rows"
BATCHES_TABLE = "_batches"

#: The roles of columns by which a subject is known and looked up.
SUBJECT_ROLES = frozenset({"subject_id", "party", "personal", "document_no"})

_SQL_TYPES = {"integer": "INTEGER", "decimal": "NUMERIC"}

_SIDE_TABLES = f"""
CREATE TABLE IF NOT EXISTS {ROWS_TABLE} (
  mapping TEXT NOT NULL,
  table_name TEXT NOT NULL,
  key_hash BLOB NOT NULL,
  row_id INTEGER NOT NULL,
  row_hash BLOB NOT NULL,
  batch TEXT NOT NULL,
  PRIMARY KEY (mapping, table_name, key_hash)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {BATCHES_TABLE} (
  batch TEXT PRIMARY KEY,
  database_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  mapping TEXT NOT NULL,
  mapping_digest TEXT NOT NULL,
  file_name TEXT NOT NULL,
  file_sha256 TEXT NOT NULL,
  rows_read INTEGER NOT NULL,
  rows_added INTEGER NOT NULL,
  rows_changed INTEGER NOT NULL,
  rows_unchanged INTEGER NOT NULL,
  rows_removed INTEGER NOT NULL,
  rows_set_aside INTEGER NOT NULL,
  last_row_id INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'recorded')),
  ledger_seq INTEGER
) WITHOUT ROWID;
"""


def create_databases(path_of: Callable[[str], Path], mappings: Iterable[SourceMapping]) -> None:
    """Create the six databases with their tables, or add what is missing; idempotent.

    Args:
        path_of: from a database's name to its file.
        mappings: those that may fill tables; the data dictionary (``directory.items``) follows from them.

    Raises:
        MappingError: mappings contradict one another.
        LoadError: a file cannot be written or is not a database.
    """
    tables = tables_of(mappings)
    for name in DATABASES:
        path = path_of(name)
        with database_errors(path), connect(path, create=True) as connection:
            # Readers (Datasette) go on while a batch is written.
            connection.execute("PRAGMA journal_mode=WAL")
            with transaction(connection):
                for table in tables.values():
                    if table.database == name:
                        ensure_table(connection, table)
                if name == "directory":
                    put_rows(connection, "categories", category_rows(), ("code",), complete=True)
                    put_rows(
                        connection,
                        "items",
                        item_rows(tables.values()),
                        ("database", "resource_table", "field"),
                        complete=True,
                    )


def ensure_table(connection: sqlite3.Connection, table: Table) -> None:
    """Create ``table`` and the side tables, or add the columns it lacks. Call inside a transaction.

    sqlite-utils tells what is there; the DDL is our own, because it has no NUMERIC, without which decimals would
    be stored as binary fractions even where they are whole.
    """
    for statement in filter(str.strip, _SIDE_TABLES.split(";\n")):
        connection.execute(statement)
    existing = Database(connection, execute_plugins=False).table(table.name)
    if not existing.exists():
        columns = ["id INTEGER PRIMARY KEY", *(_ddl(field) for field in table.fields)]
        if table.batches:
            columns.append("_batch TEXT")
        connection.execute(f"CREATE TABLE {quote_identifier(table.name)} ({', '.join(columns)})")
    else:
        present = existing.columns_dict
        for field in table.fields:
            if field.name not in present:
                connection.execute(f"ALTER TABLE {quote_identifier(table.name)} ADD COLUMN {_ddl(field)}")
    for field in table.fields:
        if field.role in SUBJECT_ROLES:
            # Hundreds of subjects are looked up in one call (POST /api/query/batch): never by reading the whole table.
            index, name = quote_identifier(f"_{table.name}_{field.name}"), quote_identifier(field.name)
            connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {quote_identifier(table.name)} ({name})")


def put_rows(
    connection: sqlite3.Connection,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[str],
    *,
    complete: bool = False,
) -> None:
    """Write ``rows`` of a reference table (agencies, categories, items), found again by ``key``.

    Rows that are there as given are not touched, so the file does not change. ``complete``: rows of other keys are
    removed. Call inside a transaction.
    """
    quoted = quote_identifier(table)
    match = " AND ".join(f"{quote_identifier(name)} IS ?" for name in key)
    kept = []
    for row in rows:
        names = list(row)
        found = connection.execute(
            f"SELECT id, {', '.join(map(quote_identifier, names))} FROM {quoted} WHERE {match}",  # noqa: S608
            [row[name] for name in key],
        ).fetchone()
        if found is None:
            marks = ", ".join("?" * len(names))
            cursor = connection.execute(
                f"INSERT INTO {quoted} ({', '.join(map(quote_identifier, names))}) VALUES ({marks})",  # noqa: S608
                list(row.values()),
            )
            kept.append(cursor.lastrowid)
            continue
        kept.append(found[0])
        if list(found[1:]) != list(row.values()):
            sets = ", ".join(f"{quote_identifier(name)} = ?" for name in names)
            connection.execute(f"UPDATE {quoted} SET {sets} WHERE id = ?", [*row.values(), found[0]])  # noqa: S608
    if complete:
        present = [row[0] for row in connection.execute(f"SELECT id FROM {quoted}")]  # noqa: S608
        gone = [(row_id,) for row_id in present if row_id not in set(kept)]
        connection.executemany(f"DELETE FROM {quoted} WHERE id = ?", gone)  # noqa: S608


def put_agencies(path: Path, agencies: Sequence[Mapping[str, str | None]]) -> None:
    """Write the register of agencies into the directory database at ``path``; idempotent.

    Args:
        agencies: id_code, name, short_name, type, valid_from, valid_to each.

    Raises:
        LoadError: the database cannot be written.
    """
    with database_errors(path), connect(path) as connection, transaction(connection):
        ensure_table(connection, fixed_table("agencies"))
        put_rows(connection, "agencies", agencies, ("id_code",))


def category_rows() -> list[dict[str, str | None]]:
    """The rows of ``directory.categories``: the six, and 9 for other."""
    rows: list[dict[str, str | None]] = [
        {"code": info.category, "database": info.name, "zh": info.title.zh, "en": info.title.en}
        for info in DATABASE_INFO
    ]
    return [*rows, {"code": "9", "database": None, "zh": "其他", "en": "Other"}]


def item_rows(tables: Iterable[Table]) -> list[dict[str, str | int | None]]:
    """The rows of ``directory.items``: every declared field of every table."""
    return [
        {
            "database": table.database,
            "resource_table": table.name,
            "position": position,
            "field": field.name,
            "title_zh": field.title.zh,
            "title_en": field.title.en,
            "type": field.type,
            "role": field.role,
            "required": "是" if field.required else "否",
            "codes": field.codes,
            "description_zh": field.description.zh if field.description else None,
            "description_en": field.description.en if field.description else None,
        }
        for table in tables
        for position, field in enumerate(table.fields, start=1)
    ]


def _ddl(field: Field) -> str:
    return f"{quote_identifier(field.name)} {_SQL_TYPES.get(field.type, 'TEXT')}"
