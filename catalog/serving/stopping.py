"""What SIGINT and SIGTERM do: the first asks for a graceful stop, the second ends the process at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def graceful(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, the first signal calls ``stop`` and the second ends the process as the kernel does by default.

    So a second one works even where the loop hangs; what was acknowledged is durable, and a half-written transaction
    of SQLite never was. Only the main thread may use this.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def first(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        stop()

    for number in SIGNALS:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
