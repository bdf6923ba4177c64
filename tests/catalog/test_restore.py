"""``liandong restore`` from a running service and from a witness's mirror; afterwards the instance serves again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2

from catalog.identity import tokens
from catalog.identity.register import Register
from ledger import Instance, once
from tests.catalog.test_cli import refused
from tests.conftest import add_token, free_port, liandong, serving
from tests.ledger.witness_support import Office, policy_of


def test_an_older_copy_is_refilled_from_a_running_service_and_serves_again(demo: Instance, tmp_path: Path) -> None:
    token = add_token(demo, "sfj", "mirror")
    shutil.copytree(demo.path, tmp_path / "backup")
    with serving(demo) as newer:  # a copy on another machine, say, that went on
        httpx2.get(f"{newer.url}/directory/resources.json", headers={"authorization": f"Bearer {newer.token}"})
        backup = Instance.open(tmp_path / "backup")
        shutil.copy(demo.head_path, backup.head_path)
        denied = liandong("restore", newer.url, "-i", str(backup.path), "--token", "wrong")
        refused(denied, 2, "Nothing was restored", "token of a supervising office")
        done = liandong(
            "restore", newer.url, "-i", str(backup.path), "--token", token, "--vkey", str(demo.verifier_key())
        )
        assert done.returncode == 0, done.stderr
        assert "query.served 1" in done.stdout and "完好 OK" in done.stdout
    with serving(backup) as again:
        assert httpx2.get(f"{again.url}/log/checkpoint").status_code == 200


def test_a_running_service_is_not_restored_over(demo: Instance, tmp_path: Path) -> None:
    with demo.ledger() as book:
        book.export(tmp_path / "export")
    with serving(demo):
        refused(liandong("restore", str(tmp_path / "export"), "-i", str(demo.path)), 2, "is in use", "stop the service")


def test_a_mirror_gives_back_what_was_witnessed_and_says_what_came_after_it(demo: Instance, tmp_path: Path) -> None:
    """A witness that is a mirror, a service killed with its disk, the backup of yesterday."""
    office = Office.make(tmp_path / "witness", 0, (demo.verifier_key(),))
    (demo.path / "witnesses.policy").write_bytes(policy_of(demo.verifier_key(), [office]))
    token = add_token(demo, "sfj", "mirror")
    shutil.copytree(demo.path, tmp_path / "backup")
    backup = Instance.open(tmp_path / "backup")
    office.start()
    try:
        with serving(demo) as running:
            done = liandong("witness", "mirror", running.url, "--token", token, "-w", str(office.folder))
            assert done.returncode == 0, done.stderr
        with serving(demo):  # pushed once more at the start: the mirror's own reading, and an anchor
            pass
        out = tmp_path / "out"
        assert liandong("witness", "mirror-write", str(out), "-w", str(office.folder)).returncode == 0
        behind = liandong("restore", str(out), "-i", str(backup.path))
        assert behind.returncode == 0, "the folder's own head is as old as the folder: nothing here knows of more"
        assert "cosigned by: witness.example/sfj" in behind.stdout
        refused(
            liandong("serve", "-i", str(backup.path), "--port", str(free_port())), 1, "has cosigned", "liandong restore"
        )
        shutil.copy(demo.head_path, backup.head_path)
        refused(liandong("restore", str(out), "-i", str(backup.path)), 1, "are still missing", "--continues")
    finally:
        office.stop()


def test_all_keys_that_a_county_used_are_made_again_from_its_entries(demo: Instance) -> None:
    """But for nonces, which no entry shows: none was used here."""
    add_token(demo, "sfj", "mirror")
    with closing(sqlite3.connect(demo.ledger_path)) as db:
        used = set(db.execute("SELECT key, seq FROM once").fetchall())
    with demo.ledger() as book:
        entries = book.newest(10_000)
    assert {(key, entry["seq"]) for entry in entries for key in once.keys_of(entry)} == used and len(used) > 5


def test_a_revocation_that_the_older_copy_did_not_know_holds_after_the_restoration(
    demo: Instance, tmp_path: Path
) -> None:
    shutil.copytree(demo.path, tmp_path / "backup")
    with closing(Register(demo.identity_path)) as register, demo.ledger() as book:
        (row, *_) = register.all("SELECT id FROM tokens")
        tokens.revoke(register, book, row["id"], by="sfj")
        book.export(tmp_path / "export")
    backup = Instance.open(tmp_path / "backup")
    assert liandong("restore", str(tmp_path / "export"), "-i", str(backup.path)).returncode == 0
    with serving(backup) as running:
        asked = httpx2.get(
            f"{running.url}/directory/resources.json", headers={"authorization": f"Bearer {running.token}"}
        )
    assert asked.status_code == 401
