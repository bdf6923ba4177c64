"""The answer to a query that is not open: a page for a browser, the same words as JSON for a program.

No 403 without its clause (DESIGN §3, §5): code, sentence and basis come from the decision, whoever shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette import Response
from datasette.utils import error_body
from datasette.utils.asgi import Request

from catalog import i18n, purpose_header, titles
from catalog.asking import SCOPE_KEY, Asked
from catalog.drafts import Draft, draft
from catalog.identity.agencies import agencies
from catalog.listing import say, sharing_class
from catalog.overview import agency_names
from catalog.permissions import NOT_PUBLISHED, REFERRALS, REFUSALS, Decision
from catalog.purpose import CODES, Purpose
from catalog.routes import match
from catalog.service import Service
from catalog.web import page

if TYPE_CHECKING:
    from datasette.app import Datasette

_COLUMNS_ONLY = (
    "your grant opens {n} columns of this table and not the whole of it; ask for them with the query form or "
    "POST /api/query/{place}",
    "本单位获得的授权只包含该数据表的 {n} 个数据项，不能打开整表；请用查询表单或 POST /api/query/{place} 查询",
)


async def refused(datasette: Datasette, service: Service, request: Request, asked: Asked) -> Response:
    """403 with the clause that decided, and what would change it."""
    decision = asked.decision or NOT_PUBLISHED
    resource = service.resource(asked.resource)
    en, zh = reasons(asked.resource, decision)
    if decision.allowed:
        asked.reason = "columns_only"
    said = {"error": i18n.choose(zh, en), "clause": clause(decision)}
    about: dict[str, Any] = {"status": 403, **said, "decision": decision}
    request_draft = None
    if resource is not None:
        about |= facts(service, resource)
        if decision.code in REFERRALS and request.actor["role"] != "supervisor":
            request_draft = draft_for(service, resource, request.actor["agency"], asked.purpose)
        about["draft"] = request_draft
        if decision.allowed:
            about["form_url"] = datasette.urls.path(f"/query/{asked.resource}")
        about["explain_url"] = datasette.urls.path("/access?" + urlencode({"resource": asked.resource}))
        about["purpose_url"] = _purpose_url(datasette, request, asked, decision)
    found = match(request.method, request.path)
    if "text/html" in request.headers.get("accept", "") and (found is None or found.format == "html"):
        return await page(datasette, request, "refused.html", about, 403)
    return Response.json(_body(asked, decision, request_draft, (en, zh)), status=403)


async def forbidden(datasette: Datasette, service: Service, request: Request) -> Response:
    """Datasette's own "no", where the gate had none: for what we publish nothing of."""
    found = match(request.method, request.path)
    asked: Asked = request.scope.get(SCOPE_KEY) or Asked(found.resource if found is not None else "")
    if asked.decision is not None and asked.decision.allowed:  # a grant that ended meanwhile
        asked.decide(service, request.scope["liandong_credentials"])
    if asked.decision is None or asked.decision.allowed:
        asked.decision = NOT_PUBLISHED
    return await refused(datasette, service, request, asked)


def reasons(resource: str, decision: Decision) -> tuple[str, str]:
    """Why it is not open, in English and Chinese; a column list allows, but not this way."""
    if decision.allowed and decision.columns is not None:
        en, zh = (text.format(n=len(decision.columns), place=resource) for text in _COLUMNS_ONLY)
        return en, zh
    return decision.reason_en, decision.reason_zh


def clause(decision: Decision) -> str:
    """The clause on which a decision rests: of a refusal its ground too."""
    return REFUSALS.get(decision.code, decision.basis)


def facts(service: Service, resource: dict[str, Any]) -> dict[str, Any]:
    """What pages about a table's permission say of it: title, provider, sharing class, condition."""
    text = titles.of_instance(service.instance.path).table(resource["database"], resource["table_name"])
    names = agency_names(agencies(service.register))
    return {
        "section": resource["database"],
        "table": {
            "resource": f"{text.database}/{text.name}",
            "title": say(text.title),
            "about": say(text.about),
            "provider": names.get(resource["provider"], resource["provider"]),
            "sharing_class": sharing_class(resource["sharing_class"]),
            "condition": resource.get("condition"),
            "condition_types": resource.get("condition_types"),
            "condition_purposes": [purpose_title(code) for code in resource.get("condition_purposes") or ()],
            "basis": resource.get("basis"),
        },
    }


def purpose_title(code: str) -> str:
    """A code of purpose in the reader's language."""
    known = CODES.get(code)
    return i18n.choose(known.zh, known.en) if known is not None else code


def draft_for(service: Service, resource: dict[str, Any], requester: str, purpose: Purpose | None) -> Draft:
    """The draft of a request for a table by an agency."""
    text = titles.of_instance(service.instance.path).table(resource["database"], resource["table_name"])
    return draft(resource, (text.title.zh, text.title.en), requester, agencies(service.register), purpose)


def _purpose_url(datasette: Datasette, request: Request, asked: Asked, decision: Decision) -> str:
    """Where a browser states another purpose, where that may open it."""
    if (
        request.actor is None
        or request.actor["auth"] != "session"
        or not decision.needs_purpose
        or asked.purpose is None
    ):
        return ""
    there = {"resource": asked.resource, "next": request.full_path}
    return str(datasette.urls.path("/purpose?" + urlencode(there)))


def _body(asked: Asked, decision: Decision, request_draft: Draft | None, said: tuple[str, str]) -> dict[str, Any]:
    en, zh = said
    body = {
        **error_body(i18n.choose(zh, en), 403),
        "error_zh": zh,
        "error_en": en,
        "code": decision.code,
        "clause": clause(decision),
        "basis": decision.basis,
    }
    if decision is not NOT_PUBLISHED:
        body["explain"] = "/access?" + urlencode({"resource": asked.resource})
    if decision.columns is not None:
        body["columns"] = list(decision.columns)
    if decision.code == "purpose_needed":
        body["purpose"] = purpose_header.how_to()
    if request_draft is not None:
        body["request"] = request_draft.to_json()
    return body
