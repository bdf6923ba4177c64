"""The request desk with many requests on file: how soon an inbox, an outbox and a case open, and how fast lists follow.

The worst that can be: every request is open and asked of one agency.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from bench.rounds import quantile, table
from catalog.cookies import session_cookie
from catalog.demo import build as demo_build
from catalog.desk.rulebooks import Rulebooks, clock_fields
from catalog.desk.shelf import FILE, Shelf
from catalog.identity import sessions
from catalog.plugin import build
from catalog.service import Service
from ledger import Instance
from ledger.cases import Actor, Words, draft_opening
from ledger.rule_archive import Archive
from ledger.rules import Rulebook, deadline
from ledger.rules.deadlines import stamp

_URL = "http://bench.test"
_GROUP = 500
_MINUTES = 3
_ASKER = Actor("zhzf", "agency", "officer", "zhzf-1", "session")


def run(folder: Path, rounds: int, requests: int) -> str:
    """Measure with so many requests on file; return a Markdown report."""
    demo_build.create(folder / "demo", _URL)
    instance = Instance.open(folder / "demo")
    fill(instance, requests)
    with instance.ledger() as ledger:
        shelf = Shelf(folder / FILE)
        started = time.perf_counter()
        shelf.follow(ledger)
        followed = time.perf_counter() - started
        shelf.close()
    opened = asyncio.run(_pages(instance, rounds))
    rows = [
        (name, f"{statistics.median(taken):.1f}", f"{quantile(sorted(taken), 0.99):.1f}")
        for name, taken in opened.items()
    ]
    head = table((f"{requests:,} requests on file, all open at one agency", "p50 ms", "p99 ms"), rows)
    return f"{head}\n\nThe lists are made anew from the ledger at {requests / followed:,.0f} requests a second."


def fill(instance: Instance, requests: int) -> None:
    """Have ``requests`` received by scjg, one every few minutes up to now, in groups as a busy service commits them."""
    with instance.ledger() as ledger:
        book = Rulebooks(ledger, Archive(instance.path / "rules")).current()
        now = datetime.now(UTC)
        for n in range(requests):
            at = now - timedelta(minutes=_MINUTES * (requests - n) % (60 * 24 * 60))
            number = f"q-20250101-{n:06d}"
            draft = draft_opening("request.received", number, _ASKER, now, _fields(book, at), _words(n))
            # The numbers are new: what each append would look up is not what is measured here.
            ledger._sequencer._enqueue(ledger._draft(draft.kind, draft.fields, draft.particulars, (), None))
            if n % _GROUP == _GROUP - 1 or n == requests - 1:
                ledger._sequencer._lead()


def _fields(book: Rulebook, at: datetime) -> dict[str, Any]:
    return {
        "requester": "zhzf",
        "provider": "scjg",
        "purpose": "case",
        "reference_kind": "case_number",
        "channel": "letter",
        "received_at": stamp(at),
        **clock_fields(deadline(book, "query", at)),
    }


def _words(n: int) -> Words:
    return Words({"reference": f"示执案〔2026〕{n}号", "description": "示例企业近三年的行政处罚情况"})


async def _pages(instance: Instance, rounds: int) -> dict[str, list[float]]:
    service = Service.open(instance)
    try:
        datasette = build(service)
        await datasette.invoke_startup()
        transport = httpx2.ASGITransport(app=datasette.app())
        async with httpx2.AsyncClient(transport=transport, base_url=_URL, timeout=600) as client:
            ours, theirs = _cookie(service, "scjg-1"), _cookie(service, "zhzf-1")
            while "台账尚有" in (await client.get("/requests", headers=ours)).text:
                pass  # the lists follow, some entries a page
            number = "q-20250101-000000"
            looks: dict[str, Callable[[], Awaitable[httpx2.Response]]] = {
                "inbox": lambda: client.get("/requests", headers=ours),
                "the inbox's next page": lambda: client.get(f"/requests?after={number}", headers=ours),
                "outbox": lambda: client.get("/requests/sent", headers=theirs),
                "a case": lambda: client.get(f"/requests/{number}", headers=ours),
                "GET /api/requests": lambda: client.get("/api/requests", headers=ours),
            }
            taken: dict[str, list[float]] = {name: [] for name in looks}
            for _ in range(rounds * 20):
                for name, look in looks.items():
                    started = time.perf_counter()
                    response = await look()
                    taken[name].append((time.perf_counter() - started) * 1_000)
                    assert response.status_code == 200, response.text
            return taken
    finally:
        service.close()


def _cookie(service: Service, login: str) -> dict[str, str]:
    name = session_cookie(service.address)
    return {"cookie": f"{name}={sessions.start(service.register, login)}", "accept": "text/html"}
