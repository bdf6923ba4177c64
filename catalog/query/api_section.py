"""What a table's page says of its API: address, purposes, commands that work as printed, a sample answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog import i18n
from catalog.address import PublicAddress
from catalog.purpose import CODES
from catalog.query.samples import answer_sample, batch_sample, query_sample, subject_column
from catalog.query.schema import Column

_FILE = "question.json"


@dataclass(frozen=True, slots=True)
class PurposeLine:
    """A code of purpose that opens the table, and the reference that goes with it."""

    code: str
    title: str
    reference: str


@dataclass(frozen=True, slots=True)
class ApiSection:
    """The section of one table.

    Attributes:
        question: lines for a shell that write the question into a file.
        commands: language and command line, each of which sends that file.
        batch: the same for look-ups of many subjects; empty where the table has no column for it.
        purposes: None where none is needed.
    """

    url: str
    openapi_url: str
    question: str
    commands: tuple[tuple[str, str], ...]
    answer: str
    batch: str
    batch_command: str
    purposes: tuple[PurposeLine, ...] | None


def api_section(
    address: PublicAddress,
    resource: str,
    columns: Mapping[str, Column],
    purposes: Sequence[str] | None,
    parties: Sequence[str],
) -> ApiSection:
    """The section for a table.

    Args:
        columns: those that may be had.
        purposes: the codes that open it; None where it needs none.
        parties: the asking agency and another, for a sample of acting together.
    """
    database, _, table = resource.partition("/")
    url = address.url(f"{address.prefix}/api/query/{resource}")
    batch_url = address.url(f"{address.prefix}/api/query/batch")
    subject = subject_column(columns)
    return ApiSection(
        url,
        f"{address.prefix}/api/openapi.json",
        _written(query_sample(columns, purposes, parties)),
        (
            ("curl", _curl(url)),
            ("Python", f"python3 liandong_query.py --key KEY.pem --json {_FILE} '{url}'"),
            ("Java", f"java LiandongQuery --key KEY.pem --json {_FILE} '{url}'"),
            ("liandong", f"liandong query --key KEY.pem --json {_FILE} '{url}'"),
        ),
        _pretty(answer_sample(database, table, columns)),
        _written(batch_sample(resource, subject, purposes, parties)) if subject is not None else "",
        _curl(batch_url),
        _lines(purposes),
    )


def _curl(url: str) -> str:
    return (
        f"curl -sS '{url}' \\\n  -H \"Authorization: Bearer $LIANDONG_TOKEN\" "
        f"-H 'Content-Type: application/json' \\\n  --data-binary @{_FILE}"
    )


def _written(question: Mapping[str, Any]) -> str:
    return f"cat > {_FILE} <<'JSON'\n{_pretty(question)}\nJSON"


def _pretty(value: Mapping[str, Any]) -> str:
    """JSON, a member a line; of a list of objects, an object a line."""
    members = [f"  {json.dumps(name)}: {_member(each)}" for name, each in value.items()]
    return "{\n" + ",\n".join(members) + "\n}"


def _member(value: Any) -> str:
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in value) + "\n  ]"


def _lines(purposes: Sequence[str] | None) -> tuple[PurposeLine, ...] | None:
    if purposes is None:
        return None
    known = [CODES[code] for code in purposes]
    return tuple(
        PurposeLine(each.code, i18n.choose(each.zh, each.en), i18n.choose(each.reference_zh, each.reference_en))
        for each in known
    )
