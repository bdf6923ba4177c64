"""Appends against bare SQLite commits, verification against a bare hashing loop, proofs, size on disk: in one run."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import data
from bench.rounds import Sample, interleave, quantile, table
from ledger import Instance, Ledger, Settings
from ledger.entries import check_entry, interchangeable
from ledger.log.merkle import inclusion_proof
from ledger.log.store import Store
from ledger.log.verify import verify_file, verify_lookups
from ledger.log.verify_parts import verify_in_parts

FIELDS = {
    "requester": "zhzf",
    "auth": "token",
    "resource": "directory/resources",
    "route": "table",
    "status": 200,
    "elapsed_us": 3000,
    "format": "json",
    "rows": 20,
    "size_bytes": 18_000,
}
PARTICULARS = {"query": "GET /directory/resources.json?_size=20", "answer_sha256": "0" * 64}
WAL_BYTES = 4_300_000
NEW_ENTRIES = 1_000


def run(folder: Path, rounds: int, appends: int, entries: int) -> str:
    """Measure and return a Markdown report.

    Args:
        appends: entries a round of each append side.
        entries: how long the log is that is verified.
    """
    return "\n\n".join(
        [
            _appends(folder / "appends", rounds, appends),
            *_reads(folder / "reads", rounds, entries),
            _disk(folder / "disk"),
        ]
    )


def _instance(folder: Path) -> Instance:
    return Instance.create(folder, Settings("bench.example/log", "测试", "Bench", "http://bench", demo=True))


# -- appends ----------


def _appends(folder: Path, rounds: int, count: int) -> str:
    instance = _instance(folder)
    with instance.ledger() as ledger:
        results = interleave(
            {
                "bare": bare_commits(folder / "bare.db", count),
                "one": lambda: one_by_one(ledger, count, None),
                "one sealed": lambda: one_by_one(ledger, count, PARTICULARS),
                "64": lambda: _tasks(ledger, 4 * count, 64, None),
                "256": lambda: _tasks(ledger, 4 * count, 256, None),
                "64 sealed": lambda: _tasks(ledger, 4 * count, 64, PARTICULARS),
            },
            rounds,
        )
    names = {
        "bare": "bare one-row SQLite commit, `synchronous=FULL`, WAL pre-grown",
        "one": "append, 1 submitter (thread path)",
        "one sealed": "the same with 2 sealed particulars",
        "64": "append, 64 asyncio submitters",
        "256": "append, 256 asyncio submitters",
        "64 sealed": "64 asyncio submitters with 2 sealed particulars each",
    }
    rows = [
        (
            names[side],
            f"{result.per_second:.0f}/s",
            f"{result.ratio:.2f}",
            "" if side == "bare" else f"{result.p50_ms:.2f} / {result.p99_ms:.2f}",
        )
        for side, result in results.items()
    ]
    return table(("appends", "rate", "ratio", "p50 / p99 ms"), rows)


def bare_commits(path: Path, count: int) -> Callable[[], Sample]:
    """One-row commits of as many bytes as an entry has, into a table of the same columns."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, entry TEXT, hash BLOB)")
    db.execute("PRAGMA cache_size = 10")
    db.execute("BEGIN")
    db.execute("CREATE TABLE filler (content BLOB)")
    db.execute("INSERT INTO filler VALUES (zeroblob(?))", (WAL_BYTES,))
    db.execute("ROLLBACK")
    db.execute("PRAGMA cache_size = -2000")

    def side() -> Sample:
        started = time.perf_counter()
        for _ in range(count):
            db.execute("INSERT INTO t (entry, hash) VALUES (?, ?)", ("x" * 330, bytes(32)))
        return Sample(count / (time.perf_counter() - started))

    return side


def one_by_one(ledger: Ledger, count: int, particulars: dict[str, str] | None) -> Sample:
    taken = []
    started = time.perf_counter()
    for _ in range(count):
        begin = time.perf_counter()
        ledger.append("query.served", FIELDS, particulars=particulars)
        taken.append((time.perf_counter() - begin) * 1000)
    return Sample(count / (time.perf_counter() - started), tuple(taken))


def _tasks(ledger: Ledger, count: int, tasks: int, particulars: dict[str, str] | None) -> Sample:
    each = max(1, count // tasks)
    taken: list[float] = []

    async def task() -> None:
        for _ in range(each):
            begin = time.perf_counter()
            await ledger.append_async("query.served", FIELDS, particulars=particulars)
            taken.append((time.perf_counter() - begin) * 1000)

    async def all_tasks() -> None:
        await asyncio.gather(*(task() for _ in range(tasks)))

    started = time.perf_counter()
    asyncio.run(all_tasks())
    return Sample(each * tasks / (time.perf_counter() - started), tuple(taken))


# -- verification and proofs ----------


def _reads(folder: Path, rounds: int, size: int) -> list[str]:
    instance = data.build(folder, size)
    path, key = instance.ledger_path, instance.verifier_key()
    checks: dict[str, Any] = {"check_entry": check_entry, "interchangeable": interchangeable}
    entries = _entries(path)
    average = sum(map(len, entries)) / size
    # CPU time, so that "per core" holds on a machine that does other work too; the same for both sides.
    single = interleave(
        {
            "bare": lambda: _cpu(size, lambda: _hash_loop(entries)),
            "verify": lambda: _cpu(size, lambda: verify_file(path, key)),
            "schemas": lambda: _cpu(size, lambda: verify_file(path, key, **checks)),
            "indexes": lambda: _cpu(size, lambda: verify_lookups(path)),
        },
        rounds,
    )
    jobs = interleave(
        {
            "bare": lambda: _wall(size, lambda: verify_in_parts(path, key, 1, **checks)),
            "2": lambda: _wall(size, lambda: verify_in_parts(path, key, 2, **checks)),
        },
        rounds,
    )
    rows = [
        (f"bare `hashlib.sha256` loop over the same {size} entries ({average:.0f} bytes)", *_figures(single["bare"])),
        ("verify: chain, tree, tiles, signatures, canonical form", *_figures(single["verify"])),
        ("verify with schemas", *_figures(single["schemas"])),
        (
            "the indexes by which pages find entries (`ledger verify` does it beside, in SQLite)",
            *_figures(single["indexes"]),
        ),
        ("verify with schemas, wall clock, 1 process", *_figures(jobs["bare"])),
        ("verify with schemas, wall clock, 2 processes", *_figures(jobs["2"])),
    ]
    verified = table(("verification", "rate", "ratio"), rows)
    return [verified, _constant(instance, size, rounds, 1 / single["schemas"].per_second * size)]


def _constant(instance: Instance, size: int, rounds: int, full_s: float) -> str:
    """What must not grow with the log: memory, the check of what is new, a proof."""
    before = verify_file(instance.ledger_path, instance.verifier_key())
    peak = _peak_mib(instance)
    proofs = _proofs(instance, size)
    data.extend(instance, NEW_ENTRIES, seed=2)
    key = instance.verifier_key()
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        verify_file(instance.ledger_path, key, check_entry, interchangeable=interchangeable, since=before.state)
        taken.append(time.process_time() - started)
    new_s = statistics.median(taken)
    rows = [
        (
            f"verify {NEW_ENTRIES} new entries on {size}",
            f"{new_s * 1000:.1f} ms",
            f"{new_s / full_s:.2%} of a full one",
        ),
        ("peak memory of a full verification", f"{peak:.0f} MiB", "resident, the whole process"),
        ("inclusion proof", f"p50 {proofs[0]:.2f}, p99 {proofs[1]:.2f} ms", f"at most {proofs[2]:.0f} tile reads"),
    ]
    return table(("independent of the log's length", "figure", ""), rows)


def _figures(result: Any) -> tuple[str, str]:
    return f"{result.per_second:.0f}/s", f"{result.ratio:.3f}"


def _cpu(size: int, work: Callable[[], object]) -> Sample:
    started = time.process_time()
    work()
    return Sample(size / (time.process_time() - started))


def _wall(size: int, work: Callable[[], object]) -> Sample:
    started = time.perf_counter()
    work()
    return Sample(size / (time.perf_counter() - started))


def _entries(path: Path) -> list[bytes]:
    db = sqlite3.connect(path)
    db.text_factory = bytes
    entries = [entry for (entry,) in db.execute("SELECT entry FROM entries ORDER BY seq")]
    db.close()
    return entries


def _hash_loop(entries: list[bytes]) -> None:
    sha256 = hashlib.sha256
    for entry in entries:
        sha256(b"\0" + entry).digest()


PEAK = """
import sys
from pathlib import Path
from ledger import Instance
from ledger.entries import check_entry, interchangeable
from ledger.log.verify import verify_file, verify_lookups
instance = Instance.open(Path(sys.argv[1]))
verify_file(instance.ledger_path, instance.verifier_key(), check_entry, interchangeable=interchangeable)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def _peak_mib(instance: Instance) -> float:
    done = subprocess.run([sys.executable, "-c", PEAK, str(instance.path)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def _proofs(instance: Instance, size: int) -> tuple[float, float, int]:
    """p50 and p99 in milliseconds over random entries, and the most reads that a proof took."""
    chance = random.Random(3)
    store = Store.open(instance.ledger_path, read_only=True)
    taken, reads, most = [], [0], 0
    store._db.set_trace_callback(lambda _: reads.__setitem__(0, reads[0] + 1))
    for _ in range(3_000):
        index = chance.randrange(size)
        reads[0] = 0
        started = time.perf_counter()
        inclusion_proof(index, size, store)
        taken.append((time.perf_counter() - started) * 1000)
        most = max(most, reads[0])
    store.close()
    ordered = sorted(taken)
    return quantile(ordered, 0.5), quantile(ordered, 0.99), most


# -- disk ----------


def _disk(folder: Path, entries: int = 50_000) -> str:
    instance = data.build(folder, entries, particulars=False)
    payload = sum(map(len, _entries(instance.ledger_path))) / entries
    db = sqlite3.connect(instance.ledger_path)
    (pages,), (page,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    db.close()
    shutil.rmtree(folder)
    each = pages * page / entries
    row = (f"{each:.0f}", f"{payload:.0f}", f"{1.3 * payload + 100:.0f}")
    return table(("bytes an entry on disk, particulars apart", "payload", "1.3 times payload plus 100"), [row])
