"""``liandong rules``: what is in force, since when, and how a deadline is counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from ledger.cli_common import bilingual_errors, instance_option, reading
from ledger.errors import ArgumentError
from ledger.fields import DATE
from ledger.instance import Instance
from ledger.log import canonical
from ledger.log.store import Store
from ledger.rule_archive import Archive, timeline_of
from ledger.rules import SHANGHAI, Clause, Deadline, Rulebook, WorkingDay, deadline, packaged, working
from ledger.rules.clauses import ACTS, SHARING_CLASSES
from ledger.rules.deadlines import AT_ONCE, local_day
from ledger.rules.errors import RulesError
from ledger.rules.grounds import Citation, Ground
from ledger.rules.standing import ACT_WORDS, KIND_WORDS, LEVEL_WORDS, Standing, standing

packaged_option = click.option(
    "--packaged", is_flag=True, help="The rules that come with the program, no instance. 只看随程序提供的规则。"
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON. 输出 JSON。")


def _day(_context: click.Context, _parameter: click.Parameter, value: str) -> date:
    if not value:
        return datetime.now(SHANGHAI).date()
    if not DATE.accepts(value):
        raise click.BadParameter("日期应形如 2026-11-25 want a day like 2026-11-25")
    return date.fromisoformat(value)


on_option = click.option(
    "--on",
    "day",
    default="",
    callback=_day,
    metavar="DAY",
    help="As of this day, default today. 以该日为准，缺省为今天。",
)


@click.group()
def rules() -> None:
    """规则：现行条款、期限怎样计算。 The rules: what is in force, how deadlines are counted."""


@rules.command()
@instance_option
@packaged_option
@on_option
@click.option("--all", "every", is_flag=True, help="Expired and future clauses too. 包括失效和尚未生效的。")
@json_option
@bilingual_errors
def show(*, instance: Path, packaged: bool, day: date, every: bool, as_json: bool) -> None:
    """列出有效条款和拒绝事由。 List the clauses in force, with their words, and the grounds of refusal."""
    book = _rulebook(instance, packaged)
    clauses = book.register.clauses if every else book.register.in_force(day)
    if as_json:
        value = book.register.to_value() | book.digests | {"day": day.isoformat()}
        value["clauses"] = [clause.to_value() | {"in_force": clause.in_force(day)} for clause in clauses]
        click.echo(json.dumps(value, ensure_ascii=False, indent=1))
        return
    click.echo(f"{day} 有效条款 clauses in force on {day}" + ("（含其他 and others）" if every else ""))
    for clause in clauses:
        click.echo("\n" + "\n".join(_clause_lines(clause, day)))
    click.echo(f"\n拒绝事由 grounds of refusal on {day}")
    for ground in book.register.grounds:
        click.echo("\n".join(_ground_lines(ground, day)))
    click.echo("\n" + _digest_lines(book))


@rules.command()
@instance_option
@packaged_option
@on_option
@json_option
@bilingual_errors
def check(*, instance: Path, packaged: bool, day: date, as_json: bool) -> None:
    """说明现行期限；有失效的期限或缺当年日历时以 1 退出。 Say what is in force.

    Exit 1 if a clock lapsed or this year's calendar is missing; what lapses soon is only said.
    """
    book = _rulebook(instance, packaged)
    found = standing(book, day)
    if as_json:
        click.echo(json.dumps(_standing_value(found, book), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(_standing_lines(found, book)))
    sys.exit(0 if found.is_whole else 1)


@rules.command()
@click.argument("received")
@click.option("--act", type=click.Choice(ACTS), default="query", show_default=True, help="What is asked. 事项。")
@click.option(
    "--sharing-class", type=click.Choice(SHARING_CLASSES), help="Of the data applied for. 所申请数据的共享属性。"
)
@click.option("--agreed", is_flag=True, help="An application agreed to at RECEIVED: until supplied. 同意共享之日起算。")
@click.option("--urgent", is_flag=True, help="Marked especially urgent. 特别紧急。")
@instance_option
@packaged_option
@json_option
@bilingual_errors
def explain(
    *,
    received: str,
    act: str,
    sharing_class: str | None,
    agreed: bool,
    urgent: bool,
    instance: Path,
    packaged: bool,
    as_json: bool,
) -> None:
    """逐日列出期限怎样算出。 Show, day by day, when an answer to what was RECEIVED then is due.

    RECEIVED is a day (2026-11-18) or a time with its zone (2026-11-18T09:00+08:00). RECEIVED 为日期或带时区的时间。
    """
    if agreed and act != "application":
        raise click.UsageError("--agreed goes with --act application. --agreed 须与 --act application 同用。")
    book = _rulebook(instance, packaged)
    found = deadline(
        book,
        act,
        _instant(received),
        start="decided" if agreed else None,
        stop="supplied" if agreed else None,
        sharing_class=sharing_class,
        urgent=urgent,
    )
    days = working(book.calendars, found)
    if as_json:
        click.echo(json.dumps(_deadline_value(found, days), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(_deadline_lines(found, days)))


class _Entries:
    """The ledger read without its key, for :func:`timeline_of`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def since(self, seq: int, kinds: Any, until: int | None = None) -> list[Any]:
        return [canonical.decode_object(row) for row in self._store.since(seq, "kind", kinds, until)]


def _rulebook(instance: Path, is_packaged: bool) -> Rulebook:
    return packaged() if is_packaged else rulebook_of(Instance.open(instance))


def rulebook_of(instance: Instance) -> Rulebook:
    """The rules in force in an instance, read without its key. Raises :class:`LedgerError`."""
    with reading(instance) as store:
        return timeline_of(_Entries(store), Archive(instance.path / "rules")).current


def lapsed(instance: Instance, day: date) -> list[str]:
    """What of an instance's rules is at fault on ``day``, each in both languages; no deadline rests on what lapsed."""
    try:
        found = standing(rulebook_of(instance), day)
    except RulesError as error:
        return [f"规则 rules：{error.zh}\n  {error.en}"]
    return [f"规则 rules：{notice.zh}\n  {notice.en}" for notice in found.notices if notice.is_fault]


def _instant(text: str) -> datetime:
    """A day, or a time with its zone. Raises :class:`ArgumentError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentError(
            f"{text!r} is no day or time; write 2026-11-18 or 2026-11-18T09:00+08:00",
            f"{text!r} 不是日期或时间；请写成 2026-11-18 或 2026-11-18T09:00+08:00",
        ) from error
    if DATE.accepts(text):
        return found.replace(tzinfo=SHANGHAI)
    if found.tzinfo is None:
        raise ArgumentError(
            f"the time {text} has no zone; write it like {text}+08:00",
            f"时间 {text} 没有时区；请写成 {text}+08:00",
        )
    return found


def _clause_lines(clause: Clause, day: date) -> Iterator[str]:
    kind_zh, kind_en = KIND_WORDS[clause.kind]
    level_zh, level_en = LEVEL_WORDS[clause.level]
    ends = f"至 {clause.valid_to} until {clause.valid_to}" if clause.valid_to else "未定终期 no set end"
    yield f"{clause.id}  《{clause.name_zh}》{clause.label_zh}  {clause.label_en}"
    yield f"  {kind_zh} {kind_en}，{level_zh} {level_en}；自 {clause.valid_from} from {clause.valid_from}，{ends}"
    if not clause.in_force(day):
        yield f"  ！{day} 无效 NOT in force on {day}"
    if clause.clock is not None:
        clock, (act_zh, act_en) = clause.clock, ACT_WORDS[clause.clock.act]
        if clock.working_days is None:
            yield f"  {act_zh} {act_en}：立即 at once"
        else:
            longer = clock.extension.max_working_days if clock.extension else 0
            yield (
                f"  {act_zh} {act_en}：{clock.working_days} 个工作日 working days，"
                + (f"可延长至多 may be extended by at most {longer}" if longer else "不得延长 no extension")
            )
    yield f"  “{clause.quote}”"
    yield f"  {clause.gist_en}"


def _ground_lines(ground: Ground, day: date) -> Iterator[str]:
    state = "已启用 enabled" if ground.enabled else "未启用 not enabled"
    yield f"{ground.code}  {ground.name_zh} {ground.name_en}  {state}"
    for citation in ground.citations:
        yield f"  {citation.id}  {citation.label_zh} {citation.label_en}{_citation_state(citation, day)}"


def _citation_state(citation: Citation, day: date) -> str:
    if not citation.is_verified:
        return "  文本未核对，不能选用 unverified, cannot be chosen"
    if citation.in_force(day):
        return ""
    if citation.valid_to is not None and day > citation.valid_to:
        return f"  已废止，{citation.valid_to} 后失效 repealed, ended with {citation.valid_to}"
    return f"  自 {citation.valid_from} 起有效 from {citation.valid_from}"


def _digest_lines(book: Rulebook) -> str:
    return f"规则库 register {book.register.digest}\n日历 calendars  {book.calendars.digest}"


def _standing_lines(found: Standing, book: Rulebook) -> Iterator[str]:
    yield f"{found.day} 现行期限 clocks in force on {found.day}"
    for clock in found.clocks:
        zh, en = clock.words
        if clock.clause is None or clock.clause.clock is None:
            yield f"  {zh}  {en}\n    没有有效条款，不计时 no clause in force, no clock"
            continue
        kind_zh, kind_en = KIND_WORDS[clock.clause.kind]
        days = clock.clause.clock.working_days
        yield f"  {zh}  {en}"
        label = f"{clock.clause.label_zh} {clock.clause.label_en}"
        yield f"    {days} 个工作日 working days，{label}（{kind_zh} {kind_en}）"
    years = sorted(book.calendars.years)
    yield f"日历 calendars：{years[0]}–{years[-1]}" if years else "日历 calendars：无 none"
    for notice in found.notices:
        mark = "错误 FAULT" if notice.is_fault else "注意 note"
        yield f"{mark}：{notice.zh}\n  {notice.en}"
    yield _digest_lines(book)


def _standing_value(found: Standing, book: Rulebook) -> dict[str, Any]:
    return {
        "day": found.day.isoformat(),
        "whole": found.is_whole,
        "clocks": [
            {
                "act": clock.act,
                "start": clock.start,
                "stop": clock.stop,
                "sharing_class": clock.sharing_class,
                "clause": clock.clause and clock.clause.id,
                "standing": clock.clause and clock.clause.kind,
                "expired": clock.expired and clock.expired.id,
            }
            for clock in found.clocks
        ],
        "notices": [
            {"code": each.code, "fault": each.is_fault, "zh": each.zh, "en": each.en} for each in found.notices
        ],
        "years": sorted(book.calendars.years),
        **book.digests,
    }


def _deadline_lines(found: Deadline, days: tuple[WorkingDay, ...]) -> Iterator[str]:
    act_zh, act_en = ACT_WORDS[found.act]
    at = found.started_at.astimezone(SHANGHAI)
    yield f"{act_zh} {act_en}，{at:%Y-%m-%d %H:%M} 起算 from（北京时间 UTC+8）"
    if found.clause is not None:
        kind_zh, kind_en = KIND_WORDS[found.clause.kind]
        yield f"依据 by {found.clause.label_zh} {found.clause.label_en}（{kind_zh} {kind_en}）"
        yield f"  “{found.clause.quote}”"
    for day in days:
        mark = f"{day.number:>3}" if day.number else "  –"
        yield f"{mark}  {day.day} {day.weekday_zh} {day.weekday_en}  {day.why_zh}  {day.why_en}"
    yield from _outcome_lines(found)
    yield f"规则库 register {found.register}\n日历 calendars  {found.calendars}"


def _outcome_lines(found: Deadline) -> Iterator[str]:
    if found.state == AT_ONCE and found.urgent_clause is not None:
        yield f"特别紧急：立即 urgent: at once，{found.urgent_clause.label_zh} {found.urgent_clause.label_en}"
    if found.target_at is not None:
        target = found.target_at.astimezone(SHANGHAI)
        yield f"本地目标，不是法定期限 local target, not law：{target:%Y-%m-%d %H:%M}"
    if found.last_day is not None and found.due_at is not None and found.close_of_business_at is not None:
        close = found.close_of_business_at.astimezone(SHANGHAI)
        counts = "24:00" if found.due_at == found.midnight_at else f"{close:%H:%M}"
        yield (
            f"到期 due：{found.last_day} {counts}"
            f"（24:00 或下班时间 or close of business {close:%H:%M}；计算以 {counts} 为准 {counts} counts）"
        )
    elif found.unannounced_year is not None:
        year = found.unannounced_year
        yield (
            f"不能确认 unconfirmed：{year} 年节假日安排尚未公布，不推算，也不算逾期 "
            f"the holidays of {year} are not announced; nothing is guessed and nothing is late"
        )
    elif found.clause is None:
        day = local_day(found.started_at)
        yield f"不计时 no clock：{day} 没有有效条款规定期限 no clause in force on {day} sets a time"


def _deadline_value(found: Deadline, days: tuple[WorkingDay, ...]) -> dict[str, Any]:
    value: dict[str, Any] = {
        **found.fields(),
        "start": found.start,
        "started_at": found.started_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "day_zero": found.day_zero.isoformat(),
        "days": [day.to_value() for day in days],
    }
    if found.last_day is not None:
        value["last_day"] = found.last_day.isoformat()
    if found.unannounced_year is not None:
        value["unannounced_year"] = found.unannounced_year
    if found.clause is not None:
        value["quote"] = found.clause.quote
    return value
