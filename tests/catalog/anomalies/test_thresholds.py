"""Thresholds: data with defaults, which a county may change one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.anomalies.rules import NAMES
from catalog.anomalies.thresholds import WorkingTime, defaults, of_instance
from catalog.errors import UsageError


def test_every_rule_has_its_numbers() -> None:
    assert set(defaults().numbers) == set(NAMES)


def test_without_a_file_of_its_own_an_instance_has_the_defaults(tmp_path: Path) -> None:
    assert of_instance(tmp_path) is defaults()


def test_a_county_changes_what_it_wants(tmp_path: Path) -> None:
    (tmp_path / "anomalies.yml").write_text(
        "bulk_rows: {floor: 7}\nworking_time: {begins: '09:00', off_days: [2026-10-01]}\n", encoding="utf-8"
    )
    own = of_instance(tmp_path)
    assert own.of("bulk_rows") == {**defaults().of("bulk_rows"), "floor": 7}
    assert own.of("growth") == defaults().of("growth")
    assert own.working_time.begins == "09:00"
    assert own.working_time.ends == defaults().working_time.ends
    assert own.working_time.off_days == {"2026-10-01"}
    assert own.digest != defaults().digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bulk: {floor: 1}", "bulk is unknown"),
        ("bulk_rows: {roof: 1}", "roof is unknown"),
        ("bulk_rows: {floor: 0}", "whole number"),
        ("bulk_rows: {floor: -1}", "whole number"),
        ("bulk_rows: {floor: 1.5}", "whole number"),
        ("bulk_rows: {floor: true}", "whole number"),
        ("bulk_rows: {floor: '5'}", "whole number"),
        ("bulk_rows: 5", "not a table"),
        ("history_days: 0", "whole number"),
        ("format: 2", "format"),
        ("working_time: {begins: '8:30'}", "begins"),
        ("working_time: {ends: '24:00'}", "ends"),
        ("working_time: {begins: 830}", "begins"),
        ("working_time: {weekdays: [0]}", "weekdays"),
        ("working_time: {weekdays: 1}", "weekdays"),
        ("working_time: {off_days: [2026-02-30]}", "out of range"),
        ("working_time: {off_days: ['2026-02-30']}", "off_days"),
        ("working_time: {working_days: [soon]}", "working_days"),
        ("working_time: {off_days: 5}", "off_days"),
        ("- a", "not a table"),
        ("a: [", "anomalies.yml"),
        ("\xff", "unknown"),
    ],
)
def test_what_is_wrong_in_it_is_named_with_the_cure(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "anomalies.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        of_instance(tmp_path)
    assert said in caught.value.en or said == "unknown"
    assert "correct it" in caught.value.en
    assert "请更正" in caught.value.zh


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anomalies.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        of_instance(tmp_path)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "anomalies.yml").write_text("# nothing yet\n", encoding="utf-8")
    assert of_instance(tmp_path).numbers == defaults().numbers


@pytest.mark.parametrize(
    ("day", "time", "works"),
    [
        ("2026-03-02", "08:30", True),  # a Monday
        ("2026-03-02", "08:29", False),
        ("2026-03-02", "17:29", True),
        ("2026-03-02", "17:30", False),
        ("2026-03-07", "10:00", False),  # a Saturday
        ("2026-03-08", "10:00", True),  # a Sunday that is worked
        ("2026-03-03", "10:00", False),  # a Tuesday off
    ],
)
def test_working_time_ends_before_it_ends(day: str, time: str, works: bool) -> None:
    weekdays = frozenset({1, 2, 3, 4, 5})
    times = WorkingTime("08:30", "17:30", weekdays, frozenset({"2026-03-03"}), frozenset({"2026-03-08"}))
    assert times.covers(day, time) is works
