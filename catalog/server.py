"""``liandong serve``: one process that serves an instance."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator

import uvicorn

from catalog.errors import UsageError
from catalog.plugin import build
from catalog.service import Service
from catalog.witnessing import keeper_of, kept_witnessed
from ingest.batches import ledger_recorder, reconcile
from ledger import CATEGORIES, Instance
from ledger.witnessing import Keeper


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before anything is printed.

    Raises:
        UsageError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without, each answer waits 40 ms for
    # a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} on {host} is in use; end the program that uses it or give another with --port",
                f"{host} 的端口 {port} 已被占用；请结束占用它的程序，或用 --port 指定其他端口",
            ) from error
        raise UsageError(
            f"cannot listen on {host}:{port} ({error}); give an address of this machine with --host and a free port",
            f"无法监听 {host}:{port}（{error}）；请用 --host 指定本机地址，用 --port 指定空闲端口",
        ) from error
    return listener


def address(host: str, port: int) -> str:
    """The address of a listener as a client writes it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(instance: Instance, listener: socket.socket, on_ready: Callable[[], None] | None = None) -> None:
    """Serve until interrupted; then let running requests finish and commit what is queued.

    Raises:
        BilingualError: the instance is damaged or incomplete.
    """
    service = Service.open(instance)
    keeper = None
    try:
        keeper = keeper_of(instance, service.ledger)
        if keeper is not None:
            keeper.start()  # refuses to serve a ledger of which a witness has seen more than there is
        for category in CATEGORIES:  # batches whose entry a crash kept out of the ledger
            reconcile(instance.database_path(category), ledger_recorder(service.ledger))
        with _quiet_signals():
            asyncio.run(_run(service, keeper, listener, on_ready))
    except sqlite3.Error as error:
        raise UsageError(
            f"the instance {instance.path} cannot be read or written ({error}); free disk space or restore a backup",
            f"实例 {instance.path} 无法读写（{error}）；请腾出磁盘空间，或从备份恢复",
        ) from error
    finally:
        if keeper is not None:
            keeper.close()
        service.close()


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let uvicorn's graceful stop be all that SIGINT and SIGTERM do.

    uvicorn raises the signal once more when it has stopped, which would end the process before the ledger is closed.
    """
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _run(
    service: Service, keeper: Keeper | None, listener: socket.socket, on_ready: Callable[[], None] | None
) -> None:
    datasette = build(service)
    await datasette.invoke_startup()
    config = uvicorn.Config(
        datasette.app(),
        log_level="warning",
        access_log=False,  # uvicorn's would hold query strings, which may hold personal data
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # forwarded headers are never believed
        timeout_graceful_shutdown=10,
    )
    async with kept_witnessed(keeper, lambda trouble: print(trouble, file=sys.stderr, flush=True)):  # noqa: T201
        await _Server(config, on_ready).serve(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it accepts requests."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()
