"""Forms that begin a correction (数据有误, from a row or a query) or a transfer; what was typed stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n
from catalog.authentication import Credentials
from catalog.desk import words
from catalog.desk.ask import CHANNELS
from catalog.desk.desk import Desk
from catalog.desk.errors import DeskError
from catalog.desk.files import FIELD
from catalog.desk.openings import Opening, read_correction, read_transfer
from catalog.desk.rulebooks import sharing_class_of
from catalog.desk.sent import Sent, read_sent
from catalog.desk.view import Names, due_words
from catalog.forms import new_once, redirect, render_private
from catalog.identity import duties
from catalog.identity.agencies import agencies
from ledger.cases import Act
from ledger.rules import deadline
from ledger.rules.deadlines import stamp

if TYPE_CHECKING:
    from datasette.app import Datasette

_CORRECTION = ("resource", "row", "served", "description", "files_reviewed")
_TRANSFER = ("receiver", "transfer", "channel", "received_at", "description", "receiver_person_role", "reference")
Read = Callable[[Mapping[str, Any], Sent], Opening]


async def new_correction(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """Saying that data is wrong: of one row, or of what a query of one's own agency gave."""
    credentials: Credentials = request.scope["liandong_credentials"]
    duties.require(credentials.actor, "desk.ask")

    def read(given: Mapping[str, Any], sent: Sent) -> Opening:
        register = desk.register_for(credentials.actor)
        return read_correction(given, register, sent.uploads(), _served(desk, given))

    def about(given: dict[str, Any]) -> dict[str, Any]:
        served = _served(desk, given)
        if served is not None and served.get("requester") == credentials.actor.agency:
            given.setdefault("resource", served.get("resource", ""))
            given["resource"] = given["resource"] or served.get("resource", "")
        names = Names.of(desk.service)
        found = desk.service.resource(given.get("resource") or "")
        return {
            "data": names.resource(given.get("resource")) if found is not None else "",
            "provider": names.agency(found["provider"]) if found is not None else "",
            "clock": _clock(desk, Act.CORRECTION, given.get("resource")),
            **FIELD,
        }

    return await _opening(datasette, desk, request, "desk_correction.html", _CORRECTION, read, about)


async def new_transfer(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """Notifying another agency that a case will be transferred to it: the letter is due from that day."""
    credentials: Credentials = request.scope["liandong_credentials"]
    duties.require(credentials.actor, "desk.see")

    def read(given: Mapping[str, Any], sent: Sent) -> Opening:
        return read_transfer({**given, "local_time": True}, desk.register_for(credentials.actor), desk.now())

    def about(given: dict[str, Any]) -> dict[str, Any]:
        parties = [each for each in agencies(desk.service.register) if each["role"] in duties.PARTIES]
        own = credentials.actor.agency
        return {
            "agencies": [
                (each["id"], i18n.choose(each["name_zh"], each["name_en"])) for each in parties if each["id"] != own
            ],
            "transfers": [(code, i18n.choose(*said)) for code, said in words.TRANSFERS.items()],
            "channels": [(code, words.word(words.CHANNELS, code)) for code in CHANNELS],
            "clock": _clock(desk, Act.TRANSFER, None),
        }

    return await _opening(datasette, desk, request, "desk_transfer.html", _TRANSFER, read, about)


async def _opening(
    datasette: Datasette,
    desk: Desk,
    request: Request,
    template: str,
    names: tuple[str, ...],
    read: Read,
    about: Callable[[dict[str, Any]], dict[str, Any]],
) -> Response:
    credentials: Credentials = request.scope["liandong_credentials"]
    error: DeskError | None = None
    once = new_once()
    if request.method == "POST":
        sent = await read_sent(request)
        given: dict[str, Any] = {name: sent.text(name) for name in names}
        once = sent.text("once") or once
        try:
            opening = await asyncio.to_thread(read, given, sent)
            done = await asyncio.to_thread(lambda: desk.begin(credentials, opening, once=sent.once))
            return redirect(datasette, f"/requests/{done.number}/receipt")
        except DeskError as found:
            error = found
    else:
        given = {name: str(request.args.get(name) or "")[:200] for name in names}
    shown = await asyncio.to_thread(about, given)
    shown |= {"section": "requests", "box": "", "given": given, "once": once, "wrong": error}
    shown["error"] = i18n.choose(error.zh, error.en) if error is not None else ""
    return await render_private(datasette, request, template, shown, error.status if error is not None else 200)


def _served(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The entry that is named, if there is one of that number."""
    text = str(given.get("served") or "")
    if not text.isascii() or not text.isdigit() or int(text) >= desk.ledger.size():
        return None
    return desk.ledger.entry(int(text))


def _clock(desk: Desk, act: Act, resource: str | None) -> str:
    """When it would be due, were it sent now, and by which clause."""
    reckoned = deadline(
        desk.rules.current(), act.value, desk.now(), sharing_class=sharing_class_of(desk.service, resource)
    )
    if reckoned.due_at is None or reckoned.clause is None:
        return words.word(words.TIMELINESS, reckoned.state)
    clause = i18n.choose(reckoned.clause.label_zh, reckoned.clause.label_en)
    return f"{due_words(stamp(reckoned.due_at))} · {clause} · {words.standing(reckoned.standing or '')}"
