"""Figures for Prometheus, over all workers, with the ``prometheus_client`` package.

Its multi-process mode fits: counters and histograms of every worker lie in files of their own, any worker sums them
up, a dead worker's counts stay, and the text format and its escaping are somebody else's well-tried work. It is chosen
when the package is imported, by the environment variable that the parent sets for its workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from catalog.serving.watch import Seen
from ledger.log.sequencer import Committed

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Where the workers of one parent keep their figures; set by the parent alone.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ENTRIES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """What one process counts. A :class:`catalog.serving.watch.Watch`."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "liandong_http_requests",
            "Answered requests by route name and class of status.",
            ["route", "status"],
            registry=registry,
        )
        self._latency = Histogram(
            "liandong_http_request_duration_seconds",
            "From a request's arrival to its answer handed to the network; the ledger's entry is in between.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._append_latency = Histogram(
            "liandong_append_duration_seconds",
            "From an entry's queueing to its being durable.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._waiting = Gauge(
            "liandong_append_waiting",
            "Requests that wait for their entry to be durable.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._commit_latency = Histogram(
            "liandong_commit_duration_seconds",
            "One durable transaction of the ledger, with the wait for the write lock.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._commit_entries = Histogram(
            "liandong_commit_entries", "Entries in one transaction.", buckets=_ENTRIES, registry=registry
        )
        self._refused = Counter(
            "liandong_auth_failures", "Refused credentials by their kind.", ["auth"], registry=registry
        )
        Counter("liandong_process_starts", "Serving processes started.", registry=registry).inc()
        self._of_route: dict[tuple[str, int], Callable[[float], None]] = {}

    def seen(self, seen: Seen) -> None:
        key = seen.route, seen.status // 100
        count = self._of_route.get(key)
        if count is None:
            count = self._of_route[key] = self._counting(*key)
        count(seen.elapsed_us / 1e6)

    def refused_credentials(self, kind: str) -> None:
        self._refused.labels(kind).inc()

    def appending(self, count: int) -> None:
        self._waiting.inc(count)

    def appended(self, elapsed_s: float) -> None:
        self._append_latency.observe(elapsed_s)

    def committed(self, done: Committed) -> None:
        """For :class:`ledger.Ledger`: a transaction became durable."""
        self._commit_latency.observe(done.elapsed_s)
        self._commit_entries.observe(done.entries)

    def exposition(self, state: Iterable[Metric]) -> bytes:
        """All figures in Prometheus' text format: of every process, and ``state`` as it is now."""
        folder = os.environ.get(FOLDER_VARIABLE)
        registry = self._registry
        if folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        now = CollectorRegistry()
        now.register(_Once(list(state)))
        return generate_latest(registry) + generate_latest(now)

    def _counting(self, route: str, status_class: int) -> Callable[[float], None]:
        requests, latency = self._requests.labels(route, f"{status_class}xx"), self._latency.labels(route)

        def count(elapsed_s: float) -> None:
            requests.inc()
            latency.observe(elapsed_s)

        return count


class _Once(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def gauge(name: str, meaning: str, value: float) -> Metric:
    """One figure of the state as it is now."""
    return GaugeMetricFamily(name, meaning, value=value)


def seconds_since_epoch(at: str) -> float:
    """An ISO 8601 instant as Prometheus wants it."""
    return datetime.fromisoformat(at).timestamp()


def clear_folder(folder: Path) -> None:
    """Forget the figures of earlier runs: counters begin at zero with the service."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
