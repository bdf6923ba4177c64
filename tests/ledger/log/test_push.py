"""The log's side: growth, stale, fork, rollback, wrong key, a witness that is down or answers nonsense."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import RollbackError, TamperError, WitnessError
from ledger.log.cosignature import open_cosigned
from ledger.log.policy import Policy
from ledger.log.push import Pusher, SendTo, State, newest_quorum, post
from ledger.log.store import Store
from ledger.log.verify import verify_file
from ledger.log.witness import Reply
from tests.ledger.support import ORIGIN, SIGNER, VKEY, attack, chain, close, draft, make_log, open_sequencer, rewrite
from tests.ledger.witness_support import COSIGNERS, STRANGER, Directly, new_witness, policy

KEYS = [cosigner.key for cosigner in COSIGNERS]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return make_log(tmp_path / "ledger.db", 5)


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[Directly]:
    with new_witness(tmp_path / "w0.db", 0) as one, new_witness(tmp_path / "w1.db", 1) as two:
        yield Directly(one, two)


def grow(path: Path, count: int) -> None:
    sequencer = open_sequencer(path)
    for n in range(count):
        sequencer.append(draft(n))
    close(sequencer)


def pusher(path: Path, send: SendTo, trusted: Policy | None = None) -> Pusher:
    return Pusher(Store.open(path), VKEY, trusted or policy(), send)


def states(outcomes: tuple[object, ...]) -> list[State]:
    return [outcome.state for outcome in outcomes]  # type: ignore[attr-defined]


def push(path: Path, send: SendTo) -> list[State]:
    """One push by a program that has just started: it knows what the file says."""
    made = pusher(path, send)
    try:
        return states(made.push())
    finally:
        made.close()


def kept(path: Path) -> dict[int, int]:
    """Size -> number of known cosignatures, of the kept checkpoints."""
    store = Store.open(path, read_only=True)
    found = {size: len(open_cosigned(note, VKEY, KEYS)[1]) for size, note in store.cosigned()}
    store.close()
    return found


BOTH = [State.COSIGNED, State.COSIGNED]


def test_growth_is_pushed_cosigned_kept_and_verifies(log: Path, witnesses: Directly) -> None:
    made = pusher(log, witnesses)
    assert states(made.push()) == BOTH
    for count in (1, 2, 30):
        grow(log, count)
        assert states(made.push()) == BOTH
    made.close()
    assert kept(log) == {5: 2, 6: 2, 8: 2, 38: 2}
    assert len(witnesses.bodies) == 8, "no witness was asked twice"
    assert verify_file(log, VKEY).size == 38
    store = Store.open(log, read_only=True)
    found = newest_quorum(store, policy())
    assert found is not None and found[0].size == 38
    store.close()


def test_a_restarted_log_knows_from_its_file_what_the_witnesses_have(log: Path, witnesses: Directly) -> None:
    push(log, witnesses)
    grow(log, 3)
    witnesses.bodies.clear()
    assert push(log, witnesses) == BOTH
    assert [body.split(b"\n")[0] for body in witnesses.bodies] == [b"old 5", b"old 5"]


def test_a_log_that_forgot_is_told_the_size_and_proves_from_there(log: Path, witnesses: Directly) -> None:
    push(log, witnesses)
    with attack(log) as db:
        db.execute("UPDATE checkpoints SET cosigned = 0, note = substr(note, 1, instr(note, '— witness') - 1)")
    grow(log, 3)
    witnesses.bodies.clear()
    assert push(log, witnesses) == BOTH
    assert sorted(body.split(b"\n")[0] for body in witnesses.bodies) == [b"old 0"] * 2 + [b"old 5"] * 2


def test_the_same_checkpoint_twice_keeps_the_first_cosignatures(log: Path, witnesses: Directly) -> None:
    push(log, witnesses)
    before = rows(log)
    assert push(log, witnesses) == BOTH
    assert rows(log) == before


def rows(path: Path) -> list[tuple[int, bytes]]:
    store = Store.open(path, read_only=True)
    found = list(store.cosigned())
    store.close()
    return found


def test_a_witness_that_is_down_and_back_completes_the_quorum_of_the_same_size(log: Path, witnesses: Directly) -> None:
    made = pusher(log, witnesses)
    witnesses.down = {1}
    assert states(made.push()) == [State.COSIGNED, State.UNREACHABLE]
    assert made.unreached == ("w1",) and kept(log) == {5: 1}
    grow(log, 4)
    assert states(made.retry()) == [State.UNREACHABLE]
    witnesses.down = set()
    assert states(made.retry()) == [State.COSIGNED]
    assert kept(log) == {5: 2} and made.unreached == () and made.retry() == ()
    assert states(made.push()) == BOTH
    made.close()
    assert kept(log) == {5: 2, 9: 2}


def test_a_rewritten_history_is_refused_by_every_witness_and_by_verify(log: Path, witnesses: Directly) -> None:
    """The owner has the log's key, rewrites entry 2, recomputes everything, signs anew; what is kept gives it away."""
    push(log, witnesses)
    cosigned = rows(log)
    forged = chain([{"kind": "test.noted", "v": 1, "n": n, "note": "forged" if n == 2 else ""} for n in range(9)])
    rewrite(log, forged, SIGNER)
    assert verify_file(log, VKEY).size == 9, "by the file alone, nothing is wrong"
    assert push(log, witnesses) == [State.CONFLICT, State.CONFLICT]
    for witness in witnesses.witnesses:
        assert [(r.proven, r.size) for r in witness.refusals()] == [(True, 9)] and witness.is_red(ORIGIN)
    with attack(log) as db:  # somebody kept the cosigned checkpoint
        db.executemany("INSERT INTO checkpoints VALUES (?, CAST(? AS TEXT), 1)", cosigned)
    with pytest.raises(TamperError, match="entries up to 4 were rewritten"):
        verify_file(log, VKEY)


def test_another_root_of_the_same_size_is_refused(log: Path, witnesses: Directly) -> None:
    push(log, witnesses)
    rewrite(log, chain([{"kind": "test.noted", "v": 1, "n": 7 * n} for n in range(5)]), SIGNER)
    assert push(log, witnesses) == [State.CONFLICT, State.CONFLICT]
    assert all(witness.refusals()[0].reason == "two roots for one size" for witness in witnesses.witnesses)


def test_a_restored_backup_is_seen_to_be_behind(log: Path, witnesses: Directly, tmp_path: Path) -> None:
    backup = log.read_bytes()
    push(log, witnesses)
    grow(log, 4)
    push(log, witnesses)
    old = tmp_path / "old.db"
    old.write_bytes(backup)
    assert push(old, witnesses) == [State.AHEAD, State.AHEAD]
    assert all(witness.refusals() == [] for witness in witnesses.witnesses)


def test_entries_cut_off_below_a_kept_checkpoint_are_not_even_pushed(log: Path, witnesses: Directly) -> None:
    push(log, witnesses)
    with attack(log) as db:
        db.execute("DELETE FROM entries WHERE seq = 4")
    with pytest.raises(RollbackError, match="covers 5 entries, the ledger holds 4"):
        push(log, witnesses)


def test_an_altered_tree_is_not_pushed(log: Path, witnesses: Directly) -> None:
    with attack(log) as db:
        db.execute("UPDATE entries SET hash = zeroblob(32) WHERE seq = 1")
    with pytest.raises(TamperError, match="stored bytes were altered"):
        push(log, witnesses)
    assert witnesses.bodies == []


def test_a_log_whose_key_the_witness_does_not_know_is_refused(log: Path, tmp_path: Path) -> None:
    other = type(VKEY)(ORIGIN, KEYS[2].public_key)
    with new_witness(tmp_path / "a.db", 0, [other]) as one, new_witness(tmp_path / "b.db", 1, []) as two:
        made = pusher(log, Directly(one, two))
        outcomes = made.push()
        made.close()
    assert states(outcomes) == [State.REFUSED, State.REFUSED]
    assert "403" in outcomes[0].en and "404" in outcomes[1].en


def test_a_witness_with_another_key_than_the_policy_says_counts_for_nothing(log: Path, tmp_path: Path) -> None:
    with new_witness(tmp_path / "a.db", 2) as wrong, new_witness(tmp_path / "b.db", 1) as right:
        made = pusher(log, Directly(wrong, right))
        outcomes = made.push()
        made.close()
    assert states(outcomes) == [State.UNREACHABLE, State.COSIGNED]
    assert "without a cosignature by the key" in outcomes[0].en
    assert kept(log) == {5: 1}


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(200, "text/plain", b""), State.UNREACHABLE),
        (Reply(200, "text/plain", b"hello\n"), State.UNREACHABLE),
        (Reply(200, "text/html", b"<html>" * 100), State.UNREACHABLE),
        (Reply(200, "text/plain", COSIGNERS[0].signature_line(b"other\n5\nAAAA\n", 7)), State.UNREACHABLE),
        (Reply(409, "text/x.tlog.size", b"x\n"), State.UNREACHABLE),
        (Reply(409, "text/x.tlog.size", b"05\n"), State.UNREACHABLE),
        (Reply(409, "text/x.tlog.size", b"3"), State.UNREACHABLE),
        (Reply(409, "text/x.tlog.size", b"0\n"), State.REFUSED),  # "you said 0, I have 0": it makes no sense
        (Reply(409, "text/x.tlog.size", b"5\n"), State.CONFLICT),
        (Reply(409, "text/plain", b"3\n"), State.REFUSED),
        (Reply(409, "text/x.tlog.size", b"3\n"), State.REFUSED),  # the same again and again: no endless loop
        (Reply(409, "text/x.tlog.size", b"6\n"), State.AHEAD),
        (Reply(409, "text/x.tlog.size; charset=utf-8", b"9223372036854775807\n"), State.AHEAD),
        (Reply(302, "text/html", b""), State.REFUSED),
        (Reply(400, "text/plain", b"\xff\0\n"), State.REFUSED),
        (Reply(422, "text/plain", b"no"), State.CONFLICT),
        (Reply(429, "text/plain", b"later"), State.UNREACHABLE),
        (Reply(500, "text/plain", b"broken"), State.UNREACHABLE),
        (Reply(503, "text/plain", b""), State.UNREACHABLE),
    ],
)
def test_odd_answers_are_told_apart_and_nothing_is_kept(log: Path, reply: Reply, state: State) -> None:
    made = pusher(log, lambda url, body: reply, policy(("http://w0",)))
    (outcome,) = made.push()
    made.close()
    assert outcome.state is state and outcome.en and outcome.zh
    assert kept(log) == {}


def test_an_append_never_waits_for_a_witness(log: Path, witnesses: Directly) -> None:
    """A witness that does not answer holds up its own thread alone; what is appended meanwhile is durable."""
    asked, answer = threading.Event(), threading.Event()

    def slow(url: str, body: bytes) -> Reply:
        asked.set()
        answer.wait()
        return witnesses(url, body)

    made = pusher(log, slow)
    thread = threading.Thread(target=made.push)
    thread.start()
    asked.wait()
    sequencer = open_sequencer(log)
    assert [sequencer.append(draft(n)).seq for n in range(3)] == [5, 6, 7]
    answer.set()
    thread.join()
    assert sequencer.append(draft()).seq == 8
    close(sequencer)
    assert kept(log) == {5: 2}, "the checkpoint that was asked for, though newer ones took its place"
    assert states(made.push()) == BOTH
    made.close()
    assert verify_file(log, VKEY).size == 9


def test_a_push_that_was_overtaken_is_no_rollback(log: Path, witnesses: Directly) -> None:
    """Between reading the head and asking, another process of ours pushed a newer one."""

    def late(url: str, body: bytes) -> Reply:
        if body.startswith(b"old 0\n") and b"\n5\n" in body and not done:
            done.append(True)
            grow(log, 2)
            push(log, witnesses)
        return witnesses(url, body)

    done: list[bool] = []
    made = pusher(log, late, policy(("http://w0",)))
    assert states(made.push()) == [State.COSIGNED]
    made.close()
    assert kept(log) == {7: 2}


def test_a_file_that_cannot_be_written_is_asked_again(log: Path, witnesses: Directly) -> None:
    made = pusher(log, witnesses)
    made._store._db.execute("PRAGMA busy_timeout = 10")
    with attack(log) as db:
        db.execute("BEGIN IMMEDIATE")
        assert states(made.push()) == [State.UNREACHABLE, State.UNREACHABLE]
        db.execute("ROLLBACK")
    assert states(made.retry()) == BOTH
    made.close()
    assert kept(log) == {5: 2}


def test_an_empty_log_is_not_pushed(tmp_path: Path, witnesses: Directly) -> None:
    close(open_sequencer(tmp_path / "empty.db"))
    assert push(tmp_path / "empty.db", witnesses) == []


def test_a_witness_without_address_is_not_asked(log: Path, witnesses: Directly) -> None:
    made = pusher(log, witnesses, policy(("http://w0", "")))
    assert states(made.push()) == [State.COSIGNED]
    made.close()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://", "nonsense", "ftp://a/b", "http://[::1/", "http://a b/"]
)
def test_an_address_that_cannot_be_reached_is_our_error(url: str) -> None:
    with pytest.raises(WitnessError):
        post(url, b"")


# -- answers that take their time or too much room ----------


@contextlib.contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A peer on loopback that answers any request with ``pieces``, a pause before each; gives its address."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(100_000)
            for piece in pieces:
                if stop.wait(pause_s):
                    return
                connection.sendall(piece)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],)).start()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"


def test_an_answer_comes_as_it_was_sent() -> None:
    with answering(HEAD + b"\r\nhello") as url:
        assert post(url, b"x") == Reply(200, "text/plain", b"hello")
    packed = gzip.compress(b"0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with answering(head + packed) as url:
        assert post(url, b"x").body == packed, "nothing is unpacked: a small answer could become a huge one"
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"0" * 70_000
    with answering(large) as url, pytest.raises(WitnessError, match="too much"):
        post(url, b"x")


@pytest.mark.parametrize(
    "pieces",
    [(HEAD + b"\r\n", *[b"h"] * 5), tuple(bytes([byte]) for byte in HEAD + b"\r\nhello")],
    ids=["the body", "the head"],
)
def test_an_answer_that_trickles_ends_at_the_deadline(pieces: tuple[bytes, ...]) -> None:
    """Each byte comes in time; all of them never do. A witness like that must not hold up the other one."""
    with answering(*pieces, pause_s=0.3) as url, pytest.raises(WitnessError, match="cannot be reached"):
        post(url, b"x", deadline_s=1.0)


# -- what else a witness may do to us ----------


def test_a_size_that_has_no_room_for_one_more_signature_does_not_stop_the_others(
    log: Path, witnesses: Directly
) -> None:
    store = Store.open(log)
    found = store.checkpoint()
    assert found is not None
    text = found[1].partition(b"\n\n")[0] + b"\n"
    store.begin()
    store.put_cosigned(5, found[1] + b"".join(STRANGER.signature_line(text, n) for n in range(14)))
    store.commit()
    store.close()
    made = pusher(log, witnesses)
    outcomes = made.push()
    made.close()
    assert sorted(states(outcomes), key=str) == [State.COSIGNED, State.REFUSED]
    assert any("more than 16" in outcome.en for outcome in outcomes)


def test_what_a_witness_says_is_shown_without_control_characters(log: Path) -> None:
    made = pusher(log, lambda url, body: Reply(403, "text/plain", b"\x1b[2J\x07red\x9b\n"), policy(("http://w0",)))
    (outcome,) = made.push()
    made.close()
    assert outcome.en.isprintable() and outcome.zh.isprintable() and "red" in outcome.en


def test_a_witness_that_forgot_what_it_cosigned_is_said_to(log: Path, witnesses: Directly, tmp_path: Path) -> None:
    """Its state was lost or an older one put back: such a witness can be led to another history."""
    push(log, witnesses)
    grow(log, 4)
    with new_witness(tmp_path / "empty.db", 0) as empty:
        made = pusher(log, Directly(empty, witnesses.witnesses[1]))
        first, second = made.push()
        made.close()
    assert (first.state, second.state) == (State.COSIGNED, State.COSIGNED)
    assert first.forgot and not second.forgot
    assert "w0 has cosigned 5 entries of this log and knows of 0" in first.en and second.en == ""
