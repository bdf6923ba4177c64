"""Two witnesses in processes of their own, over real HTTP: growth, stale, fork, rollback, wrong key, down, killed."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from ledger.log.note import Signer
from ledger.log.policy import Policy
from ledger.log.push import Pusher, State, post
from ledger.log.store import Store
from ledger.log.verify import verify_file
from ledger.log.witness import MAX_BODY_BYTES
from ledger.log.witness_http import Page, render
from tests.ledger.support import ORIGIN, SIGNER, START, VKEY, chain, close, draft, make_log, open_sequencer, rewrite
from tests.ledger.witness_support import CALL, COSIGNERS, Office, Tree, new_witness, policy_of

TREE = Tree.of(40)
BOTH = [State.COSIGNED, State.COSIGNED]

#: The witness's own program, which ends itself like a power cut after the commit and before the answer.
DIES_BEFORE_REPLY = """
import os, signal
from ledger.log.witness import Witness
plain = Witness.add_checkpoint
def dying(self, body):
    reply = plain(self, body)
    if reply.status == 200:
        os.kill(os.getpid(), signal.SIGKILL)
    return reply
Witness.add_checkpoint = dying
from catalog.cli import main
main()
"""


@pytest.fixture
def offices(tmp_path: Path) -> Iterator[list[Office]]:
    made = [Office.make(tmp_path / f"witness{n}", n) for n in range(2)]
    try:
        for office in made:
            office.start()
        yield made
    finally:
        for office in made:
            office.stop()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One witness that a module's read-only tests share."""
    made = Office.make(tmp_path_factory.mktemp("office") / "witness", 0)
    made.start()
    yield made
    made.stop()


def grow(path: Path, count: int) -> None:
    sequencer = open_sequencer(path)
    for n in range(count):
        sequencer.append(draft(n))
    close(sequencer)


def push(path: Path, offices: list[Office]) -> list[State]:
    made = Pusher(Store.open(path), VKEY, Policy.parse(policy_of(VKEY, offices)), post)
    try:
        return [outcome.state for outcome in made.push()]
    finally:
        made.close()


def page(office: Office) -> str:
    response = httpx2.get(f"{office.url}/")
    assert response.status_code == 200 and response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def test_two_witnesses_from_first_head_to_fork(tmp_path: Path, offices: list[Office]) -> None:
    log = make_log(tmp_path / "ledger.db", 5)
    assert push(log, offices) == BOTH
    backup = log.read_bytes()
    grow(log, 4)
    assert push(log, offices) == BOTH, "growth"
    assert verify_file(log, VKEY).size == 9
    stale = post(f"{offices[0].url}/add-checkpoint", TREE.body(0, 7))
    assert (stale.status, stale.content_type, stale.body) == (409, "text/x.tlog.size", b"9\n")
    for office in offices:
        assert "绿：至今一致" in page(office) and "9 条 entries" in page(office)

    old = tmp_path / "old.db"
    old.write_bytes(backup)
    assert push(old, offices) == [State.AHEAD, State.AHEAD], "rollback"

    offices[1].stop()
    grow(log, 1)
    assert push(log, offices) == [State.COSIGNED, State.UNREACHABLE], "one is down"
    offices[1].start()
    grow(log, 1)
    assert push(log, offices) == BOTH, "and back"

    rewrite(log, chain([{"kind": "test.noted", "v": 1, "n": n} for n in range(11)]), SIGNER)
    assert push(log, offices) == [State.REFUSED, State.REFUSED], "a fork: two roots for one size"
    rewrite(log, chain([{"kind": "test.noted", "v": 1, "n": n} for n in range(14)]), SIGNER)
    assert push(log, offices) == [State.REFUSED, State.REFUSED], "a history rewritten with the log's own key"
    for office in offices:
        html = page(office)
        assert "红：台账出示了不一致的历史" in html and "RED" in html and html.count("PROOF:") == 2
        assert CALL in html
        for refusal in refusals(office):
            assert refusal[0].decode() in html and refusal[1].decode() in html, "both notes stand on the page in full"


def refusals(office: Office) -> list[tuple[bytes, bytes]]:
    witness = office.open().witness()
    found = [(refusal.seen_note, refusal.new_note) for refusal in witness.refusals()]
    witness.close()
    assert len(found) == 2
    return found


def test_a_thief_without_the_log_key_gets_nothing(office: Office) -> None:
    thief = Signer(ORIGIN, COSIGNERS[2].private_key)
    assert post(f"{office.url}/add-checkpoint", TREE.body(0, 7, thief)).status == 403
    assert (
        post(f"{office.url}/add-checkpoint", TREE.body(0, 7, Signer("x.example/log", SIGNER.private_key))).status == 404
    )
    assert "尚未收到检查点" in page(office)


def test_a_witness_killed_between_persisting_and_answering_has_not_lost_its_word(tmp_path: Path) -> None:
    office = Office.make(tmp_path / "witness", 0)
    log = make_log(tmp_path / "ledger.db", 5)
    office.start(wrapper=DIES_BEFORE_REPLY)
    assert push(log, [office]) == [State.UNREACHABLE]
    assert office.process is not None and office.process.wait(timeout=30) == -signal.SIGKILL
    office.start()
    try:
        assert post(f"{office.url}/add-checkpoint", TREE.body(0, 7)).body == b"5\n", "it remembers what it cosigned"
        assert push(log, [office]) == [State.COSIGNED]
        rewrite(log, chain([{"kind": "test.noted", "v": 1, "n": 7 * n} for n in range(5)]), SIGNER)
        assert push(log, [office]) == [State.REFUSED], "nothing else of that size was ever cosigned"
    finally:
        office.stop()


def test_addresses_methods_and_headers(office: Office) -> None:
    assert httpx2.get(f"{office.url}/vkey").text == f"{office.open().cosigner.key}\n"
    assert httpx2.get(f"{office.url}/nothing").status_code == 404
    assert httpx2.get(f"{office.url}/add-checkpoint").status_code == 405
    assert httpx2.post(f"{office.url}/").status_code == 405
    head = httpx2.head(f"{office.url}/")
    assert head.status_code == 200 and head.content == b""
    headers = httpx2.get(f"{office.url}/").headers
    assert headers["cache-control"] == "no-store" and "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(office: Office, chunked: bool) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    pieces = (body[start : start + 9_000] for start in range(0, len(body), 9_000))
    response = httpx2.post(f"{office.url}/add-checkpoint", content=pieces if chunked else body)
    assert response.status_code == 413
    assert httpx2.post(f"{office.url}/add-checkpoint", content=body[:-1]).status_code == 400


def test_a_sender_that_hangs_up_does_no_harm(office: Office) -> None:
    with socket.create_connection(("127.0.0.1", office.port)) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 500\r\n\r\nold 0\n")
    assert page(office)


def test_other_peoples_text_is_escaped_and_silence_turns_the_page_red(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db") as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
        shown = Page("<script>alert(1)</script> & 县司法局", 26)
        assert "绿" in render(witness, shown, START + timedelta(hours=25))
        html = render(witness, shown, START + timedelta(hours=27))
        assert "红：超过 26 小时" in html and "more than 26 hours" in html
        assert "<script>" not in html and "&lt;script&gt;" in html
        assert "绿" in render(witness, Page("x", 0), START + timedelta(days=90))
