"""``liandong ledger verify SOURCE``: a log that is published elsewhere, in an exported directory or over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from ledger import entries, rotation
from ledger.cli_common import parse_vkey
from ledger.errors import ArgumentError, NoteError
from ledger.log.cosignature import MAX_KEPT_TIME, CosignerKey
from ledger.log.export import CHECKPOINT_FILE
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, Note, VerifierKey
from ledger.log.tiles import bundles_of, decode_bundle
from ledger.log.verify_state import VerifiedState
from ledger.log.verify_tiles import (
    MAX_BUNDLE_BYTES,
    MAX_CHECKPOINT_BYTES,
    DirectorySource,
    HttpSource,
    Source,
    TilesVerdict,
    verify_tiles,
)


def verify_published(
    source: str, vkey: str, token: str, witness_keys: tuple[str, ...], state: Path | None = None
) -> TilesVerdict:
    """Verify an exported directory or a log at an http(s) address; entries where they are to be had.

    Args:
        state: go on from what this file says, and leave there how far it came.

    Raises:
        ArgumentError: ``source`` is neither, or a key is malformed.
        InstanceError: the log cannot be reached, or ``state`` does not fit.
        LedgerError: the first fault.
    """
    trusted = parse_vkey(vkey)
    witnesses = [_parse_witness(text) for text in witness_keys]
    with _open(source, token) as (opened, with_entries):
        since = _load(state, trusted, with_entries) if state is not None else None
        keys = _keys(opened, trusted, with_entries)
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
    if state is not None and verdict.state is not None:
        verdict.state.save(state)
    return verdict


def _parse_witness(text: str) -> CosignerKey:
    try:
        return CosignerKey.parse(text)
    except NoteError as error:
        raise ArgumentError(error.en, error.zh) from error


def _load(file: Path, key: VerifierKey, with_entries: bool) -> VerifiedState | None:
    since = VerifiedState.load(file)
    if since is not None:
        since.check_log(key.name, file)
        if with_entries:
            since.check_entries_seen(file)
    return since


@contextmanager
def _open(source: str, token: str) -> Iterator[tuple[Source, bool]]:
    """The source, and whether it has entries."""
    if "://" in source:
        with HttpSource(source, token) as opened:
            yield opened, bool(token)
        return
    path = Path(source)
    if not path.is_dir():
        raise ArgumentError(
            f"{source!r} is neither a directory nor an address; name the directory that `liandong ledger export` "
            "wrote, or an address with https://",
            f"{source!r} 既不是目录也不是地址；请给出 `liandong ledger export` 写出的目录，或以 https:// 开头的地址",
        )
    if (path / "instance.yml").exists():
        raise ArgumentError(
            f"{source} is an instance folder, not a published log; verify it with `liandong ledger verify -i {source}`",
            f"{source} 是实例目录，不是公布的台账；请用 `liandong ledger verify -i {source}` 核验",
        )
    if not (path / CHECKPOINT_FILE).exists() and not (path / "tile").exists():
        raise ArgumentError(
            f"{source} holds no published log (neither {CHECKPOINT_FILE} nor tile/); name the directory that "
            "`liandong ledger export` wrote",
            f"{source} 中没有公布的台账（没有 {CHECKPOINT_FILE} 和 tile/）；请给出 `liandong ledger export` 写出的目录",
        )
    yield DirectorySource(path), (path / "tile" / "entries").is_dir()


def _keys(source: Source, trusted: VerifierKey, with_entries: bool) -> KeyChain:
    """The trusted key; where it is not the one that signs now, what the entries derive from it.

    Raises:
        NoteError: another key of the log signs, and there are no entries that could lead to it.
    """
    note = source.read(CHECKPOINT_FILE, MAX_CHECKPOINT_BYTES)
    keys = KeyChain(trusted)
    try:
        keys.open(note)
    except NoteError:
        if not with_entries:
            raise
        size = Checkpoint.parse_text(Note.parse(note).text).size
        return rotation.chain(trusted, _entries(source, size))
    return keys


def _entries(source: Source, size: int) -> Iterator[bytes]:
    for bundle in bundles_of(size):
        yield from decode_bundle(source.read(f"tile/{bundle.path}", MAX_BUNDLE_BYTES), bundle)


def describe(verdict: TilesVerdict) -> str:
    """What was checked, and what was not: one line, and two more where only what is new was looked at."""
    times = f"，{verdict.first_t} – {verdict.last_t}" if verdict.first_t else ""
    checked = (
        f"条目与哈希瓦片 entries and hash tiles{times}"
        if verdict.entries_checked
        else "仅哈希瓦片，未见条目 hash tiles only, entries not seen"
    )
    cosigners = "、".join(f"{found.key.name} {_when(found.time)}" for found in verdict.cosigned)
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


def _when(time: int) -> str:
    if time > MAX_KEPT_TIME:  # a witness whose clock is wrong must not end a verification
        return f"{time} s"
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def to_json(verdict: TilesVerdict) -> dict[str, object]:
    """The verdict as `--json` prints it."""
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
    }
