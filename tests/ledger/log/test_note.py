"""Signed notes, verifier keys, checkpoints and tlog-proofs: one spelling only, and no foreign exception.

What must be refused is data: docs/spec/vectors (tools/make_vectors.py).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import errors
from ledger.errors import LedgerError, NoteError, ProofError
from ledger.log.merkle import EMPTY_ROOT, inclusion_proof, leaf_hash
from ledger.log.note import (
    Checkpoint,
    Note,
    Signer,
    TlogProof,
    VerifierKey,
    check_name,
    decode_base64,
    open_checkpoint,
    parse_size,
)
from tests.ledger.support import KEY, ORIGIN, ROOT, SIGNER, VKEY, naive_root

ENTRIES = [b'{"n":%d}' % n for n in range(5)]
HASHES = [leaf_hash(entry) for entry in ENTRIES]
HEAD = Checkpoint(ORIGIN, 5, naive_root(HASHES))
NOTE = HEAD.sign(SIGNER)


class Leaves:
    def read(self, nodes: Any) -> list[bytes]:
        return [naive_root(HASHES[index << level : (index + 1) << level]) for level, index in nodes]


PROOFS = [TlogProof(index, tuple(inclusion_proof(index, 5, Leaves())), NOTE).to_bytes() for index in range(5)]


def vectors(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((ROOT / f"docs/spec/vectors/{name}.json").read_text(encoding="utf-8"))
    return value


def cases(name: str, which: str = "invalid") -> Any:
    return pytest.mark.parametrize("case", vectors(name)[which], ids=lambda case: case["desc"])


def note_bytes(case: dict[str, Any]) -> bytes:
    if "note_hex" in case:
        return bytes.fromhex(case["note_hex"])
    if "note_repeated" in case:
        return "".join(text * count for text, count in case["note_repeated"]).encode()
    return str(case["note"]).encode()


def check_proof(proof: bytes, entry: bytes, key: VerifierKey = VKEY) -> Checkpoint:
    return TlogProof.parse(proof).verify(entry, key)


# -- vectors ----------


@cases("keys")
def test_a_bad_verifier_key_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(getattr(errors, case["want_error"])):
        VerifierKey.parse(case["vkey"])


@cases("keys", "valid")
def test_a_verifier_key_is_read_and_written_in_one_form(case: dict[str, Any]) -> None:
    key = VerifierKey.parse(case["vkey"])
    assert (key.name, key.public_key.hex(), str(key)) == (case["name"], case["public_key"], case["vkey"])


@cases("checkpoints")
def test_a_bad_checkpoint_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(getattr(errors, case["want_error"])):
        open_checkpoint(note_bytes(case), VKEY)


@cases("checkpoints", "valid")
def test_a_good_checkpoint_is_read(case: dict[str, Any]) -> None:
    want = Checkpoint(case["origin"], case["size"], bytes.fromhex(case["root"]))
    assert open_checkpoint(note_bytes(case), VKEY) == want


@cases("proofs")
def test_a_bad_proof_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(getattr(errors, case["want_error"])):
        check_proof(case["proof"].encode(), vectors("proofs")["entry"].encode())


@cases("proofs", "valid")
def test_a_good_proof_is_read(case: dict[str, Any]) -> None:
    assert check_proof(case["proof"].encode(), vectors("proofs")["entry"].encode()).size == case["size"]


# -- what we write ----------


def test_our_checkpoint_by_hand_from_the_text_of_the_specifications() -> None:
    """c2sp.org/signed-note and c2sp.org/tlog-checkpoint, with an Ed25519 library and nothing of ours."""
    vkey_name, vkey_id, vkey_key = str(VKEY).split("+", 2)
    raw_key = base64.b64decode(vkey_key)
    assert raw_key[0] == 0x01 and len(raw_key) == 33
    assert hashlib.sha256(vkey_name.encode() + b"\n" + raw_key).hexdigest()[:8] == vkey_id
    text, _, signature_lines = NOTE.rpartition(b"\n\n")
    text += b"\n"
    dash, name, encoded = signature_lines.removesuffix(b"\n").split(b" ")
    assert (dash, name) == (b"\xe2\x80\x94", ORIGIN.encode())
    signature = base64.b64decode(encoded)
    assert signature[:4].hex() == vkey_id and len(signature) == 68
    Ed25519PublicKey.from_public_bytes(raw_key[1:]).verify(signature[4:], text)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(raw_key[1:]).verify(signature[4:], text[:-1])
    origin, size, root = text.decode().splitlines()
    assert (origin, size, base64.b64decode(root)) == (ORIGIN, "5", naive_root(HASHES))


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_signed_is_opened(seed: bytes, size: int, root: bytes) -> None:
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(seed))
    note = Checkpoint(ORIGIN, size, root).sign(signer)
    assert open_checkpoint(note, signer.verifier) == Checkpoint(ORIGIN, size, root)
    assert VerifierKey.parse(str(signer.verifier)) == signer.verifier
    if signer.verifier != VKEY:
        with pytest.raises(NoteError):
            open_checkpoint(note, VKEY)


def test_every_entry_has_a_proof_and_no_other_entry_does() -> None:
    for index, proof in enumerate(PROOFS):
        parsed = TlogProof.parse(proof)
        assert parsed.to_bytes() == proof and parsed.index == index
        for other, entry in enumerate(ENTRIES):
            if other == index:
                assert parsed.verify(entry, VKEY) == HEAD
            else:
                with pytest.raises(ProofError):
                    parsed.verify(entry, VKEY)


def test_a_note_names_all_known_keys_that_signed_and_ignores_the_unknown() -> None:
    witness = Signer("witness.example/a", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    stranger = Signer("witness.example/b", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
    text = HEAD.text()
    note = Note.parse(NOTE + stranger.signature_line(text) + witness.signature_line(text))
    assert note.text == text and len(note.signatures) == 3
    assert note.verify([VKEY]) == (VKEY,)
    assert note.verify([witness.verifier, VKEY]) == (VKEY, witness.verifier)
    with pytest.raises(NoteError, match=r"witness\.example/b"):
        note.verify([Signer("nobody.example", KEY).verifier])


def test_a_failing_known_signature_rejects_the_note_though_another_known_one_holds() -> None:
    witness = Signer("witness.example/a", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    note = Note.parse(NOTE + witness.signature_line(b"another text\n"))
    assert note.verify([VKEY]) == (VKEY,)
    with pytest.raises(NoteError, match=r"witness\.example/a"):
        note.verify([VKEY, witness.verifier])


def test_the_text_of_a_note_may_hold_empty_lines() -> None:
    text = b"one\n\ntwo\n"
    assert Note.parse(text + b"\n" + SIGNER.signature_line(text)).text == text


# -- every change is refused ----------


def test_every_changed_byte_of_a_checkpoint_is_refused() -> None:
    for place in range(len(NOTE)):
        for bad in {NOTE[place] ^ 1 << bit for bit in range(8)} | {0, 10, 32, 255}:
            if bad != NOTE[place]:
                with pytest.raises(NoteError):
                    open_checkpoint(NOTE[:place] + bytes([bad]) + NOTE[place + 1 :], VKEY)


def test_every_changed_byte_of_a_proof_is_refused() -> None:
    proof, entry = PROOFS[2], ENTRIES[2]
    for place in range(len(proof)):
        for bad in {proof[place] ^ 1 << bit for bit in range(8)} | {0, 10, 32, 255}:
            if bad != proof[place]:
                with pytest.raises((NoteError, ProofError)):
                    check_proof(proof[:place] + bytes([bad]) + proof[place + 1 :], entry)


def test_every_cut_of_a_checkpoint_or_proof_is_refused() -> None:
    for end in range(len(NOTE)):
        with pytest.raises(NoteError):
            open_checkpoint(NOTE[:end], VKEY)
    for end in range(len(PROOFS[2])):
        with pytest.raises((NoteError, ProofError)):
            check_proof(PROOFS[2][:end], ENTRIES[2])


def test_every_changed_bit_of_an_entry_is_refused() -> None:
    parsed, entry = TlogProof.parse(PROOFS[3]), ENTRIES[3]
    for bit in range(8 * len(entry)):
        bad = (int.from_bytes(entry, "big") ^ 1 << bit).to_bytes(len(entry), "big")
        with pytest.raises(ProofError):
            parsed.verify(bad, VKEY)


# -- fuzz ----------

PIECES = [
    b"\n",
    b"\n\n",
    b" ",
    b"+",
    b"0",
    b"-1",
    b"\xe2\x80\x94 ",
    b"=",
    b"index ",
    b"extra ",
    b"\xff",
    b"\0",
    b"\r\n",
]
PIECES += ["\u2028".encode(), "５".encode(), NOTE, HEAD.text(), SIGNER.signature_line(HEAD.text()), b"A" * 43 + b"="]


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([0, 1, 4, 100])))))
        data[start:end] = draw(st.one_of(st.binary(max_size=4), st.sampled_from(PIECES), st.just(bytes(data[:80]))))
    return bytes(data)


@given(st.one_of(mutated([NOTE]), st.binary(max_size=200)))
@settings(max_examples=700)
def test_no_bytes_make_a_checkpoint_raise_anything_but_a_note_error(data: bytes) -> None:
    try:
        head = open_checkpoint(data, VKEY)
    except NoteError as error:
        assert error.en and error.zh
        return
    assert head == HEAD  # nobody but the key's holder can make another


@given(st.one_of(mutated(PROOFS), st.binary(max_size=200)), st.sampled_from(ENTRIES))
@settings(max_examples=700)
def test_no_bytes_make_a_proof_raise_anything_but_note_and_proof_errors(data: bytes, entry: bytes) -> None:
    try:
        head = check_proof(data, entry)
    except (NoteError, ProofError):
        return
    assert head == HEAD and TlogProof.parse(data).index == ENTRIES.index(entry)


anything = st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("+ \n\x7f=/"), max_size=60)


@given(st.one_of(anything, mutated([str(VKEY).encode()]).map(lambda data: data.decode(errors="surrogateescape"))))
@settings(max_examples=500)
def test_no_text_makes_a_verifier_key_raise_anything_but_a_note_error(text: str) -> None:
    try:
        key = VerifierKey.parse(text)
    except NoteError:
        return
    assert str(key) == text


@given(st.one_of(anything, st.just("")))
@settings(max_examples=300)
def test_a_name_that_passes_can_sign_and_be_opened(name: str) -> None:
    try:
        check_name(name)
    except NoteError:
        return
    signer = Signer(name, KEY)
    assert open_checkpoint(Checkpoint(name, 0, EMPTY_ROOT).sign(signer), signer.verifier).origin == name
    assert VerifierKey.parse(str(signer.verifier)) == signer.verifier


@given(st.binary(max_size=64))
def test_no_bytes_make_the_text_of_a_checkpoint_raise_anything_but_a_note_error(data: bytes) -> None:
    for text in (data, ORIGIN.encode() + b"\n" + data, data + b"\n5\n" + base64.b64encode(bytes(32)) + b"\n"):
        try:
            assert Checkpoint.parse_text(text).text() == text
        except NoteError:
            continue


@given(st.binary(max_size=24) | st.integers(-5, 2**64).map(lambda n: b"%d" % n))
def test_a_size_is_read_only_as_it_is_written(data: bytes) -> None:
    try:
        assert b"%d" % parse_size(data) == data
    except NoteError:
        assert not (data.isdigit() and data == b"%d" % int(data) and int(data) < 2**63)


@given(st.binary(max_size=40))
def test_base64_is_read_only_as_it_is_written(data: bytes) -> None:
    assert decode_base64(base64.b64encode(data), "test") == data
    with contextlib.suppress(NoteError):
        assert base64.b64encode(decode_base64(data, "test")) == data


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_of_another_length_verifies_nothing(length: int) -> None:
    with pytest.raises(NoteError):
        VerifierKey(ORIGIN, bytes(length)).verify(bytes(64), b"")


def test_every_refusal_says_what_and_why_in_both_languages() -> None:
    for data in (b"", NOTE[:-1], NOTE.replace(b"5", b"05"), NOTE.replace(b"\n", b"\r\n")):
        with pytest.raises(LedgerError) as caught:
            open_checkpoint(data, VKEY)
        assert len(caught.value.en) > 20 and len(caught.value.zh) > 10
