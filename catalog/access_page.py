"""Why may we, why may we not: the explanation of a decision, and the draft of a request to the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import grants, i18n, stated
from catalog.asking import Asked
from catalog.authentication import Credentials
from catalog.errors import ForbiddenError, RequestError
from catalog.identity.agencies import agencies
from catalog.overview import agency_names
from catalog.permissions import NOT_PUBLISHED, REFERRALS
from catalog.purpose import CODES
from catalog.refusal import clause, draft_for, facts, purpose_title, reasons
from catalog.service import Service
from catalog.standing import Standing, standing
from catalog.web import page

if TYPE_CHECKING:
    from datasette.app import Datasette


async def access(datasette: Datasette, service: Service, request: Request) -> Response:
    """Why the signed-in agency may or may not have a table; supervisors may ask for another agency."""
    credentials: Credentials = request.scope["liandong_credentials"]
    register = agencies(service.register)
    agency = _agency(credentials, request.args.get("agency"), register)
    names = agency_names(register)
    about: dict[str, Any] = {
        "section": "access",
        "agency": agency["id"],
        "agency_name": names[agency["id"]],
        "agencies": [(each["id"], names[each["id"]]) for each in register],
        "may_choose": credentials.actor.role == "supervisor",
    }
    resource = request.args.get("resource")
    if not resource:
        about["tables"] = _tables(service, agency)
        return await page(datasette, request, "access_list.html", about)
    published = service.resource(resource)
    if published is None:
        raise RequestError(404, NOT_PUBLISHED.reason_en, NOT_PUBLISHED.reason_zh)
    found = stand(service, agency, published)
    en, zh = reasons(resource, found.decision)
    about |= facts(service, published) | {
        "section": "access",
        "resource": resource,
        "standing": found,
        "reason": i18n.choose(zh, en),
        "clause": clause(found.decision),
        "purposes": _purpose_rows(found),
        "grants": [_grant_row(each) for each in found.considered],
        "changes": [(i18n.choose(each.zh, each.en), names.get(each.who, "")) for each in found.changes],
        "own": agency["id"] == credentials.actor.agency,
        "opens": found.decision.allowed or found.decision.code == "purpose_needed",
        "ask": found.decision.code in REFERRALS or found.decision.code == "purpose_needed",
    }
    return await page(datasette, request, "access.html", about)


def stand(service: Service, agency: dict[str, str], published: dict[str, Any]) -> Standing:
    """One agency before one published table, today."""
    resource = f"{published['database']}/{published['table_name']}"
    decision = service.decision_of(agency["id"], agency["role"], resource)
    codes = CODES if decision.needs_purpose else ()
    by_purpose = {code: service.decision_of(agency["id"], agency["role"], resource, code) for code in codes}
    held = [
        grant
        for grant in grants.all_grants(service.register, grantee=agency["id"])
        if f"{grant['database']}/{grant['table_name']}" == resource
    ]
    register = agencies(service.register)
    authority = next((each["id"] for each in register if each["role"] == "data_authority"), "")
    return standing(decision, by_purpose, held, published, service.register.today(), authority)


async def request_draft(datasette: Datasette, service: Service, request: Request) -> Response:
    """The draft of a request for a table, to be printed and sent; no clock starts."""
    credentials: Credentials = request.scope["liandong_credentials"]
    published = service.resource(request.args.get("resource") or "")
    if published is None:
        raise RequestError(404, NOT_PUBLISHED.reason_en, NOT_PUBLISHED.reason_zh)
    asked = Asked(f"{published['database']}/{published['table_name']}")
    if credentials.session:
        found = stated.recall(service.register, credentials.session, asked.resource)
        asked.purpose = found.purpose if found is not None else None
    decision = asked.decide(service, credentials)
    about = facts(service, published) | {
        "draft": draft_for(service, published, credentials.actor.agency, asked.purpose),
        "resource": asked.resource,
        "reason": i18n.choose(decision.reason_zh, decision.reason_en),
    }
    return await page(datasette, request, "request.html", about)


def _agency(credentials: Credentials, asked: str | None, register: list[dict[str, str]]) -> dict[str, str]:
    wanted = asked or credentials.actor.agency
    if wanted != credentials.actor.agency and credentials.actor.role != "supervisor":
        raise ForbiddenError(
            "own-agency",
            "only the supervising offices ask for another agency; your own is shown without naming it",
            "只有监督机构可以查看其他单位的权限；不指定单位即为本单位",
        )
    found = next((each for each in register if each["id"] == wanted), None)
    if found is None:
        raise RequestError(404, "there is no agency of that id in the register", "登记册中没有这个单位")
    return found


def _tables(service: Service, agency: dict[str, str]) -> list[dict[str, Any]]:
    return [
        facts(service, resource)["table"]
        | {"code": decision.code, "allowed": decision.allowed, "clause": clause(decision)}
        | {"reason": i18n.choose(decision.reason_zh, decision.reason_en)}
        for resource, decision in service.decisions(agency["id"], agency["role"])
    ]


def _purpose_rows(found: Standing) -> list[dict[str, Any]]:
    """A row for each code of purpose; none where all are decided alike."""
    if len({(each.code, each.columns) for each in found.by_purpose.values()}) < 2:
        return []
    return [
        {
            "title": purpose_title(code),
            "code": each.code,
            "allowed": each.allowed,
            "columns": len(each.columns) if each.columns is not None else None,
            "grant": each.grant_id or "",
        }
        for code, each in found.by_purpose.items()
    ]


def _grant_row(each: Any) -> dict[str, Any]:
    grant = each.grant
    return {
        "id": grant["id"],
        "purposes": [purpose_title(code) for code in grant["purposes"]],
        "columns": grant["columns"],
        "valid_from": grant["valid_from"],
        "valid_to": grant["valid_to"],
        "basis": grant["basis"],
        "state": each.state,
        "revoked_for": grant["revoked_for"],
    }
