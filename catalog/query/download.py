"""The rows of a query as a file that opens in a spreadsheet: CSV with a byte order mark, or XLSX. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from catalog.excel import BYTE_ORDER_MARK, for_spreadsheets
from catalog.query.errors import QueryError
from catalog.xlsx import CELL_LIMIT, Column, workbook

CSV_TYPE = "text/csv; charset=utf-8"
#: Excel keeps no more digits of a number.
_MAX_EXACT_DIGITS = 15
_WIDTH = 18
#: What Excel does not take in the name of a sheet.
_NO_SHEET = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))

Cell = str | float | None


def as_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """CSV with the columns' names; texts that a spreadsheet would run have an apostrophe before them."""
    text = io.StringIO(newline="")
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(for_spreadsheets(map(_shown, row)) for row in rows)
    return text.getvalue().encode("utf-8")


def as_xlsx(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]], at: datetime) -> bytes:
    """One sheet with the columns' titles; text stays text, whatever it looks like.

    Raises:
        QueryError: 413, a text is longer than a cell may be.
    """
    columns = [Column(heading, _WIDTH) for heading in headings]
    cells = [[_fitting(cell, heading) for cell, heading in zip(row, headings, strict=True)] for row in rows]
    return workbook(title.translate(_NO_SHEET).strip() or "1", (), columns, cells, at)


def _fitting(cell: Any, heading: str) -> Cell:
    shown = _shown(cell)
    if isinstance(shown, str) and len(shown) > CELL_LIMIT:
        raise QueryError(
            413,
            "cell_too_long",
            f"a value of {heading} is longer than a cell of a spreadsheet may be ({CELL_LIMIT:,} characters); "
            "download CSV",
            f"“{heading}”有内容超过单元格上限（{CELL_LIMIT:,} 字）；请改为下载 CSV",
        )
    if isinstance(shown, int) and len(str(abs(shown))) > _MAX_EXACT_DIGITS:
        return str(shown)
    return shown


def _shown(cell: Any) -> Cell:
    if isinstance(cell, bytes):  # none of our tables holds any
        return cell.hex()
    return cell if cell is None or isinstance(cell, (str, int, float)) else str(cell)
