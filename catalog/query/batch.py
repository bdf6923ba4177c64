"""``POST /api/query/batch``: many look-ups of subjects in one call, one entry, each provable and erasable alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog import tally
from catalog.asked import SEVERAL
from catalog.asking import Asked
from catalog.authentication import Credentials
from catalog.http import Answer
from catalog.query import answers, lookups
from catalog.query.body import load
from catalog.query.errors import BodyError
from catalog.query.lookups import SUBJECT_ROLES, Batch, Lookup
from catalog.query.model import Filter, Query
from catalog.query.permit import Permit, Permits
from catalog.query.reading import Fetch, Readers
from catalog.query.statement import Statement, build
from ledger import Ledger
from ledger.items import SealedItems
from ledger.log.commitment import Opening

#: All look-ups of one call together.
LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Found:
    """The answer's part that is hashed, how many rows are in it, and the items of the entry."""

    part: bytes
    rows: int
    items: SealedItems


class Batches:
    """Look-ups of many subjects."""

    def __init__(self, permits: Permits, readers: Readers, ledger: Ledger) -> None:
        self._permits = permits
        self._readers = readers
        self._ledger = ledger

    async def answer(self, asked: Asked, credentials: Credentials, fields: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request by JSON: all of its look-ups, or none.

        Raises:
            DeniedError: one table is not open for this purpose.
            RequestError: a look-up is out of form, the purpose says nothing, too slow.
        """
        batch = lookups.parse(load(body))
        asked.receipt = batch.receipt
        # Each look-up is a particular of its own, so that one can be erased: none of them stands here.
        asked.text = answers.dump({"limit": batch.limit, "lookups": len(batch.lookups)}).decode()
        asked.purpose = self._permits.purpose(batch.purpose, credentials, fields, "")
        permits = {}
        for resource in batch.resources:
            asked.resource = resource
            permits[resource] = self._permits.decide(asked, credentials)
        statements = [
            _statement(permits[each.resource], each, batch.limit, f"lookups[{index}]")
            for index, each in enumerate(batch.lookups)
        ]
        asked.resources = tuple(batch.resources)
        asked.resource = asked.resources[0] if len(asked.resources) == 1 else SEVERAL
        found = await self._readers.in_thread(lambda fetch: self._run(batch, statements, fetch), LIMIT_SECONDS)
        tally.add(found.rows)
        asked.items = found.items
        return answers.answer(found.part)

    def _run(self, batch: Batch, statements: Sequence[Statement], fetch: Fetch) -> _Found:
        """Read and seal, in one thread: 500 seals take some milliseconds."""
        salts = self._ledger.salts(len(statements))
        lines: list[bytes] = []
        openings: list[Opening] = []
        total = 0
        size = 0
        for index, (each, statement, salt) in enumerate(zip(batch.lookups, statements, salts, strict=True)):
            rows = fetch(statement)
            more = len(rows) > statement.limit
            del rows[statement.limit :]
            total += len(rows)
            result = {
                "item": index,
                "salt": salt.hex(),
                "columns": statement.columns,
                "rows": answers.objects(statement.columns, rows),
                "more": more,
            }
            lines.append(answers.dump(result))
            size += len(lines[-1])
            openings.append(Opening(salt, _item(each, len(rows), more, lines[-1])))
            if size > answers.MAX_ANSWER_BYTES:
                break
        head = answers.dump({"ok": True, "rows": total})[:-1] + b',"results":[\n'
        part = answers.checked(head + b"\n,".join(lines) + b"\n]")
        return _Found(part, total, self._ledger.seal_items(openings))


def _item(lookup: Lookup, rows: int, more: bool, line: bytes) -> dict[str, Any]:
    """What the ledger keeps of one look-up, as a particular of its own: what was asked, and what was told."""
    return {
        **lookup.given,
        "rows": rows,
        "more": more,
        "answer_sha256": hashlib.sha256(line).hexdigest(),
    }


def _statement(permit: Permit, lookup: Lookup, limit: int, where: str) -> Statement:
    column = permit.columns.get(lookup.column)
    if column is not None and column.text.role not in SUBJECT_ROLES:
        subjects = ", ".join(name for name, each in permit.columns.items() if each.text.role in SUBJECT_ROLES)
        raise BodyError(
            f"{where}.column",
            f"{lookup.column} is no column by which a subject is known; those are "
            f"{subjects or 'none'}; for any other ask "
            f"/api/query/{lookup.resource}",
            f"{lookup.column} 不能识别对象；可用：{subjects or '无'}；其他字段请用 /api/query/{lookup.resource}",
            code="not_a_subject_column",
        )
    query = Query((Filter(lookup.column, "=", lookup.value),), lookup.columns, limit=limit)
    try:
        return build(permit.schema, permit.columns, query)
    except BodyError as error:
        raise _placed(error, lookup, where) from error


def _placed(error: BodyError, lookup: Lookup, where: str) -> BodyError:
    """The same error in words of the request, where the filter was a look-up."""
    inner = error.where.replace("filters[0].column", "column").replace("filters[0].value", "value")
    _, _, en = error.en.partition(": ")
    _, _, zh = error.zh.partition("：")
    return BodyError(f"{where}.{inner}", en, zh, code=error.code)
