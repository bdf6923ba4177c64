"""The sequencer when the ledger cannot be written, when a bug strikes, and when somebody edited the file."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import (
    LedgerError,
    LedgerUnavailableError,
    NoteError,
    TamperError,
)
from ledger.log.note import Signer
from ledger.log.sequencer import Sequencer
from ledger.log.store import Store
from ledger.log.verify import verify_file
from tests.ledger.support import (
    KEY,
    ORIGIN,
    VKEY,
    Attacker,
    attack,
    chain,
    check_appended,
    checkpoint_wal,
    child,
    clock,
    close,
    draft,
    finish,
    make_log,
    open_sequencer,
    rewrite,
    rows,
    set_entry,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return make_log(tmp_path / "ledger.db", 1)


@pytest.fixture
def sequencer(log: Path) -> Iterator[Sequencer]:
    opened = open_sequencer(log)
    yield opened
    close(opened)


# -- the ledger cannot be written ----------


def fail_all(sequencer: Sequencer, count: int = 10) -> None:
    """Threads and tasks that wait are all told, soon, and in the right words."""

    async def tasks() -> list[Any]:
        return await asyncio.gather(
            *(sequencer.append_async(draft(n)) for n in range(count)),
            *(asyncio.to_thread(sequencer.append, draft(n)) for n in range(3)),
            return_exceptions=True,
        )

    for result in asyncio.run(tasks()):
        assert isinstance(result, LedgerUnavailableError), result
        assert "nothing was recorded" in result.en and "未作记录" in result.zh


def test_a_locked_ledger_fails_all_that_wait_and_recovers(log: Path, sequencer: Sequencer) -> None:
    done = [sequencer.append(draft())]
    sequencer._store._db.execute("PRAGMA busy_timeout = 50")
    with Attacker(log) as db:
        db.execute("BEGIN IMMEDIATE")
        fail_all(sequencer)
        db.execute("ROLLBACK")
    done.append(sequencer.append(draft()))
    check_appended(log, done)


def test_a_full_database_fails_all_that_wait_and_recovers(log: Path, sequencer: Sequencer) -> None:
    done = [sequencer.append(draft())]
    db = sequencer._store._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    for n in range(20):
        try:
            done.append(sequencer.append(draft(n, x="x" * 3_000)))
        except LedgerUnavailableError as error:
            assert "disk is full" in error.en
            break
    else:
        pytest.fail("it never filled")
    check_appended(log, done)
    db.execute("PRAGMA max_page_count = 1000000")
    done.append(sequencer.append(draft(x="x" * 60_000)))
    check_appended(log, done)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ledger.errors import LedgerUnavailableError
from tests.ledger.support import close, draft, open_sequencer
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sequencer = open_sequencer(path)
acknowledged = [sequencer.append(draft()).seq]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
failures = 0
for n in range(60):
    try:
        acknowledged.append(sequencer.append(draft(n, x="x" * 20_000)).seq)
    except LedgerUnavailableError as error:
        failures += 1
assert failures > 10, failures
before = len(acknowledged)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
acknowledged.append(sequencer.append(draft(x="x" * 20_000)).seq)
close(sequencer)
print(before, *acknowledged)
"""


def test_a_full_disk_fails_and_loses_nothing_and_recovers(log: Path) -> None:
    before, *acknowledged = map(int, finish(child(FULL_DISK, log)).split())
    assert acknowledged == list(range(1, len(acknowledged) + 1)) and before > 1
    assert verify_file(log, VKEY).size == len(acknowledged) + 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY  # the child's limit was its own


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from ledger.errors import LedgerUnavailableError
from tests.ledger.support import VKEY, draft, open_sequencer
from ledger.log.store import Store
from ledger.log.verify import verify_file
path = Path(sys.argv[1])
if os.getuid() == 0:  # root ignores file modes
    os.setgid(65534)
    os.setuid(65534)
try:
    open_sequencer(path).append(draft())
except LedgerUnavailableError as error:
    print("unavailable", error.exit_code)
print(verify_file(path, VKEY).size)
"""


def test_a_read_only_file_is_unavailable_for_writing_and_still_verifies(log: Path) -> None:
    checkpoint_wal(log)
    for path in log.parent.glob("ledger.db*"):
        path.chmod(0o444)
    log.parent.chmod(0o555)
    for folder in list(log.parents)[1:-2]:
        folder.chmod(folder.stat().st_mode | 0o055)
    try:
        assert finish(child(UNPRIVILEGED, log)).split() == ["unavailable", "2", "1"]
    finally:
        log.parent.chmod(0o755)


def test_a_bug_fails_the_waiting_callers_and_the_next_append_works(
    log: Path, sequencer: Sequencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BugError(Exception):
        pass

    def broken() -> datetime:
        raise BugError("the clock fell down")

    good = sequencer._now
    sequencer._now = broken

    async def work() -> list[Any]:
        tasks = [sequencer.append_async(draft(n)) for n in range(5)]
        threads = [asyncio.to_thread(sequencer.append, draft(n)) for n in range(3)]
        return await asyncio.wait_for(asyncio.gather(*tasks, *threads, return_exceptions=True), 30)

    assert {type(result) for result in asyncio.run(work())} == {BugError}
    sequencer._now = good
    check_appended(log, [sequencer.append(draft())])


def test_an_interrupt_of_the_writing_thread_reaches_the_others_as_our_error(log: Path, sequencer: Sequencer) -> None:
    def interrupted() -> datetime:
        raise KeyboardInterrupt

    good, sequencer._now = sequencer._now, interrupted

    async def work() -> list[Any]:
        tasks = [sequencer.append_async(draft(n)) for n in range(5)]
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)

    for result in asyncio.run(work()):
        assert isinstance(result, LedgerUnavailableError) and "interrupted" in result.en
    sequencer._now = good
    check_appended(log, [sequencer.append(draft())])


def test_an_interrupt_of_the_writing_thread_goes_on_up_in_that_thread(log: Path, sequencer: Sequencer) -> None:
    def interrupted() -> datetime:
        raise KeyboardInterrupt

    good, sequencer._now = sequencer._now, interrupted
    with pytest.raises(KeyboardInterrupt):
        sequencer.append(draft())
    sequencer._now = good
    check_appended(log, [sequencer.append(draft())])


class FailingRollback(sqlite3.Connection):
    """A connection whose COMMIT and first ROLLBACK meet an I/O error, as a failing disk makes them."""

    failures = 0

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql in ("COMMIT", "ROLLBACK") and self.failures > 0:
            self.failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *arguments)


def test_an_io_error_even_on_rollback_is_told_in_our_words_and_passes(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=FailingRollback))
    sequencer = open_sequencer(log)
    monkeypatch.undo()
    sequencer._store._db.failures = 2  # type: ignore[attr-defined]
    with pytest.raises(LedgerUnavailableError, match="disk I/O error"):
        sequencer.append(draft(1))
    assert sequencer._store._db.in_transaction
    check_appended(log, [sequencer.append(draft(2))])
    close(sequencer)


# -- an edited file is not signed over ----------


def test_a_key_with_another_name_is_refused(log: Path) -> None:
    store = Store.open(log)
    with pytest.raises(LedgerError, match="use the log's own key"):
        Sequencer(store, Signer("other.example/log", KEY), clock())
    store.close()


def test_another_key_cannot_go_on_with_the_log(log: Path) -> None:
    other = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    store = Store.open(log)
    sequencer = Sequencer(store, other, clock())
    with pytest.raises(NoteError):
        sequencer.append(draft())
    close(sequencer)
    assert verify_file(log, VKEY).size == 1


def rechained(path: Path) -> None:
    """An owner without the key edits entry 1 and recomputes every hash, node and link after it."""
    objects = [orjson.loads(data) for _, data, _ in rows(path)]
    objects[1]["n"] = 99
    rewrite(path, chain(objects))


def last_bytes(path: Path) -> None:
    with attack(path) as db:
        seq, data, _ = rows(path)[-1]
        set_entry(db, seq, data.replace(b'"v":1', b'"v":2'))


def without(sql: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        with attack(path) as db:
            db.execute(sql)

    return run


EDITS: dict[str, Callable[[Path], None]] = {
    "an entry edited and all chained anew": rechained,
    "the last entry's bytes edited": last_bytes,
    "the last entry removed": without("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)"),
    "all entries removed": without("DELETE FROM entries"),
    "the checkpoint removed": without("DELETE FROM checkpoints"),
    "an inner node edited": without("UPDATE nodes SET hash = zeroblob(32)"),
}


def test_hashes_below_a_signed_node_may_be_edited_but_are_not_signed(tmp_path: Path) -> None:
    """The writer reads the node over entries 0 to 255, not what is below; verification reads all."""
    path = make_log(tmp_path / "ledger.db", 300, group=300)
    without("UPDATE entries SET hash = zeroblob(32) WHERE seq = 7")(path)
    sequencer = open_sequencer(path)
    assert sequencer.append(draft()).seq == 300
    close(sequencer)
    with pytest.raises(TamperError, match="entry 7"):
        verify_file(path, VKEY)


@pytest.mark.parametrize("name", EDITS)
def test_the_log_does_not_sign_on_top_of_what_it_did_not_sign(tmp_path: Path, name: str) -> None:
    """Else an owner without the key would edit the file and let the next start of the service sign it."""
    path = make_log(tmp_path / "ledger.db", 300, group=300)
    EDITS[name](path)
    before = rows(path)
    sequencer = open_sequencer(path)
    for _ in range(2):
        with pytest.raises(TamperError, match="liandong ledger verify"):
            sequencer.append(draft())
    close(sequencer)
    assert rows(path) == before
    with pytest.raises(LedgerError):
        verify_file(path, VKEY)
