"""The only writer of a log: group commit, chain, tree and signed checkpoint in one durable transaction.

Callers queue drafts; whoever gets the commit lock next becomes the leader, takes all that is queued and commits it
as one group. The head is read inside ``BEGIN IMMEDIATE``, so several processes on one machine share one log. Nothing
is acknowledged before its commit (invariant I1), and two roots are never signed for one size, because the signature
is part of the same transaction (I3).
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ledger.errors import CanonicalError, ConflictError, LedgerError, LedgerUnavailableError, TamperError
from ledger.log import canonical
from ledger.log.commitment import Sealed
from ledger.log.merkle import Frontier, leaf_hash
from ledger.log.note import Checkpoint, Signer, open_checkpoint
from ledger.log.store import EMPTY_HEAD, Head, Store, unavailable

#: Fields that only the sequencer writes.
CHAIN_FIELDS = frozenset({"log", "prev", "seq", "t"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants appended.

    Attributes:
        fields: the entry's own fields, canonical values, none of :data:`CHAIN_FIELDS`.
        sealed: particulars whose commitments ``fields`` holds.
        once: keys of which none may have been used before (idempotency keys, nonces).
    """

    fields: Mapping[str, canonical.Value]
    sealed: tuple[Sealed, ...] = ()
    once: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """An acknowledged entry: durable when this exists."""

    seq: int
    entry: bytes
    hash: bytes


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    result: Future[Appended] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # From here on cancel() has no effect: a waiter that gives up cannot upset the group it waits with.
        self.result.set_running_or_notify_cancel()


class Sequencer:
    """Appends drafts to ``store``, signing as ``signer``.

    Args:
        now: the wall clock, timezone-aware; read once per group, inside the lock.
    """

    def __init__(self, store: Store, signer: Signer, now: Callable[[], datetime]) -> None:
        self._store = store
        self._signer = signer
        self._now = now
        self._origin = store.origin
        if signer.name != self._origin:
            raise LedgerError(
                f"the signing key is named {signer.name!r}, the log {self._origin!r}; use the log's own key",
                f"签名密钥名为 {signer.name!r}，日志名为 {self._origin!r}；请使用该日志自己的密钥",
            )
        self._queue: list[_Waiting] = []  # guarded by _queue_lock
        self._queue_lock = threading.Lock()
        self._commit_lock = threading.Lock()  # held by the leader; owns _store, _head and _frontier
        self._head: Head | None = None  # None: not read yet, or not to be trusted
        self._frontier = Frontier()
        # One thread serves every asyncio caller; threads that append for themselves lead their own commits.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ledger-sequencer")
        self._closed = False

    def append(self, draft: Draft) -> Appended:
        """Append one entry and return when it is durable. Any thread may call this.

        Raises:
            ConflictError: a key in ``once`` was used before.
            CanonicalError: the entry is not canonical or is over 65,535 bytes.
            LedgerUnavailableError: locked, read-only, disk full, I/O error; nothing was written.
            TamperError: the stored head is not what the newest checkpoint signed; nothing was written.
        """
        waiting = self._enqueue(draft)
        with self._commit_lock:
            if not waiting.result.done():
                self._commit_group()
        return waiting.result.result()

    async def append_async(self, draft: Draft) -> Appended:
        """:meth:`append` for asyncio: waits without blocking the loop. Raises the same."""
        waiting = self._enqueue(draft, lead=True)
        future = asyncio.wrap_future(waiting.result)
        # Shielded: a client that hangs up must not cancel an entry that is being committed.
        return await asyncio.shield(future)

    def close(self) -> None:
        """Commit what is queued and refuse what comes later."""
        with self._queue_lock:
            self._closed = True
        self._executor.shutdown(wait=True)
        self._lead()

    def _enqueue(self, draft: Draft, *, lead: bool = False) -> _Waiting:
        waiting = _Waiting(draft)
        with self._queue_lock:
            if self._closed:
                raise LedgerUnavailableError(
                    "the ledger is closing; nothing was recorded, try again when the service is back",
                    "台账正在关闭；未作记录，请待服务恢复后重试",
                )
            self._queue.append(waiting)
            if lead:  # under the lock: after close() the executor would refuse, though the entry is committed
                self._executor.submit(self._lead)
        return waiting

    def _lead(self) -> None:
        with self._commit_lock:
            self._commit_group()

    def _commit_group(self) -> None:
        with self._queue_lock:
            group, self._queue = self._queue, []
        if not group:
            return
        try:
            for waiting, outcome in self._write(group):
                if isinstance(outcome, Appended):
                    waiting.result.set_result(outcome)
                else:
                    waiting.result.set_exception(outcome)
        except sqlite3.Error as error:
            self._fail(group, unavailable(self._store.path, error))
        except BaseException as error:
            # A bug or an interrupt must not leave callers waiting for ever; it goes on up after they are told. An
            # interrupt is this thread's alone, and it may have struck after the commit.
            self._fail(group, error if isinstance(error, Exception) else _interrupted())
            raise

    def _fail(self, group: Sequence[_Waiting], error: BaseException) -> None:
        self._head = None  # read it anew: what the failed transaction left is not to be trusted
        try:
            self._store.rollback()
        except sqlite3.Error:
            pass  # the callers learn of the first error; the next group's begin() tries the rollback again
        finally:
            for waiting in group:
                if not waiting.result.done():
                    waiting.result.set_exception(error)

    def _write(self, group: Sequence[_Waiting]) -> list[tuple[_Waiting, Appended | LedgerError]]:
        store = self._store
        store.rollback()  # only where an earlier rollback failed
        store.begin()
        head, frontier = self._current_head()
        t = _timestamp(self._now(), head)
        outcomes: list[tuple[_Waiting, Appended | LedgerError]] = []
        for waiting in group:
            draft = waiting.draft
            try:
                self._check_once(draft)
                entry = self._compose(draft, head, t)
            except (ConflictError, CanonicalError) as error:  # this caller's alone; the others go on
                outcomes.append((waiting, error))
                continue
            head = Head(head.seq + 1, leaf_hash(entry), entry)
            store.add_entry(head.seq, entry, head.hash)
            store.add_nodes(frontier.append(head.hash))
            if draft.once:
                store.add_once(sorted(set(draft.once)), head.seq)
            if draft.sealed:
                store.add_particulars(head.seq, draft.sealed)
            outcomes.append((waiting, Appended(head.seq, entry, head.hash)))
        if not any(isinstance(outcome, Appended) for _, outcome in outcomes):
            store.rollback()  # every draft was refused: there is nothing to sign
            return outcomes
        checkpoint = Checkpoint(self._origin, head.size, frontier.root())
        store.put_checkpoint(head.size, checkpoint.sign(self._signer))
        store.commit()  # the commit point: durable from here (synchronous=FULL)
        self._head, self._frontier = head, frontier
        return outcomes

    def _current_head(self) -> tuple[Head, Frontier]:
        """The head, read under the write lock, and its frontier: cached unless another process appended."""
        head = self._store.head()
        if self._head is not None and (head.seq, head.hash) == (self._head.seq, self._head.hash):
            return head, self._frontier.copy()
        frontier = Frontier.load(head.size, self._store)
        self._check_signed(head, frontier)
        self._head, self._frontier = head, frontier.copy()
        return head, frontier

    def _check_signed(self, head: Head, frontier: Frontier) -> None:
        """Refuse to sign on top of hashes that the log itself did not sign: an edit must not be laundered.

        Costs one signature check, at the first append and after another process appended.
        """
        found = self._store.checkpoint()
        if found is None and head == EMPTY_HEAD:
            return
        signed = open_checkpoint(found[1], self._signer.verifier) if found else None
        if (
            signed is None
            or (signed.size, signed.root) != (head.size, frontier.root())
            or leaf_hash(head.entry) != head.hash
        ):
            raise TamperError(
                f"the ledger's head (entry {head.seq}) is not what its newest checkpoint signed: stored bytes were "
                "altered, nothing is appended to them; run `liandong ledger verify`",
                f"台账末条（第 {head.seq} 条）与最新检查点所签内容不符：所存字节被改动，不再追加；"
                "请运行 `liandong ledger verify`",
            )

    def _check_once(self, draft: Draft) -> None:
        canonical.encode(list(draft.once))  # text that cannot be encoded is this caller's error alone
        for key in draft.once:
            seq = self._store.once_seq(key)
            if seq is not None:
                raise ConflictError(
                    f"already recorded as entry {seq}: the request was sent before; send a new one",
                    f"已记入台账第 {seq} 条：该请求此前已发送过；请重新发起",
                )

    def _compose(self, draft: Draft, head: Head, t: str) -> bytes:
        entry = canonical.encode(
            {**draft.fields, "log": self._origin, "prev": head.hash.hex(), "seq": head.seq + 1, "t": t}
        )
        if len(entry) > canonical.MAX_ENTRY_BYTES:
            raise CanonicalError(
                f"an entry of {len(entry)} bytes; at most {canonical.MAX_ENTRY_BYTES} fit, "
                "put long content into particulars or files",
                f"条目长 {len(entry)} 字节，上限为 {canonical.MAX_ENTRY_BYTES}；请把长内容放入事项或附件",
            )
        return entry


def _interrupted() -> LedgerUnavailableError:
    return LedgerUnavailableError(
        "the ledger was interrupted while it wrote; see whether the entry is there before you repeat it",
        "台账写入时被中断；重试之前请先查看该条目是否已在",
    )


def _timestamp(now: datetime, head: Head) -> str:
    """``max(now, head's t)`` in UTC milliseconds: time in the log never runs backwards."""
    text = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if head.seq < 0:
        return text
    last = canonical.decode_object(head.entry).get("t")
    return max(text, last) if isinstance(last, str) else text
