"""Processes that die: at random moments by SIGKILL, and before and after each SQL statement."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.log.sequencer import Sequencer
from ledger.log.verify import verify_file
from tests.ledger.support import (
    VKEY,
    child,
    close,
    draft,
    finish,
    make_log,
    open_sequencer,
    rows,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return make_log(tmp_path / "ledger.db", 1)


@pytest.fixture
def sequencer(log: Path) -> Iterator[Sequencer]:
    opened = open_sequencer(log)
    yield opened
    close(opened)


ENDLESS = """
import sys
from pathlib import Path
from tests.ledger.support import draft, open_sequencer
sequencer = open_sequencer(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    done = sequencer.append(draft(n, once=n))
    sys.stdout.write(f"{done.seq} {done.hash.hex()}\\n")
    sys.stdout.flush()
"""


def test_a_process_killed_at_any_moment_loses_nothing_it_acknowledged(log: Path) -> None:
    chance = random.Random(11)
    acknowledged: dict[int, str] = {}
    for _ in range(6):
        process = child(ENDLESS, log)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 80)):
            seq, value = process.stdout.readline().split()
            acknowledged[int(seq)] = value
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        for line in rest.splitlines(keepends=True):
            if line.endswith("\n"):
                seq, value = line.split()
                acknowledged[int(seq)] = value
        stored = {seq: value.hex() for seq, _, value in rows(log)}
        assert acknowledged.items() <= stored.items()
        assert verify_file(log, VKEY).size == len(stored)


# A helper without threads forks a child for each statement: the child ends there, before or after it ran. Each
# acknowledgement goes through a pipe, as to a client. The parent then opens the log again, verifies it and goes on.
KILL_AT_EVERY_STATEMENT = """
import os, sqlite3, sys
from pathlib import Path
from ledger.log.commitment import seal
from ledger.log.sequencer import Draft
from ledger.log.verify import verify_file
from tests.ledger.support import VKEY, close, draft, make_log, open_sequencer, random_source, rows

folder = Path(sys.argv[1])
real = sqlite3.connect


class Dying(sqlite3.Connection):
    left, after = 0, False

    def count(self, run, *arguments):
        Dying.left -= 1
        if Dying.left == 0 and not Dying.after:
            os._exit(9)
        result = run(*arguments)
        if Dying.left == 0:
            os._exit(9)
        return result

    def execute(self, *arguments):
        return self.count(super().execute, *arguments)

    def executemany(self, *arguments):
        return self.count(super().executemany, *arguments)


def work(path, out):
    sqlite3.connect = lambda *a, **k: real(*a, **k, factory=Dying)
    sequencer = open_sequencer(path)
    for n in range(3):
        sealed = (seal("a", "particular", random_source()), seal("b", n, random_source()))
        group = [sequencer._enqueue(Draft({"kind": "test.noted", "v": 1, "n": n}, sealed, (f"key:{n}",)))]
        group.append(sequencer._enqueue(draft(n)))
        sequencer._lead()
        for waiting in group:
            done = waiting.result()
            os.write(out, b"%d %s\\n" % (done.seq, done.hash.hex().encode()))
    close(sequencer)


def attempt(number, after):
    # 254 entries first, so that an inner node is completed on the way
    path = folder / f"{number}-{after}.db"
    path.write_bytes(template)
    inlet, outlet = os.pipe()
    pid = os.fork()
    if pid == 0:
        Dying.left, Dying.after = number, after
        work(path, outlet)
        os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as pipe:
        acknowledged = dict(line.split() for line in pipe)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), code
    size = verify_file(path, VKEY).size
    stored = {str(seq): value.hex() for seq, _, value in rows(path)}
    assert acknowledged.items() <= stored.items(), (number, after)
    assert size == len(stored) and (size - 254) % 2 == 0, "a group is there whole or not at all"
    db = real(path)
    (keys,) = db.execute("select count(*) from once").fetchone()
    sealed = [db.execute(f"select count(*) from {table}").fetchone()[0] for table in ("particulars", "particular_keys")]
    db.close()
    assert keys == (size - 254) // 2 and sealed == [2 * keys, 2 * keys], (keys, sealed)
    sequencer = open_sequencer(path)
    assert sequencer.append(draft(7)).seq == size, "and it goes on"
    close(sequencer)
    assert verify_file(path, VKEY).size == size + 1
    for leftover in folder.glob(f"{number}-*"):
        leftover.unlink()
    return code == 0


make_log(folder / "template.db", 254, group=254)
template = (folder / "template.db").read_bytes()
for after in (False, True):
    number = 1
    while not attempt(number, after):
        number += 1
    print(number)
"""


def test_a_process_that_dies_before_or_after_any_statement_leaves_a_whole_log(tmp_path: Path) -> None:
    before, after = map(int, finish(child(KILL_AT_EVERY_STATEMENT, tmp_path)).split())
    assert before == after > 40, "each statement up to the end of the run was one point of death"


def test_an_acknowledged_entry_is_committed_for_everybody_else_too(tmp_path: Path) -> None:
    sequencer = open_sequencer(tmp_path / "ledger.db")
    done = sequencer.append(draft())
    assert not sequencer._store._db.in_transaction
    assert rows(tmp_path / "ledger.db") == [(0, done.entry, done.hash)]
    assert verify_file(tmp_path / "ledger.db", VKEY).size == 1
    close(sequencer)
