from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from catalog.errors import AuthenticationError, UsageError
from catalog.identity import duties, key_statement, keys, officers, sessions
from catalog.identity.agencies import name_office, register_agency
from catalog.identity.key_statement import KeyStatementError, PrivateKey, endorsed, key_id, sign
from catalog.identity.projection import catch_up
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


def test_a_supervising_office_that_the_operator_made_up_endorses_nothing(world: World) -> None:
    names = {"name_zh": "某某督查办", "name_en": "Sham Office", "short_name": "督查办", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "sham", "role": "supervisor"})
    own, victim = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    expires_at = world.register.timestamp(timedelta(days=9))
    root = endorsed(world.ledger.origin, "sham", "sham-1", expires_at, own, None)
    with pytest.raises(KeyStatementError, match="very first key"):
        keys.add(world.register, world.ledger, root)
    fields = {name: value for name, value in root.fields().items() if value is not None}
    world.ledger.append("agency.key_added", fields)  # past the check, as who writes the ledger may
    catch_up(world.register, world.ledger)
    with pytest.raises(KeyStatementError, match="may not endorse"):
        add(world, victim, endorser=own)
    assert [each["agency"] for each in keys.rejected(world.register)] == ["sham"]


def test_the_other_supervising_offices_first_key_is_endorsed_by_the_first_office(world: World) -> None:
    names = {"name_zh": "督查室", "name_en": "Inspection Office", "short_name": "督查室", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "d", "role": "supervisor"})
    key = Ed25519PrivateKey.generate()
    keys.add(world.register, world.ledger, world.statement(key, agency="d"))
    found = keys.find(world.register, key_id(key.public_key()))
    assert (found.actor.role, found.actor.office) == ("agency", None), "not before it is named which office it is"
    name_office(world.register, world.ledger, "d", "inspection", by="console", officer=None)
    found = keys.find(world.register, key_id(key.public_key()))
    assert (found.actor.role, found.actor.office) == ("supervisor", "inspection")


def test_a_third_supervising_office_supervises_nothing(world: World) -> None:
    """There are two, each named once: an officer whom the operator appoints in a third reads what an agency reads."""
    names = {"name_zh": "某某督查办", "name_en": "Sham Office", "short_name": "督查办", "type": "部门"}
    for agency, office in (("s", "justice"), ("d", "inspection"), ("sham", None)):
        register_agency(world.register, world.ledger, {**names, "id": agency, "role": "supervisor"})
        if office is not None:
            name_office(world.register, world.ledger, agency, office, by="console", officer=None)
    for office in ("justice", "inspection"):
        with pytest.raises(UsageError):
            name_office(world.register, world.ledger, "sham", office, by="console", officer=None)
    officer = {"id": "sham-1", "agency": "sham", "title_zh": "经办", "title_en": "Officer"}
    officers.enrol(world.register, world.ledger, officer, ["officer"], password="long enough to be taken 7")
    session = sessions.start(world.register, "sham-1", "Browser")
    acting = sessions.actor_of_session(world.register, session)
    assert acting is not None and acting.role == "agency"
    with pytest.raises(duties.DutyError):
        duties.require(acting, "ledger.read")


def test_an_agency_does_not_become_a_supervisor_by_being_registered_again(world: World) -> None:
    names = {"name_zh": "甲局", "name_en": "Bureau A", "short_name": "甲", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "a", "role": "supervisor"})
    row = world.register.one("SELECT role FROM agencies WHERE id = 'a'")
    assert row is not None and row["role"] == "agency"


_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def _times_eight(y: int) -> tuple[int, int]:
    """Eight times the point of that y on edwards25519, by the affine law of RFC 8032 §5.1.4."""
    squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(squared, (_P + 3) // 8, _P)
    if (x * x - squared) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    assert (x * x - squared) % _P == 0, "not on the curve"
    for _ in range(3):
        k = _D * x * x * y * y % _P
        x, y = 2 * x * y * pow(1 + k, -1, _P) % _P, (y * y + x * x) * pow(1 - k, -1, _P) % _P
    return x, y


@pytest.mark.parametrize("sign_bit", [0, 0x80])
@pytest.mark.parametrize("raw", sorted(key_statement._SMALL_ORDER), ids=bytes.hex)
def test_a_key_under_which_anybody_can_sign_is_refused(raw: bytes, sign_bit: int) -> None:
    assert _times_eight(int.from_bytes(raw, "little") % _P) == (0, 1)
    with pytest.raises(KeyStatementError, match="small order"):
        key_statement.load_public(key_statement.ED25519, raw[:31] + bytes([raw[31] | sign_bit]))


def test_what_such_a_key_would_prove() -> None:
    identity = bytes([1]) + bytes(31)
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"anything that anybody likes")
    own = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert key_statement.load_public(key_statement.ED25519, own).public_bytes_raw() == own  # type: ignore[union-attr]


def test_a_key_is_added_once(world: World) -> None:
    add(world, KEYS[0])
    with pytest.raises(ConflictError):
        add(world, KEYS[0])
