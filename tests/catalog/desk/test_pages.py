"""The desk's pages: what they say of clocks, in both languages; nothing typed becomes markup."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from datetime import date

import pytest

from catalog.administration import Administration
from catalog.authentication import Credentials
from catalog.desk.desk import Desk, Move
from catalog.desk.view import due_words
from catalog.identity import sessions
from catalog.identity.actor import Actor
from ledger import Instance
from ledger.rules import adoption
from tests.catalog.test_i18n import CHINESE, texts_of
from tests.conftest import InProcess, in_process

anyio = pytest.mark.anyio
ASK = {
    "act": "query",
    "provider": "scjg",
    "description": "示例企业近三年的行政处罚情况",
    "code": "case",
    "reference": "示执案〔2026〕17号",
}
#: Names of documents and sharing classes, which stand in either language as they are written.
QUOTED = re.compile(r"示演政办〔2025〕88号|源政办发〔2021〕19号|国务院令第809号|条例|保密审查|名称|代码|备注|中文")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def ask(app: InProcess, **change: str) -> str:
    response = await app.client.post("/requests/new", data={**ASK, **change}, headers=await app.sign_in("zhzf-1"))
    assert response.status_code == 303, response.text
    return str(response.headers["location"].split("/")[-2])


async def get(app: InProcess, path: str, who: str = "zhzf-1", language: str = "zh-CN", status: int = 200) -> str:
    response = await app.client.get(path, headers={**await app.sign_in(who), "accept-language": language})
    assert response.status_code == status, response.text
    return response.text


def credentials(app: InProcess, login: str) -> Credentials:
    session = sessions.start(app.service.register, login)
    actor = sessions.actor_of_session(app.service.register, session)
    assert actor is not None
    return Credentials(actor, session=session)


def move(app: InProcess, login: str, number: str, kind: str, fields: dict[str, object], words: dict[str, str]) -> None:
    Desk(app.service).move(credentials(app, login), number, Move(kind, fields, words))


def data_authority(app: InProcess) -> Administration:
    actor: Actor = credentials(app, "sjj-2").actor
    return Administration(app.service.instance, app.service.register, app.service.ledger, actor)


# -- words ------------------------------------------------------------------------------------------------------------


@anyio
async def test_an_english_page_of_the_desk_has_chinese_in_data_alone(app: InProcess) -> None:
    number = await ask(app, subjects="甲公司（虚构）\t\t", urgent="1", urgent_reason="当日离开本县", approver="zhzf-2")
    seq = app.entries()[-1]["seq"]
    paths = (
        "/requests", "/requests?show=closed", "/requests/sent", "/requests/new", "/requests/new?act=application",
        f"/requests/{number}", f"/requests/{number}/receipt", f"/requests/{number}/withdraw", f"/requests/{number}/fee",
        f"/requests/{number}/escalate", f"/requests/{number}/subjects/{seq}",
    )  # fmt: skip
    for path in paths:
        page = await get(app, path, language="en")
        for language, text in texts_of(page):
            if language == "en":
                assert not CHINESE.search(QUOTED.sub("", text)), (path, text)
        assert await get(app, path)
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", page), path


@anyio
async def test_empty_lists_say_so(app: InProcess) -> None:
    assert "没有待办" in await get(app, "/requests", "bjd-1")
    assert "还没有提出过请求" in await get(app, "/requests/sent", "bjd-1")
    assert "还没有办结" in await get(app, "/requests?show=closed", "bjd-1")


@anyio
async def test_what_was_typed_is_never_markup(app: InProcess) -> None:
    evil = "<img src=x onerror=alert(1)> & “引号”"
    number = await ask(app, description=evil, subjects=f"{evil}\t\t")
    seq = app.entries()[-1]["seq"]
    for path in (f"/requests/{number}", f"/requests/{number}/receipt", f"/requests/{number}/subjects/{seq}"):
        page = await get(app, path)
        assert "<img src=x" not in page and html.escape(evil, quote=False) in page.replace("&#34;", '"'), path


# -- clocks -----------------------------------------------------------------------------------------------------------


@anyio
async def test_with_no_clause_in_force_there_is_no_clock_and_the_pages_say_so(app: InProcess) -> None:
    """Side by side: one received under 19号, one after it lapsed, with no local standard any more."""
    data_authority(app).change_rules(
        lambda book: adoption.end_rule(book, "sf-2026.answer", date(2026, 11, 9), "演示：停用本地标准")
    )
    old = await ask(app, channel="phone", received_at="2026-11-18T09:00")
    new = await ask(app, channel="phone", received_at="2026-11-20T09:00")
    page = await get(app, f"/requests/{old}")
    assert "2026-11-23 24:00" in page and "法定" in page and page.count('class="day day-') == 6
    page = await get(app, f"/requests/{new}")
    assert "无有效期限" in page and "无到期时间" in page and "已用工作日" in page and 'class="day day-' not in page
    inbox = await get(app, "/requests", "scjg-1")
    assert inbox.index(old) < inbox.index(new)
    assert "没有有效期限：只列已用时间，不评按期或逾期" in inbox
    assert "No clock" in await get(app, "/requests", "scjg-1", "en")


@anyio
async def test_waiting_for_the_requester_is_shown_and_stops_no_clock(app: InProcess) -> None:
    number = await ask(app, channel="phone", received_at="2026-11-12T09:00")
    move(app, "scjg-1", number, "request.authenticated", {"method": "phone"}, {})
    move(app, "scjg-1", number, "request.supplement_asked", {}, {"wanted": "请补充立案决定书"})
    page = await get(app, f"/requests/{number}")
    assert "已逾期" in page and "请补充立案决定书" in page and "补充材料" in page
    sent = await get(app, "/requests/sent")
    assert "等待本单位办理" in sent
    response = await app.client.post(
        f"/requests/{number}/supplement",
        data={"supplement": "见附件", "files_reviewed": "1"},
        files={"files": ("立案决定书.pdf", b"%PDF-1.7 x")},
        headers=await app.sign_in("zhzf-1"),
    )
    assert response.status_code == 303
    assert "立案决定书.pdf" in await get(app, f"/requests/{number}", "scjg-1")


@anyio
async def test_an_application_that_was_agreed_to_has_two_clocks(app: InProcess) -> None:
    words = {"basis": "示例法第三条", "scene": "案件办理", "scope": "全部数据项", "way": "接口查询", "period": "一年内"}
    number = await ask(
        app,
        act="application",
        resource="work/inspections",
        provider="",
        approver="zhzf-2",
        **{f"application_{name}": text for name, text in words.items()},
    )
    page = await get(app, f"/requests/{number}")
    assert "答复期限" in page and "提供期限" not in page and "示例法第三条" in page
    provider = app.service.resource("work/inspections")
    assert provider is not None
    case = Desk(app.service).case(credentials(app, "zhzf-1").actor, number)
    assert case.deadlines[0].stop == "decided" and case.deadlines[0].standing == "statutory"


@anyio
async def test_who_acted_is_named_to_their_own_agency_alone(app: InProcess) -> None:
    number = await ask(app)
    assert "执法协调科 经办员" in (await get(app, f"/requests/{number}")).partition("台账记录")[2]
    assert "执法协调科 经办员" not in (await get(app, f"/requests/{number}", "scjg-1")).partition("台账记录")[2]


@anyio
async def test_the_table_of_subjects_is_for_those_who_answer(app: InProcess) -> None:
    number = await ask(app, subjects="甲公司（虚构）\t\t")
    path = f"/requests/{number}/subjects/{app.entries()[-1]['seq']}"
    assert "甲公司" in await get(app, path, "scjg-2")
    app.service.register.write("UPDATE officer_roles SET role = 'officer' WHERE officer = 'scjg-1'")
    await get(app, path, "scjg-1", status=403)


@anyio
async def test_the_draft_of_a_request_leads_to_the_form_filled_in(app: InProcess) -> None:
    draft = await get(app, "/request?resource=work/inspections")
    assert 'href="/requests/new?resource=work/inspections"' in draft
    form = await get(app, "/requests/new?resource=work/inspections")
    assert '<option value="work/inspections" selected>' in form


@anyio
async def test_a_move_that_is_not_possible_is_no_form(app: InProcess) -> None:
    number = await ask(app)
    page = await get(app, f"/requests/{number}/confirm", status=409)
    assert "<textarea" not in page and "返回请求" in page


def test_midnight_belongs_to_the_day_that_it_ends() -> None:
    assert due_words("2026-11-23T16:00:00.000Z") == "2026-11-23 24:00"
    assert due_words("2026-11-23T09:30:00.000Z") == "2026-11-23 17:30"
    assert due_words("") == due_words(None) == ""
