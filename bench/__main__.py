"""``python -m bench [query] [log] [peers] [--quick]``: print ratios as Markdown."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import log, peers, query

NAMES = ("query", "log", "peers")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--quick", is_flag=True, help="Few rounds, to see that it runs; not for publishing.")
@click.option("--entries", default=0, help="Length of the log that is verified. [default: 1000000]")
def main(names: tuple[str, ...], quick: bool, entries: int) -> None:
    """Run benchmarks. Figures depend on the machine: only the ratios within one run say something."""
    rounds, requests, appends, length = (2, 80, 300, 60_000) if quick else (5, 400, 2_000, 1_000_000)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit or 'unknown'}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, "
        f"{rounds} interleaved rounds, medians\n"
    )
    for name in names or NAMES:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            if name == "query":
                report = query.run(folder, rounds, requests)
            elif name == "log":
                report = log.run(folder, rounds, appends, entries or length)
            else:
                report = peers.run(folder, rounds, appends)
        print(f"### {name}\n\n{report}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
