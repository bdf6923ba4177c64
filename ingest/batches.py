"""Batches: what one load did, and how it gets into the ledger exactly once.

The rows and the batch (``pending``) are committed in one transaction; then ``record`` appends the ledger entry;
then the batch is ``recorded``. A crash in between leaves it pending, and :func:`reconcile` records it on the next
start. ``record`` must give the same sequence number when it is called again for the same batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from ingest.connection import connect, database_errors, transaction
from ingest.errors import RecordError
from ingest.schema import BATCHES_TABLE
from ledger import once
from ledger.book import Ledger
from ledger.errors import LedgerError

#: The ledger's kind for a batch.
KIND = "batch.ingested"


@dataclass(frozen=True, slots=True)
class Batch:
    """One committed batch. ``last_row_id`` is the highest surrogate key given out so far in its table."""

    batch: str
    database_name: str
    table_name: str
    mapping: str
    mapping_digest: str
    file_name: str
    file_sha256: str
    rows_read: int
    rows_added: int
    rows_changed: int
    rows_unchanged: int
    rows_removed: int
    rows_set_aside: int
    last_row_id: int
    started_at: str
    finished_at: str

    @property
    def once_key(self) -> str:
        """The ledger's idempotency key of this batch."""
        return once.batch(self.batch)

    def fields(self) -> dict[str, str | int]:
        """The open fields of its ledger entry."""
        return {
            "batch": self.batch,
            "database": self.database_name,
            "table": self.table_name,
            "mapping": self.mapping,
            "mapping_digest": self.mapping_digest,
            "rows_read": self.rows_read,
            "rows_added": self.rows_added,
            "rows_changed": self.rows_changed,
            "rows_unchanged": self.rows_unchanged,
            "rows_removed": self.rows_removed,
            "rows_set_aside": self.rows_set_aside,
        }

    def particulars(self) -> dict[str, str]:
        """What its ledger entry only commits to: a file's name may name a person."""
        return {"file_name": self.file_name, "file_sha256": self.file_sha256}


#: Appends the batch's ledger entry (or finds it, if it is there already) and returns its sequence number.
Recorder: TypeAlias = Callable[[Batch], int]

_COLUMNS = tuple(Batch.__slots__)


def batch_id(now: datetime, random: bytes) -> str:
    """Return an identifier that sorts by time: ``20261123t020304123z-1a2b3c4d``.

    Args:
        now: timezone-aware.
        random: 4 bytes or more; the first 4 are used.
    """
    utc = now.astimezone(UTC)
    return f"{utc:%Y%m%dt%H%M%S}{utc.microsecond // 1000:03d}z-{random[:4].hex()}"


def insert_pending(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write the batch as pending; in the transaction that writes its rows."""
    marks = ", ".join("?" * (len(_COLUMNS) + 1))
    connection.execute(
        f"INSERT INTO {BATCHES_TABLE} ({', '.join(_COLUMNS)}, status) VALUES ({marks})",  # noqa: S608
        [*asdict(batch).values(), "pending"],
    )


def record_batch(connection: sqlite3.Connection, path: Path, batch: Batch, record: Recorder) -> int:
    """Append the batch's ledger entry and mark it recorded; return the entry's sequence number.

    Raises:
        RecordError: the ledger refused; the rows stay and the batch stays pending.
    """
    try:
        seq = record(batch)
    except LedgerError as error:
        raise RecordError(
            f"the rows of batch {batch.batch} are saved in {path.name}, but the ledger could not record it: "
            f"{error.en}; it is recorded at the next ingest or start, do not load the file again for that",
            f"批次 {batch.batch} 的行已存入 {path.name}，但台账未能记载：{error.zh}；"
            "下次导入或启动时将自动补记，无须为此重新导入",
        ) from error
    try:
        with transaction(connection):
            connection.execute(
                f"UPDATE {BATCHES_TABLE} SET status = 'recorded', ledger_seq = ? WHERE batch = ?",  # noqa: S608
                [seq, batch.batch],
            )
    except sqlite3.Error as error:
        raise RecordError(
            f"batch {batch.batch} is saved and is entry {seq} of the ledger, but {path.name} could not note that "
            f"({error}); the next ingest or start does, do not load the file again for that",
            f"批次 {batch.batch} 已保存，并记为台账第 {seq} 条，但 {path.name} 未能标注（{error}）；"
            "下次导入或启动时将自动补注，无须为此重新导入",
        ) from error
    return seq


def ledger_recorder(ledger: Ledger) -> Recorder:
    """Return the recorder that appends to ``ledger``, or finds the entry if the batch is in it already."""

    def record(batch: Batch) -> int:
        used = ledger.used(batch.once_key)
        if used is not None:
            return used
        return ledger.append(KIND, batch.fields(), particulars=batch.particulars(), once=[batch.once_key]).seq

    return record


def pending(connection: sqlite3.Connection) -> list[Batch]:
    """The batches of a database that the ledger may lack, oldest first."""
    present = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [BATCHES_TABLE]).fetchone()
    if not present:
        return []
    rows = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM {BATCHES_TABLE} WHERE status = 'pending' ORDER BY batch"  # noqa: S608
    )
    return [Batch(*row) for row in rows.fetchall()]


def reconcile(path: Path, record: Recorder) -> list[Batch]:
    """Record what a crash left pending in the database at ``path``; return those batches.

    Raises:
        LoadError: the database is missing or cannot be written.
        RecordError: the ledger refused.
    """
    with database_errors(path), connect(path) as connection:
        batches = pending(connection)
        for batch in batches:
            record_batch(connection, path, batch, record)
        return batches
