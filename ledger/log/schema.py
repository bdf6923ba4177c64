"""The tables, triggers and indexes of a log file, and the check that a file has just these.

A file whose owner exchanged a table for a view, put other rows into one or took a guard away would show one
thing to the service and another to a check, so both compare what is there with what is written here.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from ledger.errors import TamperError
from ledger.log import lookups

# `entry` is TEXT though it is read as bytes: SQLite hands TEXT over faster than a BLOB, and a person with the
# sqlite3 shell can read it. No prev column: the trigger reads `prev` from the bytes that are hashed.
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE entries (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE nodes (level INTEGER, idx INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL, cosigned INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE once (key TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE particulars (
  seq INTEGER, field TEXT, ciphertext BLOB NOT NULL, PRIMARY KEY (seq, field)
) STRICT, WITHOUT ROWID;
CREATE TABLE particular_keys (
  seq INTEGER, field TEXT, key BLOB NOT NULL, PRIMARY KEY (seq, field)
) STRICT, WITHOUT ROWID;

-- BEFORE INSERT also stops INSERT OR REPLACE, which bypasses delete triggers.
CREATE TRIGGER entries_next BEFORE INSERT ON entries BEGIN
  SELECT RAISE(ABORT, 'entries: seq is not the next one')
    WHERE NEW.seq IS NOT (SELECT ifnull(max(seq), -1) + 1 FROM entries)
       OR NEW.entry ->> '$.seq' IS NOT NEW.seq;
  SELECT RAISE(ABORT, 'entries: prev does not name the last entry')
    WHERE NEW.entry ->> '$.prev' IS NOT ifnull(
      (SELECT lower(hex(hash)) FROM entries WHERE seq = NEW.seq - 1), printf('%.64d', 0));
  SELECT RAISE(ABORT, 'entries: hash is not 32 bytes') WHERE length(NEW.hash) IS NOT 32;
END;
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN
  SELECT RAISE(ABORT, 'entries: the log is append-only');
END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN
  SELECT RAISE(ABORT, 'entries: the log is append-only');
END;
"""
# What a file of an older version has until it is next opened for writing.
_OLD_INDEX = re.compile(r"CREATE INDEX entries_([a-z_]+) ON entries \(entry ->> '\$\.\1', seq\)")

_Row = tuple[str, str, str, str | None]


def statements(lookup_fields: Sequence[str]) -> Iterator[str]:
    """The statements that make an empty log, whose entries are looked up by ``lookup_fields``."""
    statement = ""
    for line in _SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    yield from lookups.statements(lookup_fields)


def check_schema(db: sqlite3.Connection) -> None:
    """Raise :class:`TamperError` unless ``db`` has exactly the tables, triggers and indexes of a log."""
    with closing(sqlite3.connect(":memory:")) as model:
        for statement in statements(lookups.fields_of(db)):
            model.execute(statement)
        expected = _objects(model)
    found = {row for row in _objects(db) if not _is_old_index(row)}
    for kind, name, _, _ in sorted(found ^ expected, key=lambda row: row[1]):
        raise TamperError(
            f"the file's {kind} {name!r} is not what a ledger has: it was added, removed or exchanged; "
            "keep the file as evidence and restore a backup",
            f"文件中的 {kind} {name!r} 与台账应有的不符：被添加、删除或替换；请保留该文件作为证据，并从备份恢复",
        )


def check_integrity(db: sqlite3.Connection) -> None:
    """Raise :class:`TamperError` where SQLite finds damaged pages, or the look-up table differs from the entries."""
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    verdict = _text(found) or ""
    if verdict != "ok":
        raise TamperError(
            f"the file is damaged or an index was exchanged ({verdict[:200]}); restore it from a backup",
            f"文件已损坏或索引被替换（{verdict[:200]}）；请从备份恢复",
        )
    lookups.check_lookups(db)


def _objects(db: sqlite3.Connection) -> set[_Row]:
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    return {(_text(kind) or "", _text(name) or "", _text(table) or "", _text(sql)) for kind, name, table, sql in rows}


def _is_old_index(row: _Row) -> bool:
    kind, name, table, sql = row
    match = _OLD_INDEX.fullmatch(sql or "")
    return kind == "index" and table == "entries" and match is not None and name == f"entries_{match[1]}"


def _text(value: object) -> str | None:
    """Text as text, whatever the connection's text factory gives."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
