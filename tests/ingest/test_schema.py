"""Tables: what mappings declare, what the directory has of its own, and that creating twice changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ingest.errors import LoadError, MappingError
from ingest.mapping import DATABASES, packaged_mappings, parse_mapping
from ingest.schema import create_databases, put_agencies
from ingest.tables import DATABASE_INFO, tables_of
from ledger.instance import CATEGORIES
from tests.ingest.helpers import LISTING, World, error_of, listing

RESOURCES = """\
name: more
title: {zh: 目录, en: Catalogue}
target: {database: directory, table: resources}
mode: append
key: [name]
columns:
  - {source: 名称, field: name, type: text, title: {zh: 名称, en: Name}}
"""


def test_the_six_databases_are_those_of_an_instance() -> None:
    assert set(DATABASES) == set(CATEGORIES)
    assert [info.name for info in DATABASE_INFO] == list(DATABASES)


def test_every_table_has_a_surrogate_key_its_columns_and_its_batch(tmp_path: Path) -> None:
    world = World(tmp_path)
    for (database, name), table in tables_of(world.mappings.values()).items():
        columns = {row[1]: row[2] for row in world.rows(database, f"PRAGMA table_info({name})")}
        assert columns.pop("id") == "INTEGER"
        assert (columns.pop("_batch", None) == "TEXT") is table.batches
        assert list(columns) == list(table.field_names)
        for field in table.fields:
            assert columns[field.name] == {"integer": "INTEGER", "decimal": "NUMERIC"}.get(field.type, "TEXT")


def test_no_hash_is_a_column_of_a_published_table(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in DATABASES:
        tables = [row[0] for row in world.rows(name, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
        assert {"_rows", "_batches"} <= set(tables)
        for table in tables:
            if not table.startswith("_"):
                assert not [row for row in world.rows(name, f"PRAGMA table_info({table})") if "hash" in row[1]]


def test_creating_twice_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = [(name, world.dump(name), world.rows(name, "PRAGMA data_version")) for name in DATABASES]
    create_databases(world.database, world.mappings.values())
    assert [(name, world.dump(name), world.rows(name, "PRAGMA data_version")) for name in DATABASES] == before


def test_a_new_column_of_a_mapping_is_added_and_rows_stay(tmp_path: Path) -> None:
    world = World(tmp_path, [listing()])
    with closing(sqlite3.connect(world.database("work"))) as connection, connection:
        connection.execute("INSERT INTO listing (code, name) VALUES ('1', '甲')")
    more = (
        LISTING.replace("MODE", "append") + "  - {source: 备注, field: note, type: text, title: {zh: 备注, en: Note}}\n"
    )
    create_databases(world.database, [parse_mapping(more.encode(), "listing.yml")])
    assert world.rows("work", "SELECT code, name, note FROM listing") == [("1", "甲", None)]


def test_the_directory_holds_the_categories_and_the_dictionary(tmp_path: Path) -> None:
    world = World(tmp_path)
    categories = world.rows("directory", "SELECT code, database, zh FROM categories ORDER BY code")
    assert categories[0] == ("1", "directory", "执法信息资源目录")
    assert categories[-1] == ("9", None, "其他")
    assert len(categories) == 7
    for mapping in world.mappings.values():
        for column in mapping.columns:
            found = world.rows(
                "directory",
                "SELECT type, role FROM items WHERE database = ? AND resource_table = ? AND field = ?",
                mapping.database,
                mapping.table,
                column.field,
            )
            assert len(found) == 1
            assert found[0][0] == column.type
    assert world.rows("directory", "SELECT required FROM items WHERE field = 'provider'") == [("是",)]


def test_the_dictionary_forgets_a_table_that_no_mapping_declares_any_more(tmp_path: Path) -> None:
    world = World(tmp_path, [listing()])
    count = "SELECT count(*) FROM items WHERE resource_table = 'listing'"
    assert world.rows("directory", count) == [(4,)]
    create_databases(world.database, [])
    assert world.rows("directory", count) == [(0,)]


def test_agencies_are_written_once_and_updated_in_place(tmp_path: Path) -> None:
    world = World(tmp_path)
    agency: dict[str, Any] = {
        "id_code": "scjg",
        "name": "示范县市场监督管理局",
        "short_name": "市监局",
        "type": "部门",
        "valid_from": "2021-11-20",
        "valid_to": None,
    }
    put_agencies(world.database("directory"), [agency])
    put_agencies(world.database("directory"), [agency])
    put_agencies(world.database("directory"), [{**agency, "short_name": "市场监管局"}])
    assert world.rows("directory", "SELECT id, id_code, short_name FROM agencies") == [(1, "scjg", "市场监管局")]


def test_two_mappings_may_fill_one_table_if_they_agree() -> None:
    second = LISTING.replace("MODE", "append").replace("name: listing", "name: second", 1)
    extra = second + "  - {source: 备注, field: note, type: text, title: {zh: 备注, en: Note}}\n"
    table = tables_of([listing(), parse_mapping(extra.encode(), "second.yml")])["work", "listing"]
    assert table.field_names == ("code", "name", "amount", "price", "note")
    other = second.replace("type: integer", "type: text")
    error: Any = error_of(MappingError, lambda: tables_of([listing(), parse_mapping(other.encode(), "second.yml")]))
    assert "'amount' is text, in work.listing it is integer" in error.en


def test_a_fixed_table_takes_no_other_fields_types_or_code_lists() -> None:
    other = RESOURCES + "  - {source: 备注, field: note, type: text, title: {zh: 备注, en: Note}}\n"
    assert (
        "no field 'note'" in error_of(MappingError, lambda: tables_of([parse_mapping(other.encode(), "more.yml")])).en
    )
    other = RESOURCES + "  - {source: 周期, field: update_cycle, type: text, title: {zh: 周期, en: Cycle}}\n"
    error: Any = error_of(MappingError, lambda: tables_of([parse_mapping(other.encode(), "more.yml")]))
    assert "code list update_cycle" in error.en
    other = RESOURCES.replace("table: resources", "table: agencies")
    assert (
        "not filled by mappings"
        in error_of(MappingError, lambda: tables_of([parse_mapping(other.encode(), "more.yml")])).en
    )


def test_a_constant_must_be_a_field_of_the_table() -> None:
    good = RESOURCES + "constants: {sharing_class: 未定}\n"
    tables_of([parse_mapping(good.encode(), "more.yml")])
    bad = RESOURCES + "constants: {grade: 甲}\n"
    assert "'grade'" in error_of(MappingError, lambda: tables_of([parse_mapping(bad.encode(), "more.yml")])).en


def test_a_constant_outside_its_code_list_is_refused() -> None:
    bad = RESOURCES + "constants: {sharing_class: 无条件开放}\n"
    error: Any = error_of(MappingError, lambda: tables_of([parse_mapping(bad.encode(), "more.yml")]))
    assert "not in the code list sharing_class" in error.en
    bad = RESOURCES + "constants: {update_cycle: 每天}\n"
    assert "'每日'" in error_of(MappingError, lambda: tables_of([parse_mapping(bad.encode(), "more.yml")])).en


def test_a_file_that_is_no_database_or_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "directory.db").write_bytes(b"not a database, but long enough to look at" * 20)
    error: Any = error_of(LoadError, lambda: create_databases(lambda name: tmp_path / f"{name}.db", []))
    assert "directory.db" in error.en
    error = error_of(LoadError, lambda: create_databases(lambda name: tmp_path / "none" / f"{name}.db", []))
    assert "cannot be written" in error.en


def test_packaged_mappings_agree_with_one_another() -> None:
    tables = tables_of(packaged_mappings().values())
    assert {database for database, _ in tables} == set(DATABASES)


def test_columns_that_tell_who_somebody_is_are_indexed(tmp_path: Path) -> None:
    create_databases(lambda name: tmp_path / f"{name}.db", packaged_mappings().values())
    create_databases(lambda name: tmp_path / f"{name}.db", packaged_mappings().values())  # and once only
    with closing(sqlite3.connect(tmp_path / "work.db")) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT * FROM penalties WHERE credit_code = '91'").fetchall()
        prefix = db.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM penalties WHERE party_name >= 'a' AND party_name < 'b'"
        ).fetchall()
        others = db.execute("EXPLAIN QUERY PLAN SELECT * FROM penalties WHERE town = 'x'").fetchall()
    assert "_penalties_credit_code" in plan[0][3]
    assert "_penalties_party_name" in prefix[0][3]
    assert "INDEX" not in others[0][3]
