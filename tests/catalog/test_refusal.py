"""What an asker is told when a table is not open: the same words as page and as JSON, and the entry that it makes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from catalog import grants, suspensions
from catalog.grants import Grant
from catalog.identity import officers
from catalog.identity.officers import By
from catalog.identity.projection import record
from catalog.purpose_header import NAME
from ledger import Instance
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

PENALTIES, INSPECTIONS = "/work/penalties.json", "/work/inspections.json"
NARROW = Grant(
    "g-9001",
    "yjgl",
    "zhzf",
    "work",
    "inspections",
    ("lead",),
    "2026-01-01",
    "2099-12-31",
    "演示依据",
    ("party_name", "inspected_on"),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def ask(app: InProcess, path: str, **more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON of a 403, and its entry."""
    response = await app.client.get(path, headers={**app.bearer(), **more})
    assert response.status_code == 403, response.text
    entry = app.entries()[-1]
    assert response.headers["ledger-entry"] == str(entry["seq"])
    body: dict[str, Any] = response.json()
    return body, entry


async def page(app: InProcess, path: str, who: str = "zhzf-1") -> str:
    """The words of a 403 page."""
    officer = await app.sign_in(who)
    response = await app.client.get(path, headers=officer)
    assert response.status_code == 403, response.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", response.text)))


def publish(app: InProcess, resource: str, sharing_class: str, **more: Any) -> None:
    provider = app.service.resource(resource)["provider"]  # type: ignore[index]
    grants.publish(app.service.register, app.service.ledger, resource, provider, sharing_class, **more)


def suspend(app: InProcess, **more: Any) -> None:
    what = {"id": suspensions.next_id(app.service.register), "agency": "zhzf", "by": "sjj", "reason": "超出授权范围"}
    suspensions.suspend(app.service.register, app.service.ledger, {**what, **more})


# -- no grant yet is not a refusal ------------------------------------------------------------------------------------


async def test_what_is_not_granted_yet_comes_with_a_request_that_is_ready(app: InProcess) -> None:
    body, entry = await ask(app, INSPECTIONS)
    assert (body["code"], body["clause"]) == ("not_yet_granted", "政务数据共享条例第十四条、第二十条")
    draft = body["request"]
    assert (draft["act"], draft["resource"], draft["requester"]) == ("查询", "work/inspections", "zhzf")
    assert (draft["provider"], draft["contact_zh"]) == ("yjgl", "示范县应急管理局政务数据共享工作机构")
    assert draft["purpose"] == {"code": "case", "reference": "SF-2026-17"}
    assert draft["url"] == "/request?resource=work%2Finspections"
    assert (entry["kind"], entry["clause"], entry["purpose"]) == ("query.referred", "not_yet_granted", "case")
    assert "reference" in entry["commit"]
    assert "SF-2026-17" not in str(entry)


async def test_a_purpose_that_no_grant_covers_is_referred_too(app: InProcess) -> None:
    body, entry = await ask(app, PENALTIES, **{NAME: 'permit; reference="2026-17"'})
    assert (body["code"], entry["kind"], entry["clause"]) == (
        "purpose_not_covered",
        "query.referred",
        "purpose_not_covered",
    )
    assert body["request"]["purpose"]["code"] == "permit"


async def test_the_page_says_what_the_json_says(app: InProcess) -> None:
    body, _ = await ask(app, INSPECTIONS)
    said = await page(app, "/work/inspections")
    assert body["error_zh"] in said
    assert body["clause"] in said
    assert "尚未发送，时限尚未起算" in said


@pytest.mark.parametrize(
    ("path", "clause"),
    [
        ("/ledger", "ledger.read"),
        ("/metrics", "service.figures"),
        ("/access/rules", "permissions.explain"),
        ("/access?agency=scjg", "own-agency"),
        ("/log/receipt/0", "own-agency"),
        ("/agency", "officer.manage"),
        ("/agencies", "agency.see"),
        ("/grants/new", "grant.give"),
        ("/account", "in-person"),
        ("/work/nothing", "政务数据共享条例第十六条"),
    ],
)
async def test_every_403_names_its_ground_as_json_and_as_page(app: InProcess, path: str, clause: str) -> None:
    response = await app.client.get(path, headers=app.bearer())
    assert response.status_code == 403, response.text
    assert clause in response.json()["clause"]
    if clause != "in-person":
        assert clause in await page(app, path)


async def test_an_officer_without_a_role_is_told_by_which_rule(app: InProcess) -> None:
    register, ledger = app.service.register, app.service.ledger
    officers.set_roles(register, ledger, "zhzf-1", [], register.today(), "9999-12-31", by=By("zhzf", "zhzf-3"))
    assert "catalog.read" in await page(app, "/work/inspections")


def test_the_guide_lists_every_rule_of_the_service_itself() -> None:
    guide = Path("docs/guide/accounts.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in Path("catalog").rglob("*.py"))
    rules = re.findall(r'ForbiddenError\(\s*"([a-z.-]+)"', sources)
    assert len(rules) > 8
    for rule in {*rules, "same-site"}:
        assert f"`{rule}`" in guide, rule


async def test_the_request_can_be_opened_and_printed(app: InProcess) -> None:
    officer = await app.sign_in("bjd-1")
    response = await app.client.get("/request?resource=work/inspections", headers=officer)
    assert response.status_code == 200
    for text in ("示范县丙街道办事处", "示范县应急管理局政务数据共享工作机构", "work/inspections"):
        assert text in response.text, text
    assert (await app.client.get("/request?resource=work/nothing", headers=officer)).status_code == 404


# -- a purpose is needed ----------------------------------------------------------------------------------------------


async def test_a_program_without_a_purpose_is_told_how_to_state_one(app: InProcess) -> None:
    response = await app.client.get(PENALTIES, headers=app.bearer(purpose=""))
    assert response.status_code == 403
    body = response.json()
    assert body["code"] == "purpose_needed"
    assert body["purpose"]["header"].startswith("Liandong-Purpose: case;")
    assert "案号" in str(body["purpose"]["codes"]["case"])
    assert (app.entries()[-1]["kind"], app.entries()[-1]["reason"]) == ("query.failed", "purpose_needed")
    name, _, value = body["purpose"]["header"].partition(": ")
    again = await app.client.get(PENALTIES, headers={**app.bearer(purpose=""), name: value})
    assert again.status_code == 200
    assert app.entries()[-1]["purpose"] == "case"


@pytest.mark.parametrize("stated", ["case", 'case; reference="需要"', "案件调查", 'curiosity; reference="2026-1"'])
async def test_a_purpose_that_says_nothing_is_422_and_recorded(app: InProcess, stated: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in app.bearer(purpose=stated).items()]
    response = await app.client.get(PENALTIES, headers=headers)
    assert response.status_code == 422, response.text
    assert response.json()["error_zh"]
    entry = app.entries()[-1]
    assert (entry["kind"], entry["reason"], entry["status"]) == ("query.failed", "purpose", 422)
    assert "purpose" not in entry


async def test_joint_action_of_others_is_no_purpose_by_header_body_or_form(app: InProcess) -> None:
    others = {"code": "joint", "reference": "示联〔2026〕3号", "participants": ["scjg", "yjgl"]}
    header = 'joint; reference="2026-3"; participants="scjg yjgl"'
    response = await app.client.get(PENALTIES, headers=app.bearer(purpose=header))
    assert response.status_code == 422 and "没有本单位（zhzf）" in response.json()["error_zh"]
    response = await app.client.post(
        "/api/query/work/penalties", json={"purpose": others}, headers=app.bearer(purpose="")
    )
    assert (response.status_code, response.json()["where"]) == (422, "purpose.participants")
    officer = await app.sign_in("zhzf-1", states=False)
    sent = {"code": "joint", "reference": "示联〔2026〕3号", "lead": "scjg", "participants": ["scjg", "yjgl"]}
    for path in ("/purpose", "/query/work/penalties"):
        response = await app.client.post(path, data={**sent, "resource": "work/penalties"}, headers=officer)
        assert response.status_code == 422 and "没有本单位" in response.text, path


async def test_data_that_is_unconditional_needs_none(app: InProcess) -> None:
    response = await app.client.get("/work/permits.json?_size=1", headers=app.bearer(purpose=""))
    assert response.status_code == 200
    assert "purpose" not in app.entries()[-1]


# -- refusals ---------------------------------------------------------------------------------------------------------


async def test_what_is_not_shared_is_refused_with_its_basis(app: InProcess) -> None:
    publish(app, "work/inspections", "不予共享", basis="《演示法》第三条")
    body, entry = await ask(app, INSPECTIONS)
    assert (body["code"], body["basis"]) == ("not_shared", "《演示法》第三条")
    assert body["clause"].startswith("RG16")
    assert "request" not in body
    assert (entry["kind"], entry["basis"]) == ("query.refused", "《演示法》第三条")
    assert entry["clause"] == body["clause"]
    assert "这是不予提供" in await page(app, "/work/inspections", "bjd-1")


async def test_a_refusal_is_counted_once_a_day_however_often_it_is_tried(app: InProcess) -> None:
    publish(app, "work/inspections", "不予共享", basis="《演示法》第三条")
    _, first = await ask(app, INSPECTIONS)
    _, second = await ask(app, INSPECTIONS)
    _, third = await ask(app, "/work/inspections/1.json")
    assert [entry["kind"] for entry in (first, second, third)] == ["query.refused", "query.failed", "query.failed"]
    assert second["refused_by"] == third["refused_by"] == first["seq"]
    assert "clause" not in second
    officer = await app.sign_in("bjd-1")  # another requester
    await app.client.get("/work/inspections", headers=officer)
    assert app.entries()[-1]["kind"] == "query.refused"


async def test_a_condition_that_the_register_shows_unmet_is_refused(app: InProcess) -> None:
    publish(app, "work/penalties", "有条件共享", condition="仅限镇和街道", condition_types=["镇", "街道"])
    body, entry = await ask(app, PENALTIES)
    assert (body["code"], body["basis"]) == ("condition_unmet", "仅限镇和街道")
    assert (entry["kind"], entry["clause"].partition(" ")[0]) == ("query.refused", "RG17")


async def test_a_suspension_is_refused_with_its_number_and_gone_when_it_is_restored(app: InProcess) -> None:
    suspend(app)
    body, entry = await ask(app, PENALTIES)
    assert (body["code"], entry["kind"], entry["suspension"]) == ("suspended", "query.refused", "s-0002")
    assert "超出授权范围" in body["error_zh"]
    assert (await ask(app, "/work/permits.json"))[0]["code"] == "suspended"
    assert (await app.client.get("/directory/resources.json", headers=app.bearer())).status_code == 200
    assert (await app.client.get("/dynamics/activities.json", headers=app.bearer())).status_code == 200  # its own
    suspensions.restore(app.service.register, app.service.ledger, "s-0002", "sjj", "整改到位")
    assert (await app.client.get(PENALTIES, headers=app.bearer())).status_code == 200


async def test_a_suspended_supervisor_reads_nothing_either(app: InProcess) -> None:
    suspend(app, agency="sfj")
    officer = await app.sign_in("sfj-1", states=False)
    response = await app.client.get("/work/penalties", headers=officer)
    assert response.status_code == 403
    assert app.entries()[-1]["kind"] == "query.refused"


# -- columns ----------------------------------------------------------------------------------------------------------


async def test_a_column_list_does_not_open_the_table_and_says_what_does(app: InProcess) -> None:
    grants.give(app.service.register, app.service.ledger, NARROW)
    for path in (INSPECTIONS, "/work/inspections/1.json", "/work/inspections.csv", INSPECTIONS + "?_facet=result"):
        body, entry = await ask(app, path, **{NAME: 'lead; reference="2026-17"'})
        assert body["columns"] == ["inspected_on", "party_name"]
        assert "POST /api/query/work/inspections" in body["error_en"]
        assert (entry["kind"], entry["reason"]) == ("query.failed", "columns_only")
        assert "rows" not in body


ADDRESSES = ("", "_sort={}", "_facet={}", "{}__notnull=1", "{}=x", "_col={}", "_search=x", "_next=x")


@pytest.mark.parametrize("state", ["columns", "ungranted", "withdrawn"])
async def test_an_address_tells_nothing_of_the_columns_of_a_table_that_is_not_open(app: InProcess, state: str) -> None:
    register, ledger = app.service.register, app.service.ledger
    if state == "columns":
        grants.give(register, ledger, NARROW)
    if state == "withdrawn":
        record(
            register, ledger, "resource.withdrawn", {"resource": "work/inspections", "provider": "yjgl", "reason": "x"}
        )
    said = set()
    for column in ("party_name", "credit_code", "nothing_of_that_name"):
        for form in ADDRESSES:
            query = form.format(column)
            headers = app.bearer(purpose='lead; reference="XS-2026-4"')
            response = await app.client.get(f"{INSPECTIONS}?{query}", headers=headers)
            said.add((response.status_code, response.text))
    assert {status for status, _ in said} == {403} and len({text for _, text in said}) == 1


async def test_for_another_purpose_a_column_list_opens_nothing(app: InProcess) -> None:
    grants.give(app.service.register, app.service.ledger, NARROW)
    body, _ = await ask(app, INSPECTIONS)
    assert body["code"] == "purpose_not_covered"


# -- anything else ----------------------------------------------------------------------------------------------------


async def test_a_table_that_is_not_published_is_no_refusal_and_says_nothing_of_it(app: InProcess) -> None:
    for path in ("/work/nothing.json", "/work/sqlite_master.json"):
        body, entry = await ask(app, path)
        assert (body["code"], entry["kind"], entry["reason"]) == ("not_published", "query.failed", "not_published")
        assert "request" not in body
        assert "explain" not in body


async def test_an_argument_that_is_not_served_is_recorded_as_failed(app: InProcess) -> None:
    response = await app.client.get(PENALTIES + "?_where=1=1", headers=app.bearer())
    assert response.status_code == 400
    assert (app.entries()[-1]["kind"], app.entries()[-1]["status"]) == ("query.failed", 400)


async def test_a_revoked_grant_is_gone_at_the_next_request(app: InProcess) -> None:
    assert (await app.client.get(PENALTIES, headers=app.bearer())).status_code == 200
    grants.revoke(app.service.register, app.service.ledger, "g-0001", "目的已实现")
    body, _ = await ask(app, PENALTIES)
    assert body["code"] == "not_yet_granted"
