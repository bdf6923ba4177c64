"""One entry of a list as people read it: what it is about, what was asked, what for, by whom, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from catalog import i18n
from catalog.i18n import gettext
from catalog.listing import local_time, say
from catalog.refusal import purpose_title
from catalog.routes import CASE_NUMBER
from catalog.titles import Titles
from ledger.entries import KINDS

Entry = Mapping[str, Any]


def described(entry: Entry, titles: Titles, agencies: Mapping[str, str]) -> dict[str, Any]:
    """What everybody who may see the entry sees: nothing of its particulars.

    Args:
        agencies: names by id, in the reader's language.
    """
    kind = KINDS.get((entry["kind"], entry["v"]))
    requester = entry.get("requester", "")
    return {
        **entry,
        "title": i18n.choose(kind.title_zh, kind.title_en) if kind else entry["kind"],
        "at": local_time(entry["t"]),
        "about": resource_title(titles, entry.get("resource", "")),
        "requester_name": agencies.get(requester, requester),
        "purpose_title": purpose_title(entry["purpose"]) if "purpose" in entry else "",
        "outcome": outcome(entry),
        "usable": usable(entry),
    }


def resource_title(titles: Titles, resource: str) -> str:
    """A table's or category's title, a request at the desk, or what one of our pages is called."""
    named = {
        "home": gettext("Home page"),
        "ledger": gettext("Ledger"),
        "permissions": gettext("Permissions"),
        "anomalies": gettext("Worth a look"),
        "agencies": gettext("Agencies"),
        "other-agency": gettext("Another agency's register"),
        "other-officer": gettext("Another agency's register"),
        "batch": gettext("Several tables"),
    }
    if resource in named:
        return named[resource]
    if CASE_NUMBER.fullmatch(resource):
        return gettext("Request %(number)s") % {"number": resource}
    database, _, table = resource.partition("/")
    if database not in titles.databases:
        return resource
    return say(titles.table(database, table).title if table else titles.databases[database].title)


def outcome(entry: Entry) -> str:
    """What came of a query, in words; empty for an entry of another kind."""
    if "status" not in entry:
        return ""
    kind = entry["kind"]
    if kind in ("query.served", "audit.read"):
        return gettext("answered")
    if kind == "query.referred":
        return gettext("referred to a request")
    if kind == "query.refused":
        return gettext("refused")
    if "refused_by" in entry:
        return gettext("refused before that day")
    return gettext("failed")


def usable(entry: Entry) -> bool:
    """Whether rows of a table were given, of which a use can be recorded."""
    return entry["kind"] == "query.served" and ("/" in entry["resource"] or "resources" in entry)


def use_title(use: str) -> str:
    """What became of an answer (条例 art. 29), in the reader's language."""
    return {
        "used": gettext("used"),
        "stored": gettext("stored"),
        "not_used": gettext("not used"),
        "destroyed": gettext("destroyed"),
    }[use]


def opened(values: Mapping[str, Any], agencies: Mapping[str, str], officers: Mapping[str, str]) -> dict[str, Any]:
    """The particulars of an own query as people read them.

    Args:
        values: from :meth:`ledger.Ledger.opened`; what was erased is absent.
        officers: titles by login, in the reader's language.
    """
    officer = values.get("officer", "")
    return {
        "query": readable(str(values.get("query", ""))),
        "reference": values.get("reference", ""),
        "words": values.get("purpose_text", ""),
        "officer": officers.get(officer, officer),
        "participants": [agencies.get(each, each) for each in values.get("participants", ())],
        "answer_sha256": values.get("answer_sha256", ""),
    }


def readable(query: str) -> str:
    """An address as it was meant: percent-encoding undone, so that Chinese can be read; a body below it as it is."""
    address, newline, body = query.partition("\n")
    return unquote_plus(address) + newline + body
