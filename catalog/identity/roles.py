"""Roles of officers: from which day to which, and in whose stead. A deputy acts only while the other holds the role."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from catalog.errors import UsageError
from catalog.identity import duties
from catalog.identity.duties import RolesError
from catalog.identity.register import Register

FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
#: A deputy is named for a time; then the other is back, or has a successor.
MAX_DEPUTY_DAYS = 366


@dataclass(frozen=True, slots=True)
class Held:
    """A role from ``valid_from`` to ``valid_to``, both days included; ``deputy_for``: the officer whose role it is."""

    role: str
    valid_from: str = FIRST_DAY
    valid_to: str = LAST_DAY
    deputy_for: str | None = None

    def on(self, day: str) -> bool:
        return self.valid_from <= day <= self.valid_to

    def overlaps(self, other: Held) -> bool:
        return self.valid_from <= other.valid_to and other.valid_from <= self.valid_to


#: A deputy's row counts while the other's own one does and the other's account is not disabled.
_IN_FORCE = (
    "r.valid_from <= :day AND r.valid_to >= :day AND (r.deputy_for IS NULL OR EXISTS ("
    "SELECT 1 FROM officer_roles own JOIN officers other ON other.id = own.officer WHERE own.officer = r.deputy_for "
    "AND own.role = r.role AND own.deputy_for IS NULL AND own.valid_from <= :day AND own.valid_to >= :day "
    "AND other.disabled_at IS NULL))"
)


def in_force(register: Register, officer: str, day: str) -> dict[str, str | None]:
    """An officer's roles on ``day``: role to whom it is held for, None for an own role."""
    rows = register.all(
        f"SELECT r.role, r.deputy_for FROM officer_roles r WHERE r.officer = :officer AND {_IN_FORCE} "  # noqa: S608
        "ORDER BY r.deputy_for IS NULL, r.deputy_for",
        {"officer": officer, "day": day},
    )
    return {row["role"]: row["deputy_for"] for row in rows}


def held(register: Register, officer: str) -> list[Held]:
    """All that an officer holds, held or will hold, by time."""
    rows = register.all("SELECT * FROM officer_roles WHERE officer = ? ORDER BY valid_from, role", (officer,))
    return [_held(row) for row in rows]


def admins(register: Register, agency: str) -> list[str]:
    """Officers of an agency who are its administrators of their own right today."""
    rows = register.all(
        "SELECT DISTINCT o.id FROM officers o JOIN officer_roles r ON r.officer = o.id WHERE o.agency = ? "
        "AND o.disabled_at IS NULL AND r.role = 'admin' AND r.deputy_for IS NULL AND r.valid_from <= ? "
        "AND r.valid_to >= ? ORDER BY o.id",
        (agency, register.today(), register.today()),
    )
    return [row["id"] for row in rows]


def always_administered(register: Register, agency: str) -> bool:
    """Whether the agency has an administrator of its own right on every day from today on."""
    rows = register.all(
        "SELECT r.* FROM officer_roles r JOIN officers o ON o.id = r.officer WHERE o.agency = ? "
        "AND o.disabled_at IS NULL AND r.role = 'admin' AND r.deputy_for IS NULL ORDER BY r.valid_from",
        (agency,),
    )
    day = register.today()
    for each in map(_held, rows):
        if each.valid_from > day:
            return False
        if each.valid_to == LAST_DAY:
            return True
        day = max(day, (date.fromisoformat(each.valid_to) + timedelta(days=1)).isoformat())
    return False


def replace_own(
    db: sqlite3.Connection, officer: str, agency_role: str, roles: Iterable[str], valid_from: str, valid_to: str
) -> list[str]:
    """From ``valid_from`` to ``valid_to`` the officer holds exactly ``roles``; what ended before stays as it was.

    Returns:
        the roles, sorted.

    Raises:
        RolesError: roles that one person does not hold at the same time, deputies included.
    """
    wanted = sorted(set(roles))
    duties.check_roles(agency_role, wanted)
    new = [Held(role, valid_from, valid_to) for role in wanted]
    kept = [each for each in _all(db, officer) if each.deputy_for is not None or each.valid_to < valid_from]
    _check_apart(agency_role, [*kept, *new])
    before = (date.fromisoformat(valid_from) - timedelta(days=1)).isoformat() if valid_from > FIRST_DAY else FIRST_DAY
    own = "officer = ? AND deputy_for IS NULL AND"
    db.execute(f"DELETE FROM officer_roles WHERE {own} valid_from >= ?", (officer, valid_from))  # noqa: S608
    db.execute(
        f"UPDATE officer_roles SET valid_to = ? WHERE {own} valid_to >= ?",  # noqa: S608
        (before, officer, valid_from),
    )
    _insert(db, officer, new)
    return wanted


def add_deputy(
    db: sqlite3.Connection, officer: str, agency_role: str, deputy_for: str, role: str, valid_from: str, valid_to: str
) -> None:
    """``officer`` acts in ``deputy_for``'s role from day to day.

    Raises:
        RolesError: the other has not that role, the officer has it already or may not hold it beside their own.
    """
    new = Held(role, valid_from, valid_to, deputy_for)
    mine = _all(db, officer)
    if not any(each.role == role and each.deputy_for is None and each.overlaps(new) for each in _all(db, deputy_for)):
        raise RolesError(
            f"{deputy_for} does not hold the role {role!r} in that time, so nobody can hold it in their stead",
            f"{deputy_for} 在该期间没有角色 {role!r}，无从代理",
        )
    if any(each.role == role and each.overlaps(new) for each in mine):
        raise RolesError(
            f"{officer} holds the role {role!r} in that time already", f"{officer} 在该期间已有角色 {role!r}"
        )
    _check_apart(agency_role, [*mine, new])
    _insert(db, officer, [new])


def end_deputy(db: sqlite3.Connection, officer: str, deputy_for: str, role: str, today: str) -> None:
    """End a deputy's time with yesterday; one that has not begun goes.

    Raises:
        UsageError: ``officer`` is no such deputy.
    """
    which = "officer = ? AND deputy_for = ? AND role = ? AND valid_to >= ?"
    values = (officer, deputy_for, role, today)
    yesterday = (date.fromisoformat(today) - timedelta(days=1)).isoformat()
    gone = db.execute(f"DELETE FROM officer_roles WHERE {which} AND valid_from >= ?", (*values, today))  # noqa: S608
    ended = db.execute(f"UPDATE officer_roles SET valid_to = ? WHERE {which}", (yesterday, *values))  # noqa: S608
    if not gone.rowcount + ended.rowcount:
        raise UsageError(
            f"{officer} is not {deputy_for}'s deputy as {role!r}; see `liandong officer list`",
            f"{officer} 并未代理 {deputy_for} 的角色 {role!r}；请查看 `liandong officer list`",
        )


def check_days(valid_from: str, valid_to: str, today: str, *, longest: int | None = None) -> None:
    """Raise :class:`RolesError` unless the days are days, in order, and none of them begins in the past."""
    try:
        first, last = date.fromisoformat(valid_from), date.fromisoformat(valid_to)
    except ValueError as error:
        raise RolesError(
            f"give days as YYYY-MM-DD, not {valid_from!r} and {valid_to!r}",
            f"日期应写成 YYYY-MM-DD，而不是 {valid_from!r} 和 {valid_to!r}",
        ) from error
    if valid_from < today or last < first:
        raise RolesError(
            f"a role begins today ({today}) or later and does not end before it begins, not {valid_from} to {valid_to}",
            f"角色的起始日不得早于今天（{today}），结束日不得早于起始日；现为 {valid_from} 至 {valid_to}",
        )
    if longest is not None and (last - first).days >= longest:
        raise RolesError(
            f"a deputy is named for at most {longest} days; give an end date",
            f"代理期限最长 {longest} 天；请填写结束日期",
        )


def _check_apart(agency_role: str, all_held: Sequence[Held]) -> None:
    """Roles are held at the same time where their days overlap; it is enough to look at days on which one begins."""
    for begins in all_held:
        duties.check_roles(agency_role, [each.role for each in all_held if each.on(begins.valid_from)])


def _all(db: sqlite3.Connection, officer: str) -> list[Held]:
    return [_held(row) for row in db.execute("SELECT * FROM officer_roles WHERE officer = ?", (officer,))]


def _held(row: sqlite3.Row) -> Held:
    return Held(row["role"], row["valid_from"], row["valid_to"], row["deputy_for"])


def _insert(db: sqlite3.Connection, officer: str, rows: Iterable[Held]) -> None:
    db.executemany(
        "INSERT INTO officer_roles VALUES (?, ?, ?, ?, ?)",
        [(officer, each.role, each.valid_from, each.valid_to, each.deputy_for) for each in rows],
    )
