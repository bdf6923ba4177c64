"""From a request's credentials to an actor: signature, then token, then session; one of them, never a mixture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import signatures
from catalog.cookies import session_cookie
from catalog.errors import AuthenticationError
from catalog.http import cookies
from catalog.identity import keys, sessions, tokens
from catalog.identity.actor import Actor
from catalog.identity.failures import Known
from catalog.identity.key_statement import PublicKey
from catalog.service import Service
from catalog.signatures import SignatureError


@dataclass(frozen=True, slots=True)
class Credentials:
    """An authenticated actor and what proves it."""

    actor: Actor
    session: str = ""
    nonce: str = ""
    signature_base: str = ""
    signature: str = ""
    body_sha256: str = ""

    @property
    def keyid(self) -> str:
        return self.actor.keyid or ""

    @property
    def once_key(self) -> str:
        """Under which the ledger remembers the nonce of a signed request."""
        return f"nonce:{self.keyid}:{self.nonce}"

    def particulars(self) -> dict[str, Any]:
        """What goes into the entry as commitments, so that the agency cannot deny and nobody else can read it.

        Of a signed request: the exact bytes that were signed (RFC 9421 §2.5) and the signature in base64, from which
        and the public key alone `liandong check-signature` shows that this agency asked this.
        """
        values = {
            "officer": self.actor.officer,
            "signature_base": self.signature_base,
            "signature": self.signature,
            "body_sha256": self.body_sha256,
        }
        return {name: value for name, value in values.items() if value}


def authenticate(
    service: Service, method: str, target: str, fields: Mapping[str, str], body: bytes
) -> Credentials | None:
    """The credentials of a request; None for an anonymous one.

    Args:
        target: path and query string as sent, prefix included.
        fields: header fields by lower-case name.

    Raises:
        AuthenticationError: credentials that are wrong, expired, or of two kinds at once.
    """
    authorization = fields.get("authorization", "")
    if signatures.is_signed(fields):
        if authorization:
            raise AuthenticationError(
                "send either a signature or a token, not both", "签名与令牌只能二选一，请勿同时发送"
            )
        return _by_signature(service, method, target, fields, body)
    body_sha256 = hashlib.sha256(body).hexdigest() if body else ""
    if authorization:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationError(
                "the Authorization header is not of the form “Bearer TOKEN”",
                "Authorization 头应为“Bearer 令牌”的形式",
            )
        return Credentials(tokens.actor_of(service.register, token.strip()), body_sha256=body_sha256)
    session = cookies(fields.get("cookie", "")).get(session_cookie(service.address), "")
    if session:
        actor = sessions.actor_of_session(service.register, session)
        if actor is not None:
            return Credentials(actor, session=session, body_sha256=body_sha256)
    return None


def _by_signature(service: Service, method: str, target: str, fields: Mapping[str, str], body: bytes) -> Credentials:
    actors: list[Actor] = []

    def find_key(keyid: str) -> PublicKey:
        found = keys.find(service.register, keyid)
        actors.append(found.actor)
        return found.key

    # The public address comes from the instance's settings: a forwarded header could be anybody's.
    url = service.address.url(target)
    try:
        verified = signatures.verify(signatures.Message(method, url, dict(fields)), body, find_key, service.now())
    except SignatureError as error:
        if error.known is None and actors:  # the key is known and in force, and the signature does not hold
            error.known = Known(actors[-1].agency, "signature", f"signature.{error.check}", keyid=actors[-1].keyid)
        raise
    return Credentials(
        actors[-1],
        nonce=verified.nonce,
        signature_base=verified.signature_base,
        signature=verified.signature,
        body_sha256=hashlib.sha256(body).hexdigest() if body else "",
    )
