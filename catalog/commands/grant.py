"""``liandong grant``: grants of the agencies; given and revoked by the provider's own administrator."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import click

from catalog import grants, titles
from catalog.administration import Administration
from catalog.commands.console import on_instance
from catalog.grants import Grant
from catalog.identity.agencies import agencies
from catalog.purpose import CODES

_STATES = {
    "in_force": "有效 in force",
    "not_yet": "未生效 not yet",
    "expired": "已到期 ended",
    "revoked": "已撤回 revoked",
}


@click.group()
def grant() -> None:
    """共享授权（提供单位管理员的职权）。 Grants: given and revoked by the provider's administrator (--as LOGIN)."""


@grant.command("list")
@click.option("--provider", default="", help="Given by this agency only. 只列该单位给予的。")
@click.option("--grantee", default="", help="Held by this agency only. 只列该单位获得的。")
@on_instance
def list_grants(office: Administration, provider: str, grantee: str) -> None:
    """列出授权。 List grants, newest first, those that ended included."""
    names = {each["id"]: each["short_name"] for each in agencies(office.register)}
    found = grants.all_grants(office.register, provider=provider or None, grantee=grantee or None)
    for each in found:
        click.echo(_line(each, names, office.register.today()))
    if not found:
        click.echo("没有授权 no grants")


def _line(each: dict[str, Any], names: dict[str, str], today: str) -> str:
    columns = "全部 all" if each["columns"] is None else ",".join(each["columns"])
    return (
        f"{each['id']}  {_STATES[grants.state(each, today)]}  {each['database']}/{each['table_name']}  "
        f"{names.get(each['provider'], each['provider'])} → {names.get(each['grantee'], each['grantee'])}  "
        f"{','.join(each['purposes'])}  {columns}  {each['valid_from']} – {each['valid_to']}  {each['basis']}"
    )


@grant.command()
@click.argument("table", metavar="DATABASE/TABLE")
@click.option("--to", "grantee", required=True, metavar="AGENCY", help="Who may query it. 获授权单位代码。")
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    required=True,
    type=click.Choice(list(CODES)),
    help="For this purpose; may be given several times. 查询事由，可多次给出。",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="This column only; may be given several times. Without it, all. 限定数据项，可多次给出；不给即全部。",
)
@click.option("--from", "first", default="", metavar="DATE", help="First day, default today. 起始日，缺省为今天。")
@click.option("--until", "last", default="", metavar="DATE", help="Last day, default a year on. 截止日，缺省一年。")
@click.option("--basis", required=True, help="The rule and its article. 法律依据，写明文件和条款。")
@on_instance
def give(
    office: Administration,
    *,
    table: str,
    grantee: str,
    purposes: tuple[str, ...],
    columns: tuple[str, ...],
    first: str,
    last: str,
    basis: str,
) -> None:
    """给予授权，从下一次请求起生效。 Give a grant; it holds from the next request on."""
    database, _, name = table.partition("/")
    known = titles.of_instance(office.instance.path).table(database, name).columns
    today = date.fromisoformat(office.register.today())
    wanted = Grant(
        grants.next_id(office.register, office.ledger),
        office.actor.agency,
        grantee,
        database,
        name,
        tuple(code for code in CODES if code in purposes),
        first or today.isoformat(),
        last or (today + timedelta(days=365)).isoformat(),
        basis,
        tuple(sorted(set(columns))) or None,
    )
    done = office.give(wanted, known)
    click.echo(f"已授权 given: {wanted.id}（台账第 {done.seq} 条 entry {done.seq}）")


@grant.command()
@click.argument("grant_id", metavar="GRANT")
@click.option("--reason", required=True, help="Why, in a sentence. 撤回理由。")
@on_instance
def revoke(office: Administration, *, grant_id: str, reason: str) -> None:
    """撤回授权，从下一次请求起失效。 Revoke a grant; it ends with the next request, in every process."""
    done = office.revoke(grant_id, reason)
    click.echo(f"已撤回 revoked: {grant_id}（台账第 {done.seq} 条 entry {done.seq}）")
