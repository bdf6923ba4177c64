"""Every reader of bytes that come from elsewhere, under fuzz: it reads them, or raises an error of ours, no other."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import entries, rotation
from ledger.book import Receipt
from ledger.errors import LedgerError
from ledger.log import canonical
from ledger.log.cosignature import CosignerKey, add_cosignatures, cosigned_at, open_cosigned
from ledger.log.guard import HeadGuard
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, Note, TlogProof, VerifierKey, open_checkpoint
from ledger.log.policy import Policy
from ledger.log.tiles import Tile, decode_bundle, decode_tile
from ledger.log.verify_state import VerifiedState
from ledger.log.witness import Submission
from ledger.outside import parse_json
from tests.ledger.support import ORIGIN, ROOT, VKEY

VECTORS = ROOT / "docs/spec/vectors"


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


NOTES = [case["note"].encode() for case in vectors("checkpoints")["valid"]]
COSIGNED = [case["note"].encode() for case in vectors("cosignatures")["valid"]]
COSIGNERS = [CosignerKey.parse(text) for text in vectors("cosignatures")["witness_vkeys"]]
KEYS = [case["vkey"].encode() for case in vectors("keys")["valid"]]
PROOFS = [case["proof"].encode() for case in vectors("proofs")["valid"]]
RECEIPTS = [json.dumps(case["receipt"], ensure_ascii=False).encode() for case in vectors("receipts")["valid"]]
ENTRIES = [text.encode() for text in vectors("log")["entries"]]
ROTATIONS = [text.encode() for text in vectors("rotations")["entries"]]
STATE = VerifiedState(ORIGIN, 5, (bytes(32), b"\1" * 32), b"\2" * 32, "a", "b")
POLICY = (
    f"log {VKEY}\nwitness w0 {COSIGNERS[0]} http://127.0.0.1:1\nwitness w1 {COSIGNERS[1]}\n"
    "group all-of-them 2 w0 w1\nquorum all-of-them\n"
).encode()


def text_of(data: bytes) -> str:
    """As a command line or a URL hands it over: bytes that are not UTF-8 become lone surrogates."""
    return data.decode(errors="surrogateescape")


def read_receipt(data: bytes) -> object:
    return Receipt.from_json(parse_json(Path("receipt.json"), data)).verify(VKEY)


def read_head(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head"
        path.write_bytes(data)
        return HeadGuard(path, ORIGIN).read()


def read_state(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        path.write_bytes(data)
        return VerifiedState.load(path)


def read_entry(data: bytes) -> object:
    entry = canonical.decode_object(data)
    entries.check_entry(entry)
    return entry


READERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "a note": (Note.parse, NOTES),
    "a checkpoint's text": (Checkpoint.parse_text, [NOTES[0].partition(b"\n\n")[0] + b"\n"]),
    "a checkpoint": (lambda data: open_checkpoint(data, VKEY), NOTES),
    "a checkpoint by a chain of keys": (KeyChain(VKEY, ((3, VKEY),)).open, NOTES),
    "a verifier key": (lambda data: VerifierKey.parse(text_of(data)), KEYS),
    "a witness's key": (lambda data: CosignerKey.parse(text_of(data)), [str(key).encode() for key in COSIGNERS]),
    "a cosigned checkpoint": (lambda data: open_cosigned(data, VKEY, COSIGNERS), COSIGNED),
    "a witness's answer": (
        lambda data: add_cosignatures(NOTES[0], data, COSIGNERS),
        [note.rpartition(b"\n\n")[2] for note in COSIGNED],
    ),
    "a cosignature's time": (cosigned_at, [bytes(72), b"\xff" * 8]),
    "a proof": (lambda data: TlogProof.parse(data).verify(ENTRIES[3], VKEY), PROOFS),
    "a receipt": (read_receipt, RECEIPTS),
    "an address of a tile": (lambda data: Tile.parse(text_of(data)), [b"0/x001/234", b"entries/000.p/17"]),
    "a tile": (lambda data: decode_tile(data, Tile(0, 0, 2)), [bytes(64)]),
    "a bundle": (lambda data: decode_bundle(data, Tile(None, 0, 2)), [b"\0\1a\0\2bc"]),
    "canonical bytes": (canonical.decode, ENTRIES),
    "an entry": (read_entry, ENTRIES),
    "rotations": (lambda data: rotation.chain(VKEY, [data, ROTATIONS[1]]), ROTATIONS),
    "the kept head": (read_head, [NOTES[0].partition(b"\n\n")[0] + b"\n"]),
    "the state of a verification": (read_state, [orjson.dumps(STATE.to_json())]),
    "a witness policy": (Policy.parse, [POLICY]),
    "a submission to a witness": (Submission.parse, [b"old 0\n\n" + NOTES[0]]),
}
PIECES = [
    b"\n", b"\n\n", b" ", b"+", b"01", b"+1", b"1_0", b"-0", "５".encode(), b"=", b"*", b"\0", b"\x7f", b"\r\n",
    b"\xff",
    "\u2028".encode(), "\u00a0".encode(), "— ".encode(), b"A" * 42 + b"==", b"null", b"{}", b"[]", b'"', b"1e999",
    b"9" * 5_000, b"[" * 2_000, b'{"a":' * 2_000, b"true", b"\\ud800", b"index ", b"old ", b"extra ",
]  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the good inputs with some pieces cut out, doubled, or put in their place."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 2, 8, 100])))
        data[start:end] = draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(bytes(data[start : end + 60])))
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_what_is_good_is_read(name: str) -> None:
    read, seeds = READERS[name]
    good = 0
    for seed in seeds:
        try:
            read(seed)
        except LedgerError:
            continue
        good += 1
    assert good, "else the fuzz begins with nothing that is read"


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=120)
def test_no_bytes_make_a_reader_raise_anything_but_our_errors(name: str, data: st.DataObject) -> None:
    read, seeds = READERS[name]
    given_bytes = data.draw(st.binary(max_size=200) | changed(seeds))
    try:
        read(given_bytes)
    except LedgerError as error:
        assert error.en and error.zh and len(error.en) < 2_000
