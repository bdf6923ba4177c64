"""The umbrella command: starting, reusing, and every clear refusal."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import yaml

from ledger import Instance
from ledger.rules import RuleDataError, shape
from ledger.rules.clauses import read_document
from tests.conftest import free_port, liandong, serving


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command said what is wrong in both languages, with the right exit code and no traceback."""
    assert result.returncode == code, result.stderr
    assert "错误：" in result.stderr
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("command", [("serve",), ("ledger", "verify"), ("ledger", "vkey"), ("ledger", "prove", "0")])
def test_a_missing_instance_is_a_usage_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused(liandong(*command, "-i", str(tmp_path / "none")), 2, "liandong init")


def test_an_instance_of_a_newer_version_is_refused(demo: Instance) -> None:
    file = demo.path / "instance.yml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "layout": 99}))
    refused(liandong("serve", "-i", str(demo.path)), 2, "newer version")
    refused(liandong("ledger", "verify", "-i", str(demo.path)), 2, "newer version")


def test_a_port_in_use_is_a_usage_error(demo: Instance) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(liandong("serve", "-i", str(demo.path), "--port", port), 2, port, "--port")
        refused(liandong("demo", str(demo.path), "--port", port), 2, port)


def test_an_address_of_another_machine_is_a_usage_error(demo: Instance) -> None:
    refused(liandong("serve", "-i", str(demo.path), "--host", "192.0.2.1", "--port", "8001"), 2, "--host")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    refused(liandong("demo", str(tmp_path), "--create-only"), 2, "nothing was changed")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    refused(liandong("init", str(tmp_path), "--county", "甲县", "--origin", "a.example/x"), 2, "nothing was changed")


def test_a_damaged_register_is_said_plainly(demo: Instance) -> None:
    demo.identity_path.unlink()
    refused(liandong("serve", "-i", str(demo.path), "--port", str(free_port())), 2, "identity.db")
    demo.identity_path.write_bytes(b"not a database" * 100)
    refused(liandong("serve", "-i", str(demo.path), "--port", str(free_port())), 2, "identity.db")


@pytest.mark.parametrize("name", ["datasette.yml", "metadata.yml"])
@pytest.mark.parametrize("content", [None, "a: [", "- 1"])
def test_missing_or_broken_configuration_is_said_plainly(demo: Instance, name: str, content: str | None) -> None:
    (demo.path / name).unlink() if content is None else (demo.path / name).write_text(content)
    refused(liandong("serve", "-i", str(demo.path), "--port", str(free_port())), 2, name)


def test_a_copy_without_keys_can_be_verified(demo: Instance) -> None:
    shutil.rmtree(demo.path / "keys")
    assert liandong("ledger", "verify", "-i", str(demo.path)).returncode == 0
    (demo.path / "log.vkey").unlink()
    refused(liandong("ledger", "verify", "-i", str(demo.path)), 2, "--vkey")


def test_an_exchanged_table_or_a_missing_guard_is_found(demo: Instance) -> None:
    connection = sqlite3.connect(demo.ledger_path, isolation_level=None)
    connection.execute("CREATE TRIGGER x AFTER INSERT ON once BEGIN DELETE FROM once; END")
    connection.close()
    refused(liandong("ledger", "verify", "-i", str(demo.path)), 1, "trigger 'x'")
    refused(liandong("serve", "-i", str(demo.path), "--port", str(free_port())), 1, "trigger 'x'")


def test_the_demonstration_is_made_once_and_reused(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    first = liandong("demo", str(folder), "--create-only")
    assert first.returncode == 0, first.stderr
    before = (folder / "demo/credentials.json").read_bytes()
    again = liandong("demo", str(folder), "--create-only")
    assert "reusing" in again.stdout
    assert (folder / "demo/credentials.json").read_bytes() == before
    assert liandong("ledger", "verify", "-i", str(folder)).returncode == 0


def test_init_makes_an_instance_that_serves_nothing_yet_and_verifies(tmp_path: Path) -> None:
    folder = tmp_path / "county"
    made = liandong(
        "init", str(folder), "--county", "甲县", "--county-en", "County A", "--origin", "a.example/liandong"
    )
    assert made.returncode == 0, made.stderr
    assert "a.example/liandong+" in made.stdout
    assert "源政办发〔2021〕19号 三(四) 已于 2026-11-19 失效" in made.stdout
    offered = folder / "rules/query-standard.yml"
    assert f"liandong rules adopt {offered}" in made.stdout
    told = liandong("rules", "show", "-i", str(folder)).stdout
    assert "local.query" not in told and "d809.26" in told
    # As it stands it cannot be adopted: its number and first day are the county's to give.
    with pytest.raises(RuleDataError, match="number is missing"):
        read_document(shape.read_yaml(offered.read_text(encoding="utf-8"), "offered"), "offered")
    assert liandong("ledger", "verify", "-i", str(folder)).returncode == 0
    with serving_plain(folder) as url:
        assert httpx2.get(f"{url}/sign-in", trust_env=False).status_code == 200


class serving_plain:
    """An instance without demonstration credentials, served."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = Instance.open(folder).move_to(f"http://127.0.0.1:{port}").settings.public_url
        self._process = subprocess.Popen(
            [sys.executable, "-m", "catalog", "serve", "-i", str(folder), "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def __enter__(self) -> str:
        assert self._process.stdout is not None
        assert "serving" in self._process.stdout.readline()
        return self.url

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def test_a_served_instance_stops_cleanly_and_verifies(demo: Instance) -> None:
    with serving(demo) as running:
        headers = {"authorization": f"Bearer {running.token}"}
        for _ in range(5):
            assert httpx2.get(f"{running.url}/directory.json", headers=headers, trust_env=False).status_code == 200
    assert not (demo.path / "ledger.db-wal").exists()  # SQLite's last writer closed it
    result = liandong("ledger", "verify", "-i", str(demo.path))
    assert result.returncode == 0, result.stderr


def test_verify_before_and_after_a_flipped_byte(demo: Instance) -> None:
    assert liandong("ledger", "verify", "-i", str(demo.path)).returncode == 0
    connection = sqlite3.connect(demo.ledger_path, isolation_level=None)
    connection.execute("DROP TRIGGER entries_no_update")
    connection.execute("UPDATE entries SET entry = replace(entry, 'jtys', 'jtyz') WHERE seq = 4")
    connection.close()
    refused(liandong("ledger", "verify", "-i", str(demo.path)), 1, "entry 4", "第 4 条")


def test_a_ledger_locked_by_another_process_gives_503_and_no_data(demo: Instance) -> None:
    with serving(demo) as running:
        other = sqlite3.connect(demo.ledger_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        headers = {"authorization": f"Bearer {running.token}"}
        answer = httpx2.get(f"{running.url}/directory/resources.json", headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == 503
        assert "rows" not in answer.json()
        other.execute("ROLLBACK")
        other.close()
        answer = httpx2.get(f"{running.url}/directory/resources.json", headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == 200


def test_a_batch_that_a_crash_kept_out_of_the_ledger_is_recorded_at_the_next_start(demo: Instance) -> None:
    connection = sqlite3.connect(demo.database_path("alerts"))
    (batch,) = connection.execute("SELECT batch FROM _batches").fetchone()
    connection.execute("UPDATE _batches SET batch = 'b-lost', status = 'pending', ledger_seq = NULL")
    connection.commit()
    connection.close()
    with serving(demo):
        pass
    connection = sqlite3.connect(demo.database_path("alerts"))
    assert connection.execute("SELECT batch, status FROM _batches").fetchall() == [("b-lost", "recorded")]
    connection.close()
    with demo.ledger() as ledger:
        assert ledger.used("batch:b-lost") is not None
        assert ledger.used(f"batch:{batch}") is not None


def test_the_version_is_printed() -> None:
    assert liandong("--version").stdout.startswith("liandong, version 0.1.0")


# -- a log whose key was lost goes on under a new name ----------


def test_a_new_log_begins_with_the_last_checkpoint_of_the_one_whose_key_was_lost(tmp_path: Path) -> None:
    old, new, note = tmp_path / "old", tmp_path / "new", tmp_path / "checkpoint"
    county = ("--county", "示范县", "--county-en", "Shifan (invented)")
    assert liandong("init", str(old), *county, "--origin", "ledger.example/shifan").returncode == 0
    note.write_text(liandong("ledger", "checkpoint", "-i", str(old)).stdout, encoding="utf-8")
    made = liandong("init", str(new), *county, "--origin", "ledger.example/shifan-2", "--continues", str(note))
    assert made.returncode == 0, made.stderr
    with Instance.open(new).ledger() as ledger:
        first = ledger.entry(0)
    assert (first["kind"], first["checkpoint"]) == ("log.continued", note.read_text(encoding="utf-8"))
    assert liandong("ledger", "verify", "-i", str(new)).returncode == 0
    for origin, file in (("ledger.example/shifan", note), ("ledger.example/x", old / "instance.yml")):
        refused = liandong("init", str(tmp_path / "no"), *county, "--origin", origin, "--continues", str(file))
        assert refused.returncode == 1 and "Traceback" not in refused.stderr
        assert not (tmp_path / "no").exists(), "nothing half-made"
    missing = liandong("init", str(tmp_path / "no"), *county, "--origin", "x.example/y", "--continues", str(new / "no"))
    assert missing.returncode == 2 and "cannot be read" in missing.stderr
