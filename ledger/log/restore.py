"""Refilling a log's file from a longer copy of the same log: entries verbatim, nothing signed anew, nothing made up.

The copy was verified as a whole before (:mod:`ledger.log.verify_tiles`). What the file holds must be its beginning, and
whatever was ever signed or recorded of this log must fit it. Then all that is missing is written in one transaction,
which the caller commits; an error leaves the file as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.errors import LedgerError, NoteError, ProofError, TamperError
from ledger.log.keychain import KeyChain
from ledger.log.merkle import Frontier, Node, check_consistency, consistency_proof, leaf_hash, tree_root
from ledger.log.note import Checkpoint, Note
from ledger.log.store import Store
from ledger.log.tiles import HEIGHT, WIDTH, Tile, TileReader, bundles_of, decode_bundle, decode_tile
from ledger.log.verify_tiles import HASH_BYTES, MAX_BUNDLE_BYTES, MAX_CHECKPOINT_BYTES, Source

#: Called with the number of entries done since the last call.
Progress = Callable[[int], None]
#: The keys of conditional appends that an entry's bytes give.
OnceKeys = Callable[[bytes], Sequence[str]]
#: A signed or recorded head of this log, and where it was found.
Known = tuple[Checkpoint, str]


class RestoreError(LedgerError):
    """Nothing was restored, or not all that is known to be missing."""


class Copy:
    """A copy of a log whose checkpoint stays the one that was read first, though the log behind it may grow.

    Raises:
        LedgerError: the copy has no readable checkpoint.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.note = source.read("checkpoint", MAX_CHECKPOINT_BYTES)

    def read(self, path: str, max_bytes: int) -> bytes:
        """A file of the copy (:class:`ledger.log.verify_tiles.Source`)."""
        return self.note if path == "checkpoint" else self._source.read(path, max_bytes)

    def entries(self, bundle: Tile) -> list[bytes]:
        """The entries of a bundle."""
        return decode_bundle(self.read(f"tile/{bundle.path}", MAX_BUNDLE_BYTES), bundle)

    def hashes(self, tile: Tile) -> list[bytes]:
        """The hashes of a tile."""
        return decode_tile(self.tile(tile), tile)

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a hash tile."""
        return self.read(f"tile/{tile.path}", WIDTH * HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Refilled:
    """What was done: the file had ``before`` entries and now has ``size``.

    ``beyond``: the largest head of this log that is known and that the file still does not reach.
    """

    before: int
    size: int
    beyond: Known | None


class Refill:
    """One refilling of the file behind ``store``, whose write lock the caller holds, and who commits.

    Args:
        copy: verified up to its checkpoint, entries and all.
        keys: the log's keys over all rotations.
        known: heads recorded outside the file.
    """

    def __init__(self, store: Store, copy: Copy, keys: KeyChain, known: Sequence[Known]) -> None:
        self._store = store
        self._copy = copy
        self._head = keys.open(copy.note)
        self._tree = TileReader(self._head.size, copy.tile)
        self._known = [*_signed_here(store, keys), *known]
        self._frontier = Frontier()
        self._roots: dict[int, bytes] = {}  # of the file's own entries, at the sizes of known heads

    def run(self, once_keys: OnceKeys, progress: Progress = lambda _: None) -> Refilled:
        """Write what the file lacks of the copy.

        Raises:
            RestoreError: the copy is shorter than the file.
            TamperError: the file was altered, or the copy and something that this log signed are two histories.
            LedgerError: the copy gives now something else than it did when it was verified.
        """
        before, head = self._store.head().size, self._head
        if before > head.size:
            raise RestoreError(
                f"SOURCE is shorter: it has {head.size} entries (root {head.root.hex()}), this ledger has {before}; "
                "take a newer copy",
                f"来源更短：只有 {head.size} 条（根 {head.root.hex()}），而本台账有 {before} 条；请换用更新的副本",
            )
        self._walk(progress)
        self._check_beginning()
        self._append(once_keys, progress)
        self._keep_checkpoint()
        beyond = [item for item in self._known if item[0].size > head.size]
        return Refilled(before, head.size, max(beyond, key=lambda item: item[0].size) if beyond else None)

    def _walk(self, progress: Progress) -> None:
        """Recompute the tree over the file's entries from their bytes."""
        frontier, sizes = self._frontier, {checkpoint.size for checkpoint, _ in self._known}
        if 0 in sizes:
            self._roots[0] = frontier.root()
        nodes: list[tuple[Node, bytes]] = []
        for seq, entry, stored in self._store.rows():
            leaf = leaf_hash(entry)
            if seq != frontier.size or leaf != stored:
                raise TamperError(
                    f"entry {frontier.size} of this ledger is missing or its bytes were altered (they hash to "
                    f"{leaf.hex()}, recorded is {stored.hex()}); put a good copy of ledger.db in its place, or move it "
                    "away and restore everything",
                    f"本台账第 {frontier.size} 条缺失或字节被改动（字节的哈希为 {leaf.hex()}，"
                    f"记录的是 {stored.hex()}）；请换上完好的 ledger.db，或将其移走后全部补回",
                )
            nodes += [item for item in frontier.append(leaf) if item[0][0] % HEIGHT == 0]
            if frontier.size in sizes:
                self._roots[frontier.size] = frontier.root()
            if frontier.size % WIDTH == 0:
                self._check_nodes(nodes)
                nodes.clear()
                progress(WIDTH)
        progress(frontier.size % WIDTH)

    def _check_nodes(self, nodes: Sequence[tuple[Node, bytes]]) -> None:
        if self._store.read([node for node, _ in nodes]) != [value for _, value in nodes]:
            raise TamperError(
                "the stored tree of this ledger differs from its entries: it was altered; put a good copy of ledger.db "
                "in its place, or move it away and restore everything",
                "本台账所存的树与条目不符：被改动；请换上完好的 ledger.db，或将其移走后全部补回",
            )

    def _check_beginning(self) -> None:
        """Raise unless the file's entries begin the copy, and the known heads of them are of that same history."""
        size, head = self._frontier.size, self._head
        try:
            proof = consistency_proof(size, head.size, self._tree)
            check_consistency(size, head.size, self._frontier.root(), head.root, proof)
        except ProofError as error:
            raise self._differs() from error
        for checkpoint, where in self._known:
            own = self._roots.get(checkpoint.size)
            if own is not None and own != checkpoint.root:
                raise _fork(checkpoint, where, own)

    def _differs(self) -> TamperError:
        """Why the file does not begin the copy: the log signed both, or the file was altered."""
        for checkpoint, where in sorted(self._known, key=lambda item: item[0].size):
            if checkpoint.root == self._roots.get(checkpoint.size):
                theirs = tree_root(checkpoint.size, self._tree)
                if theirs != checkpoint.root:
                    return _fork(checkpoint, where, theirs)
        seq = self._first_difference()
        return TamperError(
            f"entry {seq} of this ledger is not the one that the log signed, as SOURCE shows; nothing that this ledger "
            "keeps was signed over it: it was altered. Put a good copy of ledger.db in its place, or move it away and "
            "restore everything",
            f"来源表明，本台账第 {seq} 条并非台账所签的条目，且本台账中没有任何检查点涵盖它：被改动。"
            "请换上完好的 ledger.db，或将其移走后全部补回",
        )

    def _first_difference(self) -> int:
        hashes: list[bytes] = []
        for seq, _, stored in self._store.rows():
            if seq % WIDTH == 0:
                hashes = self._copy.hashes(Tile(0, seq // WIDTH, min(WIDTH, self._head.size - seq)))
            if hashes[seq % WIDTH] != stored:
                return seq
        return self._frontier.size

    def _append(self, once_keys: OnceKeys, progress: Progress) -> None:
        """Write the entries from the frontier on, as they are, with their nodes and the keys that they used."""
        frontier, before = self._frontier, self._frontier.size
        known: dict[int, list[Known]] = {}
        for item in self._known:
            known.setdefault(item[0].size, []).append(item)
        self._store.cut_to(before)  # of entries that were cut off; they are computed again
        for bundle in bundles_of(self._head.size):
            if bundle.start + bundle.width <= before:
                continue
            rows: list[tuple[int, bytes, bytes]] = []
            nodes: list[tuple[Node, bytes]] = []
            for seq, entry in enumerate(self._copy.entries(bundle), bundle.start):
                if seq < frontier.size:
                    continue
                leaf = leaf_hash(entry)
                rows.append((seq, entry, leaf))
                nodes += frontier.append(leaf)
                for checkpoint, where in known.get(frontier.size, ()):
                    if checkpoint.root != frontier.root():
                        raise _fork(checkpoint, where, frontier.root())
            self._write(rows, nodes, once_keys)
            progress(len(rows))
        if frontier.root() != self._head.root:
            raise self._changed()

    def _changed(self) -> TamperError:
        return TamperError(
            f"SOURCE gives other entries now than those that its checkpoint (root {self._head.root.hex()}) covers: it "
            "changed while it was read; copy it to this machine and take the copy",
            f"来源现在给出的条目并非其检查点（根 {self._head.root.hex()}）所涵盖的条目：读取期间来源有变；"
            "请先将其复制到本机再用",
        )

    def _write(
        self, rows: Sequence[tuple[int, bytes, bytes]], nodes: Sequence[tuple[Node, bytes]], once_keys: OnceKeys
    ) -> None:
        try:
            self._store.add_entries(rows)
        except sqlite3.IntegrityError as error:  # the file's own guard: each entry names the hash of the one before
            raise self._changed() from error
        self._store.add_nodes(nodes)
        for seq, entry, _ in rows:
            free = [key for key in once_keys(entry) if self._store.once_seq(key) is None]
            if free:
                self._store.add_once(free, seq)

    def _keep_checkpoint(self) -> None:
        """Keep the copy's checkpoint, unless the file has one of this size that as many signed."""
        size, note = self._head.size, self._copy.note
        own, signatures = self._store.checkpoint_of(size), Note.parse(note).signatures
        if own is None:
            self._store.put_checkpoint(size, note)
        elif len(Note.parse(own).signatures) >= len(signatures):
            return
        if any(signature.name != self._head.origin for signature in signatures):
            self._store.put_cosigned(size, note)


def _signed_here(store: Store, keys: KeyChain) -> Iterator[Known]:
    """The checkpoints that the file keeps, their signatures verified."""
    for size, note in store.checkpoints():
        try:
            checkpoint = keys.open(note)
        except NoteError as error:
            raise TamperError(
                f"the checkpoint of size {size} in this ledger: {error.en}",
                f"本台账所存大小为 {size} 的检查点：{error.zh}",
            ) from error
        if checkpoint.size != size:
            raise TamperError(
                f"the checkpoint filed under size {size} in this ledger is for size {checkpoint.size}: it was moved",
                f"本台账中归在大小 {size} 名下的检查点实为大小 {checkpoint.size}：已被挪动",
            )
        yield checkpoint, "a checkpoint kept in this ledger (本台账所存的检查点)"


def _fork(checkpoint: Checkpoint, where: str, other: bytes) -> TamperError:
    return TamperError(
        f"two histories: for {checkpoint.size} entries the root is {checkpoint.root.hex()} by {where}, but "
        f"{other.hex()} in SOURCE, which the log signed too. Keep this ledger and SOURCE, together they prove it, and "
        "call the supervising offices",
        f"出现两段历史：{checkpoint.size} 条时，{where}的根为 {checkpoint.root.hex()}，来源中则为 {other.hex()}，"
        "而来源也经台账签名。请保存本台账和来源，二者合为证据，并联系监督机构",
    )
