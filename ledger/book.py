"""The ledger as the rest of the project uses it: append an entry of a kind, read entries, give receipts.

It joins the log (:mod:`ledger.log`), which knows only bytes, with the kinds (:mod:`ledger.entries`), which know
what entries say.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import entries, erasure, items, rotation
from ledger.errors import EntryError, LedgerError, ProofError, TamperError
from ledger.items import ItemProof, SealedItems
from ledger.log import canonical, commitment
from ledger.log.export import export
from ledger.log.guard import HeadGuard
from ledger.log.keychain import KeyChain
from ledger.log.merkle import check_inclusion, inclusion_proof, leaf_hash, tree_root
from ledger.log.note import Checkpoint, Signer, TlogProof, VerifierKey, check_name, open_checkpoint
from ledger.log.sequencer import Appended, Committed, Draft, Expect, Sequencer
from ledger.log.store import Store, unavailable
from ledger.log.tiles import Tile, is_of_size
from ledger.log.writable import check as check_writable

T = TypeVar("T")
#: ``what`` of the fault that records a clock set back by over a second.
CLOCK_BACK = "clock.back"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What proves an entry to somebody who holds the log's verifier key: its exact bytes and a tlog-proof.

    ``openings`` opens the entry's commitments, ``items`` those of a batch; they go to the one the entry concerns, to
    nobody else.
    """

    entry: bytes
    proof: bytes
    openings: Mapping[str, commitment.Opening]
    items: tuple[ItemProof, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The receipt as the interface gives it: docs/spec/receipt.md."""
        return {
            "entry": self.entry.decode(),
            "proof": self.proof.decode(),
            "openings": {
                name: {"salt": opening.salt.hex(), "value": opening.value}
                for name, opening in sorted(self.openings.items())
            },
            **({"items": [item.to_json() for item in self.items]} if self.items else {}),
        }

    @classmethod
    def from_json(cls, value: Any) -> Receipt:
        """Read a receipt.

        Raises:
            EntryError: not of the form of docs/spec/receipt.md.
        """
        try:
            # Members that this version does not know are passed over: nothing proves them (receipt.md R1).
            openings = {name: _opening(**opening) for name, opening in value["openings"].items()}
            proven = tuple(ItemProof.from_json(item) for item in value.get("items", ()))
            return cls(value["entry"].encode(), value["proof"].encode(), openings, proven)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise EntryError(
                "this is not a receipt: want an object with entry, proof and openings; "
                "fetch it again from /log/receipt/NUMBER",
                "这不是回执：应为含 entry、proof 和 openings 的对象；请从 /log/receipt/编号 重新获取",
            ) from error

    def verify(self, key: VerifierKey) -> dict[str, Any]:
        """Check proof, checkpoint signature, schema and openings; return the decoded entry.

        Raises:
            LedgerError: the first thing that does not hold.
        """
        proof = TlogProof.parse(self.proof)
        proof.verify(self.entry, key)
        entry = canonical.decode_object(self.entry)
        entries.check_entry(entry)
        if entry["log"] != key.name:
            raise EntryError(
                f"the entry is of log {entry['log']!r}, the key of {key.name!r}",
                f"条目属于日志 {entry['log']!r}，而公钥属于 {key.name!r}",
            )
        if entry["seq"] != proof.index:
            raise EntryError(
                f"the entry says seq {entry['seq']}, the proof index {proof.index}",
                f"条目自称第 {entry['seq']} 条，证明则为第 {proof.index} 条",
            )
        commitments = entry.get("commit", {})
        for name, opening in self.openings.items():
            if not isinstance(commitments, dict) or name not in commitments:
                raise EntryError(f"the entry commits to nothing named {name!r}", f"条目中没有名为 {name!r} 的承诺")
            commitment.check_opening(str(commitments[name]), name, opening)
        for item in self.items:
            item.check(entry)
        return entry

    def only(self, openings: Iterable[str], indexes: Iterable[int]) -> Receipt:
        """The same receipt with these openings and items and no others: what is shown to a third party.

        Raises:
            EntryError: it does not have one of them.
        """
        held = {item.index: item for item in self.items}
        wanted, numbers = sorted(set(openings)), sorted(set(indexes))
        missing = [name for name in wanted if name not in self.openings]
        missing += [items.item_field(number) for number in numbers if number not in held]
        if missing:
            has = ", ".join([*self.openings, *(items.item_field(index) for index in held)]) or "none"
            raise EntryError(
                f"the receipt does not open {missing[0]}; it opens {has}", f"回执未开启 {missing[0]}；已开启：{has}"
            )
        opened = {name: self.openings[name] for name in wanted}
        return Receipt(self.entry, self.proof, opened, tuple(held[number] for number in numbers))


class Ledger:
    """One open ledger. Threads and asyncio tasks may share it.

    Args:
        now: the wall clock, timezone-aware.
        random: ``random(n)`` gives n bytes for salts and keys.
        also: keys that sign each checkpoint beside ``private_key``; at a rotation, the new one.
        head: the file outside the database that records the largest size, ``keys/head`` of the instance.
        on_commit: told of each durable transaction, for figures.

    Raises:
        RollbackError: the database is older than ``head``, or another one.
    """

    def __init__(
        self,
        path: Path,
        private_key: Ed25519PrivateKey,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = os.urandom,
        also: Sequence[Ed25519PrivateKey] = (),
        head: Path | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> None:
        self.path = path
        self._random = random
        # What the entries say is erased goes before anything is read: a restored backup may have brought it back.
        with contextlib.suppress(
            erasure.ErasureUnfinishedError
        ):  # `ledger status` says so, the next opening tries again
            erasure.apply(path)
        store = Store.open(path)
        self._head_path = head
        self._guard = HeadGuard(head, store.origin) if head is not None else None
        try:
            if self._guard is not None:
                _check_not_older(self._guard, store)
            _ensure_lookups(store)
            self._sequencer = Sequencer(
                store,
                Signer(store.origin, private_key),
                now,
                also=[Signer(store.origin, key) for key in also],
                guard=self._guard,
                clock_fault=_clock_fault,
                on_commit=on_commit,
            )
            self.verifier_key = VerifierKey(store.origin, private_key.public_key().public_bytes_raw())
            # Reads have a connection of their own: WAL readers never wait for the writer.
            self._reader = Store.open(path)
        except LedgerError:
            store.close()
            raise
        self._store = store
        self._reader_lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, origin: str) -> None:
        """Make a new, empty ledger file for the log named ``origin``.

        Raises:
            NoteError: ``origin`` cannot name a log.
            InstanceError: the file exists already.
        """
        check_name(origin)
        Store.create(path, origin, entries.LOOKUP_FIELDS).close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is queued, then close."""
        self._sequencer.close()
        if self._guard is not None:
            self._guard.close()
        self._store.close()
        self._reader.close()

    @property
    def origin(self) -> str:
        return self.verifier_key.name

    def check_writable(self) -> None:
        """Raise what an append would meet now, adding nothing: :func:`ledger.log.writable.check`.

        Raises:
            LedgerUnavailableError: locked, read-only, no room, or the key was rotated away.
        """
        check_writable(self.path, self.verifier_key, self._head_path)

    def append(
        self,
        kind: str,
        fields: Mapping[str, Any],
        *,
        particulars: Mapping[str, Any] | None = None,
        batch: SealedItems | None = None,
        once: Sequence[str] = (),
        expect: Expect | None = None,
    ) -> Appended:
        """Append an entry of ``kind``; durable on return.

        Args:
            fields: the open fields of the kind's schema.
            particulars: values that go in as commitments only.
            batch: items of which only number and root go in.
            once: keys of which none may have been used before.
            expect: what must be the newest entry with a value in a look-up field, decided under the write lock.

        Raises:
            EntryError: the fields do not fit the kind.
            ConflictError: a key in ``once`` was used, or ``expect`` does not hold.
            LedgerUnavailableError: nothing was written.
        """
        return self._sequencer.append(self._draft(kind, fields, particulars or {}, once, expect, batch))

    async def append_async(
        self,
        kind: str,
        fields: Mapping[str, Any],
        *,
        particulars: Mapping[str, Any] | None = None,
        batch: SealedItems | None = None,
        once: Sequence[str] = (),
        expect: Expect | None = None,
    ) -> Appended:
        """:meth:`append`, without blocking the event loop."""
        return await self._sequencer.append_async(self._draft(kind, fields, particulars or {}, once, expect, batch))

    def salts(self, count: int) -> list[bytes]:
        """Salts for the items of a batch, from the ledger's own randomness."""
        return items.draw_salts(count, self._random)

    def seal_items(self, openings: Sequence[commitment.Opening]) -> SealedItems:
        """Items for :meth:`append`. Raises :class:`LedgerError` where one is not canonical."""
        return items.seal_items(openings, self._random)

    def entry(self, seq: int) -> dict[str, Any]:
        """The decoded entry ``seq``. Raises :class:`LedgerError` if there is none."""
        return canonical.decode_object(self._read(lambda store: store.entry(seq)))

    def newest(self, limit: int, *, before: int | None = None, where: dict[str, str] | None = None) -> list[Any]:
        """Decoded entries, newest first; ``where`` by :data:`ledger.entries.LOOKUP_FIELDS` only."""
        for field in where or {}:
            if field not in entries.LOOKUP_FIELDS:
                raise EntryError(f"entries are not looked up by {field!r}", f"条目不能按 {field!r} 查找")
        rows = self._read(lambda store: store.newest(limit, before=before, where=where))
        return [canonical.decode_object(row) for row in rows]

    def since(self, seq: int, kinds: Sequence[str], until: int | None = None) -> list[Any]:
        """Decoded entries of ``kinds`` from ``seq`` on, oldest first; with ``until``, those before that number."""
        rows = self._read(lambda store: store.since(seq, "kind", kinds, until))
        return [canonical.decode_object(row) for row in rows]

    def used(self, once_key: str) -> int | None:
        """The entry that used a ``once`` key, if any."""
        return self._read(lambda store: store.once_seq(once_key))

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint. Raises :class:`LedgerError` before the first entry."""
        found = self._read(lambda store: store.checkpoint())
        if found is None:
            raise LedgerError("the ledger is still empty", "台账尚无条目")
        return found[1]

    def receipt(self, seq: int, *, with_openings: bool) -> Receipt:
        """The receipt of entry ``seq``, formed now, to the newest checkpoint.

        Raises:
            LedgerError: there is no such entry.
            TamperError: what is stored does not lead to the signed checkpoint, or a particular was changed.
        """
        key = self.verifier_key
        return self._read(
            lambda store: receipt_of(store, seq, lambda note: open_checkpoint(note, key), with_openings=with_openings)
        )

    def opened(self, seq: int) -> dict[str, Any]:
        """The particulars of entry ``seq`` that are still kept, opened and checked against its commitments, no proof.

        Raises:
            LedgerError: there is no such entry.
            TamperError: a particular was changed.
        """
        return {name: opening.value for name, opening in self._read(lambda store: _openings(store, seq)).items()}

    def first_at(self, t: str) -> int:
        """The number of the first entry whose time is at least ``t`` (the size where there is none).

        An entry's time is never before the one before it, so this reads a few entries of any log.
        """
        low, high = 0, self.size()
        while low < high:
            middle = (low + high) // 2
            if self.entry(middle)["t"] < t:
                low = middle + 1
            else:
                high = middle
        return low

    def size(self) -> int:
        """How many entries there are now."""
        rows = self.newest(1)
        return rows[0]["seq"] + 1 if rows else 0

    def tile(self, tile: Tile) -> bytes:
        """A hash tile, or with level None an entry bundle, of what the newest checkpoint covers; one read.

        Raises:
            LedgerError: the newest checkpoint does not cover it.
        """
        return self._read(lambda store: _covered(store, tile))

    def key_chain(self) -> KeyChain:
        """The log's verifier keys over all rotations."""
        rows = self._read(lambda store: store.newest(2**31, where={"kind": rotation.KIND}))
        return rotation.chain(self.verifier_key, reversed(rows))

    def export(
        self, path: Path, *, with_entries: bool = True, progress: Callable[[int], None] | None = None
    ) -> Checkpoint:
        """Write the log as static tiles into directory ``path``: :func:`ledger.log.export.export`."""
        keys, checkpoint = self.key_chain(), self.checkpoint()
        store = Store.open(self.path, read_only=True)  # of its own: it may take long, and what it reads never changes
        try:
            return export(store, checkpoint, keys, path, with_entries=with_entries, progress=progress)
        except sqlite3.Error as error:
            raise unavailable(self.path, error) from error
        finally:
            store.close()

    def _draft(
        self,
        kind_name: str,
        fields: Mapping[str, Any],
        particulars: Mapping[str, Any],
        once: Sequence[str],
        expect: Expect | None,
        batch: SealedItems | None = None,
    ) -> Draft:
        kind = entries.current(kind_name)
        if batch is not None:
            fields = {**fields, "items": len(batch.sealed), "items_root": batch.root}
            particulars = {**particulars, items.FIELD: batch.commitments}
        entries.check_fields(kind, fields)
        unknown = sorted(set(particulars) - kind.particulars)
        if unknown:
            raise EntryError(
                f"{kind.name}: {unknown[0]!r} is not one of its particulars",
                f"{kind.name}：没有事项 {unknown[0]!r}",
            )
        sealed = tuple(commitment.seal(name, value, self._random) for name, value in particulars.items())
        composed = {**fields, "kind": kind.name, "v": kind.version}
        if sealed:
            composed["commit"] = {item.field: item.commitment for item in sealed}
        return Draft(composed, sealed + (batch.sealed if batch is not None else ()), tuple(once), expect)

    def _read(self, read: Callable[[Store], T]) -> T:
        with self._reader_lock:
            try:
                return read(self._reader)
            except sqlite3.Error as error:
                raise unavailable(self.path, error) from error


def _covered(store: Store, tile: Tile) -> bytes:
    found = store.checkpoint()
    size = found[0] if found else 0
    if not is_of_size(tile, size):
        raise LedgerError(
            f"tile {tile.path} is not of this log yet: its newest checkpoint covers {size} entries",
            f"瓦片 {tile.path} 尚不存在：最新检查点涵盖 {size} 条",
        )
    return store.bundle(tile) if tile.level is None else store.tile(tile)


def _ensure_lookups(store: Store) -> None:
    try:
        store.ensure_lookups(entries.LOOKUP_FIELDS)
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error


def _check_not_older(guard: HeadGuard, store: Store) -> None:
    try:
        guard.check(store.head().size, lambda size: tree_root(size, store))
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error


def _clock_fault(observed_t: str, log_t: str) -> dict[str, canonical.Value]:
    fault = entries.current("fault.raised")
    fields: dict[str, canonical.Value] = {"what": CLOCK_BACK, "observed": observed_t, "expected": log_t}
    entries.check_fields(fault, fields)
    return {**fields, "kind": fault.name, "v": fault.version}


def _opening(salt: str, value: Any) -> commitment.Opening:
    # One spelling only: bytes.fromhex alone would take capitals and spaces too.
    if not re.fullmatch("[0-9a-f]{64}", salt):
        raise ValueError(salt)
    return commitment.Opening(bytes.fromhex(salt), value)


def receipt_of(store: Store, seq: int, open_signed: Callable[[bytes], Checkpoint], *, with_openings: bool) -> Receipt:
    """:meth:`Ledger.receipt` from a store, for whoever has not the log's private key.

    Args:
        open_signed: reads a signed checkpoint and verifies it; raises :class:`NoteError`.
    """
    entry = store.entry(seq)
    found = store.checkpoint()
    if found is None:
        raise LedgerError("the ledger has no checkpoint", "台账没有检查点")
    checkpoint = open_signed(found[1])
    hashes = inclusion_proof(seq, checkpoint.size, store)
    try:  # cheap beside the signature check, and nobody is ever handed a receipt that does not hold
        check_inclusion(leaf_hash(entry), seq, checkpoint.size, hashes, checkpoint.root)
    except ProofError as error:
        raise TamperError(
            f"entry {seq} as stored is not under the signed checkpoint ({error.en}): stored bytes were altered; "
            "run `liandong ledger verify`",
            f"所存第 {seq} 条与已签名的检查点不符（{error.zh}）：字节被改动；请运行 `liandong ledger verify`",
        ) from error
    proof = TlogProof(seq, tuple(hashes), found[1])
    openings: dict[str, commitment.Opening] = {}
    proven: tuple[ItemProof, ...] = ()
    if with_openings:
        openings = _openings(store, seq)
        if items.FIELD in openings:
            proven = _proven(store, seq, openings.pop(items.FIELD).value)
    return Receipt(entry, proof.to_bytes(), openings, proven)


def _openings(store: Store, seq: int) -> dict[str, commitment.Opening]:
    committed = canonical.decode_object(store.entry(seq)).get("commit", {})
    if not isinstance(committed, dict):
        return {}
    return _opened(store, seq, {name: str(value) for name, value in committed.items()})


def _opened(store: Store, seq: int, commitments: dict[str, str]) -> dict[str, commitment.Opening]:
    return {sealed.field: commitment.unseal(sealed) for sealed in store.sealed(seq, commitments)}


def _proven(store: Store, seq: int, value: canonical.Value) -> tuple[ItemProof, ...]:
    """The items of an entry that were not erased, from the commitments of all of them."""
    commitments = [str(each) for each in value] if isinstance(value, list) else []
    opened = _opened(store, seq, {items.item_field(index): each for index, each in enumerate(commitments)})
    by_index = {items.item_index(field): opening for field, opening in opened.items()}
    return items.prove_items(commitments, {index: each for index, each in by_index.items() if index is not None})
