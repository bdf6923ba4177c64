"""A supervisor looks through what the rules flagged, and judges it, in a real browser, with scripts off as well."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from catalog.service import Service
from ledger import Instance
from tests.browser.conftest import chromium
from tests.catalog.anomalies.history import asked, failed, turned_away
from tests.conftest import Running, serving

NOTE = "已电话核实，系年度专项检查（虚构）"


def add(service: Service, fields: dict[str, Any], times: int = 1, **particulars: Any) -> None:
    plain = {name: value for name, value in fields.items() if name != "kind"}
    for _ in range(times):
        service.ledger.append(fields["kind"], plain, particulars=particulars)


@pytest.fixture(scope="module")
def flagged(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demonstration after an hour in which too much was asked."""
    folder = tmp_path_factory.mktemp("flagged") / "demo"
    shutil.copytree(demo_template, folder)
    with closing(Service.open(Instance.open(folder))) as service:
        add(service, asked(rows=12_400), 2, query="GET /work/penalties.json")
        add(service, turned_away(agency="bjd"), 34, query="GET /work/inspections.json")
        add(service, failed("jtys", 25), query="GET /")
        for n in range(6):
            stated = {"purpose_text": "协助核实有关情况", "reference": f"2026-{n}"}
            add(service, asked("yjgl", "work/permits", 1, purpose="case"), query="GET /work/permits.json", **stated)
    with serving(Instance.open(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def supervisor(browser: Browser, site: Running, **options: Any) -> Page:
    page = browser.new_context(**options).new_page()
    page.goto(site.url + "/sign-in")
    page.fill("#login", "sfj-1")
    page.fill("#password", site.passwords["sfj-1"])
    page.click("main button")
    page.goto(site.url + "/anomalies")
    return page


@pytest.mark.parametrize("scripts", [True, False])
def test_a_supervisor_finds_reads_and_judges_a_flag(browser: Browser, flagged: Running, scripts: bool) -> None:
    page = supervisor(browser, flagged, locale="en-GB", java_script_enabled=scripts)
    page.get_by_role("link", name="Ledger", exact=True).first.click()
    page.get_by_role("link", name="Worth a look").click()
    page.select_option("#rule", "turned_away" if scripts else "auth_failed")
    page.get_by_role("button", name="Show").click()
    flag = page.locator("article.flag")
    assert flag.count() == 1
    assert ("34 queries" if scripts else "25 failed proofs") in flag.inner_text()
    flag.locator("summary").click()
    flag.get_by_label("Incident").check()
    flag.get_by_label("Note").fill(NOTE)
    flag.get_by_role("button", name="Record").click()
    assert page.url.endswith(f"/anomalies?rule={'turned_away' if scripts else 'auth_failed'}")
    judged = page.locator(".flag-review")
    assert NOTE in judged.inner_text()
    assert "Justice Bureau of Shifan County" in judged.inner_text()
    assert page.locator("article.flag form").count() == 0
    judged.get_by_role("link").click()  # to the entry in the ledger
    assert "Anomaly reviewed" in page.locator("main").inner_text()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_every_control_has_a_name_and_room(
    browser: Browser, flagged: Running, locale: str, width: int
) -> None:
    page = supervisor(browser, flagged, locale=locale, viewport={"width": width, "height": 900})
    for summary in page.locator(".flag-judge summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("article.flag").count() == 4
    unnamed = page.evaluate(
        "[...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]"
        ".filter(e => !e.labels.length).length"
    )
    assert unnamed == 0
    small = page.evaluate(
        "[...document.querySelectorAll('main button, main select, main summary, main .flag-entries a')]"
        ".filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML)"
    )
    assert small == []
    said = page.locator("main").inner_text()
    assert ("短时间内取得大量数据" if locale == "zh-CN" else "Many rows at once") in said
    assert "协助核实有关情况" not in said
