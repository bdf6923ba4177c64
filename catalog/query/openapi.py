"""``/api/openapi.json``: OpenAPI 3.1 made from the shapes that parse requests. Pure.

Anybody may have it: there is no data in it. Whoever is signed in also gets a path for each table that is open to its
agency, with just the columns that it may have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.purpose import CODES
from catalog.query.lookups import BATCH
from catalog.query.model import NAME, TABLE, query_shape
from catalog.query.samples import answer_sample, batch_sample, query_sample
from catalog.query.schema import Column
from catalog.query.shapes import OneOf
from catalog.titles import TableText
from ledger import CATEGORIES

Value = dict[str, Any]
_JSON = "application/json"
_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("请求格式不对，字段不存在或无权查询。", "Out of form, or a column that you may not have."),
    401: ("未登录，令牌或签名无效。", "Not signed in; a token or a signature that does not hold."),
    403: ("不开放，附依据。", "Not open to you, with the clause."),
    404: ("此地址没有内容。", "Nothing at this address."),
    405: ("此地址不接受该方法。", "Not by this method."),
    408: ("查询时间过长。", "It took too long."),
    409: ("幂等键已用于另一请求。", "The Idempotency-Key was used for another call."),
    413: ("请求或答复过大。", "The request or the answer is too large."),
    415: ("正文不是 application/json。", "The body is not application/json."),
    422: ("事由不完整。", "A purpose that says nothing."),
    429: ("超过限额，见 Retry-After。", "Over the quota; see Retry-After."),
    503: ("暂不可用，未提供数据。", "Not available now; no data was given."),
}
_CELL: Mapping[str, Value] = {
    "text": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
}


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table that is open to the asker: its columns in order, and the purposes for which; None: needs none."""

    text: TableText
    columns: Mapping[str, Column]
    purposes: tuple[str, ...] | None = field(default=None)

    @property
    def resource(self) -> str:
        return f"{self.text.database}/{self.text.name}"


def document(
    server_url: str, version: str, tables: Iterable[OpenTable] = (), more: Mapping[str, Value] | None = None
) -> Value:
    """The whole document.

    Args:
        server_url: the public address, below which the paths lie.
        tables: those that are open to the asker.
        more: paths of other parts of the interface.
    """
    paths = {
        "/api/query/batch": {"post": _batch()},
        "/api/query/{database}/{table}": {"post": _any_table(), "parameters": _place()},
        "/api/openapi.json": {"get": _itself()},
        "/log/receipt/{seq}": {"get": _receipt()},
        **(more or {}),
    }
    for table in tables:
        paths[f"/api/query/{table.resource}"] = {"post": _one_table(table)}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "联动查询接口 / Liandong query API",
            "version": version,
            "description": _ABOUT,
        },
        "servers": [{"url": server_url}],
        "security": [{"token": []}, {"signature": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "Receipt": _RECEIPT, "Ledger": _LEDGER},
            "securitySchemes": _SECURITY,
            "responses": {f"Error{status}": _error(status) for status in _ERRORS},
            "headers": {"RetryAfter": _RETRY_AFTER},
        },
    }


def _any_table() -> Value:
    rows = {"type": "array", "items": {"type": "object"}}
    return {
        "operationId": "query",
        "summary": "查询一张数据表 Query one table",
        "requestBody": _body(query_shape().schema(), {"按条件查询 by conditions": query_sample()}),
        "responses": _responses(_answer(rows, {"type": "array", "items": NAME.schema()})),
        "parameters": [IDEMPOTENCY],
    }


def _one_table(table: OpenTable) -> Value:
    names = tuple(table.columns)
    row = {
        "type": "object",
        "properties": {name: _cell(column) for name, column in table.columns.items()},
        "additionalProperties": False,
    }
    shape = query_shape(OneOf(names)).schema()
    if table.purposes is not None:
        shape["properties"]["purpose"]["properties"]["code"]["enum"] = [
            code for code in CODES if code in table.purposes
        ]
        shape["required"] = ["purpose"]
    title = table.text.title
    return {
        "operationId": f"query_{table.text.database}_{table.text.name}",
        "summary": f"{title.zh} {title.en}",
        "requestBody": _body(shape, {"例 example": query_sample(table.columns, table.purposes)}),
        "responses": _responses(
            _answer({"type": "array", "items": row}, {"type": "array", "items": {"enum": list(names)}}),
            answer_sample(table.text.database, table.text.name, table.columns),
        ),
        "parameters": [IDEMPOTENCY],
    }


def _cell(column: Column) -> Value:
    title, about = column.text.title, column.text.about
    said = f"{title.zh} {title.en}" + (f"：{about.zh} {about.en}" if about is not None else "")
    return {**_CELL[column.kind], "description": said}


def _batch() -> Value:
    result = {
        "type": "object",
        "properties": {
            "item": {"type": "integer"},
            "salt": _HEX,
            "columns": {"type": "array", "items": NAME.schema()},
            "rows": {"type": "array", "items": {"type": "object"}},
            "more": {"type": "boolean"},
        },
        "required": ["item", "salt", "columns", "rows", "more"],
        "additionalProperties": False,
    }
    return {
        "operationId": "batch",
        "summary": "一次查询多个对象 Look up many subjects in one call",
        "requestBody": _body(BATCH.schema(), {"按代码 by code": batch_sample()}),
        "responses": _responses(
            {
                "type": "object",
                "properties": {
                    "ok": {"const": True},
                    "rows": {"type": "integer"},
                    "results": {"type": "array", "items": result},
                    **_PROOF,
                },
                "required": ["ok", "rows", "results", "ledger"],
                "additionalProperties": False,
            }
        ),
        "parameters": [IDEMPOTENCY],
    }


def _itself() -> Value:
    return {
        "operationId": "openapi",
        "summary": "本文档 This document",
        "security": [{}, {"token": []}, {"signature": []}],
        "responses": {
            "200": {"description": "OpenAPI 3.1", "content": {_JSON: {"schema": {"type": "object"}}}},
            "503": _ref(503),
        },
    }


def _receipt() -> Value:
    seq = {
        "name": "seq",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "maximum": 10**15},
    }
    return {
        "operationId": "receipt",
        "summary": "本单位某条查询的回执 The receipt of a query of your agency",
        "parameters": [seq],
        "responses": {
            "200": {
                "description": "回执 Receipt",
                "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Receipt"}}},
            },
            **{str(status): _ref(status) for status in (401, 403, 404, 429, 503)},
        },
    }


def _place() -> list[Value]:
    return [
        {"name": "database", "in": "path", "required": True, "schema": {"type": "string", "enum": list(CATEGORIES)}},
        {"name": "table", "in": "path", "required": True, "schema": TABLE.schema()},
    ]


def _body(schema: Value, examples: Mapping[str, Value]) -> Value:
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {_JSON: {"schema": schema, "examples": shown}}}


def _answer(rows: Value, columns: Value) -> Value:
    return {
        "type": "object",
        "properties": {
            "ok": {"const": True},
            "database": {"enum": list(CATEGORIES)},
            "table": {"type": "string"},
            "columns": columns,
            "rows": rows,
            "next": {
                "type": ["string", "null"],
                "description": "下一页的 cursor；null 表示没有更多。 Null: no more rows.",
            },
            **_PROOF,
        },
        "required": ["ok", "database", "table", "columns", "rows", "next", "ledger"],
        "additionalProperties": False,
    }


def _responses(answer: Value, example: Value | None = None) -> Value:
    # A repeated call under one Idempotency-Key is answered by the first receipt.
    repeated = {
        "type": "object",
        "properties": {
            "ok": {"const": True},
            "repeated": {"const": True},
            "ledger_entry": {"type": "integer"},
            "receipt": {"$ref": "#/components/schemas/Receipt"},
        },
        "required": ["ok", "repeated", "ledger_entry", "receipt"],
        "additionalProperties": False,
    }
    content = {"schema": {"anyOf": [answer, repeated]}, **({"example": example} if example is not None else {})}
    good = {
        "description": "答复，已记入台账。 The answer; its entry is durable.",
        "headers": {
            "Ledger-Entry": {"schema": {"type": "string"}, "description": "台账条目编号 Number of the ledger entry"},
            "Ledger-Receipt": {"schema": {"type": "string"}, "description": "回执地址 Where the receipt is"},
        },
        "content": {_JSON: content},
    }
    return {"200": good, **{str(status): _ref(status) for status in _ERRORS}}


def _ref(status: int) -> Value:
    return {"$ref": f"#/components/responses/Error{status}"}


def _error(status: int) -> Value:
    zh, en = _ERRORS[status]
    retry = {"headers": {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}} if status in (429, 503) else {}
    return {
        "description": f"{zh} {en}",
        **retry,
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


_ABOUT = (
    "按条件查询共享数据，每次查询在台账中留痕并有可离线核验的回执。查询内容只在正文中，"
    "不进网址。 Query shared data by conditions; "
    "each query is in the ledger, with a receipt that proves it offline. What is asked stands in the body and never in "
    "the address. 签名 signatures: RFC 9421, @method @target-uri content-digest, ed25519 or ecdsa-p256-sha256."
)
_HEX: Value = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_RETRY_AFTER: Value = {"schema": {"type": "string"}, "description": "多少秒后重试 Seconds after which to try again"}
IDEMPOTENCY: Value = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "同键同内容重发，得首次的回执。 The same key and body again: the first receipt.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}
_ERROR: Value = {
    "type": "object",
    "description": "所有错误同一形状，中英文都有。 The one shape of all errors, in both languages.",
    "properties": {
        "ok": {"const": False},
        "status": {"type": "integer"},
        "error": {"type": "string", "description": "按请求语言 In the language of the request"},
        "errors": {"type": "array", "items": {"type": "string"}},
        "error_zh": {"type": "string"},
        "error_en": {"type": "string"},
        "code": {"type": "string", "description": "供程序判断 Stable, for programs"},
        "where": {"type": "string", "description": "请求中的位置 The place in the request"},
        "retry_after_seconds": {"type": "integer"},
    },
    "required": ["ok", "status", "error", "errors", "error_zh", "error_en"],
    "example": {
        "ok": False,
        "status": 400,
        "error": "filters[0].op：得到 'like'，应为其一：=、!=、…",
        "errors": ["filters[0].op：得到 'like'，应为其一：=、!=、…"],
        "error_zh": "filters[0].op：得到 'like'，应为其一：=、!=、…",
        "error_en": "filters[0].op: got 'like', want one of =, !=, …",
        "code": "malformed",
        "where": "filters[0].op",
    },
}
_LEDGER: Value = {
    "type": "object",
    "properties": {"entry": {"type": "integer"}, "receipt": {"type": "string"}},
    "required": ["entry", "receipt"],
    "additionalProperties": False,
}
_OPENING: Value = {"type": "object", "properties": {"salt": _HEX, "value": {}}, "required": ["salt", "value"]}
_ITEM: Value = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "salt": _HEX,
        "value": {},
        "path": {"type": "array", "items": _HEX},
    },
    "required": ["index", "salt", "value", "path"],
}
_RECEIPT: Value = {
    "type": "object",
    "description": "docs/spec/receipt.md",
    "properties": {
        "entry": {"type": "string"},
        "proof": {"type": "string"},
        "openings": {"type": "object", "additionalProperties": _OPENING},
        "items": {"type": "array", "items": _ITEM},
    },
    "required": ["entry", "proof", "openings"],
    "additionalProperties": False,
}
_PROOF: Value = {
    "ledger": {"$ref": "#/components/schemas/Ledger"},
    "receipt": {"$ref": "#/components/schemas/Receipt"},
}
_SECURITY: Value = {
    "token": {"type": "http", "scheme": "bearer", "description": "本单位管理员发放的令牌。 A token of your agency."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "RFC 9421；与 Signature-Input、Content-Digest 同用，每次另取 nonce。 With Signature-Input and "
        "Content-Digest, each with a nonce of its own.",
    },
}
