"""``liandong ledger verify`` as a person uses it: what does not fit is said, a fault told exactly, a bar drawn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ledger import Instance, Settings
from ledger.cli import ledger
from ledger.log.cosignature import Cosigner
from ledger.log.note import Note, Signer
from tests.ledger.support import KEY, ORIGIN, ROOT, append_some, attack, batch_fields, chain, rewrite, rows, set_entry

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    made = Instance.create(folder / "demo", SETTINGS)
    with made.ledger() as book:
        append_some(book, 4)
        book.export(folder / "published")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "work"))


@pytest.fixture
def instance(folder: Path) -> Instance:
    return Instance.open(folder / "demo")


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(ledger, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def key_of(instance: Instance) -> Signer:
    return Signer(ORIGIN, instance._private_key())


# -- what does not fit ----------


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("{published}", "--vkey", "{vkey}", "--jobs", "2"), "--jobs"),
        (("-i", "{demo}", "--token", "x"), "--token"),
        (("{published}",), "--vkey"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(folder: Path, arguments: tuple[str, ...], word: str) -> None:
    values = {"published": folder / "published", "demo": folder / "demo"}
    vkey = Instance.open(folder / "demo").verifier_key()
    result = run("verify", *(argument.format(vkey=vkey, **values) for argument in arguments))
    assert (result.exit_code, result.stdout) == (2, "") and word in result.stderr


def test_a_token_in_the_environment_is_not_in_the_way_of_the_instances_own_ledger(instance: Instance) -> None:
    result = CliRunner(env={"LIANDONG_TOKEN": "x"}).invoke(ledger, ["verify", "-i", str(instance.path)])
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("{folder}/nowhere", "neither a directory nor an address"),
        ("ledger.example", "https://"),
        ("{folder}/demo/instance.yml", "neither a directory"),
        ("{folder}/demo", "liandong ledger verify -i"),
        ("{folder}/demo/rules", "holds no published log"),
        ("ftp://ledger.example/log", "not an address"),
        ("http://[", "not an address"),
        ("https://", "not an address"),
        ("http://ledger.example/log?x=1", "not an address"),
    ],
)
def test_a_source_that_is_none_is_a_mistake_of_the_asker_not_tampering(folder: Path, source: str, word: str) -> None:
    vkey = Instance.open(folder / "demo").verifier_key()
    result = run("verify", source.format(folder=folder), "--vkey", vkey)
    zh, en = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in en and zh.startswith("错误：") and "tamper" not in en and "removed" not in en


@pytest.mark.parametrize("token", ["词元", "a\nb", "a\x7f"])
def test_a_token_that_cannot_be_one_is_refused_before_anything_is_sent(instance: Instance, token: str) -> None:
    vkey = instance.verifier_key()
    result = run("verify", "http://127.0.0.1:9", "--vkey", vkey, "--token", token)
    assert result.exit_code == 2 and "token" in result.stderr and token not in result.stderr


def test_a_directory_without_its_checkpoint_is_at_fault(folder: Path, instance: Instance) -> None:
    (folder / "published" / "checkpoint").unlink()
    result = run("verify", folder / "published", "--vkey", instance.verifier_key())
    assert result.exit_code == 1 and "checkpoint is missing" in result.stderr


# -- faults ----------


def entry_changed(instance: Instance, old: bytes, new: bytes, *, signed: bool = False) -> None:
    """Entry 2 edited; with ``signed`` by whoever holds the log's key, so that only its content can be at fault."""
    data = rows(instance.ledger_path)[2][1]
    assert old in data
    if not signed:
        with attack(instance.ledger_path) as db:
            set_entry(db, 2, data.replace(old, new))
        return
    instance.head_path.unlink()
    objects = [json.loads(entry) for _, entry, _ in rows(instance.ledger_path)]
    objects[2] = json.loads(data.replace(old, new))
    rewrite(instance.ledger_path, chain(objects), key_of(instance))


def sql(statement: str) -> Callable[[Instance], None]:
    def change(instance: Instance) -> None:
        with attack(instance.ledger_path) as db:
            db.execute(statement)

    return change


def prev_changed(instance: Instance) -> None:
    data = rows(instance.ledger_path)[2][1]
    with attack(instance.ledger_path) as db:
        set_entry(db, 2, data.replace(json.loads(data)["prev"].encode(), b"ab" * 32), rehash=True)


def spaced(instance: Instance) -> None:
    data = rows(instance.ledger_path)[2][1]
    with attack(instance.ledger_path) as db:
        set_entry(db, 2, data.replace(b'":', b'": ', 1), rehash=True)


FAULTS: dict[str, tuple[Callable[[Instance], None], str, dict[str, Any]]] = {
    "an entry's bytes": (
        lambda instance: entry_changed(instance, b'"rows_read":2', b'"rows_read":3'),
        "TamperError",
        {"entry": 2, "field": "hash", "expected": "hex", "found": "hex"},
    ),
    "its prev": (
        prev_changed,
        "TamperError",
        {"entry": 2, "field": "prev", "expected": "hex", "found": repr("ab" * 32)},
    ),
    "its spelling": (
        spaced,
        "TamperError",
        {"entry": 2, "field": "bytes from 9", "expected": b'"b2","co'.hex(), "found": b' "b2","c'.hex()},
    ),
    "a field out of form, signed": (
        lambda instance: entry_changed(instance, b'"rows_read":2', b'"rows_read":"2"', signed=True),
        "EntryError",
        {"entry": 2, "field": "rows_read", "expected": "a whole number from 0", "found": "'2'"},
    ),
    "an unknown field, signed": (
        lambda instance: entry_changed(instance, b'"rows_read":2', b'"rows_read":2,"x":1', signed=True),
        "EntryError",
        {"entry": 2, "field": "x", "expected": "no such field", "found": "1"},
    ),
    "time that runs back, signed": (
        lambda instance: entry_changed(instance, b'"t":"20', b'"t":"19', signed=True),
        "TamperError",
        {"entry": 2, "field": "t"},
    ),
    "an entry removed": (
        sql("DELETE FROM entries WHERE seq = 1"),
        "TamperError",
        {"entry": 1, "field": "seq", "expected": "1", "found": "2"},
    ),
    "the last removed": (
        sql("DELETE FROM entries WHERE seq = 3"),
        "TamperError",
        {"entry": 3, "field": "seq", "expected": "4 entries", "found": "3 entries"},
    ),
    "the checkpoint removed": (
        sql("DELETE FROM checkpoints"),
        "TamperError",
        {"entry": None, "field": "checkpoint of 4 entries"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_fault_is_told_in_parts_to_programs_and_in_words_to_people(instance: Instance, name: str) -> None:
    change, error, parts = FAULTS[name]
    change(instance)
    result = run("verify", "-i", instance.path, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], told["error"]) == (1, False, error), told
    for part, want in parts.items():
        found = told["fault"][part]
        if want == "hex":
            assert len(bytes.fromhex(found)) == 32 and found in told["en"] and found in told["zh"]
        else:
            assert found == want, told
    if told["fault"]["entry"] is not None:
        assert f"entry {told['fault']['entry']}" in told["en"] and f"第 {told['fault']['entry']} 条" in told["zh"]
    zh, en = result.stderr.splitlines()
    assert (zh, en) == (f"错误：{told['zh']}", f"Error: {told['en']}")


def test_a_published_logs_fault_is_told_in_parts_too(folder: Path, instance: Instance) -> None:
    bundle = folder / "published/tile/entries/000.p/4"
    bundle.write_bytes(bundle.read_bytes().replace(b'"rows_read":2', b'"rows_read":3'))
    result = run("verify", folder / "published", "--vkey", instance.verifier_key(), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["fault"]["entry"], told["fault"]["field"]) == (1, 2, "hash")
    assert told["fault"]["expected"] == rows(instance.ledger_path)[2][2].hex()


def test_what_is_no_single_places_fault_is_told_without_parts(instance: Instance) -> None:
    result = run("verify", "-i", instance.path, "--json", "--vkey", Signer(ORIGIN, KEY).verifier)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["error"], told["fault"]) == (1, "NoteError", None)


# -- what the verdict rests on ----------


def test_the_verdict_says_when_the_key_was_the_folders_own(instance: Instance) -> None:
    own, given = (
        run("verify", "-i", instance.path),
        run("verify", "-i", instance.path, "--vkey", instance.verifier_key()),
    )
    assert "key: the folder's own" in own.stdout and "公钥取自本目录" in own.stdout
    assert "folder" not in given.stdout
    for options, want in (((), "folder"), (("--vkey", instance.verifier_key()), "given")):
        assert json.loads(run("verify", "-i", instance.path, "--json", *options).stdout)["key_from"] == want


def test_a_witness_whose_clock_is_far_off_does_not_end_the_verification(folder: Path, instance: Instance) -> None:
    witness = Cosigner("witness.example/invented", KEY)
    file = folder / "published/checkpoint"
    note = file.read_bytes()
    file.write_bytes(note + witness.signature_line(Note.parse(note).text, 2**62))
    result = run("verify", folder / "published", "--vkey", instance.verifier_key(), "--witness", witness.key)
    assert result.exit_code == 0 and f"witness.example/invented {2**62} s" in result.stdout
    bad = run("verify", folder / "published", "--vkey", instance.verifier_key(), "--witness", "x")
    assert bad.exit_code == 2 and "not a verifier key" in bad.stderr


def test_a_malformed_witness_key_is_said_before_the_log_is_read(tmp_path: Path) -> None:
    for source in ([tmp_path / "published", "--vkey", "not read either"], ["--instance", tmp_path / "none"]):
        bad = run("verify", *source, "--witness", "x")
        assert bad.exit_code == 2 and "not a verifier key" in bad.stderr and str(tmp_path) not in bad.stderr


# -- what is new ----------


def grown(folder: Path, count: int) -> None:
    instance = Instance.open(folder / "demo")
    with instance.ledger() as book:
        for n in range(count):
            book.append("batch.ingested", batch_fields(n))
        book.export(folder / "published")


def test_a_directory_is_verified_from_where_the_last_time_ended(folder: Path, instance: Instance) -> None:
    state, vkey = folder / "state.json", instance.verifier_key()
    first = run("verify", folder / "published", "--vkey", vkey, "--state", state)
    assert first.exit_code == 0 and "只看" not in first.stdout and state.exists()
    grown(folder, 3)
    again = run("verify", folder / "published", "--vkey", vkey, "--state", state)
    assert again.exit_code == 0, again.stderr
    assert "本次只看第 4 条起的新内容" in again.stdout and "were not checked again" in again.stdout
    told = json.loads(run("verify", folder / "published", "--vkey", vkey, "--state", state, "--json").stdout)
    assert (told["size"], told["read_from"], told["entries_checked"]) == (7, 7, True)


def test_one_state_serves_database_and_directory_but_hashes_alone_are_not_entries(
    folder: Path, instance: Instance
) -> None:
    state, vkey = folder / "state.json", instance.verifier_key()
    assert run("verify", "-i", instance.path, "--state", state).exit_code == 0
    grown(folder, 3)
    assert "from entry 4 on" in run("verify", folder / "published", "--vkey", vkey, "--state", state).stdout
    grown(folder, 2)
    assert "from entry 7 on" in run("verify", "-i", instance.path, "--state", state).stdout
    shutil.rmtree(folder / "published/tile/entries")
    hashes = folder / "hashes.json"
    for file in (state, hashes):
        assert run("verify", folder / "published", "--vkey", vkey, "--state", file).exit_code == 0
    for file in (state, hashes):
        result = run("verify", "-i", instance.path, "--state", file)
        assert result.exit_code == 2 and "saw hash tiles only" in result.stderr and "仅核验哈希瓦片" in result.stderr
    with instance.ledger() as book:
        book.export(folder / "published")
    assert run("verify", folder / "published", "--vkey", vkey, "--state", hashes).exit_code == 2


def test_the_state_of_a_directory_does_not_move_past_a_fault_and_tells_a_rollback(
    folder: Path, instance: Instance
) -> None:
    state, vkey, older = folder / "state.json", instance.verifier_key(), folder / "older"
    shutil.copytree(folder / "published", older)
    grown(folder, 3)
    assert run("verify", folder / "published", "--vkey", vkey, "--state", state).exit_code == 0
    kept = state.read_bytes()
    result = run("verify", older, "--vkey", vkey, "--state", state, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["error"], told["fault"]["found"]) == (1, "RollbackError", "4 entries")
    assert state.read_bytes() == kept
    other = run("verify", older, "--vkey", Signer("other.example/log", KEY).verifier, "--state", state)
    assert other.exit_code == 2 and f"is of log {ORIGIN!r}" in other.stderr


# -- a person who watches ----------


def watched(*arguments: object) -> tuple[int, str, str]:
    """Run the command with a terminal for its standard error: exit code, standard output, what the terminal got."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from ledger.cli import ledger; ledger()", *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    out, _ = process.communicate(timeout=120)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the other end is closed and all is read
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.returncode, out, shown.decode()


def test_a_progress_bar_is_drawn_on_a_terminal_and_nowhere_else(folder: Path, instance: Instance) -> None:
    grown(folder, 1_500)
    vkey = instance.verifier_key()
    for arguments in (("-i", instance.path), (folder / "published", "--vkey", vkey)):
        code, out, shown = watched("verify", *arguments, "--json")
        assert code == 0 and json.loads(out)["size"] == 1_504
        assert "核验 verify" in shown and "100%" in shown
        steps = [part.rpartition(" ")[2] for part in shown.split("%")[:-1]]
        assert len({*steps} - {"0", "100"}) >= 1, "it moves"
        assert shown.rstrip().endswith("\x1b[?25h") or "\x1b[?25l" not in shown, "the cursor is shown again"
        quiet = run("verify", *arguments)
        assert (quiet.exit_code, quiet.stderr) == (0, "")
    entry_changed(instance, b'"rows_read":2', b'"rows_read":3')
    code, out, shown = watched("verify", "-i", instance.path)
    assert (code, out) == (1, "") and "entry 2" in shown and "第 2 条" in shown
    assert shown.rfind("\x1b[?25h") >= shown.rfind("\x1b[?25l")
