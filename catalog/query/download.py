"""The rows of a query as a file that opens in a spreadsheet: CSV with a byte order mark, or XLSX. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter

from catalog.excel import BYTE_ORDER_MARK, for_spreadsheets
from catalog.query.errors import QueryError

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Excel's own limits (Microsoft, "Excel specifications and limits"): a longer text would make the file damaged.
_MAX_CELL = 32_767
_MAX_EXACT_DIGITS = 15


def as_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """CSV with the columns' names; texts that a spreadsheet would run have an apostrophe before them."""
    text = io.StringIO(newline="")
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(for_spreadsheets(_shown(cell) for cell in row) for row in rows)
    return text.getvalue().encode("utf-8")


def as_xlsx(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """One sheet with the columns' titles; text stays text, whatever it looks like.

    Raises:
        QueryError: 413, a text is longer than a cell may be.
    """
    data = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(data, options) as book:
        sheet = book.add_worksheet(_sheet_name(title))
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        sheet.freeze_panes(1, 0)
        for column, heading in enumerate(headings):
            sheet.write_string(0, column, heading, bold)
        for line, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                shown = _shown(cell)
                if shown is None:
                    continue
                if isinstance(shown, str):
                    if len(shown) > _MAX_CELL:
                        raise _too_long(headings[column])
                    sheet.write_string(line, column, shown, text)
                else:
                    sheet.write_number(line, column, shown)
    return data.getvalue()


def _too_long(heading: str) -> QueryError:
    return QueryError(
        413,
        "cell_too_long",
        f"a value of {heading} is longer than a cell of a spreadsheet may be ({_MAX_CELL:,} characters); download CSV",
        f"“{heading}”有内容超过单元格上限（{_MAX_CELL:,} 字）；请改为下载 CSV",
    )


def _shown(cell: Any) -> str | int | float | None:
    """A value as a file holds it; a number with more digits than Excel keeps is written as text."""
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, int) and len(str(abs(cell))) > _MAX_EXACT_DIGITS:
        return str(cell)
    return cell if cell is None or isinstance(cell, (str, int, float)) else str(cell)


def _sheet_name(title: str) -> str:
    """Without what Excel does not take in the name of a sheet; at most 31 characters."""
    return "".join(" " if char in "[]:*?/\\'" else char for char in title)[:31].strip() or "1"
