"""What can be checked by machine of what every reader needs: names, order, room, and no page wider than a phone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.browser.conftest import Reader

Make = Callable[..., Reader]

PAGES = [
    ("", "/sign-in"),
    ("zhzf-1", "/"),
    ("zhzf-1", "/directory"),
    ("zhzf-1", "/work"),
    ("zhzf-1", "/directory/resources?_facet=category&_facet=provider&category=2"),
    ("zhzf-1", "/work/penalties?town__contains=%E9%95%87&_sort_desc=decided_on"),
    ("zhzf-1", "/work/penalties?town=nowhere"),
    ("zhzf-1", "/monitoring/monitoring_points"),
    ("zhzf-1", "/work/penalties/6"),
    ("zhzf-1", "/documents/documents/1"),
    ("zhzf-1", "/queries"),
    ("zhzf-1", "/query/alerts/alerts"),
    ("zhzf-1", "/access"),
    ("zhzf-1", "/access?resource=alerts/alerts"),
    ("zhzf-1", "/access?resource=work/informants"),
    ("zhzf-1", "/request?resource=work/inspections"),
    ("zhzf-1", "/purpose?resource=work/penalties"),
    ("zhzf-1", "/work/informants"),
    ("zhzf-1", "/requests"),
    ("zhzf-1", "/requests/sent"),
    ("zhzf-1", "/requests/new?resource=work/inspections"),
    ("zhzf-1", "/requests/new?act=application"),
    ("scjg-3", "/grants"),
    ("scjg-3", "/grants/g-0001"),
    ("scjg-3", "/grants/new"),
    ("scjg-3", "/grants/new?resource=work/penalties"),
    ("scjg-3", "/asked"),
    ("sfj-1", "/grants"),
    ("sfj-1", "/access/rules?agency=zhzf"),
    ("sfj-1", "/anomalies"),
    ("zhzf-1", "/work/inspections"),
    ("zhzf-1", "/work/penalties/99999"),
    ("sfj-1", "/ledger"),
    *(("zhzf-3", path) for path in ("/account", "/account/password", "/agency", "/agency/enrol")),
    *(("zhzf-3", f"/agency/{path}") for path in ("officers/zhzf-1", "officers/zhzf-1/reset", "keys/add", "tokens/add")),
    *(("ywzx-3", path) for path in ("/agencies", "/agencies/register", "/agencies/id/zhzf")),
]
LOCALES = ["zh-CN", "en-GB"]

#: Everything that is wrong with the page at hand, one line each. Small on purpose; sources are the WCAG 2.2 criteria.
CHECK = """() => {
  const wrong = [];
  const say = (what, element) => wrong.push(what + ': ' + element.outerHTML.slice(0, 160));
  const seen = e => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0;
  const byId = ids => (ids || '').split(' ').map(id => document.getElementById(id)).filter(Boolean);
  const all = selector => [...document.querySelectorAll(selector)];
  const name = e => (e.getAttribute('aria-label')
    || byId(e.getAttribute('aria-labelledby')).map(x => x.innerText).join(' ')
    || (e.labels ? [...e.labels].map(x => x.textContent).join(' ') : '') || e.textContent
    || [...e.querySelectorAll('img')].map(x => x.alt).join(' ')).trim();
  if (!/^(zh-CN|en)$/.test(document.documentElement.lang)) wrong.push('3.1.1 no language');
  if (!document.title.trim()) wrong.push('2.4.2 no title');
  if (all('main').length !== 1) wrong.push('1.3.1 not one main');
  let level = 0;
  const headings = all('h1,h2,h3,h4,h5,h6');
  if (headings.filter(h => h.tagName === 'H1').length !== 1) wrong.push('1.3.1 not one h1');
  for (const h of headings) {
    if (+h.tagName[1] > level + 1) say('1.3.1 heading skips a level', h);
    if (!h.textContent.trim()) say('2.4.6 empty heading', h);
    level = +h.tagName[1];
  }
  for (const e of all('input:not([type=hidden]),select,textarea,button,a[href],summary,nav,[role=region]'))
    if (!name(e)) say('4.1.2 no name', e);
  for (const e of all('input:not([type=hidden]),select,textarea'))
    if (!e.labels.length) say('3.3.2 no label', e);
  for (const e of all('img')) if (!e.hasAttribute('alt')) say('1.1.1 no alt', e);
  for (const e of all('table')) {
    if (!e.querySelector('thead th[scope=col]')) say('1.3.1 no column headings', e);
    for (const th of e.querySelectorAll('th')) if (!th.scope) say('1.3.1 no scope', th);
  }
  const ids = all('[id]').map(e => e.id);
  for (const id of ids) if (ids.filter(x => x === id).length > 1) wrong.push('4.1.1 id twice: ' + id);
  for (const e of all('[aria-labelledby]'))
    if (!byId(e.getAttribute('aria-labelledby')).length) say('4.1.2 named by nothing', e);
  const targets = 'button,.button,.chip,.sections a,select,summary,'
    + 'input:not([type=hidden]):not([type=checkbox]):not([type=radio])';
  for (const e of all(targets)) {
    const box = e.getBoundingClientRect();
    if (seen(e) && (box.height < 44 || box.width < 44)) say('2.5.5 under 44 px', e);
  }
  for (const e of all('*')) {
    if (e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) && e.tabIndex < 0)
      say('2.1.1 scrolls but takes no keyboard', e);
  }
  return wrong;
}"""


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_has_names_labels_order_and_room(reader: Make, locale: str, width: int) -> None:
    for who, person in _readers(reader, locale, width).items():
        for path in [path for each, path in PAGES if each == who]:
            person.go(path)
            assert person.page.evaluate(CHECK) == [], path


@pytest.mark.parametrize("locale", LOCALES)
def test_no_page_is_wider_than_a_phone(reader: Make, locale: str) -> None:
    for who, person in _readers(reader, locale, 360).items():
        for path in [path for each, path in PAGES if each == who]:
            person.go(path)
            widths = person.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert widths[0] <= widths[1], path


def test_a_long_address_in_a_row_is_broken_and_not_wider_than_a_phone(reader: Make) -> None:
    officer = reader("zhzf-1", viewport={"width": 390, "height": 800})
    row = "/directory/resources/1"
    long = "https://a.example/" + "x" * 300
    with closing(sqlite3.connect(officer.site.instance.database_path("directory"))) as directory:
        (before,) = directory.execute("SELECT source_url FROM resources WHERE id = 1").fetchone()
        try:
            with directory:
                directory.execute("UPDATE resources SET source_url = ? WHERE id = 1", (long,))
            for media in ("screen", "print"):
                officer.page.emulate_media(media=media)  # type: ignore[arg-type]
                officer.go(row)
                assert long in officer.page.locator("dl.record").inner_text()
                widths = officer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
                assert widths[0] <= widths[1], media
        finally:
            with directory:
                directory.execute("UPDATE resources SET source_url = ? WHERE id = 1", (before,))


def test_on_a_phone_rows_are_cards_with_their_columns_named(reader: Make) -> None:
    officer = reader("zhzf-1", viewport={"width": 360, "height": 800})
    officer.go("/work/penalties")
    row = officer.page.locator(".rows tbody tr").first
    cell = row.locator('td[data-label="相对人名称"]')
    assert cell.evaluate("e => getComputedStyle(e, '::before').content") == '"相对人名称"'
    assert row.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    assert officer.page.locator(".rows thead").evaluate("e => e.getBoundingClientRect().width") <= 1


def test_the_keyboard_reaches_the_content_first_and_its_place_is_seen(reader: Make) -> None:
    officer = reader("zhzf-1")
    page = officer.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_text_may_be_twice_as_large_without_loss(reader: Make) -> None:
    officer = reader("zhzf-1", viewport={"width": 640, "height": 900})
    for path in ("/", "/work", "/work/penalties", "/work/penalties/6"):
        officer.go(path)
        officer.page.evaluate("document.documentElement.style.setProperty('font-size', '200%')")
        widths = officer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], path


def _readers(make: Make, locale: str, width: int) -> dict[str, Reader]:
    options: dict[str, Any] = {"locale": locale, "viewport": {"width": width, "height": 900}}
    readers = {who: make(who, **options) for who in dict.fromkeys(who for who, _ in PAGES)}
    for person in readers.values():
        person.expected = {403, 404}
    return readers
