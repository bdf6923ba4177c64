"""A witness: cosigns a log's checkpoint only if it is consistent with the last one it saw. No HTTP in here.

Source: c2sp.org/tlog-witness. The check and its persistence are one transaction in the witness's own SQLite file
(:mod:`ledger.log.witness_state`), before any answer. A refused checkpoint that the log did sign is kept, because two
conflicting ones prove a fork.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ledger.errors import NoteError, ProofError
from ledger.log.cosignature import Cosigner
from ledger.log.merkle import EMPTY_ROOT, HASH_BYTES, check_consistency, consistency_roots
from ledger.log.note import Checkpoint, Note, VerifierKey, decode_base64, parse_size
from ledger.log.witness_state import Refusal, Seen, WitnessState

MAX_PROOF_LINES = 63
#: An add-checkpoint body: 63 proof lines and a checkpoint with 16 signatures fit many times over.
MAX_BODY_BYTES = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"


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
        self._state = WitnessState(path)

    @staticmethod
    def create(path: Path) -> None:
        """Make the state file of a new witness. Raises as :meth:`WitnessState.create`."""
        WitnessState.create(path)

    def close(self) -> None:
        self._state.close()

    def seen(self, origin: str) -> Seen | None:
        """The largest cosigned checkpoint of a log."""
        with self._state.reading():
            return self._state.seen(origin)

    def cosigned(self, origin: str) -> list[Seen]:
        """Every cosigned checkpoint of a log, smallest first."""
        with self._state.reading():
            return self._state.cosigned(origin)

    def refusals(self) -> list[Refusal]:
        """What was refused though the log signed it, newest first."""
        with self._state.reading():
            return self._state.refusals()

    def unresolved(self, origin: str) -> Refusal | None:
        """What makes a log red: a refused checkpoint that proves a fork, or one that the log has not outgrown."""
        with self._state.reading():
            seen, refusals = self._state.seen(origin), self._state.refusals()
        size = seen.size if seen else 0
        found = [refusal for refusal in refusals if refusal.origin == origin]
        proven = [refusal for refusal in found if refusal.proven]
        return next(iter([*proven, *(refusal for refusal in found if refusal.size > size)]), None)

    def is_red(self, origin: str) -> bool:
        """Whether the log is known to have forked, or has not yet proved itself since it was last refused."""
        return self.unresolved(origin) is not None

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
            signers = note.verify(keys)
        except NoteError as error:
            return _text(403, error.en, error.zh)
        if submission.old_size > checkpoint.size:
            return _text(400, "the old size is larger than the checkpoint's", "旧大小大于检查点的大小")
        with self._state.transaction():
            if self._are_rotated_away(keys, signers):
                return _text(
                    403,
                    "the key that signed this checkpoint was rotated away: the log has another one since",
                    "签署该检查点的密钥已被更换：台账此后已改用另一把密钥",
                )
            return self._decide(submission, checkpoint, _signed_by(note, keys))

    def restore(self, notes: Sequence[bytes]) -> int:
        """Take back checkpoints that this witness itself cosigned; return how many were new to it.

        Raises:
            NoteError: not signed by a known log and by this witness.
            ProofError: another root was cosigned for the same size; both are kept as a proven conflict.
        """
        taken = 0
        for data in notes:
            checkpoint, time = self._own(data)
            with self._state.transaction():
                known = self._state.at(checkpoint.origin, checkpoint.size)
                if known is None:
                    self._state.record(checkpoint, data, time)
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

    def _are_rotated_away(self, keys: Sequence[VerifierKey], signers: Sequence[VerifierKey]) -> bool:
        """Whether a key that began to sign after all of ``signers`` did has signed a cosigned checkpoint.

        The log's own rotation (log.md L23) makes an old key sign nothing more; whoever signs with it then stole it. The
        order of the lines in a note says nothing: anybody may change it.
        """
        if len(keys) == 1:
            return False
        first = {key: self._state.first_signed(key) for key in keys}
        newest = max((size for size in first.values() if size is not None), default=0)
        return all(size is not None and size < newest for size in map(first.__getitem__, signers))

    def _decide(self, submission: Submission, checkpoint: Checkpoint, signed: bytes) -> Reply:
        seen = self._state.seen(checkpoint.origin)
        seen_size = seen.size if seen else 0
        stale = Reply(409, SIZE_TYPE, b"%d\n" % seen_size)
        earlier = self._state.at(checkpoint.origin, checkpoint.size)
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
        self._state.record(checkpoint, signed + line, time)
        return Reply(200, "text/plain; charset=utf-8", line)

    def _refuse(self, checkpoint: Checkpoint, seen: Seen, note: bytes, proven: bool, reason: str) -> None:
        time = int(self._now().timestamp())
        origin, size, root = checkpoint.origin, checkpoint.size, checkpoint.root
        self._state.refuse(Refusal(origin, size, root, proven, reason, seen.note, note, time))


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


def _text(status: int, en: str, zh: str) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", f"{zh}\n{en}\n".encode())
