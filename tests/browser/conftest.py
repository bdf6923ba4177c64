"""A real demonstration in a process of its own, a real Chromium, and a watch over what pages do unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ledger import Instance
from tests.conftest import Running, credentials, free_port

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium where there is one, else Playwright's own."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def demonstration(folder: Path) -> Iterator[Running]:
    """``liandong demo`` as a person starts it, on a free port."""
    port = free_port()
    log = folder.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "catalog", "demo", str(folder), "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        while "Ctrl+C" not in log.read_text(encoding="utf-8"):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        instance = Instance.open(folder)
        secrets = credentials(instance)
        yield Running(f"http://127.0.0.1:{port}", instance, secrets["token"], secrets["passwords"])
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with demonstration(tmp_path_factory.mktemp("browser") / "demo") as running:
        yield running


# For a module only: as long as Playwright runs it keeps an event loop, and asynchronous tests of other modules want
# their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


#: What the demonstration's officers usually ask for, by agency: the code that opens each table.
PURPOSES = {
    "zhzf": {"work/penalties": "case", "monitoring/monitoring_points": "case", "documents/documents": "case"},
    "sfj": {"work/penalties": "supervision"},
}
REFERENCE = "示执案〔2026〕17号"


def state(context: BrowserContext, url: str, agency: str) -> None:
    """State the usual purposes of an agency's officers in a signed-in browser, as its form does."""
    for resource, code in PURPOSES.get(agency, {}).items():
        form = {"resource": resource, "next": "/", "code": code, "reference": REFERENCE}
        response = context.request.post(f"{url}/purpose", form=form, max_redirects=0)
        assert response.status == 303, response.text()


class Reader:
    """A person at a browser: a context with a language, and a record of what went wrong unseen.

    ``expected``: statuses of answers that the test brings about on purpose.
    """

    def __init__(self, context: BrowserContext, site: Running) -> None:
        self.context = context
        self.site = site
        self.page: Page = context.new_page()
        self.problems: list[str] = []
        self.expected: set[int] = set()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        context.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        on_purpose = any(f"status of {status}" in message.text for status in self.expected)
        if message.type in ("error", "warning") and not on_purpose:
            self.problems.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        asked = urlsplit(request.url)
        if f"{asked.scheme}://{asked.netloc}" != self.site.url:
            self.problems.append(f"elsewhere: {request.url}")

    def go(self, path: str) -> None:
        self.page.goto(self.site.url + path)

    def sign_in(self, login: str, *, states: bool = True) -> None:
        """Sign in and, unless ``states`` is false, state the usual purposes at once."""
        self.go("/sign-in")
        self.page.fill("#login", login)
        self.page.fill("#password", self.site.passwords[login])
        self.page.click("main button")
        self.page.wait_for_url(self.site.url + "/")
        if states:
            state(self.context, self.site.url, login.partition("-")[0])

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.site.url)

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()


@pytest.fixture
def reader(browser: Browser, site: Running) -> Iterator[Callable[..., Reader]]:
    """Makes readers: ``reader(login="", states=True, **options of the context)``; nothing may go wrong for any."""
    readers: list[Reader] = []

    def make(login: str = "", *, states: bool = True, **options: Any) -> Reader:
        context = browser.new_context(**{"locale": "zh-CN", "viewport": {"width": 1280, "height": 900}, **options})
        readers.append(Reader(context, site))
        if login:
            readers[-1].sign_in(login, states=states)
        return readers[-1]

    yield make
    problems = [problem for made in readers for problem in made.problems]
    for made in readers:
        made.context.close()
    assert problems == []
