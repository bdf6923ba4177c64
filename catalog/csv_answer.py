"""A table as CSV: one page of rows as a program asks for it, or with ``_stream=1`` the whole query.

Datasette's own CSV stops at an error or at its limit in the middle, says so in the last line and calls it 200. Here a
file is whole or the answer is an error. The rows are Datasette's, page by page, with its permission check at each. Like
:mod:`catalog.plugin` this depends on Datasette 1.0a41 (docs/adr/0001): on ``table_view_data``.

A whole query is not one instant: rows that are added or changed while it is read may be in it or not; none comes twice.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import AsgiStream, Request

from catalog import tally
from catalog.errors import RequestError
from catalog.excel import BYTE_ORDER_MARK, for_spreadsheets

if TYPE_CHECKING:
    from datasette.app import Datasette

#: A whole query that takes longer is stopped: it keeps a thread and a place in the queue from others.
MAX_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Page:
    """Some rows of the query. ``following`` is the place of the next page."""

    columns: list[str]
    rows: list[Any]
    following: str | None


class _TableQuery:
    """A query of one table as the request asks for it."""

    def __init__(self, datasette: Datasette, request: Request, resolved: Any, *, whole: bool) -> None:
        more = "&_size=max" if whole else ""
        asked = f"{request.query_string}&_nofacet=1&_nocount=1{more}".lstrip("&")
        # Datasette takes the first of several values, so a size that was asked for must go.
        parts = [part for part in asked.split("&") if not (whole and part.startswith("_size=") and part != "_size=max")]
        scope = {**request.scope, "query_string": "&".join(parts).encode("latin-1")}
        self._datasette, self._resolved = datasette, resolved
        self._request = Request(scope, request.receive)

    async def page(self, place: str | None) -> _Page | Response:
        """The page at ``place``; a response where Datasette sends the asker elsewhere."""
        from datasette.permissions import _permission_check_cache
        from datasette.views.table import table_view_data  # not at import time: see the package's docstring

        # Datasette remembers its decisions for a request; a whole query may last, and a grant end meanwhile.
        _permission_check_cache.set({})
        found = await table_view_data(self._datasette, self._request, self._resolved, _next=place)
        if isinstance(found, Response):
            return found
        data, rows, columns, *_ = found
        return _Page(columns, [_as_text(row) for row in rows], data["next"])


async def table(datasette: Datasette, request: Request, reserve: Callable[[int], None]) -> Response | AsgiStream:
    """The answer for ``/DATABASE/TABLE.csv``.

    Args:
        reserve: told of the rows of each page of a whole query before they are written; raises where the agency may not
            have so many.

    Raises:
        RequestError: 400, a place in a whole query.
        Exception: what Datasette raises for a table, a permission or a condition.
    """
    await datasette.refresh_schemas()
    resolved = await datasette.resolve_table(request)
    whole = "_stream" in request.args
    if whole and "_next" in request.args:
        raise RequestError(
            400,
            "_stream gives the whole query; leave out _next, or ask page by page without _stream",
            "_stream 一次提供全部结果；请去掉 _next，或不带 _stream 分页查询",
        )
    query = _TableQuery(datasette, request, resolved, whole=whole)
    first = await query.page(None if whole else request.args.get("_next"))
    if isinstance(first, Response):
        return first
    to_save = "_dl" in request.args
    headers = {"content-disposition": f'attachment; filename="{resolved.table}.csv"'} if to_save else {}
    content_type = f"text/{'csv' if to_save else 'plain'}; charset=utf-8"
    if request.method == "HEAD":
        return Response("", headers=headers, content_type=content_type)

    async def write(out: Any) -> None:
        if to_save:
            await out.write(BYTE_ORDER_MARK)
        if request.args.get("_header") != "off":
            await out.write(_written([first.columns], to_save))
        async for page in _pages(query, first, whole=whole):
            if whole:
                reserve(len(page.rows))
            await out.write(_written(page.rows, to_save))
            tally.add(len(page.rows))

    async def write_in_time(out: Any) -> None:
        try:
            async with asyncio.timeout(MAX_SECONDS):
                await write(out)
        except TimeoutError as error:
            raise RequestError(
                413,
                "the whole query takes too long to be given at once; narrow it with a condition, or sort by nothing",
                "全部结果耗时过长，无法一次提供；请增加条件、缩小范围，或去掉排序",
            ) from error

    return AsgiStream(write_in_time, headers=headers, content_type=content_type)


async def _pages(query: _TableQuery, first: _Page, *, whole: bool) -> AsyncIterator[_Page]:
    page: _Page | Response = first
    while isinstance(page, _Page):
        yield page
        if not whole or page.following is None:
            return
        page = await query.page(page.following)


def _written(rows: Iterable[Iterable[Any]], to_save: bool) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(map(for_spreadsheets, rows) if to_save else rows)
    return text.getvalue()


def _as_text(row: Iterable[Any]) -> tuple[Any, ...]:
    """A row for CSV. Our tables hold no bytes; where some came in another way, they are written as base64."""
    return tuple(base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell for cell in row)
