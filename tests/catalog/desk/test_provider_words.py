"""The provider's and the offices' pages: each language whole, nothing typed becomes markup, calls as the pages."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator

import pytest

from ledger import Instance
from tests.catalog.desk.test_pages import QUOTED, ask, get
from tests.catalog.test_i18n import CHINESE, texts_of
from tests.conftest import InProcess, in_process

anyio = pytest.mark.anyio
SEALED = {
    "ground": "RG03",
    "citation": "zacf.136",
    "covers": "whole",
    "field_register_number": "FC-2026-7",
    "answer_case_need": "no",
    "answer_state_provision": "no",
}
#: What quotes a name, a document or a statute as it is written, whatever the page's language.
NAMES = re.compile(
    QUOTED.pattern + r"|一次性告知|《[^》]+》第[一二三四五六七八九十百千]+条(第[一二三四五六七八九十]+款)?"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def send(app: InProcess, who: str, path: str, status: int = 303, **form: str) -> str:
    response = await app.client.post(path, data=form, headers=await app.sign_in(who))
    assert response.status_code == status, response.text
    return response.text


@anyio
async def test_an_english_page_has_chinese_in_data_alone_and_a_chinese_page_opens_too(app: InProcess) -> None:
    open_one = await ask(app, provider="sthj")
    await send(app, "sthj-1", f"/requests/{open_one}/authenticate", method="session")
    answered = await ask(app, subjects="甲公司（虚构）\t\t")
    await send(app, "scjg-1", f"/requests/{answered}/authenticate", method="session")
    await send(app, "scjg-1", f"/requests/{answered}/answer", rows="文号,罚款\n示1号,5\n", text="一件")
    seq = app.entries()[-1]["seq"]
    refused = await ask(app, provider="sthj")
    await send(app, "sthj-1", f"/requests/{refused}/authenticate", method="session")
    await send(app, "sthj-1", f"/requests/{refused}/refuse", **SEALED)
    looks = [
        *(("sthj-1", f"/requests/{open_one}/{slug}") for slug in (
            "fail-authentication", "answer", "answer-part", "answer-none", "deliver", "redirect", "ask-supplement",
            "refuse", "refuse?article=环境保护法第五十七条", *(f"refuse?ground=RG{n:02d}" for n in range(1, 19)),
        )),
        ("sthj-2", f"/requests/{refused}/approve-refusal"),
        *(("zhzf-1", f"/requests/{answered}{more}") for more in ("", f"/sheet/{seq}", f"/subjects/{seq}")),
        ("sjj-2", "/requests/brought"),
        *(("sfj-2", f"/supervision{more}") for more in (
            "", f"/{refused}", f"/{answered}/review", f"/{answered}/issue", f"/{answered}/propose",
            f"/{refused}/notify-superior",
        )),
        ("dcs-2", f"/supervision/{answered}/issue"),
    ]  # fmt: skip
    wrong = []
    for who, path in looks:
        status = 409 if path.endswith("fail-authentication") else 200
        page = await get(app, path, who, "en", status)
        for language, text in texts_of(page):
            if language == "en" and CHINESE.search(NAMES.sub("", text)):
                wrong.append((path, text))
        await get(app, path, who, status=status)
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", page), path
    assert wrong == []


@anyio
async def test_what_was_typed_is_never_markup_and_stays_when_it_is_sent_back(app: InProcess) -> None:
    evil = "<img src=x onerror=alert(1)> & “引号”"
    number = await ask(app)
    await send(app, "scjg-1", f"/requests/{number}/authenticate", method="session")
    back = await send(app, "scjg-1", f"/requests/{number}/refuse", 422, ground="RG03", reason=evil)
    assert "<img src=x" not in back and html.escape(evil, quote=False) in back
    await send(app, "scjg-1", f"/requests/{number}/answer", rows=f"a,b\n{evil},2\n", text=evil)
    seq = app.entries()[-1]["seq"]
    for path in (f"/requests/{number}", f"/requests/{number}/sheet/{seq}", f"/requests/{number}/subjects/{seq}"):
        page = await get(app, path)
        assert "<img src=x" not in page and "&lt;img src=x" in page, path


@anyio
async def test_a_system_answers_by_call_and_a_wrong_refusal_says_why(app: InProcess) -> None:
    """The agency's own system may authenticate and answer; refusing takes two people."""
    number = await ask(app, provider="jtys")
    seen = await app.sign_in("jtys-1")
    url = f"/api/requests/{number}/moves"

    async def call(**value: object) -> tuple[int, dict[str, object]]:
        response = await app.client.post(url, json=value, headers={**seen, "accept": "application/json"})
        return response.status_code, response.json()

    assert (await call(move="authenticate", method="session"))[0] == 200
    status, said = await call(
        move="refuse", ground="RG03", citation="zacf.136", covers="whole", fields={"register_number": "F-1"},
        answers={"case_need": True, "state_provision": False},
    )  # fmt: skip
    assert status == 422 and said["code"] == "exception" and said["where"] == "answers"
    assert said["lawful_zh"] == "按期提供" and "第一百三十六条" in str(said["clause_zh"])
    assert (await call(move="refuse", ground="RG03", citation="zacf.136", fields={"register_number": 7}))[0] == 400
    status, said = await call(move="answer", rows=[{"证号": "00123", "状态": "有效"}])
    assert status == 200 and said["request"]["state"] == "answered"  # type: ignore[index]
    seq = app.entries()[-1]["seq"]
    table = await app.client.get(f"/api/requests/{number}/tables/{seq}", headers=await app.sign_in("zhzf-1"))
    assert table.json()["rows"][0]["value"] == {"columns": ["证号", "状态"], "cells": ["00123", "有效"]}


@anyio
async def test_data_that_is_wrong_is_said_from_its_row_or_from_the_query_that_gave_it(app: InProcess) -> None:
    headers = await app.sign_in("zhzf-1")
    form = {"resource": "work/penalties", "next": "/", "code": "case", "reference": "示执案〔2026〕17号"}
    assert (await app.client.post("/purpose", data=form, headers=headers)).status_code == 303
    row = (await app.client.get("/work/penalties/6", headers=headers)).text
    link = re.search(r'href="[^"]*(/requests/new-correction\?[^"]*)"', row)
    assert link is not None and html.unescape(link[1]).endswith("?resource=work/penalties&row=6")
    page = (await app.client.get(html.unescape(link[1]), headers=headers)).text
    assert "示范县市场监督管理局" in page and 'value="6"' in page
    served = next(entry["seq"] for entry in app.entries()[::-1] if entry["kind"] == "query.served")
    own = (await app.client.get(f"/queries/{served}", headers=headers)).text
    assert f"/requests/new-correction?served={served}" in own
    page = (await app.client.get(f"/requests/new-correction?served={served}", headers=headers)).text
    assert "示范县市场监督管理局" in page and str(served) in page
    wrong = {"resource": "work/penalties", "served": str(served), "row": "6", "description": ""}
    back = await send(app, "zhzf-1", "/requests/new-correction", 422, **wrong)
    assert 'value="6"' in back
    await send(app, "zhzf-1", "/requests/new-correction", **{**wrong, "description": "罚款金额应为五百元，误作五千元"})
    opened = app.entries()[-1]
    assert (opened["kind"], opened["served"], opened["act"]) == ("correction.received", served, "correction")
    page = await get(app, f"/requests/{opened['case']}", "scjg-1")
    assert f"/requests/{opened['case']}/answer-correction" in page and "罚款金额应为五百元" in page


@anyio
async def test_a_transfer_is_recorded_and_its_letter_sent_by_its_pages(app: InProcess) -> None:
    for language in ("zh-CN", "en"):
        page = await get(app, "/requests/new-transfer", "scjg-1", language)
        for tongue, text in texts_of(page):
            assert tongue != "en" or not CHINESE.search(NAMES.sub("", text)), text
    notice = {
        "receiver": "gaj",
        "transfer": "crime",
        "reference": "示市监案〔2026〕31号",
        "description": "拟移送的案件概况",
    }
    back = await send(app, "scjg-1", "/requests/new-transfer", 422, **{**notice, "receiver": ""})
    assert "示市监案〔2026〕31号" in back
    await send(app, "scjg-1", "/requests/new-transfer", **notice)
    number = app.entries()[-1]["case"]
    assert "移送单位" in await get(app, f"/requests/{number}", "gaj-1")
    letter = {"letter_number": "", "materials": "fact_statement"}
    back = await send(app, "scjg-1", f"/requests/{number}/send-letter", 422, **letter)
    assert re.search(r'value="fact_statement" checked', back)
    await send(app, "scjg-1", f"/requests/{number}/send-letter", **{**letter, "letter_number": "示市监移〔2026〕3号"})
    await send(app, "gaj-1", f"/requests/{number}/take", result="taken")
    assert "移送已接收" in await get(app, f"/requests/{number}", "scjg-1")
