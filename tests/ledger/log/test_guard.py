"""The head outside the database: it only grows, never leads, and an older copy of the database is refused."""

from __future__ import annotations

import shutil
import stat
import threading
import time
from pathlib import Path

import pytest

from ledger.book import Ledger
from ledger.errors import InstanceError, LedgerUnavailableError, RollbackError, TamperError
from ledger.instance import Instance, Settings
from ledger.log.guard import HeadGuard
from ledger.log.note import Checkpoint
from ledger.log.verify import verify_file
from tests.ledger.support import (
    OPENED,
    ORIGIN,
    batch_fields,
    checkpoint_wal,
    child,
    finish,
    random_source,
)


def head(size: int, root: bytes = b"\1" * 32) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root)


@pytest.fixture
def guard(tmp_path: Path) -> HeadGuard:
    return HeadGuard(tmp_path / "head", ORIGIN)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    settings = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", demo=True)
    return Instance.create(tmp_path / "instance", settings, random_source())


def append(instance: Instance, count: int) -> None:
    with instance.ledger() as ledger:
        for n in range(count):
            if ledger._store.head().seq < 0:
                ledger.append("log.opened", OPENED)
            else:
                ledger.append("batch.ingested", batch_fields(n))


def recorded(instance: Instance) -> Checkpoint | None:
    return HeadGuard(instance.head_path, ORIGIN).read()


# -- the file ----------


def test_nothing_is_recorded_before_the_first_commit(guard: HeadGuard) -> None:
    assert guard.read() is None
    guard.check(0, lambda size: b"")
    guard.close()
    assert guard.read() is None


def test_the_head_follows_a_commit_within_a_second_though_nothing_else_happens(guard: HeadGuard) -> None:
    for size in (1, 2, 3):
        guard.committed(head(size))
    until = time.monotonic() + 30
    while guard.read() != head(3):
        assert time.monotonic() < until
        time.sleep(0.01)
    guard.close()


def test_closing_writes_the_last_head(guard: HeadGuard, tmp_path: Path) -> None:
    for size in range(1, 500):
        guard.committed(head(size))
    guard.close()
    assert guard.read() == head(499)
    assert stat.S_IMODE((tmp_path / "head").stat().st_mode) == 0o600


def test_it_never_goes_back(tmp_path: Path) -> None:
    for size in (5, 3, 7, 6):
        guard = HeadGuard(tmp_path / "head", ORIGIN)
        guard.committed(head(size))
        guard.close()
    assert HeadGuard(tmp_path / "head", ORIGIN).read() == head(7)


def test_two_roots_of_one_size_are_a_fork_and_stop_the_appends(tmp_path: Path, guard: HeadGuard) -> None:
    guard.committed(head(5))
    guard.close()
    other = HeadGuard(tmp_path / "head", ORIGIN)
    other.committed(head(5, b"\2" * 32))
    with pytest.raises(TamperError, match="two copies"):
        other._write()
    with pytest.raises(TamperError, match="two copies"):
        while True:
            other.ensure()
            time.sleep(0.01)
    other._newest = None
    other.close()
    assert guard.read() == head(5)


def test_many_threads_of_many_guards_leave_the_largest(tmp_path: Path) -> None:
    def work(number: int) -> None:
        guard = HeadGuard(tmp_path / "head", ORIGIN)
        for size in range(number, 200, 4):
            guard._newest = head(size)
            guard._write()
        guard.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert HeadGuard(tmp_path / "head", ORIGIN).read() == head(199)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        head(3).text()[:-1],
        head(3).text() + b"x\n",
        head(3).text().replace(b"\n3\n", b"\n03\n"),
        b"\xff" * 40,
    ],
)
def test_a_damaged_record_is_refused_and_says_what_to_do(tmp_path: Path, guard: HeadGuard, content: bytes) -> None:
    (tmp_path / "head").write_bytes(content)
    with pytest.raises(InstanceError, match="remove that file"):
        guard.read()


def test_a_record_of_another_log_is_refused(tmp_path: Path, guard: HeadGuard) -> None:
    (tmp_path / "head").write_bytes(Checkpoint("other.example/log", 3, bytes(32)).text())
    with pytest.raises(InstanceError, match="it is of log 'other"):
        guard.read()


def test_what_cannot_be_written_stops_the_next_append_and_passes(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    guard = HeadGuard(folder / "head", ORIGIN)  # the folder is missing
    guard.committed(head(1))
    with pytest.raises(LedgerUnavailableError, match="cannot be written"):
        while True:
            guard.ensure()
            time.sleep(0.01)
    folder.mkdir()
    guard._failure = LedgerUnavailableError("earlier", "此前")
    guard.ensure()
    assert guard.read() == head(1)
    guard.close()


# -- with the ledger ----------


def test_the_record_is_the_ledgers_head(instance: Instance) -> None:
    append(instance, 5)
    verdict = verify_file(instance.ledger_path, instance.verifier_key())
    assert recorded(instance) == Checkpoint(ORIGIN, verdict.size, verdict.root)
    assert instance.head_path.parent.name == "keys"
    append(instance, 3)
    found = recorded(instance)
    assert found is not None and found.size == 8


def test_an_older_backup_of_the_database_is_refused_and_both_heads_are_named(instance: Instance) -> None:
    append(instance, 4)
    checkpoint_wal(instance.ledger_path)
    backup = instance.ledger_path.read_bytes()
    older = recorded(instance)
    append(instance, 6)
    newer = recorded(instance)
    shutil.copy(instance.ledger_path, instance.path / "newer.db")
    instance.ledger_path.write_bytes(backup)
    assert older is not None and newer is not None
    for _ in range(2):
        with pytest.raises(RollbackError) as caught:
            instance.ledger()
        for text in (caught.value.en, caught.value.zh):
            assert older.root.hex() in text and newer.root.hex() in text
        assert "has 4 entries" in caught.value.en and "records 10 entries" in caught.value.en
    assert recorded(instance) == newer
    shutil.copy(instance.path / "newer.db", instance.ledger_path)
    append(instance, 1)


def test_an_older_backup_that_grew_past_the_record_is_refused_too(instance: Instance) -> None:
    append(instance, 4)
    checkpoint_wal(instance.ledger_path)
    backup = instance.ledger_path.read_bytes()
    append(instance, 3)
    kept = instance.head_path.read_bytes()
    instance.ledger_path.write_bytes(backup)
    instance.head_path.unlink()
    with instance.ledger() as ledger:
        for n in range(100, 110):
            ledger.append("batch.ingested", batch_fields(n))
    instance.head_path.write_bytes(kept)
    with pytest.raises(RollbackError, match="another ledger"):
        instance.ledger()


def test_an_emptied_ledger_is_refused(instance: Instance) -> None:
    append(instance, 2)
    origin = instance.settings.origin
    instance.ledger_path.unlink()
    Ledger.create(instance.ledger_path, origin)
    with pytest.raises(RollbackError, match="has 0 entries"):
        instance.ledger()


def test_a_copy_of_the_whole_folder_opens(instance: Instance, tmp_path: Path) -> None:
    append(instance, 3)
    shutil.copytree(instance.path, tmp_path / "copy")
    append(Instance.open(tmp_path / "copy"), 2)


APPEND_AND_DIE = """
import os, sys
from pathlib import Path
from ledger.instance import Instance
from tests.ledger.support import batch_fields
ledger = Instance.open(Path(sys.argv[1])).ledger()
for n in range(int(sys.argv[2])):
    ledger.append("batch.ingested", batch_fields(n))
os._exit(0)
"""


def test_a_process_that_dies_leaves_a_record_that_does_not_lead(instance: Instance) -> None:
    append(instance, 1)
    for count in (1, 5, 40):
        finish(child(APPEND_AND_DIE, instance.path, count))
        size = verify_file(instance.ledger_path, instance.verifier_key()).size
        found = recorded(instance)
        assert found is not None and found.size <= size
        append(instance, 1)
    assert not instance.head_path.with_name("head.new").exists()


def test_two_processes_keep_one_record(instance: Instance) -> None:
    append(instance, 1)
    script = APPEND_AND_DIE.replace("os._exit(0)", "ledger.close()")
    children = [child(script, instance.path, 60) for _ in range(2)]
    for process in children:
        finish(process)
    verdict = verify_file(instance.ledger_path, instance.verifier_key())
    assert verdict.size == 121
    assert recorded(instance) == Checkpoint(ORIGIN, 121, verdict.root)
