"""The independent client against the RFC's own vectors. Source: RFC 9421 appendix B.1.3, B.1.4, B.2.4, B.2.6."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.catalog import rfc9421

TEST_KEY_ED25519 = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
TEST_KEY_ECC_P256 = b"""-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIFKbhfNZfpDsW43+0+JjUr9K+bTeuxopu653+hBaXGA7oAoGCCqGSM49
AwEHoUQDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM
4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END EC PRIVATE KEY-----
"""
CREATED = 1618884473
B26 = [
    ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("@method", "POST"),
    ("@path", "/foo"),
    ("@authority", "example.com"),
    ("content-type", "application/json"),
    ("content-length", "18"),
]
B26_SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
B24 = [
    ("@status", "200"),
    ("content-type", "application/json"),
    ("content-digest", rfc9421.content_digest(b'{"message": "good dog"}', "sha-512")),
    ("content-length", "23"),
]
B24_SIGNATURE = "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="


def base_of(values: list[tuple[str, str]], keyid: str) -> str:
    params = rfc9421.signature_params([name for name, _ in values], {"created": CREATED, "keyid": keyid})
    return rfc9421.signature_base(values, params)


def test_ed25519_gives_the_published_signature() -> None:
    key = load_pem_private_key(TEST_KEY_ED25519, None)
    signature = rfc9421.sign(key, base_of(B26, "test-key-ed25519"))  # type: ignore[arg-type]
    assert base64.b64encode(signature).decode() == B26_SIGNATURE


def test_p256_verifies_the_published_signature_and_its_own() -> None:
    key = load_pem_private_key(TEST_KEY_ECC_P256, None)
    base = base_of(B24, "test-key-ecc-p256")
    rfc9421.verify(key.public_key(), base64.b64decode(B24_SIGNATURE), base)  # type: ignore[arg-type]
    rfc9421.verify(key.public_key(), rfc9421.sign(key, base), base)  # type: ignore[arg-type]
    with pytest.raises(InvalidSignature):
        rfc9421.verify(key.public_key(), base64.b64decode(B24_SIGNATURE), base + " ")  # type: ignore[arg-type]


def test_the_digest_of_the_rfcs_body() -> None:
    """RFC 9421 §2 uses the same body as B.2: ``{"hello": "world"}``."""
    body = b'{"hello": "world"}'
    assert rfc9421.content_digest(body) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    assert rfc9421.content_digest(body, "sha-512") == (
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
    )
