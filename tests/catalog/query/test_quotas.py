"""Quotas: counted over processes, a minute and a day, and never without saying when to go on."""

from __future__ import annotations

import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import RequestError, UsageError
from catalog.identity.actor import Actor
from catalog.query.quotas import DEFAULTS, Limits, QuotaError, Quotas, read_limits
from ledger import Instance
from tests.conftest import in_process

SYSTEM = Actor("zhzf", "综合执法局", "Enforcement", "agency", "token")
OFFICER = Actor("zhzf", "综合执法局", "Enforcement", "agency", "session", officer="zhzf-1")
OTHER = Actor("scjg", "市场监管局", "Market", "agency", "signature")
LIMITS = {"systems": Limits(3, 10), "officers": Limits(2, 5)}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 15, 30, 20, tzinfo=UTC)  # 23:30:20 in the county

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "usage.db"


def make(path: Path, clock: Clock, limits: dict[str, Limits] = LIMITS) -> Quotas:
    return Quotas(path, limits, clock)


def test_requests_over_the_minutes_number_are_refused_until_the_next_minute(path: Path, clock: Clock) -> None:
    quotas = make(path, clock)
    for _ in range(3):
        quotas.admit(SYSTEM)
    with pytest.raises(QuotaError) as caught:
        quotas.admit(SYSTEM)
    error = caught.value
    assert (error.status, error.code, error.retry_after) == (429, "quota_requests", 40)
    clock.now += timedelta(seconds=error.retry_after)
    quotas.admit(SYSTEM)


def test_only_the_first_refusal_of_a_minute_is_for_the_ledger(path: Path, clock: Clock) -> None:
    quotas = make(path, clock)
    first = []
    for _ in range(6):
        try:
            quotas.admit(SYSTEM)
        except QuotaError as error:
            first.append(error.first)
    assert first == [True, False, False]


def test_rows_over_the_days_number_are_refused_until_midnight_in_the_county(path: Path, clock: Clock) -> None:
    quotas = make(path, clock)
    quotas.admit(SYSTEM)
    quotas.add_rows(SYSTEM, 10)
    with pytest.raises(QuotaError) as caught:
        quotas.admit(SYSTEM)
    assert (caught.value.code, caught.value.retry_after) == ("quota_rows", 29 * 60 + 41)
    clock.now += timedelta(seconds=caught.value.retry_after)
    quotas.admit(SYSTEM)


def test_processes_share_the_counts(path: Path, clock: Clock) -> None:
    one, two = make(path, clock), make(path, clock)
    one.admit(SYSTEM)
    two.admit(SYSTEM)
    one.admit(SYSTEM)
    with pytest.raises(QuotaError):
        two.admit(SYSTEM)
    two.add_rows(OTHER, 10)
    with pytest.raises(QuotaError):
        one.admit(OTHER)


def test_agencies_and_their_officers_and_systems_are_counted_apart(path: Path, clock: Clock) -> None:
    quotas = make(path, clock)
    for _ in range(3):
        quotas.admit(SYSTEM)
    with pytest.raises(QuotaError):
        quotas.admit(SYSTEM)
    quotas.admit(OFFICER)
    quotas.admit(OTHER)


def test_null_is_no_limit(path: Path, clock: Clock) -> None:
    quotas = make(path, clock, {"systems": Limits(None, None), "officers": Limits(None, None)})
    for _ in range(50):
        quotas.admit(SYSTEM)
        quotas.add_rows(SYSTEM, 1_000_000)


def test_old_counts_go(path: Path, clock: Clock) -> None:
    quotas = make(path, clock)
    quotas.admit(SYSTEM)
    quotas.add_rows(SYSTEM, 3)
    clock.now += timedelta(days=2)
    quotas.admit(OTHER)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT who, what FROM used").fetchall() == [("scjg/systems", "requests")]


def test_the_file_is_private_and_may_be_deleted(path: Path, clock: Clock) -> None:
    quotas = make(path, clock)
    quotas.admit(SYSTEM)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    quotas.close()
    for file in path.parent.iterdir():
        file.unlink()
    quotas.admit(SYSTEM)


def test_a_file_that_cannot_be_kept_is_503_and_says_the_cure(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all, only a text that is long enough" * 20)
    with pytest.raises(RequestError) as caught:
        make(path, clock).admit(SYSTEM)
    assert caught.value.status == 503
    assert "delete" in caught.value.en


@pytest.mark.parametrize(
    ("config", "systems"),
    [
        ({}, DEFAULTS["systems"]),
        ({"quotas": {"systems": {"requests_per_minute": 60}}}, Limits(60, DEFAULTS["systems"].rows_per_day)),
        ({"quotas": {"systems": {"rows_per_day": None}}}, Limits(DEFAULTS["systems"].requests_per_minute, None)),
    ],
)
def test_the_configuration_overrides_the_defaults(config: dict[str, Any], systems: Limits) -> None:
    assert read_limits(config) == {"systems": systems, "officers": DEFAULTS["officers"]}


@pytest.mark.parametrize(
    "quotas",
    [
        [],
        "none",
        {"agencies": {}},
        {"systems": 60},
        {"systems": {"requests": 60}},
        {"systems": {"rows_per_day": 0}},
        {"systems": {"rows_per_day": -1}},
        {"systems": {"rows_per_day": "many"}},
        {"systems": {"rows_per_day": True}},
        {"systems": {"rows_per_day": 1.5}},
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(quotas: Any) -> None:
    with pytest.raises(UsageError) as caught:
        read_limits({"quotas": quotas or "none"})
    assert "datasette.yml" in caught.value.en


def test_far_from_the_limit_counts_are_shared_four_times_a_second_and_at_the_end(path: Path, clock: Clock) -> None:
    limits = {"systems": Limits(1_000, 1_000), "officers": Limits(2, 5)}
    one, two = make(path, clock, limits), make(path, clock, limits)
    for _ in range(50):
        one.admit(SYSTEM)
    one.add_rows(SYSTEM, 70)
    one.close()
    clock.now += timedelta(seconds=1)
    two.admit(SYSTEM)
    with sqlite3.connect(path) as db:
        assert dict(db.execute("SELECT what, n FROM used")) == {"requests": 51, "rows": 70}


def test_near_the_limit_no_process_lets_one_too_many_pass(path: Path, clock: Clock) -> None:
    limits = {"systems": Limits(500, None), "officers": Limits(2, 5)}
    processes = [make(path, clock, limits) for _ in range(3)]
    passed = 0
    for turn in range(900):
        clock.now += timedelta(milliseconds=30)
        try:
            processes[turn % 3].admit(SYSTEM)
            passed += 1
        except QuotaError:
            pass
    assert passed == 500


# -- answers of any size ----------------------------------------------------------------------------------------------


def test_an_answer_that_is_being_made_takes_its_rows_from_the_day_in_every_process(path: Path, clock: Clock) -> None:
    one, two = make(path, clock), make(path, clock)
    one.reserve(SYSTEM, 6)
    with pytest.raises(QuotaError) as caught:
        two.reserve(SYSTEM, 5)
    assert (caught.value.code, caught.value.retry_after) == ("quota_rows", 29 * 60 + 41)
    two.reserve(SYSTEM, 4)  # what was refused was not counted
    one.add_rows(SYSTEM, -6)
    two.reserve(SYSTEM, 6)


@pytest.mark.anyio
async def test_a_whole_file_is_not_larger_than_what_the_day_has_left(demo: Instance) -> None:
    with (demo.path / "datasette.yml").open("a", encoding="utf-8") as file:
        file.write("plugins: {liandong: {quotas: {systems: {rows_per_day: 150}}}}\n")
    async with in_process(demo) as app:
        headers = app.bearer()
        whole = await app.client.get("/work/penalties.csv?_stream=1", headers=headers)  # 160 rows
        assert (whole.status_code, whole.json()["code"]) == (429, "quota_rows")
        assert int(whole.headers["retry-after"]) > 0
        assert "示演" not in whole.text
        assert (app.entries()[-1]["kind"], app.entries()[-1]["reason"]) == ("query.failed", "quota_rows")
        narrowed = await app.client.get("/work/permits.csv?_stream=1", headers=headers)  # 120 rows: none was used up
        assert narrowed.status_code == 200
        assert app.entries()[-1]["rows"] == 120
        again = await app.client.get("/work/permits.csv?_stream=1", headers=headers)
        assert again.status_code == 429
        page = await app.client.get("/work/permits.json?_size=30", headers=headers)
        assert page.status_code == 200
        assert (await app.client.get("/work/permits.json?_size=1", headers=headers)).status_code == 429
