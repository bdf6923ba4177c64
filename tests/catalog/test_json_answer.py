"""JSON as Datasette gives it, written by another hand: the same values, and every special shape is Datasette's own."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from datasette.renderer import json_renderer
from datasette.utils import MultiParams
from datasette.utils.asgi import Request
from hypothesis import given
from hypothesis import strategies as st

from catalog.json_answer import render

_TEXT = st.text(st.characters(exclude_categories=("Cs",)))  # what SQLite hands over has no lone surrogates
_VALUES = st.one_of(
    st.none(),
    _TEXT,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
)
_ROWS = st.lists(st.dictionaries(_TEXT, _VALUES, max_size=6), max_size=5)


def request(query: str = "") -> Request:
    return Request.fake(f"/work/permits.json{query}")


def both(data: dict[str, Any], query: str = "", **options: Any) -> tuple[Any, Any]:
    ours = render(request(query), request(query).args, dict(data), options.get("error"), options.get("truncated"))
    theirs = json_renderer(
        request(query), request(query).args, dict(data), options.get("error"), options.get("truncated")
    )
    assert (ours.status, ours.content_type) == (theirs.status, theirs.content_type)
    return ours.body, theirs.body


@given(_ROWS, st.sampled_from([None, False, True]), _TEXT)
def test_the_values_are_datasettes(rows: list[dict[str, Any]], truncated: bool | None, next_url: str) -> None:
    data = {"ok": True, "next": None, "next_url": next_url, "rows": rows, "columns": ["a"]}
    ours, theirs = both(data, truncated=truncated)
    assert json.loads(ours) == json.loads(theirs)
    assert list(json.loads(ours)) == list(json.loads(theirs))


def test_chinese_is_written_as_it_is_and_blobs_and_infinities_as_datasette_does() -> None:
    ours, theirs = both({"rows": [{"名称": "示例", "b": b"\x00\xff", "f": math.inf}]})
    assert "示例".encode() in ours and len(ours) < len(theirs)
    assert json.loads(ours)["rows"] == [{"名称": "示例", "b": {"$base64": True, "encoded": "AP8="}, "f": None}]


@pytest.mark.parametrize(
    "query",
    [
        "?_shape=array",
        "?_shape=object",
        "?_shape=arrays",
        "?_shape=nope",
        "?_json=a",
        "?_json_infinity=1",
        "?_extra=columns",
    ],
)
def test_every_special_shape_is_datasettes_own(query: str) -> None:
    ours, theirs = both({"rows": [{"a": "1", "f": 1.5}], "columns": ["a", "f"], "primary_keys": ["a"]}, query)
    assert ours == theirs


def test_an_error_is_datasettes_own() -> None:
    ours, theirs = both({"rows": []}, error="no such column")
    assert ours == theirs and json.loads(ours)["error"] == "no such column"


def test_arguments_are_looked_at_by_name_alone() -> None:
    assert isinstance(request("?_size=1").args, MultiParams)
    ours, theirs = both({"rows": [{"a": 1}]}, "?a=_shape")
    assert ours != theirs and json.loads(ours) == json.loads(theirs)
