"""What tests of ingest share: an empty set of databases, a recorder that keeps batches, and a loader over both."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from ingest.batches import Batch, Recorder
from ingest.load import Loader
from ingest.mapping import SourceMapping, packaged_mappings, parse_mapping
from ingest.quality import Report
from ingest.readers import open_source
from ingest.schema import create_databases
from ingest.tables import tables_of

SECRET = bytes(range(32))
STARTED = datetime(2026, 11, 23, 2, 3, 4, 123000, tzinfo=UTC)

LISTING = """
name: listing
title: {zh: 清单, en: Listing}
target: {database: work, table: listing}
mode: MODE
key: [code]
columns:
  - {source: 编号, field: code, type: text, required: true, title: {zh: 编号, en: Code}}
  - {source: 名称, field: name, type: text, required: true, title: {zh: 名称, en: Name}}
  - {source: 数量, field: amount, type: integer, title: {zh: 数量, en: Amount}}
  - {source: 单价, field: price, type: decimal, title: {zh: 单价, en: Price}}
"""


def listing(mode: str = "snapshot", name: str = "listing") -> SourceMapping:
    """A small mapping into ``work.listing``."""
    text = LISTING.replace("MODE", mode).replace("name: listing", f"name: {name}", 1)
    return parse_mapping(text.encode(), f"{name}.yml")


class KeepingRecorder:
    """A recorder that numbers batches from 0 and, as the ledger does, gives a batch its number only once."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def __call__(self, batch: Batch) -> int:
        for seq, known in enumerate(self.batches):
            if known.batch == batch.batch:
                return seq
        self.batches.append(batch)
        return len(self.batches) - 1


class World:
    """Six databases in a folder, and loads into them with a clock that ticks and numbered randomness."""

    def __init__(self, folder: Path, mappings: Iterable[SourceMapping] | None = None) -> None:
        self.folder = folder
        self.mappings = {mapping.name: mapping for mapping in mappings or packaged_mappings().values()}
        self.recorder = KeepingRecorder()
        self._ticks = count()
        create_databases(self.database, self.mappings.values())

    def database(self, name: str) -> Path:
        """The file of one of the six databases."""
        return self.folder / f"{name}.db"

    def loader(self, mapping: str, record: Recorder | None = None) -> Loader:
        """A loader for one mapping."""
        chosen = self.mappings[mapping]
        table = tables_of(self.mappings.values())[chosen.database, chosen.table]
        return Loader(
            self.database(chosen.database), table, chosen, SECRET, record or self.recorder, self.now, self.random
        )

    def load(self, path: Path, mapping: str, **options: Any) -> Report:
        """Load one file."""
        with open_source(path) as source:
            return self.loader(mapping, options.pop("record", None)).load(source, **options)

    def now(self) -> datetime:
        """A clock that ticks a millisecond a call."""
        return STARTED + timedelta(milliseconds=next(self._ticks))

    def random(self, size: int) -> bytes:
        """Numbered bytes."""
        return next(self._ticks).to_bytes(size, "big")

    def rows(self, database: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Read rows on a connection of its own: what another process would see."""
        with closing(sqlite3.connect(self.database(database))) as connection:
            return connection.execute(sql, parameters).fetchall()

    def dump(self, database: str) -> list[str]:
        """Everything in a database, as SQL."""
        with closing(sqlite3.connect(self.database(database))) as connection:
            return list(connection.iterdump())


def csv_file(folder: Path, *lines: str, name: str = "listing.csv") -> Path:
    """Write a CSV file whose header is that of :data:`LISTING`."""
    path = folder / name
    path.write_text("\n".join(["编号,名称,数量,单价", *lines]) + "\n", encoding="utf-8")
    return path


def error_of(exception: type[Exception], act: Callable[[], object]) -> Any:
    """Run ``act``, which must raise ``exception``; return it after checking that it speaks both languages."""
    try:
        act()
    except exception as error:
        en, zh = error.en, error.zh  # type: ignore[attr-defined]
        assert en != zh and en.isprintable() and zh.isprintable(), (en, zh)
        assert any("\u4e00" <= char <= "\u9fff" for char in zh), zh
        return error
    raise AssertionError(f"{exception.__name__} was not raised")
