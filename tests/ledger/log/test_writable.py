"""Whether an entry could be appended now is found out without appending one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger import Instance, LedgerUnavailableError, Settings
from ledger.log import writable


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance.create(
        tmp_path / "instance", Settings("writable.example/log", "测试", "Test", "http://x", demo=True)
    )
    with made.ledger() as ledger:
        ledger.append("fault.raised", {"what": "test", "observed": "a first entry"})
    return made


@pytest.fixture
def other(instance: Instance) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(instance.ledger_path, isolation_level=None)) as db:
        yield db


def test_a_writable_ledger_passes_and_nothing_is_added(instance: Instance, other: sqlite3.Connection) -> None:
    with instance.ledger() as ledger:
        before = (
            other.execute("SELECT count(*) FROM entries").fetchone(),
            other.execute("SELECT * FROM meta").fetchall(),
        )
        ledger.check_writable()
        after = other.execute("SELECT count(*) FROM entries").fetchone(), other.execute("SELECT * FROM meta").fetchall()
    assert before == after


def test_a_ledger_that_another_program_locks_is_unavailable(instance: Instance, other: sqlite3.Connection) -> None:
    with instance.ledger() as ledger:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="locked") as raised:
            ledger.check_writable()
        assert "无法写入" in raised.value.zh
        other.execute("ROLLBACK")
        ledger.check_writable()


def test_a_process_whose_key_was_rotated_away_is_unavailable(instance: Instance) -> None:
    with instance.ledger() as ledger:
        instance.rotate_key()
        with pytest.raises(LedgerUnavailableError, match="rotated"):
            ledger.check_writable()
    with instance.ledger() as ledger:
        ledger.check_writable()


def test_a_full_disk_is_told_before_it_is_met(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writable, "LEAST_FREE_BYTES", 2**62)
    with instance.ledger() as ledger, pytest.raises(LedgerUnavailableError, match="are free"):
        ledger.check_writable()


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from ledger import LedgerUnavailableError
from ledger.log import writable
from ledger.log.note import VerifierKey
path, key = Path(sys.argv[1]), VerifierKey.parse(sys.argv[2])
if os.getuid() == 0:  # root ignores file modes
    os.setgid(65534)
    os.setuid(65534)
for head in (None, path.parent / "keys" / "head"):
    try:
        writable.check(path, key, head)
    except LedgerUnavailableError as error:
        print(error.en)
"""


def test_a_ledger_that_may_only_be_read_is_unavailable(instance: Instance, other: sqlite3.Connection) -> None:
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    folder = instance.path
    for path in folder.glob("ledger.db*"):
        path.chmod(0o444)
    folder.chmod(0o555)
    for parent in list(folder.parents)[:-2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    try:
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(instance.ledger_path), str(instance.verifier_key())],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        folder.chmod(0o755)
    first, second = done.stdout.splitlines()
    assert "cannot be written now" in first and "head cannot be kept" in second
