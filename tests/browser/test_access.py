"""Purposes, refusals, grants and lists of queries as people meet them, in a real browser, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import REFERENCE, Reader

Make = Callable[..., Reader]


def test_the_label_of_the_reference_follows_the_purpose(reader: Make) -> None:
    officer = reader("jkq-1", states=False)
    officer.go("/work/penalties")
    page = officer.page
    assert officer.path.startswith("/purpose?resource=work%2Fpenalties")
    reference = page.locator("#reference")
    assert page.locator('label[for="reference"]').inner_text() == "案号、任务号、文号或线索编号"
    page.get_by_label("查询事由").select_option("inspection")
    assert page.locator('label[for="reference"]').inner_text() == "检查任务号"
    expect(page.locator(".field-acting")).to_be_hidden()
    page.get_by_label("查询事由").select_option("joint")
    assert page.locator('label[for="reference"]').inner_text() == "联动方案或通知文号"
    expect(page.locator(".field-acting")).to_be_visible()
    page.get_by_label("查询事由").select_option("inspection")
    reference.fill("示检〔2026〕5号")
    page.get_by_role("button", name="查询").click()
    assert officer.path == "/work/penalties"
    expect(page.locator(".stated")).to_contain_text("行政检查 · 示检〔2026〕5号")
    page.get_by_role("link", name="更改").click()
    expect(reference).to_have_value("示检〔2026〕5号")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_purpose_that_says_nothing_is_shown_where_it_is(reader: Make, javascript: bool) -> None:
    officer = reader("sthj-1", states=False, java_script_enabled=javascript)
    officer.expected = {422}
    officer.go("/alerts/alerts")
    page = officer.page
    page.get_by_label("查询事由").select_option("lead")
    page.get_by_label("线索编号").fill("工作需要")
    page.get_by_role("button", name="查询").click()
    expect(page.get_by_role("alert")).to_contain_text("事由“线索核查”须填写线索编号")
    expect(page.locator("#reference")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#reference")).to_have_value("工作需要")
    page.locator("#reference").fill("示线2026-8")
    page.get_by_role("button", name="查询").click()
    expect(page.locator("h1")).to_have_text("开发区企业风险预警")


def test_without_a_grant_the_request_stands_ready_and_can_be_printed(reader: Make) -> None:
    officer = reader("bjd-1")
    officer.expected = {403}
    officer.go("/work/inspections")
    page = officer.page
    assert officer.heading() == "需申请授权后方可查询"
    expect(page.locator(".draft")).to_contain_text("示范县应急管理局政务数据共享工作机构")
    page.get_by_role("link", name="打开请求").click()
    assert officer.heading() == "执法信息查询请求"
    page.emulate_media(media="print")
    expect(page.locator(".draft")).to_be_visible()
    expect(page.locator("nav.sections")).to_be_hidden()


def test_some_columns_lead_from_the_table_to_the_query_form(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.expected = {403}
    officer.go("/alerts/alerts")
    page = officer.page
    page.get_by_label("查询事由").select_option("lead")
    page.locator("#reference").fill("示线2026-9")
    page.get_by_role("button", name="查询").click()
    assert officer.heading() == "只能用查询表单查询"
    page.get_by_role("link", name="查询表单").click()
    page.get_by_role("button", name="查询", exact=True).click()
    names = page.locator(".rows thead th").all_inner_texts()
    assert "预警级别" in names
    assert "统一社会信用代码" not in names
    assert page.locator(".rows tbody tr").count() > 5


def test_why_leads_from_the_refusal_to_what_would_change_it(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.expected = {403}
    officer.go("/work/informants")
    page = officer.page
    assert officer.heading() == "不予共享"
    said = page.locator(".error-said").inner_text()
    page.get_by_role("link", name="查看理由").click()
    assert said in page.locator("main").inner_text()
    expect(page.locator("main")).to_contain_text("由提供单位变更目录并重新发布")


def test_an_admin_gives_a_grant_that_opens_the_table_and_revokes_it(reader: Make) -> None:
    admin = reader("yjgl-3")
    page = admin.page
    page.get_by_role("navigation", name="栏目").get_by_role("link", name="共享授权").click()
    page.get_by_role("link", name="新增授权").click()
    page.get_by_role("link", name="安全生产行政检查记录").click()
    page.get_by_label("获授权单位").select_option("bjd")
    page.get_by_label("行政检查").check()
    page.get_by_label("法律依据（文件名称和条款）").fill("《示范县行政执法信息共享办法（演示文本）》第七条")
    page.get_by_role("button", name="下一步：核对").click()
    assert admin.heading() == "确认授权"
    page.get_by_role("button", name="返回修改").click()
    expect(page.get_by_label("行政检查")).to_be_checked()
    page.get_by_role("button", name="下一步：核对").click()
    page.get_by_role("button", name="确认授权").click()
    number = re.search(r"g-\d+", admin.heading())[0]  # type: ignore[index]

    asker = reader("bjd-1")
    asker.expected = {403}
    asker.go("/work/inspections")
    asker.page.get_by_label("查询事由").select_option("inspection")
    asker.page.locator("#reference").fill("示检〔2026〕6号")
    asker.page.get_by_role("button", name="查询").click()
    expect(asker.page.locator("h1")).to_have_text("安全生产行政检查记录")

    page.get_by_label("理由").fill("演示：目的已实现")
    page.get_by_label("确认撤回").check()
    page.get_by_role("button", name="撤回授权").click()
    expect(page.locator("h1")).to_contain_text("已撤回")
    asker.page.reload()
    assert asker.heading() == "需申请授权后方可查询"
    assert admin.path == f"/grants/{number}"


def test_a_query_is_seen_by_both_sides_each_in_its_way_and_its_use_is_recorded(reader: Make) -> None:
    officer = reader("zhzf-1")
    officer.go("/work/penalties?town=%E4%B8%99%E8%A1%97%E9%81%93")
    officer.go("/queries")
    page = officer.page
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("town=丙街道")
    expect(row).to_contain_text(REFERENCE)
    row.get_by_role("link", name="登记第").click()
    page.get_by_label("使用情况", exact=True).select_option("stored")
    page.get_by_label("已存储的：保存截止日期").fill("2029-12-31")
    page.get_by_role("button", name="登记").click()
    expect(page.locator("#use")).to_contain_text("保存至 2029-12-31")
    provider = reader("scjg-1")
    provider.page.get_by_role("link", name="谁查了我的数据").click()
    first = provider.page.locator("tbody tr").first
    expect(first).to_contain_text("示范县综合行政执法局")
    expect(first).to_contain_text("已存储")
    expect(first).not_to_contain_text("丙街道")
    with provider.page.expect_download() as download:
        provider.page.get_by_role("link", name="下载 Excel").click()
    assert download.value.suggested_filename.startswith("谁查了我的数据-")
    assert download.value.path().read_bytes()[:2] == b"PK"
