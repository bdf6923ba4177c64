"""Published resources, and the grants by which providers open them: each given and revoked in the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from catalog.errors import UsageError
from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import Appended, Ledger


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave for ``grantee`` to query a table from ``valid_from`` to ``valid_to``, both days included.

    Attributes:
        purposes: codes of :mod:`catalog.purpose` for which it may be queried.
        columns: the columns that it opens; None for all of them.
        basis: the legal basis, in the provider's words.
    """

    id: str
    provider: str
    grantee: str
    database: str
    table: str
    purposes: tuple[str, ...]
    valid_from: str
    valid_to: str
    basis: str
    columns: tuple[str, ...] | None = None

    @property
    def resource(self) -> str:
        return f"{self.database}/{self.table}"


def publish(
    register: Register,
    ledger: Ledger,
    resource: str,
    provider: str,
    sharing_class: str,
    *,
    condition: str | None = None,
    basis: str | None = None,
    officer: str | None = None,
) -> Appended:
    """Publish a table ``database/table`` as a resource of ``provider``; :mod:`catalog.publishing` says what may be."""
    fields = {
        "resource": resource,
        "provider": provider,
        "sharing_class": sharing_class,
        "condition": condition,
        "basis": basis,
    }
    return record(register, ledger, "resource.published", fields, particulars={"officer": officer})


def resources(register: Register) -> list[dict[str, Any]]:
    """Published tables: database, table_name, provider, sharing_class, condition, basis, published_seq and _at."""
    return [dict(row) for row in register.all("SELECT * FROM resources ORDER BY database, table_name")]


def give(register: Register, ledger: Ledger, grant: Grant, *, officer: str | None = None) -> Appended:
    """Record a grant; it holds from the next request on.

    Raises:
        ConflictError: a grant of that id was given before.
    """
    fields = {
        "grant": grant.id,
        "provider": grant.provider,
        "grantee": grant.grantee,
        "resource": grant.resource,
        "purposes": list(grant.purposes),
        "columns": list(grant.columns) if grant.columns is not None else None,
        "valid_from": grant.valid_from,
        "valid_to": grant.valid_to,
        "basis": grant.basis,
    }
    once = (f"grant.given:{grant.id}",)
    return record(register, ledger, "grant.given", fields, particulars={"officer": officer}, once=once)


def revoke(register: Register, ledger: Ledger, grant_id: str, reason: str, *, officer: str | None = None) -> Appended:
    """Revoke a grant; every worker refuses from its next request on.

    Raises:
        UsageError: there is no such grant in force.
    """
    row = register.one("SELECT * FROM grants WHERE id = ? AND revoked_at IS NULL", (grant_id,))
    if row is None:
        raise UsageError(
            f"there is no grant {grant_id!r} in force; see `liandong grant list`",
            f"没有有效的授权 {grant_id!r}；请查看 `liandong grant list`",
        )
    fields = {
        "grant": grant_id,
        "provider": row["provider"],
        "grantee": row["grantee"],
        "resource": f"{row['database']}/{row['table_name']}",
        "reason": reason,
    }
    once = (f"grant.revoked:{grant_id}",)
    return record(register, ledger, "grant.revoked", fields, particulars={"officer": officer}, once=once)


def grants_to(register: Register, agency: str, day: str) -> list[dict[str, Any]]:
    """Grants to ``agency`` in force on ``day`` (YYYY-MM-DD): purposes a list, columns a list or None."""
    rows = register.all(
        "SELECT * FROM grants WHERE grantee = ? AND valid_from <= ? AND valid_to >= ? AND revoked_at IS NULL "
        "ORDER BY given_seq",
        (agency, day, day),
    )
    return [
        {
            **dict(row),
            "purposes": json.loads(row["purposes"]),
            "columns": json.loads(row["columns"]) if row["columns"] is not None else None,
        }
        for row in rows
    ]


def suspensions_of(register: Register, agency: str) -> list[dict[str, Any]]:
    """Suspensions of ``agency`` in force: resource None where all access is suspended."""
    return [
        dict(row)
        for row in register.all("SELECT * FROM suspensions WHERE agency = ? AND restored_at IS NULL", (agency,))
    ]
