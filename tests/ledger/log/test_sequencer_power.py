"""Power that fails: what the kernel was asked to make durable, by a trace of system calls, is enough at each moment.

Killing a process does not lose the page cache. So the writes to the ledger's files are recorded with their data and
replayed up to each point of synchronisation, without those that were not synchronised yet, or with some of them.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from ledger.log.verify import verify_file
from tests.ledger.support import ROOT, VKEY, close, draft, make_log, open_sequencer, rows

BEFORE = 254  # so that an inner node is completed on the way
COUNT = 12

# One thread: its own calls, in order. Each acknowledgement goes to a file, whose write the trace shows. In the middle
# the write-ahead log is brought into the database and started over.
WORK = """
import os, sys
from pathlib import Path
from ledger.log.commitment import seal
from ledger.log.sequencer import Draft
from tests.ledger.support import close, open_sequencer, random_source
path, acknowledged = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
sequencer = open_sequencer(path)
for n in range(int(sys.argv[3])):
    sealed = (seal("a", "particular", random_source()),)
    done = sequencer.append(Draft({"kind": "test.noted", "v": 1, "n": n}, sealed, (f"key:{n}",)))
    os.write(acknowledged, b"%d\\n" % done.seq)
    if n % 4 == 3:
        sequencer._store._db.execute("PRAGMA wal_checkpoint(RESTART)")
close(sequencer)
"""


@dataclass(frozen=True)
class Call:
    """One system call on a file: its name, the file's name, and for a write its data and place."""

    name: str
    file: str
    data: bytes = b""
    place: int = 0


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


_FD = r"\d+<((?:\\x[0-9a-f]{2})*)>"
_DATA = r'"((?:\\x[0-9a-f]{2})*)"'
_PATTERNS = {
    "pwrite64": re.compile(rf"pwrite64\({_FD}, {_DATA}, (?P<size>\d+), (?P<place>\d+)\) += (?P<done>\d+)"),
    "write": re.compile(rf"write\({_FD}, {_DATA}, (?P<size>\d+)\) += (?P<done>\d+)"),
    "fdatasync": re.compile(rf"fdatasync\({_FD}\) += 0"),
    "fsync": re.compile(rf"fsync\({_FD}\) += 0"),
    "ftruncate": re.compile(rf"ftruncate\({_FD}, (?P<place>\d+)\) += 0"),
    "unlink": re.compile(rf"unlink\({_DATA}\) += 0"),
}


def parse(trace: str) -> Iterator[Call]:
    for line in trace.splitlines():
        name = line.partition("(")[0]
        if name not in _PATTERNS:
            assert line.startswith(("+++", "---")), line[:200]
            continue
        match = _PATTERNS[name].fullmatch(line.rstrip())
        assert match, line[:200]
        groups = match.groupdict()
        assert groups.get("size") == groups.get("done"), "each write was whole"
        data = unhex(match[2]) if name in ("pwrite64", "write") else b""
        yield Call(name, Path(unhex(match[1]).decode()).name, data, int(groups.get("place") or 0))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Call], Path]:
    """The database before, all calls on its files and on the acknowledgements, and the ledger as it then was."""
    folder = tmp_path_factory.mktemp("power")
    log = make_log(folder / "ledger.db", BEFORE, group=BEFORE)
    before, trace = log.read_bytes(), folder / "trace"
    files = [log, f"{log}-wal", folder / "acknowledged"]
    command = ["strace", "-o", trace, "-y", "-xx", "-s", "10000000", "-e", f"trace={','.join(_PATTERNS)}"]
    for file in files:
        command += ["-P", file]
    subprocess.run(
        [*map(str, command), sys.executable, "-c", WORK, str(log), str(files[2]), str(COUNT)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=120,
    )
    return before, list(parse(trace.read_text(encoding="ascii"))), log


def test_between_the_last_write_to_the_log_and_each_acknowledgement_lies_a_sync(
    traced: tuple[bytes, list[Call], Path],
) -> None:
    _, calls, _ = traced
    unsynced = written = acknowledged = 0
    for call in calls:
        if call.file == "ledger.db-wal" and call.name == "pwrite64":
            unsynced += 1
            written += 1
        elif call.file == "ledger.db-wal" and call.name in ("fdatasync", "fsync"):
            unsynced = 0
        elif call.file == "acknowledged" and call.name == "write":
            acknowledged += 1
            assert written and not unsynced, f"acknowledgement {acknowledged}"
            written = 0
    assert acknowledged == COUNT


@dataclass
class Disk:
    """What is on the medium for certain, and what was written since and may be there or not."""

    files: dict[str, bytearray]
    pending: list[Call] = field(default_factory=list)

    def sync(self, file: str) -> None:
        for call in self.pending:
            if call.file == file:
                apply(self.files, call)
        self.pending = [call for call in self.pending if call.file != file]

    def after_power_failure(self, survives: float, chance: random.Random) -> dict[str, bytearray]:
        files = {name: bytearray(data) for name, data in self.files.items()}
        for call in self.pending:
            if chance.random() < survives:
                apply(files, call)
        return files


def apply(files: dict[str, bytearray], call: Call) -> None:
    data = files.setdefault(call.file, bytearray())
    if call.name == "ftruncate":
        data[call.place :] = bytes(max(0, call.place - len(data)))
    else:
        if len(data) < call.place:
            data.extend(bytes(call.place - len(data)))
        data[call.place : call.place + len(call.data)] = call.data


@pytest.mark.parametrize("survives", [0.0, 0.5, 1.0])
def test_after_a_power_failure_at_any_sync_all_that_was_acknowledged_is_there(
    traced: tuple[bytes, list[Call], Path], tmp_path: Path, survives: float
) -> None:
    before, calls, final = traced
    wanted = rows(final)
    chance = random.Random(9)
    disk = Disk({"ledger.db": bytearray(before)})
    acknowledged, checked = BEFORE, 0

    def check() -> None:
        nonlocal checked
        checked += 1
        folder = tmp_path / str(checked)
        folder.mkdir()
        for name, data in disk.after_power_failure(survives, chance).items():
            (folder / name).write_bytes(data)
        log = folder / "ledger.db"
        size = verify_file(log, VKEY).size
        assert size >= acknowledged and rows(log) == wanted[:size]
        sequencer = open_sequencer(log)
        assert sequencer.append(draft(checked)).seq == size, "and it goes on"
        close(sequencer)
        for file in folder.iterdir():
            file.unlink()

    for call in calls:
        if call.file == "acknowledged":
            acknowledged = int(orjson.loads(call.data)) + 1
            check()
        elif call.name in ("pwrite64", "ftruncate"):
            disk.pending.append(call)
        elif call.name in ("fdatasync", "fsync"):
            check()
            disk.sync(call.file)
            check()
        elif call.name == "unlink":
            check()
            disk.pending = [kept for kept in disk.pending if kept.file != call.file]
            disk.files.pop(call.file, None)
            check()
    assert acknowledged == BEFORE + COUNT and checked > 3 * COUNT


# -- a disk that is full ----------

FULL = """
import os, signal, sys
from pathlib import Path
from ledger.errors import LedgerUnavailableError
from ledger.log.verify import verify_file
from tests.ledger.support import VKEY, close, draft, make_log, open_sequencer, rows
folder = Path(sys.argv[1])
log = make_log(folder / "ledger.db", 1)
sequencer = open_sequencer(log)
done = [sequencer.append(draft(n)) for n in range(5)]


def fill():
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError as error:
            assert error.errno == 28, error


def append(count, size):
    refused = 0
    for n in range(count):
        try:
            done.append(sequencer.append(draft(n, x="x" * size)))
        except LedgerUnavailableError as error:
            assert "nothing was recorded" in error.en and error.zh
            refused += 1
    return refused


for _ in range(3):
    fill()
    assert append(300, 50_000) > 50, "the disk is full"
    kept = {seq: data for seq, data, _ in rows(log)}
    assert all(kept[item.seq] == item.entry for item in done)
    assert verify_file(log, VKEY).size == len(done) + 1
    (folder / "filler").unlink()
    assert append(5, 100) == 0, "space is back"
assert verify_file(log, VKEY).size == len(done) + 1
close(sequencer)
reopened = open_sequencer(log)
done.append(reopened.append(draft()))
close(reopened)
assert verify_file(log, VKEY).size == len(done) + 1
print(os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize)
"""


def test_a_disk_of_its_own_that_runs_full_refuses_loses_nothing_and_goes_on_when_space_returns(tmp_path: Path) -> None:
    """A real small file system in a mount namespace of the child's own; where nobody may mount, see the test with
    a limited file size in test_sequencer_failures.py, which always runs."""
    mounting = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    mount = f"mount -t tmpfs -o size=24m tmpfs '{tmp_path}'"
    may_mount = subprocess.run([*mounting, "sh", "-c", mount], capture_output=True, check=False).returncode == 0
    if not may_mount:
        return
    script = f'{mount} && exec "$0" -c "$1" "$2"'
    done = subprocess.run(
        [*mounting, "sh", "-c", script, sys.executable, FULL, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 24 << 20
