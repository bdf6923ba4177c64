"""Single rules at their edges; whole histories are in ``test_shelf.py``, against an oracle."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.anomalies.marks import DAY, HOUR, PURPOSE, Key
from catalog.anomalies.rules import Cell, Flag, judge, median2
from catalog.anomalies.thresholds import defaults
from catalog.anomalies.words import TITLES, sentence

TODAY = "2026-03-20"


def cell(
    measure: str = HOUR, n: int = 1, amount: int = 0, period: str | None = None, code: str = "", agency: str = "zhzf"
) -> Cell:
    place = "" if measure == DAY else "work/penalties"
    if period is None:
        period = TODAY if measure in (DAY, PURPOSE) else f"{TODAY}t10"
    return Cell(Key(measure, agency, place, code, period), n, amount, (5, 6), 2, 6)


def rules(found: Cell, past: Sequence[Cell] = ()) -> list[str]:
    return [flag.rule for flag in judge(found, lambda: past, defaults())]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40))
def test_the_median_is_kept_doubled(values: list[int]) -> None:
    assert Fraction(median2(values), 2) == statistics.median([Fraction(value) for value in values])


def test_of_nothing_the_median_is_0() -> None:
    assert median2([]) == 0


def hours(count: int, amount: int) -> list[Cell]:
    return [cell(n=1, amount=amount, period=f"2026-03-1{day}t1{hour}") for day in range(9) for hour in range(9)][:count]


@pytest.mark.parametrize(
    ("amount", "past", "flagged"),
    [
        (4_999, [], False),
        (19_999, [], False),  # too few to compare with
        (20_000, [], True),
        (19_999, hours(4, 10), False),
        (5_000, hours(5, 10), True),
        (5_000, hours(5, 500), True),
        (5_009, hours(5, 501), False),
        (5_010, hours(5, 501), True),
        (5_000, hours(9, 0), False),  # hours without a row are no hours with queries of it
    ],
)
def test_many_rows_are_many_by_the_agencys_own_hours(amount: int, past: list[Cell], flagged: bool) -> None:
    assert ("bulk_rows" in rules(cell(amount=amount), past)) is flagged


def days(rows: Sequence[int], last: int = 19) -> list[Cell]:
    return [cell(DAY, amount=amount, period=f"2026-03-{last - len(rows) + 1 + n:02}") for n, amount in enumerate(rows)]


@pytest.mark.parametrize(
    ("amount", "past", "flagged"),
    [
        (50_000, [], False),  # its first day
        (50_000, days([10] * 6), False),
        (9_999, days([10] * 7), False),
        (10_000, days([10] * 7), True),
        (10_000, days([2_000] * 7), True),
        (10_000, days([2_001] * 7), False),
        # A quiet week before: seven days without a query count, and the median is of few.
        (10_000, days([9_000] * 5, last=12), True),
        (44_999, days([9_000] * 12), False),
        (45_000, days([9_000] * 12), True),
    ],
)
def test_growth_is_by_the_median_day_quiet_ones_counted(amount: int, past: list[Cell], flagged: bool) -> None:
    assert rules(cell(DAY, amount=amount), past) == (["growth"] if flagged else [])


def purposes(**counts: int) -> list[Cell]:
    return [cell(PURPOSE, n=n, code=code, period="2026-03-10") for code, n in counts.items()]


@pytest.mark.parametrize(
    ("n", "past", "flagged"),
    [
        (1, [], []),
        (1, purposes(case=19), []),
        (1, purposes(case=20), ["new_purpose"]),
        (1, purposes(case=10, joint=10), ["new_purpose"]),
        (1, purposes(case=100, lead=1), []),
        (19, purposes(case=100, lead=1), []),
        (20, purposes(case=100, lead=1), ["purpose_shift"]),
        (20, purposes(case=90, lead=10), ["purpose_shift"]),
        (20, purposes(case=90, lead=11), []),
        (20, purposes(case=40, lead=4), []),
        (20, purposes(case=49, lead=1), ["purpose_shift"]),
    ],
)
def test_a_purpose_is_new_or_rare_by_the_agencys_own_queries(n: int, past: list[Cell], flagged: list[str]) -> None:
    assert rules(cell(PURPOSE, n=n, code="lead"), past) == flagged


def test_what_was_stated_long_ago_is_known_but_not_recent() -> None:
    old = [cell(PURPOSE, n=500, code="lead", period="")]
    assert rules(cell(PURPOSE, n=20, code="lead"), [*old, *purposes(case=60)]) == ["purpose_shift"]
    assert rules(cell(PURPOSE, n=1, code="joint"), old) == ["new_purpose"]


def test_history_is_asked_for_only_where_it_decides() -> None:
    def never() -> list[Cell]:
        raise AssertionError("the cell is below every floor")

    assert list(judge(cell(n=1, amount=1), never, defaults())) == []


def test_an_id_is_an_identifier_however_long_the_names() -> None:
    long = Cell(Key(HOUR, "a" * 32, "work/" + "t" * 90, "", f"{TODAY}t10"), 1_000, 1, (1,), 1, 1)
    (flag,) = judge(long, list, defaults())
    assert re.fullmatch(r"[a-z0-9][a-z0-9_.:/@-]{0,127}", flag.id)
    (short,) = judge(cell(n=1_000), list, defaults())
    assert short.id == f"bulk_queries:zhzf:work/penalties:{TODAY}t10"


def one_of_each() -> list[Flag]:
    found = [
        *judge(cell(n=1_000, amount=30_000), list, defaults()),
        *judge(cell(n=200, amount=6_000), lambda: hours(5, 10), defaults()),
        *judge(cell(DAY, amount=20_000), lambda: days([5] * 10), defaults()),
        *judge(cell("off", n=9), list, defaults()),
        *judge(cell(PURPOSE, n=1, code="lead"), lambda: purposes(case=20), defaults()),
        *judge(cell(PURPOSE, n=30, code="lead"), lambda: purposes(case=100, lead=1), defaults()),
        *judge(cell("away", n=40), list, defaults()),
        *judge(cell("auth", amount=40), list, defaults()),
    ]
    repeated = {"value": 31, "others": 5}
    found += [
        Flag(f"repeated-purpose.{what}:7", "repeated-purpose", "zhzf", "", what, TODAY, repeated, (7,), 31, 40)
        for what in ("reference", "words")
    ]
    return found


def test_every_rule_says_in_both_languages_what_it_measured() -> None:
    found = one_of_each()
    assert {flag.rule for flag in found} == set(TITLES)
    for flag in found:
        en, zh = sentence(flag, defaults())
        assert f"{flag.numbers['value']:,}" in en
        assert f"{flag.numbers['value']:,}" in zh
        assert "{" not in en + zh
        assert re.search(r"[\u4e00-\u9fff]", zh)
        assert not re.search(r"[\u4e00-\u9fff]", en)


def test_the_sentence_says_against_what_or_that_there_was_nothing() -> None:
    first, second = (
        sentence(next(iter(judge(cell(amount=30_000), lambda p=past: p, defaults()))), defaults())  # type: ignore[misc]
        for past in ([], [*hours(5, 10), cell(amount=11, period="2026-03-19t10")])
    )
    assert "too few to compare with" in first[0]
    assert "历史过少" in first[1]
    assert "10 at the median; 10 times the median and more is flagged" in second[0]
    assert "中位数为 10 行；达到中位数的 10 倍即提示" in second[1]


def test_one_table_is_one_table() -> None:
    flag = Flag("r:7", "repeated-purpose", "zhzf", "", "reference", TODAY, {"value": 31, "others": 1}, (7,), 31, 40)
    assert sentence(flag, defaults())[0] == "one reference for 31 queries of one table"


def test_a_half_is_written_as_a_half() -> None:
    past = [*hours(4, 10), cell(amount=11, period="2026-03-19t10"), cell(amount=11, period="2026-03-19t11")]
    past += [cell(amount=11, period="2026-03-19t12"), cell(amount=11, period="2026-03-19t13")]
    (flag, *_) = judge(cell(amount=30_000), lambda: past, defaults())
    assert "10.5 at the median" in sentence(flag, defaults())[0]
