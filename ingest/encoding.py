"""Which encoding a file is in: UTF-8 (with or without BOM) or GB18030, each strictly; nothing else is tried."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from ingest.errors import ReadError

CHUNK_BYTES = 1 << 20

#: Names as Python knows them. ``utf-8-sig`` reads UTF-8 with and without BOM.
UTF8 = "utf-8-sig"
GB18030 = "gb18030"

_ASKED = {
    "utf-8": UTF8,
    "utf8": UTF8,
    "utf-8-sig": UTF8,
    "gb18030": GB18030,
    "gbk": GB18030,
    "gb2312": GB18030,
}


def detect_encoding(stream: BinaryIO, name: str, asked: str | None = None) -> str:
    """Return :data:`UTF8` or :data:`GB18030` for the whole of ``stream`` (read from its beginning).

    A file is UTF-8 if all of it is. If not, it is GB18030 only if all of it is that and it does not look like
    UTF-8 with a damaged place: a damaged UTF-8 file often decodes as GB18030, into other characters.
    ``asked`` (an encoding the operator named) is then checked instead of guessed at.

    Raises:
        ReadError: which byte, where, and the cure.
    """
    if asked is not None:
        return _check_asked(stream, name, asked)
    utf8_error = _first_error(stream, UTF8)
    if utf8_error is None:
        return UTF8
    if _is_mostly_utf8(stream):
        raise _wrong_encoding(name, "UTF-8", utf8_error)
    gb18030_error = _first_error(stream, GB18030)
    if gb18030_error is not None:
        raise _wrong_encoding(name, "GB18030", gb18030_error)
    return GB18030


def _check_asked(stream: BinaryIO, name: str, asked: str) -> str:
    encoding = _ASKED.get(asked.lower())
    if encoding is None:
        raise ReadError(
            f"encoding {asked!r} is not read; use utf-8 or gb18030", f"不支持编码 {asked!r}；请用 utf-8 或 gb18030"
        )
    error = _first_error(stream, encoding)
    if error is not None:
        raise _wrong_encoding(name, "UTF-8" if encoding == UTF8 else "GB18030", error)
    return encoding


def _first_error(stream: BinaryIO, encoding: str) -> tuple[int, int, int] | None:
    """Return (offset in bytes from 0, line from 1, the byte) of the first byte that does not decode, or None."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    stream.seek(0)
    done_bytes = 0
    lines = 1
    while True:
        chunk = stream.read(CHUNK_BYTES)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # ``error.object`` is what the decoder held back from before, then this chunk.
            offset = done_bytes + len(chunk) - len(error.object) + error.start
            line = lines + error.object[: error.start].count(b"\n")
            return offset, line, error.object[error.start]
        if not chunk:
            return None
        done_bytes += len(chunk)
        lines += text.count("\n")


def _is_mostly_utf8(stream: BinaryIO) -> bool:
    """Whether more characters beyond ASCII decode as UTF-8 than fail to."""
    decoder = codecs.getincrementaldecoder(UTF8)("replace")
    stream.seek(0)
    good = bad = 0
    while True:
        chunk = stream.read(CHUNK_BYTES)
        text = decoder.decode(chunk, final=not chunk)
        replaced = text.count("�")
        bad += replaced
        good += len(text) - replaced - len(text.encode("ascii", "ignore"))
        if not chunk:
            return good > bad


def _wrong_encoding(name: str, encoding: str, where: tuple[int, int, int]) -> ReadError:
    offset, line, byte = where
    return ReadError(
        f"{name} is read as {encoding}, but byte 0x{byte:02X} at offset {offset} (line {line}) is not valid in it; "
        "repair that place, or save the file again as UTF-8 (only UTF-8 and GB18030 are read; --encoding names one)",
        f"{name} 按 {encoding} 读取，但偏移 {offset}（第 {line} 行）的字节 0x{byte:02X} 无效；"
        "请修复该处，或另存为 UTF-8（只读取 UTF-8 和 GB18030，可用 --encoding 指定）",
    )
