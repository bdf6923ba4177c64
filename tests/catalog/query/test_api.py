"""``POST /api/query/DATABASE/TABLE``: what is answered, recorded, refused, and that nothing else leaves."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog import grants
from catalog.query.answers import hashed_part
from ledger import Instance, Receipt
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

PERMITS, PENALTIES = "/api/query/work/permits", "/api/query/work/penalties"
PURPOSE = {"code": "case", "reference": "示演立案〔2026〕17号"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def app(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    """One demonstration for the tests of this module, none of which changes who may have what."""
    folder = tmp_path_factory.mktemp("api") / "demo"
    shutil.copytree(demo_template, folder)
    async with in_process(Instance.open(folder)) as running:
        yield running


async def post(app: InProcess, path: str, body: Any, **headers: str) -> Any:
    return await app.client.post(path, json=body, headers={**app.bearer(purpose=""), **headers})


async def session(app: InProcess, login: str) -> dict[str, str]:
    """The cookie of an officer who has just signed in, which the client itself does not keep."""
    cookie = (await app.sign_in(login))["cookie"]
    app.client.cookies.clear()
    return {"cookie": cookie}


def error_shape(response: Any, status: int, code: str) -> dict[str, Any]:
    """The one shape of all errors."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["ok"], body["status"], body["code"]) == (status, False, status, code)
    assert body["errors"] == [body["error"]]
    assert {body["error_zh"], body["error_en"]} >= {body["error"]}
    return body


# -- answers ----------------------------------------------------------------------------------------------------------


async def test_rows_columns_and_the_entry(app: InProcess) -> None:
    body = {"filters": [{"column": "town", "op": "=", "value": "甲镇"}], "columns": ["document_no", "town"], "limit": 3}
    response = await post(app, PERMITS, body)
    assert response.status_code == 200, response.text
    value = response.json()
    assert list(value) == ["ok", "database", "table", "columns", "rows", "next", "ledger"]
    assert (value["ok"], value["database"], value["table"]) == (True, "work", "permits")
    assert value["columns"] == ["document_no", "town"]
    assert [list(row) for row in value["rows"]] == [["document_no", "town"]] * 3
    assert {row["town"] for row in value["rows"]} == {"甲镇"}
    assert response.headers["ledger-entry"] == str(value["ledger"]["entry"])
    assert response.headers["ledger-receipt"] == value["ledger"]["receipt"]
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_an_entry_says_who_asked_what_for_and_how_much_and_nothing_of_what(app: InProcess) -> None:
    body = {"filters": [{"column": "party_name", "op": "prefix", "value": "示例"}], "limit": 2, "purpose": PURPOSE}
    response = await post(app, PENALTIES, body)
    entry = app.entries()[-1]
    assert entry["seq"] == response.json()["ledger"]["entry"]
    expected = {
        "kind": "query.served",
        "requester": "zhzf",
        "auth": "token",
        "resource": "work/penalties",
        "route": "api-query",
        "status": 200,
        "format": "json",
        "rows": 2,
        "purpose": "case",
    }
    assert {name: entry[name] for name in expected} == expected
    assert entry["elapsed_us"] > 0
    assert entry["size_bytes"] == len(hashed_part(response.content))
    assert set(entry["commit"]) == {"query", "body_sha256", "answer_sha256", "reference"}
    assert "示例" not in json.dumps(entry, ensure_ascii=False)


async def test_the_receipt_proves_question_and_answer(app: InProcess) -> None:
    sent = json.dumps({"limit": 1, "receipt": True, "purpose": PURPOSE}, ensure_ascii=False).encode()
    headers = {**app.bearer(purpose=""), "content-type": "application/json"}
    response = await app.client.post(PENALTIES, content=sent, headers=headers)
    first, last = response.content.split(b"\n")
    assert last.startswith(b',"ledger":')
    receipt = Receipt.from_json(response.json()["receipt"])
    entry = receipt.verify(app.service.ledger.verifier_key)
    assert entry["seq"] == int(response.headers["ledger-entry"])
    opened = {name: opening.value for name, opening in receipt.openings.items()}
    assert opened["answer_sha256"] == hashlib.sha256(first).hexdigest()
    assert opened["body_sha256"] == hashlib.sha256(sent).hexdigest()
    assert opened["query"] == f"POST {PENALTIES}\n{sent.decode()}"
    assert opened["reference"] == PURPOSE["reference"]
    fetched = await app.client.get(response.json()["ledger"]["receipt"], headers=app.bearer())
    assert fetched.json()["openings"] == response.json()["receipt"]["openings"]


async def test_without_being_asked_for_the_receipt_stays_where_it_is(app: InProcess) -> None:
    assert "receipt" not in (await post(app, PERMITS, {"limit": 1})).json()


async def test_pages_by_cursor_are_the_whole_table_in_order(app: InProcess) -> None:
    body: dict[str, Any] = {"order": [{"column": "town"}, {"column": "id", "descending": True}], "limit": 7}
    rows: list[dict[str, Any]] = []
    while True:
        value = (await post(app, PERMITS, body)).json()
        rows += value["rows"]
        if value["next"] is None:
            break
        body["cursor"] = value["next"]
    assert len(rows) > 7
    assert rows == sorted(rows, key=lambda row: (row["town"].encode(), -row["id"]))
    assert len({row["id"] for row in rows}) == len(rows)
    assert len((await post(app, PERMITS, {"limit": 1000})).json()["rows"]) == len(rows)


@pytest.mark.parametrize(
    ("filters", "arguments"),
    [
        ([], ""),
        ([{"column": "town", "op": "=", "value": "甲镇"}], "town__exact=甲镇"),
        ([{"column": "town", "op": "!=", "value": "甲镇"}], "town__not=甲镇"),
        ([{"column": "document_no", "op": "prefix", "value": "示演交许字"}], "document_no__startswith=示演交许字"),
        ([{"column": "document_no", "op": "search", "value": "2026"}], "document_no__contains=2026"),
        ([{"column": "decided_on", "op": ">", "value": "2026-03-01"}], "decided_on__gt=2026-03-01"),
        ([{"column": "decided_on", "op": ">=", "value": "2026-03-01"}], "decided_on__gte=2026-03-01"),
        ([{"column": "decided_on", "op": "<", "value": "2026-03-01"}], "decided_on__lt=2026-03-01"),
        ([{"column": "decided_on", "op": "<=", "value": "2026-03-01"}], "decided_on__lte=2026-03-01"),
        ([{"column": "town", "op": "in", "value": ["甲镇", "乙镇"]}], "town__in=甲镇,乙镇"),
        ([{"column": "certificate_name", "op": "is null"}], "certificate_name__isnull=1"),
        ([{"column": "certificate_name", "op": "is not null"}], "certificate_name__notnull=1"),
        ([{"column": "id", "op": ">", "value": 10}], "id__gt=10"),
        (
            [{"column": "town", "op": "=", "value": "甲镇"}, {"column": "id", "op": "<", "value": 40}],
            "town__exact=甲镇&id__lt=40",
        ),
    ],
)
@pytest.mark.parametrize(
    ("order", "sorting"), [([], ""), ([{"column": "town", "descending": True}], "&_sort_desc=town")]
)
async def test_the_rows_are_those_of_datasettes_own_filters(
    app: InProcess, filters: list[Any], arguments: str, order: list[Any], sorting: str
) -> None:
    ours = (await post(app, PERMITS, {"filters": filters, "order": order, "limit": 1000})).json()
    theirs = await app.client.get(f"/work/permits.json?_size=max&{arguments}{sorting}", headers=app.bearer())
    assert theirs.status_code == 200, theirs.text
    assert ours["rows"] == theirs.json()["rows"]
    assert ours["rows"] or "isnull" in arguments or "notnull" in arguments


async def test_the_purpose_may_stand_in_the_header_field(app: InProcess) -> None:
    response = await app.client.post(PENALTIES, json={"limit": 1}, headers=app.bearer())
    assert response.status_code == 200, response.text
    assert app.entries()[-1]["purpose"] == "case"


async def test_an_officer_in_the_browser_may_ask_the_api_too(app: InProcess) -> None:
    cookie = await session(app, "zhzf-1")
    response = await app.client.post(PENALTIES, json={"limit": 1, "purpose": PURPOSE}, headers=cookie)
    assert response.status_code == 200, response.text
    entry = app.entries()[-1]
    assert (entry["auth"], "officer" in entry["commit"]) == ("session", True)


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PERMITS, "/api/query/batch", "/api/query/work/nosuch"])
async def test_anonymous_gets_nothing_and_leaves_no_entry(app: InProcess, path: str) -> None:
    before = len(app.entries())
    response = await app.client.post(path, json={})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert len(app.entries()) == before


@pytest.mark.parametrize(
    ("body", "code", "where"),
    [
        ({"nosuch": 1}, "malformed", "nosuch"),
        ({"limit": 1001}, "malformed", "limit"),
        ({"columns": ["nosuch"]}, "unknown_column", "columns[0]"),
        ({"order": [{"column": "nosuch"}]}, "unknown_column", "order[0].column"),
        ({"filters": [{"column": "id", "op": "=", "value": "1"}]}, "wrong_type", "filters[0].value"),
        ({"cursor": "made-up"}, "bad_cursor", "cursor"),
    ],
)
async def test_a_wrong_request_is_400_with_its_place_and_recorded(
    app: InProcess, body: dict[str, Any], code: str, where: str
) -> None:
    response = await post(app, PERMITS, body)
    assert error_shape(response, 400, code)["where"] == where
    entry = app.entries()[-1]
    assert (entry["kind"], entry["status"], entry["reason"]) == ("query.failed", 400, code)
    assert response.headers["ledger-entry"] == str(entry["seq"])


async def test_a_cursor_of_another_agency_is_refused(app: InProcess) -> None:
    given = (await post(app, PERMITS, {"limit": 1})).json()["next"]
    cookie = await session(app, "yjgl-1")
    response = await app.client.post(PERMITS, json={"limit": 1, "cursor": given}, headers=cookie)
    error_shape(response, 400, "bad_cursor")


async def test_a_missing_purpose_is_told_what_to_state(app: InProcess) -> None:
    body = error_shape(await post(app, PENALTIES, {"limit": 1}), 403, "purpose_needed")
    assert "case" in body["purpose"]["codes"]
    assert app.entries()[-1]["kind"] == "query.failed"


@pytest.mark.parametrize(
    ("purpose", "where"),
    [
        ({"code": "case", "reference": "工作需要"}, "purpose.reference"),
        ({"code": "case", "reference": ""}, "purpose.reference"),
        ({"code": "other", "reference": "示2026-1"}, "purpose.words"),
        ({"code": "joint", "reference": "示2026-1", "participants": ["zhzf", "nobody"]}, "purpose.participants"),
    ],
)
async def test_a_purpose_that_says_nothing_is_422(app: InProcess, purpose: dict[str, Any], where: str) -> None:
    response = await post(app, PENALTIES, {"limit": 1, "purpose": purpose})
    assert error_shape(response, 422, "purpose")["where"] == where


async def test_a_purpose_that_no_grant_covers_is_referred_with_its_clause(app: InProcess) -> None:
    response = await post(app, PENALTIES, {"limit": 1, "purpose": {**PURPOSE, "code": "permit"}})
    body = error_shape(response, 403, "purpose_not_covered")
    assert body["clause"]
    assert body["request"]
    entry = app.entries()[-1]
    assert (entry["kind"], entry["clause"], entry["purpose"]) == ("query.referred", "purpose_not_covered", "permit")


async def test_what_is_not_granted_is_referred_and_what_is_not_published_is_not_told_apart_from_nothing(
    app: InProcess,
) -> None:
    ungranted = next(
        f"{resource['database']}/{resource['table_name']}"
        for resource, decision in app.service.decisions("zhzf", "agency")
        if decision.code == "not_yet_granted"
    )
    error_shape(await post(app, f"/api/query/{ungranted}", {"purpose": PURPOSE}), 403, "not_yet_granted")
    assert app.entries()[-1]["kind"] == "query.referred"
    answers = [
        (await post(app, f"/api/query/work/{name}", {})).json() for name in ("nosuch", "sqlite_master", "penalties_fts")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["code"] == "not_published"


async def test_tables_with_an_underscore_have_no_address(app: InProcess) -> None:
    for name in ("_rows", "_batches", "Permits", "permits%20", "permits;"):
        assert (await post(app, f"/api/query/work/{name}", {})).status_code == 404


@pytest.mark.parametrize("database", ["ledger", "identity", "_internal", "main", "temp"])
async def test_no_other_database_has_an_address(app: InProcess, database: str) -> None:
    assert (await post(app, f"/api/query/{database}/entries", {})).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [PERMITS, "/api/query/batch"])
async def test_another_method_is_405_and_says_which(app: InProcess, method: str, path: str) -> None:
    response = await app.client.request(method, path, headers=app.bearer())
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_a_body_that_a_form_of_another_site_could_send_is_415(app: InProcess, content_type: str) -> None:
    headers = {**app.bearer(), **({"content-type": content_type} if content_type else {})}
    response = await app.client.post(PERMITS, content=b"{}", headers=headers)
    error_shape(response, 415, "not_json")


async def test_a_body_that_is_too_large_is_413_before_anything_is_done(app: InProcess) -> None:
    before = len(app.entries())
    response = await app.client.post(PERMITS, content=b" " * 200_000, headers=app.bearer())
    assert response.status_code == 413
    assert len(app.entries()) == before


async def test_arguments_in_the_address_are_not_taken(app: InProcess) -> None:
    response = await post(app, f"{PERMITS}?_where=1", {})
    assert response.status_code == 400


async def test_errors_are_in_the_readers_language_and_never_html(app: InProcess) -> None:
    headers = {**app.bearer(), "accept": "text/html", "accept-language": "en"}
    response = await app.client.post(PERMITS, json={"limit": 0}, headers=headers)
    assert response.json()["error"] == response.json()["error_en"]


# -- idempotency ------------------------------------------------------------------------------------------------------


async def test_the_same_key_and_body_again_is_answered_by_the_first_receipt(app: InProcess) -> None:
    first = await post(app, PERMITS, {"limit": 1}, **{"idempotency-key": "once-1"})
    entries = len(app.entries())
    again = await post(app, PERMITS, {"limit": 1}, **{"idempotency-key": "once-1"})
    assert again.json()["repeated"] is True
    assert again.json()["ledger_entry"] == first.json()["ledger"]["entry"]
    other = await post(app, PERMITS, {"limit": 2}, **{"idempotency-key": "once-1"})
    assert other.status_code == 409
    assert len(app.entries()) == entries + 1  # the other call, refused


# -- when something is wrong here -------------------------------------------------------------------------------------


async def test_no_data_leaves_when_the_ledger_cannot_be_written(demo: Instance) -> None:
    async with in_process(demo) as app:
        app.service.ledger._store._db.execute("PRAGMA query_only = ON")
        response = await post(app, PERMITS, {"limit": 1})
    assert response.status_code == 503
    assert "rows" not in response.text
    assert response.headers["retry-after"]


async def test_a_database_that_cannot_be_read_is_503_and_recorded(demo: Instance) -> None:
    async with in_process(demo) as app:
        demo.database_path("work").write_bytes(b"no database at all" * 500)
        response = await post(app, PERMITS, {"limit": 1})
        error_shape(response, 503, "unreadable")
        assert app.entries()[-1]["kind"] == "query.failed"
        assert (await post(app, "/api/query/directory/resources", {"limit": 1})).status_code == 200


async def test_a_revoked_grant_closes_at_the_next_request(demo: Instance) -> None:
    async with in_process(demo) as app:
        assert (await post(app, PENALTIES, {"limit": 1, "purpose": PURPOSE})).status_code == 200
        grants.revoke(app.service.register, app.service.ledger, "g-0001", "演示")
        error_shape(await post(app, PENALTIES, {"limit": 1, "purpose": PURPOSE}), 403, "not_yet_granted")


async def test_text_that_is_not_utf_8_is_503_and_stands_in_no_log(
    demo: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(demo.database_path("work"))) as work, work:
        work.execute("UPDATE permits SET party_name = CAST(? AS TEXT) WHERE id = 1", ("李四".encode() + b"\xff",))
    async with in_process(demo) as app:
        response = await post(app, PERMITS, {"limit": 2})
        error_shape(response, 503, "unreadable")
        assert (app.entries()[-1]["kind"], app.entries()[-1]["reason"]) == ("query.failed", "unreadable")
        page = await app.client.post("/query/work/permits", data={}, headers=await app.sign_in("zhzf-1"))
        assert page.status_code == 503
    assert "李四" not in response.text + page.text + "".join(capfd.readouterr())
