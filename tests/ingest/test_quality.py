"""Reports: figures that add up, in both languages, and files that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from ingest.problems import RowProblem
from ingest.quality import EXAMPLES, Report, render, report_file


def report(*problems: RowProblem, keep_all: bool = False, **more: int) -> Report:
    """A report of ten rows read."""
    made = Report(
        "文件.csv", "line", "listing", "work", "listing", set_aside_allowed=True, dry_run=False, keep_all=keep_all
    )
    made.rows_read = 10
    for problem in problems:
        made.add(problem)
    made.rows_set_aside = len({problem.row for problem in problems})
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_a_report_counts_rows_once_and_problems_by_rule_and_column() -> None:
    made = report(
        RowProblem(2, "名称", "", "required"),
        RowProblem(2, "数量", "x", "integer"),
        RowProblem(5, "数量", "y", "integer"),
    )
    assert (made.rows_taken, made.rows_set_aside, made.problem_count) == (8, 2, 3)
    assert made.by_rule == {("required", "名称"): 1, ("integer", "数量"): 2}
    text = render(made)
    assert "2 · 数量 · integer 不是整数 not a whole number" in text
    assert text.index("2 · 数量 · integer") < text.index("1 · 名称 · required")
    assert "第 5 行 line · 数量 = “y”" in text


def test_only_the_first_examples_are_printed_and_kept_unless_all_are_asked_for() -> None:
    problems = [RowProblem(row, "数量", "x", "integer") for row in range(50)]
    few, every = report(*problems), report(*problems, keep_all=True)
    assert (len(few.problems), len(every.problems)) == (EXAMPLES, 50)
    assert few.problem_count == every.problem_count == 50
    assert render(few) == render(every)
    assert f"示例 examples（{EXAMPLES} / 50）" in render(few)


def test_what_happened_is_said_in_both_languages() -> None:
    refused = report(RowProblem(2, "数量", "x", "integer"))
    refused.set_aside_allowed = False
    assert "Nothing was written" in render(refused)
    assert "未写入任何内容" in render(refused)
    dry = report()
    dry.dry_run = True
    assert "dry run, nothing written" in render(dry)
    written = report(rows_added=3, ledger_seq=7, rows_blank=2)
    written.batch = "b"
    written.removals_withheld = True
    for said in ("新增 added 3", "ledger entry 7", "blank lines skipped 2", "no row was removed in this batch"):
        assert said in render(written)


def test_no_control_character_of_a_file_reaches_the_terminal() -> None:
    text = render(
        report(RowProblem(2, "名称", "a\x1b[31m\r\nb" + "长" * 100, "max_length", {"got": "1", "limit": "1"}))
    )
    assert "\x1b" not in text
    assert "\\u001b[31m\\u000d\\u000ab" in text
    assert "长…" in text


def test_the_json_file_holds_every_problem_with_both_languages() -> None:
    made = report(RowProblem(2, "数量", None, "integer"), keep_all=True)
    (read,) = json.loads(report_file([made], ".json"))
    assert read["problems"][0]["row"] == 2
    assert read["problems"][0]["value"] is None
    assert read["problems"][0]["fix_zh"]
    assert read["by_rule"] == [{"rule": "integer", "column": "数量", "count": 1}]
    assert read["rows_taken"] + read["rows_set_aside"] == read["rows_read"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
def test_no_cell_of_the_csv_file_is_a_formula(value: str) -> None:
    made = report(RowProblem(2, "数量", value, "integer"), keep_all=True)
    data = report_file([made], ".csv")
    assert data.startswith(b"\xef\xbb\xbf")
    (_, row) = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert row[3] in (value, f"'{value}")
    assert not row[3].startswith(("=", "+", "-", "@", "\t"))
