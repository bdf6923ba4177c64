"""Files: every format and encoding that is read, and everything that is refused, with its place."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ReadError
from ingest.read_json import JsonArray
from ingest.readers import SourceFile, open_source
from tests.ingest.helpers import error_of

HEADER = "编号,名称,数量"
ROWS = ["001,示例甲,NA", '002,"示例,乙",null', '003,"两\n行",00']
VALUES = [
    {"编号": "001", "名称": "示例甲", "数量": "NA"},
    {"编号": "002", "名称": "示例,乙", "数量": "null"},
    {"编号": "003", "名称": "两\n行", "数量": "00"},
]


def write(folder: Path, name: str, content: bytes | str) -> Path:
    """Write a file; text as UTF-8."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **options: Any) -> tuple[SourceFile, list[tuple[int, dict[str, Any]]]]:
    """Read a file whole."""
    with open_source(path, **options) as source:
        return source, [(record.number, record.values) for record in source.records()]


def refused(path: Path, **options: Any) -> Any:
    """The error that reading a file raises."""
    return error_of(ReadError, lambda: read(path, **options))


@pytest.mark.parametrize(
    ("encode", "used"),
    [
        (lambda text: text.encode(), "utf-8-sig"),
        (lambda text: text.encode("utf-8-sig"), "utf-8-sig"),
        (lambda text: text.encode("gb18030"), "gb18030"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_in_utf8_with_and_without_bom_and_in_gb18030(
    tmp_path: Path, encode: Callable[[str], bytes], used: str, end: str
) -> None:
    path = write(tmp_path, "a.csv", encode(end.join([HEADER, *ROWS]) + end))
    source, records = read(path)
    assert source.encoding == used
    assert source.columns == ("编号", "名称", "数量")
    assert (source.scan.rows, source.row_unit) == (3, "line")
    assert [values for _, values in records] == VALUES
    assert [number for number, _ in records] == [2, 3, 4]
    assert source.sha256 == hashlib.sha256(path.read_bytes()).digest()


def test_gb18030_reads_characters_that_gbk_lacks(tmp_path: Path) -> None:
    _, records = read(write(tmp_path, "a.csv", "名称\n㐂𠮷示例\n".encode("gb18030")))
    assert records == [(2, {"名称": "㐂𠮷示例"})]


@pytest.mark.parametrize(
    ("name", "mark"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "\t"), ("a.tsv", "|")]
)
def test_the_delimiter_is_the_one_that_divides_the_header(tmp_path: Path, name: str, mark: str) -> None:
    _, records = read(write(tmp_path, name, f"编号{mark}名称\n1{mark}甲,乙;丙\n".replace(",乙;丙", "乙丙")))
    assert records == [(2, {"编号": "1", "名称": "甲乙丙"})]


def test_a_header_that_two_marks_could_divide_needs_the_operator(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "编号;名称|甲\n1;2|3\n")
    assert "--delimiter" in refused(path).en
    _, records = read(path, delimiter="|")
    assert records == [(2, {"编号;名称": "1;2", "甲": "3"})]
    assert read(write(tmp_path, "b.csv", "a;b\tc\n1;2\t3\n"), delimiter="\\t")[1] == [(2, {"a;b": "1;2", "c": "3"})]


def test_a_file_of_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.csv", "名称\n甲\n"))[1] == [(2, {"名称": "甲"})]


def test_headers_are_folded_and_blank_lines_counted(tmp_path: Path) -> None:
    source, records = read(write(tmp_path, "a.csv", "\ufeff 编 号 ,名\t称\n1,甲\n\n,\n2,乙\n"))
    assert source.columns == ("编 号", "名 称")
    assert source.scan.blank_rows == 2
    assert [number for number, _ in records] == [2, 5]


def test_lines_of_another_width_than_the_header_are_rows_with_a_count_of_cells(tmp_path: Path) -> None:
    with open_source(write(tmp_path, "a.csv", "a,b\n1\n1,2,3\n1,2\n")) as source:
        assert [(record.number, record.cells) for record in source.records()] == [(2, 1), (3, 3), (4, None)]


def test_json_numbers_keep_their_digits_and_nothing_is_converted(tmp_path: Path) -> None:
    text = '[{"a": 370000190001010000, "b": 1.10, "c": "00123", "d": null, "e": true, "f": ["x", 1], "g": {"h": 2}}]'
    source, records = read(write(tmp_path, "a.json", text))
    expected = {"a": "370000190001010000", "b": "1.10", "c": "00123", "d": None, "e": True, "f": ["x", "1"]}
    assert records == [(1, {**expected, "g": {"h": "2"}})]
    assert source.row_unit == "record"


def test_json_columns_are_those_of_all_records(tmp_path: Path) -> None:
    source, _ = read(write(tmp_path, "a.json", '\ufeff [ {"a": 1} ,\n {"b": 2, " a ": 3} ] \n'))
    assert source.columns == ("a", "b")
    assert source.scan.rows == 2


def test_json_lines_are_numbered_by_line(tmp_path: Path) -> None:
    source, records = read(write(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": 2}'))
    assert records == [(1, {"a": "1"}), (3, {"a": "2"})]
    assert (source.scan.rows, source.scan.blank_rows, source.row_unit) == (2, 1, "line")


def test_records_can_be_read_twice(tmp_path: Path) -> None:
    for name, text in (("a.csv", "a\n1\n"), ("a.json", '[{"a": "1"}]'), ("a.jsonl", '{"a": "1"}')):
        with open_source(write(tmp_path, name, text)) as source:
            assert list(source.records()) == list(source.records())


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@given(rows=st.lists(st.fixed_dictionaries({"a": CELL, "乙": CELL}), min_size=1), size=st.integers(1, 40))
def test_json_reads_as_it_was_written_wherever_the_window_ends(rows: list[dict[str, str]], size: int) -> None:
    text = json.dumps(rows, ensure_ascii=size % 2 == 0, indent=size % 3)
    array = JsonArray(lambda: io.StringIO(text, newline=""), "a.json", size)
    assert [record.values for record in array.records()] == rows
    assert array.scan().rows == len(rows)


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 18])
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('[\n{"a": 1},\n{"a": }\n]', 3, 7),
        ('[\n{"a": 1}\n{"a": 2}\n]', 3, 1),
        ('[{"a": 1},\n 5]', 2, 2),
        ('{"a": 1}', 1, 1),
        ('"text"', 1, 1),
        ('[{"a": 1}] x', 1, 12),
        ('[{"a": 1}', 1, 10),
        ('[\n{"a": "open', 2, 7),
        ("[[1]]", 1, 2),
        ('[{"a": 1},]', 1, 11),
    ],
)
def test_broken_json_is_refused_with_line_and_column(text: str, line: int, column: int, size: int) -> None:
    array = JsonArray(lambda: io.StringIO(text, newline=""), "a.json", size)
    error = error_of(ReadError, array.scan)
    assert f"line {line}, column {column}:" in error.en, error.en
    assert f"第 {line} 行第 {column} 列" in error.zh


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '[{"a": 1, "a": 2}]', "'a' occurs twice"),
        ("a.json", '[{"a": 1, " a": 2}]', "differ only in white space"),
        ("a.json", '[{"a": NaN}]', "NaN"),
        ("a.json", "[" + '{"a":' * 100_000 + "}" * 100_000 + "]", "nested too deeply"),
        ("a.jsonl", '{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ("a.jsonl", '{"a": 1}\n[1]', "line 2"),
        ("a.jsonl", '{"a": 1}\n {"a": }', "line 2, column 8"),
        ("a.jsonl", '{"a": 1, "a": 2}', "'a' occurs twice"),
        ("a.json", "[]", "holds no rows"),
        ("a.jsonl", "\n\n", "holds no rows"),
        ("a.csv", "编号,名称\n", "holds no rows"),
        ("a.csv", "\n\n", "holds no rows"),
        ("a.csv", '编号,名称\n1,"open\n2,x\n', "line 2"),
        ("a.csv", '编号,名称\n1,"a"b"\n', "line 2"),
        ("a.csv", "编号,,名称\n1,2,3\n", "header of column 2 is empty"),
        ("a.csv", "编号,名称, 编号\n1,2,3\n", "'编号' occurs twice"),
        ("a.csv", "编号,名称\n1," + "长" * 200_000 + "\n", "line 2: a value is over 131,072 characters"),
    ],
)
def test_broken_and_empty_files_are_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in refused(write(tmp_path, name, text)).en


def test_a_file_of_no_bytes_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "a.jsonl"):
        assert "0 bytes" in refused(write(tmp_path, name, b"")).en


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods"])
def test_workbooks_are_not_read_yet_and_the_error_names_what_is(tmp_path: Path, name: str) -> None:
    error = refused(write(tmp_path, name, b"PK\x03\x04"))
    assert "not read yet" in error.en
    assert "csv, tsv, json, jsonl" in error.en
    assert "尚不支持" in error.zh


def test_a_workbook_under_another_name_is_known(tmp_path: Path) -> None:
    assert "workbook" in refused(write(tmp_path, "a.csv", b"PK\x03\x04" + bytes(50))).en
    assert "workbook" in refused(write(tmp_path, "b.csv", b"\xd0\xcf\x11\xe0" + bytes(50))).en


def test_other_endings_are_refused_with_the_formats_that_are_read(tmp_path: Path) -> None:
    for name in ("a.pdf", "a"):
        assert "csv, tsv, json, jsonl" in refused(write(tmp_path, name, "x")).en


def test_a_missing_file_a_folder_and_a_forbidden_file_are_named(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.csv").en
    (tmp_path / "folder.csv").mkdir()
    assert "is a directory" in refused(tmp_path / "folder.csv").en


def test_a_pipe_and_a_device_are_refused_before_they_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "device.csv"):
        error = refused(tmp_path / name)
        assert "not a regular file; save its content to a file" in error.en
        assert "不是普通文件" in error.zh


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(write(tmp_path, "a.csv", "名称\n甲\n"))
    assert read(tmp_path / "link.csv")[1] == [(2, {"名称": "甲"})]


@pytest.mark.parametrize("header", ["长" * 131_073, ",".join(f"column{number}" for number in range(20_000))])
def test_a_header_over_the_limit_for_any_delimiter_is_refused_with_its_line_and_the_cure(
    tmp_path: Path, header: str
) -> None:
    error = refused(write(tmp_path, "a.csv", f"\n{header}\n1\n"))
    assert "line 2: a value is over 131,072 characters" in error.en
    assert "--delimiter" in error.en
    assert "第 2 行" in error.zh


def test_a_wide_header_is_read_once_its_delimiter_is_named(tmp_path: Path) -> None:
    header = ",".join(f"column{number}" for number in range(20_000))
    source, _ = read(write(tmp_path, "a.csv", f"{header}\n1{',' * 19_999}\n"), delimiter=",")
    assert len(source.columns) == 20_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused_with_the_cure(tmp_path: Path, encoding: str) -> None:
    assert "save it again as UTF-8" in refused(write(tmp_path, "a.csv", "a,b\n1,2\n".encode(encoding))).en


def test_a_damaged_utf8_file_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    good = ("编号,名称\n" + "1,示例名称\n" * 20).encode()
    at = good.index("示例".encode(), 60)
    damaged = good[:at] + b"\xff" + good[at + 1 :]
    error = refused(write(tmp_path, "a.csv", damaged))
    line = damaged[:at].count(b"\n") + 1
    assert f"byte 0xFF at offset {at} (line {line})" in error.en
    assert "UTF-8" in error.en


def test_a_damaged_gb18030_file_is_refused_with_the_place(tmp_path: Path) -> None:
    good = "编号,名称\n1,示例名称示例名称\n".encode("gb18030")
    error = refused(write(tmp_path, "a.csv", good + b"2,\xb1\n"))
    assert f"offset {len(good) + 2} (line 3)" in error.en
    assert "GB18030" in error.en


def test_bytes_that_end_inside_a_character_are_refused(tmp_path: Path) -> None:
    whole = "名称\n示例名称示例名称\n示".encode()
    assert "0xE7" in refused(write(tmp_path, "a.csv", whole[:-1])).en


def test_an_encoding_that_the_operator_names_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "名称\n示例\n".encode("gb18030"))
    assert "UTF-8" in refused(path, encoding="utf-8").en
    assert read(path, encoding="GBK")[1] == [(2, {"名称": "示例"})]
    assert "latin-1" in refused(path, encoding="latin-1").en


def test_a_delimiter_is_refused_where_there_is_none_or_if_it_is_none(tmp_path: Path) -> None:
    assert "no delimiter" in refused(write(tmp_path, "a.json", "[{}]"), delimiter=",").en
    for mark in (",,", '"', "\n"):
        assert "delimiter" in refused(write(tmp_path, "a.csv", "a,b\n1,2\n"), delimiter=mark).en


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a\n1\n")
    with open_source(path) as source:
        source.confirm()
        os.utime(path, ns=(1, 1))
        assert "changed while it was read" in error_of(ReadError, source.confirm).en
