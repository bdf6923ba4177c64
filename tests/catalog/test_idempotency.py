"""``Idempotency-Key``: done once, however often and wherever it is sent."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from catalog import client as signing_client
from catalog import idempotency
from catalog.errors import RequestError
from catalog.service import Service
from ledger import ConflictError, Instance, Receipt
from tests.catalog import rfc9421
from tests.catalog.signing import API_PATH
from tests.conftest import Running, serving

BODY = json.dumps({"filters": [{"column": "name", "op": "search", "value": "许可"}], "limit": 1}).encode()
OTHER = b'{"limit": 2}'

# -- the piece alone ---------------------------------------------------------------------------------------------------


@pytest.fixture
def service(demo: Instance) -> Iterator[Service]:
    opened = Service.open(demo)
    yield opened
    opened.close()


def claim(service: Service, key: str | None = "k", agency: str = "zhzf", query: str = "POST /x", body: bytes = BODY):  # type: ignore[no-untyped-def]
    return idempotency.claim(service, agency, key, query, body)


def append(service: Service, once: tuple[str, ...]) -> int:
    return service.ledger.append("fault.raised", {"what": "test", "observed": "x"}, once=once).seq


def test_a_call_without_the_header_claims_nothing(service: Service) -> None:
    assert claim(service, None) is None


def test_the_first_call_is_remembered_with_its_entry(service: Service) -> None:
    first = claim(service)
    assert first.first() is None
    seq = append(service, first.once)
    assert first.first() == claim(service).first() == seq
    with pytest.raises(ConflictError):
        append(service, claim(service).once)


@pytest.mark.parametrize("other", [{"body": OTHER}, {"query": "POST /y"}, {"query": "PUT /x"}, {"body": b""}])
def test_another_call_under_the_same_key_is_409(service: Service, other: dict[str, Any]) -> None:
    seq = append(service, claim(service).once)
    again = claim(service, **other)
    with pytest.raises(RequestError) as caught:
        again.first()
    assert caught.value.status == 409 and f"entry {seq}" in caught.value.en and caught.value.zh
    with pytest.raises(ConflictError):
        append(service, again.once)


def test_keys_of_agencies_and_keys_beside_each_other_are_apart(service: Service) -> None:
    append(service, claim(service).once)
    assert claim(service, agency="gaj").first() is None
    assert claim(service, key="k2").first() is None
    assert claim(service, agency="zh", key="zfk").first() is None


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "键", "a\n"])
def test_a_key_out_of_form_is_400(service: Service, key: str) -> None:
    with pytest.raises(RequestError) as caught:
        claim(service, key)
    assert caught.value.status == 400


def test_nothing_of_key_or_body_can_be_guessed_from_what_is_remembered(service: Service) -> None:
    """Without the instance's secret: the same call in another instance is remembered under other keys."""
    once = claim(service).once
    assert all("k" not in each.removeprefix("idempotency:") and "某" not in each for each in once)
    (service.instance.path / "keys/session.secret").write_bytes(bytes(32))
    assert not set(claim(service).once) & set(once)


def test_the_answer_to_a_repeated_call_is_the_first_receipt(service: Service) -> None:
    seq = append(service, claim(service).once)
    answer = idempotency.repeated(service, seq, f"/log/receipt/{seq}")
    value = json.loads(answer.body)
    assert (answer.status, value["repeated"], value["ledger_entry"]) == (200, True, seq)
    assert (answer.header(b"ledger-entry"), answer.header(b"idempotency-replayed")) == (str(seq), "true")
    assert Receipt.from_json(value["receipt"]).verify(service.instance.verifier_key())["seq"] == seq


# -- over HTTP, in processes of their own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    """Two processes that serve one instance under one public address."""
    folder = tmp_path_factory.mktemp("idempotent") / "demo"
    shutil.copytree(demo_template, folder)
    instance = Instance.open(folder)
    with ExitStack() as stack:
        url = "http://catalog.test"
        yield [stack.enter_context(serving(instance, public_url=url)) for _ in range(2)]


def send(running: Running, body: bytes = BODY, key: str = "", **more: str) -> httpx2.Response:
    signing = signing_client.load_key(running.key_file)
    url = running.url + API_PATH
    headers = rfc9421.signed(signing, "POST", url, body, created=int(time.time()), nonce=secrets.token_hex(8))
    headers |= {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
    # The public address is a proxy's that is not here: what is signed is that, what is asked is the process itself.
    inner = f"http://127.0.0.1:{running.port}{API_PATH}"
    return httpx2.post(inner, content=body, headers={**headers, **more}, timeout=60, trust_env=False)


def test_the_same_call_again_is_answered_by_the_first_receipt_in_every_process(served: list[Running]) -> None:
    first = send(served[0], key="a")
    assert first.status_code == 200 and "idempotency-replayed" not in first.headers
    for running in served:
        again = send(running, key="a")
        assert again.status_code == 200 and again.headers["idempotency-replayed"] == "true"
        assert again.headers["ledger-entry"] == first.headers["ledger-entry"]
        opened = again.json()["receipt"]["openings"]
        assert opened["query"]["value"].startswith(f"POST {API_PATH}\n") and "signature_base" in opened
        assert send(running, body=OTHER, key="a").status_code == 409
    assert send(served[1]).headers["ledger-entry"] != first.headers["ledger-entry"]


def test_many_at_once_in_two_processes_leave_one_entry(served: list[Running]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(served[n % 2], key="at-once"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["ledger-entry"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


def test_a_repeated_call_uses_up_its_own_nonce(served: list[Running]) -> None:
    send(served[0], key="nonce")
    signing = signing_client.load_key(served[0].key_file)
    headers = rfc9421.signed(signing, "POST", served[0].url + API_PATH, BODY, created=int(time.time()), nonce="twice")
    answers = [
        httpx2.post(
            f"http://127.0.0.1:{running.port}{API_PATH}",
            content=BODY,
            headers={**headers, "content-type": "application/json", "idempotency-key": "nonce"},
            trust_env=False,
        )
        for running in served
    ]
    assert [answer.status_code for answer in answers] == [200, 401]


def test_a_failed_call_may_be_sent_again(served: list[Running]) -> None:
    assert send(served[0], body=b"no json", key="failed").status_code >= 400
    assert send(served[0], key="failed").status_code == 200


def test_a_token_may_use_it_too(served: list[Running]) -> None:
    headers = {"authorization": f"Bearer {served[0].token}", "idempotency-key": "token"}
    headers["content-type"] = "application/json"
    url = f"http://127.0.0.1:{served[0].port}{API_PATH}"
    first, again = (httpx2.post(url, content=BODY, headers=headers, trust_env=False) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.headers["ledger-entry"] == again.headers["ledger-entry"]
