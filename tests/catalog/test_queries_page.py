"""本单位的查询 and 谁查了我的数据: who sees what of a query, how far back, as a page and as a spreadsheet."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator

import pytest

from catalog import grants
from catalog.entry_view import readable
from ledger import Instance
from tests.catalog.walking import hrefs, walker, words
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

QUERY = "/work/penalties.json?town=%E7%94%B2%E9%95%87&_size=2"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


def texts(body: bytes) -> str:
    """All texts of a spreadsheet."""
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        return re.sub(r"<[^>]+>", " ", file.read("xl/sharedStrings.xml").decode())


async def ask(app: InProcess) -> int:
    """A query of zhzf's system for scjg's data; the number of its entry."""
    response = await app.client.get(QUERY, headers=app.bearer())
    assert response.status_code == 200
    return int(response.headers["ledger-entry"])


# -- our own ----------------------------------------------------------------------------------------------------------


async def test_our_queries_are_opened_for_us(app: InProcess) -> None:
    seq = await ask(app)
    officer = await walker(app, "zhzf-1")
    await officer.get("/work/penalties/6")
    said = words(await officer.get("/queries"))
    for text in ("town=甲镇", "SF-2026-17", "示执案〔2026〕17号", "执法协调科 经办员", "系统", "2 行"):
        assert text in said, text
    html = await officer.get(f"/queries/{seq}")
    for text in ("town=甲镇", "案件调查", "SF-2026-17", "已答复"):
        assert text in words(html), text
    assert f"/log/receipt/{seq}" in hrefs(html)


async def test_another_agency_sees_none_of_them(app: InProcess) -> None:
    seq = await ask(app)
    other = await walker(app, "scjg-1")
    assert "SF-2026-17" not in await other.get("/queries")
    await other.get(f"/queries/{seq}", status=404)
    await other.get("/queries/999999", status=404)
    await other.get("/queries/0", status=404)  # an entry that is no query of anybody's


async def test_the_list_is_narrowed_by_table_and_by_day(app: InProcess) -> None:
    await ask(app)
    officer = await walker(app, "zhzf-1")
    await officer.get("/work/permits")
    today = app.service.register.today()

    async def listed(query: str) -> list[str]:
        table = (await officer.get(f"/queries?{query}")).partition("<tbody>")[2]
        return re.findall(r'data-label="对象"><span>([^< ]+)', table)

    assert set(await listed("")) == {"行政处罚决定", "道路运输行政许可"}
    assert set(await listed("resource=work/penalties")) == {"行政处罚决定"}
    assert len(await listed(f"from={today}&to={today}")) == 2
    assert await listed("to=2026-01-01") == []
    assert await listed("from=2099-01-01") == []
    await officer.get("/queries?from=2026-02-30", status=400)


async def test_the_spreadsheet_holds_the_same_and_is_the_agencys_own(app: InProcess) -> None:
    seq = await ask(app)
    officer = await walker(app, "zhzf-1")
    response = await app.client.get("/queries.xlsx", headers=officer.headers)
    assert response.status_code == 200
    assert response.headers["content-disposition"].startswith("attachment")
    assert "no-store" in response.headers["cache-control"]
    found = texts(response.content)
    for text in ("town=甲镇", "SF-2026-17", "案件调查", str(app.service.ledger.opened(seq)["answer_sha256"])):
        assert text in found, text
    other = await app.client.get("/queries.xlsx", headers=(await walker(app, "scjg-1")).headers)
    assert "SF-2026-17" not in texts(other.content)


def test_an_address_is_shown_as_it_was_meant() -> None:
    assert readable("GET /work/penalties?town=%E7%94%B2%E9%95%87&a=b+c") == "GET /work/penalties?town=甲镇&a=b c"


# -- who asked us -----------------------------------------------------------------------------------------------------


async def test_a_provider_sees_who_asked_what_for_and_no_particulars(app: InProcess) -> None:
    await ask(app)
    asker = await walker(app, "zhzf-1")
    await asker.get("/work/penalties")
    denied = await walker(app, "bjd-1")
    await denied.get("/work/penalties", status=403)
    provider = await walker(app, "scjg-1")
    await provider.get("/work/penalties")  # its own reading is no query by others
    html = await provider.get("/asked")
    said = words(html.partition("<tbody>")[2])
    for text in ("示范县综合行政执法局", "示范县丙街道办事处", "案件调查", "已答复", "转请求", "2"):
        assert text in said, text
    assert html.count("<tr>") == 4  # the head and three
    for hidden in ("SF-2026-17", "示执案", "执法协调科", "town", "zhzf-1"):
        assert hidden not in html, hidden


async def test_others_data_and_others_lists_are_not_seen(app: InProcess) -> None:
    await ask(app)
    said = words((await (await walker(app, "jtys-1")).get("/asked")).partition("<main")[2])
    assert "尚无其他单位查询本单位的数据" in said
    said = words((await (await walker(app, "bjd-1")).get("/asked")).partition("<main")[2])
    assert "本单位没有在本系统提供数据表" in said


async def test_a_provider_sees_queries_of_its_time_only(app: InProcess) -> None:
    """A table that another agency takes over takes no history along, and leaves none behind."""
    await ask(app)
    register, ledger = app.service.register, app.service.ledger
    grants.publish(register, ledger, "work/penalties", "jtys", "无条件共享")
    before = await walker(app, "scjg-1")
    after = await walker(app, "jtys-1")
    assert "案件调查" in await before.get("/asked")
    assert (await after.get("/asked")).count("<tr>") == 0
    await ask(app)
    assert (await before.get("/asked")).count("<tr>") == 2
    assert (await after.get("/asked")).count("<tr>") == 2


async def test_it_is_narrowed_by_requester_table_and_day_and_paged(app: InProcess) -> None:
    for _ in range(52):
        await ask(app)
    await (await walker(app, "bjd-1")).get("/work/penalties", status=403)
    provider = await walker(app, "scjg-1")
    assert (await provider.get("/asked?requester=bjd")).count("<tr>") == 2
    assert "没有符合条件的查询" in await provider.get("/asked?resource=documents/documents")
    assert "没有符合条件的查询" in await provider.get("/asked?to=2026-01-01")
    html = await provider.get("/asked?requester=zhzf")
    assert html.count("<tr>") == 51
    (older,) = [href for href in hrefs(html) if "before=" in href]
    assert "requester=zhzf" in older
    assert (await provider.get(older)).count("<tr>") == 3
    await provider.get("/asked?before=x", status=400)


async def test_its_spreadsheet_holds_no_particulars_either(app: InProcess) -> None:
    await ask(app)
    provider = await walker(app, "scjg-1")
    response = await app.client.get("/asked.xlsx?requester=zhzf", headers=provider.headers)
    found = texts(response.content)
    assert "示范县综合行政执法局" in found
    assert "案件调查" in found
    for hidden in ("SF-2026-17", "甲镇", "zhzf-sys"):
        assert hidden not in found


# -- use --------------------------------------------------------------------------------------------------------------


async def test_what_became_of_an_answer_is_recorded_and_the_provider_sees_which(app: InProcess) -> None:
    seq = await ask(app)
    officer = await walker(app, "zhzf-1")
    await officer.post(f"/queries/{seq}", {"use": "used", "note": "用于示执案〔2026〕17号"})
    await officer.post(f"/queries/{seq}", {"use": "stored", "until": "2029-12-31"})
    entry = app.entries()[-1]
    assert (entry["kind"], entry["served"], entry["use"], entry["until"]) == (
        "use.recorded",
        seq,
        "stored",
        "2029-12-31",
    )
    assert app.service.ledger.opened(entry["seq"])["officer"] == "zhzf-1"
    said = words(await officer.get(f"/queries/{seq}"))
    for text in ("已存储", "保存至 2029-12-31", "已使用", "用于示执案〔2026〕17号"):
        assert text in said, text
    html = await (await walker(app, "scjg-1")).get("/asked")
    assert "已存储" in html
    assert "用于示执案" not in html
    assert "已存储" in words(await officer.get("/queries"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"use": "sold"},
        {"use": "stored"},
        {"use": "stored", "until": "2026-02-30"},
        {"use": "used", "note": "x" * 501},
    ],
)
async def test_a_use_that_says_too_little_is_not_recorded(app: InProcess, fields: dict[str, str]) -> None:
    seq = await ask(app)
    officer = await walker(app, "zhzf-1")
    before = len(app.entries())
    response = await officer.post(f"/queries/{seq}", fields, status=422)
    assert 'role="alert"' in response.text
    assert len(app.entries()) == before


async def test_only_what_was_given_to_us_can_have_been_used(app: InProcess) -> None:
    seq = await ask(app)
    await (await walker(app, "scjg-1")).post(f"/queries/{seq}", {"use": "used"}, status=404)
    officer = await walker(app, "zhzf-1")
    await officer.get("/work/inspections", status=403)
    referred = app.entries()[-1]["seq"]
    await officer.post(f"/queries/{referred}", {"use": "used"}, status=422)
    response = await app.client.post(f"/queries/{seq}", data={"use": "used"}, headers=app.bearer())
    assert response.status_code == 403


async def test_the_use_of_what_a_batch_of_several_tables_gave_is_recorded_too(app: InProcess) -> None:
    asked = [
        {"database": "work", "table": table, "column": "credit_code", "value": "91370000示例0001"}
        for table in ("penalties", "permits")
    ]
    body = {"lookups": asked, "purpose": {"code": "case", "reference": "SF-2026-17"}}
    response = await app.client.post("/api/query/batch", json=body, headers=app.bearer(purpose=""))
    assert response.status_code == 200, response.text
    seq = int(response.headers["ledger-entry"])
    officer = await walker(app, "zhzf-1")
    await officer.post(f"/queries/{seq}", {"use": "destroyed"})
    assert (app.entries()[-1]["kind"], app.entries()[-1]["served"]) == ("use.recorded", seq)
    html = await (await walker(app, "scjg-1")).get(f"/asked?requester=zhzf&before={seq + 1}")
    row = next(each for each in re.findall(r"<tr>.*?</tr>", html, re.S) if f">{seq}<" in each)
    assert "已销毁" in row
    assert re.search(r'class="number">—<', row), "how many of the rows were its own is not known"
