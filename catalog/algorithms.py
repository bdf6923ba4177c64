"""The two kinds of signing keys of agencies' systems: Ed25519, and ECDSA on P-256 for what JDK 8 can do.

A key is named by an id that anybody can compute from it: ``ed25519:`` or ``p256:`` and the first 32 hex digits of the
SHA-256 of its raw bytes, which are 32 bytes of Ed25519 (RFC 8032 §5.1.2) or the 65 of an uncompressed point (SEC 1
§2.3.3). A signature of P-256 is r and s, 32 bytes each (RFC 9421 §3.3.4), never DER.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from catalog.errors import CatalogError, UsageError

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

ED25519 = "ed25519"
P256 = "ecdsa-p256-sha256"
_ID_PREFIXES = {ED25519: "ed25519:", P256: "p256:"}
_ECDSA = ec.ECDSA(hashes.SHA256())


class SignatureMismatchError(CatalogError):
    """A signature that this key did not make over these bytes."""


def algorithm_of(key: PublicKey | PrivateKey) -> str:
    """The one algorithm of a key, by RFC 9421's name for it.

    Raises:
        UsageError: a key of another kind.
    """
    if isinstance(key, (Ed25519PublicKey, Ed25519PrivateKey)):
        return ED25519
    if isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)) and key.curve.name == "secp256r1":
        return P256
    raise UsageError(
        "this is neither an Ed25519 nor a P-256 key; make one of these (Java 8 has P-256 only)",
        "这既不是 Ed25519 密钥也不是 P-256 密钥；请生成这两种之一（Java 8 只支持 P-256）",
    )


def raw_public_key(key: PublicKey) -> bytes:
    """The bytes of a public key as entries hold them: 32 of Ed25519, 65 of P-256."""
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes_raw()
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def public_key_of_raw(raw: bytes) -> PublicKey:
    """The key of :func:`raw_public_key`'s bytes.

    Raises:
        UsageError: neither of the two lengths, or no point of the curve.
    """
    try:
        if len(raw) == 32:
            return Ed25519PublicKey.from_public_bytes(raw)
        if len(raw) == 65:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        raise ValueError(f"{len(raw)} bytes")
    except ValueError as error:
        raise UsageError(
            f"this is no public key ({error}): want 32 bytes of Ed25519, or 65 of a P-256 point",
            f"这不是公钥（{error}）：应为 32 字节的 Ed25519 公钥，或 65 字节的 P-256 点",
        ) from error


def key_id(key: PublicKey) -> str:
    """The id by which a key is named in requests and entries."""
    return _ID_PREFIXES[algorithm_of(key)] + hashlib.sha256(raw_public_key(key)).hexdigest()[:32]


def sign(key: PrivateKey, message: bytes) -> bytes:
    """A signature in RFC 9421's form: 64 bytes with either algorithm."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def check_signature(key: PublicKey, signature: bytes, message: bytes) -> None:
    """Check a signature in RFC 9421's form.

    Raises:
        SignatureMismatchError: it is not this key's signature over ``message``.
    """
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        elif len(signature) == 64:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(r, s), message, _ECDSA)
        else:
            raise InvalidSignature
    except InvalidSignature as error:
        raise SignatureMismatchError(
            f"key {key_id(key)} did not make this signature over these bytes",
            f"该签名不是由密钥 {key_id(key)} 对这些字节作出的",
        ) from error


def load_private_key(pem: bytes, name: str) -> PrivateKey:
    """Read a private key: PEM, PKCS #8, without a password.

    Args:
        name: what to call the file in an error.

    Raises:
        UsageError: not such a key.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{name} cannot be read as a private key ({error}); give the PEM file made for this system",
            f"{name} 无法作为私钥读取（{error}）；请指定为本系统生成的 PEM 文件",
        ) from error
    algorithm_of(key)  # type: ignore[arg-type]  # any other kind is what it refuses
    return key  # type: ignore[return-value]


def load_public_key(data: bytes, name: str) -> PublicKey:
    """Read a public key: PEM, or the hex of :func:`raw_public_key` as ``agency.key_added`` holds it.

    Raises:
        UsageError: neither.
    """
    try:
        if data.lstrip().startswith(b"-----"):
            key = serialization.load_pem_public_key(data)
            algorithm_of(key)  # type: ignore[arg-type]
            return key  # type: ignore[return-value]
        return public_key_of_raw(bytes.fromhex(data.decode("ascii").strip()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{name} cannot be read as a public key ({error}); give a PEM file (BEGIN PUBLIC KEY), or the hex of "
            "public_key in the entry agency.key_added",
            f"{name} 无法作为公钥读取（{error}）；请提供 PEM 文件（BEGIN PUBLIC KEY），"
            "或 agency.key_added 条目中 public_key 的十六进制",
        ) from error
