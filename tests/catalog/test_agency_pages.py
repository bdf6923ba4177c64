"""The pages of the register: what each kind of officer sees and may do, and that everybody else is refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.client import load_key
from catalog.identity import agencies, keys, officers, tokens
from catalog.identity.key_files import to_json
from catalog.identity.key_statement import Statement, endorsed, key_id
from catalog.identity.officers import By
from catalog.routes import ROUTES, Access
from ledger import Instance
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

ADMIN, OPERATOR, SUPERVISOR = "zhzf-3", "ywzx-3", "sfj-3"
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


class Browser:
    """An officer's browser."""

    def __init__(self, app: InProcess, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = headers

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        response = await self.app.client.get(path, headers={**self.headers, **headers})
        assert response.status_code == status, response.text
        return response.text

    async def post(self, path: str, status: int = 303, files: Any = None, **form: Any) -> str:
        """Send a form; returns where it led to, or the page that says what is wrong or shows a secret."""
        response = await self.app.client.post(path, data=form, files=files, headers=self.headers)
        assert response.status_code == status, response.text
        return response.headers["location"] if status == 303 else response.text


async def browser(app: InProcess, login: str) -> Browser:
    headers = await app.sign_in(login, states=False)
    app.client.cookies.clear()
    return Browser(app, headers)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html.partition("<main")[2])).split())


def once(html: str) -> str:
    return re.findall(r'name="once" value="([^"]+)"', html)[0]


def one_time_password(html: str) -> str:
    return re.findall(r'<code class="secret">((?:[0-9a-z]{4}-){3}[0-9a-z]{4})</code>', html)[0]


def statement(app: InProcess, agency: str, *, endorse: bool = True) -> tuple[Statement, str]:
    file = app.service.instance.path / "demo/sfj-sys.key.pem"
    expires = app.service.register.timestamp(timedelta(days=20))
    key = Ed25519PrivateKey.generate()
    endorser = load_key(Path(file)) if endorse else None
    made = endorsed(app.service.ledger.origin, agency, f"{agency}-sys", expires, key, endorser)
    return made, key_id(key.public_key())


# -- who may open what ------------------------------------------------------------------------------------------------

PATHS = {
    "agency": "/agency",
    "agency-enrol": "/agency/enrol",
    "agency-officer": "/agency/officers/zhzf-1",
    "agency-officer-change": "/agency/officers/zhzf-1/reset",
    "agency-key-add": "/agency/keys/add",
    "agency-token-add": "/agency/tokens/add",
    "agencies": "/agencies",
    "agencies-register": "/agencies/register",
}


def test_every_page_of_the_register_is_signed_in_only_and_tried_below() -> None:
    routes = {route.name: route for route in ROUTES if route.name.startswith("agenc")}
    assert all(route.access is Access.SIGNED_IN for name, route in routes.items() if name != "agencies")
    assert set(routes) - set(PATHS) == {"agency-key-revoke", "agency-token-revoke"}


async def test_whoever_reads_the_register_of_others_is_recorded(app: InProcess) -> None:
    office, own = await browser(app, "sfj-1"), await browser(app, "zhzf-3")
    before = len(app.entries())
    for path, status in (("/agencies", 200), ("/agencies/id/scjg", 200), ("/agencies/id/nobody", 404)):
        await office.get(path, status)
    await own.get("/agencies/id/scjg", 403)
    await own.get("/agency", 200)
    new = [(entry["kind"], entry["requester"], entry["resource"]) for entry in app.entries()[before:]]
    assert new == [("audit.read", "sfj", name) for name in ("agencies", "other-agency", "other-agency")]


@pytest.mark.parametrize(
    ("login", "opens"),
    [
        ("zhzf-1", set()),
        ("zhzf-2", set()),
        ("zhzf-3", {name for name in PATHS if name.startswith("agency")}),
        ("sjj-2", set()),
        ("sfj-1", {"agencies"}),
        ("ywzx-1", {"agencies"}),
        ("ywzx-3", {"agency", "agency-enrol", "agency-key-add", "agency-token-add", "agencies", "agencies-register"}),
    ],
)
async def test_each_opens_what_is_theirs_and_is_told_who_may_do_the_rest(
    app: InProcess, login: str, opens: set[str]
) -> None:
    person = await browser(app, login)
    for name, path in PATHS.items():
        if name in ("agency-officer", "agency-officer-change") and login == "ywzx-3":
            await person.get(path, 404)  # of another agency
            continue
        html = await person.get(path, 200 if name in opens else 403)
        if name not in opens:
            assert "应由" in html, path
    await person.get("/agencies/id/gaj", 200 if "agencies" in opens else 403)


async def test_anonymous_and_systems_open_none_of_it(app: InProcess) -> None:
    for path in PATHS.values():
        assert (await app.client.get(path)).status_code == 401
        assert (await app.client.get(path, headers=app.bearer())).status_code == 403
        assert (await app.client.post(path, headers=app.bearer(), data={"login": "zhzf-9"})).status_code in (
            403,
            404,
            405,
        )


async def test_the_navigation_shows_each_what_they_may_open(app: InProcess) -> None:
    expected = {
        "zhzf-1": set(),
        "zhzf-3": {"/agency"},
        "sfj-1": {"/agencies"},
        "sfj-3": {"/agency", "/agencies"},
        "ywzx-1": {"/agencies"},
        "ywzx-3": {"/agency", "/agencies"},
    }
    for login, paths in expected.items():
        html = await (await browser(app, login)).get("/account")
        nav = set(re.findall(r'href="(/agenc[a-z]+)"', html.partition('class="sections"')[2].partition("</nav>")[0]))
        assert nav == paths, login


async def test_nothing_of_another_agency_is_changed_or_seen(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    size = len(app.entries())
    for path in ("/agency/officers/scjg-1", "/agency/officers/scjg-1/reset", "/agency/officers/nobody"):
        await admin.get(path, 404)
    for change in ("roles", "deputy", "end-deputy", "reset", "disable", "enable", "unlock"):
        await admin.post(f"/agency/officers/scjg-1/{change}", 404, role="admin")
        await admin.post(f"/agencies/id/scjg/officers/scjg-3/{change}", 403, role="admin")
    await admin.post("/agencies/id/scjg/enrol", 403, login="scjg-9", title_zh="岗", role="officer")
    await admin.post("/agencies/id/scjg/tokens/add", 403, system="scjg-sys", days="5")
    (key,) = keys.listing(app.service.register, "sfj")
    await admin.get(f"/agency/keys/{key['keyid']}/revoke", 404)
    assert len(app.entries()) == size


# -- officers ---------------------------------------------------------------------------------------------------------


async def test_enrolling_shows_the_password_once_and_makes_an_account(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    form = {"login": "zhzf-8", "title_zh": "法制科 经办员", "role": ["officer", "answerer"]}
    form["once"] = once(await admin.get("/agency/enrol"))
    html = await admin.post("/agency/enrol", 200, **form)
    password = one_time_password(html)
    assert "zhzf-8" in words(html) and "只显示这一次" in words(html)
    assert app.entries()[-1]["roles"] == ["answerer", "officer"]
    again = await admin.post("/agency/enrol", 422, **form)
    assert password not in again and "已被使用" in again
    assert password not in await admin.get("/agency/officers/zhzf-8")
    signed_in = await app.client.post("/sign-in", data={"login": "zhzf-8", "password": password})
    assert signed_in.status_code == 302


async def test_an_error_keeps_what_was_typed(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    html = await admin.post("/agency/enrol", 422, login="Bad Login", title_zh="<法制科>", role=["admin", "approver"])
    assert 'value="Bad Login"' in html and 'value="&lt;法制科&gt;"' in html
    assert re.findall(r'value="(\w+)" checked', html) == ["approver", "admin"]
    assert 'role="alert"' in html
    html = await admin.post("/agency/enrol", 422, login="zhzf-8", title_zh="岗", role=["admin", "approver"])
    assert "管理员与负责人不能由一人同时担任" in html
    token = await admin.post("/agency/tokens/add", 422, system="Bad System", days="30")
    assert 'value="Bad System"' in token and 'value="30"' in token


async def test_what_cannot_be_undone_asks_first(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    size = len(app.entries())
    for change, text in (("reset", "重置密码？"), ("disable", "停用账号？")):
        html = await admin.get(f"/agency/officers/zhzf-1/{change}")
        assert text in html and f'action="/agency/officers/zhzf-1/{change}"' in html
        assert 'href="/agency/officers/zhzf-1"' in html
    assert len(app.entries()) == size


async def test_a_reset_shows_a_password_once_and_the_same_form_again_nothing(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    key = once(await admin.get("/agency/officers/zhzf-1/reset"))
    first = one_time_password(await admin.post("/agency/officers/zhzf-1/reset", 200, once=key))
    again = await admin.post("/agency/officers/zhzf-1/reset", 409, once=key)
    assert "此前已提交" in again and first not in again
    assert (await app.client.post("/sign-in", data={"login": "zhzf-1", "password": first})).status_code == 302


async def test_an_account_is_disabled_and_enabled_and_says_so(app: InProcess) -> None:
    admin, officer = await browser(app, ADMIN), await browser(app, "zhzf-1")
    there = await admin.post("/agency/officers/zhzf-1/disable")
    assert "账号已停用" in await admin.get(there)
    await officer.get("/account", 302)
    assert "已停用" in await admin.get("/agency")
    assert "账号已重新启用" in await admin.get(await admin.post("/agency/officers/zhzf-1/enable"))
    await admin.post("/agency/officers/zhzf-1/enable", 422)
    html = await admin.post("/agency/officers/zhzf-3/disable", 422)
    assert "有某一天没有管理员" in html


async def test_roles_and_a_deputy_are_set_and_ended(app: InProcess) -> None:
    admin, today = await browser(app, ADMIN), app.service.register.today()
    there = await admin.post("/agency/officers/zhzf-1/roles", role=["officer"], valid_from=today, valid_to="")
    assert "角色已变更" in await admin.get(there)
    form = {"deputy_for": "zhzf-2", "role": "approver", "valid_from": today}
    html = await admin.post("/agency/officers/zhzf-1/deputy", 422, **form, valid_to="")
    assert "最长 366 天" in html
    await admin.post("/agency/officers/zhzf-1/deputy", **form, valid_to=today)
    html = await admin.get("/agency")
    assert "负责人 代 zhzf-2" in words(html)
    assert "负责人" in await (await browser(app, "zhzf-1")).get("/account")
    await admin.post("/agency/officers/zhzf-1/end-deputy", deputy_for="zhzf-2", role="approver")
    assert "代 zhzf-2" not in words(await admin.get("/agency"))
    html = await admin.post("/agency/officers/zhzf-2/roles", 422, role=["admin", "approver"], valid_from=today)
    assert "管理员与负责人不能由一人同时担任" in html


async def test_a_locked_officer_is_unlocked_from_the_page(app: InProcess) -> None:
    for _ in range(5):
        await app.client.post("/sign-in", data={"login": "zhzf-1", "password": "wrong"})
    admin = await browser(app, ADMIN)
    assert "锁定至" in await admin.get("/agency")
    there = await admin.post("/agency/officers/zhzf-1/unlock")
    assert "已解锁" in await admin.get(there)
    await app.sign_in("zhzf-1", states=False)


# -- keys and tokens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["file", "pasted"])
async def test_an_endorsed_request_is_uploaded_or_pasted(app: InProcess, how: str) -> None:
    admin, (made, keyid) = await browser(app, ADMIN), statement(app, "zhzf")
    text = to_json(made)
    if how == "file":
        there = await admin.post(
            "/agency/keys/add", files={"file": ("request.json", text.encode(), "application/json")}, pasted=""
        )
    else:
        there = await admin.post("/agency/keys/add", pasted=text)
    html = await admin.get(there)
    assert "密钥已登记" in html and keyid in html and "即将到期" in html
    assert app.entries()[-1]["keyid"] == keyid
    assert re.search(r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}", html)


async def test_a_request_that_is_not_endorsed_or_anothers_is_refused_and_kept_on_the_page(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    size = len(app.entries())
    bad = to_json(statement(app, "zhzf", endorse=False)[0])
    html = await admin.post("/agency/keys/add", 422, pasted=bad)
    assert "背书" in html and "liandong/agency-key/v1" in html
    assert "scjg" in await admin.post("/agency/keys/add", 422, pasted=to_json(statement(app, "scjg")[0]))
    assert "这不是密钥申请" in await admin.post("/agency/keys/add", 422, pasted="{}")
    await admin.post("/agency/keys/add", 422)
    assert len(app.entries()) == size


async def test_a_key_is_revoked_after_a_question_and_a_reason(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    (key,) = keys.listing(app.service.register, "zhzf")
    path = f"/agency/keys/{key['keyid']}/revoke"
    html = await admin.get(path)
    assert "吊销密钥？" in html and "监督机构责令" not in html
    await admin.post(path, 422, reason="because")
    there = await admin.post(path, reason="lost")
    html = await admin.get(there)
    assert "密钥已吊销" in html and "私钥遗失" in html and "已吊销" in html
    await admin.post(path, 422, reason="lost")


async def test_a_token_is_shown_once_and_works_and_is_revoked(app: InProcess) -> None:
    admin = await browser(app, ADMIN)
    form = {"system": "zhzf-sys", "days": "30", "once": once(await admin.get("/agency/tokens/add"))}
    html = await admin.post("/agency/tokens/add", 200, **form)
    token = re.findall(r'<code class="secret">(ld_[\w-]+)</code>', html)[0]
    again = await admin.post("/agency/tokens/add", 409, **form)
    assert "此前已提交" in again and token not in again
    assert token not in await admin.get("/agency")
    bearer = {"authorization": f"Bearer {token}"}
    assert (await app.client.get("/directory/resources.json", headers=bearer)).status_code == 200
    path = f"/agency/tokens/{tokens.token_id(token)}/revoke"
    assert "吊销令牌？" in await admin.get(path)
    assert "令牌已吊销" in await admin.get(await admin.post(path))
    assert (await app.client.get("/directory/resources.json", headers=bearer)).status_code == 401
    for days in ("0", "367", "x", ""):
        await admin.post("/agency/tokens/add", 422, system="zhzf-sys", days=days)


# -- the operator and the supervising offices -------------------------------------------------------------------------


async def test_the_operator_registers_an_agency_and_appoints_its_administrator(app: InProcess) -> None:
    operator = await browser(app, OPERATOR)
    form = {"id": "slj", "name_zh": "示范县水利局", "type": "部门", "role": "agency"}
    there = await operator.post("/agencies/register", **form)
    assert there == "/agencies/id/slj?done=register"
    html = await operator.get(there)
    assert "单位已登记" in html and "尚无管理员" in html and "设立首个管理员" in html
    password = one_time_password(await operator.post("/agencies/id/slj/enrol", 200, login="slj-3", title_zh="管理员"))
    assert officers.find(app.service.register, "slj-3")["roles"] == {"admin": None}
    await operator.post("/agencies/id/slj/enrol", 403, login="slj-4", title_zh="管理员")
    assert "设立首个管理员" not in await operator.get("/agencies/id/slj")
    assert (await app.client.post("/sign-in", data={"login": "slj-3", "password": password})).status_code == 302
    html = await operator.post("/agencies/register", 422, **{**form, "role": "supervisor"})
    assert "一个单位只有一种角色" in html and 'value="示范县水利局"' in html
    found = agencies.find(app.service.register, "slj")
    assert found is not None and found["name_en"] == "示范县水利局"


async def test_of_another_agency_its_administrators_are_shown_and_nobody_else(app: InProcess) -> None:
    html = await (await browser(app, OPERATOR)).get("/agencies/id/zhzf")
    assert "zhzf-3" in html and "zhzf-1" not in html and "zhzf-2" not in html
    person = await browser(app, "sfj-1")
    await person.get("/agencies/id/zhzf/officers/zhzf-1", 404)
    html = await person.get("/agencies/id/zhzf/officers/zhzf-3")
    assert "重置密码" not in html and "变更角色" not in html
    await person.get("/agencies/id/nobody", 404)


async def test_the_operator_rescues_an_administrator_and_not_a_supervising_offices(app: InProcess) -> None:
    operator, supervisor = await browser(app, OPERATOR), await browser(app, SUPERVISOR)
    assert "重置密码" in await operator.get("/agencies/id/zhzf/officers/zhzf-3")
    await operator.post("/agencies/id/zhzf/officers/zhzf-3/reset", 200)
    assert app.entries()[-1]["by"] == "ywzx"
    assert "重置密码" not in await operator.get("/agencies/id/sfj/officers/sfj-3")
    await operator.post("/agencies/id/sfj/officers/sfj-3/reset", 403)
    await supervisor.post("/agencies/id/dcs/officers/dcs-3/reset", 200)


async def test_a_key_that_was_slipped_in_stands_in_red_before_the_supervisors_and_the_agency(app: InProcess) -> None:
    made, keyid = statement(app, "zhzf", endorse=False)
    app.service.ledger.append("agency.key_added", {k: v for k, v in made.fields().items() if v is not None})
    keys.add(app.service.register, app.service.ledger, statement(app, "scjg")[0])
    for login, path in (("sfj-1", "/agencies"), ("sfj-1", "/agencies/id/zhzf"), (ADMIN, "/agency")):
        html = await (await browser(app, login)).get(path)
        assert 'class="panel alarm"' in html and keyid in html and "1 把密钥未被接受" in html, (login, path)
    for login, path in ((OPERATOR, "/agencies"), (OPERATOR, "/agencies/id/zhzf"), ("sfj-1", "/agencies/id/scjg")):
        assert keyid not in await (await browser(app, login)).get(path), (login, path)
    html = await (await browser(app, "sfj-1")).get("/agencies", **ENGLISH)
    assert "1 key was not accepted" in html


async def test_a_supervisor_orders_a_key_and_a_token_revoked(app: InProcess) -> None:
    supervisor = await browser(app, SUPERVISOR)
    (key,), (token,) = keys.listing(app.service.register, "zhzf"), tokens.listing(app.service.register, "zhzf")
    path = f"/agencies/id/zhzf/keys/{key['keyid']}/revoke"
    assert "监督机构责令" in await supervisor.get(path)
    await supervisor.post(path, reason="ordered")
    assert (app.entries()[-1]["by"], app.entries()[-1]["reason"]) == ("sfj", "ordered")
    await supervisor.post(f"/agencies/id/zhzf/tokens/{token['id']}/revoke")
    operator = await browser(app, OPERATOR)
    await operator.get(path, 403)
    await operator.get("/agencies/id/zhzf/tokens/add", 403)


async def test_how_often_unknown_credentials_were_used_is_shown(app: InProcess) -> None:
    for _ in range(3):
        await app.client.get("/directory.json", headers={"authorization": "Bearer ld_x"})
    app.service.unknown.write()
    assert "今天 3 次" in words(await (await browser(app, "sfj-1")).get("/agencies"))


# -- every page -------------------------------------------------------------------------------------------------------


async def test_every_page_is_whole_in_both_languages_and_kept_by_nobody(app: InProcess) -> None:
    officers.add_deputy(
        app.service.register,
        app.service.ledger,
        "zhzf-1",
        "zhzf-2",
        "approver",
        app.service.register.today(),
        app.service.register.today(),
        by=By("zhzf", ADMIN),
    )
    (key,), (token,) = keys.listing(app.service.register, "zhzf"), tokens.listing(app.service.register, "zhzf")
    admin, operator = await browser(app, ADMIN), await browser(app, OPERATOR)
    own = [path for name, path in PATHS.items() if name.startswith("agency")]
    own += [f"/agency/keys/{key['keyid']}/revoke", f"/agency/tokens/{token['id']}/revoke", "/account"]
    for person, path in [*((admin, path) for path in own), (operator, "/agencies"), (operator, "/agencies/register")]:
        for language in ("zh", "en"):
            response = await app.client.get(path, headers={**person.headers, "accept-language": language})
            html = response.text
            assert response.headers["cache-control"] == "private, no-store"
            assert html.count("<h1") == 1 and not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", html)
            if language == "en":
                shown = re.sub(r'<(\w+)[^>]*lang="zh-CN".*?</\1>', "", html.partition("<main")[2], flags=re.S)
                shown = re.sub('<option value="[^"]*"', "<option", shown)  # what is sent is the register's word
                left = set(re.findall("[一-鿿]+", shown)) - {"执法一科", "经办员"}
                assert not left, (path, left)
