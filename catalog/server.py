"""``liandong serve``: an instance served by this process, or by several that this one starts and watches."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from catalog.errors import UsageError
from catalog.serving.access_log import AccessLog
from catalog.serving.answering import Answering, Stop
from catalog.serving.metrics import clear_folder
from catalog.serving.options import Options
from catalog.serving.parent import Parent
from catalog.serving.stopping import graceful
from catalog.serving.verifying import Verifier, make_run_folder
from catalog.witnessing import keeper_of, kept_witnessed
from ingest.batches import ledger_recorder, reconcile
from ledger import CATEGORIES, Instance, Ledger
from ledger.witnessing import Keeper


def serve(
    instance: Instance,
    listener: socket.socket,
    on_ready: Callable[[], None] | None = None,
    options: Options | None = None,
) -> None:
    """Serve until interrupted; then let running requests finish and commit what is queued.

    The first SIGINT or SIGTERM does that, a second one ends the process at once.

    Raises:
        BilingualError: the instance is damaged or incomplete; a worker did not start or did not stop.
    """
    options = options or Options()
    stop = Stop()
    serve_so = _alone if options.workers == 1 else _with_workers
    try:
        with graceful(stop.request):
            make_run_folder(instance.path)
            serve_so(instance, listener, options, stop, on_ready or (lambda: None))
    except sqlite3.Error as error:
        raise UsageError(
            f"the instance {instance.path} cannot be read or written ({error}); free disk space or restore a backup",
            f"实例 {instance.path} 无法读写（{error}）；请腾出磁盘空间，或从备份恢复",
        ) from error


def _alone(
    instance: Instance, listener: socket.socket, options: Options, stop: Stop, on_ready: Callable[[], None]
) -> None:
    answering = Answering(instance, options)
    try:
        with _prepared(instance, answering.service.ledger) as keeper:
            asyncio.run(_answer(instance, answering, keeper, listener, options, stop, on_ready))
    finally:
        answering.close()


async def _answer(
    instance: Instance,
    answering: Answering,
    keeper: Keeper | None,
    listener: socket.socket,
    options: Options,
    stop: Stop,
    on_ready: Callable[[], None],
) -> None:
    async with _beside(instance, answering.service.ledger, keeper, options):
        await answering.run(listener, stop, on_ready)


def _with_workers(
    instance: Instance, listener: socket.socket, options: Options, stop: Stop, on_ready: Callable[[], None]
) -> None:
    if options.access_log is not None:  # said once, before every worker says it
        AccessLog(options.access_log).close()
    figures = make_run_folder(instance.path) / "figures"
    clear_folder(figures)
    parent = Parent(instance.path, listener, options, figures, _say)
    with instance.ledger() as ledger, _prepared(instance, ledger) as keeper:
        asyncio.run(_watch(instance, ledger, keeper, parent, options, stop, on_ready))


async def _watch(
    instance: Instance,
    ledger: Ledger,
    keeper: Keeper | None,
    parent: Parent,
    options: Options,
    stop: Stop,
    on_ready: Callable[[], None],
) -> None:
    async with _beside(instance, ledger, keeper, options):
        await parent.run(stop, on_ready)


@contextmanager
def _prepared(instance: Instance, ledger: Ledger) -> Iterator[Keeper | None]:
    """What must hold before the first request: no witness has seen more than there is, and no batch is unrecorded."""
    keeper = keeper_of(instance, ledger)
    try:
        if keeper is not None:
            keeper.start()
        for category in CATEGORIES:  # batches whose entry a crash kept out of the ledger
            reconcile(instance.database_path(category), ledger_recorder(ledger))
        yield keeper
    finally:
        if keeper is not None:
            keeper.close()


@contextlib.asynccontextmanager
async def _beside(instance: Instance, ledger: Ledger, keeper: Keeper | None, options: Options) -> AsyncIterator[None]:
    """While inside, what happens once for an instance beside answering: its witnesses are asked, it is verified."""
    stop = asyncio.Event()
    tasks = []
    if options.verify_every is not None:
        verifier = Verifier(instance, ledger, options.verify_every, _say)
        tasks.append(asyncio.create_task(verifier.run(stop)))
    async with kept_witnessed(keeper, _say):
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
