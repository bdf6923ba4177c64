"""The tree as verification computes it, from leaf hashes and with its own hashing, compared with the stored nodes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence

from ledger.errors import Fault, TamperError


class Tree:
    """The right edge of the tree over consecutive leaves, those from some leaf on.

    A subtree is (level, index, hash). Over all leaves from 0 on they are the complete subtrees, largest first.
    """

    def __init__(self, size: int, subtrees: Sequence[tuple[int, int, bytes]] = ()) -> None:
        self.size = size
        self.subtrees = list(subtrees)

    @classmethod
    def of(cls, size: int, frontier: Sequence[bytes]) -> Tree:
        """The tree of ``size`` leaves from 0 on."""
        levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
        return cls(size, [(level, (size >> level) - 1, value) for level, value in zip(levels, frontier, strict=True)])

    def copy(self) -> Tree:
        return Tree(self.size, self.subtrees)

    def hashes(self) -> list[bytes]:
        return [value for _, _, value in self.subtrees]

    def root(self) -> bytes:
        return root_of(self.hashes())

    def extend(self, leaves: list[bytes], db: sqlite3.Connection) -> None:
        """Add leaf hashes; compare the stored inner nodes that they complete."""
        place = 0
        while place < len(leaves):
            # The largest complete subtree that begins here and that there are leaves for.
            height = (len(leaves) - place).bit_length() - 1
            if self.size:
                height = min(height, (self.size & -self.size).bit_length() - 1)
            self._add_complete(leaves[place : place + (1 << height)], height, db)
            place += 1 << height

    def _add_complete(self, leaves: list[bytes], height: int, db: sqlite3.Connection) -> None:
        sha256 = hashlib.sha256
        start, values = self.size, leaves
        for level in range(1, height + 1):
            pairs = iter(values)
            values = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            if level % 8 == 0:
                _check_nodes(db, level, start >> level, values)
        self.push(height, start >> height, values[0], db)

    def push(self, level: int, index: int, value: bytes, db: sqlite3.Connection) -> None:
        """Add a complete subtree next to the last one."""
        self.size = (index + 1) << level
        while index & 1 and self.subtrees and self.subtrees[-1][:2] == (level, index - 1):
            value = hashlib.sha256(b"\1" + self.subtrees.pop()[2] + value).digest()
            index >>= 1
            level += 1
            if level % 8 == 0:
                _check_nodes(db, level, index, [value])
        self.subtrees.append((level, index, value))


def _check_nodes(db: sqlite3.Connection, level: int, first: int, values: list[bytes]) -> None:
    """Compare stored inner nodes with ``values``, those of ``level`` from index ``first`` on."""
    sql = "SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
    stored = db.execute(sql, (level, first, first + len(values))).fetchall()
    if stored == list(enumerate(values, first)):
        return
    found = dict(stored)
    index, value = next((index, value) for index, value in enumerate(values, first) if found.get(index) != value)
    kept = found.get(index)
    shown = kept.hex() if isinstance(kept, bytes) else "none"
    raise TamperError(
        f"the stored tree differs from the entries at level {level}, node {index} "
        f"(entries {index << level} to {((index + 1) << level) - 1}): stored is {shown}, "
        f"the entries give {value.hex()}",
        f"所存的树与条目不符：第 {level} 层第 {index} 个节点（第 {index << level} 至 {((index + 1) << level) - 1} 条）"
        f"所存为 {shown}，由条目算得 {value.hex()}",
        Fault(None, f"level {level}, node {index}", value.hex(), shown),
    )


def root_of(frontier: Sequence[bytes]) -> bytes:
    if not frontier:
        return hashlib.sha256().digest()
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = hashlib.sha256(b"\1" + left + root).digest()
    return root


def check_node_count(db: sqlite3.Connection, size: int) -> None:
    (stored,) = db.execute("SELECT count(*) FROM nodes").fetchone()
    expected = sum(size >> level for level in range(8, 64, 8))
    if stored != expected:
        raise TamperError(
            f"the stored tree has {stored} nodes, {size} entries give {expected}",
            f"所存的树有 {stored} 个节点，而 {size} 条应有 {expected} 个",
            Fault(None, "tree nodes", str(expected), str(stored)),
        )
