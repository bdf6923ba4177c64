"""A witness's page in a real browser: what a clerk sees, in both languages, on a phone, and on one sheet of paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.test_accessibility import CHECK
from tests.ledger.witness_support import CALL, Office, Tree

SIZE = 1_207
HONEST, FORGED = Tree.of(SIZE + 50), Tree.of(SIZE + 50, fork_at=800)
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
HEADLINES = {
    "waiting": {"zh": "等待：尚未开始", "en": "WAITING: not begun"},
    "green": {"zh": "绿：一致", "en": "GREEN: consistent"},
    "refused": {"zh": "红：铁证，台账被改写", "en": "RED: PROOF that the log was rewritten"},
}


def show(office: Office, tree: Tree, old: int, new: int, status: int) -> None:
    assert httpx2.post(f"{office.url}/add-checkpoint", content=tree.body(old, new)).status_code == status


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Office]]:
    """Three witnesses over real HTTP: one that saw nothing, one content, one that was shown another history."""
    made = {name: Office.make(tmp_path_factory.mktemp(name) / "witness", n) for n, name in enumerate(HEADLINES)}
    try:
        for office in made.values():
            office.start()
        for name in ("green", "refused"):
            show(made[name], HONEST, 0, SIZE, 200)
        show(made["refused"], FORGED, SIZE, SIZE, 409)
        yield made
    finally:
        for office in made.values():
            office.stop()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address; nothing may be blocked, missing or fetched from elsewhere meanwhile."""
    problems: list[str] = []
    contexts = []

    def make(url: str, locale: str, **options: Any) -> Page:
        contexts.append(browser.new_context(locale=locale, **{"viewport": {"width": 1280, "height": 900}, **options}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: problems.extend([] if request.url.startswith(url) else [request.url]))
        page.on("response", lambda answer: problems.extend([] if answer.status == 200 else [answer.url]))
        page.goto(url)
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.mark.parametrize("lang", LOCALES)
@pytest.mark.parametrize("state", HEADLINES)
def test_the_headline_says_what_is_the_matter(
    offices: dict[str, Office], open_page: Callable[..., Page], state: str, lang: str
) -> None:
    page = open_page(offices[state].url, LOCALES[lang])
    assert page.locator(".verdict").inner_text() == HEADLINES[state][lang]
    assert page.evaluate(CHECK) == []
    colour = page.locator(".verdict").evaluate("element => getComputedStyle(element).color")
    assert colour == {"waiting": "rgb(128, 80, 10)", "green": "rgb(26, 102, 56)", "refused": "rgb(155, 36, 32)"}[state]
    (other,) = set(LOCALES) - {lang}
    page.click("nav a")
    assert page.locator(".verdict").inner_text() == HEADLINES[state][other]


@pytest.mark.parametrize("state", HEADLINES)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    offices: dict[str, Office], open_page: Callable[..., Page], state: str
) -> None:
    for locale in LOCALES.values():
        page = open_page(offices[state].url, locale, viewport={"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate(CHECK) == []


@pytest.mark.parametrize("lang", LOCALES)
def test_a_refused_fork_is_one_sheet_of_paper_with_both_checkpoints(
    offices: dict[str, Office], open_page: Callable[..., Page], lang: str, tmp_path: Path
) -> None:
    page = open_page(offices["refused"].url, LOCALES[lang])
    assert not page.locator(".sign").is_visible()
    notes = page.locator(".refusal pre").all_inner_texts()
    assert [note.split("\n")[1] for note in notes] == [str(SIZE), str(SIZE)] and notes[0] != notes[1]
    assert CALL in page.locator(".refusal").inner_text() and CALL in page.locator(".state").inner_text()
    page.emulate_media(media="print")
    assert page.locator(".sign").is_visible() and not page.locator("nav").is_visible()
    pdf = page.pdf(path=tmp_path / "page.pdf", format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 1
    office = offices["refused"].open()
    witness = office.witness()
    (refusal,) = witness.refusals()
    witness.close()
    assert [note.strip() for note in notes] == [refusal.seen_note.decode().strip(), refusal.new_note.decode().strip()]


def test_several_refused_heads_never_break_a_pair_over_two_sheets(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    office = Office.make(tmp_path / "witness", 0)
    office.start()
    try:
        show(office, HONEST, 0, SIZE, 200)
        for size in (SIZE, SIZE + 1, SIZE + 7):
            show(office, FORGED, SIZE, size, 409 if size == SIZE else 422)
        page = open_page(office.url, "zh-CN")
        assert page.locator(".refusal").count() == 3
        page.emulate_media(media="print")
        assert page.locator(".refusal").first.evaluate("element => getComputedStyle(element).breakInside") == "avoid"
    finally:
        office.stop()
