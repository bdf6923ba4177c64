"""The pages and answers that are ours: home, sign-in, own queries, ledger, receipts. Each takes what it needs and
returns a response; deciding who may call it is the gate's (:mod:`catalog.routes`)."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from datasette import Response
from datasette.utils import error_body
from datasette.utils.asgi import Request

from catalog import i18n
from catalog.authentication import SESSION_COOKIE, Credentials
from catalog.errors import AuthenticationError, RequestError
from catalog.identity import SESSION_HOURS
from catalog.routes import match
from catalog.service import Service
from ledger import CATEGORIES, LedgerError, LedgerUnavailableError
from ledger.entries import KINDS
from ledger.log.tiles import WIDTH, Tile

if TYPE_CHECKING:
    from datasette.app import Datasette

PAGE_SIZE = 50

#: Titles of the six categories. Source: 源政办发〔2021〕19号 二(四).
CATEGORY_TITLES = {
    "directory": ("执法信息资源目录", "Directories of enforcement information"),
    "work": ("执法工作数据", "Work data"),
    "dynamics": ("执法动态信息", "Enforcement dynamics"),
    "monitoring": ("执法监控信息", "Monitoring information"),
    "alerts": ("执法预警信息", "Alerts"),
    "documents": ("执法文书档案", "Documents and files"),
}


def common_context(service: Service, request: Request | None) -> dict[str, Any]:
    """What the base template needs on every page."""
    settings = service.instance.settings
    actor = request.actor if request is not None else None
    return {
        "county": i18n.choose(settings.county_zh, settings.county_en),
        "demo": settings.demo,
        "categories": [
            {"database": database, "title": i18n.choose(*CATEGORY_TITLES[database])} for database in CATEGORIES
        ],
        "here": request.path if request is not None else "/",
        **({"liandong_actor": actor} if actor else {}),
    }


def local_time(t: str) -> str:
    """An entry's UTC time as the county's clock shows it (UTC+8): ``2026-11-23 10:03:04``."""
    moment = datetime.fromisoformat(t.replace("Z", "+00:00")) + timedelta(hours=8)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


async def home(datasette: Datasette, service: Service, request: Request) -> Response:
    """The six categories: what is published here, and what of it the signed-in agency may open."""
    counts = await _directory_counts(datasette)
    decisions = service.decisions(request.actor["agency"], request.actor["role"])
    names = {agency["id"]: agency for agency in service.identity.agencies()}
    cards = []
    for database in CATEGORIES:
        tables = []
        for resource, decision in decisions:
            if resource["database"] == database:
                tables.append(
                    {
                        "path": datasette.urls.table(database, resource["table_name"]),
                        "title": await _table_title(datasette, database, resource["table_name"]),
                        "provider": i18n.choose(
                            names[resource["provider"]]["name_zh"], names[resource["provider"]]["name_en"]
                        ),
                        "sharing_class": resource["sharing_class"],
                        "allowed": decision.allowed,
                        "reason": i18n.choose(decision.reason_zh, decision.reason_en),
                    }
                )
        cards.append(
            {
                "database": database,
                "title": i18n.choose(*CATEGORY_TITLES[database]),
                "path": datasette.urls.database(database),
                "tables": tables,
                "entries": counts.get(database, 0),
            }
        )
    return await _page(datasette, request, "home.html", {"cards": cards, "unclassified": counts.get(None, 0)})


async def sign_in(datasette: Datasette, service: Service, request: Request) -> Response:
    """The sign-in form, and what it sends."""
    if request.method != "POST":
        return await _page(datasette, request, "sign_in.html", {"next": _safe_next(request.args.get("next"))})
    form = await _form(request)
    target = _safe_next(form.get("next"))
    try:
        # scrypt takes about 0.1 s of CPU by design: not on the event loop.
        session = await asyncio.to_thread(
            service.identity.sign_in, form.get("login", "").strip(), form.get("password", "")
        )
    except AuthenticationError as error:
        context = {"next": target, "login": form.get("login", ""), "error": i18n.choose(error.zh, error.en)}
        return await _page(datasette, request, "sign_in.html", context, status=401)
    response = Response.redirect(datasette.urls.path(target))
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=SESSION_HOURS * 3600,
        httponly=True,
        samesite="lax",
        secure=service.instance.settings.public_url.startswith("https://"),
    )
    return response


async def sign_out(datasette: Datasette, service: Service, request: Request) -> Response:
    """End the session."""
    credentials: Credentials = request.scope["liandong_credentials"]
    if credentials.session:
        service.identity.sign_out(credentials.session)
    response = Response.redirect(datasette.urls.path("/sign-in"))
    response.set_cookie(SESSION_COOKIE, "", max_age=0, httponly=True, samesite="lax")
    return response


async def set_language(datasette: Datasette, service: Service, request: Request) -> Response:
    """Remember the reader's language and go back to the page."""
    form = await _form(request)
    chosen = form.get("language", "")
    response = Response.redirect(datasette.urls.path(_safe_next(form.get("next"))))
    if chosen in i18n.LANGUAGES:
        response.set_cookie(i18n.COOKIE, chosen, max_age=365 * 86400, samesite="lax", httponly=True)
    return response


async def my_queries(datasette: Datasette, service: Service, request: Request) -> Response:
    """The signed-in agency's own entries, newest first, with their receipts."""
    where = {"requester": request.actor["agency"]}
    return await _entries_page(datasette, service, request, "queries.html", where)


async def whole_ledger(datasette: Datasette, service: Service, request: Request) -> Response:
    """All entries, for the supervising offices."""
    return await _entries_page(datasette, service, request, "ledger.html", None)


async def checkpoint(datasette: Datasette, service: Service, request: Request) -> Response:
    """The newest signed checkpoint. Source: c2sp.org/tlog-tiles, "Checkpoints"."""
    return Response(
        service.ledger.checkpoint().decode(),
        content_type="text/plain; charset=utf-8",
        headers={"cache-control": "no-store"},
    )


async def verifier_key(datasette: Datasette, service: Service, request: Request) -> Response:
    """The log's verifier key; trust it only when it came to you another way."""
    return Response(f"{service.ledger.verifier_key}\n", content_type="text/plain; charset=utf-8")


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
        return Response.json(_error(status, error.zh, error.en), status=status, headers={"cache-control": "no-store"})
    # What a tile holds never changes; a partial one may go when the full one is there.
    cache = "public, max-age=31536000, immutable" if tile.width == WIDTH else "public, max-age=300"
    return Response(data, content_type="application/octet-stream", headers={"cache-control": cache})


async def receipt(datasette: Datasette, service: Service, request: Request) -> Response:
    """The receipt of an entry for the one it concerns, with the openings of its own commitments."""
    seq = int(request.url_vars["seq"])
    try:
        entry = service.ledger.entry(seq)
    except LedgerError as error:
        return Response.json(_error(404, error.zh, error.en), status=404)
    if entry.get("requester") != request.actor["agency"]:
        zh, en = "该条不是本单位的查询", "this entry is not your agency's query"
        return Response.json(_error(403, zh, en), status=403)
    found = service.ledger.receipt(seq, with_openings=True)
    return Response.json(
        found.to_json(),
        headers={"content-disposition": f'attachment; filename="receipt-{seq}.json"', "cache-control": "no-store"},
    )


async def forbidden(datasette: Datasette, service: Service, request: Request) -> Response:
    """403 with the clause that decided, in the words the page and the JSON share."""
    credentials: Credentials = request.scope["liandong_credentials"]
    found = match(request.method, request.path)
    decision = service.decision(credentials.actor, found.resource) if found else None
    zh = decision.reason_zh if decision else "此处没有向本单位开放的内容"
    en = decision.reason_en if decision else "nothing here is open to your agency"
    if found is not None and found.format == "html" and "text/html" in request.headers.get("accept", ""):
        context = {"status": 403, "title": None, "error": i18n.choose(zh, en)}
        return await _page(datasette, request, "error.html", context, status=403)
    return Response.json({**_error(403, zh, en), "code": decision.code if decision else "not_published"}, status=403)


async def _entries_page(
    datasette: Datasette, service: Service, request: Request, template: str, where: dict[str, str] | None
) -> Response:
    before = request.args.get("before", "")
    if before and not re.fullmatch(r"[0-9]{1,15}", before):
        raise RequestError(400, "before must be an entry's number", "before 应为条目编号")
    rows = service.ledger.newest(PAGE_SIZE + 1, before=int(before) if before else None, where=where)
    names = {agency["id"]: i18n.choose(agency["name_zh"], agency["name_en"]) for agency in service.identity.agencies()}
    entries = [_describe(row, names) for row in rows[:PAGE_SIZE]]
    more = rows[PAGE_SIZE - 1]["seq"] if len(rows) > PAGE_SIZE else None
    context = {"entries": entries, "more": more, "first_page": not before, "origin": service.ledger.origin}
    return await _page(datasette, request, template, context)


def _describe(entry: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    kind = KINDS.get((entry["kind"], entry["v"]))
    return {
        **entry,
        "title": i18n.choose(kind.title_zh, kind.title_en) if kind else entry["kind"],
        "requester_name": names.get(entry.get("requester", ""), ""),
        "elapsed_ms": entry["elapsed_us"] / 1000 if "elapsed_us" in entry else None,
    }


async def _directory_counts(datasette: Datasette) -> dict[str | None, int]:
    """Published directory entries by category's database; None counts those whose category nobody has stated."""
    result = await datasette.get_database("directory").execute(
        "SELECT c.database, count(*) FROM resources r LEFT JOIN categories c ON c.code = r.category GROUP BY 1"
    )
    return {row[0]: row[1] for row in result.rows}


async def _table_title(datasette: Datasette, database: str, table: str) -> str:
    metadata = await datasette.get_resource_metadata(database, table)
    zh = metadata.get("title") or table
    return i18n.choose(zh, metadata.get("title_en") or zh)


async def _page(
    datasette: Datasette, request: Request, template: str, context: dict[str, Any], status: int = 200
) -> Response:
    html = await datasette.render_template(template, context, request=request)
    return Response.html(html, status=status)


async def _form(request: Request) -> dict[str, str]:
    body = await request.post_body()
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _safe_next(target: str | None) -> str:
    """A path on this site, or the home page: never another site (``//host``, ``/\\host``) or a scheme."""
    if target and re.fullmatch(r"/(?![/\\])[!-~]*", target) and "\\" not in target:
        return target
    return "/"


def _error(status: int, zh: str, en: str) -> dict[str, Any]:
    return {**error_body(i18n.choose(zh, en), status), "error_zh": zh, "error_en": en}
