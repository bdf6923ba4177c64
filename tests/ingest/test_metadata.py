"""metadata.yml: what the mappings say, and that the committed file is not stale."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from datasette.app import Datasette

from ingest.mapping import packaged_mappings
from ingest.metadata import metadata, metadata_yaml
from ingest.tables import DATABASE_INFO, tables_of
from tests.ingest.helpers import World

ROOT = Path(__file__).parents[2]


def test_the_committed_file_is_what_the_mappings_say() -> None:
    done = subprocess.run(
        [sys.executable, "tools/make_metadata.py", "--check"], cwd=ROOT, check=False, env={"PYTHONPATH": "."}
    )
    assert done.returncode == 0
    assert yaml.safe_load((ROOT / "metadata.yml").read_text(encoding="utf-8")) == metadata(packaged_mappings().values())


def test_every_database_table_and_column_has_a_chinese_title() -> None:
    made: dict[str, Any] = metadata(packaged_mappings().values())["databases"]
    assert {name: made[name]["title"] for name in made} == {info.name: info.title.zh for info in DATABASE_INFO}
    for (database, name), table in tables_of(packaged_mappings().values()).items():
        entry = made[database]["tables"][name]
        assert entry["title"] == table.title.zh
        assert entry["title_en"] == table.title.en
        assert set(table.field_names) <= set(entry["columns"])
        assert all(isinstance(text, str) and text for text in entry["columns"].values())


def test_datasette_takes_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    read = yaml.safe_load(metadata_yaml(packaged_mappings().values()))

    async def ask() -> tuple[Any, Any]:
        datasette = Datasette([str(world.database("directory"))], metadata=read)
        await datasette.invoke_startup()
        return (
            await datasette.get_resource_metadata("directory", "resources"),
            await datasette.get_column_metadata("directory", "resources", "sharing_class"),
        )

    table, column = asyncio.run(ask())
    assert table["title"] == "信息资源"
    assert table["title_en"] == "Resources"
    assert column["description"].startswith("共享属性")
