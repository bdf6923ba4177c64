"""Roles from day to day, and deputies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from catalog.errors import UsageError
from catalog.identity import officers, roles, sessions, sign_in
from catalog.identity.duties import RolesError
from catalog.identity.officers import By
from catalog.identity.roles import FIRST_DAY, LAST_DAY, Held
from tests.catalog.identity.conftest import PASSWORD, World

ADMIN = By("a", "a-3")
TODAY = "2026-11-23"


def on(world: World, login: str, day: str) -> dict[str, str | None]:
    return roles.in_force(world.register, login, day)


def give(world: World, login: str, wanted: list[str], first: str = TODAY, last: str = LAST_DAY) -> None:
    officers.set_roles(world.register, world.ledger, login, wanted, first, last, by=ADMIN)


def deputise(world: World, login: str, other: str, role: str, first: str, last: str) -> None:
    officers.add_deputy(world.register, world.ledger, login, other, role, first, last, by=ADMIN)


def test_roles_change_on_their_day_and_what_was_before_stays_as_it_was(world: World) -> None:
    give(world, "a-1", ["approver"], "2026-12-01", "2026-12-31")
    assert set(on(world, "a-1", "2026-11-30")) == {"officer", "answerer"}
    assert set(on(world, "a-1", "2026-12-01")) == {"approver"} == set(on(world, "a-1", "2026-12-31"))
    assert on(world, "a-1", "2027-01-01") == {}
    give(world, "a-1", ["officer"], "2026-12-10")
    assert set(on(world, "a-1", "2026-12-09")) == {"approver"}
    assert set(on(world, "a-1", "2027-06-01")) == {"officer"}


def test_a_change_is_an_entry_with_its_days_that_does_not_name_the_officer(world: World) -> None:
    give(world, "a-1", ["approver", "answerer"], "2026-12-01", "2026-12-31")
    entry = world.newest()
    assert (entry["kind"], entry["change"], entry["roles"]) == ("officer.changed", "roles", ["answerer", "approver"])
    assert (entry["valid_from"], entry["valid_to"], entry["by"]) == ("2026-12-01", "2026-12-31", "a")
    assert "a-1" not in str(entry)
    assert world.opened() == {"officer": "a-1", "by_officer": "a-3"}
    give(world, "a-1", ["officer"])
    assert "valid_to" not in world.newest()


def test_a_deputy_holds_the_role_for_its_days_and_the_session_says_for_whom(world: World) -> None:
    deputise(world, "a-1", "a-2", "approver", TODAY, "2026-11-30")
    assert on(world, "a-1", TODAY) == {"approver": "a-2", "officer": None, "answerer": None}
    assert "approver" not in on(world, "a-1", "2026-12-01")
    assert world.opened() == {"officer": "a-1", "by_officer": "a-3", "deputy_for": "a-2"}
    assert (world.newest()["roles"], world.newest()["valid_to"]) == (["approver"], "2026-11-30")
    actor = sessions.actor_of_session(world.register, sign_in.sign_in(world.door, "a-1", PASSWORD).session)
    assert actor is not None and actor.roles == {"officer", "answerer", "approver"}
    assert actor.deputises == {"approver": "a-2"}


def test_a_deputy_acts_only_while_the_other_holds_the_role(world: World) -> None:
    deputise(world, "a-1", "a-2", "approver", TODAY, "2027-03-31")
    give(world, "a-2", ["officer"], "2026-12-01")
    assert "approver" in on(world, "a-1", "2026-11-30")
    assert "approver" not in on(world, "a-1", "2026-12-01")
    give(world, "a-2", ["approver"], "2026-12-01")
    assert on(world, "a-1", "2026-12-01")["approver"] == "a-2"
    officers.disable(world.register, world.ledger, "a-2", by=ADMIN)
    assert "approver" not in on(world, "a-1", "2026-12-01")


def test_a_deputys_role_is_not_deputised_further(world: World) -> None:
    deputise(world, "a-1", "a-2", "approver", TODAY, "2026-12-31")
    officer = {"id": "a-4", "agency": "a", "title_zh": "经办", "title_en": "Officer"}
    officers.enrol(world.register, world.ledger, officer, ["officer"], password=PASSWORD)
    with pytest.raises(RolesError, match="does not hold the role"):
        deputise(world, "a-4", "a-1", "approver", TODAY, "2026-12-31")


def test_a_deputy_is_ended_at_once_and_the_entry_gives_no_roles_from_today_on(world: World) -> None:
    deputise(world, "a-1", "a-2", "approver", TODAY, "2026-12-31")
    world.clock.now += timedelta(days=3)
    officers.end_deputy(world.register, world.ledger, "a-1", "a-2", "approver", by=ADMIN)
    assert "approver" in on(world, "a-1", "2026-11-25") and "approver" not in on(world, "a-1", "2026-11-26")
    assert (world.newest()["roles"], world.newest()["valid_from"]) == ([], "2026-11-26")
    with pytest.raises(UsageError, match="not a-2's deputy"):
        officers.end_deputy(world.register, world.ledger, "a-1", "a-2", "approver", by=ADMIN)
    deputise(world, "a-1", "a-2", "approver", "2026-12-10", "2026-12-31")
    officers.end_deputy(world.register, world.ledger, "a-1", "a-2", "approver", by=ADMIN)
    assert "approver" not in on(world, "a-1", "2026-12-15")


@pytest.mark.parametrize(
    ("login", "other", "role", "first", "last", "words"),
    [
        ("a-1", "a-1", "officer", TODAY, "2026-12-01", "another officer of the same agency"),
        ("a-1", "b-1", "officer", TODAY, "2026-12-01", "another officer of the same agency"),
        ("a-1", "a-2", "answerer", TODAY, "2026-12-01", "does not hold the role"),
        ("a-2", "a-1", "officer", TODAY, "2028-12-01", "at most 366 days"),
        ("a-2", "a-1", "officer", TODAY, LAST_DAY, "at most 366 days"),
        ("a-2", "a-1", "officer", "2026-11-22", "2026-12-01", "begins today"),
        ("a-2", "a-1", "officer", "2026-12-02", "2026-12-01", "does not end before"),
        ("a-2", "a-1", "officer", "tomorrow", "2026-12-01", "YYYY-MM-DD"),
        ("a-3", "a-2", "approver", TODAY, "2026-12-01", "administrator and approver"),
        ("a-2", "a-3", "admin", TODAY, "2026-12-01", "administrator and approver"),
    ],
)
def test_who_cannot_be_a_deputy(
    world: World, login: str, other: str, role: str, first: str, last: str, words: str
) -> None:
    officer = {"id": "b-1", "agency": "b", "title_zh": "经办", "title_en": "Officer"}
    officers.enrol(world.register, world.ledger, officer, ["officer"], password=PASSWORD)
    size = len(world.ledger.newest(1000))
    with pytest.raises(RolesError, match=words):
        deputise(world, login, other, role, first, last)
    assert len(world.ledger.newest(1000)) == size
    assert all(held.deputy_for is None for held in roles.held(world.register, login))


def test_a_role_that_is_held_already_is_not_deputised(world: World) -> None:
    give(world, "a-2", ["approver", "officer"])
    with pytest.raises(RolesError, match="already"):
        deputise(world, "a-1", "a-2", "officer", TODAY, "2026-12-01")


def test_roles_apart_are_refused_on_any_day_on_which_they_would_meet(world: World) -> None:
    give(world, "a-2", ["approver"], TODAY, "2026-12-31")
    with pytest.raises(RolesError, match="administrator and approver"):
        give(world, "a-2", ["approver", "admin"], "2027-01-01")
    give(world, "a-2", ["admin"], "2027-01-01")
    assert set(on(world, "a-2", "2027-01-01")) == {"admin"}
    deputise(world, "a-1", "a-2", "approver", TODAY, "2026-12-31")
    with pytest.raises(RolesError, match="administrator and approver"):
        give(world, "a-1", ["admin"], "2026-12-30")
    give(world, "a-1", ["admin"], "2027-01-01")


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-11-22", LAST_DAY), ("2026-12-02", "2026-12-01"), ("2026-13-01", LAST_DAY), ("", LAST_DAY)],
)
def test_days_that_cannot_be_are_refused(world: World, first: str, last: str) -> None:
    with pytest.raises(RolesError):
        give(world, "a-1", ["officer"], first, last)


def test_an_agency_keeps_an_administrator(world: World) -> None:
    with pytest.raises(RolesError, match="no administrator"):
        give(world, "a-3", ["officer"])
    with pytest.raises(RolesError, match="no administrator"):
        officers.disable(world.register, world.ledger, "a-3", by=ADMIN)
    give(world, "a-1", ["admin"])
    assert roles.admins(world.register, "a") == ["a-1", "a-3"]
    give(world, "a-3", [])
    assert roles.admins(world.register, "a") == ["a-1"]
    deputise(world, "a-3", "a-1", "admin", TODAY, "2026-12-01")
    assert roles.admins(world.register, "a") == ["a-1"], "a deputy is none of their own right"


def test_an_agency_has_an_administrator_on_every_day_to_come(world: World) -> None:
    """Else the operator appoints one on the day without, as it did the first, and takes over a supervising office."""
    with pytest.raises(RolesError, match="no administrator"):
        give(world, "a-3", ["admin"], TODAY, "2026-12-31")
    give(world, "a-1", ["admin"], "2027-01-01")
    give(world, "a-3", ["admin"], TODAY, "2026-12-31")  # the successor begins on the next day
    with pytest.raises(RolesError, match="no administrator"):
        give(world, "a-1", ["officer"], "2027-01-02")
    with pytest.raises(RolesError, match="no administrator"):
        officers.disable(world.register, world.ledger, "a-1", by=ADMIN)
    with pytest.raises(RolesError, match="no administrator"):
        give(world, "a-3", [], "2026-12-30")
    assert roles.admins(world.register, "a") == ["a-3"] and "admin" in on(world, "a-1", "2027-01-01")


def test_held_roles_overlap_by_days() -> None:
    one = Held("officer", "2026-01-01", "2026-01-31")
    assert one.overlaps(Held("admin", "2026-01-31", LAST_DAY)) and not one.overlaps(Held("admin", "2026-02-01"))
    assert one.on("2026-01-01") and one.on("2026-01-31") and not one.on("2026-02-01")
    assert Held("officer").on(FIRST_DAY) and Held("officer").on(LAST_DAY)
