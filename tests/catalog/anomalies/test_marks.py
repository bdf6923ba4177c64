"""What an entry counts for."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.anomalies.marks import KINDS, marks
from catalog.anomalies.thresholds import defaults
from ledger.entries import KINDS as SCHEMAS
from tests.catalog.anomalies.history import asked, failed, turned_away

#: 23:30 UTC on a Sunday: Monday, 07:30, by the county's clock.
EARLY = "2026-03-01T23:30:00.000Z"
#: Monday, 09:00.
WORKING = "2026-03-02T01:00:00.000Z"


def of(fields: dict[str, Any], t: str = WORKING) -> dict[str, tuple[str, int, int]]:
    return {mark.key.measure: (mark.key.period, mark.n, mark.amount) for mark in marks({**fields, "t": t}, defaults())}


def test_an_answer_counts_for_its_hour_and_day_by_the_countys_clock() -> None:
    assert of(asked(rows=7)) == {"hour": ("2026-03-02t09", 1, 7), "day": ("2026-03-02", 1, 7)}
    assert of(asked(rows=7), EARLY)["hour"] == ("2026-03-02t07", 1, 7)


def test_officers_count_outside_working_time_and_systems_do_not() -> None:
    assert of(asked(auth="session"), EARLY)["off"] == ("2026-03-02", 1, 10)
    assert "off" not in of(asked(auth="session"), WORKING)
    for auth in ("token", "signature"):
        assert "off" not in of(asked(auth=auth), EARLY)


def test_look_ups_of_a_batch_count_each() -> None:
    assert of(asked(resource="batch", items=500))["hour"] == ("2026-03-02t09", 500, 10)


def test_a_purpose_counts_by_its_code() -> None:
    (mark,) = [mark for mark in marks({**asked(purpose="case"), "t": WORKING}, defaults()) if mark.key.code]
    assert (mark.key.measure, mark.key.resource, mark.key.code, mark.key.period) == (
        "purpose",
        "work/penalties",
        "case",
        "2026-03-02",
    )


@pytest.mark.parametrize("kind", ["query.referred", "query.refused", "query.failed"])
def test_what_was_not_answered_counts_as_turned_away(kind: str) -> None:
    assert of(turned_away(kind)) == {"away": ("2026-03-02t09", 1, 0)}


def test_failed_proofs_count_by_attempts() -> None:
    assert of(failed(attempts=9)) == {"auth": ("2026-03-02t09", 1, 9)}
    assert of(failed()) == {"auth": ("2026-03-02t09", 1, 1)}


@pytest.mark.parametrize("fields", [asked(resource="home"), asked(resource="work"), {"kind": "grant.given"}])
def test_pages_and_other_kinds_count_for_nothing(fields: dict[str, Any]) -> None:
    assert of(fields) == {}


def test_the_kinds_exist_and_no_mark_names_an_officer() -> None:
    assert {name for name, _ in SCHEMAS} >= set(KINDS)
    entry = {**asked(auth="session", purpose="case"), "commit": {"officer": "0" * 64}, "t": EARLY}
    assert "officer" not in str(list(marks(entry, defaults())))
