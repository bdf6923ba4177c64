"""``liandong ledger``: verify, prove and read a ledger from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import orjson

from ledger import entries
from ledger.book import Receipt
from ledger.errors import ArgumentError, BilingualError, EntryError, LedgerError, NoteError
from ledger.instance import Instance
from ledger.log.note import VerifierKey
from ledger.log.verify import Verdict, count_entries, verify_file

P = ParamSpec("P")
R = TypeVar("R")

instance_option = click.option(
    "--instance",
    "-i",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LIANDONG_INSTANCE",
    default=Path("var/demo"),
    show_default=True,
    help="The instance folder (or LIANDONG_INSTANCE). 实例目录。",
)


def bilingual_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Print our errors in both languages on stderr and end with their exit code; never a traceback."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BilingualError as error:
            click.echo(f"错误：{error.zh}", err=True)
            click.echo(f"Error: {error.en}", err=True)
            sys.exit(error.exit_code)

    return wrapper


def parse_vkey(text: str) -> VerifierKey:
    """A verifier key given on the command line. Raises :class:`ArgumentError` (exit 2) when it is malformed."""
    try:
        return VerifierKey.parse(text)
    except NoteError as error:
        raise ArgumentError(error.en, error.zh) from error


@click.group()
def ledger() -> None:
    """核验和读取台账。 Verify and read the ledger."""


@ledger.command()
@instance_option
@click.option("--vkey", help="The log's verifier key, got from outside the folder. 从外部取得的台账验证公钥。")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON. 以 JSON 输出结论。")
@bilingual_errors
def verify(instance: Path, vkey: str | None, as_json: bool) -> None:
    """逐条重读并核验。 Re-read every entry: exit 0 if all holds, 1 naming the first bad entry."""
    try:
        opened = Instance.open(instance)
        verdict = _verify_with_progress(opened, parse_vkey(vkey) if vkey else opened.verifier_key())
    except BilingualError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "error": type(error).__name__, "en": error.en, "zh": error.zh}))
        raise
    if as_json:
        click.echo(
            json.dumps(
                {
                    "ok": True,
                    "origin": verdict.origin,
                    "size": verdict.size,
                    "root": verdict.root.hex(),
                    "first_t": verdict.first_t,
                    "last_t": verdict.last_t,
                }
            )
        )
        return
    click.echo(
        f"完好 OK：{verdict.origin}，{verdict.size} 条 entries，{verdict.first_t} – {verdict.last_t}，"
        f"根 root {verdict.root.hex()}"
    )


def _verify_with_progress(instance: Instance, key: VerifierKey) -> Verdict:
    size = count_entries(instance.ledger_path)
    # Drawn only for a person who watches: a log file or a script gets the verdict alone.
    with click.progressbar(length=size, label="核验 verify", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        return verify_file(instance.ledger_path, key, entries.check_entry, bar.update)


@ledger.command()
@instance_option
@bilingual_errors
def vkey(instance: Path) -> None:
    """输出台账的验证公钥。 Print the log's verifier key."""
    click.echo(str(Instance.open(instance).verifier_key()))


@ledger.command()
@click.argument("seq", type=click.IntRange(min=0))
@instance_option
@bilingual_errors
def prove(seq: int, instance: Path) -> None:
    """输出第 SEQ 条的回执（不含开启值）。 Print the receipt of entry SEQ, without openings."""
    with Instance.open(instance).ledger() as opened:
        receipt = opened.receipt(seq, with_openings=False)
    click.echo(json.dumps(receipt.to_json(), ensure_ascii=False, indent=1))


@ledger.command("check-receipt")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--vkey", required=True, help="The log's verifier key. 台账的验证公钥。")
@bilingual_errors
def check_receipt(file: Path, vkey: str) -> None:
    """离线核验回执。 Check a receipt offline."""
    key, receipt = parse_vkey(vkey), _read_receipt(file)
    try:
        entry = receipt.verify(key)
    except LedgerError as error:
        error.en = f"the receipt does not hold: {error.en}. Keep it and tell the supervising office"
        error.zh = f"回执不成立：{error.zh}。请保存该回执并报告监督机构"
        raise
    click.echo(f"完好 OK：{entry['log']} 第 {entry['seq']} 条 entry {entry['seq']}，{entry['kind']}，{entry['t']}")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member is given twice")
    return value


def _read_receipt(file: Path) -> Receipt:
    try:
        data = file.read_bytes()
        value: Any = orjson.loads(data)  # unlike json it refuses hostile nesting and numbers cleanly
        # A reader could believe the first of two members of one name where a program takes the last.
        json.loads(data, object_pairs_hook=_without_repeats)
    except (OSError, ValueError, RecursionError) as error:
        raise EntryError(
            f"{file} cannot be read as a receipt ({error}); fetch it again from /log/receipt/NUMBER",
            f"{file} 无法作为回执读取（{error}）；请从 /log/receipt/编号 重新获取",
        ) from error
    return Receipt.from_json(value)
