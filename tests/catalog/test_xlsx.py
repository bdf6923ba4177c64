"""Spreadsheet files, read back from their parts (ECMA-376)."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from xml.etree import ElementTree

from catalog.xlsx import Column, workbook

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
COLUMNS = [Column("编号", 8), Column("内容", 40), Column("行数", 8)]


def read(body: bytes) -> list[list[object]]:
    """The cells of the first sheet: texts as they are shared or inline, numbers as integers, absent ones empty."""
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        sheet = ElementTree.fromstring(file.read("xl/worksheets/sheet1.xml"))
        shared = ElementTree.fromstring(file.read("xl/sharedStrings.xml"))
    texts = ["".join(item.itertext()) for item in shared]
    rows: list[list[object]] = []
    for row in sheet.iter(f"{SHEET}row"):
        cells = {str(cell.get("r"))[0]: cell for cell in row}
        rows.append([_value(cells.get(letter), texts) for letter in "ABC"][: 3 if len(cells) > 1 else 1])
    return rows


def _value(cell: ElementTree.Element | None, texts: list[str]) -> object:
    if cell is None:
        return ""
    value = int("".join(cell.itertext()))
    return texts[value] if cell.get("t") == "s" else value


def test_text_stays_text_and_numbers_are_numbers() -> None:
    rows = [["00123", "=1+1", 3], ["370323199001010000", "http://x/", None], ["NA", "甲\n乙", 0]]
    found = read(workbook("查询", ["说明"], COLUMNS, rows, AT))
    assert found[0][0] == "说明"
    assert found[1] == ["编号", "内容", "行数"]
    assert found[2] == ["00123", "=1+1", 3]
    assert found[3] == ["370323199001010000", "http://x/", ""]
    assert found[4][:2] == ["NA", "甲\n乙"]


def test_nothing_in_it_is_a_formula_or_a_link() -> None:
    body = workbook("x", [], COLUMNS, [["=cmd|'/c calc'!A1", "+1", 1], ["@x", "-1", 2]], AT)
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        sheet = file.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet


def test_what_no_spreadsheet_can_hold_is_marked_or_cut() -> None:
    found = read(workbook("x", [], COLUMNS, [["a\x00b", "x" * 40_000, 1]], AT))
    assert found[1][0] == "a�b"
    assert len(str(found[1][1])) == 32_767


def test_no_rows_is_a_file_too() -> None:
    assert read(workbook("x", [], COLUMNS, [], AT)) == [["编号", "内容", "行数"]]


def test_the_same_list_makes_the_same_file() -> None:
    assert workbook("x", ["n"], COLUMNS, [["1", "2", 3]], AT) == workbook("x", ["n"], COLUMNS, [["1", "2", 3]], AT)
