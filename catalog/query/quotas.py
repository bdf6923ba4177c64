"""How much an agency may ask: requests a minute and rows a day, counted for all worker processes together.

The counts lie in a small SQLite file of their own: what is lost with it is lost with the minute. The register would be
the wrong place, since each change of it makes every worker decide anew. Far from its limit a process adds what it
counted to the file four times a second; near it, at each request, so that the limit is kept over all processes. Systems
and officers of an agency are counted apart, so that a program that runs wild keeps no officer from asking. Requests to
the desk are not counted at all.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from catalog.errors import RequestError, UsageError
from catalog.identity.actor import Actor
from catalog.query.errors import QueryError

_COUNTY_OFFSET = timedelta(hours=8)
#: How long counts may stay with the process that counted.
_SHARE_SECONDS = 0.25
#: So near the limit each count is shared at once: the larger of this number and a tenth of the limit.
_NEAR = 100
_SCHEMA = """
CREATE TABLE IF NOT EXISTS used (
  who TEXT, what TEXT, period INTEGER, n INTEGER NOT NULL, PRIMARY KEY (who, what, period)
) STRICT, WITHOUT ROWID
"""
_COUNT = (
    "INSERT INTO used VALUES (?, ?, ?, ?) ON CONFLICT (who, what, period) DO UPDATE SET n = n + excluded.n RETURNING n"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be asked; None for without limit."""

    requests_per_minute: int | None
    rows_per_day: int | None


#: Where datasette.yml says nothing. A county's agency asks tens of times a day; a nightly comparison of 100,000
#: parties goes by batches of 500.
DEFAULTS: Mapping[str, Limits] = {"systems": Limits(1_200, 500_000), "officers": Limits(120, 50_000)}


class QuotaError(QueryError):
    """429. ``first``: the first of this minute, which is recorded; the others are only counted."""

    def __init__(self, code: str, en: str, zh: str, retry_after: int, *, first: bool) -> None:
        super().__init__(429, code, en, zh, retry_after=retry_after)
        self.first = first


def read_limits(config: Mapping[str, Any]) -> dict[str, Limits]:
    """The limits in the plugin's configuration: ``quotas: {systems: {requests_per_minute: 600, rows_per_day: null}}``.

    Raises:
        UsageError: an unknown name, or a value that is neither a whole number from 1 nor null.
    """
    found = dict(DEFAULTS)
    given = config.get("quotas") or {}
    for group, values in given.items() if isinstance(given, dict) else [("quotas", None)]:
        if group not in DEFAULTS or not isinstance(values, dict) or set(values) - set(Limits.__slots__):
            raise _bad_setting(str(group))
        for name, value in values.items():
            if value is not None and (type(value) is not int or value < 1):
                raise _bad_setting(f"{group}.{name}")
        default = DEFAULTS[group]
        found[group] = Limits(
            values.get("requests_per_minute", default.requests_per_minute),
            values.get("rows_per_day", default.rows_per_day),
        )
    return found


def _bad_setting(where: str) -> UsageError:
    return UsageError(
        f"datasette.yml, plugins: liandong: quotas: {where} is not right; it has systems and officers, each with "
        "requests_per_minute and rows_per_day, whole numbers from 1, or null for no limit",
        f"datasette.yml 中 plugins: liandong: quotas: {where} 有误；应为 systems 和 officers，"
        "各含 requests_per_minute、rows_per_day，值为不小于 1 的整数，null 表示不限",
    )


@dataclass(slots=True)
class _Count:
    """One count as this process knows it: ``shared`` is that of all processes at ``read_at``, ``own`` not yet in it."""

    shared: int = 0
    own: int = 0
    read_at: float = -math.inf


class Quotas:
    """The counts of one instance, shared by its processes.

    Args:
        path: the file; made where it is missing.
        now: the wall clock, timezone-aware.
    """

    def __init__(self, path: Path, limits: Mapping[str, Limits], now: Callable[[], datetime]) -> None:
        self._limits = limits
        self._now = now
        self._lock = threading.Lock()
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._counts: dict[tuple[str, str, int], _Count] = {}
        self._cleaned = 0

    def admit(self, actor: Actor) -> None:
        """Count one request.

        Raises:
            QuotaError: it is one too many in this minute, or the rows of this day are used up.
            RequestError: 503, the counts cannot be kept.
        """
        group, who = _who(actor)
        limits = self._limits[group]
        now = self._now()
        seconds = now.timestamp()
        minute, day = int(seconds) // 60, (now + _COUNTY_OFFSET).toordinal()
        with self._keeping():
            self._clean(minute, day)
            asked = self._add((who, "requests", minute), 1, limits.requests_per_minute, seconds)
            had = self._add((who, "rows", day), 0, limits.rows_per_day, seconds)
            over_requests = limits.requests_per_minute is not None and asked > limits.requests_per_minute
            over_rows = limits.rows_per_day is not None and had >= limits.rows_per_day
            if not (over_requests or over_rows):
                return
            first = self._add((who, "refused", minute), 1, 0, seconds) == 1
        # The longer wait is the true one: without rows left, the next minute would not help.
        raise self._rows_error(limits, now, first) if over_rows else self._requests_error(limits, now, first)

    def add_rows(self, actor: Actor, rows: int) -> None:
        """Count rows that are about to be given; less than none takes back. Raises :class:`RequestError` 503."""
        if rows:
            group, who = _who(actor)
            now = self._now()
            day = (now + _COUNTY_OFFSET).toordinal()
            with self._keeping():
                self._add((who, "rows", day), rows, self._limits[group].rows_per_day, now.timestamp())

    def reserve(self, actor: Actor, rows: int) -> None:
        """Count rows of an answer that is still being made and may be of any size; :meth:`add_rows` takes them back.

        Raises:
            QuotaError: they are more than this day has left; none of them is counted then.
            RequestError: 503, the counts cannot be kept.
        """
        group, who = _who(actor)
        limits = self._limits[group]
        now = self._now()
        key = (who, "rows", (now + _COUNTY_OFFSET).toordinal())
        with self._keeping():
            had = self._add(key, rows, limits.rows_per_day, now.timestamp())
            if limits.rows_per_day is None or had <= limits.rows_per_day:
                return
            self._add(key, -rows, limits.rows_per_day, now.timestamp())
        raise self._file_error(limits, now)

    def close(self) -> None:
        """Share what was counted, and close the file."""
        with self._keeping():
            for key, count in self._counts.items():
                self._share(key, count)
            self._counts.clear()
            if self._db is not None:
                self._db.close()
                self._db = None

    def _add(self, key: tuple[str, str, int], n: int, limit: int | None, seconds: float) -> int:
        """Count ``n`` more; return the count of all processes, as far as it is known."""
        count = self._counts.setdefault(key, _Count())
        count.own += n
        near = limit is not None and count.shared + count.own + max(_NEAR, limit // 10) > limit
        if near or not 0 <= seconds - count.read_at < _SHARE_SECONDS:
            self._share(key, count)
            count.read_at = seconds
        return count.shared + count.own

    def _share(self, key: tuple[str, str, int], count: _Count) -> None:
        if self._db is None:
            self._db = _open(self._path)
        if count.own:
            (count.shared,) = self._db.execute(_COUNT, (*key, count.own)).fetchone()
        else:
            row = self._db.execute("SELECT n FROM used WHERE who = ? AND what = ? AND period = ?", key).fetchone()
            count.shared = row[0] if row is not None else 0
        count.own = 0

    def _requests_error(self, limits: Limits, now: datetime, first: bool) -> QuotaError:
        wait = 60 - int(now.timestamp()) % 60
        return QuotaError(
            "quota_requests",
            f"more than {limits.requests_per_minute} requests in this minute; send "
            f"it again in {wait} s, or ask for many "
            "subjects in one call of /api/query/batch",
            f"本分钟内请求超过 {limits.requests_per_minute} 次；请 {wait} 秒后重试，"
            "或用 /api/query/batch 一次查询多个对象",
            wait,
            first=first,
        )

    def _file_error(self, limits: Limits, now: datetime) -> QuotaError:
        return QuotaError(
            "quota_rows",
            f"the file has more rows than your agency may still have today ({limits.rows_per_day:,} a day); narrow it "
            "with a condition, go on tomorrow, or ask the operator for more",
            f"文件行数超过本单位今日剩余的限额（每日 {limits.rows_per_day:,} 行）；请增加条件、缩小范围，"
            "或明日继续，或向运维单位申请调整",
            _seconds_to_midnight(now),
            first=True,
        )

    def _rows_error(self, limits: Limits, now: datetime, first: bool) -> QuotaError:
        return QuotaError(
            "quota_rows",
            f"your agency has had {limits.rows_per_day:,} rows today; go on "
            "tomorrow, or ask the operator for more. Requests "
            "through the desk are not limited",
            f"本单位今日已取得 {limits.rows_per_day:,} 行；请明日继续，或向运维单位申请调整。请求台不受此限",
            _seconds_to_midnight(now),
            first=first,
        )

    def _clean(self, minute: int, day: int) -> None:
        """Once a minute: what no limit asks about any more."""
        if minute == self._cleaned:
            return
        self._cleaned = minute
        current = {"rows": day, "requests": minute, "refused": minute}
        self._counts = {key: count for key, count in self._counts.items() if key[2] == current[key[1]]}
        if self._db is not None:
            self._db.execute("DELETE FROM used WHERE what <> 'rows' AND period < ?", (minute - 1,))
            self._db.execute("DELETE FROM used WHERE what = 'rows' AND period < ?", (day,))

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                raise RequestError(
                    503,
                    f"{self._path.name} cannot be written now ({error}); free disk space, or delete the file: it only "
                    "counts",
                    f"{self._path.name} 目前无法写入（{error}）；请腾出磁盘空间，或删除该文件：其中只有计数",
                ) from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
    path.chmod(0o600)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")  # a count that a power failure takes back does no harm
    db.execute(_SCHEMA)
    return db


def _seconds_to_midnight(now: datetime) -> int:
    """Until the county's next day begins, rounded up."""
    local = now + _COUNTY_OFFSET
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - local).total_seconds()) + 1


def _who(actor: Actor) -> tuple[str, str]:
    group = "officers" if actor.auth == "session" else "systems"
    return group, f"{actor.agency}/{group}"
