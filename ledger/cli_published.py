"""``liandong ledger verify SOURCE``: a log that is published elsewhere, in an exported directory or over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ledger import entries
from ledger.cli_common import instant, parse_vkey
from ledger.cli_verify import describe_outside, outside_to_json
from ledger.log.cosignature import CosignerKey
from ledger.log.export import CHECKPOINT_FILE
from ledger.log.merkle import HASH_BYTES
from ledger.log.note import VerifierKey
from ledger.log.tiles import WIDTH, TileReader
from ledger.log.verify_outside import Outside, check_outside
from ledger.log.verify_state import VerifiedState
from ledger.log.verify_tiles import MAX_CHECKPOINT_BYTES, TilesVerdict, verify_tiles
from ledger.outside import read_outside
from ledger.published import keys_of, open_source


@dataclass(frozen=True, slots=True)
class Published:
    """A published log that was verified, and what of it was kept elsewhere and agrees."""

    verdict: TilesVerdict
    agreed: tuple[Outside, ...]


def verify_published(
    source: str,
    vkey: str,
    token: str,
    witnesses: Sequence[CosignerKey],
    against: tuple[Path, ...] = (),
    state: Path | None = None,
) -> Published:
    """Verify an exported directory or a log at an http(s) address; entries where they are to be had.

    Args:
        against: files with checkpoints or receipts that the log must extend.
        state: go on from what this file says, and leave there how far it came.

    Raises:
        ArgumentError: ``source`` is neither, or a key is malformed.
        InstanceError: the log cannot be reached, or ``state`` does not fit.
        LedgerError: the first fault.
    """
    trusted = parse_vkey(vkey)
    with open_source(source, token) as (opened, with_entries):
        since = _load(state, trusted, with_entries) if state is not None else None
        keys = keys_of(opened, trusted, with_entries)
        size = keys.open(opened.read(CHECKPOINT_FILE, MAX_CHECKPOINT_BYTES)).size
        length = max(0, size - (since.size if since is not None else 0))
        # Drawn only for a person who watches: a log file or a script gets the verdict alone.
        with click.progressbar(
            length=length, label="核验 verify", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            verdict = verify_tiles(
                opened,
                keys,
                with_entries=with_entries,
                check_entry=entries.check_entry,
                witnesses=witnesses,
                progress=bar.update,
                since=since,
            )
        agreed = tuple(item for file in against for item in read_outside(file, keys, trusted, witnesses))
        reader = TileReader(verdict.size, lambda tile: opened.read(f"tile/{tile.path}", WIDTH * HASH_BYTES))
        for item in agreed:
            check_outside(item, verdict.size, verdict.root, reader)
    if state is not None and verdict.state is not None:
        verdict.state.save(state)
    return Published(verdict, agreed)


def _load(file: Path, key: VerifierKey, with_entries: bool) -> VerifiedState | None:
    since = VerifiedState.load(file)
    if since is not None:
        since.check_log(key.name, file)
        if with_entries:
            since.check_entries_seen(file)
    return since


def describe(published: Published) -> str:
    """What was checked, and what was not."""
    return "\n".join([_describe(published.verdict), *describe_outside(published.agreed)])


def _describe(verdict: TilesVerdict) -> str:
    """One line, and two more where only what is new was looked at."""
    times = f"，{verdict.first_t} – {verdict.last_t}" if verdict.first_t else ""
    checked = (
        f"条目与哈希瓦片 entries and hash tiles{times}"
        if verdict.entries_checked
        else "仅哈希瓦片，未见条目 hash tiles only, entries not seen"
    )
    cosigners = "、".join(f"{found.key.name} {instant(found.time)}" for found in verdict.cosigned)
    seen = f"，见证 cosigned: {cosigners}" if cosigners else ""
    if verdict.not_cosigned:
        seen += f"，未经其见证 not cosigned by: {'、'.join(verdict.not_cosigned)}"
    whole = f"完好 OK：{verdict.origin}，{verdict.size} 条 entries（{checked}），根 root {verdict.root.hex()}{seen}"
    if not verdict.since:
        return whole
    return (
        f"{whole}\n本次只看第 {verdict.since} 条起的新内容；已证明新的末端由上次核验的 {verdict.since} 条延伸而来，"
        "其字节本次未重读。\n"
        f"Only what is new was looked at, from entry {verdict.since} on. The new head is proved to extend the "
        f"{verdict.since} entries verified earlier; their bytes were not checked again."
    )


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
        "read_from": verdict.since,
        "cosigned": [{"name": found.key.name, "time": found.time} for found in verdict.cosigned],
        "not_cosigned": list(verdict.not_cosigned),
        "against": outside_to_json(published.agreed),
    }
