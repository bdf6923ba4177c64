"""What the rules of :mod:`catalog.anomalies` flag, for the supervising offices. Looking is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import titles
from catalog.anomalies.repeated_purpose import Repeated, Stated, repeated_purposes
from catalog.entry_view import resource_title
from catalog.identity.agencies import agencies
from catalog.overview import agency_names
from catalog.refusal import purpose_title
from catalog.service import Service
from catalog.web import page
from ledger import Ledger

if TYPE_CHECKING:
    from datasette.app import Datasette

#: So many of the newest queries are looked through: opening a purpose costs a decryption each.
LOOKED_THROUGH = 5_000
#: So many entry numbers of one flag are shown.
_SHOWN = 12


async def anomalies(datasette: Datasette, service: Service, request: Request) -> Response:
    """Purposes that were repeated over many queries, tables or references."""
    names = agency_names(agencies(service.register))
    text = titles.of_instance(service.instance.path)
    looked, stated = opened_purposes(service.ledger, LOOKED_THROUGH)
    about = {
        "section": "ledger",
        "looked_through": looked,
        "repeated": [_row(flag, names, text) for flag in repeated_purposes(stated)],
    }
    return await page(datasette, request, "anomalies.html", about)


def opened_purposes(ledger: Ledger, limit: int) -> tuple[int, list[Stated]]:
    """How many of the newest answered queries were looked at, and the purposes that they stated."""
    entries = ledger.newest(limit, where={"kind": "query.served"})
    stated = []
    for entry in entries:
        if "purpose" not in entry:
            continue
        opened = ledger.opened(entry["seq"])  # what was erased is absent, and then not judged
        stated.append(
            Stated(
                entry["seq"],
                entry["requester"],
                entry["resource"],
                entry["purpose"],
                str(opened.get("reference", "")),
                str(opened.get("purpose_text", "")),
            )
        )
    return len(entries), stated


def _row(flag: Repeated, names: dict[str, str], text: titles.Titles) -> dict[str, Any]:
    return {
        "id": flag.id,
        "agency": names.get(flag.requester, flag.requester),
        "what": flag.what,
        "codes": [purpose_title(code) for code in flag.codes],
        "queries": len(flag.entries),
        "others": flag.others,
        "resources": [resource_title(text, resource) for resource in flag.resources],
        "entries": flag.entries[-_SHOWN:],
        "more": max(0, len(flag.entries) - _SHOWN),
    }
