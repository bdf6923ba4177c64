"""Every address that the service answers, and what each means for sign-in and for the ledger.

Deny by default: an address without a line here does not exist, though Datasette may have a page for it (its write
API, SQL pages, debug pages, file downloads). docs/adr/0003 says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from ledger import CATEGORIES


class Access(Enum):
    """What a route asks of a request."""

    PUBLIC = "public"  # anonymous may have it; nothing of the catalog is in it
    SIGNED_IN = "signed_in"  # the signed-in agency's own account or own entries; not a query for data
    RECORDED = "recorded"  # gives data: not a byte leaves before its entry is durable
    AUDIT = "audit"  # reads the ledger itself: recorded as audit.read


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of address. ``name`` stands in entries and in access logs, never the query string."""

    name: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    access: Access


@dataclass(frozen=True, slots=True)
class Match:
    """A request's route, the resource it asks for (``database/table`` or a page's name) and the answer's format."""

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
_SEQ = r"(?P<seq>0|[1-9][0-9]{0,15})"


def _route(name: str, methods: frozenset[str], pattern: str, access: Access) -> Route:
    return Route(name, methods, re.compile(pattern), access)


ROUTES = (
    _route("static", _READ, r"/-/static-plugins/(liandong|catalog)/[a-z0-9_./-]+", Access.PUBLIC),
    _route("favicon", _READ, r"/favicon\.ico", Access.PUBLIC),
    _route("sign-in", _READ | _POST, r"/sign-in", Access.PUBLIC),
    _route("language", _POST, r"/language", Access.PUBLIC),
    _route("checkpoint", _READ, r"/log/checkpoint", Access.PUBLIC),
    _route("vkey", _READ, r"/log/vkey", Access.PUBLIC),
    _route("tile", _READ, rf"/log/tile/[0-9]/{_TILE}", Access.PUBLIC),
    _route("sign-out", _POST, r"/sign-out", Access.SIGNED_IN),
    _route("access", _READ, r"/access", Access.SIGNED_IN),
    _route("request", _READ, r"/request", Access.SIGNED_IN),
    _route("grants", _READ, r"/grants", Access.SIGNED_IN),
    _route("new-grant", _READ | _POST, r"/grants/new", Access.SIGNED_IN),
    _route("grant", _READ | _POST, r"/grants/[a-z0-9][a-z0-9-]{0,62}", Access.SIGNED_IN),
    _route("purpose", _READ | _POST, r"/purpose", Access.SIGNED_IN),
    _route("receipt", _READ, rf"/log/receipt/{_SEQ}", Access.SIGNED_IN),
    _route("my-queries", _READ, r"/queries(\.(?P<format>xlsx))?", Access.SIGNED_IN),
    _route("my-query", _READ | _POST, rf"/queries/{_SEQ}", Access.SIGNED_IN),
    _route("asked", _READ, r"/asked(\.(?P<format>xlsx))?", Access.SIGNED_IN),
    _route("entries", _READ, rf"/log/tile/entries/{_TILE}", Access.AUDIT),
    _route("ledger", _READ, r"/ledger", Access.AUDIT),
    _route("home", _READ, r"/", Access.RECORDED),
    _route("database", _READ, rf"/{_DATABASE}(\.(?P<format>json))?", Access.RECORDED),
    _route("table", _READ, rf"/{_DATABASE}/{_TABLE}{_FORMAT}", Access.RECORDED),
    _route("row", _READ, rf"/{_DATABASE}/{_TABLE}/[0-9]+(\.(?P<format>json))?", Access.RECORDED),
)


def match(method: str, path: str) -> Match | None:
    """The route of a request, or None where the service has no such address.

    Args:
        path: the path below the public prefix, as sent; anything percent-encoded that decodes to another path is no
            address of ours (all our names are plain ASCII).
    """
    if unquote(path) != path:
        return None
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found and method in route.methods:
            parts = found.groupdict()
            resource = "/".join(part for part in (parts.get("database"), parts.get("table")) if part)
            return Match(route, resource or route.name, parts.get("format") or "html")
    return None
