"""Sample requests and answers: what the OpenAPI document and a table's page show. Invented values by type. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.purpose import CODES
from catalog.query.lookups import SUBJECT_ROLES
from catalog.query.schema import Column
from catalog.titles import NOTE, ROW_ID

#: So many columns make a sample readable.
_SHOWN = 4
_VALUES: Mapping[str, Any] = {
    "date": "2026-01-09",
    "datetime": "2026-01-09T08:50:00+08:00",
    "boolean": "是",
    "list": '["示例"]',
    "url": "https://example.gov.cn/",
    "integer": 1,
    "decimal": 1.5,
}
#: By what a subject is best known, first.
_BEST_KNOWN = ("subject_id", "document_no", "party", "personal")
_REFERENCE = "示例〔2026〕1号"


#: Who takes part where nobody is known.
_PARTIES = ("zhzf", "scjg")


def purpose_sample(purposes: Sequence[str] | None, parties: Sequence[str] = _PARTIES) -> dict[str, Any] | None:
    """A purpose that is let pass, of the first code that may be stated; None where none is needed.

    Args:
        parties: ids of agencies that act together, the asker first.
    """
    if purposes is None:
        return None
    # A code by which an agency acts alone makes the shorter sample.
    known = [CODES[each] for each in purposes] or [CODES["case"]]
    code = next((each for each in known if not each.shared), known[0])
    said: dict[str, Any] = {"code": code.code, "reference": _REFERENCE}
    if code.words:
        said["words"] = "核对示例企业的许可"
    if code.shared:
        said["participants"] = list(parties)
    return said


def query_sample(
    columns: Mapping[str, Column] | None = None,
    purposes: Sequence[str] | None = ("case",),
    parties: Sequence[str] = _PARTIES,
) -> dict[str, Any]:
    """A request on one table that works as it stands."""
    if columns is None:
        filters = [{"column": "town", "op": "=", "value": "甲镇"}]
        chosen = ["document_no", "town"]
    else:
        chosen = _chosen(columns)
        filters = [{"column": chosen[0], "op": "is not null"}]
    purpose = purpose_sample(purposes, parties)
    return {
        "filters": filters,
        "columns": chosen,
        "order": [{"column": chosen[0], "descending": True}],
        "limit": 2,
        **({"purpose": purpose} if purpose is not None else {}),
    }


def answer_sample(database: str, table: str, columns: Mapping[str, Column]) -> dict[str, Any]:
    """What such a request is answered by."""
    chosen = _chosen(columns)
    return {
        "ok": True,
        "database": database,
        "table": table,
        "columns": chosen,
        "rows": [{name: _VALUES.get(columns[name].text.type, f"示例{name}") for name in chosen}],
        "next": None,
        "ledger": {"entry": 41, "receipt": "/log/receipt/41"},
    }


def batch_sample(
    resource: str = "work/penalties",
    column: str = "credit_code",
    purposes: Sequence[str] | None = ("case",),
    parties: Sequence[str] = _PARTIES,
) -> dict[str, Any]:
    """A request of two look-ups."""
    database, _, table = resource.partition("/")
    values = ("91370000示例000001", "91370000示例000002")
    purpose = purpose_sample(purposes, parties)
    return {
        "lookups": [{"database": database, "table": table, "column": column, "value": value} for value in values],
        **({"purpose": purpose} if purpose is not None else {}),
        "receipt": True,
    }


def subject_column(columns: Mapping[str, Column]) -> str | None:
    """The column by which a subject is best looked up; None where there is none."""
    found = [name for name, column in columns.items() if column.text.role in SUBJECT_ROLES]
    return min(found, key=lambda name: _BEST_KNOWN.index(columns[name].text.role or ""), default=None)


def _chosen(columns: Mapping[str, Column]) -> list[str]:
    """The first few columns of the source, none of our own marks unless there is nothing else."""
    source = [name for name in columns if name not in (ROW_ID, NOTE) and not name.startswith("_")]
    return (source or list(columns))[:_SHOWN]
