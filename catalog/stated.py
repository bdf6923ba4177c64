"""Purposes stated in the browser: each holds for one session, one resource and two hours (DESIGN §4).

They lie in identity.db, which is private and in no backup that leaves the house, and go when they end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from catalog.identity.register import Register
from catalog.identity.tokens import digest
from catalog.purpose import HOLDS, Purpose


@dataclass(frozen=True, slots=True)
class Stated:
    """A purpose and when it ends."""

    purpose: Purpose
    until: datetime


def remember(register: Register, session: str, resource: str, purpose: Purpose) -> None:
    """From now on this session asks for ``resource`` with ``purpose``; what has ended is forgotten.

    Args:
        session: the secret of the session's cookie.
    """
    with register.transaction() as db:
        db.execute("DELETE FROM stated_purposes WHERE stated_at <= ?", (register.timestamp(-HOLDS),))
        db.execute(
            "INSERT OR REPLACE INTO stated_purposes VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                digest(session),
                resource,
                purpose.code,
                purpose.reference,
                purpose.words,
                json.dumps(purpose.participants),
                register.timestamp(),
            ),
        )


def recall(register: Register, session: str, resource: str) -> Stated | None:
    """The purpose that the session stated for ``resource``, unless it has ended."""
    row = register.one(
        "SELECT * FROM stated_purposes WHERE session = ? AND resource = ? AND stated_at > ?",
        (digest(session), resource, register.timestamp(-HOLDS)),
    )
    if row is None:
        return None
    purpose = Purpose(row["code"], row["reference"], row["words"], tuple(json.loads(row["participants"])))
    return Stated(purpose, datetime.fromisoformat(row["stated_at"]) + HOLDS)


def forget(register: Register, session: str) -> None:
    """Forget all that a session stated: it ends."""
    register.write("DELETE FROM stated_purposes WHERE session = ?", (digest(session),))
