"""Answering: in full, in part, no record, delivered offline (答复). Source: 19号 三(四); DESIGN §3, no cheap exit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from catalog.desk import answers, words
from catalog.desk.ask import free_text
from catalog.desk.errors import DeskError
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen
from ledger.cases.guards import possible_results

_KIND = "request.answered"


def can_answer(result: str) -> Callable[[Looking], bool]:
    """Whether a case can be answered with ``result`` now."""
    return lambda looking: result in possible_results(looking.case)


def _carriers(looking: Looking) -> Sequence[Option]:
    return [Option(code, said) for code, said in words.CARRIERS.items()]


def _gives(result: str) -> Callable[[Mapping[str, Any], Looking], Said]:
    def read(given: Mapping[str, Any], looking: Looking) -> Said:
        table = answers.given_table(given)
        text = free_text(given, "text", required=False)
        if not table.rows and not given.get("files"):
            raise DeskError(
                answers.FIELD,
                "an answer gives rows or a file; where nothing was found, answer “no record”",
                "答复须有数据行或附件；查无记录的，请答复“经查无记录”",
                code="missing",
            )
        rows = {"rows": len(table.rows)} if table.rows else {}
        return Said(
            {"result": result, **rows},
            {"text": text, "answer_sha256": answers.digest(table, text)},
            table.to_items(),
        )

    return read


def _no_record(given: Mapping[str, Any], looking: Looking) -> Said:
    text = free_text(given, "text", required=True, secrecy=True)
    return Said({"result": "no_record"}, {"text": text, "answer_sha256": answers.digest(answers.Table(), text)})


def _delivered(given: Mapping[str, Any], looking: Looking) -> Said:
    text = free_text(given, "text", required=True)
    return Said(
        {"result": "delivered_offline", "carrier": chosen(given, "carrier", _carriers(looking))},
        {"text": text, "answer_sha256": answers.digest(answers.Table(), text)},
    )


_TABLE = (
    FormField(
        "rows",
        "rows",
        ("数据（首行为列名，可从表格粘贴）", "Data (column names in the first row; paste from a sheet)"),
        hint=("以制表符或逗号分隔，最多 500 行", "divided by tabs or commas, at most 500 rows"),
        shape=answers.RowsShape(),
    ),
    FormField(
        "rows_file",
        "sheet",
        ("或者选择表格文件（.xlsx、.csv）", "Or choose a sheet (.xlsx, .csv)"),
        hint=("选了文件的，以文件为准", "where a file is chosen, it holds"),
    ),
    FormField("text", "text", ("答复说明（可不填）", "Answer in words (may be left empty)")),
)
_FREE = "提供数据不收费。 "
_FREE_EN = "Nothing may be charged for it. "

FORMS = (
    MoveForm(
        "answer",
        _KIND,
        ("全部提供", "Answer in full"),
        (
            f"所请求的全部数据，以数据行或附件提供；计时到此为止。{_FREE}附件逐个声明已经保密审查。",
            f"All that was asked for, as rows or files; the clock stops. {_FREE_EN}Of each attachment the "
            f"secrecy review is "
            "declared.",
        ),
        _TABLE,
        _gives("full"),
        takes_files=True,
        offered=can_answer("full"),
    ),
    MoveForm(
        "answer-part",
        _KIND,
        ("部分提供", "Answer in part"),
        (
            "先提供能提供的部分；其余仍须提供，计时不停。其余部分有法定事由不予提供的，随后拟稿写明事由，经负"
            "责人批准才办结。",
            "Give what can be given first. The rest is still owed and the clock runs on; where a ground given "
            "by law covers "
            "the rest, draft that refusal next: only its approval closes the request.",
        ),
        _TABLE,
        _gives("partial"),
        takes_files=True,
        offered=can_answer("partial"),
    ),
    MoveForm(
        "answer-none",
        _KIND,
        ("经查无记录", "No record"),
        (
            "写明查了哪些库、哪些时段、用什么条件。有数据而不愿提供的不是无记录。",
            "Say where it was looked for: which registers, which years, by what. Having it and not wanting to "
            "give it is "
            "not “no record”.",
        ),
        (FormField("text", "text", ("查找范围和结果", "Where it was looked for, and the result"), required=True),),
        _no_record,
        offered=can_answer("no_record"),
    ),
    MoveForm(
        "deliver",
        _KIND,
        ("线下交付", "Delivered offline"),
        (
            "材料已经线下交给查询方时记录。查询方确认收到后才算答复，时间以交付记录为准。",
            "Record it when the material was handed over offline. It counts as an answer once the requester "
            "confirms it, "
            "as of this entry.",
        ),
        (
            FormField("carrier", "choice", ("交付载体", "Carrier"), required=True, options=_carriers),
            FormField("text", "text", ("交付的内容、份数、收件人岗位", "What, how many, to which post"), required=True),
        ),
        _delivered,
        takes_files=True,
        offered=can_answer("delivered_offline"),
    ),
)
