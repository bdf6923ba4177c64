"""Restoring an instance's ledger from a mirror or an export, after an older copy of it was put back.

What is signed comes back: entries, tree, checkpoint. What is not in the copy does not, and is counted here: the values
behind the commitments, and the keys of signed requests against replay. Source: DESIGN §2, invariant I2.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger import entries, erasure, once, rotation
from ledger.errors import BilingualError, LedgerError, LedgerUnavailableError
from ledger.instance import Instance
from ledger.log import canonical
from ledger.log.cosignature import Cosigned, CosignerKey, open_cosigned
from ledger.log.guard import HeadGuard
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, VerifierKey
from ledger.log.restore import Copy, Known, Refill, Refilled
from ledger.log.store import Store, unavailable
from ledger.log.verify_tiles import Source, verify_tiles
from ledger.published import keys_of

#: Called with what is being done and how many entries of it are done since the last call.
Progress = Callable[[str, int], None]


class UnrecordedError(LedgerError):
    """All was restored, durably; only the record of the head outside the database could not be written."""


@dataclass(slots=True)
class Brought:
    """What the entries are that came back.

    Attributes:
        kinds: how many of each kind.
        with_particulars: how many commit to values, which no copy holds.
        signed_requests: how many were signed requests, whose nonces no copy holds.
    """

    first: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    with_particulars: int = 0
    signed_requests: int = 0
    last_t: str = ""

    def take(self, entry: dict[str, Any]) -> None:
        """Count an entry, if it is one of those that were missing."""
        if entry["seq"] < self.first:
            return
        self.kinds[entry["kind"]] = self.kinds.get(entry["kind"], 0) + 1
        self.with_particulars += "commit" in entry
        self.signed_requests += entry.get("auth") == "signature"
        self.last_t = entry["t"]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done.

    Attributes:
        head: the checkpoint up to which the ledger now goes, as the log signed it.
        cosigned: which witnesses of the instance's policy had cosigned it.
        erased: how many particulars of the older copy were destroyed, because the ledger says that they are erased.
        unfinished: why copies of them may remain in the file.
        beyond: the largest head that is known and not reached.
        newest_key: the log's key, if this folder holds another one: it can sign nothing more.
    """

    refilled: Refilled
    head: Checkpoint
    cosigned: tuple[Cosigned, ...]
    brought: Brought
    erased: int
    unfinished: erasure.ErasureUnfinishedError | None
    beyond: Known | None
    newest_key: VerifierKey | None


def restore(
    instance: Instance,
    source: Source,
    trusted: VerifierKey,
    witnesses: tuple[CosignerKey, ...] = (),
    progress: Progress = lambda _, __: None,
) -> Restored:
    """Verify ``source`` and write what the instance's ledger lacks of it; all of it or nothing.

    Args:
        source: the directory of a mirror or an export, or a published log; with entries.
        trusted: a verifier key of the log, from outside.
        witnesses: cosigners whose signatures on the copy's checkpoint must be good, if they are there.

    Raises:
        LedgerUnavailableError: the ledger is in use, or cannot be written; nothing was restored.
        RestoreError: the copy is shorter.
        TamperError: copy or ledger were altered, or are two histories; nothing was restored.
        NoteError: the copy is malformed or not signed by the log; nothing was restored.
        UnrecordedError: restored, but ``keys/head`` does not follow.
    """
    folder_key = instance.verifier_key()  # before the file is locked: it looks into it
    guard = HeadGuard(instance.head_path, instance.settings.origin)
    with _alone(instance) as store:
        recorded = guard.read()  # now that nobody else appends
        known = [(recorded, str(instance.head_path))] if recorded is not None and recorded.size else []
        brought = Brought(store.head().size)
        copy = Copy(source)
        keys = _verified(copy, trusted, brought, progress)
        head = keys.open(copy.note)
        _, cosigned = open_cosigned(copy.note, keys.at(head.size), witnesses)
        refilled = Refill(store, copy, keys, known).run(_once_keys, lambda count: progress("restore", count))
        store.commit()  # the commit point: durable from here (synchronous=FULL)
    if instance.head_path.parent.is_dir() and (recorded is None or recorded.size < head.size):
        _record(guard, head)
    erased, unfinished = _erase(instance)
    newest = keys.newest if keys.newest != folder_key else None
    return Restored(refilled, head, cosigned, brought, erased, unfinished, refilled.beyond, newest)


def _record(guard: HeadGuard, head: Checkpoint) -> None:
    """Have ``keys/head`` follow; it may lag where the disk is full now."""
    try:
        guard.committed(head)
        guard.close()
    except LedgerError as error:
        raise UnrecordedError(
            f"restored up to {head.size} entries, but the record of the head does not follow: {error.en}",
            f"已恢复至 {head.size} 条，但末端记录未能跟上：{error.zh}",
        ) from error


@contextmanager
def _alone(instance: Instance) -> Iterator[Store]:
    """The ledger's file for this program alone, in a transaction; where it is gone, a new one that stays if filled."""
    path = instance.ledger_path
    made = not path.exists()
    if made:
        Store.create(path, instance.settings.origin, entries.LOOKUP_FIELDS).close()
    store = Store.open(path)
    empty = True
    try:
        store.begin_alone()
        yield store
        empty = store.head().seq < 0
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _in_use(path, error) from error
        raise unavailable(path, error) from error
    finally:
        store.close()  # rolls back what was not committed
        if made and empty:
            path.unlink()


def _in_use(path: Path, error: sqlite3.Error) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"the ledger {path} is in use ({error}); stop the service and every other program that has it open, then "
        "restore again",
        f"台账 {path} 正在使用（{error}）；请停止服务和其他打开它的程序，然后重新恢复",
    )


def _erase(instance: Instance) -> tuple[int, erasure.ErasureUnfinishedError | None]:
    """Destroy what the older copy brought back and the ledger says is erased."""
    try:
        return erasure.apply(instance.ledger_path), None
    except erasure.ErasureUnfinishedError as error:
        return 0, error


def _verified(copy: Copy, trusted: VerifierKey, brought: Brought, progress: Progress) -> KeyChain:
    """The log's keys, when all of the copy holds."""
    keys = keys_of(copy, trusted, with_entries=True)
    rotations: list[bytes] = []

    def check(entry: dict[str, Any]) -> None:
        entries.check_entry(entry)
        if entry["kind"] == rotation.KIND:
            rotations.append(canonical.encode(entry))
        brought.take(entry)

    verify_tiles(
        copy, keys, with_entries=True, check_entry=check, progress=lambda count: progress("verify SOURCE", count)
    )
    return rotation.chain(trusted, rotations)


def _once_keys(entry: bytes) -> tuple[str, ...]:
    return once.keys_of(canonical.decode_object(entry))


def explain(error: BilingualError) -> BilingualError:
    """Say that nothing was changed, where that is so."""
    if isinstance(error, UnrecordedError):
        return error
    error.en = f"{error.en}. Nothing was restored, the ledger is as it was"
    error.zh = f"{error.zh}。未作恢复，台账保持原样"
    return error
