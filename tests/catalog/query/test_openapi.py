"""``/api/openapi.json``: it is OpenAPI 3.1, it says what the parser checks, and a live server answers as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.query import lookups, model
from catalog.query.errors import BodyError
from ledger import Instance
from tests.conftest import InProcess, Running, in_process, serving

anyio = pytest.mark.anyio
PURPOSE = {"code": "case", "reference": "示演立案〔2026〕17号"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def app(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    folder = tmp_path_factory.mktemp("openapi") / "demo"
    shutil.copytree(demo_template, folder)
    async with in_process(Instance.open(folder)) as running:
        yield running


async def document(app: InProcess, headers: dict[str, str] | None = None) -> dict[str, Any]:
    response = await app.client.get("/api/openapi.json", headers=headers or {})
    assert response.status_code == 200
    value: dict[str, Any] = response.json()
    return value


def schema_of(value: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = value["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return found


# -- who may have it ---------------------------------------------------------------------------------------------------


@anyio
async def test_anybody_may_have_it_and_there_is_no_table_in_it(app: InProcess) -> None:
    before = len(app.entries())
    value = await document(app)
    assert value["openapi"] == "3.1.0"
    assert sorted(value["paths"]) == [
        "/api/openapi.json",
        "/api/query/batch",
        "/api/query/{database}/{table}",
        "/api/requests",
        "/api/requests/{case}",
        "/api/requests/{case}/moves",
        "/api/requests/{case}/tables/{seq}",
        "/log/receipt/{seq}",
    ]
    assert len(app.entries()) == before
    assert "penalties" not in json.dumps(value["paths"]["/api/query/{database}/{table}"])


@anyio
async def test_an_agency_sees_its_own_tables_columns_and_purposes(app: InProcess) -> None:
    value = await document(app, app.bearer(purpose=""))
    schema = schema_of(value, "/api/query/work/penalties")
    assert schema["properties"]["purpose"]["properties"]["code"]["enum"] == ["case", "joint", "coordinated"]
    assert schema["required"] == ["purpose"]
    assert "credit_code" in schema["properties"]["columns"]["items"]["enum"]
    assert "required" not in schema_of(value, "/api/query/work/permits")  # unconditional
    closed = [
        f"/api/query/{resource['database']}/{resource['table_name']}"
        for resource, decision in app.service.decisions("zhzf", "agency")
        if decision.code == "not_yet_granted"
    ]
    assert closed
    assert not set(closed) & set(value["paths"])


@anyio
async def test_wrong_credentials_get_the_public_one(app: InProcess) -> None:
    assert await document(app, {"authorization": "Bearer ld_wrong"}) == await document(app)


@anyio
async def test_every_message_is_in_both_languages(app: InProcess) -> None:
    value = await document(app, app.bearer(purpose=""))

    def texts(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (
                each for name, each in node.items() if name in ("description", "summary") and isinstance(each, str)
            )
            for each in node.values():
                yield from texts(each)
        elif isinstance(node, list):
            for each in node:
                yield from texts(each)

    for text in texts(value["components"]):
        if text != "docs/spec/receipt.md":
            assert re.search(r"[一-鿿]", text), text
            assert re.search(r"[A-Za-z]{3}", text), text


# -- it says what is checked -------------------------------------------------------------------------------------------


@anyio
async def test_examples_are_answered_as_they_stand(app: InProcess) -> None:
    value = await document(app, app.bearer(purpose=""))
    asked = 0
    for path, operations in value["paths"].items():
        body = operations.get("post", {}).get("requestBody")
        if body is None or "{" in path:
            continue
        for example in body["content"]["application/json"]["examples"].values():
            response = await app.client.post(path, json=example["value"], headers=app.bearer(purpose=""))
            assert response.status_code == 200, (path, response.text)
            good = operations["post"]["responses"]["200"]["content"]["application/json"]["schema"]
            whole = {**good, "components": value["components"]}
            jsonschema_rs.validator_for(whole).validate(response.json())
            asked += 1
    assert asked > 5


_WORDS = ["=", "in", "is null", "search", "case", "work", "town", "甲\x00"]
_NAMES = [
    "filters",
    "columns",
    "order",
    "limit",
    "cursor",
    "purpose",
    "receipt",
    "lookups",
    "database",
    "table",
    "column",
    "op",
    "value",
    "descending",
    "code",
    "reference",
    "words",
    "participants",
    "salt",
    "other",
]
_LEAF = (
    st.none() | st.booleans() | st.integers(-3, 2000) | st.floats(-3, 3) | st.text(max_size=5) | st.sampled_from(_WORDS)
)
_JSON = st.recursive(
    _LEAF,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), each, max_size=4),
    max_leaves=12,
)
_QUERY = st.fixed_dictionaries({}, optional=dict.fromkeys(model.QUERY.members, _JSON))
_BATCH = st.fixed_dictionaries({}, optional=dict.fromkeys(lookups.BATCH.members, _JSON))


@settings(max_examples=400)
@given(_JSON | _QUERY | _BATCH)
def test_the_schema_and_the_parser_take_the_same_requests(value: Any) -> None:
    for shape in (model.QUERY, lookups.BATCH):
        try:
            shape.check(value, "")
            taken = True
        except BodyError:
            taken = False
        assert jsonschema_rs.is_valid(shape.schema(), value) == taken


# -- a live server -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unlimited(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A served demonstration without quotas, which thousands of requests would meet."""
    folder = tmp_path_factory.mktemp("schemathesis") / "demo"
    shutil.copytree(demo_template, folder)
    with (folder / "datasette.yml").open("a", encoding="utf-8") as file:
        file.write("plugins: {liandong: {quotas: {systems: {requests_per_minute: null, rows_per_day: null}}}}\n")
    with serving(Instance.open(folder)) as running:
        yield running


def test_schemathesis_finds_no_server_error_and_no_undocumented_answer(unlimited: Running, tmp_path: Path) -> None:
    paths = (
        "/api/query/batch",
        "/api/query/{database}/{table}",
        "/api/query/work/penalties",
        "/api/openapi.json",
        "/api/requests",
        "/api/requests/{case}",
        "/api/requests/{case}/moves",
        "/api/requests/{case}/tables/{seq}",
        "/log/receipt/{seq}",
    )
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("run", f"{unlimited.url}/api/openapi.json", "--url", unlimited.url),
        *("--header", f"Authorization: Bearer {unlimited.token}"),
        *(part for path in paths for part in ("--include-path", path)),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--generation-deterministic"),
        # What the schema cannot say is refused too: a cursor that is made up, a reference that says nothing.
        *("--exclude-checks", "positive_data_acceptance"),
        *("--continue-on-failure", "--warnings", "off", "--no-color"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert result.returncode == 0, result.stdout[-6000:]
    assert re.search(r"([0-9]{3,}) generated", result.stdout), result.stdout[-2000:]
