"""A witness against a log that errs or lies: what it answers (c2sp.org/tlog-witness), keeps, and makes durable."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ledger.errors import InstanceError, LedgerUnavailableError, NoteError, ProofError
from ledger.log.cosignature import open_cosigned
from ledger.log.note import Signer
from ledger.log.witness import MAX_BODY_BYTES, Reply, Submission, Witness
from ledger.log.witness_state import MAX_PROVEN, MAX_UNPROVEN
from tests.ledger.support import ORIGIN, SIGNER, VKEY, clock
from tests.ledger.witness_support import COSIGNERS, NAMES, Tree, new_witness

SIZE = 40
TREE = Tree.of(SIZE)
THIEF = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
ELSEWHERE = Signer("other.example/log", SIGNER.private_key)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with new_witness(tmp_path / "state.db") as made:
        yield made


def stale(size: int) -> Reply:
    return Reply(409, "text/x.tlog.size", b"%d\n" % size)


def accept(witness: Witness, old: int, new: int, tree: Tree = TREE) -> None:
    """The witness cosigns, and what it answers is its cosignature over just this checkpoint."""
    reply = witness.add_checkpoint(tree.body(old, new))
    assert reply.status == 200, reply.body.decode()
    checkpoint, cosigned = open_cosigned(tree.signed(new) + reply.body, VKEY, [witness.cosigner.key])
    assert checkpoint.size == new and [item.key for item in cosigned] == [witness.cosigner.key]
    seen = witness.seen(ORIGIN)
    assert seen is not None and (seen.size, seen.root) == (new, checkpoint.root)


def test_growth_is_cosigned_step_by_step(witness: Witness) -> None:
    for old, new in [(0, 1), (1, 2), (2, 7), (7, 8), (8, 39), (39, 40)]:
        accept(witness, old, new)
    assert [seen.size for seen in witness.cosigned(ORIGIN)] == [1, 2, 7, 8, 39, 40]
    assert witness.refusals() == [] and not witness.is_red(ORIGIN)


def test_the_same_checkpoint_again_is_cosigned_again_with_a_later_time(witness: Witness) -> None:
    accept(witness, 0, 5)
    first = witness.seen(ORIGIN)
    accept(witness, 5, 5)
    again = witness.seen(ORIGIN)
    assert first is not None and again is not None
    assert again.note == first.note and again.first_time == first.first_time and again.last_time > first.last_time


def test_an_empty_log_may_be_the_first_thing_seen(witness: Witness) -> None:
    accept(witness, 0, 0)
    accept(witness, 0, 3)


def test_a_wrong_root_of_an_empty_log_is_refused(witness: Witness) -> None:
    checkpoint = type(TREE.checkpoint(0))(ORIGIN, 0, bytes(32))
    assert witness.add_checkpoint(Submission(0, (), checkpoint.sign(SIGNER)).to_bytes()).status == 422


def test_stale_submissions_are_told_the_size(witness: Witness) -> None:
    assert witness.add_checkpoint(TREE.body(3, 5)) == stale(0)
    accept(witness, 0, 5)
    for old, new in [(0, 5), (0, 7), (3, 7), (4, 5), (6, 7), (0, 4), (4, 4)]:
        assert witness.add_checkpoint(TREE.body(old, new)) == stale(5)
    assert witness.refusals() == [], "being late is no crime"


def malformed() -> dict[str, bytes]:
    good = TREE.body(0, 5)
    line = b"A" * 43 + b"=\n"
    signed = TREE.signed(5)
    return {
        "empty": b"",
        "no old line": signed,
        "old without number": b"old \n\n" + signed,
        "old +0": good.replace(b"old 0", b"old +0"),
        "old 00": good.replace(b"old 0", b"old 00"),
        "old full-width": good.replace(b"old 0", "old ０".encode()),
        "old negative": good.replace(b"old 0", b"old -1"),
        "two spaces": good.replace(b"old 0", b"old  0"),
        "CRLF": good.replace(b"\n", b"\r\n"),
        "sixty-four proof lines": b"old 0\n" + line * 64 + b"\n" + signed,
        "proof of 31 bytes": b"old 0\n" + b"A" * 42 + b"==\n\n" + signed,
        "proof with junk": b"old 0\n!" + line[1:] + b"\n" + signed,
        "proof not canonical": b"old 0\n" + b"A" * 42 + b"B=\n\n" + signed,
        "no checkpoint": b"old 0\n\n",
        "checkpoint without signature": b"old 0\n\n" + TREE.checkpoint(5).text(),
        "extension line": b"old 0\n\n" + signed.replace(b"\n\n", b"\nmore\n\n"),
        "size 05": b"old 0\n\n" + signed.replace(b"\n5\n", b"\n05\n"),
        "old larger than new": TREE.body(5, 4),
        "too long": good + b" " * MAX_BODY_BYTES,
        "not UTF-8": good.replace(b"ledger", b"\xffedger"),
    }


@pytest.mark.parametrize("name", malformed())
def test_a_malformed_request_is_400_and_changes_nothing(witness: Witness, name: str) -> None:
    assert witness.add_checkpoint(malformed()[name]).status == 400
    assert witness.seen(ORIGIN) is None


def test_the_order_of_checks_is_origin_then_signature(witness: Witness) -> None:
    assert witness.add_checkpoint(TREE.body(0, 5, ELSEWHERE)).status == 404
    assert witness.add_checkpoint(TREE.body(0, 5, THIEF)).status == 403
    damaged = TREE.body(0, 5)[:-6] + b"AAAA=\n"
    assert witness.add_checkpoint(damaged).status in (400, 403)
    assert witness.seen(ORIGIN) is None and witness.refusals() == []


def test_a_log_with_two_keys_is_known_by_either(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db", logs=[VKEY, THIEF.verifier]) as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
        assert witness.add_checkpoint(TREE.body(5, 7, THIEF)).status == 200


def test_unknown_signatures_are_ignored_and_not_kept(witness: Witness) -> None:
    other = COSIGNERS[1].signature_line(TREE.checkpoint(5).text(), 1)
    assert witness.add_checkpoint(TREE.body(0, 5) + other).status == 200
    seen = witness.seen(ORIGIN)
    assert seen is not None and other not in seen.note


@pytest.mark.parametrize(("old", "new"), [(3, 7), (4, 9), (6, 6), (7, 8), (8, 32)])
def test_any_damaged_proof_is_422(witness: Witness, old: int, new: int) -> None:
    accept(witness, 0, old)
    good = TREE.submission(old, new)
    bad = [(*good.proof, bytes(32)), *(good.proof[:i] + good.proof[i + 1 :] for i in range(len(good.proof)))]
    for i, value in enumerate(good.proof):
        flipped = bytes([value[0] ^ 1]) + value[1:]
        bad.append((*good.proof[:i], flipped, *good.proof[i + 1 :]))
    for proof in bad:
        reply = witness.add_checkpoint(Submission(old, proof, good.checkpoint).to_bytes())
        assert reply.status == 422, proof
    seen = witness.seen(ORIGIN)
    assert seen is not None and seen.size == old
    # A stranger can do this with any published checkpoint: it is kept as not proven, and gone once the log shows it.
    assert [refusal.proven for refusal in witness.refusals()] == ([False] if new > old else [])
    accept(witness, old, new)
    assert witness.refusals() == [] and not witness.is_red(ORIGIN)


def test_two_roots_for_one_size_are_kept_as_proof(witness: Witness) -> None:
    accept(witness, 0, 5)
    fork = Tree.of(SIZE, fork_at=3)
    assert witness.add_checkpoint(fork.body(5, 5)) == stale(5)
    (refusal,) = witness.refusals()
    assert refusal.proven and refusal.reason == "two roots for one size"
    assert refusal.new_note == fork.signed(5) and refusal.seen_note.startswith(TREE.signed(5))
    assert witness.is_red(ORIGIN)
    accept(witness, 5, 9)
    assert witness.is_red(ORIGIN), "a proven fork does not heal"


def test_a_fork_at_any_size_ever_cosigned_is_proof_whatever_old_size_it_names(witness: Witness) -> None:
    for old, new in [(0, 5), (5, 9), (9, 20)]:
        accept(witness, old, new)
    fork = Tree.of(SIZE, fork_at=3)
    assert witness.add_checkpoint(fork.body(0, 9)) == stale(20)
    assert [(r.size, r.proven) for r in witness.refusals()] == [(9, True)]


def test_a_rewritten_history_proves_itself_by_its_own_proof(witness: Witness) -> None:
    """The owner rewrites entry 3, recomputes all and signs with the real key; its proof is honest for its tree."""
    accept(witness, 0, 7)
    fork = Tree.of(SIZE, fork_at=3)
    assert witness.add_checkpoint(fork.body(7, 12)).status == 422
    (refusal,) = witness.refusals()
    assert refusal.proven and refusal.reason == "its own proof shows another history"
    assert (refusal.new_note, refusal.size) == (fork.signed(12), 12)
    assert witness.is_red(ORIGIN)


def test_from_a_power_of_two_a_rewrite_is_refused_though_not_proven(witness: Witness) -> None:
    accept(witness, 0, 8)
    fork = Tree.of(SIZE, fork_at=3)
    assert witness.add_checkpoint(fork.body(8, 12)).status == 422
    assert [r.proven for r in witness.refusals()] == [False]
    assert witness.is_red(ORIGIN)
    accept(witness, 8, 12)  # the true one of that size: what was refused becomes proof
    assert witness.add_checkpoint(fork.body(12, 12)) == stale(12)
    (refusal,) = witness.refusals()
    assert refusal.proven and refusal.seen_note.startswith(TREE.signed(12)) and refusal.new_note == fork.signed(12)


def test_what_is_not_proven_is_bounded_and_never_turns_proof_away(witness: Witness) -> None:
    accept(witness, 0, 7)
    for n in range(MAX_UNPROVEN + 10):
        tree = Tree.of(9, f"other {n}")
        assert witness.add_checkpoint(Submission(7, (bytes(32),), tree.signed(9)).to_bytes()).status == 422
    assert len(witness.refusals()) == MAX_UNPROVEN
    assert witness.add_checkpoint(Tree.of(9, "fork").body(7, 7)) == stale(7)
    assert witness.refusals()[0].proven


def test_old_unproven_refusals_leave_room_for_a_new_one_that_turns_the_page_red(witness: Witness) -> None:
    """A stranger fills the room with published checkpoints and damaged proofs; a rewrite must be seen all the same."""
    large = Tree.of(2 * MAX_UNPROVEN)
    accept(witness, 0, 1, large)
    for size in range(2, MAX_UNPROVEN + 12):
        assert witness.add_checkpoint(Submission(1, (bytes(32),), large.signed(size)).to_bytes()).status == 422
    assert len(witness.refusals()) == MAX_UNPROVEN and witness.is_red(ORIGIN)
    accept(witness, 1, 128, large)
    assert not witness.is_red(ORIGIN), "the log has shown where all those belong"
    fork = Tree.of(2 * MAX_UNPROVEN, fork_at=3)
    assert witness.add_checkpoint(fork.body(128, 140)).status == 422
    assert witness.is_red(ORIGIN) and witness.refusals()[0].new_note == fork.signed(140)
    assert len(witness.refusals()) == MAX_UNPROVEN


def test_one_log_cannot_fill_the_room_of_another(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db", logs=[VKEY, ELSEWHERE.verifier]) as witness:
        accept(witness, 0, 4)
        assert witness.add_checkpoint(TREE.body(0, 4, ELSEWHERE)).status == 200
        for n in range(MAX_UNPROVEN):
            body = Submission(4, (bytes(32),), Tree.of(9, f"other {n}").signed(9, ELSEWHERE)).to_bytes()
            assert witness.add_checkpoint(body).status == 422
        assert witness.add_checkpoint(Tree.of(SIZE, fork_at=3).body(4, 9)).status == 422
        assert witness.is_red(ORIGIN)


def test_proof_of_a_fork_is_bounded_too_and_the_first_of_it_stays(witness: Witness) -> None:
    """Whoever holds the log's key can sign forks for ever; that must not fill the witness's disk."""
    accept(witness, 0, 7)
    for n in range(MAX_PROVEN + 5):
        assert witness.add_checkpoint(Tree.of(7, f"fork {n}").body(7, 7)) == stale(7)
    found = witness.refusals()
    assert len(found) == MAX_PROVEN and found[-1].new_note == Tree.of(7, "fork 0").signed(7)


@pytest.mark.parametrize("signers", [(SIGNER, THIEF), (THIEF, SIGNER)], ids=["in order", "lines exchanged"])
def test_a_key_that_was_rotated_away_is_believed_no_more(tmp_path: Path, signers: tuple[Signer, ...]) -> None:
    """Else whoever stole it could lead the witness away from the log, though the log has long had another key."""
    keys = [VKEY, THIEF.verifier]
    with new_witness(tmp_path / "state.db", logs=keys) as witness:
        accept(witness, 0, 5)
        assert witness.add_checkpoint(TREE.body(5, 6)).status == 200, "the old key until the new one was seen"
        both = TREE.checkpoint(7).sign(*signers)
        proof = TREE.submission(6, 7).proof
        assert witness.add_checkpoint(Submission(6, proof, both).to_bytes()).status == 200
        reply = witness.add_checkpoint(TREE.body(7, 8))
        assert reply.status == 403 and b"rotated away" in reply.body
        assert witness.add_checkpoint(Tree.of(SIZE, fork_at=3).body(7, 7)).status == 403
        assert witness.refusals() == [], "a stolen key proves nothing against the log"
        assert witness.add_checkpoint(TREE.body(7, 9, THIEF)).status == 200


def test_a_witness_that_first_saw_both_keys_at_once_locks_neither_out(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db", logs=[VKEY, THIEF.verifier]) as witness:
        both = Submission(0, (), TREE.checkpoint(7).sign(SIGNER, THIEF)).to_bytes()
        assert witness.add_checkpoint(both).status == 200
        for old, new, signer in ((7, 8, SIGNER), (8, 9, THIEF), (9, 10, SIGNER)):
            assert witness.add_checkpoint(TREE.body(old, new, signer)).status == 200


def test_a_state_that_cannot_be_read_is_our_error(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db") as witness:
        accept(witness, 0, 5)
        with sqlite3.connect(tmp_path / "state.db") as other:
            other.execute("DROP TABLE refused")
        other.close()
        for read in (witness.refusals, lambda: witness.is_red(ORIGIN)):
            with pytest.raises(LedgerUnavailableError, match="cannot be read"):
                read()
    with pytest.raises(LedgerUnavailableError, match="cannot be read"):
        witness.seen(ORIGIN)


def test_the_state_survives_and_two_processes_share_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with new_witness(path) as one, new_witness(path) as two:
        accept(one, 0, 5)
        assert two.add_checkpoint(TREE.body(0, 7)) == stale(5)
        accept(two, 5, 7)
        assert one.add_checkpoint(TREE.body(5, 9)) == stale(7)
    with new_witness(path) as again:
        accept(again, 7, 9)


def test_many_at_once_never_roll_back(tmp_path: Path) -> None:
    """Whoever wins, the record only grows, and each 200 is for a size that was the largest at its moment."""
    sizes: list[int] = []
    with new_witness(tmp_path / "state.db") as witness:

        def push(start: int) -> None:
            for size in range(start, SIZE + 1, 4):
                old = 0
                while True:
                    reply = witness.add_checkpoint(TREE.body(old, size)) if old <= size else None
                    if reply is None or reply.status != 409:
                        break
                    old = int(reply.body)
                sizes.append(reply.status if reply else 0)

        threads = [threading.Thread(target=push, args=(n,)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = witness.seen(ORIGIN)
        assert seen is not None and seen.size == SIZE
        assert witness.refusals() == []
    assert set(sizes) <= {0, 200}


def test_nothing_is_answered_before_it_is_written(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db") as witness:
        accept(witness, 0, 5)
        other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        witness._state._db.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="nothing was cosigned"):
            witness.add_checkpoint(TREE.body(5, 7))
        other.execute("ROLLBACK")
        other.close()
        assert witness._state._db.execute("PRAGMA synchronous").fetchone() == (2,)
        accept(witness, 5, 7)


def test_a_witness_never_starts_without_its_state(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="never start it empty"):
        Witness(tmp_path / "none.db", COSIGNERS[0], [VKEY])
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(InstanceError, match="never start it empty"):
        Witness(tmp_path / "empty.db", COSIGNERS[0], [VKEY])
    (tmp_path / "junk.db").write_bytes(b"junk" * 1_000)
    with pytest.raises(InstanceError):
        Witness(tmp_path / "junk.db", COSIGNERS[0], [VKEY])
    Witness.create(tmp_path / "state.db")
    with pytest.raises(InstanceError, match="exists"):
        Witness.create(tmp_path / "state.db")
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_lost_state_is_restored_from_what_it_cosigned_itself(tmp_path: Path) -> None:
    with new_witness(tmp_path / "old.db") as old:
        accept(old, 0, 5)
        accept(old, 5, 9)
        notes = [seen.note for seen in old.cosigned(ORIGIN)]
    with new_witness(tmp_path / "new.db") as new:
        assert (new.restore(notes), new.restore(notes)) == (2, 0)
        assert new.add_checkpoint(TREE.body(0, 20)) == stale(9)
        accept(new, 9, 20)
        with pytest.raises(NoteError, match=f"not cosigned by {NAMES[0]}"):
            new.restore([TREE.signed(30)])
        with pytest.raises(NoteError):
            new.restore([notes[0].replace(b"\n5\n", b"\n6\n")])
        fork = Tree.of(SIZE, fork_at=3)
        forged = fork.signed(9) + COSIGNERS[0].signature_line(fork.checkpoint(9).text(), 7)
        with pytest.raises(ProofError, match="two roots for size 9"):
            new.restore([forged])
        assert [refusal.proven for refusal in new.refusals()] == [True]


# -- laws ----------


@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    with new_witness(tmp_path_factory.mktemp("any") / "state.db") as witness:
        for body in (data, b"old 0\n" + data, TREE.body(0, 5) + data, data + TREE.body(0, 5)):
            assert witness.add_checkpoint(body).status in (200, 400, 403, 404, 409, 422)


@given(st.integers(0, 7), st.data())
def test_no_flipped_bit_is_cosigned_as_something_else(
    tmp_path_factory: pytest.TempPathFactory, bit: int, data: st.DataObject
) -> None:
    with new_witness(tmp_path_factory.mktemp("bit") / "state.db") as witness:
        accept(witness, 0, 6)
        body = bytearray(TREE.body(6, 11))
        body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << bit
        reply = witness.add_checkpoint(bytes(body))
        assert reply.status in (400, 403, 404, 409, 422)
        seen = witness.seen(ORIGIN)
        assert seen is not None and seen.size == 6


class AgainstAnyLog(RuleBasedStateMachine):
    """Whatever an owner of the log's key sends, all that the witness ever cosigned is one history."""

    trees = (TREE, Tree.of(SIZE, fork_at=3), Tree.of(SIZE, fork_at=17), Tree.of(SIZE, fork_at=0))

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "state.db"
        Witness.create(path)
        self.witness = Witness(path, COSIGNERS[0], [VKEY], clock())
        self.accepted: list[tuple[int, bytes]] = []

    @rule(tree=st.sampled_from(trees), old=st.integers(0, SIZE), new=st.integers(0, SIZE), honest=st.booleans())
    def show(self, tree: Tree, old: int, new: int, honest: bool) -> None:
        seen = self.witness.seen(ORIGIN)
        old = (seen.size if seen else 0) if honest else old
        reply = self.witness.add_checkpoint(tree.body(old, new))
        if reply.status == 200:
            self.accepted.append((new, tree.checkpoint(new).root))

    @invariant()
    def one_history(self) -> None:
        sizes = [size for size, _ in self.accepted]
        assert sizes == sorted(sizes)
        assert any(all(t.checkpoint(size).root == root for size, root in self.accepted) for t in self.trees)

    def teardown(self) -> None:
        self.witness.close()
        self.folder.cleanup()


TestAgainstAnyLog = AgainstAnyLog.TestCase
