"""The register: tokens, keys, sessions, grants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.algorithms import key_id
from catalog.errors import AuthenticationError, UsageError
from catalog.identity import Grant, Identity, check_password, hash_password
from ledger import Instance, Ledger, Settings


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    settings = Settings("shifan.example/test", "示范县", "Shifan County", "http://catalog.test", demo=True)
    with Instance.create(tmp_path / "instance", settings).ledger() as opened:
        yield opened


@pytest.fixture
def identity(tmp_path: Path, clock: Clock, ledger: Ledger) -> Iterator[Identity]:
    register = Identity.create(tmp_path / "identity.db", clock)
    agency = {"name_zh": "甲局", "name_en": "Bureau A", "short_name": "甲", "type": "部门", "role": "agency"}
    register.register_agency(ledger, {**agency, "id": "a"})
    register.register_agency(ledger, {**agency, "id": "b"})
    register.register_officer(
        {"id": "a-1", "agency": "a", "title_zh": "经办", "title_en": "Officer", "roles": "officer"}, "right 口令"
    )
    yield register
    register.close()


def test_a_token_makes_its_agency_the_actor(identity: Identity) -> None:
    actor = identity.actor_of_token(identity.add_token("a", "a-sys", 30))
    assert (actor.agency, actor.auth, actor.officer) == ("a", "token", None)


def test_a_token_is_nowhere_in_the_register(identity: Identity, tmp_path: Path) -> None:
    token = identity.add_token("a", "a-sys", 30)
    identity.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("identity.db*"))
    assert token.encode() not in stored
    assert token[3:].encode() not in stored


def test_a_wrong_token_is_refused_with_a_cure(identity: Identity) -> None:
    with pytest.raises(AuthenticationError, match="copied whole"):
        identity.actor_of_token("ld_wrong")


def test_a_token_ends_on_its_day(identity: Identity, clock: Clock) -> None:
    token = identity.add_token("a", "a-sys", 30)
    clock.now += timedelta(days=30, seconds=-1)
    identity.actor_of_token(token)
    clock.now += timedelta(seconds=1)
    with pytest.raises(AuthenticationError, match="expired on 2026-12-23"):
        identity.actor_of_token(token)


def test_a_key_is_found_by_its_id_until_it_expires(identity: Identity, ledger: Ledger, clock: Clock) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    keyid = identity.add_key(ledger, "a", "a-sys", public, 10)
    assert keyid == key_id(public)
    found, actor = identity.public_key(keyid)
    assert found.public_bytes_raw() == public.public_bytes_raw()
    assert (actor.agency, actor.auth, actor.keyid) == ("a", "signature", keyid)
    clock.now += timedelta(days=10)
    with pytest.raises(AuthenticationError, match="expired"):
        identity.public_key(keyid)


def test_an_unknown_key_is_refused(identity: Identity) -> None:
    with pytest.raises(AuthenticationError, match="not registered"):
        identity.public_key("ed25519:00")


def test_adding_a_key_is_an_entry(identity: Identity, ledger: Ledger) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    identity.add_key(ledger, "a", "a-sys", public, 10)
    entry = ledger.newest(1)[0]
    assert (entry["kind"], entry["public_key"]) == ("agency.key_added", public.public_bytes_raw().hex())


def test_signing_in_makes_a_session_that_ends(identity: Identity, clock: Clock) -> None:
    session = identity.sign_in("a-1", "right 口令")
    actor = identity.actor_of_session(session)
    assert actor is not None
    assert (actor.agency, actor.officer, actor.auth) == ("a", "a-1", "session")
    clock.now += timedelta(hours=10)
    assert identity.actor_of_session(session) is None


def test_signing_out_ends_the_session(identity: Identity) -> None:
    session = identity.sign_in("a-1", "right 口令")
    identity.sign_out(session)
    assert identity.actor_of_session(session) is None
    identity.sign_out(session)


@pytest.mark.parametrize(("login", "password"), [("a-1", "wrong"), ("a-1", ""), ("nobody", ""), ("", "right 口令")])
def test_a_wrong_sign_in_does_not_say_which_part_was_wrong(identity: Identity, login: str, password: str) -> None:
    with pytest.raises(AuthenticationError, match="wrong user name or password"):
        identity.sign_in(login, password)


def test_a_nonce_is_good_once_per_key(identity: Identity, clock: Clock) -> None:
    keep = timedelta(minutes=7)
    identity.use_nonce("k1", "n", keep)
    identity.use_nonce("k2", "n", keep)
    with pytest.raises(AuthenticationError, match="used before"):
        identity.use_nonce("k1", "n", keep)
    clock.now += timedelta(minutes=8)  # by then the signature itself is too old
    identity.use_nonce("k1", "n", keep)


def test_grants_hold_from_their_first_to_their_last_day(identity: Identity, ledger: Ledger) -> None:
    identity.give_grant(
        ledger, Grant("g-1", "a", "b", "work", "penalties", ("case",), "2026-02-01", "2026-11-23", "依据")
    )
    held = {day: len(identity.grants_to("b", day)) for day in ("2026-01-31", "2026-02-01", "2026-11-23", "2026-11-24")}
    assert held == {"2026-01-31": 0, "2026-02-01": 1, "2026-11-23": 1, "2026-11-24": 0}
    assert identity.grants_to("a", "2026-02-01") == []


def test_today_is_the_countys_day(identity: Identity, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
    assert identity.today() == "2026-11-22"
    clock.now += timedelta(seconds=1)
    assert identity.today() == "2026-11-23"


def test_the_register_can_be_read_by_its_owner_only(identity: Identity, tmp_path: Path) -> None:
    assert (tmp_path / "identity.db").stat().st_mode & 0o777 == 0o600


def test_a_missing_register_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="restore it from a backup"):
        Identity(tmp_path / "none.db")


def test_passwords_are_salted() -> None:
    first, second = hash_password("p", b"1" * 16), hash_password("p", b"2" * 16)
    assert first != second
    assert check_password("p", first)
    assert not check_password("q", first)
