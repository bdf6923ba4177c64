"""``liandong access``: suspending an agency's access for misuse, and restoring it; the data authority's act."""

from __future__ import annotations

import click

from catalog import suspensions
from catalog.administration import Administration
from catalog.commands.console import on_instance
from catalog.listing import local_time


@click.group()
def access() -> None:
    """暂停和恢复共享（数据主管部门的职权）。 Suspend and restore access: the data authority's act (--as LOGIN)."""


@access.command("list")
@on_instance
def list_suspensions(office: Administration) -> None:
    """列出暂停共享的记录。 List suspensions, newest first, those that were restored included."""
    found = suspensions.every(office.register)
    for each in found:
        restored = f"已恢复 restored {local_time(each['restored_at'])}" if each["restored_at"] else "暂停中 suspended"
        click.echo(
            f"{each['id']}  {restored}  {each['agency']}  {each['resource'] or '全部 all'}  "
            f"{local_time(each['since'])}  {each['basis']}  {each['reason']}"
        )
    if not found:
        click.echo("没有暂停记录 no suspensions")


@access.command()
@click.argument("agency")
@click.option("--table", default="", metavar="DATABASE/TABLE", help="This table only, else all. 只暂停该数据表。")
@click.option("--reason", required=True, help="What the agency did. 违规情形。")
@click.option("--basis", default="", help="Clause, default 条例 art. 27. 依据条款，缺省为条例第二十七条。")
@on_instance
def suspend(office: Administration, *, agency: str, table: str, reason: str, basis: str) -> None:
    """暂停一个单位的共享权限。 Suspend an agency's access; its own data and the directory stay open."""
    done = office.suspend(agency, table or None, reason, basis)
    entry = office.ledger.entry(done.seq)
    click.echo(f"已暂停 suspended: {entry['suspension']}，{agency}（台账第 {done.seq} 条 entry {done.seq}）")


@access.command()
@click.argument("suspension", metavar="SUSPENSION")
@click.option("--reason", required=True, help="What was put right. 整改情况。")
@on_instance
def restore(office: Administration, *, suspension: str, reason: str) -> None:
    """恢复已暂停的共享权限。 Restore access that was suspended."""
    done = office.restore(suspension, reason)
    click.echo(f"已恢复 restored: {suspension}（台账第 {done.seq} 条 entry {done.seq}）")
