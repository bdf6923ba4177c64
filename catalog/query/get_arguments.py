"""By which columns an address of a table may ask: those that are there, and whose values may stand in an address.

An address lies in histories, proxies and bookmarks. So a GET neither filters, sorts, counts nor searches by a column
that tells who somebody is, free text about them included; the form by POST does, and so does ``POST /api/query``. Which
arguments there are at all is :mod:`catalog.arguments`'s. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from catalog.errors import RequestError
from catalog.query.schema import TableSchema

#: Arguments whose value is a column.
_NAMING = frozenset({"_sort", "_sort_desc", "_facet", "_facet_array", "_facet_date"})
#: The form of a table's page, which Datasette turns into conditions.
_FORM_COLUMN = re.compile(r"_filter_column(_[0-9]+)?")
_SEARCH = re.compile(r"_search(_.+)?")
#: Without an order of its own a page goes by row number.
_PLAIN_NEXT = re.compile(r"[0-9]{1,16}")


class PrivateColumnError(RequestError):
    """400: an address asks by a column whose values must not stand in it; the answer points to the form by POST."""

    def __init__(self, resource: str, prefix: str, en: str, zh: str) -> None:
        super().__init__(
            400,
            f"{en}: who somebody is must not stand in an address, where histories "
            "and proxies keep it; ask with the query "
            f"form {prefix}/query/{resource} or POST {prefix}/api/query/{resource}",
            f"{zh}：能识别当事人的内容不得写入网址，以免留在浏览记录和代理日志中；"
            f"请改用查询表单 {prefix}/query/{resource} "
            f"或 POST {prefix}/api/query/{resource}",
        )
        self._post = {"page": f"{prefix}/query/{resource}", "api": f"{prefix}/api/query/{resource}"}

    @property
    def details(self) -> dict[str, Any]:
        return {"code": "use_post", "post": self._post}


def check(query_string: str, schema: TableSchema, prefix: str = "") -> None:
    """Let an address of a table pass, or say why not.

    Args:
        prefix: the public path below which everything lies.

    Raises:
        PrivateColumnError: it asks by a column that tells who somebody is.
        RequestError: 400, an argument that is not served, or a column that is not there.
    """
    private = {name: column for name, column in schema.columns.items() if schema.text.by_post(name)}
    arguments = parse_qsl(query_string, keep_blank_values=True)
    for name, value in arguments:
        if name in _NAMING or _FORM_COLUMN.fullmatch(name):
            _check_column(value, schema, private, prefix)
        elif _SEARCH.fullmatch(name):
            if private and name != "_searchmode":
                raise _private(schema, prefix, "search", "检索")
        elif not name.startswith("_") or "__" in name:
            column = name.rpartition("__")[0] if "__" in name else name
            if not column:
                raise RequestError(
                    400,
                    f"the argument {name[:64]!r} names no column; filter by the table's own columns",
                    f"参数 {name[:64]!r} 未指明字段；请按本表的字段筛选",
                )
            _check_column(column, schema, private, prefix, whole=name)
    _check_next(arguments, schema, private, prefix)


def _check_next(arguments: list[tuple[str, str]], schema: TableSchema, private: Mapping[str, Any], prefix: str) -> None:
    """Datasette's cursors hold the last row's values as they are: where rows are about somebody, only row numbers."""
    if private and any(name == "_next" and not _PLAIN_NEXT.fullmatch(value) for name, value in arguments):
        raise PrivateColumnError(
            schema.resource,
            prefix,
            "further pages of a sorted list are not served by address here",
            "此表排序后的后续页不通过网址提供",
        )


def _check_column(
    name: str, schema: TableSchema, private: Mapping[str, Any], prefix: str, *, whole: str | None = None
) -> None:
    """``whole``: the argument's name, where SQLite or Datasette could take another part of it for the column."""
    # SQLite does not tell capitals apart.
    folded = {name.casefold(), (whole or name).casefold()}
    asked = [column for column in private if any(each == column or each.startswith(f"{column}__") for each in folded)]
    if asked:
        column = private[asked[0]]
        title = column.text.title
        raise _private(schema, prefix, f"ask by {title.en}", f"按“{title.zh}”查询")
    if name and name not in schema.columns:
        raise RequestError(
            400,
            f"the table has no column {name[:64]!r}; the section “API” of its page names them",
            f"该表没有字段 {name[:64]!r}；字段名见该表页面的“接口”一节",
        )


def _private(schema: TableSchema, prefix: str, en: str, zh: str) -> PrivateColumnError:
    return PrivateColumnError(schema.resource, prefix, f"an address cannot {en}", f"不能通过网址{zh}")
