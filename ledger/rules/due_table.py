"""Many deadlines at once: due times by day, as a list to look up in or as a table to join with.

A deadline depends on the day of receipt alone, so each day is asked once of :func:`ledger.rules.deadlines.deadline`,
and that function stays the only one that knows the law.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ledger.fields import IDENTIFIER
from ledger.rules.deadlines import SHANGHAI, Rulebook, deadline
from ledger.rules.errors import InstantError, RuleDataError

_DAY_MS = 86_400_000
_OFFSET_MS = 8 * 3_600_000
_EPOCH = date(1970, 1, 1)
_COLUMNS = (
    "day INTEGER PRIMARY KEY, clock TEXT NOT NULL, clause TEXT, standing TEXT, working_days INTEGER, due_ms INTEGER"
)

#: SQL of the day number (``day`` of the table) of a column of milliseconds since 1970, to be put in for ``{0}``.
SQL_DAY = f"(({{0}} + {_OFFSET_MS}) / {_DAY_MS})"


@dataclass(frozen=True, slots=True)
class DueTable:
    """What is due for a receipt on each day from ``first`` on, days since 1970-01-01 in Asia/Shanghai.

    ``rows``: (day, state, clause id, standing, working days, due_ms); due_ms is milliseconds since 1970, None where
    nothing is due.
    """

    first: int
    rows: tuple[tuple[int, str, str | None, str | None, int | None, int | None], ...]
    due: tuple[int | None, ...]

    def due_ms(self, received_ms: Iterable[int]) -> list[int | None]:
        """The due time of each receipt, in milliseconds since 1970; None where nothing is due.

        Cost: a division and a look-up each, several million a second.

        Raises:
            InstantError: a receipt outside the days of the table.
        """
        due, offset = self.due, _OFFSET_MS - self.first * _DAY_MS
        try:
            received = [ms + offset for ms in received_ms]
            if received and min(received) < 0:
                raise IndexError
            return [due[ms // _DAY_MS] for ms in received]
        except IndexError as error:
            days = [_EPOCH + timedelta(days=self.first), _EPOCH + timedelta(days=self.first + len(due) - 1)]
            raise InstantError(
                f"a receipt outside the table's days, {days[0]} to {days[1]}; make one for more days",
                f"收到时间不在表的日期范围 {days[0]} 至 {days[1]} 内；请按更大的范围生成",
            ) from error

    def write(self, db: sqlite3.Connection, name: str) -> None:
        """Make it a table to join with: ``ON name.day = SQL_DAY.format('received_ms')``; an older one is replaced.

        Raises:
            RuleDataError: ``name`` is no plain name.
        """
        if not IDENTIFIER.accepts(name) or not name.replace("_", "").isalnum():
            raise RuleDataError(f"{name!r} is no name of a table; want letters and _", f"{name!r} 不是合格的表名")
        db.execute(f'DROP TABLE IF EXISTS "{name}"')
        db.execute(f'CREATE TABLE "{name}" ({_COLUMNS})')
        db.executemany(f'INSERT INTO "{name}" VALUES (?, ?, ?, ?, ?, ?)', self.rows)  # noqa: S608 (checked above)


def due_table(rulebook: Rulebook, act: str, first: date, last: date, **more: Any) -> DueTable:
    """The table of an ``act`` for receipts from ``first`` to ``last``, both included.

    Args:
        more: ``start``, ``stop``, ``sharing_class`` as :func:`~ledger.rules.deadlines.deadline` takes them. What is
            urgent is measured in minutes from its receipt and is in no table.
    """
    rows = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        found = deadline(rulebook, act, datetime(day.year, day.month, day.day, 12, tzinfo=SHANGHAI), **more)
        due_ms = None if found.due_at is None else round(found.due_at.timestamp() * 1_000)
        clause = None if found.clause is None else found.clause.id
        rows.append(((day - _EPOCH).days, found.state, clause, found.standing, found.working_days, due_ms))
    return DueTable((first - _EPOCH).days, tuple(rows), tuple(row[-1] for row in rows))
