"""tlog-tiles: addresses as the specification's examples have them, tiles as a naive oracle has them, few reads."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, NoteError
from ledger.log.merkle import check_consistency, check_inclusion, consistency_proof, inclusion_proof, tree_root
from ledger.log.store import Store
from ledger.log.tiles import (
    MAX_LEVEL,
    WIDTH,
    Tile,
    TileReader,
    bundles_of,
    decode_bundle,
    decode_tile,
    encode_bundle,
    is_of_size,
    node_in_tile,
    tile_of_node,
    tiles_of,
)
from tests.ledger.support import ROOT, leaf, make_log, naive_root

LEAVES = [leaf(b"%d" % n) for n in range(600)]


def oracle_tile(tile: Tile) -> bytes:
    """A tile's bytes straight from the leaves: each hash is the root over 256^level of them."""
    span = 256 ** (tile.level or 0)
    starts = range(tile.start * span, (tile.start + tile.width) * span, span)
    return b"".join(naive_root(LEAVES[start : start + span]) for start in starts)


# -- addresses ----------


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "0/x001/x234/067"),
        (Tile(0, 0), "0/000"),
        (Tile(0, 999), "0/999"),
        (Tile(0, 1000), "0/x001/000"),
        (Tile(1, 0, 17), "1/000.p/17"),
        (Tile(0, 273, 112), "0/273.p/112"),
        (Tile(None, 1234067, 255), "entries/x001/x234/067.p/255"),
        (Tile(7, 0, 128), "7/000.p/128"),
    ],
)
def test_an_address_is_written_and_read_as_the_specification_has_it(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


def test_a_tree_of_70000_has_the_tiles_of_the_specifications_example() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile for tile in tiles if tile.level == 0 and tile.width == WIDTH] == [Tile(0, n) for n in range(273)]
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    bundles = list(bundles_of(70_000))
    assert (len(bundles), bundles[-1]) == (274, Tile(None, 273, 112))


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "0", "0/", "0/0", "0/00", "0/0000", "00/000", "01/000", "-1/000", "+1/000", "8/000.p/1", "63/000",
        "64/000", "0/x000/001", "0/x001", "0/x01/001", "0/001/001", "0/x001/x001", "0/X001/001", "0/000.p",
        "0/000.p/", "0/000.p/0", "0/000.p/01", "0/000.p/256", "0/000.p/300", "0/000.p/999", "0/000.p/-1",
        "0/000.p/1/", "0/000.p/1.p/1", "0/000 ", " 0/000", "0/000\n", "0//000", "0/../000", "0/０００", "0/000.p/１",
        "Entries/000", "entries", "entries/", "data/000", "entry/000", "7/000", "7/000.p/129", "7/001.p/1",
        "0/" + "x001/" * 6 + "001", "0/" + "x001/" * 2_000 + "001", "0/x036/x028/x797/x018/x963/968", "%30/000",
        "0/000?", "0/000.P/1", "0\\000",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(path: str) -> None:
    with pytest.raises(NoteError):
        Tile.parse(path)


@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(r"(entries|[0-9]{1,2})/(x[0-9]{3}/){0,7}[0-9]{3}(\.p/[0-9]{1,3})?", fullmatch=True),
        st.from_regex(r"[0-9x/.p]{0,30}", fullmatch=True),
    )
)
def test_any_text_is_an_address_that_writes_itself_or_is_refused(path: str) -> None:
    try:
        tile = Tile.parse(path)
    except NoteError:
        return
    assert tile.path == path
    assert 1 <= tile.width <= WIDTH and (tile.level is None or 0 <= tile.level <= MAX_LEVEL)
    assert is_of_size(tile, 2**63)


@given(st.integers(0, 2**55 - 1), st.integers(1, WIDTH), st.sampled_from([None, 0]))
def test_every_address_is_read_back(index: int, width: int, level: int | None) -> None:
    tile = Tile(level, index, width)
    assert Tile.parse(tile.path) == tile
    *groups, last = tile.path.removesuffix(f".p/{width}").split("/")[1:]
    assert all(re.fullmatch("x[0-9]{3}", group) for group in groups) and re.fullmatch("[0-9]{3}", last)


# -- contents ----------


@pytest.mark.parametrize("size", range(601))
def test_the_tiles_of_a_size_hold_just_its_tree(size: int) -> None:
    tiles = list(tiles_of(size))
    assert len(set(tiles)) == len(tiles) and all(is_of_size(tile, size) for tile in tiles)
    for level in range(3):
        widths = sum(tile.width for tile in tiles if tile.level == level)
        assert widths == size // 256**level
    assert sum(bundle.width for bundle in bundles_of(size)) == size
    stored = {tile: oracle_tile(tile) for tile in tiles}
    reader = TileReader(size, stored.__getitem__)  # a KeyError where it asks for a tile that this size has not
    assert tree_root(size, reader) == naive_root(LEAVES[:size])


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513, 600])
def test_every_proof_can_be_read_from_tiles(size: int) -> None:
    reader = TileReader(size, oracle_tile)
    root = naive_root(LEAVES[:size])
    for index in range(0, size, 7):
        check_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, reader), root)
        old = index + 1
        check_consistency(old, size, naive_root(LEAVES[:old]), root, consistency_proof(old, size, reader))


def test_a_node_lies_in_the_tile_that_the_oracle_says() -> None:
    for level in range(9):
        for index in range(600 >> level):
            tile = tile_of_node((level, index), 600)
            hashes = decode_tile(oracle_tile(tile), tile)
            want = naive_root(LEAVES[index << level : (index + 1) << level])
            assert node_in_tile((level, index), tile, hashes) == want


VECTORS: dict[str, Any] = json.loads((ROOT / "docs/spec/vectors/tiles.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["desc"])
def test_an_address_of_the_vectors_that_is_none_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(NoteError):
        Tile.parse(case["path"])


@pytest.mark.parametrize("case", VECTORS["invalid_tiles"], ids=lambda case: case["desc"])
def test_bytes_of_the_vectors_that_are_no_tile_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(NoteError):
        decode_tile(bytes.fromhex(case["hex"]), Tile.parse(VECTORS["tile"]["path"]))


@pytest.mark.parametrize("case", VECTORS["invalid_bundles"], ids=lambda case: case["desc"])
def test_bytes_of_the_vectors_that_are_no_bundle_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(NoteError):
        decode_bundle(bytes.fromhex(case["hex"]), Tile.parse(VECTORS["bundle"]["path"]))


@given(st.binary(max_size=300), st.integers(1, WIDTH))
def test_any_bytes_are_a_tile_or_refused(data: bytes, width: int) -> None:
    with contextlib.suppress(NoteError):
        assert b"".join(decode_tile(data, Tile(0, 0, width))) == data


@pytest.mark.parametrize("length", [0, 31, 32 * 16, 32 * 17 - 1, 32 * 17 + 1, 32 * 18, 8192])
def test_a_tile_of_another_length_than_its_address_says_is_refused(length: int) -> None:
    with pytest.raises(NoteError, match=r"0/000\.p/17"):
        decode_tile(bytes(length), Tile(0, 0, 17))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bundles_are_read_as_they_are_written(entries: list[bytes]) -> None:
    tile = Tile(None, 0, len(entries))
    data = encode_bundle(entries)
    assert decode_bundle(data, tile) == entries
    for broken in (data[:-1], data + b"\0", data + b"\0\1", data + b"\0\0"):
        with pytest.raises(NoteError):
            decode_bundle(broken, tile)


@given(st.binary(max_size=200), st.integers(1, WIDTH))
def test_any_bytes_are_a_bundle_or_refused(data: bytes, width: int) -> None:
    tile = Tile(None, 0, width)
    with contextlib.suppress(NoteError):
        assert encode_bundle(decode_bundle(data, tile)) == data


def test_the_longest_entry_fits_and_no_longer() -> None:
    assert decode_bundle(encode_bundle([b"x" * 65_535]), Tile(None, 0, 1)) == [b"x" * 65_535]
    with pytest.raises(OverflowError):
        encode_bundle([b"x" * 65_536])


# -- number of reads ----------


class Counting:
    """Tiles of a tree that is never built: hashes are made of the address, reads are counted."""

    def __init__(self) -> None:
        self.fetched: list[Tile] = []

    def __call__(self, tile: Tile) -> bytes:
        self.fetched.append(tile)
        return b"".join(hashlib.sha256(b"%s %d" % (tile.path.encode(), n)).digest() for n in range(tile.width))


@given(st.integers(2, 1_000_000), st.data())
def test_a_proof_in_a_million_entries_reads_at_most_six_tiles_each_once(size: int, data: st.DataObject) -> None:
    for index in (0, size // 2, size - 1, data.draw(st.integers(0, size - 1))):
        fetch = Counting()
        inclusion_proof(index, size, TileReader(size, fetch))
        assert len(fetch.fetched) == len(set(fetch.fetched)) <= 6
        fetch = Counting()
        consistency_proof(index + 1, size, TileReader(size, fetch))
        assert len(fetch.fetched) == len(set(fetch.fetched)) <= 6


def test_the_store_reads_each_tile_once_for_a_proof(tmp_path: Path) -> None:
    store = Store.open(make_log(tmp_path / "ledger.db", 700, group=100), read_only=True)
    try:
        for index in (0, 255, 256, 511, 600, 699):
            statements: list[str] = []
            store._db.set_trace_callback(statements.append)
            proof = inclusion_proof(index, 700, store)
            store._db.set_trace_callback(None)
            assert len(statements) <= 3, statements  # its own tile, the last of level 0, the one of level 1
            leaves = [row[0] for row in store._db.execute("SELECT hash FROM entries ORDER BY seq")]
            check_inclusion(leaves[index], index, 700, proof, naive_root(leaves))
    finally:
        store.close()


def test_the_store_gives_tiles_and_bundles_of_what_it_holds(tmp_path: Path) -> None:
    store = Store.open(make_log(tmp_path / "ledger.db", 600, group=100), read_only=True)
    try:
        leaves, entries = [], []
        for entry, value in store._db.execute("SELECT entry, hash FROM entries ORDER BY seq"):
            entries.append(entry)
            leaves.append(value)
        for tile in [*tiles_of(600), Tile(0, 2, 5), Tile(0, 0, 9), Tile(1, 0, 1)]:
            span = 256 ** (tile.level or 0)
            starts = range(tile.start * span, (tile.start + tile.width) * span, span)
            assert store.tile(tile) == b"".join(naive_root(leaves[start : start + span]) for start in starts)
        for bundle in [*bundles_of(600), Tile(None, 1, 3)]:
            assert decode_bundle(store.bundle(bundle), bundle) == entries[bundle.start : bundle.start + bundle.width]
        for beyond in (Tile(0, 2), Tile(0, 2, 89), Tile(1, 0, 3), Tile(2, 0, 1), Tile(0, 2**40)):
            with pytest.raises(LedgerError, match="lacks hashes"):
                store.tile(beyond)
        with pytest.raises(LedgerError, match="lacks hashes"):
            store.bundle(Tile(None, 2))
    finally:
        store.close()
