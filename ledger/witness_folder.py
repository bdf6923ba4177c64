"""A witness's folder: its name, key, the logs it knows, whom to call, and what it has seen. No instance is near it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import InstanceError, NoteError
from ledger.instance import check_private, private_pem, write_private
from ledger.log.cosignature import Cosigner
from ledger.log.note import VerifierKey, check_name
from ledger.log.witness import Witness
from ledger.log.witness_page import Page

_SETTINGS = "witness.yml"
_KEY = "witness.pem"
_STATE = "state.db"


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """What the folder ``path`` says.

    Attributes:
        logs: the keys of the logs that it witnesses.
        page: whom to call, and after how many silent hours the page turns red.
    """

    path: Path
    cosigner: Cosigner
    logs: tuple[VerifierKey, ...]
    page: Page

    @classmethod
    def create(
        cls, path: Path, name: str, logs: tuple[VerifierKey, ...], page: Page, random: Callable[[int], bytes]
    ) -> WitnessFolder:
        """Make the folder, with a new key and an empty state.

        Raises:
            NoteError: ``name`` cannot name a witness.
            InstanceError: the folder exists and is not empty, or cannot be made.
        """
        check_name(name)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise InstanceError(
                    f"{path} is not empty; choose a new folder, nothing was changed",
                    f"{path} 不是空目录；请另选目录，未作任何更改",
                )
            write_private(path / _KEY, private_pem(Ed25519PrivateKey.from_private_bytes(random(32))))
            Witness.create(path / _STATE)
            settings = {
                "name": name,
                "logs": [str(log) for log in logs],
                "call": page.call,
                "silent_after_hours": page.silent_after_hours,
                **({"since": page.since.astimezone(UTC).isoformat(timespec="seconds")} if page.since else {}),
            }
            # Last: without it the folder is no witness's.
            (path / _SETTINGS).write_text(
                yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8"
            )
        except OSError as error:
            raise InstanceError(
                f"{path} cannot be created ({error.strerror}); choose a folder that you may write",
                f"无法创建 {path}（{error.strerror}）；请选择有写权限的目录",
            ) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> WitnessFolder:
        """Read the folder.

        Raises:
            InstanceError: there is none, or it is damaged.
        """
        file = path / _SETTINGS
        try:
            raw: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
            since = datetime.fromisoformat(raw["since"]) if "since" in raw else None
            page = Page(raw["call"], raw["silent_after_hours"], since)
            logs = tuple(VerifierKey.parse(line) for line in raw["logs"])
            name = raw["name"]
            check_name(name)
            if type(page.call) is not str or type(page.silent_after_hours) is not int or page.silent_after_hours < 0:
                raise TypeError("call is not text, or silent_after_hours not a whole number from 0")
            if since is not None and since.tzinfo is None:
                raise ValueError("since has no time zone")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InstanceError(
                f"{path} is not a witness's folder ({_SETTINGS} is missing); make one with `liandong witness init DIR`",
                f"{path} 不是见证目录（缺少 {_SETTINGS}）；请用 `liandong witness init 目录` 新建",
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError, NoteError) as error:
            raise _damaged(file, (str(error) or type(error).__name__).splitlines()[0]) from error
        return cls(path, Cosigner(name, _read_key(path / _KEY)), logs, page)

    def witness(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Witness:
        """Open the state. Close it.

        Raises:
            InstanceError: it is missing or damaged.
        """
        return Witness(self.path / _STATE, self.cosigner, self.logs, now)

    @property
    def mirror_path(self) -> Path:
        """Where the entries are kept, if this witness is a mirror."""
        return self.path / "mirror.db"

    def policy_lines(self, url: str) -> str:
        """The line that the log's owner puts into its policy."""
        short = re.sub(r"[^A-Za-z0-9_-]+", "-", self.cosigner.name).strip("-") or "witness"
        return f"witness {short} {self.cosigner.key} {url}".rstrip()


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        check_private(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path, "not an Ed25519 key")
    return key


def _damaged(path: Path, why: str) -> InstanceError:
    return InstanceError(
        f"{path} is damaged or cannot be read ({why}); restore it from a backup",
        f"{path} 已损坏或无法读取（{why}）；请从备份恢复",
    )
