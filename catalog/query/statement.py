"""From a query to one SELECT: names from the schema alone, values only ever bound. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.query.errors import BodyError
from catalog.query.model import COMPARISONS, NULL_OPS, Filter, Order, Query, Scalar
from catalog.query.schema import Column, TableSchema
from catalog.titles import ROW_ID

#: A value of SQLite as Python has it.
Value = str | int | float | bytes | None
_NULL_SQL = {"is null": "IS NULL", "is not null": "IS NOT NULL"}
_COMPARE_SQL = {op: op if op != "!=" else "<>" for op in COMPARISONS}
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Statement:
    """A SELECT ready to run.

    Attributes:
        columns: those of the answer; each row has after them the values of the order's keys and the row number.
        reads: the columns that the statement may read, whatever its text says.
        limit: at most so many rows are wanted; one more is fetched, to know whether there are more.
    """

    database: str
    table: str
    sql: str
    parameters: tuple[Value, ...]
    columns: tuple[str, ...]
    reads: frozenset[str]
    limit: int


def chosen(columns: Mapping[str, Column], query: Query) -> tuple[str, ...]:
    """The columns of the answer: those asked for, or all that may be had.

    Args:
        columns: those that may be had.

    Raises:
        BodyError: one of them may not be had, or does not exist: nobody is told which.
    """
    for index, name in enumerate(query.columns):
        _column(columns, name, f"columns[{index}]")
    return query.columns or tuple(columns)


def build(
    schema: TableSchema, columns: Mapping[str, Column], query: Query, after: Sequence[Value] | None = None
) -> Statement:
    """The statement of ``query``.

    Args:
        columns: those of ``schema`` that may be had; no other is read, save the row number.
        after: the values of the order's keys and the row number of the last row of the page before.

    Raises:
        BodyError: a column that may not be had or does not exist, a value that does not fit the column's type.
    """
    names = chosen(columns, query)
    keys = order_keys(columns, query.order)
    conditions: list[str] = []
    parameters: list[Value] = []
    for index, each in enumerate(query.filters):
        sql, values = _condition(columns, each, f"filters[{index}]")
        conditions.append(sql)
        parameters += values
    if after is not None:
        sql, values = _after(keys, after)
        conditions.append(sql)
        parameters += values
    selected = ", ".join(_quoted(name) for name in (*names, *(key.column for key in keys)))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(_quoted(key.column) + (" DESC" if key.descending else "") for key in keys)
    sql = f"SELECT {selected} FROM {_quoted(schema.table)}{where} ORDER BY {order} LIMIT ?"  # noqa: S608 - from the schema
    return Statement(
        schema.database,
        schema.table,
        sql,
        (*parameters, query.limit + 1),
        names,
        frozenset(columns) | {ROW_ID},
        query.limit,
    )


def order_keys(columns: Mapping[str, Column], order: Sequence[Order]) -> tuple[Order, ...]:
    """All keys of the order: what is asked for, and the row number at the end, so that no two rows are equal.

    Raises:
        BodyError: a column that may not be had, or one given twice.
    """
    seen: set[str] = set()
    for index, key in enumerate(order):
        where = f"order[{index}].column"
        _column(columns, key.column, where)
        if key.column in seen:
            raise BodyError(where, "is given twice", "重复出现")
        seen.add(key.column)
    return (*order, Order(ROW_ID)) if ROW_ID not in seen else tuple(order)


# -- conditions -------------------------------------------------------------------------------------------------------


def _condition(columns: Mapping[str, Column], each: Filter, where: str) -> tuple[str, list[Value]]:
    if each.column is None:
        return _search(list(_text_columns(columns)), str(each.value))
    column = _column(columns, each.column, f"{where}.column")
    name = _quoted(column.name)
    if each.op in NULL_OPS:
        return f"{name} {_NULL_SQL[each.op]}", []
    if each.op == "in":
        given = each.value if isinstance(each.value, tuple) else ()
        values = [_fitting(column, value, f"{where}.value[{index}]") for index, value in enumerate(given)]
        return f"{name} IN ({', '.join('?' * len(values))})", values
    if each.op in ("prefix", "search"):
        if column.kind != "text":
            raise _wrong_type(column, f"{where}.op")
        return _prefix(name, str(each.value)) if each.op == "prefix" else _search([name], str(each.value))
    value = each.value if isinstance(each.value, (str, int, float)) else ""
    return f"{name} {_COMPARE_SQL[each.op]} ?", [_fitting(column, value, f"{where}.value")]


def _prefix(name: str, value: str) -> tuple[str, list[Value]]:
    """Texts from ``value`` up to the first that no longer begins with it: SQLite orders text by code point in UTF-8."""
    beyond = _next_text(value)
    if beyond is None:
        return f"{name} >= ?", [value]
    return f"({name} >= ? AND {name} < ?)", [value, beyond]


def _next_text(value: str) -> str | None:
    """The least text after all that begin with ``value``; None where there is none."""
    kept = value.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    return kept[:-1] + chr(following)


def _search(names: Sequence[str], value: str) -> tuple[str, list[Value]]:
    """Every word of ``value`` is somewhere in the columns ``names``; ASCII letters of either case, as LIKE has it."""
    words = value.split()
    if not words or not names:  # only spaces, which every text contains; or nothing to search in
        return ("1" if names else "0"), []
    one = " OR ".join(f"{name} LIKE ? ESCAPE '\\'" for name in names)
    parameters: list[Value] = []
    for word in words:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parameters += [f"%{escaped}%"] * len(names)
    return " AND ".join(f"({one})" for _ in words), parameters


def _text_columns(columns: Mapping[str, Column]) -> list[str]:
    """What a search without a column looks through: texts of the source, not our own marks of a row."""
    return [_quoted(name) for name, column in columns.items() if column.kind == "text" and not name.startswith("_")]


def _after(keys: Sequence[Order], last: Sequence[Value]) -> tuple[str, list[Value]]:
    """Rows that come after the one whose keys are ``last``. SQLite: NULL is before every value."""
    alternatives: list[str] = []
    parameters: list[Value] = []
    for position, (key, value) in enumerate(zip(keys, last, strict=True)):
        equal = [f"{_quoted(each.column)} IS ?" for each in keys[:position]]
        name = _quoted(key.column)
        if key.descending:
            beyond, values = (f"({name} < ? OR {name} IS NULL)", [value]) if value is not None else ("0", [])
        else:
            beyond, values = (f"{name} > ?", [value]) if value is not None else (f"{name} IS NOT NULL", [])
        alternatives.append(" AND ".join([*equal, beyond]))
        parameters += [*last[:position], *values]
    return f"({' OR '.join(f'({each})' for each in alternatives)})", parameters


# -- names and values -------------------------------------------------------------------------------------------------


def _column(columns: Mapping[str, Column], name: str, where: str) -> Column:
    found = columns.get(name)
    if found is None:
        # The same words for a column that is hidden and for one that does not exist.
        known = ", ".join(columns)
        raise BodyError(
            where,
            f"{name[:64]!r} is not a column that you may query here; those are {known}",
            f"{name[:64]!r} 不是可查询的字段；可查询：{known}",
            code="unknown_column",
        )
    return found


def _fitting(column: Column, value: Scalar, where: str) -> Value:
    wanted = {"text": (str,), "integer": (int,), "number": (int, float)}[column.kind]
    if column.kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) not in wanted:
        raise _wrong_type(column, where)
    return value


def _wrong_type(column: Column, where: str) -> BodyError:
    en = {"text": "text", "integer": "whole numbers", "number": "numbers"}[column.kind]
    zh = {"text": "文本", "integer": "整数", "number": "数"}[column.kind]
    return BodyError(
        where,
        f"column {column.name} holds {en}; compare it with {en}",
        f"字段 {column.name} 为{zh}；请与{zh}比较",
        code="wrong_type",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def row_key(statement: Statement, row: Sequence[Any]) -> list[Any]:
    """The order's keys of a fetched row, for the cursor."""
    return list(row[len(statement.columns) :])
