"""A served instance with a policy: cosigned before its first answer, and not served where a witness is ahead."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from catalog.witnessing import kept_witnessed
from ledger import Instance
from ledger.errors import LedgerUnavailableError
from ledger.log.policy import Policy
from ledger.log.push import Outcome, State
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


class Scripted:
    """A keeper whose steps come out as told, one after the other; then it is content."""

    def __init__(self, *steps: tuple[Outcome, ...] | Exception) -> None:
        self.steps = list(steps)

    def step(self) -> tuple[Outcome, ...]:
        if not self.steps:
            return ()
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def outcome(state: State, en: str = "", zh: str = "") -> tuple[Outcome, ...]:
    return (Outcome("w0", 5, state, en, zh),)


DOWN, GOOD = outcome(State.UNREACHABLE, "w0 is down", "w0 未开机"), outcome(State.COSIGNED)


def listen(keeper: Scripted, until: int, said: list[str]) -> None:
    """Hear the first so many things that the background task says; raises what ended it."""

    async def run() -> None:
        heard = asyncio.Event()

        def say(text: str) -> None:
            said.append(text)
            if len(said) == until:
                heard.set()

        async with kept_witnessed(keeper, say, look_seconds=0.001):  # type: ignore[arg-type]
            await heard.wait()

    asyncio.run(run())


def test_the_same_trouble_is_said_once_and_again_when_it_comes_back() -> None:
    full = LedgerUnavailableError("the disk is full", "磁盘已满")
    said: list[str] = []
    listen(Scripted(DOWN, (), DOWN, GOOD, (), DOWN, full, full, DOWN), 4, said)
    assert said == ["w0 未开机\nw0 is down"] * 2 + ["错误：磁盘已满\nError: the disk is full", "w0 未开机\nw0 is down"]


def test_a_fault_of_the_program_does_not_end_witnessing_unseen() -> None:
    said: list[str] = []
    with pytest.raises(RuntimeError, match="a bug"):
        listen(Scripted(GOOD, RuntimeError("a bug")), 1, said)
    assert "witnessing has stopped" in said[0] and "见证已停止" in said[0] and "a bug" in said[0]
