"""Rotating the log's key: old receipts hold, new ones too, whoever trusts one key can check all, nobody else signs."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import Instance, LedgerError, LedgerUnavailableError, NoteError, Settings, TamperError
from ledger.cli import ledger as cli
from ledger.instance import private_pem
from ledger.log.keychain import KeyChain
from ledger.log.note import Note, Signer, VerifierKey, open_checkpoint
from ledger.log.verify import verify_file
from ledger.rotation import KIND, chain, message, statement
from tests.ledger.support import ORIGIN, append_some, attack, batch_fields, rewrite, rows, set_entry
from tests.ledger.support import chain as forge

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance.create(tmp_path / "demo", SETTINGS)
    with made.ledger() as book:
        append_some(book, 4)
    return made


def grow(instance: Instance, count: int = 2) -> None:
    with instance.ledger() as book:
        for n in range(count):
            book.append("batch.ingested", batch_fields(n))


def newest(instance: Instance) -> bytes:
    with instance.ledger() as book:
        return book.checkpoint()


def entries(instance: Instance) -> list[bytes]:
    return [data for _, data, _ in rows(instance.ledger_path)]


def signer(seed: int) -> Signer:
    return Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


# -- what a rotation leaves ----------


def test_the_entry_carries_the_new_key_and_both_signatures(instance: Instance) -> None:
    old = instance.verifier_key()
    new = instance.rotate_key()
    assert new == instance.verifier_key() != old
    entry = json.loads(entries(instance)[4])
    assert (entry["kind"], entry["old_public_key"], entry["public_key"]) == (
        KIND,
        old.public_key.hex(),
        new.public_key.hex(),
    )
    said = f"liandong/key-rotation/v1\n{ORIGIN}\n{old}\n{new}\n".encode()
    assert said == message(old, new)
    old.verify(bytes.fromhex(entry["old_signature"]), said)
    new.verify(bytes.fromhex(entry["new_signature"]), said)


def test_the_checkpoint_of_that_commit_is_signed_by_both_keys_and_later_ones_by_the_new(instance: Instance) -> None:
    old = instance.verifier_key()
    before = newest(instance)
    new = instance.rotate_key()
    both = newest(instance)
    assert len(Note.parse(both).signatures) == 2
    assert open_checkpoint(both, old) == open_checkpoint(both, new)
    grow(instance)
    after = newest(instance)
    assert open_checkpoint(after, new).size == 7 and open_checkpoint(before, old).size == 4
    for note, key in ((after, old), (before, new)):
        with pytest.raises(NoteError):
            open_checkpoint(note, key)


def test_the_old_key_stays_private_beside_the_new(instance: Instance) -> None:
    keys = instance.path / "keys"
    old = (keys / "log.pem").read_bytes()
    instance.rotate_key()
    second = (keys / "log.pem").read_bytes()
    instance.rotate_key()
    assert [(keys / f"log.pem.old-{n}").read_bytes() for n in (1, 2)] == [old, second]
    assert (keys / "log.pem").read_bytes() not in (old, second)
    assert not (keys / "log.pem.new").exists()
    assert {stat.S_IMODE(file.stat().st_mode) for file in keys.iterdir()} == {0o600}
    assert (instance.path / "log.vkey").read_text() == f"{instance.verifier_key()}\n"


def test_receipts_from_before_hold_with_the_old_key_and_from_after_with_the_new(instance: Instance) -> None:
    old = instance.verifier_key()
    with instance.ledger() as book:
        before = book.receipt(2, with_openings=True)
    new = instance.rotate_key()
    grow(instance)
    with instance.ledger() as book:
        after = book.receipt(2, with_openings=True)
    assert before.entry == after.entry
    assert before.verify(old) == after.verify(new)
    with pytest.raises(NoteError):
        before.verify(new)
    with pytest.raises(NoteError):
        after.verify(old)


# -- verification ----------


def test_whoever_trusts_any_of_the_keys_verifies_the_whole_log(instance: Instance) -> None:
    trusted = [instance.verifier_key()]
    for _ in range(3):
        trusted.append(instance.rotate_key())
        grow(instance)
    for key in trusted:
        assert verify_file(instance.ledger_path, instance.key_chain(key)).size == 13
        result = CliRunner().invoke(cli, ["verify", "-i", str(instance.path), "--vkey", str(key)])
        assert result.exit_code == 0, result.stderr
    stranger = signer(9).verifier
    result = CliRunner().invoke(cli, ["verify", "-i", str(instance.path), "--vkey", str(stranger)])
    assert result.exit_code == 1 and "no trusted key" in result.stderr


def test_an_exported_log_is_verified_with_any_of_its_keys(instance: Instance, tmp_path: Path) -> None:
    old = instance.verifier_key()
    assert CliRunner().invoke(cli, ["export", str(tmp_path / "x"), "-i", str(instance.path)]).exit_code == 0
    new = instance.rotate_key()
    grow(instance)
    result = CliRunner().invoke(cli, ["export", str(tmp_path / "x"), "-i", str(instance.path)])
    assert result.exit_code == 0, result.stderr
    for key in (old, new):
        result = CliRunner().invoke(cli, ["verify", str(tmp_path / "x"), "--vkey", str(key)])
        assert result.exit_code == 0, result.stderr


def test_the_chain_says_from_which_size_on_each_key_signs(instance: Instance) -> None:
    old = instance.verifier_key()
    new = instance.rotate_key()
    keys = instance.key_chain(old)
    assert keys == KeyChain(old, ((5, new),)) == instance.key_chain(new)
    assert [keys.at(size) for size in (0, 4, 5, 2**62)] == [old, old, new, new]


def test_the_old_key_signs_nothing_newer_for_whoever_knows_the_new(instance: Instance) -> None:
    """Somebody stole the old key after the rotation, and owns the file."""
    stolen = Signer(ORIGIN, instance._private_key())
    new = instance.rotate_key()
    grow(instance)
    objects = [json.loads(data) for data in entries(instance)]
    without = [value for value in objects if value["kind"] != KIND]
    for forged in (objects, without, [*without, objects[4]]):
        rewrite(instance.ledger_path, forge(forged), stolen)
        with pytest.raises(LedgerError):
            verify_file(instance.ledger_path, instance.key_chain(new))


def test_a_rotation_that_the_old_key_did_not_sign_is_refused(instance: Instance) -> None:
    old, mallory = Signer(ORIGIN, instance._private_key()), signer(5)
    objects = [json.loads(data) for data in entries(instance)]
    good = statement(old, mallory)
    wrong: list[dict[str, Any]] = [
        {**good, "old_signature": good["new_signature"]},
        {**good, "new_signature": good["old_signature"]},
        {**statement(mallory, mallory), "old_public_key": old.verifier.public_key.hex()},
        statement(Signer("another.example/log", old.private_key), Signer("another.example/log", mallory.private_key)),
    ]
    for fields in wrong:
        rewrite(instance.ledger_path, forge([*objects, {"kind": KIND, "v": 1, **fields}]), mallory)
        with pytest.raises(TamperError, match="not signed by both"):
            instance.key_chain(old.verifier)
        result = CliRunner().invoke(cli, ["verify", "-i", str(instance.path), "--vkey", str(old.verifier)])
        assert result.exit_code == 1 and "密钥更换" in result.stderr


def test_a_rotation_from_a_key_that_was_not_the_logs_is_refused() -> None:
    first, second, third, fourth = (signer(n) for n in (1, 2, 3, 4))
    objects = [{"kind": KIND, "v": 1, **statement(*pair)} for pair in ((first, second), (third, fourth))]
    for trusted in (first, second, third, fourth):
        with pytest.raises(TamperError, match="entry 1"):
            chain(trusted.verifier, forge(objects).entries)


def test_a_log_without_rotations_has_a_chain_of_one(instance: Instance) -> None:
    key = instance.verifier_key()
    assert instance.key_chain() == KeyChain(key)
    assert chain(key, [b"", b"{", b'"kind":"key.rotated"', b'["kind":"key.rotated"]']) == KeyChain(key)


def test_an_entry_that_is_no_longer_json_hides_no_rotation(instance: Instance) -> None:
    old = instance.verifier_key()
    instance.rotate_key()
    with attack(instance.ledger_path) as db:
        set_entry(db, 2, b"{")
    with pytest.raises(TamperError, match="entry 2"):
        verify_file(instance.ledger_path, instance.key_chain(old))


# -- others at work, crashes ----------


def test_a_program_that_still_has_the_old_key_appends_nothing_more(instance: Instance) -> None:
    with instance.ledger() as service:
        service.append("batch.ingested", batch_fields(1))
        instance.rotate_key()
        with pytest.raises(LedgerUnavailableError, match="restart") as caught:
            service.append("batch.ingested", batch_fields(2))
        assert "重启" in caught.value.zh
        grow(instance)
        with pytest.raises(NoteError):
            service.append("batch.ingested", batch_fields(3))
    assert verify_file(instance.ledger_path, instance.key_chain()).size == 8


class Stop(Exception):
    pass


@pytest.mark.parametrize("step", ["append", "take", "link", "replace"])
def test_a_rotation_that_was_cut_off_is_whole_or_never_was(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old = instance.verifier_key()

    def stop(*_: object, **__: object) -> None:
        raise Stop

    def after(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            real(*args, **options)
            if args[0].name.startswith("log.pem"):
                raise Stop

        return wrapper

    with monkeypatch.context() as patch:
        if step == "append":
            patch.setattr("ledger.book.Ledger.append", stop)
        elif step == "take":
            patch.setattr(Instance, "_take_next_key", stop)
        else:
            name = {"link": "hardlink_to", "replace": "replace"}[step]
            patch.setattr(Path, name, after(getattr(Path, name)))
        with pytest.raises(Stop):
            instance.rotate_key()
    again = Instance.open(instance.path)
    rotated = step != "append"
    assert (again.verifier_key() != old) is rotated
    grow(again)
    assert verify_file(again.ledger_path, again.key_chain(old)).size == 6 + rotated
    assert len(list((again.path / "keys").glob("log.pem.old-*"))) == rotated
    third = again.rotate_key()
    grow(again)
    assert verify_file(again.ledger_path, again.key_chain(third)).size == 9 + rotated
    assert not (again.path / "keys" / "log.pem.new").exists()


def test_the_command_prints_the_new_key(instance: Instance) -> None:
    result = CliRunner().invoke(cli, ["rotate-key", "-i", str(instance.path)])
    assert result.exit_code == 0, result.stderr
    assert VerifierKey.parse(result.stdout.splitlines()[-1]) == instance.verifier_key()


def test_a_key_that_does_not_belong_to_the_log_rotates_nothing(instance: Instance, tmp_path: Path) -> None:
    pem = instance.path / "keys" / "log.pem"
    shutil.copy(pem, tmp_path / "log.pem")
    pem.write_bytes(private_pem(signer(5).private_key))
    with pytest.raises(NoteError):
        instance.rotate_key()
    shutil.copy(tmp_path / "log.pem", pem)
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == 4
    instance.rotate_key()
    assert verify_file(instance.ledger_path, instance.key_chain()).size == 5
