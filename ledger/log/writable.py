"""Could an entry be appended now? Found out without appending one, for whoever asks whether the service is ready."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.errors import LedgerUnavailableError
from ledger.log.note import Note, VerifierKey
from ledger.log.store import unavailable

#: How long another writer may hold the lock before that is a fault.
LOCK_WAIT_S = 1.0
#: Less room than this and appends are about to fail.
LEAST_FREE_BYTES = 16 * 1024 * 1024


def check(path: Path, key: VerifierKey, head: Path | None) -> None:
    """Take the write lock, write inside a transaction, and roll it back.

    Args:
        path: the ledger file.
        key: of the key that this process signs with.
        head: the record of the head outside the database, whose folder must be writable too.

    Raises:
        LedgerUnavailableError: locked, read-only, no room, or the log's key was rotated while this process ran.
    """
    _check_room(path)
    if head is not None and not os.access(head.parent, os.W_OK):
        raise LedgerUnavailableError(
            f"{head.parent} cannot be written, so the ledger's head cannot be kept; restore write permission",
            f"{head.parent} 无法写入，台账末端无法留存；请恢复写权限",
        )
    try:
        with closing(_connect(path)) as db:
            db.execute("BEGIN IMMEDIATE")
            # A file that may only be read lets a transaction begin; writing fails. It never leaves this connection.
            db.execute("INSERT OR REPLACE INTO meta VALUES ('probe', '')")
            newest = db.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    if newest is not None:
        _check_key(newest[0].encode(), key)


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_WAIT_S)


def _check_room(path: Path) -> None:
    try:
        found = os.statvfs(path.parent)
    except OSError as error:
        raise LedgerUnavailableError(
            f"{path.parent} cannot be read ({error.strerror}); restore the folder or its permissions",
            f"无法读取 {path.parent}（{error.strerror}）；请恢复该目录或其权限",
        ) from error
    free = found.f_bavail * found.f_frsize
    if free < LEAST_FREE_BYTES:
        raise LedgerUnavailableError(
            f"only {free} bytes are free where the ledger lies, want {LEAST_FREE_BYTES}; free disk space",
            f"台账所在磁盘仅余 {free} 字节，至少需要 {LEAST_FREE_BYTES} 字节；请腾出磁盘空间",
        )


def _check_key(note: bytes, key: VerifierKey) -> None:
    ids = [signature.key_id for signature in Note.parse(note).signatures if signature.name == key.name]
    if ids and ids[-1] != key.key_id:  # the newest key signs last
        raise LedgerUnavailableError(
            "the ledger's key was rotated while this program was running; restart it so that it signs with the new key",
            "本程序运行期间台账密钥已更换；请重启程序以使用新密钥",
        )
