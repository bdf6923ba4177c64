"""A real Chromium through a real nginx with TLS: signing in, links, and forms that come from elsewhere."""

from __future__ import annotations

import http.server
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Response, sync_playwright

from catalog.routes import ROUTES
from ledger import Instance
from tests.browser.conftest import ARGUMENTS
from tests.catalog.sample_paths import sample_path
from tests.conftest import Running
from tests.proxied import Tls, behind_nginx, make_tls

OFFICER = "zhzf-1"
#: What an older browser does: nginx takes the header away that such a one does not send.
WITHOUT_SEC_FETCH = 'proxy_set_header Sec-Fetch-Site "";'
#: An address of each route that takes a POST.
FORMS = {route.name: sample_path(route) for route in ROUTES if "POST" in route.methods}


@dataclass
class Site:
    """The demonstration behind nginx, and a Chromium that trusts its certificate by the key alone."""

    running: Running
    tls: Tls
    browser: Browser
    prefix: str

    def page(self, **options: str) -> Page:
        return self.browser.new_context(locale="zh-CN", **options).new_page()  # type: ignore[arg-type]

    def sign_in(self, page: Page) -> None:
        page.goto(self.running.url + "/sign-in")
        page.fill("#login", OFFICER)
        page.fill("#password", self.running.passwords[OFFICER])
        page.click("main button")
        page.wait_for_url(self.running.url + "/")


@pytest.fixture(
    scope="module",
    params=[("", ""), ("/liandong", ""), ("/liandong", WITHOUT_SEC_FETCH)],
    ids=["root", "prefix", "prefix-old-browser"],
)
def site(
    request: pytest.FixtureRequest, demo_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    prefix, more = request.param
    folder = tmp_path_factory.mktemp("proxied-browser")
    shutil.copytree(demo_template, folder / "demo")
    instance = Instance.open(folder / "demo")
    with behind_nginx(instance, folder / "nginx", prefix, more=more) as (running, tls), sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        trust = f"--ignore-certificate-errors-spki-list={tls.spki_sha256}"
        browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, trust])
        yield Site(running, tls, browser, prefix)
        browser.close()


def test_a_person_signs_in_browses_changes_the_language_and_signs_out(site: Site) -> None:
    page = site.page()
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(site.running.url + "/directory/resources?_size=2")
    assert page.url.startswith(f"{site.running.url}/sign-in?next=/directory/resources")
    page.fill("#login", OFFICER)
    page.fill("#password", site.running.passwords[OFFICER])
    page.click("main button")
    page.wait_for_url(site.running.url + "/directory/resources?_size=2")
    page.click("text=下一页")
    page.wait_for_url("**_next=*")
    page.locator("tbody th a").first.click()
    page.wait_for_url(f"{site.running.url}/directory/resources/*")
    page.click("nav.sections a[href$='/queries']")
    page.wait_for_url(site.running.url + "/queries")
    page.click("form.language button")
    page.wait_for_load_state()
    assert page.url == site.running.url + "/queries" and page.locator("html").get_attribute("lang") == "en"
    page.click("text=Sign out")
    page.wait_for_url(site.running.url + "/sign-in")
    assert all(url.startswith(site.running.url + "/") for url in asked), asked
    assert troubles == []


def test_the_sessions_cookie_is_out_of_reach_of_scripts_and_of_other_paths(site: Site) -> None:
    page = site.page()
    site.sign_in(page)
    (cookie,) = [each for each in page.context.cookies() if "session" in each["name"]]
    assert cookie["name"] == ("__Secure-liandong_session" if site.prefix else "__Host-liandong_session")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == (site.prefix or "/", "localhost")
    assert "session" not in page.evaluate("document.cookie")


# -- forms from elsewhere ---------------------------------------------------------------------------------------------


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A page of somebody else that sends a form to us as soon as it is opened: ``/?`` and the form's address."""

    def do_GET(self) -> None:
        action = self.path.partition("?")[2]
        fields = "".join(
            f'<input name="{name}" value="{value}">'
            for name, value in (("login", OFFICER), ("password", "x"), ("language", "en"), ("next", "/"))
        )
        page = f'<form method="post" action="{action}">{fields}<button>go</button></form>'.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def elsewhere(tls: Tls) -> Iterator[int]:
    """The port of that page's server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_forms_that_there_are_are_found() -> None:
    assert {"/sign-in", "/sign-out", "/language"} <= set(FORMS.values())


def entries(site: Site) -> str:
    """How many entries the ledger has."""
    trusted = ssl.create_default_context(cafile=str(site.tls.authority))
    note = httpx2.get(site.running.url + "/log/checkpoint", verify=trusted, trust_env=False).text
    return note.split("\n")[1]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["same-site", "cross-site"])
def test_forms_from_elsewhere_change_nothing_and_leave_no_entry(site: Site, host: str) -> None:
    """From another port of the same host, whose pages get our cookies sent along; and from another site."""
    page = site.page()
    site.sign_in(page)
    before = entries(site)
    with elsewhere(site.tls) as port:
        for name, form in FORMS.items():
            page.goto(f"https://{host}:{port}/?{site.running.url}{form}")
            with page.expect_navigation() as navigation:
                page.click("button")
            response: Response | None = navigation.value
            assert response is not None and response.status in (401, 403), (name, form, response)
    assert entries(site) == before
    assert not [each for each in page.context.cookies() if "language" in each["name"]]
    page.goto(site.running.url + "/queries")
    assert page.url == site.running.url + "/queries"  # still signed in
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_the_same_form_of_our_own_page_is_taken(site: Site) -> None:
    page = site.page()
    site.sign_in(page)
    with page.expect_navigation() as navigation:
        page.click("form.language button")
    assert navigation.value is not None and navigation.value.status == 200
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_server_with_another_certificate_is_not_trusted(site: Site, tmp_path: Path) -> None:
    """So that the tests above say something about TLS: Chromium trusts this one key and no other."""
    with elsewhere(make_tls(tmp_path)) as port:
        page = site.page()
        with pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
            page.goto(f"https://localhost:{port}/")
