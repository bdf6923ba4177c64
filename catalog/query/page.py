"""The query form and its result page: ``/query/DATABASE/TABLE``. What is asked goes by POST and never into an address.

It works without scripts, asks by the same code as the API, and leads to tables of which a grant opens some columns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n, purpose, purpose_page, stated, tally
from catalog.asking import SCOPE_KEY, Asked, purpose_of
from catalog.authentication import Credentials
from catalog.errors import RequestError
from catalog.forms import MAX_FIELDS_WITH_BOXES, read_form
from catalog.http import header_fields
from catalog.identity.agencies import agencies
from catalog.listing import ColumnView
from catalog.overview import Overview
from catalog.permissions import NOT_PUBLISHED, Decision
from catalog.purpose import PurposeError
from catalog.query import answers, download, form, model
from catalog.query.errors import DeniedError, QueryError
from catalog.query.form import Form
from catalog.query.schema import Column, TableSchema
from catalog.query.service import QueryService, unreadable
from catalog.query.single import Found
from catalog.refusal import refused
from catalog.service import Service
from catalog.titles import ROW_ID
from catalog.web import page
from catalog.xlsx import MEDIA_TYPE

if TYPE_CHECKING:
    from datasette.app import Datasette


@dataclass(frozen=True, slots=True)
class _Asking:
    """One visit of the page: where, by whom, with what filled in."""

    datasette: Datasette
    service: Service
    queries: QueryService
    request: Request
    credentials: Credentials
    asked: Asked
    sent: Mapping[str, list[str]]

    @property
    def form(self) -> Form:
        return Form.of(self.sent)


async def show(datasette: Datasette, service: Service, queries: QueryService, request: Request) -> Response:
    """The empty form: it asks for nothing, so it is no query."""
    asking = _asking(datasette, service, queries, request, {})
    decision = _decision(asking)
    if not decision.allowed and decision.code != "purpose_needed":
        asking.asked.decision = decision
        return await refused(datasette, service, request, asking.asked)
    return await _page(asking, decision)


async def ask(datasette: Datasette, service: Service, queries: QueryService, request: Request) -> Response:
    """What the form sends: the result as a page or a file; the form again where something is missing or wrong."""
    sent = await read_form(request, MAX_FIELDS_WITH_BOXES)
    asking = _asking(datasette, service, queries, request, sent.lists)
    asked = asking.asked
    try:
        asked.purpose = _purpose(asking)
        permit = queries.permits.decide(asked, asking.credentials)
        query = asking.form.query(permit.columns)
        asked.text = answers.dump(model.to_json(query)).decode()
        found = await queries.single.find(asked, asking.credentials, query)
    except DeniedError as error:
        if error.code != "purpose_needed":
            return await refused(datasette, service, request, asked)
        return await _page(asking, _decision(asking), error)
    except RequestError as error:
        asked.reason = error.code if isinstance(error, QueryError) else "purpose"
        return await _page(asking, _decision(asking), error)
    except sqlite3.Error as error:
        raise unreadable(asked.resource, error) from error
    tally.add(len(found.rows))
    asked.format = asking.form.format
    if asked.format == "html":
        return await _page(asking, asked.decision or NOT_PUBLISHED, found=found)
    return _file(asking, found)


def _asking(
    datasette: Datasette, service: Service, queries: QueryService, request: Request, sent: Mapping[str, list[str]]
) -> _Asking:
    resource = f"{request.url_vars['database']}/{request.url_vars['table']}"
    asked: Asked = request.scope.get(SCOPE_KEY) or Asked(resource)
    return _Asking(datasette, service, queries, request, request.scope["liandong_credentials"], asked, sent)


def _purpose(asking: _Asking) -> purpose.Purpose | None:
    """The purpose that the form states, from now on the session's for this table; else the one that is in force.

    Raises:
        PurposeError: it says nothing.
    """
    given = purpose_page.given_in(dict(asking.sent))
    if not given["code"] and not given["reference"]:
        fields = header_fields(asking.request.scope["headers"])
        return purpose_of(asking.service, asking.credentials, fields, asking.asked.resource)
    known = [agency["id"] for agency in agencies(asking.service.register)]
    said = purpose.check_party(purpose.parse(given, known), asking.credentials.actor.agency)
    if asking.credentials.session:
        stated.remember(asking.service.register, asking.credentials.session, asking.asked.resource, said)
    return said


def _decision(asking: _Asking) -> Decision:
    """The decision for the purpose in force, if any: what the form may offer."""
    fields = header_fields(asking.request.scope["headers"])
    said = asking.asked.purpose or purpose_of(asking.service, asking.credentials, fields, asking.asked.resource)
    code = said.code if said is not None else None
    return asking.service.decision(asking.credentials.actor, asking.asked.resource, code)


async def _page(
    asking: _Asking, decision: Decision, error: RequestError | None = None, found: Found | None = None
) -> Response:
    asked, service = asking.asked, asking.service
    database, _, table = asked.resource.partition("/")
    schema = asking.queries.schemas.table(database, table)
    if schema is None:
        raise RequestError(404, "there is no table of that name", "没有这个名称的数据表")
    text = await Overview(asking.datasette, service, asking.request.actor).table(database, table, "", decision)
    offered = [name for name in schema.columns if decision.columns is None or name in decision.columns]
    about: dict[str, Any] = {
        "section": database,
        "page": text,
        "action": asking.datasette.urls.path(f"/query/{asked.resource}"),
        "form": asking.form,
        "operators": form.operators(),
        "limits": form.LIMITS,
        "any_column": form.ANY,
        "most": model.MAX_LIMIT,
        "askable": text.all_columns(offered),
        "narrowed": decision.columns is not None,
        "opens_table": decision.opens_table,
        "needs_purpose": decision.needs_purpose,
        "stated": purpose_page.in_force(asking.datasette, service, asking.request, asked.resource),
        "resource": asked.resource,
        "api": asking.queries.api_section(asking.credentials, asked.resource),
        **_purpose_fields(asking, error),
        **_error(error),
        **(_result(asking, schema, found, text) if found is not None else {}),
    }
    status = error.status if error is not None else 200
    return await page(asking.datasette, asking.request, "query.html", about, status)


def _purpose_fields(asking: _Asking, error: RequestError | None) -> dict[str, Any]:
    """What the fields of a purpose show: what was filled in, else what was stated before."""
    wrong = error if isinstance(error, PurposeError) else None
    given = purpose_page.given_in(dict(asking.sent))
    if not any(given.values()):
        given = purpose_page.before(asking.service, asking.credentials, asking.asked.resource)
    choices = purpose_page.choices(asking.service, asking.credentials, asking.asked.resource)
    return {**choices, "given": given, "wrong": wrong}


def _error(error: RequestError | None) -> dict[str, Any]:
    if error is None:
        return {}
    return {"error": i18n.choose(error.zh, error.en), "where": getattr(error, "where", "")}


def _result(asking: _Asking, schema: TableSchema, found: Found, text: Any) -> dict[str, Any]:
    return {
        "found": found,
        "rows": answers.objects(found.columns, found.rows),
        "shown": _views(text.columns(found.columns), found.columns, text, schema.columns),
        "first_page": not asking.form.cursor,
        "row_links": ROW_ID in found.columns and (asking.asked.decision or NOT_PUBLISHED).opens_table,
    }


def _views(
    usual: list[ColumnView], names: tuple[str, ...], text: Any, columns: Mapping[str, Column]
) -> list[ColumnView]:
    """The columns as a list shows them; where only the system's own were asked for, these."""
    return usual or [view for view in text.all_columns(names) if view.name in columns]


def _file(asking: _Asking, found: Found) -> Response:
    database, _, table = asking.asked.resource.partition("/")
    columns = found.permit.schema.columns
    rows = [row[: len(found.columns)] for row in found.rows]
    if asking.asked.format == "csv":
        content_type, data = download.CSV_TYPE, download.as_csv(found.columns, rows)
    else:
        title = found.permit.schema.text.title
        headings = [i18n.choose(columns[name].text.title.zh, columns[name].text.title.en) for name in found.columns]
        content_type = MEDIA_TYPE
        data = download.as_xlsx(i18n.choose(title.zh, title.en), headings, rows, asking.service.now())
    name = f"{database}-{table}.{asking.asked.format}"
    return Response(data, headers={"content-disposition": f'attachment; filename="{name}"'}, content_type=content_type)
