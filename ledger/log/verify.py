"""The full check of a log from its stored bytes. It shares no code with the write path: own SQL, own hashing.

The chain, the tree and the kept checkpoints are recomputed from the entries' exact bytes, in one pass of constant
memory. What a check without somebody else's checkpoint cannot show is said in docs/threat-model.md: an owner
who holds the key can rewrite all.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import InstanceError, LedgerError, NoteError, TamperError, VersionTooNewError
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, VerifierKey

FETCH_ROWS = 1_000
#: The newest format of the file (``meta.format``) that this program reads.
FORMAT_VERSION = 1

_MAX_ENTRY_BYTES = 65_535
_MAX_DEPTH = 16
_INT_LIMIT = 2**53
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
# SQLite's result codes for what hinders reading now; any other error comes from the file's own bytes.
_HINDRANCES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)

CheckEntry = Callable[[dict[str, Any]], None]
Progress = Callable[[int], None]
# Python's module cannot decode SQLite's message where that quotes damaged text of the schema.
_READ_ERRORS = (sqlite3.Error, UnicodeDecodeError)


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
    key: VerifierKey | KeyChain,
    check_entry: CheckEntry | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Re-read every entry of the log file at ``path`` and check it all.

    Args:
        key: the log's verifier key, from outside the file; or its keys over all rotations.
        check_entry: the schema check of one decoded entry; raises :class:`LedgerError`.
        progress: called with the number of entries done since the last call.

    Raises:
        TamperError: the first bad entry, and what is wrong with it; or the file is damaged.
        NoteError: the checkpoint is malformed or not signed by ``key``.
        VersionTooNewError: a newer program wrote the file or an entry; not a sign of tampering.
        InstanceError: the file cannot be read now (missing, locked, no permission).
    """
    with _snapshot(path) as db:
        return _verify(
            db, key if isinstance(key, KeyChain) else KeyChain(key), check_entry, progress or (lambda _: None)
        )


def count_entries(path: Path) -> int:
    """How many entries the file says it holds, for a progress bar; unverified. Raises as :func:`verify_file`."""
    with _snapshot(path) as db:
        (last,) = db.execute("SELECT max(seq) FROM entries").fetchone()
        return last + 1 if isinstance(last, int) and last >= 0 else 0


@contextmanager
def _snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """One read-only view of the file, though appends go on."""
    db = None
    try:
        db = _connect(path)
        yield db
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error
    finally:
        if db is not None:
            db.close()


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        # A file in WAL mode in a folder that may not be written (a copy on read-only media) opens only as immutable,
        # which is safe just where there is no WAL.
        wal = path.with_name(f"{path.name}-wal")
        unwritable = path.is_file() and _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not unwritable or (wal.exists() and wal.stat().st_size):
            raise
        db = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    db.text_factory = bytes
    db.execute("BEGIN")
    return db


def _verify(db: sqlite3.Connection, keys: KeyChain, check_entry: CheckEntry | None, progress: Progress) -> Verdict:
    _check_meta(db, keys.newest)
    checkpoints = _checkpoints(db, keys)
    signed_size = max(checkpoints, default=0)
    chain = _Chain(keys.origin, check_entry)
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
    if not signed_size:
        raise TamperError(
            f"the ledger holds {chain.size} entries and no signed checkpoint: it was removed",
            f"台账有 {chain.size} 条，却没有已签名的检查点：检查点被删除",
        )
    if chain.size != signed_size:
        raise TamperError(
            f"entry {signed_size} is not covered by any signed checkpoint: it was added past the sequencer",
            f"第 {signed_size} 条没有被任何已签名的检查点涵盖：它是绕过写入程序添加的",
        )
    _check_node_count(db, chain.size)
    return Verdict(keys.origin, chain.size, _root(stack), chain.first_t, chain.last_t)


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
        if len(entry) > _MAX_ENTRY_BYTES:
            raise _bad(seq, f"{len(entry)} bytes, more than {_MAX_ENTRY_BYTES}", f"长 {len(entry)} 字节，超过上限")
        try:
            value = orjson.loads(entry)
        except ValueError as error:
            raise _bad(seq, f"not JSON ({error})", f"不是 JSON（{error}）") from error
        if not isinstance(value, dict):
            raise _bad(seq, "not an object", "不是对象")
        if not _in_domain(value, _MAX_DEPTH):
            raise _bad(
                seq,
                "a value outside the canonical domain (a float, an integer from 2^53 on, a key that is not "
                "lower-case ASCII, nesting too deep)",
                "含规范之外的值（浮点数、不小于 2^53 的整数、非小写英文的键或过深的嵌套）",
            )
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != entry:
            raise _bad(seq, "not in canonical form", "不是规范形式")
        prev, want = value.get("prev"), self._prev.hex()
        if prev != want:
            raise _bad(
                seq,
                f"prev is {_short(prev)}, the entry before hashes to {want}: the chain is broken here",
                f"prev 为 {_short(prev)}，而前一条的哈希为 {want}：链在此断开",
            )
        if type(value.get("seq")) is not int or value["seq"] != seq or value.get("log") != self._origin:
            says = _short(value.get("seq")), _short(value.get("log"))
            raise _bad(
                seq,
                f"it says seq {says[0]} of log {says[1]}: it was copied from elsewhere",
                f"其自称为日志 {says[1]} 的第 {says[0]} 条：系从别处复制",
            )
        t = value.get("t")
        if not isinstance(t, str) or not _TIMESTAMP.fullmatch(t):
            raise _bad(seq, f"time {_short(t)} is out of form", f"时间 {_short(t)} 格式不对")
        if t < self.last_t:
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


def _in_domain(value: object, depth: int) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if isinstance(value, int):
        return -_INT_LIMIT < value < _INT_LIMIT
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(_KEY.fullmatch(key) and _in_domain(item, depth - 1) for key, item in value.items())
    return isinstance(value, list) and all(_in_domain(item, depth - 1) for item in value)


def _entries(db: sqlite3.Connection) -> Iterator[tuple[int, object, object]]:
    seq = -1
    try:
        for row in db.execute("SELECT seq, entry, hash FROM entries ORDER BY seq"):
            seq = row[0]
            yield row
    except _READ_ERRORS as error:
        if _hinders(error):
            raise
        raise _bad(
            seq + 1,
            f"cannot be read ({error}): the file is damaged from here on, restore it from a backup",
            f"无法读取（{error}）：文件自此损坏，请从备份恢复",
        ) from error


def _check_meta(db: sqlite3.Connection, key: VerifierKey) -> None:
    meta = dict(db.execute("SELECT key, value FROM meta"))
    written, origin = meta.get(b"format"), meta.get(b"origin")
    if not isinstance(written, bytes) or not re.fullmatch(rb"[1-9][0-9]{0,8}", written):
        raise TamperError(
            f"the file's format number is {_short(written)}; it was altered or the file is not a ledger",
            f"文件的格式版本为 {_short(written)}：被改动，或并非台账文件",
        )
    if int(written) > FORMAT_VERSION:
        raise VersionTooNewError(
            f"the file has format {int(written)}, this program reads up to {FORMAT_VERSION}: "
            "it is too old for this log, install the newer version",
            f"文件的格式版本为 {int(written)}，本程序最高支持 {FORMAT_VERSION}：程序版本过旧，请安装新版本",
        )
    if origin != key.name.encode():
        raise TamperError(
            f"the file says it is of log {_short(origin)}, the verifier key is of {key.name!r}: "
            "it is another log's file, or it was altered",
            f"文件自称属于日志 {_short(origin)}，而验证公钥属于 {key.name!r}：是别的日志的文件，或被改动",
        )


def _checkpoints(db: sqlite3.Connection, keys: KeyChain) -> dict[int, Checkpoint]:
    found: dict[int, Checkpoint] = {}
    for size, note in db.execute("SELECT size, note FROM checkpoints ORDER BY size"):
        if not isinstance(size, int) or not isinstance(note, bytes):
            raise TamperError(
                f"a checkpoint is not stored as text under its size ({_short(size)}): it was altered",
                f"检查点未按“大小→文本”的形式存放（{_short(size)}）：被改动",
            )
        try:
            checkpoint = keys.open(note)
        except NoteError as error:
            raise NoteError(
                f"the stored checkpoint of size {size}: {error.en}", f"所存大小为 {size} 的检查点：{error.zh}"
            ) from error
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


def _short(value: object) -> str:
    """A value from the file, for a message: as a literal, so that it can hold no control characters."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    shown = repr(value)
    return shown if len(shown) <= 100 else shown[:97] + "…"


def _code(error: Exception) -> int:
    """SQLite's primary result code; errors that Python's module raises itself have none."""
    return (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF


def _hinders(error: Exception) -> bool:
    return _code(error) in _HINDRANCES


def _unreadable(path: Path, error: Exception) -> LedgerError:
    if _hinders(error):
        return InstanceError(
            f"{path} cannot be read now ({error}); see that it exists, that you may read it and that no other program "
            "locks it, or verify a copy",
            f"{path} 目前无法读取（{error}）；请确认文件存在、有读取权限且未被其他程序锁定，或核验其副本",
        )
    return TamperError(
        f"{path} cannot be read as a ledger ({error}): the file is damaged or was altered, restore it from a backup",
        f"{path} 无法作为台账读取（{error}）：文件已损坏或被改动，请从备份恢复",
    )
