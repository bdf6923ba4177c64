"""Vectors of tile addresses (log.md L17-L20) and of rotations of the log's key (L23-L25)."""

from __future__ import annotations

from typing import Any

import orjson

from ledger import rotation
from ledger.log import merkle
from ledger.log.note import Signer
from ledger.log.tiles import Tile, bundles_of, decode_bundle, decode_tile, encode_bundle, tiles_of
from tools.vector_log import ORIGIN, OTHER, SIGNER, WITNESS, Case, error_of

NOT_ADDRESSES = [
    ("empty", ""),
    ("no index", "0"),
    ("two digits", "0/00"),
    ("four digits", "0/0000"),
    ("a level with a leading zero", "00/000"),
    ("a level that no size below 2^63 reaches", "8/000.p/1"),
    ("a group more than needed", "0/x000/001"),
    ("a last group with x", "0/x001/x234"),
    ("a group without x", "0/001/234"),
    ("a capital X", "0/X001/234"),
    ("a width of 0", "0/000.p/0"),
    ("a width of 256", "0/000.p/256"),
    ("a width with a leading zero", "0/000.p/01"),
    ("a width in full-width digits", "0/000.p/１７"),
    ("a width with an underscore", "0/000.p/1_0"),
    ("a control character", "0/000\0"),
    ("U+2028 at the end", "0/000\u2028"),
    ("an index that no size below 2^63 reaches", "0/x999/x999/x999/x999/x999/999"),
    ("no width", "0/000.p/"),
    ("a sign", "0/000.p/+1"),
    ("full-width digits", "0/０００"),
    ("a newline at the end", "0/000\n"),
    ("another name for bundles", "data/000"),
]


#: Entries of a bundle: an empty one, one of 256 bytes, so that both bytes of a length count, and text.
ENTRIES = [b"", b"x" * 256, "条目".encode(), b"\0"]


def _contents() -> Case:
    """The bytes of a hash tile and of an entry bundle, and bytes that are neither (log.md L17, L19)."""
    hashes = [merkle.leaf_hash(entry) for entry in ENTRIES]
    tile, bundle = Tile(0, 0, len(ENTRIES)), Tile(None, 0, len(ENTRIES))
    row, packed = b"".join(hashes), encode_bundle(ENTRIES)
    bad_tiles = [
        ("empty", b""),
        ("a hash missing", row[:-32]),
        ("a hash too many", row + hashes[0]),
        ("a byte missing", row[:-1]),
        ("a byte too many", row + b"\0"),
        ("hashes of 31 bytes", b"".join(value[:31] for value in hashes)),
        ("in hex", row.hex().encode()),
    ]
    bad_bundles = [
        ("empty", b""),
        ("an entry missing", encode_bundle(ENTRIES[:-1])),
        ("an entry too many", encode_bundle([*ENTRIES, b""])),
        ("a byte of the last entry missing", packed[:-1]),
        ("a byte after the last entry", packed + b"\0"),
        ("half a length after the last entry", packed + b"\1"),
        ("a length that reaches beyond the end", packed[:-3] + b"\xff\xff" + packed[-1:]),
        ("lengths in little-endian order", b"".join(len(e).to_bytes(2, "little") + e for e in ENTRIES)),
        ("lengths of four bytes", b"".join(len(e).to_bytes(4) + e for e in ENTRIES)),
        ("entries without lengths", b"".join(ENTRIES)),
    ]
    return {
        "entries": [entry.decode() for entry in ENTRIES],
        "tile": {"path": tile.path, "hex": row.hex()},
        "bundle": {"path": bundle.path, "hex": packed.hex()},
        "invalid_tiles": [
            {"desc": desc, "hex": data.hex(), "want_error": error_of(decode_tile, data, tile)}
            for desc, data in bad_tiles
        ],
        "invalid_bundles": [
            {"desc": desc, "hex": data.hex(), "want_error": error_of(decode_bundle, data, bundle)}
            for desc, data in bad_bundles
        ],
    }


def tile_vectors() -> Case:
    addresses = [Tile(0, 0), Tile(0, 1234067), Tile(0, 273, 112), Tile(1, 1, 17), Tile(None, 1000), Tile(None, 0, 255)]
    return {
        "about": "Addresses of tiles and entry bundles; which of them logs of some sizes have (log.md L17-L20).",
        "valid": [
            {"path": tile.path, "level": "entries" if tile.level is None else tile.level, "index": tile.index,
             "width": tile.width}
            for tile in addresses
        ],
        "sizes": [
            {"size": size, "tiles": [tile.path for tile in [*tiles_of(size), *bundles_of(size)]]}
            for size in (0, 1, 255, 256, 257, 513, 1_000)
        ],
        "invalid": [
            {"desc": desc, "path": path, "want_error": error_of(Tile.parse, path)} for desc, path in NOT_ADDRESSES
        ],
        **_contents(),
    }  # fmt: skip


def rotation_vectors() -> Case:
    third = Signer(ORIGIN, WITNESS.private_key)
    said = [_entry(7, rotation.statement(SIGNER, OTHER)), _entry(300, rotation.statement(OTHER, third))]
    keys = rotation.chain(SIGNER.verifier, said)
    first = orjson.loads(said[0])
    swapped = {**first, "old_signature": first["new_signature"], "new_signature": first["old_signature"]}
    renamed = [Signer("other.example/log", signer.private_key) for signer in (SIGNER, OTHER)]
    elsewhere = rotation.statement(renamed[0], renamed[1])
    bad: list[tuple[str, list[bytes]]] = [
        ("signatures swapped", [orjson.dumps(swapped, option=orjson.OPT_SORT_KEYS)]),
        ("signed for a log of another name", [_entry(7, elsewhere)]),
        (
            "another new key",
            [_entry(7, {**rotation.statement(SIGNER, OTHER), "public_key": third.verifier.public_key.hex()})],
        ),
        ("the second does not follow the first", [said[0], _entry(8, rotation.statement(SIGNER, third))]),
    ]
    return {
        "about": "Entries that rotate a log's key, and which key signs checkpoints of which size (log.md L23-L25).",
        "origin": ORIGIN,
        "trusted": str(SIGNER.verifier),
        "message": rotation.message(SIGNER.verifier, OTHER.verifier).decode(),
        "entries": [data.decode() for data in said],
        "keys": [{"size": size, "vkey": str(keys.at(size))} for size in (0, 7, 8, 300, 301, 2**40)],
        "invalid": [
            {
                "desc": desc,
                "entries": [data.decode() for data in entries],
                "want_error": error_of(rotation.chain, SIGNER.verifier, entries),
            }
            for desc, entries in bad
        ],
    }


def _entry(seq: int, fields: dict[str, Any]) -> bytes:
    chain = {"log": ORIGIN, "prev": "00" * 32, "seq": seq, "t": "2026-11-23T02:03:04.123Z"}
    return orjson.dumps({**chain, "kind": rotation.KIND, "v": 1, **fields}, option=orjson.OPT_SORT_KEYS)
