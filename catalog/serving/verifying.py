"""Continuous verification: what is new every few minutes, everything once a day, in a process of its own.

It runs the very command that anybody may run (``liandong ledger verify``), at low priority, so that it takes neither
the interpreter's lock nor a request's time. What it found stands in the instance's ``run`` folder, where every worker's
``/readyz`` reads it. It finds what rots and what is changed carelessly; against whoever owns the machine only a
verification elsewhere helps, with the witnesses' keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from catalog.serving.children import python
from catalog.serving.options import RUN_FOLDER
from ledger import BilingualError, Instance, Ledger

#: After this long everything is read again, not only what is new.
WHOLE_AFTER = timedelta(hours=24)
_RESULT, _STATE = "verified.json", "verified.state.json"
_FAULT = "verify.failed"


@dataclass(frozen=True, slots=True)
class Verified:
    """What the last verification came to.

    Attributes:
        ok: False where something does not hold; the service is not ready then.
        at: when it ended, ISO 8601 in UTC.
        whole_at: when everything was verified last; empty for never.
        size: entries covered; 0 where it failed.
        en, zh: what does not hold, or what hindered the last attempt.
    """

    ok: bool
    at: str
    whole_at: str
    size: int
    en: str = ""
    zh: str = ""

    @classmethod
    def load(cls, instance: Instance) -> Verified | None:
        """The last result; None where there is none that can be read."""
        try:
            found = orjson.loads((instance.path / RUN_FOLDER / _RESULT).read_bytes())
            return cls(**found)
        except (OSError, orjson.JSONDecodeError, TypeError):
            return None  # never verified, or written by another version: the next one comes soon

    def save(self, instance: Instance) -> None:
        path = instance.path / RUN_FOLDER / _RESULT
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.write_bytes(orjson.dumps(asdict(self)))
        unfinished.replace(path)


class Verifier:
    """Verifies one instance's ledger again and again; a failure goes into the ledger too, once.

    Args:
        say: told of each new failure and hindrance, in both languages.
    """

    def __init__(
        self,
        instance: Instance,
        ledger: Ledger,
        every: timedelta,
        say: Callable[[str], None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._instance = instance
        self._ledger = ledger
        self._every = every
        self._say = say
        self._now = now
        self._state = instance.path / RUN_FOLDER / _STATE

    async def run(self, stop: asyncio.Event) -> None:
        """Verify until ``stop``; a verification under way is given up then."""
        while not stop.is_set():
            work = asyncio.create_task(self.step())
            halt = asyncio.create_task(stop.wait())
            await asyncio.wait((work, halt), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
            halt.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every.total_seconds())

    async def step(self) -> None:
        """Verify once and keep the result."""
        last = Verified.load(self._instance)
        whole = last is None or not last.ok or not self._state.exists() or self._is_old(last.whole_at)
        if whole:
            self._state.unlink(missing_ok=True)
        code, found = await self._verify()
        at = self._now().isoformat(timespec="seconds")
        whole_at = at if whole else (last.whole_at if last else "")
        if code == 0:
            Verified(True, at, whole_at, int(found["size"])).save(self._instance)
            return
        en, zh = str(found.get("en", "")), str(found.get("zh", ""))
        if last is None or (last.en, last.zh) != (en, zh):
            self._say(f"台账核验：{zh}\nLedger verification: {en}")
        if code != 1:  # it could not be done: that says nothing of the ledger
            if last is not None:
                Verified(last.ok, last.at, last.whole_at, last.size, en, zh).save(self._instance)
            return
        Verified(False, at, whole_at, 0, en, zh).save(self._instance)
        if last is None or last.ok:
            await asyncio.to_thread(self._raise_fault, en)

    def _is_old(self, at: str) -> bool:
        try:
            return self._now() - datetime.fromisoformat(at) > WHOLE_AFTER
        except ValueError:
            return True

    async def _verify(self) -> tuple[int, dict[str, Any]]:
        """Exit code and what the command says."""
        arguments = ("ledger", "verify", "-i", str(self._instance.path), "--state", str(self._state), "--json")
        command, environment = python("catalog", *arguments)
        nice = shutil.which("nice")
        process = await asyncio.create_subprocess_exec(
            *([nice, "-n", "10"] if nice else []),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            process_group=0,  # a Ctrl+C is the service's to handle
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        try:
            found = orjson.loads(output.splitlines()[-1])
        except (IndexError, orjson.JSONDecodeError):
            ended = f"exit code {process.returncode}"
            found = {
                "en": f"the verification ended without a verdict ({ended}); run `liandong ledger verify` to see why",
                "zh": f"核验未得出结论即结束（{ended}）；请运行 `liandong ledger verify` 查看原因",
            }
            return 2, found
        return process.returncode or 0, found

    def _raise_fault(self, en: str) -> None:
        try:
            self._ledger.append("fault.raised", {"what": _FAULT, "observed": en[:500]})
        except BilingualError as error:  # a ledger that is no longer what was signed takes no entry either
            self._say(f"故障未能记入台账：{error.zh}\nThe fault could not be recorded: {error.en}")


def make_run_folder(path: Path) -> Path:
    """The folder ``run`` of an instance, for the owner alone."""
    folder = path / RUN_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)  # noqa: PTH101 - whatever it was before
    return folder
