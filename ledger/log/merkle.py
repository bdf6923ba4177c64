"""RFC 6962 / RFC 9162 Merkle trees: hashes, roots, inclusion and consistency proofs. Pure, over a HashReader.

A node is named by ``(level, index)``: the root of the complete subtree over leaves
``index·2^level … (index+1)·2^level − 1``. Level 0 is the leaf hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from ledger.errors import ProofError

HASH_BYTES = 32
#: RFC 6962 §2.1: the hash of an empty list.
EMPTY_ROOT = hashlib.sha256().digest()

Node = tuple[int, int]


class HashReader(Protocol):
    """Reads stored hashes of complete subtrees."""

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the 32-byte hashes of ``nodes``, in their order."""
        ...


def leaf_hash(data: bytes) -> bytes:
    """``SHA256(0x00 ‖ data)``. Source: RFC 6962 §2.1."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """``SHA256(0x01 ‖ left ‖ right)``. Source: RFC 6962 §2.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, largest first.

    Appending costs amortised one hash, the root O(log n); the whole tree is never held.
    """

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size = size
        self._roots = list(roots)
        if len(self._roots) != size.bit_count():
            raise ProofError(
                f"a frontier of size {size} has {size.bit_count()} subtrees, got {len(self._roots)}",
                f"大小为 {size} 的前沿应有 {size.bit_count()} 棵子树，得到 {len(self._roots)} 棵",
            )

    @classmethod
    def load(cls, size: int, reader: HashReader) -> Frontier:
        """The frontier of the first ``size`` leaves, by at most log2(size) hashes from ``reader``."""
        return cls(size, reader.read(_complete_subtrees(0, size)))

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf hash; return the inner nodes it completed, lowest first."""
        completed: list[tuple[Node, bytes]] = []
        index, level, right = self.size, 0, leaf
        while index & 1:
            right = node_hash(self._roots.pop(), right)
            index >>= 1
            level += 1
            completed.append(((level, index), right))
        self._roots.append(right)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The tree's root hash. Source: RFC 6962 §2.1."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root

    def roots(self) -> tuple[bytes, ...]:
        """The roots of its complete subtrees, largest first: with the size, all that is needed to go on."""
        return tuple(self._roots)

    def copy(self) -> Frontier:
        return Frontier(self.size, self._roots)


def tree_root(size: int, reader: HashReader) -> bytes:
    """The root hash of the first ``size`` leaves; O(log size) hashes in one call of ``reader``."""
    return Frontier.load(size, reader).root()


def inclusion_proof(index: int, size: int, reader: HashReader) -> list[bytes]:
    """The proof that leaf ``index`` is in the tree of ``size`` leaves, leaf's sibling first.

    RFC 6962 §2.1.1 calls this a Merkle audit path. One call of ``reader``, O(log size) hashes.

    Raises:
        ProofError: ``index`` is not below ``size``.
    """
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is not in a log of {size} entries", f"共 {size} 条的日志中没有第 {index} 条")
    spans = _audit_spans(index, 0, size)
    return _read_spans(spans, reader)


def consistency_proof(old: int, new: int, reader: HashReader) -> list[bytes]:
    """The proof that the tree of ``old`` leaves is a prefix of the tree of ``new`` leaves.

    Source: RFC 6962 §2.1.2. Empty where ``old`` is 0 or equals ``new``.

    Raises:
        ProofError: ``old`` is greater than ``new`` or negative.
    """
    if not 0 <= old <= new:
        raise ProofError(
            f"a log of {new} entries cannot extend one of {old}",
            f"共 {new} 条的日志不可能延续共 {old} 条的日志",
        )
    if old in (0, new):
        return []
    return _read_spans(_consistency_spans(old, 0, new, True), reader)


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise :class:`ProofError` unless ``proof`` shows leaf hash ``leaf`` at ``index`` under ``root``.

    Source: RFC 9162 §2.1.3.2.
    """
    _check_lengths([leaf, root, *proof])
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is not in a log of {size} entries", f"共 {size} 条的日志中没有第 {index} 条")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise _wrong_length(len(proof))
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise _wrong_length(len(proof))
    if r != root:
        raise _wrong_root(r, root)


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise :class:`ProofError` unless ``proof`` shows that the old tree is a prefix of the new.

    Source: RFC 9162 §2.1.4.2.
    """
    _check_lengths([old_root, new_root, *proof])
    if not 0 <= old <= new:
        raise ProofError(
            f"a log of {new} entries cannot extend one of {old}",
            f"共 {new} 条的日志不可能延续共 {old} 条的日志",
        )
    if old in (0, new):
        _check_trivial_consistency(old, new, old_root, new_root, proof)
        return
    fr, sr = consistency_roots(old, new, old_root, proof)
    if fr != old_root:
        raise _wrong_root(fr, old_root)
    if sr != new_root:
        raise _wrong_root(sr, new_root)


def consistency_roots(old: int, new: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old and of the new tree to which a consistency proof leads, for 0 < ``old`` < ``new``.

    Where ``old`` is a power of two the proof leaves the old tree's root out and ``old_root`` stands for it.
    Source: RFC 9162 §2.1.4.2.

    Raises:
        ProofError: the number of hashes does not fit the two sizes.
    """
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise _wrong_length(len(proof))
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise _wrong_length(len(proof))
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise _wrong_length(len(proof))
    return fr, sr


def _check_trivial_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    # RFC 9162 leaves sizes 0 and equal to the caller: an empty proof, and roots that must already agree.
    if proof:
        raise _wrong_length(len(proof))
    if old == 0 and old_root != EMPTY_ROOT:
        raise _wrong_root(old_root, EMPTY_ROOT)
    if old == new and old_root != new_root:
        raise _wrong_root(new_root, old_root)


Span = tuple[int, int]


def _split(n: int) -> int:
    """The largest power of two smaller than ``n`` (RFC 6962's k)."""
    return 1 << ((n - 1).bit_length() - 1)


def _audit_spans(index: int, start: int, end: int) -> list[Span]:
    spans: list[Span] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    spans.reverse()
    return spans


def _consistency_spans(old: int, start: int, end: int, whole: bool) -> list[Span]:
    # RFC 6962 §2.1.2 SUBPROOF(m, D[start:end], b); `old` is absolute.
    if old == end:
        return [] if whole else [(start, end)]
    middle = start + _split(end - start)
    if old <= middle:
        return [*_consistency_spans(old, start, middle, whole), (middle, end)]
    return [*_consistency_spans(old, middle, end, False), (start, middle)]


def _complete_subtrees(start: int, end: int) -> list[Node]:
    """The complete subtrees that cover leaves ``start … end−1`` of a span of the tree, left to right."""
    nodes: list[Node] = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _read_spans(spans: Sequence[Span], reader: HashReader) -> list[bytes]:
    covers = [_complete_subtrees(start, end) for start, end in spans]
    hashes = iter(reader.read([node for cover in covers for node in cover]))
    proof: list[bytes] = []
    for cover in covers:
        parts = [next(hashes) for _ in cover]
        root = parts[-1]
        for left in reversed(parts[:-1]):
            root = node_hash(left, root)
        proof.append(root)
    return proof


def _check_lengths(hashes: Iterable[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise ProofError(
                f"a hash of {len(value)} bytes; SHA-256 hashes have {HASH_BYTES}",
                f"哈希长 {len(value)} 字节；SHA-256 哈希应为 {HASH_BYTES} 字节",
            )


def _wrong_length(count: int) -> ProofError:
    return ProofError(
        f"the proof has {count} hashes, which is not the number this index and size need",
        f"证明含 {count} 个哈希，与该序号和大小所需的个数不符",
    )


def _wrong_root(found: bytes, want: bytes) -> ProofError:
    return ProofError(
        f"the proof leads to root {found.hex()}, not to {want.hex()}",
        f"证明推得的根为 {found.hex()}，而不是 {want.hex()}",
    )
