"""CSV downloads that Chinese editions of Excel and WPS read as what they are."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import AsyncIterator

import pytest

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
