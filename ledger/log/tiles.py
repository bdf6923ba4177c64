"""tlog-tiles: the addresses and bytes of hash tiles and entry bundles. Pure.

Source: c2sp.org/tlog-tiles. A tile holds 256 hashes of one level; the tiles at the right edge are partial. Level L of
tiles holds the tree's level 8·L, so a tile of level L is the part of the tree over 256^(L+1) entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.errors import NoteError
from ledger.log.merkle import HASH_BYTES, Node, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
#: Sizes are below 2^63 (log.md L7), so no tree reaches level 8 of tiles; tlog-tiles itself allows 0 to 63.
MAX_LEVEL = 7
_MAX_SIZE = 2**63
# The index has at most six groups of three digits: 2^63 / 256 is below 10^18.
_PATH = re.compile(
    r"(?P<level>entries|[0-9])/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's address: level (None for an entry bundle), index within the level, number of hashes or entries."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The address below ``<prefix>/tile/``, such as ``0/x001/x234/067.p/8``."""
        groups = []
        rest = self.index
        while True:
            groups.append(f"{rest % 1000:03d}")
            rest //= 1000
            if not rest:
                break
        index = "/".join([*(f"x{group}" for group in groups[:0:-1]), groups[0]])
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{'entries' if self.level is None else self.level}/{index}{suffix}"

    @property
    def start(self) -> int:
        """The first node (or entry) of the tile within its level."""
        return self.index * WIDTH

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read an address as :attr:`path` writes it; no other spelling is accepted.

        Raises:
            NoteError: not an address of a tile.
        """
        found = _PATH.fullmatch(path)
        if found is not None:
            level = None if found["level"] == "entries" else int(found["level"])
            index = int(found["index"].replace("/", "").replace("x", ""))
            tile = cls(level, index, int(found["width"] or WIDTH))
            # The comparison refuses leading zeros and a width of 256 or more written out.
            if tile.path == path and tile.width <= WIDTH and (level or 0) <= MAX_LEVEL and is_of_size(tile, _MAX_SIZE):
                return tile
        raise NoteError(
            f"{path[:80]!r} is not the address of a tile, such as 0/x001/234 or entries/000.p/17",
            f"{path[:80]!r} 不是瓦片地址；应形如 0/x001/234 或 entries/000.p/17",
        )


def tiles_of(size: int) -> Iterator[Tile]:
    """Every hash tile of a tree of ``size`` leaves, full and partial, level by level."""
    level = 0
    while size >> (HEIGHT * level):
        nodes = size >> (HEIGHT * level)
        for index in range(nodes // WIDTH):
            yield Tile(level, index)
        if nodes % WIDTH:
            yield Tile(level, nodes // WIDTH, nodes % WIDTH)
        level += 1


def bundles_of(size: int) -> Iterator[Tile]:
    """Every entry bundle of a log of ``size`` entries."""
    for index in range(size // WIDTH):
        yield Tile(None, index)
    if size % WIDTH:
        yield Tile(None, size // WIDTH, size % WIDTH)


def is_of_size(tile: Tile, size: int) -> bool:
    """Whether a log of ``size`` entries has all that ``tile`` holds."""
    return tile.start + tile.width <= size >> (HEIGHT * (tile.level or 0))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries of at most 65,535 bytes, each behind its length as a 16-bit big-endian number."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def decode_bundle(data: bytes, tile: Tile) -> list[bytes]:
    """The entries of the bundle at address ``tile``.

    Raises:
        NoteError: it ends within an entry, or holds not the number of entries that the address says.
    """
    entries = []
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 2])
        entry = data[position + 2 : position + 2 + length]
        if position + 2 > len(data) or len(entry) != length:
            raise NoteError(
                f"the bundle {tile.path} ends within an entry; fetch it again",
                f"条目包 {tile.path} 在条目中途结束；请重新获取",
            )
        entries.append(entry)
        position += 2 + length
    if len(entries) != tile.width:
        raise NoteError(
            f"the bundle {tile.path} has {len(entries)} entries, want {tile.width}; fetch it again",
            f"条目包 {tile.path} 有 {len(entries)} 条，应为 {tile.width} 条；请重新获取",
        )
    return entries


def decode_tile(data: bytes, tile: Tile) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        NoteError: not the number of hashes that the address says.
    """
    if len(data) != tile.width * HASH_BYTES:
        raise NoteError(
            f"tile {tile.path} has {len(data)} bytes, want {tile.width * HASH_BYTES}; fetch it again",
            f"瓦片 {tile.path} 为 {len(data)} 字节，应为 {tile.width * HASH_BYTES}；请重新获取",
        )
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def tile_of_node(node: Node, size: int) -> Tile:
    """The tile of a tree of ``size`` leaves from which ``node`` can be computed."""
    level, index = node
    tile_level = level // HEIGHT
    start = index << (level % HEIGHT)
    tile_index = start // WIDTH
    width = min(WIDTH, (size >> (HEIGHT * tile_level)) - tile_index * WIDTH)
    return Tile(tile_level, tile_index, width)


def node_in_tile(node: Node, tile: Tile, hashes: Sequence[bytes]) -> bytes:
    """``node``'s hash, folded from the hashes of its tile."""
    level, index = node
    height = level % HEIGHT
    start = (index << height) - tile.start
    return fold(hashes[start : start + (1 << height)])


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree from a whole row of hashes in it; their number is a power of two."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


class TileReader:
    """The hashes of a tree of ``size`` leaves, from its tiles (:class:`ledger.log.merkle.HashReader`).

    Each call of :meth:`read` fetches a tile at most once: a proof in a tree of 1 million leaves needs 5 of them.

    Args:
        fetch: the bytes of a tile, from a file, a database or another machine.
    """

    def __init__(self, size: int, fetch: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._fetch = fetch

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """The hashes of complete subtrees.

        Raises:
            NoteError: a tile is not of its size.
        """
        places = [tile_of_node(node, self.size) for node in nodes]
        tiles = {tile: decode_tile(self._fetch(tile), tile) for tile in dict.fromkeys(places)}
        return [node_in_tile(node, tile, tiles[tile]) for node, tile in zip(nodes, places, strict=True)]
