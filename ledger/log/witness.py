"""A witness: cosigns a log's checkpoint only if it is consistent with the last one it saw. No HTTP in here.

Source: c2sp.org/tlog-witness. The check and its persistence are one transaction in the witness's own SQLite file,
before any answer; a refused checkpoint that the log did sign is kept, because two conflicting ones prove a fork.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ledger.errors import InstanceError, LedgerUnavailableError, NoteError, ProofError
from ledger.log.cosignature import Cosigner
from ledger.log.merkle import HASH_BYTES, check_consistency
from ledger.log.note import Checkpoint, Note, VerifierKey, decode_base64, parse_size

MAX_PROOF_LINES = 63
#: An add-checkpoint body: 63 proof lines and a checkpoint with 16 signatures fit many times over.
MAX_BODY_BYTES = 64 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS latest (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS conflicts (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, reason TEXT NOT NULL, seen_note BLOB NOT NULL, new_note BLOB NOT NULL,
  time INTEGER NOT NULL
) STRICT;
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
            raise NoteError("not an add-checkpoint request", "不是 add-checkpoint 请求")
        if len(lines) - 1 > MAX_PROOF_LINES:
            raise NoteError(f"{len(lines) - 1} proof lines, at most {MAX_PROOF_LINES}", "证明行过多")
        proof = tuple(decode_base64(line, "proof line") for line in lines[1:])
        if any(len(line) != HASH_BYTES for line in proof):
            raise NoteError("proof lines have 32 bytes", "证明行应为 32 字节")
        return cls(parse_size(lines[0][len(b"old ") :]), proof, checkpoint)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness answers: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """The last checkpoint that a witness cosigned for a log, at POSIX ``time`` (seconds)."""

    size: int
    root: bytes
    note: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two signed checkpoints of one log that cannot both be of it."""

    origin: str
    reason: str
    seen_note: bytes
    new_note: bytes
    time: int


class Witness:
    """One witness with its key, its logs and its state file.

    Args:
        now: the witness's own clock.
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
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InstanceError(
                f"the witness's state {path} cannot be opened ({error}); restore it, never start it empty: "
                "an empty witness cosigns whatever it is shown first",
                f"无法打开见证状态文件 {path}（{error}）；请恢复该文件，切勿以空文件启动",
            ) from error

    def close(self) -> None:
        self._db.close()

    def seen(self, origin: str) -> Seen | None:
        """The last cosigned checkpoint of a log."""
        row = self._db.execute("SELECT size, root, note, time FROM latest WHERE origin = ?", (origin,)).fetchone()
        return Seen(*row) if row else None

    def conflicts(self) -> list[Conflict]:
        """What was refused though the log signed it, newest first."""
        rows = self._db.execute("SELECT origin, reason, seen_note, new_note, time FROM conflicts ORDER BY id DESC")
        return [Conflict(*row) for row in rows]

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
            return _text(400, error.en)
        key = next((log for log in self.logs if log.name == checkpoint.origin), None)
        if key is None:
            return _text(404, f"this witness does not know the log {checkpoint.origin}")
        try:
            note.verify([key])
        except NoteError as error:
            return _text(403, error.en)
        if submission.old_size > checkpoint.size:
            return _text(400, "the old size is larger than the checkpoint's")
        try:
            with self._transaction():
                return self._decide(submission, checkpoint, note)
        except sqlite3.Error as error:
            raise LedgerUnavailableError(
                f"the witness's state cannot be written ({error}); nothing was cosigned",
                f"见证状态无法写入（{error}）；未作见证签名",
            ) from error

    def _decide(self, submission: Submission, checkpoint: Checkpoint, note: Note) -> Reply:
        seen = self.seen(checkpoint.origin)
        seen_size = seen.size if seen else 0
        if submission.old_size != seen_size:
            if seen is not None and checkpoint.size == seen.size and checkpoint.root != seen.root:
                self._keep_conflict(checkpoint, "two roots for one size", seen, submission)
            return Reply(409, "text/x.tlog.size", b"%d\n" % seen_size)
        if seen is not None and checkpoint.size == seen.size:
            if submission.proof:
                return _text(422, "a proof from a size to itself is empty")
            if checkpoint.root != seen.root:
                self._keep_conflict(checkpoint, "two roots for one size", seen, submission)
                return Reply(409, "text/x.tlog.size", b"%d\n" % seen_size)
        else:
            try:
                self._check_growth(submission, checkpoint, seen)
            except ProofError as error:
                if seen is not None:
                    self._keep_conflict(checkpoint, "not an extension of what was seen", seen, submission)
                return _text(422, error.en)
        time = int(self._now().timestamp())
        line = self.cosigner.signature_line(note.text, time)
        self._db.execute(
            "INSERT INTO latest VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
            "size = excluded.size, root = excluded.root, note = excluded.note, time = excluded.time",
            (checkpoint.origin, checkpoint.size, checkpoint.root, submission.checkpoint, time),
        )
        return Reply(200, "text/plain; charset=utf-8", line)

    @staticmethod
    def _check_growth(submission: Submission, checkpoint: Checkpoint, seen: Seen | None) -> None:
        if seen is None or seen.size == 0:
            if submission.proof:
                raise ProofError("a proof from size 0 is empty", "自大小 0 起的证明应为空")
            return
        check_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, submission.proof)

    def _keep_conflict(self, checkpoint: Checkpoint, reason: str, seen: Seen, submission: Submission) -> None:
        known = self._db.execute("SELECT 1 FROM conflicts WHERE new_note = ?", (submission.checkpoint,)).fetchone()
        if not known:
            self._db.execute(
                "INSERT INTO conflicts (origin, reason, seen_note, new_note, time) VALUES (?, ?, ?, ?, ?)",
                (checkpoint.origin, reason, seen.note, submission.checkpoint, int(self._now().timestamp())),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _text(status: int, message: str) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", message.encode() + b"\n")
