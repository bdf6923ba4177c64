"""Permission rules as rows: what Datasette's SQL decides is what was decided, at every moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from datasette.resources import TableResource
from datasette.utils.actions_sql import explain_permission_for_resource

from catalog import grants
from catalog.identity.agencies import agencies
from catalog.plugin import build
from catalog.service import Service
from ledger import Instance

if TYPE_CHECKING:
    from datasette.app import Datasette

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def guarded(demo: Instance) -> AsyncIterator[tuple[Datasette, Service]]:
    service = Service.open(demo)
    datasette = build(service)
    await datasette.invoke_startup()
    yield datasette, service
    datasette.close()
    service.close()


def actor(agency: str, role: str = "agency") -> dict[str, Any]:
    return {"id": agency, "agency": agency, "role": role}


async def allowed(datasette: Datasette, who: dict[str, Any] | None, resource: str) -> bool:
    database, table = resource.split("/")
    found: bool = await datasette.allowed(action="view-table", resource=TableResource(database, table), actor=who)
    return found


async def test_datasettes_verdict_is_ours_for_every_agency_and_table(guarded: tuple[Datasette, Service]) -> None:
    datasette, service = guarded
    seen = set()
    for agency in agencies(service.register):
        who = actor(agency["id"], agency["role"])
        for resource, decision in service.decisions(agency["id"], agency["role"]):
            name = f"{resource['database']}/{resource['table_name']}"
            assert await allowed(datasette, who, name) == decision.opens_table, (agency["id"], name)
            seen.add(decision.opens_table)
        assert not await allowed(datasette, who, "work/_rows")
        assert not await allowed(datasette, who, "work/absent")
    assert seen == {True, False}
    assert not await allowed(datasette, None, "directory/resources")


async def test_a_grant_and_its_end_hold_from_the_next_question_on(guarded: tuple[Datasette, Service]) -> None:
    datasette, service = guarded
    other = Service.open(service.instance)  # another process of the same instance, as far as the register can tell
    who, name = actor("jtys"), "work/penalties"
    assert not await allowed(datasette, who, name)
    grant = grants.Grant("g-t", "scjg", "jtys", "work", "penalties", ("case",), "2026-01-01", "2099-01-01", "测试")
    grants.give(other.register, other.ledger, grant)
    assert await allowed(datasette, who, name)
    grants.revoke(other.register, other.ledger, "g-t", "测试：撤回")
    assert not await allowed(datasette, who, name)
    grants.give(service.register, service.ledger, grants.Grant(**{**_fields(grant), "id": "g-u"}))
    assert await allowed(datasette, who, name), "by this process's own register"
    grants.revoke(service.register, service.ledger, "g-u", "测试：撤回")
    assert not await allowed(datasette, who, name)
    other.close()


def _fields(grant: grants.Grant) -> dict[str, Any]:
    return {name: getattr(grant, name) for name in grants.Grant.__slots__}


async def test_a_grant_ends_with_its_last_day_though_nothing_is_written(guarded: tuple[Datasette, Service]) -> None:
    datasette, service = guarded
    today = service.register.today()
    grant = grants.Grant("g-d", "scjg", "jtys", "work", "penalties", ("case",), today, today, "测试")
    grants.give(service.register, service.ledger, grant)
    assert await allowed(datasette, actor("jtys"), "work/penalties")
    now = service.register._now
    service.register._now = lambda: now() + timedelta(days=1)
    assert not await allowed(datasette, actor("jtys"), "work/penalties")


async def test_the_explanation_names_the_rule_that_decided(guarded: tuple[Datasette, Service]) -> None:
    datasette, _ = guarded
    for agency, word, verdict in (("scjg", "own agency", True), ("jtys", "not yet granted", False)):
        explained = await explain_permission_for_resource(
            datasette=datasette, actor=actor(agency), action="view-table", parent="work", child="penalties"
        )
        assert explained["allowed"] is verdict
        (decisive,) = [rule for rule in explained["matched_rules"] if rule["decisive"]]
        assert decisive["source"] == "liandong" and word in decisive["reason"]


async def test_rules_of_past_states_do_not_pile_up(guarded: tuple[Datasette, Service]) -> None:
    datasette, service = guarded
    service.register.write("CREATE TABLE scratch (n)")
    for n in range(200):  # each write is another state of the register
        service.register.write("INSERT INTO scratch VALUES (?)", (n,))
        assert await allowed(datasette, actor("scjg"), "work/penalties")
    sets = (
        await datasette.get_internal_database().execute("SELECT count(DISTINCT rule_set) FROM liandong_rules")
    ).single_value()
    assert sets <= 70


async def test_an_agency_whose_rules_are_old_but_unchanged_keeps_them(guarded: tuple[Datasette, Service]) -> None:
    datasette, service = guarded
    for agency in agencies(service.register):
        assert await allowed(datasette, actor(agency["id"], agency["role"]), "directory/resources")
    service.register.write("CREATE TABLE scratch (n)")
    for n in range(100):
        service.register.write("INSERT INTO scratch VALUES (?)", (n,))
        await allowed(datasette, actor("scjg"), "work/penalties")
    for agency in agencies(service.register):
        assert await allowed(datasette, actor(agency["id"], agency["role"]), "directory/resources")
