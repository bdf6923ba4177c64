"""Small helpers over raw ASGI: header fields, cookies, whole answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from catalog.errors import RequestError
from catalog.spool import CHUNK_BYTES, Spool

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 2 * 1024 * 1024
#: A sign-in or language form; more is an attempt to keep the server busy.
MAX_FORM_BYTES = 16 * 1024
#: A client that does not send the whole of its request's body within so long is given up.
BODY_SECONDS = 20.0
#: A client that takes no piece of an answer for so long is given up: its answer holds room that others need.
STALL_SECONDS = 60.0


@dataclass(slots=True)
class Answer:
    """A whole HTTP answer, kept back until its entry is durable.

    Attributes:
        body: the bytes, or the spool that holds them; whoever made the spool closes it.
    """

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes | Spool = b""

    @classmethod
    def of_json(cls, status: int, value: Any) -> Answer:
        body = json.dumps(value, ensure_ascii=False).encode()
        return cls(status, [(b"content-type", b"application/json; charset=utf-8")], body)

    @property
    def size_bytes(self) -> int:
        return self.body.size_bytes if isinstance(self.body, Spool) else len(self.body)

    async def sha256(self) -> str:
        """The digest of the body, in hex."""
        if isinstance(self.body, Spool):
            return await self.body.sha256()
        return hashlib.sha256(self.body).hexdigest()

    def header(self, name: bytes) -> str:
        """The first value of a header field, or an empty string."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), "")

    def set_header(self, name: str, value: str) -> None:
        """Set a header field, replacing any of that name."""
        self.set_headers({name: value})

    def set_headers(self, values: Mapping[str, str]) -> None:
        """Set header fields, replacing any of these names."""
        self.drop_headers(*values)
        self.headers.extend((name.lower().encode(), value.encode("latin-1")) for name, value in values.items())

    def drop_headers(self, *names: str) -> None:
        """Leave out header fields."""
        raw = {name.lower().encode() for name in names}
        self.headers = [(key, old) for key, old in self.headers if key.lower() not in raw]

    async def send(self, send: Send, *, with_body: bool = True) -> None:
        """Send it, piece by piece if it is large.

        Raises:
            TimeoutError: the client takes nothing any more.
        """
        if not any(key.lower() == b"content-length" for key, _ in self.headers):
            self.set_header("content-length", str(self.size_bytes))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        body = self.body if with_body else b""
        if isinstance(body, Spool) and not body.on_disk:
            body = body.in_memory
        if isinstance(body, Spool):
            async for chunk in body.chunks():
                await _give(send, chunk, more=True)
            body = b""
        # What is handed over at once lies in memory until the client has taken it.
        last = max(0, len(body) - 1) // CHUNK_BYTES * CHUNK_BYTES
        for start in range(0, last, CHUNK_BYTES):
            await _give(send, body[start : start + CHUNK_BYTES], more=True)
        await _give(send, body[last:], more=False)


async def _give(send: Send, chunk: bytes, *, more: bool) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await send({"type": "http.response.body", "body": chunk, "more_body": more})


def header_fields(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields by lower-case name; lines of one name joined by ``, `` in their order (RFC 9110 §5.2)."""
    fields: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields


def cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header; a malformed one is no cookie."""
    if not header:
        return {}
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises:
        RequestError: over ``limit`` bytes (413), too slow (408), or the client went away (400).
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_all(receive, limit)
    except TimeoutError as error:
        raise RequestError(
            408,
            f"the body of the request did not arrive within {BODY_SECONDS:g} s; send it at once",
            f"请求正文未在 {BODY_SECONDS:g} 秒内送达；请一次发完",
        ) from error


async def _read_all(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise RequestError(400, "the client closed the connection", "客户端已断开连接")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise RequestError(
                413,
                f"the body is larger than {limit} bytes; send less at once",
                f"请求正文超过 {limit} 字节；请分次发送",
            )
        if not event.get("more_body"):
            return b"".join(parts)


def replay_body(body: bytes, receive: Receive) -> Receive:
    """A receive callable that gives ``body`` again, then what the client does next."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Event:
        return pending.pop() if pending else await receive()

    return again


async def collect(app: App, scope: Scope, receive: Receive, spool: Spool) -> Answer:
    """Run ``app`` and keep its whole answer back in ``spool``.

    An answer that breaks off may be followed by another, an error: nothing of the first has left, so the second counts.

    Raises:
        RequestError: 413 or 503, the answer cannot be kept back (and ``app`` let that pass).
    """
    answer = Answer(body=spool)

    async def keep(event: Event) -> None:
        if event["type"] == "http.response.start":
            spool.clear()
            answer.status, answer.headers = event["status"], list(event.get("headers", []))
        elif event["type"] == "http.response.body":
            await spool.write(event.get("body", b""))

    await app(scope, receive, keep)
    return answer
