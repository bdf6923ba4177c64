"""A small table with every kind of column and awkward rows, and the schema by which it is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog.query.schema import Schemas, TableSchema
from catalog.titles import Titles
from ingest.mapping import packaged_mappings

#: Awkward on purpose: empty and absent, wildcards, quotes, both planes, numbers as text, the same twice.
NAMES = (
    "示例餐饮店001", "示例餐饮店", "示例餐饮店", "", None, "100%",
    "a_b", "aXb", "A_B", "back\\slash", "𠮷野家", "'; DROP",
    "\uffff", "\U0010ffff", "\U0010ffffx", "示例运输公司", "007", "7", "é", "É",
)  # fmt: skip
COUNTS = (0, 1, -1, 7, 7, None, 2**53 - 1, -(2**53) + 1, 10, 9)
AMOUNTS = (0, 1.5, -2.25, 1e15, None, 3, 3.0, 100, 0.1, 99.99)
ROWS: tuple[dict[str, Any], ...] = tuple(
    {
        "id": number,
        "name": NAMES[number % len(NAMES)],
        "count": COUNTS[(number * 3) % len(COUNTS)],
        "amount": AMOUNTS[(number * 7) % len(AMOUNTS)],
        "town": ("甲镇", "乙镇", None)[number % 3],
        "secret": f"秘密{number % 5}",
        "_batch": "b-1",
    }
    for number in range(1, 121)
)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``work.db`` with the table ``things``, and others that must never be asked."""
    path = tmp_path_factory.mktemp("query") / "work.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, count INTEGER, amount NUMERIC, town TEXT, "
            "secret TEXT, _batch TEXT)"
        )
        db.executemany("INSERT INTO things VALUES (:id, :name, :count, :amount, :town, :secret, :_batch)", ROWS)
        db.execute("CREATE TABLE _rows (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("CREATE TABLE keyless (name TEXT)")
        db.execute("CREATE VIEW seen AS SELECT * FROM things")
        db.execute("CREATE VIRTUAL TABLE words USING fts5(name)")
    return path


@pytest.fixture
def schemas(database: Path) -> Iterator[Schemas]:
    titles = Titles({}, packaged_mappings().values())
    made = Schemas(lambda _: database, lambda: titles)
    yield made
    made.close()


@pytest.fixture
def things(schemas: Schemas) -> TableSchema:
    found = schemas.table("work", "things")
    assert found is not None
    return found
