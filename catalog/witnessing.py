"""The background task that keeps a served ledger witnessed, where the instance has a ``witnesses.policy``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from ledger import BilingualError, Instance, Ledger
from ledger.witnessing import POLICY_FILE, Keeper, load_policy

#: How often to look whether something is due; looking costs two reads.
LOOK_SECONDS = 5.0


def keeper_of(instance: Instance, ledger: Ledger) -> Keeper | None:
    """The keeper of an instance that has a policy.

    Raises:
        BilingualError: the policy is malformed or does not name this ledger's key.
    """
    path = instance.path / POLICY_FILE
    return Keeper(ledger, load_policy(path, ledger.verifier_key)) if path.exists() else None


@contextlib.asynccontextmanager
async def kept_witnessed(
    keeper: Keeper | None, say: Callable[[str], None], look_seconds: float = LOOK_SECONDS
) -> AsyncIterator[None]:
    """While inside, ``keeper`` does what is due, in a thread of its own: no request ever waits for a witness.

    Args:
        say: told each new trouble, once, in both languages.
    """
    if keeper is None:
        yield
        return
    stop = asyncio.Event()
    task = asyncio.create_task(_keep(keeper, say, stop, look_seconds))
    task.add_done_callback(lambda ended: _say_why(ended, say))
    try:
        yield
    finally:
        stop.set()
        await task


async def _keep(keeper: Keeper, say: Callable[[str], None], stop: asyncio.Event, look_seconds: float) -> None:
    said = ""
    while not stop.is_set():
        trouble = ""
        try:
            outcomes = await asyncio.to_thread(keeper.step)
            trouble = "\n".join(f"{outcome.zh}\n{outcome.en}" for outcome in outcomes if outcome.en)
            if outcomes and not trouble:
                said = ""  # all is well again: the same trouble would be a new one
        except BilingualError as error:
            trouble = f"错误：{error.zh}\nError: {error.en}"
        if trouble and trouble != said:
            say(trouble)
            said = trouble
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), look_seconds)


def _say_why(ended: asyncio.Task[None], say: Callable[[str], None]) -> None:
    """A fault of the program is not to end witnessing unseen; it is raised, too, where serving ends."""
    error = None if ended.cancelled() else ended.exception()
    if error is not None:
        say(
            f"见证已停止：程序错误（{error!r}）；请重启服务并报告该错误\n"
            f"witnessing has stopped by a fault of the program ({error!r}); restart the service and report it"
        )
