"""All agencies, for the operator, who registers them, and the supervising offices, who see what was not accepted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog.agency_scope import administration, attempt
from catalog.forms import new_once, read_form, redirect, render_private
from catalog.identity import agencies as agency_register
from catalog.identity import duties, failures, keys, officers
from catalog.service import Service

if TYPE_CHECKING:
    from datasette.app import Datasette


async def agencies(datasette: Datasette, service: Service, request: Request) -> Response:
    """The register of agencies: role, administrators, keys; to supervisors, rejected keys first."""
    actor = administration(service, request).actor
    duties.require(actor, "agency.see")
    register = service.register
    people, all_keys = officers.listing(register), keys.listing(register)
    rows = [
        {
            **each,
            "admins": [
                o for o in people if o["agency"] == each["id"] and "admin" in o["roles"] and not o["disabled_at"]
            ],
            "keys": sum(key["agency"] == each["id"] and key["state"] == "in_force" for key in all_keys),
        }
        for each in agency_register.agencies(register)
    ]
    today = register.now() + timedelta(hours=8)
    about = {
        "section": "agencies",
        "agencies": sorted(rows, key=lambda row: duties.AGENCY_ROLES.index(row["role"])),
        "names": {each["id"]: each for each in rows},
        "may_register": duties.may(actor, "agency.register"),
        "rejected": keys.rejected(register) if duties.may(actor, "key.see_rejected") else [],
        "unknown_today": failures.unknown_since(register, register.today()),
        "unknown_week": failures.unknown_since(register, (today - timedelta(days=6)).date().isoformat()),
    }
    return await render_private(datasette, request, "agencies.html", about)


async def register(datasette: Datasette, service: Service, request: Request) -> Response:
    """Register an agency, or its new names."""
    office = administration(service, request)
    duties.require(office.actor, "agency.register")
    about: dict[str, Any] = {
        "section": "agencies",
        "types": agency_register.TYPES,
        "roles": duties.AGENCY_ROLES,
        "given": {"type": "部门", "role": "agency"},
        "once": new_once(),
    }
    if request.method != "POST":
        return await render_private(datasette, request, "agency_register.html", about)
    form = await read_form(request)
    texts = {name: form.text(name) for name in ("id", "name_zh", "name_en", "short_name", "type", "role")}
    agency: dict[str, str | None] = {**texts, "superior": form.text("superior") or None}
    agency["name_en"] = agency["name_en"] or agency["name_zh"]
    agency["short_name"] = agency["short_name"] or agency["name_zh"]
    done, error, status = attempt(lambda: office.register_agency(agency, form.once))
    if done is None:
        about |= {"given": form.values(), "error": error}
        return await render_private(datasette, request, "agency_register.html", about, status)
    return redirect(datasette, f"/agencies/id/{agency['id']}?done=register")


VIEWS = {"agencies": agencies, "agencies-register": register}
