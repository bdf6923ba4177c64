"""The parent of several workers: starts them, replaces one that dies, stops them all.

Workers share one listening socket and one ledger. What must happen once for an instance, the witnesses' keeper and the
continuous verification, happens here and never in a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from catalog.errors import CatalogError
from catalog.serving import worker
from catalog.serving.answering import Stop
from catalog.serving.channel import READY
from catalog.serving.children import python
from catalog.serving.metrics import FOLDER_VARIABLE
from catalog.serving.options import Options

#: A worker that lived shorter than this is replaced with growing pauses.
_STABLE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
#: What a worker has beyond the grace for requests, to commit and close.
_CLOSING = timedelta(seconds=10)
_TICK_S = 0.1


class WorkerError(CatalogError):
    """A worker did not start, or did not stop in time."""


class Parent:
    """Runs ``options.workers`` workers over ``listener``.

    Args:
        figures: the folder in which the workers keep their counts.
        say: told of each worker that ended unasked, in both languages.
    """

    def __init__(
        self, instance: Path, listener: socket.socket, options: Options, figures: Path, say: Callable[[str], None]
    ) -> None:
        self._instance = instance
        self._listener = listener
        self._options = options
        self._figures = figures
        self._say = say
        #: Each running worker with our end of the line to it, which must stay open while the worker shall live.
        self._running: dict[asyncio.subprocess.Process, socket.socket] = {}
        self._told: set[asyncio.subprocess.Process] = set()

    async def run(self, stop: Stop, on_ready: Callable[[], None]) -> None:
        """Serve until ``stop``; then wait until every worker has answered and recorded what it began.

        Raises:
            WorkerError: a worker did not start at all, or one had to be killed at the end.
        """
        stop.on_request = self._terminate
        starting = await asyncio.gather(*(self._start() for _ in range(self._options.workers)), return_exceptions=True)
        failed = [one for one in starting if isinstance(one, BaseException)]
        if not stop.requested and not failed:
            on_ready()
            slots = [asyncio.create_task(self._keep(one, stop)) for one in list(self._running)]
            while not stop.requested:  # noqa: ASYNC110 - set by a signal's handler, which cannot wake the loop
                await asyncio.sleep(_TICK_S)
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)
        self._listener.close()  # with the workers' copies gone too, new clients are refused at once
        await self._stop_all()
        if failed and not stop.requested:
            raise failed[0]

    async def _keep(self, process: asyncio.subprocess.Process, stop: Stop) -> None:
        """Replace the worker of one slot whenever it ends."""
        pause = _FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            code = await process.wait()
            self._forget(process)
            if stop.requested:
                return
            lived_s = loop.time() - since
            pause = _FIRST_PAUSE_S if lived_s >= _STABLE_S else min(pause * 2, _LONGEST_PAUSE_S)
            how_en, how_zh = _how(code)
            self._say(
                f"工作进程 {process.pid} 意外结束（{how_zh}），正在另起一个\n"
                f"worker {process.pid} ended unasked ({how_en}) and is being replaced"
            )
            process = await self._replacement(pause)

    async def _replacement(self, pause_s: float) -> asyncio.subprocess.Process:
        while True:
            await asyncio.sleep(pause_s)
            try:
                return await self._start()
            except WorkerError as error:
                self._say(f"{error.zh}\n{error.en}")
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _start(self) -> asyncio.subprocess.Process:
        """A new worker that answers requests. Raises :class:`WorkerError` where it ends before that."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        passed = self._listener.fileno(), theirs.fileno()
        command, environment = python(worker.__name__, *worker.arguments(self._instance, *passed, self._options))
        process = await asyncio.create_subprocess_exec(
            *command,
            pass_fds=passed,
            stdin=asyncio.subprocess.DEVNULL,
            env={**environment, FOLDER_VARIABLE: str(self._figures)},
            process_group=0,  # a Ctrl+C reaches the parent alone, which tells the workers
        )
        theirs.close()
        self._running[process] = ours
        try:
            said = await asyncio.get_running_loop().sock_recv(ours, len(READY))
        except OSError:  # the worker died with the line half-written
            said = b""
        if said == READY:
            return process
        how_en, how_zh = _how(await process.wait())
        self._forget(process)
        raise WorkerError(
            f"worker {process.pid} ended before it could answer ({how_en}); the reason stands above",
            f"工作进程 {process.pid} 未能启动（{how_zh}）；原因见上",
        )

    def _forget(self, process: asyncio.subprocess.Process) -> None:
        self._running.pop(process).close()
        mark_process_dead(process.pid, path=str(self._figures))  # type: ignore[no-untyped-call]

    def _terminate(self) -> None:
        """Ask every worker to stop, once: a second signal would end it at once."""
        for process in list(self._running):
            if process not in self._told:
                self._told.add(process)
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)

    async def _stop_all(self) -> None:
        """Tell every worker to stop, wait for it, kill one that does not."""
        self._terminate()  # those that were started meanwhile
        waits = {asyncio.create_task(process.wait()): process for process in self._running}
        patience = self._options.grace + _CLOSING
        late = [waits[task] for task in (await _wait(waits, patience.total_seconds()))]
        for process in late:
            process.kill()
            await process.wait()
        for process in list(self._running):
            self._forget(process)
        if late:
            raise WorkerError(
                f"{len(late)} workers did not stop within {patience.total_seconds():.0f} s and were killed; what they "
                "acknowledged is recorded",
                f"{len(late)} 个工作进程未在 {patience.total_seconds():.0f} 秒内停止，已强制结束；已应答的均已记录",
            )


async def _wait(tasks: Iterable[asyncio.Task[int]], timeout_s: float) -> set[asyncio.Task[int]]:
    """Those that are not done in time."""
    waiting = set(tasks)
    if not waiting:
        return waiting
    _, late = await asyncio.wait(waiting, timeout=timeout_s)
    return late


def _how(code: int) -> tuple[str, str]:
    """How a process ended, in both languages."""
    if code < 0:
        return f"signal {-code}", f"信号 {-code}"
    return f"exit code {code}", f"退出码 {code}"
