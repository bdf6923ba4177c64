"""docs/guide/keys.md: its commands, run as they stand in it, do what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from ledger import Instance, Receipt
from ledger.log.note import Checkpoint, Note, VerifierKey
from tests.conftest import liandong, serving

ROOT = Path(__file__).resolve().parents[2]
CALL = "示范县司法局 0000-0000001 (invented)"


def commands(name: str) -> str:
    """The shell commands between ``<!-- begin name -->`` and its end."""
    text = (ROOT / "docs/guide/keys.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- begin {name} -->\n```sh\n(.*?)```\n<!-- end {name} -->", text, re.S)
    return str(block)


@pytest.fixture
def folder(demo_template: Path, tmp_path: Path) -> Path:
    """A folder with a command ``liandong`` in its bin, an instance's verifier key as 旧公钥.vkey beside it."""
    binary = tmp_path / "bin" / "liandong"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m catalog "$@"\n')
    binary.chmod(0o700)
    shutil.copy(demo_template / "log.vkey", tmp_path / "旧公钥.vkey")
    return tmp_path


def run(folder: Path, script: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def old_key(folder: Path) -> VerifierKey:
    return VerifierKey.parse((folder / "旧公钥.vkey").read_text().strip())


def cosigned(folder: Path, instance: Path) -> None:
    """A witness without a network cosigns the instance's newest checkpoint, by the commands of its office."""
    vkey = (instance / "log.vkey").read_text().strip()
    init = ("--name", "witness.example/sfj", "--log", vkey, "--call", CALL)
    line = liandong("witness", "init", str(folder / "witness"), *init).stdout.splitlines()[-1]
    name = line.split(" ")[1]
    (instance / "witnesses.policy").write_text(f"log {vkey}\n{line}\ngroup all all {name}\nquorum all\n")
    for arguments in (
        ("ledger", "witness-export", name, "to-sign", "-i", str(instance)),
        ("witness", "sign", "to-sign", "-w", str(folder / "witness")),
        ("ledger", "witness-import", "to-sign.cosigned", "-i", str(instance)),
    ):
        done = liandong(*arguments, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, done.stderr


def test_a_lost_key(folder: Path, demo_template: Path) -> None:
    old = folder / "原实例目录"
    shutil.copytree(demo_template, old)
    cosigned(folder, old)
    with Instance.open(old).ledger() as book:  # one entry after the last cosigned checkpoint, beside its anchor
        book.append("fault.raised", {"what": "test", "observed": "x"})
        size = book.entry(book.newest(1)[0]["seq"])["seq"] + 1
    before = Receipt.from_json(json.loads(liandong("ledger", "prove", "3", "-i", str(old)).stdout))
    (old / "keys/log.pem").unlink()
    files = {file: file.read_bytes() for file in old.rglob("*") if file.is_file() and "ledger.db" not in file.name}

    out = run(folder, commands("lost key"))

    assert f"{size} 条 entries" in out and "见证方 cosigned by: witness.example/sfj" in out
    note = (folder / "最后的见证检查点").read_bytes()
    signers = [signature.name for signature in Note.parse(note).signatures]
    assert signers == [old_key(folder).name, "witness.example/sfj"]
    new = Instance.open(folder / "新实例目录")
    with new.ledger() as book:
        first = book.entry(0)
    assert (first["kind"], first["log"], first["checkpoint"].encode()) == ("log.continued", new.settings.origin, note)
    assert Checkpoint.parse_text(Note.parse(note).text).size < size, "what came after it is in the archive alone"
    for file, data in files.items():
        assert file.read_bytes() == data, f"the old instance is as it was: {file.name}"
    # The old log's receipts hold, and are still formed: without its private key.
    again = Receipt.from_json(json.loads(liandong("ledger", "prove", "3", "-i", str(old)).stdout))
    assert before.verify(old_key(folder)) == again.verify(old_key(folder))
    # The new instance knows the rows, the agencies and their tokens.
    sample = str(ROOT / "catalog/demo/county_catalog.csv")
    loaded = liandong("ingest", "load", sample, "-i", str(new.path), "--json")
    assert loaded.returncode == 0, loaded.stderr
    (batch,) = json.loads(loaded.stdout)
    assert (batch["rows_added"], batch["rows_changed"], batch["rows_removed"]) == (0, 0, 0)
    assert batch["rows_unchanged"] == batch["rows_read"] > 0
    shutil.copytree(old / "demo", new.path / "demo")  # the demonstration's tokens, which the agencies hold
    with serving(new) as served:
        asked = httpx2.get(
            f"{served.url}/directory/resources.json?_size=1",
            headers={"authorization": f"Bearer {served.token}"},
            trust_env=False,
        )
        receipt = httpx2.get(
            f"{served.url}{asked.headers['ledger-receipt']}",
            headers={"authorization": f"Bearer {served.token}"},
            trust_env=False,
        )
    assert asked.status_code == 200 and len(asked.json()["rows"]) == 1
    assert Receipt.from_json(receipt.json()).verify(new.verifier_key())["log"] == new.settings.origin
    assert liandong("ledger", "verify", "-i", str(new.path)).returncode == 0


def test_a_lost_key_whose_checkpoint_is_not_the_old_logs_begins_no_log(folder: Path, demo_template: Path) -> None:
    note = folder / "note"
    good = liandong("ledger", "checkpoint", "-i", str(demo_template)).stdout
    options = ("--county", "示范县", "--origin", "shifan.example/liandong-2", "--continues", str(note))
    vkey = str(old_key(folder))
    for text, key, word in (
        (good.replace("\n", "\n1", 1), vkey, "does not verify"),
        (good, "x.example/y+00000000+AAAA", "not a log's key"),
        ("", vkey, "malformed"),
    ):
        note.write_text(text, encoding="utf-8")
        refused = liandong("init", str(folder / "new"), *options, "--old-vkey", key)
        assert refused.returncode != 0 and word in refused.stderr and "Traceback" not in refused.stderr
        assert not (folder / "new").exists()
    assert liandong("init", str(folder / "new"), *options[:4], "--old-vkey", vkey).returncode == 2
    note.write_text(good, encoding="utf-8")
    made = liandong("init", str(folder / "new"), *options, "--old-vkey", vkey)
    assert made.returncode == 0 and "no witness cosigned it" in made.stdout and "没有任何见证方的签名" in made.stdout
    none = liandong("ledger", "checkpoint", "--cosigned", "-i", str(demo_template))
    assert (none.returncode, none.stdout) == (1, "") and "no witness has cosigned" in none.stderr


def test_a_rotation(folder: Path, demo_template: Path) -> None:
    shutil.copytree(demo_template, folder / "实例目录")
    before = old_key(folder)
    out = run(folder, commands("rotation"))
    instance = Instance.open(folder / "实例目录")
    assert str(instance.verifier_key()) in out.splitlines() and instance.verifier_key() != before
    assert "更换 1 次 rotations" in out and "完好 OK" in out.splitlines()[-1]
    assert "key: the folder's own" not in out, "verified with the old key, as given"
