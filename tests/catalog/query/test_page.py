"""The query form and its result: everything by POST, the same rows as the API, pages and files."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from catalog.query import download
from catalog.query.errors import BodyError, QueryError
from catalog.query.form import ANY, Form
from catalog.query.model import Filter, Order
from catalog.query.schema import Column
from catalog.titles import ColumnText
from ingest.label import Label
from ledger import Instance
from tests.conftest import InProcess, in_process
from tests.ledger.support import START

anyio = pytest.mark.anyio

PAGE = "/query/work/penalties"
PURPOSE = {"code": "case", "reference": "示演立案〔2026〕17号"}
ASK = {"column_1": "party_name", "op_1": "search", "value_1": "餐饮", "order": "party_name", "limit": "20"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def app(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    folder = tmp_path_factory.mktemp("page") / "demo"
    shutil.copytree(demo_template, folder)
    async with in_process(Instance.open(folder)) as running:
        yield running


async def officer(app: InProcess, login: str = "zhzf-1", *, states: bool = True) -> dict[str, str]:
    headers = await app.sign_in(login, states=states)
    app.client.cookies.clear()
    return headers


def query_of(app: InProcess) -> dict[str, Any]:
    """What the newest entry says was asked."""
    entry = app.entries()[-1]
    openings = app.service.ledger.receipt(entry["seq"], with_openings=True).openings
    address, _, text = str(openings["query"].value).partition("\n")
    assert address == f"POST {PAGE}"
    value: dict[str, Any] = json.loads(text)
    return value


# -- form to query --------------------------------------------------------------------------------------------------


def column(name: str, kind: str) -> Column:
    return Column(name, kind, ColumnText(name, Label(name, name), None))


COLUMNS = {each.name: each for each in (column("name", "text"), column("n", "integer"), column("x", "number"))}


def read(**sent: str | list[str]) -> Any:
    return Form.of({name: value if isinstance(value, list) else [value] for name, value in sent.items()}).query(COLUMNS)


@pytest.mark.parametrize(
    ("sent", "filters"),
    [
        ({}, ()),
        ({"column_1": "", "value_1": "x"}, ()),
        ({"column_1": "name", "op_1": "=", "value_1": " 甲 "}, (Filter("name", "=", "甲"),)),
        ({"column_3": "name", "op_3": "prefix", "value_3": "甲"}, (Filter("name", "prefix", "甲"),)),
        ({"column_1": "n", "op_1": ">", "value_1": "-7"}, (Filter("n", ">", -7),)),
        ({"column_1": "x", "op_1": "<=", "value_1": "1.50"}, (Filter("x", "<=", 1.5),)),
        ({"column_1": "n", "op_1": "in", "value_1": "1、2，3; 4"}, (Filter("n", "in", (1, 2, 3, 4)),)),
        ({"column_1": "name", "op_1": "in", "value_1": "甲镇 乙镇"}, (Filter("name", "in", ("甲镇", "乙镇")),)),
        ({"column_1": "name", "op_1": "is null", "value_1": "ignored"}, (Filter("name", "is null"),)),
        ({"column_1": ANY, "op_1": "=", "value_1": "甲"}, (Filter(None, "search", "甲"),)),
    ],
)
def test_a_form_is_read(sent: dict[str, str], filters: tuple[Filter, ...]) -> None:
    assert read(**sent).filters == filters


def test_a_form_says_order_columns_and_page() -> None:
    query = read(order="n", descending="1", show=["name", "n"], limit="100", cursor="abc")
    assert (query.order, query.columns, query.limit, query.cursor) == ((Order("n", True),), ("name", "n"), 100, "abc")
    file = read(limit="100", cursor="abc", format="csv")
    assert (file.limit, file.cursor) == (1_000, "")


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({"column_2": "n", "op_2": "=", "value_2": "七"}, "value_2"),
        ({"column_1": "n", "op_1": "=", "value_1": "7.5"}, "value_1"),
        ({"column_1": "x", "op_1": "=", "value_1": "NaN"}, "value_1"),
        ({"column_1": "name", "op_1": "=", "value_1": ""}, "value_1"),
        ({"column_1": "n", "op_1": "in", "value_1": "1 b"}, "value_1"),
        ({"column_1": "name", "op_1": "like", "value_1": "x"}, "filters[0].op"),
        ({"limit": "5000"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"format": "exe"}, "limit"),
        ({"show": ["name", "name"]}, "columns"),
    ],
)
def test_a_wrong_form_names_its_field(sent: dict[str, Any], where: str) -> None:
    with pytest.raises(BodyError) as caught:
        read(**sent)
    assert caught.value.where == where


# -- the page -------------------------------------------------------------------------------------------------------


@anyio
async def test_the_form_asks_nothing_and_leaves_no_entry(app: InProcess) -> None:
    headers = await officer(app)
    before = len(app.entries())
    page = await app.client.get(PAGE, headers=headers)
    assert page.status_code == 200
    assert 'method="post"' in page.text
    assert len(app.entries()) == before


@anyio
async def test_a_result_shows_the_rows_of_the_api_and_is_recorded(app: InProcess) -> None:
    headers = await officer(app)
    page = await app.client.post(PAGE, data=ASK, headers=headers)
    assert page.status_code == 200, page.text
    entry = app.entries()[-1]
    assert (entry["kind"], entry["route"], entry["format"], entry["purpose"]) == (
        "query.served",
        "query",
        "html",
        "case",
    )
    assert query_of(app) == {
        "filters": [{"column": "party_name", "op": "search", "value": "餐饮"}],
        "limit": 20,
        "order": [{"column": "party_name", "descending": False}],
    }
    body = {**query_of(app), "purpose": PURPOSE}
    api = (await app.client.post("/api/query/work/penalties", json=body, headers=app.bearer(purpose=""))).json()
    numbers = re.findall(r'href="/work/penalties/([0-9]+)"', page.text)
    assert numbers == [str(row["id"]) for row in api["rows"]]
    assert entry["rows"] == len(numbers) == 20


@anyio
async def test_pages_follow_one_another_by_post(app: InProcess) -> None:
    headers = await officer(app)
    found: list[str] = []
    sent: dict[str, str] = dict(ASK)
    while True:
        page = await app.client.post(PAGE, data=sent, headers=headers)
        found += re.findall(r'href="/work/penalties/([0-9]+)"', page.text)
        cursor = re.search(r'name="cursor" value="([^"]+)"', page.text)
        if cursor is None:
            break
        hidden = re.findall(
            r'<input type="hidden" name="([a-z_0-9]+)" value="([^"]*)"', page.text.partition("result")[2]
        )
        sent = {name: unescape(value) for name, value in hidden if name != "next"} | {"cursor": cursor[1]}
    assert len(found) == len(set(found)) > 20


@anyio
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_file_holds_the_whole_query(app: InProcess, kind: str) -> None:
    headers = await officer(app)
    file = await app.client.post(PAGE, data={**ASK, "format": kind}, headers=headers)
    assert file.status_code == 200
    assert file.headers["content-disposition"] == f'attachment; filename="work-penalties.{kind}"'
    entry = app.entries()[-1]
    assert (entry["format"], entry["size_bytes"]) == (kind, len(file.content))
    if kind == "csv":
        assert file.content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
        assert entry["rows"] == len(rows) - 1 > 20
    else:
        text = zipfile.ZipFile(io.BytesIO(file.content)).read("xl/sharedStrings.xml").decode()
        assert "餐饮" in text
        assert "相对人名称" in text


@anyio
async def test_without_a_purpose_the_form_comes_back_with_what_was_filled_in(app: InProcess) -> None:
    headers = await officer(app, states=False)
    page = await app.client.post(PAGE, data=ASK, headers=headers)
    assert page.status_code == 403
    assert 'value="餐饮"' in page.text
    assert 'name="reference"' in page.text
    assert app.entries()[-1]["kind"] == "query.failed"
    wrong = await app.client.post(PAGE, data={**ASK, "code": "case", "reference": "工作需要"}, headers=headers)
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    good = await app.client.post(PAGE, data={**ASK, **PURPOSE}, headers=headers)
    assert good.status_code == 200
    again = await app.client.post(PAGE, data=ASK, headers=headers)  # it holds for two hours
    assert again.status_code == 200
    assert app.entries()[-1]["purpose"] == "case"


@anyio
async def test_a_wrong_value_comes_back_with_its_place(app: InProcess) -> None:
    headers = await officer(app)
    sent = {"column_1": "fine_wan_yuan", "op_1": ">", "value_1": "很多"}
    page = await app.client.post(PAGE, data=sent, headers=headers)
    assert page.status_code == 400
    assert re.search(r'id="value-1"[^>]*value="很多"[^>]*aria-invalid="true"', page.text)
    entry = app.entries()[-1]
    assert (entry["kind"], entry["reason"]) == ("query.failed", "malformed")


@anyio
async def test_what_is_not_open_says_why(app: InProcess) -> None:
    headers = await officer(app, "bjd-1")
    for answer in (await app.client.get(PAGE, headers=headers), await app.client.post(PAGE, data=ASK, headers=headers)):
        assert answer.status_code == 403
        assert "尚未获得授权" in answer.text
    assert app.entries()[-1]["kind"] == "query.referred"


@anyio
async def test_a_form_of_another_site_is_not_taken(app: InProcess) -> None:
    headers = await officer(app)
    before = len(app.entries())
    for more in ({"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}):
        page = await app.client.post(PAGE, data=ASK, headers={**headers, **more})
        assert page.status_code == 403
        assert "餐饮店" not in page.text
    assert not [entry for entry in app.entries()[before:] if entry["kind"] == "query.served"]


@anyio
async def test_the_tables_page_sends_who_somebody_is_by_post(app: InProcess) -> None:
    headers = await officer(app)
    page = await app.client.get("/work/penalties?_sort=town", headers=headers)
    assert f'action="{PAGE}"' in page.text
    offered = re.findall(
        r'<option value="([a-z_]+)">', page.text.partition('id="private-column"')[2].partition("</select>")[0]
    )
    assert offered[:5] == ["party_name", "credit_code", "legal_representative", "id_number", "case_name"]
    assert "_next=" not in page.text  # it would hold the town of the last row
    assert 'name="order" value="town"' in page.text
    plain = await app.client.get("/work/penalties", headers=headers)
    assert "_next=50" in plain.text


@anyio
async def test_an_address_by_who_somebody_is_leads_to_the_form(app: InProcess) -> None:
    headers = await officer(app)
    page = await app.client.get("/work/penalties?party_name=某人", headers=headers)
    assert page.status_code == 400
    assert f'href="{PAGE}"' in page.text
    answer = await app.client.get("/work/penalties.json?party_name=某人", headers=app.bearer())
    assert answer.json()["post"] == {"page": PAGE, "api": "/api/query/work/penalties"}


@anyio
async def test_our_queries_show_what_was_asked_by_post(app: InProcess) -> None:
    headers = await officer(app)
    await app.client.post(PAGE, data={"column_1": "party_name", "op_1": "=", "value_1": "100%+示例"}, headers=headers)
    page = await app.client.get("/queries", headers=headers)
    assert "100%+示例" in page.text


# -- files ----------------------------------------------------------------------------------------------------------


def test_a_spreadsheet_keeps_text_as_text() -> None:
    rows = [["00123", "=1+1", None, 2**53, 1.5, 7, "https://x.example", b"\x00"]]
    data = download.as_xlsx("处罚/决定[1]", [str(n) for n in range(8)], rows, START)
    book = zipfile.ZipFile(io.BytesIO(data))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    strings = book.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    for text in ("00123", "=1+1", "9007199254740992", "https://x.example"):
        assert f">{text}<" in strings
    assert "处罚 决定 1" in book.read("xl/workbook.xml").decode()


def test_a_cell_that_a_spreadsheet_cannot_hold_is_not_cut() -> None:
    with pytest.raises(QueryError) as caught:
        download.as_xlsx("x", ["长文"], [["长" * 40_000]], START)
    assert (caught.value.status, caught.value.code) == (413, "cell_too_long")
    assert len(download.as_csv(["长文"], [["长" * 40_000]])) > 120_000


def test_a_csv_file_runs_nothing() -> None:
    text = download.as_csv(["a", "b"], [["=cmd|' /C calc'!A0", -5], ["@x", "-5"]]).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text)))[1:] == [["'=cmd|' /C calc'!A0", "-5"], ["'@x", "-5"]]
