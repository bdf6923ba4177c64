"""The parts that answer queries, put together for one instance; the gate calls :meth:`QueryService.answer`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from typing import Any

from catalog import titles
from catalog.asking import Asked
from catalog.authentication import Credentials
from catalog.http import Answer
from catalog.identity.agencies import agencies
from catalog.query import answers, get_arguments
from catalog.query.api_section import ApiSection, api_section
from catalog.query.batch import Batches
from catalog.query.cursor import Cursors
from catalog.query.errors import QueryError
from catalog.query.permit import Permits
from catalog.query.quotas import Quotas, read_limits
from catalog.query.reading import Readers
from catalog.query.schema import Column, Schemas
from catalog.query.single import Queries
from catalog.routes import API_BATCH, Match
from catalog.service import Service

#: Where the counts of quotas lie, below the instance's folder; no backup needs it.
USAGE_FILE = "run/usage.db"


class QueryService:
    """What answers ``POST /api/query`` and its page.

    Args:
        limit_seconds: how long one statement may take.
        config: the plugin's configuration in datasette.yml.

    Raises:
        UsageError: the configuration is wrong.
    """

    def __init__(self, service: Service, limit_seconds: float, config: Mapping[str, Any]) -> None:
        instance = service.instance
        self._service = service
        self.schemas = Schemas(instance.database_path, lambda: titles.of_instance(instance.path))
        self.permits = Permits(service, self.schemas)
        self.quotas = Quotas(instance.path / USAGE_FILE, read_limits(config), service.now)
        self._readers = Readers(instance.database_path, limit_seconds)
        cursors = Cursors(instance.session_secret(), os.urandom)
        self.single = Queries(self.permits, self._readers, cursors)
        self._batches = Batches(self.permits, self._readers, service.ledger)

    async def answer(
        self, found: Match, credentials: Credentials, asked: Asked, fields: Mapping[str, str], body: bytes
    ) -> Answer:
        """The answer to a request of the API; :meth:`finish` completes it once its entry is durable.

        Args:
            fields: header fields by lower-case name.

        Raises:
            DeniedError: it is not open.
            RequestError: it is out of form, too slow, or cannot be read now.
        """
        if fields.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise QueryError(
                415,
                "not_json",
                "the body must be JSON: send it with the header Content-Type: application/json",
                "正文须为 JSON：请加上头字段 Content-Type: application/json",
            )
        try:
            if found.route.name == API_BATCH:
                return await self._batches.answer(asked, credentials, fields, body)
            asked.text = body.decode("utf-8", "replace")
            return await self.single.answer(asked, credentials, fields, body)
        except sqlite3.Error as error:
            raise unreadable(asked.resource, error) from error

    def finish(self, answer: Answer, asked: Asked, seq: int, receipt_path: str) -> None:
        """Name the entry in the answer, with its receipt where it was asked for.

        Raises:
            LedgerError: the receipt cannot be made.
        """
        part = answer.body
        if answer.status != 200 or not isinstance(part, bytes):
            return
        receipt = self._service.ledger.receipt(seq, with_openings=True).to_json() if asked.receipt else None
        answer.body = answers.finish(part, seq, receipt_path, receipt)

    def check_address(self, resource: str, query_string: str) -> None:
        """Raise :class:`RequestError` 400 where an address asks by a column whose values must not stand in it."""
        schema = self.schemas.table(*resource.split("/", 1))
        if schema is not None:
            get_arguments.check(query_string, schema, self._service.address.prefix)

    def opened(self, credentials: Credentials, resource: str) -> dict[str, Column]:
        """The columns of a table that some purpose opens to the agency; none where it may not be asked."""
        actor = credentials.actor
        decision = self._service.decision(actor, resource)
        schema = self.schemas.table(*resource.split("/", 1))
        if schema is None or not (decision.allowed or decision.code == "purpose_needed"):
            return {}
        opened = decision.columns
        return {name: column for name, column in schema.columns.items() if opened is None or name in opened}

    def api_section(self, credentials: Credentials, resource: str) -> ApiSection | None:
        """What a table's page says of its API; None where the table may not be asked."""
        columns = self.opened(credentials, resource)
        if not columns:
            return None
        purposes = self._service.purposes_granted(credentials.actor, resource)
        return api_section(self._service.address, resource, columns, purposes, self.parties(credentials, resource))

    def parties(self, credentials: Credentials, resource: str) -> tuple[str, str]:
        """The agency that asks, and one with which it might act together: the provider of what it asks for."""
        asker, published = credentials.actor.agency, self._service.resource(resource)
        provider = published["provider"] if published is not None else asker
        others = [each["id"] for each in agencies(self._service.register) if each["id"] != asker]
        return asker, provider if provider != asker else next(iter(others), asker)

    def close(self) -> None:
        self._readers.close()
        self.schemas.close()
        self.quotas.close()


def unreadable(resource: str, error: sqlite3.Error) -> QueryError:
    """The error for a database that cannot be read now; SQLite's own words name neither values nor what was asked."""
    return QueryError(
        503,
        "unreadable",
        f"the data of {resource} cannot be read now "
        f"({getattr(error, 'sqlite_errorname', 'text that is not UTF-8')}); try again, "
        "and tell the operator if it happens again",
        f"{resource} 的数据目前无法读取；请重试，如再次出现请告知运维单位",
        retry_after=5,
    )
