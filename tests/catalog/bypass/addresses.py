"""Every address that the running Datasette has, as examples that its patterns match."""

from __future__ import annotations

import re
from typing import Any

from tests.catalog.bypass.world import rows_of

#: What stands where a pattern takes anything. A table that is granted to one asker and one that is not.
_VALUES = {
    "database": ("work",),
    "table": ("inspections", "penalties", "_rows"),
    "query": ("inspections",),
    "pks": ("1",),
    "path": ("app.css", "../../identity.db"),
    "rest": ("/x",),
}
_GROUP = re.compile(r"\(\?P<(\w+)>((?:[^()]|\\\))*)\)")
_FORMAT = re.compile(r"\(\\\.\(\?P<format>([^)]*)\)\)\?")
_ANY_FORMAT = ("json", "csv", "blob", "db", "md", "html")


def decisions() -> dict[str, str]:
    """By Datasette's pattern: shut, or the name of our route that answers there."""
    return {row["pattern"]: row["decision"] for row in rows_of("datasette.csv")}


def patterns(datasette: Any) -> list[str]:
    """The patterns of Datasette's own route table; those that we registered come first in it and begin with ^."""
    found = [regex.pattern for regex, _ in datasette._routes()]
    return list(dict.fromkeys(pattern for pattern in found if not pattern.startswith("^")))


def our_patterns(datasette: Any) -> list[str]:
    """The patterns that our plugin registered."""
    return [regex.pattern for regex, _ in datasette._routes() if regex.pattern.startswith("^")]


def examples(pattern: str) -> list[str]:
    """Paths that ``pattern`` matches: in each format, for each of the values."""
    formats = _FORMAT.search(pattern)
    plain = [_FORMAT.sub("", pattern)]
    if formats:
        names = _ANY_FORMAT if formats[1] == r"\w+" else formats[1].split("|")
        plain += [_FORMAT.sub(f".{name}", pattern) for name in names]
    found: list[str] = []
    for each in plain:
        paths = [each.rstrip("$")]
        while any(_GROUP.search(path) for path in paths):
            paths = [_GROUP.sub(lambda _, v=value: v, path, count=1) for path in paths for value in _first_values(path)]
        found += [path.replace("\\", "") for path in paths]
    assert all(re.match(pattern, path) for path in found), (pattern, found)
    return found


def _first_values(path: str) -> tuple[str, ...]:
    group = _GROUP.search(path)
    return _VALUES[group[1]] if group else ()
