"""The log of which docs/spec/vectors/ are made: key, clock and randomness are fixed, so each run gives the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.book import Ledger
from ledger.errors import BilingualError
from ledger.log import merkle
from ledger.log.note import Checkpoint, Signer, open_checkpoint

ORIGIN = "ledger.example/liandong/shifan"
SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
SIGNER = Signer(ORIGIN, KEY)
OTHER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
WITNESS = Signer("witness.example/invented", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
START = datetime(2026, 11, 23, 2, 3, 4, 123_000, tzinfo=UTC)

#: The public inputs of the Certificate Transparency tests.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]

Case = dict[str, Any]

Case = dict[str, Any]


def clock() -> Callable[[], datetime]:
    ticks = iter(range(10**6))
    return lambda: START + timedelta(seconds=61 * next(ticks))


def random_source() -> Callable[[int], bytes]:
    counter = iter(range(10**6))
    return lambda count: hashlib.shake_256(b"liandong vectors %d" % next(counter)).digest(count)


APPENDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("log.opened", {"county_zh": "示范县", "county_en": "Shifan County (invented)", "software": "liandong 0.1.0"}, {}),
    (
        "agency.registered",
        {
            "agency": "emergency",
            "name_zh": "示范县应急管理局",
            "name_en": "Shifan Emergency Management Bureau (invented)",
            "short_name": "应急局",
            "type": "部门",
            "role": "agency",
        },
        {},
    ),
    (
        "batch.ingested",
        {
            "batch": "2026-11-23-001",
            "database": "work",
            "table": "permits",
            "mapping": "permits",
            "mapping_digest": hashlib.sha256(b"an invented mapping").hexdigest(),
            "rows_read": 120,
            "rows_added": 118,
            "rows_changed": 0,
            "rows_unchanged": 0,
            "rows_removed": 0,
            "rows_set_aside": 2,
        },
        {"file_name": "行政许可(示例).csv", "file_sha256": hashlib.sha256(b"an invented file").hexdigest()},
    ),
    (
        "query.served",
        {
            "requester": "emergency",
            "auth": "signature",
            "keyid": "emergency-sys-1",
            "resource": "work/permits",
            "route": "table",
            "status": 200,
            "elapsed_us": 4821,
            "format": "json",
            "rows": 1,
            "size_bytes": 512,
        },
        {
            "query": "GET /work/permits.json?permit_no__exact=SF-0001",
            "officer": "officer-0007",
            "answer_sha256": hashlib.sha256(b"an invented answer").hexdigest(),
        },
    ),
    (
        "query.failed",
        {
            "requester": "emergency",
            "auth": "token",
            "resource": "work/permits",
            "route": "table",
            "status": 400,
            "elapsed_us": 310,
        },
        {"query": "GET /work/permits.json?_sort=无此列"},
    ),
]


class SampleLog:
    """The five-entry log: its entries, a checkpoint at each size, and receipts to the last."""

    def __init__(self, folder: Path) -> None:
        path = folder / "ledger.db"
        Ledger.create(path, ORIGIN)
        self.entries: list[bytes] = []
        self.checkpoints: list[bytes] = []
        with Ledger(path, KEY, now=clock(), random=random_source()) as book:
            for kind, fields, particulars in APPENDS:
                self.entries.append(book.append(kind, fields, particulars=particulars).entry)
                self.checkpoints.append(book.checkpoint())
            self.receipts = [book.receipt(seq, with_openings=True) for seq in range(len(APPENDS))]


class Leaves:
    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves

    def read(self, nodes: Sequence[merkle.Node]) -> list[bytes]:
        return [self._node(level, index) for level, index in nodes]

    def _node(self, level: int, index: int) -> bytes:
        if level == 0:
            return merkle.leaf_hash(self._leaves[index])
        return merkle.node_hash(self._node(level - 1, 2 * index), self._node(level - 1, 2 * index + 1))


def signed_head(log_entries: Sequence[bytes], signer: Signer = SIGNER) -> bytes:
    frontier = merkle.Frontier()
    for entry in log_entries:
        frontier.append(merkle.leaf_hash(entry))
    return Checkpoint(signer.name, frontier.size, frontier.root()).sign(signer)


def resigned(note: bytes, signer: Signer) -> bytes:
    return open_checkpoint(note, SIGNER.verifier).sign(signer)


def stray_bits(encoded: str) -> str:
    """The same bytes in base64, with a bit set that no byte uses. ``encoded`` must end in padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = encoded.rstrip("=")
    return body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + "=" * (len(encoded) - len(body))


def hex_all(hashes: Sequence[bytes]) -> list[str]:
    return [value.hex() for value in hashes]


def error_of(check: Callable[..., object], *arguments: Any) -> str:
    """The name of the error with which ``check`` refuses; a case that it takes is a mistake in this file."""
    try:
        check(*arguments)
    except BilingualError as error:
        return type(error).__name__
    raise SystemExit(f"not refused: {arguments!r}")
