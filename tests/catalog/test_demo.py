"""The demonstration instance: whole or not at all, labelled, with secrets of its own."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from catalog.demo import build
from catalog.errors import UsageError
from ledger import CATEGORIES, Instance
from ledger.rule_archive import Archive, timeline_of
from ledger.rules import SHANGHAI, deadline
from tests.conftest import IN_PROCESS_URL, credentials


def test_the_ledger_tells_how_the_demonstration_was_made(demo: Instance) -> None:
    with demo.ledger() as ledger:
        kinds = [entry["kind"] for entry in ledger.newest(1000)][::-1]
    assert kinds[:2] == ["log.opened", "rules.adopted"]
    for kind in ("agency.registered", "batch.ingested", "resource.published", "grant.given", "agency.key_added"):
        assert kind in kinds


def test_its_own_rule_gives_queries_a_clock_as_a_local_standard(demo: Instance) -> None:
    with demo.ledger() as ledger:
        rulebook = timeline_of(ledger, Archive(demo.path / "rules")).current
    found = deadline(rulebook, "query", datetime(2026, 11, 25, 9, tzinfo=SHANGHAI), urgent=True)
    assert (found.state, found.clause.id, found.urgent_clause.id) == ("at_once", "sf-2026.answer", "sf-2026.urgent")
    assert (found.standing, str(found.last_day)) == ("local_standard", "2026-11-30")
    assert {clause.kind for clause in rulebook.register.clauses if "示演" in clause.number} == {"local_standard"}


def test_all_six_categories_hold_sample_data_labelled_as_such(demo: Instance) -> None:
    for category in CATEGORIES:
        connection = sqlite3.connect(demo.database_path(category))
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("_")
        ]
        rows = [row for name in tables for row in connection.execute(f"SELECT * FROM {name}").fetchall()]
        assert len(rows) >= 40, category
        assert any("演示" in str(row) for row in rows), category
        connection.close()


def test_about_eight_agencies_two_supervising_offices_and_a_data_authority_are_registered(demo: Instance) -> None:
    with demo.ledger() as ledger:
        registered = [entry for entry in ledger.newest(1000) if entry["kind"] == "agency.registered"]
    roles = [entry["role"] for entry in registered]
    assert (roles.count("agency"), roles.count("supervisor"), roles.count("data_authority")) == (9, 2, 1)


def test_secrets_are_private_files_and_differ_between_instances(demo: Instance, tmp_path: Path) -> None:
    for path in [*demo.path.glob("demo/*"), *demo.path.glob("keys/*"), demo.identity_path, demo.ledger_path]:
        assert path.stat().st_mode & 0o077 == 0, path
    build.create(tmp_path / "other", IN_PROCESS_URL)
    mine, other = credentials(demo), credentials(Instance.open(tmp_path / "other"))
    assert mine["token"] != other["token"]
    assert set(mine["passwords"].values()).isdisjoint(other["passwords"].values())


def test_passwords_and_tokens_are_in_no_entry_and_no_database(demo: Instance) -> None:
    secrets = credentials(demo)
    stored = b"".join(path.read_bytes() for path in demo.path.glob("*.db*"))
    for secret in [secrets["token"], *secrets["passwords"].values()]:
        assert secret.encode() not in stored


def test_other_folders_beside_it_are_left_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    other = tmp_path / "demo.building"
    other.mkdir()
    (other / "mine.txt").write_text("precious")
    build.create(tmp_path / "demo", IN_PROCESS_URL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "demo.building"]
    assert (other / "mine.txt").read_text() == "precious"


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "_publish", full)
    with pytest.raises(UsageError, match="No space left"):
        build.create(tmp_path / "demo", IN_PROCESS_URL)
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_may_enter_the_folder(demo: Instance, tmp_path: Path) -> None:
    build.create(tmp_path / "fresh", IN_PROCESS_URL)
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o700


def test_a_demonstration_moves_with_the_address_it_is_started_on(demo: Instance) -> None:
    moved = demo.move_to("http://127.0.0.1:9999")
    assert "http://127.0.0.1:9999/directory/resources.json" in build.greeting(moved, "liandong")
    assert Instance.open(demo.path).settings.public_url == "http://127.0.0.1:9999"


def test_the_greeting_quotes_what_a_shell_would_split(demo: Instance, tmp_path: Path) -> None:
    spaced = tmp_path / "my demo"
    shutil.copytree(demo.path, spaced)
    text = build.greeting(Instance.open(spaced), "/opt/my bin/liandong")
    assert "'/opt/my bin/liandong' query --key '" in text


def test_the_county_is_told_from_a_real_one_everywhere(demo: Instance) -> None:
    assert demo.settings.demo
    assert "演示" in demo.settings.county_zh
    assert "demonstration" in demo.settings.county_en
    rules = (demo.path / "rules" / "rules.yml").read_text(encoding="utf-8")
    assert "没有法律效力" in rules
    assert json.dumps(credentials(demo))
