"""Values to canonical bytes and back: the only encoder of entries.

Canonical means RFC 8785 (JSON Canonicalization Scheme) over a domain in which it has no hard corners: strings,
integers of magnitude below 2^53, booleans, null, arrays and objects of these with lower-case ASCII keys; no
floats. In that domain ``orjson`` with sorted keys writes the same bytes as an RFC 8785 library (tests compare
the two), some forty times faster. docs/spec/entry.md gives the rules as numbered MUSTs.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import orjson

from ledger.errors import CanonicalError

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value] | None"

#: tlog-tiles entry bundles carry a 16-bit length before each entry.
MAX_ENTRY_BYTES = 65_535
#: Deep nesting is never needed and would let hostile input exhaust the stack.
MAX_DEPTH = 16

_INT_LIMIT = 2**53
#: A key may be as long as an entry; of one that is not allowed so much is shown.
_SHOWN_CHARACTERS = 60
_KEY = re.compile(r"[a-z][a-z0-9_]*")


def encode(value: Value) -> bytes:
    """Return the canonical bytes of ``value``.

    Raises:
        CanonicalError: a float, an integer of 2^53 or beyond, a key that is not lower-case ASCII, a lone
            surrogate, nesting deeper than :data:`MAX_DEPTH`, or any other type.

    Source: RFC 8785 §3.2; docs/spec/entry.md.
    """
    if not _is_allowed(value, MAX_DEPTH):
        _check(value, "$", MAX_DEPTH)  # the same again, slowly: it raises and says where
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
        raise CanonicalError(
            f"text that is not valid Unicode cannot be encoded: {error}; remove the broken characters",
            f"文本含无效的 Unicode 字符，无法编码：{error}；请删除损坏的字符",
        ) from error


def decode(data: bytes) -> Value:
    """Return the value whose canonical bytes are ``data``; anything that does not re-encode to itself is refused.

    Raises:
        CanonicalError: not JSON, outside the domain, or not in canonical form (spaces, key order, duplicate
            keys, escapes that need not be).
    """
    try:
        value: Value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CanonicalError(
            f"not JSON: {error}; canonical entry bytes are needed", f"不是 JSON：{error}；需要规范的条目字节"
        ) from error
    if encode(value) != data:
        raise CanonicalError(
            "the bytes are JSON but not canonical: they do not re-encode to themselves (RFC 8785)",
            "该字节是 JSON，但不是规范形式：重新编码后与原字节不同（RFC 8785）",
        )
    return value


def decode_object(data: bytes) -> dict[str, Value]:
    """:func:`decode`, for bytes that must hold an object."""
    value = decode(data)
    if not isinstance(value, dict):
        raise CanonicalError(
            f"got a {type(value).__name__}, want an object {{…}}",
            f"得到的是 {type(value).__name__}，应为对象 {{…}}",
        )
    return value


# Keys met before: each entry has the same few, and a regular expression for each is half of encoding's cost.
_known_keys: set[str] = set()
_MAX_KNOWN_KEYS = 4_096


def _is_allowed(value: object, depth: int) -> bool:
    """Whether :func:`_check` passes, without telling why not; almost always it does."""
    kind = type(value)
    if kind is int:
        return -_INT_LIMIT < value < _INT_LIMIT  # type: ignore[operator]
    if depth == 0 or kind not in (dict, list):
        return kind is str or kind is bool or value is None
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or (key not in _known_keys and not _is_key(key)):
                return False
            if type(item) is not str and not _is_allowed(item, depth - 1):
                return False
        return True
    return all(_is_allowed(item, depth - 1) for item in value)  # type: ignore[attr-defined]


def _is_key(key: str) -> bool:
    if not _KEY.fullmatch(key):
        return False
    if len(_known_keys) < _MAX_KNOWN_KEYS:
        _known_keys.add(key)
    return True


def _check(value: object, where: str, depth: int) -> None:
    # Exact types on purpose: bool is an int, and subclasses may serialise in their own way.
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -_INT_LIMIT < value < _INT_LIMIT:  # type: ignore[operator]
            # The number itself is not shown: Python refuses to print one of many thousand digits.
            bits = value.bit_length()  # type: ignore[attr-defined]
            raise CanonicalError(
                f"{where}: an integer of {bits} bits; integers must be below 2^53, write larger ones as text",
                f"{where}：整数长 {bits} 位（二进制），须小于 2^53；更大的数请写成文本",
            )
        return
    if depth == 0:
        raise CanonicalError(
            f"{where}: nested deeper than {MAX_DEPTH} levels; flatten the value",
            f"{where}：嵌套超过 {MAX_DEPTH} 层；请减少层级",
        )
    if kind is list:
        for index, item in enumerate(value):  # type: ignore[arg-type, var-annotated]
            _check(item, f"{where}[{index}]", depth - 1)
        return
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not _KEY.fullmatch(key):
                raise CanonicalError(
                    f"{where}: key {_short(key)} is not allowed; keys are lower-case ASCII letters, digits and _",
                    f"{where}：不允许的键 {_short(key)}；键只能由小写英文字母、数字和下划线组成",
                )
            _check(item, f"{where}.{key[:_SHOWN_CHARACTERS]}", depth - 1)
        return
    raise CanonicalError(
        f"{where}: {kind.__name__} is not allowed; use text, whole numbers, true/false, null, lists, objects",
        f"{where}：不允许的类型 {kind.__name__}；只能使用文本、整数、真假值、空值、列表和对象",
    )


def _short(key: object) -> str:
    shown = repr(key)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
