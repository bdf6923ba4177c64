from __future__ import annotations

from datetime import timedelta

import pytest

from catalog.errors import AuthenticationError
from catalog.identity import officers
from catalog.identity.officers import check_password, hash_password
from tests.catalog.identity.conftest import PASSWORD, World


def test_signing_in_makes_a_session_that_ends(world: World) -> None:
    session = officers.sign_in(world.register, "a-1", PASSWORD)
    actor = officers.actor_of_session(world.register, session)
    assert actor is not None
    assert (actor.agency, actor.officer, actor.auth) == ("a", "a-1", "session")
    assert actor.roles == {"officer", "answerer"} and actor.must_change
    world.clock.now += timedelta(hours=officers.SESSION_HOURS)
    assert officers.actor_of_session(world.register, session) is None


def test_signing_out_ends_the_session(world: World) -> None:
    session = officers.sign_in(world.register, "a-1", PASSWORD)
    officers.sign_out(world.register, session)
    assert officers.actor_of_session(world.register, session) is None
    officers.sign_out(world.register, session)


@pytest.mark.parametrize(("login", "password"), [("a-1", "wrong"), ("nobody", "right 口令"), ("", ""), ("a-1", "")])
def test_a_wrong_sign_in_does_not_say_which_part_was_wrong(world: World, login: str, password: str) -> None:
    with pytest.raises(AuthenticationError, match="wrong user name or password"):
        officers.sign_in(world.register, login, password)


def test_enrolling_is_an_entry_that_does_not_name_the_officer(world: World) -> None:
    officer = {"id": "a-2", "agency": "a", "title_zh": "负责人", "title_en": "Head"}
    officers.enrol(world.register, world.ledger, officer, PASSWORD, ["approver"], by="a-1")
    entry = world.newest()
    assert (entry["kind"], entry["change"], entry["roles"]) == ("officer.changed", "enrolled", ["approver"])
    assert "a-2" not in str(entry) and set(entry["commit"]) == {"officer", "by_officer"}  # type: ignore[call-overload]


def test_a_password_is_stored_as_scrypt_with_its_own_salt() -> None:
    one, other = hash_password("pass 口令", b"1" * 16), hash_password("pass 口令", b"2" * 16)
    assert one != other and "pass" not in one
    assert check_password("pass 口令", one) and not check_password("Pass 口令", one)
