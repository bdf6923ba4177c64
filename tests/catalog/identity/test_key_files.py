"""Keys as files: made once, 0600; and the request that carries a statement, read strictly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from catalog.client import load_key
from catalog.errors import UsageError
from catalog.identity import key_files
from catalog.identity.key_statement import (
    ALGORITHMS,
    KeyStatementError,
    Statement,
    algorithm_of,
    endorsed,
    fingerprint,
    key_id,
    sign,
)

ROOT = Path(__file__).resolve().parents[3]
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
EXPIRES = "2027-11-25T00:00:00.000Z"


def statement(endorser: Ed25519PrivateKey | None = OTHER) -> Statement:
    return endorsed("shifan.example/liandong", "zhzf", "zhzf-sys", EXPIRES, KEY, endorser)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_made_for_its_owner_alone_and_never_over_another(tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "system.pem"
    made = key_files.new_key(file, algorithm)
    assert algorithm_of(made) == algorithm
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_id(load_key(file).public_key()) == key_id(made.public_key())
    with pytest.raises(UsageError, match="not overwritten"):
        key_files.new_key(file, algorithm)
    assert key_id(load_key(file).public_key()) == key_id(made.public_key())


def test_a_key_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        key_files.new_key(tmp_path / "nowhere" / "system.pem", ALGORITHMS[0])


@pytest.mark.parametrize("endorser", [None, OTHER])
def test_a_request_is_read_as_it_was_written(tmp_path: Path, endorser: Ed25519PrivateKey | None) -> None:
    made = statement(endorser)
    key_files.write_request(tmp_path / "request.json", made)
    assert key_files.read_request(tmp_path / "request.json") == made
    assert key_files.from_json(key_files.to_json(made)) == made


def test_a_request_holds_no_private_key() -> None:
    text = key_files.to_json(statement())
    assert KEY.private_bytes_raw().hex() not in text and "PRIVATE" not in text


CHANGES: list[tuple[str, Any]] = [
    ("format", "liandong/agency-key/v2"),
    ("log", "another.example/log"),
    ("log", "shifan.example/liandong\n"),
    ("agency", "scjg"),
    ("agency", "ZHZF"),
    ("system", "zhzf-sys\nscjg"),
    ("algorithm", "rsa"),
    ("algorithm", ALGORITHMS[1]),
    ("public_key", "00" * 32),
    ("public_key", "AB" * 32),
    ("public_key", "ab" * 31),
    ("expires_at", "2028-11-25T00:00:00.000Z"),
    ("expires_at", "2027-11-25"),
    ("signature", "00" * 64),
    ("signature", ""),
    ("signature", None),
    ("endorser", "rsa:" + "0" * 32),
    ("endorser", 7),
    ("endorser_signature", "zz" * 64),
    ("more", "member"),
]


@pytest.mark.parametrize(("member", "value"), CHANGES)
def test_a_request_changed_in_any_member_is_refused(member: str, value: object) -> None:
    changed = {**json.loads(key_files.to_json(statement())), member: value}
    with pytest.raises(KeyStatementError) as caught:
        key_files.from_json(json.dumps(changed))
    assert caught.value.en and caught.value.zh


@pytest.mark.parametrize("member", json.loads(key_files.to_json(statement())))
def test_a_request_without_a_member_or_with_one_twice_is_refused(member: str) -> None:
    whole = key_files.to_json(statement())
    value = json.loads(whole)
    del value[member]
    with pytest.raises(KeyStatementError):
        key_files.from_json(json.dumps(value))
    with pytest.raises(KeyStatementError):
        key_files.from_json(whole.replace("{", f'{{"{member}": "x",', 1))


@given(st.text(max_size=200))
def test_any_other_text_is_no_request(text: str) -> None:
    with pytest.raises(KeyStatementError):
        key_files.from_json(text)


def test_a_file_that_is_missing_or_far_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        key_files.read_request(tmp_path / "missing.json")
    (tmp_path / "long.json").write_text(" " * key_files.MAX_REQUEST_BYTES + key_files.to_json(statement()))
    with pytest.raises(KeyStatementError, match="over"):
        key_files.read_request(tmp_path / "long.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyStatementError):
        key_files.read_request(tmp_path / "binary.json")


def test_an_endorsement_takes_the_place_of_another_and_leaves_the_rest() -> None:
    again = statement(None).endorsed_by(OTHER)
    assert again == statement() and again.endorser == key_id(OTHER.public_key())
    assert again.endorsed_by(KEY).endorser == key_id(KEY.public_key())


# -- docs/spec/key-statement.md ---------------------------------------------------------------------------------------


def test_the_specifications_sample_is_what_this_program_makes_and_takes() -> None:
    page = (ROOT / "docs/spec/key-statement.md").read_text(encoding="utf-8")
    (sample,) = re.findall(r"^```json\n(.*?)^```", page, re.M | re.S)
    (message,) = re.findall(r"^```text\n(.*?)^```", page, re.M | re.S)
    assert key_files.from_json(sample) == statement()
    assert key_files.to_json(statement()) == sample
    assert statement().message().decode() == message
    assert sign(KEY, message.encode()).hex() in sample
    assert fingerprint(statement().public_key).replace(" ", "")[:32] == key_id(KEY.public_key()).partition(":")[2]
