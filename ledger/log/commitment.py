"""Commitments to particulars: personal data stays outside the log, a salted digest of it goes in.

A bare hash of an identity number can be guessed (an 18-digit number within one area code is only 3.6e7
candidates), so each field has its own random 32-byte salt; opening or erasing one field says nothing of another.

Source: docs/spec/entry.md, "Commitments".
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import CanonicalError, TamperError
from ledger.log.canonical import Value, decode, encode

SALT_BYTES = 32
KEY_BYTES = 32
# A key encrypts one field once, so the nonce need not vary (NIST SP 800-38D §8.2: unique per key).
_NONCE = bytes(12)


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a commitment: the field's salt and value."""

    salt: bytes
    value: Value


@dataclass(frozen=True, slots=True)
class Sealed:
    """A particular as it is stored: ciphertext in one table, its key in another, so that destroying the key erases."""

    field: str
    commitment: str
    key: bytes
    ciphertext: bytes


def commit(salt: bytes, field: str, value: Value) -> str:
    """Return ``HMAC-SHA256(salt, field ‖ 0x00 ‖ canonical value)`` as 64 hex digits.

    Raises:
        CanonicalError: ``salt`` is not 32 bytes or ``value`` is outside the canonical domain.
    """
    if len(salt) != SALT_BYTES:
        raise CanonicalError(
            f"salt of {len(salt)} bytes; a commitment's salt has {SALT_BYTES}",
            f"盐长 {len(salt)} 字节；承诺的盐应为 {SALT_BYTES} 字节",
        )
    return hmac.digest(salt, field.encode() + b"\0" + encode(value), "sha256").hex()


def check_opening(commitment: str, field: str, opening: Opening) -> None:
    """Raise :class:`TamperError` unless ``opening`` opens ``commitment`` for ``field``."""
    found = commit(opening.salt, field, opening.value)
    # Both are public, so the comparison need not take constant time.
    if found != commitment:
        raise TamperError(
            f"the opening of {field!r} gives {found}, the entry commits to {commitment}: it is not what was committed",
            f"“{field}”的开启值算得 {found}，而条目承诺的是 {commitment}：并非当时所承诺的内容",
        )


def seal(field: str, value: Value, random: Callable[[int], bytes]) -> Sealed:
    """Commit to ``value`` under a fresh salt and encrypt salt and value under a fresh key."""
    secret = random(SALT_BYTES + KEY_BYTES)
    return seal_under(field, Opening(secret[:SALT_BYTES], value), secret[SALT_BYTES:])


def seal_under(field: str, opening: Opening, key: bytes) -> Sealed:
    """Commit to a value under its salt, and encrypt both under ``key``, 32 random bytes for this field alone."""
    commitment = commit(opening.salt, field, opening.value)
    # The commitment as associated data ties the ciphertext to the one entry field it belongs to.
    ciphertext = AESGCM(key).encrypt(_NONCE, opening.salt + encode(opening.value), commitment.encode())
    return Sealed(field, commitment, key, ciphertext)


def unseal(sealed: Sealed) -> Opening:
    """Decrypt a stored particular and check it against its commitment.

    Raises:
        TamperError: the ciphertext, the key or the commitment was changed.
    """
    try:
        plain = AESGCM(sealed.key).decrypt(_NONCE, sealed.ciphertext, sealed.commitment.encode())
        opening = Opening(plain[:SALT_BYTES], decode(plain[SALT_BYTES:]))
    except (InvalidTag, ValueError, CanonicalError) as error:
        raise TamperError(
            f"the stored particular {sealed.field!r} does not decrypt under its key: it was changed",
            f"所存事项“{sealed.field}”无法用其密钥解密：内容已被改动",
        ) from error
    check_opening(sealed.commitment, sealed.field, opening)
    return opening
