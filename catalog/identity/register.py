"""identity.db: one SQLite file that the worker processes share. It is never attached to Datasette.

Part of it is a projection of the ledger (agencies, keys, resources, grants, suspensions); the rest are secrets and
sessions. Tokens and sessions are stored as SHA-256 (they are 256 random bits), passwords by scrypt.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from catalog.errors import RequestError, UsageError

FORMAT = "4"
Parameters = Sequence[Any] | Mapping[str, Any]

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- The projection: written by catalog/identity/projection.py alone, from entries of the ledger.
CREATE TABLE agencies (
  id TEXT PRIMARY KEY, name_zh TEXT NOT NULL, name_en TEXT NOT NULL, short_name TEXT NOT NULL,
  type TEXT NOT NULL, role TEXT NOT NULL, superior TEXT
) STRICT;
-- Which supervising agency is the justice bureau, which the inspection office: one of each, for good.
CREATE TABLE offices (agency TEXT PRIMARY KEY REFERENCES agencies, office TEXT NOT NULL UNIQUE) STRICT;
-- In which role an agency acts. A supervising agency supervises from when it is named which office it is: there are
-- two, each named once, so whoever registers agencies cannot add a third that reads.
CREATE VIEW acting AS
  SELECT a.id, name_zh, name_en, iif(role = 'supervisor' AND office IS NULL, 'agency', role) AS role, office
  FROM agencies a LEFT JOIN offices f ON f.agency = a.id;
CREATE TABLE keys (
  keyid TEXT PRIMARY KEY, agency TEXT NOT NULL REFERENCES agencies, system TEXT NOT NULL, algorithm TEXT NOT NULL,
  public_key BLOB NOT NULL, endorser TEXT, added_seq INTEGER NOT NULL, added_at TEXT NOT NULL, expires_at TEXT NOT NULL,
  revoked_at TEXT, revoked_for TEXT
) STRICT;
CREATE TABLE rejected_keys (
  seq INTEGER PRIMARY KEY, agency TEXT NOT NULL, keyid TEXT NOT NULL, why_en TEXT NOT NULL, why_zh TEXT NOT NULL
) STRICT;
CREATE TABLE tokens (
  id TEXT PRIMARY KEY, hash TEXT UNIQUE, agency TEXT NOT NULL REFERENCES agencies, system TEXT NOT NULL,
  added_at TEXT NOT NULL, expires_at TEXT NOT NULL, revoked_at TEXT
) STRICT;
CREATE TABLE resources (
  database TEXT, table_name TEXT, provider TEXT NOT NULL REFERENCES agencies, sharing_class TEXT NOT NULL,
  condition TEXT, condition_types TEXT, condition_purposes TEXT, basis TEXT,
  published_seq INTEGER NOT NULL, published_at TEXT NOT NULL,
  PRIMARY KEY (database, table_name)
) STRICT, WITHOUT ROWID;
CREATE TABLE grants (
  id TEXT PRIMARY KEY, provider TEXT NOT NULL, grantee TEXT NOT NULL REFERENCES agencies, database TEXT NOT NULL,
  table_name TEXT NOT NULL, purposes TEXT NOT NULL, columns TEXT, valid_from TEXT NOT NULL, valid_to TEXT NOT NULL,
  basis TEXT NOT NULL, given_seq INTEGER NOT NULL, given_at TEXT NOT NULL,
  revoked_seq INTEGER, revoked_at TEXT, revoked_for TEXT
) STRICT;
CREATE INDEX grants_grantee ON grants (grantee);
CREATE INDEX grants_provider ON grants (provider);
CREATE TABLE suspensions (
  id TEXT PRIMARY KEY, agency TEXT NOT NULL REFERENCES agencies, resource TEXT, basis TEXT NOT NULL,
  reason TEXT NOT NULL, by_agency TEXT NOT NULL, seq INTEGER NOT NULL, since TEXT NOT NULL, restored_at TEXT
) STRICT;

-- Secrets and what is the service's own.
CREATE TABLE officers (
  id TEXT PRIMARY KEY, agency TEXT NOT NULL REFERENCES agencies, title_zh TEXT NOT NULL, title_en TEXT NOT NULL,
  password TEXT NOT NULL,
  password_until TEXT, -- of a one-time password, which must be changed at the first sign-in; NULL: the officer's own
  enrolled_at TEXT NOT NULL, signed_in_at TEXT, disabled_at TEXT
) STRICT;
CREATE TABLE officer_roles (
  officer TEXT NOT NULL REFERENCES officers, role TEXT NOT NULL, valid_from TEXT NOT NULL, valid_to TEXT NOT NULL,
  deputy_for TEXT REFERENCES officers
) STRICT;
CREATE INDEX officer_roles_officer ON officer_roles (officer);
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY, officer TEXT NOT NULL REFERENCES officers, browser TEXT NOT NULL,
  started_at TEXT NOT NULL, seen_at TEXT NOT NULL, expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_officer ON sessions (officer);
-- Failed sign-ins in a row, by login or by a browser that signed in before; officer NULL where there is no such login.
CREATE TABLE sign_in_attempts (
  source TEXT PRIMARY KEY, officer TEXT, failures INTEGER NOT NULL, locked_until TEXT, last_at TEXT NOT NULL
) STRICT;
CREATE TABLE known_browsers (
  hash TEXT PRIMARY KEY, officer TEXT NOT NULL REFERENCES officers, expires_at TEXT NOT NULL
) STRICT;
-- Keys and tokens that are known and failed: when that was last an entry, and how often it failed since.
CREATE TABLE failing_credentials (
  id TEXT PRIMARY KEY, entry_at TEXT NOT NULL, attempts INTEGER NOT NULL
) STRICT;
-- Credentials that nobody has: counted by day, nothing else.
CREATE TABLE unknown_credentials (
  day TEXT, auth TEXT, attempts INTEGER NOT NULL, PRIMARY KEY (day, auth)
) STRICT, WITHOUT ROWID;
CREATE TABLE stated_purposes (
  session TEXT, resource TEXT, code TEXT NOT NULL, reference TEXT NOT NULL, words TEXT NOT NULL,
  participants TEXT NOT NULL, stated_at TEXT NOT NULL, PRIMARY KEY (session, resource)
) STRICT, WITHOUT ROWID;
CREATE TABLE nonces (
  keyid TEXT, nonce TEXT, expires_at TEXT NOT NULL, PRIMARY KEY (keyid, nonce)
) STRICT, WITHOUT ROWID;
"""


class Register:
    """The register in one identity.db. Threads may share it.

    Args:
        now: the wall clock, timezone-aware.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        if not path.is_file():
            raise UsageError(
                f"{path} is missing; the instance is incomplete, restore it from a backup",
                f"缺少 {path}；实例不完整，请从备份恢复",
            )
        self.path = path
        self._now = now
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2)
        self._db.row_factory = sqlite3.Row
        self._check_format()

    @classmethod
    def create(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Register:
        """Make an empty register."""
        path.open("xb").close()
        path.chmod(0o600)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("applied", "0"), ("format", FORMAT)])
        db.close()
        return cls(path, now)

    def close(self) -> None:
        self._db.close()

    # -- the clock ----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return self._now().astimezone(UTC)

    def timestamp(self, delta: timedelta = timedelta()) -> str:
        """Now and ``delta``, in the form of an entry's ``t``; such texts compare as the instants do."""
        return f"{(self.now() + delta).strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3]}Z"

    def today(self) -> str:
        """The county's day (Asia/Shanghai has had no daylight saving since 1991)."""
        return (self.now() + timedelta(hours=8)).date().isoformat()

    # -- reading and writing ------------------------------------------------------------------------------------------

    def version(self) -> tuple[int, int]:
        """Another value whenever this or another process changed the register: what a cache is good for."""
        with self._using() as db:
            (others,) = db.execute("PRAGMA data_version").fetchone()
            return others, db.total_changes

    def one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        with self._using() as db:
            row: sqlite3.Row | None = db.execute(sql, parameters).fetchone()
            return row

    def all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        with self._using() as db:
            return db.execute(sql, parameters).fetchall()

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """One statement, committed; how many rows it changed. Raises :class:`sqlite3.IntegrityError` as it is."""
        with self._using() as db:
            return db.execute(sql, parameters).rowcount

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements inside or none; one writer at a time over all processes."""
        with self._using() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection; a fault of the file is an answer 503, never a traceback."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.IntegrityError:
                raise
            except sqlite3.Error as error:
                raise RequestError(
                    503,
                    f"the register cannot be read or written now ({error}); free disk space or end what locks it",
                    f"身份库目前无法读写（{error}）；请腾出磁盘空间或结束占用它的程序",
                ) from error

    def _check_format(self) -> None:
        try:
            row = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        except sqlite3.DatabaseError as error:
            older = "no such table" in str(error) and self._db.execute("SELECT 1 FROM sqlite_schema").fetchone()
            self._db.close()
            raise (_older(self.path) if older else _damaged(self.path, error)) from error
        if row is None or row["value"] != FORMAT:
            self._db.close()
            raise _older(self.path)


def _damaged(path: Path, error: sqlite3.Error) -> UsageError:
    return UsageError(
        f"{path} is damaged or not a register ({error}); restore it from a backup",
        f"{path} 已损坏或不是身份库（{error}）；请从备份恢复",
    )


def _older(path: Path) -> UsageError:
    return UsageError(
        f"{path} was made by another version of liandong; make the instance anew (a demonstration: delete its folder)",
        f"{path} 由其他版本的联动建立；请重新建立实例（演示实例可删除其目录后重建）",
    )
