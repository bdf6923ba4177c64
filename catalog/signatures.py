"""RFC 9421 HTTP message signatures with Ed25519 and ECDSA P-256, through the ``http-message-signatures`` package.

One home for both sides: what a client signs is what the server wants. Covered are the method, the target URI and,
with a body, its Content-Digest (RFC 9530); created, keyid and nonce are parameters, expires may be one. The algorithm
is the registered key's: a request's ``alg`` may say the same, it never chooses.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)

from catalog import algorithms
from catalog.algorithms import SignatureMismatchError
from catalog.errors import AuthenticationError
from catalog.identity.failures import Known
from catalog.identity.key_statement import ECDSA_P256, ED25519, PrivateKey, PublicKey, algorithm_of, key_id

#: How old a signed request may be, and how far a client's clock may be off, either way.
MAX_AGE = timedelta(minutes=5)
MAX_SKEW = timedelta(seconds=60)
COMPONENTS = ("@method", "@target-uri")
DIGEST = "content-digest"
MAX_NONCE_LENGTH = 128
#: Covered, these would put a secret into the signature base, which is kept and, on a failure, shown.
_SECRET_FIELDS = frozenset({"authorization", "cookie", "proxy-authorization"})
#: Is a line of every base and never covered (RFC 9421 §2.3); the library only asserts that.
_PARAMETERS = "@signature-params"
#: What the library's refusals of a body mean.
_DIGEST_MISMATCH = "does not match the message body"


class SignatureError(AuthenticationError):
    """A signature that does not hold: 401, with all that its maker needs to find out why.

    Attributes:
        check: which check failed, as a word for programs: form, keyid, key, algorithm, covered, created, expires,
            nonce, components, signature, content-digest.
        keyid: the key that the request names, if it names one.
        signature_base: what this service would have signed; empty where the request does not say enough for one.
        server_time: this service's clock.
    """

    def __init__(self, check: str, en: str, zh: str, known: Known | None = None) -> None:
        super().__init__(en, zh, known)
        self.check = check
        self.keyid = ""
        self.signature_base = ""
        self.server_time = datetime.fromtimestamp(0, UTC)

    @property
    def details(self) -> dict[str, Any]:
        return {
            "signature": {
                "check": self.check,
                "keyid": self.keyid,
                "signature_base": self.signature_base,
                "server_time": self.server_time.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "server_time_unix": int(self.server_time.timestamp()),
                "max_age_seconds": int(MAX_AGE.total_seconds()),
                "skew_seconds": int(MAX_SKEW.total_seconds()),
            }
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that holds: whose key, which nonce, the exact bytes that were signed, and the signature in base64."""

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


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request claims to be signed."""
    return "signature-input" in headers or "signature" in headers


def verify(message: Message, body: bytes, find_key: Callable[[str], PublicKey], now: datetime) -> Verified:
    """Check the one signature of a request.

    Args:
        message: the request; its URL built from our own public address, never from forwarded headers; header fields
            by lower-case name.
        body: as it was received.
        find_key: from key id to public key; raises :class:`AuthenticationError` itself.
        now: the server's clock, timezone-aware.

    Raises:
        SignatureError: which check failed, and the cure.
    """
    verifier = _Verifier(message, body, find_key, now)
    try:
        return verifier.run()
    except SignatureError as error:
        error.server_time = now
        error.keyid, error.signature_base = verifier.named_key(), verifier.base()
        raise


def sign(
    message: Message,
    body: bytes,
    key: PrivateKey,
    nonce: str,
    *,
    created: datetime,
    expires: datetime | None = None,
    keyid: str = "",
    cover: Sequence[str] = (),
) -> None:
    """Add Signature-Input and Signature, and with a body Content-Digest, to ``message.headers``.

    Args:
        cover: further header fields of the message to be covered.
        keyid: the registered id; by default the key's own.
    """
    signer = HTTPMessageSigner(
        signature_algorithm=_ALGORITHMS[algorithm_of(key)], key_resolver=_Key(partial(algorithms.sign, key))
    )
    signer.sign(
        message,
        key_id=keyid or key_id(key.public_key()),
        nonce=nonce,
        created=created,
        expires=expires,
        label="sig1",
        covered_component_ids=(*COMPONENTS, *cover, DIGEST) if body else (*COMPONENTS, *cover),
        body=body or None,
        include_alg=False,
    )


class _Algorithm(HTTPSignatureAlgorithm):
    """The library's door for algorithms of others: ours have one home, :mod:`catalog.algorithms`.

    Args:
        public_key: what checks ``(signature, base)``.
        private_key: what makes a signature of a base.
    """

    def __init__(self, public_key: Any = None, private_key: Any = None) -> None:
        self._check = public_key
        self._make = private_key

    def sign(self, message: bytes) -> bytes:
        made: bytes = self._make(message)
        return made

    def verify(self, signature: bytes, message: bytes) -> None:
        self._check(signature, message)


class _Ed25519(_Algorithm):
    algorithm_id = ED25519


class _P256(_Algorithm):
    algorithm_id = ECDSA_P256


_ALGORITHMS: dict[str, type[_Algorithm]] = {ED25519: _Ed25519, ECDSA_P256: _P256}


class _Key(HTTPSignatureKeyResolver):
    """What checks or makes signatures, under every id: whose key it is was decided before."""

    def __init__(self, use: Callable[..., Any]) -> None:
        self._use = use

    def resolve_public_key(self, key_id: str) -> Any:
        return self._use

    def resolve_private_key(self, key_id: str) -> Any:
        return self._use


class _Verifier(HTTPMessageVerifier):
    """One verification: the library parses and builds the base; which signature is good enough is ours to say."""

    def __init__(self, message: Message, body: bytes, find_key: Callable[[str], PublicKey], now: datetime) -> None:
        super().__init__(signature_algorithm=_Ed25519, key_resolver=None)
        self._message = message
        self._body = body
        self._find_key = find_key
        self._now = now
        self._input: Any = None
        self._signed: tuple[bytes, bytes] | None = None  # signature and base, when it came to checking them

    def run(self) -> Verified:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                (result,) = self.verify(self._message, max_age=None)
            except InvalidSignature as error:
                raise self._refusal(error) from error
            try:
                self.verify_body(self._message, [result], self._body)
            except InvalidSignature as error:
                raise _bad_digest(str(error)) from error
        signature, base = self._signed or (b"", b"")  # without them the library verifies nothing
        text = base64.b64encode(signature).decode("ascii")
        return Verified(str(result.parameters["keyid"]), str(result.nonce), base.decode("ascii"), text)

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:
        """The library's first step with a parsed signature, before it looks for the key: all our conditions."""
        self._input = sig_input
        parameters = sig_input.params
        self._choose_key(parameters)
        self._check_covered(sig_input)
        self._check_times(parameters)
        nonce = parameters.get("nonce", "")
        if not 0 < len(nonce) <= MAX_NONCE_LENGTH:
            raise _refused(
                "nonce",
                f"it has no nonce of 1 to {MAX_NONCE_LENGTH} characters",
                f"缺少 1 至 {MAX_NONCE_LENGTH} 个字符的 nonce",
            )

    def named_key(self) -> str:
        """The key id that the request names; empty where it names none."""
        return str(self._input.params.get("keyid", ""))[:200] if self._input is not None else ""

    def base(self) -> str:
        """The signature base for what the request says that it covers; empty where there is none, or a secret in it."""
        if self._input is None or any(item.value in {*_SECRET_FIELDS, _PARAMETERS} for item in self._input):
            return ""
        try:
            base, _, _ = self._build_signature_base(
                self._message, covered_component_ids=list(self._input), signature_params=self._input.params
            )
        except (HTTPMessageSignaturesException, ValueError, TypeError, AttributeError):
            return ""  # covered is something that the request does not have: the error itself says so
        return str(base)

    def _choose_key(self, parameters: Mapping[str, Any]) -> None:
        if not parameters.get("keyid"):
            raise _refused("keyid", "it names no key (keyid)", "未注明密钥编号（keyid）")
        try:
            key = self._find_key(parameters["keyid"])
        except AuthenticationError as error:
            raise SignatureError("key", error.en, error.zh, error.known) from error
        algorithm = algorithm_of(key)
        if parameters.get("alg", algorithm) != algorithm:
            raise _refused(
                "algorithm",
                f"it says alg={parameters['alg']!r}, the key was registered for {algorithm!r}; leave alg out",
                f"签名注明 alg={parameters['alg']!r}，而密钥登记的算法为 {algorithm!r}；请勿填写 alg",
            )
        self.signature_algorithm = _ALGORITHMS[algorithm]

        def check(signature: bytes, base: bytes) -> None:
            self._signed = signature, base
            algorithms.check_signature(key, signature, base)

        self.key_resolver = _Key(check)

    def _check_covered(self, sig_input: Any) -> None:
        covered = {item.value for item in sig_input if not item.params}
        with_body = bool(self._body) or DIGEST in self._message.headers
        wanted = (*COMPONENTS, DIGEST) if with_body else COMPONENTS
        missing = [name for name in wanted if name not in covered]
        if missing:
            raise _refused(
                "covered",
                f"it does not cover {', '.join(missing)}, without parameters",
                f"签名未（不带参数地）涵盖 {'、'.join(missing)}",
            )
        if any(item.value == _PARAMETERS for item in sig_input):
            raise _refused(
                "components",
                f"it lists {_PARAMETERS} among what it covers, which it always does and never says (RFC 9421 §2.3)",
                f"签名把 {_PARAMETERS} 列入所涵盖的内容；它总在其中，不得列出（RFC 9421 第 2.3 节）",
            )
        secret = sorted(item.value for item in sig_input if item.value in _SECRET_FIELDS)
        if secret:
            raise _refused(
                "covered",
                f"it covers {secret[0]}, a secret that must not be kept with the signature",
                f"签名涵盖了 {secret[0]}，其中有不应随签名留存的秘密",
            )

    def _check_times(self, parameters: Mapping[str, Any]) -> None:
        now = self._now.timestamp()
        created, expires = parameters.get("created"), parameters.get("expires")
        skew, age = MAX_SKEW.total_seconds(), MAX_AGE.total_seconds()
        if created is None:
            raise _refused("created", "it does not say when it was made (created)", "未注明签名时间（created）")
        if created > now + skew:
            raise _refused(
                "created",
                f"it is dated {created - now:.0f} s in the future by this server's clock; set your clock",
                f"签名时间比服务器时间晚 {created - now:.0f} 秒；请校准时钟",
            )
        if created + age < now - skew:
            raise _refused(
                "created",
                f"it is too old: made {now - created:.0f} s ago by this server's clock",
                f"签名已过期：按服务器时间已过 {now - created:.0f} 秒",
            )
        if expires is not None and (expires < now - skew or expires < created):
            raise _refused(
                "expires", "it has expired by its own word (expires)", "签名已超过自身注明的有效期（expires）"
            )

    def _refusal(self, error: InvalidSignature) -> SignatureError:
        """What the library refused, in words that a person can act on."""
        if self._input is None:
            en, zh = "its header fields are out of form (RFC 9421 §4)", "签名头字段格式不符（RFC 9421 第 4 节）"
            if "Multiple" in str(error):
                en, zh = "there is more than one", "签名不止一个"
            return _refused("form", en, zh)
        if isinstance(error.__cause__, SignatureMismatchError):
            asked = f"{self._message.method} {self._message.url}"
            return _refused(
                "signature",
                f"it does not fit the key and the request; this service was asked as {asked}",
                f"与密钥或请求不符；本服务收到的请求为 {asked}",
            )
        return _refused(
            "components",
            f"what it covers, or its parameters, cannot be taken as they are ({str(error)[:200]})",
            f"所涵盖的内容或参数无法按原样采用（{str(error)[:200]}）",
        )


def _bad_digest(said: str) -> SignatureError:
    if _DIGEST_MISMATCH in said:
        return _refused(
            DIGEST,
            "the body is not the one whose Content-Digest was signed",
            "正文与已签名的 Content-Digest 不符",
        )
    return _refused(
        DIGEST,
        "Content-Digest is out of form: want sha-256 or sha-512 of the body (RFC 9530)",
        "Content-Digest 格式不符：应为正文的 sha-256 或 sha-512 值（RFC 9530）",
    )


def _refused(check: str, why_en: str, why_zh: str) -> SignatureError:
    minutes = int(MAX_AGE.total_seconds() // 60)
    return SignatureError(
        check,
        f"the signature was refused: {why_en}. Signatures cover @method, @target-uri and, with a body, content-digest, "
        f"and are valid for {minutes} minutes; check the key, the exact address and the clock, then sign anew",
        f"签名未通过：{why_zh}。签名须涵盖 @method、@target-uri 和（有正文时）content-digest，有效期 {minutes} 分钟；"
        "请核对密钥、完整地址和本机时钟后重新签名",
    )
