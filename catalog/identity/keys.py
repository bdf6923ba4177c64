"""Keys of agencies' systems: adding one by its statement, revoking, looking up."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from catalog.errors import AuthenticationError, UsageError
from catalog.identity.actor import Actor
from catalog.identity.failures import Known
from catalog.identity.key_statement import (
    KeyStatementError,
    PublicKey,
    Statement,
    check_added,
    fingerprint,
    key_id,
    load_public,
)
from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import Appended, Ledger

#: A key lives at most so long; then another takes its place.
MAX_DAYS = 3 * 366
#: Why a key is revoked, as its entry says.
REASONS = ("rotated", "retired", "lost", "compromised", "ordered")


def check(register: Register, statement: Statement, log: str) -> None:
    """Raise what :func:`check_added` would, before the entry is written.

    Raises:
        KeyStatementError: the statement is for another ledger, expired, or not signed by those who must.
    """
    if statement.log != log:
        raise KeyStatementError(
            f"the statement is for ledger {statement.log!r}, this one is {log!r}; make it anew",
            f"该声明是为台账 {statement.log!r} 作的，本台账为 {log!r}；请重新制作",
        )
    if statement.expires_at <= register.timestamp():
        raise KeyStatementError(
            f"the key has expired on {statement.expires_at[:10]}; make another",
            f"该密钥已于 {statement.expires_at[:10]} 到期；请另行生成",
        )
    if statement.expires_at > register.timestamp(timedelta(days=MAX_DAYS)):
        raise KeyStatementError(
            f"the key would be good until {statement.expires_at[:10]}; at most {MAX_DAYS} days, make the request anew",
            f"该密钥有效期至 {statement.expires_at[:10]}；最长 {MAX_DAYS} 天，请重新制作申请",
        )
    with register.transaction() as db:
        check_added(db, {**statement.fields(), "log": log, "t": register.timestamp()} | _present(statement))


def _present(statement: Statement) -> dict[str, Any]:
    return {"endorser_signature": statement.endorser_signature.hex(), "endorser": statement.endorser}


def add(register: Register, ledger: Ledger, statement: Statement, *, officer: str | None = None) -> Appended:
    """Register a key by its statement.

    Raises:
        KeyStatementError: nobody may rely on it; nothing was written.
        ConflictError: the key was added before.
    """
    check(register, statement, ledger.origin)
    once = (f"agency.key_added:{key_id(statement.key())}",)
    particulars = {"officer": officer}
    return record(register, ledger, "agency.key_added", statement.fields(), particulars=particulars, once=once)


def revoke(
    register: Register, ledger: Ledger, keyid: str, *, by: str, reason: str, officer: str | None = None
) -> Appended:
    """Revoke a key; it fails from the next request on.

    Raises:
        UsageError: there is no such key, or it is revoked already.
    """
    row = register.one("SELECT agency, revoked_at FROM keys WHERE keyid = ?", (keyid,))
    if row is None or row["revoked_at"] is not None:
        raise UsageError(
            f"there is no key {keyid!r} in force; see `liandong key list`",
            f"没有有效的密钥 {keyid!r}；请查看 `liandong key list`",
        )
    fields = {"agency": row["agency"], "keyid": keyid, "by": by, "reason": reason}
    once = (f"agency.key_revoked:{keyid}",)
    return record(register, ledger, "agency.key_revoked", fields, particulars={"officer": officer}, once=once)


@dataclass(frozen=True, slots=True)
class Found:
    """A key in force and the system that holds it."""

    key: PublicKey
    algorithm: str
    actor: Actor


def find(register: Register, keyid: str) -> Found:
    """The key of ``keyid``.

    Raises:
        AuthenticationError: unknown, expired or revoked; ``known`` says which agency's key failed.
    """
    row = register.one(
        "SELECT k.*, a.name_zh, a.name_en, a.role, a.office FROM keys k JOIN acting a ON a.id = k.agency "
        "WHERE keyid = ?",
        (keyid,),
    )
    if row is None:
        raise AuthenticationError(
            f"key {keyid[:80]!r} is not registered here; have your agency's admin register its public key",
            f"密钥 {keyid[:80]!r} 未登记；请由本单位管理员登记其公钥",
        )
    check_in_force(register, row, "key", "密钥", Known(row["agency"], "signature", "", keyid=keyid))
    names = row["name_zh"], row["name_en"], row["role"]
    actor = Actor(row["agency"], *names, "signature", keyid=keyid, office=row["office"])
    return Found(load_public(row["algorithm"], row["public_key"]), row["algorithm"], actor)


def check_in_force(register: Register, row: sqlite3.Row, what_en: str, what_zh: str, known: Known) -> None:
    """Raise :class:`AuthenticationError` for the ``known`` credential when it was revoked or has expired."""
    for column, reason, done_en, done_zh in (
        ("revoked_at", "revoked", "was revoked", "吊销"),
        ("expires_at", "expired", "expired", "到期"),
    ):
        at = row[column]
        if at is not None and at <= register.timestamp():
            day = datetime.fromisoformat(at).date()
            raise AuthenticationError(
                f"this {what_en} {done_en} on {day}; ask your agency's admin for a new one",
                f"该{what_zh}已于 {day} {done_zh}；请向本单位管理员申请新的",
                replace(known, reason=reason),
            )


def listing(register: Register, agency: str | None = None) -> list[dict[str, Any]]:
    """Keys by agency and time: keyid, agency, system, algorithm, public_key, endorser, added_at, expires_at, revoked_*.

    ``fingerprint`` is what is compared on paper; ``state`` is in_force, expired or revoked.
    """
    rows = register.all(
        "SELECT * FROM keys WHERE ? IN ('', agency) ORDER BY agency, revoked_at IS NOT NULL, added_seq DESC",
        (agency or "",),
    )
    return [
        {**dict(row), "fingerprint": fingerprint(row["public_key"]), "state": state_of(register, row)} for row in rows
    ]


def rejected(register: Register) -> list[dict[str, Any]]:
    """Entries that would add a key and that nobody may rely on: seq, agency, keyid, why_en, why_zh, newest first."""
    return [dict(row) for row in register.all("SELECT * FROM rejected_keys ORDER BY seq DESC")]


def state_of(register: Register, row: sqlite3.Row) -> str:
    """in_force, expired or revoked: of a key or a token now."""
    if row["revoked_at"] is not None:
        return "revoked"
    return "expired" if row["expires_at"] <= register.timestamp() else "in_force"
