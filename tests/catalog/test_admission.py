"""What an account must have besides its password, and that a signature is good once where nothing is recorded."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator

import pytest

from catalog.admission import BEFORE_CHANGE, WITHOUT_ROLE
from catalog.client import load_key
from catalog.identity import officers
from catalog.identity.officers import By
from catalog.routes import ROUTES, Access
from ledger import Instance
from tests.catalog import rfc9421
from tests.conftest import IN_PROCESS_URL, InProcess, in_process

pytestmark = pytest.mark.anyio
OPENAPI = "/api/openapi.json"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def test_without_a_role_today_nothing_that_the_agency_asked_or_was_told_opens(app: InProcess) -> None:
    await app.client.get("/work/permits.json?_size=1", headers=app.bearer())
    asked = app.entries()[-1]["seq"]
    browser = await app.sign_in("zhzf-1")
    app.service.register.write("UPDATE officer_roles SET valid_to = '2026-01-01' WHERE officer = 'zhzf-1'")
    for path in (
        *("/", "/work", "/work/permits", "/query/work/permits", "/work/permits.csv?_stream=1"),
        *("/queries", "/queries.xlsx", f"/queries/{asked}", f"/log/receipt/{asked}", "/asked", "/asked.xlsx"),
    ):
        response = await app.client.get(path, headers=browser)
        assert response.status_code == 403, path
    assert (await app.client.get("/account", headers=browser)).status_code == 200


async def test_the_document_of_the_api_names_no_table_to_an_account_to_which_nothing_opens(app: InProcess) -> None:
    browser = await app.sign_in("zhzf-1")
    app.client.cookies.clear()
    public = (await app.client.get(OPENAPI)).json()
    assert len((await app.client.get(OPENAPI, headers=browser)).json()["paths"]) > len(public["paths"])
    password = officers.reset(app.service.register, app.service.ledger, "zhzf-1", by=By("ywzx"))
    app.client.cookies.clear()
    response = await app.client.post("/sign-in", data={"login": "zhzf-1", "password": password})
    once = {"cookie": response.headers["set-cookie"].partition(";")[0]}
    assert (await app.client.get(OPENAPI, headers=once)).json() == public


async def test_a_signed_request_for_a_public_address_sent_again_is_nobodys(app: InProcess) -> None:
    key = load_key(app.service.instance.path / "demo/zhzf-sys.key.pem")
    url = IN_PROCESS_URL + OPENAPI
    headers = rfc9421.signed(key, "GET", url, created=int(time.time()), nonce=secrets.token_hex(8))
    public = (await app.client.get(OPENAPI)).json()
    first, again = [(await app.client.get(OPENAPI, headers=headers)).json() for _ in range(2)]
    assert len(first["paths"]) > len(public["paths"])
    assert again == public


async def test_what_opens_without_a_role_or_an_own_password_are_addresses_of_the_signed_in() -> None:
    assert {route.name for route in ROUTES if route.access is Access.SIGNED_IN} >= BEFORE_CHANGE | WITHOUT_ROLE
