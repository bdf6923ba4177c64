"""Answering, refusing and printing as people do it at a browser: no scripts, both languages, a phone, paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Reader
from tests.browser.test_accessibility import CHECK

Make = Callable[..., Reader]
LOCALES = ["zh-CN", "en-GB"]
PHONE = {"width": 390, "height": 844}
ROWS = "决定书文号,当事人,案由,罚款（元）,决定日期\n" + "".join(
    f"示市监罚〔2026〕{n}号,甲公司（虚构）,未按规定建立进货查验记录,{n}000,2026-0{n}-11\n" for n in range(1, 9)
)


def post(reader: Reader, path: str, **form: str) -> str:
    """A form sent as the page's own would send it; where it leads."""
    response = reader.context.request.post(reader.site.url + path, form=form, max_redirects=0)
    assert response.status == 303, response.text()
    return response.headers["location"]


def asked(reader: Make, provider: str, **change: str) -> str:
    """A request of zhzf to ``provider``, authenticated."""
    form = {
        "act": "query",
        "provider": provider,
        "description": "某企业近三年的行政处罚情况",
        "code": "case",
        "reference": "示执案〔2026〕17号",
        **change,
    }
    number = post(reader("zhzf-1", states=False), "/requests/new", **form).split("/")[-2]
    post(reader(f"{provider}-1", states=False), f"/requests/{number}/authenticate", method="session")
    return number


def pdf_pages(page: Page, path: Path) -> int:
    page.emulate_media(media="print")
    pdf = page.pdf(path=path, format="A4", prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def test_a_refusal_from_the_grounds_to_its_approval(reader: Make) -> None:
    number = asked(reader, "sthj")
    drafter = reader("sthj-1", states=False, java_script_enabled=False)
    drafter.expected = {422}
    drafter.go(f"/requests/{number}")
    drafter.page.get_by_role("link", name="不予提供：拟稿").click()
    # An article that was repealed is named with what holds now.
    drafter.page.fill("#article", "环境保护法第五十七条")
    drafter.page.get_by_role("button", name="在登记册中查找").click()
    found = drafter.page.locator("section:has(#article) li").inner_text()
    assert "不能引用" in found and "2026-08-14 后失效" in found and "第一百四十六条" in found
    # Bare words are no ground, and what was typed stays.
    drafter.page.fill("#f-reason", "涉密，不便提供")
    drafter.page.get_by_role("button", name="核对是否属于法定事由").click()
    assert "不得以保守秘密为由拒绝" in drafter.page.locator("#wrong").inner_text()
    assert drafter.page.input_value("#f-reason") == "涉密，不便提供"
    # The statute's own exception stops a ground in force.
    drafter.page.get_by_role("link", name="RG03").click()
    assert "不得向任何单位和个人提供或者公开" in drafter.page.locator("blockquote").inner_text()
    drafter.page.check("#answer-case_need-yes")
    drafter.page.check("#answer-state_provision-no")
    drafter.page.check("input[name=citation]")
    drafter.page.check("#covers-whole")
    drafter.page.fill("#field-register_number", "FC-2026-7")
    drafter.page.get_by_role("button", name="提交负责人审批").click()
    alert = drafter.page.locator("#wrong").inner_text()
    assert "封存不得对抗" in alert and "第一百三十六条" in alert and "按期提供" in alert
    assert drafter.page.input_value("#field-register_number") == "FC-2026-7"
    assert drafter.page.is_checked("#covers-whole") and drafter.page.is_checked("#answer-case_need-yes")
    drafter.page.check("#answer-case_need-no")
    drafter.page.get_by_role("button", name="提交负责人审批").click()
    assert drafter.path == f"/requests/{number}"
    approver = reader("sthj-2", states=False)
    approver.go(f"/requests/{number}")
    approver.page.get_by_role("link", name="不予提供：批准").click()
    approver.page.get_by_role("button", name="批准：按此不予提供").click()
    asker = reader("zhzf-1", states=False, locale="en-GB")
    asker.go(f"/requests/{number}")
    assert "refused" in asker.page.locator(".lead").inner_text().lower()
    asker.page.get_by_role("link", name="result sheet, to print").click()
    assert "RG03 Sealed public-security record" in asker.page.locator(".result").inner_text()


@pytest.mark.parametrize("locale", LOCALES)
def test_an_ordinary_answer_is_one_sheet_of_paper(reader: Make, locale: str, tmp_path: Path) -> None:
    number = asked(reader, "scjg", subjects="甲公司（虚构）,,\n乙公司（虚构）,,")
    post(
        reader("scjg-1", states=False),
        f"/requests/{number}/answer",
        rows=ROWS,
        text="2023 年至 2026 年共八件，均已执行。",
    )
    asker = reader("zhzf-1", states=False, locale=locale)
    asker.go(f"/requests/{number}")
    asker.page.locator("a[href*='/sheet/']").click()
    sheet = asker.page.locator(".result").inner_text()
    for words in (number, "示执案〔2026〕17号", "示市监罚〔2026〕8号", "甲公司（虚构）"):
        assert words in sheet, words
    assert re.search(r"[0-9a-f]{64}", sheet)
    assert pdf_pages(asker.page, tmp_path / "sheet.pdf") == 1
    assert not asker.page.locator(".masthead").is_visible() and asker.page.locator(".result-sign").is_visible()


def test_a_long_table_is_an_annex_and_the_sheet_stays_one_page(reader: Make, tmp_path: Path) -> None:
    number = asked(reader, "scjg")
    rows = "年度,件数\n" + "".join(f"{year},{year % 7}\n" for year in range(1990, 2020))
    post(reader("scjg-1", states=False), f"/requests/{number}/answer", rows=rows)
    asker = reader("zhzf-1", states=False)
    asker.go(f"/requests/{number}")
    asker.page.locator("a[href*='/sheet/']").click()
    assert "共 30 行，见附表" in asker.page.locator(".result").first.inner_text()
    assert pdf_pages(asker.page, tmp_path / "sheet.pdf") == 2


@pytest.mark.parametrize("locale", LOCALES)
def test_every_page_of_the_provider_and_the_offices_is_within_reach_of_every_reader(reader: Make, locale: str) -> None:
    number = asked(reader, "sthj")
    other = asked(reader, "scjg")
    post(reader("scjg-1", states=False), f"/requests/{other}/answer", rows=ROWS)
    draft = {"ground": "RG09", "citation": "jcf.18", "covers": "whole", "field_register_number": "JC-1",
             "answer_so_obtained": "yes"}  # fmt: skip
    pages = {
        "sthj-1": [
            *(f"/requests/{number}{more}" for more in ("", "/answer", "/answer-part", "/answer-none", "/deliver")),
            *(f"/requests/{number}/{slug}" for slug in ("redirect", "ask-supplement", "refuse")),
            *(f"/requests/{number}/refuse?ground={code}" for code in ("RG01", "RG03", "RG10", "RG11", "RG16")),
        ],
        "sthj-2": [f"/requests/{number}/approve-refusal"],
        "sjj-2": ["/requests/brought"],
        "sfj-2": ["/supervision", *(f"/supervision/{number}{more}" for more in ("", "/issue", "/propose"))],
    }
    for login, paths in pages.items():
        if login == "sthj-2":
            post(reader("sthj-1", states=False), f"/requests/{number}/refuse", **draft)
        someone = reader(login, states=False, locale=locale, viewport=PHONE)
        for path in paths:
            someone.go(path)
            assert someone.page.evaluate("document.documentElement.scrollWidth") == 390, path
            assert someone.page.evaluate(CHECK) == [], path
