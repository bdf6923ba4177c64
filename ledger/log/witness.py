"""A witness: cosigns a log's checkpoint only if it is consistent with the last one it saw. No HTTP in here.

Source: c2sp.org/tlog-witness. The check and its persistence are one transaction in the witness's own SQLite file,
before any answer. A refused checkpoint that the log did sign is kept, because two conflicting ones prove a fork.
"""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ledger.errors import InstanceError, LedgerUnavailableError, NoteError, ProofError
from ledger.log.cosignature import Cosigner
from ledger.log.merkle import EMPTY_ROOT, HASH_BYTES, check_consistency, consistency_roots
from ledger.log.note import Checkpoint, Note, VerifierKey, decode_base64, parse_size

MAX_PROOF_LINES = 63
#: An add-checkpoint body: 63 proof lines and a checkpoint with 16 signatures fit many times over.
MAX_BODY_BYTES = 64 * 1024
#: Anybody may send a checkpoint that the log published with a proof that does not hold; only so many are kept.
MAX_UNPROVEN = 100
SIZE_TYPE = "text/x.tlog.size"

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
class Submission:
    """A parsed add-checkpoint request."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        """The request's body."""
        lines = b"".join(base64.b64encode(line) + b"\n" for line in self.proof)
        return b"old %d\n%s\n%s" % (self.old_size, lines, self.checkpoint)

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read a body.

        Raises:
            NoteError: malformed.
        """
        head, separator, checkpoint = body.partition(b"\n\n")
        lines = head.split(b"\n")
        if len(body) > MAX_BODY_BYTES or not separator or not lines[0].startswith(b"old "):
            raise NoteError(
                "not an add-checkpoint request: want a line `old N`, proof lines, an empty line and a checkpoint",
                "不是 add-checkpoint 请求：应为 `old N` 行、若干证明行、一个空行和检查点",
            )
        if len(lines) - 1 > MAX_PROOF_LINES:
            raise NoteError(
                f"{len(lines) - 1} proof lines, at most {MAX_PROOF_LINES} belong to any tree",
                f"证明多达 {len(lines) - 1} 行，任何树至多 {MAX_PROOF_LINES} 行",
            )
        proof = tuple(decode_base64(line, "proof line") for line in lines[1:])
        for line in proof:
            if len(line) != HASH_BYTES:
                raise NoteError(
                    f"a proof line of {len(line)} bytes, want {HASH_BYTES}",
                    f"证明行为 {len(line)} 字节，应为 {HASH_BYTES} 字节",
                )
        return cls(parse_size(lines[0][len(b"old ") :]), proof, checkpoint)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness answers: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


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


class Witness:
    """One witness with its key, its logs and its state file. Threads may share it.

    Args:
        logs: the verifier keys of the logs it witnesses; a log may have several (an old and a new one).
        now: the witness's own clock.

    Raises:
        InstanceError: there is no state file, or it cannot be read.
    """

    def __init__(
        self,
        path: Path,
        cosigner: Cosigner,
        logs: Sequence[VerifierKey],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.cosigner = cosigner
        self.logs = tuple(logs)
        self._now = now
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
        """Make the state file of a new witness, which has seen nothing.

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

    def seen(self, origin: str) -> Seen | None:
        """The largest cosigned checkpoint of a log."""
        with self._lock:
            return self._seen(origin)

    def cosigned(self, origin: str) -> list[Seen]:
        """Every cosigned checkpoint of a log, smallest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT size, root, note, first_time, last_time FROM cosigned WHERE origin = ? ORDER BY size", (origin,)
            ).fetchall()
        return [Seen(*row) for row in rows]

    def refusals(self) -> list[Refusal]:
        """What was refused though the log signed it, newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT origin, size, root, proven, reason, seen_note, new_note, time FROM refused ORDER BY id DESC"
            ).fetchall()
        return [Refusal(*row) for row in rows]

    def is_red(self, origin: str) -> bool:
        """Whether the log is known to have forked, or has not yet proved itself since it was last refused."""
        seen = self.seen(origin)
        size = seen.size if seen else 0
        return any(r.origin == origin and (r.proven or r.size > size) for r in self.refusals())

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer an add-checkpoint request; the new state is durable before this returns 200.

        Raises:
            LedgerUnavailableError: the state cannot be written; nothing was cosigned.
        """
        try:
            submission = Submission.parse(body)
            note = Note.parse(submission.checkpoint)
            checkpoint = Checkpoint.parse_text(note.text)
        except NoteError as error:
            return _text(400, error.en, error.zh)
        keys = [log for log in self.logs if log.name == checkpoint.origin]
        if not keys:
            return _text(404, f"unknown log {checkpoint.origin}", f"不认识的日志 {checkpoint.origin}")
        try:
            note.verify(keys)
        except NoteError as error:
            return _text(403, error.en, error.zh)
        if submission.old_size > checkpoint.size:
            return _text(400, "the old size is larger than the checkpoint's", "旧大小大于检查点的大小")
        try:
            with self._transaction():
                return self._decide(submission, checkpoint, _signed_by(note, keys))
        except sqlite3.Error as error:
            raise LedgerUnavailableError(
                f"the witness's state cannot be written ({error}); nothing was cosigned. Free disk space and try again",
                f"见证状态无法写入（{error}）；未作见证签名。请腾出磁盘空间后重试",
            ) from error

    def restore(self, notes: Sequence[bytes]) -> int:
        """Take back checkpoints that this witness itself cosigned; return how many were new to it.

        Raises:
            NoteError: not signed by a known log and by this witness.
            ProofError: another root was cosigned for the same size; both are kept as a proven conflict.
        """
        taken = 0
        for data in notes:
            checkpoint, time = self._own(data)
            with self._transaction():
                known = self._at(checkpoint.origin, checkpoint.size)
                if known is None:
                    self._record(checkpoint, data, time)
                    taken += 1
                    continue
                if known.root != checkpoint.root:
                    self._refuse(checkpoint, known, data, True, "two roots for one size")
            if known.root != checkpoint.root:
                raise ProofError(
                    f"{checkpoint.origin}: two roots for size {checkpoint.size}, both cosigned by this witness: its "
                    "state was once lost or its key used elsewhere; both notes are kept, call the supervising office",
                    f"{checkpoint.origin}：大小 {checkpoint.size} 有两个根，均由本见证方签署："
                    "状态曾丢失或密钥被用于别处；两份检查点均已保存，请联系监督机构",
                )
        return taken

    def _own(self, data: bytes) -> tuple[Checkpoint, int]:
        note = Note.parse(data)
        checkpoint = Checkpoint.parse_text(note.text)
        note.verify([log for log in self.logs if log.name == checkpoint.origin])
        key = self.cosigner.key
        for signature in note.signatures:
            if (signature.name, signature.key_id) == (key.name, key.key_id):
                return checkpoint, key.verify(signature.payload, note.text)
        raise NoteError(
            f"the checkpoint of size {checkpoint.size} was not cosigned by {key.name}",
            f"大小为 {checkpoint.size} 的检查点未经 {key.name} 见证",
        )

    def _decide(self, submission: Submission, checkpoint: Checkpoint, signed: bytes) -> Reply:
        seen = self._seen(checkpoint.origin)
        seen_size = seen.size if seen else 0
        stale = Reply(409, SIZE_TYPE, b"%d\n" % seen_size)
        earlier = self._at(checkpoint.origin, checkpoint.size)
        if earlier is not None and earlier.root != checkpoint.root:
            self._refuse(checkpoint, earlier, signed, True, "two roots for one size")
            return stale
        if submission.old_size != seen_size:
            return stale
        try:
            check_consistency(
                seen_size, checkpoint.size, seen.root if seen else EMPTY_ROOT, checkpoint.root, submission.proof
            )
        except ProofError as error:
            if seen is not None and checkpoint.size > seen.size:
                proven = _proves_another_past(submission, checkpoint, seen)
                reason = "its own proof shows another history" if proven else "the proof did not hold"
                self._refuse(checkpoint, seen, signed, proven, reason)
            return _text(422, error.en, error.zh)
        time = int(self._now().timestamp())
        line = self.cosigner.signature_line(checkpoint.text(), time)
        self._record(checkpoint, signed + line, time)
        return Reply(200, "text/plain; charset=utf-8", line)

    def _seen(self, origin: str) -> Seen | None:
        row = self._db.execute(
            "SELECT size, root, note, first_time, last_time FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1",
            (origin,),
        ).fetchone()
        return Seen(*row) if row else None

    def _at(self, origin: str, size: int) -> Seen | None:
        row = self._db.execute(
            "SELECT size, root, note, first_time, last_time FROM cosigned WHERE origin = ? AND size = ?", (origin, size)
        ).fetchone()
        return Seen(*row) if row else None

    def _record(self, checkpoint: Checkpoint, note: bytes, time: int) -> None:
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

    def _refuse(self, checkpoint: Checkpoint, seen: Seen, note: bytes, proven: bool, reason: str) -> None:
        (unproven,) = self._db.execute("SELECT count(*) FROM refused WHERE proven = 0").fetchone()
        if not proven and unproven >= MAX_UNPROVEN:
            return
        self._db.execute(
            "INSERT INTO refused (origin, size, root, proven, reason, seen_note, new_note, time) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET proven = max(proven, excluded.proven), "
            "reason = iif(proven, reason, excluded.reason), seen_note = iif(proven, seen_note, excluded.seen_note), "
            "time = excluded.time",
            (
                checkpoint.origin,
                checkpoint.size,
                checkpoint.root,
                int(proven),
                reason,
                seen.note,
                note,
                int(self._now().timestamp()),
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")  # the commit point: durable from here (synchronous=FULL)
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


def _proves_another_past(submission: Submission, checkpoint: Checkpoint, seen: Seen) -> bool:
    """Whether the proof does lead to the new root, and thereby to another root for the size that was seen.

    Then the new tree itself says what its first ``seen.size`` entries hash to: proof against whoever signed both. Where
    that size is a power of two the proof does not say it, and a rewrite cannot be told from a damaged request.
    """
    try:
        old_root, new_root = consistency_roots(seen.size, checkpoint.size, seen.root, submission.proof)
    except ProofError:
        return False
    return new_root == checkpoint.root and old_root != seen.root


def _signed_by(note: Note, keys: Sequence[VerifierKey]) -> bytes:
    """The note with the log's own signature lines only: what strangers added is not kept."""
    lines = b""
    for signature in note.signatures:
        if any((key.name, key.key_id) == (signature.name, signature.key_id) for key in keys):
            lines += signature.to_bytes()
    return note.text + b"\n" + lines


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


def _text(status: int, en: str, zh: str) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", f"{zh}\n{en}\n".encode())
