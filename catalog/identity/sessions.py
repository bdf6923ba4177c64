"""Sessions of signed-in officers: 256 random bits in a cookie, stored hashed, ended by time, idleness or themselves."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from catalog.identity import roles
from catalog.identity.actor import Actor
from catalog.identity.register import Register
from catalog.identity.tokens import digest

SESSION_HOURS = 10
IDLE_MINUTES = 60
#: How exactly it is known when a session was last used: not every request is a write.
_SEEN_EVERY = timedelta(minutes=1)
_MAX_BROWSER_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Session:
    """One session as its officer sees it; ``id`` names it in forms, nothing of the secret can be found from it."""

    id: str
    browser: str
    started_at: str
    seen_at: str
    current: bool


def start(register: Register, officer: str, user_agent: str = "") -> str:
    """A new session's secret, for the cookie."""
    session = secrets.token_urlsafe(32)
    now = register.timestamp()
    with register.transaction() as db:
        db.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
        db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)",
            (
                digest(session),
                officer,
                describe_browser(user_agent),
                now,
                now,
                register.timestamp(timedelta(hours=SESSION_HOURS)),
            ),
        )
        db.execute("UPDATE officers SET signed_in_at = ? WHERE id = ?", (now, officer))
    return session


def end(register: Register, session: str) -> None:
    """End a session by its secret; one that does not exist is already ended."""
    register.write("DELETE FROM sessions WHERE hash = ?", (digest(session),))


def end_one(register: Register, officer: str, session_id: str) -> bool:
    """End an officer's own session by its id; whether there was one."""
    return bool(
        register.write("DELETE FROM sessions WHERE officer = ? AND substr(hash, 1, 16) = ?", (officer, session_id))
    )


def end_all(register: Register, officer: str, *, but: str = "") -> int:
    """End all sessions of an officer, except that of the secret ``but``; how many."""
    return register.write("DELETE FROM sessions WHERE officer = ? AND hash <> ?", (officer, digest(but)))


def listing(register: Register, officer: str, session: str) -> list[Session]:
    """An officer's sessions that have not ended, newest first."""
    rows = register.all(
        "SELECT * FROM sessions WHERE officer = ? AND expires_at > ? AND seen_at > ? ORDER BY started_at DESC",
        (officer, register.timestamp(), register.timestamp(-timedelta(minutes=IDLE_MINUTES))),
    )
    own = digest(session)
    return [
        Session(row["hash"][:16], row["browser"], row["started_at"], row["seen_at"], row["hash"] == own) for row in rows
    ]


def actor_of_session(register: Register, session: str) -> Actor | None:
    """The officer of a session cookie, or None when it has ended or the account was disabled."""
    row = register.one(
        "SELECT s.hash, s.seen_at, o.id, o.agency, o.title_zh, o.title_en, o.password_until, a.name_zh, a.name_en, "
        "a.role, a.office FROM sessions s JOIN officers o ON o.id = s.officer JOIN acting a ON a.id = o.agency "
        "WHERE s.hash = :hash AND s.expires_at > :now AND s.seen_at > :idle AND o.disabled_at IS NULL",
        {
            "hash": digest(session),
            "now": register.timestamp(),
            "idle": register.timestamp(-timedelta(minutes=IDLE_MINUTES)),
        },
    )
    if row is None:
        return None
    if row["seen_at"] <= register.timestamp(-_SEEN_EVERY):
        register.write("UPDATE sessions SET seen_at = ? WHERE hash = ?", (register.timestamp(), row["hash"]))
    held = roles.in_force(register, row["id"], register.today())
    return Actor(
        row["agency"],
        row["name_zh"],
        row["name_en"],
        row["role"],
        "session",
        officer=row["id"],
        officer_zh=row["title_zh"],
        officer_en=row["title_en"],
        roles=frozenset(held),
        deputises={role: other for role, other in held.items() if other is not None},
        must_change=row["password_until"] is not None,
        office=row["office"],
    )


_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("360", r"(?:360SE|QIHU|360EE)"),
    ("WeChat", r"MicroMessenger/(\d+)"),
    ("Firefox", r"Firefox/(\d+)"),
    ("Chrome", r"Chrom(?:e|ium)/(\d+)"),
    ("Safari", r"Version/(\d+)[\d.]* .*Safari"),
    ("Internet Explorer", r"(?:MSIE |Trident/.*rv:)(\d+)"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iOS", "iPhone|iPad"),
    ("macOS", "Mac OS X"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> str:
    """A browser in a word or two, by which an officer knows their own sessions again; empty where nothing is known."""
    parts = []
    for name, pattern in _BROWSERS:
        found = re.search(pattern, user_agent)
        if found:
            parts.append(" ".join([name, *found.groups()]))
            break
    parts += [name for name, pattern in _SYSTEMS if re.search(pattern, user_agent)][:1]
    return " · ".join(parts)[:_MAX_BROWSER_LENGTH]
