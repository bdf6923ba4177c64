"""``liandong ledger verify`` of the instance's own ledger: in full, or only what is new, and against the kept head."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from ledger import entries
from ledger.errors import InstanceError
from ledger.instance import Instance
from ledger.log.guard import HeadGuard
from ledger.log.note import Checkpoint, VerifierKey
from ledger.log.verify import Verdict, count_entries, verify_file, verify_indexes
from ledger.log.verify_parts import verify_in_parts
from ledger.log.verify_state import VerifiedState


def verify_own(instance: Instance, key: VerifierKey, *, state: Path | None, jobs: int) -> Verdict:
    """Verify with a progress bar; with ``state`` go on from there and leave there how far it came.

    Raises:
        RollbackError: the ledger is older than ``keys/head`` or ``state``, or another one.
        InstanceError: ``state`` is damaged or of another log.
    """
    since = VerifiedState.load(state) if state is not None else None
    if since is not None and since.origin != key.name:
        raise InstanceError(
            f"{state} is of log {since.origin!r}, this one is {key.name!r}; name another file",
            f"{state} 属于日志 {since.origin!r}，而本日志为 {key.name!r}；请另指定文件",
        )
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
                indexes = beside.submit(verify_indexes, path)
                verdict = verify_in_parts(path, keys, jobs, check, bar.update, interchangeable=free, known=known)
                indexes.result()
    if state is not None and verdict.state is not None:
        verdict.state.save(state)
    return verdict


def _recorded_head(instance: Instance) -> list[tuple[Checkpoint, str]]:
    # Whoever may read the ledger but not the keys verifies all the same; the log's own start refuses a rollback.
    if not os.access(instance.head_path, os.R_OK):
        return []
    head = HeadGuard(instance.head_path, instance.settings.origin).read()
    return [(head, str(instance.head_path))] if head is not None else []


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as ``--json`` prints it."""
    return {
        "ok": True,
        "origin": verdict.origin,
        "size": verdict.size,
        "root": verdict.root.hex(),
        "first_t": verdict.first_t,
        "last_t": verdict.last_t,
        "read_from": verdict.since,
    }


def describe(verdict: Verdict) -> str:
    """The verdict in both languages."""
    whole = (
        f"完好 OK：{verdict.origin}，{verdict.size} 条 entries，{verdict.first_t} – {verdict.last_t}，"
        f"根 root {verdict.root.hex()}"
    )
    if not verdict.since:
        return whole
    return (
        f"{whole}\n本次只读第 {verdict.since} 条起的新条目；已证明新的末端由上次核验的 {verdict.since} 条延伸而来，"
        "其字节本次未重读。\n"
        f"Only what is new was read, from entry {verdict.since} on. The new head is proved to extend the "
        f"{verdict.since} entries verified earlier; their bytes in the file were not read again."
    )
