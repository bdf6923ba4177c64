from __future__ import annotations

from datetime import timedelta

import pytest

from catalog.errors import AuthenticationError, UsageError
from catalog.identity import tokens
from tests.catalog.identity.conftest import World


def add(world: World) -> str:
    return tokens.add(world.register, world.ledger, "a", "a-sys", 30)


def test_a_token_makes_its_agency_the_actor(world: World) -> None:
    actor = tokens.actor_of(world.register, add(world))
    assert (actor.agency, actor.auth, actor.officer) == ("a", "token", None)


def test_adding_a_token_is_an_entry_that_does_not_hold_it(world: World) -> None:
    token = add(world)
    entry = world.newest()
    assert (entry["kind"], entry["agency"], entry["token"]) == ("agency.token_added", "a", tokens.token_id(token))
    assert token not in str(entry)


def test_a_token_is_nowhere_in_the_files(world: World) -> None:
    token = add(world)
    stored = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert token.encode() not in stored and tokens.digest(token).encode() in stored


def test_a_wrong_token_is_refused_with_a_cure(world: World) -> None:
    with pytest.raises(AuthenticationError, match="admin") as caught:
        tokens.actor_of(world.register, "ld_wrong")
    assert "管理员" in caught.value.zh


def test_a_token_ends_on_its_day(world: World) -> None:
    token = add(world)
    world.clock.now += timedelta(days=29)
    tokens.actor_of(world.register, token)
    world.clock.now += timedelta(days=2)
    with pytest.raises(AuthenticationError, match="expired on 2026-12-23"):
        tokens.actor_of(world.register, token)


def test_a_revoked_token_fails_at_once_and_is_revoked_once(world: World) -> None:
    token = add(world)
    tokens.revoke(world.register, world.ledger, tokens.token_id(token), by="a")
    with pytest.raises(AuthenticationError, match="revoked"):
        tokens.actor_of(world.register, token)
    assert world.newest()["kind"] == "agency.token_revoked"
    with pytest.raises(UsageError):
        tokens.revoke(world.register, world.ledger, tokens.token_id(token), by="a")


def test_a_token_for_nobody_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="not registered"):
        tokens.add(world.register, world.ledger, "nobody", "x", 30)
