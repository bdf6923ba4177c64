"""What :func:`catalog.permissions.decide` says of the register as it is now, remembered until the register changes.

A revocation by any process is another ``data_version`` of identity.db, so every worker forgets at its next request.
"""

from __future__ import annotations

from typing import Any

from catalog import grants
from catalog.identity.register import Register
from catalog.permissions import NOT_PUBLISHED, Decision, decide
from catalog.purpose import CODES

#: So many single decisions with a purpose are remembered; then all are forgotten.
_REMEMBERED = 10_000

Resource = dict[str, Any]


class Decisions:
    """The decisions over one register."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._state: tuple[tuple[int, int], str] | None = None
        self._all: dict[tuple[str, str], list[tuple[Resource, Decision]]] = {}
        self._one: dict[tuple[str, str, str, str | None], Decision] = {}
        self._resources: dict[str, Resource] = {}

    def state(self) -> tuple[tuple[int, int], str]:
        """What decisions hang on besides the asker: another value when the register changed, and on another day."""
        return self._register.version(), self._register.today()

    def every(self, agency: str, role: str) -> list[tuple[Resource, Decision]]:
        """Each published table with the decision for ``agency``, no purpose being stated yet."""
        day = self._refresh()
        found = self._all.get((agency, role))
        if found is None:
            asker = _Asker(self._register, agency, role, day)
            found = [(resource, asker.decide(resource, None)) for resource in self._resources.values()]
            self._all[agency, role] = found
        return found

    def one(self, agency: str, role: str, resource: str, purpose_code: str | None) -> Decision:
        """The decision for one table ``database/table``."""
        day = self._refresh()
        published = self._resources.get(resource)
        if published is None:
            return NOT_PUBLISHED
        key = (agency, role, resource, purpose_code)
        found = self._one.get(key)
        if found is None:
            if len(self._one) >= _REMEMBERED:
                self._one.clear()
            found = self._one[key] = _Asker(self._register, agency, role, day).decide(published, purpose_code)
        return found

    def purposes(self, agency: str, role: str, resource: str) -> list[str] | None:
        """The codes of purpose that a table is open for; None where it needs no purpose."""
        if not self.one(agency, role, resource, None).needs_purpose:
            return None
        return [code for code in CODES if self.one(agency, role, resource, code).allowed]

    def resource(self, resource: str) -> Resource | None:
        """A published table ``database/table``: what the register says of it."""
        self._refresh()
        return self._resources.get(resource)

    def _refresh(self) -> str:
        """Forget what an older register said; return the day."""
        state = self.state()
        if state != self._state:
            published = grants.resources(self._register)
            self._all, self._one = {}, {}
            self._resources = {f"{each['database']}/{each['table_name']}": each for each in published}
            self._state = state
        return state[1]


class _Asker:
    """One agency and what the register holds for it on a day."""

    def __init__(self, register: Register, agency: str, role: str, day: str) -> None:
        row = register.one("SELECT type FROM agencies WHERE id = ?", (agency,))
        self._agency, self._role, self._type = agency, role, row["type"] if row is not None else ""
        self._grants = grants.grants_to(register, agency, day)
        self._suspensions = grants.suspensions_of(register, agency)

    def decide(self, resource: Resource, purpose_code: str | None) -> Decision:
        return decide(
            self._role,
            self._agency,
            resource,
            self._grants,
            self._suspensions,
            purpose_code,
            agency_type=self._type,
        )
