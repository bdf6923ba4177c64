"""Suspending and restoring access: by whom, of what, and what it leaves in ledger and register."""

from __future__ import annotations

import pytest

from catalog import grants, suspensions
from catalog.errors import UsageError
from catalog.identity.agencies import register_agency
from ledger import ConflictError
from tests.catalog.identity.conftest import World, world, world_template

__all__ = ["world", "world_template"]

ALL = {"id": "s-0001", "agency": "b", "by": "d", "reason": "超出授权范围使用"}


@pytest.fixture(autouse=True)
def authority(world: World) -> None:
    names = {"name_zh": "数据局", "name_en": "Data Bureau", "short_name": "数据局", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "d", "role": "data_authority"})
    grants.publish(world.register, world.ledger, "work/permits", "a", "有条件共享")


def test_a_suspension_holds_until_it_is_restored_and_both_are_entries(world: World) -> None:
    suspensions.suspend(world.register, world.ledger, ALL, officer="d-1")
    (found,) = grants.suspensions_of(world.register, "b")
    assert (found["resource"], found["basis"]) == (None, "政务数据共享条例第二十七条")
    suspensions.restore(world.register, world.ledger, "s-0001", "d", "整改到位")
    assert grants.suspensions_of(world.register, "b") == []
    assert [entry["kind"] for entry in world.ledger.newest(2)] == ["access.restored", "access.suspended"]
    assert suspensions.every(world.register)[0]["restored_at"]
    assert suspensions.next_id(world.register) == "s-0002"


def test_nothing_is_suspended_or_restored_twice(world: World) -> None:
    suspensions.suspend(world.register, world.ledger, ALL)
    with pytest.raises(ConflictError):
        suspensions.suspend(world.register, world.ledger, ALL)
    suspensions.restore(world.register, world.ledger, "s-0001", "d", "整改到位")
    with pytest.raises(UsageError):
        suspensions.restore(world.register, world.ledger, "s-0001", "d", "整改到位")


def test_a_provider_suspends_access_to_its_own_data_only(world: World) -> None:
    own = {**ALL, "by": "a", "resource": "work/permits"}
    suspensions.suspend(world.register, world.ledger, own)
    suspensions.restore(world.register, world.ledger, "s-0001", "a", "整改到位")
    for other in ({**own, "resource": None}, {**own, "resource": "work/penalties"}, {**own, "by": "b"}):
        with pytest.raises(UsageError, match="27"):
            suspensions.suspend(world.register, world.ledger, {**other, "id": "s-0002"})


@pytest.mark.parametrize("change", [{"agency": "nobody"}, {"by": "s"}, {"by": "nobody"}, {"reason": " "}])
def test_what_is_missing_or_wrong_leaves_no_entry(world: World, change: dict[str, str]) -> None:
    before = world.newest()
    with pytest.raises(UsageError):
        suspensions.suspend(world.register, world.ledger, {**ALL, **change})
    assert world.newest() == before


def test_restoring_needs_a_reason(world: World) -> None:
    suspensions.suspend(world.register, world.ledger, ALL)
    with pytest.raises(UsageError, match="why"):
        suspensions.restore(world.register, world.ledger, "s-0001", "d", "")
