"""``/api/openapi.json``: the document of :mod:`catalog.query.openapi` for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from datasette import Response
from datasette.utils.asgi import Request

from catalog.authentication import Credentials
from catalog.desk import openapi as desk_openapi
from catalog.query.openapi import IDEMPOTENCY, OpenTable, document
from catalog.query.service import QueryService
from catalog.service import Service

if TYPE_CHECKING:
    from datasette.app import Datasette


async def openapi(datasette: Datasette, service: Service, queries: QueryService, request: Request) -> Response:
    """The document; with the tables that are open to the asker's agency, where somebody is signed in."""
    credentials: Credentials | None = request.scope.get("liandong_credentials")
    tables = open_tables(service, queries, credentials) if credentials is not None else ()
    value = document(service.instance.settings.public_url, version("liandong"), tables, desk_openapi.paths(IDEMPOTENCY))
    return Response.json(value, headers={"cache-control": "no-store"})


def open_tables(service: Service, queries: QueryService, credentials: Credentials) -> Iterator[OpenTable]:
    """The tables that the agency may ask, each with the columns that some purpose opens."""
    actor = credentials.actor
    for resource, _ in service.decisions(actor.agency, actor.role):
        place = f"{resource['database']}/{resource['table_name']}"
        schema = queries.schemas.table(resource["database"], resource["table_name"])
        columns = queries.opened(credentials, place)
        if schema is not None and columns:
            purposes = service.purposes_granted(actor, place)
            yield OpenTable(schema.text, columns, tuple(purposes) if purposes is not None else None)
