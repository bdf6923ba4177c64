"""Writes and syncs that the kernel refuses with EIO, injected by strace; and an insert that SQLite itself refuses."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import ConflictError, LedgerUnavailableError
from ledger.log.sequencer import Appended, Draft
from ledger.log.verify import verify_file
from tests.ledger.support import ROOT, VKEY, Attacker, check_appended, close, draft, make_log, open_sequencer, rows

# What was acknowledged goes to the standard output, which is not traced. In between the log goes into the database.
WORK = """
import contextlib, sqlite3, sys
from pathlib import Path
from ledger.errors import LedgerUnavailableError
from tests.ledger.support import close, draft, open_sequencer
sequencer = open_sequencer(Path(sys.argv[1]))
refused = 0
for n in range(40):
    try:
        done = sequencer.append(draft(n, once=str(n), x="x" * 3_000))
        print(done.seq, done.hash.hex(), flush=True)
    except LedgerUnavailableError as error:
        certain = "nothing was recorded" in error.en and "未作记录" in error.zh
        assert (certain or "not certain" in error.en and "不能确定" in error.zh) and "I/O" in error.en, error.en
        refused += 1
    if n % 8 == 7:
        with contextlib.suppress(sqlite3.OperationalError):
            sequencer._store._db.execute("PRAGMA wal_checkpoint(RESTART)")
while True:  # the last one is acknowledged, so that nothing uncertain is left
    with contextlib.suppress(LedgerUnavailableError):
        done = sequencer.append(draft(99))
        print(done.seq, done.hash.hex(), flush=True)
        break
with contextlib.suppress(LedgerUnavailableError, sqlite3.OperationalError):
    close(sequencer)
print("refused", refused)
"""


def traced(script: str, log: Path, inject: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose calls on the log's files fail as ``inject`` says (strace's ``-e inject=``)."""
    call = inject.partition(":")[0]
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={inject}"]
    for file in (log, f"{log}-wal"):
        command += ["-P", str(file)]
    return subprocess.run(
        [*command, sys.executable, "-c", script, str(log)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# An append makes one sync and some six writes.
@pytest.mark.parametrize(
    ("call", "every"), [("fdatasync", 3), ("fdatasync", 4), ("fdatasync", 7), ("pwrite64", 17), ("pwrite64", 31)]
)
def test_an_io_error_stops_appends_with_a_clear_error_and_loses_nothing_acknowledged(
    tmp_path: Path, call: str, every: int
) -> None:
    log = make_log(tmp_path / "ledger.db", 1)
    done = traced(WORK, log, f"{call}:error=EIO:when=9+{every}")
    assert done.returncode == 0, done.stderr
    *lines, last = (tuple(line.split()) for line in done.stdout.splitlines())
    assert last[0] == "refused" and int(last[1]) > 2 and len(lines) + int(last[1]) == 41 and len(lines) > 3
    stored = {str(seq): value.hex() for seq, _, value in rows(log)}
    acknowledged = dict(lines)
    assert acknowledged.items() <= stored.items()
    assert len(stored) == 1 + len(lines), "what was refused is not there"
    assert verify_file(log, VKEY).size == len(stored)
    sequencer = open_sequencer(log)
    assert sequencer.append(draft()).seq == len(stored), "the service goes on when the disk does"
    close(sequencer)
    assert verify_file(log, VKEY).size == len(stored) + 1


CUT_OFF = """
import os, sys
from pathlib import Path
from ledger.errors import LedgerUnavailableError
from tests.ledger.support import open_sequencer
from ledger.log.sequencer import Draft
sequencer = open_sequencer(Path(sys.argv[1]))
for n in range(9):
    try:
        print(sequencer.append(Draft({"kind": "test.noted", "v": 1, "n": n}, once=(f"key:{n}",))).seq, flush=True)
    except LedgerUnavailableError as error:
        print(error.en, flush=True)
        os._exit(9)
"""


def test_after_a_failed_sync_it_is_said_that_it_is_not_certain_and_repeating_it_is_safe(tmp_path: Path) -> None:
    """The whole commit is in the write-ahead log: a process that ends now leaves it to whoever opens the file next."""
    log = make_log(tmp_path / "ledger.db", 1)
    done = traced(CUT_OFF, log, "fdatasync:error=EIO:when=5")
    *acknowledged, said = done.stdout.splitlines()
    assert done.returncode == 9 and "not certain whether they were recorded" in said
    n = len(acknowledged)
    stored = rows(log)
    assert [str(seq) for seq, _, _ in stored[1 : n + 1]] == acknowledged
    assert verify_file(log, VKEY).size == len(stored)
    sequencer = open_sequencer(log)
    again = Draft({"kind": "test.noted", "v": 1, "n": n}, once=(f"key:{n}",))
    if len(stored) == n + 1:
        assert sequencer.append(again).seq == n + 1
    else:
        with pytest.raises(ConflictError, match=f"already recorded as entry {n + 1}"):
            sequencer.append(again)
    close(sequencer)
    assert verify_file(log, VKEY).size == n + 2


def test_an_insert_that_raises_fails_all_that_wait_at_once_and_the_next_ones_go_on(tmp_path: Path) -> None:
    log = make_log(tmp_path / "ledger.db", 1)
    sequencer = open_sequencer(log)
    with Attacker(log) as db:  # after the opening: the schema is compared there
        db.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON entries WHEN NEW.entry ->> '$.n' = 13 "
            "BEGIN SELECT RAISE(ABORT, 'poisoned'); END"
        )
    begun: list[str] = []
    sequencer._store._db.set_trace_callback(begun.append)

    async def together() -> list[Any]:
        with sequencer._commit_lock:  # so that all of them wait: tasks, and as many as threads would
            tasks = [asyncio.create_task(sequencer.append_async(draft(n))) for n in range(64)]
            await asyncio.sleep(0)
            waiting = [sequencer._enqueue(draft(n)) for n in range(100, 108)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [*results, *(_outcome(item.result) for item in waiting)]

    for result in asyncio.run(together()):
        assert isinstance(result, LedgerUnavailableError) and "poisoned" in result.en, result
    assert sum(statement.startswith("BEGIN") for statement in begun) == 1, "one attempt for all of them"
    assert len(rows(log)) == 1
    with Attacker(log) as db:
        db.execute("DROP TRIGGER poison")
    done = asyncio.run(together())
    assert len(done) == 72 and all(isinstance(result, Appended) for result in done)
    close(sequencer)
    check_appended(log, done)


def _outcome(wait: Callable[[], Appended]) -> Appended | LedgerUnavailableError:
    try:
        return wait()
    except LedgerUnavailableError as error:
        return error
