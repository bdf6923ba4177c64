"""``liandong agency``: who takes part."""

from __future__ import annotations

import click

from catalog.administration import Administration
from catalog.commands.console import on_instance
from catalog.identity import agencies, roles
from catalog.identity.agencies import TYPES
from catalog.identity.duties import AGENCY_ROLE_WORDS, AGENCY_ROLES, OFFICE_WORDS


@click.group()
def agency() -> None:
    """单位名册：列出、登记。 The register of agencies."""


@agency.command("list")
@on_instance
def list_agencies(office: Administration) -> None:
    """列出已登记的单位。 List the registered agencies."""
    named = agencies.offices(office.register)
    for each in agencies.agencies(office.register):
        admins = "、".join(roles.admins(office.register, each["id"])) or "尚无 none yet"
        en, zh = OFFICE_WORDS[named[each["id"]]] if each["id"] in named else AGENCY_ROLE_WORDS[each["role"]]
        click.echo(
            f"{each['id']}  {each['name_zh']} {each['name_en']}  {each['type']}  {zh} {en}  管理员 admins: {admins}"
        )


@agency.command()
@click.argument("agency_id", metavar="ID")
@click.option("--name", required=True, help="The name in Chinese. 中文名称。")
@click.option("--name-en", default="", help="The name in English. 英文名称。")
@click.option("--short", default="", help="Short name in Chinese. 中文简称。")
@click.option("--type", "kind", type=click.Choice(TYPES), default="部门", show_default=True, help="Its type. 类型。")
@click.option(
    "--role",
    type=click.Choice(AGENCY_ROLES),
    default="agency",
    show_default=True,
    help="Its role, one and for good. 角色，只有一种，不得更改。",
)
@click.option("--superior", default="", help="By whom it is led, where led from above. 上级主管（垂直管理）。")
@on_instance
def register(
    office: Administration, *, agency_id: str, name: str, name_en: str, short: str, kind: str, role: str, superior: str
) -> None:
    """登记单位，或更新其名称。 Register an agency ID, or its new names; the operator's act."""
    done = office.register_agency(
        {
            "id": agency_id,
            "name_zh": name,
            "name_en": name_en or name,
            "short_name": short or name,
            "type": kind,
            "role": role,
            "superior": superior or None,
        }
    )
    en, zh = AGENCY_ROLE_WORDS[role]
    click.echo(f"已登记 registered: {agency_id} {name}，{zh} {en}（台账第 {done.seq} 条 entry {done.seq}）")


@agency.command("office")
@click.argument("agency_id", metavar="ID")
@click.argument("which", metavar="OFFICE", type=click.Choice(tuple(OFFICE_WORDS)))
@on_instance
def name_office(office: Administration, *, agency_id: str, which: str) -> None:
    """登记监督机构的职责。 Say which supervising agency ID is the justice bureau (OFFICE justice), which the government
    inspection office (inspection): once and for good; the operator's act."""
    done = office.name_office(agency_id, which)
    en, zh = OFFICE_WORDS[which]
    click.echo(f"已登记 named: {agency_id}，{zh} {en}（台账第 {done.seq} 条 entry {done.seq}）")
