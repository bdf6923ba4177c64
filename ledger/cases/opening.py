"""The entry that begins a case, and what of the entries' fields is checked alike in several kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.cases.case import Case, Deadline, Person, Transfer
from ledger.cases.states import FIRST_STOP, Act, Stop, en, zh
from ledger.errors import MoveError

Entry = Mapping[str, Any]

#: A request asks about so many subjects at most (DESIGN §4).
MAX_SUBJECTS = 500
OPENINGS = ("request.received", "correction.received", "transfer.notified")


def open_case(entry: Entry) -> Case:
    """The case that an opening entry, checked against its schema, begins.

    Raises:
        MoveError: rules C1 to C11 of docs/spec/cases.md.
    """
    kind = entry["kind"]
    if kind not in OPENINGS:
        raise MoveError(
            "C1",
            f"entry {entry['seq']} is {kind}, but nothing began case {entry['case']}; a case begins with one of "
            f"{', '.join(OPENINGS)}",
            f"第 {entry['seq']} 条为 {kind}，但案件 {entry['case']} 尚未开始；案件应以 {'、'.join(OPENINGS)} 之一开始",
        )
    act = Act(entry["act"])
    requester, provider = _parties(entry)
    _check_opener(entry, requester, provider)
    if entry["received_at"] > entry["t"]:
        raise MoveError(
            "C4",
            f"received at {entry['received_at']}, which is after it was recorded ({entry['t']}); give the time at "
            "which it was received, in the past",
            f"收到时间 {entry['received_at']} 晚于记录时间 {entry['t']}；请填写实际收到的时间",
        )
    if act not in _ACTS_OF[kind]:
        raise MoveError("C1", f"{kind} does not begin {en(act)}", f"{kind} 不能用于{zh(act)}")
    check_clock(entry, act, FIRST_STOP[act], entry["received_at"])
    check_files(entry)
    if kind == "request.received":
        _check_request(entry, act)
    if kind != "transfer.notified":
        _check_described(entry)
    check_subjects(entry)
    return Case(
        id=entry["case"],
        act=act,
        requester=requester,
        provider=provider,
        resource=entry.get("resource"),
        opened=entry["seq"],
        received_at=entry["received_at"],
        recorded_at=entry["t"],
        purpose=entry.get("purpose"),
        target_at=entry.get("target_at"),
        subjects=entry.get("items", 0),
        parent=entry.get("parent"),
        redirects=entry.get("redirects", 0),
        deadlines=(deadline(entry, FIRST_STOP[act], entry["received_at"]),),
        last=entry["seq"],
        revision=entry["seq"],
        last_at=entry["t"],
        transfer=Transfer(entry["transfer"]) if kind == "transfer.notified" else None,
        persons=(Person(entry["by"], 1, entry["seq"]),) if "by_person" in entry else (),
        entries={entry["seq"]: kind},
    )


_ACTS_OF = {
    "request.received": {Act.QUERY, Act.APPLICATION},
    "correction.received": {Act.CORRECTION},
    "transfer.notified": {Act.TRANSFER},
}


def _parties(entry: Entry) -> tuple[str, str]:
    if entry["kind"] == "transfer.notified":
        requester, provider = entry["receiver"], entry["sender"]
    else:
        requester, provider = entry["requester"], entry["provider"]
    if requester == provider:
        raise MoveError(
            "C3",
            f"{requester} would ask itself; name another agency",
            f"{requester} 不能向自己提出；请选择另一单位",
        )
    return requester, provider


def _check_opener(entry: Entry, requester: str, provider: str) -> None:
    """C2: who asks writes it down, or whoever received it on paper; of a linked case, see C81."""
    allowed = {provider} if entry["kind"] == "transfer.notified" else {requester}
    if entry["channel"] != "desk":
        allowed |= {requester, provider}
    if "parent" not in entry and (entry["by"] not in allowed or entry["by_role"] != "agency"):
        raise MoveError(
            "C2",
            f"{entry['by']} cannot record this as {en(entry['by_role'])}; {' or '.join(sorted(allowed))} can",
            f"{entry['by']} 不能以{zh(entry['by_role'])}身份记录；应由{'或'.join(sorted(allowed))}记录",
        )
    if ("by_person" in entry) == (entry["by_duty"] == "system") or entry.get("by_person", 1) != 1:
        raise MoveError(
            "C13",
            "whoever begins a case is person 1 of their agency; a system is no person",
            "案件的发起人为本单位第 1 人；业务系统没有人员序号",
        )


def _check_request(entry: Entry, act: Act) -> None:
    if "target_at" in entry:
        need_words(entry, "C7", "urgent_reason", "approver")
    if act is Act.APPLICATION:
        # 条例 art. 20: 使用依据、场景、范围、共享方式、时限, and the consent of the head of the 共享工作机构.
        need_words(entry, "C7", "application", "approver")
    need_words(entry, "C7", "reference")
    if ("parent" in entry) != (entry.get("redirects", 0) > 0) or entry.get("parent") == entry["case"]:
        raise MoveError(
            "C10",
            "a linked case names the one before it and how often the request was passed on, and no other case does",
            "转办案件须写明上一案件及转办次数，其他案件不得填写",
        )


def _check_described(entry: Entry) -> None:
    if "resource" not in entry or entry["kind"] == "correction.received":
        need_words(entry, "C5", "description")
    if entry.get("served", -1) >= entry["seq"]:
        raise MoveError(
            "C5",
            f"what was served by entry {entry['served']} comes after this",
            f"第 {entry['served']} 条在本条之后",
        )


def check_subjects(entry: Entry, before: int = 0) -> None:
    """C6: number, root and commitments of the subjects come together; with those before there are not too many."""
    present = [name in entry for name in ("items", "items_root")] + ["item_commitments" in entry.get("commit", {})]
    if any(present) and (not all(present) or not 1 <= entry["items"] <= MAX_SUBJECTS - before):
        raise MoveError(
            "C6",
            f"the table of subjects has {entry.get('items', 'no')} rows; want 1 to {MAX_SUBJECTS - before}, with its "
            "root: split a longer one into several requests",
            f"对象清单有 {entry.get('items', '无')} 行；应为 1 至 {MAX_SUBJECTS - before} 行并附根哈希："
            "超出的请分成几个请求",
        )


def check_files(entry: Entry) -> None:
    """C9: of each attachment the secrecy review was declared, and names and digests are committed to."""
    files = entry.get("files", 0)
    if entry.get("files_reviewed", 0) != files or (files > 0) != ("attachments" in entry.get("commit", {})):
        raise MoveError(
            "C9",
            f"{files} attachments, {entry.get('files_reviewed', 0)} with a secrecy review declared: want all",
            f"附件 {files} 个，其中 {entry.get('files_reviewed', 0)} 个已声明保密审查：每个附件都须声明",
        )


def check_clock(entry: Entry, act: Act, stop: Stop, since: str) -> None:
    """C8: what is said of the clock is of this act and stop, and fits together; a due time comes after its start."""
    has = {
        name: name in entry for name in ("clause", "standing", "working_days", "due_at", "urgent_clause", "target_at")
    }
    clause = has["clause"]
    good = {
        "due": has["due_at"] and not has["urgent_clause"],
        "unconfirmed": clause and not has["due_at"] and not has["urgent_clause"],
        "no_clock": not clause and not has["urgent_clause"],
        "at_once": has["urgent_clause"] and has["target_at"],
    }
    if (
        (entry["act"], entry["stop"]) != (act, stop)
        or not good[entry["clock"]]
        or {clause} != {has["standing"], has["working_days"]}
        or (has["due_at"] and not (clause and entry["due_at"] > since))
        or (entry.get("extension_days") and not clause)
        or entry.get("target_at", since) < since
    ):
        raise MoveError(
            "C8",
            f"clock {entry['clock']} of {entry['act']} until {entry['stop']}, due {entry.get('due_at', 'at no time')}, "
            f"clause {entry.get('clause', 'none')}: want {act} until {stop} from {since}, a due time only with its "
            "clause, none where it is unconfirmed or no clause is in force",
            f"计时 {entry['clock']}（{entry['act']} 至 {entry['stop']}），到期 {entry.get('due_at', '无')}，条款 "
            f"{entry.get('clause', '无')}：应为 {act} 至 {stop}，自 {since} 起算；有条款才有到期时间，"
            "待定或无条款的不写",
        )


def deadline(entry: Entry, stop: Stop, since: str) -> Deadline:
    """The deadline that an entry with clock fields sets."""
    return Deadline(
        stop,
        since,
        entry.get("due_at"),
        entry.get("clause"),
        entry.get("standing"),
        entry.get("extension_days", 0),
        entry["seq"],
    )


def need_words(entry: Entry, rule: str, *names: str) -> None:
    """Raise unless the entry commits to each of the particulars ``names``."""
    missing = [name for name in names if name not in entry.get("commit", {})]
    if missing:
        raise MoveError(
            rule,
            f"{entry['kind']} needs {missing[0]}: write it down",
            f"{entry['kind']} 缺少 {missing[0]}：请填写",
        )
