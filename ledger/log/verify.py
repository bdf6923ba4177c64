"""The full check of a log from its stored bytes. It shares no code with the write path: own SQL, own hashing.

The chain, the tree and the kept checkpoints are recomputed from the entries' exact bytes, in one pass of constant
memory. What a check without somebody else's checkpoint cannot show is said in docs/threat-model.md: an owner
who holds the key can rewrite all.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import InstanceError, LedgerError, TamperError
from ledger.log.note import Checkpoint, VerifierKey, open_checkpoint

FETCH_ROWS = 1_000
CheckEntry = Callable[[dict[str, Any]], None]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was verified: a log of ``size`` entries with ``root`` (32 bytes), its newest checkpoint signed."""

    origin: str
    size: int
    root: bytes
    first_t: str
    last_t: str


def verify_file(
    path: Path,
    key: VerifierKey,
    check_entry: CheckEntry | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Re-read every entry of the log file at ``path`` and check it all.

    Args:
        key: the log's verifier key, from outside the file.
        check_entry: the schema check of one decoded entry; raises :class:`LedgerError`.
        progress: called with the number of entries done since the last call.

    Raises:
        TamperError: the first bad entry, and what is wrong with it.
        NoteError: the checkpoint is malformed or not signed by ``key``.
        InstanceError: the file cannot be read at all.
    """
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    try:
        db.text_factory = bytes
        db.execute("BEGIN")  # one snapshot, though appends go on
        return _verify(db, key, check_entry, progress or (lambda _: None))
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error
    finally:
        db.close()


def _verify(db: sqlite3.Connection, key: VerifierKey, check_entry: CheckEntry | None, progress: Progress) -> Verdict:
    checkpoints = _checkpoints(db, key)
    signed_size = max(checkpoints, default=0)
    chain = _Chain(key.name, check_entry)
    stack: list[bytes] = []  # roots of complete subtrees, largest first
    nodes: dict[int, Iterator[tuple[int, bytes]]] = {}
    reported = 0
    for seq, entry, stored in _entries(db):
        leaf = chain.step(seq, entry, stored)
        _grow(db, stack, chain.size - 1, leaf, nodes)
        expected = checkpoints.pop(chain.size, None)
        if expected is not None:
            _check_root(expected, _root(stack))
        if chain.size - reported == FETCH_ROWS:
            progress(chain.size - reported)
            reported = chain.size
    progress(chain.size - reported)
    if chain.size == 0:
        raise TamperError(
            "the ledger holds no entries at all; every log begins with log.opened: it was emptied",
            "台账中没有任何条目；每份台账都以 log.opened 开头：内容已被清空",
        )
    if checkpoints:
        size = max(checkpoints)
        raise TamperError(
            f"entry {chain.size} is missing: a signed checkpoint covers {size} entries, the ledger holds {chain.size}",
            f"缺少第 {chain.size} 条：已签名的检查点涵盖 {size} 条，而台账只有 {chain.size} 条",
        )
    if chain.size != signed_size:
        raise TamperError(
            f"entry {signed_size} is not covered by any signed checkpoint: it was added past the sequencer",
            f"第 {signed_size} 条没有被任何已签名的检查点涵盖：它是绕过写入程序添加的",
        )
    _check_node_count(db, chain.size)
    return Verdict(key.name, chain.size, _root(stack), chain.first_t, chain.last_t)


class _Chain:
    """Checks entries one by one, in order."""

    def __init__(self, origin: str, check_entry: CheckEntry | None) -> None:
        self.size = 0
        self.first_t = self.last_t = ""
        self._origin = origin
        self._prev = bytes(32)
        self._check_entry = check_entry

    def step(self, seq: int, entry: object, stored: object) -> bytes:
        expected_seq = self.size
        if seq != expected_seq:
            raise TamperError(
                f"entry {expected_seq} is missing: entry {seq} follows entry {expected_seq - 1}",
                f"缺少第 {expected_seq} 条：第 {expected_seq - 1} 条之后直接是第 {seq} 条",
            )
        if not isinstance(entry, bytes) or not isinstance(stored, bytes):
            raise _bad(seq, "entry or hash is not stored as bytes", "条目或哈希的存储类型不对")
        leaf = hashlib.sha256(b"\0" + entry).digest()
        if leaf != stored:
            raise _bad(
                seq,
                f"its bytes hash to {leaf.hex()}, recorded is {stored.hex()}: the entry or its hash was altered",
                f"字节的哈希为 {leaf.hex()}，记录的是 {stored.hex()}：条目或其哈希被改动",
            )
        self._check_fields(seq, entry)
        self._prev = leaf
        self.size += 1
        return leaf

    def _check_fields(self, seq: int, entry: bytes) -> None:
        try:
            value = orjson.loads(entry)
            canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == entry
        except ValueError as error:
            raise _bad(seq, f"not JSON ({error})", f"不是 JSON（{error}）") from error
        if not canonical or not isinstance(value, dict):
            raise _bad(seq, "not in canonical form", "不是规范形式")
        prev, want = value.get("prev"), self._prev.hex()
        if prev != want:
            raise _bad(
                seq,
                f"prev is {prev}, the entry before hashes to {want}: the chain is broken here",
                f"prev 为 {prev}，而前一条的哈希为 {want}：链在此断开",
            )
        if value.get("seq") != seq or value.get("log") != self._origin:
            raise _bad(
                seq,
                f"it says seq {value.get('seq')} of log {value.get('log')!r}: it was copied from elsewhere",
                f"其自称为日志 {value.get('log')!r} 的第 {value.get('seq')} 条：系从别处复制",
            )
        t = value.get("t")
        if not isinstance(t, str) or t < self.last_t:
            raise _bad(seq, f"time {t!r} is before {self.last_t!r}", f"时间 {t!r} 早于 {self.last_t!r}")
        self.first_t, self.last_t = self.first_t or t, t
        if self._check_entry is not None:
            try:
                self._check_entry(value)
            except TamperError:
                raise
            except LedgerError as error:
                error.en, error.zh = f"entry {seq}: {error.en}", f"第 {seq} 条：{error.zh}"
                error.args = (error.en,)
                raise


def _entries(db: sqlite3.Connection) -> Iterator[tuple[int, object, object]]:
    cursor = db.execute("SELECT seq, entry, hash FROM entries ORDER BY seq")
    while rows := cursor.fetchmany(FETCH_ROWS):
        yield from rows


def _checkpoints(db: sqlite3.Connection, key: VerifierKey) -> dict[int, Checkpoint]:
    found: dict[int, Checkpoint] = {}
    for size, note in db.execute("SELECT size, note FROM checkpoints ORDER BY size"):
        checkpoint = open_checkpoint(note, key)
        if checkpoint.size != size:
            raise TamperError(
                f"the checkpoint filed under size {size} is for size {checkpoint.size}: it was moved",
                f"归在大小 {size} 名下的检查点实为大小 {checkpoint.size}：已被挪动",
            )
        found[size] = checkpoint
    return found


def _grow(
    db: sqlite3.Connection,
    stack: list[bytes],
    index: int,
    leaf: bytes,
    nodes: dict[int, Iterator[tuple[int, bytes]]],
) -> None:
    """Add a leaf to the stack of subtree roots; compare each stored inner node as it is completed."""
    level, value = 0, leaf
    while index & 1:
        value = hashlib.sha256(b"\1" + stack.pop() + value).digest()
        index >>= 1
        level += 1
        if level % 8 == 0:
            if level not in nodes:
                nodes[level] = iter(db.execute("SELECT idx, hash FROM nodes WHERE level = ? ORDER BY idx", (level,)))
            if next(nodes[level], None) != (index, value):
                raise TamperError(
                    f"the stored tree differs from the entries at level {level}, node {index} "
                    f"(entries {index << level} to {((index + 1) << level) - 1})",
                    f"所存的树与条目不符：第 {level} 层第 {index} 个节点"
                    f"（第 {index << level} 至 {((index + 1) << level) - 1} 条）",
                )
    stack.append(value)


def _root(stack: list[bytes]) -> bytes:
    root = stack[-1]
    for left in reversed(stack[:-1]):
        root = hashlib.sha256(b"\1" + left + root).digest()
    return root


def _check_root(checkpoint: Checkpoint, root: bytes) -> None:
    if checkpoint.root != root:
        raise TamperError(
            f"the signed checkpoint of size {checkpoint.size} has root {checkpoint.root.hex()}, "
            f"the entries give {root.hex()}: entries up to {checkpoint.size - 1} were rewritten",
            f"大小为 {checkpoint.size} 的已签名检查点的根为 {checkpoint.root.hex()}，"
            f"由条目算得 {root.hex()}：第 {checkpoint.size - 1} 条及以前的内容被改写",
        )


def _check_node_count(db: sqlite3.Connection, size: int) -> None:
    (stored,) = db.execute("SELECT count(*) FROM nodes").fetchone()
    expected = sum(size >> level for level in range(8, 64, 8))
    if stored != expected:
        raise TamperError(
            f"the stored tree has {stored} nodes, {size} entries give {expected}",
            f"所存的树有 {stored} 个节点，而 {size} 条应有 {expected} 个",
        )


def _bad(seq: int, en: str, zh: str) -> TamperError:
    return TamperError(f"entry {seq}: {en}", f"第 {seq} 条：{zh}")


def _unreadable(path: Path, error: sqlite3.Error) -> InstanceError:
    return InstanceError(
        f"{path} cannot be read as a ledger ({error}); the file is damaged, restore it from a backup",
        f"{path} 无法作为台账读取（{error}）；文件已损坏，请从备份恢复",
    )
