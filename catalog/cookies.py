"""Our cookies: their names, and attributes by the public address.

Source: RFC 6265bis §4.1.3: browsers take a ``__Host-`` cookie only over TLS, for the whole host and from no other
host; below a path only ``__Secure-`` is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.address import PublicAddress

if TYPE_CHECKING:
    from datasette import Response

_SESSION, _BROWSER = "liandong_session", "liandong_browser"


def session_cookie(address: PublicAddress) -> str:
    """The name of the session's cookie."""
    return _named(address, _SESSION)


def browser_cookie(address: PublicAddress) -> str:
    """The name of the cookie by which a browser is known in which somebody signed in before."""
    return _named(address, _BROWSER)


def _named(address: PublicAddress, name: str) -> str:
    if not address.secure:
        return name
    return f"__Secure-{name}" if address.prefix else f"__Host-{name}"


def set_cookie(response: Response, address: PublicAddress, name: str, value: str, max_age_seconds: int) -> None:
    """Set one of our cookies; ``max_age_seconds`` 0 deletes it. Scripts never see it, other sites never send it."""
    response.set_cookie(
        name,
        value,
        max_age=max_age_seconds,
        path=address.prefix or "/",
        secure=address.secure,
        httponly=True,
        samesite="lax",
    )
