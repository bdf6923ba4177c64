"""A list as a spreadsheet file, for offices that work in Excel and WPS. Text stays text: nothing is run or guessed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import xlsxwriter

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: A cell holds no more characters (Excel's own limit).
CELL_LIMIT = 32_767
#: Control characters that XML 1.0 cannot hold.
_UNWRITABLE = {code: "�" for code in range(32) if code not in (9, 10, 13)}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title and its width in characters."""

    title: str
    width: int


def workbook(
    name: str,
    notes: Sequence[str],
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | float | None]],
    at: datetime,
) -> bytes:
    """One sheet: notes on top, a header that stays in sight, a filter, and the rows.

    Args:
        name: of the sheet.
        at: when it was made, aware.
    """
    out = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, {"in_memory": True, **plain})
    book.set_properties({"created": at.replace(tzinfo=None)})
    sheet = book.add_worksheet(name[:31])
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "vcenter"})
    cell = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    number = book.add_format({"valign": "top", "num_format": "0"})
    for line, note in enumerate(notes):
        sheet.write_string(line, 0, _text(note))
    top = len(notes)
    for position, column in enumerate(columns):
        sheet.set_column(position, position, column.width)
        sheet.write_string(top, position, _text(column.title), head)
    last = top
    for last, row in enumerate(rows, start=top + 1):
        for position, value in enumerate(row):
            if isinstance(value, int):
                sheet.write_number(last, position, value, number)
            elif isinstance(value, float):
                sheet.write_number(last, position, value)
            elif value:
                sheet.write_string(last, position, _text(value), cell)
    sheet.freeze_panes(top + 1, 0)
    sheet.autofilter(top, 0, last, len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)
    book.close()
    return out.getvalue()


def _text(value: str) -> str:
    return value.translate(_UNWRITABLE)[:CELL_LIMIT]
