"""``POST /api/query/DATABASE/TABLE``: one query of one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import tally
from catalog.asking import Asked
from catalog.authentication import Credentials
from catalog.http import Answer
from catalog.query import answers, model
from catalog.query.body import load
from catalog.query.cursor import Cursors
from catalog.query.model import Query
from catalog.query.permit import Permit, Permits
from catalog.query.reading import Readers, Row
from catalog.query.statement import Statement, build, row_key


@dataclass(frozen=True, slots=True)
class Found:
    """What a query found: rows of ``columns``, and the cursor of the page after them."""

    permit: Permit
    columns: tuple[str, ...]
    rows: list[Row]
    next: str | None


class Queries:
    """Queries of one table: from the API and from the page alike."""

    def __init__(self, permits: Permits, readers: Readers, cursors: Cursors) -> None:
        self._permits = permits
        self._readers = readers
        self._cursors = cursors

    async def answer(self, asked: Asked, credentials: Credentials, fields: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request by JSON. Raises :class:`RequestError`."""
        query = model.parse(load(body))
        asked.receipt = query.receipt
        asked.purpose = self._permits.purpose(query.purpose, credentials, fields, asked.resource)
        found = await self.find(asked, credentials, query)
        tally.add(len(found.rows))
        return answers.answer(
            answers.first_part(
                {
                    "ok": True,
                    "database": found.permit.schema.database,
                    "table": found.permit.schema.table,
                    "columns": found.columns,
                    "rows": answers.objects(found.columns, found.rows),
                    "next": found.next,
                }
            )
        )

    async def find(self, asked: Asked, credentials: Credentials, query: Query) -> Found:
        """Decide for ``asked.purpose``, read, and say what comes next.

        Raises:
            DeniedError: it is not open for this purpose.
            QueryError: out of form, too slow.
        """
        permit = self._permits.decide(asked, credentials)
        agency = credentials.actor.agency
        statement = build(permit.schema, permit.columns, query, self._cursors.open(agency, asked.resource, query))
        rows = await self._readers.fetch(statement)
        after = None
        if len(rows) > statement.limit:
            del rows[statement.limit :]
            after = self._cursors.seal(agency, asked.resource, query, self._key(statement, rows[-1]))
        return Found(permit, statement.columns, rows, after)

    @staticmethod
    def _key(statement: Statement, row: Row) -> list[Any]:
        return row_key(statement, row)
