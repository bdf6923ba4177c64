"""The pages of grants: given by us, held by us; giving one, step by step; revoking; renewing one that ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import grants, i18n, suspensions, suspensions_page, titles
from catalog.administration import Administration
from catalog.authentication import Credentials
from catalog.errors import RequestError, UsageError
from catalog.forms import MAX_FIELDS_WITH_BOXES, read_form
from catalog.grants import Grant, GrantError
from catalog.i18n import gettext
from catalog.identity import duties
from catalog.identity.actor import Actor
from catalog.identity.agencies import agencies
from catalog.listing import ColumnView, local_time, say
from catalog.overview import agency_names
from catalog.purpose import CODES
from catalog.refusal import facts, purpose_title
from catalog.service import Service
from catalog.titles import ROW_ID
from catalog.web import page
from ledger import ConflictError

if TYPE_CHECKING:
    from datasette.app import Datasette

#: A grant that ends within so many days is shown as ending soon.
SOON = timedelta(days=30)
#: How long a new grant holds unless the admin says otherwise.
_A_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class _Names:
    """How the page at hand calls agencies and tables."""

    agencies: dict[str, str]
    titles: titles.Titles

    @classmethod
    def of(cls, service: Service) -> _Names:
        names = agency_names(agencies(service.register))
        return cls(names, titles.of_instance(service.instance.path))

    def table(self, database: str, table: str) -> str:
        return say(self.titles.table(database, table).title)


async def list_grants(datasette: Datasette, service: Service, request: Request) -> Response:
    """All grants of the signed-in agency; for those who oversee sharing, everybody's."""
    actor = request.scope["liandong_credentials"].actor
    register, names = service.register, _Names.of(service)
    about: dict[str, Any] = {
        "section": "grants",
        "given": _rows(service, names, grants.all_grants(register, provider=actor.agency)),
        "held": _rows(service, names, grants.all_grants(register, grantee=actor.agency)),
        "everyone": _rows(service, names, grants.all_grants(register))
        if actor.role in suspensions_page.OVERSEE
        else None,
        "suspensions": [
            suspensions_page.row(service, each)
            for each in suspensions.every(register)
            if actor.role in suspensions_page.OVERSEE or each["agency"] == actor.agency
        ],
        "provides": bool(_grantable(service, actor.agency)),
        "may_give": _may_give(actor),
        "may_suspend": duties.may(actor, "access.suspend"),
    }
    return await page(datasette, request, "grants.html", about)


async def one_grant(datasette: Datasette, service: Service, request: Request) -> Response:
    """One grant in full; the provider's admin may revoke it here (POST)."""
    credentials: Credentials = request.scope["liandong_credentials"]
    grant = grants.one_grant(service.register, request.url_vars["grant"])
    actor = credentials.actor
    if grant is None or not (
        actor.agency in (grant["provider"], grant["grantee"]) or actor.role in suspensions_page.OVERSEE
    ):
        raise RequestError(
            404, "there is no grant of that number to or by your agency", "没有这个编号的、与本单位有关的授权"
        )
    error = ""
    if request.method == "POST":
        sent = (await read_form(request)).values()
        if not sent.get("sure"):
            error = gettext("Tick that it is to be revoked, so that nothing is revoked by mistake.")
        else:
            try:
                reason = sent.get("reason", "")
                _office(service, actor).revoke(grant["id"], reason)
                return Response.redirect(datasette.urls.path(f"/grants/{grant['id']}"), 303)
            except UsageError as wrong:
                error = i18n.choose(wrong.zh, wrong.en)
            except ConflictError:  # somebody else was quicker: the page says so
                return Response.redirect(datasette.urls.path(f"/grants/{grant['id']}"), 303)
    names = _Names.of(service)
    (row,) = _rows(service, names, [grant])
    published = service.resource(row["resource"])
    about = {
        "section": "grants",
        "grant": row,
        "columns": _columns(names, grant["database"], grant["table_name"], grant["columns"] or ()),
        "table": facts(service, published)["table"] if published is not None else None,
        "may_revoke": _may_give(actor)
        and actor.agency == grant["provider"]
        and row["state"] in ("in_force", "not_yet"),
        "may_renew": _may_give(actor) and actor.agency == grant["provider"],
        "error": error,
    }
    return await page(datasette, request, "grant.html", about, 422 if error else 200)


async def new_grant(datasette: Datasette, service: Service, request: Request) -> Response:
    """Giving a grant: the table, then the form, then all of it once more to confirm; only then it is given."""
    credentials: Credentials = request.scope["liandong_credentials"]
    actor = credentials.actor
    duties.require(actor, "grant.give", actor.agency, actor.role)
    sent = (await read_form(request, MAX_FIELDS_WITH_BOXES)).lists if request.method == "POST" else {}
    before = _copied(service, actor.agency, request.args.get("copy"))
    resource = _one(sent, "resource") or request.args.get("resource") or (before["resource"] if before else "")
    names = _Names.of(service)
    if resource not in _grantable(service, actor.agency):
        tables = [(each, names.table(*each.split("/"))) for each in _grantable(service, actor.agency)]
        return await page(datasette, request, "grant_table.html", {"section": "grants", "tables": tables})
    database, _, table = resource.partition("/")
    known = [name for name in await datasette.get_database(database).table_columns(table) if name[0] != "_"]
    given = _given(sent) if sent else before or _blank(service)
    error: GrantError | None = None
    if sent and not _one(sent, "back"):
        grant = _grant(sent, given, actor.agency, resource, grants.next_id(service.register, service.ledger))
        try:
            grants.check(service.register, grant, known)
            if _one(sent, "confirmed"):
                return _give(datasette, service, credentials, grant)
            return await _confirm(datasette, service, request, grant)
        except GrantError as wrong:
            error = wrong
    about = facts(service, service.resource(resource) or {}) | {
        "section": "grants",
        "resource": resource,
        "given": given,
        "wrong": error,
        "error": i18n.choose(error.zh, error.en) if error is not None else "",
        "agencies": _grantees(service, names, resource, actor.agency),
        "codes": _codes(service, resource),
        "columns": _columns(names, database, table, [name for name in known if name != ROW_ID]),
    }
    return await page(datasette, request, "grant_new.html", about, 422 if error is not None else 200)


async def _confirm(datasette: Datasette, service: Service, request: Request, grant: Grant) -> Response:
    names = _Names.of(service)
    about = facts(service, service.resource(grant.resource) or {}) | {
        "section": "grants",
        "grant": grant,
        "grantee": names.agencies.get(grant.grantee, grant.grantee),
        "purposes": [purpose_title(code) for code in grant.purposes],
        "columns": _columns(names, grant.database, grant.table, grant.columns or ()),
    }
    return await page(datasette, request, "grant_confirm.html", about)


def _give(datasette: Datasette, service: Service, credentials: Credentials, grant: Grant) -> Response:
    try:
        _office(service, credentials.actor).give(grant)
    except ConflictError as error:
        found = grants.one_grant(service.register, grant.id)
        if found is None or found["provider"] != grant.provider or found["grantee"] != grant.grantee:
            raise RequestError(
                409,
                f"another grant was given as {grant.id} at the same moment; confirm again",
                f"同一时刻已有另一项授权使用编号 {grant.id}；请重新确认",
            ) from error  # else the same form was sent twice: it is given once
    return Response.redirect(datasette.urls.path(f"/grants/{grant.id}"), 303)


# -- who may ----------------------------------------------------------------------------------------------------------


def _may_give(actor: Actor) -> bool:
    return duties.may(actor, "grant.give", actor.agency, actor.role)


def _office(service: Service, actor: Actor) -> Administration:
    return Administration(service.instance, service.register, service.ledger, actor)


# -- the form ---------------------------------------------------------------------------------------------------------


def _grantable(service: Service, agency: str) -> list[str]:
    """The agency's published tables that are shared on conditions, or whose class is not decided yet."""
    return [
        f"{each['database']}/{each['table_name']}"
        for each in grants.resources(service.register)
        if each["provider"] == agency and each["sharing_class"] in ("有条件共享", "未定")
    ]


def _grantees(service: Service, names: _Names, resource: str, provider: str) -> list[tuple[str, str]]:
    types = (service.resource(resource) or {}).get("condition_types")
    return [
        (each["id"], names.agencies[each["id"]])
        for each in agencies(service.register)
        if each["id"] != provider and (types is None or each["type"] in types)
    ]


def _codes(service: Service, resource: str) -> list[dict[str, Any]]:
    listed = (service.resource(resource) or {}).get("condition_purposes")
    return [
        {"code": code.code, "title": i18n.choose(code.zh, code.en.capitalize())}
        for code in CODES.values()
        if listed is None or code.code in listed
    ]


def _given(sent: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "grantee": _one(sent, "grantee"),
        "purposes": sent.get("purposes", []),
        "all_columns": _one(sent, "extent") != "some",
        "columns": sent.get("columns", []),
        "valid_from": _one(sent, "valid_from"),
        "valid_to": _one(sent, "valid_to"),
        "basis": _one(sent, "basis").strip(),
    }


def _blank(service: Service) -> dict[str, Any]:
    today = date.fromisoformat(service.register.today())
    first, last = today.isoformat(), (today + _A_YEAR).isoformat()
    return {"purposes": [], "all_columns": True, "columns": [], "valid_from": first, "valid_to": last, "basis": ""}


def _copied(service: Service, agency: str, grant_id: str | None) -> dict[str, Any] | None:
    """The form of a grant that is to be renewed: as it was, from the day after its end or from today."""
    grant = grants.one_grant(service.register, grant_id) if grant_id else None
    if grant is None or grant["provider"] != agency:
        return None
    today = date.fromisoformat(service.register.today())
    first = max(today, date.fromisoformat(grant["valid_to"]) + timedelta(days=1))
    return {
        "resource": f"{grant['database']}/{grant['table_name']}",
        "grantee": grant["grantee"],
        "purposes": grant["purposes"],
        "all_columns": grant["columns"] is None,
        "columns": grant["columns"] or [],
        "valid_from": first.isoformat(),
        "valid_to": (first + _A_YEAR).isoformat(),
        "basis": grant["basis"],
    }


def _grant(sent: dict[str, list[str]], given: dict[str, Any], provider: str, resource: str, free_id: str) -> Grant:
    """The grant that the form describes.

    Raises:
        RequestError: 400, a number that the page did not give.
        GrantError: a day that does not exist.
    """
    grant_id = _one(sent, "grant") or free_id
    if not (grant_id.startswith("g-") and grant_id[2:].isascii() and grant_id[2:].isdigit() and len(grant_id) < 20):
        raise RequestError(400, "that is no number of a grant", "授权编号格式不对")
    database, _, table = resource.partition("/")
    return Grant(
        grant_id,
        provider,
        given["grantee"],
        database,
        table,
        tuple(code for code in CODES if code in given["purposes"]),
        given["valid_from"],
        given["valid_to"],
        given["basis"],
        None if given["all_columns"] else tuple(sorted(set(given["columns"]))),
    )


# -- what the pages show ----------------------------------------------------------------------------------------------


def _rows(service: Service, names: _Names, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    today = service.register.today()
    soon = (date.fromisoformat(today) + SOON).isoformat()
    rows = []
    for grant in found:
        state = grants.state(grant, today)
        rows.append(
            {
                **grant,
                "resource": f"{grant['database']}/{grant['table_name']}",
                "title": names.table(grant["database"], grant["table_name"]),
                "provider_name": names.agencies.get(grant["provider"], grant["provider"]),
                "grantee_name": names.agencies.get(grant["grantee"], grant["grantee"]),
                "purpose_titles": [purpose_title(code) for code in grant["purposes"]],
                "state": state,
                "soon": state == "in_force" and grant["valid_to"] <= soon,
                "given_on": local_time(grant["given_at"]),
                "revoked_on": local_time(grant["revoked_at"]) if grant["revoked_at"] else "",
            }
        )
    order = {"in_force": 0, "not_yet": 1, "expired": 2, "revoked": 3}
    return sorted(rows, key=lambda row: (order[row["state"]], not row["soon"]))


def _columns(names: _Names, database: str, table: str, wanted: Any) -> list[ColumnView]:
    text = names.titles.table(database, table)
    return [ColumnView.of(text.column(name)) for name in wanted]


def _one(sent: dict[str, list[str]], name: str) -> str:
    return sent.get(name, [""])[0]
