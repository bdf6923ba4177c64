"""Interleaved rounds: what is compared takes turns, so that a noisy minute hits both sides."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One measurement: operations per second, and each operation's latency in milliseconds where it was taken."""

    per_second: float
    latencies_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Result:
    """Medians over rounds.

    ``ratio`` is the median of each round's own ratio to the first side: rates of different rounds are not comparable on
    a machine whose load changes. Latencies are the medians of each round's quantiles.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    ratio: float = 1.0


def interleave(sides: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, Result]:
    """Run every side once per round, in turn; return each side's medians, ratios to the first side."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            samples[name].append(run())
    first = next(iter(samples.values()))
    return {name: _median(taken, first) for name, taken in samples.items()}


def _median(taken: Sequence[Sample], first: Sequence[Sample]) -> Result:
    ordered = [sorted(sample.latencies_ms) for sample in taken]
    return Result(
        statistics.median(sample.per_second for sample in taken),
        statistics.median(quantile(latencies, 0.50) for latencies in ordered),
        statistics.median(quantile(latencies, 0.99) for latencies in ordered),
        statistics.median(ours.per_second / theirs.per_second for ours, theirs in zip(taken, first, strict=True)),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the ``ordered`` values lie; NaN where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, ready for docs/benchmarks.md."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)
