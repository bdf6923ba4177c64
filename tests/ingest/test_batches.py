"""Batches and the ledger: each is recorded exactly once, whatever dies in between."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ingest.batches import Batch, batch_id, ledger_recorder, reconcile
from ingest.errors import LoadError, RecordError
from ingest.schema import create_databases
from ledger.errors import LedgerUnavailableError
from ledger.instance import Instance, Settings
from tests.ingest.helpers import STARTED, World, csv_file, error_of, listing

STATUS = "SELECT batch, status, ledger_seq FROM _batches ORDER BY batch"

#: Loads one file into a ledger and dies with exit code 9 at the named moment.
CHILD = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path

from ingest.batches import ledger_recorder
from ingest.load import Loader
from ingest.readers import open_source
from ingest.tables import tables_of
from ledger.instance import Instance
from tests.ingest.helpers import listing

folder, file, moment = sys.argv[1:]
instance = Instance.open(Path(folder))
mapping = listing()
table = tables_of([mapping])["work", "listing"]
with instance.ledger() as ledger:
    append = ledger_recorder(ledger)

    def record(batch):
        if moment == "before the entry":
            os._exit(9)
        seq = append(batch)
        if moment == "after the entry":
            os._exit(9)
        return seq

    def now():
        return datetime.now(UTC)

    def progress(rows):
        if moment == "while reading":
            os._exit(9)

    loader = Loader(instance.database_path("work"), table, mapping, instance.row_secret(), record, now, os.urandom)
    with open_source(Path(file)) as source:
        loader.load(source, progress=progress)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with a real ledger and the table of the small mapping."""
    created = Instance.create(
        tmp_path / "instance",
        Settings("shifan.example/ledger", "示范县", "Shifan County", "http://127.0.0.1:8001", demo=True),
    )
    create_databases(created.database_path, [listing()])
    return created


def load_in_child(instance: Instance, file: Path, moment: str) -> int:
    """Load ``file`` in another process that dies at ``moment``; return its exit code."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CHILD, str(instance.path), str(file), moment]
    return subprocess.run(command, cwd=root, check=False).returncode


def statuses(instance: Instance) -> list[tuple[Any, ...]]:
    """Each batch's status and entry."""
    with closing(sqlite3.connect(instance.database_path("work"))) as connection:
        return [row[1:] for row in connection.execute(STATUS)]


def test_batch_ids_sort_by_time_and_are_identifiers_of_the_ledger() -> None:
    first = batch_id(STARTED, b"\xff" * 8)
    later = batch_id(STARTED + timedelta(milliseconds=1), b"\x00" * 4)
    assert first == "20261123t020304123z-ffffffff"
    assert first < later
    elsewhere = datetime(2026, 11, 23, 10, 3, 4, 123000, tzinfo=timezone(timedelta(hours=8)))
    assert batch_id(elsewhere, b"\xff" * 4) == first


def test_a_batch_is_one_entry_of_the_ledger(instance: Instance, tmp_path: Path) -> None:
    file = csv_file(tmp_path, "1,甲,1,1")
    assert load_in_child(instance, file, "never") == 0
    assert load_in_child(instance, file, "never") == 0
    assert statuses(instance) == [("recorded", 0), ("recorded", 1)]
    with instance.ledger() as ledger:
        entry = ledger.entry(1)
        opened = ledger.receipt(0, with_openings=True).openings
    assert (entry["kind"], entry["rows_added"], entry["rows_unchanged"]) == ("batch.ingested", 0, 1)
    assert "listing.csv" not in str(entry)
    assert opened["file_name"].value == "listing.csv"


@pytest.mark.parametrize(
    ("moment", "left"), [("before the entry", [("pending", None)]), ("after the entry", [("pending", None)])]
)
def test_a_crash_between_database_and_ledger_is_reconciled_once(
    instance: Instance, tmp_path: Path, moment: str, left: list[Any]
) -> None:
    assert load_in_child(instance, csv_file(tmp_path, "1,甲,1,1"), moment) == 9
    assert statuses(instance) == left
    with instance.ledger() as ledger:
        (batch,) = reconcile(instance.database_path("work"), ledger_recorder(ledger))
        assert ledger.entry(0)["batch"] == batch.batch
        assert reconcile(instance.database_path("work"), ledger_recorder(ledger)) == []
        assert ledger.used(batch.once_key) == 0
        assert len(ledger.newest(10)) == 1
    assert statuses(instance) == [("recorded", 0)]


def test_a_crash_while_reading_leaves_nothing(instance: Instance, tmp_path: Path) -> None:
    assert load_in_child(instance, csv_file(tmp_path, "1,甲,1,1"), "while reading") == 9
    assert statuses(instance) == []
    with closing(sqlite3.connect(instance.database_path("work"))) as connection:
        assert connection.execute("SELECT count(*) FROM listing").fetchone() == (0,)


def test_when_the_ledger_refuses_rows_stay_and_the_error_says_what_happens_next(tmp_path: Path) -> None:
    world = World(tmp_path, [listing()])

    def unavailable(_: Batch) -> int:
        raise LedgerUnavailableError("the disk is full", "磁盘已满")

    path = csv_file(tmp_path, "1,甲,1,1")
    error: Any = error_of(RecordError, lambda: world.load(path, "listing", record=unavailable))
    assert "the disk is full" in error.en
    assert "recorded at the next ingest or start" in error.en
    assert [row[1:] for row in world.rows("work", STATUS)] == [("pending", None)]
    (batch,) = reconcile(world.database("work"), world.recorder)
    assert world.recorder.batches == [batch]
    assert world.rows("work", STATUS) == [(batch.batch, "recorded", 0)]


def test_a_database_without_batches_has_nothing_to_reconcile(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    assert reconcile(empty, lambda _: 0) == []
    assert "liandong init" in error_of(LoadError, lambda: reconcile(tmp_path / "none.db", lambda _: 0)).en
