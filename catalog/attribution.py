"""Does a receipt show that this agency asked this? From the receipt and the agency's public key alone, offline.

A receipt's openings hold the exact bytes that were signed (the signature base of RFC 9421 §2.5) and the signature.
Whoever holds the agency's public key, got from the agency itself or from its ``agency.key_added``, needs neither the
operator's word nor a connection.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from catalog.algorithms import SignatureMismatchError, check_signature
from catalog.errors import CatalogError
from catalog.identity.key_statement import PublicKey, algorithm_of, fingerprint, key_id, raw_public
from ledger import EntryError, Receipt
from ledger.entries import check_entry
from ledger.log import canonical, commitment
from ledger.log.note import VerifierKey

_LINE = re.compile(r'"(?P<name>[^"]+)": (?P<value>.*)')
_PARAMETER = re.compile(r';(?P<name>[a-z]+)=(?:"(?P<text>[^"]*)"|(?P<number>[0-9]+))')
_DIGEST = re.compile(r"(?P<name>sha-256)=:(?P<value>[A-Za-z0-9+/=]+):")


class AttributionError(CatalogError):
    """A receipt does not show that the holder of this key asked this."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a signature shows: that the holder of ``keyid`` asked ``method target_uri`` at ``created``.

    Attributes:
        created: by the asker's own clock, UTC.
        content_digest: of the body, as signed; empty for a request without one.
        in_ledger: whether it was also shown that the log holds the entry.
    """

    seq: int
    keyid: str
    fingerprint: str
    algorithm: str
    method: str
    target_uri: str
    created: datetime
    nonce: str
    content_digest: str
    signature_base: str
    in_ledger: bool


def check_attribution(receipt: Receipt, key: PublicKey, log_key: VerifierKey | None = None) -> Shown:
    """Check that the holder of ``key`` signed what ``receipt`` says was asked.

    Args:
        log_key: with it the receipt itself is checked too: that the log holds this entry.

    Raises:
        AttributionError: which part does not hold.
        LedgerError: the entry, an opening or, with ``log_key``, the proof does not hold.
    """
    entry = receipt.verify(log_key) if log_key is not None else _opened(receipt)
    base, signature = (_opening(receipt, name) for name in ("signature_base", "signature"))
    if entry.get("keyid") != key_id(key):
        raise AttributionError(
            f"the entry names key {entry.get('keyid')}, the key given is {key_id(key)}; give that agency's public key",
            f"条目所记密钥为 {entry.get('keyid')}，所给公钥为 {key_id(key)}；请提供该单位的公钥",
        )
    try:
        check_signature(key, base64.b64decode(signature, validate=True), base.encode())
    except (SignatureMismatchError, binascii.Error) as error:
        raise AttributionError(
            f"the signature in the receipt was not made by key {key_id(key)} over the signature base in it",
            f"回执中的签名不是密钥 {key_id(key)} 对其中签名基串所作",
        ) from error
    shown = _read(entry["seq"], base, key, in_ledger=log_key is not None)
    _compare(receipt, shown)
    return shown


def _opened(receipt: Receipt) -> dict[str, Any]:
    """The entry, its form and its openings checked, but not that any log holds it."""
    entry: dict[str, Any] = canonical.decode_object(receipt.entry)
    check_entry(entry)
    commitments = entry.get("commit", {})
    for name, opening in receipt.openings.items():
        if name not in commitments:
            raise EntryError(f"the entry commits to nothing named {name!r}", f"条目中没有名为 {name!r} 的承诺")
        commitment.check_opening(str(commitments[name]), name, opening)
    return entry


def _opening(receipt: Receipt, name: str) -> str:
    opening = receipt.openings.get(name)
    if opening is None or type(opening.value) is not str:
        raise AttributionError(
            f"the receipt does not open {name}: either the request was not signed (token or session), or this copy is "
            "without openings; the agency that asked has them",
            f"回执未开启 {name}：该请求未经签名（令牌或登录会话），或此副本不含开启值；查询单位持有完整回执",
        )
    return opening.value


def _read(seq: int, base: str, key: PublicKey, *, in_ledger: bool) -> Shown:
    lines = [_LINE.fullmatch(line) for line in base.split("\n")]
    values = {line["name"]: line["value"] for line in lines if line is not None}
    if None in lines or len(values) != len(lines) or not {"@method", "@target-uri", "@signature-params"} <= set(values):
        raise _odd_base("it does not have each component once")
    found = _PARAMETER.finditer(values["@signature-params"])
    parameters = {each["name"]: each["text"] if each["number"] is None else each["number"] for each in found}
    if parameters.get("keyid") != key_id(key) or not parameters.get("created", "").isdecimal():
        raise _odd_base("it names another key, or no time")
    return Shown(
        seq,
        key_id(key),
        fingerprint(raw_public(key)),
        algorithm_of(key),
        values["@method"],
        values["@target-uri"],
        datetime.fromtimestamp(int(parameters["created"]), UTC),
        parameters.get("nonce", ""),
        values.get("content-digest", ""),
        base,
        in_ledger,
    )


def _compare(receipt: Receipt, shown: Shown) -> None:
    """What the entry says of the request beside the signature must be what was signed."""
    target = urlsplit(shown.target_uri)
    asked = f"{shown.method} {target.path}" + (f"?{target.query}" if target.query else "")
    query, body = (receipt.openings.get(name) for name in ("query", "body_sha256"))
    # Below method and target the entry may hold the body's text; of a batch, whose look-ups are erased one by one, it
    # holds a summary (docs/spec/query.md Q7).
    first, _, text = str(query.value).partition("\n") if query is not None else (asked, "", "")
    if first != asked:
        raise AttributionError(
            f"signed was {asked!r}, the entry says {first[:200]!r}",
            f"签名内容为 {asked!r}，条目所记为 {first[:200]!r}",
        )
    said = {body.value} if body is not None else set()
    if text and "items" not in canonical.decode_object(receipt.entry):
        said.add(hashlib.sha256(text.encode()).hexdigest())
    digest = _DIGEST.search(shown.content_digest)
    if digest is not None and said - {base64.b64decode(digest["value"]).hex()}:
        raise AttributionError(
            "the body whose digest was signed is not the one that the entry says",
            "签名所涵盖的正文摘要与条目所记不符",
        )


def _odd_base(why: str) -> AttributionError:
    return AttributionError(
        f"the signature base is not of a request to this service ({why})", f"签名基串不是对本服务的请求（{why}）"
    )
