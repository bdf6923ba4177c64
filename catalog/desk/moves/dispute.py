"""Disputing an answer, a hindrance or silence; saying how a negotiation ended; laying it before a supervisor.

Source: 条例 (令809) art. 28; 行政执法监督条例 (令825) for the supervisors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk import words
from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen
from catalog.listing import local_time
from ledger import entries
from ledger.cases import Case
from ledger.cases.supervision import disputable
from ledger.rules.deadlines import stamp

_SILENCE = "silence"
_STEPS = ("negotiation", "data_authority")


def _asks(looking: Looking) -> bool:
    """The requester's forms: the data authority has its own (:mod:`catalog.desk.moves.mediate`)."""
    return looking.agency == looking.case.requester


def disputables(looking: Looking) -> list[Option]:
    """What of the case can be disputed: silence first, then the newest entry."""
    case, found = looking.case, []
    if _is_silent(case, stamp(looking.now)):
        found.append(Option(_SILENCE, ("逾期未答复，或没有有效期限而未答复", "no answer, though it was time")))
    for seq in sorted(case.entries, reverse=True):
        if disputable(case, seq):
            kind = entries.current(case.entries[seq])
            exit = case.exit(seq)
            zh, en = words.RESULTS.get(exit.result, ("", "")) if exit is not None else ("", "")
            at = local_time(exit.at) if exit is not None else ""
            found.append(
                Option(
                    str(seq),
                    (
                        f"第 {seq} 条 {kind.title_zh}{f'（{zh}）' if zh else ''} {at}".strip(),
                        f"entry {seq}: {kind.title_en}{f' ({en})' if en else ''} {at}".strip(),
                    ),
                )
            )
    return found


def _is_silent(case: Case, at: str) -> bool:
    running = case.running()
    return case.state.is_open and running is not None and (running.due_at is None or running.due_at < at)


def _steps(looking: Looking) -> Sequence[Option]:
    return [Option(step, words.STEPS[step]) for step in _STEPS]


def _outcomes(looking: Looking) -> Sequence[Option]:
    return [Option(code, said) for code, said in words.OUTCOMES.items()]


def _offices(looking: Looking) -> Sequence[Option]:
    return [Option(code, said) for code, said in words.OFFICES.items()]


def _about(given: Mapping[str, Any], looking: Looking) -> dict[str, int]:
    about = chosen({"about": str(given.get("about") or "")}, "about", disputables(looking))
    return {} if about == _SILENCE else {"about": int(about)}


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    fields = {"step": chosen(given, "step", _steps(looking)), **_about(given, looking)}
    return Said(fields, {"reason": free_text(given, "reason", required=True)})


def _conclude(given: Mapping[str, Any], looking: Looking) -> Said:
    dispute = looking.case.open_dispute
    fields = {"dispute": dispute.seq if dispute else 0, "outcome": chosen(given, "outcome", _outcomes(looking))}
    return Said(fields, {"reason": free_text(given, "reason", required=False)})


def _escalate(given: Mapping[str, Any], looking: Looking) -> Said:
    fields: dict[str, Any] = {"to": chosen(given, "to", _offices(looking))}
    if str(given.get("about") or ""):
        fields |= _about(given, looking)
    return Said(fields, {"reason": free_text(given, "reason", required=True)})


FORMS = (
    MoveForm(
        "dispute",
        "request.disputed",
        ("提出争议", "Raise a dispute"),
        (
            "认证未通过、要求补充、任何答复、不予提供，以及逾期未答复，都可以提出争议：先与提供方协商，协商不成的申请"
            "数据主管部门协调，仍不一致的由其报本级人民政府决定（条例第二十八条）。",
            "A failed authentication, a demanded supplement, any answer or refusal, and silence after the "
            "time can be "
            "disputed: first negotiated with the provider, then mediated by the data authority, which takes "
            "what stays "
            "open to the government (条例 art. 28).",
        ),
        (
            FormField("about", "choice", ("对什么有异议", "What is disputed"), required=True, options=disputables),
            FormField("step", "choice", ("办理步骤", "Step"), required=True, options=_steps),
            FormField("reason", "text", ("理由", "Reason"), required=True),
        ),
        _read,
        offered=_asks,
    ),
    MoveForm(
        "conclude",
        "request.resolved",
        ("记录协商结果", "Record how the negotiation ended"),
        (
            "协商结果由提出争议的一方如实记录。",
            "Whoever raised the dispute records how the negotiation ended.",
        ),
        (
            FormField("outcome", "choice", ("结果", "Outcome"), required=True, options=_outcomes),
            FormField("reason", "text", ("说明（可不填）", "Note (may be left empty)")),
        ),
        _conclude,
        offered=_asks,
    ),
    MoveForm(
        "escalate",
        "request.escalated",
        ("提请监督", "Lay it before a supervisor"),
        (
            "将本案连同台账记录提请县司法局或者县政府督查室监督。",
            "The case with all its entries is laid before the justice bureau or the inspection office.",
        ),
        (
            FormField("to", "choice", ("提请哪个机构", "Which office"), required=True, options=_offices),
            FormField("about", "choice", ("涉及事项（可不选）", "About what (may be left open)"), options=disputables),
            FormField("reason", "text", ("理由", "Reason"), required=True),
        ),
        _escalate,
    ),
)
