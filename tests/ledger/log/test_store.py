"""The store: what its triggers refuse, how durable its connection is, and that its hashes are the tree's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import InstanceError, LedgerError, LedgerUnavailableError, VersionTooNewError
from ledger.log.merkle import consistency_proof, inclusion_proof, leaf_hash, tree_root
from ledger.log.store import Store
from tests.ledger.support import ORIGIN, Attacker, attack, leaf, make_log, naive_root, new_store, rows


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return make_log(tmp_path / "ledger.db", 3)


@pytest.fixture
def db(log: Path) -> Iterator[sqlite3.Connection]:
    with Attacker(log) as connection:
        yield connection


def entry(log: Path, seq: int, prev: bytes | None = None) -> str:
    prev = rows(log)[-1][2] if prev is None else prev
    return f'{{"kind":"test.noted","log":"{ORIGIN}","prev":"{prev.hex()}","seq":{seq},"v":1}}'


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entries SET entry = replace(entry, '0', '1')",
        "UPDATE entries SET hash = zeroblob(32) WHERE seq = 1",
        "UPDATE entries SET seq = 7 WHERE seq = 2",
        "UPDATE OR REPLACE entries SET seq = 1 WHERE seq = 2",
        "UPDATE entries SET seq = seq",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE seq = 2",
        "REPLACE INTO entries SELECT seq, replace(entry, '0', '1'), hash FROM entries WHERE seq = 1",
        "INSERT INTO entries SELECT * FROM entries WHERE seq = 2 ON CONFLICT DO UPDATE SET entry = '{}'",
        "INSERT INTO entries SELECT * FROM entries WHERE seq = 2",
    ],
)
def test_the_log_is_append_only_for_hasty_hands(db: sqlite3.Connection, log: Path, sql: str) -> None:
    before = rows(log)
    with pytest.raises(sqlite3.DatabaseError):
        db.execute(sql)
    assert rows(log) == before


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT OR FAIL"])
@pytest.mark.parametrize("seq", [-1, 0, 2, 4, 10, 2**62])
def test_an_entry_with_another_seq_than_the_next_is_refused(
    db: sqlite3.Connection, log: Path, verb: str, seq: int
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="seq is not the next one"):
        db.execute(f"{verb} INTO entries VALUES (?, ?, ?)", (seq, entry(log, seq), bytes(32)))
    assert len(rows(log)) == 3


def test_an_entry_whose_bytes_name_another_seq_is_refused(db: sqlite3.Connection, log: Path) -> None:
    for text in (entry(log, 2), entry(log, 4), entry(log, 3).replace(":3,", ":3.5,"), "{}", "[]"):
        with pytest.raises(sqlite3.IntegrityError, match="seq is not the next one"):
            db.execute("INSERT INTO entries VALUES (3, ?, ?)", (text, bytes(32)))


def test_an_entry_whose_prev_does_not_name_the_last_is_refused(db: sqlite3.Connection, log: Path) -> None:
    last = rows(log)[-1][2]
    for prev in (bytes(32), rows(log)[0][2], last[:-1], b"", bytes([last[0] ^ 1]) + last[1:]):
        with pytest.raises(sqlite3.IntegrityError, match="prev does not name"):
            db.execute("INSERT INTO entries VALUES (3, ?, ?)", (entry(log, 3, prev), bytes(32)))
    with pytest.raises(sqlite3.IntegrityError, match="prev does not name"):
        db.execute("INSERT INTO entries VALUES (3, ?, ?)", (entry(log, 3).replace("prev", "vorn"), bytes(32)))


@pytest.mark.parametrize("value", [b"", bytes(31), bytes(33)])
def test_a_hash_of_another_length_is_refused(db: sqlite3.Connection, log: Path, value: bytes) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="32 bytes"):
        db.execute("INSERT INTO entries VALUES (3, ?, ?)", (entry(log, 3), value))


def test_text_that_is_not_json_is_refused(db: sqlite3.Connection, log: Path) -> None:
    for text in ("", "{", "not json"):
        with pytest.raises(sqlite3.DatabaseError):
            db.execute("INSERT INTO entries VALUES (3, ?, ?)", (text, bytes(32)))
    assert len(rows(log)) == 3


def test_the_first_entry_must_follow_64_zeros(tmp_path: Path) -> None:
    store = new_store(tmp_path / "new.db")
    with pytest.raises(sqlite3.IntegrityError, match="prev does not name"):
        store.add_entry(0, b'{"kind":"a","prev":"%s","seq":0}' % (b"1" * 64), bytes(32))
    store.add_entry(0, b'{"kind":"a","prev":"%s","seq":0}' % (b"0" * 64), bytes(32))
    assert store.head().seq == 0
    store.close()


def test_the_writing_connection_is_durable(log: Path) -> None:
    store = Store.open(log)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._db.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
    store.close()
    made = new_store(log.with_name("new.db"))
    assert made._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert made._db.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
    made.close()


def test_only_the_owner_may_read_the_file(log: Path) -> None:
    store = Store.open(log)
    store.begin()
    store.add_once(["x"], 0)
    store.commit()
    for path in log.parent.glob("ledger.db*"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    store.close()


def test_nodes_read_from_the_file_equal_the_oracle(tmp_path: Path) -> None:
    size = 700
    log = make_log(tmp_path / "big.db", size, group=64)
    hashes = [leaf_hash(data) for _, data, _ in rows(log)]
    store = Store.open(log, read_only=True)
    nodes = [(level, index) for level in range(10) for index in range(size >> level)]
    for (level, index), value in zip(nodes, store.read(nodes), strict=True):
        assert value == naive_root(hashes[index << level : (index + 1) << level]), (level, index)
    assert tree_root(size, store) == naive_root(hashes)
    for n in (1, 255, 256, 257, 511, 512, 513, size):
        assert tree_root(n, store) == naive_root(hashes[:n])
    assert len(inclusion_proof(0, size, store)) == 10
    assert len(consistency_proof(256, size, store)) == 2
    stored = store._db.execute("SELECT level, idx FROM nodes ORDER BY level, idx").fetchall()
    assert stored == [(8, 0), (8, 1)]
    with pytest.raises(LedgerError, match="liandong ledger verify"):
        store.read([(0, size)])
    with pytest.raises(LedgerError, match="liandong ledger verify"):
        store.read([(9, 1)])
    store.close()


def test_entries_are_found_by_number_and_by_indexed_field(log: Path) -> None:
    store = Store.open(log, read_only=True)
    stored = [data for _, data, _ in rows(log)]
    assert [store.entry(seq) for seq in range(3)] == stored
    assert store.newest(10) == stored[::-1]
    assert store.newest(1) == stored[2:] and store.newest(0) == []
    assert store.newest(10, before=2) == stored[1::-1]
    assert store.newest(10, where={"kind": "test.noted"}) == stored[::-1]
    assert store.newest(10, where={"kind": "test'; --"}) == []
    assert store.head().hash == leaf(stored[2]) and store.head().size == 3
    for seq in (-1, 3, 2**63 - 1, 2**63, 10**100):
        with pytest.raises(LedgerError, match="there is no entry"):
            store.entry(seq)
    for number in (2**63, 10**100):
        assert store.newest(number, before=number) == stored[::-1]
        assert store.newest(-number, before=-number) == []
    store.close()


def test_a_log_is_never_overwritten(log: Path) -> None:
    before = log.read_bytes()
    with pytest.raises(InstanceError):
        Store.create(log, ORIGIN)
    assert log.read_bytes() == before


# -- files that are not ours ----------


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"not a database, but rather long" * 200, b"SQLite format 3\0"])
def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(InstanceError) as caught:
        Store.open(path)
    assert caught.value.exit_code == 2 and "backup" in caught.value.en and "备份" in caught.value.zh
    assert path.read_bytes() == content


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Attacker(path) as db:
        db.execute("CREATE TABLE entries (a)")
    with pytest.raises(InstanceError):
        Store.open(path)


@pytest.mark.parametrize("found", ["", "one", "-1", "1.0", "１", "\x00"])
def test_a_damaged_format_number_is_refused(log: Path, found: str) -> None:
    with attack(log) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'format'", (found,))
    with pytest.raises(InstanceError):
        Store.open(log)


def test_a_newer_format_says_so(log: Path) -> None:
    with attack(log) as db:
        db.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
    with pytest.raises(VersionTooNewError) as caught:
        Store.open(log)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("what", ["nothing", "a folder"])
def test_a_missing_ledger_says_how_to_make_one(tmp_path: Path, what: str) -> None:
    path = tmp_path / "ledger.db"
    if what == "a folder":
        path.mkdir()
    with pytest.raises(InstanceError, match="liandong init"):
        Store.open(path)
    assert path.exists() == (what == "a folder")


def test_a_file_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Store.create(tmp_path / "no" / "ledger.db", ORIGIN)


def test_an_exclusively_locked_file_is_unavailable_not_damaged(tmp_path: Path) -> None:
    log = make_log(tmp_path / "ledger.db", 1)
    with Attacker(log) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailableError):
            Store.open(log)
        db.execute("ROLLBACK")
    Store.open(log).close()
