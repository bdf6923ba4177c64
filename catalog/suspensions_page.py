"""Suspending an agency's access, and restoring it: the data authority's approver, in the browser (条例 art. 27)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import grants, i18n, suspensions, titles
from catalog.administration import Administration
from catalog.authentication import Credentials
from catalog.errors import RequestError, UsageError
from catalog.forms import read_form
from catalog.identity import duties
from catalog.identity.actor import Actor
from catalog.identity.agencies import agencies
from catalog.listing import local_time, say
from catalog.overview import agency_names
from catalog.service import Service
from catalog.web import page
from ledger import ConflictError

if TYPE_CHECKING:
    from datasette.app import Datasette

#: Who sees grants and suspensions of others.
OVERSEE = frozenset({"supervisor", "data_authority"})
_ID = re.compile(r"s-[0-9]{1,15}")


async def new_suspension(datasette: Datasette, service: Service, request: Request) -> Response:
    """The form, and what it sends: suspended once, however often it is sent."""
    actor = _actor(request)
    duties.require(actor, "access.suspend")
    given, error = {"suspension": suspensions.next_id(service.register)}, ""
    if request.method == "POST":
        given |= (await read_form(request)).values()
        try:
            return _suspend(datasette, service, actor, given)
        except UsageError as wrong:
            error = i18n.choose(wrong.zh, wrong.en)
    names = agency_names(agencies(service.register))
    tables = [f"{each['database']}/{each['table_name']}" for each in grants.resources(service.register)]
    about = {
        "section": "grants",
        "given": given,
        "error": error,
        "article": suspensions.ARTICLE,
        "agencies": [(id_, name) for id_, name in names.items() if id_ != actor.agency],
        "tables": [(each, _title(service, each)) for each in tables if not each.startswith("directory/")],
    }
    return await page(datasette, request, "suspension_new.html", about, 422 if error else 200)


async def one_suspension(datasette: Datasette, service: Service, request: Request) -> Response:
    """One suspension in full; the data authority's approver restores access here (POST)."""
    actor, wanted = _actor(request), request.url_vars["suspension"]
    found = suspensions.one(service.register, wanted)
    if found is None or not (actor.role in OVERSEE or actor.agency == found["agency"]):
        raise RequestError(
            404, "there is no suspension of that number that concerns your agency", "没有这个编号的、与本单位有关的暂停"
        )
    error = ""
    if request.method == "POST":
        sent = (await read_form(request)).values()
        try:
            _restore(service, actor, wanted, sent)
            return Response.redirect(datasette.urls.path(f"/suspensions/{wanted}"), 303)
        except ConflictError:  # somebody else was quicker: the page says so
            return Response.redirect(datasette.urls.path(f"/suspensions/{wanted}"), 303)
        except UsageError as wrong:
            error = i18n.choose(wrong.zh, wrong.en)
    about = {
        "section": "grants",
        "suspension": row(service, found),
        "may_restore": duties.may(actor, "access.restore") and found["restored_at"] is None,
        "error": error,
    }
    return await page(datasette, request, "suspension.html", about, 422 if error else 200)


def row(service: Service, each: dict[str, Any]) -> dict[str, Any]:
    """A suspension as pages show it."""
    names = agency_names(agencies(service.register))
    return {
        **each,
        "agency_name": names.get(each["agency"], each["agency"]),
        "by_name": names.get(each["by_agency"], each["by_agency"]),
        "title": _title(service, each["resource"]) if each["resource"] else "",
        "since": local_time(each["since"]),
        "restored": local_time(each["restored_at"]) if each["restored_at"] else "",
    }


def _suspend(datasette: Datasette, service: Service, actor: Actor, given: dict[str, str]) -> Response:
    """Suspend as the form says. Raises :class:`UsageError` where it says too little, :class:`RequestError` 400, 409."""
    wanted = given["suspension"]
    if not _ID.fullmatch(wanted):
        raise RequestError(400, "that is no number of a suspension", "暂停编号格式不对")
    if not given.get("sure"):
        raise UsageError(
            "tick that access is to be suspended, so that nothing is by mistake", "请勾选确认暂停，以免误操作"
        )
    agency, resource = given.get("agency", ""), given.get("resource") or None
    office = Administration(service.instance, service.register, service.ledger, actor)
    try:
        office.suspend(agency, resource, given.get("reason", ""), given.get("basis", ""), wanted)
    except ConflictError as error:
        found = suspensions.one(service.register, wanted)
        if found is None or (found["agency"], found["resource"]) != (agency, resource):
            raise RequestError(
                409,
                f"another suspension was recorded as {wanted} at the same moment; send the form again",
                f"同一时刻已有另一项暂停使用编号 {wanted}；请重新提交",
            ) from error  # else the same form was sent twice: it is done once
    return Response.redirect(datasette.urls.path(f"/suspensions/{wanted}"), 303)


def _restore(service: Service, actor: Actor, suspension: str, sent: dict[str, str]) -> None:
    if not sent.get("sure"):
        duties.require(actor, "access.restore")
        raise UsageError("tick that access is to be restored", "请勾选确认恢复")
    office = Administration(service.instance, service.register, service.ledger, actor)
    office.restore(suspension, sent.get("reason", ""))


def _actor(request: Request) -> Actor:
    credentials: Credentials = request.scope["liandong_credentials"]
    return credentials.actor


def _title(service: Service, resource: str) -> str:
    database, _, table = resource.partition("/")
    return say(titles.of_instance(service.instance.path).table(database, table).title)
