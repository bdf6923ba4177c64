"""A log as a directory of static files, as c2sp.org/tlog-tiles lays them out: ``checkpoint``, ``tile/…``.

Any web server can publish it and any tlog-tiles client read it. The checkpoint is written last, so a directory never
promises more than it holds; each file is written beside its place and moved there whole. A run that was interrupted is
run again and goes on where it ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from ledger.errors import LedgerError, TamperError
from ledger.log.keychain import KeyChain
from ledger.log.merkle import HASH_BYTES, HashReader, tree_root
from ledger.log.note import Checkpoint
from ledger.log.tiles import WIDTH, Tile, TileReader, bundles_of, decode_bundle, decode_tile, tiles_of

CHECKPOINT_FILE = "checkpoint"
Progress = Callable[[int], None]


class TileSource(HashReader, Protocol):
    """What an export reads: :class:`ledger.log.store.Store`."""

    def tile(self, tile: Tile) -> bytes: ...

    def bundle(self, tile: Tile) -> bytes: ...


class ExportError(LedgerError):
    """A directory that cannot be written, or that holds an export of something else."""

    exit_code = 2


class TileDirectory:
    """A directory of tiles, read.

    Nothing that it gives is verified; :mod:`ledger.log.verify_tiles` does that.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def checkpoint(self) -> bytes:
        """The signed checkpoint's bytes. Raises :class:`ExportError` if there is none."""
        return self._read(self.path / CHECKPOINT_FILE)

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a hash tile; a partial one may be cut from the full one that took its place."""
        full = self.file(Tile(tile.level, tile.index))
        exact = self.file(tile)
        if not exact.exists() and full.exists():
            return self._read(full)[: tile.width * HASH_BYTES]
        return self._read(exact)

    def entries(self, size: int) -> Iterator[bytes]:
        """The first ``size`` entries, a bundle at a time. Raises :class:`NoteError`, :class:`ExportError`."""
        for bundle in bundles_of(size):
            yield from decode_bundle(self._read(self.file(bundle)), bundle)

    def reader(self, size: int) -> TileReader:
        """The hashes of a tree of ``size`` leaves (:class:`ledger.log.merkle.HashReader`)."""
        return TileReader(size, self.tile)

    def file(self, tile: Tile) -> Path:
        """Where a tile lies."""
        return self.path / "tile" / tile.path

    def _read(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise ExportError(
                f"{file} cannot be read ({error.strerror}); export the log again into this directory",
                f"无法读取 {file}（{error.strerror}）；请重新导出到该目录",
            ) from error


def export(
    source: TileSource,
    checkpoint: bytes,
    keys: KeyChain,
    path: Path,
    *,
    with_entries: bool = True,
    progress: Progress | None = None,
) -> Checkpoint:
    """Write the log of ``checkpoint`` from ``source`` into directory ``path``, new or an earlier export of it.

    Args:
        with_entries: entry bundles too; without them the directory holds hashes alone and may be public.
        progress: called with the number of files done since the last call.

    Returns:
        The checkpoint now in the directory.

    Raises:
        ExportError: it cannot be written, or holds a log that this one does not extend.
        TamperError: what is stored does not lead to the checkpoint; no checkpoint was written.
        NoteError: ``checkpoint`` or the one in the directory is not signed by the log's key.
    """
    head = keys.open(checkpoint)
    if tree_root(head.size, source) != head.root:
        raise TamperError(
            "the stored tree does not lead to the signed checkpoint: stored bytes were altered, nothing was exported; "
            "run `liandong ledger verify`",
            "所存的树与已签名的检查点不符：字节被改动，未作导出；请运行 `liandong ledger verify`",
        )
    directory = TileDirectory(path)
    done = _exported_size(directory, source, head, keys)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for tile in tiles_of(head.size):
            _put(directory.file(tile), lambda tile=tile: source.tile(tile), tile, done)  # type: ignore[misc]
            (progress or (lambda _: None))(1)
        for bundle in bundles_of(head.size) if with_entries else ():
            _put(directory.file(bundle), lambda bundle=bundle: source.bundle(bundle), bundle, done)  # type: ignore[misc]
            (progress or (lambda _: None))(1)
        _write_whole(path / CHECKPOINT_FILE, checkpoint)
        _remove_overtaken(directory, head.size)
    except OSError as error:
        raise ExportError(
            f"{error.filename or path} cannot be written ({error.strerror}); free disk space or restore permission, "
            "then export again, it goes on where it ended",
            f"无法写入 {error.filename or path}（{error.strerror}）；请腾出空间或恢复权限后重新导出，将从中断处继续",
        ) from error
    return head


def _exported_size(directory: TileDirectory, source: TileSource, head: Checkpoint, keys: KeyChain) -> int:
    """The size of the checkpoint that the directory holds, shown to be a prefix of ``head``; 0 without one."""
    if not (directory.path / CHECKPOINT_FILE).exists():
        if directory.path.is_dir() and any(
            item.name not in ("tile", f"{CHECKPOINT_FILE}.new") for item in directory.path.iterdir()
        ):
            raise ExportError(
                f"{directory.path} is not empty and not an export; choose a new directory, nothing was changed",
                f"{directory.path} 不是空目录，也不是导出目录；请另选目录，未作任何更改",
            )
        return 0
    known = keys.open(directory.checkpoint())
    if known.size > head.size or tree_root(known.size, source) != known.root:
        raise TamperError(
            f"{directory.path} holds a signed checkpoint of {known.size} entries that this log ({head.size} entries) "
            "does not extend: the log was rolled back or rewritten. Keep the directory as proof and tell the "
            "supervising office",
            f"{directory.path} 中有涵盖 {known.size} 条的已签名检查点，而本台账（{head.size} 条）并非其延续："
            "台账被回滚或改写。请保留该目录作为证据，并报告监督机构",
        )
    return known.size


def _put(file: Path, read: Callable[[], bytes], tile: Tile, done: int) -> None:
    """Write one file unless it is there: of what the directory's own checkpoint covers, or with the same bytes."""
    covered = tile.width == WIDTH and (tile.index + 1) * WIDTH ** ((tile.level or 0) + 1) <= done
    if covered and file.exists():
        return
    data = read()
    if tile.level is not None:
        decode_tile(data, tile)
    if not (file.exists() and file.read_bytes() == data):
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(file, data)


def _remove_overtaken(directory: TileDirectory, size: int) -> None:
    """Remove partial tiles whose full tile is there: tlog-tiles lets a log do so."""
    for tile in [*tiles_of(size), *bundles_of(size)]:
        partial = directory.file(tile).with_name(f"{directory.file(tile).name}.p")
        if tile.width == WIDTH and partial.is_dir():
            for file in partial.iterdir():
                file.unlink()
            partial.rmdir()


def _write_whole(file: Path, data: bytes) -> None:
    """Write beside its place, sync, move there, sync the folder: never half a file, not even after a power cut."""
    unfinished = file.with_name(f"{file.name}.new")
    with unfinished.open("wb") as new:
        new.write(data)
        new.flush()
        os.fsync(new.fileno())
    unfinished.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
