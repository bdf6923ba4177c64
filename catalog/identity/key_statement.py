"""Keys of agencies' systems: as bytes, and the statement that adds one, with who must have signed it.

A key is added by a statement that the key itself signs, and the agency's previous key or, for a first key, a
supervising office's key over the fingerprint that it received on paper (DESIGN §5). So the operator, who writes the
ledger, cannot slip in a key of its own. The first key of all, a supervising office's, is signed by itself alone:
whoever checks must have its fingerprint from outside. There is one such root: the operator registers agencies, and
could else register a supervising office that is none and endorse what it likes with its key.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from catalog.errors import CatalogError, UsageError
from catalog.identity import duties

ED25519 = "ed25519"
ECDSA_P256 = "ecdsa-p256-sha256"
ALGORITHMS = (ED25519, ECDSA_P256)
#: The part of a key id that names its algorithm.
_PREFIX = {ED25519: "ed25519", ECDSA_P256: "p256"}

#: Ed25519 keys of small order (eight times the point is the identity), without the sign's bit: under one of them a
#: signature that anybody can write down fits any message, so that whoever registered it could later say it was anybody.
_SMALL_ORDER = frozenset(
    bytes.fromhex(each)
    for each in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class KeyStatementError(CatalogError):
    """A statement that adds a key and that nobody may rely on: not signed, or not by those who must."""


# -- keys as bytes ----------


def algorithm_of(key: PublicKey | PrivateKey) -> str:
    """The one algorithm that a key is used with.

    Raises:
        UsageError: another curve than P-256.
    """
    if isinstance(key, (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey)):
        return ED25519
    if not isinstance(key.curve, ec.SECP256R1):
        raise UsageError(
            f"keys are Ed25519 or ECDSA P-256; this one is on {key.curve.name}, make another",
            f"密钥须为 Ed25519 或 ECDSA P-256；该密钥的曲线为 {key.curve.name}，请另行生成",
        )
    return ECDSA_P256


def raw_public(key: PublicKey) -> bytes:
    """32 bytes of Ed25519, or the 65 bytes of an uncompressed P-256 point."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.public_bytes_raw()
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def load_public(algorithm: str, raw: bytes) -> PublicKey:
    """The key of :func:`raw_public` bytes.

    Raises:
        KeyStatementError: not a key of that algorithm, or one under which anybody can sign.
    """
    try:
        if algorithm == ED25519:
            if len(raw) == 32 and raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER:
                raise ValueError("it is of small order: anybody can sign with it")
            return ed25519.Ed25519PublicKey.from_public_bytes(raw)
        if len(raw) != 65:  # one spelling only
            raise ValueError("not an uncompressed point")
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError as error:
        raise KeyStatementError(
            f"the public key is not one of {algorithm} ({error})", f"公钥不是 {algorithm} 的公钥（{error}）"
        ) from error


def key_id(key: PublicKey) -> str:
    """The id by which a key is named in requests and entries: its algorithm and 32 hex digits of its SHA-256."""
    return f"{_PREFIX[algorithm_of(key)]}:{hashlib.sha256(raw_public(key)).hexdigest()[:32]}"


def fingerprint(raw: bytes) -> str:
    """What is read out and compared on paper: the SHA-256 of the key's bytes in groups of four hex digits."""
    digest = hashlib.sha256(raw).hexdigest()
    return " ".join(re.findall("....", digest))


def sign(key: PrivateKey, message: bytes) -> bytes:
    """64 bytes of Ed25519, or an ECDSA signature as DER."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def verify(key: PublicKey, signature: bytes, message: bytes) -> None:
    """Raise :class:`KeyStatementError` unless ``signature`` is the key's over ``message``."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise KeyStatementError(
            f"the signature by {key_id(key)} over the key's statement does not verify",
            f"密钥 {key_id(key)} 对登记声明的签名不成立",
        ) from error


# -- the statement ----------


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said when a key is added, and the signatures over it.

    Attributes:
        log: the ledger's origin: a statement is good for one ledger.
        expires_at: a UTC time in the form of an entry's ``t``.
        signature: by the key itself: whoever asks has it.
        endorser: key id of the agency's previous key, or of a supervisor's.
    """

    log: str
    agency: str
    system: str
    algorithm: str
    public_key: bytes
    expires_at: str
    signature: bytes = b""
    endorser: str | None = None
    endorser_signature: bytes = b""

    def message(self) -> bytes:
        """What both sign."""
        lines = (self.log, self.agency, self.system, self.algorithm, self.public_key.hex(), self.expires_at)
        return ("liandong/agency-key/v1\n" + "".join(f"{line}\n" for line in lines)).encode()

    def key(self) -> PublicKey:
        return load_public(self.algorithm, self.public_key)

    def check_own_signature(self) -> None:
        """Raise :class:`KeyStatementError` unless whoever made it has the key."""
        verify(self.key(), self.signature, self.message())

    def endorsed_by(self, endorser: PrivateKey) -> Statement:
        """The statement with ``endorser``'s signature, in place of any before."""
        keyid, signature = key_id(endorser.public_key()), sign(endorser, self.message())
        return replace(self, endorser=keyid, endorser_signature=signature)

    def fields(self) -> dict[str, Any]:
        """The fields of the entry ``agency.key_added``."""
        return {
            "agency": self.agency,
            "system": self.system,
            "keyid": key_id(self.key()),
            "algorithm": self.algorithm,
            "public_key": self.public_key.hex(),
            "expires_at": self.expires_at,
            "key_signature": self.signature.hex(),
            "endorser": self.endorser,
            "endorser_signature": self.endorser_signature.hex() or None,
        }

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Statement:
        """The statement in an entry.

        Raises:
            KeyStatementError: an entry of the first version, which nobody signed.
        """
        if "key_signature" not in entry:
            raise KeyStatementError("nobody signed its statement", "登记声明无人签署")
        return cls(
            entry["log"],
            entry["agency"],
            entry["system"],
            entry["algorithm"],
            bytes.fromhex(entry["public_key"]),
            entry["expires_at"],
            bytes.fromhex(entry["key_signature"]),
            entry.get("endorser"),
            bytes.fromhex(entry.get("endorser_signature", "")),
        )


def endorsed(
    log: str, agency: str, system: str, expires_at: str, key: PrivateKey, endorser: PrivateKey | None = None
) -> Statement:
    """A statement for ``key``, signed by it and by ``endorser``: for whoever holds both."""
    statement = Statement(log, agency, system, algorithm_of(key), raw_public(key.public_key()), expires_at)
    statement = replace(statement, signature=sign(key, statement.message()))
    return statement if endorser is None else statement.endorsed_by(endorser)


def check_added(db: sqlite3.Connection, entry: Mapping[str, Any]) -> None:
    """Raise unless an ``agency.key_added`` entry is signed by those who must, as far as the register knows them.

    Raises:
        KeyStatementError: which signature is missing or does not verify.
    """
    statement = Statement.of_entry(entry)
    key = statement.key()
    if key_id(key) != entry["keyid"]:
        raise KeyStatementError(
            f"its id is {key_id(key)}, the entry says {entry['keyid']}",
            f"其编号应为 {key_id(key)}，条目写的是 {entry['keyid']}",
        )
    statement.check_own_signature()
    role = db.execute("SELECT role FROM agencies WHERE id = ?", (statement.agency,)).fetchone()
    if role is None:
        raise KeyStatementError(f"agency {statement.agency!r} is not registered", f"单位 {statement.agency!r} 未登记")
    if statement.endorser is None:
        rooted = db.execute(
            "SELECT 1 FROM keys k JOIN agencies a ON a.id = k.agency WHERE a.role = 'supervisor'"
        ).fetchone()
        if role["role"] == "supervisor" and not rooted:
            return  # the root of trust: its fingerprint is known from outside
        raise KeyStatementError(
            "a key is endorsed by the agency's previous key or, for a first key, by a supervising office's; only "
            "the very first key of a supervising office is not",
            "密钥须由本单位原有密钥背书，首把密钥须由监督机构的密钥背书；只有监督机构的第一把密钥无须背书",
        )
    verify(_endorser(db, statement, entry["t"]), statement.endorser_signature, statement.message())


def _endorser(db: sqlite3.Connection, statement: Statement, t: str) -> PublicKey:
    row = db.execute(
        "SELECT k.*, a.role FROM keys k JOIN agencies a ON a.id = k.agency WHERE keyid = ?", (statement.endorser,)
    ).fetchone()
    good = (
        row is not None
        and (row["agency"] == statement.agency or row["role"] in duties.roles_to_any("key.endorse"))
        and row["expires_at"] > t
        and (row["revoked_at"] is None or row["revoked_at"] > t)
    )
    if not good:
        raise KeyStatementError(
            f"key {statement.endorser} may not endorse it: it is neither a key in force of the same agency nor of a "
            "supervising office",
            f"密钥 {statement.endorser} 无权背书：它既不是本单位的有效密钥，也不是监督机构的有效密钥",
        )
    return load_public(row["algorithm"], row["public_key"])
