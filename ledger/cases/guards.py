"""What must hold of a case before a move, and of the entry that makes it. One function, one rule of docs/spec/cases.md.

A ``When`` looks at the case alone, so that pages can ask beforehand; a ``Check`` looks at the entry too. Both raise.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.cases.case import Case, Deadline
from ledger.cases.opening import Entry, check_clock, check_files, check_subjects, deadline, need_words
from ledger.cases.states import Act, State, Stop, en, zh
from ledger.errors import MoveError

#: ``when(case, at)``: raises where no entry of the kind can be made at ``at`` (in the form of ``t``).
When = Callable[[Case, str], None]
#: ``check(case, entry)``: raises where this one cannot.
Check = Callable[[Case, Entry], None]


# -- the provider's moves ----------


def supplement_is_new(case: Case, at: str) -> None:
    """条例 art. 21: 一次性告知, what is missing is said once."""
    if case.supplements:
        raise MoveError(
            "C20",
            "a supplement was asked for already; what is missing is said all at once",
            "已要求补充过一次；需要补充的材料应一次性告知",
        )


def clause_extends(case: Case, at: str) -> None:
    """条例 art. 21: 经同级主管部门同意, at most the days named. 19号 knows no extension."""
    running = _running_due(case, at)
    if running.extension_days == 0 or case.extended or case.extension_asked is not None:
        raise MoveError(
            "C21",
            f"clause {running.clause} allows none (any more)",
            f"条款 {running.clause} 不允许（再次）延长期限",
        )


def extension_is_asked(case: Case, at: str) -> None:
    _running_due(case, at)
    if case.extension_asked is None:
        raise MoveError("C22", "the provider has asked for no extension", "提供方没有申请延长期限")


def _running_due(case: Case, at: str) -> Deadline:
    running = case.running()
    if running is None or running.due_at is None or running.due_at < at:
        raise MoveError(
            "C21",
            "there is no confirmed deadline that still runs; one that has passed is not extended",
            "没有尚未届满的确定期限；已届满的期限不得延长",
        )
    return running


def extension_days(case: Case, entry: Entry) -> None:
    running = case.running()
    most = running.extension_days if running else 0
    if not 1 <= entry["days"] <= most:
        raise MoveError(
            "C21",
            f"{entry['days']} days; the clause allows 1 to {most} working days",
            f"{entry['days']} 日；该条款允许延长 1 至 {most} 个工作日",
        )
    need_words(entry, "C21", "reason")


def extension_as_asked(case: Case, entry: Entry) -> None:
    asked, running = case.extension_asked, case.running()
    if asked is None or running is None or running.due_at is None:
        raise MoveError("C22", "the provider has asked for no extension", "提供方没有申请延长期限")
    check_clock(entry, case.act, running.stop, running.due_at)
    if entry["asked"] != asked[0] or not 1 <= entry["days"] <= asked[1] or "clause" not in entry:
        raise MoveError(
            "C22",
            f"consent is to what entry {asked[0]} asks, up to {asked[1]} working days, and sets the new due time",
            f"同意的应是第 {asked[0]} 条的申请，不超过 {asked[1]} 个工作日，并写明新的到期时间",
        )


def decides_the_supply(case: Case, entry: Entry) -> None:
    check_clock(entry, case.act, Stop.SUPPLIED, entry["t"])


#: What may be answered from where: an answer that nothing is there does not follow on something given.
_RESULTS = {
    State.AUTHENTICATED: {"full", "partial", "no_record", "redirected", "delivered_offline"},
    State.SUPPLEMENT_ASKED: {"full", "partial", "no_record", "redirected", "delivered_offline"},
    State.DECIDED: {"full", "partial", "no_record", "delivered_offline"},
    State.PARTLY_ANSWERED: {"full", "partial", "delivered_offline"},
    State.DELIVERED: {"full", "partial", "delivered_offline"},
}


def possible_results(case: Case) -> frozenset[str]:
    """What a case can be answered with now; nothing where it is not to be answered."""
    may = frozenset(_RESULTS.get(case.state, ()))
    return may & {"partial", "delivered_offline"} if case.withheld is not None else may


def answers(case: Case, entry: Entry) -> None:
    result = entry["result"]
    may = possible_results(case)
    if result not in may:
        raise MoveError(
            "C28",
            f"not answered {en(result)!r} now; possible are {', '.join(en(one) for one in sorted(may))}",
            f"此时不能答复“{zh(result)}”；可选：{'、'.join(zh(one) for one in sorted(may))}",
        )
    if case.act is Act.APPLICATION and case.decided is None and entry["by_duty"] != "approver":
        raise MoveError(
            "C29",
            "an application is answered by the approver, or after the approver agreed (条例 art. 20)",
            "共享申请须经负责人同意后作出答复（条例第二十条）",
        )
    check_files(entry)
    check_subjects(entry)
    _RESULT_CHECKS[result](case, entry)


def _gives(case: Case, entry: Entry) -> None:
    rule = "C23" if entry["result"] == "full" else "C24"
    if not entry.get("rows") and not entry.get("files"):
        raise MoveError(
            rule,
            "it gives neither rows nor a file: give them, or answer no_record",
            "既无数据行也无文件：请提供，或答复无记录",
        )
    if entry.get("rows"):
        need_words(entry, rule, "answer_sha256")
    _only(entry, rule, "rows", "files", "files_reviewed", "items", "items_root")


def _no_record(case: Case, entry: Entry) -> None:
    _only(entry, "C25")
    need_words(entry, "C25", "text")


def _redirected(case: Case, entry: Entry) -> None:
    """DESIGN §3: a redirect opens a linked case; a second one goes to the supervisor."""
    need_words(entry, "C26", "text")
    if case.redirects == 0:
        _only(entry, "C26", "to", "linked")
        if entry.get("to", case.provider) in (case.provider, case.requester) or entry.get("linked", case.id) == case.id:
            raise MoveError(
                "C26",
                "a redirect names the agency that has it, not a party to this case, and the linked case",
                "转办须写明持有数据的单位（不得为本案双方）和转办案件编号",
            )
    else:
        _only(entry, "C26")


def _delivered(case: Case, entry: Entry) -> None:
    _only(entry, "C27", "carrier", "files", "files_reviewed", "rows")
    if "carrier" not in entry:
        raise MoveError("C27", "say on what it was delivered", "请写明交付载体")
    need_words(entry, "C27", "text")


_RESULT_CHECKS: dict[str, Check] = {
    "full": _gives,
    "partial": _gives,
    "no_record": _no_record,
    "redirected": _redirected,
    "delivered_offline": _delivered,
}
_ANSWER_FIELDS = ("rows", "carrier", "to", "linked", "files", "files_reviewed", "items", "items_root")


def _only(entry: Entry, rule: str, *names: str) -> None:
    """Raise where the answer has a field that its result does not know; zero rows and files are none."""
    for name in _ANSWER_FIELDS:
        if entry.get(name) and name not in names:
            raise MoveError(
                rule,
                f"an answer {en(entry['result'])!r} has no {name}",
                f"答复“{zh(entry['result'])}”不得有 {name}",
            )


def confirms_the_delivery(case: Case, entry: Entry) -> None:
    delivered = [exit.seq for exit in case.exits if exit.result == "delivered_offline"]
    if entry["answer"] != delivered[-1]:
        raise MoveError(
            "C30",
            f"the delivery to confirm is entry {delivered[-1]}, not {entry['answer']}",
            f"应确认第 {delivered[-1]} 条的交付，而非第 {entry['answer']} 条",
        )


def drafts_a_refusal(case: Case, entry: Entry) -> None:
    if entry["covers"] == "whole" and case.state in (State.PARTLY_ANSWERED, State.DELIVERED):
        raise MoveError(
            "C31",
            "part of it was given: only the rest can be refused (covers part)",
            "已提供一部分：只能就其余部分不予提供（covers 为 part）",
        )
    if case.withheld is not None:
        raise MoveError("C31", "a part is refused already", "已就部分内容不予提供")
    need_words(entry, "C31", *(("withheld",) if entry["covers"] == "part" else ()))


def refusal_is_drafted(case: Case, at: str) -> None:
    if case.draft is None:
        raise MoveError("C32", "nobody drafted a refusal; it is drafted first", "尚无不予提供的拟稿；应先拟稿")


#: What a refusal repeats of its draft.
GROUND_FIELDS = ("ground", "citation", "statute", "article", "covers", "demanded", "register")


def refuses_as_drafted(case: Case, entry: Entry) -> None:
    draft = case.draft
    if draft is None or entry["drafted"] != draft.seq:
        raise MoveError(
            "C32",
            f"the draft to approve is entry {draft.seq if draft else 'none'}, not {entry['drafted']}",
            f"应审批第 {draft.seq if draft else '无'} 条的拟稿，而非第 {entry['drafted']} 条",
        )
    changed = [name for name in GROUND_FIELDS if entry[name] != draft.content[name]]
    if changed:
        raise MoveError(
            "C32",
            f"{changed[0]} is not what entry {draft.seq} drafted: approve it as it is, or have it drafted anew",
            f"{changed[0]} 与第 {draft.seq} 条拟稿不同：请按拟稿审批，或重新拟稿",
        )
    if entry.get("by_person") is None or entry["by_person"] == draft.person:
        raise MoveError(
            "C33",
            "whoever drafted a refusal does not approve it; another approver decides",
            "拟稿人不得审批自己的拟稿；须由另一位负责人审批",
        )
    if entry["covers"] == "part":
        need_words(entry, "C32", "withheld")


# -- transfers and corrections ----------


def sends_the_letter(case: Case, entry: Entry) -> None:
    check_files(entry)
    if "letter" not in entry["materials"] or len(set(entry["materials"])) != len(entry["materials"]):
        raise MoveError(
            "C60",
            "the materials sent name the letter, and nothing twice",
            "所附材料须含移送函，且不得重复",
        )
    need_words(entry, "C60", "letter_number")


def records_a_step(case: Case, entry: Entry) -> None:
    check_files(entry)
    if entry["done_at"] > entry["t"] or ("answered" in entry) != (entry["step"] == "phone_notice"):
        raise MoveError(
            "C61",
            "a step lies in the past, and only a telephone notice says whether it was answered",
            "措施应已发生；仅电话告知须写明是否接听",
        )
    need_words(entry, "C61", "note")


def answers_the_transfer(case: Case, entry: Entry) -> None:
    if entry["result"] == "returned":
        need_words(entry, "C62", "reason")


def assistance_is_owed(case: Case, at: str) -> None:
    if case.transfer is None or all(given for _, given in case.transfer.assistance):
        raise MoveError("C63", "no assistance is owed", "没有待提供的配合")


def gives_assistance(case: Case, entry: Entry) -> None:
    check_files(entry)
    if (entry["asked"], False) not in (case.transfer.assistance if case.transfer else ()):
        raise MoveError(
            "C63",
            f"entry {entry['asked']} asks for no assistance that is still owed",
            f"第 {entry['asked']} 条不是尚待提供的配合请求",
        )


def answers_the_correction(case: Case, entry: Entry) -> None:
    corrected = entry["result"] == "corrected"
    if ("where" in entry) != corrected or ("batch" in entry) != (entry.get("where") == "here"):
        raise MoveError(
            "C65",
            "corrected says where; what was corrected here names the batch that changed it, and nothing else does",
            "“已更正”须写明更正位置；在本系统更正的须写明数据批次，其他情形不得填写",
        )
    if not corrected:
        need_words(entry, "C65", "text")


# -- the program's entries ----------


def a_deadline_is_missing(case: Case, at: str) -> None:
    if all(one.clock == "due" for one in case.current_deadlines()):
        raise MoveError("C70", "every deadline has its date", "各项期限均已确定")


def a_deadline_runs(case: Case, at: str) -> None:
    running = case.running()
    if running is None or running.due_at is None:
        raise MoveError("C71", "there is no such deadline to be reminded of", "没有需要提醒的期限")


def sets_a_missing_deadline(case: Case, entry: Entry) -> None:
    """A date that was given stays; only what had none gets one."""
    stop = Stop(entry["stop"])
    found = case.deadline(stop)
    new = deadline(entry, stop, "")
    if found is not None and found.clock == "no_clock" and case.stopped_at(stop) is not None:
        raise MoveError(
            "C70",
            "it was answered while no clause was in force: nobody becomes late by a rule that came after",
            "答复时并无期限规定：不得以事后采用的规则认定逾期",
        )
    if found is None or found.clock == "due" or new.clock in ("no_clock", found.clock):
        raise MoveError(
            "C70",
            f"the deadline for {entry['stop']} is {found.clock if found else 'none'}: only one without a date gets one",
            f"{entry['stop']} 的期限为 {found.clock if found else '无'}：只有尚无日期的期限才可确定",
        )
    if entry["cause"] >= entry["seq"]:
        raise MoveError("C70", "its cause comes after it", "其依据的条目在其之后")
    check_clock(entry, case.act, stop, found.since)


def reminds_in_time(case: Case, entry: Entry) -> None:
    running = case.running()
    if running is None or running.due_at is None or entry["stop"] != running.stop:
        raise MoveError("C71", "there is no such deadline to be reminded of", "没有需要提醒的期限")
    if entry["to"] not in (case.requester, case.provider) or (entry["stage"] == "overdue") != (
        running.due_at < entry["t"]
    ):
        raise MoveError(
            "C71",
            "a reminder goes to a party, and says overdue when it is and not before",
            "提醒只发给双方单位，逾期后才可称逾期",
        )
    if reminder_of(entry) in case.reminders:
        raise MoveError("C72", "this reminder was sent already", "该提醒已发送过")


def reminder_of(entry: Entry) -> tuple[str, ...]:
    """What makes a reminder the same one."""
    return tuple(str(entry[name]) for name in ("to", "stop", "stage", "day", "outbox"))
