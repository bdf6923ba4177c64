"""CSV downloads that Excel and WPS read as what they are: Chinese, and text that is no formula."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from catalog.excel import for_spreadsheets
from ledger import Instance, Receipt
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def test_a_downloaded_csv_begins_with_one_byte_order_mark(app: InProcess) -> None:
    response = await app.client.get("/work/penalties.csv?_size=max&_dl=1", headers=await app.sign_in("zhzf-1"))
    assert response.status_code == 200
    assert response.headers["content-disposition"] == 'attachment; filename="penalties.csv"'
    assert response.content.startswith(codecs.BOM_UTF8)
    assert response.content.count(codecs.BOM_UTF8) == 1
    assert int(response.headers["content-length"]) == len(response.content)
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len(rows) == 160
    assert rows[0]["document_no"] == "示演市监罚字〔2026〕1号"


async def test_the_entry_commits_to_the_marked_bytes(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    response = await app.client.get("/work/penalties.csv?_dl=1", headers=officer)
    given = await app.client.get(response.headers["ledger-receipt"], headers=officer)
    receipt = Receipt.from_json(given.json())
    assert receipt.openings["answer_sha256"].value == hashlib.sha256(response.content).hexdigest()


async def test_csv_for_programs_has_no_mark(app: InProcess) -> None:
    response = await app.client.get("/work/penalties.csv", headers=app.bearer())
    assert response.text.startswith("id,")


async def test_other_answers_are_left_alone(app: InProcess) -> None:
    response = await app.client.get("/work/penalties.json?_size=1&_dl=1", headers=app.bearer())
    assert response.content.startswith(b"{")


FORMULAS = [
    "=1+1",
    "+86 10",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\r=1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("a,b")',
    "+5",
    "-",
    "-1\n",
]
EXACT = ["", "-1.5", "-3", "-1e-07", "1", "示例", "a=1", "'=1", '示,"例"', "两\n行"]


async def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe_in_downloads_only(demo: Instance) -> None:
    async with in_process(demo) as running:
        with closing(sqlite3.connect(demo.database_path("work"))) as connection, connection:
            connection.execute("UPDATE penalties SET facts = '=1+1', fine_wan_yuan = -1.5 WHERE id = 1")
        stored, saved = [
            await running.client.get(f"/work/penalties.csv?id=1{more}", headers=await running.sign_in("zhzf-1"))
            for more in ("", "&_dl=1")
        ]
        as_json = await running.client.get("/work/penalties.json?id=1&_shape=array", headers=running.bearer())
        assert as_json.json()[0]["facts"] == "=1+1"
        (exact,) = csv.DictReader(io.StringIO(stored.text))
        (inert,) = csv.DictReader(io.StringIO(saved.content.decode("utf-8-sig")))
        assert (exact["facts"], inert["facts"]) == ("=1+1", "'=1+1")
        assert exact["fine_wan_yuan"] == inert["fine_wan_yuan"] == "-1.5"
        assert {**exact, "facts": "'=1+1"} == inert


async def test_a_download_without_such_cells_differs_by_its_mark_only(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    stored = await app.client.get("/work/penalties.csv?_size=max", headers=officer)
    saved = await app.client.get("/work/penalties.csv?_size=max&_dl=1", headers=officer)
    assert saved.content == codecs.BOM_UTF8 + stored.content


def test_formulas_are_defused_and_all_else_is_exact_wherever_the_cell_stands() -> None:
    rows = [[cell, "x", cell] for cell in [*FORMULAS, *EXACT]]
    expected = [*(f"'{cell}" for cell in FORMULAS), *EXACT]
    assert [for_spreadsheets(row) for row in rows] == [[cell, "x", cell] for cell in expected]


def test_numbers_and_empty_cells_are_no_text() -> None:
    assert for_spreadsheets([-1, -1.5, None, 0]) == [-1, -1.5, None, 0]


async def test_a_download_of_many_pages_has_one_mark_and_one_heading(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(penalties)") if row[1] != "id"]
        listed = ", ".join(columns)
        connection.execute(
            f"INSERT INTO penalties ({listed}) SELECT {listed} FROM penalties p, (SELECT 1 FROM penalties LIMIT 15)"
        )
    response = await app.client.get("/work/penalties.csv?_stream=1&_dl=1", headers=await app.sign_in("zhzf-1"))
    assert response.content.count(codecs.BOM_UTF8) == 1
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len(rows) == 160 * 16
    assert len({row["id"] for row in rows}) == len(rows)
    assert app.entries()[-1]["rows"] == len(rows)
