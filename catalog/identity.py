"""Who asks: agencies, officers, systems, their keys, tokens and sessions, kept in identity.db.

Secrets are stored hashed: tokens and sessions by SHA-256 (they are 256 random bits), passwords by scrypt. The file
is never attached to Datasette.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from catalog.algorithms import PublicKey, algorithm_of, key_id, public_key_of_raw, raw_public_key
from catalog.errors import AuthenticationError, RequestError, UsageError
from ledger import Ledger

TOKEN_PREFIX = "ld_"  # noqa: S105  (a public prefix, so that a leaked token can be recognised)
SESSION_HOURS = 10
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}
#: A stored password that nothing matches: what an unknown login is checked against.
_NOBODY = "scrypt$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

_SCHEMA = """
CREATE TABLE agencies (
  id TEXT PRIMARY KEY, name_zh TEXT NOT NULL, name_en TEXT NOT NULL, short_name TEXT NOT NULL,
  type TEXT NOT NULL, role TEXT NOT NULL
) STRICT;
CREATE TABLE officers (
  id TEXT PRIMARY KEY, agency TEXT NOT NULL REFERENCES agencies, title_zh TEXT NOT NULL, title_en TEXT NOT NULL,
  roles TEXT NOT NULL, password TEXT NOT NULL
) STRICT;
CREATE TABLE keys (
  keyid TEXT PRIMARY KEY, agency TEXT NOT NULL REFERENCES agencies, system TEXT NOT NULL,
  public_key BLOB NOT NULL, expires_at TEXT NOT NULL, revoked_at TEXT
) STRICT;
CREATE TABLE tokens (
  hash TEXT PRIMARY KEY, agency TEXT NOT NULL REFERENCES agencies, system TEXT NOT NULL,
  expires_at TEXT NOT NULL, revoked_at TEXT
) STRICT;
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY, officer TEXT NOT NULL REFERENCES officers, expires_at TEXT NOT NULL
) STRICT;
CREATE TABLE nonces (
  keyid TEXT, nonce TEXT, expires_at TEXT NOT NULL, PRIMARY KEY (keyid, nonce)
) STRICT, WITHOUT ROWID;
CREATE TABLE resources (
  database TEXT, table_name TEXT, provider TEXT NOT NULL REFERENCES agencies, sharing_class TEXT NOT NULL,
  PRIMARY KEY (database, table_name)
) STRICT, WITHOUT ROWID;
CREATE TABLE grants (
  id TEXT PRIMARY KEY, grantee TEXT NOT NULL REFERENCES agencies, database TEXT NOT NULL, table_name TEXT NOT NULL,
  valid_from TEXT NOT NULL, valid_to TEXT NOT NULL, basis TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated requester.

    Attributes:
        agency: the agency's id; it answers for what is asked in its name.
        role: agency, supervisor or data_authority.
        auth: signature, token or session: how strongly the request is tied to the agency.
        officer: the officer's login, for sessions.
        keyid: the key, for signatures.
    """

    agency: str
    agency_zh: str
    agency_en: str
    role: str
    auth: str
    officer: str | None = None
    officer_zh: str | None = None
    officer_en: str | None = None
    keyid: str | None = None

    def to_datasette(self) -> dict[str, Any]:
        """The actor dictionary that Datasette's hooks and templates see."""
        return {
            "id": self.officer or self.keyid or self.agency,
            "agency": self.agency,
            "agency_zh": self.agency_zh,
            "agency_en": self.agency_en,
            "officer_zh": self.officer_zh,
            "officer_en": self.officer_en,
            "role": self.role,
            "auth": self.auth,
        }


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave for ``grantee`` to see a table from ``valid_from`` to ``valid_to``, both days included."""

    id: str
    provider: str
    grantee: str
    database: str
    table: str
    purposes: tuple[str, ...]
    valid_from: str
    valid_to: str
    basis: str


class Identity:
    """The register in one identity.db.

    Args:
        now: the wall clock, timezone-aware.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        if not path.is_file():
            raise UsageError(
                f"{path} is missing; the instance is incomplete, restore it from a backup",
                f"缺少 {path}；实例不完整，请从备份恢复",
            )
        self._now = now
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2)
        self._db.row_factory = sqlite3.Row
        try:
            self._db.execute("SELECT 1 FROM officers LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            # A register that is being made has no tables yet; any other fault shows at once, not at the first request.
            if "no such table" not in str(error) or self._db.execute("SELECT 1 FROM sqlite_schema").fetchone():
                raise _damaged(path, error) from error
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error

    @classmethod
    def create(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Identity:
        """Make an empty register."""
        path.open("xb").close()
        path.chmod(0o600)
        identity = cls(path, now)
        identity._db.execute("PRAGMA journal_mode = WAL")
        identity._db.executescript(_SCHEMA)
        return identity

    def close(self) -> None:
        self._db.close()

    # -- registering: each act that others rely on is an entry in the ledger first ------------------------------------

    def register_agency(self, ledger: Ledger, agency: dict[str, str]) -> None:
        """Register an agency: keys id, name_zh, name_en, short_name, type, role."""
        ledger.append(
            "agency.registered",
            {
                "agency": agency["id"],
                "name_zh": agency["name_zh"],
                "name_en": agency["name_en"],
                "type": agency["type"],
                "role": agency["role"],
            },
        )
        self._write("INSERT INTO agencies VALUES (:id, :name_zh, :name_en, :short_name, :type, :role)", agency)

    def register_officer(self, officer: dict[str, str], password: str) -> None:
        """Register an officer: keys id, agency, title_zh, title_en, roles (comma-separated)."""
        self._write(
            "INSERT INTO officers VALUES (:id, :agency, :title_zh, :title_en, :roles, :password)",
            {**officer, "password": hash_password(password, secrets.token_bytes(16))},
        )

    def add_key(self, ledger: Ledger, agency: str, system: str, public_key: PublicKey, days: int) -> str:
        """Register a system's public key; return its key id."""
        raw = raw_public_key(public_key)
        keyid = key_id(public_key)
        ledger.append(
            "agency.key_added",
            {
                "agency": agency,
                "system": system,
                "keyid": keyid,
                "algorithm": algorithm_of(public_key),
                "public_key": raw.hex(),
            },
        )
        self._write(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)",
            (keyid, agency, system, raw, self._after(timedelta(days=days))),
        )
        return keyid

    def add_token(self, agency: str, system: str, days: int) -> str:
        """Make a bearer token; it is returned this once and stored only as a hash."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._write(
            "INSERT INTO tokens VALUES (?, ?, ?, ?, NULL)",
            (_digest(token), agency, system, self._after(timedelta(days=days))),
        )
        return token

    def publish(self, ledger: Ledger, database: str, table: str, provider: str, sharing_class: str) -> None:
        """Publish a table as a resource of ``provider``."""
        ledger.append(
            "resource.published",
            {"resource": f"{database}/{table}", "provider": provider, "sharing_class": sharing_class},
        )
        self._write("INSERT INTO resources VALUES (?, ?, ?, ?)", (database, table, provider, sharing_class))

    def give_grant(self, ledger: Ledger, grant: Grant) -> None:
        """Record a grant."""
        ledger.append(
            "grant.given",
            {
                "grant": grant.id,
                "provider": grant.provider,
                "grantee": grant.grantee,
                "resource": f"{grant.database}/{grant.table}",
                "purposes": list(grant.purposes),
                "valid_from": grant.valid_from,
                "valid_to": grant.valid_to,
                "basis": grant.basis,
            },
        )
        self._write(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)",
            (grant.id, grant.grantee, grant.database, grant.table, grant.valid_from, grant.valid_to, grant.basis),
        )

    # -- authenticating -----------------------------------------------------------------------------------------------

    def actor_of_token(self, token: str) -> Actor:
        """The system that holds ``token``.

        Raises:
            AuthenticationError: unknown, expired or revoked.
        """
        row = self._one(
            "SELECT t.*, a.name_zh, a.name_en, a.role FROM tokens t JOIN agencies a ON a.id = t.agency WHERE hash = ?",
            (_digest(token),),
        )
        if row is None:
            raise AuthenticationError(
                "this token is not known here; check that it was copied whole, or ask your agency's admin for one",
                "令牌无效；请核对是否复制完整，或向本单位管理员申请新令牌",
            )
        self._check_valid(row, "token", "令牌")
        return Actor(row["agency"], row["name_zh"], row["name_en"], row["role"], "token")

    def public_key(self, keyid: str) -> tuple[PublicKey, Actor]:
        """The key of ``keyid`` and the system that holds it.

        Raises:
            AuthenticationError: unknown, expired or revoked.
        """
        row = self._one(
            "SELECT k.*, a.name_zh, a.name_en, a.role FROM keys k JOIN agencies a ON a.id = k.agency WHERE keyid = ?",
            (keyid,),
        )
        if row is None:
            raise AuthenticationError(
                f"key {keyid[:80]!r} is not registered here; have your agency's admin register its public key",
                f"密钥 {keyid[:80]!r} 未登记；请由本单位管理员登记其公钥",
            )
        self._check_valid(row, "key", "密钥")
        actor = Actor(row["agency"], row["name_zh"], row["name_en"], row["role"], "signature", keyid=keyid)
        return public_key_of_raw(row["public_key"]), actor

    def use_nonce(self, keyid: str, nonce: str, keep: timedelta) -> None:
        """Remember a nonce of a request that leaves no entry in the ledger.

        Raises:
            AuthenticationError: it was used before.
        """
        self._write("DELETE FROM nonces WHERE expires_at < ?", (self._after(timedelta()),))
        try:
            self._write("INSERT INTO nonces VALUES (?, ?, ?)", (keyid, nonce, self._after(keep)))
        except sqlite3.IntegrityError as error:
            raise replayed() from error

    def sign_in(self, login: str, password: str) -> str:
        """Check an officer's password; return a new session's secret for the cookie. Takes ~0.1 s of CPU on purpose.

        Raises:
            AuthenticationError: wrong login or password; which of the two is not said.
        """
        row = self._one("SELECT password FROM officers WHERE id = ?", (login,))
        # The same work for an unknown login, so that time does not tell whether it exists.
        stored = row["password"] if row else _NOBODY
        if not check_password(password, stored) or row is None:
            raise AuthenticationError(
                "wrong user name or password; passwords are reset by your agency's admin",
                "用户名或密码不正确；忘记密码请由本单位管理员重置",
            )
        session = secrets.token_urlsafe(32)
        self._write("DELETE FROM sessions WHERE expires_at < ?", (self._after(timedelta()),))
        self._write(
            "INSERT INTO sessions VALUES (?, ?, ?)",
            (_digest(session), login, self._after(timedelta(hours=SESSION_HOURS))),
        )
        return session

    def sign_out(self, session: str) -> None:
        """End a session; one that does not exist is already ended."""
        self._write("DELETE FROM sessions WHERE hash = ?", (_digest(session),))

    def actor_of_session(self, session: str) -> Actor | None:
        """The officer of a session cookie, or None when it has ended."""
        row = self._one(
            "SELECT s.expires_at, o.id, o.agency, o.title_zh, o.title_en, a.name_zh, a.name_en, a.role FROM sessions s"
            " JOIN officers o ON o.id = s.officer JOIN agencies a ON a.id = o.agency WHERE s.hash = ?",
            (_digest(session),),
        )
        if row is None or row["expires_at"] <= self._after(timedelta()):
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
        )

    # -- what permissions are made of ---------------------------------------------------------------------------------

    def agencies(self) -> list[dict[str, str]]:
        return [dict(row) for row in self._all("SELECT * FROM agencies ORDER BY role, id")]

    def resources(self) -> list[dict[str, str]]:
        """Published tables: database, table_name, provider, sharing_class."""
        return [dict(row) for row in self._all("SELECT * FROM resources ORDER BY database, table_name")]

    def grants_to(self, agency: str, day: str) -> list[dict[str, str]]:
        """Grants to ``agency`` in force on ``day`` (YYYY-MM-DD)."""
        sql = "SELECT * FROM grants WHERE grantee = ? AND valid_from <= ? AND valid_to >= ?"
        return [dict(row) for row in self._all(sql, (agency, day, day))]

    def today(self) -> str:
        """The county's day (Asia/Shanghai has had no daylight saving since 1991)."""
        return (self._now().astimezone(UTC) + timedelta(hours=8)).date().isoformat()

    # -----------------------------------------------------------------------------------------------------------------

    def _check_valid(self, row: sqlite3.Row, what_en: str, what_zh: str) -> None:
        if row["revoked_at"] is not None:
            raise AuthenticationError(
                f"this {what_en} was revoked on {row['revoked_at'][:10]}; ask your agency's admin for a new one",
                f"该{what_zh}已于 {row['revoked_at'][:10]} 吊销；请向本单位管理员申请新的",
            )
        if row["expires_at"] <= self._after(timedelta()):
            raise AuthenticationError(
                f"this {what_en} expired on {row['expires_at'][:10]}; ask your agency's admin for a new one",
                f"该{what_zh}已于 {row['expires_at'][:10]} 到期；请向本单位管理员申请新的",
            )

    def _after(self, delta: timedelta) -> str:
        return (self._now().astimezone(UTC) + delta).isoformat(timespec="seconds")

    def _one(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        with self._using() as db:
            row: sqlite3.Row | None = db.execute(sql, parameters).fetchone()
            return row

    def _all(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._using() as db:
            return db.execute(sql, parameters).fetchall()

    def _write(self, sql: str, parameters: Any) -> None:
        with self._using() as db:
            db.execute(sql, parameters)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one statement; a fault of the file is an answer 503, never a traceback."""
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


def hash_password(password: str, salt: bytes) -> str:
    """``scrypt$salt$hash`` with base64 parts. Parameters: n=2^15, r=8, p=1 (32 MiB)."""
    derived = Scrypt(salt=salt, length=32, **_SCRYPT).derive(password.encode())
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def check_password(password: str, stored: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made from."""
    salt = base64.b64decode(stored.split("$")[1])
    return hmac.compare_digest(hash_password(password, salt), stored)


def replayed() -> AuthenticationError:
    """The error for a signed request that is sent a second time."""
    return AuthenticationError(
        "this signed request was used before; sign each request anew with its own nonce",
        "该签名请求已被使用过；每次请求都须用新的 nonce 重新签名",
    )


def _damaged(path: Path, error: sqlite3.Error) -> UsageError:
    return UsageError(
        f"{path} is damaged or not a register ({error}); restore it from a backup",
        f"{path} 已损坏或不是身份库（{error}）；请从备份恢复",
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
