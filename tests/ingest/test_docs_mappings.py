"""docs/guide/mappings.md: its example is real, and it names every key, type and role there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingest.codes import parse_codes
from ingest.mapping import MODES, ROLES, TYPES, parse_mapping
from ingest.normalise import RefusedValue, to_date, to_datetime, to_decimal, to_integer
from tests.ingest.helpers import World

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "mappings.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    """The nth fenced block of a language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[number]


def test_the_example_loads_the_examples_file(tmp_path: Path) -> None:
    mapping = parse_mapping(block("yaml").encode(), "parking_permits.yml")
    world = World(tmp_path, [mapping])
    path = tmp_path / "file.csv"
    path.write_text(block("csv"), encoding="utf-8")
    report = world.load(path, "parking_permits")
    assert (report.rows_read, report.rows_taken) == (2, 2)
    rows = world.rows(
        "work",
        "SELECT telephone, permitted_on, spaces, fee_yuan_per_hour, open_all_day, open_times, update_cycle, state "
        "FROM parking_permits ORDER BY id",
    )
    assert rows == [
        ("00001234", "2026-03-05", 120, 2.5, "是", '["白天", "夜间"]', "每日", "正常"),
        ("00005678", "2026-03-05", 1080, None, "否", '["白天"]', "每月", None),
    ]


def test_the_example_of_code_lists_is_one() -> None:
    assert parse_codes(block("yaml", 1).encode(), "codes.yml")["update_cycle"].canonical["每天"] == "每日"


def test_every_key_type_mode_and_role_is_documented() -> None:
    keys = ["name", "title", "description", "target", "mode", "key", "source", "columns", "constants", "ignore"]
    keys += ["field", "type", "required", "role", "max_length", "blank", "codes", "separators", "join"]
    for word in [*keys, *TYPES, *MODES, *ROLES]:
        assert f"`{word}`" in GUIDE, word


def test_what_the_table_of_types_says_is_so() -> None:
    assert [to_integer(text) for text in ("1200", "1,200", "１２００")] == [1200] * 3
    assert [to_decimal(text) for text in ("1200.50", "1,200.5")] == ["1200.5"] * 2
    days = ("2023-5-04", "2023/5/4", "2023.5.4", "2023年5月4日", "20230504")
    assert [to_date(text) for text in days] == ["2023-05-04"] * 5
    assert to_datetime("2023-5-4 8:30") == "2023-05-04T08:30:00+08:00"
    refused = [(to_integer, "00123"), (to_integer, "12.0"), (to_integer, "12个"), (to_decimal, "1E+05")]
    for read, text in [*refused, (to_decimal, "3万元"), (to_date, "5/4/2023"), (to_date, "23-5-4")]:
        assert text in GUIDE
        with pytest.raises(RefusedValue):
            read(text)
