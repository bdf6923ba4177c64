"""A served instance with a policy: cosigned before its first answer, and not served where a witness is ahead."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ledger import Instance
from ledger.log.policy import Policy
from tests.conftest import add_token, free_port, liandong, serving
from tests.ledger.witness_support import Office, policy_of

SUPERVISOR = "sfj"


@pytest.fixture
def offices(demo: Instance, tmp_path: Path) -> Iterator[list[Office]]:
    made = [Office.make(tmp_path / f"witness{n}", n, (demo.verifier_key(),)) for n in range(2)]
    (demo.path / "witnesses.policy").write_bytes(policy_of(demo.verifier_key(), made))
    try:
        for office in made:
            office.start()
        yield made
    finally:
        for office in made:
            office.stop()


def test_a_served_ledger_is_witnessed_and_one_put_back_is_not_served(demo: Instance, offices: list[Office]) -> None:
    backup = demo.path.with_name("backup")
    shutil.copytree(demo.path, backup)
    policy = Policy.parse((demo.path / "witnesses.policy").read_bytes())
    with serving(demo) as running:
        assert httpx2.get(f"{running.url}/log/checkpoint").status_code == 200
    with demo.ledger() as ledger:
        (anchored,) = ledger.newest(10, where={"kind": "checkpoint.anchored"})
        checkpoint, cosigned = policy.open_checkpoint(anchored["checkpoint"].encode())
        assert policy.is_quorum({item.key for item in cosigned}) and checkpoint.size == anchored["size"]

    for office in offices:
        assert f"至今出示的 {checkpoint.size} 条" in httpx2.get(office.url).text
    with serving(demo):  # once more, so that the witnesses have seen more than the backup holds
        pass
    old = subprocess.run(
        [sys.executable, "-m", "catalog", "serve", "-i", str(backup), "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert old.returncode == 1 and "Traceback" not in old.stderr
    assert "has cosigned" in old.stderr and "已见证本台账" in old.stderr


def test_a_service_goes_on_while_its_witnesses_are_down(demo: Instance, offices: list[Office]) -> None:
    for office in offices:
        office.stop()
    with serving(demo) as running:
        assert httpx2.get(f"{running.url}/log/checkpoint").status_code == 200


def test_a_damaged_policy_is_said_before_anything_is_served(demo: Instance) -> None:
    (demo.path / "witnesses.policy").write_bytes(b"junk\n")
    done = subprocess.run(
        [sys.executable, "-m", "catalog", "serve", "-i", str(demo.path), "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1 and "line 1" in done.stderr and "第 1 行" in done.stderr


def test_a_mirror_keeps_the_entries_of_a_served_ledger(demo: Instance, offices: list[Office], tmp_path: Path) -> None:
    office = offices[0]
    vkey = str(demo.verifier_key())
    token = add_token(demo, SUPERVISOR, "mirror")
    with serving(demo) as running:
        refused = liandong("witness", "mirror", running.url, "--token", "wrong", "-w", str(office.folder))
        assert refused.returncode == 2 and "Traceback" not in refused.stderr
        done = liandong("witness", "mirror", running.url, "--token", token, "-w", str(office.folder))
        assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    written = liandong("witness", "mirror-write", str(out), "-w", str(office.folder))
    assert written.returncode == 0, written.stderr
    key = str(office.open().cosigner.key)
    verified = liandong("ledger", "verify", str(out), "--vkey", vkey, "--witness", key)
    assert verified.returncode == 0, verified.stderr

    office.stop()
    (office.folder / "mirror.db").unlink()
    office.start("--mirror", "http://127.0.0.1:1", "--token", token)  # a mirror that cannot fetch is a witness still
    assert httpx2.get(office.url).status_code == 200
