"""Nonces of signed requests that leave no entry in the ledger (docs/adr/0004): each is good once per key."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from catalog.errors import AuthenticationError
from catalog.identity.register import Register


def use(register: Register, keyid: str, nonce: str, keep: timedelta) -> None:
    """Remember a nonce for ``keep``.

    Raises:
        AuthenticationError: it was used before.
    """
    register.write("DELETE FROM nonces WHERE expires_at < ?", (register.timestamp(),))
    try:
        register.write("INSERT INTO nonces VALUES (?, ?, ?)", (keyid, nonce, register.timestamp(keep)))
    except sqlite3.IntegrityError as error:
        raise replayed() from error


def replayed() -> AuthenticationError:
    """The error for a signed request that is sent a second time."""
    return AuthenticationError(
        "this signed request was used before; sign each request anew with its own nonce",
        "该签名请求已被使用过；每次请求都须用新的 nonce 重新签名",
    )
