"""The check of a log from its stored bytes. It shares no code with the write path: own SQL, own hashing.

The chain, the tree and the kept checkpoints are recomputed from the entries' exact bytes, in one pass of constant
memory: block by block as long as all is well (:mod:`ledger.log.forms`), and entry by entry where a block is not, so
that the first fault is found and named. A check from a last verified state on reads only what is new since.
What a check without somebody else's checkpoint cannot show is said in docs/threat-model.md: an owner who holds the key
can rewrite all.
"""

from __future__ import annotations

import gc
import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.errors import Fault, InstanceError, LedgerError, NoteError, RollbackError, TamperError, VersionTooNewError
from ledger.log.forms import Forms, Interchangeable, UnrecognisedError
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, VerifierKey
from ledger.log.schema import check_integrity, check_schema
from ledger.log.verify_chain import MAX_ENTRY_BYTES, Chain, CheckEntry, bad, short
from ledger.log.verify_state import VerifiedState
from ledger.log.verify_tree import Tree, check_node_count

#: Entries checked at once: as many as stay in a processor's own cache, and fewer at first.
FIRST_BLOCK_ROWS, BLOCK_ROWS = 256, 512
#: The newest format of the file (``meta.format``) that this program reads.
FORMAT_VERSION = 1

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
_HASH_BYTES = 32

Progress = Callable[[int], None]
# Python's module cannot decode SQLite's message where that quotes damaged text of the schema.
_READ_ERRORS = (sqlite3.Error, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was verified: a log of ``size`` entries with ``root`` (32 bytes), its newest checkpoint signed.

    ``since`` is the first entry that was read: those before it were verified earlier, and are a prefix of this log.
    """

    origin: str
    size: int
    root: bytes
    first_t: str
    last_t: str
    since: int = 0
    state: VerifiedState | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Checks:
    """What is checked of each entry beyond chain, tree and canonical form.

    Attributes:
        entry: the schema check of one decoded entry; raises :class:`LedgerError`.
        interchangeable: names the hashes and counts of a good entry of which ``entry`` would take any other. Giving it
            says that ``entry`` takes any other ``prev``, ``seq`` and instant ``t`` too; None: it sees each entry.
    """

    entry: CheckEntry | None = None
    interchangeable: Interchangeable | None = None

    def forms(self) -> Forms | None:
        """What may be recognised without decoding; None where nothing may."""
        if self.entry is not None and self.interchangeable is None:
            return None
        return Forms(self.interchangeable if self.entry is not None else None)


def verify_file(
    path: Path,
    key: VerifierKey | KeyChain,
    check_entry: CheckEntry | None = None,
    progress: Progress | None = None,
    *,
    interchangeable: Interchangeable | None = None,
    since: VerifiedState | None = None,
    known: Sequence[tuple[Checkpoint, str]] = (),
) -> Verdict:
    """Re-read the entries of the log file at ``path`` and check it all.

    Args:
        key: the log's verifier key, from outside the file; or its keys over all rotations.
        check_entry: the schema check of one decoded entry; raises :class:`LedgerError`.
        progress: called with the number of entries done since the last call.
        interchangeable: what ``check_entry`` judges by form alone (:class:`Checks`); without it a check of schemas
            decodes every entry.
        since: read only what is new since then, and prove that this log extends that one.
        known: heads recorded elsewhere that this log must extend, each with where it was recorded.

    Raises:
        TamperError: the first bad entry, and what is wrong with it; or the file is damaged.
        RollbackError: the log does not extend ``since`` or a ``known`` head.
        NoteError: the checkpoint is malformed or not signed by ``key``.
        VersionTooNewError: a newer program wrote the file or an entry; not a sign of tampering.
        InstanceError: the file cannot be read now (missing, locked, no permission).
    """
    keys = key if isinstance(key, KeyChain) else KeyChain(key)
    report = progress or (lambda _: None)
    with snapshot(path) as db, uncollected():
        try:
            return _verify(db, keys, Checks(check_entry, interchangeable), report, since=since, known=known)
        except VersionTooNewError:
            # "Too old for this log" is said only of a log that holds: an edit could hide behind an invented version.
            if check_entry is not None:
                _verify(db, keys, Checks(), lambda _: None, since=since, known=known)
            raise


def verify_lookups(path: Path) -> None:
    """Compare what entries are found by with the entries: no proof rests on it, but pages and lists do.

    It takes about as long as the entries themselves and runs beside their verification: SQLite works without Python.

    Raises:
        TamperError: a look-up table was altered, an index exchanged, or a page is damaged.
        InstanceError: the file cannot be read now.
    """
    with snapshot(path) as db:
        check_integrity(db)


def count_entries(path: Path) -> int:
    """How many entries the file says it holds, for a progress bar; unverified. Raises as :func:`verify_file`."""
    with snapshot(path) as db:
        (last,) = db.execute("SELECT max(seq) FROM entries").fetchone()
        return last + 1 if isinstance(last, int) and last >= 0 else 0


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection: blocks make many small objects and no cycles, and looking for some takes a tenth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
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


def _verify(
    db: sqlite3.Connection,
    keys: KeyChain,
    checks: Checks,
    progress: Progress,
    *,
    since: VerifiedState | None,
    known: Sequence[tuple[Checkpoint, str]],
) -> Verdict:
    check_meta(db, keys.newest)
    start = since.size if since is not None else 0
    if since is not None:
        _check_reaches(db, since)
    checkpoints = kept_checkpoints(db, keys, start)
    signed_size = max(checkpoints, default=0)
    walk = Walk(db, keys.origin, checks, start)
    if since is not None:
        walk.resume(since)
    expected = Expected(checkpoints, known, start)
    expected.check_at(walk.chain.size, walk.tree)
    walk.run(progress, expected)
    chain = walk.chain
    if chain.size == 0:
        raise TamperError(
            "the ledger holds no entries at all; every log begins with log.opened: it was emptied",
            "台账中没有任何条目；每份台账都以 log.opened 开头：内容已被清空",
            Fault(0, "seq", "0", "none"),
        )
    expected.check_end(chain.size)
    if not signed_size:
        raise TamperError(
            f"the ledger holds {chain.size} entries and no signed checkpoint: it was removed",
            f"台账有 {chain.size} 条，却没有已签名的检查点：检查点被删除",
            Fault(None, f"checkpoint of {chain.size} entries", "a signed checkpoint", "none"),
        )
    if chain.size != signed_size:
        raise TamperError(
            f"entry {signed_size} is not covered by any signed checkpoint: it was added past the sequencer",
            f"第 {signed_size} 条没有被任何已签名的检查点涵盖：它是绕过写入程序添加的",
            Fault(signed_size, "seq", f"{signed_size} entries", f"{chain.size} entries"),
        )
    check_node_count(db, chain.size)
    check_schema(db)
    return verdict_of(keys.origin, chain, walk.tree, start)


def verdict_of(origin: str, chain: Chain, tree: Tree, since: int) -> Verdict:
    state = VerifiedState(origin, chain.size, tuple(tree.hashes()), chain.prev, chain.first_t, chain.last_t)
    return Verdict(origin, chain.size, state.root, chain.first_t, chain.last_t, since, state)


class Expected:
    """The roots that are known for some sizes: of signed checkpoints in the file, and of heads recorded elsewhere."""

    def __init__(self, checkpoints: dict[int, Checkpoint], known: Sequence[tuple[Checkpoint, str]], start: int) -> None:
        self._checkpoints = dict(checkpoints)
        # A head before the start was checked when that part was: its root is not computed again.
        self._known = [item for item in known if item[0].size >= max(start, 1)]

    @staticmethod
    def read(path: Path, keys: KeyChain, known: Sequence[tuple[Checkpoint, str]]) -> list[int]:
        """The sizes at which a root is known for the log at ``path``, ascending."""
        with snapshot(path) as db:
            check_meta(db, keys.newest)
            return Expected(kept_checkpoints(db, keys, 0), known, 0).sizes(0, 2**63)

    def sizes(self, after: int, until: int) -> list[int]:
        """The sizes from ``after`` + 1 to ``until`` at which a root is known, ascending."""
        sizes = {*self._checkpoints, *(checkpoint.size for checkpoint, _ in self._known)}
        return sorted(size for size in sizes if after < size <= until)

    def check_at(self, size: int, tree: Tree) -> None:
        """Compare what is known for ``size`` entries with the root of ``tree``, which has as many; then forget it."""
        self.compare(size, tree)
        self._checkpoints.pop(size, None)

    def settle(self, size: int) -> None:
        """Forget what was compared up to ``size``."""
        for done in self.sizes(-1, size):
            self._checkpoints.pop(done, None)

    def compare(self, size: int, tree: Tree) -> None:
        checkpoint = self._checkpoints.get(size)
        if checkpoint is not None:
            _check_root(checkpoint, tree.root())
        for recorded, where in self._known:
            if recorded.size == size and recorded.root != tree.root():
                root = tree.root().hex()
                raise RollbackError(
                    f"the ledger's first {size} entries have root {root}, but {where} records {recorded.root.hex()}: "
                    "this is another ledger, or an older copy that went its own way",
                    f"台账前 {size} 条的根为 {root}，而 {where} 记录的是 {recorded.root.hex()}："
                    "这是另一份台账，或是自行增长过的较旧副本",
                    Fault(None, f"root of {size} entries", recorded.root.hex(), root),
                )

    def check_end(self, size: int) -> None:
        """Raise where something is known for more than the ``size`` entries that there are."""
        if self._checkpoints:
            signed = max(self._checkpoints)
            raise TamperError(
                f"entry {size} is missing: a signed checkpoint covers {signed} entries, the ledger holds {size}",
                f"缺少第 {size} 条：已签名的检查点涵盖 {signed} 条，而台账只有 {size} 条",
                Fault(size, "seq", f"{signed} entries", f"{size} entries"),
            )
        for recorded, where in self._known:
            if recorded.size > size:
                raise RollbackError(
                    f"the ledger holds {size} entries, but {where} records {recorded.size} (root "
                    f"{recorded.root.hex()}): an older copy of the ledger was put in place",
                    f"台账有 {size} 条，而 {where} 记录的是 {recorded.size} 条（根 {recorded.root.hex()}）："
                    "台账被换成了较旧的副本",
                    Fault(size, "seq", f"{recorded.size} entries", f"{size} entries"),
                )


class Walk:
    """One pass over consecutive entries of a file."""

    def __init__(self, db: sqlite3.Connection, origin: str, checks: Checks, start: int) -> None:
        self.chain = Chain(origin, checks.entry, start)
        self.tree = Tree(start)
        self._db = db
        self._forms = checks.forms()

    def resume(self, state: VerifiedState) -> None:
        """Go on from ``state``."""
        self.chain.prev, self.chain.first_t, self.chain.last_t = state.last, state.first_t, state.last_t
        self.tree = Tree.of(state.size, state.frontier)

    def run(self, progress: Progress, expected: Expected, end: int | None = None) -> None:
        """Check all entries from where it stands, or those before ``end``."""
        chain, rows = self.chain, FIRST_BLOCK_ROWS
        stop = self._stop() if end is None else end
        while chain.size < stop:
            start = chain.size
            upto = min(start + rows, stop)
            if self._forms is None or not self._accept(upto, self._forms, expected):
                self._step_all(_entries(self._db, start, upto), progress, expected)
            else:
                progress(upto - start)
            if chain.size < upto:
                break  # rows are missing: the walk over what there is names the first
            rows = min(2 * rows, BLOCK_ROWS)
        if chain.size != end:
            self._step_all(_entries(self._db, chain.size, end), progress, expected)

    def _stop(self) -> int:
        """Up to where blocks may be read: the number of entries, or 0 where numbers are out of order."""
        try:
            first, last = first_and_last(self._db)
        except _READ_ERRORS as error:
            if hinders(error):
                raise
            return 0
        return last + 1 if type(first) is type(last) is int and first >= 0 else 0

    def _step_all(self, rows: Iterator[Row], progress: Progress, expected: Expected) -> None:
        """Entry by entry: slow, and the only one to name what is wrong."""
        done = 0
        for seq, entry, stored in rows:
            leaf = self.chain.step(seq, entry, stored)
            self.tree.extend([leaf], self._db)
            expected.check_at(self.chain.size, self.tree)
            done += 1
            if done == FIRST_BLOCK_ROWS:
                progress(done)
                done = 0
        if done:
            progress(done)

    def _accept(self, end: int, forms: Forms, expected: Expected) -> bool:
        """Check the entries before ``end`` at once. False changes nothing; it only says that a closer look is due."""
        chain, tree = self.chain, self.tree.copy()
        start = chain.size
        block = _read_block(self._db, start, end)
        if block is None:
            return False
        entries, stored = block
        sha256 = hashlib.sha256
        leaves = [sha256(b"\0" + entry).digest() for entry in entries]
        if b"".join(leaves) != stored:
            return False
        prevs = [chain.prev, *leaves[:-1]]
        try:
            times = forms.check(
                entries,
                start,
                prevs,
                lambda place: chain.check_form(start + place, entries[place], prevs[place]),
            )
            done = start
            for size in expected.sizes(start, end):
                tree.extend(leaves[done - start : size - start], self._db)
                expected.compare(size, tree)
                done = size
            tree.extend(leaves[done - start :], self._db)
        except (LedgerError, UnrecognisedError):
            return False
        if times[0] < chain.last_t.encode() or times != sorted(times):
            return False
        expected.settle(end)
        chain.first_t, chain.last_t = chain.first_t or times[0].decode(), times[-1].decode()
        chain.prev, chain.size, self.tree = leaves[-1], end, tree
        return True


Row = tuple[int, Any, Any]


def first_and_last(db: sqlite3.Connection) -> tuple[object, object]:
    """The lowest and the highest seq. Asked for one by one: both in one query would read the whole table."""
    sql = "SELECT (SELECT min(seq) FROM entries), (SELECT max(seq) FROM entries)"
    first, last = db.execute(sql).fetchone()
    return first, last


_SELECT = "SELECT seq, entry, hash FROM entries"


def _select(db: sqlite3.Connection, start: int, end: int | None) -> sqlite3.Cursor:
    least = start or -(2**63)  # one with a negative seq is a fault too
    if end is None:
        return db.execute(f"{_SELECT} WHERE seq >= ? ORDER BY seq", (least,))
    return db.execute(f"{_SELECT} WHERE seq >= ? AND seq < ? ORDER BY seq", (least, end))


_BLOCK = "SELECT entry, hash FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"


def _read_block(db: sqlite3.Connection, start: int, end: int) -> tuple[Sequence[bytes], bytes] | None:
    """Entries and their joined hashes of a range; None unless all are there and stored as bytes of a good length.

    As many rows as numbers in the range are one row for each: the number is the table's key. The caller compares it
    with the one in the entry.
    """
    try:
        rows = db.execute(_BLOCK, (start, end)).fetchall()
    except _READ_ERRORS as error:
        if hinders(error):
            raise
        return None
    if len(rows) != end - start:
        return None
    entries, hashes = zip(*rows, strict=True)
    try:
        # The length of each hash, or a byte could move from one to the next. Numbers and NULL have no length.
        if set(map(len, hashes)) != {_HASH_BYTES} or max(map(len, entries)) > MAX_ENTRY_BYTES:
            return None
    except TypeError:
        return None
    return entries, b"".join(hashes)


def _entries(db: sqlite3.Connection, start: int, end: int | None) -> Iterator[Row]:
    seq = start - 1
    try:
        for row in _select(db, start, end):
            seq = row[0]
            yield row
    except _READ_ERRORS as error:
        if hinders(error):
            raise
        raise bad(
            seq + 1,
            f"cannot be read ({error}): the file is damaged from here on, restore it from a backup",
            f"无法读取（{error}）：文件自此损坏，请从备份恢复",
        ) from error


def _check_reaches(db: sqlite3.Connection, since: VerifiedState) -> None:
    (last,) = db.execute("SELECT max(seq) FROM entries").fetchone()
    size = last + 1 if isinstance(last, int) else 0
    if size < since.size:
        raise RollbackError(
            f"the ledger holds {size} entries, the last verification saw {since.size} (root {since.root.hex()}): "
            "entries were cut off, or an older copy was put in place",
            f"台账有 {size} 条，而上次核验时有 {since.size} 条（根 {since.root.hex()}）："
            "末尾被截去，或被换成较旧的副本",
            Fault(size, "seq", f"{since.size} entries", f"{size} entries"),
        )


def check_meta(db: sqlite3.Connection, key: VerifierKey) -> None:
    meta = dict(db.execute("SELECT key, value FROM meta"))
    written, origin = meta.get(b"format"), meta.get(b"origin")
    if not isinstance(written, bytes) or not re.fullmatch(rb"[1-9][0-9]{0,8}", written):
        raise TamperError(
            f"the file's format number is {short(written)}; it was altered or the file is not a ledger",
            f"文件的格式版本为 {short(written)}：被改动，或并非台账文件",
        )
    if int(written) > FORMAT_VERSION:
        raise VersionTooNewError(
            f"the file has format {int(written)}, this program reads up to {FORMAT_VERSION}: "
            "it is too old for this log, install the newer version",
            f"文件的格式版本为 {int(written)}，本程序最高支持 {FORMAT_VERSION}：程序版本过旧，请安装新版本",
        )
    if origin != key.name.encode():
        raise TamperError(
            f"the file says it is of log {short(origin)}, the verifier key is of {key.name!r}: "
            "it is another log's file, or it was altered",
            f"文件自称属于日志 {short(origin)}，而验证公钥属于 {key.name!r}：是别的日志的文件，或被改动",
        )


def kept_checkpoints(db: sqlite3.Connection, keys: KeyChain, start: int) -> dict[int, Checkpoint]:
    """The kept checkpoints by size, their signatures verified; with ``start`` only those from that size on."""
    found: dict[int, Checkpoint] = {}
    least = start or -(2**63)  # one filed under a negative size is a fault too
    for size, note in db.execute("SELECT size, note FROM checkpoints WHERE size >= ? ORDER BY size", (least,)):
        if not isinstance(size, int) or not isinstance(note, bytes):
            raise TamperError(
                f"a checkpoint is not stored as text under its size ({short(size)}): it was altered",
                f"检查点未按“大小→文本”的形式存放（{short(size)}）：被改动",
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


def _check_root(checkpoint: Checkpoint, root: bytes) -> None:
    if checkpoint.root != root:
        raise TamperError(
            f"the signed checkpoint of size {checkpoint.size} has root {checkpoint.root.hex()}, "
            f"the entries give {root.hex()}: entries up to {checkpoint.size - 1} were rewritten",
            f"大小为 {checkpoint.size} 的已签名检查点的根为 {checkpoint.root.hex()}，"
            f"由条目算得 {root.hex()}：第 {checkpoint.size - 1} 条及以前的内容被改写",
            Fault(None, f"root of {checkpoint.size} entries", checkpoint.root.hex(), root.hex()),
        )


def _code(error: Exception) -> int:
    """SQLite's primary result code; errors that Python's module raises itself have none."""
    return (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF


def hinders(error: Exception) -> bool:
    return _code(error) in _HINDRANCES


def _unreadable(path: Path, error: Exception) -> LedgerError:
    if hinders(error):
        return InstanceError(
            f"{path} cannot be read now ({error}); see that it exists, that you may read it and that no other program "
            "locks it, or verify a copy",
            f"{path} 目前无法读取（{error}）；请确认文件存在、有读取权限且未被其他程序锁定，或核验其副本",
        )
    return TamperError(
        f"{path} cannot be read as a ledger ({error}): the file is damaged or was altered, restore it from a backup",
        f"{path} 无法作为台账读取（{error}）：文件已损坏或被改动，请从备份恢复",
    )
