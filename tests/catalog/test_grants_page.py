"""The pages of grants: who sees which, giving one step by step, revoking it, renewing one that ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from catalog import grants
from catalog.grants import Grant
from ledger import Instance
from tests.catalog.walking import hidden, hrefs, walker, words
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

FORM: dict[str, Any] = {
    "resource": "work/inspections",
    "grantee": "zhzf",
    "purposes": ["lead", "case"],
    "extent": "some",
    "columns": ["party_name", "inspected_on"],
    "valid_from": "2026-01-01",
    "valid_to": "2099-12-31",
    "basis": "《演示办法》第七条",
}
OLD = Grant("g-0900", "yjgl", "bjd", "work", "inspections", ("case",), "2026-01-01", "2026-01-31", "《演示办法》第七条")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


# -- lists ------------------------------------------------------------------------------------------------------------


async def test_a_provider_sees_what_it_gave_and_what_it_holds(app: InProcess) -> None:
    html = await (await walker(app, "scjg-3")).get("/grants")
    given, _, held = html.partition('id="held-title"')
    assert {"/grants/g-0001", "/grants/g-0002", "/grants/g-0003"} <= set(hrefs(given))
    assert "/grants/g-0006" in hrefs(held)
    assert "/grants/g-0012" not in hrefs(html)
    assert "/grants/new" in hrefs(html)


async def test_only_the_admin_is_offered_to_give_one(app: InProcess) -> None:
    html = await (await walker(app, "scjg-1")).get("/grants")
    assert "/grants/new" not in hrefs(html)
    assert "由本单位管理员给予和撤回" in html
    assert "/grants/new" not in hrefs(await (await walker(app, "bjd-3")).get("/grants"))  # provides nothing


@pytest.mark.parametrize("who", ["sjj-1", "sfj-1"])
async def test_those_who_oversee_sharing_see_every_grant_and_suspension(app: InProcess, who: str) -> None:
    html = await (await walker(app, who)).get("/grants")
    assert {f"/grants/g-{n:04}" for n in range(1, 15)} <= set(hrefs(html))
    assert "s-0001" in html
    assert "已恢复" in html


async def test_a_suspension_is_shown_to_the_agency_that_it_meets_and_not_to_others(app: InProcess) -> None:
    assert "s-0001" in await (await walker(app, "jiazhen-1")).get("/grants")
    assert "s-0001" not in await (await walker(app, "bjd-1")).get("/grants")


async def test_what_ends_soon_is_said(app: InProcess) -> None:
    soon = app.service.register.timestamp()[:10]
    grants.give(app.service.register, app.service.ledger, replace(OLD, valid_to=soon[:8] + "28"))
    said = words(await (await walker(app, "bjd-1")).get("/grants"))
    assert "即将到期" in said


# -- one grant --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "status"), [("jkq-1", 200), ("zhzf-1", 200), ("sfj-1", 200), ("bjd-1", 404)])
async def test_a_grant_is_shown_to_both_sides_and_those_who_oversee(app: InProcess, who: str, status: int) -> None:
    said = words(await (await walker(app, who)).get("/grants/g-0014", status))
    if status == 200:
        for text in ("预警级别", "线索核查", "联合执法", "2027-05-31（含当日）", "不开放数据表页面"):
            assert text in said, text


async def test_a_grant_is_revoked_with_a_reason_and_a_tick_and_holds_no_longer(app: InProcess) -> None:
    admin = await walker(app, "scjg-3")
    asker = await walker(app, "zhzf-1")
    await asker.get("/work/penalties")
    assert 'name="reason"' in await admin.get("/grants/g-0001")
    for missing in ({"sure": "1"}, {"reason": "目的已实现"}, {"reason": " ", "sure": "1"}):
        await admin.post("/grants/g-0001", missing, status=422)
    await admin.post("/grants/g-0001", {"reason": "目的已实现", "sure": "1"})
    entry = app.entries()[-1]
    assert (entry["kind"], entry["grant"], entry["reason"]) == ("grant.revoked", "g-0001", "目的已实现")
    assert app.service.ledger.opened(entry["seq"])["officer"] == "scjg-3"
    await asker.get("/work/penalties", status=403)
    html = await admin.get("/grants/g-0001")
    assert "目的已实现" in html
    assert 'name="reason"' not in html
    again = await admin.post("/grants/g-0001", {"reason": "again", "sure": "1"}, status=422)
    assert "没有有效的授权" in words(again.text)


@pytest.mark.parametrize("who", ["scjg-1", "zhzf-3", "sfj-3", "sjj-2"])
async def test_nobody_but_the_providers_admin_revokes(app: InProcess, who: str) -> None:
    await (await walker(app, who)).post("/grants/g-0001", {"reason": "x", "sure": "1"}, status=403)
    assert app.service.register.all("SELECT 1 FROM grants WHERE revoked_at IS NOT NULL") == []


async def test_a_system_does_not_revoke(app: InProcess) -> None:
    response = await app.client.post("/grants/g-0001", data={"reason": "x", "sure": "1"}, headers=app.bearer())
    assert response.status_code == 403


# -- giving one -------------------------------------------------------------------------------------------------------


async def test_a_grant_is_given_after_it_was_looked_over_and_once_however_often_it_is_sent(app: InProcess) -> None:
    admin = await walker(app, "yjgl-3")
    assert "/grants/new?resource=work/inspections" in hrefs(await admin.get("/grants/new"))
    said = words(await admin.get("/grants/new?resource=work/inspections"))
    for text in ("检查对象", "个人信息", "线索核查", "示范县综合行政执法局"):
        assert text in said, text
    before = len(app.entries())
    page = (await admin.post("/grants/new", FORM, status=200)).text
    assert len(app.entries()) == before
    for text in ("尚未授权", "示范县综合行政执法局", "案件调查、线索核查", "2099-12-31"):
        assert text in words(page), text
    confirmed = {**hidden(page.partition('class="form"')[2]), "confirmed": "1"}
    response = await admin.post("/grants/new", confirmed)
    (grant,) = grants.grants_to(app.service.register, "zhzf", "2098-01-01")
    assert response.headers["location"] == f"/grants/{grant['id']}"
    assert (grant["purposes"], grant["columns"]) == (["case", "lead"], ["inspected_on", "party_name"])
    entry = app.entries()[-1]
    assert (entry["kind"], entry["provider"]) == ("grant.given", "yjgl")
    assert app.service.ledger.opened(entry["seq"])["officer"] == "yjgl-3"
    again = await admin.post("/grants/new", confirmed)
    assert again.headers["location"] == response.headers["location"]
    assert app.entries()[-1]["seq"] == entry["seq"]


async def test_going_back_keeps_what_was_filled_in(app: InProcess) -> None:
    admin = await walker(app, "yjgl-3")
    page = (await admin.post("/grants/new", FORM, status=200)).text
    back = (
        await admin.post("/grants/new", {**hidden(page.partition('class="form"')[2]), "back": "1"}, status=200)
    ).text
    assert 'value="lead" checked' in back
    assert 'value="party_name" checked' in back
    assert "《演示办法》第七条" in back


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grantee": ""}, "请选择获得授权的单位"),
        ({"grantee": "yjgl"}, "不能是本单位"),
        ({"purposes": []}, "至少选择一个查询事由"),
        ({"columns": []}, "至少选择一个数据项"),
        ({"columns": ["_row_hash"]}, "没有名为"),
        ({"columns": ["no_such"]}, "没有名为"),
        ({"valid_to": "2025-12-31"}, "截止日期早于起始日期"),
        ({"valid_from": "2026-02-30"}, "不是日期"),
        ({"basis": " "}, "请写明授权的法律依据"),
        ({"basis": "法" * 501}, "不超过 500 字"),
    ],
)
async def test_a_form_with_a_mistake_says_which_and_gives_nothing(
    app: InProcess, change: dict[str, Any], said: str
) -> None:
    admin = await walker(app, "yjgl-3")
    before = len(app.entries())
    for more in ({}, {"confirmed": "1"}):
        response = await admin.post("/grants/new", {**FORM, **change, **more}, status=422)
        assert said in words(response.text)
        assert "aria-invalid" in response.text
    assert len(app.entries()) == before


async def test_another_agencys_table_is_not_granted(app: InProcess) -> None:
    admin = await walker(app, "scjg-3")
    response = await admin.post("/grants/new", {**FORM, "confirmed": "1"}, status=200)
    assert "请选择数据表" in words(response.text)  # its own tables to choose from, nothing else
    assert app.entries()[-1]["kind"] != "grant.given"


@pytest.mark.parametrize("who", ["yjgl-1", "yjgl-2", "sfj-1"])
async def test_the_form_is_the_admins_alone(app: InProcess, who: str) -> None:
    officer = await walker(app, who)
    await officer.get("/grants/new", status=403)
    await officer.post("/grants/new", {**FORM, "confirmed": "1"}, status=403)


async def test_a_number_that_the_page_did_not_give_is_refused(app: InProcess) -> None:
    admin = await walker(app, "yjgl-3")
    for number in ("x", "g-", "g-1;--", "g-0001"):
        status = 409 if number == "g-0001" else 400
        await admin.post("/grants/new", {**FORM, "confirmed": "1", "grant": number}, status=status)


async def test_a_grant_that_ended_is_renewed_from_a_copy(app: InProcess) -> None:
    grants.give(app.service.register, app.service.ledger, OLD)
    admin = await walker(app, "yjgl-3")
    html = await admin.get("/grants/g-0900")
    assert "已到期" in html
    (link,) = [href for href in hrefs(html) if "copy=" in href]
    form = await admin.get(link)
    assert f'value="{app.service.register.today()}"' in form
    assert 'value="bjd" selected' in form
    assert 'value="case" checked' in form
    other = await walker(app, "scjg-3")
    assert 'value="bjd" selected' not in await other.get(link)  # no copy of another agency's grant
