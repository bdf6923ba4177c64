"""A full verification in several processes, each over a part of the log; the parts are then joined.

Each process reads the file by itself, checks its entries' hashes, forms and links, and gives back the subtrees over
them. The first link of each part and all roots are checked where the parts are joined. If anything is not right, or
the log cannot be divided, the whole is verified in one process, which names the first fault.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.log.forms import Interchangeable
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, VerifierKey
from ledger.log.schema import check_schema
from ledger.log.verify import (
    Checks,
    Expected,
    Progress,
    Verdict,
    Walk,
    check_meta,
    first_and_last,
    kept_checkpoints,
    snapshot,
    uncollected,
    verdict_of,
    verify_file,
)
from ledger.log.verify_chain import Chain, CheckEntry, bad
from ledger.log.verify_tree import Tree, check_node_count

#: Below this a second process costs more than it saves.
MIN_ENTRIES = 50_000
_TILE = 256
_PROGRAM = "from ledger.log.verify_parts import main; main()"


def verify_in_parts(
    path: Path,
    key: VerifierKey | KeyChain,
    jobs: int,
    check_entry: CheckEntry | None = None,
    progress: Progress | None = None,
    *,
    interchangeable: Interchangeable | None = None,
    known: Sequence[tuple[Checkpoint, str]] = (),
) -> Verdict:
    """:func:`ledger.log.verify.verify_file` of the whole log in ``jobs`` processes; the same arguments and errors.

    ``check_entry`` and ``interchangeable`` must be functions of a module: the other processes import them.
    """
    keys = key if isinstance(key, KeyChain) else KeyChain(key)
    report = progress or (lambda _: None)
    bounds = part_bounds(path, jobs) if jobs > 1 else []
    names = [_name(function) for function in (check_entry, interchangeable)]
    if len(bounds) > 1 and bounds[-1][1] >= MIN_ENTRIES and None not in names:
        done = 0

        def count(entries: int) -> None:
            nonlocal done
            done += entries
            report(entries)

        try:
            sizes = Expected.read(path, keys, known)
            children = [_start(path, keys.origin, names, part, sizes) for part in bounds[1:]]
            try:
                first = walk_part(
                    path, keys.origin, Checks(check_entry, interchangeable), bounds[0], sizes=sizes, progress=count
                )
                parts = [first, *(_finish(child, count) for child in children)]
            finally:
                for child in children:
                    child.kill()  # does nothing to one that has ended
                    child.communicate()
            return join_parts(path, keys, parts, known)
        except LedgerError:
            report(-done)
    return verify_file(path, keys, check_entry, progress, interchangeable=interchangeable, known=known)


@dataclass(frozen=True, slots=True)
class Part:
    """What one process found in its part of a log, entries ``begin`` to ``end`` − 1.

    Attributes:
        before: the hash that the first entry names as the one before, read from the file.
        subtrees: for each size asked for, and last for ``end``, the subtrees over the part's entries so far.
    """

    begin: int
    end: int
    before: bytes
    last: bytes
    first_t: str
    last_t: str
    subtrees: tuple[tuple[int, tuple[tuple[int, int, bytes], ...]], ...]

    def to_json(self) -> dict[str, Any]:
        trees = [[size, [[level, index, value.hex()] for level, index, value in tree]] for size, tree in self.subtrees]
        links = {"before": self.before.hex(), "last": self.last.hex()}
        times = {"first_t": self.first_t, "last_t": self.last_t}
        return {"begin": self.begin, "end": self.end, **links, **times, "subtrees": trees}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Part:
        trees = tuple(
            (size, tuple((level, index, bytes.fromhex(digits)) for level, index, digits in tree))
            for size, tree in value["subtrees"]
        )
        links = {name: bytes.fromhex(value[name]) for name in ("before", "last")}
        return cls(
            value["begin"], value["end"], **links, first_t=value["first_t"], last_t=value["last_t"], subtrees=trees
        )


def part_bounds(path: Path, jobs: int) -> list[tuple[int, int]]:
    """Consecutive ranges of about equal length that cover the log; empty where it cannot be divided."""
    with snapshot(path) as db:
        first, last = first_and_last(db)
    if type(first) is not int or type(last) is not int or first != 0:
        return []
    # Whole tiles: their inner nodes then lie in one part.
    cuts = [(last + 1) * job // jobs // _TILE * _TILE for job in range(jobs)]
    return [(begin, end) for begin, end in zip(cuts, [*cuts[1:], last + 1], strict=True) if begin < end]


def walk_part(
    path: Path, origin: str, checks: Checks, part: tuple[int, int], *, sizes: Sequence[int], progress: Progress
) -> Part:
    """Check the entries of one part by themselves; ``sizes`` are those at which a root is known."""
    begin, end = part
    with snapshot(path) as db, uncollected():
        walk = Walk(db, origin, checks, begin)
        if begin:
            found = db.execute("SELECT hash FROM entries WHERE seq = ?", (begin - 1,)).fetchone()
            if found is None or type(found[0]) is not bytes:
                raise bad(begin - 1, "it is missing", "缺失")
            walk.chain.prev = found[0]
        before = walk.chain.prev
        nothing = Expected({}, (), begin)
        subtrees = []
        for size in [*(size for size in sizes if begin < size < end), end]:
            walk.run(progress, nothing, size)
            if walk.chain.size != size:
                raise bad(walk.chain.size, "it is missing", "缺失")
            subtrees.append((size, tuple(walk.tree.subtrees)))
        chain = walk.chain
        return Part(begin, end, before, chain.prev, chain.first_t, chain.last_t, tuple(subtrees))


def join_parts(path: Path, keys: KeyChain, parts: Sequence[Part], known: Sequence[tuple[Checkpoint, str]]) -> Verdict:
    """Check what no part could see: the links between them, inner nodes above them, and the roots."""
    with snapshot(path) as db:
        check_meta(db, keys.newest)
        checkpoints = kept_checkpoints(db, keys, 0)
        expected = Expected(checkpoints, known, 0)
        chain, tree = Chain(keys.origin, None), Tree(0)
        for part in parts:
            if part.begin != chain.size or part.before != chain.prev or part.first_t < chain.last_t:
                raise bad(part.begin, "it does not follow the one before", "与前一条不相接")
            start = tree
            for size, subtrees in part.subtrees:
                tree = start.copy()
                for level, index, value in subtrees:
                    tree.push(level, index, value, db)
                expected.check_at(size, tree)
            chain.first_t = chain.first_t or part.first_t
            chain.size, chain.prev, chain.last_t = part.end, part.last, part.last_t
        expected.check_end(chain.size)
        if chain.size == 0 or chain.size != max(checkpoints, default=0):
            raise bad(chain.size, "no checkpoint is signed for it", "没有为其签名的检查点")
        check_node_count(db, chain.size)
        check_schema(db)
    return verdict_of(keys.origin, chain, tree, 0)


def _name(function: Callable[..., Any] | None) -> str | None:
    """``module:name`` by which another process finds the function; "" for none, None where it cannot."""
    if function is None:
        return ""
    name = f"{function.__module__}:{function.__qualname__}"
    return name if _named(name) is function else None


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute, None) if name else None


def _start(
    path: Path, origin: str, names: Sequence[str | None], part: tuple[int, int], sizes: Sequence[int]
) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    request = {"path": str(path.absolute()), "origin": origin, "names": names, "part": part, "sizes": list(sizes)}
    if child.stdin is not None:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    return child


def _finish(child: subprocess.Popen[bytes], progress: Progress) -> Part:
    """Lines with a number are progress, the last one is the result."""
    last = b""
    if child.stdout is not None:
        for line in child.stdout:
            if line.strip().isdigit():
                progress(int(line))
            else:
                last = line
    if child.wait() != 0 or not last:
        raise LedgerError("a part did not verify", "有一部分未通过核验")
    return Part.from_json(json.loads(last))


def main() -> None:
    """What another process does: a request on the standard input, the part's result on the standard output."""
    request = json.loads(sys.stdin.readline())
    check_entry, interchangeable = (_named(name) for name in request["names"])

    def report(entries: int) -> None:
        sys.stdout.write(f"{entries}\n")
        sys.stdout.flush()

    begin, end = request["part"]
    checks = Checks(check_entry, interchangeable)
    try:
        part = walk_part(
            Path(request["path"]), request["origin"], checks, (begin, end), sizes=request["sizes"], progress=report
        )
    except LedgerError:
        sys.exit(1)  # the first process names it
    sys.stdout.write(json.dumps(part.to_json()) + "\n")
