"""Between which two instants an entry was made, as witnesses' clocks prove it; the ledger's own ``t`` is not asked.

What follows an anchor in the chain is later than the cosignatures that the anchor holds: nobody could have written them
before. What a cosigned tree holds is earlier than its cosignatures. So each entry lies in ``(lo, hi]``.

Cosignatures count whole seconds, rounded down. ``lo`` is the second as written; ``hi`` is the end of that second.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.errors import LedgerError, NoteError, TamperError
from ledger.log import canonical
from ledger.log.cosignature import MAX_KEPT_TIME, Cosigned, cosigned_at
from ledger.log.merkle import HashReader, tree_root
from ledger.log.note import Checkpoint, Note, parse_size
from ledger.log.policy import Policy
from ledger.log.store import Store, unavailable

ANCHOR = "checkpoint.anchored"
_ALL = 2**62


@dataclass(frozen=True, slots=True)
class Bounds:
    """An entry was made after ``lo`` and not after ``hi``; None where nothing bounds it on that side (yet).

    ``lo_seq`` is the anchor that gives ``lo``, ``hi_size`` the size of the witnessed checkpoint that gives ``hi``.
    """

    lo: datetime | None
    hi: datetime | None
    lo_seq: int | None = None
    hi_size: int | None = None

    @property
    def width(self) -> timedelta | None:
        """How much is uncertain; None where a side is open."""
        return self.hi - self.lo if self.lo is not None and self.hi is not None else None

    @property
    def is_contradictory(self) -> bool:
        """Whether the witnesses' clocks disagree so far that no instant is left: nothing may be concluded then."""
        return self.lo is not None and self.hi is not None and self.lo >= self.hi


@dataclass(frozen=True, slots=True)
class _Claim:
    """A witnessed checkpoint, its signatures not yet checked, with the time by which its first quorum was complete."""

    size: int
    note: bytes
    complete: int


class TimeBounds:
    """Bounds for the entries of one log. Loading reads every anchor and kept checkpoint once, a question O(log n).

    Signatures and roots are checked where an answer rests on them.

    Args:
        reader: the log's tree.
        anchors: (seq, checkpoint) of each ``checkpoint.anchored``, by seq.
        cosigned: the kept cosigned checkpoints, in any order.
    """

    def __init__(
        self, reader: HashReader, policy: Policy, anchors: Sequence[tuple[int, bytes]], cosigned: Iterable[bytes]
    ) -> None:
        self._reader = reader
        self._policy = policy
        self._anchors = [(seq, note) for seq, note in anchors if self._claim(note) is not None]
        self._anchor_seqs = [seq for seq, _ in self._anchors]
        notes = {*cosigned, *(note for _, note in anchors)}
        claims = sorted((claim for note in notes if (claim := self._claim(note))), key=lambda claim: claim.size)
        self._sizes = [claim.size for claim in claims]
        self._earliest: list[_Claim] = []  # of all that cover so many entries, the one complete first
        for claim in reversed(claims):
            better = not self._earliest or claim.complete <= self._earliest[-1].complete
            self._earliest.append(claim if better else self._earliest[-1])
        self._earliest.reverse()

    def bounds(self, seq: int) -> Bounds:
        """The bounds of entry ``seq``.

        ``lo`` is the earliest time in the quorum of the newest anchor before it, ``hi`` the time at which the first
        quorum that covers it was complete. Source: DESIGN §2, "Time is bounded, not believed".

        Raises:
            NoteError: a cosignature that the answer rests on does not verify.
            TamperError: a checkpoint that the answer rests on is not of this log's tree, or is misplaced.
        """
        lo = hi = lo_seq = hi_size = None
        before = bisect_left(self._anchor_seqs, seq)
        if before:
            lo_seq, note = self._anchors[before - 1]
            checkpoint, cosigned = self._open(note)
            if checkpoint.size > lo_seq:
                raise TamperError(
                    f"entry {lo_seq} anchors a checkpoint of {checkpoint.size} entries, more than there were before it",
                    f"第 {lo_seq} 条锚定了涵盖 {checkpoint.size} 条的检查点，多于其前的条数",
                )
            lo = _instant(min(item.time for item in cosigned))
        covering = bisect_right(self._sizes, seq)
        if covering < len(self._sizes):
            claim = self._earliest[covering]
            self._open(claim.note)
            hi, hi_size = _instant(claim.complete) + timedelta(seconds=1), claim.size
        return Bounds(lo, hi, lo_seq, hi_size)

    def _claim(self, note: bytes) -> _Claim | None:
        """What a checkpoint claims, if it would be witnessed; signatures are checked later, by :meth:`_open`."""
        parsed = Note.parse(note)
        keys = {(witness.key.name, witness.key.key_id): witness.key for witness in self._policy.witnesses}
        found = [
            Cosigned(key, cosigned_at(signature.payload))
            for signature in parsed.signatures
            if (key := keys.get((signature.name, signature.key_id))) is not None
        ]
        complete = _complete(self._policy, found)
        if complete is None or not found:
            return None
        return _Claim(parse_size(parsed.text.split(b"\n")[1]), note, complete)

    def _open(self, note: bytes) -> tuple[Checkpoint, tuple[Cosigned, ...]]:
        checkpoint, cosigned = self._policy.open_checkpoint(note)
        root = tree_root(checkpoint.size, self._reader)
        if root != checkpoint.root:
            raise TamperError(
                f"the cosigned checkpoint of size {checkpoint.size} has root {checkpoint.root.hex()}, the ledger "
                f"{root.hex()}: entries before it were rewritten",
                f"大小为 {checkpoint.size} 的见证检查点的根为 {checkpoint.root.hex()}，台账为 {root.hex()}："
                "其前的条目被改写",
            )
        return checkpoint, cosigned


def load(store: Store, policy: Policy) -> TimeBounds:
    """The bounds of the log in ``store``.

    Raises:
        NoteError: an anchor or a kept checkpoint is malformed.
        LedgerUnavailableError: the file cannot be read now.
    """
    try:
        anchors = [_anchor(data) for data in reversed(store.newest(_ALL, where={"kind": ANCHOR}))]
        cosigned = [note for _, note in store.cosigned()]
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error
    return TimeBounds(store, policy, anchors, cosigned)


def _anchor(data: bytes) -> tuple[int, bytes]:
    entry = canonical.decode_object(data)
    seq, note, size, root = (entry.get(name) for name in ("seq", "checkpoint", "size", "root"))
    if not (isinstance(seq, int) and isinstance(note, str)):
        raise LedgerError("an anchor without seq or checkpoint", "锚定条目缺少 seq 或 checkpoint")
    checkpoint = Checkpoint.parse_text(Note.parse(note.encode()).text)
    if (checkpoint.size, checkpoint.root.hex()) != (size, root):
        raise TamperError(
            f"entry {seq} says size {size} and root {root}, the checkpoint in it {checkpoint.size} and "
            f"{checkpoint.root.hex()}",
            f"第 {seq} 条写明大小 {size}、根 {root}，其中的检查点则为 {checkpoint.size}、{checkpoint.root.hex()}",
        )
    return seq, note.encode()


def _complete(policy: Policy, cosigned: Sequence[Cosigned]) -> int | None:
    """The time by which the first quorum among ``cosigned`` was complete."""
    signers = set()
    for item in sorted(cosigned, key=lambda item: item.time):
        signers.add(item.key)
        if policy.is_quorum(signers):
            return item.time
    return None


def _instant(time: int) -> datetime:
    if time >= MAX_KEPT_TIME:
        raise NoteError(f"a cosignature at {time}, after the year 9999", f"见证时间 {time} 在公元 9999 年之后")
    return datetime.fromtimestamp(time, UTC)
