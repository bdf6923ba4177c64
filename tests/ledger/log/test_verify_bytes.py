"""Verification of bytes that are no entry, of signed entries outside the schema, and of damaged files."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import entries as kinds
from ledger import errors
from ledger.errors import EntryError, InstanceError, LedgerError, TamperError, VersionTooNewError
from ledger.log.note import Signer, VerifierKey
from ledger.log.verify import verify_file
from tests.ledger.support import (
    KEY,
    OPENED,
    ORIGIN,
    ROOT,
    SIGNER,
    VKEY,
    Attacker,
    Forged,
    attack,
    batch_fields,
    chain,
    checkpoint_wal,
    leaf,
    make_ledger,
    make_log,
    rewrite,
    rows,
)

LONG = 600  # two complete subtrees of 256 leaves, so inner nodes are stored
THIEF = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("templates")
    return {
        "short": make_log(folder / "short.db", 5),
        "long": make_log(folder / "long.db", LONG, group=50),
        "ledger": make_ledger(folder / "ledger.db", 6),
    }


@pytest.fixture
def short(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(templates["short"], tmp_path / "ledger.db"))


@pytest.fixture
def long(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(templates["long"], tmp_path / "ledger.db"))


@pytest.fixture
def book(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(templates["ledger"], tmp_path / "ledger.db"))


def refusal(path: Path, key: VerifierKey = VKEY, **options: Any) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        verify_file(path, key, **options)
    assert caught.value.en and caught.value.zh
    return caught.value


def names(error: LedgerError, seq: int) -> bool:
    return f"entry {seq}" in error.en.replace(":", " ").split(",")[0] and f"第 {seq} 条" in error.zh


# -- bytes that are no entry, though all hashes agree ----------


def spelled(path: Path, change: Callable[[bytes], bytes], *, signer: Signer | None) -> None:
    """Replace the last entry by other bytes, consistently: by somebody without (or with) the log's key."""
    stored = rows(path)
    forged = Forged([data for _, data, _ in stored], [value for _, _, value in stored])
    forged.entries[-1] = change(forged.entries[-1])
    forged.hashes[-1] = leaf(forged.entries[-1])
    rewrite(path, forged, signer)


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "a duplicate key": lambda data: data.replace(b'"v":1', b'"v":1,"v":1'),
    "a duplicate key before": lambda data: data.replace(b'{"kind"', b'{"kind":"x","kind"'),
    "a float": lambda data: data.replace(b'"n":4', b'"n":4.5'),
    "a float that is whole": lambda data: data.replace(b'"n":4', b'"n":4.0'),
    "an exponent": lambda data: data.replace(b'"n":4', b'"n":4e0'),
    "2^53": lambda data: data.replace(b'"n":4', b'"n":9007199254740992'),
    "2^64": lambda data: data.replace(b'"n":4', b'"n":18446744073709551616'),
    "a capital key": lambda data: data.replace(b'{"kind"', b'{"N":1,"kind"'),
    "a Chinese key": lambda data: data.replace(b',"v":1', ',"v":1,"县":1'.encode()),
    "an empty key": lambda data: data.replace(b'{"kind"', b'{"":1,"kind"'),
    "spaces": lambda data: data.replace(b'":', b'": '),
    "a newline at the end": lambda data: data + b"\n",
    "keys out of order": lambda data: data[:-1].replace(b"{", b'{"v":1,', 1).replace(b',"v":1', b"", 1) + b"}",
    "an escape that need not be": lambda data: data.replace("条".encode(), b"\\u6761"),
    "a lone surrogate": lambda data: data.replace("条".encode(), b"\\ud800"),
    "not UTF-8": lambda data: data.replace("条".encode(), b"\xff"),
    "nested 17 deep": lambda data: data.replace(b'"n":4', b'"n":' + b"[" * 16 + b"]" * 16),
    "nested 300 deep": lambda data: data.replace(b'"n":4', b'"n":' + b"[" * 300 + b"]" * 300),
    "nested 100,000 deep": lambda data: data.replace(b'"n":4', b'"n":' + b"[" * 100_000 + b"]" * 100_000),
    "longer than a bundle allows": lambda data: data.replace(b'"n":4', b'"m":"' + b"a" * 65_536 + b'","n":4'),
    "a list": lambda data: b"[" + data + b"]",
    "a number": lambda data: b"4",
    "nothing": lambda data: b"",
    "not JSON": lambda data: b"{" + data,
    "null": lambda data: b"null",
    "seq as text": lambda data: data.replace(b'"seq":4', b'"seq":"4"'),
    "another seq": lambda data: data.replace(b'"seq":4', b'"seq":5'),
    "no seq": lambda data: data.replace(b'"seq":4,', b""),
    "a seq that is null": lambda data: data.replace(b'"seq":4', b'"seq":null'),
    "a log that is a number": lambda data: data.replace(f'"log":"{ORIGIN}"'.encode(), b'"log":1'),
    "another log": lambda data: data.replace(ORIGIN.encode(), b"other.example/log"),
    "a prev of zeros": lambda data: data.replace(orjson.loads(data)["prev"].encode(), b"0" * 64),
    "a prev in capitals": lambda data: data.replace(b'"prev":"', b'"prev":"A'),
    "no prev": lambda data: data.replace(b'"prev"', b'"prez"'),
    "a prev that is a list": lambda data: data.replace(b'"%s"' % orjson.loads(data)["prev"].encode(), b"[]"),
    "a time before the last": lambda data: data.replace(b'"t":"2026', b'"t":"2025'),
    "a time out of form": lambda data: data.replace(b'Z","v"', b'","v"'),
    "a time of full-width digits": lambda data: data.replace(b'"t":"2026', '"t":"２０２６'.encode()),
    "a time that is a number": lambda data: data.replace(b'"%s"' % orjson.loads(data)["t"].encode(), b"1"),
    "no time": lambda data: data.replace(b'"t":', b'"u":'),
}  # fmt: skip


@pytest.mark.parametrize("signer", [None, SIGNER], ids=["without the key", "signed by a faulty log"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_bytes_that_are_no_entry_are_found_even_without_a_schema_check(
    short: Path, name: str, signer: Signer | None
) -> None:
    original = rows(short)[-1][1]
    assert SPELLINGS[name](original) != original
    spelled(short, SPELLINGS[name], signer=signer)
    error = refusal(short)
    assert isinstance(error, TamperError) and names(error, 4), error


def test_seq_true_is_not_1(short: Path) -> None:
    stored = rows(short)
    first = stored[1][1].replace(b'"seq":1', b'"seq":true')
    rewrite(short, Forged([stored[0][1], first], [stored[0][2], leaf(first)]), SIGNER)
    assert names(refusal(short), 1)


def test_a_message_shows_hostile_values_as_literals_and_short(short: Path) -> None:
    spelled(short, lambda data: data.replace(b'"prev":"', b'"prev":"\\u001b]0;x\\u0007' + b"a" * 5_000), signer=SIGNER)
    error = refusal(short)
    assert len(error.en) < 500 and not any(ord(character) < 32 for character in error.en + error.zh)


# -- kinds ----------


def signed_ledger(path: Path, *objects: dict[str, Any]) -> Path:
    first = {"kind": "log.opened", "v": 1, **OPENED}
    rewrite(path, chain([first, *objects]), SIGNER)
    return path


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"kind": "query.guessed"}, VersionTooNewError),
        ({"v": 2}, VersionTooNewError),
        ({"v": 2, "shape": "unknown"}, VersionTooNewError),
        ({"v": 0}, VersionTooNewError),
        ({"v": True}, EntryError),
        ({"v": "1"}, EntryError),
        ({"kind": 1}, EntryError),
        ({"colour": "red"}, EntryError),
        ({"rows_read": -1}, EntryError),
        ({"rows_read": True}, EntryError),
        ({"batch": "ABC"}, EntryError),
        ({"mapping_digest": "AB" * 32}, EntryError),
        ({"commit": {}}, EntryError),
        ({"commit": {"officer": "ab" * 32}}, EntryError),
        ({"commit": {"file_name": "甲.csv"}}, EntryError),
        ({"commit": "ab" * 32}, EntryError),
        ({"commit": {"file_name": "ab" * 32}}, None),
        ({"t": "2026-11-31T00:00:00.000Z"}, EntryError),
    ],
)
def test_a_signed_entry_is_held_to_the_schema_of_its_kind(
    book: Path, change: dict[str, Any], error: type[LedgerError] | None
) -> None:
    signed_ledger(book, {"kind": "batch.ingested", "v": 1, **batch_fields(), **change})
    if error is None:
        assert verify_file(book, VKEY, kinds.check_entry).size == 2
    else:
        caught = refusal(book, check_entry=kinds.check_entry)
        assert type(caught) is error and names(caught, 1)
        assert caught.exit_code == (2 if error is VersionTooNewError else 1)


def test_a_missing_field_is_named(book: Path) -> None:
    fields = batch_fields()
    del fields["rows_added"]
    signed_ledger(book, {"kind": "batch.ingested", "v": 1, **fields})
    assert "'rows_added' is missing" in refusal(book, check_entry=kinds.check_entry).en


def test_a_newer_file_says_so_and_is_not_called_tampered(short: Path) -> None:
    with attack(short) as db:
        db.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
    error = refusal(short)
    assert isinstance(error, VersionTooNewError) and error.exit_code == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE meta SET value = 'x' WHERE key = 'format'",
        "UPDATE meta SET value = '-1' WHERE key = 'format'",
        "UPDATE meta SET value = '１' WHERE key = 'format'",
        "UPDATE meta SET value = 'other.example/log' WHERE key = 'origin'",
        "DELETE FROM meta WHERE key = 'format'",
        "DELETE FROM meta WHERE key = 'origin'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "DROP TABLE nodes",
        "DROP TABLE checkpoints",
        "DROP TABLE entries",
        "ALTER TABLE entries RENAME COLUMN hash TO digest",
    ],
)
def test_a_file_whose_tables_were_changed_is_refused(short: Path, sql: str) -> None:
    with attack(short) as db:
        db.execute(sql)
    assert isinstance(refusal(short), TamperError)


def test_another_logs_key_is_told_apart_from_tampering(short: Path) -> None:
    assert "another log's file" in refusal(short, Signer("other.example/log", KEY).verifier).en


# -- vectors ----------


@pytest.mark.parametrize(
    "case",
    json.loads((ROOT / "docs/spec/vectors/log.json").read_text(encoding="utf-8"))["invalid"],
    ids=lambda case: case["desc"],
)
def test_the_logs_of_the_vectors_are_refused_as_they_say(book: Path, case: dict[str, Any]) -> None:
    data = [text.encode() for text in case["entries"]]
    rewrite(book, Forged(data, [leaf(entry) for entry in data]))
    size = int(case["checkpoint"].split("\n")[1])
    with attack(book) as db:
        db.execute("UPDATE checkpoints SET size = ?, note = ?", (size, case["checkpoint"]))
    with pytest.raises(getattr(errors, case["want_error"])):
        verify_file(book, VKEY, kinds.check_entry)


# -- the file itself ----------


def outcome(path: Path) -> bytes | None:
    """The root it verifies to, or None where it is refused with an error of ours. Anything else fails the test."""
    try:
        return verify_file(path, VKEY, kinds.check_entry).root
    except LedgerError as error:
        assert error.en and error.zh
        return None


def test_random_bytes_changed_anywhere_in_the_file_never_show_a_false_green(book: Path) -> None:
    checkpoint_wal(book)
    good, root = book.read_bytes(), outcome(book)
    chance = random.Random(5)
    places = [*range(0, 110), *(chance.randrange(len(good)) for _ in range(500))]
    refused = 0
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8) if chance.random() < 0.5 else chance.randrange(1, 256)
        book.write_bytes(bad)
        found = outcome(book)
        assert found in (None, root), place
        refused += found is None
        for suffix in ("-wal", "-shm"):
            book.with_name(book.name + suffix).unlink(missing_ok=True)
    assert refused > 50


def test_a_cut_or_overwritten_file_never_shows_a_false_green(book: Path) -> None:
    checkpoint_wal(book)
    good, root = book.read_bytes(), outcome(book)
    chance = random.Random(6)
    page = 4096
    damaged = [good[:size] for size in (0, 1, 16, 100, page - 1, page, 2 * page, len(good) - page, len(good) - 1)]
    for number in range(len(good) // page):
        for content in (bytes(page), chance.randbytes(page), good[:page], b"\xff" * page):
            damaged.append(good[: number * page] + content + good[(number + 1) * page :])
    for bad in damaged:
        book.write_bytes(bad)
        assert outcome(book) in (None, root)
        for suffix in ("-wal", "-shm"):
            book.with_name(book.name + suffix).unlink(missing_ok=True)


def test_a_damaged_page_of_entries_is_named_by_its_first_entry(long: Path) -> None:
    good = long.read_bytes()
    page = good.index(rows(long)[300][1]) // 4096
    first = min(seq for seq, data, _ in rows(long) if data in good[page * 4096 : (page + 1) * 4096])
    long.write_bytes(good[: page * 4096] + b"\xff" * 4096 + good[(page + 1) * 4096 :])
    error = refusal(long)
    assert isinstance(error, TamperError) and "damaged from here on" in error.en
    assert any(names(error, seq) for seq in range(first - 1, first + 1)), error


def test_a_missing_file_is_an_error_of_the_environment(tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path / "no" / "folder.db", tmp_path):
        error = refusal(path)
        assert isinstance(error, InstanceError) and error.exit_code == 2
    assert list(tmp_path.iterdir()) == [], "nothing is created"


def test_a_locked_file_is_an_error_of_the_environment(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect
    with Attacker(short) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, timeout=0.05))
        error = refusal(short)
        assert isinstance(error, InstanceError) and "locks it" in error.en
        db.execute("ROLLBACK")
    assert verify_file(short, VKEY).size == 5


@pytest.mark.parametrize("content", [b"", b"not a database" * 500])
def test_a_file_that_is_no_database_is_bad_data(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    error = refusal(path)
    assert isinstance(error, TamperError) and error.exit_code == 1


def test_names_of_folders_may_hold_what_a_uri_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "台账 100%?#&mode=rw"
    folder.mkdir()
    assert verify_file(make_log(folder / "ledger.db", 2), VKEY).size == 2
