"""Where clients reach the service: what ``public_url`` says, and never what a request's headers say of it.

A request keeps its path on the way through a proxy, prefix included. A proxy that strips the prefix would also decode
and encode the rest anew, and signatures cover the address byte for byte; so what does not lie below the prefix is
refused with the cure (docs/guide/proxy.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from catalog.errors import RequestError, UsageError
from catalog.http import Scope
from catalog.routes import ROUTES

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """The parts of a ``public_url`` that :func:`ledger.address.check_public_url` lets pass.

    Attributes:
        authority: host, and port unless it is the scheme's own.
        prefix: the path below which everything lies, like ``/liandong``; empty at the host's root.
    """

    scheme: str
    authority: str
    host: str
    port: int
    prefix: str

    @classmethod
    @cache
    def of(cls, public_url: str) -> PublicAddress:
        """Take ``public_url`` apart.

        Raises:
            UsageError: its path begins like one of the service's own addresses, which Datasette would confuse.
        """
        parts = urlsplit(public_url)
        first = parts.path.partition("/")[2].partition("/")[0]
        if first and _is_ours(first):
            raise UsageError(
                f"public_url {public_url!r}: /{first} is an address of the service itself; choose another path",
                f"public_url {public_url!r}：/{first} 是本服务自身的地址；请换用其他路径",
            )
        host = parts.hostname or ""
        return cls(parts.scheme, parts.netloc, host, parts.port or _PORTS[parts.scheme], parts.path)

    @property
    def base_url(self) -> str:
        """Datasette's setting of that name."""
        return f"{self.prefix}/"

    @property
    def secure(self) -> bool:
        """Whether clients come by TLS."""
        return self.scheme == "https"

    def url(self, target: str) -> str:
        """The absolute address of a request target that still has its prefix: RFC 9421's ``@target-uri``."""
        return f"{self.scheme}://{self.authority}{target}"

    def below(self, path: str) -> str | None:
        """What of ``path`` lies below the prefix, beginning with a slash; None where it does not lie below it."""
        return path.removeprefix(self.prefix) if path.startswith(self.base_url) else None

    def placed(self, scope: Scope) -> Scope:
        """The scope as if the client had come directly: its scheme, host and root path are ours, whatever was sent.

        Raises:
            RequestError: 404, the path does not lie below the prefix.
        """
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        below = self.below(path)
        if below is None:
            raise self._stripped(path)
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
        return {
            **scope,
            "scheme": self.scheme,
            "server": (self.host, self.port),
            "root_path": self.prefix,
            "path": scope["path"].removeprefix(self.prefix),
            "raw_path": below.encode("latin-1"),
            "headers": [(b"host", self.authority.encode()), *headers],
        }

    def _stripped(self, path: str) -> RequestError:
        here = self.url(self.base_url)
        return RequestError(
            404,
            f"this service lies below {here}, and was asked for {path[:200]}; a proxy before it must pass the path on "
            "whole: in nginx, proxy_pass http://ADDRESS; with nothing after the port (docs/guide/proxy.md)",
            f"本服务的地址在 {here} 之下，而收到的请求路径为 {path[:200]}；前置代理须原样转发完整路径："
            "nginx 中写 proxy_pass http://地址; 端口之后不加任何内容（见 docs/guide/proxy.md）",
        )


def _is_ours(segment: str) -> bool:
    """Whether an address of ours begins with ``segment``: by the patterns of routes."""
    begins = re.compile(rf"/(\(\?(:|P<\w+>)([^)]*\|)?)?{re.escape(segment)}(?![a-z0-9_-])")
    return any(begins.match(route.pattern.pattern) for route in ROUTES)
