"""No way round, over the wire: what a client library would tidy is sent byte by byte to the running server."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from catalog.service import Service
from ledger import Instance
from tests.catalog.bypass import tricks
from tests.catalog.bypass.world import MAY_SEE, canary, plant
from tests.conftest import Running, serving

UNGRANTED, GRANTED = "/work/inspections.json", "/work/penalties.json"
CLOSE = b"Connection: close\r\n"
#: What the system with the demonstration's token may see.
OPEN = {name for name, askers in MAY_SEE.items() if "token" in askers}
CANARIES = {name: canary(name).encode() for name in MAY_SEE}


@pytest.fixture(scope="module")
def served(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bypass") / "demo"
    shutil.copytree(demo_template, folder)
    with closing(Service.open(Instance.open(folder))) as service:
        plant(service)
    with serving(Instance.open(folder)) as running:
        yield running


def sent(served: Running, data: bytes, patience_s: float = 1.0) -> bytes:
    """All that comes back on a connection of its own, until the server closes it or has no more to say."""
    received = b""
    with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(patience_s)
            while piece := connection.recv(65_536):
                received += piece
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            pass
    return received


def get(served: Running, target: bytes, *lines: str, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    fields = "".join(f"{line}\r\n" for line in ("Host: x", "Connection: close", *lines))
    return sent(served, method + b" " + target + b" HTTP/" + version + b"\r\n" + fields.encode("latin-1") + b"\r\n")


def credentials_of(served: Running) -> bytes:
    """The lines of the demonstration's system: its token, and what it asks for."""
    return f'Authorization: Bearer {served.token}\r\nLiandong-Purpose: case; reference="2026-17"\r\n'.encode()


def recorded(served: Running) -> int:
    with closing(sqlite3.connect(f"file:{served.instance.ledger_path}?mode=ro", uri=True)) as ledger:
        (count,) = ledger.execute("SELECT count(*) FROM entries WHERE entry ->> '$.kind' = 'query.served'").fetchone()
    return int(count)


def check(served: Running, answer: bytes, before: int, *, token: bool) -> None:
    """Nothing leaves without credentials; with the token nothing but what is open to it, and then recorded."""
    seen = {name for name, value in CANARIES.items() if value in answer.lower()}
    assert seen <= (OPEN if token else set()), answer[:500]
    assert recorded(served) - before >= bool(seen)


@pytest.mark.parametrize("path", [UNGRANTED, GRANTED, "/identity.db", "/-/config.json"])
def test_spellings(served: Running, path: str) -> None:
    bearer = credentials_of(served).decode().rstrip()
    for raw in tricks.spellings(path):
        for lines in ((), (bearer,)):
            before = recorded(served)
            answer = get(served, raw, *lines)
            check(served, answer, before, token=bool(lines))
            assert b"X-Injected" not in answer.partition(b"\r\n\r\n")[0]
            assert b"SQLite format 3" not in answer


def test_whether_there_is_a_folder_outside_is_not_told(served: Running) -> None:
    up = b"/-/static-plugins/liandong/" + b"../" * 12
    answers = {get(served, up + name).partition(b"\r\n")[0] for name in (b"etc", b"nosuchfolder", b"etc/hosts", b"tmp")}
    assert len(answers) == 1
    assert b" 200 " not in answers.pop()


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://elsewhere.example{path} HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"GET {path} HTTP/1.0\r\n{auth}\r\n",
        b"GET {path}\r\n",
        b"GET {path} HTTP/0.9\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nHost: y\r\n{auth}\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"
        b"GET {path} HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET {path} HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nX-Original-URL: /healthz\r\nX-HTTP-Method-Override: GET\r\n{auth}\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Original-URL: {path}\r\nX-Rewrite-URL: {path}\r\n{auth}\r\n",
        b"HEAD {path} HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"TRACE {path} HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"CONNECT work:443 HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{auth}\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"get {path} HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"GET {path} HTTP/1.1\nHost: x\n{auth}\n",
        b"GET\t{path}\tHTTP/1.1\r\nHost: x\r\n{auth}\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\n{auth}Range: bytes=0-40\r\nIf-None-Match: *\r\nConnection: close\r\n\r\n",
        b"GET {path}?_size=1 HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 100_000 + b"\r\n{auth}\r\n",
    ],
)
def test_requests_out_of_form(served: Running, data: bytes) -> None:
    bearer = credentials_of(served)
    for path in (UNGRANTED, GRANTED):
        for auth in (b"", bearer):
            before = recorded(served)
            answer = sent(served, data.replace(b"{path}", path.encode()).replace(b"{auth}", auth + CLOSE))
            check(served, answer, before, token=bool(auth))


def test_credentials_spelt_oddly(served: Running) -> None:
    for line in (
        f"authorization:Bearer {served.token} ",
        f"AUTHORIZATION: bearer\t{served.token}",
        f"Authorization: Bearer  {served.token}",
        f"Authorization: Bearer {served.token}\r\nAuthorization: Bearer x",
        f"Authorization: Bearer {served.token},Bearer x",
        f"Authorization : Bearer {served.token}",
        f"Proxy-Authorization: Bearer {served.token}",
        f"X-Authorization: Bearer {served.token}",
        f"Cookie: liandong_session={served.token}",
        f"Cookie: authorization=Bearer {served.token}",
    ):
        for path in (UNGRANTED, GRANTED):
            before = recorded(served)
            check(
                served,
                get(served, path.encode(), 'Liandong-Purpose: case; reference="2026-17"', line),
                before,
                token=True,
            )


def test_the_plain_request_does_get_through_so_the_others_say_something(served: Running) -> None:
    before = recorded(served)
    head = f"GET {GRANTED} HTTP/1.1\r\nHost: x\r\n".encode()
    answer = sent(served, head + credentials_of(served) + CLOSE + b"\r\n", 60.0)
    assert answer.startswith(b"HTTP/1.1 200")
    assert CANARIES["granted"] in answer
    assert recorded(served) == before + 1
