"""The desk's part of ``/api/openapi.json``, made from the shapes that parse its calls. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.desk.moves import FORMS
from catalog.desk.shapes import OPENING, moves_shape
from ledger.cases import Act, State, Stop, Timeliness

Value = dict[str, Any]
_JSON = "application/json"
_TEXT, _TEXT_OR_NONE = {"type": "string"}, {"type": ["string", "null"]}
_WHOLE, _WHOLE_OR_NONE, _TRUTH = {"type": "integer"}, {"type": ["integer", "null"]}, {"type": "boolean"}
_ERRORS = (400, 401, 403, 404, 405, 409, 413, 415, 422, 503)


def paths(idempotency: Value) -> dict[str, Value]:
    """The paths of the desk.

    Args:
        idempotency: the header parameter ``Idempotency-Key``.
    """
    case = [_parameter("case", "path", {"type": "string", "pattern": "^[a-z]-[0-9]{8}-[0-9]{5,7}$"})]
    seq = _parameter("seq", "path", {"type": "integer", "minimum": 0, "maximum": 10**15})
    return {
        "/api/requests": {
            "get": {
                "operationId": "requests",
                "summary": "本单位收到和提出的请求 Requests to and from your agency",
                "parameters": [
                    _parameter("box", "query", {"enum": ["inbox", "closed", "outbox"]}, required=False),
                    _parameter("after", "query", {"type": "string"}, required=False),
                ],
                "responses": _responses(_list()),
            },
            "post": {
                "operationId": "open_request",
                "summary": "提出请求，自此计时 Send a request: its clock starts",
                "requestBody": _body(OPENING.schema(), {"查询 a query": opening_sample()}),
                "responses": _responses(_done()),
                "parameters": [idempotency],
            },
        },
        "/api/requests/{case}": {
            "get": {
                "operationId": "request",
                "summary": "一个请求：状态、期限、记录 One request: state, clocks, entries",
                "responses": _responses(_object({"ok": {"const": True}, "request": _case()})),
            },
            "parameters": case,
        },
        "/api/requests/{case}/tables/{seq}": {
            "get": {
                "operationId": "request_table",
                "summary": "某条记录所带的清单 The table that an entry brought",
                "responses": _responses(
                    _object(
                        {
                            "ok": {"const": True},
                            "entry": _WHOLE,
                            "rows": {"type": "array", "items": _object({"item": _WHOLE, "value": {}})},
                        }
                    )
                ),
            },
            "parameters": [*case, seq],
        },
        "/api/requests/{case}/moves": {
            "post": {
                "operationId": "move",
                "summary": "办理一步 Make a move",
                "requestBody": _body(
                    moves_shape(FORMS).schema(),
                    {"撤回 withdraw": {"move": "withdraw", "reason": "已从其他渠道取得（示例）"}},
                ),
                "responses": _responses(_done()),
                "parameters": [idempotency],
            },
            "parameters": case,
        },
    }


def opening_sample() -> Value:
    """A request that the demonstration's system may send."""
    return {
        "act": "query",
        "provider": "scjg",
        "description": "示例企业近三年的行政处罚情况",
        "purpose": {"code": "case", "reference": "示执案〔2026〕17号"},
        "subjects": [{"name": "示例企业（虚构）"}],
    }


def _parameter(name: str, place: str, schema: Mapping[str, Any], *, required: bool = True) -> Value:
    return {"name": name, "in": place, "required": required, "schema": dict(schema)}


def _body(schema: Value, examples: Mapping[str, Value]) -> Value:
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {_JSON: {"schema": schema, "examples": shown}}}


def _responses(answer: Value) -> Value:
    good = {"description": "成功。 Done.", "content": {_JSON: {"schema": answer}}}
    return {"200": good, **{str(status): {"$ref": f"#/components/responses/Error{status}"} for status in _ERRORS}}


def _object(properties: Mapping[str, Any]) -> Value:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _states() -> Value:
    return {"enum": [state.value for state in State]}


def _timeliness() -> Value:
    return {"enum": [each.value for each in Timeliness]}


def _list() -> Value:
    line = {
        "number": _TEXT,
        "act": {"enum": [act.value for act in Act]},
        "state": _states(),
        "open": _TRUTH,
        "requester": _TEXT,
        "provider": _TEXT,
        "resource": _TEXT_OR_NONE,
        "received_at": _TEXT,
        "stop": {"enum": [stop.value for stop in Stop]},
        "timeliness": _timeliness(),
        "due_at": _TEXT_OR_NONE,
        "clause": _TEXT_OR_NONE,
        "standing": _TEXT_OR_NONE,
        "working_days_left": _WHOLE_OR_NONE,
        "urgent": _TRUTH,
        "awaits": _TEXT_OR_NONE,
        "last_entry": _WHOLE,
        "last_kind": _TEXT,
        "last_at": _TEXT,
    }
    return _object(
        {
            "ok": {"const": True},
            "box": _TEXT,
            "requests": {"type": "array", "items": _object(line)},
            "next": {**_TEXT_OR_NONE, "description": "下一页的 after；null 表示没有更多。 Null: no more."},
        }
    )


def _done() -> Value:
    return _object(
        {
            "ok": {"const": True},
            "repeated": {**_TRUTH, "description": "同一幂等键此前已办理。 Done before under the same key."},
            "ledger": {"$ref": "#/components/schemas/Ledger"},
            "request": _case(),
        }
    )


def _case() -> Value:
    day = {"day": _TEXT, "weekday": _WHOLE, "code": _TEXT, "number": _WHOLE_OR_NONE, "why_zh": _TEXT, "why_en": _TEXT}
    clock = {
        "stop": {"enum": [stop.value for stop in Stop]},
        "timeliness": _timeliness(),
        **dict.fromkeys(("due_at", "clause", "standing", "stopped_at"), _TEXT_OR_NONE),
        **dict.fromkeys(("working_days", "waiting_days", "working_days_left"), _WHOLE_OR_NONE),
        "entry": _WHOLE,
        "days": {"type": "array", "items": _object(day)},
    }
    file = {"name": _TEXT, "type": _TEXT, "size_bytes": _WHOLE, "sha256": _TEXT, "url": _TEXT}
    entry = {
        "entry": _WHOLE,
        "t": _TEXT,
        "kind": _TEXT,
        "by": _TEXT_OR_NONE,
        "person": _WHOLE_OR_NONE,
        "fields": {"type": "object"},
        "words": {"type": "object"},
        "files": {"type": "array", "items": _object(file)},
        "items": _WHOLE,
        "receipt": _TEXT,
    }
    return _object(
        {
            "number": _TEXT,
            "act": {"enum": [act.value for act in Act]},
            "state": _states(),
            "open": _TRUTH,
            "requester": _TEXT,
            "provider": _TEXT,
            "resource": _TEXT_OR_NONE,
            "purpose": _TEXT_OR_NONE,
            "received_at": _TEXT,
            "recorded_at": _TEXT,
            "urgent_target_at": _TEXT_OR_NONE,
            "subjects": _WHOLE,
            "parent": _TEXT_OR_NONE,
            "linked": _TEXT_OR_NONE,
            "revision": {**_WHOLE, "description": "办理时作为 seen 送回。 Sent back as “seen” with a move."},
            "deadlines": {"type": "array", "items": _object(clock)},
            "entries": {"type": "array", "items": _object(entry)},
            "moves": {"type": "array", "items": _TEXT},
        }
    )
