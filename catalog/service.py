"""What one running service holds: the instance, its ledger and its register; Datasette is given it, never makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from catalog import grants
from catalog.address import PublicAddress
from catalog.identity.actor import Actor
from catalog.identity.failures import UnknownCounter
from catalog.identity.projection import catch_up
from catalog.identity.register import Register
from catalog.identity.sign_in import Door
from catalog.permissions import Decision, decide
from ledger import BilingualError, Instance, Ledger
from ledger.log.sequencer import Committed

#: The register's version and the day.
RegisterState = tuple[tuple[int, int], str]


@dataclass(slots=True)
class Service:
    """The parts that requests need.

    Attributes:
        now: the wall clock.
        unknown: counts credentials that nobody has.
    """

    instance: Instance
    ledger: Ledger
    register: Register
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    unknown: UnknownCounter = field(init=False)
    _decided: dict[tuple[str, str], list[tuple[dict[str, str], Decision]]] = field(default_factory=dict)
    _decided_in: RegisterState | None = None

    def __post_init__(self) -> None:
        self.unknown = UnknownCounter(self.register)

    @classmethod
    def open(cls, instance: Instance, *, on_commit: Callable[[Committed], None] | None = None) -> Service:
        """Open ledger and register of ``instance``.

        Args:
            on_commit: told of each durable transaction of the ledger.

        Raises:
            BilingualError: what is missing or damaged.
        """
        register = Register(instance.identity_path)
        try:
            ledger = instance.ledger(on_commit=on_commit)
        except BilingualError:
            register.close()
            raise
        service = cls(instance, ledger, register)
        catch_up(register, ledger)  # what a crash kept from the register
        return service

    @property
    def address(self) -> PublicAddress:
        """Where clients reach the service. Raises :class:`UsageError` where that cannot be served."""
        return PublicAddress.of(self.instance.settings.public_url)

    @property
    def door(self) -> Door:
        """What signing in with a password needs."""
        return Door(self.register, self.ledger, self.instance.session_secret(), self.unknown)

    def close(self) -> None:
        self.unknown.write()
        self.ledger.close()
        self.register.close()

    def register_state(self) -> RegisterState:
        """What decisions hang on besides the asker: another value when the register changed, and on another day."""
        return self.register.version(), self.register.today()

    def decisions(self, agency: str, role: str) -> list[tuple[dict[str, str], Decision]]:
        """Each published table with the decision for ``agency`` today."""
        state = self.register_state()
        if state != self._decided_in:
            self._decided.clear()
            self._decided_in = state
        if (agency, role) not in self._decided:
            held = grants.grants_to(self.register, agency, state[1])
            suspended = grants.suspensions_of(self.register, agency)
            self._decided[agency, role] = [
                (resource, decide(role, agency, resource, held, suspended))
                for resource in grants.resources(self.register)
            ]
        return self._decided[agency, role]

    def decision(self, actor: Actor, resource: str) -> Decision | None:
        """The decision for one resource ``database/table``; None where nothing of that name is published."""
        for found, decision in self.decisions(actor.agency, actor.role):
            if f"{found['database']}/{found['table_name']}" == resource:
                return decision
        return None

    def view_table_rules(self, actor: dict[str, Any]) -> list[list[Any]]:
        """Rows ``[database, table, allow, reason]`` for Datasette's permission system."""
        return [
            [resource["database"], resource["table_name"], int(decision.opens_table), decision.reason_en]
            for resource, decision in self.decisions(actor["agency"], actor["role"])
        ]
