"""Appends against bare SQLite commits, and verification against a bare hashing loop, in one run."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from pathlib import Path

from bench.rounds import Sample, interleave, table
from ledger import Instance, Ledger, Settings
from ledger.entries import check_entry
from ledger.log.verify import verify_file

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


def run(folder: Path, rounds: int, entries: int) -> str:
    """Measure and return a Markdown report."""
    instance = Instance.create(
        folder / "log", Settings("bench.example/log", "测试", "Bench", "http://bench", demo=True)
    )
    with instance.ledger() as ledger:
        bare = _bare_commits(folder / "bare.db", entries)
        sides = {
            "bare": bare,
            "one": lambda: _one_by_one(ledger, entries),
            "tasks": lambda: _tasks(ledger, entries, 64),
        }
        results = interleave(sides, rounds)
        size = ledger.newest(1)[0]["seq"] + 1
    verify = interleave(
        {
            "hash": lambda: _hash_loop(instance.ledger_path),
            "verify": lambda: _verify(instance, size, with_schema=False),
            "schema": lambda: _verify(instance, size, with_schema=True),
        },
        rounds,
    )
    rows = [
        ("one-row SQLite commit, WAL, synchronous=FULL", f"{results['bare'].per_second:.0f}/s", "1.00"),
        _ratio(
            "append, 1 submitter (with 2 sealed particulars)", results["one"].per_second, results["bare"].per_second
        ),
        _ratio("append, 64 asyncio tasks", results["tasks"].per_second, results["bare"].per_second),
        (f"bare SHA-256 loop over the same {size} entries", f"{verify['hash'].per_second:.0f}/s", "1.00"),
        _ratio("verify: chain, tree, checkpoints", verify["verify"].per_second, verify["hash"].per_second),
        _ratio("verify with schemas", verify["schema"].per_second, verify["hash"].per_second),
    ]
    return table(("what", "rate", "ratio"), rows)


def _ratio(name: str, ours: float, theirs: float) -> tuple[str, str, str]:
    return name, f"{ours:.0f}/s", f"{ours / theirs:.2f}"


def _bare_commits(path: Path, entries: int):  # type: ignore[no-untyped-def]
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, entry TEXT, hash BLOB)")

    def side() -> Sample:
        started = time.perf_counter()
        for _ in range(entries):
            db.execute("INSERT INTO t (entry, hash) VALUES (?, ?)", ("x" * 420, bytes(32)))
        return Sample(entries / (time.perf_counter() - started))

    return side


def _one_by_one(ledger: Ledger, entries: int) -> Sample:
    started = time.perf_counter()
    for _ in range(entries):
        ledger.append("query.served", FIELDS, particulars=PARTICULARS)
    return Sample(entries / (time.perf_counter() - started))


def _tasks(ledger: Ledger, entries: int, tasks: int) -> Sample:
    async def task() -> None:
        for _ in range(entries // tasks * 4):
            await ledger.append_async("query.served", FIELDS, particulars=PARTICULARS)

    async def all_tasks() -> None:
        await asyncio.gather(*(task() for _ in range(tasks)))

    started = time.perf_counter()
    asyncio.run(all_tasks())
    return Sample(entries // tasks * 4 * tasks / (time.perf_counter() - started))


def _hash_loop(path: Path) -> Sample:
    db = sqlite3.connect(path)
    db.text_factory = bytes
    entries = [entry for (entry,) in db.execute("SELECT entry FROM entries ORDER BY seq")]
    db.close()
    started = time.perf_counter()
    for entry in entries:
        hashlib.sha256(b"\0" + entry).digest()
    return Sample(len(entries) / (time.perf_counter() - started))


def _verify(instance: Instance, size: int, *, with_schema: bool) -> Sample:
    key = instance.verifier_key()
    started = time.perf_counter()
    verify_file(instance.ledger_path, key, check_entry if with_schema else None)
    return Sample(size / (time.perf_counter() - started))
