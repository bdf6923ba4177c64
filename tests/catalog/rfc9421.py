"""A client of RFC 9421 written from the RFC alone, with no library for it and none of the project's code.

tests/catalog/test_rfc9421.py checks it against the RFC's own test vectors (appendix B.2).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

SigningKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def content_digest(body: bytes, name: str = "sha-256") -> str:
    """RFC 9530 §2: a dictionary with one byte sequence."""
    digest = hashlib.new(name.replace("-", ""), body).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


def signature_params(covered: Sequence[str], parameters: Mapping[str, int | str]) -> str:
    """§2.3: the inner list of covered components with its parameters, in the order given."""
    listed = " ".join(f'"{name}"' for name in covered)
    return f"({listed})" + "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"' for name, value in parameters.items()
    )


def signature_base(values: Sequence[tuple[str, str]], params: str) -> str:
    """§2.5: a line for each component, the parameters last, no newline at the end."""
    return "\n".join([*(f'"{name}": {value}' for name, value in values), f'"@signature-params": {params}'])


def sign(key: SigningKey, base: str) -> bytes:
    """§3.3.6 Ed25519, §3.3.4 ECDSA P-256: r and s as 32 bytes each."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(base.encode("ascii"))
    r, s = decode_dss_signature(key.sign(base.encode("ascii"), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(key: Ed25519PublicKey | ec.EllipticCurvePublicKey, signature: bytes, base: str) -> None:
    """Raise unless ``key`` made ``signature`` over ``base``: bare ``cryptography``."""
    if isinstance(key, Ed25519PublicKey):
        key.verify(signature, base.encode("ascii"))
        return
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), base.encode("ascii"), ec.ECDSA(hashes.SHA256()))


def key_id(key: SigningKey) -> str:
    """The id by which this project's service names a key."""
    if isinstance(key, Ed25519PrivateKey):
        return "ed25519:" + hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:32]
    numbers = key.public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return "p256:" + hashlib.sha256(point).hexdigest()[:32]


def signed(
    key: SigningKey,
    method: str,
    url: str,
    body: bytes = b"",
    *,
    created: int | None,
    nonce: str | None = "n",
    digest: str = "sha-256",
    covered: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, int | str] | None = None,
    label: str = "sig1",
) -> dict[str, str]:
    """The header fields, by lower-case name, that make a request signed.

    Args:
        covered: by default what the service wants.
        headers: further fields of the request, which may be covered.
        more: further parameters, or others instead.
    """
    fields = {**(headers or {}), **({"content-digest": content_digest(body, digest)} if body else {})}
    names = covered or ("@method", "@target-uri", *(("content-digest",) if body else ()))
    known = {"@method": method, "@target-uri": url, **fields}
    parameters: dict[str, int | str] = {"keyid": key_id(key)}
    if created is not None:
        parameters = {"created": created, **parameters}
    if nonce is not None:
        parameters["nonce"] = nonce
    params = signature_params(names, {**parameters, **(more or {})})
    base = signature_base([(name, known[name]) for name in names], params)
    signature = base64.b64encode(sign(key, base)).decode()
    return {**fields, "signature-input": f"{label}={params}", "signature": f"{label}=:{signature}:"}
