"""What every page of ours does: render, read a form, lead to an address of this site, answer a mistake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from datasette import Response
from datasette.utils.asgi import Request

from catalog.errors import RequestError

if TYPE_CHECKING:
    from datasette.app import Datasette

MAX_FORM_FIELDS = 20
#: A form with boxes to tick, for each column of a table or each agency.
MAX_LIST_FIELDS = 300


async def page(
    datasette: Datasette, request: Request, template: str, about: dict[str, Any], status: int = 200
) -> Response:
    """One of our templates as an answer."""
    html = await datasette.render_template(template, about, request=request)
    return Response.html(html, status=status)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, the first value of each."""
    return {name: values[0] for name, values in (await form_lists(request, MAX_FORM_FIELDS)).items()}


async def form_lists(request: Request, limit: int = MAX_LIST_FIELDS) -> dict[str, list[str]]:
    """The fields of a form, all values of each.

    Raises:
        RequestError: 400, more than ``limit`` fields.
    """
    body = await request.post_body()
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=limit, keep_blank_values=False)
    except ValueError as error:
        raise RequestError(400, "the form has too many fields", "表单字段过多") from error


def safe_next(target: str | None) -> str:
    """A path on this site, or the home page: never another site (``//host``, ``/\\host``) or a scheme."""
    if target and re.fullmatch(r"/(?![/\\])[!-~]*", target) and "\\" not in target:
        return target
    return "/"
