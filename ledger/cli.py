"""``liandong ledger``: verify, prove and read a ledger from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ledger import cli_publish, cli_published, cli_verify, cli_witnessing
from ledger.book import Receipt, receipt_of
from ledger.cli_common import (
    bilingual_errors,
    instance_option,
    parse_vkey,
    parse_witness,
    read_input,
    reading,
    write_output,
)
from ledger.cli_keys import erase, rotate_key
from ledger.errors import ArgumentError, BilingualError, LedgerError
from ledger.instance import Instance
from ledger.outside import parse_json

__all__ = ["bilingual_errors", "instance_option", "ledger", "read_receipt"]


@click.group()
def ledger() -> None:
    """核验和读取台账。 Verify and read the ledger."""


for command in (
    cli_publish.status,
    cli_publish.checkpoint,
    cli_publish.export,
    cli_publish.check_proof,
    erase,
    rotate_key,
    cli_witnessing.witness_export,
    cli_witnessing.witness_import,
    cli_witnessing.witness_push,
    cli_witnessing.bounds,
):
    ledger.add_command(command)


@ledger.command()
@click.argument("source", default="")
@instance_option
@click.option("--vkey", help="The log's verifier key, got from outside the folder. 从外部取得的台账验证公钥。")
@click.option("--token", envvar="LIANDONG_TOKEN", default="", help="A supervisor's token, for entries. 监督机构令牌。")
@click.option(
    "--witness", "witnesses", multiple=True, help="A witness's key; say whether it cosigned. 见证公钥，说明是否已见证。"
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A checkpoint or receipt kept outside: the log must extend it; repeat. 外部留存的检查点或回执，可多次。",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep here how far it was verified; the next time read only what is new. 记下核验进度，下次只读新条目。",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes. 并行进程数。")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON. 以 JSON 输出结论。")
@bilingual_errors
def verify(
    *,
    source: str,
    instance: Path,
    vkey: str | None,
    token: str,
    witnesses: tuple[str, ...],
    against: tuple[Path, ...],
    state: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """逐条重读并核验。 Re-read every entry: exit 0 if all holds, 1 naming the first bad entry.

    SOURCE is an exported directory or the address of a running service (https://…, with --vkey); without it the
    instance's own ledger is read. SOURCE 为导出目录或服务地址，缺省时核验本实例。
    """
    _check_usage(source, vkey, jobs)
    try:
        keys = [parse_witness(text) for text in witnesses]  # before a log is read for minutes
        if source:
            published = cli_published.verify_published(source, vkey or "", token, keys, against, state)
            told, value = cli_published.describe(published), cli_published.to_json(published)
        else:
            opened = Instance.open(instance)
            key = parse_vkey(vkey) if vkey else opened.verifier_key()
            verdict = cli_verify.verify_own(opened, key, state=state, jobs=jobs)
            compared = cli_verify.compare_own(opened, key, verdict, against, keys)
            told = cli_verify.describe(verdict, compared, key_from_folder=not vkey)
            value = cli_verify.to_json(verdict, compared, key_from_folder=not vkey)
    except BilingualError as error:
        if as_json:
            click.echo(json.dumps(cli_verify.fault_to_json(error)))
        raise
    click.echo(json.dumps(value) if as_json else told)


def _check_usage(source: str, vkey: str | None, jobs: int) -> None:
    """Raise :class:`click.UsageError` for options that the kind of source does not know: none is passed over."""
    token_given = click.get_current_context().get_parameter_source("token") is click.core.ParameterSource.COMMANDLINE
    if not source and token_given:
        raise click.UsageError("--token goes with an address as SOURCE. --token 须与服务地址同用。")
    if source and vkey is None:
        raise click.UsageError(
            "SOURCE needs --vkey, got from elsewhere. 核验 SOURCE 须用 --vkey 给出从别处取得的公钥。"
        )
    if source and jobs != 1:
        raise click.UsageError("--jobs is for an instance's own ledger. --jobs 只用于核验本实例。")


@ledger.command()
@instance_option
@bilingual_errors
def vkey(instance: Path) -> None:
    """输出台账的验证公钥。 Print the log's verifier key."""
    click.echo(str(Instance.open(instance).verifier_key()))


@ledger.command()
@click.argument("seq", type=click.IntRange(min=0))
@instance_option
@click.option(
    "--proof-only",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a C2SP .tlog-proof file, and the entry's bytes beside it as .entry. 写出证明文件和条目原字节。",
)
@bilingual_errors
def prove(seq: int, instance: Path, proof_only: Path | None) -> None:
    """输出第 SEQ 条的回执（不含开启值）。 Print the receipt of entry SEQ, without openings.

    The log's private key is not needed. 不需要台账私钥。
    """
    opened = Instance.open(instance)
    keys = opened.key_chain()
    with reading(opened) as store:
        receipt = receipt_of(store, seq, keys.open, with_openings=False)
    if proof_only is None:
        click.echo(json.dumps(receipt.to_json(), ensure_ascii=False, indent=1))
        return
    beside = proof_only.with_suffix(".entry")
    if beside == proof_only:
        raise ArgumentError(
            f"{proof_only} is the name that the entry's bytes get; name the proof like {beside.stem}.tlog-proof",
            f"{proof_only} 是条目原字节将用的文件名；证明文件请命名为 {beside.stem}.tlog-proof 之类",
        )
    for file, data in ((proof_only, receipt.proof), (beside, receipt.entry)):
        write_output(file, data)
    click.echo(f"已写出 written: {proof_only}，{beside}")


@ledger.command("check-receipt")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--vkey", required=True, help="The log's verifier key. 台账的验证公钥。")
@bilingual_errors
def check_receipt(file: Path, vkey: str) -> None:
    """离线核验回执。 Check a receipt offline."""
    key, receipt = parse_vkey(vkey), read_receipt(file)
    try:
        entry = receipt.verify(key)
    except LedgerError as error:
        error.en = f"the receipt does not hold: {error.en}. Keep it and tell the supervising office"
        error.zh = f"回执不成立：{error.zh}。请保存该回执并报告监督机构"
        raise
    shown = f"，批量查询第 {_numbers(receipt)} 项 items {_numbers(receipt)}" if receipt.items else ""
    click.echo(
        f"完好 OK：{entry['log']} 第 {entry['seq']} 条 entry {entry['seq']}，{entry['kind']}，{entry['t']}{shown}"
    )


def _numbers(receipt: Receipt) -> str:
    numbers = [str(item.index) for item in receipt.items]
    return ", ".join(numbers if len(numbers) <= 10 else [*numbers[:9], "…", numbers[-1]])


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--item", "indexes", multiple=True, type=click.IntRange(min=0), help="Keep this item. 保留的查询项。")
@click.option("--opening", "openings", multiple=True, help="Keep this opening. 保留的开启值。")
@bilingual_errors
def disclose(file: Path, indexes: tuple[int, ...], openings: tuple[str, ...]) -> None:
    """只留指定开启值的回执。 Print a receipt with these openings and items alone, to show to a third party."""
    shown = read_receipt(file).only(openings, indexes)
    click.echo(json.dumps(shown.to_json(), ensure_ascii=False, indent=1))


def read_receipt(file: Path) -> Receipt:
    """Read a receipt's file. Raises :class:`ArgumentError` if it cannot be read, :class:`EntryError` if it is none."""
    return Receipt.from_json(parse_json(file, read_input(file)))
