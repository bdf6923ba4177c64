"""What a witness remembers, in an SQLite file of its own: what it cosigned, and what it refused though it was signed.

Whoever changes it does so within :meth:`WitnessState.transaction`: look up, decide and record are one step.
"""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InstanceError, LedgerUnavailableError
from ledger.log.note import Checkpoint, VerifierKey

#: Of each log so many refused checkpoints are kept that prove nothing, and so many that do: anybody may send a
#: published checkpoint with a damaged proof, and whoever holds the log's key may sign forks for ever.
MAX_UNPROVEN = 100
MAX_PROVEN = 100

_SCHEMA = """
CREATE TABLE cosigned (
  origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL,
  first_time INTEGER NOT NULL, last_time INTEGER NOT NULL, PRIMARY KEY (origin, size)
) STRICT, WITHOUT ROWID;
CREATE TABLE refused (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, proven INTEGER NOT NULL,
  reason TEXT NOT NULL, seen_note BLOB NOT NULL, new_note BLOB NOT NULL, time INTEGER NOT NULL,
  UNIQUE (origin, size, root)
) STRICT;
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that a witness cosigned: ``note`` holds the log's signature and its own.

    ``first_time`` and ``last_time`` are POSIX seconds by the witness's clock; the cosignature in ``note`` is the first.
    """

    size: int
    root: bytes
    note: bytes
    first_time: int
    last_time: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A checkpoint that the log signed and this witness refused, beside the one that it had cosigned.

    ``proven``: the two together prove that the log signed two histories. Where it is not, the proof sent with it did
    not hold: either history was rewritten, or somebody sent a damaged request.
    """

    origin: str
    size: int
    root: bytes
    proven: bool
    reason: str
    seen_note: bytes
    new_note: bytes
    time: int


class WitnessState:
    """The file. Threads may share it.

    Raises:
        InstanceError: there is no such file, or it is not a witness's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._db = _connect(path)
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise _bad_state(path, str(error)) from error
        if version != 1:
            self._db.close()
            raise _bad_state(path, f"format {version}, want 1")

    @staticmethod
    def create(path: Path) -> None:
        """Make the file of a new witness, which has seen nothing.

        Raises:
            InstanceError: it exists already, or cannot be written.
        """
        try:
            path.open("xb").close()
            path.chmod(0o600)
            db = _connect(path)
            db.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
            db.close()
        except (OSError, sqlite3.Error) as error:
            raise InstanceError(
                f"the witness's state {path} cannot be made ({error}); choose a new folder that you may write",
                f"无法建立见证状态文件 {path}（{error}）；请另选有写权限的新目录",
            ) from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """While inside, nobody else writes; durable when it is left without an error.

        Raises:
            LedgerUnavailableError: the file cannot be written; nothing was changed.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._db.execute("COMMIT")  # the commit point: durable from here (synchronous=FULL)
                finally:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise LedgerUnavailableError(
                    f"the witness's state cannot be written ({error}); nothing was cosigned. Free disk space and try "
                    "again",
                    f"见证状态无法写入（{error}）；未作见证签名。请腾出磁盘空间后重试",
                ) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While inside, one thread reads.

        Raises:
            LedgerUnavailableError: the file cannot be read.
        """
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise LedgerUnavailableError(
                    f"the witness's state {self._path} cannot be read ({error}); restore it from a backup or with "
                    "`liandong witness import`",
                    f"无法读取见证状态 {self._path}（{error}）；请从备份恢复，或用 `liandong witness import` 恢复",
                ) from error

    # -- within `transaction` or `reading` ----------

    def seen(self, origin: str) -> Seen | None:
        """The largest cosigned checkpoint of a log."""
        row = self._db.execute(
            "SELECT size, root, note, first_time, last_time FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1",
            (origin,),
        ).fetchone()
        return Seen(*row) if row else None

    def at(self, origin: str, size: int) -> Seen | None:
        """The cosigned checkpoint of just this size."""
        row = self._db.execute(
            "SELECT size, root, note, first_time, last_time FROM cosigned WHERE origin = ? AND size = ?", (origin, size)
        ).fetchone()
        return Seen(*row) if row else None

    def cosigned(self, origin: str) -> list[Seen]:
        """Every cosigned checkpoint of a log, smallest first."""
        rows = self._db.execute(
            "SELECT size, root, note, first_time, last_time FROM cosigned WHERE origin = ? ORDER BY size", (origin,)
        ).fetchall()
        return [Seen(*row) for row in rows]

    def refusals(self) -> list[Refusal]:
        """What was refused though the log signed it, newest first."""
        rows = self._db.execute(
            "SELECT origin, size, root, proven, reason, seen_note, new_note, time FROM refused ORDER BY id DESC"
        ).fetchall()
        return [Refusal(row[0], row[1], row[2], bool(row[3]), *row[4:]) for row in rows]

    def first_signed(self, key: VerifierKey) -> int | None:
        """The size of the smallest cosigned checkpoint of ``key``'s log that ``key`` signed."""
        # The first five characters of base64 hold 30 of the key id's 32 bits, and nothing of the signature.
        line = f"\n— {key.name} {base64.b64encode(key.key_id)[:5].decode()}".encode()
        sql = "SELECT size FROM cosigned WHERE origin = ? AND instr(note, ?) ORDER BY size LIMIT 1"
        row = self._db.execute(sql, (key.name, line)).fetchone()
        return row[0] if row else None

    def record(self, checkpoint: Checkpoint, note: bytes, time: int) -> None:
        """Take note of a cosigned checkpoint; of the same one again only the time."""
        self._db.execute(
            "INSERT INTO cosigned VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (origin, size) DO UPDATE SET last_time = excluded.last_time",
            (checkpoint.origin, checkpoint.size, checkpoint.root, note, time, time),
        )
        # What was refused for a damaged proof alone, and is proved now, was no fault of the log's.
        self._db.execute(
            "DELETE FROM refused WHERE proven = 0 AND origin = ? AND size = ? AND root = ?",
            (checkpoint.origin, checkpoint.size, checkpoint.root),
        )

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refused checkpoint, unless there are more of its log than are of use."""
        if not self._has_room(refusal):
            return
        self._db.execute(
            "INSERT INTO refused (origin, size, root, proven, reason, seen_note, new_note, time) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET proven = max(proven, excluded.proven), "
            "reason = iif(proven, reason, excluded.reason), seen_note = iif(proven, seen_note, excluded.seen_note), "
            "time = excluded.time",
            (
                refusal.origin,
                refusal.size,
                refusal.root,
                int(refusal.proven),
                refusal.reason,
                refusal.seen_note,
                refusal.new_note,
                refusal.time,
            ),
        )

    def _has_room(self, refusal: Refusal) -> bool:
        """The first proofs stay; of what proves nothing, what the log has outgrown gives way, oldest first."""
        origin, proven = refusal.origin, int(refusal.proven)
        sql = "SELECT count(*) FROM refused WHERE origin = ? AND proven = ? AND (size, root) <> (?, ?)"
        (count,) = self._db.execute(sql, (origin, proven, refusal.size, refusal.root)).fetchone()
        if count < (MAX_PROVEN if proven else MAX_UNPROVEN):
            return True
        if proven:
            return False
        seen = self.seen(origin)
        outgrown = "SELECT min(id) FROM refused WHERE origin = ? AND proven = 0 AND size <= ?"
        cursor = self._db.execute(
            f"DELETE FROM refused WHERE id = ({outgrown})",  # noqa: S608
            (origin, seen.size if seen else 0),
        )
        return cursor.rowcount == 1  # else all of them are larger than what was cosigned: the page is red already


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _bad_state(path: Path, why: str) -> InstanceError:
    return InstanceError(
        f"the witness's state {path} cannot be opened ({why}); restore it, never start it empty: an empty witness "
        "cosigns whatever it is shown first",
        f"无法打开见证状态文件 {path}（{why}）；请恢复该文件，切勿以空文件启动："
        "没有记录的见证方会签署最先看到的任何检查点",
    )
