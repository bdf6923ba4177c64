"""What the data authority (政务数据共享主管部门) does in a dispute: mediate, take it to the government, record.

Source: 条例 (令809) art. 28.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk import words
from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen


def _is_party(looking: Looking) -> bool:
    return looking.agency in (looking.case.requester, looking.case.provider)


def _outcomes(looking: Looking) -> Sequence[Option]:
    dispute = looking.case.open_dispute
    final = dispute is not None and dispute.step == "government"
    return [Option(code, said) for code, said in words.OUTCOMES.items() if not (final and code == "not_settled")]


def _before_government(looking: Looking) -> bool:
    dispute = looking.case.open_dispute
    return dispute is not None and dispute.step == "government"


def _to_government(given: Mapping[str, Any], looking: Looking) -> Said:
    about = looking.case.disputes[-1].about if looking.case.disputes else None
    fields = {"step": "government", **({"about": about} if about is not None else {})}
    return Said(fields, {"reason": free_text(given, "reason", required=True)})


def _conclude(given: Mapping[str, Any], looking: Looking) -> Said:
    dispute = looking.case.open_dispute
    fields = {"dispute": dispute.seq if dispute else 0, "outcome": chosen(given, "outcome", _outcomes(looking))}
    document = free_text(given, "document", required=_before_government(looking))
    return Said(fields, {"reason": free_text(given, "reason", required=True), "document": document})


FORMS = (
    MoveForm(
        "mediate",
        "request.resolved",
        ("记录协调结果或政府决定", "Record what came of it"),
        (
            "协调结果，或者本级人民政府的决定（须写明文号），由数据主管部门记录。决定应予提供的，案件重新打开。",
            "What mediation came to, or what the government decided (with its document), is recorded by the "
            "data authority. "
            "Where it is to be provided, the case opens again.",
        ),
        (
            FormField("outcome", "choice", ("结果", "Outcome"), required=True, options=_outcomes),
            FormField("document", "line", ("政府决定的文号", "The government's document"), shown=_before_government),
            FormField("reason", "text", ("理由", "Reason"), required=True),
        ),
        _conclude,
        offered=lambda looking: not _is_party(looking),
    ),
    MoveForm(
        "to-government",
        "request.disputed",
        ("报请本级人民政府决定", "Take it to the government"),
        (
            "协调处理仍未达成一致意见的，报本级人民政府决定（条例第二十八条）。",
            "What mediation did not settle is taken to the government (条例 art. 28).",
        ),
        (FormField("reason", "text", ("双方意见和建议", "Both sides, and what is suggested"), required=True),),
        _to_government,
        offered=lambda looking: not _is_party(looking),
    ),
)
