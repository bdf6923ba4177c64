"""``liandong``: the umbrella command."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import click

from catalog.cli_client import check_signature, query
from catalog.commands.access import access
from catalog.commands.agency import agency
from catalog.commands.audit import audit
from catalog.commands.grant import grant
from catalog.commands.key import key
from catalog.commands.officer import officer
from catalog.commands.resource import resource
from catalog.commands.rules import rules
from catalog.commands.token import token
from catalog.demo import build as demo_build
from catalog.errors import UsageError
from catalog.server import serve as run_server
from catalog.serving.listener import address, listen
from catalog.serving.options import Options
from catalog.setup import QUERY_STANDARD, adopt_packaged_rules, built_beside, create_instance
from ingest.cli import ingest
from ledger import Instance, NoteError, Settings
from ledger.cli import bilingual_errors, instance_option, ledger
from ledger.cli_common import parse_vkey
from ledger.cli_restore import restore_command
from ledger.cli_rules import lapsed
from ledger.log.note import Checkpoint, Note, check_name
from ledger.rules import SHANGHAI, packaged
from ledger.witness_cli import witness

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. 监听地址。")
port_option = click.option(
    "--port", default=8001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on. 监听端口。"
)


@click.group()
@click.version_option(version("liandong"), prog_name="liandong")
def main() -> None:
    """行政执法数据共享目录与审计台账。 Data-sharing catalog and audit ledger."""


main.add_command(ledger)
main.add_command(ingest)
main.add_command(witness)
main.add_command(query)
main.add_command(check_signature)
for group in (agency, audit, officer, key, token, resource, grant, access, rules):
    main.add_command(group)
main.add_command(restore_command)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@host_option
@port_option
@click.option("--create-only", is_flag=True, help="Make the instance and do not serve it. 只建立，不启动服务。")
@bilingual_errors
def demo(directory: Path, host: str, port: int, create_only: bool) -> None:
    """建立并启动演示实例。 Create (once) and serve a demonstration of an invented county."""
    listener = None if create_only else listen(host, port)
    try:
        if demo_build.exists(directory):
            click.echo(f"沿用演示实例 reusing the demonstration in {directory}")
        else:
            click.echo(f"正在建立演示实例 creating the demonstration in {directory} …")
            demo_build.create(directory, address(host, port))
        if listener is None:
            return
        # Signatures cover the address, so the demonstration follows the one it is started on.
        instance = Instance.open(directory).move_to(address(host, port))
        run_server(instance, listener, lambda: click.echo(demo_build.greeting(instance, sys.argv[0])))
    finally:
        if listener is not None:
            listener.close()


@main.command()
@instance_option
@host_option
@port_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that answer requests. 应答请求的进程数。",
)
@click.option(
    "--access-log",
    metavar="FILE|-",
    help="Log each request as a JSON line: route, never what was asked. 访问日志（每行一个 JSON，不含查询内容）。",
)
@click.option(
    "--verify-minutes",
    type=click.IntRange(0, 1440),
    default=10,
    show_default=True,
    help="Verify what is new in the ledger so often; 0 for never. 每隔几分钟核验台账新条目，0 为不核验。",
)
@bilingual_errors
def serve(*, instance: Path, host: str, port: int, workers: int, access_log: str | None, verify_minutes: int) -> None:
    """启动服务。 Serve an instance."""
    opened = Instance.open(instance)
    every = timedelta(minutes=verify_minutes) if verify_minutes else None
    options = Options(workers=workers, access_log=access_log, verify_every=every)
    listener = listen(host, port)
    here, clients = address(host, port), opened.settings.public_url
    text = f"服务已启动 serving {instance} at {here}"
    if here != clients:
        text += f"，客户端须用 clients must use {clients}"
    text = "\n".join([text, *lapsed(opened, datetime.now(SHANGHAI).date())])
    run_server(opened, listener, lambda: click.echo(text), options)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--county", required=True, help="The county's name in Chinese. 县名。")
@click.option("--county-en", default="", help="The county's name in English. 英文县名。")
@click.option("--origin", required=True, help="The ledger's name, like example.gov.cn/liandong/county. 台账名称。")
@click.option(
    "--public-url",
    default="http://127.0.0.1:8001",
    show_default=True,
    help="Address under which clients reach the service. 客户端访问服务所用的地址。",
)
@click.option(
    "--continues",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Last cosigned checkpoint of the log whose key was lost. 密钥遗失的原台账的最后一份见证检查点。",
)
@click.option(
    "--old-vkey", help="That log's verifier key: check the checkpoint with it. 原台账的验证公钥，用于核验该检查点。"
)
@bilingual_errors
def init(
    *,
    directory: Path,
    county: str,
    county_en: str,
    origin: str,
    public_url: str,
    continues: Path | None,
    old_vkey: str | None,
) -> None:
    """新建实例目录。 Make a new instance folder."""
    try:
        check_name(origin)
    except NoteError as error:
        raise UsageError(error.en, error.zh) from error
    settings = Settings(origin, county, county_en or county, public_url, demo=False)
    if old_vkey and continues is None:
        raise click.UsageError("--old-vkey goes with --continues. --old-vkey 须与 --continues 同用。")
    old_key = parse_vkey(old_vkey) if old_vkey else None
    note = _read_checkpoint(continues) if continues else None
    with built_beside(directory) as building:
        made = create_instance(building, settings, note, old_key)
        with made.ledger() as opened:
            adopt_packaged_rules(made, opened)
    instance = Instance.open(directory)
    click.echo(f"已建立实例 created the instance in {directory}")
    if note is not None:
        click.echo(_continued(note))
    click.echo("台账验证公钥，请交两家监督机构保存 the log's verifier key, for both supervising offices to keep:")
    click.echo(str(instance.verifier_key()))
    for line in (*lapsed(instance, datetime.now(SHANGHAI).date()), _offered(instance)):
        if line:
            click.echo(line)


def _offered(instance: Instance) -> str:
    """The standard on offer where no clause sets the time of queries any more."""
    now = datetime.now(SHANGHAI)
    if packaged().register.clock_clause("query", "received", "supplied", now.date()) is not None:
        return ""
    file = instance.path / "rules" / QUERY_STANDARD
    return (
        f"可采用三个工作日的本地标准：填写 {file} 后运行 `liandong rules adopt {file} --as 用户名`\n"
        "a local standard of three working days is on offer: fill in that file and adopt it with that command"
    )


def _continued(note: bytes) -> str:
    """What a new ledger goes on from, and who vouches for it."""
    parsed = Note.parse(note)
    head = Checkpoint.parse_text(parsed.text)
    cosigners = [signature.name for signature in parsed.signatures if signature.name != head.origin]
    seen = (
        f"见证方 cosigned by: {'、'.join(cosigners)}"
        if cosigners
        else "没有任何见证方的签名，对外证明不了什么 no witness cosigned it: it proves nothing to others"
    )
    return f"接续 continues: {head.origin}，{head.size} 条 entries；{seen}"


def _read_checkpoint(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read ({error.strerror}); name the file that holds the checkpoint",
            f"无法读取 {file}（{error.strerror}）；请指定保存检查点的文件",
        ) from error
