"""The desk in a real browser without scripts: asking with a mistake, the receipt, the lists; names, labels and room."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Reader
from tests.browser.test_accessibility import CHECK

Make = Callable[..., Reader]


def ask(officer: Reader, subjects: str = "") -> str:
    """Ask for something that the catalogue lacks; the request's number."""
    page = officer.page
    officer.go("/requests/new")
    page.select_option("#provider", "scjg")
    page.fill("#description", "示例企业近三年的行政处罚情况")
    page.select_option("#code", "case")
    page.fill("#reference", "示执案〔2026〕17号")
    page.fill("#subjects", subjects)
    page.click(".ask-form .field-submit button")
    found = re.search(r"/requests/([^/]+)/receipt", page.url)
    assert found, page.locator("[role=alert]").all_inner_texts()
    return found[1]


def test_a_mistake_is_named_what_was_typed_stays_and_the_second_sending_gives_a_receipt(
    reader: Make, tmp_path: Path
) -> None:
    officer = reader("zhzf-1", java_script_enabled=False)
    page = officer.page
    officer.expected = {422}
    officer.go("/request?resource=work/inspections")
    page.get_by_role("link", name="补充完整并发出").click()
    assert page.locator("#resource").input_value() == "work/inspections"
    expect(page.locator("#provider")).to_be_hidden()  # the catalogue says who holds it
    page.select_option("#code", "case")
    page.fill("#reference", "示执案〔2026〕17号")
    page.fill("#subjects", "甲公司（虚构）\n,110101199003070012,\n甲公司（虚构）")
    page.click(".ask-form .field-submit button")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("第 2 行")
    expect(alert).to_contain_text("第 3 行")
    assert page.locator("#reference").input_value() == "示执案〔2026〕17号"
    assert page.locator("#resource").input_value() == "work/inspections"
    sheet = tmp_path / "清单.csv"
    sheet.write_bytes("名称,代码\n甲公司（虚构）,\n".encode("gb18030"))
    page.set_input_files("#subjects-file", sheet)
    page.click(".ask-form .field-submit button")
    assert officer.heading() == "请求回执"
    days = page.locator(".strip .day")
    expect(days.first).to_contain_text("起算日")
    assert page.locator(".day-count").last.inner_text() == "3"


def test_what_is_not_asked_for_does_not_stand_in_the_form(reader: Make) -> None:
    officer = reader("zhzf-1", java_script_enabled=False)
    page = officer.page
    officer.go("/requests/new")
    for name in ("#application-basis", "#urgent-reason", "#approver"):
        expect(page.locator(name)).to_be_hidden()
    page.check("#urgent")
    expect(page.locator("#urgent-reason")).to_be_visible()
    expect(page.locator("#approver")).to_be_visible()
    page.check("#act-application")
    expect(page.locator("#application-basis")).to_be_visible()


def test_from_the_inbox_to_the_case_and_withdrawn(reader: Make) -> None:
    asker, provider = reader("zhzf-1", java_script_enabled=False), reader("scjg-1", java_script_enabled=False)
    number = ask(asker, "甲公司（虚构）")
    provider.go("/")
    provider.page.get_by_role("link", name="请求台").click()
    row = provider.page.locator("tr", has_text=number)
    expect(row).to_contain_text("个工作日")
    row.get_by_role("link", name=number).click()
    provider.page.get_by_role("link", name="清单 1 行").click()
    expect(provider.page.locator("main table")).to_contain_text("甲公司（虚构）")
    asker.go(f"/requests/{number}")
    asker.page.get_by_role("link", name="撤回请求").click()
    asker.page.fill("#f-reason", "已从其他渠道取得")
    asker.page.get_by_role("button", name="撤回请求").click()
    expect(asker.page.locator(".lead")).to_contain_text("已撤回")


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_of_a_case_has_names_labels_order_and_room(reader: Make, locale: str, width: int) -> None:
    officer = reader("zhzf-1", locale=locale, viewport={"width": width, "height": 900})
    officer.expected = {409, 422}
    number = ask(officer, "甲公司（虚构）")
    officer.go(f"/requests/{number}")
    table = officer.page.locator("a[href*='/subjects/']").first.get_attribute("href")
    paths = ["", "/receipt", "/withdraw", "/fee", "/escalate", "/confirm", str(table).partition(number)[2]]
    for path in [*(f"/requests/{number}{each}" for each in paths), "/requests", "/requests/sent", "/requests/new"]:
        officer.go(path)
        assert officer.page.evaluate(CHECK) == [], path
        widths = officer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], path
    officer.page.fill("#subjects", ",,x")
    officer.page.click(".ask-form .field-submit button")
    assert officer.page.evaluate(CHECK) == []
