"""What the supervising offices do in a case: verdicts, who has it, documents, what is put to the government.

Who may is :mod:`ledger.cases.moves`: 督办函 and 意见书 are the justice bureau's (县司法局) alone, a 监督决定书 is
proposed by it and recorded as the government's act, a 督查意见 is the inspection office's (县政府督查室).
Source: 行政执法监督条例 (令825) arts. 26-30, 42.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from catalog.desk import linked, words
from catalog.desk.ask import free_text
from catalog.desk.errors import DeskError
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen
from catalog.desk.moves.dispute import disputables
from catalog.desk.moves.redirect import others
from catalog.identity.agencies import agencies, offices
from ledger import entries
from ledger.fields import DATE
from ledger.rules.deadlines import end_of, stamp

_NO_DOCUMENT_HINT = ("只填文号，不写涉密内容", "its number alone, nothing of what is secret")
#: Whose document each form is: the office that records it, and who issues it.
_RECORDED_BY = {
    "urging_letter": ("justice", "justice"),
    "opinion": ("justice", "justice"),
    "decision": ("justice", "government"),
    "inspection_opinion": ("inspection", "inspection"),
}


def _office(looking: Looking) -> str:
    return offices(looking.desk.service.register).get(looking.agency, "")


# -- what can be chosen -----------------------------------------------------------------------------------------------


def _judgeable(looking: Looking) -> Sequence[Option]:
    return [option for option in disputables(looking) if option.value.isdigit()]


def _verdicts(looking: Looking) -> Sequence[Option]:
    return [
        Option("upheld", ("维持：答复合法、适当", "upheld")),
        Option("improper", ("不当：视同未答复", "improper: as if not answered")),
    ]


def parties(looking: Looking) -> Sequence[Option]:
    """The agencies of the case, the provider first."""
    names = {each["id"]: each for each in agencies(looking.desk.service.register)}
    both = (looking.case.provider, looking.case.requester)
    return [Option(each, (names[each]["name_zh"], names[each]["name_en"])) for each in both]


def _led_from_above(looking: Looking) -> Sequence[Option]:
    led = {each["id"] for each in agencies(looking.desk.service.register) if each["superior"]}
    return [option for option in parties(looking) if option.value in led]


def _forms(looking: Looking) -> Sequence[Option]:
    office = _office(looking)
    return [
        Option(form, words.ORDERS[form])
        for form, (recorder, _) in _RECORDED_BY.items()
        if recorder == office and (form != "decision" or looking.case.proposed is not None)
    ]


def entries_of(looking: Looking) -> Sequence[Option]:
    """Every entry of the case, the newest first."""
    found = []
    for seq in sorted(looking.case.entries, reverse=True):
        kind = entries.current(looking.case.entries[seq])
        found.append(Option(str(seq), (f"第 {seq} 条 {kind.title_zh}", f"entry {seq}: {kind.title_en}")))
    return found


def _unheeded(looking: Looking) -> Sequence[Option]:
    standing = {one.seq for one in looking.case.orders if one.form in ("urging_letter", "opinion") and not one.revoked}
    return [option for option in entries_of(looking) if int(option.value) in standing]


def _objections(looking: Looking) -> Sequence[Option]:
    acted = {one.seq for one in looking.case.verdicts if one.by == looking.agency}
    acted |= {one.seq for one in looking.case.orders if one.by == looking.agency}
    open_ones = {one.seq for one in looking.case.objections if one.outcome is None and one.about in acted}
    return [option for option in entries_of(looking) if int(option.value) in open_ones]


def _outcomes(looking: Looking) -> Sequence[Option]:
    return [Option("stands", ("维持原处理", "it stands")), Option("revoked", ("撤销原处理", "it is revoked"))]


def _causes(looking: Looking) -> Sequence[Option]:
    found = [Option("weighty", ("涉及重大问题", "a grave matter"))]
    if _unheeded(looking):
        found.append(Option("unheeded", ("未按督办函、意见书要求履职或纠正", "a letter or opinion was not heeded")))
    return found


def _has(options: Callable[[Looking], Sequence[Option]]) -> Callable[[Looking], bool]:
    return lambda looking: bool(options(looking))


# -- what is said -----------------------------------------------------------------------------------------------------


def number_of(given: Mapping[str, Any], name: str, options: Sequence[Option]) -> int:
    """The entry that was chosen. Raises :class:`DeskError`."""
    return int(chosen({name: str(given.get(name) or "")}, name, options))


def _review(given: Mapping[str, Any], looking: Looking) -> Said:
    fields = {
        "about": number_of(given, "about", _judgeable(looking)),
        "verdict": chosen(given, "verdict", _verdicts(looking)),
    }
    return Said(fields, {"reason": free_text(given, "reason", required=True)})


def _assign(given: Mapping[str, Any], looking: Looking) -> Said:
    fields = {"to": chosen(given, "to", others(looking)), "linked": linked.number_for(looking.desk, looking.case)}
    return Said(fields, {"reason": free_text(given, "reason", required=True)})


def _propose(given: Mapping[str, Any], looking: Looking) -> Said:
    fields: dict[str, Any] = {"cause": chosen(given, "cause", _causes(looking))}
    if fields["cause"] == "unheeded":
        fields["unheeded"] = number_of(given, "unheeded", _unheeded(looking))
    said = {"document": free_text(given, "document", required=False)}
    return Said(fields, {"reason": free_text(given, "reason", required=True), **said})


def _issue(given: Mapping[str, Any], looking: Looking) -> Said:
    form = chosen(given, "form", _forms(looking))
    fields: dict[str, Any] = {
        "form": form,
        "issuer": _RECORDED_BY[form][1],
        "to": chosen(given, "to", parties(looking)),
    }
    if str(given.get("about") or ""):
        fields["about"] = number_of(given, "about", entries_of(looking))
    if form == "decision":
        fields["proposed"] = looking.case.proposed
    day = str(given.get("report_due") or "")
    if day:
        if not DATE.accepts(day):
            raise DeskError("report_due", "a day like 2026-12-31", "日期应形如 2026-12-31")
        fields["report_due_at"] = stamp(end_of(date.fromisoformat(day)))
    said = {"reason": free_text(given, "reason", required=False)}
    return Said(fields, {"document": free_text(given, "document", required=True), **said})


def _answer_objection(given: Mapping[str, Any], looking: Looking) -> Said:
    fields = {
        "objection": number_of(given, "objection", _objections(looking)),
        "outcome": chosen(given, "outcome", _outcomes(looking)),
    }
    return Said(fields, {"reason": free_text(given, "reason", required=True)})


def _notify(given: Mapping[str, Any], looking: Looking) -> Said:
    agency = chosen(given, "agency", _led_from_above(looking))
    superior = next(each["superior"] for each in agencies(looking.desk.service.register) if each["id"] == agency)
    fields = {"agency": agency, "about": number_of(given, "about", entries_of(looking))}
    said = {name: free_text(given, name, required=False) for name in ("reason", "document")}
    return Said(fields, {"superior": superior, **said})


_REASON = FormField("reason", "text", ("理由", "Reason"), required=True)
_NOTE = FormField("reason", "text", ("说明（可不填）", "Note (may be left empty)"))

FORMS = (
    MoveForm(
        "review",
        "request.reviewed",
        ("作出认定", "Give a verdict"),
        (
            "认定某一答复、不予提供或者其他处理是否合法、适当。认定为不当的，视同没有该答复，计时未停。原条目"
            "保留，认定另记一条。",
            "Say whether an answer, a refusal or another exit is lawful and proper. Improper, it counts as if "
            "it had not been, "
            "and stopped no clock. The entry stays; the verdict is one of its own.",
        ),
        (
            FormField("about", "choice", ("认定哪一条", "About which entry"), required=True, options=_judgeable),
            FormField("verdict", "choice", ("认定", "Verdict"), required=True, options=_verdicts),
            _REASON,
        ),
        _review,
    ),
    MoveForm(
        "assign",
        "request.assigned",
        ("指定提供单位", "Name the provider"),
        (
            "请求已两次转出。指定由哪个单位提供，系统随即在该单位立案计时。",
            "The request was passed on twice. Name the agency that has it: a case there begins at once.",
        ),
        (FormField("to", "choice", ("提供单位", "Provider"), required=True, options=others), _REASON),
        _assign,
    ),
    MoveForm(
        "issue",
        "order.issued",
        ("制发监督文书", "Issue a document"),
        (
            "督办函、意见书由县司法局制发；监督决定书由本级人民政府制发、县司法局记录；督查意见由县政府督查室"
            "制发（国务院令第825号第二十六条）。"
            "写明报送期限的，到期未报会显示。",
            "Letters of demand and opinions are the justice bureau's; a decision is the government's and "
            "recorded by the bureau; "
            "an inspection opinion is the inspection office's (Decree 825 art. 26). Where a report is asked for by "
            "a day, it "
            "shows when that has passed.",
        ),
        (
            FormField("form", "choice", ("文书种类", "Document"), required=True, options=_forms),
            FormField("to", "choice", ("发往", "To"), required=True, options=parties),
            FormField(
                "about", "choice", ("涉及哪一条（可不选）", "About which entry (may be left open)"), options=entries_of
            ),
            FormField("document", "line", ("文号", "Its number"), required=True, hint=_NO_DOCUMENT_HINT),
            FormField("report_due", "day", ("报送期限（可不填）", "Report due by (may be left empty)")),
            _NOTE,
        ),
        _issue,
        offered=_has(_forms),
    ),
    MoveForm(
        "propose",
        "order.proposed",
        ("提请制发监督决定书", "Propose a decision to the government"),
        (
            "涉及重大问题，或者督办函、意见书未被履行的，提出处理建议，报本级人民政府决定（国务院令第825号第二"
            "十九条）。",
            "In grave matters, or where a letter or opinion was not heeded: the proposal goes to the "
            "government, which decides "
            "(Decree 825 art. 29).",
        ),
        (
            FormField("cause", "choice", ("缘由", "Cause"), required=True, options=_causes),
            FormField(
                "unheeded",
                "choice",
                ("未被履行的文书", "What was not heeded"),
                options=_unheeded,
                shown=_has(_unheeded),
            ),
            FormField("document", "line", ("文号（可不填）", "Its number (may be left empty)"), hint=_NO_DOCUMENT_HINT),
            _REASON,
        ),
        _propose,
    ),
    MoveForm(
        "answer-objection",
        "order.objection_answered",
        ("处理异议", "Answer an objection"),
        (
            "由作出处理的机构及时处理（国务院令第825号第三十条）。撤销的，原处理不再算数。",
            "By the office that acted, promptly (Decree 825 art. 30). Revoked, what it did counts no more.",
        ),
        (
            FormField("objection", "choice", ("异议", "Objection"), required=True, options=_objections),
            FormField("outcome", "choice", ("处理结果", "Outcome"), required=True, options=_outcomes),
            _REASON,
        ),
        _answer_objection,
        offered=_has(_objections),
    ),
    MoveForm(
        "notify-superior",
        "superior.notified",
        ("告知上一级主管部门", "Notify the superior"),
        (
            "对垂直管理的单位，将发现的问题告知其上一级主管部门（国务院令第825号第四十二条）。",
            "Of an agency that is led from above, its superior is told what was found (Decree 825 art. 42).",
        ),
        (
            FormField("agency", "choice", ("单位", "Agency"), required=True, options=_led_from_above),
            FormField("about", "choice", ("涉及哪一条", "About which entry"), required=True, options=entries_of),
            FormField("document", "line", ("文号（可不填）", "Its number (may be left empty)"), hint=_NO_DOCUMENT_HINT),
            _NOTE,
        ),
        _notify,
        offered=_has(_led_from_above),
    ),
)
