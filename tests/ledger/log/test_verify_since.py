"""Verification of what is new since the last one, in several processes, and against heads kept elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger import entries as kinds
from ledger.errors import InstanceError, LedgerError, RollbackError, TamperError
from ledger.log import verify_parts
from ledger.log.note import Checkpoint
from ledger.log.verify import Verdict, verify_file
from ledger.log.verify_parts import verify_in_parts
from ledger.log.verify_state import VerifiedState
from tests.ledger.support import (
    ORIGIN,
    SIGNER,
    VKEY,
    attack,
    batch_fields,
    chain,
    close,
    draft,
    make_log,
    naive_root,
    new_store,
    open_sequencer,
    rewrite,
    rows,
    set_entry,
)


def grow(path: Path, count: int) -> None:
    sequencer = open_sequencer(path)
    for n in range(count):
        sequencer._enqueue(draft(n, more=True))
    sequencer._lead()
    close(sequencer)


def state_of(path: Path) -> VerifiedState:
    state = verify_file(path, VKEY).state
    assert state is not None
    return state


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_log(tmp_path_factory.mktemp("since") / "ledger.db", 700, group=100)


@pytest.fixture
def log(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "ledger.db"))


# -- since a state ----------


@pytest.mark.parametrize("sizes", [(1, 1), (1, 700), (255, 2), (256, 256), (257, 600), (600, 3000), (511, 513)])
def test_a_log_that_grew_is_verified_from_the_last_state_on(tmp_path: Path, sizes: tuple[int, int]) -> None:
    path = make_log(tmp_path / "ledger.db", sizes[0], group=100)
    state = state_of(path)
    grow(path, sizes[1])
    steps: list[int] = []
    verdict = verify_file(path, VKEY, progress=steps.append, since=state)
    assert verdict == Verdict(ORIGIN, sum(sizes), verify_file(path, VKEY).root, state.first_t, verdict.last_t, sizes[0])
    assert sum(steps) == sizes[1]
    assert verdict.state == state_of(path)
    again = verify_file(path, VKEY, since=verdict.state)
    assert (again.size, again.since, again.root) == (sum(sizes), sum(sizes), verdict.root)


def test_old_entries_are_not_read_again(log: Path) -> None:
    state = state_of(log)
    grow(log, 10)
    with attack(log) as db:
        set_entry(db, 3, b"anything")
        db.execute("DELETE FROM nodes WHERE idx = 0")
        db.execute("INSERT INTO nodes VALUES (8, 0, zeroblob(32))")
    assert verify_file(log, VKEY, since=state).size == 710
    with pytest.raises(TamperError, match="entry 3"):
        verify_file(log, VKEY)


@pytest.mark.parametrize("seq", [700, 705, 709])
def test_what_is_new_is_checked(log: Path, seq: int) -> None:
    state = state_of(log)
    grow(log, 10)
    with attack(log) as db:
        data = rows(log)[seq][1]
        set_entry(db, seq, data.replace(b'"v":1', b'"v":2'))
    with pytest.raises(TamperError, match=f"entry {seq}"):
        verify_file(log, VKEY, since=state)


def rewritten(path: Path, seq: int, more: int = 0) -> None:
    """The holder of the key changes an entry, chains all anew and signs it."""
    objects: list[dict[str, Any]] = [orjson.loads(data) for _, data, _ in rows(path)]
    objects[seq]["n"] = 123_456
    objects += [{"kind": "test.noted", "v": 1, "t": objects[-1]["t"]} for _ in range(more)]
    rewrite(path, chain(objects), SIGNER)


@pytest.mark.parametrize("more", [0, 1, 50])
@pytest.mark.parametrize("seq", [0, 300, 699])
def test_a_log_rewritten_and_signed_anew_does_not_extend_the_state(log: Path, seq: int, more: int) -> None:
    state = state_of(log)
    rewritten(log, seq, more)
    assert verify_file(log, VKEY).size == 700 + more, "whole in itself"
    with pytest.raises(TamperError):
        verify_file(log, VKEY, since=state)


def test_a_log_shorter_than_the_state_is_a_rollback(log: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(log, tmp_path / "older.db"))
    grow(log, 5)
    with pytest.raises(RollbackError, match="saw 705"):
        verify_file(copy, VKEY, since=state_of(log))


def test_entries_past_the_checkpoint_are_found(log: Path) -> None:
    state = state_of(log)
    last = orjson.loads(rows(log)[-1][1])
    with attack(log) as db:
        value = {**last, "seq": 700, "prev": rows(log)[-1][2].hex()}
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        db.execute("INSERT INTO entries VALUES (700, '', zeroblob(32))")
        set_entry(db, 700, data, rehash=True)
    with pytest.raises(TamperError, match="past the sequencer"):
        verify_file(log, VKEY, since=state)


# -- the state's file ----------


def test_a_state_is_kept_in_a_file(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert VerifiedState.load(file) is None
    state = state_of(log)
    state.save(file)
    assert VerifiedState.load(file) == state
    assert state.root == naive_root(value for _, _, value in rows(log))
    assert not file.with_name("state.json.new").exists()


CHANGES: dict[str, Any] = {
    "another version": {"version": 2},
    "no version": {"version": None},
    "another size": {"size": 699},
    "size as text": {"size": "700"},
    "size true": {"size": True},
    "size 0": {"size": 0, "frontier": []},
    "another root": {"root": "00" * 32},
    "a root in capitals": {"root": "AB" * 32},
    "no frontier": {"frontier": []},
    "a frontier of text": {"frontier": "ab" * 32},
    "no last hash": {"last": ""},
    "a time that is a number": {"last_t": 5},
    "no origin": {"origin": None},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_state_out_of_form_is_refused(log: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "state.json"
    value = {**state_of(log).to_json(), **CHANGES[name]}
    file.write_text(json.dumps({key: item for key, item in value.items() if item is not None}), encoding="utf-8")
    with pytest.raises(InstanceError, match="verify in full"):
        VerifiedState.load(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b'{"version":1}', b"[" * 5000])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(InstanceError):
        VerifiedState.load(tmp_path / "state.json")


# -- heads kept elsewhere ----------


def head(path: Path, size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, naive_root(value for _, _, value in rows(path)[:size]))


def test_a_log_that_extends_the_heads_kept_elsewhere_is_whole(log: Path) -> None:
    known = [(head(log, size), "a note") for size in (1, 255, 256, 512, 513, 700)]
    assert verify_file(log, VKEY, known=known).size == 700


@pytest.mark.parametrize("size", [1, 300, 512, 700])
def test_a_log_that_went_its_own_way_is_told_from_the_kept_head(log: Path, size: int) -> None:
    kept = [(head(log, size), "the note of 23 November")]
    rewritten(log, 0, more=9)
    with pytest.raises(RollbackError, match="the note of 23 November"):
        verify_file(log, VKEY, known=kept)


def test_a_log_shorter_than_the_kept_head_is_told(log: Path) -> None:
    kept = Checkpoint(ORIGIN, 701, bytes(32))
    with pytest.raises(RollbackError, match="records 701"):
        verify_file(log, VKEY, known=[(kept, "keys/head")])


# -- in parts ----------


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_parts, "MIN_ENTRIES", 1)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parts") / "ledger.db"
    new_store(path).close()
    opened = {
        "kind": "log.opened",
        "v": 1,
        "county_zh": "示范县",
        "county_en": "Shifan (invented)",
        "software": "tests",
    }
    batches = [{"kind": "batch.ingested", "v": 1, **batch_fields(n)} for n in range(1, 1500)]
    times = [f"2026-11-23T02:{n // 60:02d}:{n % 60:02d}.000Z" for n in range(1500)]
    objects = [{**value, "t": t} for value, t in zip([opened, *batches], times, strict=True)]
    rewrite(path, chain(objects), SIGNER)
    leaves = [value for _, _, value in rows(path)]
    with attack(path) as db:
        for size in (1, 100, 511, 512, 513, 1000, 1400):
            note = Checkpoint(ORIGIN, size, naive_root(leaves[:size])).sign(SIGNER)
            db.execute("INSERT INTO checkpoints VALUES (?, ?, 1)", (size, note.decode()))
    return path


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("jobs", [1, 2, 3, 7])
def test_parts_together_say_what_the_whole_says(ledger: Path, jobs: int) -> None:
    steps: list[int] = []
    verdict = verify_in_parts(
        ledger, VKEY, jobs, kinds.check_entry, steps.append, interchangeable=kinds.interchangeable
    )
    whole = verify_file(ledger, VKEY, kinds.check_entry)
    assert verdict == whole and verdict.state == whole.state
    assert sum(steps) == 1500 and min(steps) > 0


ATTACKS = {
    "an entry of the first part": "UPDATE entries SET entry = replace(entry, 'permits', 'penalty') WHERE seq = 5",
    "an entry of the second part": "UPDATE entries SET entry = replace(entry, 'permits', 'penalty') WHERE seq = 1200",
    "the hash before a part": "UPDATE entries SET hash = zeroblob(32) WHERE seq = 511",
    "the first entry of a part removed": "DELETE FROM entries WHERE seq = 512",
    "the last removed": "DELETE FROM entries WHERE seq = 1499",
    "the tail removed": "DELETE FROM entries WHERE seq > 700",
    "the first removed": "DELETE FROM entries WHERE seq = 0",
    "a checkpoint removed": "DELETE FROM checkpoints WHERE size = 1500",
    "a checkpoint moved": "UPDATE checkpoints SET size = 1001 WHERE size = 1000",
    "a node edited": "UPDATE nodes SET hash = zeroblob(32) WHERE idx = 3",
    "a node added": "INSERT INTO nodes VALUES (16, 0, zeroblob(32))",
    "another origin": "UPDATE meta SET value = 'x' WHERE key = 'origin'",
}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("name", ATTACKS)
def test_parts_name_the_same_fault_as_the_whole(ledger: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(ledger, tmp_path / "ledger.db"))
    with attack(path) as db:
        db.execute(ATTACKS[name])
    with pytest.raises(LedgerError) as parts:
        verify_in_parts(path, VKEY, 2, kinds.check_entry, interchangeable=kinds.interchangeable)
    with pytest.raises(LedgerError) as whole:
        verify_file(path, VKEY, kinds.check_entry)
    assert (type(parts.value), parts.value.en) == (type(whole.value), whole.value.en)


@pytest.mark.usefixtures("small_parts")
def test_a_rewrite_is_found_in_parts_by_a_head_kept_elsewhere(ledger: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(ledger, tmp_path / "ledger.db"))
    kept = [(head(path, 1200), "keys/head")]
    assert verify_in_parts(path, VKEY, 2, known=kept).size == 1500
    objects = [orjson.loads(data) for _, data, _ in rows(path)]
    objects[900]["batch"] = "other"
    rewrite(path, chain(objects), SIGNER)
    assert verify_in_parts(path, VKEY, 2).size == 1500
    with pytest.raises(RollbackError, match="keys/head"):
        verify_in_parts(path, VKEY, 2, known=kept)


@pytest.mark.usefixtures("small_parts")
def test_a_check_that_another_process_cannot_import_is_made_in_one(ledger: Path) -> None:
    seen: list[int] = []
    assert verify_in_parts(ledger, VKEY, 2, lambda entry: seen.append(entry["seq"])).size == 1500
    assert seen == list(range(1500))
