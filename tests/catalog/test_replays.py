"""A signed request is good once: over two processes that serve one instance, and over restarts."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack

import httpx2
import pytest

from catalog.client import load_key
from ledger import Instance
from tests.catalog import rfc9421
from tests.conftest import Running, serving

URL = "http://catalog.test"
#: One whose nonce its ledger entry uses up, one that leaves no entry and uses up its nonce in the register.
PATHS = ("/directory/agencies.json?_size=1", "/queries")


def signed(running: Running, path: str) -> dict[str, str]:
    key = load_key(running.key_file)
    return rfc9421.signed(key, "GET", URL + path, created=int(time.time()), nonce=secrets.token_hex(8))


def send(running: Running, path: str, headers: dict[str, str]) -> int:
    url = f"http://127.0.0.1:{running.port}{path}"
    return int(httpx2.get(url, headers=headers, trust_env=False, timeout=60).status_code)


@pytest.mark.parametrize("path", PATHS)
def test_a_nonce_is_good_once_over_processes_and_restarts(demo: Instance, path: str) -> None:
    with ExitStack() as stack:
        one, other = (stack.enter_context(serving(demo, public_url=URL)) for _ in range(2))
        before, after = signed(one, path), signed(one, path)
        assert [send(one, path, before), send(other, path, before), send(one, path, before)] == [200, 401, 401]
        assert [send(other, path, after), send(one, path, after)] == [200, 401]
    with serving(demo, public_url=URL) as restarted:
        assert [send(restarted, path, headers) for headers in (before, after)] == [401, 401]
        assert send(restarted, path, signed(restarted, path)) == 200


def test_a_nonce_of_another_key_is_another_nonce(demo: Instance) -> None:
    with serving(demo, public_url=URL) as running:
        nonce = "the-same"
        supervisor = load_key(demo.path / "demo/sfj-sys.key.pem")
        for key in (load_key(running.key_file), supervisor):
            headers = rfc9421.signed(key, "GET", URL + PATHS[0], created=int(time.time()), nonce=nonce)
            assert send(running, PATHS[0], headers) == 200
