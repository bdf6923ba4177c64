"""Suspending and restoring in the browser: the data authority's approver, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ledger import Instance
from tests.catalog.walking import walker, words
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

FORM = {
    "suspension": "s-0077",
    "agency": "zhzf",
    "resource": "work/penalties",
    "reason": "超出事由使用",
    "basis": "政务数据共享条例第二十七条",
    "sure": "1",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def test_the_data_authoritys_approver_suspends_once_and_restores(app: InProcess) -> None:
    path = "/work/penalties.json?_size=1"
    assert (await app.client.get(path, headers=app.bearer())).status_code == 200
    head = await walker(app, "sjj-2")
    assert "/suspensions/new" in await head.get("/grants")
    assert 'value="s-' in await head.get("/suspensions/new")
    for _ in range(2):
        await head.post("/suspensions/new", FORM)
    entries = [entry for entry in app.entries() if entry["kind"] == "access.suspended"]
    assert [entry["suspension"] for entry in entries].count("s-0077") == 1
    assert app.service.ledger.opened(entries[-1]["seq"])["officer"] == "sjj-2"
    refused = await app.client.get(path, headers=app.bearer())
    assert (refused.status_code, refused.json()["code"]) == (403, "suspended")
    said = words(await (await walker(app, "zhzf-1")).get("/suspensions/s-0077"))
    assert "超出事由使用" in said and "恢复共享" not in said
    await head.post("/suspensions/s-0077", {"reason": "整改到位"}, status=422)
    await head.post("/suspensions/s-0077", {"reason": "整改到位", "sure": "1"})
    assert app.entries()[-1]["kind"] == "access.restored"
    assert (await app.client.get(path, headers=app.bearer())).status_code == 200


@pytest.mark.parametrize("missing", ["agency", "reason", "sure"])
async def test_a_form_that_says_too_little_suspends_nothing(app: InProcess, missing: str) -> None:
    head = await walker(app, "sjj-2")
    before = len(app.entries())
    sent = {name: value for name, value in FORM.items() if name != missing}
    response = await head.post("/suspensions/new", sent, status=422)
    assert 'role="alert"' in response.text and len(app.entries()) == before


async def test_another_suspension_under_the_same_number_is_409(app: InProcess) -> None:
    head = await walker(app, "sjj-2")
    await head.post("/suspensions/new", FORM)
    await head.post("/suspensions/new", {**FORM, "agency": "bjd"}, status=409)
    await head.post("/suspensions/new", {**FORM, "suspension": "x"}, status=400)


@pytest.mark.parametrize("who", ["sjj-1", "sjj-3", "zhzf-2", "scjg-3", "sfj-1", "ywzx-3"])
async def test_nobody_else_suspends_or_restores(app: InProcess, who: str) -> None:
    await (await walker(app, "sjj-2")).post("/suspensions/new", FORM)
    officer = await walker(app, who)
    await officer.get("/suspensions/new", status=403)
    await officer.post("/suspensions/new", {**FORM, "suspension": "s-0078"}, status=403)
    seen = who.startswith(("sjj", "sfj", "zhzf"))
    await officer.get("/suspensions/s-0077", status=200 if seen else 404)
    await officer.post("/suspensions/s-0077", {"reason": "x", "sure": "1"}, status=403 if seen else 404)
    assert app.entries()[-1]["kind"] != "access.restored"
