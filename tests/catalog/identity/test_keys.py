from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.errors import AuthenticationError, UsageError
from catalog.identity import keys
from catalog.identity.agencies import register_agency
from catalog.identity.key_statement import KeyStatementError, PrivateKey, endorsed, key_id, sign
from ledger import ConflictError
from tests.catalog.identity.conftest import World

KEYS: list[PrivateKey] = [Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())]


def add(world: World, key: PrivateKey, endorser: PrivateKey | None = None) -> str:
    keys.add(world.register, world.ledger, world.statement(key, endorser=endorser))
    return key_id(key.public_key())


@pytest.mark.parametrize("key", KEYS, ids=["ed25519", "p256"])
def test_a_key_is_found_by_its_id_until_it_expires(world: World, key: PrivateKey) -> None:
    keyid = add(world, key)
    found = keys.find(world.register, keyid)
    assert found.key == key.public_key() and keyid.startswith(found.algorithm.removeprefix("ecdsa-").split("-")[0])
    assert (found.actor.agency, found.actor.auth, found.actor.keyid) == ("a", "signature", keyid)
    world.clock.now += timedelta(days=11)
    with pytest.raises(AuthenticationError, match="expired"):
        keys.find(world.register, keyid)


def test_an_unknown_key_is_refused(world: World) -> None:
    with pytest.raises(AuthenticationError, match="not registered"):
        keys.find(world.register, "ed25519:00")


def test_adding_a_key_is_an_entry_with_both_signatures(world: World) -> None:
    add(world, KEYS[0])
    entry = world.newest()
    assert entry["kind"] == "agency.key_added" and entry["endorser"] == key_id(world.supervisor.public_key())


def test_the_next_key_is_endorsed_by_the_one_before(world: World) -> None:
    add(world, KEYS[0])
    add(world, KEYS[1], endorser=KEYS[0])


def test_a_revoked_key_fails_at_once_and_endorses_nothing(world: World) -> None:
    keyid = add(world, KEYS[0])
    keys.revoke(world.register, world.ledger, keyid, by="a", reason="lost")
    with pytest.raises(AuthenticationError, match="revoked"):
        keys.find(world.register, keyid)
    with pytest.raises(KeyStatementError, match="may not endorse"):
        add(world, KEYS[1], endorser=KEYS[0])
    with pytest.raises(UsageError):
        keys.revoke(world.register, world.ledger, keyid, by="a", reason="lost")


def test_the_operator_cannot_slip_in_a_key(world: World) -> None:
    own = Ed25519PrivateKey.generate()
    size = len(world.ledger.newest(1000))
    statement = world.statement(own)
    forged = [
        endorsed(world.ledger.origin, "a", "a-sys", statement.expires_at, own, None),  # nobody endorses it
        world.statement(own, endorser=own),  # it endorses itself
        replace(statement, endorser_signature=sign(own, statement.message())),  # signed by another than it says
        replace(statement, agency="b"),  # the statement was for another agency
        replace(statement, expires_at=world.register.timestamp(timedelta(days=999))),
        replace(statement, signature=bytes(64)),  # nobody has the private key
        replace(statement, log="another.example/log"),
    ]
    for attempt in forged:
        with pytest.raises(KeyStatementError):
            keys.add(world.register, world.ledger, attempt)
    assert len(world.ledger.newest(1000)) == size


def test_a_key_written_into_the_ledger_past_the_check_is_set_apart(world: World) -> None:
    own = Ed25519PrivateKey.generate()
    forged = endorsed(world.ledger.origin, "a", "a-sys", world.register.timestamp(timedelta(days=9)), own, None)
    fields = {name: value for name, value in forged.fields().items() if value is not None}
    world.ledger.append("agency.key_added", fields)
    add(world, KEYS[0])  # the register follows the ledger
    with pytest.raises(AuthenticationError, match="not registered"):
        keys.find(world.register, key_id(own.public_key()))
    (rejected,) = world.register.all("SELECT * FROM rejected_keys")
    assert rejected["agency"] == "a" and "endorsed" in rejected["why_en"] and "背书" in rejected["why_zh"]


def test_a_second_supervisors_key_needs_an_endorsement_too(world: World) -> None:
    own = Ed25519PrivateKey.generate()
    statement = endorsed(world.ledger.origin, "s", "s-2", world.register.timestamp(timedelta(days=9)), own, None)
    with pytest.raises(KeyStatementError, match="endorsed"):
        keys.add(world.register, world.ledger, statement)


def test_an_agency_does_not_become_a_supervisor_by_being_registered_again(world: World) -> None:
    names = {"name_zh": "甲局", "name_en": "Bureau A", "short_name": "甲", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "a", "role": "supervisor"})
    row = world.register.one("SELECT role FROM agencies WHERE id = 'a'")
    assert row is not None and row["role"] == "agency"


def test_a_key_is_added_once(world: World) -> None:
    add(world, KEYS[0])
    with pytest.raises(ConflictError):
        add(world, KEYS[0])
