"""``liandong key``: keys of agencies' systems, from the agency's machine over the supervisor's to the register.

``new``, ``request``, ``rotate`` and ``endorse`` run where the private keys are and need no instance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from catalog.administration import Administration
from catalog.client import load_key
from catalog.commands.console import on_instance
from catalog.errors import UsageError
from catalog.identity import key_check, key_files, keys
from catalog.identity.key_statement import ALGORITHMS, ED25519, Statement, endorsed, fingerprint
from catalog.listing import local_time
from ledger import Instance
from ledger.cli_common import bilingual_errors, instance_option, reading
from ledger.log import canonical

_DAYS = 365
_STATES = {"in_force": "有效 in force", "expired": "已到期 expired", "revoked": "已吊销 revoked"}

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
algorithm_option = click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    default=ED25519,
    show_default=True,
    help="JDK 8 has only the second. 算法，JDK 8 只支持后者。",
)


def statement_options(function: Callable[..., None]) -> Callable[..., None]:
    """What a request says, and where it is written."""
    for option in (
        click.option(
            "--output",
            "-o",
            required=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write it here. 输出文件。",
        ),
        click.option(
            "--days",
            type=click.IntRange(1, keys.MAX_DAYS),
            default=_DAYS,
            show_default=True,
            help="The key is good for so long. 有效天数。",
        ),
        click.option("--system", required=True, help="The system's id. 系统代码。"),
        click.option("--agency", required=True, help="The agency's id. 单位代码。"),
        click.option("--log", "origin", required=True, help="The ledger's name. 台账名称。"),
    ):
        function = option(function)
    return function


@click.group()
def key() -> None:
    """系统密钥：生成、申请、背书、登记、吊销。 Keys of agencies' systems: new, request, endorse, add, revoke."""


@key.command()
@file_argument
@algorithm_option
@bilingual_errors
def new(file: Path, algorithm: str) -> None:
    """生成私钥文件（权限 0600）。 Make a private key in FILE (mode 0600); never over a file that is there."""
    made = key_files.new_key(file, algorithm)
    _say(endorsed("-", "-", "-", "-", made))
    click.echo(f"私钥已存入 private key in {file}；请勿外传 it never leaves this machine", err=True)


@key.command()
@file_argument
@statement_options
@bilingual_errors
def request(*, file: Path, origin: str, agency: str, system: str, days: int, output: Path) -> None:
    """制作密钥登记申请。 Make the request for the key in FILE, signed by itself; it holds nothing secret."""
    statement = endorsed(origin, agency, system, _expires_at(days), load_key(file))
    key_files.write_request(output, statement)
    _say(statement)
    click.echo(
        f"申请已写入 request in {output}；请将指纹书面送监督机构，首把密钥由其背书 "
        "take the fingerprint to a supervising office on paper; it endorses a first key"
    )


@key.command()
@click.argument("present", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("file", metavar="NEW", type=click.Path(path_type=Path, dir_okay=False))
@algorithm_option
@statement_options
@bilingual_errors
def rotate(
    *, present: Path, file: Path, algorithm: str, origin: str, agency: str, system: str, days: int, output: Path
) -> None:
    """更换密钥。 Make the key NEW and its request, endorsed by the PRESENT one.

    Register it with `liandong key add`, let the system use it, then revoke the old one with reason rotated.
    登记后让系统改用新密钥，再以 rotated 为由吊销旧密钥。
    """
    before = load_key(present)
    statement = endorsed(origin, agency, system, _expires_at(days), key_files.new_key(file, algorithm), before)
    key_files.write_request(output, statement)
    _say(statement)
    click.echo(f"新私钥 new private key: {file}；已背书的申请 endorsed request: {output}")


@key.command()
@file_argument
@click.option(
    "--key",
    "endorser",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The endorsing private key: a supervisor's, or the agency's previous one. 背书用的私钥文件。",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: FILE itself. 缺省为原文件。"
)
@click.option("--yes", is_flag=True, help="The fingerprint was compared already. 已核对指纹，不再询问。")
@bilingual_errors
def endorse(*, file: Path, endorser: Path, output: Path | None, yes: bool) -> None:
    """核对书面指纹后背书。 Endorse the request in FILE after comparing its fingerprint with the one on paper."""
    statement, private = key_files.read_request(file), load_key(endorser)
    _say(statement)
    if not yes and not click.confirm(
        "以上单位、系统和指纹与书面材料一致？ Do agency, system and fingerprint agree with the paper?",
        default=False,
        err=True,
    ):
        raise UsageError(
            "not endorsed: what differs from the paper must not be signed; ask the agency",
            "未背书：与书面材料不一致的不得签署；请向该单位查问",
        )
    key_files.write_request(output or file, statement.endorsed_by(private))
    click.echo(f"已背书 endorsed: {output or file}")


@key.command()
@file_argument
@on_instance
def add(office: Administration, file: Path) -> None:
    """登记已背书的密钥。 Register the key of an endorsed request; it signs from the next request on."""
    statement = key_files.read_request(file)
    done = office.add_key(statement)
    _say(statement)
    click.echo(f"密钥已登记 key registered（台账第 {done.seq} 条 entry {done.seq}）")
    if statement.endorser is None:
        click.echo(
            "监督机构的首把密钥无人背书：请将指纹书面发给各单位核对。 Nobody endorses a supervising office's first key:"
            " give its fingerprint to all agencies on paper."
        )


@key.command("list")
@click.option("--agency", default="", help="Of this agency only. 只列该单位。")
@on_instance
def list_keys(office: Administration, agency: str) -> None:
    """列出密钥、指纹和状态。 List keys, fingerprints and states, and those not accepted."""
    for each in keys.listing(office.register, agency or None):
        until = local_time(each["expires_at"])[:10]
        click.echo(f"{each['keyid']}  {each['agency']}  {each['system']}  至 until {until}  {_STATES[each['state']]}")
        click.echo(f"    {each['fingerprint']}")
    for each in keys.rejected(office.register):
        if agency in ("", each["agency"]):
            click.echo(
                f"未接受 not accepted: {each['keyid']}  {each['agency']}  第 {each['seq']} 条 entry {each['seq']}"
            )
            click.echo(f"    {each['why_zh']} {each['why_en']}")


@key.command()
@click.option(
    "--root",
    required=True,
    metavar="FINGERPRINT",
    help="Of the first supervising office's first key, from paper. 监督机构第一把密钥的书面指纹。",
)
@instance_option
@bilingual_errors
def check(*, root: str, instance: Path) -> None:
    """从台账重新核对全部密钥。 Say from the ledger alone which keys may be relied on, and whether the register agrees.

    For supervising offices, on the instance's folder or a copy of it; no private key is needed. Verify the ledger
    itself first (`liandong ledger verify`). 请先核验台账本身。
    """
    opened = Instance.open(instance)
    with reading(opened) as store:

        def since(seq: int, kinds: Sequence[str]) -> list[dict[str, Any]]:
            return [canonical.decode_object(row) for row in store.since(seq, "kind", kinds, None)]

        identity = opened.identity_path
        checked = key_check.check(since, root, identity if identity.is_file() else None)
    for each in checked.keys:
        by = each["endorser"] or "书面指纹 the paper"
        click.echo(f"{each['keyid']}  {each['agency']}  {each['system']}  {_STATES[each['state']]}")
        click.echo(f"    {each['fingerprint']}  背书 endorsed by {by}")
    for each in checked.rejected:
        click.echo(
            f"未接受 not accepted: {each['keyid']}  {each['agency']}  第 {each['seq']} 条 entry {each['seq']}\n"
            f"    {each['why_zh']} {each['why_en']}"
        )
    click.echo(
        f"核对通过：{len(checked.keys)} 把密钥均可追溯至书面指纹。 All {len(checked.keys)} keys go back to the paper."
    )


@key.command()
@click.argument("keyid")
@click.option("--reason", required=True, type=click.Choice(keys.REASONS), help="Why. 理由。")
@on_instance
def revoke(office: Administration, *, keyid: str, reason: str) -> None:
    """吊销密钥。 Revoke a key; it fails from the next request on and endorses nothing more."""
    done = office.revoke_key(keyid, reason)
    click.echo(f"已吊销 revoked: {keyid}（台账第 {done.seq} 条 entry {done.seq}）")


def _expires_at(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _say(statement: Statement) -> None:
    """What is compared with the paper."""
    if statement.agency != "-":
        click.echo(f"台账 ledger       {statement.log}")
        click.echo(f"单位 agency       {statement.agency}")
        click.echo(f"系统 system       {statement.system}")
        click.echo(f"有效期至 until    {statement.expires_at[:10]}")
    click.echo(f"密钥 key          {key_files.name_of(statement)} ({statement.algorithm})")
    click.echo(f"指纹 fingerprint  {fingerprint(statement.public_key)}")
