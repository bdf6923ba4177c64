"""What the ledger's tests share: a fixed key, a clock and randomness that repeat, logs made with them, an attacker."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.book import Ledger
from ledger.log.note import Checkpoint, Signer
from ledger.log.sequencer import Appended, Draft, Sequencer
from ledger.log.store import Store
from ledger.log.verify import verify_file

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "ledger.example/liandong/shifan"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(ORIGIN, KEY)
VKEY = SIGNER.verifier
OPENED = {"county_zh": "示范县", "county_en": "Shifan (invented)", "software": "tests"}
START = datetime(2026, 11, 23, 2, 3, 4, 123_000, tzinfo=UTC)


def clock(start: datetime = START, step_ms: int = 1_000) -> Callable[[], datetime]:
    """A clock that moves on by ``step_ms`` at each look; negative steps run backwards."""
    ticks = iter(range(10**9))
    return lambda: start + timedelta(milliseconds=step_ms * next(ticks))


def random_source(seed: bytes = b"tests") -> Callable[[int], bytes]:
    """Bytes that look random and are the same in each run."""
    counter = iter(range(10**9))

    def random(count: int) -> bytes:
        return hashlib.shake_256(seed + b"%d" % next(counter)).digest(count)

    return random


def draft(n: int = 0, **more: Any) -> Draft:
    """A draft of a kind that only these tests know."""
    return Draft({"kind": "test.noted", "v": 1, "n": n, **more})


def new_store(path: Path) -> Store:
    return Store.create(path, ORIGIN, ("kind",))


def open_sequencer(path: Path, now: Callable[[], datetime] | None = None) -> Sequencer:
    """A sequencer on the log at ``path``, which is made if there is none. Close both it and its store."""
    store = Store.open(path) if path.exists() else new_store(path)
    return Sequencer(store, SIGNER, now or clock())


def close(sequencer: Sequencer) -> None:
    sequencer.close()
    sequencer._store.close()


def make_log(path: Path, count: int, group: int = 1) -> Path:
    """A log of ``count`` entries ``{"n": 0}, {"n": 1}, …``, committed ``group`` at a time, in one file without WAL."""
    sequencer = open_sequencer(path)
    for start in range(0, count, group):
        for n in range(start, min(start + group, count)):
            sequencer._enqueue(draft(n, note=f"第{n}条 entry 𠮷"))
        sequencer._lead()
    close(sequencer)
    return path


def make_ledger(path: Path, count: int = 3) -> Path:
    """A ledger of ``count`` valid entries; from the second on they are ``batch.ingested`` with particulars."""
    Ledger.create(path, ORIGIN)
    with Ledger(path, KEY, now=clock(), random=random_source()) as book:
        append_some(book, count)
    return path


def append_some(book: Ledger, count: int) -> list[Appended]:
    done = []
    for n in range(count):
        if n == 0:
            done.append(book.append("log.opened", OPENED))
        else:
            particulars = {"file_name": f"甲 {n}.csv", "file_sha256": f"{n:064x}"}
            done.append(book.append("batch.ingested", batch_fields(n), particulars=particulars))
    return done


def batch_fields(n: int = 0) -> dict[str, Any]:
    counts = ("rows_read", "rows_added", "rows_changed", "rows_unchanged", "rows_removed", "rows_set_aside")
    return {
        "batch": f"b{n}",
        "database": "work",
        "table": "permits",
        "mapping": "permits",
        "mapping_digest": "ab" * 32,
        **dict.fromkeys(counts, n),
    }


# -- reading by other code than ours ----------


def rows(path: Path) -> list[tuple[int, bytes, bytes]]:
    """All of (seq, entry bytes, hash), by plain SQL."""
    with Attacker(path) as db:
        return db.execute("SELECT seq, CAST(entry AS BLOB), hash FROM entries ORDER BY seq").fetchall()


def naive_root(leaves: Iterable[bytes]) -> bytes:
    """RFC 6962 §2.1 MTH over leaf hashes, by its definition."""
    hashes = list(leaves)
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + naive_root(hashes[:k]) + naive_root(hashes[k:])).digest()


def check_appended(path: Path, done: list[Appended], *, others: int = 1) -> None:
    """The log verifies, and each acknowledged entry is in it at its place, once; ``others`` were there before."""
    verdict = verify_file(path, VKEY)
    stored = rows(path)
    assert verdict.size == len(stored) == len(done) + others
    assert sorted(item.seq for item in done) == list(range(others, len(stored)))
    for item in done:
        assert stored[item.seq] == (item.seq, item.entry, item.hash)


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


# -- the file's owner ----------


class Attacker:
    """A raw connection of somebody who owns the file: triggers and indexes dropped, anything may be written.

    A careful attacker puts back on leaving what he took away, so the file's schema gives nothing away.
    """

    def __init__(self, path: Path, *, disarm: bool = False) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        self._dropped: list[str] = []
        if disarm:
            self.disarm()

    def __enter__(self) -> sqlite3.Connection:
        return self.db

    def __exit__(self, *_: object) -> None:
        self.rearm()
        self.db.close()

    def disarm(self) -> None:
        for kind, name, sql in self.db.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
        ).fetchall():
            self.db.execute(f"DROP {kind} {name}")
            self._dropped.append(sql)

    def rearm(self) -> None:
        for sql in self._dropped:
            # An index cannot be made over an entry that is no longer JSON, nor a trigger on a table that is gone.
            with contextlib.suppress(sqlite3.OperationalError):
                self.db.execute(sql)
        self._dropped.clear()


def attack(path: Path) -> Attacker:
    """An attacker's connection to ``path``, protections removed."""
    return Attacker(path, disarm=True)


def set_entry(db: sqlite3.Connection, seq: int, entry: bytes, *, rehash: bool = False) -> None:
    """Write any bytes as entry ``seq``; the column stays TEXT as the program writes it."""
    db.execute("UPDATE entries SET entry = CAST(? AS TEXT) WHERE seq = ?", (entry, seq))
    if rehash:
        db.execute("UPDATE entries SET hash = ? WHERE seq = ?", (leaf(entry), seq))


@dataclass
class Forged:
    """What a whole new log looks like when somebody computes it by himself."""

    entries: list[bytes]
    hashes: list[bytes]


def chain(objects: Iterable[dict[str, Any]], origin: str = ORIGIN) -> Forged:
    """Chain ``objects`` as the sequencer would: seq, prev, log and canonical bytes; t is kept where given."""
    forged = Forged([], [])
    for seq, value in enumerate(objects):
        prev = forged.hashes[-1] if forged.hashes else bytes(32)
        full = {"t": f"2026-11-23T02:03:{seq % 60:02d}.000Z", **value, "log": origin, "prev": prev.hex(), "seq": seq}
        entry = orjson.dumps(full, option=orjson.OPT_SORT_KEYS)
        forged.entries.append(entry)
        forged.hashes.append(leaf(entry))
    return forged


def rewrite(path: Path, forged: Forged, signer: Signer | None = None) -> None:
    """Replace all rows by ``forged``, tree nodes included; with ``signer`` the checkpoint too."""
    with attack(path) as db:
        db.execute("BEGIN")
        db.execute("DELETE FROM entries")
        db.execute("DELETE FROM nodes")
        for seq, (entry, value) in enumerate(zip(forged.entries, forged.hashes, strict=True)):
            db.execute("INSERT INTO entries VALUES (?, CAST(? AS TEXT), ?)", (seq, entry, value))
        for level in (8, 16):
            width = 1 << level
            for index in range(len(forged.hashes) // width):
                value = naive_root(forged.hashes[index * width : (index + 1) * width])
                db.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, index, value))
        if signer is not None:
            note = Checkpoint(signer.name, len(forged.entries), naive_root(forged.hashes)).sign(signer)
            db.execute("DELETE FROM checkpoints")
            db.execute("INSERT INTO checkpoints (size, note) VALUES (?, ?)", (len(forged.entries), note.decode()))
        db.execute("COMMIT")


def checkpoint_wal(path: Path) -> None:
    """Bring everything into the one file, as a backup would hold it."""
    with Attacker(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# -- children ----------


def child(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Run Python code in a process of its own, with this repository importable."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a child that must succeed; return what it printed."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out
