"""Several workers over one ledger: they share it, one that dies is replaced, and a stop loses nothing."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from catalog import grants, purpose_header
from catalog.service import Service
from ledger import Instance
from tests.conftest import PURPOSE, Served, add_token, free_port, liandong, serving
from tests.ledger.witness_support import Office, policy_of

PATH = "/work/permits.json?_size=2&town__exact=%E7%94%B2%E9%95%87"
GRANTED = "/work/penalties.json?_size=1"


@pytest.fixture
def two(demo: Instance, tmp_path: Path) -> Iterator[Served]:
    """A demonstration with two workers and an access log ``access.log``."""
    with serving(demo, "--workers", "2", "--access-log", str(tmp_path / "access.log")) as running:
        yield running


def workers_of(running: Served) -> set[int]:
    """The processes that answer; verification and the like are other children."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text(encoding="ascii")
    found = set()
    for pid in map(int, children.split()):
        with contextlib.suppress(OSError):
            if b"catalog.serving.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what is about to come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def log_lines(running: Served) -> list[dict[str, Any]]:
    text = running.instance.path.with_name("access.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def entries_of(instance: Instance) -> list[dict[str, Any]]:
    with instance.ledger() as ledger:
        return ledger.newest(100_000)[::-1]


@dataclass
class Load:
    """Clients that ask one thing after another on connections of their own; a broken connection is made anew."""

    running: Served
    clients: int = 6
    answered: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    broken: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        host = self.running.url.removeprefix("http://")
        headers = {"authorization": f"Bearer {self.running.token}"}
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(host, timeout=30)
            try:
                for _ in itertools.takewhile(lambda _: not self._stop.is_set(), range(20)):
                    connection.request("GET", PATH, headers=headers)
                    response = connection.getresponse()
                    body = response.read()
                    if response.status == 200 and json.loads(body)["ok"]:
                        self.answered.append(int(response.headers["ledger-entry"]))
                    else:
                        self.refused.append(response.status)
            except (OSError, http.client.HTTPException):
                self.broken += 1
            finally:
                connection.close()


def test_two_workers_share_one_ledger_and_all_entries_verify(two: Served) -> None:
    before = len(entries_of(two.instance))
    with Load(two) as load:
        until(lambda: len(load.answered) >= 120)
    assert load.refused == [] and load.broken == 0
    until(lambda: len(log_lines(two)) == len(load.answered))  # a line is written when its answer was sent
    assert {line["worker"] for line in log_lines(two)} == workers_of(two)
    assert sorted(line["entry"] for line in log_lines(two)) == sorted(load.answered)

    entries = entries_of(two.instance)
    assert len(set(load.answered)) == len(load.answered) == len(entries) - before
    assert {entries[seq]["kind"] for seq in load.answered} == {"query.served"}
    assert liandong("ledger", "verify", "-i", str(two.instance.path)).returncode == 0


def test_a_killed_worker_is_replaced_under_load_and_nothing_acknowledged_is_lost(two: Served) -> None:
    first = workers_of(two)
    assert len(first) == 2
    with Load(two) as load:
        until(lambda: len(load.answered) >= 40)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(workers_of(two) - first) == 1)
        after = len(load.answered)
        until(lambda: len(load.answered) >= after + 40)
    assert load.refused == []
    assert victim not in workers_of(two) and len(workers_of(two)) == 2
    entries = entries_of(two.instance)
    assert len(set(load.answered)) == len(load.answered)
    assert all(entries[seq]["kind"] == "query.served" for seq in load.answered)
    assert liandong("ledger", "verify", "-i", str(two.instance.path)).returncode == 0
    said = two.output.read_text(encoding="utf-8")
    assert f"worker {victim} ended unasked (signal 9) and is being replaced" in said
    assert f"工作进程 {victim} 意外结束（信号 9）" in said
    newcomer = (workers_of(two) - first).pop()
    until(lambda: asked_of(two, newcomer))


def asked_of(running: Served, worker: int) -> bool:
    """Whether ``worker`` answered a request on a new connection."""
    httpx2.get(f"{running.url}/healthz")
    return any(line["worker"] == worker for line in log_lines(running))


@contextlib.contextmanager
def locked(instance: Instance) -> Iterator[Callable[[], None]]:
    """Keep the ledger's write lock, as another program might; gives what lets go of it."""
    db = sqlite3.connect(instance.ledger_path, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield lambda: db.execute("ROLLBACK")
    finally:
        db.close()


@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_and_records_what_was_begun(demo: Instance, count: str, number: signal.Signals) -> None:
    """Requests that wait for their entry when the signal comes are answered, and the service then ends well."""
    watch = add_token(demo, "sfj", "watch")
    with serving(demo, "--workers", count) as running:
        before = len(entries_of(demo))
        with locked(demo) as let_go:
            answers: list[httpx2.Response] = []
            askers = [threading.Thread(target=lambda: answers.append(ask(running))) for _ in range(6)]
            for asker in askers:
                asker.start()
            until(lambda: waiting(running, watch) == len(askers))
            running.process.send_signal(number)
            time.sleep(0.3)
            let_go()
            for asker in askers:
                asker.join()
        assert running.process.wait(timeout=60) == 0
    assert [answer.status_code for answer in answers] == [200] * 6
    entries = entries_of(demo)
    assert sorted(int(answer.headers["ledger-entry"]) for answer in answers) == list(range(before, len(entries)))
    with pytest.raises(httpx2.ConnectError):
        ask(running)


def waiting(running: Served, token: str) -> int:
    """How many requests wait for their entry, as ``/metrics`` says."""
    answer = httpx2.get(f"{running.url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=30)
    found = re.search(r"^liandong_append_waiting (\S+)$", answer.text, re.MULTILINE)
    assert found is not None, answer.text
    return int(float(found[1]))


def ask(running: Served, path: str = PATH) -> httpx2.Response:
    return httpx2.get(running.url + path, headers={"authorization": f"Bearer {running.token}"}, timeout=30)


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_second_signal_ends_it_at_once(demo: Instance, count: str) -> None:
    with serving(demo, "--workers", count) as running, locked(demo):
        children = workers_of(running)
        asker = threading.Thread(target=broken, args=(running,))
        asker.start()
        time.sleep(0.5)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=60) == -signal.SIGTERM
        until(lambda: not any(alive(pid) for pid in children))
        asker.join()
    assert liandong("ledger", "verify", "-i", str(demo.path)).returncode == 0


def broken(running: Served) -> None:
    with contextlib.suppress(httpx2.HTTPError):
        ask(running)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def test_workers_do_not_outlive_their_parent(two: Served) -> None:
    children = workers_of(two)
    two.process.kill()
    two.process.wait()
    until(lambda: not any(alive(pid) for pid in children))
    with pytest.raises(httpx2.ConnectError):
        ask(two)


def test_a_revocation_holds_in_every_worker_on_its_next_request(two: Served) -> None:
    host = two.url.removeprefix("http://")
    headers = {"authorization": f"Bearer {two.token}", purpose_header.NAME: PURPOSE}
    connections = [http.client.HTTPConnection(host, timeout=30) for _ in range(16)]
    statuses: Counter[int] = Counter()
    for connection in connections:
        connection.request("GET", GRANTED, headers=headers)
        response = connection.getresponse()
        response.read()
        statuses[response.status] += 1
    assert statuses == {200: 16}
    assert {line["worker"] for line in log_lines(two)} == workers_of(two)

    service = Service.open(two.instance)
    row = service.register.one("SELECT id FROM grants WHERE grantee = 'zhzf' AND table_name = 'penalties'")
    assert row is not None
    grants.revoke(service.register, service.ledger, row["id"], "演示：撤回")
    service.close()

    for connection in connections:  # the very next request of each, on connections that were there before
        connection.request("GET", GRANTED, headers=headers)
        response = connection.getresponse()
        assert response.status == 403 and "示例" not in response.read().decode()
        connection.close()


def test_witnesses_are_asked_by_the_parent_alone(demo: Instance, tmp_path: Path) -> None:
    office = Office.make(tmp_path / "witness", 0, (demo.verifier_key(),))
    (demo.path / "witnesses.policy").write_bytes(policy_of(demo.verifier_key(), [office]))
    office.start()
    try:
        with serving(demo, "--workers", "3") as running:
            assert ask(running).status_code == 200
    finally:
        office.stop()
    assert len([entry for entry in entries_of(demo) if entry["kind"] == "checkpoint.anchored"]) == 1


def test_what_keeps_a_service_from_starting_is_said_once_and_ends_it(demo: Instance, tmp_path: Path) -> None:
    started = start(demo, "--workers", "2", "--access-log", str(tmp_path))
    assert started.returncode == 2 and "Traceback" not in started.stderr
    assert "the access log" in started.stderr and "访问日志" in started.stderr
    (demo.path / "work.db").unlink()
    shutil.copyfile(demo.path / "datasette.yml", demo.path / "work.db")
    started = start(demo, "--workers", "2")
    assert started.returncode != 0 and "Traceback" not in started.stderr


def start(instance: Instance, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "catalog", "serve", "-i", str(instance.path), "--port", str(free_port())]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
