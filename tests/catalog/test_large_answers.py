"""A hundred megabytes in one answer: the memory it takes, a reader who leaves, a crash before the first byte."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog.purpose_header import NAME
from catalog.spool import CHUNK_BYTES
from ledger import Instance
from tests.catalog.answer_child import PURPOSE
from tests.conftest import Running, credentials, serving

ROWS, ROW_BYTES = 80_000, 1_200
PATH = "/work/penalties.csv?_stream=1&_dl=1"


@pytest.fixture(scope="module")
def large(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """The demonstration with 80,000 rows of penalties, 100 MB as CSV."""
    folder = tmp_path_factory.mktemp("large") / "demo"
    shutil.copytree(demo_template, folder)
    instance = Instance.open(folder)
    with closing(sqlite3.connect(instance.database_path("work"))) as connection, connection:
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO penalties (document_no, facts, _batch) "
            "SELECT '示演大字〔2026〕' || i || '号', printf('%.*c', ?, 'x'), 1 FROM n",
            (ROWS, ROW_BYTES),
        )
    return instance


@pytest.fixture(scope="module")
def served(large: Instance) -> Iterator[Running]:
    with serving(large) as running:
        yield running


def child(instance: Instance, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.catalog.answer_child", str(instance.path), credentials(instance)["token"]]
    return subprocess.run([*command, PATH, *more], capture_output=True, text=True, timeout=300, check=False)


def entries(instance: Instance) -> list[dict[str, Any]]:
    with instance.ledger() as ledger:
        return ledger.newest(3)


def test_memory_does_not_grow_with_the_answer_and_the_entry_is_of_all_of_it(large: Instance) -> None:
    done = child(large)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["status"] == 200
    assert found["size_bytes"] > ROWS * ROW_BYTES
    # A page of a thousand rows in several forms, a piece of the spool, and what the allocator keeps: not the answer.
    assert found["grew_kb"] * 1024 < found["size_bytes"] / 4, found
    entry, *_ = entries(large)
    assert (entry["rows"], entry["size_bytes"]) == (ROWS + 160, found["size_bytes"])
    with large.ledger() as ledger:
        assert ledger.receipt(entry["seq"], with_openings=True).openings["answer_sha256"].value == found["sha256"]
    assert list((large.path / "spool").iterdir()) == []


def test_a_crash_between_entry_and_answer_leaves_the_entry(large: Instance) -> None:
    before = entries(large)[0]["seq"]
    done = child(large, "crash")
    assert done.returncode == 9
    first, *_ = entries(large)
    assert first["seq"] == before + 2  # the query that warmed it up, and the one that crashed
    assert (first["kind"], first["status"], first["rows"]) == ("query.served", 200, ROWS + 160)
    assert list((large.path / "spool").iterdir()) == []


def test_a_reader_who_leaves_in_the_middle_leaves_the_entry(served: Running) -> None:
    request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
    request += f"{NAME}: {PURPOSE}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=300) as connection:
        connection.sendall(request.encode())
        begun = connection.recv(CHUNK_BYTES)
    assert begun.startswith(b"HTTP/1.1 200")
    headers = dict(
        line.lower().split(": ", 1) for line in begun.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    )
    with closing(sqlite3.connect(f"file:{served.instance.ledger_path}?mode=ro", uri=True)) as ledger:
        (raw,) = ledger.execute("SELECT entry FROM entries WHERE seq = ?", (headers["ledger-entry"],)).fetchone()
    entry = json.loads(raw)
    assert (entry["kind"], entry["size_bytes"]) == ("query.served", int(headers["content-length"]))
    for _ in range(100):  # what it held is given back: four more fit beside each other
        if not open_spools(served):
            break
        time.sleep(0.1)
    assert open_spools(served) == []


def open_spools(served: Running) -> list[str]:
    """The spools that some process holds open."""
    held = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            targets = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:  # gone, or not ours
            continue
        held += [target for target in targets if target.startswith(str(served.instance.path / "spool"))]
    return held
