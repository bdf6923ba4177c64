"""Recorded against unrecorded: the same URL on our service and on bare Datasette, same data, same settings, one run.

Each side is a process of its own on loopback; the load comes from threads with one keep-alive connection each.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from bench.rounds import Result, Sample, interleave, table
from catalog.demo import build as demo_build
from ledger import Instance

PATH = "/directory/resources.json?_size=20&sharing_class__exact=%E6%9C%89%E6%9D%A1%E4%BB%B6%E5%85%B1%E4%BA%AB"
CONNECTIONS = (1, 8)


def run(folder: Path, rounds: int, requests: int) -> str:
    """Measure and return a Markdown report."""
    demo = folder / "demo"
    demo_build.create(demo, "http://127.0.0.1:1")
    with ExitStack() as stack:
        port, token = stack.enter_context(_ours(demo))
        bare = stack.enter_context(_bare(demo, folder / "bare"))
        rows = []
        for connections in CONNECTIONS:
            sides = {
                "unrecorded": lambda c=connections: _load(bare, {}, c, requests),
                "recorded": lambda c=connections: _load(port, {"authorization": f"Bearer {token}"}, c, requests),
            }
            results = interleave(sides, rounds)
            rows.append(_row(connections, results))
    header = ("connections", "bare Datasette r/s", "recorded r/s", "ratio", "p50 ms", "p99 ms", "p50 added ms")
    return table(header, rows)


def _row(connections: int, results: dict[str, Result]) -> tuple[str, ...]:
    bare, ours = results["unrecorded"], results["recorded"]
    return (
        str(connections),
        f"{bare.per_second:.0f}",
        f"{ours.per_second:.0f}",
        f"{ours.per_second / bare.per_second:.2f}",
        f"{bare.p50_ms:.1f} → {ours.p50_ms:.1f}",
        f"{bare.p99_ms:.1f} → {ours.p99_ms:.1f}",
        f"{ours.p50_ms - bare.p50_ms:.2f}",
    )


def _load(port: int, headers: dict[str, str], connections: int, requests: int) -> Sample:
    latencies: list[list[float]] = [[] for _ in range(connections)]

    def client(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(requests // connections):
            started = time.perf_counter()
            connection.request("GET", PATH, headers=headers)
            response = connection.getresponse()
            body = response.read()
            mine.append((time.perf_counter() - started) * 1000)
            assert response.status == 200, body[:200]
        connection.close()

    threads = [threading.Thread(target=client, args=(mine,)) for mine in latencies]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    taken = [latency for mine in latencies for latency in mine]
    return Sample(len(taken) / elapsed, tuple(taken))


@contextmanager
def _ours(demo: Path) -> Iterator[tuple[int, str]]:
    port = _free_port()
    instance = Instance.open(demo).move_to(f"http://127.0.0.1:{port}")
    command = [sys.executable, "-m", "catalog", "serve", "-i", str(demo), "--port", str(port)]
    with _process(command, port):
        credentials = json.loads((instance.path / "demo/credentials.json").read_text(encoding="utf-8"))
        yield port, credentials["token"]


@contextmanager
def _bare(demo: Path, folder: Path) -> Iterator[int]:
    """``datasette serve`` over a copy of the data, with the settings that ours has."""
    folder.mkdir()
    shutil.copyfile(demo / "directory.db", folder / "directory.db")
    settings = yaml.safe_load((demo / "datasette.yml").read_text(encoding="utf-8"))["settings"]
    port = _free_port()
    options = [part for name, value in settings.items() for part in ("--setting", name, str(value).lower())]
    command = [sys.executable, "-m", "datasette", "serve", str(folder / "directory.db"), "-p", str(port), *options]
    with _process(command, port):
        yield port


@contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        while True:
            assert process.poll() is None, f"{command[2]} ended with {process.returncode}"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
