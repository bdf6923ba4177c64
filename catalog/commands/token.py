"""``liandong token``: bearer tokens of agencies' systems."""

from __future__ import annotations

import click

from catalog.administration import Administration
from catalog.commands.console import on_instance
from catalog.identity import tokens
from catalog.listing import local_time

_STATES = {"in_force": "有效 in force", "expired": "已到期 expired", "revoked": "已吊销 revoked"}


@click.group()
def token() -> None:
    """令牌：发放、列出、吊销。 Bearer tokens; only the agency's own administrator makes them (--as LOGIN)."""


@token.command("list")
@click.option("--agency", default="", help="Of this agency only. 只列该单位。")
@on_instance
def list_tokens(office: Administration, agency: str) -> None:
    """列出令牌编号和状态。 List tokens by their ids; the tokens themselves are kept nowhere."""
    for each in tokens.listing(office.register, agency or None):
        until = local_time(each["expires_at"])[:10]
        click.echo(f"{each['id']}  {each['agency']}  {each['system']}  至 until {until}  {_STATES[each['state']]}")


@token.command()
@click.option("--agency", required=True, help="The agency's id. 单位代码。")
@click.option("--system", required=True, help="The system that will use it. 使用令牌的系统。")
@click.option(
    "--days",
    type=click.IntRange(1, tokens.MAX_DAYS),
    default=90,
    show_default=True,
    help="Good for so long. 有效天数。",
)
@on_instance
def add(office: Administration, *, agency: str, system: str, days: int) -> None:
    """发放令牌，仅输出这一次。 Make a token and print it, once."""
    made = office.add_token(agency, system, days)
    click.echo(made)
    click.echo(
        f"令牌编号 id: {tokens.token_id(made)}。只显示这一次，请直接存入文件（权限 0600）。 "
        "Shown this once: put it into a file of mode 0600.",
        err=True,
    )


@token.command()
@click.argument("token_id", metavar="ID")
@on_instance
def revoke(office: Administration, token_id: str) -> None:
    """吊销令牌。 Revoke the token of that ID (see list); it fails from the next request on."""
    office.revoke_token(token_id)
    click.echo(f"已吊销 revoked: {token_id}")
