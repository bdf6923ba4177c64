"""``liandong ledger``: what is published of a log. status, checkpoint, export, check-proof, verify elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from ledger.cli_common import bilingual_errors, instance_option, parse_vkey, read_input, reading
from ledger.errors import EntryError
from ledger.instance import Instance
from ledger.log.export import export as export_tiles
from ledger.log.note import Note, TlogProof
from ledger.log.store import Store
from ledger.log.tiles import bundles_of, tiles_of


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
    with reading(instance) as store:
        found, cosigned, due = store.checkpoint(), store.newest_cosigned(), store.scrub_due
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
@click.option("--cosigned", is_flag=True, help="The newest that a witness cosigned. 最新一份经见证的。")
@bilingual_errors
def checkpoint(instance: Path, cosigned: bool) -> None:
    """输出最新的已签名检查点。 Print the newest signed checkpoint."""
    with reading(Instance.open(instance)) as store:
        found = store.newest_cosigned() if cosigned else _newest(store)
    if found is None:
        raise EntryError(
            "no witness has cosigned a checkpoint of this ledger yet; without --cosigned its own newest one is printed",
            "本台账尚无经见证的检查点；不加 --cosigned 可输出其自签的最新检查点",
        )
    sys.stdout.buffer.write(found[1])


def _newest(store: Store) -> tuple[int, bytes]:
    """Size and bytes of the newest checkpoint. Raises :class:`EntryError` before the first entry."""
    found = store.checkpoint()
    if found is None:
        raise EntryError("the ledger is still empty", "台账尚无条目")
    return found


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@instance_option
@click.option("--hashes-only", is_flag=True, help="Leave entries out: what may be public. 不含条目，可对外公布。")
@bilingual_errors
def export(directory: Path, instance: Path, hashes_only: bool) -> None:
    """导出为静态瓦片目录，可续。 Write the log as static tiles (C2SP tlog-tiles); run again to go on.

    The log's private key is not needed. 不需要台账私钥。
    """
    opened = Instance.open(instance)
    keys = opened.key_chain()
    with reading(opened) as store:
        size, note = _newest(store)
        count = sum(1 for _ in tiles_of(size)) + (0 if hashes_only else sum(1 for _ in bundles_of(size)))
        with click.progressbar(
            length=count, label="导出 export", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            head = export_tiles(store, note, keys, directory, with_entries=not hashes_only, progress=bar.update)
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
    key, data, entry = parse_vkey(vkey), read_input(file), read_input(entry_file)
    proof = TlogProof.parse(data)
    head = proof.verify(entry, key)
    click.echo(f"完好 OK：{head.origin} 第 {proof.index} 条 entry {proof.index}，在 {head.size} 条之内 of {head.size}")
