"""``liandong ledger``: the log's side of its witnesses, by file where there is no network or by hand; and bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from ledger.audit import bounds as time_bounds
from ledger.cli_common import bilingual_errors, instance_option, read_input, write_output
from ledger.errors import WitnessError
from ledger.instance import Instance
from ledger.log.policy import Policy
from ledger.log.push import newest_quorum
from ledger.log.store import Store
from ledger.log.witness import MAX_BODY_BYTES
from ledger.witnessing import POLICY_FILE, Keeper, export_submission, import_cosigned, load_policy

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("witness-export")
@click.argument("witness_name", metavar="WITNESS")
@click.argument("file", type=FILE)
@click.option("--old", type=click.IntRange(0), help="The size that the witness has, if it says so. 见证方已有的大小。")
@instance_option
@bilingual_errors
def witness_export(witness_name: str, file: Path, old: int | None, instance: Path) -> None:
    """写出交无网络见证方签署的提交文件。 Write what a WITNESS without a network is handed to cosign."""
    opened = Instance.open(instance)
    key = opened.verifier_key()
    with closing(Store.open(opened.ledger_path, read_only=True)) as store:
        policy = load_policy(opened.path / POLICY_FILE, key)
        write_output(file, export_submission(store, key, policy, witness_name, old))
    click.echo(f"已写出，请交见证方 `liandong witness sign` written for `liandong witness sign`: {file}")


@click.command("witness-import")
@click.argument("file", type=FILE)
@instance_option
@bilingual_errors
def witness_import(file: Path, instance: Path) -> None:
    """收回见证方签署的文件。 Take the FILE that a witness cosigned; anchor it if that makes a quorum."""
    opened = Instance.open(instance)
    policy = load_policy(opened.path / POLICY_FILE, opened.verifier_key())
    note = read_input(file, MAX_BODY_BYTES)
    with opened.ledger() as book, closing(Store.open(opened.ledger_path)) as store:
        checkpoint, anchored = import_cosigned(book, store, policy, note)
    click.echo(f"已收回 taken: {checkpoint.size} 条 entries")
    if anchored is not None:
        click.echo(f"达到法定数，已锚定为第 {anchored.seq} 条 quorum, anchored as entry {anchored.seq}")


@click.command("witness-push")
@instance_option
@bilingual_errors
def witness_push(instance: Path) -> None:
    """立即向各见证方推送一次。 Push the newest checkpoint to every witness now."""
    opened = Instance.open(instance)
    with _policy_of(opened) as policy, opened.ledger() as book, closing(Keeper(book, policy)) as keeper:
        outcomes = keeper.start()
    for outcome in outcomes:
        click.echo(f"{outcome.witness}  {outcome.size}  {outcome.state.value}  {outcome.zh} {outcome.en}".rstrip())
    if any(outcome.en for outcome in outcomes):
        raise WitnessError("not every witness cosigned; see above", "并非所有见证方都已签署；见上")


@click.command()
@click.argument("seq", type=click.IntRange(min=0))
@instance_option
@bilingual_errors
def bounds(seq: int, instance: Path) -> None:
    """见证方证明的时间范围。 Between which instants entry SEQ was made, by the witnesses' clocks: (lo, hi]."""
    opened = Instance.open(instance)
    with _policy_of(opened) as policy, closing(Store.open(opened.ledger_path, read_only=True)) as store:
        store.entry(seq)
        found = time_bounds.load(store, policy).bounds(seq)
        witnessed = newest_quorum(store, policy)
    click.echo(
        json.dumps(
            {
                "seq": seq,
                "lo": found.lo.isoformat() if found.lo else None,
                "hi": found.hi.isoformat() if found.hi else None,
                "lo_seq": found.lo_seq,
                "hi_size": found.hi_size,
                "width_s": found.width.total_seconds() if found.width is not None else None,
                "contradictory": found.is_contradictory,
                "witnessed_size": witnessed[0].size if witnessed else 0,
            },
            indent=1,
        )
    )


@contextmanager
def _policy_of(opened: Instance) -> Iterator[Policy]:
    yield load_policy(opened.path / POLICY_FILE, opened.verifier_key())
