"""An agency's page: its officers with their roles, its keys and tokens; and what is changed about officers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog.agency_scope import AgencyScope, attempt
from catalog.errors import RequestError
from catalog.forms import Form, read_form
from catalog.i18n import gettext
from catalog.identity import duties, keys, officers, roles, tokens
from catalog.service import Service

if TYPE_CHECKING:
    from datasette.app import Datasette

#: Keys and tokens that end within this are marked.
EXPIRES_SOON = timedelta(days=30)


async def agency(datasette: Datasette, service: Service, request: Request) -> Response:
    """One agency: officers, keys, tokens, each with what may be done about it."""
    scope = AgencyScope.of(datasette, service, request)
    return await scope.render("agency.html", _about(scope))


def _about(scope: AgencyScope) -> dict[str, Any]:
    register, agency_id = scope.service.register, scope.agency["id"]
    people = officers.listing(register, agency_id)
    admins = roles.admins(register, agency_id)
    if not scope.own:  # who else works there is the agency's own business
        people = [each for each in people if "admin" in each["roles"]]
    rejected = [each for each in keys.rejected(register) if each["agency"] == agency_id]
    return {
        "officers": people,
        "today": register.today(),
        "keys": keys.listing(register, agency_id),
        "tokens": tokens.listing(register, agency_id),
        "soon": register.timestamp(EXPIRES_SOON),
        "rejected": rejected if scope.own or scope.may("key.see_rejected") else [],
        "may_enrol": scope.may("officer.manage") or (not admins and scope.may("officer.appoint_admin")),
        "may_add_key": scope.may("key.add"),
        "may_revoke_key": scope.may("key.revoke"),
        "may_add_token": scope.may("token.add"),
        "may_revoke_token": scope.may("token.revoke"),
    }


async def enrol(datasette: Datasette, service: Service, request: Request) -> Response:
    """Enrol an officer: the form, then the one-time password, shown this once."""
    scope = AgencyScope.of(datasette, service, request)
    first = not scope.may("officer.manage")
    if first and (roles.admins(service.register, scope.agency["id"]) or not scope.may("officer.appoint_admin")):
        scope.require("officer.manage")
    choices = ["admin"] if first else list(duties.OFFICER_ROLES_OF[scope.agency["role"]])
    about: dict[str, Any] = {
        "choices": choices,
        "first": first,
        "given": {"login": f"{scope.agency['id']}-"},
        "picked": [],
    }
    if request.method != "POST":
        return await scope.render("enrol.html", about)
    form = await read_form(request)
    officer = {
        "id": form.text("login"),
        "agency": scope.agency["id"],
        "title_zh": form.text("title_zh"),
        "title_en": form.text("title_en") or form.text("title_zh"),
    }
    picked = choices if first else form.all("role")
    password, error, status = attempt(lambda: scope.office.enrol(officer, picked, form.once))
    if password is None:
        about |= {"given": form.values(), "picked": picked, "error": error}
        return await scope.render("enrol.html", about, status)
    return await _show_password(scope, officer["id"], password, enrolled=True)


async def officer(datasette: Datasette, service: Service, request: Request) -> Response:
    """One officer's account: roles, deputies, and the buttons."""
    scope = AgencyScope.of(datasette, service, request)
    return await _officer_page(scope, _found(scope))


async def officer_change(datasette: Datasette, service: Service, request: Request) -> Response:
    """Change an officer's account; a GET of what cannot be undone asks first."""
    scope = AgencyScope.of(datasette, service, request)
    found, change = _found(scope), request.url_vars["change"]
    if request.method != "POST":
        if change not in ("reset", "disable"):
            return await _officer_page(scope, found)
        return await scope.render("confirm.html", _question(scope, found["id"], change))
    form = await read_form(request)
    if change == "reset":
        password, error, status = attempt(lambda: scope.office.reset(found["id"], form.once))
        if password is not None:
            return await _show_password(scope, found["id"], password, enrolled=False)
    else:
        _, error, status = attempt(_changes(scope, found["id"], form)[change])
    if error:
        return await _officer_page(scope, found, error=error, form=form, change=change, status=status)
    # Whoever is no longer shown to this actor has no page to go back to.
    return scope.redirect(change, f"/officers/{found['id']}" if scope.own else "")


def _changes(scope: AgencyScope, login: str, form: Form) -> dict[str, Callable[[], None]]:
    """What each change does with a form."""
    office, last = scope.office, form.text("valid_to") or roles.LAST_DAY
    return {
        "roles": lambda: office.set_roles(login, form.all("role"), form.text("valid_from"), last),
        "deputy": lambda: office.add_deputy(
            login, form.text("deputy_for"), form.text("role"), form.text("valid_from"), last
        ),
        "end-deputy": lambda: office.end_deputy(login, form.text("deputy_for"), form.text("role")),
        "disable": lambda: office.disable(login),
        "enable": lambda: office.enable(login),
        "unlock": lambda: office.unlock(login),
    }


def _question(scope: AgencyScope, login: str, change: str) -> dict[str, Any]:
    path = f"{scope.base}/officers/{login}"
    words = {
        "reset": (
            gettext("Reset the password?"),
            gettext(
                "The present password stops working, all sessions of this officer end, and a one-time password is "
                "shown once. Hand it over in person."
            ),
            gettext("Reset the password"),
        ),
        "disable": (
            gettext("Disable the account?"),
            gettext("The officer is signed out at once and cannot sign in until the account is enabled again."),
            gettext("Disable the account"),
        ),
    }
    title, text, button = words[change]
    urls = scope.datasette.urls
    return {
        "question": title,
        "text": text,
        "button": button,
        "subject": login,
        "action": urls.path(f"{path}/{change}"),
        "cancel": urls.path(path),
    }


async def _officer_page(
    scope: AgencyScope,
    found: dict[str, Any],
    *,
    error: str = "",
    form: Form | None = None,
    change: str = "",
    status: int = 200,
) -> Response:
    manage = scope.office.may_manage(found)
    register, today = scope.service.register, scope.service.register.today()
    others = [each for each in officers.listing(register, scope.agency["id"]) if each["id"] != found["id"]]
    own_now = [each.role for each in found["held"] if each.deputy_for is None and each.on(today)]
    about = {
        "officer": found,
        "today": today,
        "manage": manage,
        "rescue": scope.office.may_manage(found, rescue=True),
        "is_me": found["id"] == scope.actor.officer,
        "choices": list(duties.OFFICER_ROLES_OF[scope.agency["role"]]),
        "picked": form.all("role") if form and change == "roles" else own_now,
        "others": others if manage else [],
        "given": form.values() if form else {},
        "change": change,
        "error": error,
    }
    return await scope.render("officer.html", about, status)


async def _show_password(scope: AgencyScope, login: str, password: str, *, enrolled: bool) -> Response:
    return await scope.render(
        "one_time_password.html",
        {"login": login, "password": password, "days": officers.ONE_TIME_DAYS, "enrolled": enrolled},
    )


def _found(scope: AgencyScope) -> dict[str, Any]:
    """The officer that the address names, if they belong here and the actor may see them."""
    login = scope.request.url_vars["login"]
    here = {each["id"]: each for each in officers.listing(scope.service.register, scope.agency["id"])}
    found = here.get(login)
    if found is None or not (scope.own or "admin" in found["roles"]):
        raise RequestError(404, f"there is no officer {login!r} here", f"此处没有账号 {login!r}")
    return found


VIEWS = {
    "agency": agency,
    "other-agency": agency,
    "agency-enrol": enrol,
    "agency-officer": officer,
    "other-officer": officer,
    "agency-officer-change": officer_change,
}
