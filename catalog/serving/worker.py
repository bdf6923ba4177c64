"""One of several workers: ``python -m catalog.serving.worker``, started by the parent alone."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import sys
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

from catalog.serving.answering import Answering, Stop
from catalog.serving.channel import WorkerEnd
from catalog.serving.options import Options
from catalog.serving.stopping import graceful
from ledger import BilingualError, Instance


def arguments(instance: Path, listener: int, line: int, options: Options) -> list[str]:
    """What the parent passes on: no secret, since everybody may read it. Read by :func:`main`."""
    return [str(instance), str(listener), str(line), json.dumps(asdict(options), default=timedelta.total_seconds)]


def main(argv: list[str]) -> int:
    """Answer until told to stop; 0 when everything was answered and recorded."""
    path, listener, line, given = argv
    options = Options(**json.loads(given))
    options = replace(options, grace=timedelta(seconds=float(options.grace)), verify_every=None)  # type: ignore[arg-type]
    stop = Stop()
    with graceful(stop.request):
        end = WorkerEnd(int(line), stop)
        try:
            answering = Answering(Instance.open(Path(path)), options)
            try:
                asyncio.run(answering.run(socket.socket(fileno=int(listener)), stop, end.ready))
            finally:
                answering.close()
        except BilingualError as error:
            print(f"错误：{error.zh}\nError: {error.en}", file=sys.stderr, flush=True)  # noqa: T201
            return error.exit_code
        except sqlite3.Error as error:
            print(f"错误：实例无法读写（{error}）\nError: the instance cannot be used ({error})", file=sys.stderr)  # noqa: T201
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
