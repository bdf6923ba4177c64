"""`liandong ledger verify --against FILE`: which files are taken, and what of the ledger itself is compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ledger import Instance, Settings
from ledger.cli import ledger
from ledger.log.note import Checkpoint, Signer
from tests.ledger.support import ORIGIN, append_some, batch_fields, chain, rewrite
from tests.ledger.witness_support import COSIGNERS

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance.create(tmp_path / "demo", SETTINGS)
    with made.ledger() as book:
        append_some(book, 6)
    return made


def verify(instance: Instance, *arguments: object) -> Result:
    result = CliRunner().invoke(ledger, ["verify", "-i", str(instance.path), *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def outside_files(instance: Instance, folder: Path) -> list[Path]:
    """A checkpoint, a receipt, a tlog-proof and a witness's export, of now."""
    with instance.ledger() as book:
        checkpoint, receipt = book.checkpoint(), book.receipt(2, with_openings=True)
    text = checkpoint.partition(b"\n\n")[0] + b"\n"
    cosigned = checkpoint + COSIGNERS[0].signature_line(text, 1_763_863_000)
    other = "other.example/log\n3\nAAAA\n\n— x y\n"
    export = {"version": 1, "witness": str(COSIGNERS[0].key), "cosigned": [other, cosigned.decode()], "refused": []}
    return [
        written(folder / "checkpoint", cosigned),
        written(folder / "receipt.json", json.dumps(receipt.to_json())),
        written(folder / "2.tlog-proof", receipt.proof),
        written(folder / "export.json", json.dumps(export)),
    ]


def against(files: list[Path]) -> list[str]:
    return [word for file in files for word in ("--against", str(file))]


def test_every_form_in_which_a_checkpoint_is_kept_is_taken(instance: Instance, tmp_path: Path) -> None:
    files = outside_files(instance, tmp_path)
    with instance.ledger() as book:
        append_some(book, 1)
    result = verify(instance, *against(files), "--witness", COSIGNERS[0].key, "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [(item["file"], item["size"]) for item in value["against"]] == [(str(file), 6) for file in files]
    assert [bool(item["cosigned"]) for item in value["against"]] == [True, False, False, True]
    assert value["not_cosigned"] == [COSIGNERS[0].name], "nothing in the ledger itself was cosigned"
    out = tmp_path / "out"
    with instance.ledger() as book:
        book.export(out)
    published = json.loads(verify(instance, out, "--vkey", instance.verifier_key(), *against(files), "--json").stdout)
    assert [item["size"] for item in published["against"]] == [6, 6, 6, 6]


def test_from_the_last_verified_state_on_an_older_checkpoint_is_compared_too(
    instance: Instance, tmp_path: Path
) -> None:
    files = outside_files(instance, tmp_path)
    with instance.ledger() as book:
        append_some(book, 1)
    state = tmp_path / "state"
    assert verify(instance, "--state", state).exit_code == 0
    with instance.ledger() as book:
        append_some(book, 1)
    assert verify(instance, "--state", state, *against(files)).exit_code == 0
    forged = written(tmp_path / "forged", files[0].read_bytes())
    with instance.ledger() as book:
        signer = Signer(ORIGIN, book._sequencer._signer.private_key)
    forged.write_bytes(Checkpoint(ORIGIN, 6, bytes(32)).sign(signer))
    result = verify(instance, "--state", state, "--against", forged)
    assert result.exit_code == 1 and "rewritten and signed anew" in result.stderr


def test_a_rewritten_and_a_shorter_ledger_are_refused_by_every_form(instance: Instance, tmp_path: Path) -> None:
    files = outside_files(instance, tmp_path)
    with instance.ledger() as book:
        signer = Signer(ORIGIN, book._sequencer._signer.private_key)
        objects = [book.entry(seq) for seq in range(6)]
    instance.head_path.unlink()
    rewrite(instance.ledger_path, chain([*objects[:4], {**objects[4], "rows_read": 99}, objects[5]]), signer)
    assert verify(instance).exit_code == 0
    for file in files:
        result = verify(instance, "--against", file)
        assert result.exit_code == 1 and "rewritten and signed anew" in result.stderr and "改写" in result.stderr
    rewrite(instance.ledger_path, chain(objects[:4]), signer)
    for file in files:
        result = verify(instance, "--against", file)
        assert result.exit_code == 1 and "the log holds 4" in result.stderr


def test_a_file_that_proves_nothing_is_refused(instance: Instance, tmp_path: Path) -> None:
    receipt = json.loads(outside_files(instance, tmp_path)[1].read_bytes())
    entry = receipt["entry"].replace('"rows_read":2', '"rows_read":3')
    for data, words in (
        (b"", "malformed"),
        (b"junk", "malformed"),
        (b"{", "cannot be read as a receipt"),
        (b"{}", "not a receipt"),
        (b'{"cosigned":1}', "liandong witness export"),
        (b'{"cosigned":[]}', "holds no checkpoint of"),
        (b'{"cosigned":["other.example/log\\n"]}', "holds no checkpoint of"),
        (b'{"cosigned":[],"cosigned":[]}', "given twice"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n\n", "malformed"),
        (json.dumps({**receipt, "entry": entry}).encode(), "does not hold in itself"),
        (json.dumps({**receipt, "proof": receipt["proof"].replace("index 2", "index 1")}).encode(), "in itself"),
    ):
        result = verify(instance, "--against", written(tmp_path / "file", data))
        assert result.exit_code == 1 and words in result.stderr, (data, result.stderr)
    result = verify(instance, "--against", tmp_path / "none")
    assert result.exit_code == 1 and "cannot be read" in result.stderr


def test_an_anchor_that_does_not_fit_what_is_before_it_is_found(instance: Instance) -> None:
    with instance.ledger() as book:
        signer = Signer(ORIGIN, book._sequencer._signer.private_key)
        note = book.checkpoint().decode()
        root = book.entry(0)["prev"]
        fields = {"size": 6, "root": root, "cosigners": [], "cosigned_at": [], "checkpoint": note}
        book.append("checkpoint.anchored", fields)
        book.append("batch.ingested", batch_fields(7))
        objects = [book.entry(seq) for seq in range(8)]
    assert verify(instance).exit_code == 0
    instance.head_path.unlink()
    rewrite(instance.ledger_path, chain([{**objects[0], "software": "forged"}, *objects[1:]]), signer)
    result = verify(instance)
    assert result.exit_code == 1 and "entry 6 anchors a checkpoint of 6 entries with root" in result.stderr
    for checkpoint, words in (("junk", "is no checkpoint"), (note.replace("\n6\n", "\n7\n"), "none before that entry")):
        rewrite(instance.ledger_path, chain([*objects[:6], {**objects[6], "checkpoint": checkpoint}]), signer)
        result = verify(instance)
        assert result.exit_code == 1 and words in result.stderr
