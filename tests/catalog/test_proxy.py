"""Behind a real nginx with TLS, with and without a path prefix: clients, links, redirects, cookies."""

from __future__ import annotations

import html
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from ledger import Instance
from tests.conftest import Running, free_port, liandong
from tests.proxied import Tls, behind_nginx

PREFIXES = ("", "/liandong", "/gov/share-1")


@dataclass
class Site:
    """A demonstration behind nginx, and a client that trusts its certificate."""

    running: Running
    tls: Tls
    prefix: str
    client: httpx2.Client

    @property
    def origin(self) -> str:
        return self.running.url.removesuffix(self.prefix)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self.client.get(self.running.url + path, headers=headers)

    def state_purpose(self, path: str) -> httpx2.Response:
        """Say why, as the form does; the page that was asked for."""
        resource = "/".join(path.partition("?")[0].split("/")[1:3])
        form = {"resource": resource, "code": "case", "reference": "2026-17", "next": path}
        stated = self.client.post(self.running.url + "/purpose", data=form)
        return self.client.get(self.origin + stated.headers["location"], headers={"accept": "text/html"})

    def sign_in(self, login: str = "zhzf-1", **headers: str) -> httpx2.Response:
        form = {"login": login, "password": self.running.passwords[login], "next": "/directory"}
        return self.client.post(self.running.url + "/sign-in", data=form, headers=headers)


@pytest.fixture(scope="module", params=PREFIXES, ids=lambda prefix: prefix or "root")
def site(
    request: pytest.FixtureRequest, demo_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("proxied")
    shutil.copytree(demo_template, folder / "demo")
    with (folder / "demo/datasette.yml").open("a", encoding="utf-8") as settings:
        settings.write("plugins: {liandong: {quotas: {officers: {requests_per_minute: null}}}}\n")
    with behind_nginx(Instance.open(folder / "demo"), folder / "nginx", request.param) as (running, tls):
        trusted = ssl.create_default_context(cafile=str(tls.authority))
        with httpx2.Client(verify=trusted, trust_env=False, timeout=30) as client:
            yield Site(running, tls, request.param, client)


def query(site: Site, path: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    key = str(site.running.key_file)
    ca = str(site.tls.authority)
    return liandong("query", site.running.url + path, "--key", key, "--ca", ca, "--receipts", str(folder), *more)


def test_a_signed_query_through_nginx_is_answered_and_its_receipt_verifies(site: Site, tmp_path: Path) -> None:
    vkey = (site.running.instance.path / "log.vkey").read_text().strip()
    result = query(site, "/directory/resources.json?name__contains=许可&_size=1", tmp_path, "--vkey", vkey)
    assert result.returncode == 0, result.stderr
    assert "许可" in json.loads(result.stdout)["rows"][0]["name"] and "verified" in result.stderr
    (kept,) = tmp_path.iterdir()
    opened = json.loads(kept.read_text())["openings"]
    assert f'"@target-uri": {site.running.url}/directory/resources.json?' in opened["signature_base"]["value"]
    assert opened["query"]["value"].startswith(f"GET {site.prefix}/directory/resources.json?")


def test_without_the_authority_the_client_refuses_the_server(site: Site, tmp_path: Path) -> None:
    key = str(site.running.key_file)
    result = liandong("query", site.running.url + "/directory.json", "--key", key, "--receipts", str(tmp_path))
    assert result.returncode == 1 and "certificate" in result.stderr.lower() and "--ca" in result.stderr


ADDRESS_OF_THE_DATA = re.compile(r'<a href="https://files\.shifan\.example/[^"]*"')
LINK = re.compile(r'(href|src|action)="(?!#)([^"]*)"')


def kind_of(path: str) -> str:
    """Pages of one kind differ in numbers and in their queries."""
    return re.sub(r"[0-9]+", "*", path.partition("?")[0])


def test_every_link_of_every_page_lies_below_the_prefix_and_works(site: Site) -> None:
    """A walk over the pages that links lead to, three of each kind, as a signed-in officer."""
    assert site.sign_in().status_code == 302
    waiting, seen = ["/"], {"/"}
    while waiting:
        path = waiting.pop()
        response = site.get(path, accept="text/html,*/*")
        if response.status_code == 303:  # the purpose is asked first
            assert response.headers["location"].startswith(f"{site.prefix}/purpose?resource=")
            response = site.state_purpose(path)
        assert response.status_code in (200, 403), (path, response.status_code, response.text[:300])
        assert f"127.0.0.1:{site.running.port}" not in response.text, path
        if not response.headers["content-type"].startswith("text/html"):
            continue
        for kind, link in LINK.findall(ADDRESS_OF_THE_DATA.sub("", response.text)):
            assert link.startswith(f"{site.prefix}/") and not link.startswith(site.prefix * 2 or "//"), (path, link)
            below = html.unescape(link.removeprefix(site.prefix))
            alike = [each for each in seen if kind_of(each) == kind_of(below)]
            if below not in seen and len(alike) < 3 and kind != "action":
                seen.add(below)
                waiting.append(below)
    assert {"/directory", "/queries"} <= seen and len(seen) > 30


def test_datasettes_own_addresses_in_json_lie_below_the_prefix(site: Site) -> None:
    token = {"authorization": f"Bearer {site.running.token}"}
    response = site.get("/directory/resources.json?_size=2&_facet=category", **token)
    text = json.dumps(response.json()) + str(response.headers.get("link", ""))
    assert response.status_code == 200, response.text
    addresses = re.findall(r"https?://[^\"> ]+", text)
    assert addresses and all(address.startswith(f"{site.running.url}/directory/") for address in addresses)
    following = site.client.get(response.json()["next_url"], headers=token)
    assert following.status_code == 200 and following.json()["rows"] != response.json()["rows"]


def test_redirects_receipts_and_cookies_know_the_prefix(site: Site) -> None:
    site.client.cookies.clear()
    asked = site.get("/directory/resources?_size=1", accept="text/html")
    assert asked.headers["location"] == f"{site.prefix}/sign-in?next=/directory/resources%3F_size%3D1"
    signed_in = site.sign_in()
    assert signed_in.headers["location"] == f"{site.prefix}/directory"
    cookie = signed_in.headers["set-cookie"]
    name = "__Secure-liandong_session" if site.prefix else "__Host-liandong_session"
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert cookie.startswith(f"{name}=")
    assert {"httponly", "secure", "samesite=lax", f"path={site.prefix or '/'}"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    page = site.get("/directory", accept="text/html")
    assert page.status_code == 200
    assert page.headers["ledger-receipt"] == f"{site.prefix}/log/receipt/{page.headers['ledger-entry']}"
    receipt = site.client.get(site.origin + page.headers["ledger-receipt"])
    assert receipt.json()["openings"]["query"]["value"] == f"GET {site.prefix}/directory"
    if site.prefix:
        bare = site.client.get(site.origin + site.prefix)
        assert bare.status_code in (301, 308) and urlsplit(bare.headers["location"]).path == f"{site.prefix}/"


@pytest.mark.parametrize("sent", ["same-origin", None])
def test_signing_in_works_with_and_without_sec_fetch_site(site: Site, sent: str | None) -> None:
    more = {"sec-fetch-site": sent} if sent else {}
    assert site.sign_in(origin=site.origin, **more).status_code == 302


def test_signing_in_works_in_a_browser_that_sends_a_referer_alone(site: Site) -> None:
    assert site.sign_in(referer=f"{site.origin}{site.prefix}/sign-in?next=%2F").status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "https://localhost:1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://evil.example", "x-forwarded-host": "evil.example", "host": "evil.example"},
        {"referer": "https://evil.example/page"},
    ],
)
def test_a_form_from_elsewhere_is_refused(site: Site, headers: dict[str, str]) -> None:
    response = site.sign_in(**headers)
    assert response.status_code == 403 and "set-cookie" not in response.headers


def test_an_origin_of_the_inner_address_is_refused(site: Site) -> None:
    inner = f"http://localhost:{urlsplit(site.running.url).port}"
    assert site.sign_in(origin=inner).status_code == 403


def test_a_proxy_that_strips_the_prefix_is_refused_with_the_cure(demo: Instance, tmp_path: Path) -> None:
    with behind_nginx(demo, tmp_path / "nginx", "/liandong", stripped=True) as (running, tls):
        result = liandong(
            "query", running.url + "/directory.json", "--key", str(running.key_file), "--ca", str(tls.authority)
        )
        assert result.returncode == 1
        assert "404" in result.stderr and "proxy_pass" in result.stderr and "docs/guide/proxy.md" in result.stderr
        trusted = ssl.create_default_context(cafile=str(tls.authority))
        page = httpx2.get(running.url + "/", verify=trusted, headers={"accept": "text/html", "accept-language": "zh"})
        assert page.status_code == 404 and "端口之后不加任何内容" in page.text


@pytest.mark.parametrize("path", ["/work", "/directory/x", "/log", "/sign-in", "/queries/a"])
def test_a_prefix_that_is_an_address_of_the_service_is_refused(demo: Instance, path: str) -> None:
    demo.move_to(f"https://localhost{path}")
    result = liandong("serve", "-i", str(demo.path), "--port", str(free_port()))
    assert result.returncode == 2 and "choose another path" in result.stderr and "请换用其他路径" in result.stderr
