"""The authenticated requester, as the rest of the catalog sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated requester.

    Attributes:
        agency: the agency's id; it answers for what is asked in its name.
        role: of the agency: agency, supervisor, data_authority or operator.
        office: of a supervising agency: ``justice`` (县司法局) or ``inspection`` (县政府督查室), once that is named.
        auth: signature, token or session: how strongly the request is tied to the agency.
        officer: the officer's login, for sessions.
        roles: the officer's own roles today: officer, answerer, approver, admin; empty for systems.
        deputises: of these roles, those held for somebody else: role to that officer's login.
        keyid: the key, for signatures.
        token: the token's id, for tokens.
        must_change: the officer has a password that somebody else knows and must choose another first.
    """

    agency: str
    agency_zh: str
    agency_en: str
    role: str
    auth: str
    officer: str | None = None
    officer_zh: str | None = None
    officer_en: str | None = None
    roles: frozenset[str] = frozenset()
    deputises: Mapping[str, str] = field(default_factory=dict)
    keyid: str | None = None
    token: str | None = None
    must_change: bool = False
    office: str | None = None

    def to_datasette(self) -> dict[str, Any]:
        """The actor dictionary that Datasette's hooks and templates see."""
        return {
            "id": self.officer or self.keyid or self.agency,
            "agency": self.agency,
            "agency_zh": self.agency_zh,
            "agency_en": self.agency_en,
            "officer_zh": self.officer_zh,
            "officer_en": self.officer_en,
            "role": self.role,
            "roles": sorted(self.roles),
            "auth": self.auth,
            "must_change": self.must_change,
        }
