"""What must hold of disputes, verdicts, orders and objections: 条例 art. 28, 令825 arts. 26-30, 42. As guards.py."""

from __future__ import annotations

from ledger.cases.case import Case, Order, Verdict
from ledger.cases.opening import Entry, need_words
from ledger.errors import MoveError

#: Entries besides the exits that cost the requester something, and can be disputed and judged: "no cheap exit".
HINDRANCES = frozenset({"request.auth_failed", "request.supplement_asked"})


def disputable(case: Case, seq: int) -> bool:
    """Whether entry ``seq`` of the case is an exit or a hindrance."""
    return case.exit(seq) is not None or case.entries.get(seq) in HINDRANCES


# -- disputes ----------


def no_dispute_is_open(case: Case, at: str) -> None:
    if case.open_dispute is not None:
        raise MoveError(
            "C43",
            f"the {case.open_dispute.step} of entry {case.open_dispute.seq} is not concluded; one step at a time",
            f"第 {case.open_dispute.seq} 条的争议（{case.open_dispute.step}）尚未了结；逐级办理",
        )


#: The step before each, which must have ended without a settlement about the same thing.
_BEFORE = {"data_authority": "negotiation", "government": "data_authority"}


def disputes_in_order(case: Case, entry: Entry) -> None:
    """条例 art. 28: 协商不成的…申请协调处理; 仍未达成一致意见的, 报本级人民政府决定."""
    step, about = entry["step"], entry.get("about")
    if (step == "government") != (entry["by_role"] == "data_authority"):
        raise MoveError(
            "C40",
            "the requester negotiates and applies to the data authority, which alone takes it to the government",
            "查询方可提出协商、申请数据主管部门协调；报请政府决定由数据主管部门办理",
        )
    if about is None:
        _check_silence(case, entry["t"])
    elif not disputable(case, about):
        raise MoveError(
            "C41",
            f"entry {about} is nothing of this case that can be disputed",
            f"第 {about} 条不是本案可以提出争议的事项",
        )
    before = _BEFORE.get(step)
    last = [dispute for dispute in case.disputes if dispute.about == about]
    if before is not None and (not last or (last[-1].step, last[-1].outcome) != (before, "not_settled")):
        raise MoveError(
            "C40",
            f"{step} comes after {before} about the same matter ended without a settlement",
            f"同一事项的 {before} 未达成一致后，才可进入 {step}",
        )
    need_words(entry, "C40", "reason")


def _check_silence(case: Case, at: str) -> None:
    running = case.running()
    runs = running is not None and running.due_at is not None and running.due_at >= at
    if not case.state.is_open or runs:
        raise MoveError(
            "C42",
            "there is no silence to dispute: it was answered, or the time is not over; name the entry that is disputed",
            "不存在逾期未答复：已有答复或期限未满；请写明争议所指的条目",
        )


def something_is_disputable(case: Case, at: str) -> None:
    """For the requester's page: an exit, a hindrance or silence."""
    if not any(disputable(case, seq) for seq in case.entries):
        _check_silence(case, at)


def mediation_failed(case: Case, at: str) -> None:
    """The data authority takes to the government what it mediated in vain."""
    if not case.disputes or (case.disputes[-1].step, case.disputes[-1].outcome) != ("data_authority", "not_settled"):
        raise MoveError("C40", "nothing was mediated in vain", "没有协调未果的争议")


def negotiation_is_open(case: Case, at: str) -> None:
    if case.open_dispute is None or case.open_dispute.step != "negotiation":
        raise MoveError("C44", "no negotiation is open", "没有进行中的协商")


def mediation_is_open(case: Case, at: str) -> None:
    if case.open_dispute is None or case.open_dispute.step == "negotiation":
        raise MoveError("C44", "nothing lies with the data authority", "没有待数据主管部门处理的争议")


def a_dispute_is_open(case: Case, at: str) -> None:
    if case.open_dispute is None:
        raise MoveError("C44", "no dispute is open", "没有未了结的争议")


def concludes_the_step(case: Case, entry: Entry) -> None:
    dispute = case.open_dispute
    if dispute is None or entry["dispute"] != dispute.seq:
        raise MoveError(
            "C44",
            f"the open dispute is entry {dispute.seq if dispute else 'none'}, not {entry['dispute']}",
            f"未了结的争议为第 {dispute.seq if dispute else '无'} 条，而非第 {entry['dispute']} 条",
        )
    if (dispute.step == "negotiation") != (entry["by_role"] == "agency"):
        raise MoveError(
            "C44",
            "the requester says how the negotiation ended, the data authority what it or the government found",
            "协商结果由查询方记录；协调结果和政府决定由数据主管部门记录",
        )
    if dispute.step == "government":
        need_words(entry, "C45", "document")
        if entry["outcome"] == "not_settled":
            raise MoveError(
                "C45", "the government decides; there is no step after it", "政府作出决定，其后没有下一级程序"
            )


def escalates_once(case: Case, entry: Entry) -> None:
    about = entry.get("about")
    if about is not None and about not in case.entries:
        raise MoveError("C46", f"entry {about} is not of this case", f"第 {about} 条不属于本案")
    if escalation_of(entry) in case.escalated:
        raise MoveError("C46", "this was laid before that office already", "该事项已提请该机构监督")


def escalation_of(entry: Entry) -> str:
    """What makes it the same: who, to whom, about what."""
    return f"{entry['by']}:{entry['to']}:{entry.get('about', '')}"


# -- verdicts ----------


def something_is_judgeable(case: Case, at: str) -> None:
    if not any(disputable(case, seq) for seq in case.entries):
        raise MoveError("C47", "there is nothing to judge yet", "尚无可认定的事项")


def judges_once(case: Case, entry: Entry) -> None:
    about = entry["about"]
    if not disputable(case, about):
        raise MoveError(
            "C47",
            f"entry {about} is no refusal or other exit of this case",
            f"第 {about} 条不是本案的不予提供或其他需认定的答复",
        )
    if any(one.by == entry["by"] and one.about == about and not one.revoked for one in case.verdicts):
        raise MoveError(
            "C48",
            f"{entry['by']} has judged entry {about}; another verdict comes after an objection revoked the first",
            f"{entry['by']} 已就第 {about} 条作出认定；经异议撤销原认定后方可另行认定",
        )
    need_words(entry, "C47", "reason")


# -- orders ----------

#: Form: whose document it is and who records it. 县司法局 records the government's decision; it cannot make one.
_FORMS = {
    "urging_letter": ("justice", "justice"),
    "opinion": ("justice", "justice"),
    "decision": ("government", "justice"),
    "inspection_opinion": ("inspection", "inspection"),
}


def issues_its_own_form(case: Case, entry: Entry) -> None:
    """令825 art. 26: 督办函, 意见书, or 报请本级人民政府制发 a 监督决定书."""
    issuer, recorder = _FORMS[entry["form"]]
    if (entry["issuer"], entry["by_role"]) != (issuer, recorder):
        raise MoveError(
            "C50",
            f"{entry['form']} is issued by {issuer} and recorded by {recorder}, not {entry['issuer']} and "
            f"{entry['by_role']}",
            f"{entry['form']} 由 {issuer} 制发、{recorder} 记录，而非 {entry['issuer']} 与 {entry['by_role']}",
        )
    proposed = case.proposed if entry["form"] == "decision" else None
    if entry.get("proposed") != proposed or (entry["form"] == "decision" and proposed is None):
        raise MoveError(
            "C51",
            f"a decision follows what was proposed to the government (entry {proposed or 'none'}), nothing else does",
            f"监督决定书须对应向政府的提请（第 {proposed or '无'} 条），其他文书不得填写",
        )
    _check_addressee(case, entry["to"], "C53")
    about = entry.get("about")
    if about is not None and about not in case.entries:
        raise MoveError("C53", f"entry {about} is not of this case", f"第 {about} 条不属于本案")
    if entry.get("report_due_at", "~") <= entry["t"]:
        raise MoveError("C53", "the report is due in the past", "报送期限早于当前时间")
    need_words(entry, "C53", "document")


def _check_addressee(case: Case, agency: str, rule: str) -> None:
    if agency not in (case.requester, case.provider):
        raise MoveError(rule, f"{agency} is no party to this case", f"{agency} 不是本案当事单位")


def nothing_is_proposed(case: Case, at: str) -> None:
    if case.proposed is not None:
        raise MoveError("C52", "a decision is proposed already", "已提请制发监督决定书")


def proposes_with_cause(case: Case, entry: Entry) -> None:
    """令825 art. 29: 涉及重大问题, or a 督办函 or 意见书 that was not heeded."""
    unheeded = [one.seq for one in case.orders if one.form in ("urging_letter", "opinion") and not one.revoked]
    if (entry["cause"] == "unheeded") != ("unheeded" in entry) or (
        "unheeded" in entry and entry["unheeded"] not in unheeded
    ):
        raise MoveError(
            "C52",
            "an unheeded order is named: a letter or an opinion of this case",
            "以未按要求履职、纠正为由的，须写明本案的督办函或意见书",
        )
    need_words(entry, "C52", "reason")


def a_report_is_owed(case: Case, at: str) -> None:
    if not any(one.reported is None and not one.revoked for one in case.orders):
        raise MoveError("C54", "no report is owed", "没有待报送的监督文书")


def reports_on_an_order(case: Case, entry: Entry) -> None:
    found = [one for one in case.orders if one.seq == entry["order"] and one.to == entry["by"]]
    if not found or found[0].reported is not None or found[0].revoked:
        raise MoveError(
            "C54",
            f"entry {entry['order']} is no order to {entry['by']} that awaits a report",
            f"第 {entry['order']} 条不是发给 {entry['by']} 且待报送的监督文书",
        )
    need_words(entry, "C54", "note")


def a_supervisor_acted(case: Case, at: str) -> None:
    if not case.verdicts and not case.orders:
        raise MoveError("C55", "no supervisor has acted", "监督机构尚未作出处理")


def an_objection_is_open(case: Case, at: str) -> None:
    if not any(one.outcome is None for one in case.objections):
        raise MoveError("C56", "no objection is open", "没有待处理的异议")


def objects_to_a_supervisor(case: Case, entry: Entry) -> None:
    """令825 art. 30: to the office that acted; a decision of the government is not the office's."""
    about = entry["about"]
    orders = [one for one in case.orders if one.seq == about and one.to == entry["by"] and not one.revoked]
    verdicts = [one for one in case.verdicts if one.seq == about and not one.revoked]
    if not verdicts and not any(one.form != "decision" for one in orders):
        raise MoveError(
            "C55",
            f"entry {about} is no verdict, and no letter or opinion to {entry['by']}",
            f"第 {about} 条不是监督认定，也不是发给 {entry['by']} 的督办函或意见书",
        )
    if any(one.by == entry["by"] and one.about == about for one in case.objections):
        raise MoveError("C55", "it was objected to already", "已提出过异议")
    need_words(entry, "C55", "reason")


def answers_its_objection(case: Case, entry: Entry) -> None:
    found = [one for one in case.objections if one.seq == entry["objection"] and one.outcome is None]
    if not found or _author(case, found[0].about) != entry["by"]:
        raise MoveError(
            "C56",
            f"entry {entry['objection']} is no open objection to what {entry['by']} did",
            f"第 {entry['objection']} 条不是针对 {entry['by']} 且尚未处理的异议",
        )
    need_words(entry, "C56", "reason")


def _author(case: Case, seq: int) -> str | None:
    acts: tuple[Verdict | Order, ...] = (*case.verdicts, *case.orders)
    return next((one.by for one in acts if one.seq == seq), None)


def notifies_about_a_party(case: Case, entry: Entry) -> None:
    _check_addressee(case, entry["agency"], "C57")
    if entry["about"] not in case.entries:
        raise MoveError("C57", f"entry {entry['about']} is not of this case", f"第 {entry['about']} 条不属于本案")
    need_words(entry, "C57", "superior")


def is_passed_on_twice(case: Case, entry: Entry) -> None:
    """A supervisor names who has it; neither party, and a case of its own."""
    if entry["to"] in (case.requester, case.provider) or entry["linked"] == case.id:
        raise MoveError(
            "C35",
            "another agency than the parties is named, and the linked case",
            "应指定本案双方以外的单位，并写明转办案件编号",
        )
