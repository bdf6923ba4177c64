"""Officers' accounts: each change is an entry that names nobody, and then it is so."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from catalog.errors import AuthenticationError, UsageError
from catalog.identity import officers, sessions, sign_in
from catalog.identity.duties import RolesError
from catalog.identity.lockout import LockedError
from catalog.identity.officers import CONSOLE, ONE_TIME_DAYS, By
from catalog.identity.passwords import PasswordError
from ledger import ConflictError
from tests.catalog.identity.conftest import PASSWORD, World

ADMIN = By("a", "a-3")
GOOD = "seven quiet herons"


def enrol(world: World, login: str = "a-9", roles: tuple[str, ...] = ("officer",), **options: object) -> str:
    officer = {"id": login, "agency": "a", "title_zh": "负责人", "title_en": "Head"}
    return officers.enrol(world.register, world.ledger, officer, roles, **options)  # type: ignore[arg-type]


def size(world: World) -> int:
    return len(world.ledger.newest(1000))


def test_enrolling_is_an_entry_that_does_not_name_the_officer(world: World) -> None:
    password = enrol(world, roles=("approver", "officer"), by=ADMIN)
    entry = world.newest()
    assert (entry["kind"], entry["change"], entry["roles"]) == ("officer.changed", "enrolled", ["approver", "officer"])
    assert (entry["agency"], entry["by"]) == ("a", "a")
    assert "a-9" not in str(entry) and world.opened() == {"officer": "a-9", "by_officer": "a-3"}
    assert password not in str(entry)


def test_who_enrols_without_an_officer_is_the_console(world: World) -> None:
    enrol(world, by=CONSOLE)
    assert world.newest()["by"] == "console" and world.opened() == {"officer": "a-9"}


def test_a_new_officer_must_choose_a_password_before_the_one_time_one_ends(world: World) -> None:
    password = enrol(world)
    actor = sessions.actor_of_session(world.register, sign_in.sign_in(world.door, "a-9", password).session)
    assert actor is not None and actor.must_change
    sign_in.change_password(world.door, "a-9", password, GOOD)
    assert (world.newest()["change"], world.newest()["by"]) == ("password_changed", "a")
    actor = sessions.actor_of_session(world.register, sign_in.sign_in(world.door, "a-9", GOOD).session)
    assert actor is not None and not actor.must_change
    with pytest.raises(AuthenticationError):
        sign_in.verify(world.door, "a-9", password)


def test_a_one_time_password_ends_and_says_so_to_who_has_it(world: World) -> None:
    password = enrol(world)
    world.clock.now += timedelta(days=ONE_TIME_DAYS)
    with pytest.raises(AuthenticationError, match="one-time password has expired"):
        sign_in.sign_in(world.door, "a-9", password)
    assert world.newest()["reason"] == "one_time_password_expired"
    with pytest.raises(AuthenticationError, match="wrong user name or password"):
        sign_in.sign_in(world.door, "a-9", "something else")


def test_one_time_passwords_are_in_no_file(world: World) -> None:
    passwords = [enrol(world), officers.reset(world.register, world.ledger, "a-1", by=ADMIN)]
    stored = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert not any(password.encode() in stored for password in (*passwords, PASSWORD))


@pytest.mark.parametrize(
    ("login", "title", "words"),
    [
        ("A-9", "岗", "lower-case"),
        ("a", "岗", "2 to 32"),
        ("a" * 33, "岗", "2 to 32"),
        ("a b", "岗", "lower-case"),
        ("-a9", "岗", "lower-case"),
        ("a-1", "岗", "is taken"),
        ("a-9", " ", "post"),
        ("a-9", "岗" * 61, "post"),
        ("a-9", "岗\n位", "post"),
    ],
)
def test_an_account_out_of_form_is_refused_and_leaves_no_entry(
    world: World, login: str, title: str, words: str
) -> None:
    before = size(world)
    officer = {"id": login, "agency": "a", "title_zh": title, "title_en": title}
    with pytest.raises(UsageError, match=words):
        officers.enrol(world.register, world.ledger, officer, ["officer"])
    assert size(world) == before


def test_nobody_is_enrolled_for_an_agency_that_is_not_registered_or_in_roles_apart(world: World) -> None:
    officer = {"id": "n-1", "agency": "nobody", "title_zh": "岗", "title_en": "Post"}
    before = size(world)
    with pytest.raises(UsageError, match="not registered"):
        officers.enrol(world.register, world.ledger, officer, ["officer"])
    with pytest.raises(RolesError):
        enrol(world, roles=("admin", "approver"))
    assert size(world) == before and world.register.one("SELECT 1 FROM officers WHERE id IN ('n-1', 'a-9')") is None


def test_a_form_that_is_sent_twice_is_done_once(world: World) -> None:
    password = officers.reset(world.register, world.ledger, "a-1", by=ADMIN, once=("form:1",))
    with pytest.raises(ConflictError):
        officers.reset(world.register, world.ledger, "a-1", by=ADMIN, once=("form:1",))
    sign_in.verify(world.door, "a-1", password)


def test_a_change_whose_entry_cannot_be_made_is_not_made(world: World) -> None:
    lock = sqlite3.connect(world.ledger.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Exception, match="ledger"):
            officers.disable(world.register, world.ledger, "a-1", by=ADMIN)
    finally:
        lock.close()
    sign_in.verify(world.door, "a-1", PASSWORD)


# -- passwords changed and reset --------------------------------------------------------------------------------------


def test_a_reset_replaces_the_password_and_lifts_a_lock(world: World) -> None:
    for _ in range(6):
        with pytest.raises((AuthenticationError, LockedError)):
            sign_in.verify(world.door, "a-1", "wrong")
    password = officers.reset(world.register, world.ledger, "a-1", by=ADMIN)
    assert world.newest()["change"] == "password_reset"
    with pytest.raises(AuthenticationError):
        sign_in.verify(world.door, "a-1", PASSWORD)
    sign_in.verify(world.door, "a-1", password)


def test_nobody_resets_their_own_password(world: World) -> None:
    with pytest.raises(UsageError, match="your own password"):
        officers.reset(world.register, world.ledger, "a-3", by=ADMIN)


def test_changing_the_password_ends_all_sessions(world: World) -> None:
    session = sign_in.sign_in(world.door, "a-1", PASSWORD).session
    sign_in.change_password(world.door, "a-1", PASSWORD, GOOD)
    assert sessions.actor_of_session(world.register, session) is None


def test_a_change_needs_the_present_password_and_guessing_it_locks(world: World) -> None:
    for _ in range(5):
        with pytest.raises((AuthenticationError, LockedError)):
            sign_in.change_password(world.door, "a-1", "wrong", GOOD)
    with pytest.raises(LockedError):
        sign_in.change_password(world.door, "a-1", PASSWORD, GOOD)


@pytest.mark.parametrize("wanted", ["short", "password1234", "my a-1 password here", PASSWORD])
def test_a_bad_choice_changes_nothing_and_counts_for_nothing(world: World, wanted: str) -> None:
    before = size(world)
    for _ in range(6):
        with pytest.raises(PasswordError):
            sign_in.change_password(world.door, "a-1", PASSWORD, wanted)
    sign_in.verify(world.door, "a-1", PASSWORD)
    assert size(world) == before


# -- disabled, enabled, unlocked --------------------------------------------------------------------------------------


def test_a_disabled_account_does_not_open_and_does_not_say_why(world: World) -> None:
    officers.disable(world.register, world.ledger, "a-1", by=ADMIN)
    assert world.newest()["change"] == "disabled"
    with pytest.raises(AuthenticationError, match="wrong user name or password"):
        sign_in.sign_in(world.door, "a-1", PASSWORD)
    assert (world.newest()["kind"], world.newest()["reason"]) == ("auth.failed", "account_disabled")
    with pytest.raises(UsageError, match="already"):
        officers.disable(world.register, world.ledger, "a-1", by=ADMIN)
    officers.enable(world.register, world.ledger, "a-1", by=ADMIN)
    assert world.newest()["change"] == "enabled"
    sign_in.sign_in(world.door, "a-1", PASSWORD)
    with pytest.raises(UsageError, match="not disabled"):
        officers.enable(world.register, world.ledger, "a-1", by=ADMIN)


def test_who_is_not_locked_out_is_not_unlocked_and_who_does_not_exist_is_not_changed(world: World) -> None:
    with pytest.raises(UsageError, match="not locked out"):
        officers.unlock(world.register, world.ledger, "a-1", by=ADMIN)
    with pytest.raises(UsageError, match="no officer 'nobody'"):
        officers.disable(world.register, world.ledger, "nobody", by=ADMIN)


def test_the_list_shows_roles_and_states_and_no_password(world: World) -> None:
    listed = {each["id"]: each for each in officers.listing(world.register, "a")}
    assert set(listed) == {"a-1", "a-2", "a-3"}
    assert listed["a-1"]["roles"] == {"answerer": None, "officer": None}
    assert listed["a-3"]["locked_until"] is None
    assert not any("scrypt" in str(each) for each in listed.values())
    assert officers.listing(world.register, "b") == []
    assert officers.find(world.register, "a-2")["agency_role"] == "agency"
