"""What people change in the register, by page or by command: each act only by whoever may do it.

One class for both doors, so that neither can forget a check: :mod:`catalog.identity.duties` decides first, then the
module that knows the thing does it, entry first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog import grants, publishing, suspensions
from catalog.errors import UsageError
from catalog.grants import Grant
from catalog.identity import agencies, duties, keys, officers, roles, tokens
from catalog.identity.actor import Actor
from catalog.identity.duties import DutyError
from catalog.identity.key_statement import Statement
from catalog.identity.officers import By
from catalog.identity.register import Register
from catalog.publishing import Publication
from ingest.schema import put_agencies
from ledger import Appended, Instance, Ledger
from ledger.rule_archive import Archive, record, timeline_of
from ledger.rules import adoption
from ledger.rules.adoption import Change
from ledger.rules.deadlines import Rulebook


@dataclass(frozen=True, slots=True)
class Administration:
    """The register in the hands of one actor. Every method raises :class:`DutyError` for whom it is not to do."""

    instance: Instance
    register: Register
    ledger: Ledger
    actor: Actor

    # -- agencies -----------------------------------------------------------------------------------------------------

    def register_agency(self, agency: Mapping[str, str | None], once: tuple[str, ...] = ()) -> Appended:
        """Register an agency, or its new names; the directory's table of agencies follows."""
        duties.require(self.actor, "agency.register", agency["id"], agency["role"])
        agencies.check_new(self.register, agency)
        done = agencies.register_agency(self.register, self.ledger, agency, once=once)
        known = {"id_code": agency["id"], "name": agency["name_zh"], "short_name": agency["short_name"]}
        row = {**known, "type": agency["type"], "valid_from": self.register.today(), "valid_to": None}
        put_agencies(self.instance.database_path("directory"), [row])
        return done

    def name_office(self, agency: str, office: str) -> Appended:
        """Name which supervising agency is the justice bureau, which the inspection office."""
        duties.require(self.actor, "office.name")
        by, officer = self._by.agency, self.actor.officer
        return agencies.name_office(self.register, self.ledger, agency, office, by=by, officer=officer)

    # -- officers -----------------------------------------------------------------------------------------------------

    def enrol(self, officer: Mapping[str, str], wanted: Iterable[str], once: tuple[str, ...] = ()) -> str:
        """Make an account; return its one-time password. The first administrator of an agency is the operator's."""
        names, agency = frozenset(wanted), self._agency(officer["agency"])
        if not self._may("officer.manage", agency):
            first = names == {"admin"} and not roles.admins(self.register, agency["id"])
            if not (first and self._may("officer.appoint_admin", agency)):
                raise DutyError("officer.manage")
        return officers.enrol(self.register, self.ledger, officer, names, by=self._by, once=once)

    def set_roles(self, login: str, wanted: Iterable[str], valid_from: str, valid_to: str) -> None:
        """From day to day the officer holds exactly these roles of their own."""
        self._manage(login)
        officers.set_roles(self.register, self.ledger, login, wanted, valid_from, valid_to, by=self._by)

    def add_deputy(self, login: str, deputy_for: str, role: str, valid_from: str, valid_to: str) -> None:
        """``login`` acts in ``deputy_for``'s role from day to day."""
        self._manage(login)
        officers.add_deputy(self.register, self.ledger, login, deputy_for, role, valid_from, valid_to, by=self._by)

    def end_deputy(self, login: str, deputy_for: str, role: str) -> None:
        """End a deputy's time now."""
        self._manage(login)
        officers.end_deputy(self.register, self.ledger, login, deputy_for, role, by=self._by)

    def reset(self, login: str, once: tuple[str, ...] = ()) -> str:
        """Give an officer a new one-time password and return it."""
        self._manage(login, rescue=True)
        return officers.reset(self.register, self.ledger, login, by=self._by, once=once)

    def unlock(self, login: str) -> None:
        """Let an officer who is locked out sign in again."""
        self._manage(login, rescue=True)
        officers.unlock(self.register, self.ledger, login, by=self._by)

    def disable(self, login: str) -> None:
        """Close an account."""
        self._manage(login)
        officers.disable(self.register, self.ledger, login, by=self._by)

    def enable(self, login: str) -> None:
        """Open a disabled account again."""
        self._manage(login)
        officers.enable(self.register, self.ledger, login, by=self._by)

    def may_manage(self, officer: Mapping[str, Any], *, rescue: bool = False) -> bool:
        """Whether :meth:`reset` and the like may be done to an officer; with ``rescue``, to an administrator too."""
        agency = self._agency(officer["agency"])
        if self._may("officer.manage", agency):
            return True
        is_admin = officer["id"] in roles.admins(self.register, agency["id"])
        return rescue and is_admin and self._may("officer.rescue_admin", agency)

    # -- keys and tokens ----------------------------------------------------------------------------------------------

    def add_key(self, statement: Statement) -> Appended:
        """Register a key by its statement: signed by those who must, or nothing."""
        self._require("key.add", statement.agency)
        return keys.add(self.register, self.ledger, statement, officer=self.actor.officer)

    def revoke_key(self, keyid: str, reason: str) -> Appended:
        """Revoke a key; it fails from the next request on."""
        self._require("key.revoke", self._agency_of("keys", "keyid", keyid))
        if reason not in keys.REASONS:
            raise UsageError(
                f"the reason is one of {', '.join(keys.REASONS)}", f"理由须为{'、'.join(keys.REASONS)}之一"
            )
        by = self._by.agency
        return keys.revoke(self.register, self.ledger, keyid, by=by, reason=reason, officer=self.actor.officer)

    def add_token(self, agency: str, system: str, days: float, once: tuple[str, ...] = ()) -> str:
        """Make a token; it is returned this once."""
        self._require("token.add", agency)
        return tokens.add(self.register, self.ledger, agency, system, days, officer=self.actor.officer, once=once)

    def revoke_token(self, token: str) -> None:
        """Revoke a token by its id; it fails from the next request on."""
        self._require("token.revoke", self._agency_of("tokens", "id", token))
        tokens.revoke(self.register, self.ledger, token, by=self._by.agency, officer=self.actor.officer)

    # -- resources ----------------------------------------------------------------------------------------------------

    def publish(self, wanted: Publication) -> Appended:
        """Publish a table, or publish it differently."""
        self._require("resource.publish", wanted.provider)
        return publishing.publish(self.instance, self.register, self.ledger, wanted, self.actor.officer)

    def withdraw(self, resource: str, reason: str) -> Appended:
        """Withdraw a published table."""
        duties.require(self.actor, "resource.withdraw")
        return publishing.withdraw(self.register, self.ledger, resource, reason, self.actor.officer)

    # -- grants and suspensions ----------------------------------------------------------------------------------------

    def give(self, grant: Grant, columns: Collection[str] | None = None) -> Appended:
        """Give a grant for one's own agency's data; it holds from the next request on.

        Args:
            columns: the columns of the table, where they are known.
        """
        self._require("grant.give", grant.provider)
        grants.check(self.register, grant, columns)
        return grants.give(self.register, self.ledger, grant, officer=self.actor.officer)

    def revoke(self, grant_id: str, reason: str) -> Appended:
        """Revoke a grant of one's own agency; it ends with the next request."""
        grant = grants.one_grant(self.register, grant_id)
        self._require("grant.revoke", grant["provider"] if grant is not None else None)
        return grants.revoke(self.register, self.ledger, grant_id, reason, officer=self.actor.officer)

    def suspend(
        self, agency: str, resource: str | None, reason: str, basis: str = "", suspension: str = ""
    ) -> Appended:
        """Suspend an agency's access, to one table or to all but the directory and its own data.

        Args:
            suspension: its id, so that a form that is sent twice suspends once; by default the next free one.
        """
        duties.require(self.actor, "access.suspend")
        what = {
            "id": suspension or suspensions.next_id(self.register),
            "agency": agency,
            "resource": resource,
            "by": self.actor.agency,
            "basis": basis,
            "reason": reason,
        }
        return suspensions.suspend(self.register, self.ledger, what, officer=self.actor.officer)

    def restore(self, suspension: str, reason: str) -> Appended:
        """Restore access that was suspended."""
        duties.require(self.actor, "access.restore")
        return suspensions.restore(
            self.register, self.ledger, suspension, self.actor.agency, reason, officer=self.actor.officer
        )

    # -- rules --------------------------------------------------------------------------------------------------------

    def change_rules(self, make: Callable[[Rulebook], Change]) -> Appended:
        """Adopt, end or set something of the rules: ``make`` gives the change to the rules in force.

        Raises:
            ConflictError: they were changed by somebody else meanwhile; nothing was changed.
            RulesError: what is to be adopted cannot be.
        """
        duties.require(self.actor, "rules.adopt")
        return self._change_rules(make)

    def set_ground(self, code: str, *, enabled: bool, reason: str) -> Appended:
        """Let a ground of refusal be chosen, or not any more. Raises as :meth:`change_rules`."""
        duties.require(self.actor, "ground.set")
        return self._change_rules(lambda book: adoption.set_ground(book, code, enabled=enabled, reason=reason))

    def _change_rules(self, make: Callable[[Rulebook], Change]) -> Appended:
        archive = Archive(self.instance.path / "rules")
        timeline = timeline_of(self.ledger, archive)
        change = make(timeline.current)
        return record(self.ledger, archive, timeline, change, by=self.actor.agency, officer=self.actor.officer)

    # -- parts --------------------------------------------------------------------------------------------------------

    @property
    def _by(self) -> By:
        return By.of(self.actor)

    def _agency(self, agency: str) -> dict[str, str]:
        found = agencies.find(self.register, agency)
        if found is None:
            raise officers.unknown_agency(agency)
        return found

    def _may(self, act: str, agency: Mapping[str, str]) -> bool:
        return duties.may(self.actor, act, agency["id"], agency["role"])

    def _require(self, act: str, agency: str | None) -> None:
        duties.require(self.actor, act)  # before anything is said about what there is
        if agency is not None:
            duties.require(self.actor, act, agency, self._agency(agency)["role"])

    def _manage(self, login: str, *, rescue: bool = False) -> None:
        """Raise unless this actor may change that officer's account."""
        if not (
            duties.may(self.actor, "officer.manage") or (rescue and duties.may(self.actor, "officer.rescue_admin"))
        ):
            raise DutyError("officer.manage")
        if not self.may_manage(officers.find(self.register, login), rescue=rescue):
            raise DutyError("officer.rescue_admin" if rescue else "officer.manage")

    def _agency_of(self, table: str, column: str, value: str) -> str | None:
        row = self.register.one(f"SELECT agency FROM {table} WHERE {column} = ?", (value,))  # noqa: S608 - our own names
        return row["agency"] if row else None
