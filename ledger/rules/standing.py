"""What is in force on a day, and what needs somebody's care: said plainly, wherever it is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ledger.rules import workdays
from ledger.rules.clauses import Clause
from ledger.rules.deadlines import Rulebook
from ledger.rules.errors import UnannouncedYearError

#: Acts in both languages.
ACT_WORDS = {
    "query": ("查询", "query"),
    "application": ("共享申请", "application for sharing"),
    "correction": ("校核", "correction"),
    "transfer": ("案件移送", "transfer of a case"),
}
START_WORDS = {
    "received": ("收到", "receipt"),
    "decided": ("同意共享", "agreement"),
    "notified": ("通报", "notice"),
}
STOP_WORDS = {
    "decided": ("答复", "answer"),
    "supplied": ("提供", "supply"),
    "sent": ("发出移送函", "letter of transfer"),
}
CLASS_WORDS = {"unconditional": ("无条件共享", "unconditional"), "conditional": ("有条件共享", "conditional")}
KIND_WORDS = {
    "statutory": ("法定", "statutory"),
    "local_standard": ("本地标准，不是法定期限", "local standard, not law"),
}
LEVEL_WORDS = {
    "law": ("法律", "law"),
    "administrative_regulation": ("行政法规", "administrative regulation"),
    "normative_document": ("规范性文件", "normative document"),
    "service_standard": ("服务标准", "service standard"),
}

#: Every clock there is: act, start, stop, sharing class.
CLOCKS = (
    ("query", "received", "supplied", None),
    ("application", "received", "decided", "unconditional"),
    ("application", "received", "decided", "conditional"),
    ("application", "decided", "supplied", None),
    ("correction", "received", "decided", None),
    ("transfer", "notified", "sent", None),
)
#: How long before an end it is announced; a matter of presentation, no rule.
_SOON = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class ClockStanding:
    """One clock on a day: the clause that sets it, or None with the last clause that did (``expired``)."""

    act: str
    start: str
    stop: str
    sharing_class: str | None
    clause: Clause | None
    expired: Clause | None

    @property
    def words(self) -> tuple[str, str]:
        """What clock it is, in Chinese and English."""
        (act_zh, act_en), (from_zh, from_en) = ACT_WORDS[self.act], START_WORDS[self.start]
        to_zh, to_en = STOP_WORDS[self.stop]
        kind_zh, kind_en = CLASS_WORDS[self.sharing_class] if self.sharing_class else ("", "")
        zh = act_zh + (f"（{kind_zh}）" if kind_zh else "") + f"：{from_zh}至{to_zh}"
        en = f"{act_en}{f' ({kind_en})' if kind_en else ''}: from {from_en} to {to_en}"
        return zh, en


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that needs care. ``is_fault``: now; else it will."""

    code: str
    is_fault: bool
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force on ``day``."""

    day: date
    clocks: tuple[ClockStanding, ...]
    notices: tuple[Notice, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is at fault."""
        return not any(notice.is_fault for notice in self.notices)


def standing(rulebook: Rulebook, day: date) -> Standing:
    """What is in force on ``day``, and what lapses soon. Pure; ``day`` is the caller's clock."""
    clocks = tuple(_clock(rulebook, day, *each) for each in CLOCKS)
    return Standing(day, clocks, (*_about_clocks(clocks, day), *_about_calendars(rulebook, clocks, day)))


def _clock(rulebook: Rulebook, day: date, act: str, start: str, stop: str, sharing_class: str | None) -> ClockStanding:
    clause = rulebook.register.clock_clause(act, start, stop, day, sharing_class=sharing_class)
    before = [
        each
        for each in rulebook.register.clauses
        if each.clock is not None
        and not each.clock.urgent
        and (each.clock.act, each.clock.start, each.clock.stop) == (act, start, stop)
        and each.clock.sharing_class in (None, sharing_class)
        and each.valid_to is not None
        and each.valid_to < day
    ]
    expired = max(before, key=lambda each: each.valid_to or day) if before and clause is None else None
    return ClockStanding(act, start, stop, sharing_class, clause, expired)


def _about_clocks(clocks: tuple[ClockStanding, ...], day: date) -> Iterator[Notice]:
    for clock in clocks:
        (zh, en), clause, expired = clock.words, clock.clause, clock.expired
        if expired is not None:
            yield Notice(
                "expired",
                True,
                f"{zh}：{expired.label_zh} 已于 {expired.valid_to} 失效，没有有效期限；采用延期文本或本地标准后才计时",
                f"{en}: {expired.label_en} lapsed after {expired.valid_to}; no clock runs until a renewal or a local "
                "standard is adopted",
            )
        elif clause is None:
            yield Notice("no_clause", False, f"{zh}：没有有效条款", f"{en}: no clause in force")
        elif clause.valid_to is not None and clause.valid_to - day <= _SOON:
            yield Notice(
                "expiring",
                False,
                f"{zh}：{clause.label_zh} 将于 {clause.valid_to} 失效",
                f"{en}: {clause.label_en} lapses after {clause.valid_to}",
            )


def _about_calendars(rulebook: Rulebook, clocks: tuple[ClockStanding, ...], day: date) -> Iterator[Notice]:
    years = rulebook.calendars.years
    if day.year not in years:
        yield Notice(
            "no_calendar",
            True,
            f"没有 {day.year} 年日历，任何期限都不能确认；请采用国务院办公厅的节假日安排",
            f"there is no calendar of {day.year}, so no deadline can be confirmed; adopt the State Council's notice",
        )
        return
    for clock in clocks:
        clause = clock.clause
        if clause is None or clause.clock is None or clause.clock.working_days is None:
            continue
        first = _first_unconfirmed(rulebook, day, clause.clock.working_days)
        if first is not None:
            zh, en = clock.words
            yield Notice(
                "unconfirmed",
                False,
                f"{zh}：{first} 起开始计时的，期限进入尚未公布节假日安排的 {first.year + 1} 年，暂不能确认",
                f"{en}: what starts from {first} on runs into {first.year + 1}, whose holidays are not announced: "
                "unconfirmed",
            )


def _first_unconfirmed(rulebook: Rulebook, day: date, working_days: int) -> date | None:
    """The first day of the next so many on which a clock may start that cannot be confirmed."""
    for number in range(_SOON.days + 1):
        start = day + timedelta(days=number)
        try:
            workdays.nth_after(rulebook.calendars, start, working_days)
        except UnannouncedYearError:
            return start
    return None
