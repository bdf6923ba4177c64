"""Looks for what must be gone: a value's bytes in every file, and its pairs of characters in every search index."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote


def spellings(value: str) -> dict[str, bytes]:
    """How a value may lie in a file."""
    return {
        "as UTF-8": value.encode(),
        "as UTF-16": value.encode("utf-16-le"),
        "as GB18030": value.encode("gb18030"),
        "percent-encoded": quote(value).encode(),
        "escaped as JSON": value.encode("unicode_escape"),
    }


def pairs(value: str) -> set[str]:
    return {value[n : n + 2] for n in range(len(value) - 1)}


def leftovers(folder: Path, value: str) -> list[str]:
    """Where below ``folder`` anything of ``value`` is left: file and manner, sorted."""
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        found += [f"{file.name} {how}" for how, needle in spellings(value).items() if needle in data]
        if data.startswith(b"SQLite format 3\0"):
            words = pairs(value) | {value}
            found += [f"{file.name} in the index {table}" for table, term in vocabulary(file) if term in words]
    return sorted(set(found))


def vocabulary(file: Path) -> Iterator[tuple[str, str]]:
    """Table and term of every FTS5 index in a database."""
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%USING fts5%'"
        for (table,) in db.execute(sql).fetchall():
            db.execute("DROP TABLE IF EXISTS temp.words")
            db.execute(f"CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', '{table}', 'row')")
            for (term,) in db.execute("SELECT term FROM temp.words"):
                yield table, term
