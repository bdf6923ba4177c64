"""What failed to authenticate: an entry ``auth.failed`` where something known failed, a count where nothing was.

Never an entry a guess: a wrong password is one at the first of a run and at each lock-out; a key or token that was
revoked or has expired is one at its first use and then at most one an hour while it goes on, with the number of uses.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from catalog.identity.register import Register
from ledger import Ledger

#: At most one entry for a failing key or token in so long.
ENTRY_EVERY = timedelta(hours=1)
#: Unknown credentials are written down together, so that whoever sends nonsense does not keep the disk busy.
_WRITE_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Known:
    """Something registered that failed.

    Attributes:
        auth: signature, token or session.
        reason: an identifier such as ``revoked``, ``expired``, ``wrong_password``, ``locked_out``.
    """

    agency: str
    auth: str
    reason: str
    keyid: str | None = None
    token: str | None = None
    officer: str | None = None

    def fields(self, attempts: int) -> dict[str, Any]:
        """The open fields of its entry."""
        fields = {
            "agency": self.agency,
            "auth": self.auth,
            "keyid": self.keyid,
            "token": self.token,
            "reason": self.reason,
            "attempts": attempts,
        }
        return {name: value for name, value in fields.items() if value is not None}


def record(ledger: Ledger, known: Known, attempts: int, particulars: Mapping[str, str] | None = None) -> None:
    """Append the entry; raises :class:`LedgerUnavailableError`."""
    values = {"officer": known.officer, **(particulars or {})}
    given = {name: value for name, value in values.items() if value}
    ledger.append("auth.failed", known.fields(attempts), particulars=given)


def due(register: Register, known: Known) -> int | None:
    """How many failing uses of a key or token are to be an entry now; None where they are only counted for the next."""
    credential, now = known.keyid or known.token or "", register.timestamp()
    with register.transaction() as db:
        row = db.execute("SELECT * FROM failing_credentials WHERE id = ?", (credential,)).fetchone()
        if row is not None and row["entry_at"] > register.timestamp(-ENTRY_EVERY):
            db.execute("UPDATE failing_credentials SET attempts = attempts + 1 WHERE id = ?", (credential,))
            return None
        db.execute("INSERT OR REPLACE INTO failing_credentials VALUES (?, ?, 0)", (credential, now))
    return (row["attempts"] if row else 0) + 1


class UnknownCounter:
    """Counts credentials that nobody has, by day and kind, and writes the counts down now and then. Thread-safe.

    Args:
        seconds: a monotonic clock.
    """

    def __init__(self, register: Register, seconds: Callable[[], float] = time.monotonic) -> None:
        self._register = register
        self._seconds = seconds
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._written_at = -_WRITE_EVERY_SECONDS

    def count(self, auth: str) -> None:
        """One more: signature, token or session."""
        with self._lock:
            self._counts[(self._register.today(), auth)] += 1
            is_due = self._seconds() - self._written_at >= _WRITE_EVERY_SECONDS
        if is_due:
            self.write()

    def write(self) -> None:
        """Write down what was counted; at the latest when the service stops."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._written_at = self._seconds()
        if not counts:
            return
        with self._register.transaction() as db:
            db.executemany(
                "INSERT INTO unknown_credentials VALUES (?, ?, ?) ON CONFLICT (day, auth) DO UPDATE SET "
                "attempts = attempts + excluded.attempts",
                [(day, auth, number) for (day, auth), number in counts.items()],
            )


def unknown_since(register: Register, day: str) -> int:
    """How often a credential that nobody has was used from ``day`` on."""
    row = register.one("SELECT sum(attempts) AS attempts FROM unknown_credentials WHERE day >= ?", (day,))
    return (row["attempts"] if row else 0) or 0
