"""One witness over HTTP: ``POST /add-checkpoint`` as c2sp.org/tlog-witness says, and its page for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from ledger.errors import LedgerUnavailableError
from ledger.log.witness import MAX_BODY_BYTES, Reply, Witness
from ledger.log.witness_page import STYLE, LogState, Page, language, render

#: A sender that trickles its body may hold a connection this long.
BODY_SECONDS = 10

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEADERS = [
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_READ = ("GET", "HEAD")
_METHODS = {"/add-checkpoint": ("POST",), "/": _READ, "/vkey": _READ, "/witness.css": _READ}


class WitnessApp:
    """The ASGI application of one witness."""

    def __init__(self, witness: Witness, page: Page, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._witness = witness
        self._page = page
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _send(send, await self._answer(scope, receive), with_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path, method = scope["path"], scope["method"]
        allowed = _METHODS.get(path)
        if allowed is None:
            return _text(404, "no such address; POST /add-checkpoint, GET / or GET /vkey", "没有此地址")
        if method not in allowed:
            return _text(405, f"only {', '.join(allowed)} here", f"此处只接受 {'、'.join(allowed)}")
        try:
            return await self._answer_at(path, scope, receive)
        except LedgerUnavailableError as error:
            return _text(503, error.en, error.zh)

    async def _answer_at(self, path: str, scope: Scope, receive: Receive) -> Reply:
        if path == "/add-checkpoint":
            return await self._add_checkpoint(receive)
        if path == "/vkey":
            return Reply(200, "text/plain; charset=utf-8", f"{self._witness.cosigner.key}\n".encode())
        if path == "/witness.css":
            return Reply(200, "text/css; charset=utf-8", STYLE.encode())
        lang = language(scope["query_string"], dict(scope["headers"]).get(b"accept-language", b""))
        html = await asyncio.to_thread(page_of, self._witness, self._page, self._now(), lang)
        return Reply(200, "text/html; charset=utf-8", html.encode())

    async def _add_checkpoint(self, receive: Receive) -> Reply:
        body = await _read(receive)
        if body is None:
            return _text(413, f"at most {MAX_BODY_BYTES} bytes, sent within {BODY_SECONDS} s", "请求过大或发送过慢")
        return await asyncio.to_thread(self._witness.add_checkpoint, body)


def page_of(witness: Witness, page: Page, now: datetime, lang: str) -> str:
    """The witness's page at ``now``, in ``lang``.

    Raises:
        LedgerUnavailableError: the state cannot be read.
    """
    logs = {log.name: log for log in witness.logs}
    states = [LogState(log, witness.seen(name), witness.unresolved(name)) for name, log in logs.items()]
    name, key = witness.cosigner.name, str(witness.cosigner.key)
    return render(name, key, states, witness.refusals(), page, now, lang)


async def _read(receive: Receive) -> bytes | None:
    """The request's body, or None where it is too large, too slow or broken off."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    return None
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        return None


async def _send(send: Send, reply: Reply, *, with_body: bool) -> None:
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", b"%d" % len(reply.body)),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})


def _text(status: int, en: str, zh: str) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", f"{zh}\n{en}\n".encode())
