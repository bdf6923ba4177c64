"""What the rules of :mod:`catalog.anomalies` flag, for the supervising offices, who judge it. Looking is recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n, titles
from catalog.anomalies.repeated_purpose import RULE as REPEATED
from catalog.anomalies.repeats import repeats
from catalog.anomalies.review import MAX_NOTE_LENGTH, VERDICTS, review
from catalog.anomalies.rules import Flag
from catalog.anomalies.shelf import FILE, Filter, Review, Shelf
from catalog.anomalies.thresholds import of_instance
from catalog.anomalies.words import RULES, TITLES, sentence
from catalog.authentication import Credentials
from catalog.entry_view import resource_title
from catalog.errors import RequestError
from catalog.forms import read_form
from catalog.i18n import gettext
from catalog.identity import duties
from catalog.identity.agencies import agencies
from catalog.listing import local_time
from catalog.overview import agency_names
from catalog.purpose import CODES
from catalog.refusal import purpose_title
from catalog.service import Service
from catalog.web import page

if TYPE_CHECKING:
    from datasette.app import Datasette

PAGE_SIZE = 20
#: So many entries of the ledger are looked at before a page is shown; the next page goes on.
_AT_ONCE = 50_000
#: So many entry numbers of one flag are shown.
_SHOWN = 12
_STATES = ("open", "reviewed")
_BEFORE = re.compile(r"(?P<last>[0-9]{1,15})-(?P<id>[a-z0-9][a-z0-9_.:/@-]{0,127})")

Found = tuple[Flag, Review | None]


class AnomalyPages:
    """The two pages of one service."""

    def __init__(self, service: Service) -> None:
        folder = service.instance.path
        self._thresholds = of_instance(folder)
        self._shelf = Shelf(folder / FILE, self._thresholds)
        service.closing(self._shelf.close)

    async def anomalies(self, datasette: Datasette, service: Service, request: Request) -> Response:
        """The flags, those with the newest entries first."""
        return await self._page(datasette, service, request)

    async def judge(self, datasette: Datasette, service: Service, request: Request) -> Response:
        """Record a judgement (POST), then back to the list."""
        credentials: Credentials = request.scope["liandong_credentials"]
        given = (await read_form(request)).values()
        left = await asyncio.to_thread(self._shelf.follow, service.ledger, _AT_ONCE)
        flag = await asyncio.to_thread(self._find, service, given.get("anomaly", ""))
        if flag is None:
            raise RequestError(404, "there is no such flag; go back to the list", "没有这一项；请返回列表")
        try:
            verdict, note = given.get("verdict", ""), given.get("note", "")
            await asyncio.to_thread(review, service.ledger, flag, verdict, note, credentials.actor)
        except RequestError as error:
            if error.status != 422:
                raise
            about = {"error": i18n.choose(error.zh, error.en), "given": {**given, "anomaly": flag.id}}
            return await self._page(datasette, service, request, about, left=left, status=422)
        there = urlencode({name: given[name] for name in ("agency", "rule", "state") if given.get(name)})
        return Response.redirect(datasette.urls.path("/anomalies" + (f"?{there}" if there else "")), 303)

    async def _page(
        self,
        datasette: Datasette,
        service: Service,
        request: Request,
        about: dict[str, Any] | None = None,
        *,
        left: int | None = None,
        status: int = 200,
    ) -> Response:
        wanted = _filter(request) if request.method != "POST" else Filter()
        before = _before(request) if request.method != "POST" else None
        if left is None:
            left = await asyncio.to_thread(self._shelf.follow, service.ledger, _AT_ONCE)
        found, more = await asyncio.to_thread(self._found, service, wanted, before)
        names = agency_names(agencies(service.register))
        actor = request.scope["liandong_credentials"].actor
        view = _View(service, names, self._thresholds)
        flagged = sorted({flag.agency for flag, _ in found} | set(self._shelf.agencies()))
        common = {
            "section": "anomalies",
            "flags": [view.row(flag, verdict) for flag, verdict in found],
            "left": left,
            "wanted": wanted,
            "narrowed": wanted != Filter(),
            "agencies": [(each, names.get(each, each)) for each in flagged],
            "rules": [(rule, i18n.choose(TITLES[rule][1], TITLES[rule][0])) for rule in RULES],
            "first_url": _address(datasette, wanted) if before else "",
            "next_url": _address(datasette, wanted, more) if more else "",
            "may_review": actor.officer is not None and duties.may(actor, "anomaly.review"),
            "verdicts": [(each, verdict_title(each)) for each in VERDICTS],
            "max_note": MAX_NOTE_LENGTH,
            "given": {},
        }
        return await page(datasette, request, "anomalies.html", {**common, **(about or {})}, status)

    def _found(
        self, service: Service, wanted: Filter, before: tuple[int, str] | None
    ) -> tuple[list[Found], tuple[int, str] | None]:
        """One page of flags, and where the next begins."""
        rows = [] if wanted.rule == REPEATED else self._shelf.flags(wanted, PAGE_SIZE + 1, before)
        last = rows[PAGE_SIZE - 1][0] if len(rows) > PAGE_SIZE else None
        found = rows[:PAGE_SIZE]
        if before is None:  # repeated purposes are of the newest queries: they belong to the first page
            found += [each for each in self._repeats(service) if _fits(each, wanted)]
            found.sort(key=lambda each: (each[0].last, each[0].id), reverse=True)
        return found, (last.last, last.id) if last is not None else None

    def _repeats(self, service: Service) -> list[Found]:
        return [(flag, self._shelf.review_of_repeat(flag)) for flag in repeats(service.ledger)]

    def _find(self, service: Service, anomaly: str) -> Flag | None:
        if anomaly.startswith(f"{REPEATED}."):
            return next((flag for flag in repeats(service.ledger) if flag.id == anomaly), None)
        found = self._shelf.flag(anomaly)
        return found[0] if found else None


class _View:
    """Flags as the page shows them."""

    def __init__(self, service: Service, names: Mapping[str, str], thresholds: Any) -> None:
        self._ledger = service.ledger
        self._names = names
        self._titles = titles.of_instance(service.instance.path)
        self._thresholds = thresholds

    def row(self, flag: Flag, verdict: Review | None) -> dict[str, Any]:
        en, zh = sentence(flag, self._thresholds)
        return {
            "id": flag.id,
            "anchor": re.sub(r"[^a-z0-9]", "-", flag.id),
            "title": i18n.choose(TITLES[flag.rule][1], TITLES[flag.rule][0]),
            "agency": self._names.get(flag.agency, flag.agency),
            "resource": resource_title(self._titles, flag.resource) if flag.resource else "",
            "purpose": purpose_title(flag.code) if flag.code in CODES else "",
            "period": period_text(flag.period),
            "sentence": i18n.choose(zh, en),
            "entries": flag.entries[:_SHOWN],
            "more": max(0, flag.count - _SHOWN),
            "review": self._review(flag, verdict) if verdict is not None else None,
        }

    def _review(self, flag: Flag, verdict: Review) -> dict[str, Any]:
        return {
            "verdict": verdict.verdict,
            "title": verdict_title(verdict.verdict),
            "by": self._names.get(verdict.by, verdict.by),
            "at": local_time(verdict.t),
            "seq": verdict.seq,
            # Of who wrote it nothing is shown; what was erased is gone.
            "note": str(self._ledger.opened(verdict.seq).get("note", "")),
            "grew": flag.last > verdict.looked_at,
        }


def verdict_title(verdict: str) -> str:
    """A judgement in the reader's language."""
    return {"normal": gettext("Normal"), "incident": gettext("Incident")}[verdict]


def period_text(period: str) -> str:
    """A day, or an hour as from–to, by the county's clock."""
    day, _, hour = period.partition("t")
    return f"{day} {hour}:00–{int(hour) + 1:02}:00" if hour else day


def _fits(found: Found, wanted: Filter) -> bool:
    flag, verdict = found
    state = "open" if verdict is None else "reviewed"
    return (wanted.agency in ("", flag.agency)) and (wanted.rule in ("", flag.rule)) and wanted.state in ("", state)


def _filter(request: Request) -> Filter:
    given = {name: request.args.get(name) or "" for name in ("agency", "rule", "state")}
    if given["rule"] not in ("", *RULES) or given["state"] not in ("", *_STATES):
        raise RequestError(
            400, "there is no such rule or state; choose it in the list", "没有这样的规则或状态；请在列表中选择"
        )
    return replace(Filter(), **given)


def _before(request: Request) -> tuple[int, str] | None:
    text = request.args.get("before")
    if not text:
        return None
    found = _BEFORE.fullmatch(text)
    if found is None:
        raise RequestError(
            400,
            "the place in the list that the address names is none; begin again with the first page",
            "网址中的翻页位置有误；请从第一页重新翻阅",
        )
    return int(found["last"]), found["id"]


def _address(datasette: Datasette, wanted: Filter, before: tuple[int, str] | None = None) -> str:
    arguments = {name: getattr(wanted, name) for name in ("agency", "rule", "state") if getattr(wanted, name)}
    if before is not None:
        arguments["before"] = f"{before[0]}-{before[1]}"
    return str(datasette.urls.path("/anomalies" + (f"?{urlencode(arguments)}" if arguments else "")))
