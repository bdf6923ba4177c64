"""When a log shows itself to its witnesses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.cadence import COUNTY_TIME, FIRST_RETRY, INTERVAL, MARGIN, next_push, next_retry


def at(text: str) -> datetime:
    """An instant by the county's clock."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=COUNTY_TIME)


@pytest.mark.parametrize(
    ("now", "last", "new", "due", "want"),
    [
        ("23 10:00", None, 0, [], "23 10:00"),  # never yet: at once
        ("23 10:02", "23 10:00", 3, [], "23 10:05"),
        ("23 10:02", "25 10:00", 0, [], "23 10:02"),  # the clock was set back: at once
        ("23 23:54:59", "23 23:54:58", 0, [], "23 23:55"),
        ("23 23:55", "23 23:55", 1, [], "24 00:00"),
        ("24 00:05", "24 00:00", 0, [], "24 00:05"),
        ("23 23:50", "23 23:00", 0, ["24 00:00"], "23 23:55"),  # due at 24:00, four pushes
        ("23 23:56", "23 23:55", 0, ["24 00:00"], "23 23:59"),
        ("23 23:59:30", "23 23:59", 0, ["24 00:00"], "24 00:01"),
        ("24 00:02", "24 00:01", 0, ["24 00:00"], "24 00:05"),
        ("23 10:07", "23 10:00", 3, [], "23 10:05"),  # overdue: at once
        ("23 10:02", "23 10:00", 0, [], "23 23:55"),
        ("23 23:52", "23 23:51", 1, [], "23 23:55"),
        ("23 23:56", "23 23:55", 0, [], "24 00:05"),
        ("24 00:06", "24 00:05", 0, [], "24 23:55"),
        ("24 00:30", "23 22:00", 0, [], "23 23:55"),  # slept through it: at once
        ("23 10:02", "23 10:00", 0, ["23 17:30"], "23 17:29"),
        ("23 17:29:30", "23 17:29", 0, ["23 17:30"], "23 17:31"),
        ("23 17:32", "23 17:31", 0, ["23 17:30"], "23 23:55"),
        ("23 10:02", "23 10:00", 1, ["23 10:05"], "23 10:04"),
    ],
)
def test_the_next_push(now: str, last: str | None, new: int, due: list[str], want: str) -> None:
    found = next_push(at(now), at(last) if last else None, new, [at(instant) for instant in due])
    assert found == at(want)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(moments, st.timedeltas(timedelta(0), timedelta(days=3)), st.integers(0, 5), st.lists(moments, max_size=4))
def test_it_is_after_the_last_push_and_no_day_passes_without_one(
    last: datetime, since: timedelta, new: int, due: list[datetime]
) -> None:
    found = next_push(last + since, last, new, due)
    assert last < found <= last + (INTERVAL if new else timedelta(hours=23, minutes=50))
    for instant in due:
        for tick in (instant - MARGIN, instant + MARGIN):
            assert not last < tick < found, "no tick beside a due instant is passed over"


def test_a_witness_that_is_down_is_asked_ever_more_rarely() -> None:
    start = at("23 10:00")
    waits = [next_retry(start, n) - start for n in range(1, 40)]
    assert waits[0] == FIRST_RETRY and waits == sorted(waits) and waits[-1] == INTERVAL
