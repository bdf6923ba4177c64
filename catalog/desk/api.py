"""``/api/requests``: the desk for the agencies' own systems; the same functions and rules as its pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils import error_body
from datasette.utils.asgi import Request

from catalog import i18n, idempotency
from catalog.authentication import Credentials
from catalog.desk import ask, subjects
from catalog.desk.as_json import case_json, line_json, table_json
from catalog.desk.desk import Desk, Done, Move
from catalog.desk.errors import NoCaseError
from catalog.desk.moves import BY_SLUG, FORMS, Looking
from catalog.desk.pages import AT_ONCE, PAGE_SIZE, may_see_subjects
from catalog.desk.shapes import OPENING, moves_shape, uploads_of
from catalog.errors import RequestError
from catalog.identity import duties
from catalog.query.body import load
from catalog.query.errors import QueryError
from catalog.query.shapes import Shape
from ledger import BilingualError

if TYPE_CHECKING:
    from datasette.app import Datasette

BOXES = ("inbox", "closed", "outbox")
MOVES = moves_shape(FORMS)
Call = Callable[[Desk, Credentials, Request, bytes], Awaitable[Any]]


def _answering(call: Call) -> Callable[[Datasette, Desk, Request], Awaitable[Response]]:
    """A view whose errors are the one shape that programs know."""

    async def view(datasette: Datasette, desk: Desk, request: Request) -> Response:
        credentials: Credentials = request.scope["liandong_credentials"]
        try:
            duties.require(credentials.actor, "desk.see")
            # The gate read it whole, within what its route takes.
            body = await request.post_body(max_bytes=0) if request.method == "POST" else b""
            value = await call(desk, credentials, request, body)
        except BilingualError as error:
            return _problem(error)
        headers = {"cache-control": "private, no-store"}
        if isinstance(value, dict) and "ledger" in value:
            receipt = datasette.urls.path(value["ledger"]["receipt"])
            headers |= {"ledger-entry": str(value["ledger"]["entry"]), "ledger-receipt": str(receipt)}
            headers |= {idempotency.REPLAYED_HEADER: "true"} if value["repeated"] else {}
        return Response.json(value, headers=headers)

    return view


def _problem(error: BilingualError) -> Response:
    status = error.status if isinstance(error, RequestError) else 503
    body = {**error_body(i18n.choose(error.zh, error.en), status), "error_zh": error.zh, "error_en": error.en}
    headers = {"cache-control": "no-store", **({"retry-after": "5"} if status == 503 else {})}
    if isinstance(error, RequestError):
        body |= error.details
        headers |= error.headers
    return Response.json(body, status=status, headers=headers)


def _read(request: Request, body: bytes, shape: Shape) -> dict[str, Any]:
    """The body of a call, checked by its shape. Raises :class:`QueryError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise QueryError(
            415,
            "not_json",
            "the body must be JSON: send it with the header Content-Type: application/json",
            "正文须为 JSON：请加上头字段 Content-Type: application/json",
        )
    value = load(body)
    shape.check(value, "")
    found: dict[str, Any] = value
    return found


async def list_requests(desk: Desk, credentials: Credentials, request: Request, body: bytes) -> dict[str, Any]:
    """What the agency must answer (``inbox``), has answered (``closed``) or asked (``outbox``), a page at a time."""
    box, after = request.args.get("box") or "inbox", request.args.get("after") or ""
    unknown = sorted(set(request.args) - {"box", "after"})
    if box not in BOXES or unknown:
        place = unknown[0][:40] if unknown else "box"
        raise QueryError(
            400, "malformed", f"{place}: box is one of {', '.join(BOXES)}; after, the last number of the page before",
            f"{place}：box 应为{'、'.join(BOXES)}之一；after 为上一页最后的编号", where=place,
        )  # fmt: skip
    return await asyncio.to_thread(_list, desk, credentials.actor.agency, box, after)


def _list(desk: Desk, agency: str, box: str, after: str) -> dict[str, Any]:
    desk.follow(AT_ONCE)
    last = desk.shelf.line(after)
    if after and (last is None or agency not in (last.requester, last.provider)):
        raise NoCaseError()
    if box == "inbox":
        lines = desk.shelf.inbox(agency, PAGE_SIZE + 1, last)
    else:
        read = desk.shelf.outbox if box == "outbox" else desk.shelf.answered
        lines = read(agency, PAGE_SIZE + 1, last.last if last is not None else None)
    now = desk.now()
    rows = [line_json(desk, line, now) for line in lines[:PAGE_SIZE]]
    return {"ok": True, "box": box, "requests": rows, "next": rows[-1]["number"] if len(lines) > PAGE_SIZE else None}


async def open_request(desk: Desk, credentials: Credentials, request: Request, body: bytes) -> dict[str, Any]:
    """Send a request; its clock starts."""
    claim = idempotency.claim(desk.service, credentials.actor.agency, *_claimed(request), body)
    if claim is not None and (first := claim.first()) is not None:
        return await asyncio.to_thread(_repeated, desk, credentials, first)
    given = _read(request, body, OPENING)

    def send() -> Done:
        register = desk.register_for(credentials.actor)
        wanted = ask.read(
            given,
            register,
            desk.now(),
            subjects=subjects.of_values(given.get("subjects", ())),
            uploads=uploads_of(given.get("files")),
        )
        return desk.open(credentials, wanted, once=claim.once if claim is not None else ())

    done = await asyncio.to_thread(send)
    return await asyncio.to_thread(_done, desk, credentials, done)


async def read_request(desk: Desk, credentials: Credentials, request: Request, body: bytes) -> dict[str, Any]:
    """One request: state, clocks with their days, entries, what can be done next."""

    def look() -> dict[str, Any]:
        case = desk.case(credentials.actor, request.url_vars["case"])
        return {"ok": True, "request": case_json(desk, credentials.actor, case)}

    return await asyncio.to_thread(look)


async def read_table(desk: Desk, credentials: Credentials, request: Request, body: bytes) -> dict[str, Any]:
    """The table that an entry of a request brought: its subjects, or its answers."""

    def look() -> dict[str, Any]:
        case, seq = desk.case(credentials.actor, request.url_vars["case"]), int(request.url_vars["seq"])
        if seq not in case.entries or not may_see_subjects(credentials.actor, case):
            raise NoCaseError()
        return {"ok": True, "entry": seq, "rows": table_json(desk, seq)}

    return await asyncio.to_thread(look)


async def make_move(desk: Desk, credentials: Credentials, request: Request, body: bytes) -> dict[str, Any]:
    """Make a move in a request."""
    number = request.url_vars["case"]
    claim = idempotency.claim(desk.service, credentials.actor.agency, *_claimed(request), body)
    if claim is not None and (first := claim.first()) is not None:
        return await asyncio.to_thread(_repeated, desk, credentials, first)
    given = _read(request, body, MOVES)
    form = BY_SLUG[given["move"]]

    def move() -> Done:
        case = desk.case(credentials.actor, number)
        what = form.read(
            _plain(given), Looking(desk, case, credentials.actor.agency, desk.now(), credentials.actor.officer)
        )
        seen = int(given["seen"]) if "seen" in given else None
        once = claim.once if claim is not None else ()
        uploads = uploads_of(given.get("files"))
        wanted = Move(form.kind, what.fields, what.particulars, uploads, what.items, seen, once)
        return desk.move(credentials, number, wanted)

    done = await asyncio.to_thread(move)
    return await asyncio.to_thread(_done, desk, credentials, done)


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """As a form would say it: 20.0 is 20 (JSON Schema 2020-12 validation §6.1.1)."""
    return {name: int(each) if type(each) is float else each for name, each in given.items()}


def _claimed(request: Request) -> tuple[str | None, str]:
    return request.headers.get(idempotency.HEADER), f"{request.method} {request.full_path}"


def _repeated(desk: Desk, credentials: Credentials, seq: int) -> dict[str, Any]:
    return _done(desk, credentials, Done(desk.ledger.entry(seq)["case"], seq, again=True))


def _done(desk: Desk, credentials: Credentials, done: Done) -> dict[str, Any]:
    case = desk.case(credentials.actor, done.number)
    return {
        "ok": True,
        "repeated": done.again,
        "ledger": {"entry": done.seq, "receipt": f"/requests/{done.number}/entries/{done.seq}.json"},
        "request": case_json(desk, credentials.actor, case),
    }


async def _requests(desk: Desk, credentials: Credentials, request: Request, body: bytes) -> dict[str, Any]:
    call = open_request if request.method == "POST" else list_requests
    return await call(desk, credentials, request, body)


#: Views by the name of their route (:mod:`catalog.routes`).
VIEWS = {
    "api-requests": _answering(_requests),
    "api-request": _answering(read_request),
    "api-request-table": _answering(read_table),
    "api-request-moves": _answering(make_move),
}
