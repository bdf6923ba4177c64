"""Mapping files: what is valid, and that everything else is named with its place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ingest.codes import packaged_codes, parse_codes
from ingest.errors import MappingError
from ingest.mapping import DATABASES, find_mapping, packaged_mappings, parse_mapping
from tests.ingest.helpers import error_of

VALID = """\
name: sample
title: {zh: 样例, en: Sample}
target: {database: work, table: samples}
mode: append
key: [code]
columns:
  - source: 编号
    field: code
    type: text
    required: true
    max_length: 9
    role: document_no
    blank: [无]
    title: {zh: 编号, en: Code}
  - source: 周期
    field: cycle
    type: code
    codes: update_cycle
    title: {zh: 周期, en: Cycle}
constants: {state: 有效}
ignore:
  序号: {zh: 行号, en: a row number}
"""


def refused(text: str | bytes, file: str = "sample.yml") -> Any:
    """The error that a mapping raises; it names the file."""
    data = text if isinstance(text, bytes) else text.encode()
    error = error_of(MappingError, lambda: parse_mapping(data, file))
    assert file in error.en
    assert file in error.zh
    return error


def test_a_mapping_is_read_whole() -> None:
    mapping = parse_mapping(VALID.encode(), "sample.yml")
    assert (mapping.name, mapping.database, mapping.table, mapping.mode) == ("sample", "work", "samples", "append")
    assert mapping.key == ("code",)
    assert mapping.digest == hashlib.sha256(VALID.encode()).hexdigest()
    code, cycle = mapping.columns
    assert (code.required, code.max_length, code.role, code.blank) == (True, 9, "document_no", {"无"})
    assert cycle.codes is packaged_codes()["update_cycle"]
    assert mapping.constants == (("state", "有效"),)
    assert [(item.source, item.reason.en) for item in mapping.ignored] == [("序号", "a row number")]
    assert mapping.sources == {"编号", "周期", "序号"}


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("mode: append", "mode: replace", 4, "append, snapshot"),
        ("mode: append", "mode: append\nmodus: x", 5, "unknown key 'modus'"),
        ("mode: append\n", "", 1, "'mode' is missing"),
        ("mode: append", "mode: append\nmode: append", 5, "'mode' occurs twice"),
        ("name: sample", "name: other", 1, "make them equal"),
        ("name: sample", "name: Sample", 1, "not a name"),
        ("name: sample", "name: no", 1, "quotation marks"),
        ("en: Sample}", "en: }", 2, "want text"),
        ("{zh: 样例, en: Sample}", "{zh: 样例}", 2, "'en' is missing"),
        ("{zh: 样例, en: Sample}", "样例", 2, "keys and values"),
        ("database: work", "database: ledger", 3, "directory, work"),
        ("table: samples", "table: _rows", 3, "not a name"),
        ("key: [code]", "key: [number]", 5, "'number' is not a field"),
        ("key: [code]", "key: [code, code]", 5, "occurs twice"),
        ("key: [code]", "key: []", 5, "at least one field"),
        ("key: [code]", "key: code", 5, "want a list"),
        ("type: text", "type: string", 9, "text, integer"),
        ("field: code", "field: 编号", 8, "not a name"),
        ("field: code", "field: id", 8, "reserved"),
        ("field: cycle", "field: code", 15, "field 'code' occurs twice"),
        ("source: 周期", "source: 编号", 15, "source column '编号' occurs twice"),
        ("source: 周期", "source: ' 周期'", 15, "white space"),
        ("source: 周期", "source: 2023", 15, "quotation marks"),
        ("    codes: update_cycle\n", "", 15, "needs the key 'codes'"),
        ("codes: update_cycle", "codes: cycles", 18, "update_cycle"),
        ("type: text", "type: text\n    codes: update_cycle", 10, "belongs to type code"),
        ("type: text", "type: text\n    separators: ['|']", 7, "need the key 'join'"),
        ("type: code", "type: code\n    join: '；'", 18, "belongs to type text"),
        ("type: text", 'type: list\n    separators: ["\\r\\n"]', 12, "belongs to type text or url"),
        ("required: true", "required: 是", 10, "true or false"),
        ("max_length: 9", "max_length: 0", 11, "above 0"),
        ("max_length: 9", "max_length: true", 11, "above 0"),
        ("role: document_no", "role: number", 12, "subject_id"),
        ("blank: [无]", "blank: [no]", 13, "quotation marks"),
        ("blank: [无]", "blank: 无", 13, "want a list"),
        ("{state: 有效}", "{code: 有效}", 20, "also filled by a column"),
        ("{state: 有效}", "{state: 1}", 20, "quotation marks"),
        ("序号: {", "编号: {", 22, "both mapped and ignored"),
        ("{zh: 行号, en: a row number}", "多余", 22, "keys and values"),
        ("title: {zh: 样例, en: Sample}", "title: &a {zh: 样例, en: Sample}\ndescription: *a", 2, "anchors"),
        ("mode: append", "mode: [append", 5, "not valid YAML"),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(old: str, new: str, line: int, said: str) -> None:
    assert VALID.count(old) >= 1
    error = refused(VALID.replace(old, new, 1))
    assert f"line {line}" in error.en, error.en
    assert said in error.en, error.en
    assert f"第 {line} 行" in error.zh


def test_separators_are_written_with_a_plain_line_break() -> None:
    text = VALID.replace("type: text", 'type: list\n    separators: ["\\r"]').replace("    max_length: 9\n", "")
    assert "not \\r" in refused(text).en


def test_a_file_that_is_no_mapping_is_refused() -> None:
    assert "empty" in refused("").en
    assert "keys and values" in refused("- a\n- b\n").en
    assert "not UTF-8" in refused("name: 样例".encode("gb18030")).en
    assert "1 MiB" in refused(b"#" * (1 << 20) + b"\n#").en
    assert "not valid YAML" in refused("a: 1\n---\nb: 2\n").en
    assert "is not text" in refused("1: 2\n").en
    assert "cannot be read" in refused("name: !!python/object:os.system x\n").en


def test_the_place_in_nested_values_is_said() -> None:
    assert "columns[2].codes" in refused(VALID.replace("codes: update_cycle", "codes: cycles")).en


def test_packaged_mappings_are_valid_and_among_them_the_portals() -> None:
    mappings = packaged_mappings()
    assert {"portal_luzhou", "portal_neijiang", "portal_ningxia"} <= set(mappings)
    for name, mapping in mappings.items():
        assert mapping.name == name
        assert mapping.database in DATABASES


def test_a_portals_sharing_class_is_undetermined_and_its_openness_another_field() -> None:
    for name in ("portal_luzhou", "portal_neijiang", "portal_ningxia"):
        mapping = packaged_mappings()[name]
        assert dict(mapping.constants) == {"sharing_class": "未定"}
        assert mapping.column("openness").source == "开放条件"
        assert mapping.key == ("source_url",)


def test_a_mapping_is_found_by_name_or_by_path(tmp_path: Path) -> None:
    assert find_mapping("portal_luzhou") is packaged_mappings()["portal_luzhou"]
    path = tmp_path / "sample.yml"
    path.write_text(VALID, encoding="utf-8")
    assert find_mapping(str(path)).name == "sample"


def test_an_unknown_mapping_lists_the_known_ones(tmp_path: Path) -> None:
    error = error_of(MappingError, lambda: find_mapping("portal_beijing"))
    for name in packaged_mappings():
        assert name in error.en
        assert name in error.zh
    assert "No such file" in error_of(MappingError, lambda: find_mapping(str(tmp_path / "none.yml"))).en


def test_code_lists_find_every_word_and_refuse_a_word_with_two_meanings() -> None:
    cycles = packaged_codes()["update_cycle"]
    assert list(cycles.values) == ["实时", "每日", "每周", "每月", "每季度", "每半年", "每年", "不定期", "其他"]
    assert cycles.canonical["每天"] == "每日"
    assert list(packaged_codes()["category"].values) == ["1", "2", "3", "4", "5", "6", "9"]
    twice = "a: {title: {zh: 表, en: T}, values: {甲: {en: A, aliases: [丙]}, 乙: {en: B, aliases: [丙]}}}"
    assert "'丙' already stands for '甲'" in error_of(MappingError, lambda: parse_codes(twice.encode(), "codes.yml")).en
    spaced = "a: {title: {zh: 表, en: T}, values: {'甲 ': {en: A}}}"
    assert "white space" in error_of(MappingError, lambda: parse_codes(spaced.encode(), "codes.yml")).en


@pytest.mark.parametrize("text", ["[" * 5_000, "[" * 5_000 + "]" * 5_000, "name: " + "{a: " * 5_000 + "}" * 5_000])
def test_a_mapping_nested_thousands_deep_is_refused(text: str) -> None:
    assert "nested too deeply" in refused(text).en


@pytest.mark.parametrize("depth", range(100, 500, 5))
def test_no_depth_of_nesting_escapes_as_a_recursion_error(depth: int) -> None:
    refused("[" * depth + "]" * depth)
