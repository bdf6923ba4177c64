"""Queries against a naive filter in Python: the same rows in the same order, page by page, whatever is asked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.query.errors import BodyError, QueryError
from catalog.query.model import COMPARISONS, Filter, Order, Query
from catalog.query.reading import Reader, Readers
from catalog.query.schema import Column, Schemas, TableSchema
from catalog.query.statement import build, row_key
from catalog.titles import Titles
from tests.catalog.query.conftest import COUNTS, NAMES, ROWS

TEXTS = [name for name in NAMES if name]


@pytest.fixture(scope="module")
def reader(database: Path) -> Iterator[Reader]:
    made = Reader(database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def table(database: Path) -> TableSchema:
    schemas = Schemas(lambda _: database, lambda: Titles({}, ()))
    found = schemas.table("work", "things")
    schemas.close()
    assert found is not None
    return found


def ask(reader: Reader, table: TableSchema, query: Query, columns: dict[str, Column] | None = None) -> list[Any]:
    statement = build(table, columns or table.columns, query)
    rows = reader.fetch(statement, 10)
    return [dict(zip(statement.columns, row, strict=False)) for row in rows[: statement.limit]]


# -- the naive oracle -------------------------------------------------------------------------------------------------


def holds(row: dict[str, Any], each: Filter) -> bool:
    """What a filter means, without SQL."""
    if each.column is None:
        texts = [row["name"], row["town"], row["secret"]]
        return all(any(text is not None and contains(text, word) for text in texts) for word in str(each.value).split())
    value = row[each.column]
    if each.op == "is null":
        return value is None
    if each.op == "is not null":
        return value is not None
    if value is None:
        return False
    wanted: Any = each.value
    if each.op == "in":
        return value in wanted
    if each.op == "prefix":
        return bool(value.startswith(wanted))
    if each.op == "search":
        return all(contains(value, word) for word in wanted.split())
    return bool(
        {
            "=": value == wanted,
            "!=": value != wanted,
            "<": key(value) < key(wanted),
            "<=": key(value) <= key(wanted),
            ">": key(value) > key(wanted),
            ">=": key(value) >= key(wanted),
        }[each.op]
    )


def contains(text: str, word: str) -> bool:
    def fold(value: str) -> str:
        return "".join(char.lower() if char.isascii() else char for char in value)

    return fold(word) in fold(text)


def key(value: Any) -> Any:
    """SQLite compares text by its UTF-8 bytes."""
    return value.encode() if isinstance(value, str) else value


def naive(query: Query) -> list[dict[str, Any]]:
    rows = [row for row in ROWS if all(holds(row, each) for each in query.filters)]
    for order in reversed((*query.order, Order("id"))):
        rows.sort(
            key=lambda row: (
                row[order.column] is not None,
                key(row[order.column]) if row[order.column] is not None else 0,
            ),
            reverse=order.descending,
        )
    return rows


# -- laws -------------------------------------------------------------------------------------------------------------

_TEXT = st.sampled_from(TEXTS) | st.text("示例餐饮店甲镇%_\\'\"aAbB07 𠮷", min_size=1, max_size=6)
_NUMBER = st.sampled_from([n for n in COUNTS if n is not None]) | st.integers(-10, 110)
_FLOAT = _NUMBER | st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 2))
_FILTERS = st.one_of(
    st.builds(Filter, st.sampled_from(["name", "town", "secret"]), st.sampled_from(COMPARISONS), _TEXT),
    st.builds(Filter, st.sampled_from(["name", "town"]), st.just("prefix"), _TEXT),
    st.builds(Filter, st.sampled_from(["name", "town"]), st.just("search"), _TEXT),
    st.builds(Filter, st.none(), st.just("search"), _TEXT),
    st.builds(
        Filter, st.sampled_from(["name", "town"]), st.just("in"), st.lists(_TEXT, min_size=1, max_size=4).map(tuple)
    ),
    st.builds(Filter, st.just("count"), st.sampled_from(COMPARISONS), _NUMBER),
    st.builds(Filter, st.just("id"), st.sampled_from(COMPARISONS), _NUMBER),
    st.builds(Filter, st.just("count"), st.just("in"), st.lists(_NUMBER, min_size=1, max_size=4).map(tuple)),
    st.builds(Filter, st.just("amount"), st.sampled_from(COMPARISONS), _FLOAT),
    st.builds(Filter, st.sampled_from(["name", "count", "amount"]), st.sampled_from(["is null", "is not null"])),
)
_ORDER = st.lists(
    st.builds(Order, st.sampled_from(["name", "count", "amount", "town", "id"]), st.booleans()),
    max_size=3,
    unique_by=lambda order: order.column,
).map(tuple)


@given(st.lists(_FILTERS, max_size=3).map(tuple), _ORDER)
def test_the_rows_are_those_of_the_naive_filter_in_the_naive_order(
    reader: Reader, table: TableSchema, filters: tuple[Filter, ...], order: tuple[Order, ...]
) -> None:
    query = Query(filters, order=order, limit=1_000)
    assert ask(reader, table, query) == naive(query)


@given(st.lists(_FILTERS, max_size=2).map(tuple), _ORDER, st.integers(1, 50))
def test_pages_one_after_the_other_are_the_whole(
    reader: Reader, table: TableSchema, filters: tuple[Filter, ...], order: tuple[Order, ...], limit: int
) -> None:
    query = Query(filters, order=order, limit=limit)
    found: list[dict[str, Any]] = []
    after = None
    while True:
        statement = build(table, table.columns, query, after)
        rows = reader.fetch(statement, 10)
        found += [dict(zip(statement.columns, row, strict=False)) for row in rows[:limit]]
        assert len(found) <= len(ROWS)
        if len(rows) <= limit:
            break
        after = row_key(statement, rows[limit - 1])
    assert found == naive(query)


@given(st.text(max_size=20))
def test_no_text_becomes_part_of_the_statement(table: TableSchema, text: str) -> None:
    for op in ("=", "prefix", "search"):
        statement = build(table, table.columns, Query((Filter("name", op, text or "x"),)))
        plain = build(table, table.columns, Query((Filter("name", op, "x"),)))
        if op == "=":
            assert statement.sql == plain.sql
        assert statement.sql.replace("?", "").isascii()
        assert set(statement.sql) <= set(plain.sql) | set(" AND()'1")


# -- hidden and unknown -----------------------------------------------------------------------------------------------


def refusal(table: TableSchema, query: Query) -> BodyError:
    """What is said where ``secret`` is not among the columns that may be had."""
    shown = {name: column for name, column in table.columns.items() if name in ("name", "town")}
    with pytest.raises(BodyError) as caught:
        build(table, shown, query)
    return caught.value


@pytest.mark.parametrize(
    "query",
    [
        Query(columns=("COLUMN",)),
        Query(columns=("name", "COLUMN")),
        Query((Filter("COLUMN", "=", "秘密1"),)),
        Query((Filter("COLUMN", "in", ("秘密1",)),)),
        Query((Filter("COLUMN", "prefix", "秘"),)),
        Query((Filter("COLUMN", "search", "秘"),)),
        Query((Filter("COLUMN", "is null"),)),
        Query(order=(Order("COLUMN"),)),
        Query(order=(Order("town"), Order("COLUMN", True))),
    ],
)
def test_a_hidden_column_is_refused_in_the_words_for_one_that_does_not_exist(table: TableSchema, query: Query) -> None:
    def named(name: str) -> Query:
        return Query(
            tuple(replace(each, column=name) for each in query.filters),
            tuple(name if each == "COLUMN" else each for each in query.columns),
            tuple(replace(each, column=name) if each.column == "COLUMN" else each for each in query.order),
        )

    hidden = refusal(table, named("secret"))
    for other in ("nosuch", "rowid", "_rowid_", "oid", "SECRET", "things", '"secret"', "secret "):
        unknown = refusal(table, named(other))
        assert (hidden.status, hidden.code, hidden.where) == (unknown.status, unknown.code, unknown.where)
        assert hidden.en.replace("'secret'", "") == unknown.en.replace(repr(other), "")
        assert hidden.zh.replace("'secret'", "") == unknown.zh.replace(repr(other), "")
    # The row number orders pages; it is neither shown nor to be filtered by.
    assert refusal(table, named("id")).code == "unknown_column"


def test_a_search_over_all_columns_does_not_look_into_hidden_ones(reader: Reader, table: TableSchema) -> None:
    shown = {name: column for name, column in table.columns.items() if name in ("name", "town")}
    assert ask(reader, table, Query((Filter(None, "search", "秘密"),)), shown) == []
    assert ask(reader, table, Query((Filter(None, "search", "秘密"),))) != []
    without_text = {"count": table.columns["count"]}
    assert ask(reader, table, Query((Filter(None, "search", "秘密"),)), without_text) == []


def test_rows_hold_the_columns_asked_for_and_no_other(reader: Reader, table: TableSchema) -> None:
    shown = {name: column for name, column in table.columns.items() if name in ("name", "town")}
    rows = ask(reader, table, Query(order=(Order("town"),), limit=3), shown)
    assert all(list(row) == ["name", "town"] for row in rows)
    rows = ask(reader, table, Query(columns=("town",), order=(Order("name"),), limit=3))
    assert all(list(row) == ["town"] for row in rows)


def test_the_authorizer_refuses_what_a_statement_may_not_read(reader: Reader, table: TableSchema) -> None:
    statement = build(table, table.columns, Query(columns=("secret",)))
    narrowed = replace(statement, reads=frozenset({"id", "name"}))
    with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
        reader.fetch(narrowed, 1)
    reader.fetch(statement, 1)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):  # compiled already, and still refused
        reader.fetch(narrowed, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM _rows LIMIT ?",
        "SELECT name FROM things, _rows LIMIT ?",
        "SELECT sql FROM sqlite_schema LIMIT ?",
        "SELECT load_extension('x') LIMIT ?",
        "SELECT count(*) FROM pragma_table_info('things') LIMIT ?",
        "PRAGMA query_only = ?",
        "ATTACH ? AS other",
        "DELETE FROM things WHERE id = ?",
        "UPDATE things SET name = ?",
        "CREATE TABLE x AS SELECT ?",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n LIMIT ?",
        "SELECT name FROM seen LIMIT ?",
        "SELECT name FROM words LIMIT ?",
    ],
)
def test_a_connection_does_nothing_but_read_the_table(reader: Reader, table: TableSchema, sql: str) -> None:
    statement = build(table, table.columns, Query())
    with pytest.raises(sqlite3.DatabaseError):
        reader.fetch(replace(statement, sql=sql, parameters=(1,)), 1)


# -- types ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("each", "where"),
    [
        (Filter("name", "=", 7), "filters[0].value"),
        (Filter("count", "=", "7"), "filters[0].value"),
        (Filter("count", "=", 7.5), "filters[0].value"),
        (Filter("id", "=", "1"), "filters[0].value"),
        (Filter("amount", "<", "7"), "filters[0].value"),
        (Filter("name", "in", ("7", 7)), "filters[0].value[1]"),
        (Filter("count", "prefix", "7"), "filters[0].op"),
        (Filter("amount", "search", "7"), "filters[0].op"),
    ],
)
def test_values_are_compared_with_their_own_kind(table: TableSchema, each: Filter, where: str) -> None:
    with pytest.raises(BodyError) as caught:
        build(table, table.columns, Query((each,)))
    assert (caught.value.code, caught.value.where) == ("wrong_type", where)


def test_an_order_names_a_column_once(table: TableSchema) -> None:
    with pytest.raises(BodyError) as caught:
        build(table, table.columns, Query(order=(Order("town"), Order("town", True))))
    assert caught.value.where == "order[1].column"


# -- which tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["_rows", "keyless", "seen", "words", "words_content", "sqlite_schema", "sqlite_master", "nosuch",
     "things ", "THINGS",
     "things; --", "", "物"],
)  # fmt: skip
def test_only_plain_named_tables_with_row_numbers_may_be_asked(schemas: Schemas, name: str) -> None:
    assert schemas.table("work", name) is None


@pytest.mark.parametrize("database", ["ledger", "identity", "main", "_internal", "..", ""])
def test_only_the_six_databases_may_be_asked(schemas: Schemas, database: str) -> None:
    assert schemas.table(database, "things") is None


def test_a_changed_table_is_seen_at_once(database: Path, schemas: Schemas, tmp_path: Path) -> None:
    before = schemas.table("work", "things")
    assert before is not None
    assert schemas.table("work", "things") is before
    with sqlite3.connect(database) as db:
        db.execute("ALTER TABLE things ADD COLUMN added TEXT")
    try:
        after = schemas.table("work", "things")
        assert after is not None
        assert "added" in after.columns
    finally:
        with sqlite3.connect(database) as db:
            db.execute("ALTER TABLE things DROP COLUMN added")


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Iterator[tuple[Readers, TableSchema]]:
    """A table whose search takes a while."""
    path = tmp_path / "work.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) "
            "INSERT INTO things SELECT x, printf('示例%d', x) FROM n"
        )
    schemas = Schemas(lambda _: path, lambda: Titles({}, ()))
    found = schemas.table("work", "things")
    assert found is not None
    readers = Readers(lambda _: path, 0.001)
    yield readers, found
    readers.close()
    schemas.close()


def test_a_slow_query_is_stopped_and_says_what_to_do(large: tuple[Readers, TableSchema]) -> None:
    readers, table = large
    statement = build(table, table.columns, Query((Filter("name", "search", "没有"),)))
    for _ in range(2):  # the first in the event loop and then in a thread, the second in a thread at once
        with pytest.raises(QueryError) as caught:
            asyncio.run(readers.fetch(statement))
        assert (caught.value.status, caught.value.code) == (408, "too_slow")


def test_one_that_is_too_slow_for_the_event_loop_is_answered_by_a_thread(large: tuple[Readers, TableSchema]) -> None:
    readers, table = large
    readers.limit_seconds = 30
    statement = build(table, table.columns, Query((Filter("name", "search", "300000"),)))
    assert asyncio.run(readers.fetch(statement)) == [(300000, "示例300000", 300000)]
    assert asyncio.run(readers.fetch(statement)) == [(300000, "示例300000", 300000)]


def test_too_many_slow_ones_at_once_are_told_to_wait(large: tuple[Readers, TableSchema]) -> None:
    readers, table = large
    readers.limit_seconds = 30
    statement = build(table, table.columns, Query((Filter("name", "search", "没有 也没有"),)))

    async def many() -> list[Any]:
        return await asyncio.gather(*(readers.fetch(statement) for _ in range(30)), return_exceptions=True)

    answers = asyncio.run(many())
    refused = [each for each in answers if isinstance(each, QueryError)]
    assert {(each.status, each.code, each.retry_after) for each in refused} == {(503, "busy", 5)}
    assert len(answers) - len(refused) == 20
