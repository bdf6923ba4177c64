"""What only an application knows: agreeing to it, and more time by the data authority's consent (条例 arts. 20-22)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalog.desk.ask import free_text
from catalog.desk.errors import DeskError
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said, whole_number
from catalog.desk.rulebooks import clock_fields, sharing_class_of
from ledger.rules import RulesError, deadline, extend


def _agree(given: Mapping[str, Any], looking: Looking) -> Said:
    case = looking.case
    supply = deadline(
        looking.desk.rules.current(),
        case.act.value,
        looking.now,
        start="decided",
        stop="supplied",
        received_at=datetime.fromisoformat(case.received_at),
        sharing_class=sharing_class_of(looking.desk.service, case.resource),
    )
    words = {name: free_text(given, name, required=False, secrecy=True) for name in ("terms", "note")}
    return Said(clock_fields(supply), words)


def _days_allowed(looking: Looking) -> int:
    running = looking.case.running()
    return running.extension_days if running is not None else 0


def _ask(given: Mapping[str, Any], looking: Looking) -> Said:
    days = whole_number(given, "days")
    return Said({"days": days}, {"reason": free_text(given, "reason", required=True, secrecy=True)})


def _consent(given: Mapping[str, Any], looking: Looking) -> Said:
    case, running = looking.case, looking.case.running()
    asked = case.extension_asked or (0, 0)
    days = whole_number(given, "days")
    if running is None:
        raise DeskError("days", "no deadline runs any more", "没有仍在计算的期限")
    entry = looking.desk.ledger.entry(running.seq)
    decided = running.stop.value == "supplied" and case.decided is not None
    try:
        # The rules of the day of receipt count, with today's calendars: the first deadline again, and then longer.
        given_first = deadline(
            looking.desk.rules.current(),
            case.act.value,
            datetime.fromisoformat(running.since),
            start="decided" if decided else None,
            stop=entry["stop"],
            received_at=datetime.fromisoformat(case.received_at),
            sharing_class=sharing_class_of(looking.desk.service, case.resource),
        )
        longer = extend(looking.desk.rules.current(), given_first, days)
    except RulesError as error:
        raise DeskError("days", error.en, error.zh) from error
    fields = {"asked": asked[0], "days": days, **clock_fields(longer)}
    return Said(fields, {"note": free_text(given, "note", required=False)})


FORMS = (
    MoveForm(
        "agree",
        "request.decided",
        ("同意共享", "Agree to share"),
        (
            "答复申请：同意。答复的期限到此为止，提供数据的期限从现在起算（条例第二十一条、第二十二条）。不得"
            "附加目录以外的条件（条例第十五条）。",
            "The application is answered: agreed to. That clock stops, and the one for supplying the data "
            "starts now (条例 "
            "arts. 21, 22). No condition may be added that the catalogue does not list (条例 art. 15).",
        ),
        (
            FormField("terms", "text", ("目录所列的共享条件（可不填）", "Conditions as listed (may be left empty)")),
            FormField("note", "text", ("说明（可不填）", "Note (may be left empty)")),
        ),
        _agree,
    ),
    MoveForm(
        "ask-extension",
        "request.extension_asked",
        ("申请延长期限", "Ask for more time"),
        (
            "只有条款允许的才可申请，一次为限，须经数据主管部门同意；同意之前期限不变（条例第二十一条）。",
            "Only where the clause allows it, once, with the data authority's consent; until then the due time stays "
            "(条例 art. 21).",
        ),
        (
            FormField("days", "number", ("延长几个工作日", "By how many working days"), required=True),
            FormField("reason", "text", ("理由", "Reason"), required=True),
        ),
        _ask,
    ),
    MoveForm(
        "extend",
        "request.extended",
        ("同意延长期限", "Consent to the extension"),
        (
            "由数据主管部门办理；不得多于申请的天数，须在原期限届满前。新的到期时间写入台账。",
            "The data authority's to give: not more days than were asked for, and before the time is over. "
            "The new due time "
            "goes into the ledger.",
        ),
        (
            FormField("days", "number", ("延长几个工作日", "By how many working days"), required=True),
            FormField("note", "text", ("说明（可不填）", "Note (may be left empty)")),
        ),
        _consent,
    ),
)
