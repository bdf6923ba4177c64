"""Bearer tokens of agencies' systems: for a first call in five minutes; a signature proves more."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from catalog.errors import AuthenticationError, UsageError
from catalog.identity.actor import Actor
from catalog.identity.failures import Known
from catalog.identity.keys import check_in_force, state_of
from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import Ledger

PREFIX = "ld_"  # public, so that a leaked token can be recognised
MAX_DAYS = 366


def digest(secret: str) -> str:
    """What is stored of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_id(token: str) -> str:
    """The name of a token in entries and lists; nothing of the token can be found from it."""
    return f"token:{digest(token)[:16]}"


def add(
    register: Register,
    ledger: Ledger,
    agency: str,
    system: str,
    days: float,
    *,
    officer: str | None = None,
    once: tuple[str, ...] = (),
) -> str:
    """Make a token for ``days``; it is returned this once and stored only as a hash.

    Raises:
        UsageError: no such agency, or more than :data:`MAX_DAYS`.
        ConflictError: a key in ``once`` was used: the same form was sent before.
    """
    if not 0 < days <= MAX_DAYS:
        raise UsageError(f"a token is good for 1 to {MAX_DAYS} days", f"令牌有效期为 1 至 {MAX_DAYS} 天")
    if register.one("SELECT 1 FROM agencies WHERE id = ?", (agency,)) is None:
        raise UsageError(f"agency {agency!r} is not registered", f"单位 {agency!r} 未登记")
    token = PREFIX + secrets.token_urlsafe(32)
    fields = {
        "agency": agency,
        "system": system,
        "token": token_id(token),
        "expires_at": register.timestamp(timedelta(days=days)),
    }
    record(register, ledger, "agency.token_added", fields, particulars={"officer": officer}, once=once)
    register.write("UPDATE tokens SET hash = ? WHERE id = ?", (digest(token), token_id(token)))
    return token


def revoke(register: Register, ledger: Ledger, token: str, *, by: str, officer: str | None = None) -> None:
    """Revoke a token by its id; it fails from the next request on.

    Raises:
        UsageError: there is no such token, or it is revoked already.
    """
    row = register.one("SELECT agency, revoked_at FROM tokens WHERE id = ?", (token,))
    if row is None or row["revoked_at"] is not None:
        raise UsageError(
            f"there is no token {token!r} in force; see `liandong token list`",
            f"没有有效的令牌 {token!r}；请查看 `liandong token list`",
        )
    fields = {"agency": row["agency"], "token": token, "by": by}
    once = (f"agency.token_revoked:{token}",)
    record(register, ledger, "agency.token_revoked", fields, particulars={"officer": officer}, once=once)


def listing(register: Register, agency: str | None = None) -> list[dict[str, Any]]:
    """Tokens by agency: id, agency, system, added_at, expires_at, revoked_at, and ``state`` as of keys."""
    rows = register.all(
        "SELECT id, agency, system, added_at, expires_at, revoked_at FROM tokens WHERE ? IN ('', agency) "
        "ORDER BY agency, revoked_at IS NOT NULL, added_at DESC",
        (agency or "",),
    )
    return [{**dict(row), "state": state_of(register, row)} for row in rows]


def actor_of(register: Register, token: str) -> Actor:
    """The system that holds ``token``.

    Raises:
        AuthenticationError: unknown, expired or revoked.
    """
    row = register.one(
        "SELECT t.*, a.name_zh, a.name_en, a.role, a.office FROM tokens t JOIN acting a ON a.id = t.agency "
        "WHERE hash = ?",
        (digest(token),),
    )
    if row is None:
        raise AuthenticationError(
            "this token is not known here; check that it was copied whole, or ask your agency's admin for one",
            "令牌无效；请核对是否复制完整，或向本单位管理员申请新令牌",
        )
    check_in_force(register, row, "token", "令牌", Known(row["agency"], "token", "", token=row["id"]))
    return Actor(
        row["agency"], row["name_zh"], row["name_en"], row["role"], "token", token=row["id"], office=row["office"]
    )
