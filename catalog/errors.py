"""Errors of the catalog: the service, its pages and its command line."""

from __future__ import annotations

from typing import Any

from ledger import BilingualError


class CatalogError(BilingualError):
    """Base of every error raised by :mod:`catalog`."""


class UsageError(CatalogError):
    """Wrong use or environment: a port in use, a missing file, an option that does not fit."""

    exit_code = 2


class RequestError(CatalogError):
    """A request that is answered with an HTTP error status."""

    def __init__(self, status: int, en: str, zh: str) -> None:
        super().__init__(en, zh)
        self.status = status

    @property
    def details(self) -> dict[str, Any]:
        """Further members of the answer's JSON, without secrets."""
        return {}

    @property
    def headers(self) -> dict[str, str]:
        """Header fields of the answer."""
        return {}


class AuthenticationError(RequestError):
    """Wrong, expired or replayed credentials: 401."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(401, en, zh)
