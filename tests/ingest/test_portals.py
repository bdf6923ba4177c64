"""The three portals' catalogues: the fixtures of their shapes always, the real files where they are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ingest.matching import detect_mapping
from ingest.readers import open_source
from tests.ingest.helpers import World

FIXTURES = Path(__file__).parents[1] / "fixtures" / "portal"
REAL = Path(__file__).parents[3] / "shared" / "data" / "portal_catalogs"

#: (file, mapping, rows read, rows taken, problems by rule and column)
FIXTURE_CASES: list[tuple[Path, str, int, int, dict[tuple[str, str], int]]] = [
    (
        FIXTURES / "luzhou.json",
        "portal_luzhou",
        14,
        8,
        {
            ("required", "标题"): 1,
            ("required", "提供方"): 1,
            ("required", "开放条件"): 1,
            ("code", "更新周期"): 1,
            ("date", "发布时间"): 1,
            ("url", "详情页网址"): 1,
            ("list", "数据格式"): 1,
        },
    ),
    (
        FIXTURES / "neijiang.json",
        "portal_neijiang",
        10,
        6,
        {("integer", "数据量"): 2, ("not_scalar", "主题"): 1, ("date", "发布时间"): 1},
    ),
    (
        FIXTURES / "ningxia.json",
        "portal_ningxia",
        12,
        6,
        {
            ("duplicate", "详情页网址"): 2,
            ("key_conflict", "详情页网址"): 2,
            ("list", "数据格式"): 1,
            ("invalid_character", "标题"): 1,
        },
    ),
]
REAL_CASES: list[tuple[Path, str, int, int, dict[tuple[str, str], int]]] = [
    (REAL / "sichuan_luzhou.json", "portal_luzhou", 6994, 6989, {("required", "标题"): 5, ("required", "提供方"): 5}),
    (REAL / "sichuan_neijiang.json", "portal_neijiang", 6322, 6322, {}),
    (REAL / "ningxia_ningxia.json", "portal_ningxia", 1987, 1847, {("duplicate", "详情页网址"): 140}),
]
#: Where the real files are not, the fixtures stand for them.
CASES = FIXTURE_CASES + [case for case in REAL_CASES if case[0].is_file()]

ALL = "SELECT * FROM resources ORDER BY id"


@pytest.mark.parametrize(("path", "mapping", "read", "taken", "why"), CASES, ids=[case[0].stem for case in CASES])
def test_a_catalogue_is_loaded_twice_and_the_second_time_changes_nothing(
    tmp_path: Path, path: Path, mapping: str, read: int, taken: int, why: dict[tuple[str, str], int]
) -> None:
    world = World(tmp_path)
    with open_source(path) as source:
        assert detect_mapping(source, world.mappings.values()).name == mapping
    refused = world.load(path, mapping)
    assert refused.refused is bool(why)
    first = world.load(path, mapping, set_aside=True)
    assert (first.rows_read, first.rows_taken, first.rows_set_aside) == (read, taken, read - taken)
    assert dict(first.by_rule) == why
    stored = world.rows("directory", ALL)
    assert len(stored) == taken
    again = world.load(path, mapping, set_aside=True)
    assert (again.rows_added, again.rows_changed, again.rows_removed) == (0, 0, 0)
    assert again.rows_unchanged == taken
    assert world.rows("directory", ALL) == stored


@pytest.mark.parametrize(("path", "mapping"), [case[:2] for case in CASES], ids=[case[0].stem for case in CASES])
def test_what_is_stored_is_canonical_and_nothing_was_guessed(tmp_path: Path, path: Path, mapping: str) -> None:
    world = World(tmp_path)
    world.load(path, mapping, set_aside=True)
    sharing = world.rows(
        "directory", "SELECT DISTINCT sharing_class, category, channel, statutory_basis FROM resources"
    )
    assert sharing == [("未定", None, None, None)]
    for openness, cycle, formats, published, updated, url, name in world.rows(
        "directory",
        "SELECT openness, update_cycle, format, published_on, updated_on, source_url, name FROM resources",
    ):
        assert openness in {"无条件开放", "有条件开放", "不予开放"}
        assert cycle in {"实时", "每日", "每周", "每月", "每季度", "每半年", "每年", "不定期", "其他", None}
        assert formats is None or all(isinstance(item, str) for item in json.loads(formats))
        for day in (published, updated):
            assert day is None or (len(day) == 10 and day[4] == day[7] == "-")
        assert url.startswith("https://")
        assert name == " ".join(name.split())


def test_the_dirt_of_the_fixtures_comes_out_as_the_mappings_say(tmp_path: Path) -> None:
    world = World(tmp_path)
    for path, mapping, *_ in FIXTURE_CASES:
        world.load(path, mapping, set_aside=True)

    def stored(name: str, *columns: str) -> tuple[Any, ...]:
        (row,) = world.rows("directory", f"SELECT {', '.join(columns)} FROM resources WHERE name = ?", name)
        return row

    assert stored("示例资源02名录", "update_cycle", "published_on", "format") == ("每年", "2023-06-16", '["api"]')
    assert stored("示例资源03信息", "theme", "domain") == (None, None)
    assert stored("示例资源04信息", "published_on", "updated_on") == (None, "2023-05-04")
    assert stored("示例资源05信息", "summary", "keywords") == (None, "姓名,编号")
    assert stored("示例资源06信息", "summary") == ("序号 县区 备注\n第二行说明",)
    assert stored("示例资源13信息", "update_cycle") == (None,)
    assert stored("示例资源14信息", "format") == ('["xls", "csv"]',)
    assert stored("示例县示例资源02情况", "theme", "industry", "row_count", "format") == (None, None, 0, '["http"]')
    assert stored("示例县示例资源03情况", "theme", "summary") == (None, None)
    assert stored("示例县示例资源04情况", "theme", "industry") == ("生活服务；教育文化", "生活服务；教育文化")
    assert stored("示例名单接口服务", "summary") == ("包含序列、名 称等内容",)
    assert stored("示例公告02", "domain", "industry") == (None, None)
    assert stored("示例公告03", "keywords") == ("国土资源、能源；信息传输、软件和信息技术服务业",)
    assert stored("示例公告04", "update_cycle") == ("每日",)
    assert stored("示例公告05", "format") == ('["xls", "xml", "json", "其他"]',)


def test_catalogues_of_several_portals_stand_side_by_side(tmp_path: Path) -> None:
    world = World(tmp_path)
    for path, mapping, *_ in CASES[-3:] + CASES[-3:]:
        world.load(path, mapping, set_aside=True)
    found = Counter(dict(world.rows("directory", "SELECT source, count(*) FROM resources GROUP BY source")))
    assert sorted(found.values()) == sorted(case[3] for case in CASES[-3:])
