"""Titles and meanings of databases, tables and columns, in both languages: what the pages call things.

Chinese comes from the instance's metadata.yml, which the county may change; English, types and roles come from the
packaged mappings. What neither of them names keeps its technical name. Pure, apart from :func:`of_instance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ingest.codes import packaged_codes
from ingest.label import Label
from ingest.mapping import Column, SourceMapping, packaged_mappings
from ingest.tables import DATABASE_INFO, tables_of

#: Columns that are ours and not the source's.
ROW_ID, BATCH, NOTE = "id", "_batch", "data_note"
#: Roles whose values must not stand in an address (and so in histories and logs): they tell who somebody is. Asked by
#: these is by POST. A party may be a natural person, whose name stands there.
PRIVATE_ROLES = frozenset({"personal", "subject_id", "party"})
#: The role of text in which anything may stand, names too.
FREE_TEXT = "free_text"
#: Text of at most so many characters is taken for a kind of thing, worth counting by value.
_KIND_LENGTH = 50
_OWN_COLUMNS = {
    ROW_ID: (Label("行号", "Row number"), Label("系统内部的行号。", "Number of the row inside this system.")),
    BATCH: (Label("数据批次", "Batch"), Label("最近写入该行的批次。", "The batch that last wrote the row.")),
}
#: The columns by which a row is known where no single key column says so; their tables come in this order.
_LEADS = {
    ("directory", "resources"): "name",
    ("directory", "agencies"): "name",
    ("directory", "items"): "field",
    ("directory", "categories"): "zh",
}


@dataclass(frozen=True, slots=True)
class ColumnText:
    """What a column is called and means.

    Attributes:
        countable: few different values are to be expected: worth a count by value.
        codes: the name of its code list.
    """

    name: str
    title: Label
    about: Label | None
    type: str = "text"
    role: str | None = None
    codes: str | None = None
    countable: bool = False

    @property
    def private(self) -> bool:
        """Whether its values tell who somebody is."""
        return self.role in PRIVATE_ROLES


@dataclass(frozen=True, slots=True)
class TableText:
    """What a table is called and means; ``lead`` is the column by which people know its rows, if one is."""

    database: str
    name: str
    title: Label
    about: Label | None
    columns: Mapping[str, ColumnText]
    lead: str | None

    def column(self, name: str) -> ColumnText:
        """The text of a column; one that nobody described keeps its name."""
        found = self.columns.get(name)
        return found if found is not None else ColumnText(name, Label(name, name), None)

    @property
    def about_somebody(self) -> bool:
        """Whether its rows are about a person or an organisation that they name."""
        return any(column.private for column in self.columns.values())

    def by_post(self, name: str) -> bool:
        """Whether a column's values must not stand in an address: those that tell who somebody is and, where rows are
        about somebody, free text too, which names them (the name of a case, the facts).
        """
        column = self.column(name)
        return column.private or (column.role == FREE_TEXT and self.about_somebody)


@dataclass(frozen=True, slots=True)
class DatabaseText:
    """What a category's database is called and means; ``code`` is the category's."""

    name: str
    code: str
    title: Label
    about: Label


class Titles:
    """All titles of one instance.

    Args:
        metadata: the content of metadata.yml.
    """

    def __init__(self, metadata: Mapping[str, Any], mappings: Iterable[SourceMapping]) -> None:
        said = metadata.get("databases") or {}
        self.databases = {
            info.name: DatabaseText(
                info.name,
                info.category,
                _label(said.get(info.name), "title", info.title),
                _label(said.get(info.name), "description", info.description),
            )
            for info in DATABASE_INFO
        }
        self._tables = _packaged(list(mappings))
        for database in self.databases:
            for name, about in ((said.get(database) or {}).get("tables") or {}).items():
                self._tables[(database, name)] = _overlay(self.table(database, name), about or {})

    def database_of_category(self, code: str) -> DatabaseText | None:
        """The database of a category's code (1–6)."""
        return next((database for database in self.databases.values() if database.code == code), None)

    @staticmethod
    def rank(database: str, name: str) -> tuple[int, str]:
        """The key by which tables of a database are ordered: the directory's most useful first."""
        order = list(_LEADS)
        return (order.index((database, name)) if (database, name) in order else len(order), name)

    def table(self, database: str, name: str) -> TableText:
        """The texts of a table; one that nobody described keeps its name."""
        found = self._tables.get((database, name))
        return found if found is not None else TableText(database, name, Label(name, name), None, _own(), None)


def of_instance(folder: Path) -> Titles:
    """The titles of the instance in ``folder``; its metadata.yml is read again only when it changes."""
    file = folder / "metadata.yml"
    return _read(file, file.stat().st_mtime_ns)


def code_meaning(codes: str | None, value: object) -> Label | None:
    """What a value of a code list means, or None where the list does not know it."""
    known = packaged_codes().get(codes or "")
    return known.values.get(str(value)) if known is not None else None


@cache
def _read(file: Path, _changed_ns: int) -> Titles:
    metadata = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Titles(metadata if isinstance(metadata, dict) else {}, packaged_mappings().values())


def _packaged(mappings: list[SourceMapping]) -> dict[tuple[str, str], TableText]:
    filled_by: dict[tuple[str, str], SourceMapping] = {}
    for mapping in mappings:
        filled_by.setdefault((mapping.database, mapping.table), mapping)
    texts = {}
    for place, table in tables_of(mappings).items():
        source = filled_by.get(place)
        sources = {column.field: column for column in source.columns} if source is not None else {}
        columns = {
            field.name: ColumnText(
                field.name,
                field.title,
                field.description,
                field.type,
                field.role,
                field.codes,
                _countable(source, sources.get(field.name)),
            )
            for field in table.fields
        }
        key = source.key[0] if source is not None and len(source.key) == 1 else None
        texts[place] = TableText(*place, table.title, table.description, {**_own(), **columns}, _LEADS.get(place, key))
    return texts


def _countable(source: SourceMapping | None, column: Column | None) -> bool:
    if source is None or column is None or column.role is not None or column.field in (NOTE, *source.key):
        return False
    if column.field.endswith(("_code", "_no")):
        return False
    if column.type in ("code", "boolean", "list"):
        return True
    return column.type == "text" and column.max_length is not None and column.max_length <= _KIND_LENGTH


def _own() -> dict[str, ColumnText]:
    return {name: ColumnText(name, title, about) for name, (title, about) in _OWN_COLUMNS.items()}


def _overlay(known: TableText, said: Mapping[str, Any]) -> TableText:
    columns = dict(known.columns)
    for name, text in (said.get("columns") or {}).items():
        if name not in _OWN_COLUMNS:
            columns[name] = _column_said(known.column(name), str(text))
    about = _label(said, "description", known.about or Label("", ""))
    return TableText(
        known.database,
        known.name,
        _label(said, "title", known.title),
        about if about.zh else None,
        columns,
        known.lead,
    )


def _column_said(known: ColumnText, text: str) -> ColumnText:
    """metadata.yml holds one Chinese text for a column: ``title：meaning``, or the title alone."""
    title, _, about = text.partition("：")
    described = known.title.zh != known.name
    return ColumnText(
        known.name,
        Label(title, known.title.en if described else title),
        Label(about, known.about.en if known.about is not None else about) if about else known.about,
        known.type,
        known.role,
        known.codes,
        known.countable,
    )


def _label(said: Mapping[str, Any] | None, key: str, default: Label) -> Label:
    said = said or {}
    zh = said.get(key)
    if not zh:
        return default
    return Label(str(zh), str(said.get(f"{key}_en") or (default.en if default.zh == zh else zh)))
