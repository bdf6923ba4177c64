"""Guessing passwords is made slow, without letting a guesser lock an officer out.

After :data:`FREE_FAILURES` wrong passwords in a row each further one costs a wait that doubles, up to
:data:`LONGEST_WAIT`. What is counted is the login, wherever the guesses come from: behind a proxy every address is the
proxy's, and forwarded headers are never believed. A browser in which the officer signed in before is counted on its
own ("device cookies", OWASP), so that somebody who guesses elsewhere does not keep the officer out. A login that does
not exist is counted alike, so that nothing tells it from one that does.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.errors import RequestError
from catalog.identity.register import Register
from catalog.identity.tokens import digest

FREE_FAILURES = 5
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=30)
#: Failures in a row are forgotten when so long nobody tried.
RUN = timedelta(hours=24)
BROWSER_DAYS = 180
#: Of the logins that do not exist, the last so many are remembered.
MAX_UNKNOWN = 10_000
_CHINA = timedelta(hours=8)


class LockedError(RequestError):
    """Too many wrong passwords: 429, with the time from which it may be tried again."""

    def __init__(self, until: str, now: datetime) -> None:
        at = datetime.fromisoformat(until)
        self.retry_after_seconds = max(1, round((at - now).total_seconds()))
        minutes = max(1, -(-self.retry_after_seconds // 60))
        clock = (at + _CHINA).strftime("%H:%M:%S")
        super().__init__(
            429,
            f"too many wrong passwords for this user name: try again after {clock} (in {minutes} min), or have your "
            "agency's admin unlock it",
            f"该用户名密码连续输错次数过多：请于 {clock} 之后（约 {minutes} 分钟后）再试，或请本单位管理员解锁",
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """An attempt that was counted before its password was checked.

    Attributes:
        failures: in a row, this one included.
        locked_until: set where this one, if it fails, is answered with a wait.
    """

    source: str
    failures: int
    locked_until: str | None


def wait_after(failures: int) -> timedelta:
    """How long nobody may try after so many failures in a row."""
    if failures < FREE_FAILURES:
        return timedelta()
    doublings = min(failures - FREE_FAILURES, 16)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def charge(register: Register, secret: bytes, login: str, browser: str) -> Charge:
    """Count an attempt as failed before its password is checked, so that guesses sent at once are no cheaper.

    Args:
        secret: under which logins are hashed here: people type passwords into the wrong field.
        browser: the cookie of a browser that signed in before, or an empty string.

    Raises:
        LockedError: it is not time yet; nothing was counted.
    """
    now = register.timestamp()
    with register.transaction() as db:
        found = db.execute("SELECT id FROM officers WHERE id = ?", (login,)).fetchone()
        officer = found["id"] if found else None
        known = db.execute(
            "SELECT 1 FROM known_browsers WHERE hash = ? AND officer = ? AND expires_at > ?",
            (digest(browser), officer, now),
        ).fetchone()
        source = f"browser:{digest(browser)}" if known else f"login:{_keyed(secret, login)}"
        row = db.execute("SELECT * FROM sign_in_attempts WHERE source = ?", (source,)).fetchone()
        if row is not None and row["last_at"] <= register.timestamp(-RUN):
            row = None
        if row is not None and row["locked_until"] is not None and row["locked_until"] > now:
            raise LockedError(row["locked_until"], register.now())
        failures = (row["failures"] if row else 0) + 1
        wait = wait_after(failures)
        locked_until = register.timestamp(wait) if wait else None
        db.execute(
            "INSERT OR REPLACE INTO sign_in_attempts VALUES (?, ?, ?, ?, ?)",
            (source, officer, failures, locked_until, now),
        )
        if officer is None:
            db.execute(
                "DELETE FROM sign_in_attempts WHERE officer IS NULL AND last_at <= (SELECT last_at FROM "
                "sign_in_attempts WHERE officer IS NULL ORDER BY last_at DESC LIMIT 1 OFFSET ?)",
                (MAX_UNKNOWN,),
            )
    return Charge(source, failures, locked_until)


def succeeded(register: Register, charged: Charge) -> None:
    """The password was right: what was counted from there is forgotten."""
    register.write("DELETE FROM sign_in_attempts WHERE source = ?", (charged.source,))


def remember_browser(register: Register, officer: str) -> str:
    """The cookie by which a browser is known again as one in which ``officer`` signed in."""
    browser = secrets.token_urlsafe(32)
    register.write("DELETE FROM known_browsers WHERE expires_at <= ?", (register.timestamp(),))
    expires_at = register.timestamp(timedelta(days=BROWSER_DAYS))
    register.write("INSERT INTO known_browsers VALUES (?, ?, ?)", (digest(browser), officer, expires_at))
    return browser


def is_known(register: Register, officer: str, browser: str) -> bool:
    """Whether ``officer`` signed in in that browser before."""
    return bool(
        register.one(
            "SELECT 1 FROM known_browsers WHERE hash = ? AND officer = ? AND expires_at > ?",
            (digest(browser), officer, register.timestamp()),
        )
    )


def locked_until(register: Register, officer: str) -> str | None:
    """Until when an officer who signs in in a new browser has to wait, if so."""
    row = register.one(
        "SELECT max(locked_until) AS until FROM sign_in_attempts WHERE officer = ? AND locked_until > ?",
        (officer, register.timestamp()),
    )
    return row["until"] if row else None


def unlock(register: Register, officer: str) -> None:
    """Forget all failures of an officer's sign-in."""
    register.write("DELETE FROM sign_in_attempts WHERE officer = ?", (officer,))


def forget_browsers(register: Register, officer: str) -> None:
    """No browser is known any more: after a reset somebody else may have one."""
    register.write("DELETE FROM known_browsers WHERE officer = ?", (officer,))


def _keyed(secret: bytes, login: str) -> str:
    return hmac.new(secret, b"sign-in\0" + login.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
