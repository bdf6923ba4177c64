"""What people do here, done in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from ledger import Receipt
from tests.browser.conftest import Reader

Make = Callable[..., Reader]


def conditions(page: Page) -> Locator:
    """The fields that filter by address; a form of its own asks by columns that must not stand in one."""
    return page.get_by_role("group", name="增加条件")


def test_a_wrong_password_is_said_and_the_right_one_leads_to_the_page_asked_for(reader: Make) -> None:
    officer = reader()
    officer.expected = {401}
    officer.go("/work/penalties?town=甲镇")
    assert officer.path.startswith("/sign-in?next=/work/penalties")
    page = officer.page
    page.fill("#login", "zhzf-1")
    page.fill("#password", "wrong")
    page.click("main button")
    expect(page.get_by_role("alert")).to_contain_text("用户名或密码不正确")
    expect(page.locator("#login")).to_have_value("zhzf-1")
    expect(page.locator("#password")).to_be_focused()
    page.fill("#password", officer.site.passwords["zhzf-1"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/purpose?**")  # the table opens for a stated purpose: tests/browser/test_access.py
    page.get_by_label("查询事由").select_option(label="案件调查")
    page.get_by_label("案号").fill("示执案〔2026〕17号")
    page.get_by_role("button", name="查询").click()
    expect(page.locator("h1")).to_have_text("行政处罚决定")
    assert officer.path == "/work/penalties?town=%E7%94%B2%E9%95%87"


def test_from_home_by_category_and_table_to_a_row_and_back(reader: Make) -> None:
    officer = reader("zhzf-1")
    page = officer.page
    assert officer.heading() == "行政执法信息共享目录"
    page.get_by_role("link", name="执法工作数据", exact=True).first.click()
    assert officer.heading() == "执法工作数据"
    page.get_by_role("link", name="行政处罚决定").click()
    assert officer.heading() == "行政处罚决定"
    page.get_by_role("link", name="示演市监罚字〔2026〕1号").click()
    assert officer.heading() == "示演市监罚字〔2026〕1号"
    assert officer.path == "/work/penalties/1"
    expect(page.locator("dl.record")).to_contain_text("处罚依据")
    page.get_by_role("link", name="返回数据表").click()
    assert officer.path == "/work/penalties"
    page.get_by_role("navigation", name="当前位置").get_by_role("link", name="首页").click()
    assert officer.path == "/"


def test_the_form_filters_orders_and_gives_up_conditions(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.go("/work/penalties")
    page = officer.page
    conditions(page).get_by_label("字段", exact=True).select_option(label="所属乡镇")
    conditions(page).get_by_label("比较方式").select_option(label="等于")
    conditions(page).get_by_label("值", exact=True).fill("甲镇")
    page.get_by_label("排序字段").select_option(label="决定日期")
    page.get_by_label("由大到小（由近及远）").check()
    page.locator("form").filter(has=conditions(page)).get_by_role("button").click()
    expect(page.locator(".chip-set")).to_contain_text("所属乡镇 等于 甲镇")
    towns = page.locator('td[data-label="所属乡镇"]').all_inner_texts()
    assert set(towns) == {"甲镇"}
    dates = page.locator('td[data-label="决定日期"]').all_inner_texts()
    assert dates == sorted(dates, reverse=True)
    expect(page.get_by_role("columnheader", name="决定日期")).to_have_attribute("aria-sort", "descending")
    conditions(page).get_by_label("字段", exact=True).select_option(label="公示截止期")
    conditions(page).get_by_label("比较方式").select_option(label="不为空")
    page.locator("form").filter(has=conditions(page)).get_by_role("button").click()
    assert page.locator(".chip-set").count() == 2
    page.get_by_role("link", name="取消“所属乡镇”条件").click()
    expect(page.locator(".chip-set")).to_have_count(1)
    expect(page.locator(".chip-set")).to_contain_text("公示截止期 不为空")
    page.get_by_role("link", name="取消全部条件").click()
    assert page.locator(".chip-set").count() == 0


def test_a_count_by_value_leads_to_its_rows(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.go("/directory/resources")
    page = officer.page
    page.get_by_role("link", name="共享属性", exact=True).first.click()
    value = page.locator(".facet li", has_text="有条件共享")
    count = value.locator(".facet-count").inner_text()
    value.get_by_role("link").click()
    expect(page.locator("#result-title")).to_have_text(f"{count} 行")
    expect(page.locator(".chip-set")).to_contain_text("共享属性 等于 有条件共享")
    page.locator(".facet-set a").click()
    expect(page.locator(".chip-set")).to_have_count(0)


def test_the_next_page_and_the_first(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.go("/work/penalties")
    page = officer.page
    first = page.locator("tbody th").first.inner_text()
    page.get_by_role("link", name="下一页").click()
    assert page.locator("tbody th").first.inner_text() != first
    page.get_by_role("link", name="第一页").click()
    assert page.locator("tbody th").first.inner_text() == first


@pytest.mark.parametrize("path", ["/work/penalties?town=%E7%94%B2%E9%95%87&_sort=decided_on", "/queries", "/nowhere"])
def test_changing_the_language_stays_on_the_page_both_ways(reader: Make, path: str) -> None:
    officer = reader("zhzf-1")
    officer.expected = {404}
    officer.go(path)
    page = officer.page
    chinese = officer.heading()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert officer.path == path
    assert not re.search(r"[㐀-鿿]", officer.heading())
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert (officer.path, officer.heading()) == (path, chinese)


def test_the_browsers_language_is_the_first_language(reader: Make) -> None:
    officer = reader("zhzf-1", locale="en-GB")
    assert officer.heading() == "Shared enforcement information"
    officer.page.get_by_role("link", name="Administrative penalty decisions").click()
    expect(officer.page.get_by_role("columnheader", name="Decision number")).to_be_visible()


def test_signing_out_shuts_the_door(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.page.get_by_role("button", name="退出登录").click()
    assert officer.path == "/sign-in"
    officer.go("/work")
    assert officer.path == "/sign-in?next=/work"
    officer.page.go_back()
    officer.page.reload()
    assert officer.path.startswith("/sign-in")


def test_a_supervisor_reads_the_ledger_and_an_officer_does_not(reader: Make) -> None:
    supervisor = reader("sfj-1")
    supervisor.page.get_by_role("link", name="台账", exact=True).click()
    assert supervisor.heading() == "台账"
    expect(supervisor.page.locator("main")).to_contain_text("shifan.example/liandong")
    expect(supervisor.page.locator("main")).to_contain_text("查询已答复")
    officer = reader("zhzf-1")
    officer.expected = {403}
    expect(officer.page.get_by_role("link", name="台账", exact=True)).to_have_count(0)
    officer.go("/ledger")
    expect(officer.page.locator("main")).to_contain_text("只有监督机构可以查阅全部台账")


def test_a_table_without_a_grant_says_how_to_get_one(reader: Make) -> None:
    officer = reader("bjd-1")
    officer.expected = {403}
    officer.go("/work/inspections")
    assert officer.heading() == "需申请授权后方可查询"
    expect(officer.page.locator("main")).to_contain_text("示范县应急管理局政务数据共享工作机构")
    officer.page.get_by_role("main").get_by_role("link", name="执法工作数据").click()
    expect(officer.page.locator("tr", has_text="安全生产行政检查记录")).to_contain_text("需申请授权")


def test_the_receipt_of_a_query_downloads_and_proves_it(reader: Make, tmp_path: Path) -> None:
    officer = reader("zhzf-1")
    officer.go("/work/penalties?town=%E4%B9%99%E9%95%87")
    officer.page.get_by_role("link", name="本单位的查询").first.click()
    newest = officer.page.locator("tbody tr").first
    assert "行政处罚决定" in newest.inner_text()
    with officer.page.expect_download() as started:
        newest.get_by_role("link", name="回执").click()
    seq = newest.locator("th").inner_text()
    assert started.value.suggested_filename == f"receipt-{seq}.json"
    started.value.save_as(tmp_path / "receipt.json")
    receipt = Receipt.from_json(json.loads((tmp_path / "receipt.json").read_text(encoding="utf-8")))
    entry = receipt.verify(officer.site.instance.verifier_key())
    assert (entry["seq"], entry["requester"], entry["resource"]) == (int(seq), "zhzf", "work/penalties")
    assert receipt.openings["query"].value == "GET /work/penalties?town=%E4%B9%99%E9%95%87"
    assert receipt.openings["officer"].value == "zhzf-1"


def test_a_table_downloads_as_csv_that_excel_reads(reader: Make, tmp_path: Path) -> None:
    officer = reader("zhzf-1")
    officer.go("/work/penalties?town=%E4%B9%99%E9%95%87")
    rows = int(re.findall(r"\d+", officer.page.locator("#result-title").inner_text())[0])
    with officer.page.expect_download() as started:
        officer.page.get_by_role("link", name="下载 CSV").click()
    started.value.save_as(tmp_path / "penalties.csv")
    data = (tmp_path / "penalties.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert len(data.decode("utf-8-sig").strip().splitlines()) == rows + 1


def test_everything_works_with_scripts_off(reader: Make) -> None:
    officer = reader("zhzf-1", java_script_enabled=False)
    page = officer.page
    page.get_by_role("link", name="行政处罚决定").click()
    conditions(page).get_by_label("字段", exact=True).select_option(label="所属乡镇")
    conditions(page).get_by_label("值", exact=True).fill("镇")
    page.locator("form").filter(has=conditions(page)).get_by_role("button").click()
    expect(page.locator(".chip-set")).to_contain_text("所属乡镇 包含 镇")
    page.get_by_role("link", name="下一页").click()
    page.locator("#dictionary summary").click()
    expect(page.locator("#dictionary table")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Administrative penalty decisions")
    page.locator("tbody th a").first.click()
    expect(page.locator("dl.record")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in")


def test_on_paper_there_is_no_navigation_and_the_address_and_time_stand_below(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.page.emulate_media(media="print")
    for path in ("/", "/work", "/work/penalties?town=%E7%94%B2%E9%95%87", "/work/penalties/6", "/queries"):
        officer.go(path)
        page = officer.page
        for hidden in ("nav", "button", "form", ".exports", ".skip"):
            assert not [found for found in page.locator(hidden).all() if found.is_visible()], (path, hidden)
        expect(page.locator(".footer .print-only")).to_contain_text(officer.site.url + path)
        assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d", page.locator(".footer .print-only").inner_text())
        colours = page.evaluate(
            "[getComputedStyle(document.querySelector('h1')).color,"
            " getComputedStyle(document.querySelector('.masthead')).backgroundColor]"
        )
        assert colours == ["rgb(0, 0, 0)", "rgba(0, 0, 0, 0)"]
    officer.go("/work/penalties")
    assert officer.page.evaluate("document.querySelector('.scroll-rows').scrollHeight") == officer.page.evaluate(
        "document.querySelector('.scroll-rows').clientHeight"
    )
