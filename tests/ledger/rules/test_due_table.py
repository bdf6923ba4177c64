"""Many deadlines at once agree with one at a time."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules import InstantError, RuleDataError, deadline, packaged
from ledger.rules.due_table import SQL_DAY, due_table
from tests.ledger.rules.support import with_local_standard

FIRST, LAST = date(2021, 1, 1), date(2027, 6, 30)
BOOK = with_local_standard()
TABLE = due_table(BOOK, "query", FIRST, LAST)
instants_ms = st.integers(
    int(datetime(2020, 12, 31, 16, tzinfo=UTC).timestamp() * 1_000),
    int(datetime(2027, 6, 30, 16, tzinfo=UTC).timestamp() * 1_000) - 1,
)


def one_by_one(ms: int) -> int | None:
    due_at = deadline(BOOK, "query", datetime.fromtimestamp(ms / 1_000, UTC)).due_at
    return None if due_at is None else round(due_at.timestamp() * 1_000)


@given(st.lists(instants_ms, max_size=50))
def test_a_list_of_receipts_agrees_with_the_function(received: list[int]) -> None:
    assert TABLE.due_ms(received) == [one_by_one(ms) for ms in received]


@given(st.lists(instants_ms, min_size=1, max_size=50))
def test_a_join_agrees_with_the_function(received: list[int]) -> None:
    with sqlite3.connect(":memory:") as db:
        TABLE.write(db, "due_query")
        db.execute("CREATE TABLE requests (n INTEGER PRIMARY KEY, received_ms INTEGER)")
        db.executemany("INSERT INTO requests VALUES (?, ?)", enumerate(received))
        rows = db.execute(
            "SELECT due_ms, clock, standing FROM requests JOIN due_query ON day = "
            f"{SQL_DAY.format('received_ms')} ORDER BY n"
        ).fetchall()
    assert [row[0] for row in rows] == [one_by_one(ms) for ms in received]
    assert all((due is None) == (clock == "unconfirmed") for due, clock, _ in rows)


def test_days_without_a_clock_are_in_the_table() -> None:
    table = due_table(packaged(), "query", date(2026, 11, 19), date(2026, 11, 20))
    assert [(row[1], row[2], row[3]) for row in table.rows] == [
        ("due", "y19.query", "statutory"),
        ("no_clock", None, None),
    ]


def test_it_takes_what_the_function_takes() -> None:
    table = due_table(packaged(), "application", date(2026, 11, 23), date(2026, 11, 23), sharing_class="unconditional")
    assert table.rows[0][2] == "d809.21.unconditional"


@pytest.mark.parametrize("ms", [TABLE.first * 86_400_000 - 28_800_001, (TABLE.first + len(TABLE.due)) * 86_400_000])
def test_what_lies_outside_is_refused(ms: int) -> None:
    with pytest.raises(InstantError, match="2021-01-01 to 2027-06-30"):
        TABLE.due_ms([ms])


def test_nothing_asked_nothing_answered() -> None:
    assert TABLE.due_ms([]) == []


@pytest.mark.parametrize("name", ['a"b', "a b", "", "a;drop", "因"])
def test_a_tables_name_is_a_plain_name(name: str) -> None:
    with sqlite3.connect(":memory:") as db, pytest.raises(RuleDataError):
        TABLE.write(db, name)
