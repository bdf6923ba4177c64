"""``liandong witness`` and ``liandong ledger witness-…``: a witness without a network, and one with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from ledger import Instance, Settings
from ledger.cli import ledger
from ledger.errors import InstanceError
from ledger.log.note import Signer
from ledger.log.verify import verify_file
from ledger.log.witness import Witness
from ledger.witness_cli import witness
from ledger.witness_folder import WitnessFolder
from tests.ledger.support import ORIGIN, append_some, chain, rewrite
from tests.ledger.witness_support import CALL, Office, free_port

CHINESE = re.compile(r"[一-鿿]{2}")
SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance.create(tmp_path / "demo", SETTINGS)
    with made.ledger() as book:
        append_some(book, 4)
    return made


def run(group: object, *arguments: object) -> Result:
    result = CliRunner().invoke(group, [str(argument) for argument in arguments])  # type: ignore[arg-type]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def good(group: object, *arguments: object) -> str:
    result = run(group, *arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    return result.stdout


def failed(result: Result, exit_code: int, *words: str) -> None:
    assert result.exit_code == exit_code
    zh, en = result.stderr.splitlines()[-2:]
    assert zh.startswith("错误：") and CHINESE.search(zh) and en.startswith("Error: ")
    assert all(word in en for word in words), en


def make_witness(instance: Instance, folder: Path, n: int, url: str = "") -> str:
    """A new witness; returns its line for the policy."""
    name = f"example.gov.cn/witness/w{n}"
    options = ["--log", instance.verifier_key(), "--call", CALL, "--url", url]
    return good(witness, "init", folder, "--name", name, *options).splitlines()[-1]


def write_policy(instance: Instance, *lines: str) -> None:
    names = [line.split(" ")[1] for line in lines]
    text = [f"log {instance.verifier_key()}", *lines, f"group all-of-them all {' '.join(names)}", "quorum all-of-them"]
    (instance.path / "witnesses.policy").write_text("\n".join(text) + "\n", encoding="utf-8")


@pytest.fixture
def two(instance: Instance, tmp_path: Path) -> tuple[Path, Path]:
    """Two witnesses without a network, in the instance's policy."""
    folders = (tmp_path / "a", tmp_path / "b")
    write_policy(instance, *(make_witness(instance, folder, n) for n, folder in enumerate(folders)))
    return folders


def name_of(n: int) -> str:
    return f"example-gov-cn-witness-w{n}"


def round_trip(instance: Instance, folder: Path, n: int, tmp_path: Path) -> str:
    """Export, carry, sign, carry back, import; returns what import printed."""
    file = tmp_path / f"to-{n}"
    good(ledger, "witness-export", name_of(n), file, "-i", instance.path)
    good(witness, "sign", file, "-w", folder)
    return good(ledger, "witness-import", f"{file}.cosigned", "-i", instance.path)


def test_two_offices_without_a_network_make_a_quorum(
    instance: Instance, two: tuple[Path, Path], tmp_path: Path
) -> None:
    assert "quorum" not in round_trip(instance, two[0], 0, tmp_path)
    assert "anchored as entry 4" in round_trip(instance, two[1], 1, tmp_path)
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == 5
    bounds = json.loads(good(ledger, "bounds", 2, "-i", instance.path))
    assert (bounds["lo"], bounds["hi_size"], bounds["witnessed_size"]) == (None, 4, 4)
    with instance.ledger() as book:
        append_some(book, 2)
    for n in (0, 1):  # what the ledger kept tells it what each witness has
        round_trip(instance, two[n], n, tmp_path)
    bounds = json.loads(good(ledger, "bounds", 6, "-i", instance.path))
    assert (bounds["lo_seq"], bounds["hi_size"], bounds["contradictory"]) == (4, 7, False)
    assert "绿 GREEN" in good(witness, "status", "-w", two[0])
    status = json.loads(good(witness, "status", "-w", two[0], "--json"))
    assert [(log["log"], log["size"], log["red"]) for log in status["logs"]] == [(ORIGIN, 7, False)]


def test_a_witness_that_has_more_than_the_ledger_knows_says_how_to_go_on(
    instance: Instance, two: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "to"
    good(ledger, "witness-export", name_of(0), file, "-i", instance.path)
    good(witness, "sign", file, "-w", two[0], "-o", tmp_path / "lost")
    with instance.ledger() as book:
        append_some(book, 1)
    good(ledger, "witness-export", name_of(0), file, "-i", instance.path)
    failed(run(witness, "sign", file, "-w", two[0]), 1, "409", "--old 4")
    good(ledger, "witness-export", name_of(0), file, "--old", 4, "-i", instance.path)
    good(witness, "sign", file, "-w", two[0])
    good(ledger, "witness-import", f"{file}.cosigned", "-i", instance.path)
    good(ledger, "witness-import", tmp_path / "lost", "-i", instance.path)
    failed(run(ledger, "witness-export", name_of(0), file, "--old", 9, "-i", instance.path), 1, "9 entries")


def test_a_rewritten_ledger_is_not_signed_and_status_is_red(
    instance: Instance, two: tuple[Path, Path], tmp_path: Path
) -> None:
    """The owner holds the key, rewrites, recomputes all; the office's witness and the kept checkpoint catch it."""
    round_trip(instance, two[0], 0, tmp_path)
    kept = (tmp_path / "to-0.cosigned").read_text(encoding="utf-8")
    assert kept.count("\n— ") == 2
    with instance.ledger() as book:
        signer = Signer(ORIGIN, book._sequencer._signer.private_key)
        objects = [book.entry(seq) for seq in range(4)]
    objects[2]["rows_read"] = 77
    rewrite(instance.ledger_path, chain(objects), signer)
    instance.head_path.unlink()  # the owner of the folder forges what lies outside the database too
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == 4, "by the file alone, all is well"
    good(ledger, "witness-export", name_of(0), tmp_path / "forged", "--old", 4, "-i", instance.path)
    failed(run(witness, "sign", tmp_path / "forged", "-w", two[0]), 1, "409")
    assert not (tmp_path / "forged.cosigned").exists()
    result = run(witness, "status", "-w", two[0])
    failed(result, 1, "red", CALL)
    assert "红 RED" in result.stdout and "two roots for one size" in result.stdout
    failed(
        run(ledger, "witness-import", tmp_path / "to-0.cosigned", "-i", instance.path), 1, "stored bytes were altered"
    )


def test_only_a_cosigned_checkpoint_of_this_ledger_is_taken(
    instance: Instance, two: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    with instance.ledger() as book:
        plain = book.checkpoint()
    for data in (b"", b"junk", plain, plain + b"junk\n"):
        file.write_bytes(data)
        failed(run(ledger, "witness-import", file, "-i", instance.path), 1)
    file.write_bytes(b"x" * 100_000)
    failed(run(ledger, "witness-import", file, "-i", instance.path), 2, "larger than")
    failed(run(ledger, "witness-import", tmp_path / "none", "-i", instance.path), 2, "cannot be read")
    failed(run(ledger, "witness-export", "nobody", file, "-i", instance.path), 1, name_of(0), name_of(1))


def test_state_is_exported_as_evidence_and_taken_back(
    instance: Instance, two: tuple[Path, Path], tmp_path: Path
) -> None:
    round_trip(instance, two[0], 0, tmp_path)
    saved = tmp_path / "saved.json"
    good(witness, "export", saved, "-w", two[0])
    value = json.loads(saved.read_bytes())
    assert len(value["cosigned"]) == 1 and value["refused"] == []
    (two[0] / "state.db").unlink()
    failed(run(witness, "status", "-w", two[0]), 2, "never start it empty")
    for file in two[0].glob("state.db*"):
        file.unlink()
    Witness.create(two[0] / "state.db")
    assert "1 / 1" in good(witness, "import", saved, "-w", two[0])
    assert json.loads(good(witness, "status", "-w", two[0], "--json"))["logs"][0]["size"] == 4
    failed(run(witness, "import", saved, "-w", two[1]), 1, "not cosigned by")
    for junk in (
        b"",
        b"[]",
        b"{}",
        b'{"version":2}',
        b'{"version":1,"cosigned":[1]}',
        b'{"version":1,"cosigned":["x"]}',
    ):
        saved.write_bytes(junk)
        failed(run(witness, "import", saved, "-w", two[0]), 1)


def test_pushing_by_hand_over_http(instance: Instance, tmp_path: Path) -> None:
    offices = [Office(tmp_path / f"w{n}", free_port()) for n in range(2)]
    write_policy(instance, *(make_witness(instance, office.folder, n, office.url) for n, office in enumerate(offices)))
    try:
        for office in offices:
            office.start()
        printed = good(ledger, "witness-push", "-i", instance.path)
        assert printed.count("cosigned") == 2
        assert json.loads(good(ledger, "bounds", 0, "-i", instance.path))["hi"] is not None
        offices[1].stop()
        result = run(ledger, "witness-push", "-i", instance.path)
        failed(result, 1, "not every witness")
        assert "unreachable" in result.stdout and "cosigned" in result.stdout
    finally:
        for office in offices:
            office.stop()


def test_a_folder_says_what_is_wrong_with_it(instance: Instance, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    make_witness(instance, folder, 0)
    assert (folder / "witness.pem").stat().st_mode & 0o777 == 0o600
    options = ["--name", "a/b", "--log", instance.verifier_key(), "--call", "x"]
    failed(run(witness, "init", folder, *options), 2, "not empty")
    failed(run(witness, "init", tmp_path / "n", "--name", "a b", *options[2:]), 1, "cannot name")
    failed(run(witness, "init", tmp_path / "n", "--name", "a", "--log", "x", "--call", "x"), 1, "not a verifier key")
    failed(run(witness, "status", "-w", tmp_path / "none"), 2, "liandong witness init")
    good_text = (folder / "witness.yml").read_text(encoding="utf-8")
    settings = yaml.safe_load(good_text)
    for change in (
        {"name": 7},
        {"name": "a b"},
        {"logs": ["x"]},
        {"logs": 5},
        {"call": 1},
        {"silent_after_hours": "1"},
        {"silent_after_hours": -1},
        {"since": "yesterday"},
        {"since": "2026-11-23T10:00:00"},
    ):
        (folder / "witness.yml").write_text(yaml.safe_dump({**settings, **change}), encoding="utf-8")
        with pytest.raises(InstanceError, match="damaged"):
            WitnessFolder.open(folder)
    for text in ("", "[", "- a", "name: !!int x", "\udcff"):
        (folder / "witness.yml").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(InstanceError, match="damaged"):
            WitnessFolder.open(folder)
    (folder / "witness.yml").write_text(good_text, encoding="utf-8")
    (folder / "witness.pem").chmod(0o644)
    with pytest.raises(InstanceError, match="chmod 600"):
        WitnessFolder.open(folder)
    (folder / "witness.pem").chmod(0o600)
    (folder / "witness.pem").write_bytes(b"junk")
    with pytest.raises(InstanceError, match="damaged"):
        WitnessFolder.open(folder)
