"""Alive, ready and watched: what a load balancer, an operator and Prometheus are told, and who is told it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from catalog.serving.readiness import SAME_ANSWER_S
from catalog.serving.verifying import Verified, make_run_folder
from ledger import Instance
from ledger.witnessing import OVERDUE
from tests.catalog.test_serving_workers import ask, locked, until, workers_of
from tests.conftest import InProcess, Served, add_token, in_process, serving
from tests.ledger.witness_support import Office, policy_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    make_run_folder(demo.path)
    async with in_process(demo) as running:
        yield running


def readyz(url: str) -> tuple[int, dict[str, Any]]:
    response = httpx2.get(f"{url}/readyz", timeout=30)
    return response.status_code, response.json()


def reasons(body: dict[str, Any]) -> dict[str, str]:
    return {reason["what"]: reason["zh"] + reason["en"] for reason in body["reasons"]}


# -- alive and ready --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_locked_ledger_makes_a_service_unready_and_not_dead(demo: Instance, count: str) -> None:
    with serving(demo, "--workers", count) as running:
        status, body = readyz(running.url)
        assert (status, body["ready"], body["ledger"], body["register"]) == (
            200,
            True,
            {"writable": True},
            {"readable": True},
        )
        with locked(demo) as let_go:
            time.sleep(SAME_ANSWER_S)
            status, body = readyz(running.url)
            assert (status, body["ready"], body["ledger"]) == (503, False, {"writable": False})
            assert "locked" in reasons(body)["ledger"] and "目前无法写入" in reasons(body)["ledger"]
            assert httpx2.get(f"{running.url}/healthz").status_code == 200
            let_go()
        until(lambda: readyz(running.url)[0] == 200)


def test_asking_adds_no_entry_and_shows_no_datum(demo: Instance) -> None:
    with serving(demo) as running:
        until(lambda: readyz(running.url)[1]["verification"] is not None)
        before = httpx2.get(f"{running.url}/log/checkpoint").content
        status, body = readyz(running.url)
        assert httpx2.get(f"{running.url}/log/checkpoint").content == before
        healthz = httpx2.get(f"{running.url}/healthz")
        assert (healthz.text, healthz.headers["cache-control"]) == ("ok\n", "no-store")
    assert status == 200
    assert set(body) == {"ready", "at", "ledger", "register", "verification", "witnesses", "reasons", "warnings"}
    assert set(body["verification"]) == {"ok", "at", "whole_at", "size"}


@pytest.mark.anyio
async def test_a_register_that_cannot_be_read_makes_it_unready(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.identity_path, isolation_level=None)) as db:
        db.execute("ALTER TABLE agencies RENAME TO elsewhere")
    response = await app.client.get("/readyz")
    assert response.status_code == 503
    assert "register" in reasons(response.json()) and "身份库" in reasons(response.json())["register"]


def test_an_altered_entry_is_found_told_and_recorded(demo: Instance) -> None:
    with closing(sqlite3.connect(demo.ledger_path, isolation_level=None)) as db:
        (trigger,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'entries_no_update'").fetchone()
        db.execute("DROP TRIGGER entries_no_update")
        change = ('"t":"2026', '"t":"2025', 20)
        db.execute("UPDATE entries SET entry = replace(entry, ?, ?) WHERE seq = ?", change)
        db.execute(trigger)
    with serving(demo) as running:
        until(lambda: readyz(running.url)[0] == 503)
        body = readyz(running.url)[1]
        assert body["verification"]["ok"] is False
        assert "entry 20" in reasons(body)["verification"] and "台账被改动或已损坏" in reasons(body)["verification"]
        until(lambda: ask(running, "/directory.json").status_code == 200)  # it goes on answering, and recording
        until(lambda: "entry 20" in running.output.read_text(encoding="utf-8"))
    with demo.ledger() as ledger:
        faults = [entry for entry in ledger.newest(100) if entry["kind"] == "fault.raised"]
    assert [fault["what"] for fault in faults] == ["verify.failed"] and "20" in faults[0]["observed"]


def test_the_next_verification_reads_only_what_is_new(demo: Instance) -> None:
    with serving(demo) as running:
        until(lambda: Verified.load(demo) is not None)
        ask(running)
    first = Verified.load(demo)
    with serving(demo):
        until(lambda: Verified.load(demo) != first)
    second = Verified.load(demo)
    assert first is not None and second is not None
    assert second.ok and second.size == first.size + 1
    assert second.whole_at == first.whole_at, "only the first one read everything"


@pytest.mark.anyio
async def test_a_verification_that_could_not_be_done_is_a_warning(app: InProcess) -> None:
    Verified(True, "2026-01-05T00:00:00+00:00", "", 3, "it could not be read", "无法读取").save(app.service.instance)
    response = await app.client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["warnings"] == [{"what": "verification", "zh": "无法读取", "en": "it could not be read"}]


@pytest.mark.anyio
async def test_overdue_witnesses_are_a_warning_with_the_age_of_what_waits(app: InProcess, tmp_path: Path) -> None:
    instance = app.service.instance
    office = Office.make(tmp_path / "witness", 0, (instance.verifier_key(),))
    (instance.path / "witnesses.policy").write_bytes(policy_of(instance.verifier_key(), [office]))
    fresh = (await app.client.get("/readyz")).json()
    assert fresh["witnesses"]["size"] == 0 and fresh["warnings"] == []
    now = app.service.now
    app.service.now = lambda: now() + OVERDUE + timedelta(minutes=30)
    await asyncio.sleep(SAME_ANSWER_S)
    late = await app.client.get("/readyz")
    assert late.status_code == 200, "recording goes on without witnesses"
    assert late.json()["witnesses"]["waiting_s"] > OVERDUE.total_seconds()
    (warning,) = late.json()["warnings"]
    hours = late.json()["witnesses"]["waiting_s"] / 3600  # the demonstration is as old as this run of the tests
    assert warning["what"] == "witnesses" and "见证" in warning["zh"] and f"{hours:.1f} hours" in warning["en"]


# -- figures ----------------------------------------------------------------------------------------------------------


def scrape(running: Served, token: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    response = httpx2.get(f"{running.url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=30)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def requests(figures: dict[Any, float], route: str, status: str = "2xx") -> float:
    return figures.get(("liandong_http_requests_total", (("route", route), ("status", status))), 0)


@pytest.mark.parametrize("count", ["1", "2"])
def test_figures_are_for_supervisors_and_cover_all_workers(demo: Instance, count: str) -> None:
    token = add_token(demo, "sfj", "watch")
    with serving(demo, "--workers", count) as running:
        anonymous, agency = httpx2.get(f"{running.url}/metrics"), ask(running, "/metrics")
        assert (anonymous.status_code, agency.status_code) == (401, 403)
        assert "liandong_" not in anonymous.text + agency.text.replace("liandong_session", "")
        for _ in range(12):
            assert ask(running).status_code == 200
        wrong = {"authorization": "Bearer ld_no"}
        assert httpx2.get(f"{running.url}/directory.json", headers=wrong).status_code == 401
        assert httpx2.get(f"{running.url}/work/penalties.json?party=秘密").status_code == 401
        figures = scrape(running, token)
        with demo.ledger() as ledger:
            size = ledger.newest(1)[0]["seq"] + 1
    assert requests(figures, "table") == 12
    assert requests(figures, "table", "4xx") == 1
    assert figures[("liandong_http_request_duration_seconds_count", (("route", "table"),))] == 13
    assert figures[("liandong_auth_failures_total", (("auth", "token"),))] == 1
    assert figures[("liandong_append_duration_seconds_count", ())] == 12
    assert figures[("liandong_commit_duration_seconds_count", ())] == 12
    assert figures[("liandong_append_waiting", ())] == 0
    assert figures[("liandong_process_starts_total", ())] == int(count)
    assert figures[("liandong_ledger_entries", ())] == size
    assert figures[("liandong_ready", ())] == 1
    labels = {value for name, pairs in figures for _, value in pairs}
    assert not any("秘密" in label or "/" in label or "?" in label for label in labels)


def test_the_counts_of_a_dead_worker_stay(demo: Instance) -> None:
    token = add_token(demo, "sfj", "watch")
    with serving(demo, "--workers", "2") as running:
        for _ in range(10):
            ask(running)
        before = workers_of(running)
        until(lambda: requests(scrape(running, token), "table") == 10)  # an answer is counted once it has been sent
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(workers_of(running) - before) == 2)
        until(lambda: answers(running))
        figures = scrape(running, token)
    assert requests(figures, "table") == 10
    assert figures[("liandong_process_starts_total", ())] == 4


def answers(running: Served) -> bool:
    try:
        return httpx2.get(f"{running.url}/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


# -- the access log ---------------------------------------------------------------------------------------------------


def test_the_access_log_says_who_and_which_route_and_nothing_of_what_was_asked(demo: Instance, tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with serving(demo, "--access-log", str(file)) as running:
        asked = ask(running, "/work/permits.json?town__exact=甲镇&_size=1")
        assert asked.status_code == 200
        assert ask(running, "/work/penalties.json?party_name=某某某").status_code == 400
        httpx2.post(f"{running.url}/sign-in", data={"login": "zhzf-1", "password": "wrong-password"})
        httpx2.get(f"{running.url}/nowhere/%E7%A7%98%E5%AF%86?q=秘密")
        httpx2.request("BREW", f"{running.url}/directory.json")
        until(lambda: len(file.read_bytes().splitlines()) == 5)
    text = file.read_text(encoding="utf-8")
    table, private, sign_in, nowhere, strange = map(json.loads, text.splitlines())
    assert (
        table.items()
        >= {
            "method": "GET",
            "route": "table",
            "status": 200,
            "size_bytes": len(asked.content),
            "agency": "zhzf",
            "auth": "token",
            "entry": int(asked.headers["ledger-entry"]),
        }.items()
    )
    assert set(table) == {
        "time", "method", "route", "status", "elapsed_us", "size_bytes", "agency", "auth", "entry", "worker"
    }  # fmt: skip
    assert table["elapsed_us"] > 0 and table["time"].endswith("Z")
    assert (private["route"], private["status"]) == ("table", 400)
    assert (sign_in["route"], sign_in["status"]) == ("sign-in", 401)
    assert (nowhere["route"], nowhere["status"]) == ("none", 401)
    assert (strange["method"], strange["route"]) == ("OTHER", "none")
    secrets = (
        "甲镇",
        "town",
        "某某某",
        "party",
        "?",
        "秘密",
        "%E7",
        "zhzf-1",
        "wrong-password",
        running.token,
        "/work",
    )
    for secret in secrets:
        assert secret not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_access_log_follows_its_name_when_it_is_rotated(demo: Instance, tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with serving(demo, "--access-log", str(file)) as running:
        httpx2.get(f"{running.url}/healthz")
        until(lambda: file.read_bytes() != b"")
        file.rename(tmp_path / "access.log.1")

        def asked_again() -> bool:
            httpx2.get(f"{running.url}/healthz")
            return file.exists() and file.read_bytes() != b""

        until(asked_again)


def test_a_log_that_cannot_be_written_costs_lines_not_answers(demo: Instance) -> None:
    with serving(demo, "--access-log", "/dev/full") as running:
        assert [ask(running).status_code for _ in range(3)] == [200] * 3
        said = running.output.read_text(encoding="utf-8")
    assert said.count("访问日志无法写入") == 1


def test_the_access_log_may_go_to_standard_output(demo: Instance) -> None:
    with serving(demo, "--workers", "2", "--access-log", "-") as running:
        connection = http.client.HTTPConnection(running.url.removeprefix("http://"))
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        connection.close()
        until(lambda: '"route":"healthz"' in running.output.read_text(encoding="utf-8"))


def test_the_guide_names_every_figure(demo: Instance) -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/serving.md").read_text(encoding="utf-8")
    token = add_token(demo, "sfj", "watch")
    with serving(demo) as running:
        until(lambda: Verified.load(demo) is not None)
        response = httpx2.get(f"{running.url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=30)
    families = [family for family in text_string_to_metric_families(response.text) if family.type != "unknown"]
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert len(names) >= 12
    assert [name for name in sorted(names) if name not in guide and not name.endswith("_created")] == []
