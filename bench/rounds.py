"""Interleaved rounds: what is compared takes turns, so that a noisy minute hits both sides."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One measurement: operations per second, and each operation's latency in milliseconds where it was taken."""

    per_second: float
    latencies_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Result:
    """Medians over rounds."""

    per_second: float
    p50_ms: float
    p99_ms: float


def interleave(sides: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, Result]:
    """Run every side once per round, in turn; return each side's medians."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            samples[name].append(run())
    return {name: _median(taken) for name, taken in samples.items()}


def _median(taken: list[Sample]) -> Result:
    latencies = sorted(latency for sample in taken for latency in sample.latencies_ms)
    return Result(
        statistics.median(sample.per_second for sample in taken),
        _quantile(latencies, 0.50),
        _quantile(latencies, 0.99),
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, ready for docs/benchmarks.md."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)
