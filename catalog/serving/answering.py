"""Answering requests in this process, until told to stop: uvicorn over one listening socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from catalog.plugin import build
from catalog.service import Service
from catalog.serving.access_log import AccessLog
from catalog.serving.listener import SharedListener
from catalog.serving.metrics import Metrics
from catalog.serving.options import Options
from catalog.serving.watch import Both
from ledger import Instance


class Stop:
    """A wish to stop, made by a signal at any time, also before there is anything to stop."""

    def __init__(self) -> None:
        self.requested = False
        self.on_request: Callable[[], None] | None = None

    def request(self) -> None:
        """Called from a signal's handler, in the main thread."""
        self.requested = True
        if self.on_request is not None:
            self.on_request()


class Answering:
    """The service of an instance in this process, with its figures and its access log.

    Raises:
        BilingualError: the instance is damaged or incomplete, or the access log cannot be written.
    """

    def __init__(self, instance: Instance, options: Options) -> None:
        self._options = options
        self._metrics = Metrics()
        self._log = AccessLog(options.access_log) if options.access_log is not None else None
        self.service = Service.open(instance, on_commit=self._metrics.committed)

    def close(self) -> None:
        """Commit what is queued, then close."""
        self.service.close()
        if self._log is not None:
            self._log.close()

    async def run(self, listener: socket.socket, stop: Stop, on_ready: Callable[[], None]) -> None:
        """Answer until ``stop``, then let requests under way finish."""
        datasette = build(self.service, Both(self._metrics, self._log), self._metrics)
        await datasette.invoke_startup()
        config = uvicorn.Config(
            datasette.app(),
            log_level="warning",
            access_log=False,  # uvicorn's would hold query strings, which may hold personal data
            lifespan="on",
            server_header=False,
            proxy_headers=False,  # forwarded headers are never believed
            backlog=SharedListener.AT_ONCE,
            timeout_graceful_shutdown=round(self._options.grace.total_seconds()),
        )
        shared = SharedListener(listener.family, listener.type, listener.proto, listener.detach())
        await _Server(config, stop, on_ready).serve(sockets=[shared])


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it accepts requests, and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, stop: Stop, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise the signal once more when it has stopped, before the ledger is closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        return self._stop.requested or await super().on_tick(counter)
