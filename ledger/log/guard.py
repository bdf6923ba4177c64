"""The head outside the database: the largest size that this machine has seen committed, and its root.

An older copy of the database is whole in itself; only a record that lies elsewhere and never goes back shows that it
is older (DESIGN §2, invariant I2). The record may lag behind the database, by a second at most while entries are
appended, and never leads it: it is written after the commit.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger.errors import InstanceError, LedgerError, LedgerUnavailableError, NoteError, RollbackError, TamperError
from ledger.log.note import Checkpoint

#: The longest that the record waits after a commit while it is being written at all.
INTERVAL_S = 0.5


class HeadGuard:
    """Keeps the file at ``path`` for the log named ``origin``: the three lines of a checkpoint, unsigned.

    Several processes may keep the same file: each write is decided under a file lock.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self._path = path
        self._origin = origin
        self._newest: Checkpoint | None = None  # the last commit; set by the sequencer's leader
        self._written: Checkpoint | None = None
        self._failure: LedgerError | None = None
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def read(self) -> Checkpoint | None:
        """The recorded head, or None where none was recorded yet.

        Raises:
            InstanceError: the file is damaged, of another log, or cannot be read.
        """
        try:
            checkpoint = Checkpoint.parse_text(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror or str(error), error.strerror or str(error)) from error
        except NoteError as error:
            raise self._unreadable(error.en, error.zh) from error
        if checkpoint.origin != self._origin:
            raise self._unreadable(f"it is of log {checkpoint.origin[:80]!r}", f"它属于日志 {checkpoint.origin[:80]!r}")
        return checkpoint

    def check(self, size: int, root_at: Callable[[int], bytes]) -> None:
        """Raise unless a database of ``size`` entries is the recorded one or has grown from it.

        Args:
            root_at: the root of the database's first n entries; asked only for n from 1 to ``size``.

        Raises:
            RollbackError: it is shorter than what was recorded, or another log.
            InstanceError: as :meth:`read`.
        """
        recorded = self.read()
        if recorded is not None:
            check_head(recorded, size, root_at, str(self._path))

    def committed(self, checkpoint: Checkpoint) -> None:
        """Take note of a commit; the file follows within :data:`INTERVAL_S`, in a thread of its own."""
        self._newest = checkpoint
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger-head", daemon=True)
            self._thread.start()
        if not self._wanted.is_set():  # asking costs less than setting, and this is done for each commit
            self._wanted.set()

    def ensure(self) -> None:
        """Raise if the last attempt to write failed and another one now fails too; called before each commit.

        Raises:
            LedgerUnavailableError: the file cannot be written: nothing is appended that the guard cannot follow.
            TamperError: the file records another root for a size that was committed here.
        """
        if self._failure is not None:
            self._failure = None
            self._write()

    def close(self) -> None:
        """Write the last head and stop. A disk that is full now leaves the file behind, which it may be."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        with suppress(LedgerUnavailableError):  # it may lag: the next start reads an older head, which the log extends
            self._write()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._write()
            except LedgerError as error:
                self._failure = error  # raised by ensure(), where somebody waits for an answer
            self._closing.wait(INTERVAL_S)

    def _write(self) -> None:
        with self._writing:
            newest = self._newest
            if newest is None or newest is self._written:
                return
            try:
                with self._locked():
                    self._advance(newest)
            except OSError as error:
                raise LedgerUnavailableError(
                    f"{self._path} cannot be written ({error.strerror}); nothing is appended that it cannot record. "
                    "Free disk space or restore write permission, then try again",
                    f"{self._path} 无法写入（{error.strerror}）；它记不下的内容一律不追加。"
                    "请腾出磁盘空间或恢复写权限后重试",
                ) from error
            self._written = newest

    def _advance(self, newest: Checkpoint) -> None:
        recorded = self.read()
        if recorded is not None and recorded.size == newest.size and recorded.root != newest.root:
            raise TamperError(
                f"two logs of {newest.size} entries: {self._path} records root {recorded.root.hex()}, just committed "
                f"was {newest.root.hex()}: two copies of this ledger are in use, stop one",
                f"出现两份各 {newest.size} 条的日志：{self._path} 记录的根为 {recorded.root.hex()}，"
                f"刚写入的为 {newest.root.hex()}：同一台账有两份副本在用，请停用其一",
            )
        if recorded is None or recorded.size < newest.size:
            self._replace(newest.text())

    def _replace(self, data: bytes) -> None:
        unfinished = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: the record itself is replaced at each write.
        descriptor = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _unreadable(self, en: str, zh: str) -> InstanceError:
        return InstanceError(
            f"{self._path} cannot be read as the record of the log's head ({en}). See with `liandong ledger verify` "
            "and a witness's last checkpoint that the ledger is the newest copy; then remove that file",
            f"{self._path} 无法作为日志末端的记录读取（{zh}）。请先用 `liandong ledger verify` 并对照"
            "见证方的最新检查点，确认台账是最新的一份；然后删除该文件",
        )


def check_head(recorded: Checkpoint, size: int, root_at: Callable[[int], bytes], where: str) -> None:
    """Raise :class:`RollbackError` unless a log of ``size`` entries extends the ``recorded`` head.

    Args:
        root_at: the root of the log's first n entries; asked only for the recorded size, from 1 to ``size``.
        where: what holds the record, for the message.
    """
    if size < recorded.size:
        found = root_at(size).hex() if size else "none"
        raise RollbackError(
            f"the ledger has {size} entries (root {found}), but {where} records {recorded.size} entries (root "
            f"{recorded.root.hex()}): an older copy of the ledger was put in place. Nothing is appended to it; put the "
            "newer copy back, or refill it from a mirror with `liandong restore`",
            f"台账有 {size} 条（根 {found}），而 {where} 记录的是 {recorded.size} 条（根 {recorded.root.hex()}）："
            "台账被换成了较旧的副本。不再向其追加；请换回较新的一份，或用 `liandong restore` 从镜像补齐",
        )
    found = root_at(recorded.size).hex() if recorded.size else recorded.root.hex()
    if found != recorded.root.hex():
        raise RollbackError(
            f"the ledger's first {recorded.size} entries have root {found}, but {where} records {recorded.size} "
            f"entries with root {recorded.root.hex()}: this is another ledger, or an older copy that went its own way. "
            "Nothing is appended to it; put the right copy back",
            f"台账前 {recorded.size} 条的根为 {found}，而 {where} 记录的 {recorded.size} 条的根为 "
            f"{recorded.root.hex()}：这是另一份台账，或是自行增长过的较旧副本。不再向其追加；请换回正确的一份",
        )
