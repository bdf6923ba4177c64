"""What is published and what the directory lists, as the pages show it: by category, agency and table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.utils import escape_sqlite

from catalog import i18n, titles
from catalog.i18n import gettext
from catalog.identity.agencies import agencies
from catalog.listing import Address, TablePage, local_time, say, sentence, sharing_class
from catalog.permissions import Decision
from catalog.service import Service
from catalog.titles import Titles
from ingest.schema import BATCHES_TABLE

if TYPE_CHECKING:
    from datasette.app import Datasette

#: Rows of a table are counted up to here; beyond it the page says "more than".
COUNT_LIMIT = 10_000

#: Directory entries by the code of their category (None: nobody has said) and their provider as the source writes it.
Counts = dict[tuple[str | None, str], int]


class Overview:
    """The catalogue as one signed-in agency sees it now.

    Args:
        actor: the actor as Datasette has it.
    """

    def __init__(self, datasette: Datasette, service: Service, actor: dict[str, Any]) -> None:
        self._datasette = datasette
        self._urls = datasette.urls
        self._titles: Titles = titles.of_instance(service.instance.path)
        self._agencies = agencies(service.register)
        self._names = agency_names(self._agencies)
        self._decisions = service.decisions(actor["agency"], actor["role"])

    # -- home ---------------------------------------------------------------------------------------------------------

    async def home(self) -> dict[str, Any]:
        """What home.html shows: the six categories, and agencies by categories."""
        counts = await self._directory_counts()
        return {
            "cards": [
                {
                    "database": database,
                    "code": text.code,
                    "title": say(text.title),
                    "about": say(text.about),
                    "path": self._urls.database(database),
                    "tables": self._published(database),
                    "entries": _count(counts, text.code),
                    "entries_url": self._entries_url(text.code),
                }
                for database, text in self._titles.databases.items()
            ],
            "entries": sum(counts.values()),
            "matrix": self._matrix(counts),
            "other_categories": [self._category_title(code) for code in self._other_codes(counts)],
            "unclassified": _count(counts, None),
            "unclassified_url": self._entries_url(None),
        }

    def _matrix(self, counts: Counts) -> list[dict[str, Any]]:
        """Agencies by categories: how many directory entries. Providers that are not registered make the last row."""
        rows = []
        for agency in self._agencies:
            provider = agency["name_zh"]
            own = {place: n for place, n in counts.items() if place[1] == provider}
            # Supervising offices and the like provide nothing; that is no gap.
            gaps = agency["role"] == "agency"
            if gaps or own:
                name = i18n.choose(provider, agency["name_en"])
                rows.append(self._matrix_row(name, own, self._other_codes(counts), {"provider": provider}, gaps=gaps))
        registered = [agency["name_zh"] for agency in self._agencies]
        others = {place: n for place, n in counts.items() if place[1] not in registered}
        if others:
            asked = {"provider__notin": json.dumps(registered, ensure_ascii=False)}
            rows.append(self._matrix_row(gettext("Other providers"), others, self._other_codes(counts), asked))
        return rows

    def _matrix_row(
        self, name: str, own: Counts, other_codes: list[str | None], asked: dict[str, str], *, gaps: bool = False
    ) -> dict[str, Any]:
        codes = [text.code for text in self._titles.databases.values()]
        # `provider NOT IN (…)` leaves out entries without a provider: a link would show fewer than the number says.
        linked = all(provider is not None for _, provider in own)
        cells = [
            {
                "count": _count(own, code),
                "gap": gaps and code in codes and not _count(own, code),
                "url": self._listed({**_of_category(code), **asked}) if linked else "",
            }
            for code in (*codes, *other_codes)
        ]
        return {"agency": name, "cells": cells, "sum": sum(own.values()), "url": self._listed(asked) if linked else ""}

    def _other_codes(self, counts: Counts) -> list[str | None]:
        """Categories of entries beside the six: 9 (other), and None, which nobody has classed, at the end."""
        six = {text.code for text in self._titles.databases.values()}
        found = {code for code, _ in counts} - six
        named: list[str | None] = [*sorted(code for code in found if code is not None)]
        return [*named, None] if None in found else named

    @staticmethod
    def _category_title(code: str | None) -> str:
        return gettext("Not classed") if code is None else say(titles.code_meaning("category", code)) or code

    # -- one category -------------------------------------------------------------------------------------------------

    async def category(self, database: str) -> dict[str, Any]:
        """What database.html shows: all published tables, those that the agency may not open included."""
        text = self._titles.databases[database]
        tables = self._published(database)
        counts = await self._row_counts(database, {table["name"] for table in tables})
        updated = await self._updated(database)
        entries = await self._directory_counts()
        known = {agency["name_zh"]: agency["name_en"] for agency in self._agencies}
        providers = sorted((-n, provider) for (code, provider), n in entries.items() if code == text.code)
        return {
            "title": say(text.title),
            "about": say(text.about),
            "tables": [
                {**table, "count": counts.get(table["name"]), "updated": updated.get(table["name"])} for table in tables
            ],
            "entries": _count(entries, text.code),
            "entries_url": self._entries_url(text.code),
            "providers": [
                {
                    "name": i18n.choose(provider, known.get(provider, provider)),
                    "count": -n,
                    "url": self._entries_url(text.code, provider),
                }
                for n, provider in providers
            ],
        }

    async def _row_counts(self, database: str, published: set[str]) -> dict[str, int]:
        tables = [name for name in await self._datasette.get_database(database).table_names() if name in published]
        if not tables:
            return {}
        counted = ", ".join(
            f"(SELECT count(*) FROM (SELECT 1 FROM {escape_sqlite(name)} LIMIT {COUNT_LIMIT + 1}))"  # noqa: S608
            for name in tables
        )
        result = await self._datasette.get_database(database).execute(f"SELECT {counted}")
        return dict(zip(tables, result.rows[0], strict=True))

    # -- one table ----------------------------------------------------------------------------------------------------

    async def table(self, database: str, table: str, query_string: str, decision: Decision | None = None) -> TablePage:
        """What table.html and row.html ask about their table.

        Args:
            decision: for the purpose that was stated, where one was.
        """
        updated = await self._updated(database)
        facts = next((each for each in self._published(database) if each["name"] == table), {})
        if decision is not None:
            facts |= _decided(decision)
        return TablePage(
            self._titles.table(database, table),
            Address.of(self._urls.table(database, table), query_string),
            {**facts, "updated": updated.get(table)},
        )

    def published(self, database: str, table: str) -> dict[str, Any] | None:
        """A published table with its provider, its sharing class and what decides for the agency."""
        return next((each for each in self._published(database) if each["name"] == table), None)

    def _published(self, database: str) -> list[dict[str, Any]]:
        here = [each for each in self._decisions if each[0]["database"] == database]
        here.sort(key=lambda each: self._titles.rank(database, each[0]["table_name"]))
        return [self._facts(resource, decision) for resource, decision in here]

    def _facts(self, resource: dict[str, str], decision: Decision) -> dict[str, Any]:
        text = self._titles.table(resource["database"], resource["table_name"])
        path = self._urls.table(text.database, text.name)
        place = f"{text.database}/{text.name}"
        opens = decision.allowed or decision.code == "purpose_needed"
        return {
            "name": text.name,
            "path": path,
            # What is not open leads to the page that says why and what would open it: looking there is no query. What
            # is open in some columns is asked with the form: Datasette knows no columns.
            "url": self._urls.path(_way(place, decision, opens=opens)),
            "title": say(text.title),
            "about": say(text.about),
            "provider": self._names.get(resource["provider"], resource["provider"]),
            "sharing_class": sharing_class(resource["sharing_class"]),
            **_decided(decision),
        }

    # -- from the databases -------------------------------------------------------------------------------------------

    async def _directory_counts(self) -> Counts:
        result = await self._datasette.get_database("directory").execute(
            "SELECT category, provider, count(*) FROM resources GROUP BY 1, 2", truncate=False
        )
        return {(row[0], row[1]): row[2] for row in result.rows}

    async def _updated(self, database: str) -> dict[str, str]:
        """When the newest recorded batch of each table was finished, by the county's clock."""
        result = await self._datasette.get_database(database).execute(
            f"SELECT table_name, max(finished_at) FROM {BATCHES_TABLE} WHERE status = 'recorded' GROUP BY 1"  # noqa: S608
        )
        return {row[0]: local_time(row[1]) for row in result.rows}

    def _entries_url(self, category: str | None, provider: str = "") -> str:
        return self._listed({**_of_category(category), **({"provider": provider} if provider else {})})

    def _listed(self, asked: dict[str, str]) -> str:
        """The address of the directory's entries that fit."""
        return f"{self._urls.table('directory', 'resources')}?{urlencode(asked)}"


def _decided(decision: Decision) -> dict[str, Any]:
    reason = sentence(i18n.choose(decision.reason_zh, decision.reason_en))
    return {"allowed": decision.allowed, "code": decision.code, "reason": reason}


def _way(place: str, decision: Decision, *, opens: bool) -> str:
    """Where a table's name leads."""
    if not opens:
        return "/access?" + urlencode({"resource": place})
    return f"/query/{place}" if decision.columns is not None else f"/{place}"


def agency_names(agencies: Iterable[dict[str, str]]) -> dict[str, str]:
    """The names of agencies by id, in the reader's language."""
    return {agency["id"]: i18n.choose(agency["name_zh"], agency["name_en"]) for agency in agencies}


def _of_category(code: str | None) -> dict[str, str]:
    return {"category": code} if code is not None else {"category__isnull": "1"}


def _count(counts: Counts, category: str | None) -> int:
    return sum(n for (code, _), n in counts.items() if code == category)
