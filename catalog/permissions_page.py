"""For supervising offices and the operator: what Datasette's permission system does, beside what we decided.

Looking is recorded. A row whose two sides differ is a fault of the program, and is shown as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n, titles
from catalog.errors import RequestError
from catalog.explained import Explained, explain_table
from catalog.identity.agencies import agencies
from catalog.listing import say
from catalog.overview import agency_names
from catalog.permissions import Decision
from catalog.service import Service
from catalog.web import page
from ledger import CATEGORIES

if TYPE_CHECKING:
    from datasette.app import Datasette

#: So many tables are explained at once.
MOST = 200


async def permissions(datasette: Datasette, service: Service, request: Request) -> Response:
    """Each published table of a category, for one agency: Datasette's verdict and rule, our decision and clause."""
    register = agencies(service.register)
    names = agency_names(register)
    wanted = request.args.get("agency") or request.actor["agency"]
    database = request.args.get("database") or CATEGORIES[1]
    agency = next((each for each in register if each["id"] == wanted), None)
    if agency is None or database not in CATEGORIES:
        raise RequestError(404, "there is no such agency or category", "没有这个单位或类别")
    actor = {"id": agency["id"], "agency": agency["id"], "role": agency["role"]}
    text = titles.of_instance(service.instance.path)
    rows = []
    decided = [each for each in service.decisions(agency["id"], agency["role"]) if each[0]["database"] == database]
    for resource, decision in decided[:MOST]:
        table = resource["table_name"]
        found = await explain_table(datasette, actor, database, table)
        rows.append(_row(say(text.table(database, table).title), f"{database}/{table}", found, decision))
    about = {
        "section": "permissions",
        "agency": agency["id"],
        "agency_name": names[agency["id"]],
        "agencies": [(each["id"], names[each["id"]]) for each in register],
        "chosen": database,
        "databases": [(each, say(text.databases[each].title)) for each in CATEGORIES],
        "rows": rows,
        "differ": sum(not row["agree"] for row in rows),
        "left_out": max(0, len(decided) - MOST),
    }
    return await page(datasette, request, "permissions.html", about)


def _row(title: str, resource: str, found: Explained, decision: Decision) -> dict[str, Any]:
    rule = found.decisive
    # Datasette keeps one text of a rule, in English: that of the decision, which the reader's language has too.
    same = rule is not None and rule.reason == decision.reason_en
    return {
        "title": title,
        "resource": resource,
        "allowed": found.allowed,
        "rule": rule,
        "rule_reason": i18n.choose(decision.reason_zh, decision.reason_en) if same else "",
        "code": decision.code,
        "decided": decision.allowed,
        "reason": i18n.choose(decision.reason_zh, decision.reason_en),
        "columns": decision.columns is not None,
        "agree": found.allowed == decision.opens_table,
    }
