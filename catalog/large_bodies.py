"""How much a request may send before it is known who asks: much only from whom something speaks for.

A body is read whole before its signature can be checked; attachments are large. So the head alone must hold what is in
force here: a session, a token, or the name of a registered key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from catalog import signatures
from catalog.authentication import authenticate
from catalog.errors import AuthenticationError
from catalog.http import MAX_BODY_BYTES
from catalog.identity import keys
from catalog.service import Service

_KEYID = re.compile(r'keyid="([a-z0-9:]{1,64})"')


def allowed(service: Service, method: str, target: str, fields: Mapping[str, str], limit: int) -> int:
    """The most bytes of this request's body, of which its route takes ``limit``.

    Args:
        target: path and query string as sent, prefix included.
        fields: header fields by lower-case name.
    """
    if limit <= MAX_BODY_BYTES or _is_spoken_for(service, method, target, fields):
        return limit
    return MAX_BODY_BYTES


def _is_spoken_for(service: Service, method: str, target: str, fields: Mapping[str, str]) -> bool:
    try:
        if signatures.is_signed(fields):
            named = _KEYID.search(fields.get("signature-input", ""))
            return named is not None and keys.find(service.register, named[1]).actor is not None
        return authenticate(service, method, target, fields, b"") is not None
    except AuthenticationError:
        return False
