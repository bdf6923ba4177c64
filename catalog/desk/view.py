"""A case as its parties see it: state, clocks with their days, who has to do what, and every entry with its words."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from catalog import i18n, titles
from catalog.desk import words
from catalog.desk.desk import Desk
from catalog.desk.files import Attachment
from catalog.desk.moves import FORMS, Looking, MoveForm
from catalog.desk.rulebooks import Rulebooks
from catalog.desk.shelf import Line
from catalog.desk.subjects import Subject
from catalog.entry_view import resource_title
from catalog.identity import officers
from catalog.identity.actor import Actor
from catalog.identity.agencies import agencies
from catalog.listing import local_time
from catalog.overview import agency_names
from catalog.refusal import purpose_title
from catalog.service import Service
from ledger.cases import Case, Deadline, Reading, read_case, readings, urgency
from ledger.cases.moves import next_steps
from ledger.errors import BilingualError
from ledger.rules import Clause, RulesError
from ledger.rules.deadlines import SHANGHAI, stamp
from ledger.rules.working import WorkingDay


@dataclass(frozen=True, slots=True)
class Names:
    """How the page at hand calls agencies and data."""

    agencies: Mapping[str, str]
    titles: titles.Titles

    @classmethod
    def of(cls, service: Service) -> Names:
        return cls(agency_names(agencies(service.register)), titles.of_instance(service.instance.path))

    def agency(self, agency: str) -> str:
        return self.agencies.get(agency, agency)

    def resource(self, resource: str | None) -> str:
        return resource_title(self.titles, resource) if resource else ""


@dataclass(frozen=True, slots=True)
class ClockView:
    """A deadline as a page shows it.

    Attributes:
        timeliness: a code of :class:`ledger.cases.Timeliness`; ``words``: the same in words.
        due: the last day and its end, as people say it; empty where there is none.
        days: the strip behind it.
        left: working days from now to the last day, while it runs; None where that is not known.
    """

    reading: Reading
    stop: str
    words: str
    since: str
    due: str
    due_at: str
    clause: str
    quote: str
    standing: str
    seq: int
    days: tuple[WorkingDay, ...]
    left: int | None

    @property
    def timeliness(self) -> str:
        return self.reading.timeliness.value


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry of the case: ``said`` are its words, by what they are called; ``subjects`` its table."""

    seq: int
    t: str
    at: str
    kind: str
    title: str
    by: str
    person: str
    said: tuple[tuple[str, str], ...]
    files: tuple[Attachment, ...]
    items: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request that was passed on began: the first case, when that was received, working days since."""

    number: str
    received: str
    age_days: int | None


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report that a document of supervision asks for by a day, and that is not there yet."""

    document: str
    to: str
    due: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case for a page."""

    case: Case
    act: str
    state: str
    requester: str
    provider: str
    resource: str
    purpose: str
    received: str
    recorded: str
    clocks: tuple[ClockView, ...]
    urgent: tuple[str, str] | None
    steps: str
    entries: tuple[EntryView, ...]
    moves: tuple[MoveForm, ...]
    party: str
    age_days: int | None
    origin: Origin | None = None
    reports: tuple[ReportView, ...] = ()


def case_view(desk: Desk, actor: Actor, case: Case) -> CaseView:
    """The whole of a case, for one of its parties."""
    names, now = Names.of(desk.service), desk.now()
    at = stamp(now)
    kinds = frozenset(desk.allowed(actor, case))
    looking = Looking(desk, case, actor.agency, now, actor.officer)
    en, zh = next_steps(case, at)
    end = None if case.state.is_open else case.last_at
    urgent = urgency(case, at)
    return CaseView(
        case=case,
        act=words.act(case.act),
        state=words.state(case.state),
        requester=names.agency(case.requester),
        provider=names.agency(case.provider),
        resource=names.resource(case.resource),
        purpose=purpose_title(case.purpose) if case.purpose else "",
        received=local_time(case.received_at),
        recorded=local_time(case.recorded_at),
        clocks=clocks(desk, case, now),
        urgent=(local_time(urgent.target_at), _urgent_words(urgent.met)) if urgent is not None else None,
        steps=i18n.choose(zh, en),
        entries=tuple(entry_view(desk, actor, names, seq) for seq in sorted(case.entries)),
        moves=tuple(form for form in FORMS if form.is_offered(looking, kinds)),
        party={case.requester: "requester", case.provider: "provider"}.get(actor.agency, "office"),
        age_days=desk.rules.working_days(case.received_at, end or at),
        origin=_origin(desk, case, end or at),
        reports=tuple(
            ReportView(
                words.word(words.ORDERS, one.form),
                names.agency(one.to),
                due_words(one.report_due_at),
                one.report_due_at < at,
            )
            for one in case.orders
            if one.report_due_at is not None and one.reported is None and not one.revoked
        ),
    )


def _origin(desk: Desk, case: Case, until: str) -> Origin | None:
    """A redirect is no cheap exit: the whole time counts for the reader (DESIGN §3)."""
    first = case
    while first.parent is not None:
        first = read_case(desk.ledger, first.parent)
    if first is case:
        return None
    return Origin(first.id, local_time(first.received_at), desk.rules.working_days(first.received_at, until))


def clocks(desk: Desk, case: Case, now: datetime) -> tuple[ClockView, ...]:
    """Each deadline of a case with the days behind it."""
    found = readings(case, stamp(now), desk.rules.working_days)
    return tuple(
        _clock(desk, given, reading, now) for given, reading in zip(case.current_deadlines(), found, strict=True)
    )


def _clock(desk: Desk, given: Deadline, reading: Reading, now: datetime) -> ClockView:
    entry = desk.ledger.entry(given.seq)
    clause: Clause | None = None
    days: tuple[WorkingDay, ...] = ()
    if "clause" in entry:
        # Where the rules' text is not at hand, what the entry says stands without its strip.
        with contextlib.suppress(RulesError):
            clause, days = desk.rules.working_of(entry, given.since)
    runs = reading.stopped_at is None and reading.timeliness.value in ("open", "overdue")
    return ClockView(
        reading,
        words.stop(given.stop),
        words.word(words.TIMELINESS, reading.timeliness.value),
        local_time(given.since),
        due_words(given.due_at),
        given.due_at or "",
        i18n.choose(clause.label_zh, clause.label_en) if clause is not None else (given.clause or ""),
        clause.quote if clause is not None else "",
        words.standing(given.standing or ""),
        given.seq,
        days,
        days_left(desk.rules, given.due_at or "", now) if runs else None,
    )


def due_words(due_at: str | None) -> str:
    """``2026-11-23 24:00``: midnight belongs to the day that it ends."""
    if not due_at:
        return ""
    local = datetime.fromisoformat(due_at).astimezone(SHANGHAI)
    if (local.hour, local.minute) == (0, 0):
        return f"{local - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"


def days_left(rules: Rulebooks, due_at: str, now: datetime) -> int | None:
    """Working days from today to the last day, negative after it; None: not known."""
    if not due_at:
        return None
    last = stamp(datetime.fromisoformat(due_at) - timedelta(milliseconds=1))
    at = stamp(now)
    if last >= at:
        return rules.working_days(at, last)
    over = rules.working_days(last, at)
    return None if over is None else -over


def _urgent_words(met: bool | None) -> str:
    if met is None:
        return i18n.choose("尚在目标时间内", "the target is not over yet")
    return i18n.choose("已达到", "met") if met else i18n.choose("未达到", "missed")


# -- entries ----------------------------------------------------------------------------------------------------------

DRAFTED = "request.refusal_drafted"
#: Particulars that are words, in the order in which they are shown.
SAID: Mapping[str, words.Words] = {
    "description": ("请求内容", "What is asked for"),
    "reference": ("事由编号", "Reference"),
    "purpose_text": ("用途", "What for"),
    "urgent_reason": ("特别紧急的理由", "Why it is urgent"),
    "approver": ("同意的负责人", "Consent of"),
    "row": ("数据行", "Row"),
    "receiver_person_role": ("接收通报的岗位", "Told to"),
    "wanted": ("需补充的内容", "To be supplemented"),
    "supplement": ("补充内容", "Supplement"),
    "text": ("答复说明", "Answer"),
    "terms": ("共享条件", "Terms"),
    "withheld": ("不予提供的部分", "Withheld"),
    "reason": ("理由", "Reason"),
    "note": ("说明", "Note"),
    "document": ("文号", "Document"),
    "letter_number": ("移送函文号", "Letter number"),
    "answer_sha256": ("答复的 SHA-256", "SHA-256 of the answer"),
}
APPLICATION: Mapping[str, words.Words] = {
    "basis": ("使用依据", "Legal basis"),
    "scene": ("使用场景", "Used for"),
    "scope": ("使用范围", "Scope"),
    "way": ("共享方式", "Way"),
    "period": ("使用时限", "Period"),
}
_CODES: Mapping[str, tuple[words.Words, Mapping[str, words.Words]]] = {
    "result": (("结果", "Result"), words.RESULTS),
    "method": (("认证方式", "Authenticated by"), words.METHODS),
    "carrier": (("交付载体", "Carrier"), words.CARRIERS),
    "transfer": (("移送类型", "Transfer"), words.TRANSFERS),
    "step": (("步骤", "Step"), {**words.STEPS, **words.TRANSFER_STEPS}),
    "want": (("需要", "Wanted"), words.WANTS),
    "where": (("更正位置", "Corrected"), words.PLACES),
    "outcome": (("结果", "Outcome"), words.OUTCOMES),
    "verdict": (("认定", "Verdict"), words.RESULTS),
    "channel": (("收件方式", "Came"), words.CHANNELS),
    "form": (("文书", "Document"), words.ORDERS),
}


def entry_view(desk: Desk, actor: Actor, names: Names, seq: int) -> EntryView:
    """One entry with the words that the case's parties may read; who acted is named to their own agency only."""
    entry, opened = desk.ledger.entry(seq), desk.opened(seq)
    by = entry.get("by", "")
    person = ""
    if "by_person" in entry:
        person = i18n.choose(f"第 {entry['by_person']} 人", f"person {entry['by_person']}")
    if by == actor.agency and opened.get("officer"):
        person = _officer(desk.service, str(opened["officer"]))
    return EntryView(
        seq,
        entry["t"],
        local_time(entry["t"]),
        entry["kind"],
        words.kind(entry["kind"]),
        names.agency(by) if by else i18n.choose("系统", "the program"),
        person or (i18n.choose("业务系统", "system") if entry.get("by_duty") == "system" else ""),
        tuple(_said(desk, names, entry, opened, actor)),
        desk.attachments(seq) if entry.get("files") else (),
        entry.get("items", 0),
    )


def _said(
    desk: Desk, names: Names, entry: Mapping[str, Any], opened: Mapping[str, Any], actor: Actor
) -> list[tuple[str, str]]:
    found = _open_said(names, entry)
    if entry["kind"] == DRAFTED and entry["by"] != actor.agency:
        return found  # until somebody approves it, its words are the provider's own
    if entry.get("rows"):
        found.append((i18n.choose("数据行数", "Rows"), str(entry["rows"])))
    for name, title in SAID.items():
        value = opened.get(name)
        if isinstance(value, str) and value:
            shown = _officer(desk.service, value) if name == "approver" else value
            if name != "approver" or entry.get("requester") == actor.agency:
                found.append((i18n.choose(*title), shown))
    application = opened.get("application")
    if isinstance(application, dict):
        found += [(i18n.choose(*title), str(application.get(name, ""))) for name, title in APPLICATION.items()]
    if isinstance(opened.get("participants"), list):
        found.append((i18n.choose("参加单位", "Taking part"), "、".join(map(names.agency, opened["participants"]))))
    return found


def _open_said(names: Names, entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the entry itself says, in words: codes, agencies, days, the ground of a refusal."""
    found = []
    for name, (title, table) in _CODES.items():
        if name in entry and entry[name] in table and (name, entry[name]) != ("channel", "desk"):
            found.append((i18n.choose(*title), words.word(table, entry[name])))
    if "to" in entry:
        to = words.word(words.OFFICES, entry["to"]) if entry["to"] in words.OFFICES else names.agency(entry["to"])
        found.append((i18n.choose("发往", "To"), to))
    for code in entry.get("materials", ()):
        found.append((i18n.choose("所附材料", "Material"), words.word(words.MATERIALS, code)))
    if "batch" in entry:
        found.append((i18n.choose("数据批次", "Batch"), entry["batch"]))
    if "report_due_at" in entry:
        found.append((i18n.choose("报送期限", "Report due"), due_words(entry["report_due_at"])))
    if "done_at" in entry:
        found.append((i18n.choose("发生时间", "Done at"), local_time(entry["done_at"])))
    if "linked" in entry:
        found.append((i18n.choose("转办案件", "Linked case"), entry["linked"]))
    if "ground" in entry:
        found.append((i18n.choose("事由", "Ground"), entry["ground"]))
        found.append((i18n.choose("条款", "Article"), f"《{entry['statute']}》{entry['article']}"))
        found.append((i18n.choose("范围", "Covers"), words.word(words.COVERS, entry["covers"])))
    return found


def _officer(service: Service, login: str) -> str:
    try:
        found = officers.find(service.register, login)
    except BilingualError:
        return login
    return i18n.choose(found["title_zh"], found["title_en"])


def subjects_of(desk: Desk, seq: int) -> list[tuple[int, Subject]]:
    """The subjects of an entry that were not erased, by their number from 1."""
    return [(index + 1, Subject.of_value(value)) for index, value in desk.items(seq)]


# -- lists ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineView:
    """A case in a list, in words."""

    line: Line
    act: str
    state: str
    other: str
    resource: str
    received: str
    due: str
    timeliness: str
    words: str
    left: int | None
    last: str
    last_at: str
    target: str


def line_view(desk: Desk, names: Names, line: Line, agency: str, now: datetime) -> LineView:
    """A line for a list of ``agency``; what is overdue is said in words."""
    at = stamp(now)
    code = timeliness(line, at)
    return LineView(
        line,
        words.act(line.act),
        words.state(line.state),
        names.agency(line.requester if agency == line.provider else line.provider),
        names.resource(line.resource),
        local_time(line.received_at)[:16],
        due_words(line.due_at),
        code,
        words.word(words.TIMELINESS, code),
        days_left(desk.rules, line.due_at, now) if code in ("open", "overdue") else None,
        words.kind(line.last_kind),
        local_time(line.last_at)[:16],
        local_time(line.target_at)[:16] if line.urgent else "",
    )


def timeliness(line: Line, at: str) -> str:
    """As :func:`ledger.cases.readings` says it of the deadline in the line."""
    if not line.due_at:
        return line.clock
    if line.stopped_at:
        late = line.stopped_at > line.due_at
        if late:
            return "late" if line.state != "withdrawn" else "overdue"
        return "withdrawn" if line.state == "withdrawn" else "on_time"
    return "overdue" if at > line.due_at else "open"
