"""The full check of entries one by one: their hashes, their links, their canonical form. It names what is wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from ledger.errors import Fault, LedgerError, TamperError

MAX_ENTRY_BYTES = 65_535
_MAX_DEPTH = 16
_INT_LIMIT = 2**53
#: How many bytes of two differing entries a message shows.
_SHOWN_BYTES = 8
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

#: The schema check of one decoded entry; raises :class:`LedgerError`.
CheckEntry = Callable[[dict[str, Any]], None]


class Chain:
    """Checks entries one by one, in order."""

    def __init__(self, origin: str, check_entry: CheckEntry | None, size: int = 0) -> None:
        self.size = size
        self.prev = bytes(32)
        self.first_t = self.last_t = ""
        self._origin = origin
        self._check_entry = check_entry

    def step(self, seq: int, entry: object, stored: object) -> bytes:
        expected_seq = self.size
        if seq != expected_seq:
            raise TamperError(
                f"entry {expected_seq} is missing: entry {seq} follows entry {expected_seq - 1}",
                f"缺少第 {expected_seq} 条：第 {expected_seq - 1} 条之后直接是第 {seq} 条",
                Fault(expected_seq, "seq", str(expected_seq), str(seq)),
            )
        if not isinstance(entry, bytes) or not isinstance(stored, bytes):
            found = f"{type(entry).__name__}, {type(stored).__name__}"
            raise bad(
                seq,
                "entry or hash is not stored as bytes",
                "条目或哈希的存储类型不对",
                ("bytes", "bytes, bytes", found),
            )
        leaf = hashlib.sha256(b"\0" + entry).digest()
        if leaf != stored:
            raise bad(
                seq,
                f"its bytes hash to {leaf.hex()}, recorded is {stored.hex()}: the entry or its hash was altered",
                f"字节的哈希为 {leaf.hex()}，记录的是 {stored.hex()}：条目或其哈希被改动",
                ("hash", stored.hex(), leaf.hex()),
            )
        t = self.check_form(seq, entry, self.prev)["t"]
        if t < self.last_t:
            raise bad(
                seq,
                f"time {t!r} is before {self.last_t!r}",
                f"时间 {t!r} 早于 {self.last_t!r}",
                ("t", f"not before {self.last_t}", t),
            )
        self.first_t, self.last_t = self.first_t or t, t
        self.prev = leaf
        self.size += 1
        return leaf

    def check_form(self, seq: int, entry: bytes, before: bytes) -> dict[str, Any]:
        """Check all of entry ``seq`` but its hash and that time goes on; return it decoded.

        Args:
            before: hash of the entry before.
        """
        value = _canonical(seq, entry)
        prev, want = value.get("prev"), before.hex()
        if prev != want:
            raise bad(
                seq,
                f"prev is {short(prev)}, the entry before hashes to {want}: the chain is broken here",
                f"prev 为 {short(prev)}，而前一条的哈希为 {want}：链在此断开",
                ("prev", want, short(prev)),
            )
        if type(value.get("seq")) is not int or value["seq"] != seq or value.get("log") != self._origin:
            says = short(value.get("seq")), short(value.get("log"))
            raise bad(
                seq,
                f"it says seq {says[0]} of log {says[1]}: it was copied from elsewhere",
                f"其自称为日志 {says[1]} 的第 {says[0]} 条：系从别处复制",
                ("log" if value.get("log") != self._origin else "seq", f"{seq} of {self._origin!r}", " of ".join(says)),
            )
        t = value.get("t")
        if not isinstance(t, str) or not _TIMESTAMP.fullmatch(t):
            raise bad(
                seq,
                f"time {short(t)} is out of form",
                f"时间 {short(t)} 格式不对",
                ("t", "YYYY-MM-DDThh:mm:ss.sssZ", short(t)),
            )
        if self._check_entry is not None:
            try:
                self._check_entry(value)
            except TamperError:
                raise
            except LedgerError as error:
                error.en, error.zh = f"entry {seq}: {error.en}", f"第 {seq} 条：{error.zh}"
                error.args = (error.en,)
                if error.fault is not None:
                    error.fault = replace(error.fault, entry=seq)
                raise
        return value


def _canonical(seq: int, entry: bytes) -> dict[str, Any]:
    """The object whose canonical bytes are ``entry``; raise what is wrong with them."""
    if len(entry) > MAX_ENTRY_BYTES:
        raise bad(
            seq,
            f"{len(entry)} bytes, more than {MAX_ENTRY_BYTES}",
            f"长 {len(entry)} 字节，超过上限 {MAX_ENTRY_BYTES}",
            ("bytes", f"at most {MAX_ENTRY_BYTES}", str(len(entry))),
        )
    try:
        value = orjson.loads(entry)
    except ValueError as error:
        raise bad(seq, f"not JSON ({error})", f"不是 JSON（{error}）", ("bytes", "JSON", entry[:16].hex())) from error
    if not isinstance(value, dict):
        raise bad(seq, "not an object", "不是对象", ("bytes", "7b (an object)", entry[:16].hex()))
    if not _in_domain(value, _MAX_DEPTH):
        where, found = _outside(value, "$", _MAX_DEPTH)
        raise bad(
            seq,
            f"at {where}, {found}: a value outside the canonical domain (a float, an integer from 2^53 on, a key that "
            "is not lower-case ASCII, nesting too deep)",
            f"{where} 处，{found}：含规范之外的值（浮点数、不小于 2^53 的整数、非小写英文的键或过深的嵌套）",
            (where, "a value of the canonical domain", found),
        )
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if canonical != entry:
        pairs = zip(canonical, entry, strict=False)
        place = next((n for n, (one, two) in enumerate(pairs) if one != two), min(len(canonical), len(entry)))
        want, found = (data[place : place + _SHOWN_BYTES].hex() or "the end" for data in (canonical, entry))
        raise bad(
            seq,
            f"not in canonical form: from byte {place} on it is {found} (hex), canonical is {want}",
            f"不是规范形式：自第 {place} 字节起为 {found}（十六进制），规范写法为 {want}",
            (f"bytes from {place}", want, found),
        )
    return value


def _in_domain(value: object, depth: int) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if isinstance(value, int):
        return -_INT_LIMIT < value < _INT_LIMIT
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(_KEY.fullmatch(key) and _in_domain(item, depth - 1) for key, item in value.items())
    return isinstance(value, list) and all(_in_domain(item, depth - 1) for item in value)


def _outside(value: object, where: str, depth: int) -> tuple[str, str]:
    """Where ``value``, which is not in the canonical domain, leaves it first, and what stands there."""
    if depth and isinstance(value, dict):
        for key, item in value.items():
            if not _KEY.fullmatch(key):
                return where, short(key)
            if not _in_domain(item, depth - 1):
                return _outside(item, f"{where}.{key[:60]}", depth - 1)
    if depth and isinstance(value, list):
        for place, item in enumerate(value):
            if not _in_domain(item, depth - 1):
                return _outside(item, f"{where}[{place}]", depth - 1)
    return where, short(value)


def bad(seq: int, en: str, zh: str, what: tuple[str, str, str] | None = None) -> TamperError:
    """The error for entry ``seq``; ``what`` is the field, what was expected and what was found (:class:`Fault`)."""
    return TamperError(f"entry {seq}: {en}", f"第 {seq} 条：{zh}", Fault(seq, *what) if what else None)


def short(value: object) -> str:
    """A value from the file, for a message: as a literal, so that it can hold no control characters."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    shown = repr(value)
    return shown if len(shown) <= 100 else shown[:97] + "…"
