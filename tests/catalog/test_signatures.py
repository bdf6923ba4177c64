"""RFC 9421 signatures: what is accepted, and every way in which one is refused."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from catalog import client
from catalog.errors import AuthenticationError
from catalog.identity import tokens
from catalog.identity.key_statement import key_id
from catalog.signatures import Message, sign, verify
from ledger import Instance
from tests.conftest import IN_PROCESS_URL, InProcess, in_process

PATH = "/directory/resources.json?_size=1&name__contains=%E8%AE%B8%E5%8F%AF"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def signed(path: str = PATH, body: bytes = b"", key: Ed25519PrivateKey = KEY, nonce: str = "n-1") -> Message:
    message = Message("GET", IN_PROCESS_URL + path, {})
    sign(message, body, key, key_id(key.public_key()), nonce)
    message.headers = {name.lower(): value for name, value in message.headers.items()}
    return message


def find(keyid: str):  # type: ignore[no-untyped-def]
    if keyid != key_id(KEY.public_key()):
        raise AuthenticationError("unknown key", "未知密钥")
    return KEY.public_key()


def by_hand(
    path: str, *, key: Ed25519PrivateKey, created: int, nonce: str, method: str = "GET", parameters: str = ""
) -> dict[str, str]:
    """A signature written from RFC 9421 §2.5 alone, with no library: an independent implementation of the client."""
    keyid = key_id(key.public_key())
    params = f'("@method" "@target-uri");created={created};keyid="{keyid}";nonce="{nonce}"{parameters}'
    base = f'"@method": {method}\n"@target-uri": {IN_PROCESS_URL}{path}\n"@signature-params": {params}'
    signature = base64.b64encode(key.sign(base.encode())).decode()
    return {"signature-input": f"sig1={params}", "signature": f"sig1=:{signature}:"}


def test_what_is_signed_verifies_and_tells_who_and_which_nonce() -> None:
    verified = verify(signed(), b"", find)
    assert (verified.keyid, verified.nonce) == (key_id(KEY.public_key()), "n-1")


def test_the_kept_signature_base_can_be_checked_with_the_public_key_alone() -> None:
    message = signed()
    verified = verify(message, b"", find)
    raw = base64.b64decode(verified.signature.partition("=:")[2].rstrip(":"))
    KEY.public_key().verify(raw, verified.signature_base.encode())


def test_a_signature_by_an_independent_implementation_is_accepted() -> None:
    headers = by_hand(PATH, key=KEY, created=int(time.time()), nonce="by-hand")
    assert verify(Message("GET", IN_PROCESS_URL + PATH, headers), b"", find).nonce == "by-hand"


def refused(message: Message, body: bytes = b"") -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        verify(message, body, find)
    assert caught.value.zh
    assert caught.value.status == 401
    return caught.value


def test_another_method_path_query_host_or_scheme_is_refused() -> None:
    message = signed()
    for method, url in [
        ("POST", message.url),
        ("GET", message.url.replace("resources", "agencies")),
        ("GET", message.url.replace("_size=1", "_size=2")),
        ("GET", message.url.replace("catalog.test", "other.test")),
        ("GET", message.url.replace("http:", "https:")),
    ]:
        refused(Message(method, url, message.headers))


def test_a_body_that_does_not_match_its_digest_is_refused() -> None:
    message = signed(body=b'{"a":1}')
    verify(message, b'{"a":1}', find)
    refused(message, b'{"a":2}')
    refused(message, b"")


def test_a_body_whose_digest_is_not_signed_is_refused() -> None:
    headers = by_hand(PATH, key=KEY, created=int(time.time()), nonce="n")
    digest = base64.b64encode(hashlib.sha256(b"body").digest()).decode()
    refused(Message("GET", IN_PROCESS_URL + PATH, headers), b"body")
    refused(Message("GET", IN_PROCESS_URL + PATH, {**headers, "content-digest": f"sha-256=:{digest}:"}), b"body")


@pytest.mark.parametrize("age_seconds", [3600, 421, -120])
def test_a_stale_or_future_signature_is_refused(age_seconds: int) -> None:
    headers = by_hand(PATH, key=KEY, created=int(time.time()) - age_seconds, nonce="n")
    refused(Message("GET", IN_PROCESS_URL + PATH, headers))


@pytest.mark.parametrize("age_seconds", [240, 0, -30])
def test_a_clock_that_is_a_little_off_is_accepted(age_seconds: int) -> None:
    headers = by_hand(PATH, key=KEY, created=int(time.time()) - age_seconds, nonce="n")
    verify(Message("GET", IN_PROCESS_URL + PATH, headers), b"", find)


def test_the_algorithm_is_never_taken_from_the_request() -> None:
    headers = by_hand(PATH, key=KEY, created=int(time.time()), nonce="n", parameters=';alg="hmac-sha256"')
    refused(Message("GET", IN_PROCESS_URL + PATH, headers))


def test_a_signature_without_a_nonce_is_refused() -> None:
    assert "nonce" in refused(signed(nonce="")).en
    assert "nonce" in refused(signed(nonce="x" * 129)).en


def test_another_key_under_a_registered_id_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    message = Message("GET", IN_PROCESS_URL + PATH, {})
    sign(message, b"", other, key_id(KEY.public_key()), "n")
    message.headers = {name.lower(): value for name, value in message.headers.items()}
    refused(message)


def test_an_unknown_key_is_named_by_the_register_not_by_the_library() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert refused(signed(key=other)).en == "unknown key"


def test_a_signature_that_covers_too_little_is_refused() -> None:
    keyid = key_id(KEY.public_key())
    params = f'("@method");created={int(time.time())};keyid="{keyid}";nonce="n"'
    signature = base64.b64encode(KEY.sign(f'"@method": GET\n"@signature-params": {params}'.encode())).decode()
    headers = {"signature-input": f"sig1={params}", "signature": f"sig1=:{signature}:"}
    refused(Message("GET", IN_PROCESS_URL + PATH, headers))


def test_two_signatures_are_refused() -> None:
    one = by_hand(PATH, key=KEY, created=int(time.time()), nonce="n")
    both = {name: f"{value}, {value.replace('sig1', 'sig2')}" for name, value in one.items()}
    refused(Message("GET", IN_PROCESS_URL + PATH, both))


@given(st.text(max_size=200), st.text(max_size=200))
def test_garbage_in_the_signature_headers_is_refused_and_nothing_else_happens(inputs: str, signature: str) -> None:
    refused(Message("GET", IN_PROCESS_URL + PATH, {"signature-input": inputs, "signature": signature}))


# -- over the whole application ---------------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


def headers_for(app: InProcess, path: str, **options: object) -> dict[str, str]:
    key = client.load_key(app.service.instance.path / "demo" / "zhzf-sys.key.pem")
    chosen = {"created": int(time.time()), "nonce": secrets.token_hex(8), **options}
    return by_hand(path, key=key, **chosen)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_signed_query_is_recorded_with_its_key_and_what_was_signed(app: InProcess) -> None:
    response = await app.client.get(PATH, headers=headers_for(app, PATH))
    assert response.status_code == 200, response.text
    entry = app.entries()[-1]
    assert (entry["requester"], entry["auth"]) == ("zhzf", "signature")
    assert entry["keyid"].startswith("ed25519:")
    assert set(entry["commit"]) == {"query", "answer_sha256", "signature", "signature_base"}


@pytest.mark.anyio
async def test_a_replayed_request_gets_no_data_and_leaves_no_second_entry(app: InProcess) -> None:
    headers = headers_for(app, PATH)
    assert (await app.client.get(PATH, headers=headers)).status_code == 200
    before = len(app.entries())
    again = await app.client.get(PATH, headers=headers)
    assert again.status_code == 401
    assert "used before" in again.json()["error_en"]
    assert len(app.entries()) == before


@pytest.mark.anyio
async def test_two_copies_at_once_have_one_winner(app: InProcess) -> None:
    import asyncio

    headers = headers_for(app, PATH)
    answers = await asyncio.gather(*(app.client.get(PATH, headers=headers) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert [entry["kind"] for entry in app.entries()].count("query.served") == 1


@pytest.mark.anyio
async def test_a_replayed_receipt_request_is_refused_too(app: InProcess) -> None:
    first = await app.client.get(PATH, headers=headers_for(app, PATH))
    receipt = first.headers["ledger-receipt"]
    headers = headers_for(app, receipt)
    assert (await app.client.get(receipt, headers=headers)).status_code == 200
    assert (await app.client.get(receipt, headers=headers)).status_code == 401


@pytest.mark.anyio
async def test_a_signature_and_a_token_together_are_refused(app: InProcess) -> None:
    response = await app.client.get(PATH, headers={**headers_for(app, PATH), **app.bearer()})
    assert response.status_code == 401
    assert "not both" in response.json()["error_en"]


@pytest.mark.anyio
async def test_forwarded_headers_change_nothing(app: InProcess) -> None:
    forwarded = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil.example"}
    response = await app.client.get(PATH, headers={**headers_for(app, PATH), **forwarded})
    assert response.status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Basic dTpw", "nonsense", "Bearer ld_unknown"])
async def test_a_wrong_authorization_header_is_refused_with_the_cure(app: InProcess, authorization: str) -> None:
    response = await app.client.get(PATH, headers={"authorization": authorization})
    assert response.status_code == 401
    assert response.json()["error_zh"]


@pytest.mark.anyio
async def test_an_expired_token_is_refused(app: InProcess) -> None:
    token = tokens.add(app.service.register, app.service.ledger, "zhzf", "zhzf-sys", -1)
    response = await app.client.get(PATH, headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert "expired" in response.json()["error_en"]
