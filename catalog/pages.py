"""The pages and answers that are ours: home, sign-in, own queries, ledger, receipts, errors; and what the templates of
Datasette's own pages need of us. Deciding who may call them is the gate's (:mod:`catalog.routes`)."""

from __future__ import annotations

import json
import re
import sqlite3
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils import error_body
from datasette.utils.asgi import Request

from catalog import i18n, purpose_page, titles, web
from catalog.asking import SCOPE_KEY, Asked
from catalog.conditional import cacheable
from catalog.cookies import set_cookie
from catalog.entry_view import described, resource_title
from catalog.errors import ForbiddenError, RequestError
from catalog.forms import read_form
from catalog.i18n import gettext
from catalog.identity import agencies as agency_register
from catalog.listing import clock, say
from catalog.overview import Overview, agency_names
from catalog.routes import match
from catalog.service import Service
from catalog.titles import Titles
from ledger import CATEGORIES, BilingualError, LedgerError, LedgerUnavailableError
from ledger.log.tiles import WIDTH, Tile

if TYPE_CHECKING:
    from datasette.app import Datasette

PAGE_SIZE = 50
_PLAIN_TEXT, _BYTES = "text/plain; charset=utf-8", "application/octet-stream"


# -- what every page needs --------------------------------------------------------------------------------------------


async def context(
    datasette: Datasette,
    service: Service,
    request: Request | None,
    *,
    view_name: str | None = None,
    database: str | None = None,
    table: str | None = None,
) -> dict[str, Any]:
    """What the base template needs, and what Datasette's own pages need besides their data."""
    names = _titles(service)
    settings = service.instance.settings
    common: dict[str, Any] = {
        "county": i18n.choose(settings.county_zh, settings.county_en),
        "demo": settings.demo,
        "public_url": settings.public_url,
        "version": version("liandong"),
        "printed_at": clock(service.now()),
        "categories": [
            {
                "database": each,
                "title": say(names.databases[each].title),
                "short": _short_title(each),
                "path": datasette.urls.database(each),
            }
            for each in CATEGORIES
        ],
    }
    if request is None:  # an error page of the gate's, which says itself where it is and who asks
        return common
    common["here"] = request.full_path if request.method in ("GET", "HEAD") else "/"
    if request.actor is None:
        return common
    common["liandong_actor"] = request.actor
    if database in CATEGORIES:
        common["section"] = database
        overview = Overview(datasette, service, request.actor)
        if view_name == "database":
            common["category"] = await overview.category(database)
        elif view_name in ("table", "row") and table is not None:
            asked: Asked | None = request.scope.get(SCOPE_KEY)
            decision = asked.decision if asked is not None else None
            common["page"] = await overview.table(database, table, request.query_string, decision)
            common["stated"] = purpose_page.in_force(datasette, service, request, f"{database}/{table}")
    return common


def _titles(service: Service) -> Titles:
    return titles.of_instance(service.instance.path)


def _short_title(database: str) -> str:
    """A category in a word or two, for the navigation."""
    return {
        "directory": gettext("Directory"),
        "work": gettext("Work data"),
        "dynamics": gettext("Dynamics"),
        "monitoring": gettext("Monitoring"),
        "alerts": gettext("Alerts"),
        "documents": gettext("Documents"),
    }[database]


# -- home -------------------------------------------------------------------------------------------------------------


async def home(datasette: Datasette, service: Service, request: Request) -> Response:
    """The six categories: what is published here, and what of it the signed-in agency may open."""
    about = await Overview(datasette, service, request.actor).home()
    return await web.page(datasette, request, "home.html", about)


# -- language ---------------------------------------------------------------------------------------------------------


async def set_language(datasette: Datasette, service: Service, request: Request) -> Response:
    """Remember the reader's language and go back to the page."""
    form = await read_form(request)
    chosen = form.text("language")
    response = Response.redirect(datasette.urls.path(web.safe_next(form.text("next"))))
    if chosen in i18n.LANGUAGES:
        set_cookie(response, service.address, i18n.COOKIE, chosen, 365 * 86400)
    return response


# -- the ledger -------------------------------------------------------------------------------------------------------


async def checkpoint(datasette: Datasette, service: Service, request: Request) -> Response:
    """The newest signed checkpoint. Source: c2sp.org/tlog-tiles, "Checkpoints"."""
    # tlog-tiles: not cached beyond a few seconds. Kept and asked for again, it costs no body where nothing is new.
    return cacheable(request, service.ledger.checkpoint(), _PLAIN_TEXT, "no-cache")


async def verifier_key(datasette: Datasette, service: Service, request: Request) -> Response:
    """The log's verifier key; trust it only when it came to you another way."""
    return cacheable(request, f"{service.ledger.verifier_key}\n".encode(), _PLAIN_TEXT, "no-cache")


async def hash_tile(datasette: Datasette, service: Service, request: Request) -> Response:
    """A tile of hashes, for everybody. Source: c2sp.org/tlog-tiles, "Merkle Tree"."""
    return _tile(service, request, hashes=True)


async def entry_bundle(datasette: Datasette, service: Service, request: Request) -> Response:
    """A bundle of entries, for supervising offices and mirrors. Source: c2sp.org/tlog-tiles, "Log Entries"."""
    return _tile(service, request, hashes=False)


def _tile(service: Service, request: Request, *, hashes: bool) -> Response:
    try:
        tile = Tile.parse(request.url_vars["tile"])
        if (tile.level is None) is hashes:  # the route said the other; never give entries where hashes were allowed
            raise LedgerError("there is no such tile", "没有该瓦片")
        data = service.ledger.tile(tile)
    except LedgerError as error:
        status = 503 if isinstance(error, LedgerUnavailableError) else 404
        body = error_body(i18n.choose(error.zh, error.en), status)
        body |= {"error_zh": error.zh, "error_en": error.en}
        return Response.json(body, status=status, headers={"cache-control": "no-store"})
    # What a tile holds never changes; a partial one may go when the full one is there.
    cache = "public, max-age=31536000, immutable" if tile.width == WIDTH else "public, max-age=300"
    if not hashes:  # recorded before it leaves, with the digest of what was given: always whole
        return Response(data, content_type=_BYTES)
    return cacheable(request, data, _BYTES, cache)


async def receipt(datasette: Datasette, service: Service, request: Request) -> Response:
    """The receipt of an entry for the one it concerns, with the openings of its own commitments."""
    seq = int(request.url_vars["seq"])
    try:
        entry = service.ledger.entry(seq)
    except LedgerError as error:
        raise RequestError(404, error.en, error.zh) from error
    if entry.get("requester") != request.actor["agency"]:
        raise ForbiddenError(
            "own-agency",
            "this entry is not your agency's query; receipts go to the agency that asked",
            "该条不是本单位的查询；回执只提供给查询单位",
        )
    found = service.ledger.receipt(seq, with_openings=True)
    return Response.json(
        found.to_json(),
        headers={
            "content-disposition": f'attachment; filename="receipt-{seq}.json"',
            "cache-control": "private, no-store",
        },
    )


async def whole_ledger(datasette: Datasette, service: Service, request: Request) -> Response:
    """All entries, for the supervising offices."""
    before = request.args.get("before", "")
    if before and not re.fullmatch(r"[0-9]{1,15}", before):
        raise RequestError(
            400,
            "the place in the list that the address names is no entry's number; begin again with the first page",
            "网址中的翻页位置不是条目编号；请从第一页重新翻阅",
        )
    rows = service.ledger.newest(PAGE_SIZE + 1, before=int(before) if before else None)
    agencies = agency_names(agency_register.agencies(service.register))
    _, size, root = service.ledger.checkpoint().decode().split("\n")[:3]
    about = {
        "section": "ledger",
        "entries": [_describe(service, row, agencies) for row in rows[:PAGE_SIZE]],
        "more": rows[PAGE_SIZE - 1]["seq"] if len(rows) > PAGE_SIZE else None,
        "first_page": not before,
        "origin": service.ledger.origin,
        "size": int(size),
        "root": root,
    }
    return await web.page(datasette, request, "ledger.html", about)


#: The fields of an entry that name who acted, most telling first.
_ACTING = ("requester", "provider", "agency")


def _describe(service: Service, entry: dict[str, Any], agencies: dict[str, str]) -> dict[str, Any]:
    return {
        **described(entry, _titles(service), agencies),
        "who": next((agencies.get(entry[name], "") for name in _ACTING if name in entry), ""),
        "what": _subject(service, entry, agencies),
        "elapsed_ms": f"{entry['elapsed_us'] / 1000:,.1f}" if "elapsed_us" in entry else "",
    }


def _subject(service: Service, entry: dict[str, Any], agencies: dict[str, str]) -> str:
    """What an entry is about: a table, a category, one of our pages, an agency."""
    place = entry.get("resource") or f"{entry.get('database', '')}/{entry.get('table', '')}".strip("/")
    grantee = agencies.get(entry.get("grantee", ""), "")
    parts = [resource_title(_titles(service), place), grantee, entry.get("rules", "")]
    return " → ".join(part for part in parts if part)


# -- errors -----------------------------------------------------------------------------------------------------------


async def failed(datasette: Datasette, service: Service, request: Request, exception: Exception) -> Response:
    """The answer to an exception of Datasette's, in both languages; its own words stand in ``detail``."""
    status = int(getattr(exception, "status", 500))
    if type(exception).__name__ == "QueryInterrupted":
        status = 408
    elif status == 500 and _asked_wrongly(exception):
        status = 400
    if isinstance(exception, RequestError):  # ours, and says its own reason
        error = exception
        asked: Asked | None = request.scope.get(SCOPE_KEY)
        if asked is not None:
            asked.reason = asked.reason or str(exception.details.get("code", ""))
    else:
        error = _FAILURES.get(status) or RequestError(status, *_SERVER_FAILED)
    detail = {"detail": str(exception)} if status < 500 and error is not exception else {}
    found = match(request.method, request.path)
    database, _, table = (found.resource if found else "").partition("/")
    page: dict[str, Any] = {"section": database}
    if table and request.actor is not None:
        page["back"] = Overview(datasette, service, request.actor).published(database, table)
    return await problem(datasette, request, error, detail, page)


def _asked_wrongly(exception: Exception) -> bool:
    """Arguments that Datasette lets through and SQLite or JSON cannot take: the asker's mistake, not the service's."""
    if isinstance(exception, sqlite3.OperationalError):
        return any(words in str(exception) for words in ("malformed JSON", "no such column"))
    return isinstance(exception, (json.JSONDecodeError, OverflowError))


_SERVER_FAILED = (
    "something went wrong in the service, no data was given; try again, and tell the administrator if it happens again",
    "服务内部出错，未提供数据；请重试，如再次出现请告知系统管理员",
)
_FAILURES = {
    400: RequestError(
        400,
        "the address asks for something that this table cannot answer; ask again with the form on the table's page",
        "网址中的查询条件有误；请回到数据表页面，用查询表单重新查询",
    ),
    403: ForbiddenError(
        "no-sql",
        "conditions in SQL are not taken from anybody; ask again with the form on the table's page",
        "不接受任何人提交的 SQL 条件；请回到数据表页面，用查询表单查询",
    ),
    404: RequestError(
        404,
        "there is nothing at this address: the row or table does not exist or was withdrawn",
        "此地址没有内容：该行或该表不存在，或已撤回",
    ),
    408: RequestError(
        400,
        "the query took too long and was stopped; narrow it with another condition",
        "查询时间过长，已中止；请增加条件、缩小范围后再查",
    ),
    413: RequestError(
        413,
        "the answer is too large to be given at once; narrow it with another condition",
        "答复过大，无法一次提供；请增加条件、缩小范围后再查",
    ),
}


async def problem(
    datasette: Datasette,
    request: Request,
    error: BilingualError,
    more: dict[str, Any] | None = None,
    page: dict[str, Any] | None = None,
) -> Response:
    """An error as a page for a browser and as Datasette's JSON for a program.

    Args:
        more: further members of the JSON.
        page: further names for the template.
    """
    status, details, headers = 503, {}, {}
    if isinstance(error, RequestError):
        status, details, headers = error.status, error.details, error.headers
    found = match(request.method, request.path)
    said = i18n.choose(error.zh, error.en)
    if "text/html" in request.headers.get("accept", "") and (found is None or found.format == "html"):
        about = {"status": status, "error": said, **details, **(page or {})}
        response = await web.page(datasette, request, "error.html", about, status)
    else:
        both = {"error_zh": error.zh, "error_en": error.en}
        response = Response.json({**error_body(said, status), **both, **details, **(more or {})}, status=status)
    response.headers.update(headers)
    return response
