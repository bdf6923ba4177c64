"""All SQL of the log: schema, triggers, reading and writing of entries, tree nodes, checkpoints, particulars.

The triggers stop accidents and hasty hands; they do not stop the file's owner. What stops the owner is the
signed checkpoint that somebody else holds.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InstanceError, LedgerError, LedgerUnavailableError, VersionTooNewError
from ledger.log import lookups
from ledger.log.commitment import Sealed
from ledger.log.merkle import Node
from ledger.log.schema import check_schema, statements
from ledger.log.tiles import HEIGHT, WIDTH, Tile, encode_bundle, fold

FORMAT_VERSION = 1
BUSY_TIMEOUT_MS = 2_000
#: Between two tries for the write lock; a commit takes about as long.
_LOCK_STEP_S = 0.0002
#: A little more than the 1,000 pages after which SQLite starts the write-ahead log over.
WAL_BYTES = 4_300_000
_NO_LIMIT = 2**62
# What may pass (SQLite's result codes); any other error on opening means that the file is not a ledger.
_PASSING_ERRORS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry: its seq, hash and bytes; for an empty log seq is -1 and the hash is 32 zeros."""

    seq: int
    hash: bytes
    entry: bytes

    @property
    def size(self) -> int:
        return self.seq + 1


EMPTY_HEAD = Head(-1, bytes(32), b"")


class Store:
    """One SQLite file that holds a log. Not thread-safe: its owner serialises calls."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._db = connection
        self._db.text_factory = bytes
        self._lookups: list[str] | None = None  # not read yet

    @classmethod
    def create(cls, path: Path, origin: str, lookup_fields: Sequence[str] = ()) -> Store:
        """Make a new, empty log file.

        Args:
            path: where; must not exist.
            origin: the log's name, written into every entry and checkpoint.
            lookup_fields: top-level text fields by which entries are looked up.

        Raises:
            InstanceError: the file exists already.
            LedgerUnavailableError: it cannot be written (disk full).
        """
        try:
            path.open("xb").close()
        except FileExistsError as error:
            raise InstanceError(
                f"{path} exists already; a log is never overwritten, choose another folder",
                f"{path} 已存在；日志从不覆盖，请另选目录",
            ) from error
        path.chmod(0o600)
        store = cls(_connect(path, "rw"), path)
        db = store._db
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in statements(lookup_fields):
                db.execute(statement)
            db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", str(FORMAT_VERSION)), ("origin", origin)])
            db.execute("COMMIT")
        except sqlite3.Error as error:
            store.close()
            raise unavailable(path, error) from error
        return store

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Store:
        """Open a log file.

        Raises:
            InstanceError: there is none, or it is not one of ours.
            VersionTooNewError: written by a newer version.
            TamperError: a table or trigger was added, removed or exchanged.
            LedgerUnavailableError: it cannot be opened for writing.
        """
        if not path.is_file():
            raise InstanceError(
                f"no ledger at {path}; create an instance with `liandong init DIR`",
                f"{path} 处没有台账；请先用 `liandong init 目录` 建立实例",
            )
        store = None
        try:
            store = cls(_connect(path, "ro" if read_only else "rw"), path)
            found = store._meta("format")
            if not re.fullmatch("[0-9]{1,9}", found):
                raise _not_a_ledger(path, f"format {found!r}")
            if int(found) > FORMAT_VERSION:
                raise VersionTooNewError(
                    f"{path} has format {found}, this program reads up to {FORMAT_VERSION}; install the newer version",
                    f"{path} 的格式版本为 {found}，本程序最高支持 {FORMAT_VERSION}；请安装新版本",
                )
            check_schema(store._db)
        except (sqlite3.Error, LedgerError) as error:
            if store is not None:
                store.close()
            if isinstance(error, LedgerError):
                raise
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _PASSING_ERRORS:
                raise unavailable(path, error) from error
            raise _not_a_ledger(path, str(error)) from error
        return store

    @property
    def origin(self) -> str:
        return self._meta("origin")

    def close(self) -> None:
        self._db.close()

    # -- writing: only the sequencer calls these ---------------------------------------------------------------

    def begin(self) -> None:
        """Take the write lock; raise :class:`sqlite3.OperationalError` when another holder keeps it too long.

        SQLite would sleep longer each time, up to a tenth of a second: with several processes that append, the one
        that waits would find the lock taken again and again. So it is asked for at short steps.
        """
        end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        self._db.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    self._db.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                    if not busy or time.monotonic() >= end:
                        raise
                time.sleep(_LOCK_STEP_S)
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def begin_alone(self) -> None:
        """Take the file for this connection alone, until it is closed, and begin to write.

        Raises :class:`sqlite3.OperationalError` while anybody else has it open: in WAL mode every open connection holds
        a shared lock on the file, and the exclusive mode wants all of it.
        """
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def grow_wal(self) -> None:
        """Bring the write-ahead log to the length at which it starts over, so that commits overwrite what is there.

        A commit that lengthens the file costs a fifth more. Nothing is committed: the pages are those of a
        transaction that is rolled back. Only speed hangs on it, so an error is left for the next append to tell.
        """
        wal = self.path.with_name(f"{self.path.name}-wal")
        try:
            if wal.exists() and wal.stat().st_size >= WAL_BYTES:
                return
            self._db.execute("PRAGMA cache_size = 10")  # so that pages are written out before the end
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("CREATE TABLE filler (content BLOB)")
            self._db.execute("INSERT INTO filler VALUES (zeroblob(?))", (WAL_BYTES,))
        except (sqlite3.Error, OSError):
            pass
        finally:
            with suppress(sqlite3.Error):
                self.rollback()
                self._db.execute("PRAGMA cache_size = -2000")  # SQLite's own

    def add_entries(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Insert (seq, entry, hash) in this order."""
        sql = "INSERT INTO entries VALUES (?, ?, ?)"
        self._db.executemany(sql, [(seq, entry.decode(), value) for seq, entry, value in rows])

    def add_entry(self, seq: int, entry: bytes, entry_hash: bytes) -> None:
        self.add_entries([(seq, entry, entry_hash)])

    def add_nodes(self, nodes: Iterable[tuple[Node, bytes]]) -> None:
        """Store those completed inner nodes that tiles and proofs read: every eighth level."""
        rows = [(level, index, value) for (level, index), value in nodes if level % HEIGHT == 0]
        if rows:
            self._db.executemany("INSERT INTO nodes VALUES (?, ?, ?)", rows)

    def cut_to(self, size: int) -> None:
        """Delete inner nodes and rows of the look-up table that reach beyond the first ``size`` entries."""
        self._db.execute("DELETE FROM nodes WHERE ((idx + 1) << level) > ?", (size,))
        if self.lookup_fields():
            self._db.execute(lookups.CUT, (size,))

    def add_once(self, keys: Sequence[str], seq: int) -> None:
        self._db.executemany("INSERT INTO once VALUES (?, ?)", [(key, seq) for key in keys])

    def add_particulars(self, seq: int, sealed: Sequence[Sealed]) -> None:
        self._db.executemany("INSERT INTO particulars VALUES (?, ?, ?)", [(seq, s.field, s.ciphertext) for s in sealed])
        self._db.executemany("INSERT INTO particular_keys VALUES (?, ?, ?)", [(seq, s.field, s.key) for s in sealed])

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Store the newest own checkpoint; of the older ones only the cosigned are kept."""
        # By the key: the cosigned ones become many, and none of them is to be looked at for each commit.
        newest = "(SELECT max(size) FROM checkpoints WHERE size < ?1)"
        sql = f"UPDATE checkpoints SET size = ?1, note = ?2 WHERE cosigned = 0 AND size = {newest}"  # noqa: S608
        if self._db.execute(sql, (size, note.decode())).rowcount == 0:
            self._db.execute("INSERT INTO checkpoints (size, note) VALUES (?, ?)", (size, note.decode()))

    def put_cosigned(self, size: int, note: bytes) -> None:
        """Keep ``note``, a checkpoint with more signatures, for good; it takes the place of the plain one."""
        self._db.execute(
            "INSERT INTO checkpoints (size, note, cosigned) VALUES (?, ?, 1) "
            "ON CONFLICT (size) DO UPDATE SET note = excluded.note, cosigned = 1",
            (size, note.decode()),
        )

    def destroy(self, particulars: Sequence[tuple[int, str]]) -> None:
        """Delete keys and ciphertexts of (seq, field) pairs; until :meth:`scrub` the file remembers that it is due."""
        self._db.execute("PRAGMA secure_delete = ON")
        self.begin()
        try:
            for table in ("particulars", "particular_keys"):
                self._db.executemany(f"DELETE FROM {table} WHERE seq = ? AND field = ?", particulars)  # noqa: S608
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('erasure', 'unfinished')")
            self.commit()
        finally:
            self.rollback()

    def scrub(self) -> bool:
        """Rewrite the file without what was deleted and empty the WAL; False while somebody still reads the old state.

        Deleting alone leaves copies: in the WAL, and where SQLite moved rows within and between pages. Raises
        :class:`sqlite3.Error` where another program writes, or the disk has no room for a second copy of the file.
        """
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("VACUUM")
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            return False
        self._db.execute("DELETE FROM meta WHERE key = 'erasure'")
        return True

    def ensure_lookups(self, fields: Sequence[str]) -> None:
        """Make the look-up table anew where an older version made it without some of ``fields``, or made indexes."""
        if not self._due_lookups(fields):
            return
        self.begin()
        try:
            for statement in self._due_lookups(fields):  # another process may have been faster
                self._db.execute(statement)
            self.commit()
        finally:
            self.rollback()
            self._lookups = None

    def _due_lookups(self, fields: Sequence[str]) -> list[str]:
        old = self._db.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND name GLOB 'entries_*'")
        known = lookups.fields_of(self._db)
        missing = [field for field in fields if field not in known]
        made = lookups.replace([*known, *missing]) if missing else []
        return [*(f"DROP INDEX {name.decode()}" for (name,) in old.fetchall()), *made]

    # -- reading -----------------------------------------------------------------------------------------------

    def head(self) -> Head:
        row = self._db.execute("SELECT seq, hash, entry FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(*row) if row else EMPTY_HEAD

    def rows(self) -> Iterator[tuple[int, bytes, bytes]]:
        """All of (seq, entry, stored hash), by seq."""
        yield from self._db.execute("SELECT seq, entry, hash FROM entries ORDER BY seq")

    def once_seq(self, key: str) -> int | None:
        """The entry that used ``key`` of a conditional append, if any."""
        row = self._db.execute("SELECT seq FROM once WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def lookup_fields(self) -> list[str]:
        """The top-level fields by which entries are looked up."""
        if self._lookups is None:
            self._lookups = lookups.fields_of(self._db)
        return self._lookups

    def last_seq(self, field: str, value: str) -> int | None:
        """The newest entry whose ``field`` equals ``value``, if any."""
        sql, values = self._wanted({field: [value]})
        row = self._db.execute(f"{sql} ORDER BY seq DESC LIMIT 1", values).fetchone()
        return row[0] if row else None

    def entry(self, seq: int) -> bytes:
        """The exact bytes of entry ``seq``.

        Raises:
            LedgerError: there is no such entry.
        """
        # SQLite has no integers from 2^63 on; a number from a URL or a command line may be any.
        known = 0 <= seq < 2**63
        row = self._db.execute("SELECT entry FROM entries WHERE seq = ?", (seq,)).fetchone() if known else None
        if row is None:
            raise LedgerError(f"there is no entry {seq} in this ledger", f"台账中没有第 {seq} 条")
        entry: bytes = row[0]
        return entry

    def newest(self, limit: int, *, before: int | None = None, where: dict[str, str] | None = None) -> list[bytes]:
        """The newest entries first, optionally only those whose fields equal ``where``."""
        end = _NO_LIMIT if before is None else max(0, min(before, _NO_LIMIT))
        sql, values = self._wanted({field: [value] for field, value in (where or {}).items()}, 0, end)
        values["limit"] = max(0, min(limit, _NO_LIMIT))
        return self._entries(f"{sql} ORDER BY seq DESC LIMIT :limit", values, "ORDER BY seq DESC")

    def since(self, start: int, field: str, wanted: Sequence[str], until: int | None = None) -> list[bytes]:
        """Entries from seq ``start`` to before ``until`` whose ``field`` is one of ``wanted``, oldest first."""
        sql, values = self._wanted({field: wanted}, start, _NO_LIMIT if until is None else until)
        return self._entries(sql, values, "ORDER BY seq")

    def count(self, start: int, field: str, value: str) -> int:
        """How many entries from seq ``start`` on have ``value`` in ``field``."""
        sql, values = self._wanted({field: [value]}, start)
        row = self._db.execute(f"SELECT count(*) FROM ({sql})", values).fetchone()  # noqa: S608 - our own SQL
        return int(row[0])

    def _wanted(self, wanted: lookups.Wanted, start: int = 0, end: int = _NO_LIMIT) -> tuple[str, dict[str, object]]:
        """SQL for the numbers of entries, and its parameters."""
        if wanted:
            sql, values = lookups.seqs(wanted, self.lookup_fields())
        else:
            sql, values = "SELECT seq FROM entries WHERE seq >= :start AND seq < :end", {}
        return sql, {**values, "start": start, "end": end}

    def _entries(self, seqs: str, values: dict[str, object], order: str) -> list[bytes]:
        sql = f"SELECT entry FROM ({seqs}) JOIN entries USING (seq) {order}"  # noqa: S608 - our own SQL
        return [row[0] for row in self._db.execute(sql, values)]

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Size and bytes of the newest checkpoint."""
        row = self._db.execute("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else None

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Sizes and bytes of all kept checkpoints, smallest first."""
        yield from self._db.execute("SELECT size, note FROM checkpoints ORDER BY size")

    def checkpoint_of(self, size: int) -> bytes | None:
        """The kept checkpoint of just this size, if there is one."""
        row = self._db.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
        return row[0] if row else None

    def cosigned(self) -> Iterator[tuple[int, bytes]]:
        """Sizes and bytes of the cosigned checkpoints, largest first."""
        yield from self._db.execute("SELECT size, note FROM checkpoints WHERE cosigned = 1 ORDER BY size DESC")

    def newest_cosigned(self) -> tuple[int, bytes] | None:
        """Size and bytes of the newest checkpoint that somebody cosigned."""
        sql = "SELECT size, note FROM checkpoints WHERE cosigned <> 0 ORDER BY size DESC LIMIT 1"
        row = self._db.execute(sql).fetchone()
        return (row[0], row[1]) if row else None

    def sealed(self, seq: int, commitments: dict[str, str]) -> Iterator[Sealed]:
        """The stored particulars of entry ``seq``, with the commitments its bytes name; erased ones are absent."""
        rows = self._db.execute(
            "SELECT field, key, ciphertext FROM particulars JOIN particular_keys USING (seq, field) WHERE seq = ?",
            (seq,),
        )
        for field, key, ciphertext in rows:
            name = field.decode()
            if name in commitments:
                yield Sealed(name, commitments[name], key, ciphertext)

    def kept(self, seq: int) -> list[str]:
        """The fields of entry ``seq`` of which a key or a ciphertext is still stored."""
        sql = "SELECT field FROM particulars WHERE seq = ?1 UNION SELECT field FROM particular_keys WHERE seq = ?1"
        return sorted(row[0].decode() for row in self._db.execute(sql, (seq,)))

    @property
    def scrub_due(self) -> bool:
        """Whether something was erased whose copies may still be in the file or its WAL."""
        return bool(self._meta("erasure"))

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Hashes of complete subtrees (:class:`ledger.log.merkle.HashReader`).

        At most one SQL read a tile; a node between stored levels is folded from the stored hashes below it.
        """
        spans: dict[tuple[int, int], tuple[int, int]] = {}
        for level, index in nodes:
            start, end = (index << level % HEIGHT), (index + 1 << level % HEIGHT)
            tile = level // HEIGHT, start // WIDTH
            known = spans.get(tile, (start, end))
            spans[tile] = min(known[0], start), max(known[1], end)
        rows = {tile: (start, self._hashes(tile[0], start, end)) for tile, (start, end) in spans.items()}
        found = []
        for level, index in nodes:
            begin, count = index << level % HEIGHT, 1 << level % HEIGHT
            start, hashes = rows[level // HEIGHT, begin // WIDTH]
            part = hashes[begin - start : begin - start + count]
            found.append(fold(part))
        return found

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a hash tile, in one read. Raises :class:`LedgerError` where the log is not that large."""
        return b"".join(self._hashes(tile.level or 0, tile.start, tile.start + tile.width))

    def bundle(self, tile: Tile) -> bytes:
        """The bytes of an entry bundle, in one read. Raises :class:`LedgerError` where the log is not that large."""
        sql = "SELECT entry FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
        entries = [row[0] for row in self._db.execute(sql, (tile.start, tile.start + tile.width))]
        self._check_count(len(entries), 0, tile.start, tile.width)
        return encode_bundle(entries)

    def _hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes ``start … end−1`` of a level of tiles."""
        if level == 0:
            rows = self._db.execute("SELECT hash FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq", (start, end))
        else:
            sql = "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
            rows = self._db.execute(sql, (level * HEIGHT, start, end))
        hashes = [row[0] for row in rows]
        self._check_count(len(hashes), level * HEIGHT, start, end - start)
        return hashes

    @staticmethod
    def _check_count(found: int, level: int, start: int, want: int) -> None:
        if found != want:
            raise LedgerError(
                f"the ledger's tree lacks hashes at level {level} from {start}; run `liandong ledger verify`",
                f"台账的树在第 {level} 层 {start} 起缺少哈希；请运行 `liandong ledger verify`",
            )

    def _meta(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0].decode(errors="replace") if row else ""


def unavailable(path: Path, error: sqlite3.Error) -> LedgerUnavailableError:
    """The error for a ledger that cannot be written or opened now."""
    return LedgerUnavailableError(
        f"the ledger {path.name} cannot be written now ({error}); nothing was recorded and no data was given. "
        "Free disk space, end the program that locks it or restore write permission, then try again",
        f"台账 {path.name} 目前无法写入（{error}）；未作记录，也未提供数据。"
        "请腾出磁盘空间、结束占用它的程序或恢复写权限后重试",
    )


def _not_a_ledger(path: Path, why: str) -> InstanceError:
    return InstanceError(
        f"{path} is not a ledger ({why}); restore it from a backup", f"{path} 不是台账文件（{why}）；请从备份恢复"
    )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,  # transactions are ours: BEGIN IMMEDIATE, never Python's implicit BEGIN
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_MS / 1000,
    )
    if mode == "rw":
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
    return connection
