"""Where an answer waits for its entry: in memory while it is small, else in a file without a name.

A large answer must be whole, hashed and recorded before its first byte leaves, and the service's memory must not grow
with it. Its file lies in the instance's own folder ``spool/`` (0700), is the service's alone (0600) and has no name
from its first moment on, so that a crash leaves nothing behind and nobody can open it. What one answer and all answers
together may take is bounded.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from catalog.errors import RequestError

#: An answer up to this size never touches the disk; the unit in which a larger one is written, read and sent.
CHUNK_BYTES = 256 * 1024
#: What all answers of one process may take on disk together, in answers of the largest size.
_ANSWERS_AT_ONCE = 4


class TooLargeError(RequestError):
    """The answer is larger than one answer may be: 413."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            413,
            f"the answer is larger than {limit_bytes // 2**20} MB, the most that is given at once; narrow it with "
            "another condition, or have the operator raise max_csv_mb in datasette.yml",
            f"答复超过一次可提供的上限 {limit_bytes // 2**20} MB；请增加条件、缩小范围，"
            "或请运维人员在 datasette.yml 中调高 max_csv_mb",
        )


class Room:
    """The folder of the spools, and how much of it is in use. One for each process.

    Args:
        answer_bytes: the most that one answer may take, in memory or on disk.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, answer_bytes: int) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self.answer_bytes = answer_bytes
        self._free_bytes = _ANSWERS_AT_ONCE * answer_bytes
        self._lock = threading.Lock()

    def open(self) -> Spool:
        """An empty spool. Close it."""
        return Spool(self)

    def take(self, size_bytes: int) -> None:
        """Reserve disk space. Raises :class:`RequestError` 503 while others have it all."""
        with self._lock:
            if size_bytes > self._free_bytes:
                raise RequestError(
                    503,
                    "other large answers are being given at the moment; ask again in a minute, or narrow the query",
                    "目前正在提供其他大型答复；请一分钟后再查，或缩小查询范围",
                )
            self._free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self._free_bytes += size_bytes


class Spool:
    """The bytes of one answer: written in order, then read as often as wanted. One task uses it at a time."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._waiting = bytearray()
        self._descriptor: int | None = None
        self._stored_bytes = 0
        self._hash = hashlib.sha256()
        # A cancelled task leaves its thread at work; meanwhile the descriptor must not be closed and taken by another.
        self._at_work = threading.Lock()

    @property
    def size_bytes(self) -> int:
        return self._stored_bytes + len(self._waiting)

    @property
    def on_disk(self) -> bool:
        return self._descriptor is not None

    @property
    def in_memory(self) -> bytes:
        """What has not gone to the disk: everything, where :attr:`on_disk` is false."""
        return bytes(self._waiting)

    async def write(self, data: bytes) -> None:
        """Add ``data``.

        Raises:
            TooLargeError: it would be more than one answer may be.
            RequestError: 503, the disk or the room for answers is full.
        """
        if self.size_bytes + len(data) > self._room.answer_bytes:
            raise TooLargeError(self._room.answer_bytes)
        self._waiting += data
        if len(self._waiting) > CHUNK_BYTES:
            await asyncio.to_thread(self._store)

    async def sha256(self) -> str:
        """The digest of all bytes, in hex."""
        if self._descriptor is not None and self._waiting:
            await asyncio.to_thread(self._store)
        whole = self._hash.copy()
        whole.update(self._waiting)
        return whole.hexdigest()

    async def chunks(self) -> AsyncIterator[bytes]:
        """All bytes, in pieces of at most :data:`CHUNK_BYTES` while they come from the disk."""
        offset = 0
        while offset < self._stored_bytes:
            data = await asyncio.to_thread(self._load, offset)
            offset += len(data)
            yield data
        if self._waiting:
            yield self.in_memory

    def clear(self) -> None:
        """Forget everything that was written, and give back what it took."""
        with self._at_work:
            self._waiting.clear()
            self._hash = hashlib.sha256()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
            self._room.give_back(self._stored_bytes)
            self._stored_bytes = 0

    close = clear

    def _store(self) -> None:
        """Move what waits into the file."""
        with self._at_work:
            size_bytes = len(self._waiting)
            self._room.take(size_bytes)
            try:
                if self._descriptor is None:
                    self._descriptor = _unnamed_file(self._room.folder)
                _write_all(self._descriptor, self._waiting)
            except OSError as error:
                self._room.give_back(size_bytes)
                raise _cannot_keep(error) from error
            self._hash.update(self._waiting)
            self._stored_bytes += size_bytes
            self._waiting.clear()

    def _load(self, offset: int) -> bytes:
        with self._at_work:
            data = os.pread(self._descriptor, CHUNK_BYTES, offset) if self._descriptor is not None else b""
        if not data:
            raise OSError(errno.EIO, "an answer's spool was cut off")
        return data


def _cannot_keep(error: OSError) -> RequestError:
    return RequestError(
        503,
        f"the answer cannot be kept until it is recorded ({error.strerror}); the operator must free disk space or "
        "restore write permission, then ask again",
        f"答复在记入台账前无法暂存（{error.strerror}）；请运维人员腾出磁盘空间或恢复写权限后再查",
    )


def _write_all(descriptor: int, data: bytearray) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(descriptor, view[done:])


def _unnamed_file(folder: Path) -> int:
    """A file of mode 0600 that has no name, open for reading and writing."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT):
            raise
    # A file system without unnamed files, some network ones: the name is gone before anything is written.
    descriptor, name = tempfile.mkstemp(dir=folder)
    Path(name).unlink()
    return descriptor
