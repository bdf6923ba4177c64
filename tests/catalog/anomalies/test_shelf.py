"""Flags that follow the ledger: the same whatever is read at once, however often, and by whom."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.anomalies import shelf as module
from catalog.anomalies.shelf import Filter, Shelf
from catalog.anomalies.thresholds import Thresholds, defaults
from catalog.errors import RequestError
from tests.catalog.anomalies import oracle
from tests.catalog.anomalies.history import MONDAY, Entries, RealHistory, asked, failed, turned_away

#: So low that a few entries reach them.
LOW = replace(
    defaults(),
    history_days=5,
    digest="low",
    numbers={
        "bulk_rows": {"floor": 20, "factor": 3, "least_hours": 2, "without_history": 50},
        "bulk_queries": {"floor": 2, "factor": 2, "least_hours": 2, "without_history": 4},
        "growth": {"floor": 30, "factor": 2, "least_days": 2},
        "off_hours": {"floor": 2},
        "new_purpose": {"least_history": 3},
        "purpose_shift": {"floor": 2, "percent": 34, "least_history": 3},
        "turned_away": {"floor": 2},
        "auth_failed": {"floor": 3},
    },
)
#: All flags of a test.
MANY = 10_000

_fields = st.one_of(
    st.builds(
        asked,
        st.sampled_from(["zhzf", "bjd"]),
        st.sampled_from(["work/penalties", "work/permits", "home", "batch"]),
        st.sampled_from([0, 1, 10, 25, 60]),
        auth=st.sampled_from(["token", "session"]),
    ),
    st.builds(asked, purpose=st.sampled_from(["case", "joint", "lead"]), rows=st.just(5)),
    st.builds(asked, resource=st.just("batch"), items=st.integers(1, 5)),
    st.builds(turned_away, st.sampled_from(["query.referred", "query.refused", "query.failed"])),
    st.builds(failed, st.sampled_from(["zhzf", "bjd"]), st.sampled_from([None, 1, 4])),
    st.just({"kind": "grant.given"}),
)
_histories = st.lists(st.tuples(st.sampled_from([0, 1, 20, 60, 300, 1440, 2880]), _fields), max_size=60)


def made(history: list[tuple[int, dict[str, Any]]]) -> Entries:
    """A list of entries, each so many minutes after the one before."""
    entries, at = Entries(), MONDAY
    for minutes, fields in history:
        at += timedelta(minutes=minutes)
        entries.add(at, fields)
    return entries


def seen(shelf: Shelf) -> oracle.Found:
    return {
        (flag.rule, flag.agency, flag.resource, flag.code, flag.period): (flag.numbers["value"], list(flag.entries))
        for flag, _ in shelf.flags(Filter(), MANY)
    }


@given(_histories, st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 7))
def test_it_finds_what_the_rules_say_in_whatever_pieces_the_ledger_is_read(
    history: list[tuple[int, dict[str, Any]]], looks: list[int], window: int
) -> None:
    whole = made(history)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WINDOW", window)
        shelf, growing = Shelf(Path(folder) / "anomalies.db", LOW), Entries()
        for look in itertools.cycle(looks):  # the ledger grows, and now and then somebody looks
            growing.all = whole.all[: len(growing.all) + look]
            assert shelf.follow(growing) == 0  # type: ignore[arg-type]
            if len(growing.all) >= len(whole.all):
                break
        assert seen(shelf) == oracle.flags(whole.all, LOW)
        shelf.close()


@given(_histories)
def test_each_flag_counts_its_entries_and_has_an_id_of_its_own(history: list[tuple[int, dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder) / "anomalies.db", LOW)
        shelf.follow(made(history))  # type: ignore[arg-type]
        flags = [flag for flag, _ in shelf.flags(Filter(), MANY)]
        assert len({flag.id for flag in flags}) == len(flags)
        for flag in flags:
            assert (flag.count, flag.last) == (len(flag.entries), flag.entries[-1])
            found = shelf.flag(flag.id)
            assert found is not None
            assert found[0] == flag
        shelf.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "anomalies.db", LOW)


def busy(hours: int = 3) -> Entries:
    return made([(0 if n % 4 else 60, asked(rows=30)) for n in range(4 * hours)])


def test_only_what_is_new_is_read(shelf: Shelf) -> None:
    entries = busy()
    shelf.follow(entries)  # type: ignore[arg-type]
    assert entries.read == 12
    shelf.follow(entries)  # type: ignore[arg-type]
    assert entries.read == 12
    entries.add(MONDAY + timedelta(days=1), asked())
    shelf.follow(entries)  # type: ignore[arg-type]
    assert entries.read == 13


def test_a_look_is_bounded_and_the_next_goes_on(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 5)
    entries = busy()
    assert shelf.follow(entries, 5) == 7  # type: ignore[arg-type]
    assert shelf.follow(entries, 5) == 2  # type: ignore[arg-type]
    assert shelf.follow(entries, 5) == 0  # type: ignore[arg-type]
    assert seen(shelf) == oracle.flags(entries.all, LOW)


def test_it_goes_on_after_a_restart_and_may_be_deleted(tmp_path: Path) -> None:
    path, entries = tmp_path / "anomalies.db", busy()
    first = Shelf(path, LOW)
    first.follow(entries)  # type: ignore[arg-type]
    found = seen(first)
    first.close()
    again = Shelf(path, LOW)
    assert seen(again) == found
    again.follow(entries)  # type: ignore[arg-type]
    assert entries.read == 12
    again.close()
    for file in tmp_path.iterdir():
        file.unlink()
    anew = Shelf(path, LOW)
    anew.follow(entries)  # type: ignore[arg-type]
    assert seen(anew) == found
    assert path.stat().st_mode & 0o777 == 0o600
    anew.close()


def test_two_processes_share_one_file(tmp_path: Path) -> None:
    one, other = (Shelf(tmp_path / "anomalies.db", LOW) for _ in range(2))
    entries = busy(1)
    one.follow(entries)  # type: ignore[arg-type]
    entries.add(MONDAY + timedelta(hours=1), asked(rows=30))
    other.follow(entries)  # type: ignore[arg-type]
    entries.add(MONDAY + timedelta(hours=1), asked(rows=30))
    one.follow(entries)  # type: ignore[arg-type]
    assert seen(one) == seen(other) == oracle.flags(entries.all, LOW)
    assert entries.read == 6


def test_other_thresholds_or_another_ledger_make_it_anew(tmp_path: Path) -> None:
    path, entries = tmp_path / "anomalies.db", busy()
    shelf = Shelf(path, LOW)
    shelf.follow(entries)  # type: ignore[arg-type]
    assert seen(shelf)
    shelf.close()
    higher = Shelf(path, defaults())
    higher.follow(entries)  # type: ignore[arg-type]
    assert seen(higher) == {}
    higher.close()
    shelf = Shelf(path, LOW)
    shelf.follow(entries)  # type: ignore[arg-type]
    shorter = made([(0, asked(rows=1))])
    shelf.follow(shorter)  # type: ignore[arg-type]
    assert seen(shelf) == oracle.flags(shorter.all, LOW) == {}
    other = made([(1, asked(rows=1)) for _ in range(20)])
    shelf.follow(entries)  # type: ignore[arg-type]
    shelf.follow(other)  # type: ignore[arg-type]
    assert seen(shelf) == oracle.flags(other.all, LOW)


def test_what_is_added_up_stays_small(shelf: Shelf) -> None:
    """Two months of queries every hour: no more cells than the history that counts, and one for a purpose's past."""
    entries = made([(60, asked(rows=1, purpose="case")) for _ in range(24 * 60)])
    shelf.follow(entries)  # type: ignore[arg-type]
    rows = shelf.all("SELECT measure, count(*) FROM cells GROUP BY 1 ORDER BY 1", ())
    # Five days of history, and the last day until ten o'clock.
    assert dict(rows) == {"day": 6, "hour": 5 * 24 + 10, "purpose": 7}


def test_only_so_many_entries_are_named(shelf: Shelf) -> None:
    entries = made([(0, asked(rows=1)) for _ in range(250)])
    shelf.follow(entries)  # type: ignore[arg-type]
    (flag,) = [flag for flag, _ in shelf.flags(Filter(rule="bulk_queries"), MANY)]
    assert flag.entries == tuple(range(100))
    assert (flag.count, flag.last, flag.numbers["value"]) == (250, 249, 250)


def test_flags_are_listed_newest_first_in_pages_and_narrowed(shelf: Shelf) -> None:
    entries = made([(60, fields) for fields in (turned_away(), failed("bjd", 5)) for _ in range(1)])
    at = MONDAY + timedelta(hours=3)
    for agency in ("zhzf", "bjd", "jkq"):
        for _ in range(3):
            entries.add(at, turned_away(agency=agency))
    shelf.follow(entries)  # type: ignore[arg-type]
    every = [flag.id for flag, _ in shelf.flags(Filter(), MANY)]
    assert len(every) == 4
    paged: list[str] = []
    before = None
    while page := shelf.flags(Filter(), 1, before):
        ((flag, _),) = page
        paged.append(flag.id)
        before = flag.last, flag.id
    assert paged == every
    assert [flag.last for flag, _ in shelf.flags(Filter(), MANY)] == [10, 7, 4, 1]
    assert [flag.rule for flag, _ in shelf.flags(Filter(agency="bjd"), MANY)] == ["turned_away", "auth_failed"]
    assert [flag.agency for flag, _ in shelf.flags(Filter(rule="auth_failed"), MANY)] == ["bjd"]
    assert shelf.flags(Filter(since="2026-03-03"), MANY) == []
    assert shelf.agencies() == ["bjd", "jkq", "zhzf"]
    assert shelf.open_count() == 4


def test_a_review_is_shown_and_what_came_after_it_too(shelf: Shelf) -> None:
    entries = made([(0, turned_away()) for _ in range(2)])
    shelf.follow(entries)  # type: ignore[arg-type]
    ((flag, review),) = shelf.flags(Filter(), MANY)
    assert review is None
    fields = {
        "anomaly": flag.id,
        "rule": flag.rule,
        "agency": "zhzf",
        "by": "sfj",
        "verdict": "normal",
        "entries": [0, 1],
    }
    seq = entries.add(MONDAY, {"kind": "anomaly.reviewed", **fields})
    entries.add(MONDAY, turned_away())
    shelf.follow(entries)  # type: ignore[arg-type]
    ((flag, review),) = shelf.flags(Filter(state="reviewed"), MANY)
    assert review is not None
    assert (review.seq, review.verdict, review.by, review.looked_at) == (seq, "normal", "sfj", 1)
    assert flag.last > review.looked_at
    assert shelf.flags(Filter(state="open"), MANY) == []
    assert shelf.open_count() == 0


def test_a_damaged_file_is_503_and_says_that_it_may_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "anomalies.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(RequestError) as caught:
        Shelf(path, LOW)
    assert caught.value.status == 503
    assert "delete the file" in caught.value.en


def test_over_a_real_ledger(tmp_path: Path) -> None:
    history = RealHistory(tmp_path)
    entries = Entries()
    at = MONDAY
    for day in range(9):
        at = MONDAY + timedelta(days=day)
        for hour in range(2):
            for n in range(3 if day < 8 else 40):
                fields = asked(rows=20, purpose="case" if n else "joint")
                history.add(at + timedelta(hours=hour), fields)
                entries.add(at + timedelta(hours=hour), fields)
    history.add(at + timedelta(hours=9), failed(attempts=7), {"query": "GET /"})
    entries.add(at + timedelta(hours=9), failed(attempts=7))
    shelf = Shelf(tmp_path / "anomalies.db", LOW)
    assert shelf.follow(history.ledger) == 0
    found = seen(shelf)
    assert found == oracle.flags(entries.all, LOW)
    assert {"bulk_rows", "growth", "auth_failed"} <= {rule for rule, *_ in found}
    history.ledger.close()
    shelf.close()


def test_thresholds_of_the_test_name_every_rule() -> None:
    assert isinstance(LOW, Thresholds)
    assert set(LOW.numbers) == set(defaults().numbers)
