"""The pages of the desk: what others ask us, what we ask, one case, its receipt, its attachments and its moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n
from catalog.authentication import Credentials
from catalog.desk.answers import FIELD as ROWS
from catalog.desk.answers import SHEET, Table, as_typed
from catalog.desk.ask_page import new_request
from catalog.desk.desk import Desk, Move
from catalog.desk.errors import DeskError, FasterError, NoCaseError, NotAllowedError
from catalog.desk.files import FIELD
from catalog.desk.moves import BY_SLUG, Looking, MoveForm
from catalog.desk.opening_pages import new_correction, new_transfer
from catalog.desk.sent import read_sent
from catalog.desk.sheet_page import result_sheet
from catalog.desk.view import DRAFTED, Names, case_view, line_view, subjects_of
from catalog.errors import RequestError
from catalog.forms import new_once, redirect, render_private, said
from catalog.identity import duties
from catalog.identity.actor import Actor
from ledger.cases import Case
from ledger.rules.deadlines import stamp

if TYPE_CHECKING:
    from datasette.app import Datasette

PAGE_SIZE = 50
#: So many entries of the ledger are taken before a list is shown; the next look goes on.
AT_ONCE = 50_000
#: A supervising office looks, and the gate records that (``audit.read``).
SUPERVISION, _SUPERVISING = "/supervision", "liandong_supervising"
View = Callable[["Datasette", Desk, Request], Awaitable[Response]]


# -- lists ------------------------------------------------------------------------------------------------------------


async def inbox(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """What the signed-in agency must answer: urgent on top, then the nearest due."""
    actor = _actor(request)
    about = await asyncio.to_thread(_inbox, desk, actor, request)
    return await render_private(datasette, request, "desk_inbox.html", about)


def _inbox(desk: Desk, actor: Actor, request: Request) -> dict[str, Any]:
    left = desk.follow(AT_ONCE)
    now, names = desk.now(), Names.of(desk.service)
    closed = request.args.get("show") == "closed"
    after = desk.shelf.line(request.args.get("after") or "")
    if after is not None and after.provider != actor.agency:
        after = None
    if closed:
        lines = desk.shelf.answered(actor.agency, PAGE_SIZE + 1, after.last if after is not None else None)
    else:
        lines = desk.shelf.inbox(actor.agency, PAGE_SIZE + 1, after)
    return {
        "section": "requests",
        "box": "inbox",
        "closed": closed,
        "left": left,
        "counts": desk.shelf.counts(actor.agency, stamp(now)),
        "rows": [line_view(desk, names, line, actor.agency, now) for line in lines[:PAGE_SIZE]],
        "more": lines[PAGE_SIZE - 1].number if len(lines) > PAGE_SIZE else "",
        "first": after is None,
        "may_ask": duties.may(actor, "desk.ask"),
    }


async def outbox(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """What the signed-in agency asked, and where it is; first what waits for its own doing."""
    actor = _actor(request)
    about = await asyncio.to_thread(_outbox, desk, actor, request)
    return await render_private(datasette, request, "desk_outbox.html", about)


def _outbox(desk: Desk, actor: Actor, request: Request) -> dict[str, Any]:
    left = desk.follow(AT_ONCE)
    now, names = desk.now(), Names.of(desk.service)
    after = desk.shelf.line(request.args.get("after") or "")
    before = after.last if after is not None and after.requester == actor.agency else None
    lines = desk.shelf.outbox(actor.agency, PAGE_SIZE + 1, before)
    waiting = desk.shelf.awaiting_requester(actor.agency, PAGE_SIZE) if before is None else []
    return {
        "section": "requests",
        "box": "outbox",
        "left": left,
        "waiting": [line_view(desk, names, line, actor.agency, now) for line in waiting],
        "rows": [line_view(desk, names, line, actor.agency, now) for line in lines[:PAGE_SIZE]],
        "more": lines[PAGE_SIZE - 1].number if len(lines) > PAGE_SIZE else "",
        "first": before is None,
        "may_ask": duties.may(actor, "desk.ask"),
    }


async def brought(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """What lies with the signed-in data authority: disputes to mediate, extensions to consent to."""
    actor = _actor(request)
    if actor.role != "data_authority":
        raise NoCaseError()

    def look() -> dict[str, Any]:
        left, names, now = desk.follow(AT_ONCE), Names.of(desk.service), desk.now()
        lines = desk.shelf.lying_with("data_authority", PAGE_SIZE)
        rows = [line_view(desk, names, line, actor.agency, now) for line in lines]
        return {"section": "requests", "box": "brought", "left": left, "rows": rows,
                "may_ask": duties.may(actor, "desk.ask")}  # fmt: skip

    return await render_private(datasette, request, "desk_brought.html", await asyncio.to_thread(look))


async def supervision(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """For the supervising offices: what was laid before them, refusals nobody judged, what is overdue."""
    actor = _actor(request)

    def look() -> dict[str, Any]:
        left, names, now = desk.follow(AT_ONCE), Names.of(desk.service), desk.now()
        found = {
            "laid": desk.shelf.lying_with(actor.office, PAGE_SIZE) if actor.office else [],
            "unjudged": desk.shelf.unjudged(PAGE_SIZE),
            "overdue": desk.shelf.overdue(stamp(now), PAGE_SIZE),
        }
        lists = {
            name: [line_view(desk, names, line, line.requester, now) for line in lines] for name, lines in found.items()
        }
        return {"section": "requests", "box": "supervision", "left": left, "office": actor.office, "limit": PAGE_SIZE,
                "may_ask": duties.may(actor, "desk.ask"), **lists}  # fmt: skip

    return await render_private(datasette, request, "desk_supervision.html", await asyncio.to_thread(look))


def _supervised(view: View) -> View:
    """The same view for a supervising office: any case, each look recorded by the gate."""

    async def look(datasette: Datasette, desk: Desk, request: Request) -> Response:
        duties.require(request.scope["liandong_credentials"].actor, "ledger.read")
        request.scope[_SUPERVISING] = True
        return await view(datasette, desk, request)

    return look


# -- one case ---------------------------------------------------------------------------------------------------------


async def one_case(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """A case in full: state, clocks, every entry, what can be done next."""
    actor = _actor(request)
    about = await asyncio.to_thread(_case, desk, actor, request)
    return await render_private(datasette, request, "desk_case.html", about)


async def case_receipt(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """The receipt of a request, to be read and printed: number, received, due, and the days behind it."""
    actor = _actor(request)
    about = await asyncio.to_thread(_case, desk, actor, request)
    return await render_private(datasette, request, "desk_receipt.html", about)


def _case(desk: Desk, actor: Actor, request: Request) -> dict[str, Any]:
    case = _look(desk, actor, request)
    view = case_view(desk, actor, case)
    seen = may_see_subjects(actor, case)
    return {"section": "requests", "view": view, "case": case, "base": _base(request), "may_see_subjects": seen}


def _look(desk: Desk, actor: Actor, request: Request) -> Case:
    """The case of an address. Raises as :meth:`Desk.case`."""
    return desk.case(actor, request.url_vars["case"], supervising=_SUPERVISING in request.scope)


def may_see_subjects(actor: Actor, case: Case) -> bool:
    """The table of subjects is shown to those who ask and to those who answer, to nobody else (DESIGN §6)."""
    if actor.agency not in (case.requester, case.provider):
        return False
    if actor.agency == case.requester or actor.officer is None:
        return True
    return bool(actor.roles & {"answerer", "approver"})


async def case_subjects(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """The table of one entry: of subjects, or of an answer."""
    actor, number, seq = _actor(request), request.url_vars["case"], int(request.url_vars["seq"])

    def look() -> dict[str, Any]:
        case = desk.case(actor, number)
        if seq not in case.entries:
            raise NoCaseError()
        if not may_see_subjects(actor, case):
            raise RequestError(
                403,
                "who is asked about is shown to those who answer: an answerer or approver of the agency",
                "查询对象只显示给答复人员：本单位的经办人或负责人",
            )
        if case.entries[seq] == "request.answered":
            table = Table.of_items(value for _, value in desk.items(seq))
            return {"section": "requests", "case": case, "seq": seq, "table": table, "filled": bool(table.rows)}
        found = subjects_of(desk, seq)
        return {"section": "requests", "case": case, "seq": seq, "subjects": found, "filled": bool(found)}

    about = await asyncio.to_thread(look)
    template = "desk_table.html" if "table" in about else "desk_subjects.html"
    return await render_private(datasette, request, template, about)


async def case_file(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """An attachment, for the parties of its case."""
    actor, variables = _actor(request), request.url_vars

    def look() -> tuple[str, str, bytes]:
        case = _look(desk, actor, request)
        seq, place = int(variables["seq"]), int(variables["place"])
        found = desk.attachments(seq) if seq in case.entries else ()
        if place >= len(found):
            raise NoCaseError()
        return found[place].name, found[place].kind.media_type, desk.files.read(found[place])

    name, media_type, content = await asyncio.to_thread(look)
    return Response(
        content,
        content_type=media_type,
        headers={
            # Always a file to keep, never a page of this site.
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "cache-control": "private, no-store",
        },
    )


async def entry_receipt(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """The signed receipt of one entry of a case, with what its parties may open of it."""
    actor, seq = _actor(request), int(request.url_vars["seq"])
    value = await asyncio.to_thread(lambda: receipt_of(desk, actor, _look(desk, actor, request), seq))
    headers = {
        "content-disposition": f'attachment; filename="receipt-{seq}.json"',
        "cache-control": "private, no-store",
    }
    return Response.json(value, headers=headers)


def receipt_of(desk: Desk, actor: Actor, case: Case, seq: int) -> dict[str, Any]:
    """The receipt of an entry; who acted at the other agency, and its signature, stay with that agency.

    Raises:
        NoCaseError: the entry is not the case's.
    """
    if seq not in case.entries:
        raise NoCaseError()
    found = desk.ledger.receipt(seq, with_openings=True)
    items = [item.index for item in found.items] if may_see_subjects(actor, case) else []
    names = set(found.openings)
    entry = desk.ledger.entry(seq)
    if entry["kind"] == DRAFTED and entry["by"] != actor.agency:
        names = set()
    if entry.get("by") != actor.agency:
        names -= {"officer", "approver", "signature", "signature_base", "body_sha256"}
    return found.only(names, items).to_json()


# -- moves ------------------------------------------------------------------------------------------------------------


async def make_move(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """One move: what it is and what comes of it, its form; sent, it leads back to the case."""
    credentials: Credentials = request.scope["liandong_credentials"]
    number, form = request.url_vars["case"], BY_SLUG.get(request.url_vars["move"])
    if form is None:
        raise NoCaseError()
    case = await asyncio.to_thread(_look, desk, credentials.actor, request)
    if request.method != "POST":
        asked = {name: request.args[name] for name in request.args} if form.context is not None else {}
        return await _move_page(datasette, desk, request, form, case, asked, new_once(), None)
    sent = await read_sent(request)
    given: dict[str, Any] = {name: values[0] for name, values in sent.lists.items() if values}
    seen = sent.text("seen")
    try:
        looking = Looking(desk, case, credentials.actor.agency, desk.now(), credentials.actor.officer)
        uploads = sent.uploads() if form.takes_files else ()
        if (sheet := sent.file(SHEET)) is not None:  # a file cannot be chosen again for the reader: its rows stay
            given[ROWS] = as_typed(sheet)
        more = {"lists": sent.lists, "files": uploads, "sheets": {each.field: each for each in sent.files}}
        what = await asyncio.to_thread(form.read, {**given, **more}, looking)
        move = Move(
            form.kind,
            what.fields,
            what.particulars,
            uploads,
            what.items,
            int(seen) if seen.isascii() and seen.isdigit() else None,
            sent.once,
        )
        await asyncio.to_thread(desk.move, credentials, number, move)
    except DeskError as error:
        if isinstance(error, FasterError):  # the page shows the case as it stands now
            case = await asyncio.to_thread(_look, desk, credentials.actor, request)
        kept = {**given, "lists": sent.lists}
        return await _move_page(datasette, desk, request, form, case, kept, sent.text("once") or new_once(), error)
    return redirect(datasette, f"{_base(request)}/{number}")


async def _move_page(
    datasette: Datasette,
    desk: Desk,
    request: Request,
    form: MoveForm,
    case: Case,
    given: dict[str, Any],
    once: str,
    error: DeskError | None,
) -> Response:
    actor = _actor(request)

    def look() -> dict[str, Any]:
        looking = Looking(desk, case, actor.agency, desk.now(), actor.officer)
        fields = [field for field in form.fields if field.shown is None or field.shown(looking)]
        return {
            "section": "requests",
            "view": case_view(desk, actor, case),
            "case": case,
            "form": form,
            "base": _base(request),
            "fields": [(field, field.options(looking) if field.options is not None else ()) for field in fields],
            "allowed": form.is_offered(looking, desk.allowed(actor, case)),
            **(form.context(given, looking) if form.context is not None else {}),
        }

    about = await asyncio.to_thread(look)
    about |= {
        "given": given,
        "once": once,
        "wrong": error,
        "error": said(error) if error is not None else "",
        "faster": isinstance(error, FasterError),
        **FIELD,
    }
    status = error.status if error is not None else 200
    if not about["allowed"] and error is None:
        refused = NotAllowedError("C14", "not now, or not yours to do", "目前不能办理，或不应由您办理")
        about["error"], status = i18n.choose(refused.zh, refused.en), 409
    return await render_private(datasette, request, form.template, about, status)


def _base(request: Request) -> str:
    """Below which address the case at hand is looked at."""
    return SUPERVISION if request.scope.get(_SUPERVISING) else "/requests"


def _actor(request: Request) -> Actor:
    credentials: Credentials = request.scope["liandong_credentials"]
    duties.require(credentials.actor, "desk.see")
    return credentials.actor


#: Views by the name of their route (:mod:`catalog.routes`).
VIEWS: dict[str, View] = {
    "requests": inbox,
    "requests-sent": outbox,
    "new-request": new_request,
    "new-correction": new_correction,
    "new-transfer": new_transfer,
    "case": one_case,
    "case-receipt": case_receipt,
    "case-entry": entry_receipt,
    "case-subjects": case_subjects,
    "case-file": case_file,
    "case-sheet": result_sheet,
    "case-move": make_move,
    "brought": brought,
    "supervision": supervision,
    "supervised-case": _supervised(one_case),
    "supervised-entry": _supervised(entry_receipt),
    "supervised-file": _supervised(case_file),
    "supervised-move": _supervised(make_move),
}
