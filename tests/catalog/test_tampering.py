"""The owner of an instance rewrites its ledger with the log's own key: what catches him, by real processes.

Two witnesses over real HTTP have cosigned the ledger. The attacker is a program that imports nothing of ours
(tests/ledger/forger.py); what he cannot change is what lies in other hands.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger import Instance
from ledger.cli import ledger
from tests.catalog.test_cli import refused
from tests.conftest import liandong
from tests.ledger.support import ROOT
from tests.ledger.witness_support import Office, policy_of


@dataclass
class Scene:
    """A county whose ledger was pushed to both witnesses, and what others hold of it from before the forgery."""

    instance: Instance
    seq: int  # a batch of data, which is to be falsified
    offices: list[Office]
    vkey: Path
    receipt: Path
    exported: list[Path]
    cosigned: Path

    def verify(self, *options: object) -> subprocess.CompletedProcess[str]:
        arguments = ["-i", self.instance.path, "--vkey", self.vkey.read_text().strip(), *options]
        return liandong("ledger", "verify", *map(str, arguments))

    def verify_here(self, *options: object) -> subprocess.CompletedProcess[str]:
        """The same command, in this process, where it is asked many times."""
        arguments = ["-i", self.instance.path, "--vkey", self.vkey.read_text().strip(), *options]
        result = CliRunner().invoke(ledger, ["verify", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return subprocess.CompletedProcess([], result.exit_code, result.stdout, result.stderr)

    def forge(self, *options: str) -> None:
        """An entry says something else, and everything after it fits; then keys/head, which is his too."""
        copied = self.instance.path.parent / "copied.pem"
        shutil.copy(self.instance.path / "keys/log.pem", copied)
        program = [sys.executable, str(ROOT / "tests/ledger/forger.py"), str(self.instance.ledger_path), str(copied)]
        subprocess.run([*program, str(self.seq), "rows_read", "7777777", *options], check=True)
        self.instance.head_path.unlink()


@pytest.fixture(scope="module")
def pushed(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    shutil.copytree(demo_template, folder / "demo")
    demo = Instance.open(folder / "demo")
    offices = [Office.make(folder / f"witness{n}", n, (demo.verifier_key(),)) for n in range(2)]
    (demo.path / "witnesses.policy").write_bytes(policy_of(demo.verifier_key(), offices))
    try:
        for office in offices:
            office.start()
        done = liandong("ledger", "witness-push", "-i", str(demo.path))
        assert done.returncode == 0 and done.stdout.count("cosigned") == 2, done.stderr
        (folder / "vkey").write_text(str(demo.verifier_key()))
        with demo.ledger() as book:
            seq: int = book.newest(1, where={"kind": "batch.ingested"})[0]["seq"]
        (folder / "receipt.json").write_text(liandong("ledger", "prove", str(seq), "-i", str(demo.path)).stdout)
        exported = [folder / f"export{n}.json" for n in range(2)]
        for file, office in zip(exported, offices, strict=True):
            assert liandong("witness", "export", str(file), "-w", str(office.folder)).returncode == 0
        (folder / "cosigned").write_text(json.loads(exported[0].read_text())["cosigned"][-1])
        yield Scene(demo, seq, offices, folder / "vkey", folder / "receipt.json", exported, folder / "cosigned")
    finally:
        for office in offices:
            office.stop()


@pytest.fixture
def scene(pushed: Scene, tmp_path: Path) -> Scene:
    """The county's folder anew; the witnesses and what they hold stay."""
    shutil.copytree(pushed.instance.path, tmp_path / "demo")
    return Scene(Instance.open(tmp_path / "demo"), *list(vars(pushed).values())[1:])


def witness_options(scene: Scene) -> list[str]:
    return [word for office in scene.offices for word in ("--witness", str(office.open().cosigner.key))]


def test_the_honest_ledger_agrees_with_all_that_others_hold(scene: Scene) -> None:
    outside = [word for file in (scene.receipt, *scene.exported, scene.cosigned) for word in ("--against", str(file))]
    done = scene.verify(*outside, *witness_options(scene), "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert [item["file"] for item in value["against"]] == [str(file) for file in outside[1::2]]
    assert len(value["cosigned"]) == 2 and value["not_cosigned"] == []
    told = scene.verify_here(*outside, *witness_options(scene)).stdout
    assert told.count("与外部留存一致 agrees with") == 4 and told.count("见证 cosigned by witness.example/") >= 2


def test_a_rewrite_with_the_logs_own_key_is_refused_because_the_kept_cosigned_checkpoint_differs(scene: Scene) -> None:
    scene.forge()
    refused(scene.verify(), 1, "the signed checkpoint of size", "were rewritten", "被改写")


@pytest.mark.parametrize("cosigned", ["replace", "delete"])
def test_without_the_kept_cosigned_checkpoints_the_anchor_in_the_chain_differs(scene: Scene, cosigned: str) -> None:
    scene.forge("--cosigned", cosigned)
    refused(scene.verify(), 1, "anchors a checkpoint of", "锚定的检查点")


@pytest.mark.parametrize("cosigned", ["replace", "delete"])
def test_with_the_anchors_forged_too_only_what_others_hold_tells(scene: Scene, cosigned: str) -> None:
    scene.forge("--cosigned", cosigned, "--anchors", "forge")
    alone = scene.verify()
    assert alone.returncode == 0, "by the file alone, all is well: docs/threat-model.md says so"
    told = scene.verify_here(*witness_options(scene))
    assert told.returncode == 0 and told.stdout.count("未经其见证 not cosigned by") == 2
    for file in (scene.receipt, *scene.exported, scene.cosigned):
        refused(scene.verify_here("--against", file), 1, "signed anew by somebody who holds the log's key", str(file))
    said = scene.verify_here("--against", scene.cosigned, *witness_options(scene)).stderr
    assert "and cosigned by witness.example/sfj" in said and "并经 witness.example/sfj 见证" in said
    answer = json.loads(scene.verify_here("--against", scene.receipt, "--json").stdout)
    assert (answer["ok"], answer["error"]) == (False, "TamperError")


def test_the_witnesses_refuse_the_forged_ledger_and_turn_red(scene: Scene) -> None:
    scene.forge("--cosigned", "delete", "--anchors", "forge")
    pushed_again = liandong("ledger", "witness-push", "-i", str(scene.instance.path))
    refused(pushed_again, 1, "has seen another history of this log", "另一段历史")
    for office in scene.offices:
        status = liandong("witness", "status", "-w", str(office.folder))
        assert status.returncode == 1 and "红 RED" in status.stdout


def test_a_published_copy_is_compared_too(scene: Scene, tmp_path: Path) -> None:
    def published() -> subprocess.CompletedProcess[str]:
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        assert liandong("ledger", "export", str(out), "-i", str(scene.instance.path), "--hashes-only").returncode == 0
        vkey = scene.vkey.read_text().strip()
        return liandong("ledger", "verify", str(out), "--vkey", vkey, "--against", str(scene.cosigned))

    good = published()
    assert good.returncode == 0 and "agrees with" in good.stdout
    scene.forge("--cosigned", "delete", "--anchors", "forge")
    refused(published(), 1, "signed anew by somebody who holds the log's key")
