"""What an answer gives: a table (typed, pasted or from a sheet) and words; read, checked and digested. Pure.

Each row becomes an item under the entry's root (docs/spec/entry.md E20), with the names of its columns, so that one row
can be shown and proven without the others. Nothing is guessed: a cell is the text that was sent.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.desk import subjects
from catalog.desk.errors import DeskError
from catalog.desk.sent import SentFile
from catalog.desk.sheet import rows_of
from catalog.query.errors import BodyError
from ledger.cases.opening import MAX_SUBJECTS
from ledger.log import canonical
from ledger.rules.text_checks import STOP, check_text

MAX_ROWS = MAX_SUBJECTS
MAX_COLUMNS = 30
MAX_CELL_LENGTH = 1_000
#: The members of a form: rows that were typed, or a file with them.
FIELD, SHEET = "rows", "rows_file"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns; every row has a text for each column."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def to_items(self) -> list[dict[str, Any]]:
        """The values of the entry's items."""
        return [{"columns": list(self.columns), "cells": list(row)} for row in self.rows]

    @classmethod
    def of_items(cls, values: Iterable[Any]) -> Table:
        """The table of an entry's items, as far as they were not erased."""
        found = [each for each in values if isinstance(each, dict) and "cells" in each]
        columns = tuple(str(name) for name in found[0]["columns"]) if found else ()
        return cls(columns, tuple(tuple(str(cell) for cell in each["cells"]) for each in found))


@dataclass(frozen=True, slots=True)
class RowsShape:
    """The rows of a call: objects with the same members, every member a text."""

    def check(self, value: Any, where: str) -> None:
        good = isinstance(value, list) and len(value) <= MAX_ROWS and all(isinstance(each, dict) for each in value)
        if not good:
            raise BodyError(where, f"want a list of at most {MAX_ROWS} objects", f"应为不超过 {MAX_ROWS} 个对象的列表")

    def schema(self) -> dict[str, Any]:
        cell = {"type": "string", "maxLength": MAX_CELL_LENGTH}
        row = {"type": "object", "additionalProperties": cell, "minProperties": 1, "maxProperties": MAX_COLUMNS}
        return {"type": "array", "items": row, "maxItems": MAX_ROWS}


def digest(table: Table, text: str) -> str:
    """The SHA-256 of an answer, 64 hex digits: of the canonical JSON of columns, rows and text (docs/spec/cases.md)."""
    value: dict[str, Any] = {"columns": list(table.columns), "rows": [list(row) for row in table.rows], "text": text}
    return hashlib.sha256(canonical.encode(value)).hexdigest()


def given_table(given: Mapping[str, Any]) -> Table:
    """The table of a form (pasted, or a sheet, which holds) or of a call (a list of objects).

    Raises:
        DeskError: a cell, row or name that cannot be taken, with where it is.
    """
    sheet = (given.get("sheets") or {}).get(SHEET)
    if sheet is not None:
        return read(rows_of(sheet, FIELD))
    rows = given.get(FIELD)
    return of_objects(rows) if isinstance(rows, list) else read(subjects.pasted(str(rows or "")))


def as_typed(file: SentFile) -> str:
    """The rows of a file as they would be pasted, to stay in a form that is answered with an error.

    Raises:
        DeskError: 415, it is no table.
    """
    return "\n".join("\t".join(" ".join(cell.split()) for cell in row) for row in rows_of(file, FIELD))


def of_objects(values: Sequence[Any]) -> Table:
    """The table of a call: objects with the same members, texts all. Raises :class:`DeskError`."""
    if not values:
        return Table()
    if not all(isinstance(each, dict) and each.keys() == values[0].keys() for each in values):
        raise _wrong(1, "rows are objects with the same members", "各行应为字段相同的对象")
    columns = list(values[0])
    cells = [[each[name] for name in columns] for each in values]
    if not all(isinstance(cell, str) for row in cells for cell in row):
        raise _wrong(1, "cells are texts: nothing is guessed of numbers and dates", "单元格应为文本：不推断数字和日期")
    return read([columns, *cells])


def read(rows: Sequence[Sequence[str]]) -> Table:
    """The table whose first row names its columns.

    Raises:
        DeskError: a name is missing or twice, a row is longer than the names, too many, or holds a classified marking.
    """
    lines = [(number, [_clean(cell) for cell in row]) for number, row in enumerate(rows, start=1)]
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        return Table()
    (_, names), *rest = lines
    while names and not names[-1]:
        names.pop()
    if not all(names) or len(set(names)) != len(names):
        raise _wrong(1, "each column has a name of its own in the first row", "首行应为各列名称，不得空缺或重复")
    if not rest:
        raise _wrong(
            1, "there are column names and no row; put the names in the first row", "只有列名没有数据行；首行应为列名"
        )
    if len(rest) > MAX_ROWS or len(names) > MAX_COLUMNS:
        raise DeskError(
            FIELD,
            f"{len(rest)} rows of {len(names)} columns; at most {MAX_ROWS} rows of {MAX_COLUMNS}: attach a "
            f"longer table "
            "as a file",
            f"共 {len(rest)} 行 {len(names)} 列；最多 {MAX_ROWS} 行 {MAX_COLUMNS} 列：更长的表格请作为附件提供",
            code="too_many_rows",
        )
    return Table(tuple(names), tuple(_row(number, cells, len(names)) for number, cells in rest))


def _row(number: int, cells: list[str], width: int) -> tuple[str, ...]:
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) > width:
        raise _wrong(number, f"{len(cells)} cells for {width} columns", f"{len(cells)} 个单元格，只有 {width} 列")
    for cell in cells:
        if len(cell) > MAX_CELL_LENGTH:
            raise _wrong(
                number, f"a cell of more than {MAX_CELL_LENGTH} characters", f"单元格超过 {MAX_CELL_LENGTH} 字"
            )
        for found in check_text(cell, may_speak_of_secrecy=True):
            if found.action == STOP:
                raise _wrong(number, found.en, found.zh, found.code)
    return (*cells, *[""] * (width - len(cells)))


def _wrong(number: int, en: str, zh: str, code: str = "rows") -> DeskError:
    return DeskError(FIELD, f"row {number}: {en}", f"第 {number} 行：{zh}", code=code)


def _clean(cell: str) -> str:
    text = unicodedata.normalize("NFC", cell)
    return "".join(char for char in text if char == "\n" or char.isprintable()).strip()
