"""Signing keys in HTTP signatures and in key files; which keys there are says :mod:`catalog.identity.key_statement`.

A signature of P-256 in a request is r and s, 32 bytes each (RFC 9421 §3.3.4), never DER.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from catalog.errors import CatalogError, UsageError
from catalog.identity.key_statement import (
    ECDSA_P256,
    ED25519,
    KeyStatementError,
    PrivateKey,
    PublicKey,
    algorithm_of,
    key_id,
    load_public,
    raw_public,
)

_ECDSA = ec.ECDSA(hashes.SHA256())


class SignatureMismatchError(CatalogError):
    """A signature that this key did not make over these bytes."""


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
    if not isinstance(key, (Ed25519PrivateKey, ec.EllipticCurvePrivateKey)):
        raise _other_kind(name)
    algorithm_of(key)
    return key


def load_public_key(data: bytes, name: str) -> PublicKey:
    """Read a public key: PEM, or the hex of ``public_key`` in an ``agency.key_added``.

    Raises:
        UsageError: neither.
    """
    try:
        if data.lstrip().startswith(b"-----"):
            key = serialization.load_pem_public_key(data)
            if isinstance(key, Ed25519PublicKey):
                load_public(ED25519, raw_public(key))  # not one under which anybody can sign
        else:
            raw = bytes.fromhex(data.decode("ascii").strip())
            key = load_public(ED25519 if len(raw) == 32 else ECDSA_P256, raw)
    except (ValueError, UnsupportedAlgorithm, KeyStatementError) as error:
        raise UsageError(
            f"{name} cannot be read as a public key ({error}); give a PEM file (BEGIN PUBLIC KEY), or the hex of "
            "public_key in the entry agency.key_added",
            f"{name} 无法作为公钥读取（{error}）；请提供 PEM 文件（BEGIN PUBLIC KEY），"
            "或 agency.key_added 条目中 public_key 的十六进制",
        ) from error
    if not isinstance(key, (Ed25519PublicKey, ec.EllipticCurvePublicKey)):
        raise _other_kind(name)
    algorithm_of(key)
    return key


def _other_kind(name: str) -> UsageError:
    return UsageError(
        f"{name} is neither an Ed25519 nor a P-256 key; make one of these (Java 8 has P-256 only)",
        f"{name} 既不是 Ed25519 密钥也不是 P-256 密钥；请生成这两种之一（Java 8 只支持 P-256）",
    )
