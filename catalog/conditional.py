"""Answers that a client may keep and ask for again only if they changed (RFC 9110 §13): what of the log is public."""

from __future__ import annotations

import hashlib
import re

from datasette.utils.asgi import Request, Response

_TAG_BYTES = 16
_TAGS = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def cacheable(request: Request, body: bytes, content_type: str, cache_control: str) -> Response:
    """``body`` with an entity tag; 304 without it where the client says that it has just this one."""
    tag = f'"{hashlib.sha256(body).hexdigest()[: 2 * _TAG_BYTES]}"'
    headers = {"etag": tag, "cache-control": cache_control}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(b"", status=304, content_type=content_type, headers=headers)
    return Response(body, content_type=content_type, headers=headers)


def _has(field: str, tag: str) -> bool:
    """Whether an If-None-Match field names ``tag``; weak comparison, as RFC 9110 §13.1.2 wants."""
    return field.strip() == "*" or tag in _TAGS.findall(field)
