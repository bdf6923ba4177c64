"""What one running service holds: the instance, its ledger and its register; Datasette is given it, never makes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from catalog.address import PublicAddress
from catalog.decisions import Decisions
from catalog.errors import RequestError
from catalog.identity.actor import Actor
from catalog.identity.failures import UnknownCounter
from catalog.identity.projection import catch_up
from catalog.identity.register import Register
from catalog.identity.sign_in import Door
from catalog.permissions import Decision
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
    _decided: Decisions = field(init=False, repr=False)
    _closers: list[Callable[[], None]] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self.unknown = UnknownCounter(self.register)
        self._decided = Decisions(self.register)

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

    def closing(self, close: Callable[[], None]) -> None:
        """Have ``close`` called when the service is closed, before ledger and register are."""
        self._closers.append(close)

    def close(self) -> None:
        while self._closers:
            self._closers.pop()()
        try:
            with contextlib.suppress(
                RequestError
            ):  # it only counts, and ends with the service where it cannot be written
                self.unknown.write()
        finally:
            self.ledger.close()
            self.register.close()

    def register_state(self) -> RegisterState:
        """What decisions hang on besides the asker: another value when the register changed, and on another day."""
        return self._decided.state()

    def decisions(self, agency: str, role: str) -> list[tuple[dict[str, Any], Decision]]:
        """Each published table with the decision for ``agency`` today, no purpose being stated yet."""
        return self._decided.every(agency, role)

    def decision(self, actor: Actor, resource: str, purpose_code: str | None = None) -> Decision:
        """The decision for one resource ``database/table``, for the purpose that was stated."""
        return self.decision_of(actor.agency, actor.role, resource, purpose_code)

    def decision_of(self, agency: str, role: str, resource: str, purpose_code: str | None = None) -> Decision:
        """:meth:`decision` for any agency of the register."""
        return self._decided.one(agency, role, resource, purpose_code)

    def resource(self, resource: str) -> dict[str, Any] | None:
        """What the register says of a published table ``database/table``."""
        return self._decided.resource(resource)

    def purposes_granted(self, actor: Actor, resource: str) -> list[str] | None:
        """The codes of purpose for which the agency's grants in force open a table; None where it needs none."""
        return self._decided.purposes(actor.agency, actor.role, resource)

    def view_table_rules(self, actor: dict[str, Any]) -> list[list[Any]]:
        """Rows ``[database, table, allow, reason]`` for Datasette's permission system."""
        return [
            [resource["database"], resource["table_name"], int(decision.opens_table), decision.reason_en]
            for resource, decision in self.decisions(actor["agency"], actor["role"])
        ]
