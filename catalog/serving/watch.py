"""What is seen of each request, for metrics and access log: route names, never addresses; agencies, never officers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seen:
    """One answered request.

    Attributes:
        method: the request's, or ``OTHER`` for one that no route has.
        route: the route's name (:mod:`catalog.routes`), or ``none`` where there is no such address.
        elapsed_us: from the request's arrival here to its answer handed to the network, microseconds.
        size_bytes: the body that was sent.
        agency, auth: who asked and by what (signature, token, session); empty for anonymous.
        entry: the answer's entry in the ledger, None where there is none.
        trace: the trace's id in hex, where the caller sent one; empty otherwise.
    """

    method: str
    route: str
    status: int
    elapsed_us: int
    size_bytes: int
    agency: str = ""
    auth: str = ""
    entry: int | None = None
    trace: str = ""


class Watch(Protocol):
    """Told of each request by the gate."""

    def seen(self, seen: Seen) -> None:
        """A request was answered."""

    def refused_credentials(self, kind: str) -> None:
        """Credentials of this kind (signature, token, session, password) were refused."""

    def appending(self, count: int) -> None:
        """So many more (or, negative, fewer) requests wait for their entry."""

    def appended(self, elapsed_s: float) -> None:
        """An entry became durable so long after it was queued."""


class Log(Protocol):
    """Told of each answered request."""

    def seen(self, seen: Seen) -> None: ...


class Nobody:
    """Watches nothing: a service in a test or a tool."""

    def seen(self, seen: Seen) -> None: ...

    def refused_credentials(self, kind: str) -> None: ...

    def appending(self, count: int) -> None: ...

    def appended(self, elapsed_s: float) -> None: ...


class Both:
    """The watch of a served process: counts, and writes a line where a log is wanted."""

    def __init__(self, metrics: Watch, log: Log | None) -> None:
        self._metrics = metrics
        self._log = log
        self.refused_credentials = metrics.refused_credentials
        self.appending = metrics.appending
        self.appended = metrics.appended

    def seen(self, seen: Seen) -> None:
        self._metrics.seen(seen)
        if self._log is not None:
            self._log.seen(seen)
