"""``liandong ledger``: erase and rotate-key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from ledger import erasure
from ledger.cli_common import bilingual_errors, instance_option
from ledger.instance import Instance


@click.command()
@click.argument("seq", type=click.IntRange(min=0))
@instance_option
@click.option("--ground", required=True, help="The legal ground, in words. 抹除的法律依据。")
@click.option("--by", required=True, help="Identifier of who decided. 决定人的标识。")
@click.option("--field", "fields", multiple=True, help="A particular's name; default all. 事项名称，缺省为全部。")
@click.option("--ground-code", default="", help="The ground's code in the register. 依据代码。")
@click.option("--law-requires", default="", help="The law that requires it within three years. 三年内须抹除的法律。")
@bilingual_errors
def erase(
    *, seq: int, instance: Path, ground: str, by: str, fields: tuple[str, ...], ground_code: str, law_requires: str
) -> None:
    """抹除第 SEQ 条的事项。 Erase particulars of entry SEQ for good; the entry and its proof stay.

    Ends with 1 and "not finished" while copies may remain in the file; run it again then.
    未完成时退出码为 1，届时请重新运行。
    """
    wanted = erasure.Erasure(seq, ground, by, fields, ground_code, law_requires)
    with Instance.open(instance).ledger() as opened:
        said = erasure.erase(opened, wanted, datetime.now(UTC))
    names = "、".join(name for entry in said for name in entry["fields"])
    click.echo(
        f"已抹除 erased: 第 {seq} 条 entry {seq}，{names}；见 see {', '.join(str(entry['seq']) for entry in said)}"
    )


@click.command("rotate-key")
@instance_option
@bilingual_errors
def rotate_key(instance: Path) -> None:
    """更换台账密钥。 Give the log a new key, announced in an entry that both keys sign. Stop the service first."""
    key = Instance.open(instance).rotate_key()
    click.echo(
        "台账密钥已更换，请把新公钥交两家监督机构 the key was rotated, give the new one to both supervising offices:"
    )
    click.echo(str(key))
