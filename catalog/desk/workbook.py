"""The first sheet of an xlsx file as rows of texts: what offices send lists in. Strict, and no more than lists need.

Cells are read as they are stored: a number keeps its digits, a date is refused by whoever wants text, a formula counts
by the value that was stored with it. Source: ECMA-376 part 1, 18.3 (worksheets), 18.4 (shared strings).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from xml.etree import ElementTree

from catalog.desk.errors import DeskError

MAX_ROWS = 2_000
MAX_COLUMNS = 30
#: Unpacked; a list of 500 subjects takes a few hundred kB.
MAX_PART_BYTES = 16 * 1024 * 1024
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")


def read_rows(content: bytes) -> list[list[str]]:
    """The rows of the first sheet, without empty ones at the end.

    Raises:
        DeskError: it is no workbook, is damaged, or has more than a list has.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            strings = _strings(archive)
            return list(_rows(_part(archive, _first_sheet(archive)), strings))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, EOFError, OSError, ValueError, IndexError) as error:
        raise DeskError(
            "subjects",
            "the file is no workbook that can be read; save it as .xlsx without a password, or paste the rows",
            "该文件不是可读取的工作簿；请另存为不加密的 .xlsx，或直接粘贴各行",
            code="file_type",
            status=415,
        ) from error


def _part(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with archive.open(name) as part:
        data = part.read(MAX_PART_BYTES + 1)
    if len(data) > MAX_PART_BYTES or b"<!DOCTYPE" in data[:4096]:  # no part of a workbook has one
        raise ValueError(name)
    return ElementTree.fromstring(data)  # noqa: S314 - size and DOCTYPE are checked above


def _strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_text(item) for item in _part(archive, "xl/sharedStrings.xml").iter(f"{_SHEET}si")]


def _text(item: ElementTree.Element) -> str:
    """The text of a string: its own and its runs', not how it is pronounced."""
    parts = [item.findtext(f"{_SHEET}t") or ""]
    parts += [run.findtext(f"{_SHEET}t") or "" for run in item.findall(f"{_SHEET}r")]
    return "".join(parts)


def _first_sheet(archive: zipfile.ZipFile) -> str:
    sheet = next(_part(archive, "xl/workbook.xml").iter(f"{_SHEET}sheet"))
    for each in _part(archive, "xl/_rels/workbook.xml.rels"):
        if each.get("Id") == sheet.get(_REL):
            target = each.get("Target") or ""
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError("sheet")


def _rows(sheet: ElementTree.Element, strings: list[str]) -> Iterator[list[str]]:
    last = 0
    for row in sheet.iter(f"{_SHEET}row"):
        number = int(row.get("r") or last + 1)
        if number > MAX_ROWS or number <= last:
            raise ValueError(number)
        for _ in range(number - last - 1):
            yield []  # rows are named as the sheet numbers them
        last = number
        yield _cells(row, strings)


def _cells(row: ElementTree.Element, strings: list[str]) -> list[str]:
    found: list[str] = []
    for cell in row.iter(f"{_SHEET}c"):
        place = _CELL.fullmatch(cell.get("r") or "")
        column = _column(place[1]) if place else len(found)
        if column >= MAX_COLUMNS:
            break
        found += [""] * (column - len(found))
        found[column:] = [_value(cell, strings)]
    return found


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: ElementTree.Element, strings: list[str]) -> str:
    kind = cell.get("t") or "n"
    if kind == "inlineStr":
        inline = cell.find(f"{_SHEET}is")
        return _text(inline) if inline is not None else ""
    value = cell.findtext(f"{_SHEET}v") or ""
    return strings[int(value)] if kind == "s" else value
