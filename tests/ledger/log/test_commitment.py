"""Commitments: a field opens with its own salt and value and with nothing else; sealed particulars notice a change."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import CanonicalError, TamperError
from ledger.log.commitment import Opening, Sealed, check_opening, commit, seal, unseal
from tests.ledger.support import random_source

NUMBER = "999999202611230000"  # has the shape of an identity number, of an area code that no place has
SALT = bytes(range(32))


def by_hand(salt: bytes, field: str, value: Any) -> str:
    canonical = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return hmac.new(salt, field.encode() + b"\x00" + canonical, hashlib.sha256).hexdigest()


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["officer", "query"]), st.text() | st.integers(0, 99))
def test_a_commitment_is_the_hmac_that_the_specification_gives(salt: bytes, field: str, value: Any) -> None:
    assert commit(salt, field, value) == by_hand(salt, field, value)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_salt_has_32_bytes(length: int) -> None:
    with pytest.raises(CanonicalError, match=str(length)):
        commit(bytes(length), "officer", NUMBER)


def test_the_right_opening_opens_and_every_other_is_refused() -> None:
    commitment = commit(SALT, "officer", NUMBER)
    check_opening(commitment, "officer", Opening(SALT, NUMBER))
    wrong: list[tuple[str, str, Opening]] = [
        (commitment, "query", Opening(SALT, NUMBER)),
        (commitment, "officer\0", Opening(SALT, NUMBER)),
        (commitment, "officer", Opening(SALT, NUMBER[:-1])),
        (commitment, "officer", Opening(SALT, int(NUMBER) % 2**53)),
        (commitment, "officer", Opening(SALT, [NUMBER])),
        (commitment[:-1], "officer", Opening(SALT, NUMBER)),
        (commitment.upper(), "officer", Opening(SALT, NUMBER)),
        ("中" * 64, "officer", Opening(SALT, NUMBER)),
    ]
    for bit in range(256):
        salt = (int.from_bytes(SALT, "big") ^ 1 << bit).to_bytes(32, "big")
        wrong.append((commitment, "officer", Opening(salt, NUMBER)))
    for expected, field, opening in wrong:
        with pytest.raises(TamperError):
            check_opening(expected, field, opening)


def test_equal_values_do_not_show_as_equal() -> None:
    random = random_source()
    sealed = [seal("officer", NUMBER, random) for _ in range(50)]
    assert len({item.commitment for item in sealed}) == 50
    assert len({item.ciphertext for item in sealed}) == 50
    assert len({item.key for item in sealed}) == 50


def test_a_commitment_is_no_hash_that_could_be_guessed_without_the_salt() -> None:
    random = random_source()
    sealed, other = seal("officer", NUMBER, random), seal("query", "x", random)
    openings = {"own": unseal(sealed), "other": unseal(other)}
    assert sealed.commitment == by_hand(openings["own"].salt, "officer", NUMBER)
    canonical = json.dumps(NUMBER).encode()
    known_to_all = [b"", bytes(32), b"officer", sealed.commitment.encode(), openings["other"].salt, other.key]
    guesses = {hashlib.sha256(text).hexdigest() for text in (canonical, NUMBER.encode(), b"officer\0" + canonical)}
    for salt in known_to_all:
        guesses.add(hmac.new(salt, b"officer\0" + canonical, hashlib.sha256).hexdigest())
        guesses.add(hashlib.sha256(salt + canonical).hexdigest())
    assert sealed.commitment not in guesses


def test_each_field_takes_fresh_salt_and_key_so_one_opening_says_nothing_of_another() -> None:
    drawn: list[bytes] = []

    def random(count: int) -> bytes:
        drawn.append(random_source(b"%d" % len(drawn))(count))
        return drawn[-1]

    sealed = {name: seal(name, NUMBER, random) for name in ("officer", "query", "signature")}
    secrets = [unseal(item).salt for item in sealed.values()] + [item.key for item in sealed.values()]
    assert len(set(secrets)) == 6
    # Each secret is a slice of its own of what the system's randomness gave: none is derived from another.
    assert sorted(secrets) == sorted(half for bytes_ in drawn for half in (bytes_[:32], bytes_[32:]))


@given(st.text() | st.none() | st.lists(st.integers(0, 9), max_size=3))
def test_what_was_sealed_is_unsealed(value: Any) -> None:
    opening = unseal(seal("query", value, random_source()))
    assert opening.value == value


def test_any_changed_byte_of_key_ciphertext_or_commitment_is_noticed() -> None:
    sealed = seal("officer", NUMBER, random_source())
    changed: list[Sealed] = []
    for name in ("key", "ciphertext"):
        good = getattr(sealed, name)
        for place in range(len(good)):
            bad = bytearray(good)
            bad[place] ^= 1 << place % 8
            changed.append(dataclasses.replace(sealed, **{name: bytes(bad)}))
        changed += [dataclasses.replace(sealed, **{name: bad}) for bad in (good[:-1], good + b"\0", b"")]
    for place in range(64):
        bad_text = sealed.commitment[:place] + "x" + sealed.commitment[place + 1 :]
        changed.append(dataclasses.replace(sealed, commitment=bad_text))
    changed.append(dataclasses.replace(sealed, field="query"))
    changed.append(dataclasses.replace(sealed, commitment=seal("officer", NUMBER, random_source(b"2")).commitment))
    for item in changed:
        with pytest.raises(TamperError):
            unseal(item)


def test_a_ciphertext_moved_to_another_entry_is_noticed() -> None:
    random = random_source()
    one, two = seal("officer", "甲", random), seal("officer", "乙", random)
    with pytest.raises(TamperError):
        unseal(dataclasses.replace(one, key=two.key, ciphertext=two.ciphertext))


@pytest.mark.parametrize("value", [1.5, {"A": 1}, b"x", "\ud800"])
def test_what_is_not_canonical_cannot_be_sealed(value: Any) -> None:
    with pytest.raises(CanonicalError):
        seal("officer", value, random_source())
