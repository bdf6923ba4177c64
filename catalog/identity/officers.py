"""Officers' accounts: enrolled, given roles and deputies, reset, disabled, enabled. Each change is an entry first.

The entry ``officer.changed`` names the agency and what was changed; who it is stays a particular. The account follows
in the transaction that holds the register's lock: if the entry cannot be made, nothing is changed, and a crash between
the two leaves an entry without an account, never an account without an entry.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from catalog.errors import UsageError
from catalog.identity import lockout, roles
from catalog.identity.actor import Actor
from catalog.identity.agencies import RESERVED
from catalog.identity.duties import RolesError
from catalog.identity.passwords import hash_password, one_time
from catalog.identity.register import Register
from ledger import Ledger

#: A one-time password is good for so long.
ONE_TIME_DAYS = 7
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
_MAX_TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something: an agency and its officer, or ``console`` for whoever runs commands without one."""

    agency: str
    officer: str | None = None

    @classmethod
    def of(cls, actor: Actor) -> By:
        return cls(actor.agency, actor.officer)


CONSOLE = By(RESERVED)


def enrol(
    register: Register,
    ledger: Ledger,
    officer: Mapping[str, str],
    role_names: Iterable[str],
    *,
    by: By = CONSOLE,
    password: str | None = None,
    once: tuple[str, ...] = (),
) -> str:
    """Make an account with roles from today on: keys id, agency, title_zh, title_en; return its password.

    Args:
        password: the officer's own from the start, as the demonstration gives; None: a random one that must be
            changed at the first sign-in and is good for :data:`ONE_TIME_DAYS`.

    Raises:
        UsageError: the login is out of form or taken, or the agency is not registered.
        RolesError: roles that one person does not hold at the same time.
        ConflictError: a key in ``once`` was used: the same form was sent before.
    """
    _check_form(officer)
    made = password if password is not None else one_time(os.urandom)
    stored = hash_password(made, os.urandom(16))
    wanted = sorted(set(role_names))
    change = {"change": "enrolled", "roles": wanted}
    with changing(register, ledger, officer["id"], officer["agency"], change, by=by, once=once) as db:
        agency = db.execute("SELECT role FROM agencies WHERE id = ?", (officer["agency"],)).fetchone()
        if agency is None:
            raise unknown_agency(officer["agency"])
        if db.execute("SELECT 1 FROM officers WHERE id = ?", (officer["id"],)).fetchone():
            raise UsageError(
                f"the user name {officer['id']!r} is taken; choose another",
                f"用户名 {officer['id']!r} 已被使用；请另取",
            )
        db.execute(
            "INSERT INTO officers (id, agency, title_zh, title_en, password, password_until, enrolled_at) VALUES "
            "(:id, :agency, :title_zh, :title_en, :password, :until, :now)",
            {
                **officer,
                "password": stored,
                "until": None if password is not None else register.timestamp(timedelta(days=ONE_TIME_DAYS)),
                "now": register.timestamp(),
            },
        )
        roles.replace_own(db, officer["id"], agency["role"], wanted, register.today(), roles.LAST_DAY)
    return made


def set_roles(
    register: Register, ledger: Ledger, login: str, wanted: Iterable[str], valid_from: str, valid_to: str, *, by: By
) -> None:
    """From ``valid_from`` to ``valid_to`` the officer holds exactly these roles of their own.

    Raises:
        UsageError: there is no such officer.
        RolesError: days or roles that cannot be, or the agency would be without an administrator some day.
    """
    roles.check_days(valid_from, valid_to, register.today())
    row, names = _officer(register, login), sorted(set(wanted))
    change = {"change": "roles", "roles": names, **_days(valid_from, valid_to)}
    with changing(register, ledger, login, row["agency"], change, by=by) as db, _administered(register, row["agency"]):
        roles.replace_own(db, login, row["agency_role"], names, valid_from, valid_to)


def add_deputy(
    register: Register,
    ledger: Ledger,
    login: str,
    deputy_for: str,
    role: str,
    valid_from: str,
    valid_to: str,
    *,
    by: By,
) -> None:
    """``login`` acts in ``deputy_for``'s role, both days included.

    Raises:
        UsageError: there is no such officer.
        RolesError: another agency's officer, days that cannot be, or roles that one person does not hold together.
    """
    roles.check_days(valid_from, valid_to, register.today(), longest=roles.MAX_DEPUTY_DAYS)
    row, other = _officer(register, login), _officer(register, deputy_for)
    if row["agency"] != other["agency"] or login == deputy_for:
        raise RolesError("a deputy is another officer of the same agency", "代理人须是同一单位的其他人员")
    change = {"change": "roles", "roles": [role], **_days(valid_from, valid_to)}
    with changing(register, ledger, login, row["agency"], change, by=by, deputy_for=deputy_for) as db:
        roles.add_deputy(db, login, row["agency_role"], deputy_for, role, valid_from, valid_to)


def end_deputy(register: Register, ledger: Ledger, login: str, deputy_for: str, role: str, *, by: By) -> None:
    """The deputy's time ends now; the entry says so with no roles from today on.

    Raises:
        UsageError: there is no such deputy.
    """
    row, today = _officer(register, login), register.today()
    change = {"change": "roles", "roles": [], "valid_from": today}
    with changing(register, ledger, login, row["agency"], change, by=by, deputy_for=deputy_for) as db:
        roles.end_deputy(db, login, deputy_for, role, today)


def reset(register: Register, ledger: Ledger, login: str, *, by: By, once: tuple[str, ...] = ()) -> str:
    """Give an officer a new one-time password, shown this once; sessions and known browsers end, a lock is lifted.

    Raises:
        UsageError: there is no such officer, or it is the one who asks: they change theirs instead.
    """
    row = _officer(register, login)
    if by.officer == login:
        raise UsageError(
            "you change your own password with the present one, under “My account”", "修改自己的密码请用“我的账号”"
        )
    made = one_time(os.urandom)
    stored = hash_password(made, os.urandom(16))
    with changing(register, ledger, login, row["agency"], {"change": "password_reset"}, by=by, once=once) as db:
        until = register.timestamp(timedelta(days=ONE_TIME_DAYS))
        db.execute("UPDATE officers SET password = ?, password_until = ? WHERE id = ?", (stored, until, login))
        _sign_out_everywhere(db, login)
    lockout.unlock(register, login)
    return made


def disable(register: Register, ledger: Ledger, login: str, *, by: By) -> None:
    """Close an account; its sessions end at once, and nobody acts in the officer's stead any more.

    Raises:
        UsageError: there is no such officer, or the account is disabled already.
        RolesError: the agency would be without an administrator some day.
    """
    row = _officer(register, login)
    if row["disabled_at"] is not None:
        raise UsageError(f"the account {login} is disabled already", f"账号 {login} 已停用")
    change = {"change": "disabled"}
    with changing(register, ledger, login, row["agency"], change, by=by) as db, _administered(register, row["agency"]):
        db.execute("UPDATE officers SET disabled_at = ? WHERE id = ?", (register.timestamp(), login))
        _sign_out_everywhere(db, login)


def enable(register: Register, ledger: Ledger, login: str, *, by: By) -> None:
    """Open a disabled account again, with its password and roles.

    Raises:
        UsageError: there is no such officer, or the account is not disabled.
    """
    row = _officer(register, login)
    if row["disabled_at"] is None:
        raise UsageError(f"the account {login} is not disabled", f"账号 {login} 并未停用")
    with changing(register, ledger, login, row["agency"], {"change": "enabled"}, by=by) as db:
        db.execute("UPDATE officers SET disabled_at = NULL WHERE id = ?", (login,))


def unlock(register: Register, ledger: Ledger, login: str, *, by: By) -> None:
    """Let an officer who is locked out sign in again at once.

    Raises:
        UsageError: there is no such officer, or they are not locked out.
    """
    row = _officer(register, login)
    if lockout.locked_until(register, login) is None:
        raise UsageError(f"{login} is not locked out", f"账号 {login} 并未锁定")
    with changing(register, ledger, login, row["agency"], {"change": "unlocked"}, by=by):
        pass
    lockout.unlock(register, login)


def listing(register: Register, agency: str | None = None) -> list[dict[str, Any]]:
    """Officers by agency and login: their columns without the password, and beside them

    ``held`` (all their roles), ``roles`` (today's, each with whom it is held for) and ``locked_until``.
    """
    rows = register.all(
        "SELECT o.*, a.role AS agency_role FROM officers o JOIN agencies a ON a.id = o.agency "
        "WHERE ? IN ('', o.agency) ORDER BY o.agency, o.id",
        (agency or "",),
    )
    return [_shown(register, row) for row in rows]


def find(register: Register, login: str) -> dict[str, Any]:
    """One officer as :func:`listing` gives them. Raises :class:`UsageError` if there is none."""
    return _shown(register, _officer(register, login))


def _shown(register: Register, row: sqlite3.Row) -> dict[str, Any]:
    shown = {name: row[name] for name in row.keys() if name != "password"}  # noqa: SIM118 - a Row iterates its values
    return {
        **shown,
        "held": roles.held(register, row["id"]),
        "roles": roles.in_force(register, row["id"], register.today()),
        "locked_until": lockout.locked_until(register, row["id"]),
    }


@contextmanager
def changing(
    register: Register,
    ledger: Ledger,
    login: str,
    agency: str,
    change: Mapping[str, Any],
    *,
    by: By,
    deputy_for: str | None = None,
    once: tuple[str, ...] = (),
) -> Iterator[sqlite3.Connection]:
    """A transaction of the register whose body checks and writes; the entry is made last, before it commits."""
    particulars = {"officer": login, "by_officer": by.officer, "deputy_for": deputy_for}
    with register.transaction() as db:
        yield db
        ledger.append(
            "officer.changed",
            {"agency": agency, "by": by.agency, **change},
            particulars={name: value for name, value in particulars.items() if value},
            once=once,
        )


def _officer(register: Register, login: str) -> sqlite3.Row:
    row = register.one(
        "SELECT o.*, a.role AS agency_role FROM officers o JOIN agencies a ON a.id = o.agency WHERE o.id = ?", (login,)
    )
    if row is None:
        raise UsageError(
            f"there is no officer {login[:40]!r}; see `liandong officer list`",
            f"没有账号 {login[:40]!r}；请查看 `liandong officer list`",
        )
    return row


def _check_form(officer: Mapping[str, str]) -> None:
    if not _LOGIN.fullmatch(officer["id"]):
        raise UsageError(
            f"the user name {officer['id'][:40]!r} is not of 2 to 32 lower-case letters, digits, dots, dashes and "
            "underscores",
            f"用户名 {officer['id'][:40]!r} 应由 2 至 32 个小写字母、数字、点、短横或下划线组成",
        )
    for name in ("title_zh", "title_en"):
        title = officer[name]
        if not title.strip() or len(title) > _MAX_TITLE_LENGTH or not title.isprintable():
            raise UsageError(
                f"name the officer's post in 1 to {_MAX_TITLE_LENGTH} characters, in Chinese and in English",
                f"请用 1 至 {_MAX_TITLE_LENGTH} 个字写明岗位，中文和英文各一",
            )


def _days(valid_from: str, valid_to: str) -> dict[str, str]:
    return {"valid_from": valid_from, **({"valid_to": valid_to} if valid_to != roles.LAST_DAY else {})}


def _sign_out_everywhere(db: sqlite3.Connection, login: str) -> None:
    db.execute("DELETE FROM sessions WHERE officer = ?", (login,))
    db.execute("DELETE FROM known_browsers WHERE officer = ?", (login,))


@contextmanager
def _administered(register: Register, agency: str) -> Iterator[None]:
    """A change, inside a transaction, after which no day is without an administrator where none was before it.

    On such a day the operator could appoint one, as it appoints the first, and take over a supervising office.

    Raises:
        RolesError: the change would leave such a day.
    """
    before = roles.always_administered(register, agency)
    yield
    if before and not roles.always_administered(register, agency):
        raise RolesError(
            "the agency would have no administrator on some day from now on; give that role, without an end, to "
            "somebody else first",
            "该单位今后将有某一天没有管理员；请先将管理员角色（不设截止日）交给他人",
        )


def unknown_agency(agency: str) -> UsageError:
    """The error for an agency that is not registered."""
    return UsageError(
        f"agency {agency[:40]!r} is not registered; see `liandong agency list`",
        f"单位 {agency[:40]!r} 未登记；请查看 `liandong agency list`",
    )
