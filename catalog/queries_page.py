"""本单位的查询 and 谁查了我的数据: what was asked by us, with what opens it; and what others asked of our data.

The first shows particulars (query, reference, officer), for they are the agency's own. The second shows none: who in
the other agency asked is that agency's affair, and its supervisors'.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from datasette import Response
from datasette.utils.asgi import Request

from catalog import asked, grants, i18n, xlsx
from catalog import titles as all_titles
from catalog.asked import Filter
from catalog.entry_view import described, opened, resource_title, use_title
from catalog.errors import RequestError
from catalog.i18n import gettext
from catalog.identity.agencies import agencies
from catalog.listing import clock
from catalog.overview import agency_names
from catalog.service import Service
from catalog.web import page

if TYPE_CHECKING:
    from datasette.app import Datasette

PAGE_SIZE = 50
#: A spreadsheet holds no more rows; whoever needs more narrows the days.
EXPORT_LIMIT = 10_000


async def my_queries(datasette: Datasette, service: Service, request: Request) -> Response:
    """What was asked in the name of the signed-in agency, newest first, with openings and receipts."""
    agency = request.actor["agency"]
    wanted = _filter(request)
    entries, more = _page_of(asked.own(service.ledger, agency, wanted, _before(request)))
    view = OwnView(service, agency)
    about = {
        "section": "queries",
        "entries": [view.row(entry) for entry in entries],
        **_paging(datasette, request, "/queries", wanted, more),
        "resources": _resources(service),
    }
    return await page(datasette, request, "queries.html", about)


async def who_asked(datasette: Datasette, service: Service, request: Request) -> Response:
    """Who asked for the signed-in agency's data, newest first; no particulars."""
    agency = request.actor["agency"]
    wanted = _filter(request)
    entries, more = _page_of(asked.by_others(service.ledger, agency, wanted, _before(request)))
    view = OthersView(service, agency)
    provided = {resource for resource, _, _ in asked.provided(service.ledger, agency)}
    about = {
        "section": "asked",
        "entries": [view.row(entry) for entry in entries],
        **_paging(datasette, request, "/asked", wanted, more),
        "provides": bool(provided),
        "resources": _resources(service, provided),
        "requesters": sorted(view.names.items(), key=lambda item: item[1]),
    }
    return await page(datasette, request, "asked.html", about)


async def my_queries_file(datasette: Datasette, service: Service, request: Request) -> Response:
    """The same list as a spreadsheet."""
    agency = request.actor["agency"]
    view = OwnView(service, agency)
    found = itertools.islice(asked.own(service.ledger, agency, _filter(request), None), EXPORT_LIMIT)
    columns = [
        (gettext("No."), 8),
        (gettext("Time"), 20),
        (gettext("Kind"), 14),
        (gettext("About"), 24),
        (gettext("Query"), 60),
        (gettext("Purpose"), 14),
        (gettext("Reference"), 24),
        (gettext("In words"), 24),
        (gettext("Taking part"), 30),
        (gettext("Officer"), 24),
        (gettext("Proof of identity"), 12),
        (gettext("Outcome"), 16),
        (gettext("Rows"), 8),
        (gettext("HTTP status"), 10),
        (gettext("Use"), 12),
        (gettext("SHA-256 of the answer"), 68),
    ]
    rows = (_own_cells(view.row(entry)) for entry in found)
    return _file(service, request, gettext("Our queries"), columns, rows)


async def who_asked_file(datasette: Datasette, service: Service, request: Request) -> Response:
    """The same list as a spreadsheet."""
    agency = request.actor["agency"]
    view = OthersView(service, agency)
    found = itertools.islice(asked.by_others(service.ledger, agency, _filter(request), None), EXPORT_LIMIT)
    columns = [
        (gettext("No."), 8),
        (gettext("Time"), 20),
        (gettext("Requester"), 30),
        (gettext("Table"), 24),
        (gettext("Purpose"), 14),
        (gettext("Outcome"), 16),
        (gettext("Rows"), 8),
        (gettext("HTTP status"), 10),
        (gettext("Proof of identity"), 12),
        (gettext("Use"), 12),
    ]
    rows = (
        [
            row["seq"],
            row["at"],
            row["requester_name"],
            row["about"],
            row["purpose_title"],
            row["outcome"],
            row.get("rows"),
            row["status"],
            auth_title(row["auth"]),
            row["use"],
        ]
        for row in map(view.row, found)
    )
    return _file(service, request, gettext("Who asked for our data"), columns, rows)


# -- rows -------------------------------------------------------------------------------------------------------------


class OthersView:
    """How entries about an agency's data are shown to it."""

    def __init__(self, service: Service, agency: str) -> None:
        self._titles = all_titles.of_instance(service.instance.path)
        self._ledger = service.ledger
        self.names = agency_names(agencies(service.register))
        self.names.pop(agency, None)
        self._uses: dict[str, dict[int, dict[str, Any]]] = {}

    def row(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        resource = entry["resource"]
        if resource not in self._uses:
            self._uses[resource] = asked.uses(self._ledger, {"resource": resource})
        used = self._uses[resource].get(entry["seq"])
        shown = {**described(entry, self._titles, self.names), "use": use_title(used["use"]) if used else ""}
        if resource == asked.SEVERAL:  # how many of its rows were this agency's is not recorded
            shown.pop("rows", None)
        return shown


class OwnView:
    """How an agency's own queries are shown to it, opened."""

    def __init__(self, service: Service, agency: str) -> None:
        self._titles = all_titles.of_instance(service.instance.path)
        self._ledger = service.ledger
        self._names = agency_names(agencies(service.register))
        self._officers = _officers(service, agency)
        self._uses = asked.uses(service.ledger, {"requester": agency})

    def row(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        used = self._uses.get(entry["seq"])
        return {
            **described(entry, self._titles, self._names),
            **opened(self._ledger.opened(entry["seq"]), self._names, self._officers),
            "use": use_title(used["use"]) if used else "",
        }


def auth_title(auth: str) -> str:
    """How the requester proved who it is."""
    return {"signature": gettext("signature"), "token": gettext("token"), "session": gettext("signed in")}[auth]


def _officers(service: Service, agency: str) -> dict[str, str]:
    rows = service.register.all("SELECT id, title_zh, title_en FROM officers WHERE agency = ?", (agency,))
    return {row["id"]: i18n.choose(row["title_zh"], row["title_en"]) for row in rows}


def _own_cells(row: dict[str, Any]) -> list[str | int | None]:
    return [
        row["seq"],
        row["at"],
        row["title"],
        row["about"],
        row["query"],
        row["purpose_title"],
        row["reference"],
        row["words"],
        gettext(", ").join(row["participants"]),
        row["officer"],
        auth_title(row["auth"]),
        row["outcome"],
        row.get("rows"),
        row["status"],
        row["use"],
        row["answer_sha256"],
    ]


# -- paging and files -------------------------------------------------------------------------------------------------


def _filter(request: Request) -> Filter:
    return Filter.of({name: request.args.get(name) or "" for name in ("resource", "requester", "from", "to")})


def _before(request: Request) -> int | None:
    before = request.args.get("before", "")
    if before and not re.fullmatch(r"[0-9]{1,15}", before):
        raise RequestError(
            400,
            "the place in the list that the address names is no entry's number; begin again with the first page",
            "网址中的翻页位置不是条目编号；请从第一页重新翻阅",
        )
    return int(before) if before else None


def _page_of(entries: Iterator[dict[str, Any]]) -> tuple[list[dict[str, Any]], int | None]:
    """The entries of one page, and the number before which the next one begins."""
    found = list(itertools.islice(entries, PAGE_SIZE + 1))
    return found[:PAGE_SIZE], found[PAGE_SIZE - 1]["seq"] if len(found) > PAGE_SIZE else None


def _paging(datasette: Datasette, request: Request, path: str, wanted: Filter, more: int | None) -> dict[str, Any]:
    def address(place: str, **more_arguments: str) -> str:
        query = urlencode({**wanted.arguments(), **more_arguments})
        return str(datasette.urls.path(place)) + (f"?{query}" if query else "")

    return {
        "wanted": wanted,
        "narrowed": bool(wanted.arguments()),
        "first_url": address(path) if request.args.get("before") else "",
        "next_url": address(path, before=str(more)) if more else "",
        "file_url": address(f"{path}.xlsx"),
    }


def _resources(service: Service, only: set[str] | None = None) -> list[tuple[str, str]]:
    titles = all_titles.of_instance(service.instance.path)
    places = {f"{each['database']}/{each['table_name']}" for each in grants.resources(service.register)}
    wanted = only if only is not None else places
    return sorted(((place, resource_title(titles, place)) for place in wanted), key=lambda item: item[1])


def _file(
    service: Service,
    request: Request,
    title: str,
    columns: Iterable[tuple[str, int]],
    rows: Iterable[list[str | int | None]],
) -> Response:
    at = service.now()
    agency = i18n.choose(request.actor["agency_zh"], request.actor["agency_en"])
    listed = list(rows)
    notes = [f"{title} · {agency}", f"{gettext('Made at')} {clock(at)}"]
    if len(listed) == EXPORT_LIMIT:
        notes.append(
            gettext("The file holds the newest %(limit)s entries; narrow the days for others.")
            % {"limit": f"{EXPORT_LIMIT:,}"}
        )
    body = xlsx.workbook(title, notes, [xlsx.Column(*column) for column in columns], listed, at)
    name = quote(f"{title}-{clock(at)[:10]}.xlsx")
    headers = {
        "content-disposition": f"attachment; filename=\"list.xlsx\"; filename*=UTF-8''{name}",
        "cache-control": "private, no-store",
    }
    return Response(body, content_type=xlsx.MEDIA_TYPE, headers=headers)
