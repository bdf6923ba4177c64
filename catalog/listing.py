"""What the pages of a table and of a row show: columns, cells, conditions, counts by value, links. Pure.

Datasette answers the query; this module says in the reader's language what was asked and what came back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from catalog.i18n import choose, gettext
from catalog.titles import BATCH, NOTE, ROW_ID, ColumnText, TableText, code_meaning
from ingest.label import Label

#: So many columns are shown of a row where there is little room.
_LISTED_FIRST = 6
_COUNTED = {("directory", "resources"): ("category", "sharing_class", "provider", "update_cycle", "openness")}
#: The columns that are read first where the order of the source is another.
_READ_FIRST = {
    ("directory", "resources"): ("name", "provider", "category", "sharing_class", "update_cycle", "channel", "summary")
}
_KINDS = {"integer": "number", "decimal": "number", "date": "date", "url": "url"}
_ASIDE = frozenset({ROW_ID, BATCH, NOTE})
#: What a new query, another page or another order does not take along.
_PLACE = ("_next",)
_FORM = ("_filter_column", "_filter_op", "_filter_value")


def say(label: Label | None) -> str:
    """A label in the reader's language."""
    return choose(label.zh, label.en) if label is not None else ""


def sentence(text: str) -> str:
    """``text`` with a capital at its beginning, as it stands alone on a page."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it is shown. ``kind``: empty, text, number, date, time, list or url; ``note``: what a code means."""

    kind: str
    text: str = ""
    note: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One column of a page. ``minor``: left out where there is little room; ``sorted``: "", asc or desc."""

    text: ColumnText
    title: str
    about: str
    lead: bool = False
    minor: bool = False
    sorted: str = ""
    sort_url: str = ""

    @classmethod
    def of(cls, text: ColumnText, **more: Any) -> ColumnView:
        """A column with its title and meaning in the reader's language: said once, shown in every row."""
        return cls(text, say(text.title), say(text.about), **more)

    @property
    def name(self) -> str:
        return self.text.name

    def cell(self, value: object) -> Cell:
        """A value of this column as it is shown."""
        return show(self.text, value)


def show(column: ColumnText, value: object) -> Cell:
    """A stored value as it is shown: never translated, a code's meaning stands beside it."""
    if value is None or value == "":
        return Cell("empty")
    text = str(value)
    if column.type == "list":
        items = _items(text)
        return Cell("list", "、".join(items), items=items)
    if column.type == "datetime":
        return Cell("time", _clock(text))
    if column.type == "url" and not text.startswith(("https://", "http://")):
        return Cell("text", text)
    meaning = say(code_meaning(column.codes, value)) if column.codes else ""
    kind = "number" if type(value) in (int, float) else _KINDS.get(column.type, "text")
    return Cell(kind, text, meaning if meaning != text else "")


def _items(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except ValueError:
        return (text,)
    return tuple(map(str, value)) if isinstance(value, list) else (text,)


def _clock(text: str) -> str:
    """``2026-01-09T08:50:00+08:00`` as the county's clock shows it; any other form as it stands."""
    if len(text) == 25 and text.endswith("+08:00"):
        return f"{text[:10]} {text[11:16]}" + ("" if text[16:19] == ":00" else text[16:19])
    return text


def clock(moment: datetime) -> str:
    """An aware time as the county's clock shows it (UTC+8, no daylight saving): ``2026-11-23 10:03:04``."""
    return moment.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")


def local_time(t: str) -> str:
    """An entry's UTC time, ``2026-11-23T02:03:04.123Z``, as the county's clock shows it."""
    return clock(datetime.fromisoformat(t))


# -- addresses --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A path and its query, from which others follow."""

    path: str
    args: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, path: str, query_string: str) -> Address:
        return cls(path, tuple(parse_qsl(query_string, keep_blank_values=True)))

    def without(self, *names: str, pair: tuple[str, str] | None = None) -> Address:
        """Without the arguments of these names, and without one argument of this name and value."""
        kept = [arg for arg in self.args if arg[0] not in names and arg != pair]
        return Address(self.path, tuple(kept))

    def having(self, *args: tuple[str, str]) -> Address:
        return Address(self.path, self.args + args)

    def as_format(self, name: str) -> Address:
        return Address(f"{self.path}.{name}", self.args)

    def __str__(self) -> str:
        return f"{self.path}?{urlencode(self.args)}" if self.args else self.path


# -- conditions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison that the form offers; ``value`` as Datasette's forms send it."""

    value: str
    title: str


def operators() -> list[Operator]:
    """The comparisons, in the reader's language."""
    return [
        Operator("exact", gettext("is")),
        Operator("contains", gettext("contains")),
        Operator("startswith", gettext("begins with")),
        Operator("endswith", gettext("ends with")),
        Operator("not", gettext("is not")),
        Operator("notcontains", gettext("does not contain")),
        Operator("gt", gettext("is greater or later than")),
        Operator("gte", gettext("is at least, or not before")),
        Operator("lt", gettext("is less or earlier than")),
        Operator("lte", gettext("is at most, or not after")),
        Operator("isblank__1", gettext("is empty")),
        Operator("notblank__1", gettext("is not empty")),
    ]


def _operator_titles() -> dict[str, str]:
    named = {operator.value.partition("__")[0]: operator.title for operator in operators()}
    empty, not_empty = named["isblank"], named["notblank"]
    more = {"in": gettext("is one of"), "notin": gettext("is none of"), "arraycontains": gettext("has the item")}
    return {**named, "isnull": empty, "notnull": not_empty, **more}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the query at hand, and the address of the query without it; ``note``: what a code means."""

    column: str
    operator: str
    value: str
    note: str
    remove_url: str


_NO_VALUE = frozenset({"isblank", "notblank", "isnull", "notnull"})
_LISTS = frozenset({"in", "notin"})


def conditions(table: TableText, address: Address) -> list[Condition]:
    """The conditions in an address, by Datasette's rules for arguments."""
    titles = _operator_titles()
    found = []
    for name, value in address.args:
        if name.startswith("_") and "__" not in name:
            continue
        column, _, lookup = name.rpartition("__") if "__" in name else (name, "", "exact")
        text = table.column(column)
        meaning = say(code_meaning(text.codes, value))
        found.append(
            Condition(
                say(text.title),
                titles.get(lookup, lookup),
                "" if lookup in _NO_VALUE else "、".join(_items(value)) if lookup in _LISTS else value,
                meaning if meaning != value and lookup not in _NO_VALUE else "",
                str(address.without(*_PLACE, pair=(name, value))),
            )
        )
    return found


# -- counts by value --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FacetValue:
    """How many rows have a value; ``url`` asks for them, or takes the condition away where it is ``selected``."""

    text: str
    note: str
    count: int
    url: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """The counts of one column."""

    title: str
    values: list[FacetValue]
    remove_url: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A named address."""

    title: str
    url: str


# -- the page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TablePage:
    """What table.html and row.html ask about their table.

    Attributes:
        address: of the table with the query at hand.
        facts: provider, sharing class, decision and the like, from the register.
    """

    text: TableText
    address: Address
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return say(self.text.title)

    @property
    def about(self) -> str:
        return say(self.text.about)

    @property
    def path(self) -> str:
        return self.address.path

    @property
    def query_path(self) -> str:
        """The query form, which asks by POST."""
        place = f"/{self.text.database}/{self.text.name}"
        return f"{self.address.path.removesuffix(place)}/query{place}"

    def row_title(self, row: Mapping[str, Any]) -> str:
        """What people call a row: its document number, its name; else its number in the table."""
        values = dict(row)
        value = values.get(self.text.lead or "")
        return str(value) if value not in (None, "") else gettext("Row %(number)s") % {"number": values[ROW_ID]}

    def columns(self, names: Sequence[str], sort: str | None = None, sort_desc: str | None = None) -> list[ColumnView]:
        """The columns of the list: the one by which rows are known first; what is ours is left aside."""
        lead = self.text.lead if self.text.lead in names else None
        first = _READ_FIRST.get((self.text.database, self.text.name), (lead,) if lead else ())
        order = [name for name in first if name in names]
        order += [name for name in names if name not in order and name not in _ASIDE]
        return [
            ColumnView.of(
                self.text.column(name),
                lead=name == lead,
                minor=position >= _LISTED_FIRST,
                sorted="asc" if name == sort else "desc" if name == sort_desc else "",
                sort_url=self._sort_url(name, sort),
            )
            for position, name in enumerate(order)
        ]

    def all_columns(self, names: Sequence[str]) -> list[ColumnView]:
        """Every column, the system's own last."""
        own = [name for name in names if name in _ASIDE]
        return [ColumnView.of(self.text.column(name)) for name in [*(n for n in names if n not in _ASIDE), *own]]

    def _sort_url(self, name: str, sort: str | None) -> str:
        if self.text.by_post(name):
            return ""
        key = "_sort_desc" if name == sort else "_sort"
        return str(self.address.without("_sort", "_sort_desc", *_PLACE).having((key, name)))

    def askable(self, names: Iterable[str]) -> list[ColumnView]:
        """The columns that the form offers: not those whose values must not stand in an address."""
        return [
            ColumnView.of(self.text.column(name))
            for name in names
            if name not in _ASIDE and not self.text.by_post(name)
        ]

    def withheld(self, names: Iterable[str]) -> list[ColumnView]:
        """The columns that the form does not offer, since their values must not stand in an address; names first."""
        texts = [self.text.column(name) for name in names if self.text.by_post(name)]
        return [ColumnView.of(text) for text in sorted(texts, key=lambda text: not text.private)]

    @property
    def operators(self) -> list[Operator]:
        return operators()

    @property
    def conditions(self) -> list[Condition]:
        return conditions(self.text, self.address)

    @property
    def kept_args(self) -> list[tuple[str, str]]:
        """What the form sends along unseen: conditions so far and counts by value."""
        return list(self.address.without("_sort", "_sort_desc", "_sort_by_desc", *_FORM, *_PLACE).args)

    @property
    def first_url(self) -> str:
        """The first page of the query, if the page at hand is a later one."""
        return str(self.address.without(*_PLACE)) if any(name in _PLACE for name, _ in self.address.args) else ""

    @property
    def all_url(self) -> str:
        """The table without any condition."""
        return self.address.path

    def next_url(self, url: str | None) -> str:
        """The next page; none where its address would hold values of rows about somebody: that goes by POST."""
        if not url:
            return ""
        there = self._of_this_table(url)
        if not dict(there.args).get("_next", "").isdecimal() and self.text.about_somebody:
            return ""
        return str(there)

    @property
    def json_url(self) -> str:
        return str(self.address.as_format("json"))

    @property
    def csv_url(self) -> str:
        """The whole query as a file for a spreadsheet."""
        facets = [name for name, _ in self.address.args if name.startswith("_facet")]
        address = self.address.without("_size", "_stream", "_dl", *facets, *_PLACE)
        return str(address.having(("_stream", "1"), ("_dl", "1")).as_format("csv"))

    def facets(self, results: Iterable[Mapping[str, Any]]) -> list[Facet]:
        """Datasette's facets in the reader's language."""
        return [
            Facet(
                say(self.text.column(str(result["name"])).title),
                [self._facet_value(str(result["name"]), value) for value in result["results"]],
                self._from_first_page(result["toggle_url"]),
                bool(result["truncated"]),
            )
            for result in results
        ]

    def _from_first_page(self, url: str) -> str:
        return str(self._of_this_table(url).without(*_PLACE))

    def _of_this_table(self, url: str) -> Address:
        """Of an address that Datasette made, the query alone: some of them lack the prefix, and the table is known."""
        return Address.of(self.address.path, urlsplit(url).query)

    def _facet_value(self, column: str, value: Mapping[str, Any]) -> FacetValue:
        text = self.text.column(column)
        meaning = say(code_meaning(text.codes, value["value"]))
        shown = str(value["value"])
        return FacetValue(
            shown,
            meaning if meaning != shown else "",
            value["count"],
            self._from_first_page(value["toggle_url"]),
            bool(value["selected"]),
        )

    @property
    def facet_links(self) -> list[Link]:
        """Counts by value that could be asked for and were not."""
        counted = _COUNTED.get((self.text.database, self.text.name))
        texts: list[ColumnText] = (
            [self.text.column(name) for name in counted]
            if counted
            else [text for text in self.text.columns.values() if text.countable]
        )
        links = []
        for text in texts:
            arg = ("_facet_array" if text.type == "list" else "_facet", text.name)
            if arg not in self.address.args:
                links.append(Link(say(text.title), str(self.address.without(*_PLACE).having(arg))))
        return links


def sharing_class(value: str) -> str:
    """A sharing class in the reader's language."""
    return say(code_meaning("sharing_class", value)) or value
