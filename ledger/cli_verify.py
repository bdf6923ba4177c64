"""``liandong ledger verify`` of the instance's own ledger: in full, or only what is new, and against the kept head."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from ledger import entries
from ledger.cli_common import instant
from ledger.errors import BilingualError, NoteError, TamperError
from ledger.instance import Instance
from ledger.log import lookups
from ledger.log.cosignature import CosignerKey
from ledger.log.guard import HeadGuard
from ledger.log.merkle import HashReader, tree_root
from ledger.log.note import Checkpoint, Note, VerifierKey
from ledger.log.verify import Verdict, count_entries, snapshot, verify_file, verify_lookups
from ledger.log.verify_outside import Outside, check_outside, cosigned_by, hashes_of
from ledger.log.verify_parts import verify_in_parts
from ledger.log.verify_state import VerifiedState
from ledger.outside import read_outside

#: Of the ledger's own anchors so many are compared, the newest; whoever rewrites an entry changes all after it.
_ANCHORS = 100


def verify_own(instance: Instance, key: VerifierKey, *, state: Path | None, jobs: int) -> Verdict:
    """Verify with a progress bar; with ``state`` go on from there and leave there how far it came.

    Raises:
        RollbackError: the ledger is older than ``keys/head`` or ``state``, or another one.
        InstanceError: ``state`` is damaged or of another log.
    """
    since = VerifiedState.load(state) if state is not None else None
    if since is not None and state is not None:
        since.check_log(key.name, state)
        since.check_entries_seen(state)
    known = _recorded_head(instance)  # read before the ledger: it may lag, but never leads
    path, keys = instance.ledger_path, instance.key_chain(key)
    check, free = entries.check_entry, entries.interchangeable
    length = max(0, count_entries(path) - (since.size if since is not None else 0))
    # Drawn only for a person who watches: a log file or a script gets the verdict alone.
    with click.progressbar(length=length, label="核验 verify", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        if since is not None:
            verdict = verify_file(path, keys, check, bar.update, interchangeable=free, known=known, since=since)
        else:
            with ThreadPoolExecutor(1) as beside:
                found = beside.submit(verify_lookups, path)
                verdict = verify_in_parts(path, keys, jobs, check, bar.update, interchangeable=free, known=known)
                found.result()
    if state is not None and verdict.state is not None:
        verdict.state.save(state)
    return verdict


def _recorded_head(instance: Instance) -> list[tuple[Checkpoint, str]]:
    # Whoever may read the ledger but not the keys verifies all the same; the log's own start refuses a rollback.
    if not os.access(instance.head_path, os.R_OK):
        return []
    head = HeadGuard(instance.head_path, instance.settings.origin).read()
    return [(head, str(instance.head_path))] if head is not None else []


@dataclass(frozen=True, slots=True)
class Compared:
    """What a verified ledger was compared with.

    Attributes:
        agreed: what was kept outside, and is in the ledger.
        cosigned: for each given witness that cosigned a kept checkpoint, the largest size, and its time.
        not_cosigned: the names of those that cosigned none.
    """

    agreed: tuple[Outside, ...] = ()
    cosigned: tuple[tuple[str, int, int], ...] = ()
    not_cosigned: tuple[str, ...] = ()


def compare_own(
    instance: Instance, key: VerifierKey, verdict: Verdict, files: Sequence[Path], witnesses: Sequence[CosignerKey]
) -> Compared:
    """Compare a ledger, just verified, with what is kept outside, with its own anchors, and with its witnesses.

    Raises:
        TamperError: it was rewritten since, or cut off.
        NoteError: a signature of the log or of a given witness does not verify.
        EntryError: one of ``files`` cannot be read as a checkpoint or receipt.
    """
    path, keys = instance.ledger_path, instance.key_chain(key)
    outside = [item for file in files for item in read_outside(file, keys, key, witnesses)]
    with hashes_of(path, verdict.size) as reader:
        for item in outside:
            check_outside(item, verdict.size, verdict.root, reader)
        for seq, checkpoint in _newest_anchors(path):
            _check_anchor(seq, checkpoint, reader)
    found = cosigned_by(path, keys, witnesses)
    return Compared(
        tuple(outside),
        tuple((witness.name, *found[witness]) for witness in witnesses if witness in found),
        tuple(witness.name for witness in witnesses if witness not in found),
    )


def _newest_anchors(path: Path) -> list[tuple[int, Checkpoint]]:
    with snapshot(path) as db:
        wanted, values = lookups.seqs({"kind": ["checkpoint.anchored"]}, lookups.fields_of(db))
        sql = f"SELECT entry FROM entries WHERE seq IN ({wanted} ORDER BY seq DESC LIMIT :limit) ORDER BY seq DESC"  # noqa: S608
        rows = db.execute(sql, {**values, "start": 0, "end": 2**62, "limit": _ANCHORS})
        anchors = [orjson.loads(row[0]) for row in rows]
    return [(anchor["seq"], _anchored(anchor)) for anchor in anchors]


def _anchored(anchor: dict[str, Any]) -> Checkpoint:
    try:
        return Checkpoint.parse_text(Note.parse(anchor["checkpoint"].encode()).text)
    except NoteError as error:
        raise TamperError(
            f"entry {anchor['seq']} anchors what is no checkpoint: {error.en}",
            f"第 {anchor['seq']} 条锚定的不是检查点：{error.zh}",
        ) from error


def _check_anchor(seq: int, checkpoint: Checkpoint, reader: HashReader) -> None:
    """An anchor holds a root that the log had: whoever rewrites what is before it must rewrite the anchor too."""
    root = tree_root(checkpoint.size, reader) if checkpoint.size <= seq else b""
    if root != checkpoint.root:
        raise TamperError(
            f"entry {seq} anchors a checkpoint of {checkpoint.size} entries with root {checkpoint.root.hex()}, which "
            f"the log does not have (its root at that size: {root.hex() or 'none before that entry'}): what lies "
            "before the anchor was rewritten, or the anchor is forged",
            f"第 {seq} 条锚定的检查点涵盖 {checkpoint.size} 条、根为 {checkpoint.root.hex()}，与台账不符"
            f"（台账在该大小的根：{root.hex() or '该条之前没有这么多条'}）：其前的条目被改写，或该锚定系伪造",
        )


def to_json(verdict: Verdict, compared: Compared, *, key_from_folder: bool) -> dict[str, Any]:
    """The verdict as ``--json`` prints it."""
    return {
        "ok": True,
        "origin": verdict.origin,
        "size": verdict.size,
        "root": verdict.root.hex(),
        "first_t": verdict.first_t,
        "last_t": verdict.last_t,
        "read_from": verdict.since,
        "key_from": "folder" if key_from_folder else "given",
        "against": outside_to_json(compared.agreed),
        "cosigned": [{"name": name, "size": size, "time": time} for name, size, time in compared.cosigned],
        "not_cosigned": list(compared.not_cosigned),
    }


def fault_to_json(error: BilingualError) -> dict[str, Any]:
    """What failed as ``--json`` prints it; ``fault`` is null where no single place is at fault."""
    fault = getattr(error, "fault", None)
    return {
        "ok": False,
        "error": type(error).__name__,
        "fault": asdict(fault) if fault is not None else None,
        "en": error.en,
        "zh": error.zh,
    }


def outside_to_json(agreed: Sequence[Outside]) -> list[dict[str, Any]]:
    """What agrees, as ``--json`` prints it."""
    return [
        {
            "file": item.where,
            "size": item.checkpoint.size,
            "root": item.checkpoint.root.hex(),
            "cosigned": [{"name": found.key.name, "time": found.time} for found in item.cosigned],
        }
        for item in agreed
    ]


def describe_outside(agreed: Sequence[Outside]) -> list[str]:
    """A line for each outside checkpoint that the log extends."""
    lines = []
    for item in agreed:
        names = "、".join(found.key.name for found in item.cosigned)
        seen = f"，见证 cosigned by {names}" if names else ""
        lines.append(f"与外部留存一致 agrees with {item.where}：{item.checkpoint.size} 条 entries{seen}")
    return lines


def describe(verdict: Verdict, compared: Compared = Compared(), *, key_from_folder: bool = False) -> str:
    """The verdict in both languages."""
    lines = [_describe(verdict, key_from_folder), *describe_outside(compared.agreed)]
    lines += [f"见证 cosigned by {name}：{size} 条 entries，{instant(time)}" for name, size, time in compared.cosigned]
    lines += [f"未经其见证 not cosigned by {name}" for name in compared.not_cosigned]
    return "\n".join(lines)


def _describe(verdict: Verdict, key_from_folder: bool) -> str:
    # Whoever exchanges the whole folder exchanges its key as well: the reader is to know what was taken on trust.
    whose = "（公钥取自本目录 key: the folder's own）" if key_from_folder else ""
    whole = (
        f"完好 OK：{verdict.origin}，{verdict.size} 条 entries，{verdict.first_t} – {verdict.last_t}，"
        f"根 root {verdict.root.hex()}{whose}"
    )
    if not verdict.since:
        return whole
    return (
        f"{whole}\n本次只读第 {verdict.since} 条起的新条目；已证明新的末端由上次核验的 {verdict.since} 条延伸而来，"
        "其字节本次未重读。\n"
        f"Only what is new was read, from entry {verdict.since} on. The new head is proved to extend the "
        f"{verdict.since} entries verified earlier; their bytes in the file were not read again."
    )
