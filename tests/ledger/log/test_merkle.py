"""Merkle trees against an oracle written from RFC 6962's definitions; every altered proof is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import ProofError
from ledger.log import merkle
from ledger.log.merkle import Frontier, check_consistency, check_inclusion, leaf_hash, node_hash

LARGEST = 65

# -- the oracle: RFC 6962 §2.1, 2.1.1 and 2.1.2, transcribed ----------


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    if len(d) == 0:
        return sha(b"")
    if len(d) == 1:
        return sha(b"\x00" + d[0])
    k = split(len(d))
    return sha(b"\x01" + mth(d[:k]) + mth(d[k:]))


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: Sequence[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


# The same recursions over symbols say which pairs of numbers have the same shape of proof: an RFC 6962 proof does not
# depend on the size in any other way, so only the signature over size and root can tell such sizes apart.


def path_shape(m: int, n: int) -> Any:
    if n == 1:
        return "leaf"
    k = split(n)
    return (path_shape(m, k), "p") if m < k else ("p", path_shape(m - k, n - k))


def proof_shape(m: int, n: int, b: bool, count: list[int]) -> tuple[Any, Any]:
    """The old and the new root as trees over the proof's elements, which are numbered in their order."""
    if m == n:
        if b:
            return "old", "old"
        count[0] += 1
        return count[0], count[0]
    k = split(n)
    if m <= k:
        old, new = proof_shape(m, k, b, count)
        count[0] += 1
        return old, (new, count[0])
    old, new = proof_shape(m - k, n - k, False, count)
    count[0] += 1
    return (count[0], old), (count[0], new)


# ----------------------------------------------------------------------------------------------------------------------


class Leaves:
    """A HashReader over leaves in memory, which holds its callers to what they may ask."""

    def __init__(self, leaves: Sequence[bytes], size: int) -> None:
        self.leaves = leaves
        self.size = size
        self.calls = 0

    def read(self, nodes: Sequence[merkle.Node]) -> list[bytes]:
        self.calls += 1
        for level, index in nodes:
            assert index >= 0 and (index + 1) << level <= self.size, "only complete subtrees are stored"
        return [mth(self.leaves[i << level : (i + 1) << level]) for level, i in nodes]


DATA = [b"entry %d" % n for n in range(LARGEST)]
HASHES = [leaf_hash(data) for data in DATA]
ROOTS = [mth(DATA[:n]) for n in range(LARGEST + 1)]

CT_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
#: The roots of its first one to eight leaves, as the tests of Certificate Transparency publish them.
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    CT_ROOT,
]


def test_the_public_eight_leaf_tree_has_its_published_root() -> None:
    frontier = Frontier()
    for data in CT_LEAVES:
        frontier.append(leaf_hash(data))
    assert frontier.root().hex() == CT_ROOT == mth(CT_LEAVES).hex()
    for size, want in enumerate(CT_ROOTS, 1):
        assert merkle.tree_root(size, Leaves(CT_LEAVES, size)).hex() == want


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == merkle.EMPTY_ROOT == sha(b"")
    assert merkle.tree_root(0, Leaves([], 0)) == sha(b"")


def test_leaf_and_node_hashes_are_kept_apart() -> None:
    assert leaf_hash(b"") == sha(b"\0") and node_hash(bytes(32), bytes(32)) == sha(b"\1" + bytes(64))
    assert leaf_hash(bytes(64)) != node_hash(bytes(32), bytes(32))


def test_roots_and_completed_nodes_equal_the_oracle_for_every_size() -> None:
    frontier = Frontier()
    for n in range(1, LARGEST + 1):
        completed = frontier.append(HASHES[n - 1])
        assert frontier.size == n and frontier.root() == ROOTS[n]
        assert [node for node, _ in completed] == [(h, (n >> h) - 1) for h in range(1, 8) if n % (1 << h) == 0]
        for (level, index), value in completed:
            assert value == mth(DATA[index << level : (index + 1) << level])


def test_a_frontier_that_is_loaded_goes_on_like_the_one_that_grew() -> None:
    for n in range(LARGEST):
        reader = Leaves(DATA, n)
        frontier = Frontier.load(n, reader)
        assert reader.calls == 1 and frontier.root() == ROOTS[n] == merkle.tree_root(n, Leaves(DATA, n))
        frontier.append(HASHES[n])
        assert frontier.root() == ROOTS[n + 1]


def test_a_copy_of_a_frontier_grows_alone() -> None:
    frontier = Frontier.load(5, Leaves(DATA, 5))
    frontier.copy().append(HASHES[5])
    assert (frontier.size, frontier.root()) == (5, ROOTS[5])


def test_a_frontier_with_another_number_of_subtrees_is_refused() -> None:
    for size in range(20):
        for count in range(6):
            if count != size.bit_count():
                with pytest.raises(ProofError):
                    Frontier(size, [bytes(32)] * count)


def test_every_inclusion_proof_equals_the_oracle_and_verifies() -> None:
    for n in range(1, LARGEST + 1):
        for index in range(n):
            reader = Leaves(DATA, n)
            proof = merkle.inclusion_proof(index, n, reader)
            assert proof == path(index, DATA[:n]) and reader.calls == 1
            check_inclusion(HASHES[index], index, n, proof, ROOTS[n])


def test_every_consistency_proof_equals_the_oracle_and_verifies() -> None:
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            proof = merkle.consistency_proof(old, new, Leaves(DATA, new))
            assert proof == ([] if old in (0, new) else subproof(old, DATA[:new], True))
            check_consistency(old, new, ROOTS[old], ROOTS[new], proof)


# -- what must be refused ----------


def refused(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except ProofError as error:
        assert error.en and error.zh
        return True
    return False


def flips(value: bytes, bits: Sequence[int] = range(256)) -> list[bytes]:
    number = int.from_bytes(value, "big")
    return [(number ^ 1 << bit).to_bytes(len(value), "big") for bit in bits]


def altered(proof: list[bytes], bits: Sequence[int]) -> list[list[bytes]]:
    """The proof with a bit flipped, a hash dropped, added, doubled, of another length, or two swapped."""
    out: list[list[bytes]] = []
    for i, value in enumerate(proof):
        out += [[*proof[:i], bad, *proof[i + 1 :]] for bad in flips(value, bits)]
        out += [[*proof[:i], bad, *proof[i + 1 :]] for bad in (value[:-1], value + b"\0", b"", bytes(32))]
        out += [proof[:i] + proof[i + 1 :], [*proof[:i], value, *proof[i:]]]
        for j in range(i + 1, len(proof)):
            swapped = proof.copy()
            swapped[i], swapped[j] = proof[j], proof[i]
            out.append(swapped)
    for place in range(len(proof) + 1):
        out += [[*proof[:place], extra, *proof[place:]] for extra in (bytes(32), sha(b"x"))]
    return out


def bits_of(n: int, m: int) -> Sequence[int]:
    """Every bit for the smaller trees; for every other size and place the outer ones, and a third that wanders."""
    return range(256) if n in (1, 2, 3, 4, 5, 8, 9) else (0, (37 * n + 11 * m) % 256, 255)


def test_every_altered_inclusion_proof_is_refused_for_every_size() -> None:
    for n in range(1, LARGEST + 1):
        for index in range(n):
            leaf, root, proof, bits = HASHES[index], ROOTS[n], path(index, DATA[:n]), bits_of(n, index)
            for bad in altered(proof, bits):
                assert refused(check_inclusion, leaf, index, n, bad, root)
            for bad_hash in [*flips(leaf, bits), leaf[:-1], leaf + b"\0", b""]:
                assert refused(check_inclusion, bad_hash, index, n, proof, root)
            for bad_hash in [*flips(root, bits), root[:-1], root + b"\0", b""]:
                assert refused(check_inclusion, leaf, index, n, proof, bad_hash)


def test_an_inclusion_proof_holds_for_its_index_alone() -> None:
    for n in range(1, 34):
        for index in range(n):
            proof = path(index, DATA[:n])
            for wrong in (*range(-2, n + 3), 2**63, 2**64 + index):
                if wrong != index:
                    assert refused(check_inclusion, HASHES[index], wrong, n, proof, ROOTS[n])


def test_an_inclusion_proof_holds_for_sizes_of_the_same_shape_alone() -> None:
    for n in range(1, 34):
        for index in range(n):
            proof = path(index, DATA[:n])
            for wrong in (-1, 0, *range(1, 2 * n + 3), 2**64):
                same = index < wrong < 2**64 and path_shape(index, wrong) == path_shape(index, n)
                assert refused(check_inclusion, HASHES[index], index, wrong, proof, ROOTS[n]) != same


def test_every_altered_consistency_proof_is_refused_for_every_pair_of_sizes() -> None:
    for new in range(2, LARGEST + 1):
        for old in range(1, new):
            proof, roots, bits = subproof(old, DATA[:new], True), (ROOTS[old], ROOTS[new]), bits_of(new, old)
            for bad in altered(proof, bits):
                assert refused(check_consistency, old, new, *roots, bad)
            for bad_root in [*flips(roots[0], bits), b"", roots[0] + b"\0"]:
                assert refused(check_consistency, old, new, bad_root, roots[1], proof)
            for bad_root in [*flips(roots[1], bits), b"", roots[1] + b"\0"]:
                assert refused(check_consistency, old, new, roots[0], bad_root, proof)
            assert refused(check_consistency, old, new, roots[1], roots[0], proof)


def test_a_consistency_proof_holds_for_sizes_of_the_same_shape_alone() -> None:
    for new in range(2, 20):
        for old in range(1, new):
            proof = subproof(old, DATA[:new], True)
            shape = proof_shape(old, new, True, [0])
            for wrong_new in range(-1, 2 * new + 2):
                for wrong_old in range(-1, wrong_new + 2):
                    within = 0 < wrong_old < wrong_new
                    same = within and proof_shape(wrong_old, wrong_new, True, [0]) == shape
                    accepted = not refused(check_consistency, wrong_old, wrong_new, ROOTS[old], ROOTS[new], proof)
                    assert accepted == same, (old, new, wrong_old, wrong_new)


def test_trivial_consistency_takes_no_hashes_and_no_other_roots() -> None:
    check_consistency(0, 0, ROOTS[0], ROOTS[0], [])
    check_consistency(0, 5, ROOTS[0], ROOTS[5], [])
    check_consistency(5, 5, ROOTS[5], ROOTS[5], [])
    for bad in (
        (0, 5, ROOTS[1], ROOTS[5], []),
        (0, 5, bytes(32), ROOTS[5], []),
        (0, 0, ROOTS[1], ROOTS[1], []),
        (0, 0, ROOTS[0], ROOTS[1], []),
        (5, 5, ROOTS[5], ROOTS[4], []),
        (0, 5, ROOTS[0], ROOTS[5], [bytes(32)]),
        (5, 5, ROOTS[5], ROOTS[5], [bytes(32)]),
        (6, 5, ROOTS[6], ROOTS[5], []),
        (-1, 5, ROOTS[0], ROOTS[5], []),
        (1, 2, ROOTS[1], ROOTS[2], []),
        (3, 5, ROOTS[3], ROOTS[5], []),
    ):
        assert refused(check_consistency, *bad)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (6, 5), (-1, 5)])
def test_no_proof_is_made_for_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        merkle.inclusion_proof(index, size, Leaves(DATA, size))


@pytest.mark.parametrize(("old", "new"), [(6, 5), (-1, 5), (1, 0)])
def test_no_consistency_proof_is_made_backwards(old: int, new: int) -> None:
    with pytest.raises(ProofError):
        merkle.consistency_proof(old, new, Leaves(DATA, max(new, 0)))


hashes = st.binary(min_size=31, max_size=33) | st.just(bytes(32)) | st.sampled_from(HASHES)
numbers = st.integers(-3, 70) | st.integers(2**62, 2**65)


@given(st.lists(hashes, max_size=70), numbers, numbers, hashes, hashes)
@settings(max_examples=400)
def test_no_proof_at_all_raises_anything_but_a_proof_error(
    proof: list[bytes], one: int, two: int, first: bytes, second: bytes
) -> None:
    refused(check_inclusion, first, one, two, proof, second)
    refused(check_consistency, one, two, first, second, proof)
