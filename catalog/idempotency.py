"""``Idempotency-Key`` on calls that write: sent however often, done once (draft-ietf-httpapi-idempotency-key-header).

The same agency, key, address and body again: the first entry's receipt, nothing is done. Another address or body under
the same key: 409. Two at once: the append decides, one entry. All that is remembered are two ``once`` keys of the
first entry, used up in the transaction that writes it; so every process knows it, and a call is remembered exactly if
it is in the ledger. A call that failed is not: it may be sent again.

How to use it, where an entry is appended for a call::

    claim = idempotency.claim(service, agency, fields.get(idempotency.HEADER), f"{method} {target}", body)
    if claim is not None and (seq := claim.first()) is not None:
        return idempotency.repeated(service, seq, receipt_path)
    try:
        done = await ledger.append_async(kind, fields, once=(*others, *claim.once))
    except ConflictError:
        ... claim.first() again: another process was faster; None means that one of ``others`` was used

The gate does this for every recorded POST (:mod:`catalog.recorder`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from catalog.errors import RequestError
from catalog.http import Answer
from catalog.service import Service
from ledger import Ledger

HEADER = "idempotency-key"
#: Set on an answer that only repeats the first receipt.
REPLAYED_HEADER = "idempotency-replayed"
_KEY = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Claim:
    """A call's claim to be the first under its key.

    Attributes:
        once: keys for the append of its entry.
    """

    once: tuple[str, str]
    _ledger: Ledger

    def first(self) -> int | None:
        """The entry of the first call, if there was one.

        Raises:
            RequestError: 409, the first call under this key had another address or body.
        """
        mark, same = self.once
        seq = self._ledger.used(mark)
        if seq is not None and self._ledger.used(same) != seq:
            raise RequestError(
                409,
                f"this Idempotency-Key was used for another call (entry {seq}); give each call a key of its own and "
                "repeat one only with the same address and body",
                f"该 Idempotency-Key 已用于另一请求（第 {seq} 条）；每个请求须用各自的幂等键，"
                "重发时地址和正文须完全相同",
            )
        return seq


def claim(service: Service, agency: str, key: str | None, query: str, body: bytes) -> Claim | None:
    """The claim of a call that carries the header, else None.

    Args:
        key: the header's value; None without the header.
        query: method and target, as the entry's particular of that name says it.

    Raises:
        RequestError: 400, the key is not 1 to 128 visible ASCII characters.
    """
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise RequestError(
            400,
            "Idempotency-Key is not of 1 to 128 visible ASCII characters; a random UUID is one",
            "Idempotency-Key 应为 1 至 128 个可见 ASCII 字符，例如随机 UUID",
        )
    # Keyed: a bare hash of a body that asks for one ID number could be guessed.
    secret = service.instance.session_secret()
    mark = _digest(secret, agency, key)
    same = _digest(secret, agency, key, query, hashlib.sha256(body).hexdigest())
    return Claim((f"idempotency:{mark}", f"idempotency:{mark}:{same}"), service.ledger)


def repeated(service: Service, seq: int, receipt_path: str) -> Answer:
    """The answer to a repeated call: the first entry's receipt, with its openings."""
    receipt = service.ledger.receipt(seq, with_openings=True)
    answer = Answer.of_json(200, {"ok": True, "repeated": True, "ledger_entry": seq, "receipt": receipt.to_json()})
    answer.set_header("ledger-entry", str(seq))
    answer.set_header("ledger-receipt", receipt_path)
    answer.set_header(REPLAYED_HEADER, "true")
    answer.set_header("cache-control", "private, no-store")
    return answer


def _digest(secret: bytes, *parts: str) -> str:
    message = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in ("idempotency", *parts))
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
