"""The page on which a request is written and sent; whatever is wrong, what was typed stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n, purpose_page, stated
from catalog.authentication import Credentials
from catalog.desk import ask, subjects, words
from catalog.desk.desk import Desk
from catalog.desk.errors import DeskError, RowsError
from catalog.desk.files import FIELD
from catalog.desk.rulebooks import SHARING_CLASS
from catalog.desk.sent import Sent, read_sent
from catalog.desk.sheet import rows_of
from catalog.desk.view import Names, due_words
from catalog.forms import new_once, redirect, render_private
from catalog.identity import duties, officers
from catalog.identity.agencies import agencies
from catalog.purpose import CODES
from ledger.cases import Act
from ledger.cases.opening import MAX_SUBJECTS
from ledger.rules import deadline
from ledger.rules.deadlines import stamp

if TYPE_CHECKING:
    from datasette.app import Datasette


async def new_request(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """The form, filled in as far as the address and the session say it; sent, it leads to the receipt."""
    credentials: Credentials = request.scope["liandong_credentials"]
    duties.require(credentials.actor, "desk.see")
    if request.method != "POST":
        given = _prefilled(desk, credentials, request)
        return await _form(datasette, desk, request, given, new_once(), None)
    sent = await read_sent(request)
    given = _given(sent)
    try:
        rows = _rows(sent)
        if sent.file("subjects_file") is not None:  # a file cannot be chosen again for the reader: its rows stay
            given["subjects"] = "\n".join("\t".join(row) for row in rows)
        wanted = ask.read(
            given,
            await asyncio.to_thread(desk.register_for, credentials.actor),
            desk.now(),
            subjects=subjects.read(rows),
            uploads=sent.uploads(),
        )
        done = await asyncio.to_thread(desk.open, credentials, wanted, once=sent.once)
    except DeskError as error:
        return await _form(datasette, desk, request, given, sent.text("once") or new_once(), error)
    return redirect(datasette, f"/requests/{done.number}/receipt")


def _given(sent: Sent) -> dict[str, Any]:
    names = (
        "act", "resource", "provider", "description", "urgent_reason", "approver", "channel", "requester",
        "received_at", "subjects",
    )  # fmt: skip
    return {
        **{name: sent.text(name) for name in names},
        "subjects": sent.raw("subjects"),
        "urgent": bool(sent.text("urgent")),
        "purpose": purpose_page.given_in(sent.lists),
        "application": {name: sent.text(f"application_{name}") for name in ask.APPLICATION},
        "local_time": True,
        "files_reviewed": bool(sent.text("files_reviewed")),
    }


def _rows(sent: Sent) -> list[list[str]]:
    file = sent.file("subjects_file")
    if file is None:
        return subjects.pasted(sent.raw("subjects"))
    return rows_of(file, "subjects")


def _prefilled(desk: Desk, credentials: Credentials, request: Request) -> dict[str, Any]:
    """From "not yet granted": the table that was asked for, and the purpose that the session stated for it."""
    resource = request.args.get("resource") or ""
    act = request.args.get("act") or "query"
    given: dict[str, Any] = {"act": act if act in [each.value for each in ask.ACTS] else "query", "purpose": {}}
    if desk.service.resource(resource) is not None:
        given["resource"] = resource
        found = stated.recall(desk.service.register, credentials.session, resource) if credentials.session else None
        if found is not None:
            said = found.purpose
            given["purpose"] = {
                "code": said.code,
                "reference": said.reference,
                "words": said.words,
                "participants": list(said.participants),
            }
    given["purpose"].setdefault("participants", [credentials.actor.agency])
    return given


async def _form(
    datasette: Datasette, desk: Desk, request: Request, given: dict[str, Any], once: str, error: DeskError | None
) -> Response:
    credentials: Credentials = request.scope["liandong_credentials"]
    about = await asyncio.to_thread(_about, desk, credentials, given)
    about |= {"given": given, "once": once, "wrong": error, "rows_wrong": []}
    if error is not None:
        about["error"] = i18n.choose(error.zh, error.en)
    if isinstance(error, RowsError):
        about["rows_wrong"] = [(number, i18n.choose(zh, en)) for number, en, zh in error.rows]
    return await render_private(datasette, request, "desk_ask.html", about, 200 if error is None else error.status)


def _about(desk: Desk, credentials: Credentials, given: dict[str, Any]) -> dict[str, Any]:
    service, names = desk.service, Names.of(desk.service)
    actor = credentials.actor
    published = [
        (f"{row['database']}/{row['table_name']}", row["provider"])
        for row in service.register.all("SELECT * FROM resources ORDER BY provider, database, table_name")
        if row["provider"] != actor.agency and row["database"] != "directory"
    ]
    parties = [each for each in agencies(service.register) if each["role"] in duties.PARTIES]
    return {
        "section": "requests",
        "box": "new",
        "resources": [(resource, names.resource(resource), names.agency(who)) for resource, who in published],
        "providers": [(each["id"], names.agency(each["id"])) for each in parties if each["id"] != actor.agency],
        "agencies": [{"id": each["id"], "name": names.agency(each["id"])} for each in parties],
        "codes": [{"code": code, "granted": True} for code in CODES.values()],
        "approvers": [
            (each["id"], i18n.choose(each["title_zh"], each["title_en"]))
            for each in officers.listing(service.register, actor.agency)
            if "approver" in each["roles"] and not each["disabled_at"]
        ],
        "acts": _acts(desk, given),
        "application_fields": _APPLICATION_FIELDS,
        "channels": [(code, words.word(words.CHANNELS, code)) for code in ask.CHANNELS],
        "max_subjects": MAX_SUBJECTS,
        **FIELD,
        "may_ask": duties.may(actor, "desk.ask"),
    }


#: Name, in Chinese and English, of what an application names (条例 art. 20).
_APPLICATION_FIELDS = (
    ("basis", "使用依据（法律、法规的条款）", "Legal basis of the use (statute and article)"),
    ("scene", "使用场景（用于什么业务）", "Scene: the business that needs it"),
    ("scope", "使用范围（哪些数据项、哪些对象）", "Scope: which items, of whom"),
    ("way", "共享方式（接口、文件、查询）", "Way: interface, file, query"),
    ("period", "使用时限（从何时至何时）", "Period: from when to when"),
)


def _no_date(act: Act, state: str, chosen: bool) -> str:
    """Why no date can be said yet: an application's time follows from the sharing class of its data (条例 art. 21)."""
    if act is Act.APPLICATION and not chosen:
        return i18n.choose(
            "期限由数据的共享属性决定：选定目录中的数据并发出后，回执写明到期时间",
            "its time follows from the sharing class of the data: choose it above, and the receipt says the date",
        )
    return words.word(words.TIMELINESS, state)


def _acts(desk: Desk, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Both acts with what their clocks would be, were the request received now."""
    now, book = desk.now(), desk.rules.current()
    published = desk.service.resource(given.get("resource") or "")
    sharing_class = SHARING_CLASS.get(published["sharing_class"]) if published is not None else None
    found = []
    for act in ask.ACTS:
        reckoned = deadline(book, act.value, now, sharing_class=sharing_class)
        due = due_words(stamp(reckoned.due_at)) if reckoned.due_at is not None else ""
        found.append(
            {
                "code": act.value,
                "title": words.act(act.value),
                "due": due,
                "clock": _no_date(act, reckoned.state, published is not None) if not due else "",
                "clause": i18n.choose(reckoned.clause.label_zh, reckoned.clause.label_en) if reckoned.clause else "",
                "standing": words.standing(reckoned.standing or ""),
            }
        )
    return found
