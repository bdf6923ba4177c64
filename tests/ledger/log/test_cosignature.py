"""Cosignatures: the bytes of c2sp.org/tlog-cosignature, strictly read, and merged without loss."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NoteError
from ledger.log.cosignature import CosignerKey, add_cosignatures, cosigned_at, open_cosigned
from ledger.log.note import Note, Signer, VerifierKey
from tests.ledger.support import ORIGIN, ROOT, SIGNER, VKEY
from tests.ledger.witness_support import COSIGNERS, STRANGER, Tree

A, B, C = COSIGNERS
KEYS = [cosigner.key for cosigner in COSIGNERS]
TREE = Tree.of(9)
TEXT = TREE.checkpoint(7).text()
SIGNED = TREE.signed(7)
TIME = 1_795_399_384


def line(cosigner: object = A, time: int = TIME, text: bytes = TEXT) -> bytes:
    return cosigner.signature_line(text, time)  # type: ignore[attr-defined,no-any-return]


def test_the_signed_message_is_the_one_that_the_specification_shows() -> None:
    name, payload = line().removeprefix("— ".encode()).rstrip(b"\n").split(b" ")
    raw = base64.b64decode(payload, validate=True)
    public = A.private_key.public_key().public_bytes_raw()
    assert name == A.name.encode()
    assert raw[:4] == hashlib.sha256(name + b"\n\x04" + public).digest()[:4]
    assert int.from_bytes(raw[4:12], "big") == TIME and len(raw) == 4 + 8 + 64
    message = b"cosignature/v1\ntime 1795399384\n" + TEXT
    Ed25519PublicKey.from_public_bytes(public).verify(raw[12:], message)
    assert TEXT.count(b"\n") == 3 and TEXT.startswith(ORIGIN.encode())


def test_a_vkey_of_type_04_reads_back() -> None:
    assert CosignerKey.parse(str(A.key)) == A.key
    assert base64.b64decode(str(A.key).split("+", 2)[2])[0] == 4


@pytest.mark.parametrize(
    "text",
    [
        str(VKEY),  # a log's key, type 01
        str(A.key).replace("sfj+", "sfk+"),
        str(A.key)[:-4] + "AAAA",
        str(A.key).upper(),
        str(A.key) + "\n",
        f" {A.key}",
        "",
        "a+b",
    ],
)
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(NoteError):
        CosignerKey.parse(text)


def test_a_checkpoint_gives_the_known_witnesses_that_cosigned_it_and_when() -> None:
    note = SIGNED + line(A, 5) + line(STRANGER, 6) + line(B, 7)
    checkpoint, found = open_cosigned(note, VKEY, KEYS)
    assert checkpoint == TREE.checkpoint(7)
    assert [(item.key, item.time) for item in found] == [(A.key, 5), (B.key, 7)]
    assert open_cosigned(SIGNED, VKEY, KEYS)[1] == ()


def bad_notes() -> dict[str, bytes]:
    other = Tree.of(9, "other")
    raw = bytearray(base64.b64decode(line().rstrip(b"\n").split(b" ")[2]))

    def with_payload(payload: bytes) -> bytes:
        return SIGNED + "— ".encode() + A.name.encode() + b" " + base64.b64encode(payload) + b"\n"

    moved = bytes(raw[:11]) + bytes([raw[11] ^ 1]) + bytes(raw[12:])
    return {
        "over another root": SIGNED + line(text=other.checkpoint(7).text()),
        "over another size": SIGNED + line(text=TREE.checkpoint(8).text()),
        "time moved": with_payload(moved),
        "signature cut": with_payload(bytes(raw[:-1])),
        "no time": with_payload(bytes(raw[:4]) + bytes(raw[12:])),
        "plain signature, no cosignature": with_payload(bytes(raw[:12]) + A.private_key.sign(TEXT)),
        "time beyond 2^63": with_payload(bytes(raw[:4]) + b"\xff" * 8 + bytes(raw[12:])),
        "twice": SIGNED + line(A, 5) + line(A, 6),
        "not signed by the log": TEXT + b"\n" + line(A),
        "signed by another log": Tree.of(9).signed(7, Signer(ORIGIN, STRANGER.private_key)) + line(A),
        "seventeen signatures": SIGNED + line(A) + line(STRANGER) * 15,
    }


VECTORS: dict[str, Any] = json.loads((ROOT / "docs/spec/vectors/cosignatures.json").read_text(encoding="utf-8"))


def vectors(which: str) -> Any:
    return pytest.mark.parametrize("case", VECTORS[which], ids=lambda case: case["desc"])


def opened(case: dict[str, Any]) -> list[tuple[str, int]]:
    note = bytes.fromhex(case["note_hex"]) if "note_hex" in case else case["note"].encode()
    keys = [CosignerKey.parse(vkey) for vkey in VECTORS["witness_vkeys"]]
    _, found = open_cosigned(note, VerifierKey.parse(VECTORS["log_vkey"]), keys)
    return [(item.key.name, item.time) for item in found]


@vectors("valid")
def test_the_vectors_open(case: dict[str, Any]) -> None:
    assert opened(case) == [(item["witness"], item["time"]) for item in case["cosigned"]]


@vectors("invalid")
def test_the_vectors_that_must_be_refused_are(case: dict[str, Any]) -> None:
    with pytest.raises(NoteError):
        opened(case)


@vectors("invalid_keys")
def test_a_witness_key_that_is_none_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(NoteError):
        CosignerKey.parse(case["vkey"])


@pytest.mark.parametrize("name", bad_notes())
def test_a_bad_cosignature_rejects_the_note(name: str) -> None:
    with pytest.raises(NoteError):
        open_cosigned(bad_notes()[name], VKEY, KEYS)


def test_a_witness_with_our_log_keys_name_is_no_log() -> None:
    """Key ids differ by type: a cosignature is never taken for the log's signature."""
    with pytest.raises(NoteError):
        open_cosigned(TEXT + b"\n" + line(type(A)(ORIGIN, SIGNER.private_key)), VKEY, KEYS)


@given(st.integers(0, 7), st.integers(0, len(SIGNED + line()) - 1))
def test_no_flipped_bit_leaves_a_cosigned_checkpoint(bit: int, at: int) -> None:
    note = bytearray(SIGNED + line())
    note[at] ^= 1 << bit
    try:
        checkpoint, found = open_cosigned(bytes(note), VKEY, KEYS)
    except NoteError:
        return
    # What is left is at most a signature line of a name or key that nobody knows.
    assert checkpoint == TREE.checkpoint(7) and found == ()


@given(st.binary(max_size=300))
def test_only_our_errors_escape_from_reading(data: bytes) -> None:
    for note in (data, SIGNED + data, TEXT + b"\n" + data):
        with contextlib.suppress(NoteError):
            open_cosigned(note, VKEY, KEYS)
    try:
        cosigned_at(data)
        add_cosignatures(SIGNED, data, KEYS)
    except NoteError:
        pass


@given(st.text(max_size=120))
def test_only_our_errors_escape_from_a_vkey(text: str) -> None:
    for value in (text, str(A.key) + text, text + str(A.key)):
        with contextlib.suppress(NoteError):
            CosignerKey.parse(value)


# -- merging ----------


def test_lines_of_known_witnesses_are_taken_and_the_first_stays() -> None:
    merged = add_cosignatures(SIGNED, line(A, 5) + line(STRANGER, 1), KEYS)
    assert merged == SIGNED + line(A, 5)
    merged = add_cosignatures(merged, line(B, 9) + line(A, 8), KEYS)
    assert merged == SIGNED + line(A, 5) + line(B, 9)
    assert add_cosignatures(merged, line(A, 8), KEYS) == merged


def test_a_line_that_does_not_verify_is_refused_and_an_unknown_one_is_not_read() -> None:
    wrong = line(text=TREE.checkpoint(8).text())
    with pytest.raises(NoteError):
        add_cosignatures(SIGNED, wrong, KEYS)
    assert add_cosignatures(SIGNED, wrong, [B.key]) == SIGNED


@pytest.mark.parametrize("lines", [b"", b"\n", line()[:-1], b"hello\n", line() + b"\n" + line(B)])
def test_an_answer_that_is_no_signature_lines_is_refused(lines: bytes) -> None:
    with pytest.raises(NoteError):
        add_cosignatures(SIGNED, lines, KEYS)


def test_a_time_after_the_year_9999_is_not_kept() -> None:
    with pytest.raises(NoteError, match="9999"):
        add_cosignatures(SIGNED, line(time=253_402_300_800), KEYS)
    assert add_cosignatures(SIGNED, line(time=253_402_300_799), KEYS)


def test_no_more_signatures_are_kept_than_a_note_may_have() -> None:
    full = SIGNED + line(STRANGER) * 15
    assert len(Note.parse(full).signatures) == 16
    with pytest.raises(NoteError):
        add_cosignatures(full, line(A), KEYS)
    with pytest.raises(NoteError, match="out of range"):
        line(time=2**63)
