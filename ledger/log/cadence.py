"""When a log shows itself to its witnesses. Pure: the clock and the due instants are arguments.

Five minutes after the last push while there are new entries; at 23:55 and 00:05 of the county's time in any case, so
that each day closes and opens with a known head; and just before and just after each instant at which something is
due, so that whether it came in time can be proved and not only said.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta, timezone

INTERVAL = timedelta(minutes=5)
#: Just before and just after a due instant.
MARGIN = timedelta(minutes=1)
#: An unreached witness is asked again after this, then after twice as long, and so on up to the interval.
FIRST_RETRY = timedelta(seconds=10)
#: China has one time, UTC+8, and no summer time.
COUNTY_TIME = timezone(timedelta(hours=8))
_DAILY = (time(0, 5), time(23, 55))


def next_push(
    now: datetime, last_push: datetime | None, new_entries: int, due_instants: Collection[datetime] = ()
) -> datetime:
    """When the log's checkpoint is to be pushed next; not after ``now`` means at once.

    Args:
        now: timezone-aware.
        last_push: when it was pushed last, None for never since the program started.
        new_entries: entries since then; anchors are not counted, or each push would call for another.
        due_instants: when something falls due.
    """
    if last_push is None or last_push > now:  # the clock was set back: nobody knows how long ago that was
        return now
    ticks = [_next_daily(last_push)]
    ticks += [tick for due in due_instants for tick in (due - MARGIN, due + MARGIN) if tick > last_push]
    if new_entries:
        ticks.append(last_push + INTERVAL)
    return min(ticks).astimezone(UTC)


def next_retry(failed_at: datetime, failures: int) -> datetime:
    """When to ask a witness again that was asked in vain ``failures`` times in a row, last at ``failed_at``."""
    wait: timedelta = FIRST_RETRY * (1 << min(max(failures - 1, 0), 10))
    return failed_at + min(wait, INTERVAL)


def _next_daily(after: datetime) -> datetime:
    day = after.astimezone(COUNTY_TIME).date()
    ticks = [datetime.combine(day + timedelta(days=n), at, COUNTY_TIME) for n in (0, 1) for at in _DAILY]
    return min(tick for tick in ticks if tick > after)
