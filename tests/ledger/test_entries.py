"""The schemas of kinds: what each field takes, and the errors of entries that do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import entries
from ledger.entries import KINDS
from ledger.errors import EntryError, LedgerError, VersionTooNewError
from ledger.fields import (
    COUNT,
    DATE,
    HASH,
    HEX,
    IDENTIFIER,
    SIGNATURE,
    STATUS,
    TIMESTAMP,
    Field,
    Kind,
    choice,
    list_of,
    text,
)
from ledger.log import canonical

CHAIN = {"log": "ledger.example/x", "prev": "0" * 64, "seq": 0, "t": "2026-11-23T02:03:04.123Z"}
HUGE = 10**5_000

TAKES: dict[str, tuple[Field, list[Any], list[Any]]] = {
    "identifier": (
        IDENTIFIER,
        ["a", "0", "work/permits", "a_b.c:d@e-f", "2026-11-23-001", "a" * 128],
        ["", "A", "_a", "-a", "a b", "a\n", "县", "a" * 129, "ａ", 1, None, ["a"], b"a"],
    ),
    "hash": (
        HASH,
        ["0" * 64, "0123456789abcdef" * 4],
        ["", "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\n", "０" * 64, 0, None],
    ),
    "signature": (
        SIGNATURE,
        ["0" * 128, "0123456789abcdef" * 8],
        ["", "0" * 127, "0" * 129, "A" * 128, "0" * 128 + "\n", "０" * 128, 0, None],
    ),
    "hex": (
        HEX,
        ["00", "0123456789abcdef", "0" * 512],
        ["", "0", "000", "AB", "0" * 514, "00\n", "０0", 0, None],
    ),
    "date": (
        DATE,
        ["2026-11-23", "2028-02-29", "0001-01-01"],
        [
            "2026-02-29", "2026-13-01", "2026-11-31", "2026-11-00", "0000-01-01", "2026-1-1", "20261123", "2026-W47-1",
            "２０２６-11-23", "2026-11-23 ", "2026-11-23\n", "+026-11-23", "", 20261123, None,
        ],
    ),
    "timestamp": (
        TIMESTAMP,
        ["2026-11-23T02:03:04.123Z", "2026-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z"],
        [
            "2026-11-23T02:03:04Z", "2026-11-23T02:03:04.123456Z", "2026-11-23T02:03:04.123+08:00",
            "2026-11-23 02:03:04.123Z", "2026-11-23T24:00:00.000Z", "2026-11-23T23:60:00.000Z",
            "2026-11-23T23:59:60.000Z", "2026-02-30T00:00:00.000Z", "2026-11-23T02:03:04.123z",
            "2026-11-23T02:03:04.１23Z", "", None, 0,
        ],
    ),
    "count": (
        COUNT,
        [0, 1, 2**53 - 1],
        [-1, True, False, 1.0, "1", None, -HUGE],
    ),
    "status": (
        STATUS,
        [100, 200, 404, 503, 599],
        [0, 99, 600, -200, "200", 200.0, True, None, HUGE],
    ),
    "text": (
        text(3),
        ["a", "县", "abc", "𠮷𠮷𠮷", " "],
        ["", "abcd", 1, None, ["a"]],
    ),
    "choice": (
        choice("甲", "乙"),
        ["甲", "乙"],
        ["", "甲乙", "甲 ", 1, None, ["甲"], {}],
    ),
    "list": (
        list_of(IDENTIFIER),
        [[], ["a"], ["a", "b"]],
        ["a", [""], ["a", 1], [["a"]], None, {"a": "b"}, ("a",)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKES)
def test_a_form_takes_what_it_says_and_nothing_else(name: str) -> None:
    field, good, bad = TAKES[name]
    assert [value for value in good if not field.accepts(value)] == []
    assert [value for value in bad if field.accepts(value)] == []
    assert field.want_en and field.want_zh


def example(field: Field) -> Any:
    """A value that a field takes, tried from a small stock."""
    stock: list[Any] = [
        "a",
        "2026-11-23",
        "0" * 64,
        "0" * 128,
        0,
        200,
        CHAIN["t"],
        ["a"],
        [0],
        ["officer"],
        ["consent"],
        ["2026-11-23"],
        ["letter"],
        *field.want_en.removeprefix("one of ").split(", "),
    ]
    return next(value for value in stock if field.accepts(value))


def entry_of(kind: Kind, /, **change: Any) -> dict[str, Any]:
    fields = {name: example(field) for name, field in kind.fields.items()}
    return {**CHAIN, "kind": kind.name, "v": kind.version, **fields, **change}


every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: f"{kind.name} v{kind.version}")


@every_kind
def test_a_full_entry_and_one_without_its_optional_fields_pass(kind: Kind) -> None:
    entry = entry_of(kind)
    entries.check_entry(entry)
    canonical.encode(entry)
    for name, field in kind.fields.items():
        less = {key: value for key, value in entry.items() if key != name}
        if field.required:
            with pytest.raises(EntryError, match=f"'{name}' is missing"):
                entries.check_entry(less)
        else:
            entries.check_entry(less)


@every_kind
def test_each_field_is_held_to_its_form(kind: Kind) -> None:
    for name in kind.fields:
        for bad in (None, -1, "", [None], {}, 1.5, HUGE if not isinstance(entry_of(kind)[name], int) else -HUGE):
            with pytest.raises(EntryError, match=name) as caught:
                entries.check_entry(entry_of(kind, **{name: bad}))
            assert name in caught.value.zh


@every_kind
def test_an_unknown_field_is_an_error(kind: Kind) -> None:
    for name in ("colour", "KIND", "", "commit_", "县"):
        with pytest.raises(EntryError, match="unknown field"):
            entries.check_entry(entry_of(kind, **{name: "a"}))


@every_kind
def test_only_its_own_particulars_are_committed(kind: Kind) -> None:
    for name in kind.particulars:
        entries.check_entry(entry_of(kind, commit={name: "0" * 64}))
        for bad in ("", "0" * 63, None, ["0" * 64], "G" * 64):
            with pytest.raises(EntryError, match="commit"):
                entries.check_entry(entry_of(kind, commit={name: bad}))
    for commit in (
        {},
        {"colour": "0" * 64},
        [],
        "0" * 64,
        None,
        {**dict.fromkeys(kind.particulars, "0" * 64), "x": "0" * 64},
    ):
        with pytest.raises(EntryError, match="commit"):
            entries.check_entry(entry_of(kind, commit=commit))


@every_kind
def test_no_particular_is_also_an_open_field(kind: Kind) -> None:
    assert kind.particulars.isdisjoint(kind.fields)
    assert {"officer", "query", "signature"}.isdisjoint(kind.fields), "personal data never enters an entry"
    assert all(canonical.encode({name: None}) for name in (*kind.fields, *kind.particulars))


@pytest.mark.parametrize("change", [
    {"log": None}, {"log": 1}, {"prev": "0"}, {"prev": None}, {"prev": "A" * 64}, {"seq": -1}, {"seq": "0"},
    {"seq": True}, {"t": "2026-11-23"}, {"t": None}, {"t": 0},
])  # fmt: skip
def test_chain_fields_are_held_to_their_forms(change: dict[str, Any]) -> None:
    kind = entries.current("log.opened")
    with pytest.raises(EntryError):
        entries.check_entry(entry_of(kind, **change))
    less = {key: value for key, value in entry_of(kind).items() if key not in change}
    with pytest.raises(EntryError):
        entries.check_entry(less)


@pytest.mark.parametrize(
    ("name", "version"),
    [("log.closed", 1), ("log.opened", 2), ("log.opened", 0), ("", 1), pytest.param("log.opened", HUGE, id="huge")],
)
def test_an_unknown_kind_or_version_says_that_the_program_is_too_old(name: str, version: int) -> None:
    with pytest.raises(VersionTooNewError) as caught:
        entries.check_entry({**CHAIN, "kind": name, "v": version})
    assert "too old for this log" in caught.value.en and "过旧" in caught.value.zh and caught.value.exit_code == 2


@pytest.mark.parametrize(
    "change", [{"kind": None}, {"kind": 1}, {"kind": ["log.opened"]}, {"v": "1"}, {"v": True}, {"v": 1.0}, {"v": None}]
)
def test_a_kind_or_version_out_of_form_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(EntryError):
        entries.check_entry(entry_of(entries.current("log.opened"), **change))


def test_the_newest_version_of_a_kind_is_current() -> None:
    for kind in KINDS.values():
        assert entries.current(kind.name).version == max(k.version for k in KINDS.values() if k.name == kind.name)
    with pytest.raises(EntryError, match="no kind"):
        entries.current("query.guessed")


def test_kinds_are_named_once_and_in_both_languages() -> None:
    assert len(KINDS) == len(entries.ALL)
    for kind in KINDS.values():
        assert kind.title_zh and kind.title_en and kind.title_zh != kind.title_en


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(list(KINDS.values())), st.data())
def test_nothing_makes_a_check_raise_anything_but_our_errors(kind: Kind, data: st.DataObject) -> None:
    names = st.sampled_from([*kind.fields, "commit", "kind", "v", "t", "prev", "seq", "log", "x"])
    change = data.draw(st.dictionaries(names, json_values, min_size=1, max_size=3))
    try:
        entries.check_entry(entry_of(kind, **change))
    except LedgerError as error:
        assert error.en and error.zh and len(error.en) < 1_000
