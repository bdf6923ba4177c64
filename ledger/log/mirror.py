"""A mirror: a witness that also keeps the log's entries, so that they outlive the log's own file.

Entries hold commitments only, no particulars. They are fetched as entry bundles (c2sp.org/tlog-tiles) up to a
checkpoint that the witness cosigned, and kept only if they have just its root: all of a fetch or nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import InstanceError, LedgerUnavailableError, ProofError, TamperError
from ledger.log.export import CHECKPOINT_FILE
from ledger.log.merkle import HASH_BYTES, Frontier, leaf_hash
from ledger.log.tiles import WIDTH, Tile, bundles_of, decode_bundle, encode_bundle, fold
from ledger.log.verify_tiles import MAX_BUNDLE_BYTES, Source
from ledger.log.witness_state import Seen

_SCHEMA = """
BEGIN;
CREATE TABLE entries (seq INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
CREATE TABLE kept (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER, roots BLOB, note BLOB) STRICT;
INSERT INTO kept VALUES (1, 0, x'', x'');
PRAGMA user_version = 1;
COMMIT;
"""


class Mirror:
    """The entries of one log, in an SQLite file of their own. One thread at a time calls it."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            InstanceError: it is not a mirror's, or cannot be opened.
        """
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._db.executescript(_SCHEMA)
            path.chmod(0o600)
        except (sqlite3.Error, OSError) as error:
            raise InstanceError(
                f"the mirror {path} cannot be opened ({error}); delete it, it is fetched again",
                f"无法打开镜像文件 {path}（{error}）；可删除后重新获取",
            ) from error

    def close(self) -> None:
        self._db.close()

    @property
    def size(self) -> int:
        """How many entries are kept."""
        return int(self._db.execute("SELECT size FROM kept").fetchone()[0])

    def sync(self, source: Source, seen: Seen) -> int:
        """Fetch what is missing up to the cosigned checkpoint ``seen``; return how many entries that was.

        Raises:
            TamperError: what the log gives is not what it signed; nothing was kept.
            LedgerUnavailableError: the mirror cannot be written.
            LedgerError: the log cannot be read now, or gives something out of form.
        """
        with self._transaction():
            size, roots, _ = self._db.execute("SELECT size, roots, note FROM kept").fetchone()
            if seen.size <= size:
                return 0
            frontier = Frontier(size, [roots[at : at + HASH_BYTES] for at in range(0, len(roots), HASH_BYTES)])
            for bundle in bundles_of(seen.size):
                if bundle.start + bundle.width > size:
                    self._take(source, bundle, frontier)
            if frontier.root() != seen.root:
                raise TamperError(
                    f"the first {seen.size} entries that the log gives have root {frontier.root().hex()}, it signed "
                    f"{seen.root.hex()}: they are not the ones that were cosigned; nothing was kept",
                    f"台账给出的前 {seen.size} 条的根为 {frontier.root().hex()}，而其所签为 {seen.root.hex()}："
                    "并非见证过的条目；未予保存",
                )
            self._db.execute(
                "UPDATE kept SET size = ?, roots = ?, note = ?", (seen.size, b"".join(frontier.roots()), seen.note)
            )
            return int(seen.size - size)

    def write(self, folder: Path) -> int:
        """Write checkpoint, entry bundles and hash tiles as an exported directory; return its size.

        Raises:
            ProofError: nothing was fetched yet.
            InstanceError: the folder exists and is not empty, or cannot be written.
        """
        size, note = self._db.execute("SELECT size, note FROM kept").fetchone()
        if not size:
            raise ProofError("the mirror is still empty", "镜像尚无内容")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise InstanceError(
                    f"{folder} is not empty; choose a new folder, nothing was changed",
                    f"{folder} 不是空目录；请另选目录，未作任何更改",
                )
            row: list[bytes] = []
            for bundle in bundles_of(size):
                entries = self._entries(bundle)
                _put(folder, bundle, encode_bundle(entries))
                row += [leaf_hash(entry) for entry in entries]
            level = 0
            while row:
                row = _write_level(folder, level, row)
                level += 1
            (folder / CHECKPOINT_FILE).write_bytes(note)
        except OSError as error:
            raise InstanceError(
                f"{folder} cannot be written ({error.strerror}); free disk space or choose another folder",
                f"无法写入 {folder}（{error.strerror}）；请腾出空间或另选目录",
            ) from error
        return int(size)

    def _take(self, source: Source, bundle: Tile, frontier: Frontier) -> None:
        entries = decode_bundle(source.read(f"tile/{bundle.path}", MAX_BUNDLE_BYTES), bundle)
        for seq, entry in enumerate(entries, bundle.start):
            if seq == frontier.size:
                frontier.append(leaf_hash(entry))
                self._db.execute("INSERT INTO entries VALUES (?, ?)", (seq, entry))

    def _entries(self, bundle: Tile) -> list[bytes]:
        rows = self._db.execute(
            "SELECT entry FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq",
            (bundle.start, bundle.start + bundle.width),
        )
        return [row[0] for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise LedgerUnavailableError(
                f"the mirror {self.path} cannot be written ({error}); free disk space, it is fetched again",
                f"镜像 {self.path} 无法写入（{error}）；请腾出磁盘空间，稍后会重新获取",
            ) from error


def _write_level(folder: Path, level: int, row: list[bytes]) -> list[bytes]:
    """Write the tiles over ``row``, the hashes of one level; return the hashes of the next."""
    above = []
    for index in range(0, len(row), WIDTH):
        part = row[index : index + WIDTH]
        _put(folder, Tile(level, index // WIDTH, len(part)), b"".join(part))
        if len(part) == WIDTH:
            above.append(fold(part))
    return above


def _put(folder: Path, tile: Tile, data: bytes) -> None:
    file = folder / "tile" / tile.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
