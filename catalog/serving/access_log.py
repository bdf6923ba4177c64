"""The access log: a JSON object a line, with nothing in it that names a person or says what was asked."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from catalog.errors import UsageError
from catalog.serving.watch import Seen

#: How often to look whether the file was moved away, so that it can be rotated by renaming.
_LOOK_S = 1.0


class AccessLog:
    """Appends to one file, which several processes may share: each line is one write, at the file's end.

    Args:
        target: the file, or ``-`` for standard output.
        now: the wall clock, timezone-aware.

    Raises:
        UsageError: the file cannot be opened.
    """

    def __init__(self, target: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = None if target == "-" else Path(target)
        self._now = now
        self._worker = os.getpid()
        self._failing = False
        self._looked = time.monotonic()
        try:
            self._file = self._open()
        except OSError as error:
            raise UsageError(
                f"the access log {target} cannot be written ({error.strerror}); name a file that you may write",
                f"访问日志 {target} 无法写入（{error.strerror}）；请指定有写权限的文件",
            ) from error

    def close(self) -> None:
        os.close(self._file)

    def seen(self, seen: Seen) -> None:
        """Write a line. A full disk loses lines, not answers; that is said once on standard error."""
        line: dict[str, Any] = {
            "time": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": seen.method,
            "route": seen.route,
            "status": seen.status,
            "elapsed_us": seen.elapsed_us,
            "size_bytes": seen.size_bytes,
        }
        given = {"agency": seen.agency, "auth": seen.auth, "trace": seen.trace}
        line |= {name: value for name, value in given.items() if value}
        if seen.entry is not None:
            line["entry"] = seen.entry
        line["worker"] = self._worker
        try:
            self._follow()
            os.write(self._file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._failing = True
                text = f"访问日志无法写入 the access log cannot be written: {error.strerror}"
                print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _open(self) -> int:
        if self._path is None:
            return os.dup(sys.stdout.fileno())
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _follow(self) -> None:
        """Open the file anew where another one has its name."""
        if self._path is None or time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        here = os.fstat(self._file)
        if there is None or (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
            fresh = self._open()
            os.close(self._file)
            self._file = fresh
