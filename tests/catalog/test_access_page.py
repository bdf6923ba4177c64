"""The explanation of a decision, in the words of the refusal; and what Datasette itself does, beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from catalog import grants, suspensions
from catalog.explained import explain_table
from catalog.plugin import build
from ledger import Instance
from tests.catalog.walking import hrefs, walker, words
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def test_the_explanation_has_the_words_of_the_refusal_and_is_no_query(app: InProcess) -> None:
    officer = await walker(app, "bjd-1")
    before = len(app.entries())
    said = words(await officer.get("/access?resource=work/inspections"))
    assert len(app.entries()) == before
    response = await app.client.get("/work/inspections.json", headers={**officer.headers, "accept": "*/*"})
    assert response.json()["error_zh"] in said
    assert response.json()["clause"] in said
    assert "没有就该数据表给予该单位的授权" in said
    assert "提供单位给予授权：向其提出请求 示范县应急管理局" in said


async def test_it_shows_the_grants_that_were_looked_at_and_what_each_purpose_opens(app: InProcess) -> None:
    grants.revoke(app.service.register, app.service.ledger, "g-0005", "目的已实现")
    said = words(await (await walker(app, "zhzf-1")).get("/access?resource=alerts/alerts"))
    for text in ("g-0014", "有效", "线索核查", "联合执法", "8", "alert_no", "结论 说明事由后可查询"):
        assert text in said, text
    said = words(await (await walker(app, "zhzf-1")).get("/access?resource=documents/documents"))
    assert "已撤回" in said
    assert "目的已实现" in said


async def test_each_kind_of_no_says_whether_it_counts_as_a_refusal(app: InProcess) -> None:
    officer = await walker(app, "zhzf-1")
    said = words(await officer.get("/access?resource=work/informants"))
    assert "RG16 政务数据共享条例第十四条第三项、第十五条" in said
    assert "《中华人民共和国食品安全法》第一百一十五条" in said
    assert "是否计为拒绝 是" in said
    assert "是否计为拒绝 否" in words(await officer.get("/access?resource=work/inspections"))
    what = {"id": "s-0009", "agency": "zhzf", "by": "sjj", "reason": "超出授权范围"}
    suspensions.suspend(app.service.register, app.service.ledger, what)
    said = words(await officer.get("/access?resource=work/permits"))
    assert "RG18" in said
    assert "整改到位后恢复共享权限（条例第二十七条） 示范县数据局" in said


async def test_the_list_shows_every_published_table(app: InProcess) -> None:
    html = await (await walker(app, "zhzf-1")).get("/access")
    for resource in grants.resources(app.service.register):
        place = f"{resource['database']}/{resource['table_name']}"
        assert f"/access?resource={place}" in hrefs(html), place


async def test_another_agency_is_asked_for_by_supervisors_only(app: InProcess) -> None:
    asked = "/access?resource=work/penalties&agency=bjd"
    said = words(await (await walker(app, "sfj-1")).get(asked))
    assert "示范县丙街道办事处" in said
    assert "尚未获得授权" in said
    await (await walker(app, "zhzf-1")).get(asked, status=403)
    await (await walker(app, "scjg-3")).get("/access?agency=zhzf", status=403)
    await (await walker(app, "sfj-1")).get("/access?agency=nobody", status=404)
    await (await walker(app, "sfj-1")).get("/access?resource=work/nothing", status=404)


# -- Datasette's own rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["sfj-1", "ywzx-1"])
async def test_supervisors_and_the_operator_see_what_datasette_does_and_that_is_recorded(
    app: InProcess, who: str
) -> None:
    officer = await walker(app, who)
    html = await officer.get("/access/rules?agency=zhzf&database=work")
    said = words(html.partition("<tbody>")[2])
    for text in ("行政处罚决定 打开 liandong: allow (resource)", "不打开", "是"):
        assert text in said, text
    assert "<strong>否</strong>" not in html
    assert (
        "not yet granted" not in html
    )  # Datasette's rules are in English; what both say is said in the reader's language
    assert 'class="sections"' in html and 'aria-current="true"' not in html  # no category's page
    entry = app.entries()[-1]
    assert (entry["kind"], entry["resource"]) == ("audit.read", "permissions")


@pytest.mark.parametrize("who", ["zhzf-1", "zhzf-3", "scjg-2", "sjj-2"])
async def test_nobody_else_does(app: InProcess, who: str) -> None:
    await (await walker(app, who)).get("/access/rules", status=403)
    await (await walker(app, who)).get("/anomalies", status=403)


async def test_what_is_not_there_is_404(app: InProcess) -> None:
    officer = await walker(app, "sfj-1")
    await officer.get("/access/rules?agency=nobody", status=404)
    await officer.get("/access/rules?database=ledger", status=404)


async def test_datasette_opens_what_was_decided_for_every_agency_and_table(app: InProcess) -> None:
    datasette = build(app.service)
    await datasette.invoke_startup()
    rows = app.service.register.all("SELECT id, role FROM agencies")
    checked = 0
    for row in rows:
        actor = {"id": row["id"], "agency": row["id"], "role": row["role"]}
        for resource, decision in app.service.decisions(row["id"], row["role"]):
            found = await explain_table(datasette, actor, resource["database"], resource["table_name"])
            assert found.allowed == decision.opens_table, (row["id"], resource["table_name"])
            assert found.decisive is not None
            assert found.decisive.source == "liandong"
            checked += 1
    assert checked > 100
    datasette.close()


# -- anomalies --------------------------------------------------------------------------------------------------------


async def test_repeated_purposes_are_shown_without_what_was_written(app: InProcess) -> None:
    for number in range(5):
        stated = f'case; reference="SF-2026-{number}"; words=%"%e5%90%8c%e4%b8%80%e5%8f%a5%e8%af%9d"'
        response = await app.client.get("/work/penalties.json?_size=1", headers=app.bearer(stated))
        assert response.status_code == 200
    html = await (await walker(app, "sfj-1")).get("/anomalies")
    said = words(html)
    assert "同样的用途说明用于 5 次查询、5 个文号或编号" in said
    assert "同一句话" not in html
    assert "SF-2026" not in html
    assert app.entries()[-1]["kind"] == "audit.read"
