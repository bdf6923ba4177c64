"""The forms that a field of an entry may have: a test of its value, and what is wanted, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_HEX_HASH = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,256}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_.:/@-]{0,127}")
# [0-9], not \d: the latter takes full-width digits too.
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Field:
    """One open field: a test of its value and, for error messages, what is wanted."""

    accepts: Callable[[Any], bool]
    want_en: str
    want_zh: str
    required: bool = True

    def optional(self) -> Field:
        return Field(self.accepts, self.want_en, self.want_zh, required=False)


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _is_instant(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    """Of the form ``pattern`` and a day (and time) that exists."""

    def accepts(value: Any) -> bool:
        if type(value) is not str or not pattern.fullmatch(value):
            return False
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
        return True

    return accepts


IDENTIFIER = Field(_matches(_IDENTIFIER), "an identifier of lower-case ASCII", "由小写英文字母等组成的标识")
HASH = Field(_matches(_HEX_HASH), "a SHA-256 hash as 64 hex digits", "64 位十六进制的 SHA-256 值")
HEX = Field(_matches(_HEX), "bytes as up to 512 hex digits", "不超过 512 位的十六进制字节")
SIGNATURE = Field(_matches(_SIGNATURE), "an Ed25519 signature as 128 hex digits", "128 位十六进制的 Ed25519 签名")
DATE = Field(_is_instant(_DATE), "a date YYYY-MM-DD", "日期 YYYY-MM-DD")
TIMESTAMP = Field(_is_instant(_TIMESTAMP), "a UTC time YYYY-MM-DDThh:mm:ss.sssZ", "协调世界时 YYYY-MM-DDThh:mm:ss.sssZ")
COUNT = Field(lambda value: type(value) is int and value >= 0, "a whole number from 0", "不小于 0 的整数")
STATUS = Field(lambda value: type(value) is int and 100 <= value < 600, "an HTTP status", "HTTP 状态码")


def text(limit: int) -> Field:
    """Text of 1 to ``limit`` characters."""
    return Field(
        lambda value: type(value) is str and 0 < len(value) <= limit,
        f"text of 1 to {limit} characters",
        f"1 至 {limit} 个字的文本",
    )


def choice(*values: str) -> Field:
    """One of ``values``."""
    return Field(lambda value: value in values, "one of " + ", ".join(values), "其一：" + "、".join(values))


def list_of(field: Field) -> Field:
    """A list whose items are each a ``field``."""
    return Field(
        lambda value: type(value) is list and all(field.accepts(item) for item in value),
        f"a list, each {field.want_en}",
        f"列表，每项为{field.want_zh}",
    )


AUTH = choice("signature", "token", "session")


@dataclass(frozen=True, slots=True)
class Kind:
    """The schema of one kind in one version."""

    name: str
    version: int
    title_zh: str
    title_en: str
    fields: Mapping[str, Field]
    particulars: frozenset[str] = frozenset()
