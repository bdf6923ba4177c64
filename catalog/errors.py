"""Errors of the catalog: the service, its pages and its command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger import BilingualError

if TYPE_CHECKING:
    from catalog.identity.failures import Known


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


class ForbiddenError(RequestError):
    """403 by a rule of this service itself: with that rule, as a refusal of data is with its clause (DESIGN §3).

    Args:
        rule: its name in docs/guide/accounts.md: an act of the table of duties, or one of the rules below it.
    """

    def __init__(self, rule: str, en: str, zh: str) -> None:
        super().__init__(403, en, zh)
        self.rule = rule

    @property
    def details(self) -> dict[str, Any]:
        clause = f"本系统规则 rule of this service: {self.rule}（《账号与职责》 docs/guide/accounts.md）"
        return {"code": "forbidden", "rule": self.rule, "clause": clause}


class AuthenticationError(RequestError):
    """Wrong, expired or replayed credentials: 401.

    ``known``: what is registered and failed, to be an entry; None where nobody has such a credential.
    """

    def __init__(self, en: str, zh: str, known: Known | None = None) -> None:
        super().__init__(401, en, zh)
        self.known = known
