"""A request as the gate reads it, and what of it metrics and logs may see."""

from __future__ import annotations

import time
from typing import Any

from catalog import cross_site
from catalog.authentication import Credentials
from catalog.http import Answer, Scope, cookies, header_fields
from catalog.routes import METHODS, match
from catalog.serving import tracing
from catalog.serving.watch import Seen
from catalog.spool import Spool


class Incoming:
    """What the gate reads of a request, once; ``path`` and ``target`` lie below the public prefix."""

    def __init__(self, scope: Scope, started_ns: int, spool: Spool) -> None:
        self.started_ns = started_ns
        self.spool = spool
        self.method: str = scope["method"]
        raw_path = scope.get("raw_path") or scope["path"].encode()
        self.path: str = raw_path.decode("latin-1").partition("?")[0]
        query = scope.get("query_string", b"").decode("latin-1")
        self.query = query
        self.target = f"{self.path}?{query}" if query else self.path
        #: As it was sent, prefix included.
        self.whole_target = scope.get("root_path", "") + self.target
        #: What the entry commits to as the query.
        self.asked = f"{self.method} {self.whole_target}"
        self.fields = header_fields(scope["headers"])
        self.cookies = cookies(self.fields.get("cookie", ""))
        self.match = match(self.method, self.path)
        self.actor: dict[str, Any] | None = None
        self.entry: int | None = None
        self._credentials: Credentials | None = None
        self._scope = scope

    @property
    def navigates(self) -> bool:
        """A browser that follows a link or an address, to a page or to a file of it."""
        return "text/html" in self.fields.get("accept", "") and self.method == "GET"

    @property
    def wants_html(self) -> bool:
        """A browser that navigates, not a program: programs get errors as JSON."""
        if self.match is not None and self.match.format != "html":
            return False
        return "text/html" in self.fields.get("accept", "") and "authorization" not in self.fields

    def inner_scope(self, credentials: Credentials | None) -> Scope:
        """The scope for Datasette: our actor, and no credentials that it could read for itself."""
        self._credentials = credentials
        self.actor = credentials.actor.to_datasette() if credentials else None
        hidden = (b"cookie", b"authorization")
        shown = [(name, value) for name, value in self._scope["headers"] if name.lower() not in hidden]
        return {
            **self._scope,
            "headers": cross_site.with_origin(shown),
            "liandong_credentials": credentials,
            "liandong_cookies": self.cookies,
        }

    def seen(self, answer: Answer) -> Seen:
        """The request for metrics and log: no address, no login, nothing of what was asked."""
        credentials = self._credentials
        return Seen(
            self.method if self.method in METHODS else "OTHER",
            self.match.route.name if self.match else "none",
            answer.status,
            (time.perf_counter_ns() - self.started_ns) // 1000,
            0 if self.method == "HEAD" else answer.size_bytes,
            credentials.actor.agency if credentials else "",
            credentials.actor.auth if credentials else "",
            self.entry,
            tracing.trace_id(),
        )
