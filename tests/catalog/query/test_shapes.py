"""What a request may look like: what is refused names its place, and what is accepted fits the schema that is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.purpose import CODES
from catalog.query import lookups, model
from catalog.query.body import MAX_DEPTH, load
from catalog.query.errors import BodyError
from catalog.query.model import Filter, Order, Query

FILTER = {"column": "name", "op": "=", "value": "甲"}


@pytest.mark.parametrize(
    ("value", "query"),
    [
        ({}, Query()),
        (
            {"filters": [FILTER, {"column": "count", "op": "in", "value": [1, 2.5, "三"]}]},
            Query((Filter("name", "=", "甲"), Filter("count", "in", (1, 2.5, "三")))),
        ),
        ({"filters": [{"op": "search", "value": "餐饮"}]}, Query((Filter(None, "search", "餐饮"),))),
        ({"filters": [{"column": "town", "op": "is null"}]}, Query((Filter("town", "is null"),))),
        (
            {"columns": ["a", "b"], "order": [{"column": "a"}, {"column": "b", "descending": True}]},
            Query(columns=("a", "b"), order=(Order("a"), Order("b", True))),
        ),
        ({"limit": 20.0}, Query(limit=20)),
        ({"limit": 1000, "cursor": "x", "receipt": True}, Query(limit=1000, cursor="x", receipt=True)),
    ],
)
def test_a_request_is_read(value: dict[str, Any], query: Query) -> None:
    assert model.parse(value) == query


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([], ""),
        ("text", ""),
        (None, ""),
        ({"sql": "SELECT 1"}, "sql"),
        ({"_where": "1=1"}, "_where"),
        ({"filters": {}}, "filters"),
        ({"filters": [FILTER] * 21}, "filters"),
        ({"filters": ["name=甲"]}, "filters[0]"),
        ({"filters": [FILTER, {**FILTER, "op": "like"}]}, "filters[1].op"),
        ({"filters": [{**FILTER, "op": ["="]}]}, "filters[0].op"),
        ({"filters": [{"op": "=", "value": "甲"}]}, "filters[0].column"),
        ({"filters": [{"column": "name", "op": "="}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": None}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": True}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": {"a": 1}}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": 2**53}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": 1e300}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": "x" * 1001}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "value": "a\x00b"}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "more": 1}]}, "filters[0].more"),
        ({"filters": [{**FILTER, "op": "in", "value": "甲"}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "op": "in", "value": []}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "op": "in", "value": [1] * 501}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "op": "in", "value": [["甲"]]}]}, "filters[0].value[0]"),
        ({"filters": [{**FILTER, "op": "prefix", "value": 5}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "op": "search", "value": ""}]}, "filters[0].value"),
        ({"filters": [{**FILTER, "op": "is null"}]}, "filters[0].value"),
        ({"columns": []}, "columns"),
        ({"columns": "name"}, "columns"),
        ({"columns": ["name", "name"]}, "columns"),
        ({"columns": ["x" * 65]}, "columns[0]"),
        ({"order": ["name"]}, "order[0]"),
        ({"order": [{"column": "name", "descending": "yes"}]}, "order[0].descending"),
        ({"order": [{"column": str(n)} for n in range(5)]}, "order"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": 20.5}, "limit"),
        ({"limit": "20"}, "limit"),
        ({"limit": True}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": None}, "cursor"),
        ({"receipt": 1}, "receipt"),
        ({"purpose": "case"}, "purpose"),
        ({"purpose": {"code": "case"}}, "purpose.reference"),
        ({"purpose": {"code": "none", "reference": "1"}}, "purpose.code"),
        ({"purpose": {"code": "joint", "reference": "1", "participants": "a b"}}, "purpose.participants"),
    ],
)
def test_a_request_out_of_form_is_refused_at_its_place(value: Any, where: str) -> None:
    with pytest.raises(BodyError) as caught:
        model.parse(value)
    assert (caught.value.status, caught.value.code, caught.value.where) == (400, "malformed", where)


LOOKUP = {"database": "work", "table": "penalties", "column": "credit_code", "value": "91370000示例1"}


def test_a_batch_is_read() -> None:
    batch = lookups.parse({"lookups": [LOOKUP, {**LOOKUP, "table": "permits", "salt": "0123456789abcdef"}]})
    assert batch.resources == ["work/penalties", "work/permits"]
    assert (batch.limit, batch.receipt, batch.purpose) == (20, False, None)
    assert batch.lookups[1].given["salt"] == "0123456789abcdef"


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, "lookups"),
        ({"lookups": []}, "lookups"),
        ({"lookups": [LOOKUP] * 501}, "lookups"),
        ({"lookups": [{**LOOKUP, "database": "ledger"}]}, "lookups[0].database"),
        ({"lookups": [{**LOOKUP, "table": "Penalties"}]}, "lookups[0].table"),
        ({"lookups": [{**LOOKUP, "table": "^表"}]}, "lookups[0].table"),
        ({"lookups": [LOOKUP, {**LOOKUP, "value": ""}]}, "lookups[1].value"),
        ({"lookups": [{**LOOKUP, "value": 5}]}, "lookups[0].value"),
        ({"lookups": [{**LOOKUP, "salt": "short"}]}, "lookups[0].salt"),
        ({"lookups": [{**LOOKUP, "op": "prefix"}]}, "lookups[0].op"),
        ({"lookups": [{k: LOOKUP[k] for k in ("database", "table", "value")}]}, "lookups[0].column"),
        ({"lookups": [LOOKUP], "limit": 101}, "limit"),
        ({"lookups": [LOOKUP], "cursor": "x"}, "cursor"),
    ],
)
def test_a_batch_out_of_form_is_refused_at_its_place(value: Any, where: str) -> None:
    with pytest.raises(BodyError) as caught:
        lookups.parse(value)
    assert caught.value.where == where


def test_an_error_never_repeats_the_whole_of_a_long_value() -> None:
    with pytest.raises(BodyError) as caught:
        model.parse({"limit": "9" * 5_000})
    assert len(caught.value.en) < 200
    with pytest.raises(BodyError) as caught:
        model.parse({"x" * 5_000: 1})
    assert len(caught.value.en) < 300


# -- the body ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":01}',
        b'\xff\xfe{"a":1}',
        b'{"a":"\\ud800"}',
        b'{"a":1,"a":1}',
        b'{"limit":5,"limit":6}',
        b'{"filters":[{"op":"=","op":"!="}]}',
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        "{}".encode("utf-16"),
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        load(body)
    assert caught.value.where == ""


@pytest.mark.parametrize("digits", [20, 300, 5_000])
def test_numbers_of_any_length_are_refused_in_good_order(digits: int) -> None:
    with pytest.raises(BodyError):
        model.parse(load(b'{"limit":' + b"9" * digits + b"}"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(), c, max_size=3),
        max_leaves=8,
    )
)
def test_any_json_value_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    try:
        body = text.encode()
    except UnicodeEncodeError:  # lone surrogates are no JSON in UTF-8
        return
    try:
        assert load(body) == json.loads(text)
    except BodyError as error:
        assert "nested" in error.en


# -- what is shown of it ----------------------------------------------------------------------------------------------


def test_the_schema_says_what_is_checked() -> None:
    schema = model.QUERY.schema()
    assert (schema["additionalProperties"], "required" in schema) == (False, False)
    assert schema["properties"]["limit"]["maximum"] == 1_000
    assert schema["properties"]["purpose"]["properties"]["code"]["enum"] == list(CODES)
    operators = [
        op for case in schema["properties"]["filters"]["items"]["oneOf"] for op in case["properties"]["op"]["enum"]
    ]
    assert operators == ["=", "!=", "<", "<=", ">", ">=", "in", "prefix", "search", "is null", "is not null"]
    json.dumps(schema)
    assert lookups.BATCH.schema()["required"] == ["lookups"]
