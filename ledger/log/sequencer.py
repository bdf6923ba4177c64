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
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger.errors import (
    CanonicalError,
    ConflictError,
    EntryError,
    LedgerError,
    LedgerUnavailableError,
    TamperError,
)
from ledger.log import canonical
from ledger.log.commitment import Sealed
from ledger.log.guard import HeadGuard
from ledger.log.merkle import Frontier, Node, leaf_hash
from ledger.log.note import Checkpoint, Note, Signer, open_checkpoint
from ledger.log.store import EMPTY_HEAD, Head, Store, unavailable

#: Fields that only the sequencer writes.
CHAIN_FIELDS = frozenset({"log", "prev", "seq", "t"})
#: A clock further than this behind the log's last time has been set back; less is jitter between processes.
CLOCK_TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Expect:
    """The newest entry whose ``field`` equals ``value`` must be ``last``; None: there must be none."""

    field: str
    value: str
    last: int | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants appended.

    Attributes:
        fields: the entry's own fields, canonical values, none of :data:`CHAIN_FIELDS`.
        sealed: particulars whose commitments ``fields`` holds.
        once: keys of which none may have been used before (idempotency keys, nonces).
        expect: what must be the newest entry of its kind, case or the like.
    """

    fields: Mapping[str, canonical.Value]
    sealed: tuple[Sealed, ...] = ()
    once: tuple[str, ...] = ()
    expect: Expect | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """An acknowledged entry: durable when this exists."""

    seq: int
    entry: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    """A group that became durable: how many entries, and how long it took with the wait for the write lock."""

    entries: int
    elapsed_s: float


#: Makes the entry that records a clock set back, from the observed clock and the log's time, both in the form of ``t``.
ClockFault = Callable[[str, str], Mapping[str, canonical.Value]]


class _Waiting:
    """A draft in the queue and, once its group is done, what became of it.

    Threads wait for the commit lock and look here; a task waits for ``wake``, a future of its loop. Neither can upset
    the group by giving up: cancelling a task ends its waiting, not the entry.
    """

    __slots__ = ("_outcome", "draft", "wake")

    def __init__(self, draft: Draft, wake: asyncio.Future[Appended] | None = None) -> None:
        self.draft = draft
        self.wake = wake
        self._outcome: Appended | BaseException | None = None

    @property
    def done(self) -> bool:
        return self._outcome is not None

    def settle(self, outcome: Appended | BaseException) -> None:
        self._outcome = outcome

    def result(self) -> Appended:
        """The acknowledged entry; raises what went wrong."""
        if isinstance(self._outcome, Appended):
            return self._outcome
        raise self._outcome or LedgerError("the draft is still waiting", "该条目仍在等待写入")

    def deliver(self) -> None:
        """Tell the task that waits, in its loop's thread."""
        if self.wake is None or self.wake.done():
            return  # cancelled meanwhile
        if isinstance(self._outcome, Appended):
            self.wake.set_result(self._outcome)
        elif self._outcome is not None:
            self.wake.set_exception(self._outcome)


@dataclass(slots=True)
class _Rows:
    """Rows of one group that are not inserted yet: together they cost less than one by one."""

    entries: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    nodes: list[tuple[Node, bytes]] = field(default_factory=list)
    once: list[tuple[int, list[str]]] = field(default_factory=list)
    sealed: list[tuple[int, tuple[Sealed, ...]]] = field(default_factory=list)


class Sequencer:
    """Appends drafts to ``store``, signing as ``signer``.

    Args:
        also: further keys of the log that sign each checkpoint after ``signer``: at a rotation, the new one.
        now: the wall clock, timezone-aware; read once per group, inside the lock.
        guard: keeps the head outside the database.
        clock_fault: what to append when the clock was set back; None: nothing.
        on_commit: told of each group that became durable, in the thread that committed it; it must not raise.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        now: Callable[[], datetime],
        also: Sequence[Signer] = (),
        *,
        guard: HeadGuard | None = None,
        clock_fault: ClockFault | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> None:
        self._store = store
        self._signer = signer
        self._signers = (signer, *also)
        self._now = now
        self._guard = guard
        self._clock_fault = clock_fault
        self._on_commit = on_commit
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
        self._head_t = ""  # the time in _head
        self._frontier = Frontier()
        self._clock_is_back = False  # so that one step back is one entry
        self._lookups = frozenset(store.lookup_fields())
        self._pending = _Rows()
        # One thread serves every asyncio caller; threads that append for themselves lead their own commits.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ledger-sequencer")
        self._lead_is_due = False  # guarded by _queue_lock: the executor will look at the queue
        self._closed = False
        store.grow_wal()

    def append(self, draft: Draft) -> Appended:
        """Append one entry and return when it is durable. Any thread may call this.

        Raises:
            ConflictError: a key in ``once`` was used before, or ``expect`` does not hold.
            CanonicalError: the entry is not canonical or is over 65,535 bytes.
            LedgerUnavailableError: locked, read-only, disk full, I/O error; nothing was written.
            TamperError: the stored head is not what the newest checkpoint signed; nothing was written.
        """
        waiting = self._enqueue(draft)
        with self._commit_lock:
            if not waiting.done:
                self._commit_group()
        return waiting.result()

    async def append_async(self, draft: Draft) -> Appended:
        """:meth:`append` for asyncio: waits without blocking the loop. Raises the same."""
        wake: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._enqueue(draft, wake)
        return await wake

    def close(self) -> None:
        """Commit what is queued and refuse what comes later."""
        with self._queue_lock:
            self._closed = True
        self._executor.shutdown(wait=True)
        self._lead()

    def _enqueue(self, draft: Draft, wake: asyncio.Future[Appended] | None = None) -> _Waiting:
        waiting = _Waiting(draft, wake)
        with self._queue_lock:
            if self._closed:
                raise LedgerUnavailableError(
                    "the ledger is closing; nothing was recorded, try again when the service is back",
                    "台账正在关闭；未作记录，请待服务恢复后重试",
                )
            self._queue.append(waiting)
            if wake is not None and not self._lead_is_due:
                # Under the lock: after close() the executor would refuse, though the entry is committed.
                self._executor.submit(self._lead)
                self._lead_is_due = True
        return waiting

    def _lead(self) -> None:
        with self._commit_lock:
            with self._queue_lock:
                self._lead_is_due = False
            self._commit_group()

    def _commit_group(self) -> None:
        with self._queue_lock:
            group, self._queue = self._queue, []
        if not group:
            return
        started = time.perf_counter()
        try:
            outcomes = self._write(group)
            for waiting, outcome in outcomes:
                waiting.settle(outcome)
            if self._on_commit is not None:
                written = sum(isinstance(outcome, Appended) for _, outcome in outcomes)
                self._on_commit(Committed(written, time.perf_counter() - started))
        except sqlite3.Error as error:
            self._fail(group, unavailable(self._store.path, error))
        except LedgerUnavailableError as error:
            self._fail(group, error)
        except BaseException as error:
            # A bug or an interrupt must not leave callers waiting for ever; it goes on up after they are told. An
            # interrupt is this thread's alone, and it may have struck after the commit.
            self._fail(group, error if isinstance(error, Exception) else _interrupted())
            raise
        finally:
            _wake(group)

    def _fail(self, group: Sequence[_Waiting], error: BaseException) -> None:
        self._head = None  # read it anew: what the failed transaction left is not to be trusted
        try:
            self._store.rollback()
        except sqlite3.Error:
            pass  # the callers learn of the first error; the next group's begin() tries the rollback again
        finally:
            for waiting in group:
                if not waiting.done:
                    waiting.settle(error)

    def _write(self, group: Sequence[_Waiting]) -> list[tuple[_Waiting, Appended | LedgerError]]:
        store = self._store
        if self._guard is not None:
            self._guard.ensure()
        store.rollback()  # only where an earlier rollback failed
        self._pending = _Rows()
        store.begin()
        head, frontier = self._current_head()
        t, fault = self._time()
        if fault is not None:
            head = self._add(fault, self._compose(fault, head, t), head, frontier)
        first = head
        outcomes: list[tuple[_Waiting, Appended | LedgerError]] = []
        for waiting in group:
            try:
                self._check_conditions(waiting.draft)
                entry = self._compose(waiting.draft, head, t)
            except (ConflictError, CanonicalError, EntryError) as error:  # this caller's alone; the others go on
                outcomes.append((waiting, error))
                continue
            head = self._add(waiting.draft, entry, head, frontier)
            outcomes.append((waiting, Appended(head.seq, entry, head.hash)))
        if head is first:
            store.rollback()  # every draft was refused: there is nothing to sign
            return outcomes
        self._flush()
        checkpoint = Checkpoint(self._origin, head.size, frontier.root())
        store.put_checkpoint(head.size, checkpoint.sign(*self._signers))
        self._commit()  # the commit point: durable from here (synchronous=FULL)
        self._head, self._head_t, self._frontier = head, t, frontier
        self._clock_is_back = self._clock_is_back or fault is not None
        if self._guard is not None:
            self._guard.committed(checkpoint)
        return outcomes

    def _commit(self) -> None:
        try:
            self._store.commit()
        except sqlite3.Error as error:
            # A sync that failed leaves the whole commit in the write-ahead log: after a crash it may count or not.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
                raise _uncertain(self._store.path, error) from error
            raise

    def _add(self, draft: Draft, entry: bytes, head: Head, frontier: Frontier) -> Head:
        """Put ``entry`` after ``head`` with all that belongs to it; return the new head."""
        head = Head(head.seq + 1, leaf_hash(entry), entry)
        rows = self._pending
        rows.entries.append((head.seq, entry, head.hash))
        rows.nodes.extend(frontier.append(head.hash))
        if draft.once:
            rows.once.append((head.seq, sorted(set(draft.once))))
        if draft.sealed:
            rows.sealed.append((head.seq, draft.sealed))
        return head

    def _flush(self) -> None:
        """Insert the pending rows: at the end, and before a condition looks at what is there."""
        rows, self._pending = self._pending, _Rows()
        self._store.add_entries(rows.entries)
        self._store.add_nodes(rows.nodes)
        for seq, keys in rows.once:
            self._store.add_once(keys, seq)
        for seq, sealed in rows.sealed:
            self._store.add_particulars(seq, sealed)

    def _time(self) -> tuple[str, Draft | None]:
        """``t`` for this group, ``max(now, head's t)``, and what to record first where the clock was set back."""
        now = self._now()
        text, last = _timestamp(now), self._head_t
        if text >= last:
            self._clock_is_back = False
            return text, None
        if self._clock_fault is None or self._clock_is_back or datetime.fromisoformat(last) - now <= CLOCK_TOLERANCE:
            return last, None
        fault = Draft(self._clock_fault(text, last))
        if self._is_recorded(fault, last):  # by another process, or before a restart
            self._clock_is_back = True
            return last, None
        return last, fault

    def _is_recorded(self, fault: Draft, t: str) -> bool:
        """Whether such a fault stands at time ``t`` already: the log's time stands still while the clock is behind."""
        for entry in self._store.newest(16, where={"kind": str(fault.fields["kind"])}):
            value = canonical.decode_object(entry)
            if value["t"] == t and value.get("what") == fault.fields["what"]:
                return True
        return False

    def _current_head(self) -> tuple[Head, Frontier]:
        """The head, read under the write lock, and its frontier: cached unless another process appended."""
        head = self._store.head()
        if self._head is not None and (head.seq, head.hash) == (self._head.seq, self._head.hash):
            return head, self._frontier.copy()
        frontier = Frontier.load(head.size, self._store)
        self._check_signed(head, frontier)
        self._head, self._frontier = head, frontier.copy()
        t = canonical.decode_object(head.entry).get("t") if head.size else ""
        self._head_t = t if isinstance(t, str) else ""
        return head, frontier

    def _check_signed(self, head: Head, frontier: Frontier) -> None:
        """Refuse to sign on top of hashes that the log itself did not sign: an edit must not be laundered.

        Costs one signature check, at the first append and after another process appended.
        """
        found = self._store.checkpoint()
        if found is None and head == EMPTY_HEAD:
            return
        signed = open_checkpoint(found[1], self._signer.verifier) if found else None
        if found is not None:
            self._check_not_rotated(found[1])
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

    def _check_not_rotated(self, note: bytes) -> None:
        """Refuse to sign with a key that another process rotated away: the log's last signature is its newest key's."""
        ids = [signature.key_id for signature in Note.parse(note).signatures if signature.name == self._origin]
        if ids and ids[-1] not in [signer.verifier.key_id for signer in self._signers]:
            raise LedgerUnavailableError(
                "the ledger's key was rotated while this program was running; nothing was recorded, restart it so that "
                "it signs with the new key",
                "本程序运行期间台账密钥已更换；未作记录，请重启程序以使用新密钥",
            )

    def _check_conditions(self, draft: Draft) -> None:
        if draft.once or draft.expect is not None:
            self._flush()
        if draft.once:
            canonical.encode(list(draft.once))  # text that cannot be encoded is this caller's error alone
        for key in draft.once:
            seq = self._store.once_seq(key)
            if seq is not None:
                raise ConflictError(
                    f"already recorded as entry {seq}: the request was sent before; send a new one",
                    f"已记入台账第 {seq} 条：该请求此前已发送过；请重新发起",
                )
        if draft.expect is not None:
            self._check_expect(draft.expect)

    def _check_expect(self, expect: Expect) -> None:
        if expect.field not in self._lookups:
            raise EntryError(f"entries are not looked up by {expect.field!r}", f"条目不能按 {expect.field!r} 查找")
        canonical.encode(expect.value)
        last = self._store.last_seq(expect.field, expect.value)
        if last != expect.last:
            found, wanted = ("none" if seq is None else f"entry {seq}" for seq in (last, expect.last))
            found_zh, wanted_zh = ("无" if seq is None else f"第 {seq} 条" for seq in (last, expect.last))
            raise ConflictError(
                f"the newest entry of {expect.field} {expect.value!r} is {found}, expected was {wanted}: somebody else "
                "was faster; look at it again, then decide",
                f"{expect.field} 为 {expect.value!r} 的最新条目：{found_zh}，预期：{wanted_zh}；已有他人先行办理，"
                "请重新查看后再决定",
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


def _uncertain(path: Path, error: sqlite3.Error) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"the ledger {path.name} met an error while it made entries durable ({error}): no data was given, and it is "
        "not certain whether they were recorded. Check the disk, and see whether the entry is there before you repeat "
        "it",
        f"台账 {path.name} 在落盘时出错（{error}）：未提供数据，也不能确定是否已经记录。"
        "请检查磁盘；重试之前请先查看该条目是否已在",
    )


def _timestamp(now: datetime) -> str:
    """``now`` in UTC milliseconds, in the form of ``t``."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _wake(group: Sequence[_Waiting]) -> None:
    """Tell all tasks of a group, by one call into each loop: waking them one by one costs more than the commit."""
    tasks: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in group:
        if waiting.wake is not None:
            tasks.setdefault(waiting.wake.get_loop(), []).append(waiting)
    for loop, waits in tasks.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver, waits)


def _deliver(waits: Sequence[_Waiting]) -> None:
    for waiting in waits:
        waiting.deliver()
