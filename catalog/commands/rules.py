"""``liandong rules adopt|end|calendar|ground|clocks``: changing the rules; each change is an entry."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import click

from catalog.administration import Administration
from catalog.commands.console import on_instance
from catalog.errors import UsageError
from ledger.cli_common import read_input
from ledger.cli_rules import rules
from ledger.fields import DATE
from ledger.rules import Calendar, Clause, Settings, adoption, shape
from ledger.rules.adoption import Change
from ledger.rules.clauses import read_document
from ledger.rules.deadlines import Rulebook
from ledger.rules.register import DAY_ENDS

__all__ = ["rules"]

_MAX_BYTES = 1 << 20

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
reason_option = click.option("--reason", required=True, help="On what decision. 依据和理由。")


@rules.command()
@file_argument
@on_instance
def adopt(office: Administration, *, file: Path) -> None:
    """采用文件中的条款：延期文本或本地服务标准。 Adopt the clauses of FILE (--as LOGIN).

    A renewal, or a local service standard, which is never shown as law. Of several all are adopted or none.
    """
    clauses = read_document(_read(file), str(file))
    for number, clause in enumerate(clauses):
        done = office.change_rules(partial(_adopt_first, clauses[number:]))
        click.echo(f"已采用 adopted: {clause.id} {clause.label_zh}（台账第 {done.seq} 条 entry {done.seq}）")


def _adopt_first(clauses: tuple[Clause, ...], book: Rulebook) -> Change:
    """The change that adopts the first of ``clauses``, once it is certain that the others can be adopted after it."""
    register = book.register
    for clause in clauses:
        register = register.adopt(clause)
    return adoption.adopt_rule(book, clauses[0])


@rules.command()
@click.argument("clause")
@click.option("--on", "day", required=True, metavar="DAY", help="Its last day. 最后有效日。")
@reason_option
@on_instance
def end(office: Administration, *, clause: str, day: str, reason: str) -> None:
    """使条款提前失效。 End a clause with a day, sooner than it says (--as LOGIN)."""
    if not DATE.accepts(day):
        raise UsageError(f"got {day!r}, want a day like 2026-12-31", f"得到 {day!r}，日期应形如 2026-12-31")
    last = date.fromisoformat(day)
    done = office.change_rules(lambda book: adoption.end_rule(book, clause, last, reason))
    click.echo(f"已终止 ended: {clause}，{day}（台账第 {done.seq} 条 entry {done.seq}）")


@rules.command()
@file_argument
@on_instance
def calendar(office: Administration, *, file: Path) -> None:
    """采用一年的节假日安排。 Adopt the calendar of a year, written from the State Council's notice (--as LOGIN)."""
    found = Calendar.read(_read(file), str(file))
    done = office.change_rules(lambda book: adoption.adopt_calendar(book, found))
    click.echo(
        f"已采用日历 adopted the calendar of {found.year}: {found.notice}（台账第 {done.seq} 条 entry {done.seq}）"
    )


@rules.command()
@click.argument("code")
@click.option("--enable/--disable", "enabled", required=True, help="May it be chosen? 启用或停用。")
@reason_option
@on_instance
def ground(office: Administration, *, code: str, enabled: bool, reason: str) -> None:
    """启用或停用一项拒绝事由，由县司法局办理。 Enable or disable a ground of refusal (--as LOGIN)."""
    done = office.set_ground(code, enabled=enabled, reason=reason)
    state = "已启用 enabled" if enabled else "已停用 disabled"
    click.echo(f"{state}: {code}（台账第 {done.seq} 条 entry {done.seq}）")


@rules.command()
@click.option("--day-ends", type=click.Choice(DAY_ENDS), help="When the last day ends. 最后一日何时届满。")
@click.option("--close", metavar="HH:MM", help="Close of business. 下班时间。")
@click.option(
    "--at-once-minutes", type=int, help="Local target for what is urgent, not law. 特别紧急的本地目标（分钟）。"
)
@reason_option
@on_instance
def clocks(
    office: Administration, *, day_ends: str | None, close: str | None, at_once_minutes: int | None, reason: str
) -> None:
    """设置届满时刻和本地目标。 Set when a day ends and the local target for what is urgent (--as LOGIN)."""

    def make(book: Rulebook) -> Change:
        value = book.register.settings.to_value()
        given = {"day_ends": day_ends, "close_of_business": close, "at_once_target_minutes": at_once_minutes}
        value |= {name: each for name, each in given.items() if each is not None}
        return adoption.set_settings(book, Settings.read(value), reason)

    done = office.change_rules(make)
    click.echo(f"已设置 set（台账第 {done.seq} 条 entry {done.seq}）")


def _read(file: Path) -> dict[str, object]:
    try:
        text = read_input(file, _MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8; save it as UTF-8", f"{file} 不是 UTF-8 编码；请另存为 UTF-8") from error
    return shape.read_yaml(text, str(file))
