"""The catalog under load: a demonstration whose table of permits holds as many invented rows as are wanted.

The rows vary what the demonstration's own rows hold; no real party is in them. They go in by SQL, not by ingest:
what is measured is asking, not loading.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import yaml

from catalog.demo import build as demo_build
from ledger import Instance

#: Shared unconditionally, so that nothing but the table's own permission stands between a token and its rows.
DATABASE, TABLE = "work", "permits"
ROWS = 1_000_000
#: What is asked: the first 20 permits of one town, of which every sixth row is.
TOWN = "甲镇"
_TOWNS = (TOWN, "乙镇", "丙街道", "丁镇", "戊镇", "示范经济开发区")
_CHUNK = 20_000


def build(folder: Path, rows: int = ROWS) -> Instance:
    """A demonstration in ``folder`` whose permits are ``rows``."""
    demo_build.create(folder, "http://127.0.0.1:1")
    instance = Instance.open(folder)
    _lift_quotas(instance)
    with closing(sqlite3.connect(instance.database_path(DATABASE), isolation_level=None)) as db:
        _multiply(db, rows)
    return instance


def _lift_quotas(instance: Instance) -> None:
    """No limits, which load would meet in seconds; requests and rows are counted all the same."""
    path = instance.path / "datasette.yml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    unlimited = {"requests_per_minute": None, "rows_per_day": None}
    config["plugins"] = {"liandong": {"quotas": {"systems": unlimited, "officers": unlimited}}}
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")


def _multiply(db: sqlite3.Connection, rows: int) -> None:
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({TABLE})")]
    samples = db.execute(f"SELECT * FROM {TABLE} ORDER BY id").fetchall()
    insert = f"INSERT INTO {TABLE} VALUES ({', '.join('?' * len(columns))})"
    chance = random.Random(20260105)
    at = {name: columns.index(name) for name in ("id", "document_no", "party_name", "credit_code", "town")}
    for begin in range(len(samples), rows, _CHUNK):
        made = []
        for n in range(begin, min(begin + _CHUNK, rows)):
            row = list(chance.choice(samples))
            row[at["id"]] = n + 1
            row[at["document_no"]] = f"示演许字〔2026〕{n + 1}号"
            row[at["party_name"]] = f"示例单位{n % 70_000:06d}"
            row[at["credit_code"]] = f"9199{n % 70_000:010d}MD"
            row[at["town"]] = chance.choice(_TOWNS)
            made.append(row)
        db.execute("BEGIN")
        db.executemany(insert, made)
        db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
