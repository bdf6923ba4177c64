"""RFC 9421 signatures: what is accepted, and every way in which one is refused, with what the answer says of it.

The client here is :mod:`tests.catalog.rfc9421`, which shares no code with the service.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from catalog import client
from catalog.errors import AuthenticationError
from catalog.identity import tokens
from catalog.identity.key_statement import PublicKey, key_id
from catalog.signatures import Message, SignatureError, Verified, sign, verify
from ledger import Instance
from tests.catalog import rfc9421
from tests.conftest import IN_PROCESS_URL, InProcess, in_process

PATH = "/directory/resources.json?_size=1&name__contains=%E8%AE%B8%E5%8F%AF"
URL = IN_PROCESS_URL + PATH
BODY = b'{"columns":["id"]}'
ED = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EC = ec.derive_private_key(2**200 + 7, ec.SECP256R1())
KEYS = {"ed25519": ED, "ecdsa-p256-sha256": EC}
NOW = datetime(2026, 11, 23, 2, 3, 4, tzinfo=UTC)
T = int(NOW.timestamp())


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> Any:
    return KEYS[request.param]


def find(keyid: str) -> PublicKey:
    for each in KEYS.values():
        if keyid == rfc9421.key_id(each):
            return each.public_key()
    raise AuthenticationError("unknown key", "未知密钥")


def check(headers: dict[str, str], body: bytes = b"", *, method: str = "", url: str = URL) -> Verified:
    return verify(Message(method or ("POST" if body else "GET"), url, headers), body, find, NOW)


def refused(headers: dict[str, str], body: bytes = b"", **asked: str) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        check(headers, body, **asked)
    error = caught.value
    assert error.zh and error.en and error.status == 401
    told = error.details["signature"]
    assert told["server_time"] == "2026-11-23T02:03:04Z" and told["server_time_unix"] == T
    assert (told["max_age_seconds"], told["skew_seconds"]) == (300, 60)
    return error


# -- accepted ---------------------------------------------------------------------------------------------------------


def test_a_signature_by_an_independent_implementation_is_accepted(key: Any) -> None:
    verified = check(rfc9421.signed(key, "GET", URL, created=T))
    assert (verified.keyid, verified.nonce) == (key_id(key.public_key()), "n")
    verified = check(rfc9421.signed(key, "POST", URL, BODY, created=T), BODY)
    assert '"content-digest": sha-256=:' in verified.signature_base


def test_what_we_sign_is_accepted_and_is_what_the_rfc_says(key: Any) -> None:
    message = Message("POST", URL, {})
    sign(message, BODY, key, "n-1", created=NOW, expires=NOW + timedelta(seconds=30))
    headers = {name.lower(): value for name, value in message.headers.items()}
    verified = check(headers, BODY)
    assert verified.nonce == "n-1"
    params = headers["signature-input"].removeprefix("sig1=")
    values = [("@method", "POST"), ("@target-uri", URL), ("content-digest", rfc9421.content_digest(BODY))]
    assert verified.signature_base == rfc9421.signature_base(values, params)
    assert f";created={T};" in params and f";expires={T + 30};" in params and "alg=" not in params


def test_the_kept_base_and_signature_can_be_checked_with_bare_cryptography(key: Any) -> None:
    headers = rfc9421.signed(key, "POST", URL, BODY, created=T)
    verified = check(headers, BODY)
    rfc9421.verify(key.public_key(), base64.b64decode(verified.signature, validate=True), verified.signature_base)
    assert headers["signature"] == f"sig1=:{verified.signature}:"


@pytest.mark.parametrize("digest", ["sha-256", "sha-512"])
def test_both_digests_of_rfc_9530_are_taken_alone_and_together(digest: str) -> None:
    check(rfc9421.signed(ED, "POST", URL, BODY, created=T, digest=digest), BODY)
    both = ", ".join(rfc9421.content_digest(BODY, name) for name in ("sha-256", "sha-512"))
    covered = ("@method", "@target-uri", "content-digest")
    check(rfc9421.signed(ED, "POST", URL, created=T, covered=covered, headers={"content-digest": both}), BODY)


def test_more_may_be_covered_in_any_order() -> None:
    covered = ("content-type", "content-digest", "@authority", "@target-uri", "@path", "@query", "@method")
    path, query = PATH.split("?")
    known = {"content-type": "application/json", "@authority": "catalog.test", "@path": path, "@query": f"?{query}"}
    headers = rfc9421.signed(ED, "POST", URL, BODY, created=T, covered=covered, headers=known)
    check({name: value for name, value in headers.items() if not name.startswith("@")}, BODY)


@pytest.mark.parametrize("age_seconds", [360, 300, 240, 0, -30, -60])
def test_a_clock_that_is_a_little_off_is_accepted(age_seconds: int) -> None:
    check(rfc9421.signed(ED, "GET", URL, created=T - age_seconds))


def test_an_alg_that_agrees_with_the_key_is_accepted() -> None:
    for name, each in KEYS.items():
        check(rfc9421.signed(each, "GET", URL, created=T, more={"alg": name}))


def test_expires_may_be_given(key: Any) -> None:
    check(rfc9421.signed(key, "GET", URL, created=T, more={"expires": T + 1}))
    check(rfc9421.signed(key, "GET", URL, created=T - 60, more={"expires": T - 60}))


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "POST"},
        {"url": URL.replace("resources", "agencies")},
        {"url": URL.replace("_size=1", "_size=2")},
        {"url": URL.replace("catalog.test", "other.test")},
        {"url": URL.replace("http:", "https:")},
        {"url": URL.replace("/directory", "/liandong/directory")},
        {"url": URL.replace("%E8", "%e8")},
    ],
)
def test_another_method_path_query_host_scheme_or_prefix_is_refused(key: Any, asked: dict[str, str]) -> None:
    error = refused(rfc9421.signed(key, "GET", URL, created=T), **asked)
    assert error.check == "signature"
    assert f'"@target-uri": {asked.get("url", URL)}\n' in error.signature_base


def test_another_body_is_refused(key: Any) -> None:
    headers = rfc9421.signed(key, "POST", URL, BODY, created=T)
    error = refused(headers, b'{"columns":["x"]}')
    assert error.check == "content-digest" and '"content-digest": sha-256=:' in error.signature_base
    assert refused(headers, b"", method="POST").check == "content-digest"


def test_a_body_whose_digest_is_not_signed_is_refused(key: Any) -> None:
    headers = rfc9421.signed(key, "POST", URL, created=T)
    assert refused(headers, BODY).check == "covered"
    assert refused({**headers, "content-digest": rfc9421.content_digest(BODY)}, BODY).check == "covered"


@pytest.mark.parametrize(
    "digest",
    [
        "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:",
        "sha-256=:AAAA:",
        "sha-256=abc",
        "nonsense =",
        rfc9421.content_digest(BODY) + ", " + rfc9421.content_digest(b"other", "sha-512"),
        rfc9421.content_digest(b"other") + ", " + rfc9421.content_digest(BODY),
    ],
)
def test_a_digest_out_of_form_or_of_which_one_is_wrong_is_refused(digest: str) -> None:
    covered = ("@method", "@target-uri", "content-digest")
    headers = rfc9421.signed(ED, "POST", URL, created=T, covered=covered, headers={"content-digest": digest})
    assert refused(headers, BODY).check == "content-digest"


@pytest.mark.parametrize("age_seconds", [361, 3600, -61, -86_400])
def test_a_stale_or_future_signature_is_refused(key: Any, age_seconds: int) -> None:
    error = refused(rfc9421.signed(key, "GET", URL, created=T - age_seconds))
    assert error.check == "created"
    assert error.signature_base.endswith(f';created={T - age_seconds};keyid="{rfc9421.key_id(key)}";nonce="n"')


def test_a_signature_that_does_not_say_when_is_refused() -> None:
    assert refused(rfc9421.signed(ED, "GET", URL, created=None)).check == "created"


@pytest.mark.parametrize(("created", "expires"), [(T - 120, T - 61), (T, T - 1)])
def test_a_signature_that_has_expired_by_its_own_word_is_refused(created: int, expires: int) -> None:
    assert refused(rfc9421.signed(ED, "GET", URL, created=created, more={"expires": expires})).check == "expires"


@pytest.mark.parametrize("alg", ["hmac-sha256", "ecdsa-p256-sha256", "rsa-v1_5-sha256", "none", ""])
def test_the_algorithm_is_never_taken_from_the_request(alg: str) -> None:
    error = refused(rfc9421.signed(ED, "GET", URL, created=T, more={"alg": alg}))
    assert error.check == "algorithm" and "registered for 'ed25519'" in error.en


@pytest.mark.parametrize("nonce", [None, "", "x" * 129])
def test_a_signature_without_a_usable_nonce_is_refused(nonce: str | None) -> None:
    assert refused(rfc9421.signed(ED, "GET", URL, created=T, nonce=nonce)).check == "nonce"


def test_another_key_under_a_registered_id_is_refused(key: Any) -> None:
    others = [Ed25519PrivateKey.from_private_bytes(bytes(32)), ec.derive_private_key(5, ec.SECP256R1())]
    for other in others:
        error = refused(rfc9421.signed(other, "GET", URL, created=T, more={"keyid": rfc9421.key_id(key)}))
        assert error.check == "signature"


def test_a_signature_of_p256_in_der_is_refused() -> None:
    """What Java and OpenSSL give unless it is converted."""
    from cryptography.hazmat.primitives import hashes

    headers = rfc9421.signed(EC, "GET", URL, created=T)
    der = EC.sign(check(headers).signature_base.encode(), ec.ECDSA(hashes.SHA256()))
    headers["signature"] = f"sig1=:{base64.b64encode(der).decode()}:"
    assert refused(headers).check == "signature"


def test_an_unknown_key_is_named_by_the_register() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    error = refused(rfc9421.signed(other, "GET", URL, created=T))
    assert (error.en, error.check, error.keyid) == ("unknown key", "key", rfc9421.key_id(other))
    assert refused(rfc9421.signed(ED, "GET", URL, created=T, more={"keyid": ""})).check == "keyid"


@pytest.mark.parametrize("covered", [("@method",), ("@target-uri",), ("@method", "@path"), ("@authority",)])
def test_a_signature_that_covers_too_little_is_refused(covered: tuple[str, ...]) -> None:
    known = {"@path": PATH.partition("?")[0], "@authority": "catalog.test"}
    headers = rfc9421.signed(ED, "GET", URL, created=T, covered=covered, headers=known)
    assert refused(headers).check == "covered"


@pytest.mark.parametrize("name", ["cookie", "authorization", "proxy-authorization"])
def test_a_secret_is_never_covered_kept_or_told(name: str) -> None:
    covered = ("@method", "@target-uri", name)
    error = refused(rfc9421.signed(ED, "GET", URL, created=T, covered=covered, headers={name: "a-secret"}))
    assert error.check == "covered" and error.signature_base == ""
    assert "a-secret" not in error.en + error.zh + json.dumps(error.details)


def test_what_cannot_be_covered_is_refused() -> None:
    covered = ("@method", "@target-uri", "x-missing")
    headers = rfc9421.signed(ED, "GET", URL, created=T, covered=covered, headers={"x-missing": "1"})
    del headers["x-missing"]
    error = refused(headers)
    assert error.check == "components" and "x-missing" in error.en
    assert refused(rfc9421.signed(ED, "GET", URL, created=T, more={"x": 1})).check == "components"


_PARAMS = {"created": str(T), "keyid": f'"{rfc9421.key_id(ED)}"', "nonce": '"n"'}
_ODD = ("5", "1.5", "?1", ":aGk=:", "@1795600830", '%"%e7"', "token", "-1", "999999999999999", '""')


def _claim(covered: str = "", **params: str) -> dict[str, str]:
    listed = "".join(f";{name}={value}" for name, value in {**_PARAMS, **params}.items())
    signature = base64.b64encode(bytes(64)).decode()
    return {"signature-input": f'sig1=("@method" "@target-uri" {covered}){listed}', "signature": f"sig1=:{signature}:"}


@pytest.mark.parametrize("name", ["created", "expires", "keyid", "nonce", "alg", "tag"])
@pytest.mark.parametrize("value", _ODD)
def test_a_parameter_of_another_type_is_refused(name: str, value: str) -> None:
    refused(_claim(**{name: value}))


@pytest.mark.parametrize(
    "covered",
    [
        *('"@signature-params"', '"@status"', '"@bogus"', '"@method";req', '"@query-param"', '"@query-param";name=5'),
        *("5", "token", '""', '("a")', '"x";tr', '"x";bs', '"x";key="a"', '"@query-param";name="%ff"', '"@method"'),
    ],
)
def test_an_odd_component_is_refused(covered: str) -> None:
    assert refused(_claim(covered)).check in ("components", "form", "signature")


def test_two_signatures_are_refused() -> None:
    one = rfc9421.signed(ED, "GET", URL, created=T)
    both = {name: f"{value}, {value.replace('sig1', 'sig2')}" for name, value in one.items()}
    error = refused(both)
    assert error.check == "form" and "more than one" in error.en


@given(st.text(max_size=200), st.text(max_size=200))
def test_garbage_in_the_signature_headers_is_refused_and_nothing_else_happens(inputs: str, signature: str) -> None:
    refused({"signature-input": inputs, "signature": signature})


SIGNED = rfc9421.signed(EC, "GET", URL, created=T)


@given(
    st.sampled_from(["signature", "signature-input"]), st.floats(0, 1, exclude_max=True), st.sampled_from('Aa0+/=;" ')
)
def test_any_change_of_a_good_signature_is_refused(name: str, where: float, other: str) -> None:
    before = SIGNED[name]
    at = int(where * len(before))
    try:
        verified = check({**SIGNED, name: before[:at] + other + before[at + 1 :]})
    except SignatureError:
        return
    # What is left are other spellings of the same: another label, spaces that structured fields let pass.
    assert verified == check(SIGNED)


# -- over the whole application ---------------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


def headers_for(app: InProcess, path: str, **options: Any) -> dict[str, str]:
    signing = client.load_key(app.service.instance.path / "demo" / "zhzf-sys.key.pem")
    chosen = {"created": int(time.time()), "nonce": secrets.token_hex(8), **options}
    return rfc9421.signed(signing, "GET", IN_PROCESS_URL + path, **chosen)


@pytest.mark.anyio
async def test_a_signed_query_is_recorded_with_its_key_and_what_was_signed(app: InProcess) -> None:
    response = await app.client.get(PATH, headers=headers_for(app, PATH))
    assert response.status_code == 200, response.text
    entry = app.entries()[-1]
    assert (entry["requester"], entry["auth"]) == ("zhzf", "signature")
    assert entry["keyid"].startswith("ed25519:")
    assert set(entry["commit"]) == {"query", "answer_sha256", "signature", "signature_base"}


@pytest.mark.anyio
async def test_a_failed_signature_is_answered_with_all_that_helps_and_gives_nothing(app: InProcess) -> None:
    before = len(app.entries())
    headers = headers_for(app, PATH)
    response = await app.client.get(PATH.replace("_size=1", "_size=2"), headers=headers)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    told = response.json()["signature"]
    assert told["check"] == "signature" and told["keyid"].startswith("ed25519:")
    assert f'"@target-uri": {IN_PROCESS_URL}{PATH.replace("_size=1", "_size=2")}' in told["signature_base"].split("\n")
    assert abs(told["server_time_unix"] - time.time()) < 60
    assert len([each for each in app.entries()[before:] if each["kind"] == "query.served"]) == 0


@pytest.mark.anyio
@pytest.mark.parametrize(("language", "word"), [("zh", "签名基串"), ("en", "Signature base")])
async def test_a_failed_signature_is_a_page_for_a_browser(app: InProcess, language: str, word: str) -> None:
    signed = headers_for(app, "/", created=int(time.time()) - 4000)
    headers = {**signed, "accept": "text/html", "accept-language": language}
    response = await app.client.get("/", headers=headers)
    assert response.status_code == 401
    assert word in response.text and "&#34;@method&#34;: GET" in response.text and "60" in response.text


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
async def test_forwarded_headers_and_host_change_nothing(app: InProcess) -> None:
    forwarded = {
        "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "x-forwarded-prefix": "/evil",
        "forwarded": "host=evil.example;proto=https", "host": "evil.example",
    }  # fmt: skip
    response = await app.client.get(PATH, headers={**headers_for(app, PATH), **forwarded})
    assert response.status_code == 200
    assert "evil" not in response.text + str(response.headers)


@pytest.mark.anyio
@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Basic dTpw", "nonsense", "Bearer ld_unknown"])
async def test_a_wrong_authorization_header_is_refused_with_the_cure(app: InProcess, authorization: str) -> None:
    response = await app.client.get(PATH, headers={"authorization": authorization})
    assert response.status_code == 401
    assert response.json()["error_zh"]


@pytest.mark.anyio
async def test_an_expired_token_is_refused(app: InProcess) -> None:
    token = tokens.add(app.service.register, app.service.ledger, "zhzf", "zhzf-sys", 1)
    now = app.service.register._now
    app.service.register._now = lambda: now() + timedelta(days=2)
    response = await app.client.get(PATH, headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert "expired" in response.json()["error_en"]
