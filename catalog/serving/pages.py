"""The answers of ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import asyncio
import time

import orjson
from datasette import Response
from prometheus_client.metrics_core import Metric

from catalog.service import Service
from catalog.serving.metrics import CONTENT_TYPE, Metrics, gauge, seconds_since_epoch
from catalog.serving.readiness import Checker, Readiness


class Health:
    """What the three pages need of one process."""

    def __init__(self, service: Service, metrics: Metrics | None = None) -> None:
        self._service = service
        self._checker = Checker(service)
        self._metrics = metrics
        self._lock = asyncio.Lock()

    async def healthz(self, *_: object) -> Response:
        """The process is alive and its loop turns; nothing else is looked at."""
        return Response.text("ok\n", headers={"cache-control": "no-store"})

    async def readyz(self, *_: object) -> Response:
        """200 where the service may be sent requests, 503 with the reasons in both languages where not."""
        found = await self._check()
        body = orjson.dumps(found.to_json(), option=orjson.OPT_APPEND_NEWLINE).decode()
        headers = {"cache-control": "no-store"}
        return Response(
            body,
            status=200 if found.ready else 503,
            headers=headers,
            content_type="application/json; charset=utf-8",
        )

    async def metrics(self, *_: object) -> Response:
        """Every figure in Prometheus' text format."""
        metrics = self._metrics
        if metrics is None:
            return Response.text("", status=404)
        state = _figures(await self._check(), self._entries())
        body = await asyncio.to_thread(metrics.exposition, state)
        return Response(body.decode(), headers={"cache-control": "no-store"}, content_type=CONTENT_TYPE)

    async def _check(self) -> Readiness:
        async with self._lock:  # one check serves all who wait for it
            return await asyncio.to_thread(self._checker.check)

    def _entries(self) -> int:
        newest = self._service.ledger.newest(1)
        return newest[0]["seq"] + 1 if newest else 0


def _figures(found: Readiness, entries: int) -> list[Metric]:
    figures = [
        gauge("liandong_ready", "1 where /readyz answers 200.", found.ready),
        gauge("liandong_ledger_writable", "1 where an entry could be appended.", found.ledger),
        gauge("liandong_ledger_entries", "Entries in the ledger.", entries),
        gauge("liandong_observed_timestamp_seconds", "When these figures were taken.", time.time()),
    ]
    if found.verified is not None:
        figures += [
            gauge("liandong_verification_ok", "1 where the last verification held.", found.verified.ok),
            gauge(
                "liandong_verification_timestamp_seconds",
                "When the last verification ended.",
                seconds_since_epoch(found.verified.at),
            ),
            gauge("liandong_verification_entries", "Entries that it covered.", found.verified.size),
        ]
    if found.witnessing is not None:
        figures += [
            gauge("liandong_witnessed_entries", "Entries under a quorum of witnesses.", found.witnessing.size),
            gauge(
                "liandong_unwitnessed_age_seconds",
                "Age of the oldest entry that waits for a quorum.",
                found.witnessing.waiting_s,
            ),
        ]
    return figures
