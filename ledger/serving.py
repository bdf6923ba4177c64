"""What a small server of an office needs around uvicorn: its port, its patience, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ledger.errors import InstanceError

#: A peer that has not sent the whole head of a request by then is let go; uvicorn itself would wait for ever.
HEAD_SECONDS = 10.0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InstanceError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InstanceError(
            f"cannot listen on {host}:{port} ({error}); give an address of this machine with --host and a free port",
            f"无法监听 {host}:{port}（{error}）；请用 --host 指定本机地址，用 --port 指定空闲端口",
        ) from error
    return listener


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that does not wait long for a request: else a hundred silent connections lock everybody out."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._expect_head()
        super().on_response_complete()

    def _expect_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


@contextlib.contextmanager
def quiet_signals() -> Iterator[None]:
    """Let uvicorn's graceful stop be all that SIGINT and SIGTERM do.

    uvicorn raises the signal once more when it has stopped, which would end the process before its files are closed.
    """
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(app: Any, listener: socket.socket, *, connections: int = 100) -> None:
    """Serve the ASGI application ``app`` until interrupted; running requests are let finish."""
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # forwarded headers are never believed
        limit_concurrency=connections,
        timeout_graceful_shutdown=5,
    )
    with quiet_signals():
        uvicorn.Server(config).run(sockets=[listener])
