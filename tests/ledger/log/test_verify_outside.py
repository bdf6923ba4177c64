"""A verified log against a checkpoint that somebody kept: the same history, another, or one that is longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import NoteError, RollbackError, TamperError
from ledger.log.keychain import KeyChain
from ledger.log.merkle import Frontier
from ledger.log.note import Checkpoint, Signer
from ledger.log.verify import verify_file
from ledger.log.verify_outside import Outside, check_outside, cosigned_by, hashes_of, open_outside
from tests.ledger.support import ORIGIN, SIGNER, VKEY, attack, chain, make_log, naive_root, rewrite, rows
from tests.ledger.witness_support import COSIGNERS, STRANGER

SIZE = 600
KEYS = KeyChain(VKEY)
WITNESSES = [cosigner.key for cosigner in COSIGNERS]
OTHER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\5" * 32))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_log(tmp_path_factory.mktemp("log") / "ledger.db", SIZE, group=200)


def check(path: Path, outside: Outside) -> None:
    verdict = verify_file(path, VKEY)
    with hashes_of(path, verdict.size) as reader:
        check_outside(outside, verdict.size, verdict.root, reader)


def kept(path: Path, size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, naive_root([value for _, _, value in rows(path)[:size]]))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 599, 600])
def test_a_checkpoint_of_any_size_agrees_and_any_other_root_does_not(log: Path, size: int) -> None:
    checkpoint = kept(log, size)
    check(log, Outside("kept.txt", checkpoint))
    other = Checkpoint(ORIGIN, size, bytes(32))
    with pytest.raises(TamperError, match=r"kept\.txt is a checkpoint of") as caught:
        check(log, Outside("kept.txt", other))
    assert bytes(32).hex() in caught.value.en and checkpoint.root.hex() in caught.value.en


def test_a_checkpoint_of_a_longer_log_shows_that_entries_were_cut_off(log: Path) -> None:
    with pytest.raises(RollbackError, match="of 601 entries, signed by this log; the log holds 600"):
        check(log, Outside("kept.txt", Checkpoint(ORIGIN, SIZE + 1, bytes(32))))


def test_hashes_that_do_not_lead_to_the_verified_root_are_not_believed(log: Path) -> None:
    """Whatever the hashes say that are read: the proof must end at the root that was verified."""

    class Lying:
        def read(self, nodes: list[tuple[int, int]]) -> list[bytes]:
            return [bytes(32) for _ in nodes]

    verdict = verify_file(log, VKEY)
    forged = Frontier.load(5, Lying()).root()  # type: ignore[arg-type]
    with pytest.raises(TamperError):
        check_outside(Outside("f", Checkpoint(ORIGIN, 5, forged)), verdict.size, verdict.root, Lying())  # type: ignore[arg-type]


def test_who_cosigned_is_verified_and_a_stranger_counts_for_nothing(log: Path) -> None:
    text = kept(log, 5).text()
    plain = kept(log, 5).sign(SIGNER)
    note = plain + COSIGNERS[0].signature_line(text, 7) + STRANGER.signature_line(text, 8)
    outside = open_outside(note, "f", KEYS, VKEY, WITNESSES)
    assert [(item.key, item.time) for item in outside.cosigned] == [(WITNESSES[0], 7)]
    with pytest.raises(NoteError, match="f: the cosignature of"):
        open_outside(plain + COSIGNERS[0].signature_line(b"x\n1\ny\n", 7), "f", KEYS, VKEY, WITNESSES)


def test_what_the_log_did_not_sign_proves_nothing(log: Path) -> None:
    for note in (kept(log, 5).sign(OTHER), Checkpoint("o.example/x", 5, bytes(32)).sign(SIGNER), b"junk", b""):
        with pytest.raises(NoteError, match=r"^kept\.txt: "):
            open_outside(note, "kept.txt", KEYS, VKEY, ())


def test_a_rotation_that_a_forger_put_into_the_past_does_not_discredit_what_the_given_key_signed(log: Path) -> None:
    keys = KeyChain(VKEY, ((3, OTHER.verifier),))  # "from size 3 on another key signs"
    outside = open_outside(kept(log, 5).sign(SIGNER), "f", keys, VKEY, ())
    assert outside.checkpoint.size == 5
    with pytest.raises(NoteError):
        open_outside(kept(log, 5).sign(SIGNER), "f", keys, OTHER.verifier, ())


def test_the_largest_checkpoint_of_each_witness_is_found(tmp_path: Path) -> None:
    path = make_log(tmp_path / "ledger.db", 9)
    with attack(path) as db:
        for size, cosigners in ((3, COSIGNERS[:2]), (5, COSIGNERS[:1])):
            text = kept(path, size).text()
            note = kept(path, size).sign(SIGNER) + b"".join(c.signature_line(text, 100 + size) for c in cosigners)
            db.execute("INSERT INTO checkpoints VALUES (?, CAST(? AS TEXT), 1)", (size, note))
    assert cosigned_by(path, KEYS, WITNESSES) == {WITNESSES[0]: (5, 105), WITNESSES[1]: (3, 103)}
    assert cosigned_by(path, KEYS, ()) == {}
    with attack(path) as db:
        text = kept(path, 5).text()
        note = kept(path, 5).sign(SIGNER) + COSIGNERS[0].signature_line(b"x\n1\ny\n", 7)
        db.execute("UPDATE checkpoints SET note = CAST(? AS TEXT) WHERE size = 5", (note,))
    with pytest.raises(NoteError, match="does not verify"):
        cosigned_by(path, KEYS, WITNESSES)


def test_a_rewrite_with_the_logs_own_key_differs_from_the_entry_on_that_was_changed(tmp_path: Path) -> None:
    path = make_log(tmp_path / "ledger.db", 9)
    before = {size: kept(path, size) for size in range(10)}
    objects = [{"kind": "test.noted", "v": 1, "n": n, "note": f"第{n}条 entry 𠮷"} for n in range(9)]
    forged = chain(objects)
    rewrite(path, forged, SIGNER)
    for size in range(1, 10):  # another clock: each entry is another
        with pytest.raises(TamperError, match="rewritten and signed anew"):
            check(path, Outside("f", before[size]))
    check(path, Outside("f", before[0]))
