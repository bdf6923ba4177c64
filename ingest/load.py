"""A file and its mapping -> a table: normalise all rows into a staging table, then merge in one transaction.

Rows are normalised before any lock is taken, so the database is locked for the merge only, and memory does not grow
with the file. A row is found again by an HMAC of its key, and known to be changed by an HMAC of its content, both
under the instance's secret, in the side table ``_rows``: they are never served.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from sqlite_utils.db import quote_identifier

from ingest.batches import Batch, Recorder, batch_id, insert_pending, record_batch
from ingest.connection import connect, database_errors, transaction
from ingest.mapping import SourceMapping
from ingest.matching import check_columns
from ingest.normalise import RowNormaliser, Value, shown
from ingest.problems import RowProblem
from ingest.quality import Report
from ingest.readers import SourceFile
from ingest.records import Record, RowUnit
from ingest.schema import BATCHES_TABLE, ROWS_TABLE, ensure_table
from ingest.tables import Table

#: Progress is told every so many rows.
PROGRESS_ROWS = 200

#: A snapshot that would remove at least so many rows, and more than half of its mapping's, is refused: it is more often
#: a file cut short than an agency that gave up most of its work.
MANY_REMOVALS = 20

#: The rows of a mapping and table that are neither staged nor set aside: the file no longer has them.
_ABSENT = (
    f"FROM {ROWS_TABLE} WHERE mapping = ? AND table_name = ? "  # noqa: S608
    f"AND NOT EXISTS (SELECT 1 FROM _stage AS s WHERE s.key_hash = {ROWS_TABLE}.key_hash) "
    f"AND NOT EXISTS (SELECT 1 FROM _seen AS s WHERE s.key_hash = {ROWS_TABLE}.key_hash)"
)


@dataclass(frozen=True)
class Loader:
    """How to load files into one table of one database.

    Attributes:
        database: the database's file.
        table: where the rows go; from :func:`ingest.tables.tables_of`.
        secret: 32 bytes, the instance's, for the hashes of rows.
        record: appends a batch's ledger entry.
        now: the clock, timezone-aware.
        random: gives that many random bytes.
    """

    database: Path
    table: Table
    mapping: SourceMapping
    secret: bytes
    record: Recorder
    now: Callable[[], datetime]
    random: Callable[[int], bytes]

    def load(
        self,
        source: SourceFile,
        *,
        set_aside: bool = False,
        allow_removals: bool = False,
        dry_run: bool = False,
        keep_all_problems: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Report:
        """Load one file as one batch and report.

        Args:
            set_aside: take the good rows although others have problems; else one problem keeps the batch out.
            allow_removals: take a snapshot although it removes most of the rows stored; else that keeps it out.
            dry_run: count everything, write nothing.
            progress: called with the number of rows done since the last call.

        Raises:
            MappingError: the file's columns are not those of the mapping.
            ReadError: the file breaks while it is read.
            LoadError: the database cannot be written; nothing was.
            RecordError: the rows are saved, their ledger entry is not yet.
        """
        check_columns(source, self.mapping)
        started = self.now()
        report = Report(
            source.name,
            source.row_unit,
            self.mapping.name,
            self.table.database,
            self.table.name,
            set_aside_allowed=set_aside,
            removals_allowed=allow_removals,
            dry_run=dry_run,
            keep_all=keep_all_problems,
            rows_blank=source.scan.blank_rows,
        )
        with database_errors(self.database), connect(self.database) as connection:
            stage = _Stage(connection, self, report)
            stage.fill(source, progress or (lambda _: None))
            source.confirm()
            if report.refused:
                return report
            batch = stage.merge(source, started)
            if batch is not None:
                report.batch = batch.batch
                report.ledger_seq = record_batch(connection, self.database, batch, self.record)
        return report


class _Unwritten(Exception):
    """Rolls a dry run or a refused batch back."""


class _Stage:
    """The staging table of one load, in the connection's temporary database."""

    def __init__(self, connection: sqlite3.Connection, loader: Loader, report: Report) -> None:
        self._connection = connection
        self._loader = loader
        self._report = report
        self._mapping = loader.mapping
        self._constants: dict[str, Value] = dict(loader.mapping.constants)
        source = loader.mapping.source
        filled = [column.field for column in loader.mapping.columns]
        if source is not None and loader.table.field("source") is not None and "source" not in filled:
            self._constants.setdefault("source", source.zh)
        self._fields = [*filled, *self._constants]
        self._columns = ", ".join(f"c{index}" for index in range(len(self._fields)))
        self._place = (loader.mapping.name, loader.table.name)
        key_columns = [loader.mapping.column(field).source for field in loader.mapping.key]
        self._key_column = "、".join(key_columns)

    def fill(self, source: SourceFile, progress: Callable[[int], None]) -> None:
        """Normalise every record; good rows go into the stage, problems into the report."""
        connection = self._connection
        connection.execute(
            "CREATE TEMP TABLE _stage (n INTEGER PRIMARY KEY, key_hash BLOB NOT NULL UNIQUE, row_hash BLOB NOT NULL, "
            f"row_id INTEGER, old_hash BLOB, conflict INTEGER, {self._columns})"
        )
        connection.execute("CREATE TEMP TABLE _seen (key_hash BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.execute(
            "CREATE TEMP TABLE _variants (key_hash BLOB, row_hash BLOB, n INTEGER, PRIMARY KEY (key_hash, row_hash)) "
            "WITHOUT ROWID"
        )
        normaliser = RowNormaliser(self._mapping.columns, self._mapping.key)
        width = len(source.columns)
        # A deferred transaction that touches only temporary tables locks nothing of the database.
        connection.execute("BEGIN")
        waiting = 0
        for record in source.records():
            self._report.rows_read += 1
            self._take(record, normaliser, source.row_unit, width)
            waiting += 1
            if waiting == PROGRESS_ROWS:
                progress(waiting)
                waiting = 0
        self._drop_conflicts(source)
        connection.execute("COMMIT")
        progress(waiting)

    def _take(self, record: Record, normaliser: RowNormaliser, unit: RowUnit, width: int) -> None:
        if record.cells is not None:
            details = {"got": str(record.cells), "want": str(width)}
            self._set_aside([RowProblem(record.number, "—", None, "cells", details)])
            self._report.removals_withheld = self._mapping.mode == "snapshot"
            return
        values, problems = normaliser.normalise(record)
        key = [values.get(field) for field in self._mapping.key]
        key_hash = None if None in key else self._hash("key", key)
        if problems or key_hash is None:
            # Without a key there is a problem too: the normaliser requires every field of it.
            self._set_aside(problems)
            self._remember(key_hash)
            return
        row = [values[field] if field in values else self._constants[field] for field in self._fields]
        row_hash = self._hash("row", [list(pair) for pair in sorted(zip(self._fields, row, strict=True))])
        added = self._connection.execute(
            f"INSERT INTO _stage (n, key_hash, row_hash, {self._columns}) "  # noqa: S608
            f"VALUES (?, ?, ?{', ?' * len(row)}) ON CONFLICT (key_hash) DO NOTHING",
            [record.number, key_hash, row_hash, *row],
        ).rowcount
        if not added:
            self._repeated(record, key_hash, row_hash, unit)

    def _repeated(self, record: Record, key_hash: bytes, row_hash: bytes, unit: RowUnit) -> None:
        """A second row with one key: a copy is set aside; with other content, both are.

        What is a copy does not hang on the order: of rows with one key, each content counts once as a conflict.
        """
        first, first_hash = self._connection.execute(
            "SELECT n, row_hash FROM _stage WHERE key_hash = ?", [key_hash]
        ).fetchone()
        place = [key_hash, row_hash]
        copied = first if first_hash == row_hash else self._conflicting(place)
        if copied is not None:
            self._set_aside([self._repetition(record, copied, "duplicate", unit)])
            return
        self._set_aside([self._repetition(record, first, "key_conflict", unit)])
        self._connection.execute("INSERT INTO _variants VALUES (?, ?, ?)", [*place, record.number])
        self._connection.execute(
            "UPDATE _stage SET conflict = coalesce(conflict, ?) WHERE n = ?", [record.number, first]
        )

    def _conflicting(self, place: list[bytes]) -> int | None:
        """The earlier row of this key and this content among those that conflict with the first one."""
        row = self._connection.execute("SELECT n FROM _variants WHERE key_hash = ? AND row_hash = ?", place).fetchone()
        return int(row[0]) if row else None

    def _repetition(self, record: Record, other: int, rule: str, unit: RowUnit) -> RowProblem:
        values = [shown(record.values.get(self._mapping.column(field).source)) for field in self._mapping.key]
        details = {
            "row_en": f"{unit} {other}",
            "row_zh": f"第 {other} 行" if unit == "line" else f"第 {other} 条记录",
        }
        return RowProblem(record.number, self._key_column, "、".join(value or "" for value in values), rule, details)

    def _drop_conflicts(self, source: SourceFile) -> None:
        """Set aside the first row of each conflict too; its key stays known, so that a snapshot removes nothing."""
        conflicts = dict(
            self._connection.execute("SELECT n, conflict FROM _stage WHERE conflict IS NOT NULL").fetchall()
        )
        if not conflicts:
            return
        for record in source.records():
            if record.number in conflicts:
                other = conflicts[record.number]
                self._set_aside([self._repetition(record, other, "key_conflict", source.row_unit)])
        self._connection.execute("INSERT OR IGNORE INTO _seen SELECT key_hash FROM _stage WHERE conflict IS NOT NULL")
        self._connection.execute("DELETE FROM _stage WHERE conflict IS NOT NULL")

    def _set_aside(self, problems: list[RowProblem]) -> None:
        self._report.rows_set_aside += 1
        for problem in problems:
            self._report.add(problem)

    def _remember(self, key_hash: bytes | None) -> None:
        """The file still has this row, bad as it is: a snapshot must not remove it."""
        if key_hash is None:
            self._report.removals_withheld = self._mapping.mode == "snapshot"
        else:
            self._connection.execute("INSERT OR IGNORE INTO _seen VALUES (?)", [key_hash])

    def _hash(self, what: str, value: list[Value] | list[list[Value]]) -> bytes:
        """HMAC-SHA256 under the instance's secret over the JSON of [what, mapping, table, value]."""
        message = orjson.dumps([what, *self._place, value])
        return hmac.digest(self._loader.secret, message, "sha256")

    def merge(self, source: SourceFile, started: datetime) -> Batch | None:
        """Bring the stage into the table; return the committed batch, or None for a dry run or a refused one."""
        moment = self._loader.now()
        identifier = batch_id(moment, self._loader.random(4))
        report = self._report
        try:
            with transaction(self._connection):
                ensure_table(self._connection, self._loader.table)
                last_row_id = self._compare()
                if self._mapping.mode == "snapshot" and not report.removals_withheld:
                    self._count_removals()
                if report.removals_refused:
                    raise _Unwritten
                self._write(identifier)
                if report.dry_run:
                    raise _Unwritten
                batch = Batch(
                    batch=identifier,
                    database_name=report.database,
                    table_name=report.table,
                    mapping=self._mapping.name,
                    mapping_digest=self._mapping.digest,
                    file_name=source.name,
                    file_sha256=source.sha256.hex(),
                    rows_read=report.rows_read,
                    rows_added=report.rows_added,
                    rows_changed=report.rows_changed,
                    rows_unchanged=report.rows_unchanged,
                    rows_removed=report.rows_removed,
                    rows_set_aside=report.rows_set_aside,
                    last_row_id=last_row_id,
                    started_at=_timestamp(started),
                    finished_at=_timestamp(self._loader.now()),
                )
                insert_pending(self._connection, batch)
        except _Unwritten:
            return None
        return batch

    def _compare(self) -> int:
        """Find each staged row's stored row, give new ones their keys, count; return the highest key given out."""
        connection, report = self._connection, self._report
        connection.execute(
            f"UPDATE _stage SET row_id = r.row_id, old_hash = r.row_hash FROM {ROWS_TABLE} AS r "  # noqa: S608
            "WHERE r.mapping = ? AND r.table_name = ? AND r.key_hash = _stage.key_hash",
            self._place,
        )
        total, known, unchanged = connection.execute(
            "SELECT count(*), count(row_id), count(*) FILTER (WHERE old_hash = row_hash) FROM _stage"
        ).fetchone()
        report.rows_added = total - known
        report.rows_changed = known - unchanged
        report.rows_unchanged = unchanged
        # A key is never given out twice: an address of a removed row must not lead to another one.
        (highest,) = connection.execute(
            f"SELECT max(coalesce((SELECT max(id) FROM {self._table}), 0), "  # noqa: S608
            f"coalesce((SELECT max(last_row_id) FROM {BATCHES_TABLE} WHERE table_name = ?), 0))",
            [self._loader.table.name],
        ).fetchone()
        connection.execute(
            "WITH fresh AS (SELECT n, row_number() OVER (ORDER BY n) AS k FROM _stage WHERE row_id IS NULL) "
            "UPDATE _stage SET row_id = ? + fresh.k FROM fresh WHERE fresh.n = _stage.n",
            [highest],
        )
        return int(highest) + report.rows_added

    def _write(self, batch: str) -> None:
        connection = self._connection
        fields = [quote_identifier(field) for field in self._fields]
        connection.execute(
            f"INSERT INTO {self._table} (id, {', '.join(fields)}, _batch) "  # noqa: S608
            f"SELECT row_id, {self._columns}, ? FROM _stage WHERE old_hash IS NULL ORDER BY n",
            [batch],
        )
        connection.execute(
            f"INSERT INTO {ROWS_TABLE} (mapping, table_name, key_hash, row_id, row_hash, batch) "  # noqa: S608
            "SELECT ?, ?, key_hash, row_id, row_hash, ? FROM _stage WHERE old_hash IS NULL",
            [*self._place, batch],
        )
        sets = ", ".join(f"{field} = s.c{index}" for index, field in enumerate(fields))
        changed = "s.old_hash IS NOT NULL AND s.old_hash <> s.row_hash"
        connection.execute(
            f"UPDATE {self._table} SET {sets}, _batch = ? FROM _stage AS s "  # noqa: S608
            f"WHERE s.row_id = {self._table}.id AND {changed}",
            [batch],
        )
        connection.execute(
            f"UPDATE {ROWS_TABLE} SET row_hash = s.row_hash, batch = ? FROM _stage AS s "  # noqa: S608
            f"WHERE mapping = ? AND table_name = ? AND {ROWS_TABLE}.key_hash = s.key_hash AND {changed}",
            [batch, *self._place],
        )
        if self._report.rows_removed:
            self._remove_absent()

    def _count_removals(self) -> None:
        """Count the rows of this mapping that the file no longer has, and refuse the batch if they are most of them."""
        report = self._report
        (report.rows_stored,) = self._connection.execute(
            f"SELECT count(*) FROM {ROWS_TABLE} WHERE mapping = ? AND table_name = ?",  # noqa: S608
            self._place,
        ).fetchone()
        (report.rows_removed,) = self._connection.execute(f"SELECT count(*) {_ABSENT}", self._place).fetchone()
        many = report.rows_removed >= MANY_REMOVALS and 2 * report.rows_removed > report.rows_stored
        report.removals_refused = many and not report.removals_allowed

    def _remove_absent(self) -> None:
        """Remove the rows of this mapping that the file no longer has."""
        connection = self._connection
        connection.execute(f"DELETE FROM {self._table} WHERE id IN (SELECT row_id {_ABSENT})", self._place)  # noqa: S608
        connection.execute(f"DELETE {_ABSENT}", self._place)

    @property
    def _table(self) -> str:
        return quote_identifier(self._loader.table.name)


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
