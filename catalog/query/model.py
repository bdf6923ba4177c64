"""What may be asked of one table: the shape of the request, and the request as the package reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import purpose
from catalog.query.shapes import AnyOf, Cases, Integer, ListOf, Member, Number, OneOf, Record, Shape, Text, Truth

DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000
MAX_FILTERS = 20
MAX_IN = 500
MAX_ORDER = 4
MAX_COLUMNS = 500
MAX_VALUE_LENGTH = 1_000
MAX_SEARCH_LENGTH = 100
MAX_NAME_LENGTH = 64
#: A cursor holds the last row's values of the columns of the order; there is room for the rest of the body beside it.
MAX_CURSOR_LENGTH = 64_000

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
TEXT_OPS = ("prefix", "search")
NULL_OPS = ("is null", "is not null")

Scalar = str | int | float


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; ``column`` is None for a search over all text columns; ``value`` a tuple for ``in``."""

    column: str | None
    op: str
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One key of the order; rows that are equal in all keys come in the order of their row numbers."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A request whose form was checked; whether its columns exist and may be had is not yet known.

    Attributes:
        columns: what is asked for; empty for all that may be had.
        purpose: as it was given, for :func:`catalog.purpose.parse`.
    """

    filters: tuple[Filter, ...] = ()
    columns: tuple[str, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = DEFAULT_LIMIT
    cursor: str = ""
    purpose: Mapping[str, Any] | None = None
    receipt: bool = False


NAME = Text(MAX_NAME_LENGTH, 1)
TABLE = Text(63, 1, "[a-z][a-z0-9_]*", "a table's name: lower-case ASCII", "数据表名（小写英文字母、数字和下划线）")
SCALAR = AnyOf({str: Text(MAX_VALUE_LENGTH), int: Number(), float: Number()}, "a text or a number", "文本或数")

PURPOSE = Record(
    {
        "code": Member(OneOf(tuple(purpose.CODES)), "Code of the purpose.", "事由代码。", required=True),
        "reference": Member(
            Text(purpose.MAX_REFERENCE_LENGTH),
            "The reference whose kind the code fixes: case number, task number, document number.",
            "代码所要求的案号、任务号或文号。",
            required=True,
        ),
        "words": Member(
            Text(purpose.MAX_WORDS_LENGTH),
            "In words; required with code other.",
            "文字说明；代码为 other 时必填。",
        ),
        "participants": Member(
            ListOf(Text(MAX_NAME_LENGTH, 1), purpose.MAX_PARTICIPANTS),
            "Ids of the agencies that act together, the lead first; required with joint and coordinated.",
            "共同参加单位的代码，牵头单位在前；joint、coordinated 时必填。",
        ),
    },
    "Purpose",
)


def filters_shape(name: Shape = NAME) -> Shape:
    """The shape of one filter on a column of shape ``name``."""
    column = Member(name, "The column.", "字段。", required=True)

    def record(op: tuple[str, ...], *, value: Member | None, where: Member = column) -> Record:
        said = Member(OneOf(op), "The comparison.", "比较方式。", required=True)
        return Record({"column": where, "op": said, **({"value": value} if value is not None else {})})

    return Cases(
        "op",
        (
            record(COMPARISONS, value=Member(SCALAR, "What to compare with.", "比较的值。", required=True)),
            record(("in",), value=Member(ListOf(SCALAR, MAX_IN, 1), "Any of these.", "其中之一。", required=True)),
            record(
                ("prefix",),
                value=Member(Text(MAX_VALUE_LENGTH, 1), "How the text begins.", "文本的开头。", required=True),
            ),
            record(
                ("search",),
                value=Member(
                    Text(MAX_SEARCH_LENGTH, 1),
                    "Words, all of which the text contains.",
                    "以空格分开的词，须全部包含。",
                    required=True,
                ),
                where=Member(name, "The column; left out: any text column.", "字段；省略则为任一文本字段。"),
            ),
            record(NULL_OPS, value=None),
        ),
    )


def query_shape(name: Shape = NAME) -> Record:
    """The shape of a request on one table; ``name``: what a column's name may be."""
    return Record(
        {
            "filters": Member(
                ListOf(filters_shape(name), MAX_FILTERS), "Conditions, all of which hold.", "条件，须全部满足。"
            ),
            "columns": Member(
                ListOf(name, MAX_COLUMNS, 1, unique=True),
                "Columns of the answer; left out: all that you may have.",
                "返回的字段；省略则为可查询的全部字段。",
            ),
            "order": Member(
                ListOf(
                    Record(
                        {
                            "column": Member(name, "The column.", "字段。", required=True),
                            "descending": Member(Truth(), "Largest first.", "由大到小。"),
                        }
                    ),
                    MAX_ORDER,
                ),
                "Order; rows equal in all of it come in the order of their row numbers.",
                "排序；相同者按行号排列。",
            ),
            "limit": Member(
                Integer(1, MAX_LIMIT),
                f"At most so many rows; {DEFAULT_LIMIT} if left out.",
                f"最多行数；默认 {DEFAULT_LIMIT}。",
            ),
            "cursor": Member(
                Text(MAX_CURSOR_LENGTH, 1),
                "What “next” of the answer before was; the rest of the request stays the same.",
                "上一答复中的 next；其余内容须不变。",
            ),
            "purpose": Member(
                PURPOSE,
                "Why it is asked; required unless the data is unconditional.",
                "查询事由；非无条件共享的数据必填。",
            ),
            "receipt": Member(Truth(), "Give the receipt in the answer.", "在答复中附回执。"),
        },
        "Query",
    )


QUERY = query_shape()


def parse(value: Any) -> Query:
    """Read a request on one table.

    Raises:
        BodyError: it does not have the shape :data:`QUERY`.
    """
    QUERY.check(value, "")
    return Query(
        tuple(_filter(each) for each in value.get("filters", ())),
        tuple(value.get("columns", ())),
        tuple(Order(each["column"], each.get("descending", False)) for each in value.get("order", ())),
        int(value.get("limit", DEFAULT_LIMIT)),
        value.get("cursor", ""),
        value.get("purpose"),
        value.get("receipt", False),
    )


def _filter(value: Mapping[str, Any]) -> Filter:
    given = value.get("value")
    return Filter(value.get("column"), value["op"], tuple(given) if type(given) is list else given)


def to_json(query: Query) -> dict[str, Any]:
    """The request that :func:`parse` would read as ``query``, without purpose and receipt."""
    value: dict[str, Any] = {
        "filters": [
            {
                **({"column": each.column} if each.column is not None else {}),
                "op": each.op,
                **(
                    {"value": list(each.value) if isinstance(each.value, tuple) else each.value}
                    if each.value is not None
                    else {}
                ),
            }
            for each in query.filters
        ],
        "columns": list(query.columns),
        "order": [{"column": each.column, "descending": each.descending} for each in query.order],
        "cursor": query.cursor,
    }
    return {"limit": query.limit, **{name: given for name, given in value.items() if given}}
