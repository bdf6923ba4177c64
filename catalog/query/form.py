"""The query form: from its fields to a query, and what it offers. It asks as the API does. Pure.

Fields: ``column_1 op_1 value_1`` to ``_5``, ``order``, ``descending``, ``show`` (a column, any number of times),
``limit``, ``cursor`` and ``format``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.i18n import gettext
from catalog.listing import Operator
from catalog.query.errors import BodyError
from catalog.query.model import DEFAULT_LIMIT, MAX_LIMIT, NULL_OPS, Filter, Order, Query, Scalar, parse, to_json
from catalog.query.schema import Column

CONDITIONS = 5
LIMITS = (20, DEFAULT_LIMIT, 100, 200)
FORMATS = ("html", "csv", "xlsx")
#: The choice of a column that means any of them.
ANY = "*"
_SEPARATORS = re.compile(r"[\s,，、;；]+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,16}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]{1,10})?")

Sent = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One condition as it was filled in."""

    number: int
    column: str = ""
    op: str = "search"
    value: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """The form as it was filled in; its fields may say anything."""

    rows: tuple[Row, ...]
    order: str = ""
    descending: bool = False
    show: tuple[str, ...] = ()
    limit: str = str(DEFAULT_LIMIT)
    cursor: str = ""
    format: str = "html"

    @classmethod
    def of(cls, sent: Sent) -> Form:
        """The form that was sent; an empty one for nothing."""
        return cls(
            tuple(
                Row(
                    number,
                    _one(sent, f"column_{number}"),
                    _one(sent, f"op_{number}") or "search",
                    _one(sent, f"value_{number}").strip(),
                )
                for number in range(1, CONDITIONS + 1)
            ),
            _one(sent, "order"),
            bool(_one(sent, "descending")),
            tuple(sent.get("show", ())),
            _one(sent, "limit") or str(DEFAULT_LIMIT),
            _one(sent, "cursor"),
            _one(sent, "format") or "html",
        )

    @property
    def filled(self) -> list[Row]:
        """The conditions that say something."""
        return [row for row in self.rows if row.column]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The fields by which the same query is asked again, without page and format."""
        pairs = [
            pair
            for row in self.filled
            for pair in (
                (f"column_{row.number}", row.column),
                (f"op_{row.number}", row.op),
                (f"value_{row.number}", row.value),
            )
        ]
        pairs += [("order", self.order)] * bool(self.order) + [("descending", "1")] * self.descending
        return [*pairs, *(("show", name) for name in self.show), ("limit", self.limit)]

    def query(self, columns: Mapping[str, Column]) -> Query:
        """What the form asks, checked as a request of the API is.

        Args:
            columns: those that may be had.

        Raises:
            BodyError: a value that is no number where one is wanted, or what the API would refuse.
        """
        if self.format not in FORMATS or not re.fullmatch("[0-9]{1,4}", self.limit):
            raise BodyError("limit", "is not one of the choices", "不在可选范围内")
        whole = self.format != "html"
        query = Query(
            tuple(_filter(row, columns.get(row.column)) for row in self.filled),
            self.show,
            (Order(self.order, self.descending),) if self.order else (),
            MAX_LIMIT if whole else int(self.limit),
            "" if whole else self.cursor,
        )
        return parse(to_json(query))


def operators() -> list[Operator]:
    """The comparisons, in the reader's language; ``value`` as the API has them."""
    return [
        Operator("=", gettext("is")),
        Operator("search", gettext("contains")),
        Operator("prefix", gettext("begins with")),
        Operator("in", gettext("is one of")),
        Operator("!=", gettext("is not")),
        Operator(">", gettext("is greater or later than")),
        Operator(">=", gettext("is at least, or not before")),
        Operator("<", gettext("is less or earlier than")),
        Operator("<=", gettext("is at most, or not after")),
        Operator("is null", gettext("is empty")),
        Operator("is not null", gettext("is not empty")),
    ]


def _filter(row: Row, column: Column | None) -> Filter:
    where = f"value_{row.number}"
    if row.op in NULL_OPS:
        return Filter(row.column, row.op)
    if row.column == ANY:
        return Filter(None, "search", row.value)
    if not row.value:
        raise BodyError(where, "say what to compare with", "请填写要比较的值")
    if row.op == "in":
        parts = [part for part in _SEPARATORS.split(row.value) if part]
        return Filter(row.column, row.op, tuple(_value(part, column, where) for part in parts))
    return Filter(row.column, row.op, _value(row.value, column, where))


def _value(text: str, column: Column | None, where: str) -> Scalar:
    """A value of the column's kind; of a column that may not be had as it stands, the query says so."""
    if column is None or column.kind == "text":
        return text
    if column.kind == "integer":
        if not _INTEGER.fullmatch(text):
            raise BodyError(where, f"{text[:40]!r} is no whole number", f"{text[:40]!r} 不是整数")
        return int(text)
    if not _NUMBER.fullmatch(text):
        raise BodyError(where, f"{text[:40]!r} is no number", f"{text[:40]!r} 不是数")
    return float(text)


def _one(sent: Sent, name: str) -> str:
    values = sent.get(name) or [""]
    return values[0]
