"""``liandong ledger``: one line and exit 0, or the first bad entry in both languages and exit 1; never a traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ledger import Instance, Settings
from ledger.cli import ledger
from ledger.log.note import VerifierKey
from ledger.log.verify import verify_file
from tests.ledger.support import (
    ORIGIN,
    ROOT,
    SIGNER,
    append_some,
    attack,
    chain,
    checkpoint_wal,
    rewrite,
    rows,
    set_entry,
)

CHINESE = re.compile(r"[一-鿿]{2}")
SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance.create(tmp_path / "demo", SETTINGS)
    with made.ledger() as book:
        append_some(book, 4)
    return made


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(ledger, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def failed(result: Result, exit_code: int, *words: str) -> str:
    """Both sentences on stderr, Chinese first, nothing on stdout; return the English one."""
    assert (result.exit_code, result.stdout) == (exit_code, "")
    zh, en = result.stderr.splitlines()
    assert zh.startswith("错误：") and CHINESE.search(zh) and en.startswith("Error: ")
    assert all(word in en for word in words), en
    return en


def edit(instance: Instance, seq: int = 2) -> None:
    data = rows(instance.ledger_path)[seq][1]
    with attack(instance.ledger_path) as db:
        set_entry(db, seq, data.replace(b'"rows_read":', b'"rows_read":1'))


# -- verify ----------


def test_a_whole_ledger_is_one_line_and_exit_0(instance: Instance) -> None:
    result = run("verify", "-i", instance.path)
    root = verify_file(instance.ledger_path, instance.verifier_key()).root.hex()
    assert (result.exit_code, result.stderr) == (0, "")
    (line,) = result.stdout.splitlines()
    assert line.startswith("完好 OK") and ORIGIN in line and "4 条 entries" in line and root in line


def test_a_key_from_outside_is_used(instance: Instance) -> None:
    good, stranger = instance.verifier_key(), SIGNER.verifier
    (instance.path / "keys" / "log.pem").unlink()
    assert run("verify", "-i", instance.path, "--vkey", good).exit_code == 0
    failed(run("verify", "-i", instance.path, "--vkey", stranger), 1, "no trusted key")
    failed(run("verify", "-i", instance.path, "--vkey", "x"), 2, "not a verifier key")
    assert run("verify", "-i", instance.path).exit_code == 0  # by log.vkey
    (instance.path / "log.vkey").unlink()
    failed(run("verify", "-i", instance.path), 2, "log.vkey")


def test_the_verdict_as_json(instance: Instance) -> None:
    result = run("verify", "-i", instance.path, "--json")
    verdict = json.loads(result.stdout)
    assert (verdict["ok"], verdict["size"], verdict["origin"]) == (True, 4, ORIGIN)
    assert verdict["first_t"] <= verdict["last_t"] and len(verdict["root"]) == 64
    edit(instance)
    result = run("verify", "-i", instance.path, "--json")
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 2
    verdict = json.loads(result.stdout)
    assert (verdict["ok"], verdict["error"]) == (False, "TamperError")
    assert "entry 2" in verdict["en"] and "第 2 条" in verdict["zh"]


def test_a_flipped_byte_is_exit_1_and_names_the_entry(instance: Instance) -> None:
    edit(instance)
    en = failed(run("verify", "-i", instance.path), 1, "entry 2", "altered")
    assert len(re.findall("[0-9a-f]{64}", en)) == 2, "expected and found, in hex"


def test_a_rewrite_without_the_key_is_exit_1(instance: Instance) -> None:
    objects = [json.loads(data) for _, data, _ in rows(instance.ledger_path)]
    objects[3]["rows_read"] = 7
    rewrite(instance.ledger_path, chain(objects))
    failed(run("verify", "-i", instance.path), 1, "checkpoint", "rewritten")


@pytest.mark.parametrize("change", [{"kind": "query.guessed"}, {"v": 2}])
def test_a_newer_entry_is_exit_2_neither_good_nor_tampered(tmp_path: Path, change: dict[str, Any]) -> None:
    made = Instance.create(tmp_path / "demo", SETTINGS)
    with made.ledger() as book:
        append_some(book, 2)
    key = made._private_key()
    made.head_path.unlink()  # the newer program would have kept it up
    objects = [json.loads(data) for _, data, _ in rows(made.ledger_path)]
    rewrite(made.ledger_path, chain([*objects[:1], {**objects[1], **change}]), type(SIGNER)(ORIGIN, key))
    en = failed(run("verify", "-i", made.path), 2, "entry 1", "too old for this log")
    assert "OK" not in en and "alter" not in en


def test_a_missing_instance_is_exit_2_and_nothing_is_made(tmp_path: Path) -> None:
    failed(run("verify", "-i", tmp_path / "none"), 2, "liandong init")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_ledger_is_exit_2(instance: Instance) -> None:
    for file in instance.path.glob("ledger.db*"):
        file.unlink()
    failed(run("verify", "-i", instance.path), 2, "ledger.db")
    failed(run("prove", "0", "-i", instance.path), 2, "ledger.db")
    assert not instance.ledger_path.exists()


@pytest.mark.parametrize("content", [b"", b"junk" * 2000])
def test_a_file_that_is_no_ledger_is_never_green(instance: Instance, content: bytes) -> None:
    for file in instance.path.glob("ledger.db?*"):
        file.unlink()
    instance.ledger_path.write_bytes(content)
    failed(run("verify", "-i", instance.path), 1, "damaged or was altered")
    failed(run("prove", "0", "-i", instance.path), 2, "not a ledger")


def test_a_newer_instance_is_exit_2(instance: Instance) -> None:
    settings = instance.path / "instance.yml"
    settings.write_text(settings.read_text().replace("layout: 1", "layout: 2"))
    failed(run("verify", "-i", instance.path), 2, "newer version")


def test_as_a_real_process_before_and_after_a_flipped_byte(instance: Instance) -> None:
    command = [sys.executable, "-c", "from ledger.cli import ledger; ledger()", "verify", "-i", str(instance.path)]
    good = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "") and good.stdout.startswith("完好 OK")
    edit(instance, 3)
    bad = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "第 3 条" in bad.stderr and "entry 3" in bad.stderr and "Traceback" not in bad.stderr


# -- keys, receipts ----------


def test_the_verifier_key_is_printed_as_it_is_read(instance: Instance) -> None:
    result = run("vkey", "-i", instance.path)
    assert VerifierKey.parse(result.stdout.removesuffix("\n")) == instance.verifier_key()


def receipt_file(instance: Instance, seq: int) -> Path:
    result = run("prove", seq, "-i", instance.path)
    assert (result.exit_code, result.stderr) == (0, "")
    file = instance.path.parent / "receipt.json"
    file.write_text(result.stdout, encoding="utf-8")
    return file


@pytest.mark.parametrize("seq", range(4))
def test_a_receipt_that_is_proved_checks_offline(instance: Instance, seq: int) -> None:
    file, key = receipt_file(instance, seq), instance.verifier_key()
    assert json.loads(file.read_text())["openings"] == {}, "openings are not for whoever holds a terminal"
    instance.ledger_path.unlink()
    result = run("check-receipt", file, "--vkey", key)
    (line,) = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "") and line.startswith("完好 OK") and f"entry {seq}" in line


def test_a_receipt_with_one_byte_changed_is_exit_1(instance: Instance) -> None:
    file, key = receipt_file(instance, 3), instance.verifier_key()
    good = file.read_bytes()
    inside = [m.start() for part in (rb'"rows_read\\":3', rb"index 3", rb"\\n4\\n") for m in re.finditer(part, good)]
    for place in [*(start + 2 for start in inside), *range(20, len(good), 53)]:
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        failed(run("check-receipt", file, "--vkey", key), 1)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b"1e999", b"NaN",
        b'{"entry":"","proof":"","openings":{}}', b'{"entry":"\\ud800","proof":"","openings":{}}',
        b'{"entry":"","proof":"","openings":{"a":{"salt":1,"value":1}}}',
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_exit_1(instance: Instance, content: bytes) -> None:
    file = instance.path.parent / "receipt.json"
    file.write_bytes(content)
    failed(run("check-receipt", file, "--vkey", instance.verifier_key()), 1)


def test_a_receipt_is_not_checked_without_a_good_key(instance: Instance) -> None:
    file = receipt_file(instance, 0)
    failed(run("check-receipt", file, "--vkey", "\udcff+00000000+AAAA"), 2, "name a log or key")
    failed(run("check-receipt", file, "--vkey", SIGNER.verifier), 1, "no trusted key")
    assert run("check-receipt", file).exit_code == 2
    failed(run("check-receipt", instance.path / "none.json", "--vkey", SIGNER.verifier), 2, "cannot be read")


@pytest.mark.parametrize("seq", ["4", "99", str(2**63), str(10**40)])
def test_an_entry_that_is_not_there_is_exit_1(instance: Instance, seq: str) -> None:
    failed(run("prove", seq, "-i", instance.path), 1, f"no entry {seq}")


@pytest.mark.parametrize("seq", ["-1", "one", "1.0", ""])
def test_a_number_that_is_none_is_a_usage_error(instance: Instance, seq: str) -> None:
    assert run("prove", "-i", instance.path, "--", seq).exit_code == 2


def test_nothing_is_proved_from_an_edited_ledger(instance: Instance) -> None:
    edit(instance)
    failed(run("prove", "2", "-i", instance.path), 1, "entry 2", "liandong ledger verify")


# -- status, checkpoint, proofs ----------


def test_the_status_says_what_the_ledger_is_now(instance: Instance) -> None:
    root = verify_file(instance.ledger_path, instance.verifier_key()).root.hex()
    result = run("status", "-i", instance.path)
    assert (result.exit_code, result.stderr) == (0, "")
    for part in (ORIGIN, "entries: 4", root, str(instance.verifier_key()), "cosigned: 无 none"):
        assert part in result.stdout
    found = json.loads(run("status", "-i", instance.path, "--json").stdout)
    assert (found["size"], found["root"], found["cosigners"], found["rotations"]) == (4, root, [], 0)
    failed(run("status", "-i", instance.path.parent / "none"), 2, "liandong init")


def test_the_checkpoint_is_printed_byte_for_byte(instance: Instance) -> None:
    with instance.ledger() as book:
        note = book.checkpoint()
    assert run("checkpoint", "-i", instance.path).stdout_bytes == note


def test_a_proof_file_checks_offline_against_the_entrys_bytes(instance: Instance, tmp_path: Path) -> None:
    file, entry, key = tmp_path / "3.tlog-proof", tmp_path / "3.entry", instance.verifier_key()
    assert run("prove", 3, "-i", instance.path, "--proof-only", file).exit_code == 0
    assert file.read_bytes().startswith(b"c2sp.org/tlog-proof@v1\nindex 3\n")
    assert entry.read_bytes() == rows(instance.ledger_path)[3][1]
    instance.ledger_path.unlink()
    result = run("check-proof", file, "--entry", entry, "--vkey", key)
    assert (result.exit_code, result.stderr) == (0, "") and "entry 3" in result.stdout
    good = entry.read_bytes()
    entry.write_bytes(good + b"\n")
    failed(run("check-proof", file, "--entry", entry, "--vkey", key), 1, "root")
    entry.write_bytes(good)
    failed(run("check-proof", file, "--entry", entry, "--vkey", SIGNER.verifier), 1, "no trusted key")
    failed(run("check-proof", entry, "--entry", entry, "--vkey", key), 1, "malformed")
    failed(run("check-proof", tmp_path / "none", "--entry", entry, "--vkey", key), 2, "cannot be read")
    failed(run("check-proof", file, "--entry", tmp_path / "none", "--vkey", key), 2, "cannot be read")
    failed(run("prove", 3, "-i", instance.path.parent / "none", "--proof-only", file), 2, "liandong init")


def test_a_proof_is_not_written_where_it_cannot_be(instance: Instance, tmp_path: Path) -> None:
    failed(run("prove", 3, "-i", instance.path, "--proof-only", tmp_path / "none" / "x"), 2, "cannot be written")


# -- verify: what is new, in parts, against the kept head ----------


def test_verify_keeps_how_far_it_came_and_next_reads_only_what_is_new(instance: Instance, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    first = run("verify", "-i", instance.path, "--state", state)
    assert first.exit_code == 0 and "只读" not in first.stdout
    with instance.ledger() as book:
        append_some(book, 3)
    second = run("verify", "-i", instance.path, "--state", state)
    assert second.exit_code == 0
    assert "本次只读第 4 条起的新条目" in second.stdout and "from entry 4 on" in second.stdout
    again = json.loads(run("verify", "-i", instance.path, "--state", state, "--json").stdout)
    assert (again["size"], again["read_from"]) == (7, 7)


def test_verify_refuses_a_state_of_another_log_or_a_damaged_one(instance: Instance, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    run("verify", "-i", instance.path, "--state", state)
    text = state.read_text(encoding="utf-8")
    state.write_text(text.replace(ORIGIN, "other.example/log"), encoding="utf-8")
    failed(run("verify", "-i", instance.path, "--state", state), 2, "of log 'other.example/log'")
    state.write_text(text[:-10], encoding="utf-8")
    failed(run("verify", "-i", instance.path, "--state", state), 2, "remove it and verify all")


def test_verify_does_not_move_the_state_past_a_fault(instance: Instance, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    run("verify", "-i", instance.path, "--state", state)
    kept = state.read_bytes()
    with instance.ledger() as book:
        append_some(book, 3)
    edit(instance, 5)
    failed(run("verify", "-i", instance.path, "--state", state), 1, "entry 5")
    assert state.read_bytes() == kept


def test_verify_in_several_processes_says_the_same(instance: Instance) -> None:
    one, two = (run("verify", "-i", instance.path, "--jobs", jobs) for jobs in (1, 2))
    assert one.exit_code == two.exit_code == 0 and one.stdout == two.stdout


def test_verify_tells_an_older_copy_by_the_kept_head(instance: Instance) -> None:
    checkpoint_wal(instance.ledger_path)
    older = instance.ledger_path.read_bytes()
    with instance.ledger() as book:
        append_some(book, 3)
    instance.ledger_path.write_bytes(older)
    error = failed(run("verify", "-i", instance.path), 1, "holds 4 entries", "records 7", "older copy")
    assert str(instance.head_path) in error
