"""What is wrong with a query, as the answer says it: a stable ``code``, where in the request, both languages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from catalog.errors import RequestError
from catalog.permissions import Decision


class QueryError(RequestError):
    """A query that is not answered.

    Attributes:
        code: stable, for programs; docs/spec/query.md lists them.
        where: the place in the request's body, like ``filters[0].value``; empty where it is no one place.
        retry_after: seconds after which the same request may be sent again; None where that would not help.
    """

    def __init__(
        self, status: int, code: str, en: str, zh: str, *, where: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(status, en, zh)
        self.code = code
        self.where = where
        self.retry_after = retry_after

    @property
    def details(self) -> dict[str, Any]:
        return {
            "code": self.code,
            **({"where": self.where} if self.where else {}),
            **({"retry_after_seconds": self.retry_after} if self.retry_after is not None else {}),
        }

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_after)} if self.retry_after is not None else {}


class BodyError(QueryError):
    """400: the request does not have the form that ``/api/openapi.json`` describes."""

    def __init__(self, where: str, en: str, zh: str, code: str = "malformed") -> None:
        place = where or "body"
        super().__init__(400, code, f"{place}: {en}", f"{place}：{zh}", where=where)


class DeniedError(QueryError):
    """403: what is asked is not open; ``asked.decision`` says why, and the gate answers with it."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(403, decision.code, decision.reason_en, decision.reason_zh)


class NoColumnsError(QueryError):
    """403: nothing is left of what a grant opens; with the basis of that grant."""

    def __init__(self, clause: str, en: str, zh: str) -> None:
        super().__init__(403, "no_columns", en, zh)
        self._clause = clause

    @property
    def details(self) -> dict[str, Any]:
        return {**super().details, "clause": self._clause}


class MethodError(QueryError):
    """405: the address answers, but not to this method (RFC 9110 §15.5.6)."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = ", ".join(sorted(allowed))
        super().__init__(
            405,
            "method",
            f"this address does not answer to this method; use {self._allowed}",
            f"此地址不接受该方法；请用 {self._allowed}",
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"allow": self._allowed}
