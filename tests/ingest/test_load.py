"""Loading: one transaction a batch, the same file again changes nothing, and no row is taken that is in doubt."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import LoadError, MappingError
from ingest.quality import Report, render
from ingest.readers import open_source
from tests.ingest.helpers import World, csv_file, error_of, listing

ROWS = "SELECT code, name, amount, price FROM listing ORDER BY code"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Databases with one table in snapshot mode, and the same filled by a second mapping that appends."""
    return World(tmp_path, [listing(), listing("append", "second")])


def counts(report: Report) -> tuple[int, int, int, int]:
    """Added, changed, unchanged, removed."""
    return report.rows_added, report.rows_changed, report.rows_unchanged, report.rows_removed


def test_rows_are_stored_by_type_with_their_batch(world: World) -> None:
    report = world.load(csv_file(world.folder, '00123,NA,"1,200",0.50', "370000190001010000,甲,,"), "listing")
    assert counts(report) == (2, 0, 0, 0)
    assert world.rows("work", ROWS) == [("00123", "NA", 1200, 0.5), ("370000190001010000", "甲", None, None)]
    types = "SELECT typeof(code), typeof(amount), typeof(price) FROM listing WHERE code = '00123'"
    assert world.rows("work", types) == [("text", "integer", "real")]
    assert world.rows("work", "SELECT DISTINCT _batch FROM listing") == [(report.batch,)]


def test_whole_decimals_are_stored_as_whole_numbers(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,,3.00"), "listing")
    assert world.rows("work", "SELECT price, typeof(price) FROM listing") == [(3, "integer")]


def test_the_same_file_again_changes_nothing_but_is_a_batch(world: World) -> None:
    path = csv_file(world.folder, "1,甲,1,1", "2,乙,2,2")
    first = world.load(path, "listing")
    before = world.rows("work", "SELECT * FROM listing")
    again = world.load(path, "listing")
    assert counts(again) == (0, 0, 2, 0)
    assert world.rows("work", "SELECT * FROM listing") == before
    assert [batch.batch for batch in world.recorder.batches] == [first.batch, again.batch]
    assert (first.ledger_seq, again.ledger_seq) == (0, 1)


def test_another_spelling_of_the_same_values_changes_nothing(world: World) -> None:
    world.load(csv_file(world.folder, '1,甲,"1,200",1.50'), "listing")
    assert counts(world.load(csv_file(world.folder, " 1 ,甲 ,１２００,1.5"), "listing")) == (0, 0, 1, 0)


def test_added_changed_unchanged_and_removed_rows_are_counted(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,1,1", "2,乙,2,2", "3,丙,3,3"), "listing")
    report = world.load(csv_file(world.folder, "4,丁,4,4", "2,乙二,2,2", "1,甲,1,1"), "listing")
    assert counts(report) == (1, 1, 1, 1)
    assert [row[:2] for row in world.rows("work", ROWS)] == [("1", "甲"), ("2", "乙二"), ("4", "丁")]
    changed = world.rows("work", "SELECT code FROM listing WHERE _batch = ? ORDER BY code", report.batch)
    assert changed == [("2",), ("4",)]


def test_a_changed_row_keeps_its_surrogate_key_and_a_removed_ones_is_not_given_out_again(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,,", "2,乙,,"), "listing")
    world.load(csv_file(world.folder, "1,甲一,,"), "listing")
    world.load(csv_file(world.folder, "1,甲一,,", "3,丙,,"), "listing")
    assert world.rows("work", "SELECT id, code FROM listing ORDER BY id") == [(1, "1"), (3, "3")]


def test_a_row_that_returns_after_removal_is_added_anew(world: World) -> None:
    for lines, expected in (
        (["1,甲,,", "2,乙,,"], (2, 0, 0, 0)),
        (["1,甲,,"], (0, 0, 1, 1)),
        (["1,甲,,", "2,乙,,"], (1, 0, 1, 0)),
    ):
        assert counts(world.load(csv_file(world.folder, *lines), "listing")) == expected


def test_append_keeps_rows_that_the_file_no_longer_has(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,,", "2,乙,,"), "second")
    assert counts(world.load(csv_file(world.folder, "3,丙,,"), "second")) == (1, 0, 0, 0)
    assert len(world.rows("work", ROWS)) == 3


def test_a_snapshot_removes_only_rows_of_its_own_mapping(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,,"), "second")
    world.load(csv_file(world.folder, "1,甲,,", "2,乙,,"), "listing")
    assert counts(world.load(csv_file(world.folder, "2,乙,,"), "listing")) == (0, 0, 1, 1)
    assert world.rows("work", "SELECT code FROM listing ORDER BY code") == [("1",), ("2",)]


def test_one_bad_row_keeps_the_whole_batch_out(world: World) -> None:
    before = world.dump("work")
    report = world.load(csv_file(world.folder, "1,甲,1,1", "2,乙,很多,1"), "listing")
    assert report.refused
    assert not report.written
    assert world.dump("work") == before
    assert world.recorder.batches == []


def test_setting_aside_takes_the_good_rows_and_reports_the_rest(world: World) -> None:
    path = csv_file(world.folder, "1,甲,1,1", "2,,很多,1", "3,丙,1", "4,丁,1,1")
    report = world.load(path, "listing", set_aside=True)
    assert (report.rows_read, report.rows_taken, report.rows_set_aside) == (4, 2, 2)
    found = [(item.row, item.column, item.value, item.rule) for item in report.problems]
    assert found == [(3, "名称", "", "required"), (3, "数量", "很多", "integer"), (4, "—", None, "cells")]
    assert [row[0] for row in world.rows("work", ROWS)] == ["1", "4"]
    assert world.recorder.batches[0].rows_set_aside == 2


def test_a_dry_run_counts_everything_and_writes_nothing(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,1,1", "2,乙,1,1"), "listing")
    before = world.dump("work")
    report = world.load(
        csv_file(world.folder, "1,甲一,1,1", "3,丙,1,1", "4,,1,1"), "listing", dry_run=True, set_aside=True
    )
    assert counts(report) == (1, 1, 0, 1)
    assert (report.rows_set_aside, report.written, report.batch) == (1, False, None)
    assert world.dump("work") == before
    assert len(world.recorder.batches) == 1


def test_a_copy_is_set_aside_and_says_of_which_row(world: World) -> None:
    report = world.load(csv_file(world.folder, "1,甲,1,1", "2,乙,1,1", "1, 甲,1,1.0"), "listing", set_aside=True)
    (problem,) = report.problems
    assert (problem.row, problem.column, problem.value, problem.rule) == (4, "编号", "1", "duplicate")
    assert "line 2" in problem.en
    assert "第 2 行" in problem.zh
    assert counts(report) == (2, 0, 0, 0)


def test_of_two_rows_with_one_key_and_other_content_neither_is_taken(world: World) -> None:
    path = csv_file(world.folder, "1,甲,1,1", "2,乙,1,1", "1,甲二,1,1", "1,甲,1,1")
    report = world.load(path, "listing", set_aside=True)
    assert [(item.row, item.rule) for item in report.problems] == [
        (4, "key_conflict"),
        (5, "duplicate"),
        (2, "key_conflict"),
    ]
    assert [row[0] for row in world.rows("work", ROWS)] == ["2"]
    assert report.rows_set_aside == 3


def test_a_snapshot_does_not_remove_a_row_that_was_set_aside(world: World) -> None:
    world.load(csv_file(world.folder, "1,甲,1,1", "2,乙,2,2", "3,丙,3,3"), "listing")
    path = csv_file(world.folder, "1,甲,很多,1", "2,乙,2,2", "2,乙二,2,2")
    report = world.load(path, "listing", set_aside=True)
    assert counts(report) == (0, 0, 0, 1)
    assert [row[:2] for row in world.rows("work", ROWS)] == [("1", "甲"), ("2", "乙")]
    assert not report.removals_withheld


def lines(first: int, last: int) -> list[str]:
    """Good CSV lines with these codes."""
    return [f"{code:03},甲,1,1" for code in range(first, last + 1)]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_snapshot_that_would_remove_most_rows_is_refused_and_writes_nothing(world: World, dry_run: bool) -> None:
    world.load(csv_file(world.folder, *lines(1, 40)), "listing")
    before = world.dump("work")
    report = world.load(csv_file(world.folder, *lines(1, 19)), "listing", dry_run=dry_run)
    assert (report.refused, report.removals_refused, report.written) == (True, True, False)
    assert (report.rows_removed, report.rows_stored) == (21, 40)
    for said in ("would remove 21 / 40 rows", "将删除本映射已存的 21 / 40 行", "--allow-removals"):
        assert said in render(report)
    assert world.dump("work") == before
    assert len(world.recorder.batches) == 1


def test_removals_that_the_operator_allows_are_made(world: World) -> None:
    world.load(csv_file(world.folder, *lines(1, 40)), "listing")
    path = csv_file(world.folder, *lines(1, 19))
    assert not world.load(path, "listing", allow_removals=True, dry_run=True).refused
    assert counts(world.load(path, "listing", allow_removals=True)) == (0, 0, 19, 21)
    assert counts(world.load(path, "listing")) == (0, 0, 19, 0)


@pytest.mark.parametrize(("stored", "kept"), [(40, 20), (19, 0), (20, 1)])
def test_half_of_the_rows_or_fewer_than_twenty_are_removed_without_asking(world: World, stored: int, kept: int) -> None:
    world.load(csv_file(world.folder, *lines(1, stored)), "listing")
    report = world.load(csv_file(world.folder, *lines(1, kept), "x,甲,1,1"), "listing")
    assert counts(report) == (1, 0, kept, stored - kept)


def test_rows_set_aside_and_those_of_other_mappings_are_no_removals(world: World) -> None:
    world.load(csv_file(world.folder, *lines(101, 200)), "second")
    world.load(csv_file(world.folder, *lines(1, 40)), "listing")
    bad = [line.replace("甲", "") for line in lines(11, 40)]
    assert counts(world.load(csv_file(world.folder, *lines(1, 10), *bad), "listing", set_aside=True)) == (0, 0, 10, 0)
    assert world.load(csv_file(world.folder, *lines(1, 10)), "listing").removals_refused
    assert counts(world.load(csv_file(world.folder, "x,甲,1,1"), "second")) == (1, 0, 0, 0)


@pytest.mark.parametrize("line", [",无编号,1,1", "4,丁"])
def test_a_row_without_a_readable_key_withholds_all_removals(world: World, line: str) -> None:
    world.load(csv_file(world.folder, "1,甲,1,1", "2,乙,2,2"), "listing")
    report = world.load(csv_file(world.folder, "1,甲,1,1", line), "listing", set_aside=True)
    assert report.removals_withheld
    assert counts(report) == (0, 0, 1, 0)
    assert len(world.rows("work", ROWS)) == 2


def test_hashes_are_keyed_and_differ_by_mapping(world: World) -> None:
    path = csv_file(world.folder, "1,甲,1,1")
    world.load(path, "listing")
    world.load(path, "second")
    hashes = world.rows("work", "SELECT key_hash, row_hash FROM _rows")
    assert len(set(hashes)) == 2
    assert all(len(key) == len(row) == 32 for key, row in hashes)
    # Under another instance's secret the same row is not found again: the hash says nothing without the secret.
    with open_source(path) as source:
        assert replace(world.loader("listing"), secret=bytes(32)).load(source).rows_added == 1


def test_counts_go_to_the_ledger_and_the_files_name_only_as_a_particular(world: World) -> None:
    path = csv_file(world.folder, "1,甲,1,1", "2,,1,1")
    report = world.load(path, "listing", set_aside=True)
    (batch,) = world.recorder.batches
    assert batch.fields() == {
        "batch": report.batch,
        "database": "work",
        "table": "listing",
        "mapping": "listing",
        "mapping_digest": world.mappings["listing"].digest,
        "rows_read": 2,
        "rows_added": 1,
        "rows_changed": 0,
        "rows_unchanged": 0,
        "rows_removed": 0,
        "rows_set_aside": 1,
    }
    assert set(batch.particulars()) == {"file_name", "file_sha256"}
    assert len(batch.particulars()["file_sha256"]) == 64


def test_constants_and_the_source_are_stored_where_no_column_fills_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    fixture = Path(__file__).parents[1] / "fixtures" / "portal" / "neijiang.json"
    world.load(fixture, "portal_neijiang", set_aside=True)
    found = world.rows("directory", "SELECT DISTINCT sharing_class, source, category, channel FROM resources")
    assert found == [("未定", "内江公共数据开放平台", None, None)]


def test_a_file_that_does_not_fit_writes_nothing(world: World) -> None:
    path = world.folder / "a.csv"
    path.write_text("编号,名称\n1,甲\n", encoding="utf-8")
    before = world.dump("work")
    assert "数量" in error_of(MappingError, lambda: world.load(path, "listing")).en
    assert world.dump("work") == before


def test_a_missing_a_locked_and_a_damaged_database_are_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv_file(world.folder, "1,甲,1,1")
    monkeypatch.setattr("ingest.connection.BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(world.database("work"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "another process" in error_of(LoadError, lambda: world.load(path, "listing")).en
        other.execute("ROLLBACK")
    assert counts(world.load(path, "listing")) == (1, 0, 0, 0)
    for end in ("", "-wal", "-shm"):
        world.database("work").with_name(f"work.db{end}").unlink(missing_ok=True)
    assert "liandong init" in error_of(LoadError, lambda: world.load(path, "listing")).en
    world.database("work").write_bytes(b"x" * 4096)
    assert "not a database" in error_of(LoadError, lambda: world.load(path, "listing")).en
    assert LoadError.exit_code == 2


def test_readers_are_not_blocked_while_a_file_is_normalised(world: World) -> None:
    path = csv_file(world.folder, *(f"{number},甲,1,1" for number in range(1000)))
    seen: list[Any] = []

    def look(_: int) -> None:
        with closing(sqlite3.connect(world.database("work"), timeout=0)) as other:
            other.execute("CREATE TABLE IF NOT EXISTS written_meanwhile (a)")
            seen.append(other.execute("SELECT count(*) FROM listing").fetchone())

    world.load(path, "listing", progress=look)
    assert set(seen) == {(0,)}


def test_progress_tells_every_row_once(world: World) -> None:
    path = csv_file(world.folder, *(f"{number},甲,1,1" for number in range(450)), "x,,,")
    told: list[int] = []
    world.load(path, "listing", set_aside=True, progress=told.append)
    assert sum(told) == 451


LINE = st.tuples(st.sampled_from("123456"), st.sampled_from(["甲", "乙", ""]), st.sampled_from(["1", "2", "很多"]))


def as_lines(rows: list[tuple[str, str, str]]) -> list[str]:
    """CSV lines of generated rows."""
    return [f"{code},{name},{amount}," for code, name, amount in rows]


def test_a_copy_of_a_conflicting_row_is_a_copy_wherever_it_stands(tmp_path: Path) -> None:
    one, other = ("1", "甲", "1"), ("1", "甲", "2")
    for number, order in enumerate(([one, other, one], [other, one, one], [one, one, other])):
        (tmp_path / str(number)).mkdir()
        world = World(tmp_path / str(number), [listing()])
        report = world.load(csv_file(world.folder, *as_lines(order)), "listing", set_aside=True)
        assert Counter(report.by_rule) == {("key_conflict", "编号"): 2, ("duplicate", "编号"): 1}


@settings(max_examples=25, deadline=None)
@given(before=st.lists(LINE, min_size=1, max_size=8), rows=st.lists(LINE, min_size=1, max_size=8), data=st.data())
def test_order_does_not_matter_and_twice_is_once(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, str, str]],
    rows: list[tuple[str, str, str]],
    data: st.DataObject,
) -> None:
    shuffled = data.draw(st.permutations(rows))
    results = []
    for order in (rows, shuffled):
        world = World(tmp_path_factory.mktemp("world"), [listing()])
        world.load(csv_file(world.folder, *as_lines(before)), "listing", set_aside=True)
        first = world.load(csv_file(world.folder, *as_lines(order)), "listing", set_aside=True)
        again = world.load(csv_file(world.folder, *as_lines(order)), "listing", set_aside=True)
        assert (again.rows_added, again.rows_changed, again.rows_removed) == (0, 0, 0)
        assert again.by_rule == first.by_rule
        assert first.rows_read == len(rows)
        assert first.rows_added + first.rows_changed + first.rows_unchanged == first.rows_taken
        results.append((world.rows("work", ROWS), counts(first), Counter(first.by_rule), first.rows_set_aside))
    assert results[0] == results[1]
