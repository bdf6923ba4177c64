"""Keeps a ledger witnessed: when to push, what to do with what comes back, and what to say when it does not.

Witnesses never hold up an append: all of this runs beside the sequencer, on a connection of its own. Where a quorum
is overdue that too goes into the ledger, as ``fault.raised``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger import once
from ledger.book import Ledger
from ledger.errors import ConflictError, InstanceError, NoteError, RollbackError
from ledger.log.cadence import next_push, next_retry
from ledger.log.cosignature import Cosigned
from ledger.log.note import Checkpoint, Note, VerifierKey
from ledger.log.policy import Policy
from ledger.log.push import (
    Outcome,
    Pusher,
    SendTo,
    State,
    check_root,
    keep_cosigned,
    newest_checkpoint,
    post,
    submission,
)
from ledger.log.sequencer import Appended
from ledger.log.store import Store, unavailable

#: The instance's policy: a file of this name in its folder.
POLICY_FILE = "witnesses.policy"
ANCHOR = "checkpoint.anchored"
FAULT = "fault.raised"
OVERDUE = timedelta(hours=1)
#: Where a quorum needs a witness without a network, who signs by file each working day: a weekend and a day of grace.
OVERDUE_BY_FILE = timedelta(days=4)
#: Entries that the keeper itself writes: they need no witness of their own to come.
_OWN_KINDS = frozenset({ANCHOR, FAULT})


def load_policy(path: Path, log_key: VerifierKey) -> Policy:
    """Read the policy of the log with ``log_key``.

    Raises:
        InstanceError: the file cannot be read.
        NoteError: malformed, or it does not name this log's key.
    """
    try:
        policy = Policy.parse(path.read_bytes())
    except OSError as error:
        raise InstanceError(
            f"the witness policy {path} cannot be read ({error.strerror}); write one, see docs/spec/witness.md",
            f"无法读取见证策略 {path}（{error.strerror}）；请按 docs/spec/witness.md 编写",
        ) from error
    if log_key not in policy.logs:
        raise NoteError(
            f"the witness policy {path} does not name this ledger's key; add the line `log {log_key}`",
            f"见证策略 {path} 未列本台账的公钥；请添加一行 `log {log_key}`",
        )
    return policy


class Keeper:
    """Pushes, anchors and watches, for one open ledger. One thread at a time calls it.

    Args:
        now: the wall clock, timezone-aware.
        due_instants: which instants around a given time have something fall due.
        overdue: how long an entry may wait for a quorum before that is a fault; None: an hour, or four days where the
            quorum needs a witness without an address.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        send: SendTo = post,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        due_instants: Callable[[datetime], Collection[datetime]] = lambda _: (),
        overdue: timedelta | None = None,
    ) -> None:
        self._ledger = ledger
        self._policy = policy
        self._now = now
        self._due_instants = due_instants
        online = policy.is_quorum({witness.key for witness in policy.witnesses if witness.url})
        self._overdue = overdue or (OVERDUE if online else OVERDUE_BY_FILE)
        self._store = Store.open(ledger.path)
        self._pusher = Pusher(Store.open(ledger.path), ledger.verifier_key, policy, send)
        self._last_push: datetime | None = None
        self._failures = 0
        self._failed_at: datetime | None = None
        self._hindered = 0  # pushes in a row that the ledger's own file prevented, the last at _hindered_at
        self._hindered_at: datetime | None = None
        self._unanchored: int | None = None  # a size that some witness cosigned, and that was not anchored yet
        self._troubled: set[tuple[str, str]] = set()

    def close(self) -> None:
        self._pusher.close()
        self._store.close()

    def start(self) -> tuple[Outcome, ...]:
        """The first push, before any append: no reachable witness may have more, or another history (invariant I2).

        Raises:
            RollbackError: a witness has seen more entries than there are, or another history.
            TamperError: the stored tree is not what was signed.
        """
        outcomes = self._push(self._now())
        for outcome in outcomes:
            if outcome.state in (State.AHEAD, State.CONFLICT):
                raise RollbackError(outcome.en, outcome.zh)
        self._after(outcomes)
        return outcomes

    def step(self) -> tuple[Outcome, ...]:
        """Do what is due now: push, ask again, anchor, raise a fault; return what came of asking.

        Raises:
            TamperError: the stored tree is not what was signed; no witness was asked.
            LedgerUnavailableError: the ledger cannot be read or written now.
        """
        now = self._now()
        outcomes: tuple[Outcome, ...] = ()
        due = next_push(now, self._last_push, self.new_entries(), self._due_instants(now)) <= now
        if due and (self._hindered_at is None or next_retry(self._hindered_at, self._hindered) <= now):
            outcomes = self._push(now)
        elif self._pusher.unreached and self._failed_at and next_retry(self._failed_at, self._failures) <= now:
            outcomes = self._pusher.retry()
            self._count_failures(now)
        self._after(outcomes)
        return outcomes

    def new_entries(self) -> int:
        """Entries since the last push, anchors not counted."""
        pushed = self._pusher.pushed_size
        try:
            return self._store.head().size - pushed - self._store.count(pushed, "kind", ANCHOR)
        except sqlite3.Error as error:
            raise unavailable(self._ledger.path, error) from error

    def _size(self) -> int:
        try:
            return self._store.head().size
        except sqlite3.Error as error:
            raise unavailable(self._ledger.path, error) from error

    def _push(self, now: datetime) -> tuple[Outcome, ...]:
        self._hindered += 1  # until it went well
        self._hindered_at = now
        outcomes = self._pusher.push()
        self._hindered, self._hindered_at = 0, None
        self._last_push = now
        self._failures = 0
        self._count_failures(now)
        return outcomes

    def _count_failures(self, now: datetime) -> None:
        self._failures = self._failures + 1 if self._pusher.unreached else 0
        self._failed_at = now

    def _after(self, outcomes: tuple[Outcome, ...]) -> None:
        if any(outcome.state is State.COSIGNED for outcome in outcomes):
            self._unanchored = outcomes[0].size
        if self._unanchored is not None:
            anchor(self._ledger, self._store, self._policy, self._unanchored)
            self._unanchored = None
        for outcome in outcomes:
            self._note_trouble(outcome)
        self._watch_quorum()

    def _note_trouble(self, outcome: Outcome) -> None:
        """One fault when a witness begins to refuse, not one at each push; one when it forgot what it cosigned."""
        if outcome.state in (State.REFUSED, State.CONFLICT, State.AHEAD):
            self._fault_once(outcome, outcome.state.value)
        elif outcome.state is State.COSIGNED:
            self._troubled = {mark for mark in self._troubled if mark[0] != outcome.witness}
        if outcome.forgot:
            self._fault_once(outcome, "forgot")

    def _fault_once(self, outcome: Outcome, what: str) -> None:
        mark = (outcome.witness, what)
        if mark not in self._troubled:
            self._ledger.append(FAULT, {"what": f"witness.{what}", "observed": outcome.en[:500]})
            self._troubled.add(mark)

    def _watch_quorum(self) -> None:
        if self._policy.is_quorum(()):
            return  # `quorum none`: nobody is waited for
        size = anchored_size(self._ledger)
        waiting = self._first_waiting(size)
        if waiting is None or self._now() - waiting <= self._overdue or self._raised_since(size):
            return
        self._ledger.append(
            FAULT,
            {
                "what": "witness.overdue",
                "observed": f"no quorum since size {size}; entries wait since {waiting.isoformat()}",
                "expected": f"a quorum of witnesses within {int(self._overdue.total_seconds())} s",
            },
        )

    def _first_waiting(self, size: int) -> datetime | None:
        """The time of the first entry from ``size`` on that is not the keeper's own."""
        for seq in range(size, self._size()):
            entry = self._ledger.entry(seq)
            if entry["kind"] not in _OWN_KINDS:
                return datetime.fromisoformat(str(entry["t"]))
        return None

    def _raised_since(self, size: int) -> bool:
        faults = self._ledger.newest(100, where={"kind": FAULT})
        return any(fault["what"] == "witness.overdue" and fault["seq"] >= size for fault in faults)


def anchored_size(ledger: Ledger) -> int:
    """The size of the newest witnessed checkpoint that is in the ledger itself; 0 where there is none."""
    newest = ledger.newest(1, where={"kind": ANCHOR})
    return int(newest[0]["size"]) if newest else 0


def anchor(ledger: Ledger, store: Store, policy: Policy, size: int) -> Appended | None:
    """Append the kept checkpoint of ``size`` as ``checkpoint.anchored`` if it is witnessed and none so large is there.

    Raises:
        LedgerError: the kept checkpoint does not verify, or the ledger cannot be written.
    """
    try:
        note = store.checkpoint_of(size)
        if note is None or anchored_size(ledger) >= size:
            return None
        checkpoint, cosigned = policy.open_checkpoint(note)
        if not policy.is_quorum({item.key for item in cosigned}):
            return None
        check_root(store, checkpoint)
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error
    try:
        return ledger.append(ANCHOR, _anchor_fields(checkpoint, cosigned, note), once=[once.anchor(size)])
    except ConflictError:
        return None  # another process of this ledger was quicker


def _anchor_fields(checkpoint: Checkpoint, cosigned: tuple[Cosigned, ...], note: bytes) -> dict[str, object]:
    return {
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigners": [item.key.name for item in cosigned],
        "cosigned_at": [item.time for item in cosigned],
        "checkpoint": note.decode(),
    }


def export_submission(store: Store, log_key: VerifierKey, policy: Policy, witness: str, old: int | None) -> bytes:
    """What an office without a network is handed: the add-checkpoint request for the newest checkpoint.

    Args:
        witness: its name in the policy.
        old: the size that the witness has; None for the largest that it is known to have cosigned.

    Raises:
        NoteError: the policy has no such witness.
        LedgerError: the ledger is empty, or damaged.
    """
    found = newest_checkpoint(store, log_key)
    key = next((item.key for item in policy.witnesses if item.name == witness), None)
    if key is None or found is None:
        known = ", ".join(item.name for item in policy.witnesses)
        raise NoteError(
            f"the policy has no witness {witness!r} (it has {known}), or the ledger is still empty",
            f"策略中没有见证方 {witness!r}（现有 {known}），或台账尚无条目",
        )
    if old is None:
        old = 0
        for size, note in store.cosigned():
            if any((key.name, key.key_id) == (s.name, s.key_id) for s in Note.parse(note).signatures):
                old = size
                break
    return submission(store, old, *found)


def import_cosigned(ledger: Ledger, store: Store, policy: Policy, note: bytes) -> tuple[Checkpoint, Appended | None]:
    """Take the checkpoint that an office without a network cosigned; return it, and the anchor if that made a quorum.

    Raises:
        NoteError: not of this log, a signature does not verify, or no witness of the policy cosigned it.
        TamperError: it is not of this ledger's tree.
    """
    checkpoint, cosigned = policy.open_checkpoint(note)
    if checkpoint.origin != ledger.origin or not cosigned:
        raise NoteError(
            "no witness of the policy cosigned this checkpoint, or it is another log's; take the file that "
            "`liandong witness sign` wrote",
            "策略中没有见证方签署过该检查点，或其属于其他台账；请使用 `liandong witness sign` 写出的文件",
        )
    keep_cosigned(store, checkpoint, _known_only(note, policy), [item.key for item in cosigned])
    return checkpoint, anchor(ledger, store, policy, checkpoint.size)


def _known_only(note: bytes, policy: Policy) -> bytes:
    """The checkpoint with the signatures of the policy's logs and witnesses: what strangers added is not kept."""
    parsed = Note.parse(note)
    known = {(key.name, key.key_id) for key in policy.logs}
    known |= {(witness.key.name, witness.key.key_id) for witness in policy.witnesses}
    lines = [line.to_bytes() for line in parsed.signatures if (line.name, line.key_id) in known]
    return parsed.text + b"\n" + b"".join(lines)
