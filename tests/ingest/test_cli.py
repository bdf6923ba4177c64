"""``liandong ingest`` as a person types it: real instances, real ledgers, real processes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.mapping import packaged_mappings
from ingest.schema import create_databases
from ledger.instance import Instance, Settings

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "portal"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with empty databases; copied for each test."""
    folder = tmp_path_factory.mktemp("empty") / "instance"
    instance = Instance.create(
        folder, Settings("shifan.example/ledger", "示范县", "Shifan County", "http://127.0.0.1:8001", demo=True)
    )
    create_databases(instance.database_path, packaged_mappings().values())
    return folder


@pytest.fixture
def instance(empty: Path, tmp_path: Path) -> Instance:
    """A fresh instance."""
    shutil.copytree(empty, tmp_path / "instance")
    return Instance.open(tmp_path / "instance")


def run(instance: Instance | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``liandong ingest`` in a process of its own; no traceback may show."""
    environment = {**os.environ, "PYTHONUTF8": "1"}
    environment.pop("LIANDONG_INSTANCE", None)
    if instance is not None:
        environment["LIANDONG_INSTANCE"] = str(instance.path)
    command = [sys.executable, "-c", "from ingest.cli import ingest; ingest(prog_name='ingest')", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def entries(instance: Instance) -> list[Any]:
    """The ledger's entries, oldest first."""
    with instance.ledger() as ledger:
        return ledger.newest(100)[::-1]


def test_several_files_are_loaded_each_as_a_batch_and_twice_changes_nothing(instance: Instance) -> None:
    files = [FIXTURES / f"{name}.json" for name in ("luzhou", "neijiang", "ningxia")]
    first = run(instance, *files, "--set-aside")
    assert first.returncode == 0, first.stderr
    assert "读取 read 14 条记录 records" in first.stdout
    assert "台账 ledger entry 2" in first.stdout
    again = run(instance, *files, "--set-aside", "--json")
    reports = json.loads(again.stdout)
    assert [(item["rows_added"], item["rows_changed"], item["rows_removed"]) for item in reports] == [(0, 0, 0)] * 3
    found = entries(instance)
    assert [entry["kind"] for entry in found] == ["batch.ingested"] * 6
    assert [entry["rows_added"] for entry in found] == [8, 6, 6, 0, 0, 0]
    assert all(entry["mapping_digest"] == packaged_mappings()[entry["mapping"]].digest for entry in found)


def test_problem_rows_refuse_the_batch_with_exit_code_1_and_a_report_file(instance: Instance, tmp_path: Path) -> None:
    done = run(instance, FIXTURES / "neijiang.json", "--report", tmp_path / "report.csv")
    assert done.returncode == 1
    assert "Nothing was written" in done.stdout
    assert "未写入任何内容" in done.stdout
    assert len((tmp_path / "report.csv").read_text(encoding="utf-8-sig").splitlines()) == 5
    assert entries(instance) == []


def test_a_dry_run_leaves_no_trace(instance: Instance) -> None:
    done = run(instance, FIXTURES / "neijiang.json", "--set-aside", "--dry-run")
    assert done.returncode == 0
    assert "dry run, nothing written" in done.stdout
    assert entries(instance) == []


def test_load_is_the_default_command_and_has_a_name(instance: Instance) -> None:
    assert run(instance, "load", FIXTURES / "neijiang.json", "--dry-run", "--set-aside").returncode == 0
    listed = run(None, "mappings")
    assert listed.returncode == 0
    for mapping in packaged_mappings().values():
        assert f"{mapping.name} → {mapping.database}.{mapping.table}" in listed.stdout


def test_a_mapping_of_ones_own_fills_a_table_of_ones_own(instance: Instance, tmp_path: Path) -> None:
    mapping = tmp_path / "sample.yml"
    mapping.write_text(
        "name: sample\ntitle: {zh: 样例, en: Sample}\ntarget: {database: work, table: samples}\nmode: append\n"
        "key: [code]\ncolumns:\n  - {source: 编号, field: code, type: text, title: {zh: 编号, en: Code}}\n",
        encoding="utf-8",
    )
    (tmp_path / "a.csv").write_bytes("编号\n00123\n".encode("gb18030"))
    done = run(instance, tmp_path / "a.csv", "--mapping", mapping)
    assert done.returncode == 0, done.stderr
    assert "work.samples" in done.stdout
    assert entries(instance)[0]["table"] == "samples"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.csv"], 1, "cannot open"),
        (["bad.json"], 1, "line 1, column 8"),
        (["bad.csv"], 1, "byte 0xFF at offset"),
        (["book.xlsx"], 1, "not read yet"),
        (["good.csv"], 1, "no mapping fits"),
        (["good.csv", "--mapping", "portal_beijing"], 1, "no mapping named 'portal_beijing'; known: activities"),
        (["good.csv", "--mapping", "portal_luzhou"], 1, "does not fit the mapping portal_luzhou"),
        (["good.csv", "--mapping", "none.yml"], 1, "cannot read the mapping"),
        (["good.csv", "--instance", "nowhere"], 2, "nowhere is not an instance folder"),
        ([], 2, "Missing argument"),
        (["good.csv", "--no-such-option"], 2, "No such option"),
    ],
)
def test_bad_input_is_one_clear_sentence_in_each_language(
    instance: Instance, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "bad.json").write_text('[{"a": }]', encoding="utf-8")
    (tmp_path / "bad.csv").write_bytes("名称\n示例示例示例".encode() + b"\xff\n")
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "good.csv").write_text("编号,名称\n1,甲\n", encoding="utf-8")
    placed = [
        str(tmp_path / item) if item.endswith((".csv", ".json", ".xlsx", ".yml", "nowhere")) else item
        for item in arguments
    ]
    done = run(instance, *(placed or ["load"]))
    assert done.returncode == code
    assert said in done.stderr.replace(f"{tmp_path}/", "")
    if "Usage" not in done.stderr:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("错误：", "Error: "))]
        assert len(lines) == 2
    assert entries(instance) == []


def test_databases_that_are_missing_say_how_to_make_them(instance: Instance) -> None:
    instance.database_path("directory").unlink()
    done = run(instance, FIXTURES / "neijiang.json", "--set-aside")
    assert done.returncode == 2
    assert "liandong init" in done.stderr


def test_a_report_that_cannot_be_written_is_named(instance: Instance, tmp_path: Path) -> None:
    done = run(instance, FIXTURES / "neijiang.json", "--set-aside", "--report", tmp_path / "none" / "report.json")
    assert done.returncode == 1
    assert "cannot write the report" in done.stderr
    assert len(entries(instance)) == 1


def test_a_later_files_error_does_not_take_the_earlier_report_along(instance: Instance, tmp_path: Path) -> None:
    done = run(instance, FIXTURES / "neijiang.json", tmp_path / "none.csv", "--set-aside", "--json")
    assert done.returncode == 1
    assert "cannot open" in done.stderr
    assert [item["rows_added"] for item in json.loads(done.stdout)] == [6]


def test_a_batch_left_pending_is_recorded_by_the_next_run(instance: Instance) -> None:
    assert run(instance, FIXTURES / "neijiang.json", "--set-aside").returncode == 0
    with closing(sqlite3.connect(instance.database_path("directory"))) as connection, connection:
        connection.execute("UPDATE _batches SET status = 'pending', ledger_seq = NULL")
    done = run(instance, FIXTURES / "neijiang.json", "--set-aside")
    assert done.returncode == 0
    assert "recorded a pending batch" in done.stderr
    assert len(entries(instance)) == 2
    with closing(sqlite3.connect(instance.database_path("directory"))) as connection:
        assert connection.execute("SELECT status, ledger_seq FROM _batches ORDER BY batch").fetchall() == [
            ("recorded", 0),
            ("recorded", 1),
        ]


def test_where_the_ledger_cannot_be_opened_nothing_is_written(instance: Instance) -> None:
    instance.ledger_path.unlink()
    done = run(instance, FIXTURES / "neijiang.json", "--set-aside")
    assert done.returncode != 0
    assert "错误：" in done.stderr
    with closing(sqlite3.connect(instance.database_path("directory"))) as connection:
        assert connection.execute("SELECT count(*) FROM _batches").fetchone() == (0,)


def test_help_speaks_both_languages() -> None:
    for arguments in (["--help"], ["load", "--help"], ["mappings", "--help"]):
        shown = run(None, *arguments).stdout
        assert "Load" in shown or "List" in shown
        assert any("\u4e00" <= char <= "\u9fff" for char in shown)


def test_a_snapshot_cut_short_is_refused_unless_its_removals_are_allowed(instance: Instance, tmp_path: Path) -> None:
    mapping = next(item for item in packaged_mappings().values() if item.name == "portal_neijiang")
    assert mapping.mode == "snapshot"
    (sample, *_) = json.loads((FIXTURES / "neijiang.json").read_text(encoding="utf-8"))
    key = mapping.column(mapping.key[0]).source
    path = tmp_path / "neijiang.json"

    def write(count: int) -> None:
        records = [{**sample, key: f"{sample[key]}{number}"} for number in range(count)]
        path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")

    write(30)
    assert run(instance, path).returncode == 0
    write(5)
    for more in ([], ["--dry-run"]):
        done = run(instance, path, *more)
        assert done.returncode == 1
        assert "would remove 25 / 30 rows" in done.stdout
        assert "将删除本映射已存的 25 / 30 行" in done.stdout
    (report,) = json.loads(run(instance, path, "--json").stdout)
    assert (report["refused"], report["removals_refused"], report["written"]) == (True, True, False)
    assert (report["rows_removed"], report["rows_stored"]) == (25, 30)
    assert len(entries(instance)) == 1
    assert run(instance, path, "--allow-removals").returncode == 0
    assert [entry["rows_removed"] for entry in entries(instance)] == [0, 25]
