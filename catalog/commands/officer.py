"""``liandong officer``: accounts, roles and deputies; the first administrator of each agency is enrolled here."""

from __future__ import annotations

from pathlib import Path

import click

from catalog.administration import Administration
from catalog.commands.console import on_instance, read_secret
from catalog.errors import UsageError
from catalog.identity import officers, sign_in
from catalog.identity.duties import OFFICER_ROLE_WORDS, OFFICER_ROLES
from catalog.identity.officers import ONE_TIME_DAYS
from catalog.identity.roles import LAST_DAY
from catalog.listing import local_time
from catalog.service import Service
from ledger import Instance
from ledger.cli_common import bilingual_errors, instance_option

role_option = click.option(
    "--role",
    "chosen",
    multiple=True,
    required=True,
    type=click.Choice(OFFICER_ROLES),
    help="A role; may be given several times. 角色，可多次给出。",
)


first_option = click.option(
    "--from", "first", default="", metavar="DATE", help="First day, default today. 起始日，缺省为今天。"
)
last_option = click.option("--to", "last", default="", metavar="DATE", help="Last day, included. 截止日（含当日）。")


@click.group()
def officer() -> None:
    """人员账号、角色和代理。 Officers' accounts, roles and deputies.

    Without --as: only an agency's first administrator is enrolled, and an administrator's password reset; the rest is
    done by the agency's own administrator (--as LOGIN, or in the browser).
    """


@officer.command("list")
@click.option("--agency", default="", help="Of this agency only. 只列该单位。")
@on_instance
def list_officers(office: Administration, agency: str) -> None:
    """列出账号、角色和状态。 List accounts, their roles today and their state."""
    for each in officers.listing(office.register, agency or None):
        held = [
            f"{OFFICER_ROLE_WORDS[role][1]} {role}" + (f"（代 for {other}）" if other else "")
            for role, other in each["roles"].items()
        ]
        click.echo(
            f"{each['id']}  {each['agency']}  {each['title_zh']}  {'、'.join(held) or '无 none'}  {_state(each)}"
        )


def _state(each: dict[str, object]) -> str:
    if each["disabled_at"]:
        return "已停用 disabled"
    if each["locked_until"]:
        return f"锁定至 locked until {local_time(str(each['locked_until']))}"
    return "一次性密码 one-time password" if each["password_until"] else "正常 active"


@officer.command()
@click.argument("login")
@click.option("--agency", required=True, help="The agency's id. 单位代码。")
@click.option("--title", required=True, help="Office and post in Chinese. 科室和岗位。")
@click.option("--title-en", default="", help="Office and post in English. 英文的科室和岗位。")
@role_option
@on_instance
def enrol(
    office: Administration, *, login: str, agency: str, title: str, title_en: str, chosen: tuple[str, ...]
) -> None:
    """新增账号，输出一次性密码。 Make an account; print its one-time password, once."""
    account = {"id": login, "agency": agency, "title_zh": title, "title_en": title_en or title}
    _say_password(login, office.enrol(account, chosen))


@officer.command()
@click.argument("login")
@role_option
@first_option
@last_option
@on_instance
def roles(office: Administration, *, login: str, chosen: tuple[str, ...], first: str, last: str) -> None:
    """变更角色。 From the first day on, LOGIN holds exactly these roles of their own."""
    office.set_roles(login, chosen, first or office.register.today(), last or LAST_DAY)
    click.echo(f"角色已变更 roles changed: {login} {'、'.join(sorted(set(chosen)))}")


@officer.command()
@click.argument("login")
@click.option("--for", "other", required=True, metavar="LOGIN", help="In whose stead. 被代理人。")
@click.option("--role", "role", required=True, type=click.Choice(OFFICER_ROLES), help="Which role. 代理的角色。")
@first_option
@last_option
@click.option("--end", is_flag=True, help="End it now. 立即终止代理。")
@on_instance
def deputy(office: Administration, *, login: str, other: str, role: str, first: str, last: str, end: bool) -> None:
    """设定代理。 LOGIN acts in another's role from day to day; --end ends it."""
    if end:
        office.end_deputy(login, other, role)
        click.echo(f"代理已终止 deputy ended: {login} → {other} {role}")
        return
    if not last:
        raise UsageError("a deputy is named until a day: give --to DATE", "代理须有截止日：请用 --to 给出日期")
    office.add_deputy(login, other, role, first or office.register.today(), last)
    click.echo(f"已设定代理 deputy named: {login} → {other} {role}，至 until {last}")


@officer.command()
@click.argument("login")
@on_instance
def reset(office: Administration, login: str) -> None:
    """重置密码，输出一次性密码。 Reset a password; print a one-time one, once. Sessions end."""
    _say_password(login, office.reset(login))


@officer.command()
@click.argument("login")
@on_instance
def disable(office: Administration, login: str) -> None:
    """停用账号。 Close an account; its sessions end at once."""
    office.disable(login)
    click.echo(f"账号已停用 account disabled: {login}")


@officer.command()
@click.argument("login")
@on_instance
def enable(office: Administration, login: str) -> None:
    """启用账号。 Open a disabled account again."""
    office.enable(login)
    click.echo(f"账号已启用 account enabled: {login}")


@officer.command()
@click.argument("login")
@on_instance
def unlock(office: Administration, login: str) -> None:
    """解除锁定。 Let an officer who is locked out sign in at once."""
    office.unlock(login)
    click.echo(f"已解锁 unlocked: {login}")


@officer.command()
@click.argument("login")
@instance_option
@bilingual_errors
def password(login: str, instance: Path) -> None:
    """修改自己的密码。 Choose a password of one's own; the present one and the new one are asked for.

    Without a terminal: two lines of standard input, the present password and the new one. 非终端时从标准输入读两行。
    """
    service = Service.open(Instance.open(instance))
    try:
        present = read_secret("现用密码 present password")
        wanted = read_secret("新密码 new password")
        sign_in.change_password(service.door, login, present, wanted)
    finally:
        service.close()
    click.echo(f"密码已修改 password changed: {login}")


def _say_password(login: str, made: str) -> None:
    click.echo(f"用户名 user name          {login}")
    click.echo(f"一次性密码 one-time password  {made}")
    click.echo(
        f"只显示这一次，请当面交给本人；{ONE_TIME_DAYS} 天内有效，首次登录须修改。 "
        f"Shown this once: hand it over in person; good for {ONE_TIME_DAYS} days, to be changed at the first sign-in.",
        err=True,
    )
