"""What every page of ours does: render, and lead to an address of this site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

if TYPE_CHECKING:
    from datasette.app import Datasette


async def page(
    datasette: Datasette, request: Request, template: str, about: dict[str, Any], status: int = 200
) -> Response:
    """One of our templates as an answer."""
    html = await datasette.render_template(template, about, request=request)
    return Response.html(html, status=status)


def safe_next(target: str | None) -> str:
    """A path on this site, or the home page: never another site (``//host``, ``/\\host``) or a scheme."""
    if target and re.fullmatch(r"/(?![/\\])[!-~]*", target) and "\\" not in target:
        return target
    return "/"
