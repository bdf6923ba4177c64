"""Much is read only from whom something speaks for: a session, a token, a registered key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from catalog import large_bodies
from catalog.http import MAX_BODY_BYTES
from ledger import Instance
from tests.conftest import InProcess, in_process

anyio = pytest.mark.anyio
LARGE = 24 * 2**20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


@anyio
async def test_who_is_known_may_send_much(app: InProcess) -> None:
    key = app.service.register.one("SELECT keyid FROM keys WHERE agency = 'zhzf'")
    assert key is not None
    for fields, limit in (
        (await app.sign_in("zhzf-1"), LARGE),
        (app.bearer(), LARGE),
        ({"signature-input": f'sig=("@method");keyid="{key["keyid"]}"'}, LARGE),
        ({"signature-input": 'sig=("@method");keyid="nobody:00000000000000000000000000000000"'}, MAX_BODY_BYTES),
        ({"signature-input": "nonsense"}, MAX_BODY_BYTES),
        ({"authorization": "Bearer ld_wrong"}, MAX_BODY_BYTES),
        ({"authorization": "Basic eDp5"}, MAX_BODY_BYTES),
        ({"cookie": "session=made-up"}, MAX_BODY_BYTES),
        ({}, MAX_BODY_BYTES),
    ):
        assert large_bodies.allowed(app.service, "POST", "/api/requests", fields, LARGE) == limit, fields


@anyio
async def test_a_small_limit_stays_and_asks_nobody(app: InProcess) -> None:
    assert large_bodies.allowed(app.service, "POST", "/sign-in", {}, 16) == 16


@anyio
async def test_a_stranger_with_much_is_sent_away(app: InProcess) -> None:
    much = b'{"x":"' + b"x" * (3 * 2**20) + b'"}'
    json = {"content-type": "application/json"}
    assert (await app.client.post("/api/requests", content=much, headers=json)).status_code == 413
    known = await app.client.post("/api/requests", content=much, headers={**json, **app.bearer(purpose="")})
    assert known.status_code == 400  # read, and not of the form
