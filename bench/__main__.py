"""``python -m bench [query] [log] [peers] [rules] [desk] [soak] [--quick]``: print ratios as Markdown."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import catalog_data, desk, log, peers, query, rules, soak

NAMES = ("query", "log", "peers", "rules", "desk")
#: Only when asked for: it takes its time.
LONG = ("soak",)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice((*NAMES, *LONG)))
@click.option("--quick", is_flag=True, help="Few rounds, to see that it runs; not for publishing.")
@click.option("--entries", default=0, help="Length of the log that is verified. [default: 1000000]")
@click.option("--rows", default=0, help="Rows of the table that is asked. [default: 1000000]")
@click.option("--seconds", default=0, help="Length of the soak. [default: 600]")
@click.option("--workers", default=1, show_default=True, help="Workers in the soak.")
def main(names: tuple[str, ...], quick: bool, entries: int, rows: int, seconds: int, workers: int) -> None:
    """Run benchmarks. Figures depend on the machine: only the ratios within one run say something."""
    rounds, each_s, appends, length = (2, 2, 300, 60_000) if quick else (5, 6, 2_000, 1_000_000)
    rows = rows or (60_000 if quick else catalog_data.ROWS)
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
            print(f"### {name}\n", flush=True)
            if name == "query":
                parts: Iterable[str] = query.run(folder, rounds, each_s, rows)
            elif name == "soak":
                parts = [soak.run(folder, seconds or (30 if quick else 600), workers, rows)]
            elif name == "log":
                parts = [log.run(folder, rounds, appends, entries or length)]
            elif name == "rules":
                parts = [rules.run(folder, rounds, 50_000 if quick else 1_000_000)]
            elif name == "desk":
                parts = [desk.run(folder, rounds, 2_000 if quick else 100_000)]
            else:
                parts = [peers.run(folder, rounds, appends)]
            for part in parts:
                print(f"{part}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
