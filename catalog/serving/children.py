"""Processes of this very program: started anew (exec), never forked.

A fork would copy open SQLite connections, locks and the ledger's threads into a process where those threads are gone;
SQLite forbids it, and an OpenTelemetry agent would lose its exporter. A new process costs half a second, once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import catalog


def python(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run ``module`` of the program that runs here, whatever the current folder holds."""
    home = str(Path(catalog.__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH")
    path = f"{home}{os.pathsep}{inherited}" if inherited else home
    # -P: the current folder is not searched, so a folder named like one of our packages there is not run.
    return [sys.executable, "-P", "-m", module, *arguments], {**os.environ, "PYTHONPATH": path}
