"""Accounts in a real browser: the first sign-in, a lock-out, an administrator at work, a key on its way."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Reader

Make = Callable[..., Reader]
OWN = "seven quiet herons"


def sign_in(reader: Reader, login: str, password: str) -> None:
    reader.go("/sign-in")
    reader.page.fill("#login", login)
    reader.page.fill("#password", password)
    reader.page.click("main button")


def one_time_password(page: Page) -> str:
    return page.locator("code.secret").nth(1).inner_text()


def liandong(site_folder: Path, *arguments: str) -> str:
    """A command, beside the running service."""
    run = subprocess.run(
        [sys.executable, "-m", "catalog", *arguments],
        capture_output=True, text=True, check=False, env={"LIANDONG_INSTANCE": str(site_folder), "PATH": "/usr/bin"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_from_enrolment_to_the_first_page(reader: Make, scripts: bool) -> None:
    login = f"jtys-{8 if scripts else 9}"
    admin = reader("jtys-3", java_script_enabled=scripts)
    admin.page.get_by_role("link", name="本单位管理").click()
    assert admin.heading() == "示范县交通运输局"
    admin.page.get_by_role("link", name="新增人员").click()
    admin.page.get_by_label("用户名").fill(login)
    admin.page.get_by_label("岗位（中文）").fill("运输许可科 复核员")
    admin.page.get_by_label("查询人员").check()
    admin.page.get_by_role("button", name="建立账号").click()
    expect(admin.page.get_by_role("status")).to_have_text("账号已建立。")
    password = one_time_password(admin.page)
    admin.page.get_by_role("link", name="已记下").click()
    expect(admin.page.locator("tr", has_text=login)).to_contain_text("一次性密码")

    officer = reader(java_script_enabled=scripts)
    sign_in(officer, login, password)
    assert officer.heading() == "请设置自己的密码"
    expect(officer.page.locator("nav.sections")).to_have_count(0)
    officer.go("/work")
    assert officer.path == "/account/password?next=/work"
    officer.expected = {422}
    for wanted, words in (("password1234", "最常被猜到"), (OWN, "")):
        officer.page.get_by_label("一次性密码").fill(password)
        officer.page.get_by_label("新密码", exact=True).fill(wanted)
        officer.page.get_by_label("再次输入新密码").fill(wanted)
        officer.page.get_by_role("button", name="修改密码").click()
        if words:
            expect(officer.page.get_by_role("alert")).to_contain_text(words)
            expect(officer.page.get_by_label("新密码", exact=True)).to_have_value("")
    assert (officer.path, officer.heading()) == ("/work", "执法工作数据")
    admin.page.reload()
    expect(admin.page.locator("tr", has_text=login)).to_contain_text("正常")


def test_a_lock_out_says_when_and_the_administrator_lifts_it(reader: Make) -> None:
    password = reader().site.passwords["yjgl-1"]
    guesser = reader()
    guesser.expected = {401, 429}
    for _ in range(5):
        sign_in(guesser, "yjgl-1", "wrong")
    expect(guesser.page.get_by_role("alert")).to_contain_text("之后（约 1 分钟后）再试")
    expect(guesser.page.locator("#login")).to_have_value("yjgl-1")
    sign_in(guesser, "yjgl-1", password)
    expect(guesser.page.get_by_role("alert")).to_contain_text("请本单位管理员解锁")
    admin = reader("yjgl-3")
    admin.go("/agency")
    row = admin.page.locator("tr", has_text="yjgl-1")
    expect(row).to_contain_text("锁定至")
    row.get_by_role("link").click()
    admin.page.get_by_role("button", name="解锁").click()
    expect(admin.page.get_by_role("status")).to_contain_text("已解锁")
    sign_in(guesser, "yjgl-1", password)
    guesser.page.wait_for_url(guesser.site.url + "/")


def test_a_guesser_elsewhere_does_not_keep_the_officer_out_of_their_own_browser(reader: Make) -> None:
    officer, guesser = reader("jiazhen-1"), reader()
    officer.page.get_by_role("button", name="退出登录").click()
    guesser.expected = {401, 429}
    for _ in range(6):
        sign_in(guesser, "jiazhen-1", "wrong")
    expect(guesser.page.get_by_role("alert")).to_contain_text("次数过多")
    officer.sign_in("jiazhen-1")


def test_the_password_is_changed_and_the_other_sessions_end(reader: Make) -> None:
    here, elsewhere = reader("gaj-1"), reader("gaj-1")
    here.page.get_by_role("link", name="法制科 经办员").click()
    assert here.heading() == "我的账号"
    expect(here.page.locator("tbody tr", has_text="Chrome")).to_have_count(2)
    here.page.get_by_role("button", name=re.compile("结束 .* 的会话")).click()
    expect(here.page.get_by_role("status")).to_contain_text("会话已结束")
    expect(here.page.locator("tbody tr", has_text="Chrome")).to_have_count(1)
    elsewhere.go("/account")
    assert elsewhere.heading() == "登录"
    here.page.get_by_role("link", name="修改密码").click()
    here.page.get_by_label("现用密码").fill(here.site.passwords["gaj-1"])
    here.page.get_by_label("新密码", exact=True).fill(OWN)
    here.page.get_by_label("再次输入新密码").fill(OWN)
    here.page.keyboard.press("Enter")
    expect(here.page.get_by_role("status")).to_contain_text("密码已修改")
    here.site.passwords["gaj-1"] = OWN
    reader("gaj-1")


def test_an_administrator_names_a_deputy_resets_and_disables(reader: Make) -> None:
    admin = reader("sthj-3")
    admin.expected = {422}
    admin.go("/agency/officers/sthj-1")
    page = admin.page
    page.get_by_label("管理员", exact=False).first.check()
    page.get_by_label("负责人", exact=False).first.check()
    page.get_by_role("button", name="变更角色").click()
    expect(page.get_by_role("alert")).to_contain_text("不能由一人同时担任")
    expect(page.get_by_label("管理员", exact=False).first).to_be_checked()
    admin.go("/agency/officers/sthj-1")
    page.get_by_label("代理何人").select_option("sthj-2")
    page.locator("#deputy-role").select_option("approver")
    page.locator("#deputy-to").fill(page.locator("#deputy-from").input_value())
    page.get_by_role("button", name="设定代理").click()
    expect(page.get_by_role("status")).to_contain_text("已设定代理")
    page.get_by_role("button", name="终止代理 sthj-2 的负责人角色").click()
    expect(page.get_by_role("status")).to_contain_text("代理已终止")
    page.get_by_role("link", name="重置密码").click()
    expect(page.locator("h1")).to_have_text("重置密码？")
    page.get_by_role("link", name="取消").click()
    page.get_by_role("link", name="停用账号").click()
    page.get_by_role("button", name="停用账号").click()
    expect(page.get_by_role("status")).to_contain_text("账号已停用")
    page.get_by_role("button", name="启用账号").click()
    expect(page.get_by_role("status")).to_contain_text("重新启用")


def test_a_key_from_the_command_line_over_the_endorsement_to_the_page(reader: Make, tmp_path: Path) -> None:
    admin = reader("gaj-3")
    folder, origin = admin.site.instance.path, admin.site.instance.settings.origin
    key, request = str(tmp_path / "gaj.pem"), str(tmp_path / "request.json")
    liandong(folder, "key", "new", key)
    asked = liandong(
        folder, "key", "request", key, "--log", origin, "--agency", "gaj", "--system", "gaj-sys", "-o", request
    )
    (fingerprint,) = re.findall(r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}", asked)
    admin.expected = {422}
    admin.go("/agency/keys/add")
    for endorsed in (False, True):
        if endorsed:
            liandong(folder, "key", "endorse", request, "--key", str(folder / "demo/sfj-sys.key.pem"), "--yes")
        admin.page.get_by_label("已背书的申请").set_input_files(request)
        admin.page.get_by_role("button", name="登记密钥").click()
        if not endorsed:
            expect(admin.page.get_by_role("alert")).to_contain_text("首把密钥须由监督机构的密钥背书")
    expect(admin.page.get_by_role("status")).to_contain_text("密钥已登记")
    expect(admin.page.locator("tr", has_text="gaj-sys")).to_contain_text(fingerprint)
    admin.page.get_by_role("link", name=re.compile("吊销密钥")).click()
    admin.page.get_by_label("理由").select_option("lost")
    admin.page.get_by_role("button", name="吊销密钥").click()
    expect(admin.page.locator("tr", has_text="gaj-sys")).to_contain_text("已吊销")


def test_a_token_is_shown_once(reader: Make) -> None:
    admin = reader("scjg-3")
    admin.go("/agency/tokens/add")
    admin.page.get_by_label("系统").fill("scjg-sys")
    admin.page.get_by_role("button", name="发放令牌").click()
    token = admin.page.locator("code.secret").inner_text()
    assert token.startswith("ld_")
    admin.page.get_by_role("link", name="已妥善保存").click()
    expect(admin.page.locator("main")).not_to_contain_text(token)
    expect(admin.page.locator("tr", has_text="scjg-sys")).to_contain_text("有效")


def test_the_operator_registers_an_agency_in_english(reader: Make) -> None:
    operator = reader("ywzx-3", locale="en-GB")
    page = operator.page
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Agencies").click()
    page.get_by_role("link", name="Register an agency").click()
    page.get_by_label("Code").fill("slj")
    page.get_by_label("Name in Chinese", exact=True).fill("示范县水利局")
    page.get_by_label("Name in English").fill("Water Bureau of Shifan County")
    page.get_by_role("button", name="Register the agency").click()
    expect(page.get_by_role("status")).to_contain_text("Appoint its first administrator")
    assert operator.heading() == "Water Bureau of Shifan County"
    page.get_by_role("link", name="Appoint the first administrator").click()
    page.get_by_label("User name").fill("slj-3")
    page.get_by_label("Post, in Chinese").fill("办公室 管理员")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("status")).to_contain_text("The account is made.")
    newcomer = reader(locale="en-GB")
    sign_in(newcomer, "slj-3", one_time_password(page))
    assert newcomer.heading() == "Choose a password of your own"
