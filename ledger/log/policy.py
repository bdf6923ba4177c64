"""Which logs and witnesses are trusted, and how many witnesses make a checkpoint *witnessed*.

Source: c2sp.org/tlog-policy. The file is read as octets; names are opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from ledger.errors import NoteError
from ledger.log.cosignature import Cosigned, CosignerKey, open_cosigned
from ledger.log.note import Checkpoint, VerifierKey

MAX_LINES = 1_000
_NONE = b"none"

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of a policy: its key, and where it takes checkpoints, if that is known."""

    name: str
    key: CosignerKey
    url: str


@dataclass(frozen=True, slots=True)
class _Group:
    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy file."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]
    _groups: tuple[tuple[bytes, _Group], ...]
    _quorum: bytes

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Read a policy file.

        Raises:
            NoteError: names the line and what is wrong with it.
        """
        return _Parser().parse(data)

    def is_quorum(self, signers: Collection[CosignerKey]) -> bool:
        """Whether cosignatures by ``signers`` make a checkpoint witnessed."""
        if self._quorum == _NONE:
            return True
        witnessed = {
            witness.name.encode("utf-8", "surrogateescape") for witness in self.witnesses if witness.key in signers
        }
        for name, group in self._groups:  # in the file's order: a group names only what stands above it
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(name)
        return self._quorum in witnessed

    def open_checkpoint(self, data: bytes) -> tuple[Checkpoint, tuple[Cosigned, ...]]:
        """Read a checkpoint of one of the policy's logs with its valid cosignatures, quorum or not.

        Raises:
            NoteError: malformed, of no log of the policy, or a signature of a known key does not verify.
        """
        problem: NoteError | None = None
        for log in self.logs:
            try:
                return open_cosigned(data, log, [witness.key for witness in self.witnesses])
            except NoteError as error:
                problem = problem or error
        raise problem or NoteError(
            "the policy names no log; add a line `log VKEY`", "策略中没有日志；请添加一行 `log 验证公钥`"
        )


class _Parser:
    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: list[Witness] = []
        self.groups: dict[bytes, _Group] = {}
        self.quorum: bytes | None = None
        self._names: set[bytes] = set()
        self._used: set[bytes] = set()
        self._line = 0

    def parse(self, data: bytes) -> Policy:
        lines = data.split(b"\n")
        if len(lines) > MAX_LINES:
            raise self._fail(f"more than {MAX_LINES} lines", f"超过 {MAX_LINES} 行")
        if lines[-1].strip(b" \t"):
            self._line = len(lines)
            raise self._fail("the last line does not end with a newline", "末行没有换行符")
        for self._line, line in enumerate(lines, 1):
            if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in line):
                raise self._fail("a control character", "含控制字符")
            words = [word for word in line.replace(b"\t", b" ").split(b" ") if word]
            if words and not words[0].startswith(b"#"):
                self._statement(words)
        if self.quorum is None:
            raise self._fail("no quorum line", "缺少 quorum 行")
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups.items()), self.quorum)

    def _statement(self, words: list[bytes]) -> None:
        match words:
            case [b"log", vkey] | [b"log", vkey, _]:
                self._add_log(vkey)
            case [b"witness", name, vkey]:
                self._add_witness(name, vkey, b"")
            case [b"witness", name, vkey, url]:
                self._add_witness(name, vkey, url)
            case [b"group", name, threshold, *members] if members:
                self._add_group(name, threshold, members)
            case [b"quorum", name]:
                if self.quorum is not None:
                    raise self._fail("a second quorum line", "quorum 行重复")
                if name != _NONE and name not in self._names:
                    raise self._fail(f"{_show(name)} is not defined above", f"{_show(name)} 未在上文定义")
                self.quorum = name
            case _:
                raise self._fail(
                    "not a line of the form log, witness, group or quorum", "不是 log、witness、group 或 quorum 行"
                )

    def _add_log(self, vkey: bytes) -> None:
        key = self._key(VerifierKey.parse, vkey)
        if any(key.public_key == known.public_key for known in self.logs):
            raise self._fail("this log's key was given before", "该日志公钥重复")
        self.logs.append(key)

    def _add_witness(self, name: bytes, vkey: bytes, url: bytes) -> None:
        key = self._key(CosignerKey.parse, vkey)
        if any(key.public_key == known.key.public_key for known in self.witnesses):
            raise self._fail("this witness's key was given before", "该见证公钥重复")
        self._define(name)
        self.witnesses.append(Witness(_text(name), key, _text(url)))

    def _key(self, parse: Callable[[str], Key], vkey: bytes) -> Key:
        try:
            return parse(_text(vkey))
        except NoteError as error:
            raise self._fail(error.en, error.zh) from error

    def _add_group(self, name: bytes, threshold: bytes, members: list[bytes]) -> None:
        for member in members:
            if member not in self._names:
                raise self._fail(f"{_show(member)} is not defined above", f"{_show(member)} 未在上文定义")
            if member in self._used:
                raise self._fail(f"{_show(member)} is in a group already", f"{_show(member)} 已属于其他组")
            self._used.add(member)
        words = {b"any": 1, b"all": len(members)}
        number = words.get(threshold, int(threshold) if threshold.isdigit() and len(threshold) < 4 else 0)
        if not 1 <= number <= len(members) or threshold[:1] == b"0":
            raise self._fail(
                f"threshold {_show(threshold)}: want any, all or 1 to {len(members)}",
                f"门限 {_show(threshold)}：应为 any、all 或 1 至 {len(members)}",
            )
        self._define(name)
        self.groups[name] = _Group(number, tuple(members))

    def _define(self, name: bytes) -> None:
        if name == _NONE or name in self._names:
            raise self._fail(f"the name {_show(name)} is taken", f"名称 {_show(name)} 已被使用")
        self._names.add(name)

    def _fail(self, en: str, zh: str) -> NoteError:
        return NoteError(f"policy, line {self._line}: {en}", f"策略第 {self._line} 行：{zh}")


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _show(word: bytes) -> str:
    return repr(word.decode("utf-8", "replace"))
