"""Files of agencies -> records, with every value as it stands: text stays text, ``00123`` and ``NA`` too.

A :class:`SourceFile` is opened once and read in passes over the same descriptor, so memory stays modest and
what is hashed is what is loaded. The formats are in :mod:`ingest.read_csv` and :mod:`ingest.read_json`.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ingest import read_csv, read_json
from ingest.encoding import CHUNK_BYTES, detect_encoding
from ingest.errors import ReadError
from ingest.records import Record, RowUnit, Scan

ACCEPTED = "csv, tsv, json, jsonl"

_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_WORKBOOKS = {".xlsx", ".xls", ".et", ".ods"}


@dataclass(frozen=True)
class SourceFile:
    """An open file, checked from end to end: it decodes, it parses, and its columns are known.

    ``row_unit`` says what a record's number counts: lines of the file (CSV, JSON Lines) or records (JSON).
    """

    name: str
    format: str
    encoding: str
    size_bytes: int
    sha256: bytes
    row_unit: RowUnit
    scan: Scan
    _read: Callable[[], Iterator[Record]] = field(repr=False)
    _unchanged: Callable[[], bool] = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The folded headers or keys, in order of first appearance."""
        return self.scan.columns

    def records(self) -> Iterator[Record]:
        """Yield the records from the beginning; may be called again, but not twice at once."""
        return self._read()

    def confirm(self) -> None:
        """Call after the last record and before anything is written.

        Raises:
            ReadError: the file changed meanwhile, so its digest may not be that of what was read.
        """
        if not self._unchanged():
            raise ReadError(
                f"{self.name} changed while it was read; load it again",
                f"{self.name} 在读取过程中被改动；请重新导入",
            )


@contextmanager
def open_source(path: Path, *, delimiter: str | None = None, encoding: str | None = None) -> Iterator[SourceFile]:
    """Open ``path`` and yield it as a :class:`SourceFile`.

    Raises:
        ReadError: missing, not a regular file, unreadable, empty, a format or encoding that is not read, or broken
            inside; names the place and the cure.
    """
    kind = _format_of(path)
    try:
        # Before it is opened: opening a pipe waits for its writer, and a device never ends.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise _not_a_file(path, mode)
        stream = path.open("rb")
    except OSError as error:
        raise ReadError(
            f"cannot open {path}: {error.strerror}; check the path and its permissions",
            f"无法打开 {path}：{error.strerror}；请检查路径和权限",
        ) from error
    with stream:
        before = os.fstat(stream.fileno())
        sha256 = _digest(stream, path.name)
        used = detect_encoding(stream, path.name, encoding)
        row_unit, scan, read = _reader(stream, kind, used, path.name, delimiter)
        if scan.rows == 0:
            raise ReadError(
                f"{path.name} holds no rows; nothing was read (check that it is the right file)",
                f"{path.name} 中没有数据行，未读取任何内容（请确认文件是否正确）",
            )

        def unchanged() -> bool:
            after = os.fstat(stream.fileno())
            return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)

        yield SourceFile(path.name, kind, used, before.st_size, sha256, row_unit, scan, read, unchanged)


def _format_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _WORKBOOKS:
        raise _workbook(path.name)
    kind = _SUFFIXES.get(suffix)
    if kind is None:
        raise ReadError(
            f"{path.name}: the ending {suffix or '(none)'} is not known; accepted formats: {ACCEPTED}",
            f"{path.name}：无法识别后缀 {suffix or '（无）'}；可用格式：{ACCEPTED}",
        )
    return kind


def _not_a_file(path: Path, mode: int) -> ReadError:
    if stat.S_ISDIR(mode):
        return ReadError(
            f"{path} is a directory; name the files in it that are to be read",
            f"{path} 是目录；请指明其中要读取的文件",
        )
    return ReadError(
        f"{path} is a pipe, device or socket, not a regular file; save its content to a file and give that",
        f"{path} 是管道、设备或套接字，不是普通文件；请先将内容存为文件再导入",
    )


def _workbook(name: str) -> ReadError:
    return ReadError(
        f"{name} is a spreadsheet workbook, which is not read yet; save the sheet as CSV. Accepted formats: {ACCEPTED}",
        f"{name} 是电子表格工作簿，目前尚不支持；请将工作表另存为 CSV。可用格式：{ACCEPTED}",
    )


def _digest(stream: BinaryIO, name: str) -> bytes:
    """SHA-256 of the whole stream; its first bytes must not be those of another kind of file."""
    digest = hashlib.sha256()
    first = True
    while chunk := stream.read(CHUNK_BYTES):
        if first:
            _refuse_foreign(chunk, name)
            first = False
        digest.update(chunk)
    if first:
        raise ReadError(
            f"{name} is empty (0 bytes); check that it was exported whole", f"{name} 是空文件（0 字节）；请确认导出完整"
        )
    return digest.digest()


def _refuse_foreign(chunk: bytes, name: str) -> None:
    if chunk.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _workbook(name)
    if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in chunk[:4096]:
        raise ReadError(
            f"{name} is UTF-16 or binary, not text in UTF-8 or GB18030; save it again as UTF-8",
            f"{name} 是 UTF-16 或二进制文件，不是 UTF-8 或 GB18030 文本；请另存为 UTF-8",
        )


def _reader(
    stream: BinaryIO, kind: str, encoding: str, name: str, delimiter: str | None
) -> tuple[RowUnit, Scan, Callable[[], Iterator[Record]]]:
    def text() -> TextIO:
        return _Rewound(stream, encoding)

    if kind in ("csv", "tsv"):
        csv_file = read_csv.CsvFile(text, name, delimiter, tab_expected=kind == "tsv")
        return "line", csv_file.scan(), csv_file.records
    if delimiter is not None:
        raise ReadError(
            f"{name} is {kind}, which has no delimiter; leave it out",
            f"{name} 是 {kind} 格式，没有分隔符；请去掉该选项",
        )
    if kind == "json":
        array = read_json.JsonArray(text, name)
        return "record", array.scan(), array.records
    lines = read_json.JsonLines(text, name)
    return "line", lines.scan(), lines.records


class _Rewound(io.TextIOWrapper):
    """Text over a shared byte stream from its beginning, which leaves the stream open when it is dropped."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        stream.seek(0)
        super().__init__(_KeepOpen(stream), encoding=encoding, errors="strict", newline="")


class _KeepOpen(io.BufferedReader):
    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(_Raw(stream), CHUNK_BYTES)


class _Raw(io.RawIOBase):
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
