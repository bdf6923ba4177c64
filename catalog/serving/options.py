"""How an instance is served; the same for every process of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: The instance's folder for what only a running service needs; no backup needs it.
RUN_FOLDER = "run"


@dataclass(frozen=True, slots=True)
class Options:
    """What ``liandong serve`` is told beside address and port.

    Attributes:
        workers: how many processes answer requests; with one there is no parent.
        access_log: a file, ``-`` for standard output, None for no log.
        verify_every: how often what is new in the ledger is verified; None for never.
        grace: how long requests under way may take at a stop, before they are given up.
    """

    workers: int = 1
    access_log: str | None = None
    verify_every: timedelta | None = timedelta(minutes=10)
    grace: timedelta = timedelta(seconds=10)
