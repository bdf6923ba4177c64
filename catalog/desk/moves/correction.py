"""Answering a correction (校核): corrected (here, with the batch that changed it, or at the source), upheld, not ours.

Source: 条例 (令809) art. 26.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk import words
from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen
from catalog.listing import local_time


def _results(looking: Looking) -> Sequence[Option]:
    return [Option(code, words.RESULTS[code]) for code in ("corrected", "upheld", "not_ours")]


def _places(looking: Looking) -> Sequence[Option]:
    return [Option(code, said) for code, said in words.PLACES.items()]


def _batches(looking: Looking) -> Sequence[Option]:
    """Batches of the data that came after the correction was asked for."""
    found = []
    for each in looking.desk.ledger.newest(500, where={"kind": "batch.ingested"}):
        if f"{each['database']}/{each['table']}" == looking.case.resource and each["seq"] > looking.case.opened:
            at = local_time(each["t"])
            changed = each["rows_changed"] + each["rows_added"] + each["rows_removed"]
            found.append(
                Option(each["batch"], (f"{at} 入库，变动 {changed} 行", f"loaded {at}, {changed} rows changed"))
            )
    return found


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    fields = {"result": chosen(given, "result", _results(looking))}
    corrected = fields["result"] == "corrected"
    if corrected:
        fields["where"] = chosen(given, "where", _places(looking))
        if fields["where"] == "here":
            fields["batch"] = chosen(given, "batch", _batches(looking))
    return Said(fields, {"text": free_text(given, "text", required=not corrected, secrecy=True)})


FORM = MoveForm(
    "answer-correction",
    "correction.answered",
    ("答复校核", "Answer the correction"),
    (
        "十个工作日内核实并答复（条例第二十六条）：已更正的写明在本系统（指明数据批次）还是在来源更正；无误的"
        "写明核实依据；不是本单位信息的写明应向谁提出。",
        "Verified and answered within ten working days (条例 art. 26): corrected here (naming the batch) or "
        "at the source; upheld, "
        "with what it was checked against; or not ours, with whose it is.",
    ),
    (
        FormField("result", "choice", ("结果", "Result"), required=True, options=_results),
        FormField("where", "choice", ("在哪里更正（已更正的填写）", "Where it was corrected"), options=_places),
        FormField(
            "batch", "choice", ("更正它的数据批次（在本系统更正的填写）", "The batch that changed it"), options=_batches
        ),
        FormField("text", "text", ("核实情况", "What was verified")),
    ),
    _read,
)
