"""RFC 9421 HTTP message signatures with Ed25519, through the ``http-message-signatures`` package.

One home for both sides: what a client signs is what the server wants. Covered are the method, the target URI and,
with a body, its Content-Digest (RFC 9530); created, keyid and nonce are parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)

from catalog.errors import AuthenticationError
from catalog.identity.key_statement import PublicKey

#: How old a signed request may be, and how far ahead a client's clock.
MAX_AGE = timedelta(minutes=5)
MAX_SKEW = timedelta(seconds=60)
COMPONENTS = ("@method", "@target-uri")
MAX_NONCE_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that holds: whose key, which nonce, and what was signed."""

    keyid: str
    nonce: str
    signature_base: str
    signature: str


@dataclass(slots=True)
class Message:
    """A request as the signature library wants it: method, absolute URL and header fields."""

    method: str
    url: str
    headers: dict[str, str]


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, find: Callable[[str], Any]) -> None:
        self._find = find

    def resolve_public_key(self, key_id: str) -> Any:
        return self._find(key_id)

    def resolve_private_key(self, key_id: str) -> Any:
        return self._find(key_id)


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = MAX_SKEW


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request claims to be signed."""
    return "signature-input" in headers or "signature" in headers


def verify(message: Message, body: bytes, find_key: Callable[[str], PublicKey]) -> Verified:
    """Check the one signature of a request.

    Args:
        message: the request; its URL built from our own public address, never from forwarded headers.
        find_key: from key id to public key; raises :class:`AuthenticationError` itself.

    Raises:
        AuthenticationError: which check failed, and the cure.
    """
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_Keys(find_key))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (result,) = verifier.verify(
                message, max_age=MAX_AGE, require_components=_required(message, body), body=body
            )
    except InvalidSignature as error:
        # The library wraps whatever the key look-up raised.
        if isinstance(error.__cause__, AuthenticationError):
            raise error.__cause__ from None
        raise _refused(*_reason(str(error), message.url)) from error
    if not result.nonce or len(result.nonce) > MAX_NONCE_LENGTH:
        raise _refused(
            f"it has no nonce of 1 to {MAX_NONCE_LENGTH} characters", f"缺少 1 至 {MAX_NONCE_LENGTH} 个字符的 nonce"
        )
    # Values are serialised structured fields: what the signature covers, to be shown to an auditor later.
    base = "\n".join(f"{name}: {value}" for name, value in result.covered_components.items())
    return Verified(str(result.parameters["keyid"]), result.nonce, base, message.headers["signature"])


def sign(message: Message, body: bytes, key: Ed25519PrivateKey, keyid: str, nonce: str) -> None:
    """Add Content-Digest, Signature-Input and Signature to ``message.headers``."""
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=_Keys(lambda _: key))
    signer.sign(
        message,
        key_id=keyid,
        nonce=nonce,
        covered_component_ids=(*COMPONENTS, "content-digest"),
        body=body,
        include_alg=False,
    )


def _required(message: Message, body: bytes) -> tuple[str, ...]:
    return (*COMPONENTS, "content-digest") if body or "content-digest" in message.headers else COMPONENTS


#: From the library's own words to what a person can act on; the first that fits.
_REASONS = (
    (("time in the future",), "it is dated in the future; set the clock", "签名时间晚于服务器时间，请校准时钟"),
    (("in the past", "maximum allowable age"), "it is too old", "签名已过期"),
    (
        ("does not match the message body", "digest length"),
        "the body is not the one whose Content-Digest was signed",
        "正文与已签名的 Content-Digest 不符",
    ),
    (
        ("not covered", "requires a signed Content-Digest"),
        "it does not cover @method, @target-uri and, with a body, content-digest",
        "签名未涵盖 @method、@target-uri 及（有正文时）content-digest",
    ),
    (("Multiple signatures",), "there is more than one", "签名不止一个"),
    (("created", "keyid", "metadata parameter", "algorithm"), "its parameters are out of form", "签名参数不符合要求"),
)


def _reason(said: str, url: str) -> tuple[str, str]:
    for words, en, zh in _REASONS:
        if any(word in said for word in words):
            return en, zh
    if said:
        return "its header fields are out of form (RFC 9421 §4)", "签名头字段格式不符（RFC 9421 第 4 节）"
    return (
        f"it does not fit the key and the address; this service was asked as {url}",
        f"与密钥或地址不符；本服务收到的地址为 {url}",
    )


def _refused(why_en: str, why_zh: str) -> AuthenticationError:
    minutes = int(MAX_AGE.total_seconds() // 60)
    return AuthenticationError(
        f"the signature was refused: {why_en}. Signatures cover @method, @target-uri and content-digest and are valid "
        f"for {minutes} minutes; check the key, the exact address and the clock, then sign anew",
        f"签名未通过：{why_zh}。签名须涵盖 @method、@target-uri 和 content-digest，有效期 {minutes} 分钟；"
        "请核对密钥、完整地址和本机时钟后重新签名",
    )
