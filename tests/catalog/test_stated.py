"""Purposes stated in the browser hold for one session, one resource and two hours."""

from __future__ import annotations

from datetime import timedelta

from catalog.purpose import HOLDS, Purpose
from catalog.stated import forget, recall, remember
from tests.catalog.identity.conftest import World, world, world_template

__all__ = ["world", "world_template"]

JOINT = Purpose("joint", "示联〔2026〕3号", "夜间检查", ("a", "b"))


def test_it_is_there_for_its_session_and_resource_only(world: World) -> None:
    remember(world.register, "one", "work/permits", JOINT)
    found = recall(world.register, "one", "work/permits")
    assert found is not None
    assert (found.purpose, found.until) == (JOINT, world.clock.now + HOLDS)
    assert recall(world.register, "one", "work/penalties") is None
    assert recall(world.register, "other", "work/permits") is None


def test_it_ends_after_two_hours_and_then_goes(world: World) -> None:
    remember(world.register, "one", "work/permits", JOINT)
    world.clock.now += HOLDS - timedelta(milliseconds=1)
    assert recall(world.register, "one", "work/permits") is not None
    world.clock.now += timedelta(milliseconds=1)
    assert recall(world.register, "one", "work/permits") is None
    remember(world.register, "one", "work/penalties", JOINT)
    assert len(world.register.all("SELECT * FROM stated_purposes")) == 1


def test_stated_again_it_is_another_and_begins_anew(world: World) -> None:
    remember(world.register, "one", "work/permits", JOINT)
    world.clock.now += timedelta(hours=1)
    remember(world.register, "one", "work/permits", Purpose("case", "示2026-1"))
    found = recall(world.register, "one", "work/permits")
    assert found is not None
    assert (found.purpose.code, found.until) == ("case", world.clock.now + HOLDS)


def test_it_goes_with_its_session_whose_secret_is_not_kept(world: World) -> None:
    remember(world.register, "one", "work/permits", JOINT)
    assert "one" not in {row["session"] for row in world.register.all("SELECT * FROM stated_purposes")}
    forget(world.register, "one")
    assert recall(world.register, "one", "work/permits") is None
