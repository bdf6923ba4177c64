"""A served instance, over real HTTP: the lines of a table's page as printed, quotas over workers, slow clients."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from catalog import http
from ledger import Instance, Receipt
from tests.catalog.test_single_file_clients import CLIENTS
from tests.conftest import InProcess, Running, in_process, serving

PERMITS = "/api/query/work/permits"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# -- as printed ---------------------------------------------------------------------------------------------------


def section(running: Running, path: str) -> dict[str, str]:
    """The lines of the API section of a table's page, by id."""
    with httpx2.Client(base_url=running.url, trust_env=False) as client:
        client.post("/sign-in", data={"login": "zhzf-1", "password": running.passwords["zhzf-1"]})
        page = client.get(f"/query{path}", headers={"accept": "text/html"})
        assert page.status_code == 200, page.text
    found = re.findall(r'<pre class="code" id="api-([a-z-]+)"[^>]*>(.*?)</pre>', page.text, re.S)
    return {name: unescape(text) for name, text in found}


def shell(lines: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eu", "-c", lines],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "*", **environment},
        timeout=120,
    )


@pytest.mark.parametrize("path", ["/work/penalties", "/work/permits", "/directory/resources"])
def test_the_lines_of_a_tables_page_work_as_printed(running: Running, path: str, tmp_path: Path) -> None:
    lines = section(running, path)
    shutil.copyfile(CLIENTS / "python/liandong_query.py", tmp_path / "liandong_query.py")
    shutil.copyfile(running.key_file, tmp_path / "KEY.pem")
    (tmp_path / "KEY.pem").chmod(0o600)
    for command in ("curl", "python", "liandong"):
        result = shell(f"{lines['question']}\n{lines[command]}", tmp_path, LIANDONG_TOKEN=running.token)
        assert result.returncode == 0, result.stderr
        value = json.loads(result.stdout)
        assert value["ok"] is True, value
        assert len(value["rows"]) == 2
    if "batch" in lines:
        result = shell(f"{lines['batch']}\n{lines['batch-curl']}", tmp_path, LIANDONG_TOKEN=running.token)
        value = json.loads(result.stdout)
        assert value["ok"] is True, value
        Receipt.from_json(value["receipt"]).verify(running.instance.verifier_key())


def test_the_digest_of_an_answer_is_made_with_head_and_sha256sum(running: Running, tmp_path: Path) -> None:
    lines = section(running, "/work/permits")
    ask = f"{lines['question']}\n{lines['curl']} > answer.json\nhead -n 1 answer.json | tr -d '\\n' | sha256sum"
    result = shell(ask, tmp_path, LIANDONG_TOKEN=running.token)
    assert result.returncode == 0, result.stderr
    path = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))["ledger"]["receipt"]
    receipt = httpx2.get(
        running.url + path, headers={"authorization": f"Bearer {running.token}"}, trust_env=False
    ).json()
    assert result.stdout.split()[0] == receipt["openings"]["answer_sha256"]["value"]


# -- quotas ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limited(folder: Path, quotas: str, *options: str) -> Iterator[Running]:
    with (folder / "datasette.yml").open("a", encoding="utf-8") as file:
        file.write(f"plugins: {{liandong: {{quotas: {quotas}}}}}\n")
    with serving(Instance.open(folder), *options) as running:
        yield running


@pytest.fixture
def folder(demo_template: Path, tmp_path: Path) -> Path:
    shutil.copytree(demo_template, tmp_path / "demo")
    return tmp_path / "demo"


def ask(running: Running, count: int) -> list[Any]:
    """So many requests, each by a connection of its own, so that the workers share them."""
    headers = {"authorization": f"Bearer {running.token}"}
    return [
        httpx2.post(running.url + PERMITS, json={"limit": 1}, headers=headers, trust_env=False) for _ in range(count)
    ]


def test_two_workers_keep_one_quota(folder: Path) -> None:
    quotas = "{systems: {requests_per_minute: 12}}"
    with limited(folder, quotas, "--workers", "2") as running:
        answers = ask(running, 40)
        statuses = [answer.status_code for answer in answers]
        # A minute may have ended in between: then both have their number at most (exactly: test_quotas.py).
        assert 12 <= statuses.count(200) <= 24
        assert set(statuses) == {200, 429}
        last = next(answer for answer in answers if answer.status_code == 429)
        assert 1 <= int(last.headers["retry-after"]) <= 60
        body = last.json()
        assert (body["code"], body["status"]) == ("quota_requests", 429)
        assert str(body["retry_after_seconds"]) == last.headers["retry-after"]
        assert body["error_zh"] != body["error_en"]
        # An officer of the same agency asks on, and pages that give no rows are not counted.
        with httpx2.Client(base_url=running.url, trust_env=False) as client:
            client.post("/sign-in", data={"login": "zhzf-1", "password": running.passwords["zhzf-1"]})
            assert client.post(PERMITS, json={"limit": 1}).status_code == 200
        token = {"authorization": f"Bearer {running.token}"}
        assert httpx2.get(running.url + "/work.json", headers=token, trust_env=False).status_code == 200
    with Instance.open(folder).ledger() as ledger:
        failed = ledger.newest(1_000, where={"kind": "query.failed"})
    refused = [entry for entry in failed if entry["status"] == 429]
    assert {entry["reason"] for entry in refused} == {"quota_requests"}
    assert 1 <= len(refused) <= 2  # the first of each minute


def test_rows_of_all_ways_count_together(folder: Path) -> None:
    quotas = "{systems: {rows_per_day: 60}}"
    with limited(folder, quotas) as running:
        token = {"authorization": f"Bearer {running.token}"}
        one = httpx2.get(running.url + "/work/permits.json?_size=50", headers=token, trust_env=False)
        two = httpx2.post(running.url + PERMITS, json={"limit": 50}, headers=token, trust_env=False)
        assert (one.status_code, two.status_code) == (200, 200)
        for method, path, body in (
            ("POST", PERMITS, {"limit": 1}),
            ("GET", "/work/permits.json", None),
            ("GET", "/work/permits.csv", None),
            ("GET", "/work/permits/1.json", None),
            ("POST", "/api/query/batch", {"lookups": []}),
        ):
            answer = httpx2.request(method, running.url + path, json=body, headers=token, trust_env=False)
            assert (answer.status_code, answer.json()["code"]) == (429, "quota_rows"), path
            assert int(answer.headers["retry-after"]) > 0


def test_a_wrong_setting_is_told_before_anything_is_served(folder: Path) -> None:
    with (folder / "datasette.yml").open("a", encoding="utf-8") as file:
        file.write("plugins: {liandong: {quotas: {systems: {requests_per_minute: -1}}}}\n")
    command = [sys.executable, "-m", "catalog", "serve", "-i", str(folder), "--port", "1"]
    result = subprocess.run([*command[:-1], str(_free())], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    assert "requests_per_minute" in result.stderr
    assert "Traceback" not in result.stderr


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- slow clients ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_body_that_comes_drop_by_drop_is_given_up(demo: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.05)

    async def drops() -> Any:
        import asyncio

        yield b"{"
        await asyncio.sleep(30)
        yield b"}"

    async with in_process(demo) as app:
        response = await _post(app, drops())
        assert (response.status_code, response.json()["status"]) == (408, 408)


async def _post(app: InProcess, content: Any) -> Any:
    return await app.client.post(PERMITS, content=content, headers={**app.bearer(), "content-type": "application/json"})


def test_a_client_that_sends_nothing_more_is_given_up_over_a_socket(running: Running) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(http.BODY_SECONDS + 30)
        connection.sendall(
            b"POST /api/query/work/permits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")
