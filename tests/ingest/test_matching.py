"""Files against mappings: every column is accounted for, and a mapping is detected only beyond doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import MappingError
from ingest.mapping import SourceMapping, packaged_mappings, parse_mapping
from ingest.matching import check_columns, detect_mapping
from ingest.readers import open_source
from tests.ingest.helpers import LISTING, error_of, listing

FIXTURES = Path(__file__).parents[1] / "fixtures" / "portal"


def fit(path: Path, mapping: SourceMapping) -> None:
    """Check a file against a mapping."""
    with open_source(path) as source:
        check_columns(source, mapping)


def detect(path: Path, mappings: list[SourceMapping]) -> SourceMapping:
    """Detect a file's mapping."""
    with open_source(path) as source:
        return detect_mapping(source, mappings)


def csv(folder: Path, header: str) -> Path:
    """A file with that header and one row."""
    path = folder / "file.csv"
    path.write_text(header + "\n" + ",".join("1" for _ in header.split(",")) + "\n", encoding="utf-8")
    return path


def test_a_file_with_all_columns_in_any_order_fits(tmp_path: Path) -> None:
    fit(csv(tmp_path, "单价,数量,名称,编号"), listing())


def test_columns_that_the_mapping_does_not_know_and_that_the_file_lacks_are_all_named(tmp_path: Path) -> None:
    error: Any = error_of(MappingError, lambda: fit(csv(tmp_path, "编号,名称,备注,电话"), listing()))
    for column in ("备注", "电话", "数量", "单价"):
        assert column in error.en
        assert column in error.zh


def test_a_json_key_in_one_record_only_is_not_dropped_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"编号": "1", "名称": "甲", "数量": 1, "单价": 2}, {"编号": "2", "备注": "x"}]', encoding="utf-8")
    assert "备注" in error_of(MappingError, lambda: fit(path, listing())).en


def test_an_ignored_column_may_be_there_or_not(tmp_path: Path) -> None:
    text = LISTING.replace("MODE", "append") + "ignore:\n  备注: {zh: 不需要, en: not needed}\n"
    mapping = parse_mapping(text.encode(), "listing.yml")
    fit(csv(tmp_path, "编号,名称,数量,单价,备注"), mapping)
    fit(csv(tmp_path, "编号,名称,数量,单价"), mapping)


@pytest.mark.parametrize("name", ["luzhou", "neijiang", "ningxia"])
def test_each_portal_is_recognised(name: str) -> None:
    assert detect(FIXTURES / f"{name}.json", list(packaged_mappings().values())).name == f"portal_{name}"


def test_near_fits_are_listed_with_what_differs(tmp_path: Path) -> None:
    path = csv(tmp_path, "编号,名称,数量,价格")
    error: Any = error_of(MappingError, lambda: detect(path, [listing(), *packaged_mappings().values()]))
    assert "--mapping" in error.en
    assert "listing (not in the mapping: 价格; not in the file: 单价)" in error.en
    assert "listing (映射中没有: 价格; 文件中没有: 单价)" in error.zh


def test_several_exact_fits_and_none_at_all_need_the_operator(tmp_path: Path) -> None:
    path = csv(tmp_path, "编号,名称,数量,单价")
    error: Any = error_of(MappingError, lambda: detect(path, [listing(), listing(name="second")]))
    assert "listing, second" in error.en
    assert "none is near" in error_of(MappingError, lambda: detect(csv(tmp_path, "x,y"), [listing()])).en
