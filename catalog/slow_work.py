"""Work that is slow on purpose, off the event loop and a little at a time: a password costs 0.1 s and 32 MiB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from catalog.errors import RequestError

P = ParamSpec("P")
R = TypeVar("R")


class SlowWork:
    """A few threads, and a short queue before them: who comes when it is full is asked to come again.

    Args:
        threads: how many run at once.
        waiting: how many more may wait.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="liandong-slow")
        self._room = threads + waiting

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(*args, **kwargs)`` in one of the threads.

        Raises:
            RequestError: 503, too many are waiting already.
        """
        if self._room == 0:
            raise RequestError(
                503,
                "too many people are signing in at this moment; wait a few seconds and try again",
                "此刻登录的人过多；请稍候几秒再试",
            )
        self._room -= 1  # only the event loop's thread comes here
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))
        finally:
            self._room += 1

    def close(self) -> None:
        """Let what is running finish."""
        self._executor.shutdown(wait=True)
