"""Where the next page begins: sealed, so that it says nothing to anybody and cannot be made up.

A cursor is the values of the order's keys in the last row given. It is encrypted and authenticated (AES-256-GCM)
under a key that HMAC-SHA-256 derives from an instance's secret, the agency and the query; so it opens for the
same agency and the same query alone. Pure; randomness is an argument.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from catalog.query.errors import BodyError, QueryError
from catalog.query.model import MAX_CURSOR_LENGTH, Query

_NONCE_BYTES = 12


class Cursors:
    """The cursors of one instance.

    Args:
        secret: 32 bytes that only the instance knows.
        random: ``random(n)`` gives n bytes.
    """

    def __init__(self, secret: bytes, random: Callable[[int], bytes]) -> None:
        self._secret = hmac.digest(secret, b"liandong query cursor v1", "sha256")
        self._random = random

    def seal(self, agency: str, resource: str, query: Query, last: Sequence[Any]) -> str:
        """The cursor after a row whose keys are ``last``.

        Raises:
            QueryError: 413, the keys are too long to be sent back.
        """
        nonce = self._random(_NONCE_BYTES)
        sealed = _text(nonce + AESGCM(self._key(agency, resource, query)).encrypt(nonce, orjson.dumps(last), None))
        if len(sealed) > MAX_CURSOR_LENGTH:
            raise QueryError(
                413,
                "order_too_long",
                "the values by which the rows are ordered are too long for a further page; order by a shorter column",
                "排序字段的内容过长，无法翻页；请改按较短的字段排序",
                where="order",
            )
        return sealed

    def open(self, agency: str, resource: str, query: Query) -> list[Any] | None:
        """The keys of the row before the page that ``query`` asks for; None for the first page.

        Raises:
            BodyError: changed, made up, or given to another agency or for another query.
        """
        if not query.cursor:
            return None
        try:
            raw = base64.urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4))
            if _text(raw) != query.cursor:  # base64 has other spellings of the same bytes
                raise ValueError("not as it was given")
            plain = AESGCM(self._key(agency, resource, query)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise BodyError(
                "cursor",
                "is not one that was given to your agency for this query; send the "
                "cursor of the answer before, with the "
                "same filters, columns and order, or begin again without it",
                "不是本单位此查询所得的游标；请原样使用上一答复的游标，筛选、字段和排序不变，或去掉游标从头查询",
                code="bad_cursor",
            ) from error
        keys: list[Any] = orjson.loads(plain)
        return keys

    def _key(self, agency: str, resource: str, query: Query) -> bytes:
        asked = [
            agency,
            resource,
            query.columns,
            [(each.column, each.op, each.value) for each in query.filters],
            [(each.column, each.descending) for each in query.order],
        ]
        return hmac.digest(self._secret, hashlib.sha256(orjson.dumps(asked)).digest(), "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
