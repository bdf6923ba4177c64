"""One own query in full, and what became of its answer: used, stored until a day, not used or destroyed (art. 29)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n
from catalog.authentication import Credentials
from catalog.entry_view import usable, use_title
from catalog.errors import ForbiddenError, RequestError
from catalog.forms import read_form
from catalog.listing import local_time
from catalog.queries_page import OwnView, auth_title
from catalog.service import Service
from catalog.web import page
from ledger import LedgerError
from ledger.fields import DATE

if TYPE_CHECKING:
    from datasette.app import Datasette

USES = ("used", "stored", "not_used", "destroyed")
MAX_NOTE_LENGTH = 500


async def my_query(datasette: Datasette, service: Service, request: Request) -> Response:
    """An own entry with its openings and the records of its use; an officer records another here (POST)."""
    credentials: Credentials = request.scope["liandong_credentials"]
    entry = _own_entry(service, credentials.actor.agency, int(request.url_vars["seq"]))
    error: RequestError | None = None
    given: dict[str, str] = {}
    if request.method == "POST":
        given = (await read_form(request)).values()
        try:
            record_use(service, credentials, entry, given)
            return Response.redirect(datasette.urls.path(f"/queries/{entry['seq']}"), 303)
        except RequestError as wrong:
            if wrong.status != 422:
                raise
            error = wrong
    about = {
        "section": "queries",
        "entry": OwnView(service, credentials.actor.agency).row(entry),
        "auth_title": auth_title(entry["auth"]),
        "receipt_url": datasette.urls.path(f"/log/receipt/{entry['seq']}"),
        "uses": _uses(service, entry),
        "choices": [(use, use_title(use)) for use in USES],
        "may_record": usable(entry) and credentials.actor.officer is not None,
        "given": given,
        "error": i18n.choose(error.zh, error.en) if error is not None else "",
    }
    return await page(datasette, request, "own_query.html", about, 422 if error is not None else 200)


def record_use(service: Service, credentials: Credentials, entry: dict[str, Any], given: dict[str, str]) -> int:
    """Record what became of the answer of ``entry``; return the number of the record.

    Raises:
        RequestError: 403, not an officer's; 422, which part is missing.
    """
    if credentials.actor.officer is None:
        raise ForbiddenError(
            "in-person", "the use of data is recorded by an officer who is signed in", "数据使用情况由人员登录后登记"
        )
    if not usable(entry):
        raise RequestError(422, "nothing was given by this query", "本次查询没有提供数据")
    use, until, note = (given.get(name, "").strip() for name in ("use", "until", "note"))
    if use not in USES:
        raise RequestError(422, "choose what became of the data", "请选择数据的使用情况")
    if use == "stored" and not DATE.accepts(until):
        raise RequestError(422, "for stored data, name the last day that it is kept", "已存储的数据须填写保存截止日期")
    if len(note) > MAX_NOTE_LENGTH:
        raise RequestError(
            422, f"the note holds at most {MAX_NOTE_LENGTH} characters", f"备注不超过 {MAX_NOTE_LENGTH} 字"
        )
    fields = {
        "requester": credentials.actor.agency,
        "resource": entry["resource"],
        "served": entry["seq"],
        "use": use,
        **({"until": until} if use == "stored" else {}),
    }
    particulars = {"officer": credentials.actor.officer, **({"note": note} if note else {})}
    return service.ledger.append("use.recorded", fields, particulars=particulars).seq


def _own_entry(service: Service, agency: str, seq: int) -> dict[str, Any]:
    try:
        entry = service.ledger.entry(seq)
    except LedgerError:
        entry = {}
    if entry.get("requester") != agency or "auth" not in entry:
        raise RequestError(404, "there is no query of your agency of that number", "本单位没有这个编号的查询")
    return entry


def _uses(service: Service, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of use of one answer, newest first."""
    where = {"kind": "use.recorded", "requester": entry["requester"]}
    found = [each for each in service.ledger.newest(10_000, where=where) if each["served"] == entry["seq"]]
    return [
        {
            "seq": each["seq"],
            "at": local_time(each["t"]),
            "use": use_title(each["use"]),
            "until": each.get("until", ""),
            "note": service.ledger.opened(each["seq"]).get("note", ""),
        }
        for each in found
    ]
