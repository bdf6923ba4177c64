"""The purpose in the browser: asked for before the table opens, held for two hours, in each entry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from catalog.purpose import HOLDS
from ledger import Instance
from tests.catalog.walking import hidden, walker, words
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

ASKED = "/work/penalties?town=%E7%94%B2%E9%95%87"
CASE: dict[str, Any] = {"resource": "work/penalties", "next": ASKED, "code": "case", "reference": "示执案〔2026〕17号"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def test_a_table_that_needs_a_purpose_leads_to_its_form_and_back(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    before = len(app.entries())
    there = await officer.led_to(ASKED)
    html = await officer.get(there)
    sent = hidden(html.partition('class="form"')[2])
    assert sent == {"resource": ["work/penalties"], "next": [ASKED]}
    said = words(html)
    for text in ("本次查询的事由", "行政处罚决定", "甲镇", "案件调查", "许可审查（未获授权）", "牵头单位"):
        assert text in said, text
    assert len(app.entries()) == before  # a form is no query
    response = await officer.post("/purpose", CASE)
    assert response.headers["location"] == ASKED
    said = words(await officer.get(ASKED))
    assert "案件调查 · 示执案〔2026〕17号" in said
    assert "可直接查询" in said
    entry = app.entries()[-1]
    assert (entry["kind"], entry["purpose"]) == ("query.served", "case")
    assert "reference" in entry["commit"]
    assert app.service.ledger.opened(entry["seq"])["reference"] == "示执案〔2026〕17号"


async def test_rows_files_and_json_of_the_table_open_with_it_and_other_tables_do_not(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    await officer.post("/purpose", CASE)
    for path in ("/work/penalties/6", "/work/penalties.csv?_size=1", "/work/penalties.json?_size=1"):
        await officer.get(path)
        assert app.entries()[-1]["purpose"] == "case"
    assert (await officer.led_to("/documents/documents")).startswith("/purpose?")


async def test_after_two_hours_it_is_asked_again(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    await officer.post("/purpose", CASE)
    await officer.get(ASKED)
    ago = app.service.register.timestamp(-(HOLDS + timedelta(seconds=1)))
    app.service.register.write("UPDATE stated_purposes SET stated_at = ?", (ago,))
    assert (await officer.led_to(ASKED)).startswith("/purpose?")


async def test_it_is_another_officers_only_when_they_state_it(app: InProcess) -> None:
    await (await walker(app, "zhzf-1", states=False)).post("/purpose", CASE)
    other = await walker(app, "zhzf-2", states=False)
    assert (await other.led_to(ASKED)).startswith("/purpose?")


async def test_it_goes_with_the_session(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    await officer.post("/purpose", CASE)
    await app.client.post("/sign-out", headers=officer.headers)
    assert app.service.register.all("SELECT * FROM stated_purposes") == []


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"code": ""}, "code", "请说明查询事由"),
        ({"reference": ""}, "reference", "须填写案号"),
        ({"reference": "工作需要"}, "reference", "须填写案号"),
        ({"words": "工作需要"}, "words", "不能只填"),
        ({"code": "joint"}, "participants", "须列明牵头单位"),
        ({"code": "joint", "lead": "zhzf"}, "participants", "须列明牵头单位"),
    ],
)
async def test_a_purpose_that_says_nothing_is_shown_beside_its_field(
    app: InProcess, change: dict[str, str], field: str, said: str
) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    response = await officer.post("/purpose", {**CASE, **change}, status=422)
    assert said in words(response.text)
    assert 'role="alert"' in response.text
    marked = response.text.partition('aria-invalid="true"')[0].rpartition("<")[2]
    assert field in marked or (field == "participants" and "fieldset" in marked)
    assert CASE["reference"] in response.text or "reference" in change
    assert app.service.register.all("SELECT * FROM stated_purposes") == []


async def test_joint_enforcement_names_the_lead_first(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    joint = {**CASE, "code": "joint", "lead": "scjg", "participants": ["zhzf", "scjg"]}
    await officer.post("/purpose", joint)
    await officer.get(ASKED)
    opened = app.service.ledger.opened(app.entries()[-1]["seq"])
    assert opened["participants"] == ["scjg", "zhzf"]


async def test_a_purpose_that_is_not_granted_leads_to_a_request_and_can_be_changed(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    await officer.post("/purpose", {**CASE, "code": "permit"})
    said = words(html := await officer.get(ASKED, status=403))
    assert "授权不包含该事由" in said
    assert "许可审查" in said
    assert "更改查询事由" in said
    assert 'href="/purpose?resource=work%2Fpenalties' in html
    assert app.entries()[-1]["kind"] == "query.referred"


async def test_supervisors_state_the_notice_of_supervision_and_nothing_else(app: InProcess) -> None:
    officer = await walker(app, "sfj-1", states=False)
    html = await officer.get(await officer.led_to("/work/penalties"))
    assert html.count("<option") == 1
    assert "牵头单位" not in html
    notice = {
        "resource": "work/penalties",
        "next": "/work/penalties",
        "code": "supervision",
        "reference": "示司督〔2026〕5号",
    }
    await officer.post("/purpose", notice)
    await officer.get("/work/penalties")
    assert (app.entries()[-1]["requester"], app.entries()[-1]["purpose"]) == ("sfj", "supervision")


async def test_unconditional_and_own_data_and_the_directory_ask_for_nothing(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    for path in ("/work/permits", "/dynamics/activities", "/directory/resources"):
        await officer.get(path)
        assert "purpose" not in app.entries()[-1]


@pytest.mark.parametrize("there", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere"])
async def test_stating_a_purpose_leads_to_this_site_only(app: InProcess, there: str) -> None:
    officer = await walker(app, "zhzf-1", states=False)
    response = await officer.post("/purpose", {**CASE, "next": there})
    assert response.headers["location"] == "/"


async def test_systems_do_not_state_purposes_here_and_what_is_not_published_has_no_form(app: InProcess) -> None:
    response = await app.client.post("/purpose", data=CASE, headers=app.bearer())
    assert response.status_code == 400
    officer = await walker(app, "zhzf-1", states=False)
    await officer.get("/purpose?resource=work/nothing", status=404)
    await officer.post("/purpose", {**CASE, "resource": "work/_rows"}, status=404)
