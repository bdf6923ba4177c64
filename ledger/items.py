"""A batch of items in one entry: their number, and one RFC 6962 root over salted commitments.

Each item can be proven, and erased, without any other: it is a particular of its own, named ``items/17``, with its own
salt and key. The entry holds the root alone. The commitments of all items are kept as the particular
``item_commitments``, from which the inclusion path of each is made, also after another was erased. Pure.

Source: docs/spec/entry.md, "Batches of items".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import EntryError, ProofError, TamperError
from ledger.log.commitment import KEY_BYTES, SALT_BYTES, Opening, Sealed, commit, seal_under
from ledger.log.merkle import (
    Frontier,
    Node,
    check_inclusion,
    inclusion_proof,
    leaf_hash,
    node_hash,
)

#: The particular that holds the commitments of all items, in their order.
FIELD = "item_commitments"
_PREFIX = "items"
MAX_ITEMS = 1_000
_ITEM = re.compile(r"items/(0|[1-9][0-9]{0,5})")


def item_field(index: int) -> str:
    """The name of item ``index`` as a particular."""
    return f"{_PREFIX}/{index}"


def item_index(field: str) -> int | None:
    """The index in an item's name; None for any other particular."""
    found = _ITEM.fullmatch(field)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class SealedItems:
    """Items ready to be appended: what opens them, how they are stored, and their root."""

    openings: tuple[Opening, ...]
    sealed: tuple[Sealed, ...]

    @property
    def commitments(self) -> list[str]:
        """The commitments, in the items' order: the value of the particular ``items``."""
        return [item.commitment for item in self.sealed]

    @property
    def root(self) -> str:
        """The RFC 6962 root over the commitments, as hex."""
        return items_root(self.commitments)


def draw_salts(count: int, random: Callable[[int], bytes]) -> list[bytes]:
    """A salt for each of ``count`` items, so that an answer may carry them before the items are sealed."""
    drawn = random(SALT_BYTES * count)
    return [drawn[start : start + SALT_BYTES] for start in range(0, len(drawn), SALT_BYTES)]


def seal_items(openings: Sequence[Opening], random: Callable[[int], bytes]) -> SealedItems:
    """Seal each item under a key of its own.

    Raises:
        CanonicalError: a value outside the canonical domain, a salt that is not 32 bytes.
        EntryError: no item, or more than :data:`MAX_ITEMS`.
    """
    if not 1 <= len(openings) <= MAX_ITEMS:
        raise EntryError(
            f"a batch of {len(openings)} items; one entry has 1 to {MAX_ITEMS}",
            f"批量 {len(openings)} 项；每条 1 至 {MAX_ITEMS} 项",
        )
    keys = random(KEY_BYTES * len(openings))
    return SealedItems(
        tuple(openings),
        tuple(
            seal_under(item_field(index), opening, keys[index * KEY_BYTES : (index + 1) * KEY_BYTES])
            for index, opening in enumerate(openings)
        ),
    )


def items_root(commitments: Iterable[str]) -> str:
    """The RFC 6962 root over commitments (hex), each a leaf of 32 bytes."""
    frontier = Frontier()
    for each in commitments:
        frontier.append(leaf_hash(bytes.fromhex(each)))
    return frontier.root().hex()


@dataclass(frozen=True, slots=True)
class ItemProof:
    """What shows one item of a batch to somebody who holds the entry: its opening, and its path to the root."""

    index: int
    opening: Opening
    path: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """The item as a receipt has it: docs/spec/receipt.md."""
        return {
            "index": self.index,
            "salt": self.opening.salt.hex(),
            "value": self.opening.value,
            "path": [each.hex() for each in self.path],
        }

    @classmethod
    def from_json(cls, value: Any) -> ItemProof:
        """Read an item of a receipt; raises KeyError, TypeError or ValueError where it has another form."""
        index, salt, path = value["index"], value["salt"], value["path"]
        if set(value) != {"index", "salt", "value", "path"} or type(index) is not int or type(path) is not list:
            raise KeyError("members")
        return cls(index, Opening(_bytes(salt), value["value"]), tuple(map(_bytes, path)))

    def check(self, entry: Mapping[str, Any]) -> None:
        """Raise unless this is item ``index`` of ``entry``, a decoded entry whose form was checked.

        Raises:
            EntryError: the entry has no items, or not so many.
            TamperError: it is not what the entry's root covers.
        """
        count, root = entry.get("items"), entry.get("items_root")
        if type(count) is not int or type(root) is not str or not 0 <= self.index < count:
            raise EntryError(
                f"the entry has {count or 'no'} items, none of number {self.index}",
                f"该条目有 {count or 0} 项，没有第 {self.index} 项",
            )
        leaf = leaf_hash(bytes.fromhex(commit(self.opening.salt, item_field(self.index), self.opening.value)))
        try:
            check_inclusion(leaf, self.index, count, self.path, bytes.fromhex(root))
        except ProofError as error:
            raise TamperError(
                f"item {self.index} is not what the entry's items_root covers ({error.en})",
                f"第 {self.index} 项与条目的 items_root 不符（{error.zh}）",
            ) from error


def prove_items(commitments: Sequence[str], openings: Mapping[int, Opening]) -> tuple[ItemProof, ...]:
    """The proofs of the items that are opened, from the commitments of all of them."""
    tree = _Tree([leaf_hash(bytes.fromhex(each)) for each in commitments])
    return tuple(
        ItemProof(index, opening, tuple(inclusion_proof(index, len(commitments), tree)))
        for index, opening in sorted(openings.items())
    )


class _Tree:
    """All complete subtrees over a few leaves (:class:`ledger.log.merkle.HashReader`)."""

    def __init__(self, leaves: list[bytes]) -> None:
        self._levels = [leaves]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)])

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        return [self._levels[level][index] for level, index in nodes]


def _bytes(text: str) -> bytes:
    # One spelling only: bytes.fromhex alone would take capitals and spaces too.
    if type(text) is not str or not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError(text)
    return bytes.fromhex(text)
