"""A grant that opens some columns of a table: every way to the others is tried, and none says what is in them."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog import grants
from catalog.grants import Grant
from catalog.identity.register import Register
from ledger import Instance
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

TABLE, API, PAGE = "/work/inspections", "/api/query/work/inspections", "/query/work/inspections"
OPEN = ("inspection_no", "town", "inspected_on")
PURPOSE = {"code": "case", "reference": "示演立案〔2026〕17号"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def narrow(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """The demonstration, where zhzf has a grant of three columns of the inspections and nothing more of them."""
    folder = tmp_path_factory.mktemp("columns") / "demo"
    shutil.copytree(demo_template, folder)
    instance = Instance.open(folder)
    names = columns_of(instance)
    chosen = tuple(name for name in names if name in OPEN) or names[2:5]
    with instance.ledger() as ledger, closing(Register(instance.identity_path)) as register:
        for held in grants.grants_to(register, "zhzf", register.today()):
            if held["table_name"] == "inspections":
                grants.revoke(register, ledger, held["id"], "演示")
        grants.give(
            register,
            ledger,
            Grant(
                "g-narrow",
                "yjgl",
                "zhzf",
                "work",
                "inspections",
                ("case",),
                "2026-01-01",
                "2027-12-31",
                "演示依据",
                chosen,
            ),
        )
    return instance


@pytest.fixture(scope="module")
async def app(narrow: Instance) -> AsyncIterator[InProcess]:
    async with in_process(narrow) as running:
        yield running


def columns_of(instance: Instance) -> tuple[str, ...]:
    with closing(sqlite3.connect(instance.database_path("work"))) as db:
        return tuple(name for _, name, *_ in db.execute("PRAGMA table_info(inspections)"))


def opened(app: InProcess) -> list[str]:
    (grant,) = [
        each for each in grants.grants_to(app.service.register, "zhzf", "2026-11-25") if each["id"] == "g-narrow"
    ]
    columns: list[str] = grant["columns"]
    return columns


def hidden(app: InProcess) -> list[str]:
    """The columns that the grant does not open, the row number and the batch among them."""
    return [name for name in columns_of(app.service.instance) if name not in opened(app)]


def secrets(app: InProcess) -> set[str]:
    """Values of hidden columns that stand in no open one and are long enough not to turn up by chance."""
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as db:
        names = ", ".join(name for name in hidden(app) if name != "id")
        closed = {str(cell) for row in db.execute(f"SELECT {names} FROM inspections") for cell in row if cell}
        shown = {str(cell) for row in db.execute(f"SELECT {', '.join(opened(app))} FROM inspections") for cell in row}
    # What the whole catalogue says anyway is no secret of this table.
    known = {str(row["name_zh"]) for row in app.service.register.all("SELECT name_zh FROM agencies")} | {"演示数据"}
    return {value for value in closed - known if len(value) >= 6 and not any(value in each for each in shown)}


def without(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An error as it would be for another name."""
    return json.loads(json.dumps(answer, ensure_ascii=False).replace(json.dumps(name)[1:-1], "nosuch"))


async def post(app: InProcess, path: str, body: Any) -> Any:
    return await app.client.post(path, json=body, headers=app.bearer(purpose=""))


def says_nothing(app: InProcess, text: str) -> None:
    leaked = [value for value in secrets(app) if value in text]
    assert not leaked, leaked[:3]


# -- what is open ----------------------------------------------------------------------------------------------------


async def test_the_open_columns_are_answered_and_no_other(app: InProcess) -> None:
    response = await post(app, API, {"purpose": PURPOSE, "limit": 1000})
    assert response.status_code == 200, response.text
    assert set(response.json()["columns"]) == set(opened(app))
    assert response.json()["rows"]
    assert all(set(row) == set(opened(app)) for row in response.json()["rows"])
    says_nothing(app, response.text)


async def test_pages_follow_one_another_though_the_row_number_is_hidden(app: InProcess) -> None:
    body: dict[str, Any] = {"purpose": PURPOSE, "limit": 17, "order": [{"column": "town", "descending": True}]}
    count = 0
    while True:
        value = (await post(app, API, body)).json()
        count += len(value["rows"])
        if value["next"] is None:
            break
        body["cursor"] = value["next"]
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as db:
        assert count == db.execute("SELECT count(*) FROM inspections").fetchone()[0]


# -- the API ---------------------------------------------------------------------------------------------------------


def probes(name: str) -> list[dict[str, Any]]:
    """Ways to ask by a column."""
    return [
        {"columns": [name]},
        {"columns": ["inspection_no", name]},
        {"order": [{"column": name}]},
        {"order": [{"column": "town"}, {"column": name, "descending": True}]},
        *({"filters": [{"column": name, "op": op, "value": "x"}]} for op in ("=", "!=", "<", ">=", "prefix", "search")),
        {"filters": [{"column": name, "op": "in", "value": ["x", 1]}]},
        {"filters": [{"column": name, "op": "is null"}]},
        {"filters": [{"column": name, "op": "is not null"}]},
        {"filters": [{"column": name, "op": ">", "value": 1}]},
    ]


async def test_each_way_to_a_hidden_column_is_answered_as_for_one_that_does_not_exist(app: InProcess) -> None:
    unknown = [(await post(app, API, {**probe, "purpose": PURPOSE})).json() for probe in probes("nosuch")]
    for name in [*hidden(app), "rowid", "oid", "INSPECTION_NO", "inspections.id_number", '"id"']:
        for probe, expected in zip(probes(name), unknown, strict=True):
            response = await post(app, API, {**probe, "purpose": PURPOSE})
            assert response.status_code == 400
            assert without(name, response.json()) == expected
    assert {each["code"] for each in unknown} == {"unknown_column"}


async def test_an_error_names_open_columns_alone(app: InProcess) -> None:
    for probe in probes("nosuch"):
        text = (await post(app, API, {**probe, "purpose": PURPOSE})).text
        assert all(not re.search(rf"\b{name}\b", text) for name in hidden(app))


async def test_a_search_over_all_columns_does_not_find_what_is_hidden(app: InProcess) -> None:
    for value in list(secrets(app))[:40]:
        body = {"purpose": PURPOSE, "filters": [{"op": "search", "value": value.split()[0][:50]}]}
        response = await post(app, API, body)
        assert response.json()["rows"] == [], value


async def test_a_cursor_made_with_more_columns_does_not_open(app: InProcess) -> None:
    """One of the provider's, which may order by what is hidden here."""
    cookie = (await app.sign_in("yjgl-1"))["cookie"]
    app.client.cookies.clear()
    body = {"order": [{"column": hidden(app)[3]}], "limit": 1}
    theirs = await app.client.post(API, json=body, headers={"cookie": cookie})
    assert theirs.status_code == 200, theirs.text
    response = await post(app, API, {"limit": 1, "purpose": PURPOSE, "cursor": theirs.json()["next"]})
    assert response.json()["code"] == "bad_cursor"


async def test_a_look_up_by_a_hidden_column_is_refused_like_one_that_does_not_exist(app: InProcess) -> None:
    def lookup(**more: Any) -> dict[str, Any]:
        each = {"database": "work", "table": "inspections", "column": "inspection_no", "value": "x", **more}
        return {"lookups": [each], "purpose": PURPOSE}

    unknown = (await post(app, "/api/query/batch", lookup(column="nosuch"))).json()
    columns = (await post(app, "/api/query/batch", lookup(columns=["nosuch"]))).json()
    assert unknown["code"] == columns["code"] == "unknown_column"
    for name in hidden(app):
        response = await post(app, "/api/query/batch", lookup(column=name))
        assert without(name, response.json()) == unknown
        response = await post(app, "/api/query/batch", lookup(columns=[name]))
        assert without(name, response.json()) == columns
    found = await post(app, "/api/query/batch", lookup(value="示演应急检〔2026〕1号"))
    assert set(found.json()["results"][0]["columns"]) == set(opened(app))
    not_a_subject = (await post(app, "/api/query/batch", lookup(column="town"))).json()
    assert not_a_subject["code"] == "not_a_subject_column"
    assert not any(name in not_a_subject["error_en"] for name in hidden(app) if name != "id")


async def test_the_document_of_the_api_shows_open_columns_alone(app: InProcess) -> None:
    paths = (await app.client.get("/api/openapi.json", headers=app.bearer())).json()["paths"]
    shown = json.dumps(paths["/api/query/work/inspections"], ensure_ascii=False)
    assert all(f'"{name}"' in shown for name in opened(app))
    assert not any(f'"{name}"' in shown for name in hidden(app))


# -- Datasette's own pages -------------------------------------------------------------------------------------------


def addresses(name: str) -> list[str]:
    """Datasette's ways to a column."""
    return [
        TABLE,
        f"{TABLE}.json",
        f"{TABLE}.csv",
        f"{TABLE}.csv?_stream=1",
        f"{TABLE}.json?_shape=array",
        f"{TABLE}.json?_col={name}",
        f"{TABLE}.json?_nocol=inspection_no",
        f"{TABLE}.json?_sort={name}",
        f"{TABLE}.json?_sort_desc={name}",
        f"{TABLE}.json?_facet={name}&_size=0",
        f"{TABLE}.json?_facet_array={name}",
        f"{TABLE}.json?_facet_date={name}",
        f"{TABLE}.json?{name}=x",
        f"{TABLE}.json?{name}__contains=x",
        f"{TABLE}.json?{name}__gt=",
        f"{TABLE}.json?{name}__isnull=1&_extra=count",
        f"{TABLE}.json?_search=x",
        f"{TABLE}.json?_search_{name}=x",
        f"{TABLE}.json?_extra=columns",
        f"{TABLE}.json?_extra=human_description_en,query",
        f"{TABLE}.json?_next=1",
        f"{TABLE}.json?_labels=on",
        f"{TABLE}.json?_label={name}",
        f"{TABLE}/1",
        f"{TABLE}/1.json",
        f"{TABLE}/1.json?_extras=foreign_key_tables",
        f"{TABLE}/1.blob?_blob_column={name}",
        f"{TABLE}.blob?_blob_column={name}",
        f"{TABLE}/-/autocomplete?q=x",
        f"{TABLE}/-/schema.json",
        f"/work/-/query.json?sql=select+{name}+from+inspections",
        f"/-/allowed.json?action=view-table&parent=work&child=inspections&q={name}",
    ]


async def test_no_page_of_datasettes_shows_or_tells_of_them(app: InProcess) -> None:
    for name in hidden(app)[:6]:
        for address in addresses(name):
            for accept in ("application/json", "text/html"):
                response = await app.client.get(
                    address, headers={**app.bearer('case; reference="2026-17"'), "accept": accept}
                )
                assert response.status_code in (400, 403, 404), (address, response.status_code)
                says_nothing(app, response.text)


async def test_two_queries_that_differ_in_a_hidden_value_alone_get_the_same_answer(app: InProcess) -> None:
    """No answer depends on what is hidden: neither its status, nor its words, nor how many bytes it has."""
    name = "id_number" if "id_number" in hidden(app) else hidden(app)[4]
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as db:
        (real,) = db.execute(f"SELECT {name} FROM inspections WHERE {name} IS NOT NULL LIMIT 1").fetchone()
    made_up = "x" * len(str(real))
    for way in ("{t}.json?{n}={v}", "{t}.json?{n}__startswith={v}", "{t}.csv?{n}={v}", "{t}/1.json?{n}={v}"):
        answers = [
            await app.client.get(way.format(t=TABLE, n=name, v=value), headers=app.bearer('case; reference="2026-17"'))
            for value in (real, made_up)
        ]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].text.replace(str(real), made_up) == answers[1].text
        assert "rows" not in answers[0].text


# -- our own pages ---------------------------------------------------------------------------------------------------


async def test_the_form_offers_and_the_result_shows_open_columns_alone(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    app.client.cookies.clear()
    form = await app.client.get(PAGE, headers=officer)
    assert form.status_code == 200, form.text
    offered = set(re.findall(r'name="show" value="([a-z_]+)"', form.text))
    assert offered == set(opened(app))
    result = await app.client.post(PAGE, data={"limit": "200"}, headers=officer)
    assert result.status_code == 200, result.text
    says_nothing(app, result.text)
    assert "/work/inspections/" not in result.text  # no row pages, which show everything
    for field in ("column_1", "order", "show"):
        sent = {field: hidden(app)[3], "op_1": "is null"}
        refused = await app.client.post(PAGE, data=sent, headers=officer)
        unknown = await app.client.post(PAGE, data={field: "nosuch", "op_1": "is null"}, headers=officer)
        assert refused.status_code == unknown.status_code == 400
        says_nothing(app, refused.text)
    for kind in ("csv", "xlsx"):
        file = await app.client.post(PAGE, data={"format": kind}, headers=officer)
        assert file.status_code == 200
        if kind == "csv":
            assert set(file.text.lstrip("\ufeff").splitlines()[0].split(",")) == set(opened(app))
            says_nothing(app, file.text)


async def test_the_tables_page_leads_to_the_form(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    app.client.cookies.clear()
    page = await app.client.get(TABLE, headers=officer)
    assert page.status_code == 403
    assert f'href="{PAGE}"' in page.text
    says_nothing(app, page.text)
    category = await app.client.get("/work", headers=officer)
    assert f'href="{PAGE}"' in category.text
