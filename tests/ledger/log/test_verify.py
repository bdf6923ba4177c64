"""Verification against whoever owns the file: every edit is found and named, and nothing but our errors comes out."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import entries as kinds
from ledger.errors import LedgerError, NoteError, TamperError
from ledger.log.note import Checkpoint, Signer, VerifierKey
from ledger.log.verify import Verdict, count_entries, verify_file
from tests.ledger.support import (
    ORIGIN,
    SIGNER,
    VKEY,
    Forged,
    attack,
    chain,
    close,
    draft,
    make_ledger,
    make_log,
    naive_root,
    open_sequencer,
    rewrite,
    rows,
    set_entry,
)

LONG = 600  # two complete subtrees of 256 leaves, so inner nodes are stored
THIEF = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("templates")
    return {
        "short": make_log(folder / "short.db", 5),
        "long": make_log(folder / "long.db", LONG, group=50),
        "ledger": make_ledger(folder / "ledger.db", 6),
    }


@pytest.fixture
def short(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(templates["short"], tmp_path / "ledger.db"))


@pytest.fixture
def long(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(templates["long"], tmp_path / "ledger.db"))


@pytest.fixture
def book(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(templates["ledger"], tmp_path / "ledger.db"))


def refusal(path: Path, key: VerifierKey = VKEY, **options: Any) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        verify_file(path, key, **options)
    assert caught.value.en and caught.value.zh
    return caught.value


def names(error: LedgerError, seq: int) -> bool:
    return f"entry {seq}" in error.en.replace(":", " ").split(",")[0] and f"第 {seq} 条" in error.zh


# -- what is whole ----------


def test_a_whole_log_verifies_and_the_verdict_says_what_it_holds(long: Path) -> None:
    stored = rows(long)
    verdict = verify_file(long, VKEY)
    first, last = (orjson.loads(stored[place][1])["t"] for place in (0, -1))
    assert verdict == Verdict(ORIGIN, LONG, naive_root(value for _, _, value in stored), first, last)
    assert count_entries(long) == LONG


def test_progress_adds_up_to_the_number_of_entries(tmp_path: Path) -> None:
    path = make_log(tmp_path / "ledger.db", 2_100, group=700)
    steps: list[int] = []
    verify_file(path, VKEY, progress=steps.append)
    assert sum(steps) == 2_100 and len(steps) > 2


def test_appends_during_verification_change_nothing_of_it(short: Path) -> None:
    sequencer = open_sequencer(short)
    verdict = verify_file(short, VKEY, check_entry=lambda _: sequencer.append(draft()) and None)
    assert verdict.size == 5
    assert verify_file(short, VKEY).size == 10
    close(sequencer)


def test_verification_changes_nothing(short: Path) -> None:
    before = short.read_bytes()
    verify_file(short, VKEY)
    assert short.read_bytes() == before


def test_every_logged_kind_of_the_program_passes_the_schema_check(book: Path) -> None:
    assert verify_file(book, VKEY, kinds.check_entry).size == 6


# -- edits of bytes ----------


def test_every_flipped_byte_of_every_entry_is_found_and_named(short: Path) -> None:
    with attack(short) as db:
        for seq, data, _ in rows(short):
            for place in range(len(data)):
                # All eight bits of entry 2, one bit (another each time) of every byte of the rest.
                for bit in range(8) if seq == 2 else [(seq + place) % 8]:
                    bad = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
                    set_entry(db, seq, bad)
                    error = refusal(short)
                    assert isinstance(error, TamperError) and names(error, seq), (seq, place, bit, error)
            set_entry(db, seq, data)
    assert verify_file(short, VKEY).size == 5


def test_random_bytes_of_a_long_log_are_found_and_named(long: Path) -> None:
    chance = random.Random(3)
    stored = rows(long)
    with attack(long) as db:
        for _ in range(120):
            seq, data, _ = chance.choice(stored)
            place = chance.randrange(len(data))
            set_entry(db, seq, data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :])
            assert names(refusal(long), seq)
            set_entry(db, seq, data)
    assert verify_file(long, VKEY).size == LONG


@pytest.mark.parametrize("change", [b"", b" ", b"\n", b"\0", b"{}"])
def test_added_and_cut_bytes_are_found(short: Path, change: bytes) -> None:
    stored = rows(short)
    with attack(short) as db:
        for seq, data, _ in stored:
            for bad in (data + change, change + data, data[:-1] + change, change):
                if bad != data:
                    set_entry(db, seq, bad)
                    assert names(refusal(short), seq)
            set_entry(db, seq, data)


def test_every_flipped_bit_of_a_hash_is_found_and_named(short: Path) -> None:
    with attack(short) as db:
        for seq, _, value in rows(short):
            for bit in range(0, 256, 5):
                bad = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(32, "big")
                db.execute("UPDATE entries SET hash = ? WHERE seq = ?", (bad, seq))
                assert names(refusal(short), seq)
            for bad in (b"", value[:-1], value + b"\0"):
                db.execute("UPDATE entries SET hash = ? WHERE seq = ?", (bad, seq))
                assert names(refusal(short), seq)
            db.execute("UPDATE entries SET hash = ? WHERE seq = ?", (value, seq))


def test_a_byte_moved_from_one_stored_hash_to_the_next_is_found(long: Path) -> None:
    with attack(long) as db:
        (one, other) = (row[0] for row in db.execute("SELECT hash FROM entries WHERE seq IN (400, 401) ORDER BY seq"))
        db.execute("UPDATE entries SET hash = ? WHERE seq = 400", (one[:-1],))
        db.execute("UPDATE entries SET hash = ? WHERE seq = 401", (one[-1:] + other,))
    assert names(refusal(long), 400)


def test_an_entry_edited_with_its_hash_is_found_at_the_next_link_or_the_root(short: Path) -> None:
    stored = rows(short)
    with attack(short) as db:
        for seq, data, value in stored:
            set_entry(db, seq, data.replace(b'"n":', b'"n":1'), rehash=True)
            error = refusal(short)
            if seq < 4:
                assert names(error, seq + 1) and "prev" in error.en
            else:
                assert "rewritten" in error.en and "checkpoint" in error.en
            set_entry(db, seq, data)
            db.execute("UPDATE entries SET hash = ? WHERE seq = ?", (value, seq))


# -- edits of rows ----------

ROWS: dict[str, tuple[str, int]] = {
    "the first removed": ("DELETE FROM entries WHERE seq = 0", 0),
    "one in the middle removed": ("DELETE FROM entries WHERE seq = 2", 2),
    "the last removed": ("DELETE FROM entries WHERE seq = 4", 4),
    "the tail removed": ("DELETE FROM entries WHERE seq > 1", 2),
    "renumbered from the middle": ("UPDATE entries SET seq = seq + 10 WHERE seq > 2", 3),
    "all renumbered": ("UPDATE entries SET seq = seq - 1000", 0),
    "the first put last": ("UPDATE entries SET seq = 5 WHERE seq = 0", 0),
    "one twice": ("INSERT INTO entries SELECT 5, entry, hash FROM entries WHERE seq = 4", 5),
    "one before the first": ("INSERT INTO entries SELECT -1, entry, hash FROM entries WHERE seq = 0", 0),
}


@pytest.mark.parametrize("name", ROWS)
def test_removed_moved_and_added_rows_are_found(short: Path, name: str) -> None:
    sql, seq = ROWS[name]
    with attack(short) as db:
        db.execute(sql)
    error = refusal(short)
    assert isinstance(error, TamperError) and names(error, seq)


@pytest.mark.parametrize("pair", [(0, 1), (1, 2), (0, 4), (3, 4)])
def test_exchanged_entries_are_found(short: Path, pair: tuple[int, int]) -> None:
    one, two = pair
    with attack(short) as db:
        db.execute("UPDATE entries SET seq = 99 WHERE seq = ?", (one,))
        db.execute("UPDATE entries SET seq = ? WHERE seq = ?", (one, two))
        db.execute("UPDATE entries SET seq = ? WHERE seq = 99", (two,))
    assert names(refusal(short), one)


def test_a_removed_entry_is_found_though_the_rest_is_renumbered_and_chained_anew(short: Path) -> None:
    objects = [orjson.loads(data) for seq, data, _ in rows(short) if seq != 2]
    rewrite(short, chain(objects))
    error = refusal(short)
    assert isinstance(error, TamperError) and names(error, 4)


def test_a_tail_cut_together_with_its_checkpoint_is_found_by_whoever_kept_a_later_one(short: Path) -> None:
    """The file alone does not show it: docs/threat-model.md, "truncate"."""
    hashes = [value for _, _, value in rows(short)]
    kept = verify_file(short, VKEY)
    older = Checkpoint(ORIGIN, 3, naive_root(hashes[:3])).sign(SIGNER)  # the log itself signed this one, earlier
    with attack(short) as db:
        db.execute("DELETE FROM entries WHERE seq >= 3")
        db.execute("UPDATE checkpoints SET size = 3, note = ?", (older.decode(),))
    cut = verify_file(short, VKEY)
    assert cut.size < kept.size


def test_entries_added_past_the_sequencer_are_found(short: Path) -> None:
    objects = [orjson.loads(data) for _, data, _ in rows(short)]
    last_t = objects[-1]["t"]
    forged = chain([*objects, {"kind": "test.noted", "v": 1, "t": last_t}])
    with attack(short) as db:
        db.execute("INSERT INTO entries VALUES (5, CAST(? AS TEXT), ?)", (forged.entries[5], forged.hashes[5]))
    error = refusal(short)
    assert names(error, 5) and "past the sequencer" in error.en


def test_an_emptied_ledger_is_not_green(short: Path) -> None:
    for tables in (["entries"], ["entries", "checkpoints"], ["entries", "checkpoints", "nodes", "meta"]):
        with attack(short) as db:
            for table in tables:
                db.execute(f"DELETE FROM {table}")
        assert isinstance(refusal(short), TamperError)
    assert count_entries(short) == 0


def test_a_new_ledger_without_entries_is_not_green(tmp_path: Path) -> None:
    assert "no entries" in refusal(make_log(tmp_path / "ledger.db", 0)).en


# -- the whole rewritten ----------


def forgery(path: Path) -> Forged:
    objects = [orjson.loads(data) for _, data, _ in rows(path)]
    objects[len(objects) // 3]["n"] = 123_456
    return chain(objects)


@pytest.mark.parametrize("template", ["short", "long"])
def test_a_whole_rewrite_without_the_key_is_found(templates: dict[str, Path], tmp_path: Path, template: str) -> None:
    path = Path(shutil.copy(templates[template], tmp_path / "ledger.db"))
    rewrite(path, forgery(path))
    error = refusal(path)
    assert isinstance(error, TamperError) and "rewritten" in error.en


def test_a_whole_rewrite_under_another_key_is_found(short: Path) -> None:
    rewrite(short, forgery(short), THIEF)
    assert isinstance(refusal(short), NoteError)
    assert verify_file(short, THIEF.verifier).size == 5, "whole in itself: only the key from outside tells"


def test_a_whole_rewrite_under_the_logs_own_key_is_not_found_by_the_file_alone(short: Path) -> None:
    """Nobody outside holds a checkpoint here: docs/threat-model.md says so."""
    before = verify_file(short, VKEY)
    rewrite(short, forgery(short), SIGNER)
    after = verify_file(short, VKEY)
    assert (after.size, after.root == before.root) == (before.size, False)


# -- checkpoints ----------


def test_a_removed_checkpoint_is_found(short: Path) -> None:
    with attack(short) as db:
        db.execute("DELETE FROM checkpoints")
    assert "no signed checkpoint" in refusal(short).en


@pytest.mark.parametrize("size", [0, 4, 6, -1, 2**62])
def test_a_moved_checkpoint_is_found(short: Path, size: int) -> None:
    with attack(short) as db:
        db.execute("UPDATE checkpoints SET size = ?", (size,))
    error = refusal(short)
    assert isinstance(error, TamperError) and "moved" in error.en


def test_every_flipped_byte_of_the_checkpoint_is_found(short: Path) -> None:
    with attack(short) as db:
        (note,) = db.execute("SELECT CAST(note AS BLOB) FROM checkpoints").fetchone()
        for place in range(len(note)):
            bad = note[:place] + bytes([note[place] ^ 1 << place % 8]) + note[place + 1 :]
            db.execute("UPDATE checkpoints SET note = CAST(? AS TEXT)", (bad,))
            error = refusal(short)
            assert isinstance(error, NoteError) and "checkpoint of size 5" in error.en


def test_an_older_checkpoint_of_the_same_log_must_agree_too(short: Path) -> None:
    hashes = [value for _, _, value in rows(short)]
    for root, good in ((naive_root(hashes[:3]), True), (naive_root(hashes[1:4]), False)):
        note = Checkpoint(ORIGIN, 3, root).sign(SIGNER)
        with attack(short) as db:
            db.execute("DELETE FROM checkpoints WHERE size = 3")
            db.execute("INSERT INTO checkpoints VALUES (3, ?, 1)", (note.decode(),))
        if good:
            assert verify_file(short, VKEY).size == 5
        else:
            assert "size 3" in refusal(short).en


def test_a_checkpoint_for_more_than_there_is_shows_what_is_missing(short: Path) -> None:
    note = Checkpoint(ORIGIN, 9, bytes(32)).sign(SIGNER)
    with attack(short) as db:
        db.execute("INSERT INTO checkpoints VALUES (9, ?, 0)", (note.decode(),))
    assert names(refusal(short), 5)


# -- the stored tree ----------

NODES: dict[str, str] = {
    "one edited": "UPDATE nodes SET hash = zeroblob(32) WHERE idx = 1",
    "one removed": "DELETE FROM nodes WHERE idx = 0",
    "the last removed": "DELETE FROM nodes WHERE idx = 1",
    "all removed": "DELETE FROM nodes",
    "one added": "INSERT INTO nodes VALUES (8, 2, zeroblob(32))",
    "one added at another level": "INSERT INTO nodes VALUES (3, 0, zeroblob(32))",
    "one moved": "UPDATE nodes SET idx = 7 WHERE idx = 1",
    "one moved to another level": "UPDATE nodes SET level = 16 WHERE idx = 1",
    "a short hash": "UPDATE nodes SET hash = x'00' WHERE idx = 0",
    "one replaced by another": "UPDATE nodes SET hash = (SELECT hash FROM nodes WHERE idx = 0) WHERE idx = 1",
}


@pytest.mark.parametrize("name", NODES)
def test_an_edited_tree_is_found(long: Path, name: str) -> None:
    with attack(long) as db:
        db.execute(NODES[name])
    error = refusal(long)
    assert isinstance(error, TamperError) and "tree" in error.en
