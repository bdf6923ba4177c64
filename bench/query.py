"""Recorded against unrecorded: the same rows from our service and from bare Datasette, same data, in one run.

A table of a million invented rows; 20 of them, filtered, as JSON; by token and by signature; at 1, 8 and 32
connections; ``wrk`` presses. Sides take turns, so that a noisy minute hits all of them.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench import catalog_data, wrk
from bench.rounds import quantile, table
from bench.servers import BEST_SETTINGS, Side, bare, ours, settings_of
from bench.signing import signed
from bench.wrk import Ask, Load
from catalog.routes import match
from ledger import Instance

CONNECTIONS = (1, 8, 32)
RESOURCE = f"{catalog_data.DATABASE}/{catalog_data.TABLE}"
PAGE = Ask("GET", f"/{RESOURCE}.json?_size=20&town__exact={quote(catalog_data.TOWN)}")
#: More signed requests than will be sent: the fastest side at twice the rate that was seen.
_SPARE = 2.0


@dataclass(frozen=True)
class Report:
    """What is measured: ``rounds`` of ``seconds`` for each side, after one that is thrown away."""

    folder: Path
    rounds: int
    seconds: int


def run(folder: Path, rounds: int, seconds: int, rows: int = catalog_data.ROWS) -> Iterator[str]:
    """Measure and give a Markdown report, part by part: it takes a quarter of an hour."""
    wrk.find()
    instance = catalog_data.build(folder / "instance", rows)
    how = Report(folder, rounds, seconds)
    yield _disk(folder)
    for measure in (_pages, _api, _workers):
        yield measure(how, instance)


# -- GET, recorded, against the same URL on bare Datasette with the same settings --------------------------------------


def _pages(how: Report, instance: Instance) -> str:
    rows = []
    with ExitStack() as stack:
        plain = stack.enter_context(bare(instance, how.folder / "bare", settings_of(instance)))
        recorded = stack.enter_context(ours(instance))
        for connections in CONNECTIONS:
            sides = {
                "bare": _repeating(how, plain, PAGE, connections),
                "token": _repeating(how, recorded, _by_token(recorded, PAGE), connections),
                "signature": _signing(how, instance, recorded, PAGE, connections),
            }
            taken = _rounds(sides, how.rounds)
            rows += [_row(connections, name, taken, "bare") for name in ("token", "signature")]
    title = f"GET of 20 filtered rows as JSON, recorded, against bare Datasette with the same settings ({RESOURCE})"
    return f"{title}\n\n{table(_HEADER, rows)}"


# -- POST /api/query, recorded, against bare Datasette with its default and with its best settings ---------------------


def api_ask() -> Ask:
    """The same 20 rows by ``POST /api/query``: the place to change when its request changes."""
    body = {"filters": [{"column": "town", "op": "=", "value": catalog_data.TOWN}], "limit": 20}
    headers = (("Content-Type", "application/json"),)
    return Ask("POST", f"/api/query/{RESOURCE}", headers, json.dumps(body, ensure_ascii=False))


def _api(how: Report, instance: Instance) -> str:
    ask = api_ask()
    if match(ask.method, ask.path) is None:
        return "POST /api/query: this version does not serve it."
    rows = []
    with ExitStack() as stack:
        default = stack.enter_context(bare(instance, how.folder / "bare", {}))
        best = stack.enter_context(bare(instance, how.folder / "bare", BEST_SETTINGS))
        recorded = stack.enter_context(ours(instance))
        for connections in CONNECTIONS:
            sides = {
                "default": _repeating(how, default, PAGE, connections),
                "best": _repeating(how, best, PAGE, connections),
                "token": _repeating(how, recorded, _by_token(recorded, ask), connections),
                "signature": _signing(how, instance, recorded, ask, connections),
            }
            taken = _rounds(sides, how.rounds)
            for against in ("default", "best"):
                rows += [
                    _row(connections, f"{name}, {against}", taken, against, name) for name in ("token", "signature")
                ]
    title = (
        "POST /api/query for the same 20 rows, recorded, against bare Datasette with its default and its best settings"
    )
    return f"{title}\n\n{table(_HEADER, rows)}"


# -- two workers against one -------------------------------------------------------------------------------------------


def _workers(how: Report, instance: Instance) -> str:
    rows = []
    ask = api_ask() if match("POST", api_ask().path) else PAGE
    for connections in CONNECTIONS[1:]:
        taken: dict[str, list[Load]] = {"1 worker": [], "2 workers": []}
        for _ in range(how.rounds):  # a start for each: both never run at once
            for count, loads in zip((1, 2), taken.values(), strict=True):
                with ours(instance, count) as side:
                    press = _repeating(how, side, _by_token(side, ask), connections)
                    press()
                    loads.append(press())
        one, two = (_median(loads) for loads in taken.values())
        rows.append(
            (
                str(connections),
                f"{one.per_second:.0f}",
                f"{two.per_second:.0f}",
                f"{_ratio(taken['2 workers'], taken['1 worker']):.2f}",
                f"{one.p99_ms:.1f} → {two.p99_ms:.1f}",
                f"{one.tool_cpu:.2f} → {two.tool_cpu:.2f}",
            )
        )
    header = ("connections", "1 worker r/s", "2 workers r/s", "ratio", "p99 ms", "wrk CPU s/s")
    return f"Two workers against one on {os.cpu_count()} cores, {ask.method}, token\n\n{table(header, rows)}"


# -- measuring ---------------------------------------------------------------------------------------------------------

_HEADER = (
    "connections",
    "auth",
    "bare r/s",
    "recorded r/s",
    "ratio",
    "p50 ms",
    "p50 added ms",
    "p99 ms",
    "p99 ratio",
    "wrk CPU s/s",
)


def _by_token(side: Side, ask: Ask) -> Ask:
    return Ask(ask.method, ask.path, (*ask.headers, ("Authorization", f"Bearer {side.token}")), ask.body)


def _repeating(how: Report, side: Side, ask: Ask, connections: int) -> Callable[[], Load]:
    return lambda: wrk.press(side.url, [ask], connections, how.seconds, how.folder)


def _signing(how: Report, instance: Instance, side: Side, ask: Ask, connections: int) -> Callable[[], Load]:
    """Presses with a fresh list of signed requests each time; how many is learnt from the rate so far."""
    seen = [wrk.press(side.url, [_by_token(side, ask)], connections, 1, how.folder).per_second]

    def press() -> Load:
        asks = signed(instance, side.url, ask, round(max(seen) * how.seconds * _SPARE) + 100)
        load = wrk.press(side.url, asks, connections, how.seconds, how.folder)
        seen.append(load.per_second)
        return load

    return press


def _rounds(sides: Mapping[str, Callable[[], Load]], rounds: int) -> dict[str, list[Load]]:
    taken: dict[str, list[Load]] = {name: [] for name in sides}
    for n in range(rounds + 1):
        for name, press in sides.items():
            load = press()
            if n:  # the first one warms the caches
                taken[name].append(load)
    return taken


def _median(loads: Sequence[Load]) -> Load:
    def of(value: Callable[[Load], float]) -> float:
        return statistics.median(value(load) for load in loads)

    return Load(
        of(lambda one: one.per_second),
        of(lambda one: one.p50_ms),
        of(lambda one: one.p99_ms),
        of(lambda one: one.tool_cpu),
        sum(load.requests for load in loads),
    )


def _ratio(ours_: Sequence[Load], theirs: Sequence[Load], value: Callable[[Load], float] | None = None) -> float:
    """The median of the rounds' own ratios."""
    of = value or (lambda load: load.per_second)
    return statistics.median(of(one) / of(other) for one, other in zip(ours_, theirs, strict=True))


def _row(
    connections: int, label: str, taken: Mapping[str, Sequence[Load]], against: str, name: str = ""
) -> tuple[str, ...]:
    mine, theirs = taken[name or label], taken[against]
    ours_, bare_ = _median(mine), _median(theirs)
    added = statistics.median(one.p50_ms - other.p50_ms for one, other in zip(mine, theirs, strict=True))
    return (
        str(connections),
        label,
        f"{bare_.per_second:.0f}",
        f"{ours_.per_second:.0f}",
        f"{_ratio(mine, theirs):.2f}",
        f"{bare_.p50_ms:.2f} → {ours_.p50_ms:.2f}",
        f"{added:+.2f}",
        f"{bare_.p99_ms:.1f} → {ours_.p99_ms:.1f}",
        f"{_ratio(mine, theirs, lambda load: load.p99_ms):.2f}",
        f"{ours_.tool_cpu:.2f}",
    )


def _disk(folder: Path) -> str:
    """What the disk takes for what a commit needs: 4 KiB overwritten and made durable."""
    path, taken = folder / "disk", []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, bytes(4096 * 256))
        os.fsync(descriptor)
        for n in range(1_000):
            os.pwrite(descriptor, os.urandom(4096), 4096 * (n % 256))
            started = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append((time.perf_counter() - started) * 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    taken.sort()
    return f"fdatasync of 4 KiB: median {quantile(taken, 0.5):.3f} ms, p99 {quantile(taken, 0.99):.2f} ms"
