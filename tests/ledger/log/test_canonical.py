"""Canonical bytes: one spelling per value, everything else refused, no foreign exception."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import decimal
import enum
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.errors import CanonicalError
from ledger.log.canonical import MAX_DEPTH, decode, decode_object, encode

MAX_INT = 2**53 - 1
# Every kind of character that a JSON writer may treat in its own way, often.
characters = st.one_of(
    st.characters(exclude_categories=("Cs",)),
    st.sampled_from('"\\/\b\f\n\r\t\0\x01\x1f\x7f\x80\u2028\u2029\ufeff\ufffe\ufffd中。𠮷😀\U0010ffff'),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-MAX_INT, MAX_INT), st.text(characters, max_size=20), st.just("")
)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


def nested(depth: int) -> st.SearchStrategy[Any]:
    if depth == 0:
        return scalars
    inner = nested(depth - 1)
    return scalars | st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)


values = nested(4)


@given(values)
@settings(max_examples=400)
@example({})
@example([])
@example([[], {}, [{}]])
@example({"a": -MAX_INT, "b": MAX_INT, "c": 0, "a0": -1, "a_": 1, "aa": 2})
@example("".join(map(chr, range(0x80))))
@example("\u2028\u2029\U0001f600𠮷")
def test_bytes_equal_those_of_an_rfc_8785_library(value: Any) -> None:
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert decode(data) == value


@given(st.dictionaries(keys, scalars, min_size=2, max_size=12))
def test_the_order_in_which_keys_were_added_does_not_matter(value: dict[str, Any]) -> None:
    assert encode(value) == encode(dict(reversed(value.items())))


@given(values, st.booleans(), st.booleans(), st.sampled_from([None, 0, 1]))
def test_any_other_spelling_by_another_writer_is_refused(value: Any, ascii_: bool, sort: bool, indent: Any) -> None:
    spelled = json.dumps(value, ensure_ascii=ascii_, sort_keys=sort, indent=indent).encode()
    if spelled == encode(value):
        assert decode(spelled) == value
    else:
        with pytest.raises(CanonicalError):
            decode(spelled)


NOT_CANONICAL = {
    "nothing": b"",
    "a space before": b' {"a":1}',
    "a newline after": b'{"a":1}\n',
    "a space after the colon": b'{"a": 1}',
    "keys out of order": b'{"b":1,"a":2}',
    "a duplicate key": b'{"a":1,"a":1}',
    "a duplicate key with another value": b'{"a":1,"a":2}',
    "a duplicate key, once escaped": b'{"a":1,"\\u0061":1}',
    "an escape that need not be": b'"\\u4e2d"',
    "an escaped slash": b'"\\/"',
    "a capital in an escape": b'"\\u001F"',
    "a long escape for a newline": b'"\\u000a"',
    "a float": b"1.5",
    "a whole float": b"1.0",
    "an exponent": b"1e3",
    "an exponent that overflows": b"1e400",
    "minus zero": b"-0",
    "a leading zero": b"01",
    "a plus": b"+1",
    "2^53": b"9007199254740992",
    "-2^53": b"-9007199254740992",
    "2^64": b"18446744073709551616",
    "a number of 10,000 digits": b"9" * 10_000,
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "a capital key": b'{"A":1}',
    "an empty key": b'{"":1}',
    "a key beginning with a digit": b'{"0a":1}',
    "a Chinese key": '{"县":1}'.encode(),
    "a key with a trailing newline": b'{"a\\n":1}',
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'"\\udc00"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a surrogate pair as escapes": b'"\\ud83d\\ude00"',
    "an overlong encoding": b'"\xc0\xaf"',
    "bytes that are not UTF-8": b'"\xff"',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a raw control character": b'"\x01"',
    "two values": b"{}{}",
    "a trailing comma": b"[1,]",
    "a comment": b"[1]//",
    "single quotes": b"{'a':1}",
    "lists nested too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "lists nested 300 deep": b"[" * 300 + b"]" * 300,
    "a bomb of lists": b"[" * 200_000,
    "a bomb of objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalError) as caught:
        decode(data)
    assert caught.value.en and caught.value.zh


json_like = st.text('[]{}",:0123456789.eE+-truefalsn\\ud8a "\n中', max_size=40).map(str.encode)


@given(st.one_of(st.binary(max_size=60), json_like))
@settings(max_examples=800)
def test_no_bytes_at_all_raise_anything_but_a_canonical_error(data: bytes) -> None:
    try:
        value = decode(data)
    except CanonicalError:
        return
    assert encode(value) == data


@given(values, st.data())
def test_a_changed_byte_gives_another_value_or_is_refused(value: Any, data: st.DataObject) -> None:
    good = bytearray(encode(value))
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CanonicalError):
        assert decode(bytes(good)) != value


class Text(str):
    __slots__ = ()


class Colour(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Thing:
    a: int = 1


LOOP: list[Any] = []
LOOP.append(LOOP)
NOT_VALUES = {
    "a float": 1.5,
    "not a number": float("nan"),
    "2^53": 2**53,
    "-2^53": -(2**53),
    "a number too long to print": 10**10_000,
    "bytes": b"a",
    "a tuple": (1,),
    "a set": {1},
    "a date": datetime.date(2026, 11, 23),
    "a decimal": decimal.Decimal(1),
    "a subclass of str": Text("a"),
    "an enumeration": Colour.RED,
    "a dataclass": Thing(),
    "an integer key": {1: 2},
    "a true key": {True: 1},
    "a capital key": {"aB": 1},
    "a dashed key": {"a-b": 1},
    "a lone surrogate": "\ud800",
    "a lone surrogate deep inside": {"a": [{"b": "x\udfff"}]},
    "a key with a lone surrogate": {"a\ud800": 1},
    "a list that holds itself": LOOP,
}


@pytest.mark.parametrize("value", NOT_VALUES.values(), ids=NOT_VALUES)
def test_values_outside_the_domain_are_refused(value: Any) -> None:
    with pytest.raises(CanonicalError):
        encode(value)


def test_nesting_is_allowed_just_up_to_the_limit() -> None:
    data = b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    assert encode(decode(data)) == data


@pytest.mark.parametrize("data", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_an_entry_must_be_an_object(data: bytes) -> None:
    assert encode(decode(data)) == data
    with pytest.raises(CanonicalError):
        decode_object(data)


def test_the_message_names_the_place() -> None:
    with pytest.raises(CanonicalError, match=r"\$\.a\[1\]\.b"):
        encode({"a": [1, {"b": 0.5}]})  # type: ignore[list-item]
