"""Signing in with a password, and choosing another one. Slow on purpose (scrypt): call it off the event loop."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass

from catalog.errors import AuthenticationError
from catalog.identity import failures, lockout, passwords, sessions
from catalog.identity.failures import Known, UnknownCounter
from catalog.identity.lockout import Charge, LockedError
from catalog.identity.officers import By, changing
from catalog.identity.passwords import NOBODY, PasswordError, check_choice, check_password, hash_password
from catalog.identity.register import Register
from ledger import Ledger


@dataclass(frozen=True, slots=True)
class Door:
    """What signing in needs.

    Attributes:
        secret: under which the logins of failed attempts are hashed.
        unknown: counts logins that do not exist.
    """

    register: Register
    ledger: Ledger
    secret: bytes
    unknown: UnknownCounter


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session, both values secrets for cookies; ``browser`` empty where the browser was known already."""

    session: str
    browser: str


def verify(door: Door, login: str, password: str, browser: str = "") -> None:
    """Check an officer's password.

    Args:
        browser: the cookie of a browser that signed in before.

    Raises:
        AuthenticationError: wrong login or password (which of the two is not said), or a one-time password expired.
        LockedError: too many wrong passwords; from when it may be tried again.
    """
    charged = lockout.charge(door.register, door.secret, login, browser)
    row = door.register.one("SELECT * FROM officers WHERE id = ?", (login,))
    # The same work for an unknown login, so that time does not tell whether it exists.
    right = check_password(password, row["password"] if row else NOBODY)
    reason = _wrong(row, right, door.register.timestamp())
    if reason is None:
        lockout.succeeded(door.register, charged)
        return
    if row is None:
        door.unknown.count("session")
    else:
        _report(door, row, charged, reason)
    if reason == "one_time_password_expired":
        raise AuthenticationError(
            "the one-time password has expired; have your agency's admin reset it again",
            "一次性密码已过期；请由本单位管理员重新重置",
        )
    if charged.locked_until is not None:
        raise LockedError(charged.locked_until, door.register.now())
    raise AuthenticationError(
        "wrong user name or password; passwords are reset by your agency's admin",
        "用户名或密码不正确；忘记密码请由本单位管理员重置",
    )


def sign_in(door: Door, login: str, password: str, *, browser: str = "", user_agent: str = "") -> SignedIn:
    """:func:`verify`, then a session. Raises the same."""
    verify(door, login, password, browser)
    session = sessions.start(door.register, login, user_agent)
    known = bool(browser) and lockout.is_known(door.register, login, browser)
    return SignedIn(session, "" if known else lockout.remember_browser(door.register, login))


def change_password(door: Door, login: str, present: str, wanted: str, *, browser: str = "") -> None:
    """An officer chooses a password; all their sessions end.

    Raises:
        PasswordError: ``wanted`` may not be chosen, or is the present one; nothing was counted.
        AuthenticationError, LockedError: as :func:`verify` says of ``present``.
    """
    check_choice(wanted, login)
    if passwords.normal(present) == passwords.normal(wanted):
        raise PasswordError("the new password is the present one; choose another", "新密码与现用密码相同；请另选")
    verify(door, login, present, browser)
    row = door.register.one("SELECT agency FROM officers WHERE id = ?", (login,))
    agency = row["agency"] if row else ""
    stored = hash_password(wanted, os.urandom(16))
    change = {"change": "password_changed"}
    with changing(door.register, door.ledger, login, agency, change, by=By(agency, login)) as db:
        db.execute("UPDATE officers SET password = ?, password_until = NULL WHERE id = ?", (stored, login))
        db.execute("DELETE FROM sessions WHERE officer = ?", (login,))


def _wrong(row: sqlite3.Row | None, right: bool, now: str) -> str | None:
    """Why an attempt fails, as its entry says; None where it does not."""
    if row is None or not right:
        return "wrong_password"
    if row["disabled_at"] is not None:
        return "account_disabled"
    if row["password_until"] is not None and row["password_until"] <= now:
        return "one_time_password_expired"
    return None


def _report(door: Door, row: sqlite3.Row, charged: Charge, reason: str) -> None:
    """The first failure of a run and each lock-out are entries."""
    if charged.failures == 1 or charged.locked_until is not None:
        why = "locked_out" if charged.locked_until is not None else reason
        known = Known(row["agency"], "session", why, officer=row["id"])
        failures.record(door.ledger, known, charged.failures)
