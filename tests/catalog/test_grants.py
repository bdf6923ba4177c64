"""Grants: given and revoked in the ledger, in force from their first to their last day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog import grants
from catalog.errors import UsageError
from catalog.grants import Grant, GrantError
from ledger import ConflictError
from tests.catalog.identity.conftest import World, world, world_template

__all__ = ["world", "world_template"]

GRANT = Grant("g-1", "a", "b", "work", "permits", ("case",), "2026-02-01", "2026-11-23", "第七条", ("id", "number"))


@pytest.fixture(autouse=True)
def published(world: World) -> None:
    grants.publish(world.register, world.ledger, "work/permits", "a", "有条件共享", condition="仅限案件调查")


def test_a_grant_holds_from_its_first_to_its_last_day(world: World) -> None:
    grants.give(world.register, world.ledger, GRANT)
    days = ("2026-01-31", "2026-02-01", "2026-11-23", "2026-11-24")
    assert [len(grants.grants_to(world.register, "b", day)) for day in days] == [0, 1, 1, 0]
    assert grants.grants_to(world.register, "a", "2026-02-01") == []
    (held,) = grants.grants_to(world.register, "b", "2026-02-01")
    assert (held["purposes"], held["columns"]) == (["case"], ["id", "number"])
    assert [grants.state(held, day) for day in days] == ["not_yet", "in_force", "in_force", "expired"]


def test_a_revoked_grant_is_gone_at_once_and_stays_in_the_ledger(world: World) -> None:
    grants.give(world.register, world.ledger, GRANT)
    grants.revoke(world.register, world.ledger, "g-1", "目的已实现")
    assert grants.grants_to(world.register, "b", "2026-02-01") == []
    assert [entry["kind"] for entry in world.ledger.newest(2)] == ["grant.revoked", "grant.given"]
    assert grants.state(grants.all_grants(world.register)[0], "2026-02-01") == "revoked"
    with pytest.raises(UsageError):
        grants.revoke(world.register, world.ledger, "g-1", "again")
    with pytest.raises(ConflictError):
        grants.give(world.register, world.ledger, GRANT)


def test_a_grant_is_not_revoked_without_a_reason(world: World) -> None:
    grants.give(world.register, world.ledger, GRANT)
    with pytest.raises(GrantError):
        grants.revoke(world.register, world.ledger, "g-1", " ")


def test_the_officer_who_gave_it_is_a_particular(world: World) -> None:
    done = grants.give(world.register, world.ledger, GRANT, officer="a-1")
    assert "a-1" not in str(world.newest())
    assert world.ledger.receipt(done.seq, with_openings=True).openings["officer"].value == "a-1"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"table": "penalties"}, "resource"),  # not published
        ({"provider": "b", "grantee": "a"}, "resource"),  # somebody else's
        ({"grantee": "a"}, "grantee"),
        ({"grantee": "nobody"}, "grantee"),
        ({"purposes": ()}, "purposes"),
        ({"purposes": ("curiosity",)}, "purposes"),
        ({"columns": ()}, "columns"),
        ({"valid_to": "2026-01-31"}, "valid_to"),
        ({"basis": " "}, "basis"),
    ],
)
def test_a_grant_that_cannot_be_given_names_the_field_and_leaves_no_entry(
    world: World, change: dict[str, Any], field: str
) -> None:
    before = world.newest()
    with pytest.raises(GrantError) as caught:
        grants.give(world.register, world.ledger, replace(GRANT, **change))
    assert caught.value.field == field
    assert world.newest() == before


def test_a_column_that_the_table_lacks_is_refused_where_the_columns_are_known(world: World) -> None:
    grants.check(world.register, GRANT, ["id", "number", "party"])
    with pytest.raises(GrantError, match="number"):
        grants.check(world.register, GRANT, ["id"])


@pytest.mark.parametrize("sharing_class", ["无条件共享", "不予共享"])
def test_only_what_is_shared_on_conditions_is_granted(world: World, sharing_class: str) -> None:
    grants.publish(world.register, world.ledger, "work/permits", "a", sharing_class, basis="《演示法》第三条")
    with pytest.raises(GrantError) as caught:
        grants.give(world.register, world.ledger, GRANT)
    assert caught.value.field == "resource"


def test_a_grant_stays_within_the_published_condition(world: World) -> None:
    grants.publish(
        world.register,
        world.ledger,
        "work/permits",
        "a",
        "有条件共享",
        condition_types=["镇"],
        condition_purposes=["lead"],
    )
    with pytest.raises(GrantError) as caught:
        grants.give(world.register, world.ledger, GRANT)
    assert caught.value.field == "purposes"
    with pytest.raises(GrantError) as caught:
        grants.give(world.register, world.ledger, replace(GRANT, purposes=("lead",)))
    assert caught.value.field == "grantee"


def test_a_resource_is_published_with_its_condition(world: World) -> None:
    (found,) = grants.resources(world.register)
    assert (found["database"], found["table_name"], found["condition"]) == ("work", "permits", "仅限案件调查")
    assert (found["condition_types"], found["condition_purposes"]) == (None, None)


def test_a_resource_that_is_not_shared_needs_its_basis(world: World) -> None:
    with pytest.raises(UsageError, match="basis"):
        grants.publish(world.register, world.ledger, "work/permits", "a", "不予共享")


def test_ids_are_not_used_twice(world: World) -> None:
    grants.give(world.register, world.ledger, replace(GRANT, id="g-0002"))
    assert grants.next_id(world.register, world.ledger) == "g-0003"
