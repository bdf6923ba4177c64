"""Erasing particulars: nothing of the value in any file, the chain and receipts whole, unfinished said so."""

from __future__ import annotations

import random
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ledger import Instance, Ledger, Settings, erasure
from ledger.cli import ledger as cli
from ledger.erasure import Erasure, ErasureRefusedError, ErasureUnfinishedError, apply, erase
from ledger.log import canonical, commitment
from ledger.log.store import Store
from ledger.log.verify import verify_file
from tests.ledger.support import ORIGIN, START, Attacker, append_some, batch_fields, clock

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)
LATER = START + timedelta(days=3 * 366)
SECRET = "110101-示例-不存在的号码-" + "7" * 900
LAW = {"ground": "依据示范县自拟规则第一条", "by": "sfj"}


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """Twelve entries with particulars of many lengths, so that rows move between pages; entry 6 holds the secret."""
    made = Instance.create(tmp_path / "demo", SETTINGS)
    source = random.Random(7)
    with made.ledger(now=clock()) as book:
        append_some(book, 6)
        for n in range(6, 30):
            value = SECRET if n == 6 else "x" * source.randrange(1, 3_000)
            particulars = {"file_sha256": f"{n:064x}", "file_name": value}  # not in the order of the key
            book.append("batch.ingested", batch_fields(n), particulars=particulars)
    _insert_out_of_order(made.ledger_path, source)
    return made


def _insert_out_of_order(path: Path, source: random.Random) -> None:
    """Rows between and before the others, in a random order: pages split, and old copies stay in their free space."""
    with Attacker(path) as db:
        db.execute("PRAGMA secure_delete = OFF")
        rows = [(seq, f"f{n}") for seq in range(30) for n in range(8)]
        source.shuffle(rows)
        for table, length in (("particulars", 700), ("particular_keys", 32)):
            for seq, field in rows:
                db.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (seq, field, source.randbytes(length)))
            for seq, field in rows[::2]:
                db.execute(f"DELETE FROM {table} WHERE seq = ? AND field = ?", (seq, field))


def traces(path: Path, seq: int, field: str) -> list[bytes]:
    """What must vanish: ciphertext (in parts, since SQLite may split it), key, salt, and the value itself."""
    with Attacker(path) as db:
        (ciphertext,) = db.execute(
            "SELECT ciphertext FROM particulars WHERE (seq, field) = (?, ?)", (seq, field)
        ).fetchone()
        (key,) = db.execute("SELECT key FROM particular_keys WHERE (seq, field) = (?, ?)", (seq, field)).fetchone()
        (entry,) = db.execute("SELECT CAST(entry AS BLOB) FROM entries WHERE seq = ?", (seq,)).fetchone()
    committed = str(canonical.decode_object(entry)["commit"][field])  # type: ignore[index, call-overload]
    opening = commitment.unseal(commitment.Sealed(field, committed, key, ciphertext))
    parts = [ciphertext[start : start + 24] for start in range(0, len(ciphertext) - 24, 24)]
    return [key, opening.salt, opening.salt.hex().encode(), canonical.encode(opening.value), *parts]


def found_in(folder: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [(file.name, needle) for file in files for needle in needles if needle in file.read_bytes()]


def run(instance: Instance, *arguments: object) -> Result:
    options = ("--ground", LAW["ground"], "--by", LAW["by"], "--law-requires", "示例法第二条")
    return CliRunner().invoke(cli, ["erase", *map(str, arguments), "-i", str(instance.path), *options])


def stored(path: Path, seq: int) -> list[str]:
    store = Store.open(path, read_only=True)
    try:
        return store.kept(seq)
    finally:
        store.close()


# -- what is left ----------


def test_nothing_of_an_erased_value_is_in_any_file_of_the_instance(instance: Instance) -> None:
    needles = traces(instance.ledger_path, 6, "file_name")
    other = traces(instance.ledger_path, 6, "file_sha256")
    assert {name for name, _ in found_in(instance.path, needles)} & {"ledger.db", "ledger.db-wal"}
    result = run(instance, 6, "--field", "file_name")
    assert result.exit_code == 0, result.stderr
    assert found_in(instance.path, needles) == []
    assert found_in(instance.path, other[:1]), "another field of the same entry stays"
    assert "file_name" not in stored(instance.ledger_path, 6) and "file_sha256" in stored(instance.ledger_path, 6)


def test_chain_and_old_receipts_hold_and_the_openings_that_are_left_open(instance: Instance) -> None:
    with instance.ledger(now=clock(LATER)) as book:
        before = book.receipt(6, with_openings=True)
        erase(book, Erasure(6, fields=("file_name",), **LAW), LATER)
        after = book.receipt(6, with_openings=True)
        assert set(before.openings) == {"file_name", "file_sha256"} and set(after.openings) == {"file_sha256"}
        for receipt in (before, after, book.receipt(6, with_openings=False)):
            assert receipt.verify(book.verifier_key)["seq"] == 6
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == 31


def test_the_entry_says_what_was_erased_why_and_by_whom(instance: Instance) -> None:
    assert run(instance, 7, "--ground-code", "rg99").exit_code == 0
    with instance.ledger() as book:
        (said,) = book.newest(5, where={"kind": erasure.KIND})
    assert (said["erases"], said["fields"], said["by"]) == (7, ["file_name", "file_sha256"], "sfj")
    assert (said["ground"], said["ground_code"], said["law_requires"]) == (LAW["ground"], "rg99", "示例法第二条")
    assert "commit" not in said


# -- a reader ----------


def test_while_a_reader_is_open_it_is_not_finished_and_then_it_is(instance: Instance) -> None:
    needles = traces(instance.ledger_path, 6, "file_name")
    reader = sqlite3.connect(instance.ledger_path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM particulars").fetchone()
    try:
        for _ in range(2):
            result = run(instance, 6)
            assert (result.exit_code, result.stdout) == (1, "")
            assert "not finished" in result.stderr and "尚未完成" in result.stderr
        assert found_in(instance.path, needles), "the reader still sees the old pages; the message was true"
        shown = CliRunner().invoke(cli, ["status", "-i", str(instance.path)])
        assert "erasure not finished" in shown.stdout
        assert reader.execute("SELECT count(*) FROM particulars WHERE seq = 6 AND field = 'file_name'").fetchone() == (
            1,
        )
    finally:
        reader.close()
    result = run(instance, 6)
    assert result.exit_code == 0, result.stderr
    assert found_in(instance.path, needles) == []
    assert "not finished" not in CliRunner().invoke(cli, ["status", "-i", str(instance.path)]).stdout
    with instance.ledger() as book:
        assert len(book.newest(9, where={"kind": erasure.KIND})) == 1, "running it again appends nothing again"


def test_what_was_left_unfinished_is_finished_by_the_next_opening(instance: Instance) -> None:
    needles = traces(instance.ledger_path, 6, "file_name")
    with sqlite3.connect(instance.ledger_path, isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchone()
        assert run(instance, 6).exit_code == 1
    reader.close()
    instance.ledger().close()
    assert found_in(instance.path, needles) == []


def test_a_service_that_runs_meanwhile_goes_on(instance: Instance) -> None:
    with instance.ledger() as service:
        service.append("batch.ingested", batch_fields(50))
        assert run(instance, 6).exit_code == 0
        done = service.append("batch.ingested", batch_fields(51))
        assert set(service.receipt(6, with_openings=True).openings) == set()
        assert service.receipt(done.seq, with_openings=False).verify(service.verifier_key)
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == done.seq + 1


# -- refusals ----------


def test_within_three_years_it_is_refused_unless_a_law_requires_it(instance: Instance) -> None:
    with instance.ledger(now=clock(LATER)) as book:
        for days, refused in ((0, True), (3 * 365, True), (3 * 365 + 2, False)):
            wanted = Erasure(6, fields=("file_name",), **LAW)
            if refused:
                with pytest.raises(ErasureRefusedError, match="2029-11-23") as caught:
                    erase(book, wanted, START + timedelta(days=days))
                assert "三年" not in caught.value.zh and "--law-requires" in caught.value.zh
                assert "file_name" in stored(book.path, 6)
            else:
                erase(book, wanted, START + timedelta(days=days))
                assert "file_name" not in stored(book.path, 6)


def test_the_29th_of_february_is_kept_until_the_1st_of_march() -> None:
    entry = {"seq": 1, "t": "2028-02-29T10:00:00.000Z"}
    with pytest.raises(ErasureRefusedError, match="2031-03-01"):
        erasure._check_age(entry, datetime(2031, 3, 1, 9, tzinfo=UTC))
    erasure._check_age(entry, datetime(2031, 3, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("seq", "options", "words"),
    [
        ("0", [], "no particulars"),
        ("6", ["--field", "officer"], "officer"),
        ("99", [], "no entry 99"),
        ("6", ["--by", "Not An Identifier"], "identifier"),
        ("6", ["--ground", ""], "ground"),
    ],
)
def test_what_cannot_be_erased_is_refused_and_nothing_changes(
    instance: Instance, seq: str, options: list[str], words: str
) -> None:
    base = ["erase", seq, "-i", str(instance.path), "--ground", "x", "--by", "sfj", "--law-requires", "x", *options]
    result = CliRunner().invoke(cli, base)
    assert (result.exit_code, result.stdout) == (1, "") and words in result.stderr
    assert len(result.stderr.splitlines()) == 2
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == 30
    assert "file_name" in stored(instance.ledger_path, 6)


# -- backups ----------


def test_a_restored_backup_applies_every_erasure_when_it_is_opened(instance: Instance, tmp_path: Path) -> None:
    needles = traces(instance.ledger_path, 6, "file_name") + traces(instance.ledger_path, 8, "file_name")
    backup = tmp_path / "backup.db"
    with Attacker(instance.ledger_path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(instance.ledger_path, backup)
    for seq in (6, 8):
        assert run(instance, seq).exit_code == 0
    _refill(backup, instance.ledger_path)
    for file in instance.path.glob("ledger.db*"):
        file.unlink()
    shutil.copy(backup, instance.ledger_path)
    assert found_in(instance.path, needles)
    instance.ledger().close()
    assert found_in(instance.path, needles) == []
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == 32


def _refill(backup: Path, newer: Path) -> None:
    """Bring a backup's entries up to date from elsewhere, as a mirror does; particulars stay the backup's."""
    with Attacker(backup) as db:
        db.execute("ATTACH ? AS newer", (str(newer),))
        db.execute("INSERT INTO entries SELECT * FROM newer.entries WHERE seq >= 30 ORDER BY seq")
        db.execute("DELETE FROM checkpoints")
        db.execute("INSERT INTO checkpoints SELECT * FROM newer.checkpoints")


def test_a_crash_between_the_entry_and_the_deed_is_made_good(instance: Instance) -> None:
    with instance.ledger() as book:
        said: dict[str, Any] = {"erases": 6, "fields": ["file_name"], **LAW}
        book.append(erasure.KIND, said)
    assert "file_name" in stored(instance.ledger_path, 6)
    assert apply(instance.ledger_path) == 1
    assert apply(instance.ledger_path) == 0
    assert "file_name" not in stored(instance.ledger_path, 6)


def test_a_locked_ledger_is_not_finished(instance: Instance) -> None:
    with instance.ledger() as book:
        book.append(erasure.KIND, {"erases": 6, "fields": ["file_name"], **LAW})
    with Attacker(instance.ledger_path) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(ErasureUnfinishedError):
            apply(instance.ledger_path)
        db.execute("ROLLBACK")
    assert apply(instance.ledger_path) == 1


def test_opening_a_ledger_without_erasures_costs_no_rewrite(instance: Instance) -> None:
    instance.ledger().close()
    before = instance.ledger_path.stat().st_ino, instance.ledger_path.read_bytes()
    Ledger(instance.ledger_path, instance._private_key()).close()
    assert (instance.ledger_path.stat().st_ino, instance.ledger_path.read_bytes()) == before
