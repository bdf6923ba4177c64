"""The table of subjects: pasted or from a sheet, each wrong row named."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from catalog import xlsx
from catalog.desk import subjects
from catalog.desk.errors import DeskError, RowsError
from catalog.desk.subjects import Subject
from catalog.desk.workbook import MAX_ROWS, read_rows
from tests.catalog.desk.test_files import archive

#: Invented numbers whose check digits hold.
ID_NUMBER, CREDIT_CODE = "110101199003070011", "91370300MA00000000"


def read(text: str) -> tuple[Subject, ...]:
    return subjects.read(subjects.pasted(text))


def credit_code(first: str) -> str:
    return next(first + last for last in "0123456789ABCDEFGHJKLMNPQRTUWXY" if subjects._is_credit_code(first + last))


def id_number(first: str) -> str:
    return next(first + last for last in "0123456789X" if subjects._is_id_number(first + last))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("甲公司", [("甲公司", "", "")]),
        ("甲公司，,备注", [("甲公司", "", "备注")]),
        ("甲公司\t\t备注\n\n乙\t鲁C12345", [("甲公司", "", "备注"), ("乙", "鲁C12345", "")]),
        ("代码,名称\nabc-1,甲", [("甲", "ABC-1", "")]),
        ("名称\t证件号码\n甲\tSF-2026-17", [("甲", "SF-2026-17", "")]),
    ],
)
def test_rows_are_read_as_offices_write_them(text: str, rows: list[tuple[str, str, str]]) -> None:
    assert [(each.name, each.code, each.note) for each in read(text)] == rows


def test_numbers_with_blanks_are_joined_and_checked() -> None:
    number = id_number("11010119900307001")
    spaced = f"{number[:6]} {number[6:14]} {number[14:]}"
    assert read(f"甲,{spaced}")[0].code == number
    assert read(f"甲,{credit_code('91370300MA0000000')}")[0].name == "甲"


@pytest.mark.parametrize(
    ("text", "row", "word"),
    [
        (",,x", 1, "名称和代码"),
        ("名称,代码\n甲,\n,,x", 3, "名称和代码"),
        ("甲\n甲", 2, "重复"),
        ("甲,110101199003070012", 1, "校验位"),
        ("甲,91370300MA00000001", 1, "校验位"),
        ("甲,1.10101E+17", 1, "取整"),
        ("甲,110101199003070000", 1, "取整"),
        ("甲,1,2,3", 1, "列数"),
        ("甲" * 201, 1, "200"),
    ],
)
def test_a_row_that_cannot_be_is_named(text: str, row: int, word: str) -> None:
    with pytest.raises(RowsError) as caught:
        read(text)
    number, en, zh = caught.value.rows[0]
    assert number == row and word in zh and en.isascii()
    assert caught.value.details["rows"][0]["row"] == row


def test_all_wrong_rows_are_named_at_once() -> None:
    with pytest.raises(RowsError) as caught:
        read("甲\n,,x\n甲\n乙")
    assert [number for number, _, _ in caught.value.rows] == [2, 3]


def test_five_hundred_are_taken_and_one_more_is_not() -> None:
    text = "\n".join(f"对象{number}" for number in range(500))
    assert len(read(text)) == 500
    with pytest.raises(DeskError) as caught:
        read(f"{text}\n再一个")
    assert caught.value.code == "too_many_subjects"


@given(st.text(max_size=300))
def test_whatever_is_pasted_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except DeskError:
        return
    for each in found:
        assert each.name or each.code
        assert Subject.of_value(each.to_value()) == each


@given(st.text("0123456789", min_size=17, max_size=17))
def test_one_check_digit_of_an_identity_number_holds(first: str) -> None:
    assert sum(subjects._is_id_number(first + last) for last in "0123456789X") == 1


# -- sheets -----------------------------------------------------------------------------------------------------------


def test_the_first_sheet_of_a_workbook_is_read() -> None:
    columns = [xlsx.Column("名称", 20), xlsx.Column("代码", 20)]
    content = xlsx.workbook("清单", [], columns, [("甲公司", "鲁C12345"), ("乙", "")], datetime(2026, 1, 1, tzinfo=UTC))
    assert [each.name for each in subjects.read(read_rows(content))] == ["甲公司", "乙"]


def test_rows_keep_the_numbers_that_the_sheet_gives_them() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_string(0, 0, "甲")
        sheet.write_string(4, 2, "只有备注")
        sheet.write_rich_string(5, 0, "乙", book.add_format({"bold": True}), "公司")
        sheet.write_number(6, 1, 17)
    rows = read_rows(out.getvalue())
    assert (rows[4], rows[5][0], rows[6][1]) == (["", "", "只有备注"], "乙公司", "17")
    with pytest.raises(RowsError) as caught:
        subjects.read(rows)
    assert caught.value.rows[0][0] == 5


def test_a_number_that_a_sheet_rounded_is_not_taken_for_an_identity_number() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.add_worksheet().write_row(0, 0, ["甲", 110101199003070011])
    with pytest.raises(RowsError):
        subjects.read(read_rows(out.getvalue()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\xd0\xcf\x11\xe0 an old or encrypted workbook",
        archive("xl/workbook.xml"),
        archive("xl/workbook.xml", "xl/_rels/workbook.xml.rels"),
    ],
)
def test_what_is_no_workbook_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(DeskError) as caught:
        read_rows(content)
    assert caught.value.status == 415


def test_a_sheet_with_a_far_row_takes_no_room() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.add_worksheet().write_string(MAX_ROWS + 10, 0, "甲")
    with pytest.raises(DeskError):
        read_rows(out.getvalue())
