"""Keys and tokens of an agency's systems: registered by an endorsed request, made once, revoked after a question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog.agency_scope import AgencyScope, attempt
from catalog.errors import RequestError
from catalog.forms import Form, read_form
from catalog.i18n import gettext
from catalog.identity import key_files, keys, tokens
from catalog.identity.key_statement import KeyStatementError
from catalog.service import Service
from ledger import Appended

if TYPE_CHECKING:
    from datasette.app import Datasette

_DAYS = 90


async def add_key(datasette: Datasette, service: Service, request: Request) -> Response:
    """Register a key from an endorsed request file, uploaded or pasted."""
    scope = AgencyScope.of(datasette, service, request)
    scope.require("key.add")
    about: dict[str, Any] = {"given": {}, "origin": service.ledger.origin}
    if request.method != "POST":
        return await scope.render("key_add.html", about)
    form = await read_form(request)
    done, error, status = attempt(lambda: _add_key(scope, form))
    if done is None:
        return await scope.render("key_add.html", {**about, "given": form.values(), "error": error}, status)
    return scope.redirect("key-add")


def _add_key(scope: AgencyScope, form: Form) -> Appended:
    statement = key_files.from_json(form.text("file") or form.text("pasted"))
    if statement.agency != scope.agency["id"]:
        raise KeyStatementError(
            f"the request is for agency {statement.agency!r}, this page is that of {scope.agency['id']!r}",
            f"该申请属于单位 {statement.agency!r}，本页为 {scope.agency['id']!r}",
        )
    return scope.office.add_key(statement)


async def revoke_key(datasette: Datasette, service: Service, request: Request) -> Response:
    """Revoke a key: the question with the reasons, then the act."""
    scope = AgencyScope.of(datasette, service, request)
    scope.require("key.revoke")
    keyid = request.url_vars["keyid"]
    found = _one(keys.listing(service.register, scope.agency["id"]), "keyid", keyid)
    error, status = "", 200
    if request.method == "POST":
        form = await read_form(request)
        done, error, status = attempt(lambda: scope.office.revoke_key(keyid, form.text("reason")))
        if done is not None:
            return scope.redirect("key-revoke")
    urls, path = scope.datasette.urls, f"{scope.base}/keys/{keyid}/revoke"
    about = {
        "question": gettext("Revoke the key?"),
        "text": gettext(
            "Requests signed with it fail from the next one on, and it endorses no other key. This cannot be undone; "
            "what it signed before stays good."
        ),
        "button": gettext("Revoke the key"),
        "subject": f"{found['system']} · {keyid}",
        "reasons": ["ordered"] if not scope.own else [each for each in keys.REASONS if each != "ordered"],
        "action": urls.path(path),
        "cancel": urls.path(scope.base),
        "error": error,
    }
    return await scope.render("confirm.html", about, status)


async def add_token(datasette: Datasette, service: Service, request: Request) -> Response:
    """Make a token and show it this once."""
    scope = AgencyScope.of(datasette, service, request)
    scope.require("token.add")
    systems = sorted({each["system"] for each in keys.listing(service.register, scope.agency["id"])})
    about: dict[str, Any] = {"given": {"days": str(_DAYS)}, "systems": systems, "max_days": tokens.MAX_DAYS}
    if request.method != "POST":
        return await scope.render("token_add.html", about)
    form = await read_form(request)
    token, error, status = attempt(lambda: _add_token(scope, form))
    if token is None:
        return await scope.render("token_add.html", {**about, "given": form.values(), "error": error}, status)
    return await scope.render("token_shown.html", {"token": token, "public_url": service.instance.settings.public_url})


def _add_token(scope: AgencyScope, form: Form) -> str:
    system, days = form.text("system"), form.text("days")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", system):
        raise RequestError(
            422,
            "name the system that will use it in lower-case letters, digits, dots, dashes and underscores",
            "请写明使用令牌的系统，只用小写字母、数字、点、短横和下划线",
        )
    if not re.fullmatch(r"[0-9]{1,3}", days):
        raise RequestError(422, "give a number of days", "请填写天数")
    return scope.office.add_token(scope.agency["id"], system, int(days), form.once)


async def revoke_token(datasette: Datasette, service: Service, request: Request) -> Response:
    """Revoke a token: the question, then the act."""
    scope = AgencyScope.of(datasette, service, request)
    scope.require("token.revoke")
    token = request.url_vars["token"]
    found = _one(tokens.listing(service.register, scope.agency["id"]), "id", token)
    error, status = "", 200
    if request.method == "POST":
        _, error, status = attempt(lambda: scope.office.revoke_token(token))
        if not error:
            return scope.redirect("token-revoke")
    urls, path = scope.datasette.urls, f"{scope.base}/tokens/{token}/revoke"
    about = {
        "question": gettext("Revoke the token?"),
        "text": gettext(
            "Requests with it fail from the next one on. This cannot be undone; make another when it is needed."
        ),
        "button": gettext("Revoke the token"),
        "subject": f"{found['system']} · {token}",
        "action": urls.path(path),
        "cancel": urls.path(scope.base),
        "error": error,
    }
    return await scope.render("confirm.html", about, status)


def _one(listed: list[dict[str, Any]], name: str, value: str) -> dict[str, Any]:
    for each in listed:
        if each[name] == value:
            return each
    raise RequestError(404, f"there is no {value!r} of this agency", f"本单位没有 {value!r}")


VIEWS = {
    "agency-key-add": add_key,
    "agency-key-revoke": revoke_key,
    "agency-token-add": add_token,
    "agency-token-revoke": revoke_token,
}
