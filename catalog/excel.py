"""CSV files that a spreadsheet opens as what they are: Chinese stays Chinese, and text stays text.

A byte order mark goes before a file to save: without it Chinese editions of Excel and WPS read the file in the
system's old encoding. And a cell of text that begins with ``= + - @``, a tab or a carriage return gets a leading
apostrophe unless it is a plain negative number: a spreadsheet would run it as a formula (OWASP, "CSV Injection"), and
whoever files a name with an agency may choose its letters. CSV that programs read and JSON stay exact, and so does
what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
#: What makes a spreadsheet take a cell for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
#: Negative numbers as SQLite's integers and reals are written. None is written with a plus: that is a text.
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def for_spreadsheets(row: Iterable[Any]) -> list[Any]:
    """A row without cells that a spreadsheet would run."""
    return [_inert(cell) for cell in row]


def _inert(cell: Any) -> Any:
    """A cell that no spreadsheet runs as a formula."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA_STARTS) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"
