"""Titles and meanings: Chinese from the instance, English from the mappings, and names for what nobody described."""

from __future__ import annotations

import pytest
import yaml

from catalog import titles
from catalog.titles import BATCH, ROW_ID, Titles
from ingest.mapping import packaged_mappings
from ingest.metadata import metadata
from ingest.tables import tables_of
from ledger import CATEGORIES, Instance

MAPPINGS = packaged_mappings().values()


@pytest.fixture(scope="module")
def packaged() -> Titles:
    return Titles(metadata(MAPPINGS), MAPPINGS)


def test_every_packaged_table_and_column_has_a_title_in_both_languages(packaged: Titles) -> None:
    for database, name in tables_of(MAPPINGS):
        text = packaged.table(database, name)
        assert text.title.zh != name
        assert text.title.en
        assert text.about is not None
        for column in text.columns.values():
            assert column.title.zh, column
            assert column.title.en, column
            assert column.title.zh != column.name, column


def test_the_six_categories_have_titles_and_meanings(packaged: Titles) -> None:
    assert tuple(packaged.databases) == CATEGORIES
    assert packaged.databases["work"].title.zh == "执法工作数据"
    assert packaged.databases["work"].code == "2"


def test_metadata_made_from_the_mappings_changes_no_title(packaged: Titles) -> None:
    bare = Titles({}, MAPPINGS)
    for database, name in tables_of(MAPPINGS):
        assert packaged.table(database, name) == bare.table(database, name)


def test_the_countys_own_chinese_title_is_shown_and_english_stays() -> None:
    own = metadata(MAPPINGS)
    table = own["databases"]["work"]["tables"]["penalties"]
    table["title"] = "本县处罚决定"
    table["columns"]["party_name"] = "当事人：县里的写法"
    text = Titles(own, MAPPINGS).table("work", "penalties")
    assert (text.title.zh, text.title.en) == ("本县处罚决定", "Administrative penalty decisions")
    column = text.column("party_name")
    assert (column.title.zh, column.title.en) == ("当事人", "Party")
    assert column.about is not None
    assert column.about.zh == "县里的写法"


def test_a_table_that_only_metadata_knows_is_named_by_it() -> None:
    said = {"databases": {"work": {"tables": {"own": {"title": "本地表", "columns": {"a": "甲：第一列", "b": "乙"}}}}}}
    text = Titles(said, MAPPINGS).table("work", "own")
    assert (text.title.zh, text.title.en) == ("本地表", "本地表")
    assert [text.column(name).title.zh for name in ("a", "b", "c", ROW_ID, BATCH)] == [
        "甲",
        "乙",
        "c",
        "行号",
        "数据批次",
    ]
    assert text.lead is None


def test_a_table_that_nobody_described_keeps_its_name(packaged: Titles) -> None:
    text = packaged.table("work", "nowhere")
    assert (text.title.zh, text.title.en, text.about) == ("nowhere", "nowhere", None)


def test_rows_are_known_by_their_key_column(packaged: Titles) -> None:
    leads = {place: packaged.table(*place).lead for place in tables_of(MAPPINGS)}
    assert leads[("work", "penalties")] == "document_no"
    assert leads[("directory", "resources")] == "name"
    for place, lead in leads.items():
        assert lead in packaged.table(*place).columns, place


def test_personal_and_subject_columns_are_private(packaged: Titles) -> None:
    text = packaged.table("work", "penalties")
    private = {name for name, column in text.columns.items() if column.private}
    assert private == {"party_name", "credit_code", "legal_representative", "id_number"}


def test_columns_worth_counting_hold_kinds_of_things_and_nothing_private(packaged: Titles) -> None:
    for place in tables_of(MAPPINGS):
        for column in packaged.table(*place).columns.values():
            assert not (column.countable and column.private), column
    counted = [name for name, column in packaged.table("work", "penalties").columns.items() if column.countable]
    assert counted == ["party_type", "id_type", "town", "penalty_types"]


def test_the_directorys_resources_come_first(packaged: Titles) -> None:
    names = sorted(["agencies", "categories", "items", "resources"], key=lambda name: packaged.rank("directory", name))
    assert names == ["resources", "agencies", "items", "categories"]


@pytest.mark.parametrize(
    ("codes", "value", "en"),
    [("category", "2", "Enforcement work data"), ("sharing_class", "不予共享", "Not shared"), ("category", "7", None)],
)
def test_codes_have_meanings(codes: str, value: str, en: str | None) -> None:
    meaning = titles.code_meaning(codes, value)
    assert (meaning.en if meaning else None) == en
    assert titles.code_meaning(None, value) is None


def test_a_changed_metadata_file_is_read_again(demo: Instance) -> None:
    assert titles.of_instance(demo.path).table("work", "penalties").title.zh == "行政处罚决定"
    file = demo.path / "metadata.yml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    said["databases"]["work"]["tables"]["penalties"]["title"] = "处罚"
    file.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    assert titles.of_instance(demo.path).table("work", "penalties").title.zh == "处罚"
