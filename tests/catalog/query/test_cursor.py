"""Cursors: they open for the same agency and query alone, say nothing, and one changed byte is noticed."""

from __future__ import annotations

import base64
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.query.cursor import Cursors
from catalog.query.errors import BodyError, QueryError
from catalog.query.model import Filter, Order, Query, parse, to_json

QUERY = Query((Filter("party_name", "prefix", "示例"),), ("party_name",), (Order("party_name"),))
LAST = ["示例餐饮店007", 7]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/"


@pytest.fixture
def cursors() -> Cursors:
    return Cursors(b"s" * 32, os.urandom)


@given(
    st.lists(
        st.none() | st.text() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
        min_size=1,
    )
)
def test_a_cursor_gives_back_what_was_sealed(last: list[object]) -> None:
    cursors = Cursors(b"s" * 32, os.urandom)
    try:
        sealed = cursors.seal("zhzf", "work/penalties", QUERY, last)
    except TypeError:  # lone surrogates: SQLite holds none
        return
    assert cursors.open("zhzf", "work/penalties", replace(QUERY, cursor=sealed)) == last


def test_without_a_cursor_it_is_the_first_page(cursors: Cursors) -> None:
    assert cursors.open("zhzf", "work/penalties", QUERY) is None


def test_another_limit_or_purpose_is_still_the_same_query(cursors: Cursors) -> None:
    sealed = cursors.seal("zhzf", "work/penalties", QUERY, LAST)
    other = replace(QUERY, cursor=sealed, limit=3, purpose={"code": "case"}, receipt=True)
    assert cursors.open("zhzf", "work/penalties", other) == LAST


@pytest.mark.parametrize(
    ("agency", "resource", "query"),
    [
        ("scjg", "work/penalties", QUERY),
        ("zhzf", "work/permits", QUERY),
        ("zhzf", "work/penalties", replace(QUERY, filters=())),
        ("zhzf", "work/penalties", replace(QUERY, filters=(Filter("party_name", "=", "示例"),))),
        ("zhzf", "work/penalties", replace(QUERY, columns=("party_name", "id_number"))),
        ("zhzf", "work/penalties", replace(QUERY, order=(Order("party_name", True),))),
        ("zhzf", "work/penalties", replace(QUERY, order=(Order("town"),))),
    ],
)
def test_it_does_not_open_for_another_agency_table_or_query(
    cursors: Cursors, agency: str, resource: str, query: Query
) -> None:
    sealed = cursors.seal("zhzf", "work/penalties", QUERY, LAST)
    with pytest.raises(BodyError) as caught:
        cursors.open(agency, resource, replace(query, cursor=sealed))
    assert (caught.value.code, caught.value.where) == ("bad_cursor", "cursor")


def test_every_changed_character_is_noticed(cursors: Cursors) -> None:
    sealed = cursors.seal("zhzf", "work/penalties", QUERY, LAST)
    for place, old in enumerate(sealed):
        for new in "AB-_+/=" if place == len(sealed) - 1 else "A" if old != "A" else "B":
            if new != old:
                with pytest.raises(BodyError):
                    cursors.open(
                        "zhzf", "work/penalties", replace(QUERY, cursor=sealed[:place] + new + sealed[place + 1 :])
                    )


def test_another_spelling_of_the_same_bytes_is_a_change(cursors: Cursors) -> None:
    for length in range(3):  # so that the last character carries one, two or three bits of nothing
        sealed = cursors.seal("zhzf", "work/penalties", QUERY, ["甲" + "x" * length, 7])
        for other in (
            f"{sealed}=",
            f"{sealed}==",
            f"{sealed}\n",
            f" {sealed}",
            *(sealed[:-1] + new for new in ALPHABET),
        ):
            if other != sealed:
                with pytest.raises(BodyError):
                    cursors.open("zhzf", "work/penalties", replace(QUERY, cursor=other))


def test_a_long_value_of_the_order_is_kept_and_one_that_is_too_long_is_said(cursors: Cursors) -> None:
    last = ["示" * 5_000, "y" * 20_000, 7]
    sealed = cursors.seal("zhzf", "work/penalties", QUERY, last)
    assert cursors.open("zhzf", "work/penalties", parse({**to_json(QUERY), "cursor": sealed})) == last
    with pytest.raises(QueryError) as caught:
        cursors.seal("zhzf", "work/penalties", QUERY, ["示" * 20_000, 7])
    assert (caught.value.status, caught.value.code) == (413, "order_too_long")


@pytest.mark.parametrize("made_up", ["x", "50", "示例", "AAAA", "=", "A" * 2_000, "a b", "-_-_"])
def test_a_made_up_one_is_refused(cursors: Cursors, made_up: str) -> None:
    with pytest.raises(BodyError):
        cursors.open("zhzf", "work/penalties", replace(QUERY, cursor=made_up))


def test_another_instances_is_refused(cursors: Cursors) -> None:
    sealed = Cursors(b"t" * 32, os.urandom).seal("zhzf", "work/penalties", QUERY, LAST)
    with pytest.raises(BodyError):
        cursors.open("zhzf", "work/penalties", replace(QUERY, cursor=sealed))


def test_it_says_nothing_and_is_never_the_same_twice(cursors: Cursors) -> None:
    sealed = cursors.seal("zhzf", "work/penalties", QUERY, LAST)
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert "示例".encode() not in raw
    assert sealed != cursors.seal("zhzf", "work/penalties", QUERY, LAST)
