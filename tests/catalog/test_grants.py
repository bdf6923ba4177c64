"""Grants: given and revoked in the ledger, in force from their first to their last day."""

from __future__ import annotations

import pytest

from catalog import grants
from catalog.errors import UsageError
from catalog.grants import Grant
from ledger import ConflictError
from tests.catalog.identity.conftest import World, world

__all__ = ["world"]

GRANT = Grant("g-1", "a", "b", "work", "permits", ("case",), "2026-02-01", "2026-11-23", "第七条", ("id", "number"))


def test_a_grant_holds_from_its_first_to_its_last_day(world: World) -> None:
    grants.give(world.register, world.ledger, GRANT)
    days = ("2026-01-31", "2026-02-01", "2026-11-23", "2026-11-24")
    assert [len(grants.grants_to(world.register, "b", day)) for day in days] == [0, 1, 1, 0]
    assert grants.grants_to(world.register, "a", "2026-02-01") == []
    (held,) = grants.grants_to(world.register, "b", "2026-02-01")
    assert (held["purposes"], held["columns"]) == (["case"], ["id", "number"])


def test_a_revoked_grant_is_gone_at_once_and_stays_in_the_ledger(world: World) -> None:
    grants.give(world.register, world.ledger, GRANT)
    grants.revoke(world.register, world.ledger, "g-1", "目的已实现")
    assert grants.grants_to(world.register, "b", "2026-02-01") == []
    assert [entry["kind"] for entry in world.ledger.newest(2)] == ["grant.revoked", "grant.given"]
    with pytest.raises(UsageError):
        grants.revoke(world.register, world.ledger, "g-1", "again")
    with pytest.raises(ConflictError):
        grants.give(world.register, world.ledger, GRANT)


def test_a_resource_is_published_with_its_condition(world: World) -> None:
    grants.publish(world.register, world.ledger, "work/permits", "a", "有条件共享", condition="仅限案件调查")
    (found,) = grants.resources(world.register)
    assert (found["database"], found["table_name"], found["condition"]) == ("work", "permits", "仅限案件调查")
