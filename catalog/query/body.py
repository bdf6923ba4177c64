"""A request's body as a JSON value: strict, so that nobody can read another question from the same bytes. Pure."""

from __future__ import annotations

import json
from typing import Any

import orjson

from catalog.query.errors import BodyError

#: No request of ours is nested deeper; more is an attempt to keep the server busy.
MAX_DEPTH = 8


def load(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        BodyError: not JSON (RFC 8259) in UTF-8, nested deeper than :data:`MAX_DEPTH`, or with a member given twice.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(
            "", f"this is not JSON in UTF-8 ({str(error)[:120]})", f"不是 UTF-8 编码的 JSON（{str(error)[:120]}）"
        ) from error
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise BodyError("", f"nested deeper than {MAX_DEPTH} levels", f"嵌套超过 {MAX_DEPTH} 层")
    # orjson takes the last of two members of one name, a reader may take the first. Where no character is escaped, each
    # text has two quotes, and a member that was dropped is missed when the value is written again.
    if b"\\" in body or body.count(b'"') != orjson.dumps(value).count(b'"'):
        json.loads(body, object_pairs_hook=_refuse_repeats, parse_int=str, parse_float=str)
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        containers = [each for each in level if type(each) in (dict, list)]
        depth += bool(containers)
        level = [item for each in containers for item in (each.values() if type(each) is dict else each)]
    return depth


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) == len(pairs):
        return
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise BodyError("", f"the member {name[:40]!r} is given twice", f"成员 {name[:40]!r} 重复出现")
        seen.add(name)
