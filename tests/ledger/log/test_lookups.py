"""Entries found by a field, against reading them all; and look-up tables that were altered, against the check."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import TamperError
from ledger.log.lookups import BLOCK, check_lookups, statements
from ledger.log.schema import check_schema
from ledger.log.store import Store
from ledger.log.verify import verify_file, verify_lookups
from tests.ledger.support import ORIGIN, VKEY, Attacker, close, draft, open_sequencer, rows

KINDS, REQUESTERS = ("a", "b", "c"), ("x", "y")
SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 3 * BLOCK, 3 * BLOCK + 7)


def fields(n: int) -> dict[str, Any]:
    """Every seventh entry has no requester."""
    asked = {} if n % 7 == 3 else {"requester": REQUESTERS[n // 2 % 2]}
    return {"kind": f"test.{KINDS[n * n % 3]}", **asked}


def build(path: Path, size: int, group: int = 1) -> Path:
    Store.create(path, ORIGIN, ("kind", "requester")).close()
    sequencer = open_sequencer(path)
    for start in range(0, size, group):
        for n in range(start, min(start + group, size)):
            sequencer._enqueue(draft(n, **fields(n)))
        sequencer._lead()
    close(sequencer)
    return path


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("logs")
    return {size: build(folder / f"{size}.db", size, group=1 if size < 2 * BLOCK else 40) for size in SIZES}


@pytest.fixture
def log(logs: dict[int, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(logs[3 * BLOCK + 7], tmp_path / "ledger.db"))


def naive(path: Path, where: dict[str, str], start: int = 0, end: int = 2**62) -> list[bytes]:
    found = [(seq, entry, orjson.loads(entry)) for seq, entry, _ in rows(path)]
    return [
        entry
        for seq, entry, value in found
        if start <= seq < end and all(value.get(field) == want for field, want in where.items())
    ]


def steps(path: Path, field: str, value: str) -> int:
    """How many steps SQLite's machine takes to look up the newest entry with a value, in hundreds."""
    store, taken = Store.open(path), 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    try:
        store.last_seq(field, value)  # the statement is prepared
        store._db.set_progress_handler(count, 100)
        store.last_seq(field, value)
    finally:
        store.close()
    return taken


def test_a_look_up_does_not_walk_over_the_log(logs: dict[int, Path]) -> None:
    """What is behind the table is looked through, and nothing else: as much work in a long log as in a short one."""
    short, long = steps(logs[1], "requester", "nobody"), steps(logs[3 * BLOCK], "requester", "nobody")
    assert long <= short + 1


@given(
    size=st.sampled_from(SIZES),
    kind=st.none() | st.sampled_from([*(f"test.{kind}" for kind in KINDS), "test.none", "' OR 1"]),
    requester=st.none() | st.sampled_from([*REQUESTERS, "z"]),
    bounds=st.tuples(st.integers(-2, 3 * BLOCK + 9), st.integers(-2, 3 * BLOCK + 9)),
    limit=st.integers(0, 4 * BLOCK),
)
def test_what_is_found_is_what_reading_all_entries_finds(
    logs: dict[int, Path], size: int, kind: str | None, requester: str | None, bounds: tuple[int, int], limit: int
) -> None:
    path, (start, end) = logs[size], bounds
    where = {name: value for name, value in (("kind", kind), ("requester", requester)) if value is not None}
    store = Store.open(path, read_only=True)
    try:
        assert store.newest(limit, before=end, where=where) == naive(path, where, 0, end)[::-1][:limit]
        for field, value in where.items():
            only = {field: value}
            assert store.since(start, field, [value], end) == naive(path, only, start, end)
            assert store.count(start, field, value) == len(naive(path, only, start))
            last = naive(path, only)
            assert store.last_seq(field, value) == (orjson.loads(last[-1])["seq"] if last else None)
    finally:
        store.close()


def test_several_values_are_found_in_order(log: Path) -> None:
    store = Store.open(log, read_only=True)
    both = sorted(naive(log, {"kind": "test.a"}) + naive(log, {"kind": "test.b"}), key=lambda e: orjson.loads(e)["seq"])
    assert store.since(0, "kind", ["test.a", "test.b"]) == both
    assert store.since(0, "kind", []) == []
    store.close()


def test_lookups_do_not_read_whole_blocks(log: Path) -> None:
    """The plan: the table by its key, and of the entries only those after the last whole block, by number."""
    store = Store.open(log, read_only=True)
    sql, values = store._wanted({"kind": ["test.a"]})
    plan = [row[3].decode() for row in store._db.execute(f"EXPLAIN QUERY PLAN {sql} ORDER BY seq DESC LIMIT 1", values)]
    by_key = "SEARCH lookups USING COVERING INDEX lookups_kind (kind=? AND rowid>? AND rowid<?)"
    by_number = "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    assert plan.count(by_key) == plan.count(by_number) == 1
    assert not any(line.startswith("SCAN") or "TEMP" in line for line in plan)
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM lookups WHERE seq = 5",
        "UPDATE lookups SET kind = 'test.other' WHERE seq = 5",
        "UPDATE lookups SET kind = NULL WHERE seq = 5",
        "UPDATE lookups SET requester = 'x' WHERE requester IS NULL",
        "UPDATE lookups SET seq = 1000 WHERE seq = 5",
        "INSERT INTO lookups VALUES (-1, 'test.a', 'x')",
        f"INSERT INTO lookups VALUES ({3 * BLOCK + 1}, 'test.a', 'x')",
        "DELETE FROM lookups",
    ],
)
def test_an_altered_table_is_found(log: Path, sql: str) -> None:
    verify_lookups(log)
    with Attacker(log) as db:
        db.execute(sql)
    verify_file(log, VKEY)  # no proof rests on it
    with pytest.raises(TamperError, match="was altered at entry") as caught:
        verify_lookups(log)
    assert "被改动" in caught.value.zh


def test_exchanged_indexes_are_found(log: Path) -> None:
    with Attacker(log) as db:
        db.execute("PRAGMA writable_schema = ON")
        names = ("lookups_kind", "lookups_requester")
        pages = [db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (n,)).fetchone()[0] for n in names]
        for name, page in zip(names, reversed(pages), strict=True):
            db.execute("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", (page, name))
    verify_file(log, VKEY)
    with pytest.raises(TamperError, match="index"):
        verify_lookups(log)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TRIGGER entries_lookups",
        "DROP TABLE lookups",
        "DROP INDEX lookups_kind",
        "ALTER TABLE lookups ADD COLUMN more TEXT",
        "ALTER TABLE lookups RENAME TO other",
        "CREATE INDEX lookups_more ON lookups (kind, seq)",
        "CREATE INDEX entries_x ON entries (hash)",
    ],
)
def test_a_table_that_is_not_kept_up_to_date_is_found(log: Path, sql: str) -> None:
    with Attacker(log) as db:
        check_schema(db)
        db.execute(sql)
        with pytest.raises(TamperError, match="not what a ledger has"):
            check_schema(db)


@pytest.mark.parametrize(
    "older",
    [
        [
            "DROP TRIGGER entries_lookups",
            "DROP TABLE lookups",
            "CREATE INDEX entries_kind ON entries (entry ->> '$.kind', seq)",
        ],
        ["DROP TRIGGER entries_lookups", "DROP TABLE lookups", *statements(["kind"])],
    ],
    ids=["indexes on the entries", "a field less"],
)
def test_what_an_older_version_made_is_replaced(log: Path, older: list[str]) -> None:
    with Attacker(log) as db:
        for statement in older:
            db.execute(statement)
    wanted = {"kind": "test.a", "requester": "x"}
    store = Store.open(log, read_only=True)
    assert store.newest(5_000, where=wanted) == naive(log, wanted)[::-1]
    store.close()
    store = Store.open(log)
    store.ensure_lookups(["kind", "requester"])
    assert store.lookup_fields() == ["kind", "requester"]
    assert store.newest(5_000, where=wanted) == naive(log, wanted)[::-1]
    store.close()
    verify_lookups(log)
    verify_file(log, VKEY)
    with closing(sqlite3.connect(log)) as db:
        check_lookups(db)
        assert db.execute("SELECT count(*) FROM lookups").fetchone() == (3 * BLOCK,)
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'entries_kind'").fetchone() == (0,)
