"""Stating a purpose in the browser: the form beside the query, and the small route that remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n, stated, titles
from catalog.authentication import Credentials
from catalog.errors import RequestError
from catalog.forms import MAX_FIELDS_WITH_BOXES, read_form
from catalog.identity.agencies import agencies
from catalog.listing import Address, Condition, clock, conditions
from catalog.permissions import NOT_PUBLISHED, SUPERVISION
from catalog.purpose import CODES, PurposeError, check_party, parse
from catalog.refusal import facts, purpose_title
from catalog.service import Service
from catalog.web import page, safe_next

if TYPE_CHECKING:
    from datasette.app import Datasette


@dataclass(frozen=True, slots=True)
class StatedView:
    """A purpose in force, as a table's page shows it; ``change_url`` leads to the form."""

    title: str
    reference: str
    words: str
    until: str
    change_url: str


async def purpose(datasette: Datasette, service: Service, request: Request) -> Response:
    """The form of a purpose for one table (GET), and what it sends (POST): then the page that was asked for opens."""
    credentials: Credentials = request.scope["liandong_credentials"]
    if not credentials.session:
        raise RequestError(
            400,
            "systems state the purpose with each request; only officers state it here",
            "系统接口须在每次请求中说明事由；此页只供人员使用",
        )
    sent = (await read_form(request, MAX_FIELDS_WITH_BOXES)).lists if request.method == "POST" else {}
    resource = _one(sent, "resource") or request.args.get("resource") or ""
    target = safe_next(_one(sent, "next") or request.args.get("next"))
    if service.decision(credentials.actor, resource) is NOT_PUBLISHED:
        raise RequestError(404, "there is no published table of that name", "没有发布这个名称的数据表")
    error = None
    if request.method == "POST":
        given = given_in(sent)
        try:
            checked = parse(given, [agency["id"] for agency in agencies(service.register)])
            check_party(checked, credentials.actor.agency)
            stated.remember(service.register, credentials.session, resource, checked)
            return Response.redirect(datasette.urls.path(target), 303)
        except PurposeError as wrong:
            error = wrong
    about = _about(service, credentials, resource, target)
    about |= {"given": given if error is not None else before(service, credentials, resource), "wrong": error}
    if error is not None:
        about["error"] = i18n.choose(error.zh, error.en)
    return await page(datasette, request, "purpose.html", about, 422 if error is not None else 200)


def given_in(sent: dict[str, list[str]]) -> dict[str, Any]:
    """The purpose as the form's fields say it, for :func:`catalog.purpose.parse`."""
    return {
        "code": _one(sent, "code"),
        "reference": _one(sent, "reference"),
        "words": _one(sent, "words"),
        "participants": participants(sent) if _shared(sent) else [],
    }


def participants(sent: dict[str, list[str]]) -> list[str]:
    """The lead first, then the others that were ticked."""
    lead = _one(sent, "lead")
    return [lead, *(agency for agency in sent.get("participants", []) if agency != lead)] if lead else []


def in_force(datasette: Datasette, service: Service, request: Request, resource: str) -> StatedView | None:
    """The purpose that the session of a request stated for a table, as its page shows it."""
    credentials: Credentials | None = request.scope.get("liandong_credentials")
    if credentials is None or not credentials.session:
        return None
    found = stated.recall(service.register, credentials.session, resource)
    if found is None:
        return None
    there = Address("/purpose", (("resource", resource), ("next", request.full_path)))
    return StatedView(
        purpose_title(found.purpose.code),
        found.purpose.reference,
        found.purpose.words,
        clock(found.until)[11:16],
        datasette.urls.path(str(there)),
    )


def _about(service: Service, credentials: Credentials, resource: str, target: str) -> dict[str, Any]:
    published = service.resource(resource)
    assert published is not None  # it was decided about
    return {
        **facts(service, published),
        **choices(service, credentials, resource),
        "resource": resource,
        "next": target,
        "conditions": _conditions(service, resource, target),
        "decision": service.decision(credentials.actor, resource),
    }


def choices(service: Service, credentials: Credentials, resource: str) -> dict[str, Any]:
    """What the fields of a purpose offer for one table: codes, and agencies that may take part."""
    held = service.purposes_granted(credentials.actor, resource)
    supervises = credentials.actor.role == "supervisor"
    codes = [CODES[SUPERVISION]] if supervises else list(CODES.values())
    return {
        "codes": [{"code": code, "granted": held is None or code.code in held} for code in codes],
        "only_granted": held is not None and not supervises,
        "agencies": [
            {"id": agency["id"], "name": i18n.choose(agency["name_zh"], agency["name_en"])}
            for agency in agencies(service.register)
            if agency["role"] != "operator"
        ],
    }


def _conditions(service: Service, resource: str, target: str) -> list[Condition]:
    """What the query that waits for its purpose asks for."""
    database, _, table = resource.partition("/")
    parts = urlsplit(target)
    if not parts.path.startswith(f"/{resource}"):
        return []
    text = titles.of_instance(service.instance.path).table(database, table)
    return conditions(text, Address.of(parts.path, parts.query))


def before(service: Service, credentials: Credentials, resource: str) -> dict[str, Any]:
    """The form as it begins: with the purpose still in force, to be changed."""
    found = stated.recall(service.register, credentials.session, resource)
    if found is None:
        supervises = credentials.actor.role == "supervisor"
        return {"code": SUPERVISION if supervises else "", "participants": [credentials.actor.agency]}
    stated_before = found.purpose
    return {
        "code": stated_before.code,
        "reference": stated_before.reference,
        "words": stated_before.words,
        "participants": list(stated_before.participants) or [credentials.actor.agency],
    }


def _shared(sent: dict[str, list[str]]) -> bool:
    code = CODES.get(_one(sent, "code"))
    return code is not None and code.shared


def _one(sent: dict[str, list[str]], name: str) -> str:
    return sent.get(name, [""])[0]
