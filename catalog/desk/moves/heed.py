"""What a party does about a supervisor's act: report what was put right, or object (Decree 825 arts. 29, 30)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said
from catalog.desk.moves.supervise import entries_of, number_of


def _orders(looking: Looking) -> Sequence[Option]:
    owed = {
        one.seq for one in looking.case.orders if one.to == looking.agency and one.reported is None and not one.revoked
    }
    return [option for option in entries_of(looking) if int(option.value) in owed]


def _objectionable(looking: Looking) -> Sequence[Option]:
    case = looking.case
    acts = {one.seq for one in case.verdicts if not one.revoked}
    acts |= {one.seq for one in case.orders if one.to == looking.agency and one.form != "decision" and not one.revoked}
    acts -= {one.about for one in case.objections if one.by == looking.agency}
    return [option for option in entries_of(looking) if int(option.value) in acts]


def _report(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said(
        {"order": number_of(given, "order", _orders(looking))}, {"note": free_text(given, "note", required=True)}
    )


def _object(given: Mapping[str, Any], looking: Looking) -> Said:
    about = number_of(given, "about", _objectionable(looking))
    return Said({"about": about}, {"reason": free_text(given, "reason", required=True)})


FORMS = (
    MoveForm(
        "report-order",
        "order.reported",
        ("报送纠正情况", "Report what was put right"),
        (
            "写明监督文书要求的事项如何履行、纠正。",
            "Say how what the document asked for was done or put right.",
        ),
        (
            FormField("order", "choice", ("监督文书", "Document"), required=True, options=_orders),
            FormField("note", "text", ("履行、纠正情况", "What was done"), required=True),
        ),
        _report,
        offered=lambda looking: bool(_orders(looking)),
    ),
    MoveForm(
        "object",
        "order.objected",
        ("对监督处理提出异议", "Object to a supervisor's act"),
        (
            "对监督认定、督办函、意见书有异议的，向作出处理的机构提出并说明理由（国务院令第825号第三十条）；在改变之"
            "前仍应履行。",
            "Object, with reasons, to the office that gave the verdict, letter or opinion (Decree 825 art. 30); "
            "until it changes "
            "that, it is to be followed.",
        ),
        (
            FormField("about", "choice", ("对哪一条", "To which entry"), required=True, options=_objectionable),
            FormField("reason", "text", ("理由", "Reason"), required=True),
        ),
        _object,
        offered=lambda looking: bool(_objectionable(looking)),
    ),
)
