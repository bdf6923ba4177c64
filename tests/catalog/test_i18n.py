"""Chinese first, English complete: every text translated, no page with words of the other language."""

from __future__ import annotations

import io
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
import yaml
from babel.messages.pofile import read_po

from catalog import i18n
from ledger import Instance
from tests.conftest import InProcess, in_process
from tools import messages

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "catalog/templates").glob("*.html"))
PO_FILE = ROOT / "catalog/locale/zh_CN/LC_MESSAGES/liandong.po"
CHINESE = re.compile(r"[㐀-鿿]")
#: Addresses, folders and variables are spelled alike in every language.
PLACES = re.compile(r"(?:https?:/)?/\S+|[A-Z]+_[A-Z]+|clients/")
#: What the pages say in either language: names of formats and of the command.
NAMES = {"JSON", "CSV", "XLSX", "Excel", "POST", "RFC", "OpenAPI", "curl", "liandong", "Java", "Python"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# -- the catalogue ----------------------------------------------------------------------------------------------------


def test_every_message_of_code_and_templates_is_translated_and_none_is_left_over() -> None:
    template = messages.extract()
    assert len(template) > 100
    assert messages.problems(PO_FILE, template) == []


def test_every_translation_is_chinese() -> None:
    catalogue = read_po(io.BytesIO(PO_FILE.read_bytes()), locale="zh_CN")
    marks = {", ", ".", ": ", "%(by)s, %(at)s"}
    for message in catalogue:
        if message.id and message.id not in marks:
            said = message.string if isinstance(message.string, str) else message.string[0]
            assert CHINESE.search(said), message.id


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace('msgid "Sign out"\nmsgstr "退出登录"', 'msgid "Sign out"\nmsgstr ""'),
            "untranslated",
        ),
        (lambda text: text.replace('msgid "Sign out"', '#, fuzzy\nmsgid "Sign out"'), "fuzzy"),
        (lambda text: text + '\nmsgid "Gone"\nmsgstr "没有了"\n', "no longer used"),
        (lambda text: text.replace('msgid "Sign out"\nmsgstr "退出登录"\n\n', ""), "untranslated"),
        (lambda text: text.replace("%(ms)s 毫秒", "毫秒"), "placeholder"),
    ],
)
def test_the_check_finds(change, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "zh_CN/LC_MESSAGES/liandong.po"
    file.parent.mkdir(parents=True)
    shutil.copyfile(PO_FILE, file)
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    assert messages.problems(file, messages.extract()) == []
    text = file.read_text(encoding="utf-8")
    assert change(text) != text
    file.write_text(change(text), encoding="utf-8")
    assert any(told in line for line in messages.problems(file, messages.extract()))


# -- templates --------------------------------------------------------------------------------------------------------


def bare_texts(source: str) -> list[str]:
    """Words in a template that stand outside gettext: between tags, or in attributes that people read."""
    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"])  # only its lexer is used
    outside: list[str] = []
    names: list[str] = []
    in_trans = in_class = False
    for _line, kind, value in environment.lex(source):
        if kind == "block_begin":
            names = []
        elif kind == "name":
            names.append(value)
        elif kind == "block_end":
            if names and names[0] in ("trans", "endtrans"):
                in_trans = names[0] == "trans"
            in_class = names[:2] == ["block", "body_class"]
            outside.append(" ")
        elif kind == "data" and not (in_trans or in_class):
            outside.append(value)
    html = "".join(outside)
    read = re.findall(r"(?:aria-label|title|alt|placeholder)=\"([^\"]*)\"", html)
    texts = [*re.sub(r"<[^>]*>", "\n", html).split("\n"), *read]
    return [text.strip() for text in texts if re.search(r"[A-Za-z]{2}|[㐀-鿿]", text)]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_word_in_a_template_goes_through_gettext(template: Path) -> None:
    own_names = {"English", "中文", "JSON", "POST"}
    # What is typed into a terminal is the same in every language, and so is markup that a macro gives.
    source = re.sub(
        r"<pre\b.*?</pre>|\{% macro invalid.*?endmacro %\}", "", template.read_text(encoding="utf-8"), flags=re.S
    )
    assert set(bare_texts(source)) <= own_names


def test_the_search_for_bare_words_finds_them() -> None:
    source = (
        '<p>Hello</p>{% trans %}fine{% endtrans %}<a title="你好">{{ _("fine") }}</a>{% if x %}<b>世界</b>{% endif %}'
    )
    assert bare_texts(source) == ["Hello", "世界", "你好"]


# -- choosing the language --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        (None, "", "zh"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "fr-FR,fr;q=0.9", "zh"),
        (None, "fr-FR,en;q=0.9", "en"),
        ("en", "zh-CN", "en"),
        ("zh", "en", "zh"),
        ("xx", "en", "en"),
        ("", "*", "zh"),
    ],
)
def test_the_readers_own_choice_wins_then_the_browsers_then_chinese(
    cookie: str | None, accept: str, language: str
) -> None:
    assert i18n.negotiate(cookie, accept) == language


def test_messages_and_plurals_are_in_the_language_of_the_request() -> None:
    token = i18n.language.set("zh")
    assert i18n.gettext("Sign out") == "退出登录"
    assert i18n.ngettext("%(shown)s row", "%(shown)s rows", 2) == "%(shown)s 行"
    i18n.language.set("en")
    assert i18n.gettext("Sign out") == "Sign out"
    assert [i18n.ngettext("%(shown)s row", "%(shown)s rows", n) for n in (0, 1, 2)] == [
        "%(shown)s rows",
        "%(shown)s row",
        "%(shown)s rows",
    ]
    assert (i18n.choose("中", "en"), i18n.choose("中", "")) == ("en", "中")
    i18n.language.reset(token)


# -- whole pages ------------------------------------------------------------------------------------------------------

PAGES = [
    ("", "/sign-in"),
    ("", "/sign-in?next=/work"),
    ("zhzf-1", "/sign-in"),
    ("zhzf-1", "/"),
    ("zhzf-1", "/directory"),
    ("zhzf-1", "/work"),
    ("zhzf-1", "/directory/resources?category=2&_facet=sharing_class&_facet=provider&_sort_desc=name"),
    ("zhzf-1", "/work/penalties"),
    ("zhzf-1", "/work/penalties?town__contains=镇&penalty_types__arraycontains=罚款&_facet_array=penalty_types"),
    ("zhzf-1", "/work/penalties?_next=50"),
    ("zhzf-1", "/work/penalties?town=qwxz"),
    ("zhzf-1", "/work/penalties/6"),
    ("zhzf-1", "/documents/documents/1"),
    ("zhzf-1", "/directory/agencies/1"),
    ("zhzf-1", "/work/inspections"),
    ("zhzf-1", "/work/penalties/99999"),
    ("zhzf-1", "/work/penalties?_sort=qwxz"),
    ("zhzf-1", "/nothing"),
    ("zhzf-1", "/ledger"),
    ("zhzf-1", "/queries"),
    ("zhzf-1", "/queries?before=1"),
    ("zhzf-1", "/queries?before=x"),
    ("zhzf-1", "/log/receipt/1"),
    ("zhzf-1", "/log/receipt/99999"),
    ("sfj-1", "/"),
    ("sfj-1", "/ledger"),
    ("sfj-1", "/ledger?before=30"),
    ("sfj-1", "/ledger?before=0"),
    ("gaj-1", "/queries"),
    *(("zhzf-1", f"/requests{path}") for path in ("", "?show=closed", "/sent", "/q-20260101-00001")),
    *(("zhzf-3", path) for path in ("/account", "/account/password?done=x", "/agency", "/agency/enrol")),
    *(("zhzf-3", f"/agency/{path}") for path in ("officers/zhzf-1", "officers/zhzf-1/reset", "keys/add", "tokens/add")),
    *(("ywzx-3", path) for path in ("/agencies", "/agencies/register", "/agencies/id/zhzf", "/agency/officers/yw-9")),
]


class Texts(HTMLParser):
    """What a reader meets of a page: texts and read attributes, each with the language that the page says it has."""

    READ = ("title", "alt", "aria-label", "placeholder", "data-label")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._languages: list[tuple[str, str]] = []

    @property
    def language(self) -> str:
        return self._languages[-1][1] if self._languages else ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        here = given.get("lang") or self.language
        self.found += [(here, value or "") for name, value in attrs if name in self.READ]
        if tag not in ("meta", "link", "img", "input", "br"):
            # The window's title may hold the name of a row, which is data and cannot be marked there.
            self._languages.append((tag, tag if tag in ("code", "title") else here))

    def handle_endtag(self, tag: str) -> None:
        while self._languages:
            open_tag, _ = self._languages.pop()
            if open_tag == tag:
                return

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append((self.language, data.strip()))


def texts_of(html: str) -> list[tuple[str, str]]:
    parser = Texts()
    parser.feed(html)
    return parser.found


def data_words(demo: Instance) -> re.Pattern[str]:
    """Chinese that English pages may hold outside of data: quoted names of laws and of a sharing class."""
    county = yaml.safe_load((ROOT / "catalog/demo/county.yml").read_text(encoding="utf-8"))
    bases = {grant["legal_basis"]["zh"] for grant in county["grants"]}
    with closing(sqlite3.connect(demo.database_path("directory"))) as directory:
        for published in directory.execute("SELECT statutory_basis, sharing_condition FROM resources"):
            bases |= {text for text in published if text}
    return re.compile("|".join(map(re.escape, [*sorted(bases), "条例", "未定"])))


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def pages(app: InProcess, language: str) -> list[tuple[str, str, str]]:
    """Path, sign-in and HTML of each of :data:`PAGES`; a wrong password and a failed form too."""
    asked = []
    for who, path in PAGES:
        headers = await app.sign_in(who) if who else {"accept": "text/html"}
        response = await app.client.get(path, headers={**headers, "accept-language": language})
        asked.append((who, path, response))
    html = {"accept": "text/html", "accept-language": language}
    wrong = await app.client.post("/sign-in", data={"login": "zhzf-1", "password": "x"}, headers=html)
    elsewhere = {**html, "sec-fetch-site": "cross-site", "origin": "http://elsewhere.example"}
    forged = await app.client.post("/sign-in", data={"login": "zhzf-1", "password": "x"}, headers=elsewhere)
    asked += [("", "wrong password", wrong), ("", "form of another site", forged)]
    for who, path, response in asked:
        assert response.headers["content-type"].startswith("text/html"), (who, path, response.text[:200])
    return [(who, path, response.text) for who, path, response in asked]


@pytest.mark.anyio
async def test_no_chinese_page_shows_an_english_word_of_the_interface(app: InProcess) -> None:
    english = {str(m.id if isinstance(m.id, str) else m.id[0]) for m in messages.extract() if m.id}
    words = {
        w.lower() for text in english for w in re.findall(r"[A-Za-z]{4,}", re.sub(r"%\(\w+\)s|<[^>]*>", " ", text))
    }
    words |= {"error", "filter", "facet", "next", "sort", "table", "view", "column", "record", "null", "true", "false"}
    for who, path, html in await pages(app, "zh-CN"):
        assert '<html lang="zh-CN">' in html
        # What is typed into a terminal, and what comes back, is the same in every language.
        for language, text in texts_of(re.sub(r"<pre\b.*?</pre>", "", html, flags=re.S)):
            if language == "zh-CN":
                shown = {w for w in re.findall(r"[A-Za-z]{4,}", re.sub(PLACES, "", text)) if w not in NAMES}
                assert not {w for w in shown if w.lower() in words}, (who, path, text)


@pytest.mark.anyio
async def test_no_english_page_shows_chinese_outside_of_data(app: InProcess) -> None:
    allowed = data_words(app.service.instance)
    for who, path, html in await pages(app, "en"):
        assert '<html lang="en">' in html
        for language, text in texts_of(html):
            if language == "en":
                assert not CHINESE.search(allowed.sub("", text)), (who, path, text)


@pytest.mark.anyio
async def test_both_languages_show_the_same_data(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    shown = []
    for language in ("zh", "en"):
        response = await app.client.get("/work/penalties?_size=5", headers={**officer, "accept-language": language})
        body = response.text.partition("<tbody lang=")[2].partition("</tbody>")[0]
        shown.append([text for _, text in texts_of(re.sub(r' data-label="[^"]*"', "", body)) if CHINESE.search(text)])
    assert len(shown[0]) > 50
    assert [t for t in shown[0] if t != "空"] == shown[1]
