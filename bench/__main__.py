"""``python -m bench [query] [log] [--quick]``: print ratios as Markdown."""

from __future__ import annotations

import platform
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import log, query


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(["query", "log"]))
@click.option("--quick", is_flag=True, help="Few rounds, to see that it runs; not for publishing.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Run benchmarks. Figures depend on the machine: only the ratios within one run say something."""
    rounds, requests, entries = (2, 80, 300) if quick else (7, 400, 3000)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit or 'unknown'}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {rounds} interleaved rounds, medians\n"
    )
    for name in names or ("query", "log"):
        with tempfile.TemporaryDirectory() as folder:
            report = (
                query.run(Path(folder), rounds, requests) if name == "query" else log.run(Path(folder), rounds, entries)
            )
        print(f"### {name}\n\n{report}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
