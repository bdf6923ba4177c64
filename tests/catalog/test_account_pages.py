"""Signing in, and what an officer's own pages do: one-time passwords, choosing one, sessions, lock-out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from catalog.cookies import browser_cookie
from catalog.identity import officers
from catalog.identity.officers import By
from ledger import Instance
from tests.conftest import InProcess, in_process

OWN = "seven quiet herons"
HTML = {"accept": "text/html"}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def sign_in(app: InProcess, login: str, password: str, **fields: str):  # type: ignore[no-untyped-def]
    """What the sign-in form answers, from a browser that knows nothing yet."""
    app.client.cookies.clear()
    return await app.client.post("/sign-in", data={"login": login, "password": password, **fields}, headers=HTML)


def one_time(app: InProcess, login: str) -> str:
    return officers.reset(app.service.register, app.service.ledger, login, by=By("ywzx"))


async def change(app: InProcess, present: str, wanted: str, again: str | None = None, **fields: str):  # type: ignore[no-untyped-def]
    form = {"present_password": present, "new_password": wanted, "new_password_again": again or wanted, **fields}
    return await app.client.post("/account/password", data=form, headers=HTML)


# -- before the first change ------------------------------------------------------------------------------------------


async def test_with_a_one_time_password_nothing_opens_but_the_page_for_another(app: InProcess) -> None:
    assert (await sign_in(app, "zhzf-1", one_time(app, "zhzf-1"))).status_code == 302
    size = len(app.entries())
    for path in ("/", "/work", "/work/penalties?town=x", "/queries", "/account", "/nowhere", "/log/receipt/1"):
        response = await app.client.get(path, headers=HTML)
        assert response.status_code == 302
        assert response.headers["location"].startswith("/account/password?next=/"), path
        refused = await app.client.get(path)
        assert refused.status_code == 403 and "设置自己的密码" in refused.json()["error_zh"], path
    assert (await app.client.post("/account/sessions", headers=HTML)).status_code == 403
    page = await app.client.get("/account/password", headers=HTML)
    assert page.status_code == 200 and "请设置自己的密码" in page.text
    assert 'class="sections"' not in page.text
    assert len(app.entries()) == size


async def test_choosing_a_password_leads_on_to_the_page_that_was_asked_for(app: InProcess) -> None:
    password = one_time(app, "zhzf-1")
    await sign_in(app, "zhzf-1", password)
    assert (await change(app, password, OWN, next="/work?a=1")).headers["location"] == "/work?a=1"
    assert (await app.client.get("/queries", headers=HTML)).status_code == 200
    assert (await sign_in(app, "zhzf-1", password)).status_code == 401
    assert (await sign_in(app, "zhzf-1", OWN)).status_code == 302


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example", "/\\evil.example"])
async def test_changing_the_password_leads_to_this_site_only(app: InProcess, target: str) -> None:
    await sign_in(app, "zhzf-1", app.passwords["zhzf-1"])
    response = await change(app, app.passwords["zhzf-1"], OWN, next=target)
    assert response.headers["location"] == "/account?done=password"


@pytest.mark.parametrize(
    ("wanted", "again", "words"),
    [
        ("short", "short", "至少 12 个字符"),
        ("password1234", "password1234", "最常被猜到"),
        ("my zhzf-1 words", "my zhzf-1 words", "含有用户名"),
        (OWN, OWN + "x", "两次输入的新密码不一致"),
    ],
)
async def test_a_bad_choice_is_said_and_no_password_stands_on_the_page(
    app: InProcess, wanted: str, again: str, words: str
) -> None:
    present = app.passwords["zhzf-1"]
    await sign_in(app, "zhzf-1", present)
    response = await change(app, present, wanted, again)
    assert response.status_code == 422 and words in response.text
    assert present not in response.text and wanted not in re.sub(r"<label.*?</label>", "", response.text)
    assert (await sign_in(app, "zhzf-1", present)).status_code == 302


async def test_a_change_ends_every_other_session_and_the_old_secret_of_this_one(app: InProcess) -> None:
    first = await app.sign_in("zhzf-1", states=False)
    second = await app.sign_in("zhzf-1", states=False)
    assert (await change(app, app.passwords["zhzf-1"], OWN)).status_code == 303
    assert (await app.client.get("/account", headers=HTML)).status_code == 200  # with the new cookie
    app.client.cookies.clear()
    for old in (first, second):
        assert (await app.client.get("/account", headers=old)).status_code == 302


# -- guessing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["zhzf-1", "nobody"])
async def test_a_locked_login_says_when_and_looks_alike_whether_it_exists(app: InProcess, login: str) -> None:
    texts = []
    for _ in range(5):
        texts.append(await sign_in(app, login, "wrong"))
    assert [each.status_code for each in texts] == [401, 401, 401, 401, 429]
    assert 1 <= int(texts[-1].headers["retry-after"]) <= 60
    assert "之后（约 1 分钟后）再试" in texts[-1].text and f'value="{login}"' in texts[-1].text
    locked = await sign_in(app, login, app.passwords.get(login, "wrong"))
    assert locked.status_code == 429
    english = await app.client.post(
        "/sign-in", data={"login": login, "password": "x"}, headers={**HTML, "accept-language": "en"}
    )
    assert "try again after" in english.text


async def test_a_browser_that_signed_in_before_gets_in_past_a_lock_made_elsewhere(app: InProcess) -> None:
    signed_in = await sign_in(app, "zhzf-1", app.passwords["zhzf-1"])
    name = browser_cookie(app.service.address)
    known = app.client.cookies[name]
    cookie = next(each for each in signed_in.headers.get_list("set-cookie") if each.startswith(name))
    assert "httponly" in cookie.lower() and "samesite=lax" in cookie.lower()
    for _ in range(6):
        await sign_in(app, "zhzf-1", "wrong")
    assert (await sign_in(app, "zhzf-1", app.passwords["zhzf-1"])).status_code == 429
    app.client.cookies.set(name, known)
    form = {"login": "zhzf-1", "password": app.passwords["zhzf-1"]}
    assert (await app.client.post("/sign-in", data=form, headers=HTML)).status_code == 302


async def test_a_failed_sign_in_is_an_entry_and_the_next_guess_is_not(app: InProcess) -> None:
    before = len(app.entries())
    for _ in range(3):
        await sign_in(app, "zhzf-1", "wrong")
    (entry,) = app.entries()[before:]
    assert (entry["kind"], entry["agency"], entry["reason"]) == ("auth.failed", "zhzf", "wrong_password")
    assert "zhzf-1" not in str(entry)


# -- credentials of systems -------------------------------------------------------------------------------------------


async def test_a_revoked_token_that_is_used_is_an_entry_once_and_an_unknown_one_is_counted(app: InProcess) -> None:
    from catalog.identity import failures, tokens

    token_id = tokens.token_id(app.token)
    tokens.revoke(app.service.register, app.service.ledger, token_id, by="zhzf")
    before = len(app.entries())
    for path in ("/directory/resources.json", "/work/penalties.json?town=%E7%94%B2%E9%95%87", "/log/checkpoint"):
        response = await app.client.get(path, headers=app.bearer())
        assert response.status_code == (200 if path == "/log/checkpoint" else 401)
    (entry,) = app.entries()[before:]
    assert (entry["kind"], entry["auth"], entry["token"]) == ("auth.failed", "token", token_id)
    assert (entry["reason"], entry["attempts"]) == ("revoked", 1) and "resources" not in str(entry)
    for _ in range(4):
        await app.client.get("/directory.json", headers={"authorization": "Bearer ld_unknown"})
    app.service.unknown.write()
    assert failures.unknown_since(app.service.register, app.service.register.today()) == 4
    assert len(app.entries()) == before + 1


# -- my account -------------------------------------------------------------------------------------------------------


async def test_my_account_shows_my_roles_and_sessions_and_ends_the_others(app: InProcess) -> None:
    other = await app.sign_in("zhzf-1", states=False)
    here = await app.sign_in("zhzf-1", states=False)
    app.client.cookies.clear()
    page = (await app.client.get("/account", headers=here)).text
    assert "查询人员" in page and "经办人" in page and "执法协调科 经办员" in page
    (session_id,) = re.findall(r'name="session" value="([0-9a-f]{16})"', page)
    assert page.count("当前会话") == 1
    ended = await app.client.post("/account/sessions", data={"session": session_id}, headers=here)
    assert ended.headers["location"] == "/account?done=sessions"
    assert (await app.client.get("/account", headers=other)).status_code == 302
    assert "会话已结束" in (await app.client.get("/account?done=sessions", headers=here)).text


async def test_nobody_ends_anothers_session(app: InProcess) -> None:
    victim = await app.sign_in("scjg-1", states=False)
    app.client.cookies.clear()
    (session_id,) = re.findall(
        r"[0-9a-f]{16}", str([row["hash"][:16] for row in app.service.register.all("SELECT hash FROM sessions")])
    )
    here = await app.sign_in("zhzf-1", states=False)
    app.client.cookies.clear()
    await app.client.post("/account/sessions", data={"session": session_id}, headers=here)
    assert (await app.client.get("/account", headers=victim)).status_code == 200


async def test_a_system_has_no_account_page(app: InProcess) -> None:
    for method, path in (("GET", "/account"), ("GET", "/account/password"), ("POST", "/account/sessions")):
        response = await app.client.request(method, path, headers=app.bearer(), data={} if method == "POST" else None)
        assert response.status_code in (400, 403), path


async def test_pages_of_the_account_are_kept_by_nobody(app: InProcess) -> None:
    here = await app.sign_in("zhzf-1", states=False)
    for path in ("/sign-in", "/account", "/account/password"):
        assert (await app.client.get(path, headers=here)).headers["cache-control"] == "private, no-store", path


async def test_an_officer_without_a_role_today_signs_in_and_opens_nothing(app: InProcess) -> None:
    register, ledger = app.service.register, app.service.ledger
    officers.set_roles(register, ledger, "zhzf-1", [], register.today(), "9999-12-31", by=By("zhzf", "zhzf-3"))
    here = await app.sign_in("zhzf-1", states=False)
    before = len(app.entries())
    assert (await app.client.get("/work", headers=here)).status_code == 403
    (entry,) = app.entries()[before:]
    assert (entry["kind"], entry["requester"], entry["reason"]) == ("query.failed", "zhzf", "no_role")
    own = entry["seq"]
    for path in ("/work", "/queries", "/queries.xlsx", f"/queries/{own}", f"/log/receipt/{own}", "/asked", "/grants"):
        refused = await app.client.get(path, headers=here)
        assert refused.status_code == 403 and "今天没有任何角色" in refused.text, path
    page = await app.client.get("/account", headers=here)
    assert page.status_code == 200 and "您没有任何角色" in page.text


@pytest.mark.parametrize("path", ["/sign-in", "/account/password", "/account/sessions", "/agency/enrol"])
async def test_a_form_from_another_site_is_refused(app: InProcess, path: str) -> None:
    here = await app.sign_in("zhzf-3", states=False)
    for foreign in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        response = await app.client.post(path, data={"login": "x"}, headers={**here, **foreign})
        assert response.status_code == 403, foreign
