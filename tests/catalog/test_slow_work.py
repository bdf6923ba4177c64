from __future__ import annotations

import asyncio
import threading

import pytest

from catalog.errors import RequestError
from catalog.slow_work import SlowWork


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_work_runs_in_its_own_threads_and_the_loop_goes_on() -> None:
    work, go = SlowWork(threads=1, waiting=1), threading.Event()
    waiting = asyncio.create_task(work.run(lambda: (go.wait(), threading.current_thread().name)[1]))
    await asyncio.sleep(0)
    go.set()
    assert (await waiting).startswith("liandong-slow")
    assert await work.run(int, "7", base=8) == 7
    work.close()


@pytest.mark.anyio
async def test_no_more_run_at_once_than_there_are_threads_and_who_finds_the_queue_full_is_asked_to_come_again() -> None:
    work, go, running, most = SlowWork(threads=2, waiting=2), threading.Event(), [0], [0]
    lock = threading.Lock()

    def slow() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        go.wait()
        with lock:
            running[0] -= 1

    tasks = [asyncio.create_task(work.run(slow)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(RequestError, match="try again") as caught:
        await work.run(slow)
    assert caught.value.status == 503
    go.set()
    await asyncio.gather(*tasks)
    assert most[0] <= 2
    await work.run(int)
    work.close()


@pytest.mark.anyio
async def test_work_that_fails_makes_room_again() -> None:
    work = SlowWork(threads=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="invalid literal"):
            await work.run(int, "x")
    work.close()
