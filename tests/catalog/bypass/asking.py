"""Asking the application byte by byte, as a server hands it over: nothing here tidies a path or a header."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from catalog.http import App

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is sent. ``target``: path and query string, as raw as they come."""

    method: str
    target: bytes
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    @property
    def raw_path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def shown(self) -> str:
        target = self.target.decode("latin-1")
        return f"{self.method} {target if len(target) < 160 else target[:160] + '…'} {list(self.headers)}"


@dataclass(slots=True)
class Response:
    """What came back."""

    status: int = 0
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")

    @property
    def everything(self) -> bytes:
        """All bytes that leave, for searching; what is packed, a spreadsheet, is unpacked."""
        body = self.body
        if body.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(body)) as packed:
                body += b"".join(packed.read(name) for name in packed.namelist())
        return body + b"\n" + b"\n".join(name + b": " + value for name, value in self.headers)


async def ask(app: App, request: Request) -> Response:
    """Hand ``request`` to ``app`` as uvicorn would."""
    raw_path, _, query = request.target.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"catalog.test"), *request.headers],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 80),
    }
    waiting = [{"type": "http.request", "body": request.body, "more_body": False}]
    found = Response()
    pieces: list[bytes] = []

    async def receive() -> Any:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            assert found.status == 0, "two answers to one request"
            found.status, found.headers = event["status"], list(event["headers"])
        else:
            assert event["type"] == "http.response.body", event["type"]
            pieces.append(event.get("body", b""))

    await app(scope, receive, send)
    found.body = b"".join(pieces)
    return found


def headers_of(fields: Sequence[tuple[str, str]]) -> tuple[Header, ...]:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields)
