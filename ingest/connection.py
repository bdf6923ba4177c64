"""Connections to the category databases: who begins and ends transactions, and what SQLite's refusals mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ingest.errors import LoadError

#: How long to wait for another writer before saying that the database is busy.
BUSY_TIMEOUT_S = 10.0


@contextmanager
def connect(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database in autocommit mode (transactions are begun by :func:`transaction` only).

    Raises:
        LoadError: there is no such file and ``create`` is false.
    """
    if not create and not path.is_file():
        raise LoadError(
            f"the database {path} does not exist; create the instance first with `liandong init`",
            f"数据库 {path} 不存在；请先用 `liandong init` 创建实例",
        )
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    with closing(connection):
        # The staging table may be large: it belongs on disk.
        connection.execute("PRAGMA temp_store=FILE")
        connection.execute("PRAGMA synchronous=FULL")
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """``BEGIN IMMEDIATE`` … ``COMMIT``; rolled back if the block raises, KeyboardInterrupt included."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about ``path`` into :class:`~ingest.errors.LoadError`; nothing was committed."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LoadError(
                f"{path} is being written by another process; nothing was changed, try again",
                f"{path} 正被另一进程写入；未作任何改动，请重试",
            ) from error
        raise _unusable(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: sqlite3.Error) -> LoadError:
    return LoadError(
        f"{path} cannot be written ({error}); nothing was changed: check the disk, the permissions and that the file "
        "is a database of this instance",
        f"{path} 无法写入（{error}）；未作任何改动：请检查磁盘、权限，并确认该文件是本实例的数据库",
    )
