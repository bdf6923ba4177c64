"""The arguments of Datasette that an address may carry. Deny by default: a newer Datasette can open nothing by another.

An argument whose name begins with ``_`` and holds no ``__`` is special to Datasette; every other one is a condition on
a column of the table that was asked for.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from catalog.errors import RequestError

_ALLOWED = frozenset(
    {
        # which rows, in which order, how many
        "_search", "_searchmode", "_sort", "_sort_desc", "_sort_by_desc", "_next", "_size",
        # which columns, counts by value
        "_col", "_nocol", "_facet", "_facet_array", "_facet_date", "_facet_size", "_nofacet", "_nocount", "_nosuggest",
        # in which form
        "_shape", "_nl", "_json", "_json_infinity", "_header", "_dl", "_stream", "_extra",
    }
)  # fmt: skip
#: The form of a table's page sends these; Datasette leads from them to the plain condition.
_FORM = re.compile(r"_filter_(column|op|value)(_[0-9]+)?|_search_[a-z][a-z0-9_]*")
_EXTRAS = frozenset(
    {
        "all_columns", "column_details", "column_types", "columns", "count", "count_truncated", "database",
        "facet_results", "facets_timed_out", "human_description_en", "is_view", "metadata", "primary_keys", "query",
        "table",
    }
)  # fmt: skip
_NAME_SHOWN = 40


def refuse_arguments(query: str) -> None:
    """Raise :class:`RequestError` 400 for an argument that is not served.

    ``_through`` filters by another table, whose permission would have to be decided and recorded too; ``_where`` is
    SQL; ``_extra`` beyond these says things of the service, not of the table.
    """
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.startswith("_") and "__" not in name and name not in _ALLOWED and not _FORM.fullmatch(name):
            raise RequestError(
                400,
                f"the argument {name[:_NAME_SHOWN]} is not served here; filter by the table's own columns",
                f"不支持参数 {name[:_NAME_SHOWN]}；请按本表的字段筛选",
            )
        if name == "_extra" and not _EXTRAS.issuperset(value.split(",")):
            raise RequestError(
                400,
                f"_extra is a list, separated by commas, of {', '.join(sorted(_EXTRAS))}",
                f"_extra 应为以逗号分隔的列表，可用的有 {'、'.join(sorted(_EXTRAS))}",
            )
