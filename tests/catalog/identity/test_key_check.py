"""Which keys may be relied on, from the ledger alone; and a register that says otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.identity import key_check, keys
from catalog.identity.key_check import KeyCheckError
from catalog.identity.key_statement import endorsed, fingerprint, key_id
from tests.catalog.identity.conftest import World


def paper(world: World) -> str:
    return fingerprint(world.supervisor.public_key().public_bytes_raw())


def add(world: World) -> str:
    key = Ed25519PrivateKey.generate()
    keys.add(world.register, world.ledger, world.statement(key))
    return key_id(key.public_key())


@pytest.mark.parametrize("spelled", [str, str.upper, lambda text: text.replace(" ", "")])
def test_the_keys_of_the_register_are_those_of_the_ledger(world: World, spelled: object) -> None:
    keyid = add(world)
    keys.revoke(world.register, world.ledger, keyid, by="a", reason="lost")
    checked = key_check.check(world.ledger.since, spelled(paper(world)), world.register.path)  # type: ignore[operator]
    said = {each["keyid"]: (each["agency"], each["endorser"]) for each in checked.keys}
    root = key_id(world.supervisor.public_key())
    assert said == {root: ("s", None), keyid: ("a", root)} and checked.rejected == []
    assert {each["keyid"]: each["state"] for each in checked.keys}[keyid] == "revoked"


def test_another_root_than_the_one_on_paper_is_found(world: World) -> None:
    other = fingerprint(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(KeyCheckError, match="not the one on paper") as caught:
        key_check.check(world.ledger.since, other)
    assert caught.value.exit_code == 1 and "不符" in caught.value.zh


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO keys SELECT 'ed25519:0', agency, system, algorithm, public_key, endorser, added_seq, added_at, "
        "expires_at, revoked_at, revoked_for FROM keys",
        "UPDATE keys SET public_key = zeroblob(32) WHERE agency = 'a'",
        "UPDATE keys SET agency = 'b' WHERE agency = 'a'",
        "UPDATE keys SET revoked_at = NULL",
        "UPDATE keys SET expires_at = '2099-01-01T00:00:00.000Z'",
    ],
)
def test_a_register_that_was_written_past_the_ledger_is_found(world: World, change: str) -> None:
    keyid = add(world)
    keys.revoke(world.register, world.ledger, keyid, by="a", reason="lost")
    world.register.write(change + (" LIMIT 1" if change.startswith("INSERT") else ""))
    with pytest.raises(KeyCheckError, match="past the ledger"):
        key_check.check(world.ledger.since, paper(world), world.register.path)


def test_what_the_ledger_holds_and_nobody_endorsed_is_listed_apart(world: World) -> None:
    own = Ed25519PrivateKey.generate()
    forged = endorsed(world.ledger.origin, "a", "a-sys", world.register.timestamp(timedelta(days=9)), own, None)
    fields = {name: value for name, value in forged.fields().items() if value is not None}
    world.ledger.append("agency.key_added", fields)
    checked = key_check.check(world.ledger.since, paper(world))
    assert [each["keyid"] for each in checked.rejected] == [key_id(own.public_key())]
    assert key_id(own.public_key()) not in {each["keyid"] for each in checked.keys}
