"""Officers of agencies: accounts, passwords (scrypt), roles with dates and deputies, sessions."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from catalog.errors import AuthenticationError
from catalog.identity.actor import Actor
from catalog.identity.register import Register
from catalog.identity.tokens import digest
from ledger import Ledger

SESSION_HOURS = 10
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}
#: A stored password that nothing matches: what an unknown login is checked against.
_NOBODY = "scrypt$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_ALWAYS = ("0001-01-01", "9999-12-31")


def enrol(
    register: Register,
    ledger: Ledger,
    officer: Mapping[str, str],
    password: str,
    roles: Iterable[str],
    *,
    by: str | None = None,
    must_change: bool = True,
) -> None:
    """Make an account: keys id, agency, title_zh, title_en.

    The entry names the agency and the roles; who it is stays a particular.
    """
    wanted = sorted(roles)
    ledger.append(
        "officer.changed",
        {"agency": officer["agency"], "change": "enrolled", "roles": wanted},
        particulars={"officer": officer["id"], **({"by_officer": by} if by else {})},
    )
    stored = hash_password(password, secrets.token_bytes(16))
    with register.transaction() as db:
        db.execute(
            "INSERT INTO officers (id, agency, title_zh, title_en, password, must_change) "
            "VALUES (:id, :agency, :title_zh, :title_en, :password, :must_change)",
            {**officer, "password": stored, "must_change": int(must_change)},
        )
        db.executemany(
            "INSERT INTO officer_roles VALUES (?, ?, ?, ?, NULL)",
            [(officer["id"], role, *_ALWAYS) for role in wanted],
        )


def sign_in(register: Register, login: str, password: str) -> str:
    """Check an officer's password; return a new session's secret for the cookie. Takes ~0.1 s of CPU on purpose.

    Raises:
        AuthenticationError: wrong login or password; which of the two is not said.
    """
    row = register.one("SELECT password FROM officers WHERE id = ? AND disabled_at IS NULL", (login,))
    # The same work for an unknown login, so that time does not tell whether it exists.
    stored = row["password"] if row else _NOBODY
    if not check_password(password, stored) or row is None:
        raise AuthenticationError(
            "wrong user name or password; passwords are reset by your agency's admin",
            "用户名或密码不正确；忘记密码请由本单位管理员重置",
        )
    session = secrets.token_urlsafe(32)
    now = register.timestamp()
    register.write("DELETE FROM sessions WHERE expires_at < ?", (now,))
    register.write(
        "INSERT INTO sessions VALUES (?, ?, ?, ?)",
        (digest(session), login, now, register.timestamp(timedelta(hours=SESSION_HOURS))),
    )
    return session


def sign_out(register: Register, session: str) -> None:
    """End a session; one that does not exist is already ended."""
    register.write("DELETE FROM sessions WHERE hash = ?", (digest(session),))


def actor_of_session(register: Register, session: str) -> Actor | None:
    """The officer of a session cookie, or None when it has ended or the account was disabled."""
    row = register.one(
        "SELECT s.expires_at, o.id, o.agency, o.title_zh, o.title_en, o.must_change, a.name_zh, a.name_en, a.role, "
        "(SELECT group_concat(role) FROM officer_roles r WHERE r.officer = o.id AND valid_from <= :day "
        " AND valid_to >= :day) AS roles "
        "FROM sessions s JOIN officers o ON o.id = s.officer JOIN agencies a ON a.id = o.agency "
        "WHERE s.hash = :hash AND s.expires_at > :now AND o.disabled_at IS NULL",
        {"hash": digest(session), "now": register.timestamp(), "day": register.today()},  # type: ignore[arg-type]
    )
    if row is None:
        return None
    return Actor(
        row["agency"],
        row["name_zh"],
        row["name_en"],
        row["role"],
        "session",
        officer=row["id"],
        officer_zh=row["title_zh"],
        officer_en=row["title_en"],
        roles=frozenset((row["roles"] or "").split(",")) - {""},
        must_change=bool(row["must_change"]),
    )


def hash_password(password: str, salt: bytes) -> str:
    """``scrypt$salt$hash`` with base64 parts. Parameters: n=2^15, r=8, p=1 (32 MiB)."""
    derived = Scrypt(salt=salt, length=32, **_SCRYPT).derive(password.encode())
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def check_password(password: str, stored: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made from."""
    salt = base64.b64decode(stored.split("$")[1])
    return hmac.compare_digest(hash_password(password, salt), stored)
