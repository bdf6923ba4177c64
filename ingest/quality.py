"""The report of a batch: what was read, what was taken, what was set aside, and why, by row and column."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ingest.problems import RULES, RowProblem
from ingest.records import RowUnit

#: How many problems a printed report shows; the report file has them all.
EXAMPLES = 10

_SHOWN_CHARACTERS = 60
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class Report:
    """What happened to one file.

    ``written`` is false for a dry run and for a batch that was refused (``refused``) because of its problems, or
    because it would remove too many rows (``removals_refused``; ``rows_removed`` of the ``rows_stored`` that its
    mapping had loaded before). Counts are of rows; a row with several problems is set aside once. ``problems``
    holds the first ones, or all of them if ``keep_all``.
    """

    file_name: str
    row_unit: RowUnit
    mapping: str
    database: str
    table: str
    set_aside_allowed: bool
    dry_run: bool
    keep_all: bool = False
    removals_allowed: bool = False
    rows_read: int = 0
    rows_blank: int = 0
    rows_set_aside: int = 0
    rows_added: int = 0
    rows_changed: int = 0
    rows_unchanged: int = 0
    rows_removed: int = 0
    rows_stored: int = 0
    removals_withheld: bool = False
    removals_refused: bool = False
    batch: str | None = None
    ledger_seq: int | None = None
    problems: list[RowProblem] = field(default_factory=list)
    problem_count: int = 0
    by_rule: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, problem: RowProblem) -> None:
        """Count one problem."""
        self.problem_count += 1
        self.by_rule[problem.rule, problem.column] += 1
        if self.keep_all or len(self.problems) < EXAMPLES:
            self.problems.append(problem)

    @property
    def rows_taken(self) -> int:
        """Rows that are good: written, or that would be."""
        return self.rows_read - self.rows_set_aside

    @property
    def refused(self) -> bool:
        """Whether problems, or too many removals, kept the whole batch out."""
        return self.removals_refused or (self.rows_set_aside > 0 and not self.set_aside_allowed)

    @property
    def written(self) -> bool:
        """Whether the database changed hands: a batch was committed, be it with zero changes."""
        return self.batch is not None

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, with the problems kept."""
        return {
            "file": self.file_name,
            "mapping": self.mapping,
            "database": self.database,
            "table": self.table,
            "row_unit": self.row_unit,
            "written": self.written,
            "refused": self.refused,
            "dry_run": self.dry_run,
            "batch": self.batch,
            "ledger_seq": self.ledger_seq,
            "rows_read": self.rows_read,
            "rows_taken": self.rows_taken,
            "rows_set_aside": self.rows_set_aside,
            "rows_blank": self.rows_blank,
            "rows_added": self.rows_added,
            "rows_changed": self.rows_changed,
            "rows_unchanged": self.rows_unchanged,
            "rows_removed": self.rows_removed,
            "rows_stored": self.rows_stored,
            "removals_withheld": self.removals_withheld,
            "removals_refused": self.removals_refused,
            "problem_count": self.problem_count,
            "by_rule": [
                {"rule": rule, "column": column, "count": count}
                for (rule, column), count in sorted(self.by_rule.items(), key=lambda item: (-item[1], item[0]))
            ],
            "problems": [problem_json(problem) for problem in self.problems],
        }


def problem_json(problem: RowProblem) -> dict[str, Any]:
    """One problem as JSON values, with its sentences in both languages."""
    return {
        "row": problem.row,
        "column": problem.column,
        "value": problem.value,
        "rule": problem.rule,
        "zh": problem.zh,
        "en": problem.en,
        "fix_zh": problem.fix_zh,
        "fix_en": problem.fix_en,
    }


def report_file(reports: list[Report], suffix: str) -> bytes:
    """Return the bytes of a report file: ``.csv`` (a line a problem, with BOM, for spreadsheets) or JSON."""
    if suffix == ".csv":
        return _csv(reports).encode("utf-8-sig")
    return json.dumps([report.to_json() for report in reports], ensure_ascii=False, indent=1).encode() + b"\n"


def _csv(reports: list[Report]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["文件 file", "行 row", "列 column", "值 value", "规则 rule", "问题", "problem", "改法", "fix"])
    for report in reports:
        for problem in report.problems:
            cells = [report.file_name, str(problem.row), problem.column, problem.value or "", problem.rule]
            cells += [problem.zh, problem.en, problem.fix_zh, problem.fix_en]
            writer.writerow([_inert(cell) for cell in cells])
    return out.getvalue()


def _inert(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def render(report: Report) -> str:
    """Return the report as text for people, each line in Chinese and English."""
    unit = "行 lines" if report.row_unit == "line" else "条记录 records"
    lines = [
        f"{report.file_name} → {report.database}.{report.table}（映射 mapping: {report.mapping}）",
        f"  读取 read {report.rows_read:,} {unit}；合格 good {report.rows_taken:,}；"
        f"搁置 set aside {report.rows_set_aside:,}",
    ]
    if report.rows_blank:
        lines.append(f"  另有空行 blank lines skipped {report.rows_blank:,}")
    lines.append(_outcome(report))
    if report.removals_withheld:
        lines.append(
            "  有搁置行的标识无法读取，故本批未删除任何行。"
            " Some rows set aside have no readable key, so no row was removed in this batch."
        )
    if report.problem_count:
        lines += _reasons(report) + _examples(report)
    return "\n".join(lines)


def _outcome(report: Report) -> str:
    if report.removals_refused:
        gone = f"{report.rows_removed:,} / {report.rows_stored:,}"
        return (
            f"  未写入任何内容：该文件将删除本映射已存的 {gone} 行，可能不完整；"
            "请核对文件，确需删除则加 --allow-removals。"
            f" Nothing was written: the file would remove {gone} rows that this mapping stored, and may be incomplete; "
            "check it, and if they are to go give --allow-removals."
        )
    if report.refused:
        return (
            "  未写入任何内容：请更正以下各行，或加 --set-aside 先收入合格的行。"
            " Nothing was written: correct the rows below, or take the good ones with --set-aside."
        )
    counts = (
        f"新增 added {report.rows_added:,}；更改 changed {report.rows_changed:,}；"
        f"未变 unchanged {report.rows_unchanged:,}；删除 removed {report.rows_removed:,}"
    )
    if report.dry_run:
        return f"  试运行，未写入 dry run, nothing written：{counts}"
    seq = f"，台账 ledger entry {report.ledger_seq}" if report.ledger_seq is not None else ""
    return f"  {counts}（批次 batch {report.batch}{seq}）"


def _reasons(report: Report) -> list[str]:
    lines = ["  原因 why（次数 count · 列 column · 规则 rule）："]
    for (name, column), count in sorted(report.by_rule.items(), key=lambda item: (-item[1], item[0])):
        rule = RULES[name]
        lines.append(f"    {count:,} · {column} · {name} {rule.title_zh} {rule.title_en}")
        lines.append(f"      改法：{rule.fix_zh}。Fix: {rule.fix_en}.")
    return lines


def _examples(report: Report) -> list[str]:
    found = report.problems[:EXAMPLES]
    lines = [f"  示例 examples（{len(found)} / {report.problem_count:,}）："]
    for problem in found:
        row = f"第 {problem.row} 行 line" if report.row_unit == "line" else f"第 {problem.row} 条 record"
        lines.append(f"    {row} · {problem.column} = {_short(problem.value)}：{problem.zh}。{problem.en}.")
    return lines


def _short(value: str | None) -> str:
    if value is None:
        return "（无 none）"
    text = value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 1] + "…"
    # Escaped, so that no control character of a file reaches the terminal.
    return "“" + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text) + "”"
