"""tlog-tiles: the addresses and bytes of hash tiles and entry bundles. Pure.

Source: c2sp.org/tlog-tiles. A tile holds 256 hashes of one level; the tiles at the right edge are partial.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.errors import NoteError
from ledger.log.merkle import HASH_BYTES, Node, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_MAX_INDEX = 2**63 // WIDTH


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
            if tile.path == path and index < _MAX_INDEX and (level or 0) <= MAX_LEVEL:
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
    """Entries, each behind its length as a 16-bit big-endian number."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        NoteError: it ends within an entry.
    """
    entries = []
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 2])
        entry = data[position + 2 : position + 2 + length]
        if position + 2 > len(data) or len(entry) != length:
            raise NoteError("the entry bundle ends within an entry; fetch it again", "条目包在条目中途结束；请重新获取")
        entries.append(entry)
        position += 2 + length
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
    row = list(hashes[start : start + (1 << height)])
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]
