"""The sides of a comparison, each a process of its own on loopback: our service, and bare ``datasette serve``."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ledger import CATEGORIES, Instance

#: What makes bare Datasette fastest here, found by trying: queries in the event loop, nothing suggested.
BEST_SETTINGS = {"num_sql_threads": 0, "suggest_facets": False, "default_allow_sql": False}


@dataclass(frozen=True)
class Side:
    """One server under load."""

    url: str
    process: subprocess.Popen[bytes]
    token: str = ""

    def cpu_s(self) -> float:
        """Processor time of it and its workers so far, seconds."""
        return sum(_cpu_s(pid) for pid in self.processes())

    def processes(self) -> list[int]:
        """It and its workers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [pid, *map(int, children.split())]


@contextmanager
def ours(instance: Instance, workers: int = 1, *arguments: str) -> Iterator[Side]:
    """``liandong serve``, as it is served in earnest; continuous verification stays out of the measurement."""
    port = free_port()
    moved = instance.move_to(f"http://127.0.0.1:{port}")
    options = ("--workers", str(workers), "--verify-minutes", "0", *arguments)
    command = [sys.executable, "-m", "catalog", "serve", "-i", str(instance.path), "--port", str(port), *options]
    credentials = json.loads((instance.path / "demo/credentials.json").read_text(encoding="utf-8"))
    with _process(command, {}, "serving") as process:
        yield Side(moved.settings.public_url, process, credentials["token"])


def settings_of(instance: Instance) -> dict[str, Any]:
    """The settings that ours has."""
    found: dict[str, Any] = yaml.safe_load((instance.path / "datasette.yml").read_text(encoding="utf-8"))["settings"]
    return found


@contextmanager
def bare(instance: Instance, folder: Path, settings: Mapping[str, Any]) -> Iterator[Side]:
    """``datasette serve`` over copies of the six databases, without our plugin.

    Args:
        folder: for the copies; made at the first use.
    """
    if not folder.exists():
        folder.mkdir()
        for category in CATEGORIES:
            shutil.copyfile(instance.database_path(category), folder / f"{category}.db")
    port = free_port()
    options = [part for name, value in settings.items() for part in ("--setting", name, str(value).lower())]
    files = [str(folder / f"{category}.db") for category in CATEGORIES]
    command = [sys.executable, "-m", "datasette", "serve", *files, "-p", str(port), *options]
    with _process(command, {"DATASETTE_LOAD_PLUGINS": ""}, "Uvicorn running") as process:
        yield Side(f"http://127.0.0.1:{port}", process)


@contextmanager
def _process(command: list[str], environment: dict[str, str], ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """Started, and waited for until it prints ``ready``."""
    with tempfile.TemporaryFile() as output:
        settings = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=settings)
        try:
            while ready.encode() not in os.pread(output.fileno(), 100_000, 0):
                assert process.poll() is None, os.pread(output.fileno(), 100_000, 0).decode()
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
