"""identity.db follows the ledger: whatever others rely on is an entry first, and the register is made from entries.

A crash between the two is made good at the next start, or by the next change: entries that were not applied yet are
applied in their order. So nobody can be in the register who is not in the ledger; what an entry says wrongly (a key
that nobody endorsed) is kept apart with the reason.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from catalog.identity.key_statement import KeyStatementError, check_added
from catalog.identity.register import Register
from ledger import Appended, Expect, Ledger

Entry = dict[str, Any]
#: From a number and kinds to the entries of these kinds from that number on, oldest first.
Since = Callable[[int, Sequence[str]], list[Entry]]
#: Why a grant ended whose table another agency provides now: the entry that says so is the publication.
_PROVIDER_CHANGED = "该数据表已改由其他单位提供，原授权随之终止"


def record(
    register: Register,
    ledger: Ledger,
    kind: str,
    fields: Mapping[str, Any],
    *,
    particulars: Mapping[str, Any] | None = None,
    once: Sequence[str] = (),
    expect: Expect | None = None,
) -> Appended:
    """Append an entry and have the register follow.

    Raises:
        ConflictError: ``once`` or ``expect`` does not hold: somebody else was quicker; nothing was changed.
        LedgerUnavailableError: nothing was changed.
        RequestError: 503, the register cannot be written now; it follows as soon as it can.
    """
    given = {name: value for name, value in (particulars or {}).items() if value}
    done = ledger.append(
        kind, {k: v for k, v in fields.items() if v is not None}, particulars=given, once=once, expect=expect
    )
    catch_up(register, ledger)
    return done


def catch_up(register: Register, ledger: Ledger) -> int:
    """Apply entries that the register does not know yet; return how many. Raises :class:`LedgerError`."""
    return follow(register, ledger.since)


def follow(register: Register, since: Since) -> int:
    """:func:`catch_up` with entries from anywhere."""
    with register.transaction() as db:
        (applied,) = db.execute("SELECT value FROM meta WHERE key = 'applied'").fetchone()
        found = since(int(applied), sorted(_APPLY))
        for entry in found:
            _APPLY[entry["kind"]](db, entry)
        if found:
            db.execute("UPDATE meta SET value = ? WHERE key = 'applied'", (str(found[-1]["seq"] + 1),))
    return len(found)


def _agency_registered(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute(
        "INSERT INTO agencies VALUES (:agency, :name_zh, :name_en, :short_name, :type, :role, :superior) "
        "ON CONFLICT (id) DO UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en, "
        "short_name = excluded.short_name, type = excluded.type, superior = excluded.superior",
        # An agency's role never changes: what it endorsed or supervised would change its meaning.
        {"short_name": entry["name_zh"], "superior": None, **_values(entry)},
    )


def _office_named(db: sqlite3.Connection, entry: Entry) -> None:
    # The first naming holds (docs/spec/cases.md C83); only a supervising agency has an office.
    db.execute(
        "INSERT INTO offices SELECT id, :office FROM agencies WHERE id = :agency AND role = 'supervisor' "
        "ON CONFLICT DO NOTHING",
        _values(entry),
    )


def _key_added(db: sqlite3.Connection, entry: Entry) -> None:
    try:
        check_added(db, entry)
    except KeyStatementError as error:
        db.execute(
            "INSERT INTO rejected_keys VALUES (?, ?, ?, ?, ?)",
            (entry["seq"], entry["agency"], entry["keyid"], error.en, error.zh),
        )
        return
    db.execute(
        "INSERT INTO keys VALUES (:agency_key, :agency, :system, :algorithm, :public, :endorser, :seq, :t, "
        ":expires_at, NULL, NULL) ON CONFLICT (keyid) DO NOTHING",
        {
            "endorser": None,
            **_values(entry),
            "agency_key": entry["keyid"],
            "public": bytes.fromhex(entry["public_key"]),
        },
    )


def _key_revoked(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute(
        "UPDATE keys SET revoked_at = :t, revoked_for = :reason WHERE keyid = :keyid AND agency = :agency "
        "AND revoked_at IS NULL",
        _values(entry),
    )


def _token_added(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute(
        "INSERT INTO tokens VALUES (:token, NULL, :agency, :system, :t, :expires_at, NULL) ON CONFLICT (id) DO NOTHING",
        _values(entry),
    )


def _token_revoked(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute("UPDATE tokens SET revoked_at = :t WHERE id = :token AND revoked_at IS NULL", _values(entry))


def _resource_published(db: sqlite3.Connection, entry: Entry) -> None:
    database, _, table = entry["resource"].partition("/")
    db.execute(
        "INSERT OR REPLACE INTO resources VALUES (:database, :table, :provider, :sharing_class, :condition, "
        ":condition_types, :condition_purposes, :basis, :seq, :t)",
        {
            "condition": None,
            "basis": None,
            **_values(entry),
            "database": database,
            "table": table,
            "condition_types": _listed(entry.get("condition_types")),
            "condition_purposes": _listed(entry.get("condition_purposes")),
        },
    )

    # Whoever provides it now has given none of the grants of whoever did before.
    db.execute(
        "UPDATE grants SET revoked_seq = :seq, revoked_at = :t, revoked_for = :why WHERE database = :database "
        "AND table_name = :table AND provider <> :provider AND revoked_at IS NULL",
        {**_values(entry), "why": _PROVIDER_CHANGED, "database": database, "table": table},
    )


def _resource_withdrawn(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute("DELETE FROM resources WHERE database || '/' || table_name = :resource", _values(entry))


def _grant_given(db: sqlite3.Connection, entry: Entry) -> None:
    database, _, table = entry["resource"].partition("/")
    db.execute(
        "INSERT INTO grants VALUES (:grant, :provider, :grantee, :database, :table, :purposes, :columns, :valid_from, "
        ":valid_to, :basis, :seq, :t, NULL, NULL, NULL) ON CONFLICT (id) DO NOTHING",
        {
            **_values(entry),
            "database": database,
            "table": table,
            "purposes": json.dumps(entry["purposes"]),
            "columns": _listed(entry.get("columns")),
        },
    )


def _grant_revoked(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute(
        "UPDATE grants SET revoked_seq = :seq, revoked_at = :t, revoked_for = :reason WHERE id = :grant "
        "AND revoked_at IS NULL",
        _values(entry),
    )


def _access_suspended(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute(
        "INSERT INTO suspensions VALUES (:suspension, :agency, :resource, :basis, :reason, :by, :seq, :t, NULL) "
        "ON CONFLICT (id) DO NOTHING",
        {"resource": None, **_values(entry)},
    )


def _access_restored(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute("UPDATE suspensions SET restored_at = :t WHERE id = :suspension AND restored_at IS NULL", _values(entry))


def _listed(value: list[str] | None) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value is not None else None


def _values(entry: Entry) -> Entry:
    """The entry's plain values, to bind by name."""
    return {name: value for name, value in entry.items() if isinstance(value, (str, int))}


_APPLY: dict[str, Callable[[sqlite3.Connection, Entry], None]] = {
    "agency.registered": _agency_registered,
    "office.named": _office_named,
    "agency.key_added": _key_added,
    "agency.key_revoked": _key_revoked,
    "agency.token_added": _token_added,
    "agency.token_revoked": _token_revoked,
    "resource.published": _resource_published,
    "resource.withdrawn": _resource_withdrawn,
    "grant.given": _grant_given,
    "grant.revoked": _grant_revoked,
    "access.suspended": _access_suspended,
    "access.restored": _access_restored,
}
