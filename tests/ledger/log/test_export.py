"""A log as static tiles: whole, resumable, never promising more than it holds; and verified as strictly as the file."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ledger import Ledger, LedgerError, TamperError, entries
from ledger.cli import ledger as cli
from ledger.log.cosignature import Cosigner
from ledger.log.export import ExportError, TileDirectory
from ledger.log.keychain import KeyChain
from ledger.log.merkle import check_inclusion, inclusion_proof, tree_root
from ledger.log.note import Checkpoint, Note
from ledger.log.tiles import Tile, bundles_of, tiles_of
from ledger.log.verify_tiles import DirectorySource, verify_tiles
from tests.ledger.support import (
    KEY,
    ORIGIN,
    SIGNER,
    VKEY,
    append_some,
    batch_fields,
    clock,
    leaf,
    naive_root,
    rows,
)

SIZE = 600
KEYS = KeyChain(VKEY)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of 600 valid entries and its export."""
    folder = tmp_path_factory.mktemp("log")
    Ledger.create(folder / "ledger.db", ORIGIN)
    with Ledger(folder / "ledger.db", KEY, now=clock()) as book:
        append_some(book, 3)
        for n in range(3, SIZE):
            book.append("batch.ingested", batch_fields(n))
        book.export(folder / "x")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "log")
    return tmp_path / "log"


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def check(path: Path, *, with_entries: bool = True) -> int:
    return verify_tiles(DirectorySource(path), KEYS, with_entries=with_entries, check_entry=entries.check_entry).size


def opened(folder: Path) -> Ledger:
    return Ledger(folder / "ledger.db", KEY, now=clock())


# -- writing ----------


def test_an_export_holds_just_checkpoint_tiles_and_bundles(folder: Path) -> None:
    found = contents(folder / "x")
    assert set(found) == {
        "checkpoint", *(f"tile/{tile.path}" for tile in [*tiles_of(SIZE), *bundles_of(SIZE)])
    }  # fmt: skip
    leaves = [value for _, _, value in rows(folder / "ledger.db")]
    assert found["tile/0/001"] == b"".join(leaves[256:512])
    assert found["tile/1/000.p/2"] == naive_root(leaves[:256]) + naive_root(leaves[256:512])


def test_it_is_read_back_as_hashes_and_entries(folder: Path) -> None:
    stored = rows(folder / "ledger.db")
    directory = TileDirectory(folder / "x")
    reader = directory.reader(SIZE)
    root = naive_root([value for _, _, value in stored])
    assert tree_root(SIZE, reader) == root
    for index in (0, 255, 256, 599):
        check_inclusion(stored[index][2], index, SIZE, inclusion_proof(index, SIZE, reader), root)
    assert list(directory.entries(SIZE)) == [entry for _, entry, _ in stored]
    assert directory.tile(Tile(0, 0, 17)) == b"".join(value for _, _, value in stored[:17])


def test_hashes_only_leaves_every_entry_out(folder: Path) -> None:
    with opened(folder) as book:
        book.export(folder / "public", with_entries=False)
    found = contents(folder / "public")
    assert not any("entries" in name for name in found)
    assert not any(b"batch" in data for data in found.values())
    assert check(folder / "public", with_entries=False) == SIZE


def test_a_second_export_adds_what_is_new_and_removes_overtaken_partial_tiles(folder: Path) -> None:
    with opened(folder) as book:
        for n in range(200):
            book.append("batch.ingested", batch_fields(n))
        size = len(rows(folder / "ledger.db"))
        before = {name: (folder / "x" / name).stat().st_mtime_ns for name in contents(folder / "x")}
        book.export(folder / "x")
        book.export(folder / "fresh")
    assert contents(folder / "x") == {**contents(folder / "fresh"), **_partials(folder / "x", size)}
    assert not (folder / "x/tile/0/002.p").exists(), "the full tile took its place"
    for name in ("tile/0/000", "tile/entries/001"):
        assert (folder / "x" / name).stat().st_mtime_ns == before[name], "not written again"
    assert check(folder / "x") == size


def _partials(path: Path, size: int) -> dict[str, bytes]:
    """Narrower partial tiles that readers of the older checkpoint may still want."""
    return {name: data for name, data in contents(path).items() if re.search(r"\.p/", name)}


@pytest.mark.parametrize("stop", range(1, 9))
def test_an_export_that_was_interrupted_goes_on(folder: Path, stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(100))
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        if next(calls) == stop:
            raise OSError(28, "No space left on device", "a file")

    with opened(folder) as book:
        with monkeypatch.context() as patch:
            patch.setattr("ledger.log.export.os.fsync", fsync)
            with pytest.raises(ExportError, match="No space"):
                book.export(folder / "y")
        assert not (folder / "y" / "checkpoint").exists()
        book.export(folder / "y")
        book.export(folder / "z")
    assert contents(folder / "y") == contents(folder / "z")
    assert check(folder / "y") == len(rows(folder / "ledger.db"))


def test_a_log_that_was_rolled_back_is_not_written_over_an_export(folder: Path, template: Path) -> None:
    with opened(folder) as book:
        for n in range(3):
            book.append("batch.ingested", batch_fields(n))
        book.export(folder / "x")
    kept = contents(folder / "x")
    for file in folder.glob("ledger.db*"):
        file.unlink()
    shutil.copy(template / "ledger.db", folder / "ledger.db")
    with opened(folder) as book:
        with pytest.raises(TamperError, match="rolled back"):
            book.export(folder / "x")
        book.append("batch.ingested", batch_fields(77))
        book.append("batch.ingested", batch_fields(78))
        book.append("batch.ingested", batch_fields(79))
        book.append("batch.ingested", batch_fields(80))
        with pytest.raises(TamperError, match="rewritten"):
            book.export(folder / "x")
    assert contents(folder / "x") == kept


def test_a_folder_of_something_else_is_left_alone(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "letter.txt").write_text("x")
    with opened(folder) as book, pytest.raises(ExportError, match="not empty"):
        book.export(folder / "mine")
    assert contents(folder / "mine") == {"letter.txt": b"x"}


# -- verifying ----------


def test_every_flipped_byte_and_every_missing_file_is_found(folder: Path) -> None:
    path = folder / "x"
    assert check(path) == SIZE
    for name, data in contents(path).items():
        file = path / name
        for place in {0, 1, len(data) // 3, len(data) // 2, len(data) - 1}:
            file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(LedgerError):
                check(path)
        for other in (b"", data[:-1], data + b"\0"):
            file.write_bytes(other)
            with pytest.raises(LedgerError):
                check(path)
        file.unlink()
        with pytest.raises(TamperError, match="missing"):
            check(path)
        file.write_bytes(data)
    assert check(path) == SIZE


def test_the_first_fault_is_named(folder: Path) -> None:
    bundle = folder / "x/tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(b'"rows_read":300', b'"rows_read":301'))
    with pytest.raises(TamperError, match=r"^entry 300: its bytes hash to [0-9a-f]{64}, recorded is [0-9a-f]{64}"):
        check(folder / "x")
    assert check(folder / "x", with_entries=False) == SIZE, "hash tiles alone do not see entries"
    upper = folder / "x/tile/1/000.p/2"
    upper.write_bytes(upper.read_bytes()[:32] + bytes(32))
    with pytest.raises(TamperError, match=r"level 1, hash 1 \(entries 256 to 511\): published is 0{64}"):
        check(folder / "x", with_entries=False)


def test_a_tile_of_other_hashes_does_not_lead_to_the_signed_root(folder: Path) -> None:
    tile = folder / "x/tile/0/002.p/88"
    tile.write_bytes(leaf(b"other") + tile.read_bytes()[32:])
    with pytest.raises(TamperError, match=r"has root [0-9a-f]{64}, the tiles give [0-9a-f]{64}"):
        check(folder / "x", with_entries=False)


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 513])
def test_every_size_verifies_against_a_naive_root(folder: Path, size: int) -> None:
    leaves = [value for _, _, value in rows(folder / "ledger.db")][:size]
    path = folder / "sized"
    for tile in tiles_of(size):
        span = 256 ** (tile.level or 0)
        starts = range(tile.start * span, (tile.start + tile.width) * span, span)
        file = path / "tile" / tile.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"".join(naive_root(leaves[start : start + span]) for start in starts))
    (path / "checkpoint").write_bytes(Checkpoint(ORIGIN, size, naive_root(leaves)).sign(SIGNER))
    assert check(path, with_entries=False) == size
    (path / "checkpoint").write_bytes(Checkpoint(ORIGIN, size, leaf(b"x")).sign(SIGNER))
    with pytest.raises(TamperError):
        check(path, with_entries=False)


# -- commands ----------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_verifies_a_directory_and_says_what_it_saw(folder: Path) -> None:
    result = run("verify", folder / "x", "--vkey", VKEY)
    assert (result.exit_code, result.stderr) == (0, "") and f"{SIZE} 条" in result.stdout
    shutil.rmtree(folder / "x/tile/entries")
    result = run("verify", folder / "x", "--vkey", VKEY, "--json")
    assert json.loads(result.stdout)["entries_checked"] is False
    (folder / "x/tile/0/000").unlink()
    result = run("verify", folder / "x", "--vkey", VKEY)
    assert (result.exit_code, result.stdout) == (1, "") and "缺少" in result.stderr and "missing" in result.stderr
    assert run("verify", folder / "nowhere", "--vkey", VKEY).exit_code == 2
    assert run("verify", folder / "x").exit_code == 2


def test_a_witness_that_is_named_is_verified_and_printed(folder: Path) -> None:
    witness = Cosigner("witness.example/invented", KEY)
    file = folder / "x/checkpoint"
    note = file.read_bytes()
    line = witness.signature_line(Note.parse(note).text, 1_795_000_000)
    file.write_bytes(note + line)
    result = run("verify", folder / "x", "--vkey", VKEY, "--witness", witness.key)
    assert result.exit_code == 0 and "witness.example/invented 2026-11-18T" in result.stdout, result.output
    other = Cosigner("other.example/invented", SIGNER.private_key)
    result = run("verify", folder / "x", "--vkey", VKEY, "--witness", witness.key, "--witness", other.key)
    assert result.exit_code == 0 and "not cosigned by: other.example/invented" in result.stdout
    file.write_bytes(note + witness.signature_line(b"other\n1\nAAAA\n", 1_795_000_000))
    assert run("verify", folder / "x", "--vkey", VKEY, "--witness", witness.key).exit_code == 1
    assert run("verify", folder / "x", "--vkey", VKEY).exit_code == 0, "unknown keys are ignored"
