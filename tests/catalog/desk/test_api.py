"""``/api/requests``: open, list, read, move; once only; errors that a program can tell apart."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from catalog.desk.openapi import opening_sample
from ledger import Instance, Receipt
from tests.conftest import InProcess, in_process

anyio = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def send(app: InProcess, value: Any, path: str = "/api/requests", **headers: str) -> httpx2.Response:
    return await app.client.post(path, json=value, headers={**app.bearer(purpose=""), **headers})


@anyio
async def test_a_request_is_opened_listed_read_and_withdrawn(app: InProcess) -> None:
    response = await send(app, opening_sample())
    assert response.status_code == 200, response.text
    value = response.json()
    number, seq = value["request"]["number"], value["ledger"]["entry"]
    assert response.headers["ledger-entry"] == str(seq)
    (clock,) = value["request"]["deadlines"]
    assert clock["timeliness"] == "open" and clock["days"][0]["code"] == "start"
    assert [day["number"] for day in clock["days"] if day["number"]] == [1, 2, 3]
    listed = await app.client.get("/api/requests?box=outbox", headers=app.bearer(purpose=""))
    assert [each["number"] for each in listed.json()["requests"]] == [number]
    read = await app.client.get(f"/api/requests/{number}", headers=app.bearer(purpose=""))
    assert read.json()["request"]["revision"] == seq
    table = await app.client.get(f"/api/requests/{number}/tables/{seq}", headers=app.bearer(purpose=""))
    assert table.json()["rows"] == [{"item": 0, "value": {"name": "示例企业（虚构）"}}]
    receipt = await app.client.get(value["ledger"]["receipt"], headers=app.bearer(purpose=""))
    Receipt.from_json(receipt.json()).verify(app.service.ledger.verifier_key)
    gone = await send(app, {"move": "withdraw", "seen": float(seq)}, f"/api/requests/{number}/moves")
    assert gone.status_code == 200, gone.text
    assert gone.json()["request"]["state"] == "withdrawn" and gone.json()["request"]["moves"] == []


@anyio
async def test_nothing_of_a_subject_or_a_word_is_in_an_entry(app: InProcess) -> None:
    await send(app, opening_sample())
    assert not any("示例企业" in str(entry) for entry in app.entries())


@anyio
async def test_a_call_under_one_key_is_done_once_and_another_body_is_refused(app: InProcess) -> None:
    first = await send(app, opening_sample(), **{"idempotency-key": "k-1"})
    again = await send(app, opening_sample(), **{"idempotency-key": "k-1"})
    assert again.json()["repeated"] is True and again.headers["idempotency-replayed"] == "true"
    assert again.json()["ledger"] == first.json()["ledger"]
    other = await send(app, {**opening_sample(), "description": "另一事项的处罚情况"}, **{"idempotency-key": "k-1"})
    assert other.status_code == 409
    number = first.json()["request"]["number"]
    for _ in range(2):
        moved = await send(app, {"move": "withdraw"}, f"/api/requests/{number}/moves", **{"idempotency-key": "k-2"})
        assert moved.status_code == 200
    assert [entry["kind"] for entry in app.entries()[-2:]] == ["request.received", "request.withdrawn"]


@anyio
@pytest.mark.parametrize(
    ("change", "status", "code", "where"),
    [
        ({"provider": "nobody"}, 422, "invalid", "provider"),
        ({"provider": "zhzf"}, 422, "invalid", "provider"),
        ({"provider": "ywzx"}, 422, "invalid", "provider"),
        ({"resource": "work/nothing"}, 422, "invalid", "resource"),
        ({"description": ""}, 422, "missing", "description"),
        ({"description": "机密★10年的材料"}, 422, "classified_marking", "description"),
        ({"description": "查询 110101199003070011 的处罚"}, 422, "id_number", "description"),
        ({"purpose": {"code": "case", "reference": "无"}}, 422, "invalid", "purpose.reference"),
        ({"urgent": True}, 422, "missing", "urgent_reason"),
        ({"urgent": True, "urgent_reason": "嫌疑人可能离境", "approver": "scjg-2"}, 422, "invalid", "approver"),
        ({"act": "application"}, 422, "missing", "application.basis"),
        ({"channel": "phone", "received_at": "2026-11-20T09:00"}, 422, "no_zone", "received_at"),
        ({"channel": "phone", "received_at": "2999-11-20T09:00+08:00"}, 422, "future", "received_at"),
        ({"channel": "phone", "received_at": "yesterday"}, 422, "invalid", "received_at"),
        ({"requester": "bjd"}, 422, "invalid", "requester"),
        ({"subjects": [{"note": "x"}, {"name": "甲"}, {"name": "甲"}]}, 422, "subjects", "subjects"),
        ({"files": [{"name": "a.exe", "content": "TVqQAAMAAAA=", "reviewed": True}]}, 415, "file_type", "files"),
        (
            {"files": [{"name": "a.txt", "content": "aGVsbG8=", "reviewed": False}]},
            422,
            "not_reviewed",
            "files_reviewed",
        ),
        ({"files": [{"name": "a.txt", "content": "====", "reviewed": True}]}, 400, "malformed", "files[0].content"),
        ({"nothing": 1}, 400, "malformed", "nothing"),
    ],
)
async def test_what_cannot_be_sent_is_named_and_nothing_is_written(
    app: InProcess, change: dict[str, Any], status: int, code: str, where: str
) -> None:
    size = app.service.ledger.size()
    response = await send(app, {**opening_sample(), **change})
    value = response.json()
    assert (response.status_code, value.get("code"), value.get("where")) == (status, code, where), value
    assert value["error_zh"] and value["error_en"]
    assert app.service.ledger.size() == size
    assert not list((app.service.instance.path / "files").glob("??/*"))


@anyio
async def test_an_attachment_too_large_is_refused(app: InProcess) -> None:
    def sample(size_bytes: int) -> dict[str, Any]:
        content = base64.b64encode(b"%PDF-1.7".ljust(size_bytes, b"x")).decode()
        return {**opening_sample(), "files": [{"name": "a.pdf", "content": content, "reviewed": True}]}

    response = await send(app, sample(10 * 2**20 + 1))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert (await send(app, sample(10 * 2**20))).status_code == 200


@anyio
async def test_attachments_come_back_as_they_were_sent_to_the_parties_alone(app: InProcess) -> None:
    content = b"%PDF-1.7 an attachment"
    file = {"name": "../../案件材料.pdf", "content": base64.b64encode(content).decode(), "reviewed": True}
    value = (await send(app, {**opening_sample(), "files": [file]})).json()
    (found,) = value["request"]["entries"][0]["files"]
    assert (found["name"], found["type"], found["size_bytes"]) == ("案件材料.pdf", "pdf", len(content))
    provider, other = await app.sign_in("scjg-1"), await app.sign_in("bjd-1")
    given = await app.client.get(found["url"], headers=provider)
    assert given.content == content and given.headers["content-disposition"].startswith("attachment")
    assert (await app.client.get(found["url"], headers=other)).status_code == 404
    stored = list((app.service.instance.path / "files").glob("??/*"))
    assert [file.stat().st_mode & 0o777 for file in stored] == [0o600]
    assert content not in stored[0].read_bytes()


@anyio
async def test_errors_of_moves_say_the_rule(app: InProcess) -> None:
    number = (await send(app, opening_sample())).json()["request"]["number"]
    path = f"/api/requests/{number}/moves"
    await send(app, {"move": "withdraw"}, path)
    again = await send(app, {"move": "withdraw"}, path)
    assert (again.status_code, again.json()["rule"]) == (409, "C14")
    faster = await send(app, {"move": "withdraw", "seen": 0}, path)
    assert (faster.status_code, faster.json()["code"]) == (409, "faster")
    nobody = await send(app, {"move": "fee", "note": "要求付费二百元"}, path)
    assert (nobody.status_code, nobody.json()["rule"]) == (403, "C12")  # a person complains, no system
    assert (await send(app, {"move": "nothing"}, path)).status_code == 400
    assert (await send(app, {"move": "withdraw"}, "/api/requests/q-20260101-00001/moves")).status_code == 404
    assert (await app.client.put(path, headers=app.bearer(purpose=""))).status_code == 405
    assert (await app.client.get("/api/requests?box=x", headers=app.bearer(purpose=""))).status_code == 400
