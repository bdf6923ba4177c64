"""The instance folder: where a county's data, ledger and keys lie, and which version wrote it.

All state is in it: copying the folder with the server stopped is a backup.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.address import check_public_url
from ledger.book import Ledger
from ledger.errors import InstanceError, NoteError, VersionTooNewError
from ledger.log.keychain import KeyChain
from ledger.log.note import Signer, VerifierKey, check_name
from ledger.log.sequencer import Committed
from ledger.log.store import Store
from ledger.rotation import KIND as ROTATED
from ledger.rotation import chain_of_file, statement

#: The version of the folder's layout that this program writes.
LAYOUT_VERSION = 1
#: The six categories of shared information, each a database. Source: 源政办发〔2021〕19号 二(四).
CATEGORIES = ("directory", "work", "dynamics", "monitoring", "alerts", "documents")

_SETTINGS_FILE = "instance.yml"
_SECRET_BYTES = 32
#: The log's private key, and the one that is to follow it while a rotation is under way.
_KEY_FILE, _NEXT_KEY_FILE = "log.pem", "log.pem.new"


@dataclass(frozen=True, slots=True)
class Settings:
    """What instance.yml holds.

    Attributes:
        origin: the ledger's name in every entry and checkpoint.
        public_url: scheme, host, maybe a port and a path below which clients reach the service, without a closing
            slash; the only source of these for signatures and links, forwarded headers are never believed.
        demo: an invented county; every page says so.
    """

    origin: str
    county_zh: str
    county_en: str
    public_url: str
    demo: bool


class Instance:
    """An existing instance folder."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.settings = settings

    @classmethod
    def open(cls, path: Path) -> Instance:
        """Open the instance in folder ``path``.

        Raises:
            InstanceError: no such folder, or no readable instance.yml in it.
            VersionTooNewError: a newer version wrote it.
        """
        file = path / _SETTINGS_FILE
        try:
            raw: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InstanceError(
                f"{path} is not an instance folder ({_SETTINGS_FILE} is missing); "
                "create one with `liandong init DIR` or name another with --instance",
                f"{path} 不是实例目录（缺少 {_SETTINGS_FILE}）；请用 `liandong init 目录` 新建，或用 --instance 指定",
            ) from error
        except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError, yaml.YAMLError) as error:
            # PyYAML lets Python's own errors out of odd scalars (`!!int ""`, the date 2026-13-45).
            raise _damaged(file, (str(error) or type(error).__name__).splitlines()[0]) from error
        if not isinstance(raw, dict) or type(raw.get("layout")) is not int or raw["layout"] < 1:
            raise _damaged(file, "no layout number")
        if raw["layout"] > LAYOUT_VERSION:
            raise VersionTooNewError(
                f"{path} was written by a newer version (layout {raw['layout']}, this program reads up to "
                f"{LAYOUT_VERSION}); install the newer version of liandong",
                f"{path} 由更新的版本写成（布局 {raw['layout']}，本程序最高支持 {LAYOUT_VERSION}）；请安装新版本",
            )
        try:
            settings = Settings(**{name: raw[name] for name in Settings.__slots__})
        except KeyError as error:
            raise _damaged(file, f"{error.args[0]} is missing") from error
        for name in Settings.__slots__:
            wanted = bool if name == "demo" else str
            if type(getattr(settings, name)) is not wanted:
                raise _damaged(file, f"{name} is not {'true or false' if wanted is bool else 'text'}")
        return cls(path, settings)

    @classmethod
    def create(cls, path: Path, settings: Settings, random: Callable[[int], bytes] = os.urandom) -> Instance:
        """Make the folder with keys and an empty ledger; databases are made by those who fill them.

        Raises:
            InstanceError: the folder exists and is not empty, or cannot be made.
            NoteError: ``settings.origin`` cannot name a log.
        """
        check_name(settings.origin)
        check_public_url(settings.public_url)
        instance = cls(path, settings)
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)  # the databases in it are everybody's data: only the service's own user may enter
            if any(path.iterdir()):
                raise InstanceError(
                    f"{path} is not empty; choose a new folder, nothing was changed",
                    f"{path} 不是空目录；请另选目录，未作任何更改",
                )
            instance._fill(random)
        except OSError as error:
            raise InstanceError(
                f"{path} cannot be created ({error.strerror}); choose a folder that you may write",
                f"无法创建 {path}（{error.strerror}）；请选择有写权限的目录",
            ) from error
        return instance

    def _fill(self, random: Callable[[int], bytes]) -> None:
        (self.path / "keys").mkdir(mode=0o700)
        for folder in ("files", "rules"):
            (self.path / folder).mkdir()
        key = Ed25519PrivateKey.from_private_bytes(random(_SECRET_BYTES))
        write_private(self._key_path("log.pem"), private_pem(key))
        for name in ("rows", "session"):
            write_private(self._key_path(f"{name}.secret"), random(_SECRET_BYTES))
        self._write_vkey()
        Ledger.create(self.ledger_path, self.settings.origin)
        # Last: a folder without it is not an instance, so an interrupted creation is never half-used.
        self._write_settings()

    def _write_vkey(self) -> None:
        (self.path / "log.vkey").write_text(f"{self.verifier_key()}\n", encoding="utf-8")

    def _write_settings(self) -> None:
        values = {"layout": LAYOUT_VERSION, **asdict(self.settings)}
        unfinished = self.path / f"{_SETTINGS_FILE}.new"
        unfinished.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
        unfinished.replace(self.path / _SETTINGS_FILE)

    def move_to(self, public_url: str) -> Instance:
        """Change the address under which clients reach the service; return the instance with it.

        Raises:
            InstanceError: the address is out of form.
        """
        check_public_url(public_url)
        moved = Instance(self.path, replace(self.settings, public_url=public_url))
        if moved.settings != self.settings:
            try:
                moved._write_settings()
            except OSError as error:
                raise InstanceError(
                    f"{self.path} cannot be written ({error.strerror}); free space or restore write permission",
                    f"{self.path} 无法写入（{error.strerror}）；请腾出空间或恢复写权限",
                ) from error
        return moved

    @property
    def ledger_path(self) -> Path:
        return self.path / "ledger.db"

    @property
    def head_path(self) -> Path:
        """The record of the ledger's size and root that lies outside it (:mod:`ledger.log.guard`)."""
        return self._key_path("head")

    @property
    def identity_path(self) -> Path:
        return self.path / "identity.db"

    def database_path(self, category: str) -> Path:
        """The file of one of the six category databases.

        Raises:
            InstanceError: no such category.
        """
        if category not in CATEGORIES:
            raise InstanceError(
                f"no category {category!r}; there are {', '.join(CATEGORIES)}",
                f"没有类别 {category!r}；现有 {'、'.join(CATEGORIES)}",
            )
        return self.path / f"{category}.db"

    def ledger(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = os.urandom,
        also: Sequence[Ed25519PrivateKey] = (),
        on_commit: Callable[[Committed], None] | None = None,
    ) -> Ledger:
        """Open the ledger for appending. A context manager; close it."""
        key = self._private_key()
        return Ledger(
            self.ledger_path, key, now=now, random=random, also=also, head=self.head_path, on_commit=on_commit
        )

    def verifier_key(self) -> VerifierKey:
        """The public key of this instance's log: from its private key, or in a copy without keys from log.vkey.

        Trust it only as far as the folder; whoever must not trust the operator brings the key along.

        Raises:
            InstanceError: the private key is damaged; or there is none and log.vkey is missing or damaged.
        """
        if self._key_path("log.pem").exists():
            return VerifierKey(self.settings.origin, self._private_key().public_key().public_bytes_raw())
        path = self.path / "log.vkey"
        try:
            return VerifierKey.parse(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError, NoteError) as error:
            raise InstanceError(
                f"{path} is missing or damaged; restore it, or pass the key with --vkey",
                f"{path} 缺失或已损坏；请恢复该文件，或用 --vkey 提供公钥",
            ) from error

    def key_chain(self, trusted: VerifierKey | None = None) -> KeyChain:
        """The log's keys over all rotations, found from ``trusted``; by default from this folder's own key.

        Raises:
            TamperError: an entry that rotates the key is not signed by both keys.
        """
        return chain_of_file(trusted or self.verifier_key(), self.ledger_path)

    def rotate_key(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = os.urandom,
    ) -> VerifierKey:
        """Give the log a new key, announced in an entry that both keys sign; return its verifier key.

        The old key stays in keys/ as ``log.pem.old-N``. If this is interrupted, the next opening of the instance
        finishes it, or it never happened. A server that runs meanwhile refuses to append until it is restarted.

        Raises:
            LedgerError: the entry could not be made durable; the old key still holds.
        """
        with self._key_lock():
            self._finish_rotation()  # an earlier one
            old = self._load_key(_KEY_FILE)
            self._key_path(_NEXT_KEY_FILE).unlink(missing_ok=True)  # of one that never reached the ledger
            new = Ed25519PrivateKey.from_private_bytes(random(_SECRET_BYTES))
            write_private(self._key_path(_NEXT_KEY_FILE), private_pem(new))
            sync_folder(self.path / "keys")
            signers = Signer(self.settings.origin, old), Signer(self.settings.origin, new)
            with self.ledger(now=now, random=random, also=(new,)) as ledger:
                ledger.append(ROTATED, statement(*signers))
            self._take_next_key()
        return self.verifier_key()

    @contextlib.contextmanager
    def _key_lock(self) -> Iterator[None]:
        descriptor = os.open(self._key_path("rotation.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _take_next_key(self) -> None:
        """Put the announced key in the old one's place; each step may be the last one before a power cut."""
        current, following = self._key_path(_KEY_FILE), self._key_path(_NEXT_KEY_FILE)
        kept = [file.read_bytes() for file in current.parent.glob(f"{_KEY_FILE}.old-*")]
        if current.read_bytes() not in kept:
            current.with_name(f"{_KEY_FILE}.old-{len(kept) + 1}").hardlink_to(current)
        sync_folder(current.parent)
        following.replace(current)
        sync_folder(current.parent)
        self._write_vkey()

    def _finish_rotation(self) -> None:
        if self._next_key_announced():
            self._take_next_key()

    def _next_key_announced(self) -> bool:
        """Whether there is a key that is to follow and it stands in the ledger, so that it is the log's key already."""
        if not self._key_path(_NEXT_KEY_FILE).exists():
            return False
        public = self._load_key(_NEXT_KEY_FILE).public_key().public_bytes_raw().hex()
        store = Store.open(self.ledger_path, read_only=True)
        try:
            return any(
                f'"public_key":"{public}"'.encode() in entry for entry in store.newest(1, where={"kind": ROTATED})
            )
        finally:
            store.close()

    def row_secret(self) -> bytes:
        """32 bytes under which row hashes are keyed, so that nobody can guess rows from them."""
        return self._read_bytes("rows.secret")

    def session_secret(self) -> bytes:
        """32 bytes for Datasette's own signed values."""
        return self._read_bytes("session.secret")

    def _key_path(self, name: str) -> Path:
        return self.path / "keys" / name

    def _private_key(self) -> Ed25519PrivateKey:
        if self._next_key_announced():
            with self._key_lock():
                self._finish_rotation()
        return self._load_key(_KEY_FILE)

    def _load_key(self, name: str) -> Ed25519PrivateKey:
        path = self._key_path(name)
        try:
            key = serialization.load_pem_private_key(self._read_secret(name), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _damaged(path, "not an unencrypted private key in PEM") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _damaged(path, "not an Ed25519 key")
        return key

    def _read_bytes(self, name: str) -> bytes:
        secret = self._read_secret(name)
        if len(secret) != _SECRET_BYTES:  # a cut-off secret would still work as a key, and be guessable
            raise _damaged(self._key_path(name), f"{len(secret)} bytes, want {_SECRET_BYTES}")
        return secret

    def _read_secret(self, name: str) -> bytes:
        path = self._key_path(name)
        try:
            check_private(path)
            return path.read_bytes()
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from error


def private_pem(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 PEM, unencrypted: the file's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read (0600 from its first byte on)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # a key must not be lost that already signed something durable


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_private(path: Path) -> None:
    """Raise :class:`InstanceError` if others than the owner may read ``path``."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise InstanceError(
            f"{path} can be read by others (mode {mode:04o}); run `chmod 600 {path}`",
            f"{path} 可被他人读取（权限 {mode:04o}）；请运行 `chmod 600 {path}`",
        )


def _damaged(path: Path, why: str) -> InstanceError:
    return InstanceError(
        f"{path} is damaged or cannot be read ({why}); restore it from a backup",
        f"{path} 已损坏或无法读取（{why}）；请从备份恢复",
    )
