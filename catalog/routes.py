"""Every address that the service answers, and what each means for sign-in and for the ledger.

Deny by default: an address without a line here does not exist, though Datasette may have a page for it (its write
API, SQL pages, debug pages, file downloads). docs/adr/0003 says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from ledger import CATEGORIES


class Access(Enum):
    """What a route asks of a request."""

    PUBLIC = "public"  # anonymous may have it; nothing of the catalog is in it
    SIGNED_IN = "signed_in"  # the signed-in agency's own account or own entries; not a query for data
    RECORDED = "recorded"  # gives data: not a byte leaves before its entry is durable
    AUDIT = "audit"  # reads the ledger, or the register of others: recorded as audit.read
    OPERATION = "operation"  # figures of the service itself, for supervisors and operators; no data, so not recorded


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of address. ``name`` stands in entries and in access logs, never the query string.

    Attributes:
        format: of the answer, where the address does not end in it.
        body_bytes: the most that a request's body may be; 0 where the access says it.
    """

    name: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    access: Access
    format: str = "html"
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A request's route, the resource (``database/table``, a case's number or a page's name), the format."""

    route: Route
    resource: str
    format: str


_READ = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
_DATABASE = "(?P<database>" + "|".join(CATEGORIES) + ")"
_TABLE = r"(?P<table>[a-z][a-z0-9_]*)"
_FORMAT = r"(\.(?P<format>json|csv))?"
# Only the spelling of ledger.log.tiles.Tile passes in the end; an entry bundle never matches the public route.
_TILE = r"(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[1-9][0-9]{0,2})?"
# No name of a static file begins with a dot: Datasette would say of a path outside whether there is such a folder.
_NAME = r"[a-z0-9_-]+"
_SEQ = r"(?P<seq>0|[1-9][0-9]{0,15})"
# The own agency's administration, and that of another for those who may see it.
_OTHER = r"/agencies/id/(?P<agency>[a-z][a-z0-9_-]{0,31})"
_AGENCY = rf"(?:/agency|{_OTHER})"
_LOGIN = r"(?P<login>[a-z0-9][a-z0-9._-]{1,31})"
_KEYID = r"(?P<keyid>[a-z0-9]{1,16}:[0-9a-f]{32})"
CASE_NUMBER = re.compile(r"[a-z]-[0-9]{8}-[0-9]{5,7}")
_CASE = rf"(?P<case>{CASE_NUMBER.pattern})"
_TOKEN = r"(?P<token>token:[0-9a-f]{16})"  # noqa: S105 - a token's public id, not a token


#: Routes of ``POST /api/query``, which :mod:`catalog.query` answers without Datasette.
API_QUERY, API_BATCH = "api-query", "api-batch"
#: A query with 20 filters, some of them lists, and 500 look-ups with columns of their own.
_QUERY_BYTES, _BATCH_BYTES = 128 * 1024, 512 * 1024
_FORM_BYTES = 16 * 1024
#: A request or an answer with its attachments: catalog.desk.files.MAX_TOTAL_BYTES and the form around them.
_FILES_BYTES = 24 * 1024 * 1024


def _route(name: str, methods: frozenset[str], pattern: str, access: Access, **more: Any) -> Route:
    return Route(name, methods, re.compile(pattern), access, **more)


ROUTES = (
    _route("static", _READ, rf"/-/static-plugins/liandong/({_NAME}/)*{_NAME}(\.{_NAME})+", Access.PUBLIC),
    _route("favicon", _READ, r"/favicon\.ico", Access.PUBLIC),
    _route("sign-in", _READ | _POST, r"/sign-in", Access.PUBLIC),
    _route("language", _POST, r"/language", Access.PUBLIC),
    _route("checkpoint", _READ, r"/log/checkpoint", Access.PUBLIC),
    _route("vkey", _READ, r"/log/vkey", Access.PUBLIC),
    _route("tile", _READ, rf"/log/tile/[0-9]/{_TILE}", Access.PUBLIC),
    _route("healthz", _READ, r"/healthz", Access.PUBLIC),
    _route("readyz", _READ, r"/readyz", Access.PUBLIC),
    # Not by address: behind a proxy on this machine everybody comes from the loopback.
    _route("metrics", _READ, r"/metrics", Access.OPERATION),
    _route("sign-out", _POST, r"/sign-out", Access.SIGNED_IN),
    _route("access", _READ, r"/access", Access.SIGNED_IN),
    _route("request", _READ, r"/request", Access.SIGNED_IN),
    # The desk: what an agency asked and was asked is its own, and each move is an entry. What a case holds, words,
    # subjects, answers and files, is data like any other.
    _route("requests", _READ, r"/requests", Access.SIGNED_IN),
    _route("requests-sent", _READ, r"/requests/sent", Access.SIGNED_IN),
    _route("new-request", _READ | _POST, r"/requests/new", Access.SIGNED_IN, body_bytes=_FILES_BYTES),
    _route("new-correction", _READ | _POST, r"/requests/new-correction", Access.SIGNED_IN, body_bytes=_FILES_BYTES),
    _route("new-transfer", _READ | _POST, r"/requests/new-transfer", Access.SIGNED_IN, body_bytes=_FORM_BYTES),
    _route("case", _READ, rf"/requests/{_CASE}", Access.RECORDED),
    _route("case-receipt", _READ, rf"/requests/{_CASE}/receipt", Access.RECORDED),
    _route("case-entry", _READ, rf"/requests/{_CASE}/entries/{_SEQ}\.json", Access.RECORDED, format="json"),
    _route("case-subjects", _READ, rf"/requests/{_CASE}/subjects/{_SEQ}", Access.RECORDED),
    _route("case-sheet", _READ, rf"/requests/{_CASE}/sheet/{_SEQ}", Access.RECORDED),
    _route("case-file", _READ, rf"/requests/{_CASE}/files/{_SEQ}/(?P<place>[0-9])", Access.RECORDED),
    _route(
        "case-move",
        _READ | _POST,
        rf"/requests/{_CASE}/(?P<move>(?!receipt$)[a-z]+(-[a-z]+)*)",
        Access.SIGNED_IN,
        body_bytes=_FILES_BYTES,
    ),
    _route("brought", _READ, r"/requests/brought", Access.SIGNED_IN),
    _route("grants", _READ, r"/grants", Access.SIGNED_IN),
    _route("new-grant", _READ | _POST, r"/grants/new", Access.SIGNED_IN),
    _route("grant", _READ | _POST, r"/grants/[a-z0-9][a-z0-9-]{0,62}", Access.SIGNED_IN),
    _route("new-suspension", _READ | _POST, r"/suspensions/new", Access.SIGNED_IN),
    _route("suspension", _READ | _POST, r"/suspensions/(?P<suspension>s-[0-9]{1,15})", Access.SIGNED_IN),
    _route("purpose", _READ | _POST, r"/purpose", Access.SIGNED_IN),
    _route("account", _READ, r"/account", Access.SIGNED_IN),
    _route("account-password", _READ | _POST, r"/account/password", Access.SIGNED_IN),
    _route("account-sessions", _POST, r"/account/sessions", Access.SIGNED_IN),
    _route("agencies", _READ, r"/agencies", Access.AUDIT),
    _route("agencies-register", _READ | _POST, r"/agencies/register", Access.SIGNED_IN),
    _route("agency", _READ, r"/agency", Access.SIGNED_IN),
    _route("other-agency", _READ, _OTHER, Access.AUDIT),
    _route("agency-enrol", _READ | _POST, rf"{_AGENCY}/enrol", Access.SIGNED_IN),
    _route("agency-officer", _READ, rf"/agency/officers/{_LOGIN}", Access.SIGNED_IN),
    _route("other-officer", _READ, rf"{_OTHER}/officers/{_LOGIN}", Access.AUDIT),
    _route(
        "agency-officer-change",
        _READ | _POST,
        rf"{_AGENCY}/officers/{_LOGIN}/(?P<change>roles|deputy|end-deputy|reset|disable|enable|unlock)",
        Access.SIGNED_IN,
    ),
    _route("agency-key-add", _READ | _POST, rf"{_AGENCY}/keys/add", Access.SIGNED_IN),
    _route("agency-key-revoke", _READ | _POST, rf"{_AGENCY}/keys/{_KEYID}/revoke", Access.SIGNED_IN),
    _route("agency-token-add", _READ | _POST, rf"{_AGENCY}/tokens/add", Access.SIGNED_IN),
    _route("agency-token-revoke", _READ | _POST, rf"{_AGENCY}/tokens/{_TOKEN}/revoke", Access.SIGNED_IN),
    _route("receipt", _READ, rf"/log/receipt/{_SEQ}", Access.SIGNED_IN),
    _route("my-queries", _READ, r"/queries(\.(?P<format>xlsx))?", Access.SIGNED_IN),
    _route("my-query", _READ | _POST, rf"/queries/{_SEQ}", Access.SIGNED_IN),
    _route("asked", _READ, r"/asked(\.(?P<format>xlsx))?", Access.SIGNED_IN),
    _route("entries", _READ, rf"/log/tile/entries/{_TILE}", Access.AUDIT),
    _route("ledger", _READ, r"/ledger", Access.AUDIT),
    # Cases between others, as the supervising offices look at them.
    _route("supervision", _READ, r"/supervision", Access.AUDIT),
    _route("supervised-case", _READ, rf"/supervision/{_CASE}", Access.AUDIT),
    _route("supervised-entry", _READ, rf"/supervision/{_CASE}/entries/{_SEQ}\.json", Access.AUDIT, format="json"),
    _route("supervised-file", _READ, rf"/supervision/{_CASE}/files/{_SEQ}/(?P<place>[0-9])", Access.AUDIT),
    _route(
        "supervised-move",
        _READ | _POST,
        rf"/supervision/{_CASE}/(?P<move>[a-z]+(-[a-z]+)*)",
        Access.AUDIT,
        body_bytes=_FORM_BYTES,
    ),
    _route("anomalies", _READ, r"/anomalies", Access.AUDIT),
    _route("anomaly-review", _POST, r"/anomalies/review", Access.AUDIT, body_bytes=_FORM_BYTES),
    _route("permissions", _READ, r"/access/rules", Access.AUDIT),
    _route("openapi", _READ, r"/api/openapi\.json", Access.PUBLIC, format="json"),
    _route(API_BATCH, _POST, r"/api/query/batch", Access.RECORDED, format="json", body_bytes=_BATCH_BYTES),
    _route(
        API_QUERY, _POST, rf"/api/query/{_DATABASE}/{_TABLE}", Access.RECORDED, format="json", body_bytes=_QUERY_BYTES
    ),
    _route("api-requests", _READ | _POST, r"/api/requests", Access.SIGNED_IN, format="json", body_bytes=_FILES_BYTES),
    _route("api-request", _READ, rf"/api/requests/{_CASE}", Access.RECORDED, format="json"),
    _route("api-request-table", _READ, rf"/api/requests/{_CASE}/tables/{_SEQ}", Access.RECORDED, format="json"),
    _route(
        "api-request-moves",
        _POST,
        rf"/api/requests/{_CASE}/moves",
        Access.SIGNED_IN,
        format="json",
        body_bytes=_FILES_BYTES,
    ),
    # The form asks nothing yet; what it sends is a query.
    _route("query-form", _READ, rf"/query/{_DATABASE}/{_TABLE}", Access.SIGNED_IN),
    _route("query", _POST, rf"/query/{_DATABASE}/{_TABLE}", Access.RECORDED, body_bytes=_QUERY_BYTES),
    _route("home", _READ, r"/", Access.RECORDED),
    _route("database", _READ, rf"/{_DATABASE}(\.(?P<format>json))?", Access.RECORDED),
    _route("table", _READ, rf"/{_DATABASE}/{_TABLE}{_FORMAT}", Access.RECORDED),
    _route("row", _READ, rf"/{_DATABASE}/{_TABLE}/[0-9]+(\.(?P<format>json))?", Access.RECORDED),
)

#: In which order to look: an address fits one route at most, and most requests are for data.
_LIKELIEST_FIRST = sorted(ROUTES, key=lambda route: route.name not in {"table", API_QUERY, "row"})
#: Every method that some address answers.
METHODS = frozenset().union(*(route.methods for route in ROUTES))


def pattern_of(name: str) -> str:
    """The regular expression of a route's path, for whoever registers its view."""
    return next(route.pattern.pattern for route in ROUTES if route.name == name)


@lru_cache(maxsize=1_024)
def match(method: str, path: str) -> Match | None:
    """The route of a request, or None where the service has no such address.

    Args:
        path: the path below the public prefix, as sent; anything percent-encoded that decodes to another path is no
            address of ours (all our names are plain ASCII).
    """
    if unquote(path) != path:
        return None
    for route in _LIKELIEST_FIRST:
        found = route.pattern.fullmatch(path)
        if found and method in route.methods:
            parts = found.groupdict()
            resource = "/".join(part for part in (parts.get("database"), parts.get("table")) if part)
            return Match(route, resource or parts.get("case") or route.name, parts.get("format") or route.format)
    return None


def methods_of(path: str) -> frozenset[str]:
    """The methods that an address below ``/api/`` answers; none where there is no such address.

    Programs are told of a wrong method; elsewhere an address with another method does not exist.
    """
    if not path.startswith("/api/") or unquote(path) != path:
        return frozenset()
    return frozenset().union(*(route.methods for route in ROUTES if route.pattern.fullmatch(path)))
