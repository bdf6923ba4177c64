"""Decisions follow the register, whoever changes it."""

from __future__ import annotations

import pytest

from catalog import grants, suspensions
from catalog.decisions import Decisions
from catalog.grants import Grant
from catalog.identity.agencies import register_agency
from catalog.identity.projection import catch_up
from catalog.identity.register import Register
from tests.catalog.identity.conftest import World, world, world_template

__all__ = ["world", "world_template"]

PLACE = "work/permits"
GRANT = Grant("g-1", "a", "b", "work", "permits", ("case",), "2026-02-01", "2026-11-23", "第七条")


@pytest.fixture
def elsewhere(world: World) -> Decisions:
    """The decisions of another process: over a connection of its own."""
    grants.publish(world.register, world.ledger, PLACE, "a", "有条件共享")
    return Decisions(Register(world.register.path, world.clock))


def test_what_one_process_changes_the_other_sees_at_its_next_look(world: World, elsewhere: Decisions) -> None:
    def code() -> str:
        return elsewhere.one("b", "agency", PLACE, "case").code

    assert code() == "not_yet_granted"
    grants.give(world.register, world.ledger, GRANT)
    assert code() == "granted"
    names = {"name_zh": "数据局", "name_en": "Data Bureau", "short_name": "数据局", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "d", "role": "data_authority"})
    suspensions.suspend(world.register, world.ledger, {"id": "s-1", "agency": "b", "by": "d", "reason": "超范围使用"})
    assert code() == "suspended"
    suspensions.restore(world.register, world.ledger, "s-1", "d", "整改到位")
    assert code() == "granted"
    grants.revoke(world.register, world.ledger, "g-1", "目的已实现")
    assert code() == "not_yet_granted"


def test_a_grant_ends_with_its_last_day_and_no_job_runs(world: World, elsewhere: Decisions) -> None:
    grants.give(world.register, world.ledger, GRANT)
    assert elsewhere.one("b", "agency", PLACE, "case").code == "granted"
    world.clock.now = world.clock.now.replace(day=23, hour=15, minute=59)
    assert elsewhere.one("b", "agency", PLACE, "case").code == "granted"
    world.clock.now = world.clock.now.replace(hour=16, minute=0)  # the county's midnight
    assert elsewhere.one("b", "agency", PLACE, "case").code == "not_yet_granted"


def test_grants_end_when_another_agency_provides_the_table(world: World, elsewhere: Decisions) -> None:
    grants.give(world.register, world.ledger, GRANT)
    names = {"name_zh": "丙局", "name_en": "Bureau C", "short_name": "丙", "type": "部门"}
    register_agency(world.register, world.ledger, {**names, "id": "c", "role": "agency"})
    moved = grants.publish(world.register, world.ledger, PLACE, "c", "有条件共享")
    assert elsewhere.one("b", "agency", PLACE, "case").code == "not_yet_granted"
    (ended,) = grants.all_grants(world.register)
    assert ended["revoked_seq"] == moved.seq and "提供" in ended["revoked_for"]
    grants.publish(world.register, world.ledger, PLACE, "a", "有条件共享")
    assert elsewhere.one("b", "agency", PLACE, "case").code == "not_yet_granted", "what ended is given anew"


def test_a_grant_written_into_the_ledger_past_the_check_opens_nothing(world: World, elsewhere: Decisions) -> None:
    fields = {"grant": "g-7", "provider": "b", "grantee": "b", "resource": PLACE, "purposes": ["case"]}
    days = {"valid_from": "2026-02-01", "valid_to": "2026-12-31", "basis": "x"}
    world.ledger.append("grant.given", {**fields, **days})
    catch_up(world.register, world.ledger)
    assert elsewhere.one("b", "agency", PLACE, "case").code == "not_yet_granted"


def test_each_purpose_is_decided_for_itself(world: World, elsewhere: Decisions) -> None:
    grants.give(world.register, world.ledger, GRANT)
    codes = [elsewhere.one("b", "agency", PLACE, purpose).code for purpose in (None, "case", "lead")]
    assert codes == ["purpose_needed", "granted", "purpose_not_covered"]
    assert [decision.code for _, decision in elsewhere.every("b", "agency")] == ["purpose_needed"]


def test_what_is_not_published_is_said_to_be_so(world: World, elsewhere: Decisions) -> None:
    assert elsewhere.one("b", "agency", "work/nothing", "case").code == "not_published"
    grants.publish(world.register, world.ledger, "work/nothing", "a", "无条件共享")
    assert elsewhere.one("b", "agency", "work/nothing", None).code == "unconditional"
    assert elsewhere.resource("work/nothing")["provider"] == "a"  # type: ignore[index]


def test_a_condition_on_the_type_of_agency_is_judged_by_the_register(world: World, elsewhere: Decisions) -> None:
    grants.give(world.register, world.ledger, GRANT)
    grants.publish(world.register, world.ledger, PLACE, "a", "有条件共享", condition="仅限镇", condition_types=["镇"])
    decision = elsewhere.one("b", "agency", PLACE, "case")
    assert (decision.code, decision.basis) == ("condition_unmet", "仅限镇")
