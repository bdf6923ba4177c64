"""The pages as a browser gets them: what they say, where they lead, and what they never contain."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from catalog import grants
from catalog.i18n import COOKIE
from ledger import CATEGORIES, Instance
from tests.conftest import InProcess, in_process

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "catalog/templates").glob("*.html"))
STYLES = sorted((ROOT / "catalog/static").glob("*.css"))
TOKENS = (ROOT / "catalog/static/tokens.css").read_text(encoding="utf-8")

anyio = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def get(app: InProcess, path: str, who: str = "zhzf-1", status: int = 200, **headers: str) -> str:
    """The HTML of a page, asked for by an officer's browser."""
    signed_in = await app.sign_in(who) if who else {"accept": "text/html"}
    response = await app.client.get(path, headers={**signed_in, **headers})
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("text/html")
    return response.text


def words(html: str) -> str:
    """The text of a page in one line."""
    body = re.sub(r".*<body[^>]*>", "", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def hrefs(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]*)"', html)]


# -- what no page contains --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_script_no_style_and_no_address_elsewhere(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:|https?://|\bsrc=\"//", source, re.I)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_nothing_in_a_template_is_marked_as_safe_html(template: Path) -> None:
    assert not re.search(r"\|\s*safe|autoescape", template.read_text(encoding="utf-8"))


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.name)
def test_styles_load_nothing(style: Path) -> None:
    assert not re.search(r"url\(|@import|@font-face", style.read_text(encoding="utf-8"))


def test_pages_take_colours_and_sizes_from_the_tokens_alone() -> None:
    style = (ROOT / "catalog/static/liandong.css").read_text(encoding="utf-8")
    defined = set(re.findall(r"(--[a-z0-9-]+):", TOKENS))
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", style))
    assert used <= defined
    assert used == defined
    screen = style.partition("@media print")[0]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(", screen)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``. Source: WCAG 2.2, "relative luminance"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two tokens. Source: WCAG 2.2, "contrast ratio"."""
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", TOKENS))
    light, dark = sorted((luminance(colours[one]), luminance(colours[other])), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        *[(text, surface) for text in ("ink", "ink-soft", "link") for surface in ("paper", "ground", "tint")],
        *[(text, "brand-soft") for text in ("ink", "ink-soft", "link", "brand-deep")],
        *[(text, surface) for text in ("on-brand", "on-brand-soft") for surface in ("brand", "brand-deep")],
        *[(f"{may}", surface) for may in ("yes", "ask", "no") for surface in (f"{may}-soft", "paper", "tint")],
        ("ask", "brand-soft"),
        ("ink", "ask-soft"),
    ],
)
def test_text_is_readable_on_what_it_stands_on(text: str, surface: str) -> None:
    assert contrast(text, surface) >= 4.5  # WCAG 2.2, 1.4.3, level AA


@pytest.mark.parametrize(
    ("mark", "surface"),
    [
        *[(mark, surface) for mark in ("line-strong", "focus") for surface in ("paper", "ground", "tint")],
        ("focus", "brand-soft"),
        ("focus-on-brand", "brand"),
        ("focus-on-brand", "brand-deep"),
        ("brand", "paper"),
    ],
)
def test_borders_of_fields_and_the_focus_can_be_seen(mark: str, surface: str) -> None:
    assert contrast(mark, surface) >= 3  # WCAG 2.2, 1.4.11


# -- every page -------------------------------------------------------------------------------------------------------

EVERY = ["/", "/work", "/directory/resources", "/work/penalties", "/work/penalties/6", "/queries", "/nowhere"]


@anyio
@pytest.mark.parametrize("path", EVERY)
async def test_every_page_has_its_frame(app: InProcess, path: str) -> None:
    html = await get(app, path, status=404 if path == "/nowhere" else 200)
    assert html.count("<h1") == 1
    assert '<html lang="zh-CN">' in html
    assert '<a class="skip" href="#content">' in html
    assert 'id="content"' in html
    assert "示范县综合行政执法局" in html
    assert "执法协调科 经办员" in html
    assert "均为虚构" in html
    sections = hrefs(html.partition('class="sections"')[2].partition("</nav>")[0])
    assert sections == [*(f"/{category}" for category in CATEGORIES), "/requests", "/queries", "/asked", "/grants"]
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", html)


@anyio
@pytest.mark.parametrize(
    ("who", "more"),
    [
        ("zhzf-3", ["/agency"]),
        ("ywzx-1", ["/agencies"]),
        ("sjj-2", []),
        ("sfj-1", ["/agencies", "/ledger", "/anomalies"]),
    ],
)
async def test_the_navigation_leads_each_to_what_is_theirs(app: InProcess, who: str, more: list[str]) -> None:
    sections = hrefs((await get(app, "/", who)).partition('class="sections"')[2].partition("</nav>")[0])
    desk = [] if who == "ywzx-1" else ["/requests"]  # the operator acts in no case
    assert sections == [*(f"/{category}" for category in CATEGORIES), *desk, "/queries", "/asked", "/grants", *more]
    for path in more:
        html = await get(app, path, who)
        assert f'href="{path}" aria-current="page"' in html
    if "/agencies" in more:
        assert "/access/rules" in hrefs(await get(app, "/agencies", who))


@anyio
@pytest.mark.parametrize("path", EVERY)
async def test_the_language_button_leads_back_to_the_page(app: InProcess, path: str) -> None:
    column = {"/work/penalties": "town", "/directory/resources": "provider"}.get(path, "b")
    asked = f"{path}?_size=5&{column}=%E7%94%B2"
    html = await get(app, asked, status=404 if path == "/nowhere" else 200)
    assert f'name="next" value="{asked.replace("&", "&amp;")}"' in html


@anyio
async def test_no_page_believes_the_host_that_a_request_names(app: InProcess) -> None:
    for path in ("/", "/work", "/work/penalties?_facet=town", "/work/penalties/6", "/queries", "/nowhere"):
        status = 404 if path == "/nowhere" else 200
        assert "evil.example" not in await get(app, path, status=status, host="evil.example")


@anyio
async def test_what_is_asked_is_never_markup(app: InProcess) -> None:
    evil = quote('"><script>alert(1)</script>')
    for path in (
        f"/work/penalties?town={evil}",
        f"/work/penalties?town__{evil}={evil}",
        f"/work/penalties?_facet=town&x={evil}",
        f"/sign-in?next=/{evil}",
        f"/work/penalties/6?{evil}",
        f"/nowhere?{evil}",
    ):
        response = await app.client.get(path, headers=await app.sign_in("zhzf-1"))
        assert "<script>" not in response.text, path


@anyio
async def test_a_data_value_is_never_markup(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as work, work:
        work.execute("UPDATE penalties SET document_no = ?, facts = ?, town = ?", ("<b>1</b>", "<i>x</i>", "<u>y</u>"))
    for path in ("/work/penalties", "/work/penalties/6", "/work/penalties?_facet=town"):
        html = await get(app, path)
        assert "&lt;i&gt;x" in html
        assert "_facet" not in path or "&lt;u&gt;y" in html
        assert not re.search(r"<b>1|<i>x|<u>y", html)


# -- sign-in and language ---------------------------------------------------------------------------------------------


@anyio
async def test_the_sign_in_page_has_no_navigation_and_says_whose_it_is(app: InProcess) -> None:
    html = await get(app, "/sign-in", who="")
    assert 'class="sections"' not in html
    assert "示范县" in words(html)
    assert hrefs(html).count("/queries") == 0


@anyio
async def test_a_wrong_password_is_said_and_the_name_is_kept(app: InProcess) -> None:
    form = {"login": "zhzf-1", "password": "secret-guess", "next": "/work/penalties"}
    response = await app.client.post("/sign-in", data=form, headers={"accept": "text/html"})
    assert response.status_code == 401
    assert "用户名或密码不正确" in response.text
    assert 'value="zhzf-1"' in response.text
    assert 'name="next" value="/work/penalties"' in response.text
    assert "secret-guess" not in response.text


@anyio
@pytest.mark.parametrize("target", ["//evil.example/", "/\\evil.example", "https://evil.example", "javascript:x", ""])
async def test_signing_in_and_choosing_a_language_lead_to_this_site_only(app: InProcess, target: str) -> None:
    form = {"login": "zhzf-1", "password": app.passwords["zhzf-1"], "next": target}
    assert (await app.client.post("/sign-in", data=form)).headers["location"] == "/"
    chosen = await app.client.post("/language", data={"language": "en", "next": target})
    assert chosen.headers["location"] == "/"


@anyio
async def test_a_chosen_language_is_remembered_and_an_unknown_one_is_not(app: InProcess) -> None:
    chosen = await app.client.post("/language", data={"language": "en", "next": "/work?a=1"})
    assert chosen.headers["location"] == "/work?a=1"
    assert chosen.headers["set-cookie"].startswith(f"{COOKIE}=en;")
    unknown = await app.client.post("/language", data={"language": "fr", "next": "/work"})
    assert "set-cookie" not in unknown.headers
    officer = await app.sign_in("zhzf-1")
    html = await app.client.get("/", headers={**officer, "cookie": f"{officer['cookie']}; {COOKIE}=en"})
    assert '<html lang="en">' in html.text


@anyio
async def test_signing_out_ends_the_session(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    out = await app.client.post("/sign-out", headers=officer)
    assert (out.status_code, out.headers["location"]) == (302, "/sign-in")
    assert (await app.client.get("/", headers=officer)).status_code == 302


# -- home and categories ----------------------------------------------------------------------------------------------


@anyio
async def test_home_says_of_each_table_who_provides_it_and_whether_it_may_be_queried(app: InProcess) -> None:
    html = await get(app, "/")
    cards = html.split('<li class="card">')[1:]
    assert len(cards) == 6
    work = cards[1].partition("</ol>")[0]
    (informants, inspections, penalties, permits) = re.findall(r'<p class="tables-title">(.*?)</li>', work, re.S)
    assert "不予共享" in informants
    assert "《中华人民共和国食品安全法》第一百一十五条" in informants
    assert "需申请授权" in inspections
    assert "不是拒绝" in inspections
    assert 'href="/access?resource=work%2Finspections"' in inspections
    assert "说明事由后可查询" in penalties
    assert "示范县市场监督管理局 · 有条件共享 · 已获授权，至 2027-12-31；请先说明查询事由" in words(penalties)
    assert 'href="/work/permits"' in permits


@anyio
async def test_home_shows_counts_of_entries_and_gaps_as_gaps(app: InProcess) -> None:
    html = await get(app, "/")
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</th>(.*?)</tr>", html, re.S)
    cells = {agency: [words(cell) for cell in re.findall(r"<td.*?</td>", row, re.S)] for agency, row in rows}
    with closing(sqlite3.connect(app.service.instance.database_path("directory"))) as directory:
        counted = dict(
            directory.execute("SELECT category, count(*) FROM resources WHERE provider = '示范县公安局' GROUP BY 1")
        )
        total = directory.execute("SELECT count(*) FROM resources").fetchone()[0]
    assert cells["示范县公安局"][:6] == [str(counted.get(str(code), "无")) for code in range(1, 7)]
    assert "无" in cells["示范县公安局"]
    assert "无" not in cells["示范县司法局"]  # a supervising office provides nothing: no gap
    assert sum(int(row[-1]) for row in cells.values()) == total
    link = next(href for href in hrefs(html) if "provider" in href and "category=2" in href)
    assert "行" in words(await get(app, link))


@anyio
async def test_home_keeps_other_entries_and_those_not_classed_apart_and_every_number_leads_to_its_rows(
    app: InProcess,
) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("directory"))) as directory, directory:
        directory.execute("UPDATE resources SET category = '9' WHERE id IN (SELECT id FROM resources LIMIT 3)")
        directory.execute("UPDATE resources SET category = NULL WHERE id IN (SELECT id FROM resources LIMIT 4, 2)")
        directory.execute("UPDATE resources SET provider = '某省直单位' WHERE category IN ('2', '9')")
    table = (await get(app, "/")).partition('class="matrix"')[2].partition("</table>")[0]
    assert [words(title) for title in re.findall(r"<th scope=\"col\">(.*?)</th>", table)][-3:] == [
        "其他",
        "未归类",
        "合计",
    ]
    last = re.findall(r"<tr>.*?</tr>", table, re.S)[-1]
    assert "其他提供单位" in last
    assert not re.findall(r"<td[^>]*>[\d,]+<", table)
    links = re.findall(r'<a href="([^"]*)">([\d,]+)</a>', last)
    assert len(links) >= 3
    for url, shown in [*links, *re.findall(r'<a href="([^"]*isnull[^"]*)">([\d,]+)</a>', table)]:
        assert f"{shown} 行" in words(await get(app, unescape(url)))


@anyio
async def test_a_category_without_tables_and_entries_is_shown_as_a_gap(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.identity_path)) as identity, identity:
        identity.execute("DELETE FROM resources WHERE database = 'alerts'")
    with closing(sqlite3.connect(app.service.instance.database_path("directory"))) as directory, directory:
        directory.execute("DELETE FROM resources WHERE category = '5'")
        directory.execute("UPDATE resources SET category = NULL WHERE category = '6'")
    home = await get(app, "/")
    assert "本系统尚未发布此类数据表" in home
    assert "尚无目录" in home
    assert "尚未归入任何类别" in home
    alerts = words(await get(app, "/alerts"))
    assert "本系统尚未发布此类数据表" in alerts
    assert "目录中尚无此类信息" in alerts


@anyio
async def test_a_category_lists_tables_that_the_agency_may_not_open_too(app: InProcess) -> None:
    html = await get(app, "/work")
    said = words(html)
    assert "安全生产行政检查记录" in said
    assert "200 行" in said
    assert "160 行" in said
    assert "/work/inspections" not in hrefs(html)
    assert {"/work/penalties", "/work/permits"} <= set(hrefs(html))
    supervisor = await get(app, "/work", who="sfj-1")
    assert "/work/inspections" in hrefs(supervisor)


@anyio
async def test_a_published_table_that_is_not_there_does_not_break_its_category(app: InProcess) -> None:
    register, ledger = app.service.register, app.service.ledger
    grants.publish(register, ledger, "work/withdrawn", "scjg", "不予共享", basis="《演示法》第三条")
    said = words(await get(app, "/work", who="jtys-1"))
    assert "withdrawn" in said
    assert "不予共享（条例第十四、十五条），目录公布的依据：《演示法》第三条" in said


# -- a table ----------------------------------------------------------------------------------------------------------


@anyio
async def test_a_table_says_what_it_is_and_that_the_query_is_recorded(app: InProcess) -> None:
    said = words(await get(app, "/work/penalties"))
    for text in (
        "行政处罚决定",
        "提供单位 示范县市场监督管理局",
        "共享属性 有条件共享",
        "可直接查询",
        "160 行",
        "本页 50 行",
        "本次查询已记入台账",
        "字段说明",
        "统一社会信用代码 单位和个体工商户的 18 位代码",
    ):
        assert text in said, text


@anyio
async def test_the_form_leads_to_the_rows_that_fit(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    asked = "/work/penalties?_filter_column=town&_filter_op=exact&_filter_value=甲镇&_sort=decided_on&_sort_by_desc=on"
    response = await app.client.get(asked, headers=officer, follow_redirects=True)
    assert response.status_code == 200
    said = words(response.text)
    assert "所属乡镇 等于 甲镇" in said
    assert 'aria-sort="descending"' in response.text
    dates = re.findall(r'data-label="决定日期"[^>]*><span class="clamp">([0-9-]+)', response.text)
    assert len(dates) > 5
    assert dates == sorted(dates, reverse=True)


@anyio
async def test_no_row_fits_is_said_with_a_way_back(app: InProcess) -> None:
    html = await get(app, "/work/penalties?town=nowhere")
    assert "没有符合条件的数据" in html
    assert "0 行" in html
    assert "/work/penalties" in hrefs(html)
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as work, work:
        work.execute("DELETE FROM penalties")
    assert "本表暂无数据" in await get(app, "/work/penalties")


@anyio
async def test_pages_follow_one_another_to_the_last_row(app: InProcess) -> None:
    path, seen = "/work/penalties?_size=60", []
    for _ in range(3):
        html = await get(app, path)
        seen += re.findall(r'<th scope="row"><a href="/work/penalties/(\d+)"', html)
        following = re.search(r'rel="next" href="([^"]*)"', html)
        path = unescape(following[1]) if following else ""
    assert path == ""
    assert "第一页" in html
    assert len(seen) == len(set(seen)) == 160


@anyio
async def test_counts_by_value_lead_to_their_rows(app: InProcess) -> None:
    html = await get(app, "/directory/resources?_facet=sharing_class")
    facet = html.partition('class="facet"')[2].partition("</ul>")[0]
    found = re.findall(r'<a href="([^"]*)">.*?不予共享.*?<span class="facet-count">(\d+)', facet, re.S)[-1]
    link = next(href for href in hrefs(facet) if quote("不予共享") in href)
    said = words(await get(app, link))
    assert f"{found[1]} 行" in said
    assert "共享属性 等于 不予共享" in said


@anyio
async def test_a_large_table_is_counted_up_to_a_limit(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as work, work:
        work.executemany("INSERT INTO penalties (document_no) VALUES (?)", [(str(n),) for n in range(10_000)])
    assert "超过 10,000 行" in words(await get(app, "/work/penalties"))
    assert "超过 10,000 行" in words(await get(app, "/work"))


@anyio
async def test_a_row_shows_every_column_with_its_meaning(app: InProcess) -> None:
    html = await get(app, "/work/penalties/6")
    assert "<h1><span lang" in html
    terms = re.findall(r"<dt>(.*?)</dt>\s*<dd class=\"(\w+)\"", html, re.S)
    assert len(terms) == 24
    assert "当事人为自然人时所持证件的种类" in html
    assert "/work/penalties/6.json" in hrefs(html)
    assert "本次查询已记入台账" in html


@anyio
async def test_a_row_of_the_directory_says_which_facts_are_the_tables(app: InProcess) -> None:
    html = await get(app, "/directory/resources/1")
    facts = re.findall(r"<dt>(.*?)</dt>", html.partition('<dl class="facts">')[2].partition("</dl>")[0])
    assert facts[:3] == ["数据表", "本表提供单位", "本表共享属性"]


@anyio
async def test_paper_says_that_it_leaves_columns_out(app: InProcess) -> None:
    html = await get(app, "/work/penalties")
    listed = len(re.findall(r'<th scope="col" class="', html))
    assert f'<p class="print-only">仅打印前 6 列，共 {listed} 列；全部列请下载 CSV。</p>' in html
    assert "仅打印" not in await get(app, "/work/penalties?_col=document_no&_col=town")


# -- own queries and the ledger ---------------------------------------------------------------------------------------


@anyio
async def test_own_queries_are_listed_with_their_receipts_and_others_are_not(app: InProcess) -> None:
    await get(app, "/work/permits", who="scjg-1")
    await get(app, "/work/penalties")
    await app.client.get("/work/penalties.json?_size=1", headers=app.bearer())
    await get(app, "/work/inspections", status=403)
    html = await get(app, "/queries")
    said = words(html)
    assert "道路运输行政许可" not in said.partition("台账条目")[2]
    assert "行政处罚决定" in said
    assert "JSON" in said
    assert "令牌" in said
    assert "转请求 HTTP 403" in said
    mine = [entry["seq"] for entry in app.entries() if entry.get("requester") == "zhzf"]
    receipts = [href for href in hrefs(html) if href.startswith("/log/receipt/")]
    assert receipts == [f"/log/receipt/{seq}" for seq in reversed(mine)]


@anyio
async def test_an_agency_that_asked_nothing_is_told_so(app: InProcess) -> None:
    html = await get(app, "/queries", who="gaj-1")
    assert "本单位尚无查询记录" in html
    assert "<table" not in html


@anyio
async def test_older_entries_are_on_the_next_page(app: InProcess) -> None:
    for _ in range(60):
        await app.client.get("/directory.json", headers=app.bearer())
    first = await get(app, "/queries")
    (older,) = [href for href in hrefs(first) if "before=" in href]
    second = await get(app, older)
    numbers = [
        [int(n) for n in re.findall(r'<th scope="row" class="number"><a [^>]*>(\d+)', html)] for html in (first, second)
    ]
    assert len(numbers[0]) == 50
    assert len(numbers[1]) == 10
    assert min(numbers[0]) > max(numbers[1])
    assert "第一页" in second
    assert "第一页" not in first


@anyio
async def test_the_ledger_shows_every_entry_and_its_newest_checkpoint(app: InProcess) -> None:
    html = await get(app, "/ledger", who="sfj-1")
    said = words(html)
    assert "shifan.example/liandong" in said
    assert "授权" in said
    assert "人员账号变更" in said
    assert "行政处罚决定 → 示范县综合行政执法局" in said
    size = int(re.search(r"条目数 (\d+)", said)[1])  # type: ignore[index]
    assert size == len(app.entries()) - 1  # the reading itself is recorded after the page is made
    root = app.service.ledger.checkpoint().decode().split("\n")[2]
    assert len(root) == 44
    assert re.search(r"最新检查点根值 [A-Za-z0-9+/]{43}=", said)


@anyio
async def test_the_ledger_is_in_the_navigation_of_supervisors_only(app: InProcess) -> None:
    assert "/ledger" in hrefs(await get(app, "/", who="sfj-1"))
    assert "/ledger" in hrefs(await get(app, "/", who="dcs-1"))
    assert "/ledger" not in hrefs(await get(app, "/"))


# -- errors -----------------------------------------------------------------------------------------------------------


@anyio
async def test_a_table_without_a_grant_says_whom_to_ask(app: InProcess) -> None:
    html = await get(app, "/work/inspections", who="bjd-1", status=403)
    said = words(html)
    assert "需申请授权后方可查询" in said
    assert "尚未获得授权（条例第十四、二十条）" in said
    assert "示范县应急管理局政务数据共享工作机构" in said
    assert "不计为提供单位拒绝" in said
    there = "resource=work%2Finspections"
    assert {"/", "/work", "/queries", f"/request?{there}", f"/access?{there}"} <= set(hrefs(html))


@anyio
async def test_a_table_that_is_not_shared_is_no_invitation_to_ask(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.identity_path)) as identity, identity:
        changed = ("不予共享", "《演示法》第三条", "inspections")
        identity.execute("UPDATE resources SET sharing_class = ?, basis = ? WHERE table_name = ?", changed)
    said = words(await get(app, "/work/inspections", who="bjd-1", status=403))
    assert "目录公布的依据：《演示法》第三条" in said
    assert "RG16" in said
    assert "请求" not in said.partition("单位查询")[0].partition("不予共享")[2]


@anyio
async def test_the_ledger_tells_an_officer_where_its_own_entries_are(app: InProcess) -> None:
    html = await get(app, "/ledger", status=403)
    assert "只有监督机构可以查阅全部台账" in html
    assert "/queries" in hrefs(html)


@anyio
@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/work/penalties/99999", 404, "该行或该表不存在"),
        ("/work/penalties?_sort=nothing", 400, "没有字段"),
        ("/work/penalties?_size=x", 400, "查询条件有误"),
        ("/work/penalties?_size=99999", 400, "查询条件有误"),
        ("/work/penalties?_where=1=1", 400, "不支持参数 _where"),
        ("/nowhere", 404, "此地址没有内容"),
        ("/queries?before=x", 400, "请从第一页重新翻阅"),
        ("/log/receipt/999999", 404, ""),
        ("/log/receipt/0", 403, "回执只提供给查询单位"),
    ],
)
async def test_an_error_is_a_page_with_a_cure_and_a_way_onward(
    app: InProcess, path: str, status: int, text: str
) -> None:
    html = await get(app, path, status=status)
    assert text in html
    assert f'<p class="error-status">{status}</p>' in html
    assert {"/", "/queries"} <= set(hrefs(html))
    if path.startswith("/work/penalties"):
        assert "/work" in hrefs(html)


@anyio
async def test_a_program_gets_datasettes_error_shape_in_both_languages(app: InProcess) -> None:
    response = await app.client.get("/work/penalties.json?_sort=nothing", headers=app.bearer())
    body = response.json()
    assert (response.status_code, body["ok"], body["status"]) == (400, False, 400)
    assert body["errors"] == [body["error"]]
    assert "nothing" in body["error_zh"] and "nothing" in body["error_en"]
    missing = (await app.client.get("/work/penalties/99999.json", headers=app.bearer())).json()
    assert (missing["status"], "不存在" in missing["error_zh"]) == (404, True)
    receipt = (await app.client.get("/log/receipt/0", headers=app.bearer())).json()
    assert receipt["status"] == 403


@anyio
async def test_a_failure_inside_is_a_page_without_its_inside(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as work, work:
        work.execute("DROP TABLE _batches")
    html = await get(app, "/work", status=500)
    assert "服务内部出错" in html
    assert "_batches" not in html
    assert "Traceback" not in html


@anyio
async def test_without_the_ledger_the_page_says_to_try_again(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    app.service.ledger._store._db.execute("PRAGMA query_only = 1")
    response = await app.client.get("/work/penalties?town=甲镇", headers=officer)
    assert response.status_code == 503
    assert "查询须先记入台账方能答复" in response.text
    assert "/work/penalties?town=%E7%94%B2%E9%95%87" in hrefs(response.text)
    assert "示例" not in response.text


@anyio
async def test_a_form_from_another_site_changes_nothing(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    forged = {**officer, "sec-fetch-site": "cross-site", "origin": "http://evil.example"}
    response = await app.client.post("/sign-out", headers=forged)
    assert response.status_code == 403
    assert "提交来源无法确认" in response.text
    assert (await app.client.get("/queries", headers=officer)).status_code == 200


@anyio
async def test_the_styles_and_the_icon_are_there_for_everybody(app: InProcess) -> None:
    html = await get(app, "/sign-in", who="")
    linked = [href for href in hrefs(html) if href.startswith("/-/")]
    assert len(linked) == 3
    for href in linked:
        response = await app.client.get(href)
        assert response.status_code == 200
        assert response.headers["content-type"] in ("text/css", "image/svg+xml")
