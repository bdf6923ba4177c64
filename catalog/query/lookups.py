"""What may be asked in one call of many subjects: the shape of the request, and its look-ups. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.query.model import MAX_COLUMNS, NAME, PURPOSE, TABLE
from catalog.query.shapes import Integer, ListOf, Member, OneOf, Record, Text, Truth
from ingest.schema import SUBJECT_ROLES
from ledger import CATEGORIES

__all__ = ["BATCH", "LOOKUP", "MAX_LOOKUPS", "SUBJECT_ROLES", "Batch", "Lookup", "parse"]

MAX_LOOKUPS = 500
DEFAULT_ROWS = 20
MAX_ROWS = 100
MAX_VALUE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Lookup:
    """Rows of one table whose column is a value; ``given`` is the look-up as the request has it."""

    database: str
    table: str
    column: str
    value: str
    columns: tuple[str, ...]
    given: Mapping[str, Any]

    @property
    def resource(self) -> str:
        return f"{self.database}/{self.table}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Look-ups for one purpose; ``limit``: at most so many rows for each."""

    lookups: tuple[Lookup, ...]
    limit: int
    purpose: Mapping[str, Any] | None
    receipt: bool

    @property
    def resources(self) -> list[str]:
        """The tables that are asked, each once, in alphabetical order."""
        return sorted({each.resource for each in self.lookups})


LOOKUP = Record(
    {
        "database": Member(OneOf(tuple(CATEGORIES)), "The category's database.", "类别数据库。", required=True),
        "table": Member(TABLE, "The table.", "数据表。", required=True),
        "column": Member(
            NAME,
            "A column by which a subject is known: a code, name, identity or document number.",
            "能识别对象的字段：代码、名称、证件号码或文号。",
            required=True,
        ),
        "value": Member(Text(MAX_VALUE_LENGTH, 1), "What it is, exactly.", "完全相等的值。", required=True),
        "columns": Member(
            ListOf(NAME, MAX_COLUMNS, 1, unique=True),
            "Columns of the answer; left out: all that you may have.",
            "返回的字段；省略则为可查询的全部字段。",
        ),
        "salt": Member(
            Text(128, 16),
            "Random characters of your own: with them nothing that was signed lets anybody guess an erased look-up.",
            "自行生成的随机字符：抹除某项后，无法由签名内容猜出该项。",
        ),
    },
    "Lookup",
)

BATCH = Record(
    {
        "lookups": Member(ListOf(LOOKUP, MAX_LOOKUPS, 1), "The look-ups.", "查询项。", required=True),
        "limit": Member(
            Integer(1, MAX_ROWS),
            f"At most so many rows for each; {DEFAULT_ROWS} if left out.",
            f"每项最多行数；默认 {DEFAULT_ROWS}。",
        ),
        "purpose": Member(
            PURPOSE, "Why it is asked; required unless all data is unconditional.", "查询事由；非无条件共享的数据必填。"
        ),
        "receipt": Member(Truth(), "Give the receipt in the answer.", "在答复中附回执。"),
    },
    "Batch",
)


def parse(value: Any) -> Batch:
    """Read a request of many look-ups.

    Raises:
        BodyError: it does not have the shape :data:`BATCH`.
    """
    BATCH.check(value, "")
    lookups = tuple(
        Lookup(each["database"], each["table"], each["column"], each["value"], tuple(each.get("columns", ())), each)
        for each in value["lookups"]
    )
    return Batch(lookups, int(value.get("limit", DEFAULT_ROWS)), value.get("purpose"), value.get("receipt", False))
