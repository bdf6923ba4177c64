"""The bytes of an answer: what is hashed into the entry first, then the line that names the entry. Pure.

docs/spec/query.md says it as numbered requirements: the last line begins with ``,"ledger":``, and ``answer_sha256``
covers everything before the newline that precedes it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from catalog.http import Answer
from catalog.query.errors import QueryError

#: More is no answer to a query but an export.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
LAST_LINE = b'\n,"ledger":'
_JSON = [(b"content-type", b"application/json; charset=utf-8")]


def first_part(value: Mapping[str, Any]) -> bytes:
    """An object without its closing brace: what is hashed.

    Raises:
        QueryError: 413, it is too large.
    """
    return checked(dump(value)[:-1])


def checked(part: bytes) -> bytes:
    """``part``, unless it is too large for an answer."""
    if len(part) > MAX_ANSWER_BYTES:
        mib = MAX_ANSWER_BYTES >> 20
        raise QueryError(
            413,
            "answer_too_large",
            f"the answer would be larger than {mib} MiB; ask for fewer rows or columns",
            f"答复将超过 {mib} MiB；请减少行数或字段",
        )
    return part


def answer(part: bytes) -> Answer:
    """The answer as it is hashed; :func:`finish` completes it once its entry is durable."""
    return Answer(200, list(_JSON), part)


def finish(part: bytes, seq: int, receipt_path: str, receipt: Mapping[str, Any] | None) -> bytes:
    """The whole body: ``part``, and the line that names the entry."""
    ledger = dump({"entry": seq, "receipt": receipt_path})
    tail = b',"receipt":' + dump(receipt) + b"}" if receipt is not None else b"}"
    return part + LAST_LINE + ledger + tail


def hashed_part(body: bytes) -> bytes:
    """What of an answer's body its digest covers: everything before the last line, or the whole where it has none."""
    part, line, _ = body.rpartition(LAST_LINE)
    return part if line else body


def objects(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows as objects; what a row has beyond ``names`` is the cursor's."""
    return [dict(zip(names, row, strict=False)) for row in rows]


def dump(value: Any) -> bytes:
    """Compact JSON in UTF-8; it holds no newline."""
    return orjson.dumps(value, default=_other)


def _other(value: object) -> Any:
    if isinstance(value, bytes):
        return {"$base64": True, "encoded": base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)
