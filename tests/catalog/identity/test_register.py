from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.errors import AuthenticationError, UsageError
from catalog.identity import nonces
from catalog.identity.register import Register
from tests.catalog.identity.conftest import World


def test_today_is_the_countys_day(world: World) -> None:
    world.clock.now = datetime(2026, 11, 22, 15, 59, tzinfo=UTC)
    assert world.register.today() == "2026-11-22"
    world.clock.now += timedelta(minutes=1)
    assert world.register.today() == "2026-11-23"


def test_the_register_can_be_read_by_its_owner_only(world: World) -> None:
    assert world.register.path.stat().st_mode & 0o777 == 0o600


def test_a_nonce_is_good_once_per_key(world: World) -> None:
    keep = timedelta(minutes=7)
    nonces.use(world.register, "k1", "n", keep)
    nonces.use(world.register, "k2", "n", keep)
    with pytest.raises(AuthenticationError):
        nonces.use(world.register, "k1", "n", keep)
    world.clock.now += timedelta(minutes=8)
    nonces.use(world.register, "k1", "n", keep)


def test_the_version_changes_when_another_process_writes(world: World) -> None:
    before = world.register.version()
    assert world.register.version() == before
    with sqlite3.connect(world.register.path) as other:
        other.execute("UPDATE agencies SET name_en = 'Bureau A1' WHERE id = 'a'")
    other.close()
    after = world.register.version()
    assert after != before
    world.register.write("UPDATE agencies SET name_en = 'Bureau A2' WHERE id = 'a'")
    assert world.register.version() != after


def test_a_transaction_is_whole_or_nothing(world: World) -> None:
    with pytest.raises(ZeroDivisionError), world.register.transaction() as db:
        db.execute("UPDATE agencies SET name_en = 'gone'")
        raise ZeroDivisionError
    assert world.register.all("SELECT 1 FROM agencies WHERE name_en = 'gone'") == []


def test_a_register_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE agencies (id TEXT)")
    db.close()
    with pytest.raises(UsageError, match="another version"):
        Register(path)


def test_a_file_that_is_no_register_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(UsageError, match="damaged"):
        Register(path)
    with pytest.raises(UsageError, match="missing"):
        Register(tmp_path / "none.db")
