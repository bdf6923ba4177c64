"""``liandong ledger``: what is published of a log. status, checkpoint, export, check-proof, verify elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ledger import entries
from ledger.cli_common import bilingual_errors, instance_option, parse_vkey
from ledger.cli_verify import describe_outside, outside_to_json
from ledger.errors import EntryError
from ledger.instance import Instance
from ledger.log.cosignature import CosignerKey
from ledger.log.merkle import HASH_BYTES
from ledger.log.note import Note, TlogProof
from ledger.log.store import Store
from ledger.log.tiles import WIDTH, TileReader, bundles_of, tiles_of
from ledger.log.verify_outside import Outside, check_outside
from ledger.log.verify_tiles import (
    MAX_CHECKPOINT_BYTES,
    TilesVerdict,
    verify_tiles,
)
from ledger.outside import read_outside
from ledger.published import keys_of, open_source


@dataclass(frozen=True, slots=True)
class Status:
    """A ledger as it stands, as its own file says; nothing is verified but the newest checkpoint's signature."""

    origin: str
    size: int
    root: str
    vkey: str
    rotations: int
    checkpoint_signers: list[str]
    cosigned_size: int
    cosigners: list[str]
    erasure_unfinished: bool


def status_of(instance: Instance) -> Status:
    """Read the status of an instance's ledger.

    Raises:
        LedgerError: it cannot be read, or the newest checkpoint is not signed by its key.
    """
    keys = instance.key_chain()
    store = Store.open(instance.ledger_path, read_only=True)
    try:
        found, cosigned, due = store.checkpoint(), store.newest_cosigned(), store.scrub_due
    finally:
        store.close()
    if found is None:
        return Status(keys.origin, 0, "", str(keys.newest), 0, [], 0, [], due)
    head = keys.open(found[1])
    return Status(
        keys.origin,
        head.size,
        head.root.hex(),
        str(keys.newest),
        len(keys.later),
        _signers(found[1]),
        cosigned[0] if cosigned else 0,
        [name for name in _signers(cosigned[1]) if name != keys.origin] if cosigned else [],
        due,
    )


def _signers(note: bytes) -> list[str]:
    return [signature.name for signature in Note.parse(note).signatures]


@click.command()
@instance_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON. 以 JSON 输出。")
@bilingual_errors
def status(instance: Path, as_json: bool) -> None:
    """台账现状（不核验条目）。 The ledger as it stands: size, root, checkpoint, cosigners. Entries are not verified."""
    found = status_of(Instance.open(instance))
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    click.echo(f"台账 log: {found.origin}")
    click.echo(f"条数 entries: {found.size}")
    click.echo(f"根 root: {found.root or '—'}")
    click.echo(f"公钥 vkey: {found.vkey}（更换 {found.rotations} 次 rotations）")
    if found.cosigners:
        click.echo(f"最新见证 cosigned: {found.cosigned_size}（{'、'.join(found.cosigners)}）")
    else:
        click.echo("最新见证 cosigned: 无 none")
    if found.erasure_unfinished:
        click.echo("抹除尚未完成，请重新运行 erasure not finished, run again: liandong ledger erase")


@click.command()
@instance_option
@bilingual_errors
def checkpoint(instance: Path) -> None:
    """输出最新的已签名检查点。 Print the newest signed checkpoint."""
    store = Store.open(Instance.open(instance).ledger_path, read_only=True)
    try:
        found = store.checkpoint()
    finally:
        store.close()
    if found is None:
        raise EntryError("the ledger is still empty", "台账尚无条目")
    sys.stdout.buffer.write(found[1])


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@instance_option
@click.option("--hashes-only", is_flag=True, help="Leave entries out: what may be public. 不含条目，可对外公布。")
@bilingual_errors
def export(directory: Path, instance: Path, hashes_only: bool) -> None:
    """导出为静态瓦片目录，可续。 Write the log as static tiles (C2SP tlog-tiles); run again to go on."""
    with Instance.open(instance).ledger() as opened:
        size = opened.newest(1)[0]["seq"] + 1 if opened.newest(1) else 0
        count = sum(1 for _ in tiles_of(size)) + (0 if hashes_only else sum(1 for _ in bundles_of(size)))
        with click.progressbar(
            length=count, label="导出 export", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            head = opened.export(directory, with_entries=not hashes_only, progress=bar.update)
    click.echo(f"已导出 exported: {directory}，{head.size} 条 entries，根 root {head.root.hex()}")


@click.command("check-proof")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--entry", "entry_file", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="The entry's exact bytes. 条目原字节的文件。",
)  # fmt: skip
@click.option("--vkey", required=True, help="The log's verifier key. 台账的验证公钥。")
@bilingual_errors
def check_proof(file: Path, entry_file: Path, vkey: str) -> None:
    """离线核验 C2SP tlog-proof。 Check a .tlog-proof file for an entry, offline."""
    proof = TlogProof.parse(_read(file))
    head = proof.verify(_read(entry_file), parse_vkey(vkey))
    click.echo(f"完好 OK：{head.origin} 第 {proof.index} 条 entry {proof.index}，在 {head.size} 条之内 of {head.size}")


def _progress(length: int, label: str) -> Any:  # click does not export the type of its progress bar
    # Drawn only for a person who watches: a log file or a script gets the result alone.
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise EntryError(
            f"{file} cannot be read ({error.strerror}); name an existing file",
            f"无法读取 {file}（{error.strerror}）；请指定存在的文件",
        ) from error


# -- verify from elsewhere ----------


@dataclass(frozen=True, slots=True)
class Published:
    """A published log that was verified, and what of it was kept elsewhere and agrees."""

    verdict: TilesVerdict
    agreed: tuple[Outside, ...]


def verify_published(
    source: str, vkey: str, token: str, witness_keys: tuple[str, ...], against: tuple[Path, ...] = ()
) -> Published:
    """Verify an exported directory or a log at an http(s) address; entries where they are to be had.

    Args:
        against: files with checkpoints or receipts that the log must extend.

    Raises:
        LedgerError: the first fault.
    """
    trusted = parse_vkey(vkey)
    witnesses = [CosignerKey.parse(text) for text in witness_keys]
    with open_source(source, token) as (opened, with_entries):
        keys = keys_of(opened, trusted, with_entries)
        size = keys.open(opened.read("checkpoint", MAX_CHECKPOINT_BYTES)).size
        with click.progressbar(
            length=size, label="核验 verify", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            verdict = verify_tiles(
                opened,
                keys,
                with_entries=with_entries,
                check_entry=entries.check_entry,
                witnesses=witnesses,
                progress=bar.update,
            )
        agreed = tuple(item for file in against for item in read_outside(file, keys, trusted, witnesses))
        reader = TileReader(verdict.size, lambda tile: opened.read(f"tile/{tile.path}", WIDTH * HASH_BYTES))
        for item in agreed:
            check_outside(item, verdict.size, verdict.root, reader)
    return Published(verdict, agreed)


def describe(published: Published) -> str:
    """What was checked, and what was not."""
    return "\n".join([_describe(published.verdict), *describe_outside(published.agreed)])


def _describe(verdict: TilesVerdict) -> str:
    checked = (
        f"条目与哈希瓦片 entries and hash tiles，{verdict.first_t} – {verdict.last_t}"
        if verdict.entries_checked
        else "仅哈希瓦片，未见条目 hash tiles only, entries not seen"
    )
    cosigners = "、".join(
        f"{found.key.name} {datetime.fromtimestamp(found.time, UTC):%Y-%m-%dT%H:%M:%SZ}" for found in verdict.cosigned
    )
    seen = f"，见证 cosigned: {cosigners}" if cosigners else ""
    if verdict.not_cosigned:
        seen += f"，未经其见证 not cosigned by: {'、'.join(verdict.not_cosigned)}"
    return f"完好 OK：{verdict.origin}，{verdict.size} 条 entries（{checked}），根 root {verdict.root.hex()}{seen}"


def to_json(published: Published) -> dict[str, object]:
    """The verdict as `--json` prints it."""
    verdict = published.verdict
    return {
        "ok": True,
        "origin": verdict.origin,
        "size": verdict.size,
        "root": verdict.root.hex(),
        "entries_checked": verdict.entries_checked,
        "first_t": verdict.first_t,
        "last_t": verdict.last_t,
        "cosigned": [{"name": found.key.name, "time": found.time} for found in verdict.cosigned],
        "not_cosigned": list(verdict.not_cosigned),
        "against": outside_to_json(published.agreed),
    }
