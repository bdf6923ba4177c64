"""Forms that another site makes a browser send: refused before anything is done, and in nobody's name.

Datasette checks the same in front of its own pages. What the gate answers itself (:mod:`catalog.query`) and what it
would record is checked here, so that no entry says that an officer asked what somebody else's page sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.authentication import Credentials
from catalog.http import Answer, Receive, Scope, Send, collect
from catalog.spool import Spool

if TYPE_CHECKING:
    from datasette.app import Datasette

Headers = list[tuple[bytes, bytes]]
#: A browser sends these on its own for every link and picture; they change nothing.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def refusal(
    datasette: Datasette, scope: Scope, receive: Receive, credentials: Credentials, spool: Spool
) -> Answer | None:
    """The answer 403 to a request that a browser sent from elsewhere; None for any other.

    Only a session's cookie is sent without its holder's doing; tokens and signatures never are.

    Args:
        scope: with scheme and host of the public address, and header fields of :func:`with_origin`.
    """
    if not credentials.session or scope["method"] in _SAFE:
        return None
    # Not at import time: see the package's docstring.
    from datasette.csrf import CrossOriginProtectionMiddleware

    passed = False

    async def inside(_scope: Scope, _receive: Receive, _send: Send) -> None:
        nonlocal passed
        passed = True

    answer = await collect(CrossOriginProtectionMiddleware(inside, datasette), scope, receive, spool)
    return None if passed else answer


def with_origin(headers: Headers) -> Headers:
    """Where a browser says neither ``Sec-Fetch-Site`` nor ``Origin``, as old ones do, its ``Referer`` says whence.

    Such browsers do not know SameSite either: without this, a cookie would go along and nobody would ask.
    """
    sent = {name.lower(): value for name, value in headers}
    if b"origin" in sent or b"sec-fetch-site" in sent or b"referer" not in sent:
        return headers
    return [*headers, (b"origin", sent[b"referer"])]
