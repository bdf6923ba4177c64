"""What was added up and flagged so far, in a file of the instance: only what is new in the ledger is read again.

``anomalies.db`` follows the ledger and holds nothing that is not in it, no particulars; it may be deleted at any time
and is made anew, the same. It is made anew by itself when the thresholds change or the ledger is another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.anomalies import marks as marking
from catalog.anomalies.marks import PURPOSE, Key, marks
from catalog.anomalies.rules import NAMED_ENTRIES, Cell, Flag, first_day, judge
from catalog.anomalies.thresholds import Thresholds
from catalog.following import LedgerFile
from ledger import Ledger

FILE = "anomalies.db"
#: Entries of the ledger that are looked at in one transaction: what is in memory at a time.
WINDOW = 2_000
_FORMAT = "1"
_REVIEWED = "anomaly.reviewed"
_SCHEMA = """
CREATE TABLE cells (
  measure TEXT, agency TEXT, resource TEXT, period TEXT, code TEXT, n INTEGER NOT NULL, amount INTEGER NOT NULL,
  entries TEXT NOT NULL, count INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (measure, agency, resource, period, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE flags (
  id TEXT PRIMARY KEY, rule TEXT NOT NULL, agency TEXT NOT NULL, resource TEXT NOT NULL, code TEXT NOT NULL,
  period TEXT NOT NULL, numbers TEXT NOT NULL, entries TEXT NOT NULL, count INTEGER NOT NULL, last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX flags_last ON flags (last, id);
CREATE TABLE reviews (
  anomaly TEXT PRIMARY KEY, seq INTEGER NOT NULL, verdict TEXT NOT NULL, by TEXT NOT NULL, t TEXT NOT NULL,
  looked_at INTEGER NOT NULL, rule TEXT NOT NULL, agency TEXT NOT NULL, entries TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_agency ON reviews (rule, agency);
"""
_CELL = "measure, agency, resource, code, period, n, amount, entries, count, last"


@dataclass(frozen=True, slots=True)
class Review:
    """That a supervising office judged a flag. ``seq``: its entry; ``looked_at``: the newest entry that it knew."""

    seq: int
    verdict: str
    by: str
    t: str
    looked_at: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which flags; an empty text narrows nothing. ``state``: open or reviewed; ``since``: a day, YYYY-MM-DD."""

    agency: str = ""
    rule: str = ""
    state: str = ""
    since: str = ""


class Shelf(LedgerFile):
    """The file of one instance. Threads and processes may share it.

    Args:
        path: the file; made where it is missing.
    """

    def __init__(self, path: Path, thresholds: Thresholds) -> None:
        form = {"format": _FORMAT, "thresholds": thresholds.digest}
        super().__init__(path, _SCHEMA, ("cells", "flags", "reviews"), form)
        self._thresholds = thresholds

    # -- following the ledger -----------------------------------------------------------------------------------------

    def follow(self, ledger: Ledger, most: int | None = None) -> int:
        """Look at what is new in ``ledger``; return how many entries of it are still to be looked at.

        Args:
            most: at most so many entries now; None for all.

        Raises:
            LedgerError: the ledger cannot be read.
            RequestError: 503, the file cannot be written.
        """
        size = ledger.size()
        looked = 0
        while True:
            with self.transaction():
                start = self.begin(ledger, size)
                end = min(size, start + WINDOW)
                if start < end and (most is None or looked < most):
                    self._take(ledger, start, end)
                    looked += end - start
                    start = end
                if start >= size or (most is not None and looked >= most):
                    return size - start

    def _take(self, ledger: Ledger, start: int, end: int) -> None:
        """Add up the entries ``start … end−1``, and judge what they belong to."""
        touched: dict[Key, Cell] = {}
        day = ""
        for entry in ledger.since(start, (*marking.KINDS, _REVIEWED), end):
            if entry["kind"] == _REVIEWED:
                self._note_review(entry)
                continue
            for mark in marks(entry, self._thresholds):
                cell = touched.get(mark.key) or self._cell(mark.key)
                touched[mark.key] = _added(cell, mark.n, mark.amount, entry["seq"])
                day = mark.key.day
        self._db.executemany(
            f"INSERT OR REPLACE INTO cells ({_CELL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            [_row(cell) for cell in touched.values()],
        )
        for cell in touched.values():
            for flag in judge(cell, lambda key=cell.key: self._past(key), self._thresholds):  # type: ignore[misc]
                self._put(flag)
        if day:
            self._forget_before(first_day(day, self._thresholds))
        self.taken(ledger, end)

    def _cell(self, key: Key) -> Cell:
        row = self._db.execute(
            f"SELECT {_CELL} FROM cells WHERE measure = ? AND agency = ? AND resource = ? AND code = ? AND period = ?",  # noqa: S608
            (key.measure, key.agency, key.resource, key.code, key.period),
        ).fetchone()
        return _of(row) if row else Cell(key, 0, 0)

    def _past(self, key: Key) -> list[Cell]:
        """The cells of the days before ``key``'s, by which it is judged."""
        begin = "" if key.measure == PURPOSE else first_day(key.day, self._thresholds)
        rows = self._db.execute(
            f"SELECT {_CELL} FROM cells WHERE measure = ? AND agency = ? AND resource = ? AND period >= ? "  # noqa: S608
            "AND period < ? ORDER BY period, code",
            (key.measure, key.agency, key.resource, begin, key.day),
        )
        return [_of(row) for row in rows]

    def _forget_before(self, day: str) -> None:
        """Cells that no rule asks for any more: what is added up stays as small as the history that counts.

        Which purposes were ever stated is asked for always, so these are added up into one without a day.
        """
        self._db.execute("DELETE FROM cells WHERE measure <> ? AND period < ?", (PURPOSE, day))
        old = self._db.execute(
            "SELECT agency, resource, code, sum(n), sum(amount), sum(count), max(last) FROM cells "
            "WHERE measure = ? AND period < ? GROUP BY 1, 2, 3 HAVING count(*) > 1 OR max(period) <> ''",
            (PURPOSE, day),
        ).fetchall()
        for agency, resource, code, n, amount, count, last in old:
            self._db.execute(
                "DELETE FROM cells WHERE measure = ? AND agency = ? AND resource = ? AND code = ? AND period < ?",
                (PURPOSE, agency, resource, code, day),
            )
            whole = Cell(Key(PURPOSE, agency, resource, code, ""), n, amount, (), count, last)
            self._db.execute(f"INSERT INTO cells ({_CELL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(whole))  # noqa: S608

    def _put(self, flag: Flag) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO flags VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                flag.id,
                flag.rule,
                flag.agency,
                flag.resource,
                flag.code,
                flag.period,
                json.dumps(dict(flag.numbers)),
                json.dumps(flag.entries),
                flag.count,
                flag.last,
            ),
        )

    def _note_review(self, entry: Mapping[str, Any]) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry["anomaly"],
                entry["seq"],
                entry["verdict"],
                entry["by"],
                entry["t"],
                max(entry["entries"], default=0),
                entry["rule"],
                entry["agency"],
                json.dumps(entry["entries"]),
            ),
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    def flags(
        self, wanted: Filter, limit: int, before: tuple[int, str] | None = None
    ) -> list[tuple[Flag, Review | None]]:
        """Flags with their reviews, those with the newest entries first.

        Args:
            before: ``last`` and ``id`` of the last flag of the page before.
        """
        conditions: list[str] = []
        values: list[Any] = []
        for column, value in (("agency", wanted.agency), ("rule", wanted.rule)):
            if value:
                conditions.append(f"f.{column} = ?")
                values.append(value)
        if wanted.since:
            conditions.append("f.period >= ?")
            values.append(wanted.since)
        if wanted.state:
            conditions.append(f"r.seq IS {'NULL' if wanted.state == 'open' else 'NOT NULL'}")
        if before is not None:
            conditions.append("(f.last, f.id) < (?, ?)")
            values += before
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        rows = self.all(
            "SELECT f.*, r.seq, r.verdict, r.by, r.t, r.looked_at FROM flags f LEFT JOIN reviews r ON r.anomaly = f.id "  # noqa: S608
            f"{where}ORDER BY f.last DESC, f.id DESC LIMIT ?",
            (*values, limit),
        )
        return [(_flag_of(row[:10]), Review(*row[10:]) if row[10] is not None else None) for row in rows]

    def flag(self, anomaly: str) -> tuple[Flag, Review | None] | None:
        """One flag by its id."""
        rows = self.all(
            "SELECT f.*, r.seq, r.verdict, r.by, r.t, r.looked_at FROM flags f LEFT JOIN reviews r ON r.anomaly = f.id "
            "WHERE f.id = ?",
            (anomaly,),
        )
        return next(((_flag_of(row[:10]), Review(*row[10:]) if row[10] is not None else None) for row in rows), None)

    def review_of_repeat(self, flag: Flag) -> Review | None:
        """The review of a flag that is kept nowhere: of the same, or of one that had an entry in common with it.

        Among the newest queries the first of many goes out of sight, and the flag's id with it.
        """
        rows = self.all(
            "SELECT anomaly, entries, seq, verdict, by, t, looked_at FROM reviews WHERE rule = ? AND agency = ? "
            "ORDER BY seq DESC",
            (flag.rule, flag.agency),
        )
        same = flag.id.rpartition(":")[0]
        for anomaly, entries, *review in rows:
            if anomaly.rpartition(":")[0] == same and not set(json.loads(entries)).isdisjoint(flag.entries):
                return Review(*review)
        return None

    def open_count(self) -> int:
        """How many flags nobody has reviewed."""
        ((count,),) = self.all("SELECT count(*) FROM flags WHERE id NOT IN (SELECT anomaly FROM reviews)", ())
        return int(count)

    def agencies(self) -> list[str]:
        """The agencies that have flags."""
        return [row[0] for row in self.all("SELECT DISTINCT agency FROM flags ORDER BY agency", ())]


def _added(cell: Cell, n: int, amount: int, seq: int) -> Cell:
    entries = (*cell.entries, seq) if len(cell.entries) < NAMED_ENTRIES else cell.entries
    return Cell(cell.key, cell.n + n, cell.amount + amount, entries, cell.count + 1, seq)


def _row(cell: Cell) -> tuple[Any, ...]:
    key = cell.key
    named = json.dumps(cell.entries)
    return (
        key.measure,
        key.agency,
        key.resource,
        key.code,
        key.period,
        cell.n,
        cell.amount,
        named,
        cell.count,
        cell.last,
    )


def _of(row: Sequence[Any]) -> Cell:
    measure, agency, resource, code, period, n, amount, entries, count, last = row
    return Cell(Key(measure, agency, resource, code, period), n, amount, tuple(json.loads(entries)), count, last)


def _flag_of(row: Sequence[Any]) -> Flag:
    anomaly, rule, agency, resource, code, period, numbers, entries, count, last = row
    return Flag(
        anomaly, rule, agency, resource, code, period, json.loads(numbers), tuple(json.loads(entries)), count, last
    )
