"""Datasette metadata of the six databases: titles and meanings of databases, tables and columns.

Written to the top-level metadata.yml by tools/make_metadata.py. Datasette takes a column's meaning as one text, and
gives unknown keys through as they are: Chinese stands in Datasette's own keys, English in ``title_en`` and
``description_en``; the English of columns is in ``directory.items``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from ingest.mapping import SourceMapping
from ingest.tables import DATABASE_INFO, Field, Table, tables_of

_HEADER = """\
# Titles and meanings of databases, tables and columns (Datasette metadata). Made from the packaged mappings by
# tools/make_metadata.py; change those and run it again. `tools/make_metadata.py --check` fails when this is stale.
"""


def metadata(mappings: Iterable[SourceMapping]) -> dict[str, Any]:
    """Return the metadata of every database as Datasette wants it.

    Raises:
        MappingError: mappings contradict one another.
    """
    tables = sorted(tables_of(mappings).values(), key=lambda table: table.name)
    return {
        "title": "联动：行政执法信息共享目录",
        "title_en": "Liandong: shared enforcement information",
        "databases": {
            info.name: {
                **_said(info.title.zh, info.title.en, info.description.zh, info.description.en),
                "tables": {table.name: _table(table) for table in tables if table.database == info.name},
            }
            for info in DATABASE_INFO
        },
    }


def metadata_yaml(mappings: Iterable[SourceMapping]) -> str:
    """Return the text of metadata.yml."""
    body = yaml.safe_dump(metadata(mappings), allow_unicode=True, sort_keys=False, width=1000)
    return _HEADER + body


def _table(table: Table) -> dict[str, Any]:
    description = table.description
    columns = {field.name: _column(field) for field in table.fields}
    own = {"id": "行号（系统内部）"}
    batch = {"_batch": "最近写入该行的批次"} if table.batches else {}
    return {
        **_said(
            table.title.zh,
            table.title.en,
            description.zh if description else None,
            description.en if description else None,
        ),
        "columns": {**own, **columns, **batch},
    }


def _column(field: Field) -> str:
    return f"{field.title.zh}：{field.description.zh}" if field.description else field.title.zh


def _said(zh: str, en: str, about_zh: str | None, about_en: str | None) -> dict[str, str]:
    said = {"title": zh, "title_en": en}
    if about_zh:
        said["description"] = about_zh
    if about_en:
        said["description_en"] = about_en
    return said
