"""Two witnesses in processes of their own, over real HTTP: growth, stale, fork, rollback, wrong key, down, killed."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from ledger.log.note import Signer
from ledger.log.policy import Policy
from ledger.log.push import Pusher, State, post
from ledger.log.store import Store
from ledger.log.verify import verify_file
from ledger.log.witness import MAX_BODY_BYTES, Submission, Witness
from ledger.log.witness_http import page_of
from ledger.log.witness_page import Page
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


def page(office: Office, lang: str = "zh") -> str:
    response = httpx2.get(f"{office.url}/?lang={lang}")
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
        assert "绿：一致" in page(office) and "至今出示的 9 条前后一致" in page(office)
        english = page(office, "en")
        assert (
            "GREEN: consistent" in english
            and "All that was shown so far (9 entries) agrees" in english
            and 'lang="en"' in english
        )

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
    assert push(log, offices) == [State.CONFLICT, State.CONFLICT], "a fork: two roots for one size"
    rewrite(log, chain([{"kind": "test.noted", "v": 1, "n": n} for n in range(14)]), SIGNER)
    assert push(log, offices) == [State.CONFLICT, State.CONFLICT], "a history rewritten with the log's own key"
    for office in offices:
        for lang, headline, proof in (
            ("zh", "红：铁证，台账被改写", "拒签记录：铁证"),
            ("en", "RED: PROOF", "Refused: proof"),
        ):
            html = page(office, lang)
            assert headline in html and html.count(proof) == 2 and CALL in html
            for refusal in refusals(office):
                assert refusal[0].decode() in html and refusal[1].decode() in html, "both notes stand there in full"


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
    assert "还没有收到过检查点" in page(office)


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
        assert push(log, [office]) == [State.CONFLICT], "nothing else of that size was ever cosigned"
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
    assert "unsafe" not in headers["content-security-policy"] and "server" not in headers
    style = httpx2.get(f"{office.url}/witness.css")
    assert style.headers["content-type"] == "text/css; charset=utf-8" and "@media print" in style.text
    assert "<style" not in page(office) and "style=" not in page(office) and "<script" not in page(office)


@pytest.mark.parametrize(
    ("query", "accepted", "lang"),
    [
        ("", "", "zh-CN"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "de-DE, en;q=0.8, zh;q=0.5", "en"),
        ("", "fr", "zh-CN"),
        ("?lang=zh", "en", "zh-CN"),
        ("?lang=en", "zh-CN", "en"),
        ("?x=1&lang=en", "", "en"),
        ("?lang=%3Cscript%3E", "zh", "zh-CN"),
    ],
)
def test_the_page_speaks_the_readers_language(office: Office, query: str, accepted: str, lang: str) -> None:
    html = httpx2.get(f"{office.url}/{query}", headers={"accept-language": accepted}).text
    assert f'<html lang="{lang}">' in html


def test_a_hundred_silent_connections_do_not_lock_the_log_out(tmp_path: Path) -> None:
    """Nor such as send half a head: each is let go before long, and the log asks again."""
    office = Office.make(tmp_path / "witness", 0)
    office.start(
        wrapper="import ledger.serving\nledger.serving.HEAD_SECONDS = 1.0\nfrom catalog.cli import main\nmain()"
    )
    idle = []
    try:
        for n in range(120):
            idle.append(socket.create_connection(("127.0.0.1", office.port)))
            if n % 2:
                idle[-1].sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n")
        for connection in idle:
            connection.settimeout(30)
            assert connection.recv(1) == b"", "closed by the witness"
        assert post(f"{office.url}/add-checkpoint", TREE.body(0, 7)).status == 200
        with httpx2.Client() as client:  # a kept connection is let go too, between requests only
            assert client.get(f"{office.url}/vkey").status_code == 200
    finally:
        for connection in idle:
            connection.close()
        office.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_witness_closes_its_state(tmp_path: Path, number: signal.Signals) -> None:
    office = Office.make(tmp_path / "witness", 0)
    office.start()
    assert post(f"{office.url}/add-checkpoint", TREE.body(0, 7)).status == 200
    assert (office.folder / "state.db-wal").exists()
    process = office.process
    assert process is not None
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    assert not (office.folder / "state.db-wal").exists()


def test_a_state_that_cannot_be_read_is_503(tmp_path: Path) -> None:
    office = Office.make(tmp_path / "witness", 0)
    office.start()
    try:
        with contextlib.closing(sqlite3.connect(office.folder / "state.db")) as db:
            db.execute("DROP TABLE refused")
        answer = httpx2.get(f"{office.url}/")
        assert answer.status_code == 503 and "cannot be read" in answer.text and "无法读取" in answer.text
    finally:
        office.stop()


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


# -- the page ----------


def shown(witness: Witness, page: Page, now: datetime) -> tuple[str, str]:
    return page_of(witness, page, now, "zh"), page_of(witness, page, now, "en")


def test_other_peoples_text_is_escaped(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db") as witness:
        assert witness.add_checkpoint(TREE.body(0, 7)).status == 200
        assert witness.add_checkpoint(Tree.of(40, fork_at=3).body(7, 7)).status == 409
        for html in shown(witness, Page("<script>alert(1)</script> & 县司法局"), START):
            assert "<script>" not in html and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; 县司法局" in html


def test_silence_turns_the_page_red_and_says_so(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db") as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
        zh, en = shown(witness, Page(CALL, 26), START + timedelta(hours=25))
        assert "绿：一致" in zh and "GREEN: consistent" in en and "1 天前" in zh and "1 day ago" in en
        zh, en = shown(witness, Page(CALL, 26), START + timedelta(hours=27))
        assert (
            "红：没有消息" in zh and "RED: silent" in en and "已超过 26 小时" in zh and f"<strong>{CALL}</strong>" in en
        )
        zh, _ = shown(witness, Page(CALL, 0), START + timedelta(days=90))
        assert "绿：一致" in zh, "an office that signs by file"


def test_a_witness_that_saw_nothing_yet_waits_and_is_red_when_it_waited_too_long(tmp_path: Path) -> None:
    """Green would say that all is well where nobody has looked at anything."""
    with new_witness(tmp_path / "state.db") as witness:
        for page in (Page(CALL), Page(CALL, 26, START), Page(CALL, 0, START - timedelta(days=9))):
            zh, en = shown(witness, page, START + timedelta(hours=25))
            assert "等待：尚未开始" in zh and "WAITING: not begun" in en and 'class="state waiting"' in zh
        zh, en = shown(witness, Page(CALL, 26, START), START + timedelta(hours=27))
        assert "红：没有消息" in zh and "RED: silent" in en


def test_a_proof_that_did_not_hold_is_not_called_a_forgery(tmp_path: Path) -> None:
    with new_witness(tmp_path / "state.db") as witness:
        assert witness.add_checkpoint(TREE.body(0, 8)).status == 200
        assert witness.add_checkpoint(Submission(8, (bytes(32),), TREE.signed(12)).to_bytes()).status == 422
        zh, en = shown(witness, Page(CALL), START)
        assert "红：未能证明一致" in zh and "铁证" not in zh and "PROOF" not in en and "Wait 10 minutes" in en
        assert witness.add_checkpoint(TREE.body(8, 20)).status == 200
        zh, en = shown(witness, Page(CALL), START)
        assert "绿：一致" in zh and "拒签记录：未能证明一致" in zh, "green again; what was refused stays on record"
