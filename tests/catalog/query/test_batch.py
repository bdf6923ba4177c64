"""``POST /api/query/batch``: many look-ups, one entry, each provable and erasable alone."""

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

from catalog.query.answers import hashed_part
from ledger import Instance, Receipt
from ledger.erasure import Erasure, erase
from tests.conftest import InProcess, in_process
from tests.ledger.support import START

pytestmark = pytest.mark.anyio

PATH = "/api/query/batch"
PURPOSE = {"code": "case", "reference": "示演立案〔2026〕17号"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def app(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    folder = tmp_path_factory.mktemp("batch") / "demo"
    shutil.copytree(demo_template, folder)
    async with in_process(Instance.open(folder)) as running:
        yield running


async def post(app: InProcess, body: Any) -> Any:
    return await app.client.post(PATH, json=body, headers=app.bearer(purpose=""))


def lookup(value: str, **more: Any) -> dict[str, Any]:
    return {"database": "work", "table": "penalties", "column": "credit_code", "value": value, **more}


def codes(app: InProcess, count: int) -> list[str]:
    """Codes that turn up in the penalties."""
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as db:
        rows = db.execute("SELECT DISTINCT credit_code FROM penalties WHERE credit_code IS NOT NULL LIMIT ?", (count,))
        return [row[0] for row in rows]


async def test_each_look_up_is_answered_as_a_query_of_its_own(app: InProcess) -> None:
    values = [*codes(app, 3), "91370000示例不存在"]
    body = {"lookups": [lookup(value, columns=["document_no", "party_name"]) for value in values], "purpose": PURPOSE}
    response = await post(app, body)
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert [result["item"] for result in results] == [0, 1, 2, 3]
    for value, result in zip(values, results, strict=True):
        query = {"filters": [{"column": "credit_code", "op": "=", "value": value}], "purpose": PURPOSE, "limit": 20}
        query["columns"] = ["document_no", "party_name"]
        alone = await app.client.post("/api/query/work/penalties", json=query, headers=app.bearer(purpose=""))
        assert result["rows"] == alone.json()["rows"]
    assert results[3]["rows"] == []
    assert response.json()["rows"] == sum(len(result["rows"]) for result in results)


async def test_one_entry_holds_count_and_root_and_nothing_of_the_look_ups(app: InProcess) -> None:
    before = len(app.entries())
    values = codes(app, 5)
    response = await post(app, {"lookups": [lookup(value) for value in values], "purpose": PURPOSE})
    entries = app.entries()[before:]
    assert len(entries) == 1
    (entry,) = entries
    assert (entry["kind"], entry["route"], entry["resource"]) == ("query.served", "api-batch", "work/penalties")
    assert (entry["items"], entry["rows"]) == (5, response.json()["rows"])
    assert entry["size_bytes"] == len(hashed_part(response.content))
    assert "resources" not in entry
    text = json.dumps(entry)
    assert not any(value in text for value in values)
    receipt = app.service.ledger.receipt(entry["seq"], with_openings=True)
    query = str(receipt.openings["query"].value)
    assert not any(value in query for value in values)  # so that one can be erased alone


async def test_each_look_up_is_proven_alone_with_what_was_told(app: InProcess) -> None:
    values = codes(app, 4)
    body = {"lookups": [lookup(value, salt=f"{'0' * 15}{n}") for n, value in enumerate(values)], "purpose": PURPOSE}
    response = await post(app, {**body, "receipt": True})
    key = app.service.ledger.verifier_key
    receipt = Receipt.from_json(response.json()["receipt"])
    receipt.verify(key)
    lines = response.content.split(b"\n")
    for index, value in enumerate(values):
        alone = receipt.only([], [index])
        alone.verify(key)
        (item,) = alone.items
        said: Any = item.opening.value
        assert (said["value"], said["salt"]) == (value, f"{'0' * 15}{index}")
        line = lines[1 + index].removeprefix(b",")
        assert said["answer_sha256"] == hashlib.sha256(line).hexdigest()
        assert json.loads(line)["salt"] == item.opening.salt.hex()
        assert said["rows"] == len(json.loads(line)["rows"])
    digest = hashlib.sha256(hashed_part(response.content)).hexdigest()
    assert receipt.openings["answer_sha256"].value == digest


async def test_one_look_up_is_erased_and_all_others_still_prove(demo: Instance) -> None:
    async with in_process(demo) as app:
        values = codes(app, 4)
        seq = (await post(app, {"lookups": [lookup(value) for value in values], "purpose": PURPOSE})).json()["ledger"][
            "entry"
        ]
        wanted = Erasure(seq, "依据示范县自拟规则第一条", "sfj", ("items/2",), law_requires="示例法第二条")
        erase(app.service.ledger, wanted, START)
        receipt = Receipt.from_json((await app.client.get(f"/log/receipt/{seq}", headers=app.bearer())).json())
        receipt.verify(app.service.ledger.verifier_key)
        assert [item.index for item in receipt.items] == [0, 1, 3]


async def test_tables_may_differ_and_the_entry_names_them_all(app: InProcess) -> None:
    permit = {"database": "work", "table": "permits", "column": "party_name", "value": "示例餐饮店001"}
    response = await post(app, {"lookups": [permit, lookup("x"), permit], "purpose": PURPOSE})
    assert response.status_code == 200, response.text
    entry = app.entries()[-1]
    assert (entry["resource"], entry["resources"]) == ("batch", ["work/penalties", "work/permits"])


async def test_five_hundred_go_in_one_call(app: InProcess) -> None:
    body = {"lookups": [lookup(f"91370000示例{n:06}") for n in range(500)], "purpose": PURPOSE, "receipt": True}
    response = await post(app, body)
    assert response.status_code == 200, response.text
    receipt = Receipt.from_json(response.json()["receipt"])
    receipt.verify(app.service.ledger.verifier_key)
    assert len(receipt.items) == len(response.json()["results"]) == 500
    assert (await post(app, {**body, "lookups": [*body["lookups"], lookup("x")]})).json()["where"] == "lookups"


async def test_more_rows_than_wanted_are_said_to_be_there(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as db:
        sql = "SELECT party_name FROM penalties GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        (name,) = db.execute(sql).fetchone()
    result = (await post(app, {"lookups": [lookup(name, column="party_name")], "limit": 1, "purpose": PURPOSE})).json()
    assert (len(result["results"][0]["rows"]), result["results"][0]["more"]) == (1, True)


# -- refusals --------------------------------------------------------------------------------------------------------


async def test_one_table_that_is_not_open_refuses_the_whole_and_is_named(app: InProcess) -> None:
    closed = next(
        resource for resource, decision in app.service.decisions("zhzf", "agency") if decision.code == "not_yet_granted"
    )
    other = lookup("x", database=closed["database"], table=closed["table_name"], column="party_name")
    response = await post(app, {"lookups": [lookup("x"), other], "purpose": PURPOSE})
    assert (response.status_code, response.json()["code"]) == (403, "not_yet_granted")
    entry = app.entries()[-1]
    assert (entry["kind"], entry["resource"]) == ("query.referred", f"{closed['database']}/{closed['table_name']}")
    assert "items" not in entry


async def test_without_a_purpose_nothing_conditional_is_looked_up(app: InProcess) -> None:
    response = await post(app, {"lookups": [lookup("x")]})
    assert (response.status_code, response.json()["code"]) == (403, "purpose_needed")


@pytest.mark.parametrize("column", ["town", "id", "facts", "decided_on", "_batch"])
async def test_only_by_columns_that_tell_who_somebody_is(app: InProcess, column: str) -> None:
    body = {"lookups": [lookup("x"), lookup("x", column=column)], "purpose": PURPOSE}
    error = (await post(app, body)).json()
    assert (error["code"], error["where"]) == ("not_a_subject_column", "lookups[1].column")


async def test_a_wrong_column_is_named_with_its_look_up(app: InProcess) -> None:
    error = (await post(app, {"lookups": [lookup("x", columns=["document_no", "nosuch"])], "purpose": PURPOSE})).json()
    assert (error["code"], error["where"]) == ("unknown_column", "lookups[0].columns[1]")
    error = (await post(app, {"lookups": [lookup("x", column="nosuch")], "purpose": PURPOSE})).json()
    assert (error["code"], error["where"]) == ("unknown_column", "lookups[0].column")
    assert "filters" not in error["error_en"]
