"""Published resources, and the grants by which providers open them: each given and revoked in the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from catalog.errors import UsageError
from catalog.identity.projection import record
from catalog.identity.register import Register
from catalog.purpose import CODES
from ledger import Appended, Ledger
from ledger.fields import DATE

#: Of a legal basis and of a reason.
MAX_TEXT_LENGTH = 500


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


class GrantError(UsageError):
    """A grant that cannot be given as it stands. ``field`` is the field of the form that is wrong."""

    def __init__(self, field: str, en: str, zh: str) -> None:
        super().__init__(en, zh)
        self.field = field


# -- resources --------------------------------------------------------------------------------------------------------


def publish(
    register: Register,
    ledger: Ledger,
    resource: str,
    provider: str,
    sharing_class: str,
    *,
    condition: str | None = None,
    condition_types: Collection[str] | None = None,
    condition_purposes: Collection[str] | None = None,
    basis: str | None = None,
    officer: str | None = None,
) -> Appended:
    """Publish a table ``database/table`` as a resource of ``provider``.

    Args:
        condition: the condition as the directory words it.
        condition_types: what of it the register can check: the types of agencies that may have it.
        condition_purposes: likewise the codes of purpose for which it may be had.
        basis: for 不予共享, the statute and article (条例 art. 15).

    Raises:
        UsageError: 不予共享 without its basis.
    """
    if sharing_class == "不予共享" and not (basis or "").strip():
        raise UsageError(
            f"{resource} cannot be published as not shared without its statutory basis (条例 arts. 14, 15)",
            f"{resource} 列为不予共享须写明法律、行政法规依据（条例第十四、十五条）",
        )
    fields = {
        "resource": resource,
        "provider": provider,
        "sharing_class": sharing_class,
        "condition": condition,
        "condition_types": list(condition_types) if condition_types is not None else None,
        "condition_purposes": list(condition_purposes) if condition_purposes is not None else None,
        "basis": basis,
    }
    return record(register, ledger, "resource.published", fields, particulars={"officer": officer})


def resources(register: Register) -> list[dict[str, Any]]:
    """Published tables: database, table_name, provider, sharing_class, condition, condition_types,
    condition_purposes (lists or None), basis, published_seq and _at."""
    rows = register.all("SELECT * FROM resources ORDER BY database, table_name")
    return [_resource(row) for row in rows]


def _resource(row: sqlite3.Row) -> dict[str, Any]:
    lists = {name: _list(row[name]) for name in ("condition_types", "condition_purposes")}
    return {**dict(row), **lists}


def _published(register: Register, database: str, table: str) -> dict[str, Any] | None:
    row = register.one("SELECT * FROM resources WHERE database = ? AND table_name = ?", (database, table))
    return _resource(row) if row is not None else None


# -- giving and revoking ----------------------------------------------------------------------------------------------


def give(register: Register, ledger: Ledger, grant: Grant, *, officer: str | None = None) -> Appended:
    """Record a grant; it holds from the next request on.

    Raises:
        GrantError: it opens what is not the provider's to open, or says too little.
        ConflictError: a grant of that id was given before.
    """
    check(register, grant)
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


def check(register: Register, grant: Grant, columns: Collection[str] | None = None) -> None:
    """Raise :class:`GrantError` unless ``grant`` may be given.

    Args:
        columns: the columns of the table, where they are known.
    """
    _check_resource(_published(register, grant.database, grant.table), grant)
    _check_grantee(register, grant)
    if not grant.purposes or set(grant.purposes) - set(CODES):
        raise GrantError(
            "purposes",
            f"choose at least one purpose for which the data may be queried, of {', '.join(CODES)}",
            f"请至少选择一个查询事由：{'、'.join(f'{code.code}（{code.zh}）' for code in CODES.values())}",
        )
    if grant.columns is not None and not grant.columns:
        raise GrantError(
            "columns", "choose at least one column, or open all of them", "请至少选择一个数据项，或开放全部"
        )
    unknown = sorted(set(grant.columns or ()) - set(columns)) if columns is not None else []
    if unknown:
        raise GrantError(
            "columns", f"the table has no column {unknown[0]!r}", f"数据表没有名为 {unknown[0]!r} 的数据项"
        )
    for name, day in (("valid_from", grant.valid_from), ("valid_to", grant.valid_to)):
        if not DATE.accepts(day):
            raise GrantError(
                name, f"{day[:20]!r} is no day; write it as YYYY-MM-DD", f"{day[:20]!r} 不是日期；请写成 YYYY-MM-DD"
            )
    if grant.valid_to < grant.valid_from:
        raise GrantError(
            "valid_to", "the last day is before the first day; correct one of them", "截止日期早于起始日期，请改正"
        )
    if not 0 < len(grant.basis.strip()) <= MAX_TEXT_LENGTH:
        raise GrantError(
            "basis",
            f"name the legal basis of the grant, the rule and its article, in at most {MAX_TEXT_LENGTH} characters",
            f"请写明授权的法律依据（文件名称和条款），不超过 {MAX_TEXT_LENGTH} 字",
        )


def _check_resource(resource: dict[str, Any] | None, grant: Grant) -> None:
    if resource is None or resource["provider"] != grant.provider:
        raise GrantError(
            "resource",
            f"{grant.resource} is not published by {grant.provider}; a provider opens its own published tables only",
            f"{grant.resource} 不是 {grant.provider} 发布的资源；只能授权本单位已发布的数据",
        )
    if resource["sharing_class"] == "无条件共享":
        raise GrantError(
            "resource",
            f"{grant.resource} is shared unconditionally; it needs no grant",
            f"{grant.resource} 属于无条件共享，无需授权",
        )
    if resource["sharing_class"] == "不予共享":
        raise GrantError(
            "resource",
            f"{grant.resource} is published as not shared; have its entry in the directory changed first",
            f"{grant.resource} 已公布为不予共享；确需共享的，请先变更目录",
        )
    listed = resource["condition_purposes"]
    outside = sorted(set(grant.purposes) - set(listed)) if listed is not None else []
    if outside:
        raise GrantError(
            "purposes",
            f"purpose {outside[0]} is not among those of the published condition ({', '.join(listed or [])})",
            f"事由 {outside[0]} 不在目录公布的使用用途之内（{'、'.join(listed or [])}）",
        )


def _check_grantee(register: Register, grant: Grant) -> None:
    row = register.one("SELECT type FROM agencies WHERE id = ?", (grant.grantee,))
    if row is None or grant.grantee == grant.provider:
        raise GrantError(
            "grantee",
            "choose the agency that may query, another than your own",
            "请选择获得授权的单位，不能是本单位",
        )
    published = _published(register, grant.database, grant.table)
    types = published["condition_types"] if published is not None else None
    if types is not None and row["type"] not in types:
        raise GrantError(
            "grantee",
            f"the published condition is for agencies of type {'、'.join(types)}; this one is {row['type']}",
            f"目录公布的共享范围仅限{'、'.join(types)}，该单位类型为{row['type']}",
        )


def revoke(register: Register, ledger: Ledger, grant_id: str, reason: str, *, officer: str | None = None) -> Appended:
    """Revoke a grant; every worker refuses from its next request on.

    Raises:
        UsageError: there is no such grant in force, or no reason (条例 art. 27: 无正当理由，不得终止).
        ConflictError: somebody else revoked it at the same moment.
    """
    row = register.one("SELECT * FROM grants WHERE id = ? AND revoked_at IS NULL", (grant_id,))
    if row is None:
        raise UsageError(
            f"there is no grant {grant_id!r} in force; see `liandong grant list`",
            f"没有有效的授权 {grant_id!r}；请查看 `liandong grant list`",
        )
    if not 0 < len(reason.strip()) <= MAX_TEXT_LENGTH:
        raise GrantError(
            "reason",
            f"say why it is revoked (条例 art. 27: for good reason only), in at most {MAX_TEXT_LENGTH} characters",
            f"请写明撤回理由（条例第二十七条：无正当理由不得终止），不超过 {MAX_TEXT_LENGTH} 字",
        )
    fields = {
        "grant": grant_id,
        "provider": row["provider"],
        "grantee": row["grantee"],
        "resource": f"{row['database']}/{row['table_name']}",
        "reason": reason.strip(),
    }
    once = (f"grant.revoked:{grant_id}",)
    return record(register, ledger, "grant.revoked", fields, particulars={"officer": officer}, once=once)


# -- reading ----------------------------------------------------------------------------------------------------------


def grants_to(register: Register, agency: str, day: str) -> list[dict[str, Any]]:
    """Grants to ``agency`` in force on ``day`` (YYYY-MM-DD): purposes a list, columns a list or None."""
    rows = register.all(
        "SELECT * FROM grants WHERE grantee = ? AND valid_from <= ? AND valid_to >= ? AND revoked_at IS NULL "
        "ORDER BY given_seq",
        (agency, day, day),
    )
    return [_grant(row) for row in rows]


def all_grants(register: Register, *, provider: str | None = None, grantee: str | None = None) -> list[dict[str, Any]]:
    """Grants whether in force or not, newest first, optionally of one provider or to one grantee."""
    rows = register.all(
        "SELECT * FROM grants WHERE provider = coalesce(?, provider) AND grantee = coalesce(?, grantee) "
        "ORDER BY given_seq DESC",
        (provider, grantee),
    )
    return [_grant(row) for row in rows]


def one_grant(register: Register, grant_id: str) -> dict[str, Any] | None:
    """A grant by its id, whether in force or not."""
    row = register.one("SELECT * FROM grants WHERE id = ?", (grant_id,))
    return _grant(row) if row is not None else None


def state(grant: dict[str, Any], day: str) -> str:
    """in_force, not_yet, expired or revoked, on ``day``."""
    if grant["revoked_at"] is not None:
        return "revoked"
    if grant["valid_to"] < day:
        return "expired"
    return "not_yet" if grant["valid_from"] > day else "in_force"


def next_id(register: Register, ledger: Ledger) -> str:
    """The next free id for a grant. Two processes may find the same one: giving it twice is a ConflictError."""
    number = len(all_grants(register)) + 1
    while one_grant(register, f"g-{number:04}") is not None or ledger.used(f"grant.given:g-{number:04}") is not None:
        number += 1
    return f"g-{number:04}"


def suspensions_of(register: Register, agency: str) -> list[dict[str, Any]]:
    """Suspensions of ``agency`` in force: resource None where all access is suspended."""
    return [
        dict(row)
        for row in register.all("SELECT * FROM suspensions WHERE agency = ? AND restored_at IS NULL", (agency,))
    ]


def _grant(row: sqlite3.Row) -> dict[str, Any]:
    return {**dict(row), "purposes": json.loads(row["purposes"]), "columns": _list(row["columns"])}


def _list(value: str | None) -> list[str] | None:
    found: list[str] | None = json.loads(value) if value is not None else None
    return found
