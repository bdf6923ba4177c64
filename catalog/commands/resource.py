"""``liandong resource``: which tables are published, and how they are shared; the data authority's act."""

from __future__ import annotations

import click

from catalog import grants, publishing
from catalog.administration import Administration
from catalog.commands.console import on_instance
from catalog.identity.agencies import TYPES
from catalog.publishing import SHARING_CLASSES, Publication
from catalog.purpose import CODES


@click.group()
def resource() -> None:
    """资源发布与撤回（数据主管部门的职权）。 Publish and withdraw tables: the data authority's act (--as LOGIN)."""


@resource.command("list")
@on_instance
def list_resources(office: Administration) -> None:
    """列出已发布和未发布的数据表。 List tables, published and not."""
    published = {f"{each['database']}/{each['table_name']}": each for each in grants.resources(office.register)}
    for name in publishing.tables(office.instance):
        each = published.get(name)
        if each is None:
            click.echo(f"{name}  未发布 not published")
            continue
        more = "".join(f"  {text}" for text in (each["condition"], each["basis"]) if text)
        click.echo(f"{name}  {each['provider']}  {each['sharing_class']}{more}")


@resource.command()
@click.argument("table", metavar="DATABASE/TABLE")
@click.option("--provider", required=True, help="The providing agency's id. 提供单位代码。")
@click.option(
    "--class",
    "sharing_class",
    required=True,
    type=click.Choice(SHARING_CLASSES),
    help="Sharing class (条例 art. 14). 共享属性。",
)
@click.option("--condition", default="", help="Scope and use, for 有条件共享. 共享范围和用途。")
@click.option("--basis", default="", help="Statute and article, for 不予共享. 不予共享的法律依据，写明条款。")
@click.option(
    "--for-type", "types", multiple=True, type=click.Choice(TYPES), help="Only agencies of this type. 仅限该类型单位。"
)
@click.option(
    "--for-purpose",
    "purposes",
    multiple=True,
    type=click.Choice(list(CODES)),
    help="Only for this purpose. 仅限该事由。",
)
@on_instance
def publish(
    office: Administration,
    *,
    table: str,
    provider: str,
    sharing_class: str,
    condition: str,
    basis: str,
    types: tuple[str, ...],
    purposes: tuple[str, ...],
) -> None:
    """发布数据表，或变更其共享属性。 Publish a table, or publish it differently."""
    wanted = Publication(table, provider, sharing_class, condition or None, basis or None, types, purposes)
    done = office.publish(wanted)
    click.echo(f"已发布 published: {table}，{sharing_class}（台账第 {done.seq} 条 entry {done.seq}）")


@resource.command()
@click.argument("table", metavar="DATABASE/TABLE")
@click.option("--reason", required=True, help="Why, in a sentence. 撤回理由。")
@on_instance
def withdraw(office: Administration, *, table: str, reason: str) -> None:
    """撤回已发布的数据表。 Withdraw a published table; nobody opens it from the next request on."""
    done = office.withdraw(table, reason)
    click.echo(f"已撤回 withdrawn: {table}（台账第 {done.seq} 条 entry {done.seq}）")
