"""Small helpers over raw ASGI: header fields, cookies, whole answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from catalog.errors import RequestError

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 2 * 1024 * 1024
#: A sign-in or language form; more is an attempt to keep the server busy.
MAX_FORM_BYTES = 16 * 1024


@dataclass(slots=True)
class Answer:
    """A whole HTTP answer, kept back until its entry is durable."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def of_json(cls, status: int, value: Any) -> Answer:
        body = json.dumps(value, ensure_ascii=False).encode()
        return cls(status, [(b"content-type", b"application/json; charset=utf-8")], body)

    def header(self, name: bytes) -> str:
        """The first value of a header field, or an empty string."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), "")

    def set_header(self, name: str, value: str) -> None:
        """Set a header field, replacing any of that name."""
        self.set_headers({name: value})

    def set_headers(self, values: Mapping[str, str]) -> None:
        """Set header fields, replacing any of these names."""
        raw = {name.lower().encode(): value.encode("latin-1") for name, value in values.items()}
        self.headers = [(key, old) for key, old in self.headers if key.lower() not in raw]
        self.headers.extend(raw.items())

    async def send(self, send: Send, *, with_body: bool = True) -> None:
        body = self.body if with_body else b""
        if not any(key.lower() == b"content-length" for key, _ in self.headers):
            self.set_header("content-length", str(len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": body})


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
        RequestError: over ``limit`` bytes (413), or the client went away (400).
    """
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


async def collect(app: App, scope: Scope, receive: Receive) -> Answer:
    """Run ``app`` and keep its whole answer back."""
    answer = Answer()
    parts: list[bytes] = []

    async def keep(event: Event) -> None:
        if event["type"] == "http.response.start":
            answer.status, answer.headers = event["status"], list(event.get("headers", []))
        elif event["type"] == "http.response.body":
            parts.append(event.get("body", b""))

    await app(scope, receive, keep)
    answer.body = b"".join(parts)
    return answer
