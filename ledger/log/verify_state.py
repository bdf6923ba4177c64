"""Where a verification ended, kept so that the next one reads only what is new."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import InstanceError
from ledger.log.verify_tree import root_of


@dataclass(frozen=True, slots=True)
class VerifiedState:
    """What a verification ended with, from which the next one goes on.

    Attributes:
        frontier: roots of the complete subtrees of the ``size`` entries, largest first; they fold to the root.
        last: hash of the last entry.
        entries_seen: the entries themselves were checked, not their published hashes alone.
    """

    origin: str
    size: int
    frontier: tuple[bytes, ...]
    last: bytes
    first_t: str
    last_t: str
    entries_seen: bool = True

    def to_json(self) -> dict[str, Any]:
        """What :meth:`from_json` reads: text and numbers, hashes in hex."""
        digits = [value.hex() for value in self.frontier]
        values = {"origin": self.origin, "size": self.size, "root": self.root.hex(), "frontier": digits}
        links = {"last": self.last.hex(), "first_t": self.first_t, "last_t": self.last_t}
        return {"version": 1, **values, **links, "entries_seen": self.entries_seen}

    @classmethod
    def from_json(cls, value: Any) -> VerifiedState:
        """Read a state.

        Raises:
            InstanceError: not of the form, of a newer version, or its frontier does not fold to its root.
        """
        try:
            if value["version"] != 1:
                raise ValueError(f"version {value['version']!r}")
            frontier = tuple(_hash(digits) for digits in value["frontier"])
            texts = [value[name] for name in ("origin", "first_t", "last_t")]
            size, seen = value["size"], value.get("entries_seen", True)
            if type(size) is not int or size < 1 or any(type(text) is not str for text in texts):
                raise ValueError("size, origin or times")
            if type(seen) is not bool:
                raise ValueError("entries_seen")
            state = cls(texts[0], size, frontier, _hash(value["last"]), texts[1], texts[2], seen)
            if len(frontier) != size.bit_count() or state.root != _hash(value["root"]):
                raise ValueError("the frontier does not fold to the root")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InstanceError(
                f"this is not the state of an earlier verification ({error}); remove the file and verify in full",
                f"这不是以往核验留下的状态（{error}）；请删除该文件并作完整核验",
            ) from error
        return state

    @classmethod
    def load(cls, path: Path) -> VerifiedState | None:
        """The state in a file; None where there is no file yet. Raises :class:`InstanceError`."""
        try:
            return cls.from_json(orjson.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, orjson.JSONDecodeError) as error:
            raise InstanceError(
                f"{path} cannot be read as the state of an earlier verification ({error}); remove it and verify all",
                f"{path} 无法作为以往核验的状态读取（{error}）；请删除后作完整核验",
            ) from error

    def save(self, path: Path) -> None:
        """Write the file anew, whole or not at all. Raises :class:`InstanceError`."""
        unfinished = path.with_name(f"{path.name}.new")
        try:
            unfinished.write_bytes(orjson.dumps(self.to_json(), option=orjson.OPT_INDENT_2) + b"\n")
            unfinished.replace(path)
        except OSError as error:
            raise InstanceError(
                f"{path} cannot be written ({error.strerror}); name a file in a folder that you may write",
                f"无法写入 {path}（{error.strerror}）；请指定有写权限的位置",
            ) from error

    def check_log(self, origin: str, file: Path) -> None:
        """Raise :class:`InstanceError` if the state, kept in ``file``, is of another log than ``origin``."""
        if self.origin != origin:
            raise InstanceError(
                f"{file} is of log {self.origin!r}, this one is {origin!r}; name another file",
                f"{file} 属于日志 {self.origin!r}，而本日志为 {origin!r}；请另指定文件",
            )

    def check_entries_seen(self, file: Path) -> None:
        """Raise :class:`InstanceError` if the state, kept in ``file``, is of a verification that saw hashes alone."""
        if not self.entries_seen:
            raise InstanceError(
                f"{file} is of a verification that saw hash tiles only, not the entries before {self.size}; name "
                "another file, so that entries are verified from the first one on",
                f"{file} 是仅核验哈希瓦片时留下的，前 {self.size} 条的内容未曾核验；请另指定文件，以便从首条起核验条目",
            )

    @property
    def root(self) -> bytes:
        return root_of(self.frontier)


def _hash(digits: Any) -> bytes:
    if type(digits) is not str or not re.fullmatch("[0-9a-f]{64}", digits):
        raise ValueError("a hash is 64 hex digits")
    return bytes.fromhex(digits)
