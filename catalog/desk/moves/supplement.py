"""Supplementing a request where the provider asked for it (补充材料, 条例 art. 21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.desk import subjects
from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    table = given.get("subjects")
    rows = subjects.of_values(table) if isinstance(table, list) else subjects.read(subjects.pasted(str(table or "")))
    return Said(
        {},
        {"supplement": free_text(given, "supplement", required=True)},
        [each.to_value() for each in rows],
    )


FORM = MoveForm(
    "supplement",
    "request.supplemented",
    ("补充材料", "Supplement the request"),
    (
        "提供方要求的补充内容。等待补充期间计时不停，等待天数会单独列出。",
        "What the provider asked for. The clock ran on meanwhile; the days of waiting are shown beside it.",
    ),
    (
        FormField("supplement", "text", ("补充内容", "The supplement"), required=True),
        FormField(
            "subjects",
            "rows",
            ("补充的查询对象（可不填）", "Further subjects (may be left empty)"),
            hint=("每行一个：名称、代码、备注，以制表符或逗号分隔", "One a line: name, code, note, by tabs or commas"),
        ),
    ),
    _read,
    takes_files=True,
)
