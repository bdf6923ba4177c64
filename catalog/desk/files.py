"""Attachments: what a request or an answer brings along, in ``files/`` of the instance, for its parties alone.

Stored under the SHA-256 of what is stored: the bytes encrypted under a key of their own. Name, kind, size, the SHA-256
of the file as it was sent and that key are one particular, ``attachments``, of the entry that brought it. So erasing
the particular makes the file unreadable at once, in every backup too; the stored bytes are deleted when the desk next
follows the ledger.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from catalog.desk.errors import DeskError

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_FILES = 5
MAX_TOTAL_BYTES = 20 * 1024 * 1024
MAX_NAME_LENGTH = 120
_KEY_BYTES, _NONCE = 32, b"\0" * 12  # a key encrypts one file, so its nonce may be a constant
#: What was stored and then not named by an entry is deleted after so long: its form was answered with an error.
_UNNAMED_SECONDS = 86_400
_STORED = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is taken: its ending, what begins it, and how it is served."""

    ending: str
    media_type: str
    zh: str


_PDF = Kind("pdf", "application/pdf", "PDF")
_PNG, _JPEG = Kind("png", "image/png", "PNG 图片"), Kind("jpg", "image/jpeg", "JPEG 图片")
_OFFICE = {
    "word/document.xml": Kind(
        "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word 文档"
    ),
    "xl/workbook.xml": Kind("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel 表格"),
}
_OFD = Kind("ofd", "application/ofd", "OFD 版式文件")
_CSV, _TXT = Kind("csv", "text/csv; charset=utf-8", "CSV"), Kind("txt", "text/plain; charset=utf-8", "文本")
KINDS: tuple[Kind, ...] = (_PDF, _OFD, *_OFFICE.values(), _PNG, _JPEG, _CSV, _TXT)
_ENDINGS = {**{kind.ending: kind for kind in KINDS}, "jpeg": _JPEG}
#: For a field of files, and its label.
ACCEPT = ",".join(f".{ending}" for ending in _ENDINGS)
NAMED = " ".join(kind.ending.upper() for kind in KINDS)
FIELD = {"accept": ACCEPT, "kinds": NAMED, "max_files": MAX_FILES, "max_file_mb": MAX_FILE_BYTES // 2**20}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent. ``reviewed``: who sends it declares that it passed the secrecy review."""

    name: str
    content: bytes
    reviewed: bool


@dataclass(frozen=True, slots=True)
class Attachment:
    """A stored file, as the particular of its entry names it. ``sha256``: of the file as it was sent."""

    name: str
    kind: Kind
    size_bytes: int
    sha256: str
    stored: str
    key: str

    @property
    def facts(self) -> str:
        """Kind, size and the beginning of its digest, alike in every language."""
        return f"{self.kind.ending.upper()} · {-(-self.size_bytes // 1024):,} kB · SHA-256 {self.sha256[:16]}…"

    def to_value(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.kind.ending,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "stored": self.stored,
            "key": self.key,
        }


def attachments_of(value: Any) -> tuple[Attachment, ...]:
    """The attachments that a particular names; what was written by something else is left out."""
    found = []
    for each in value if isinstance(value, list) else ():
        with contextlib.suppress(KeyError, TypeError):
            found.append(
                Attachment(
                    each["name"], _ENDINGS[each["type"]], each["size_bytes"], each["sha256"], each["stored"],
                    each["key"],
                )
            )  # fmt: skip
    return tuple(found)


class Files:
    """The folder of one instance. ``random(n)`` gives n bytes."""

    def __init__(self, folder: Path, random: Callable[[int], bytes] = os.urandom) -> None:
        self._folder = folder
        self._random = random

    def keep(self, uploads: Sequence[Upload]) -> tuple[Attachment, ...]:
        """Check and store files; their entry is appended afterwards.

        Raises:
            DeskError: 413 too large or too many, 415 a kind that is not taken, 422 a name or a declaration is missing;
                503 the folder cannot be written.
        """
        check(uploads)
        return tuple(self._keep(upload) for upload in uploads)

    def _keep(self, upload: Upload) -> Attachment:
        key = self._random(_KEY_BYTES)
        sealed = AESGCM(key).encrypt(_NONCE, upload.content, None)
        stored = hashlib.sha256(sealed).hexdigest()
        try:
            self._write(self._path(stored), sealed)
        except OSError as error:
            raise DeskError(
                "files",
                f"attachments cannot be stored now ({error.strerror}); nothing was sent, try again or tell "
                "the operator",
                f"附件目前无法保存（{error.strerror}）；未提交任何内容，请重试或告知运维单位",
                code="unavailable",
                status=503,
            ) from error
        digest = hashlib.sha256(upload.content).hexdigest()
        return Attachment(clean_name(upload.name), kind_of(upload), len(upload.content), digest, stored, key.hex())

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Durable before its entry is: written beside, synced, renamed; the service's own user alone reads it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            Path(unfinished).replace(path)
        except OSError:
            Path(unfinished).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, attachment: Attachment) -> bytes:
        """The file as it was sent.

        Raises:
            DeskError: 410 it is not there any more; 500 it was changed on disk.
        """
        try:
            sealed = self._path(attachment.stored).read_bytes()
        except OSError as error:
            raise DeskError(
                "files",
                "the file is not there any more: it was erased, or a backup came back without it",
                "该文件已不存在：已被抹除，或恢复的备份中没有它",
                code="gone",
                status=410,
            ) from error
        try:
            content = AESGCM(bytes.fromhex(attachment.key)).decrypt(_NONCE, sealed, None)
        except (InvalidTag, ValueError) as error:
            raise _changed() from error
        if hashlib.sha256(content).hexdigest() != attachment.sha256:
            raise _changed()
        return content

    def discard(self, stored: Iterable[str]) -> None:
        """Delete stored files that nothing names any more."""
        for name in stored:
            with contextlib.suppress(FileNotFoundError):
                self._path(name).unlink()

    def discard_unnamed(self, named: Callable[[str], bool]) -> int:
        """Delete what was stored over a day ago and is named by no entry; return how many files."""
        gone = 0
        for path in self._folder.glob("??/*"):
            old = path.stat().st_mtime < time.time() - _UNNAMED_SECONDS
            if old and not (_STORED.fullmatch(path.name) and named(path.name)):
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _path(self, stored: str) -> Path:
        if not _STORED.fullmatch(stored):
            raise _changed()
        return self._folder / stored[:2] / stored


def _changed() -> DeskError:
    return DeskError(
        "files",
        "the stored file is not what was sent: it was changed on disk and is not given; tell the operator",
        "所存文件与提交时不符：文件在磁盘上被改动，不予提供；请告知运维单位",
        code="changed",
        status=500,
    )


# -- checks -----------------------------------------------------------------------------------------------------------


def check(uploads: Sequence[Upload]) -> None:
    """Raise :class:`DeskError` unless all files may be taken."""
    total = sum(len(upload.content) for upload in uploads)
    if len(uploads) > MAX_FILES or total > MAX_TOTAL_BYTES:
        raise DeskError(
            "files",
            f"{len(uploads)} files of {_mb(total)} MB together; at most {MAX_FILES} files and {_mb(MAX_TOTAL_BYTES)} "
            "MB: send the others with a supplement, or as one archive offline",
            f"共 {len(uploads)} 个附件、{_mb(total)} MB；最多 {MAX_FILES} 个、合计 {_mb(MAX_TOTAL_BYTES)} MB："
            "其余请另行补充或线下提供",
            code="too_large",
            status=413,
        )
    for upload in uploads:
        _check(upload)


def _check(upload: Upload) -> None:
    name = clean_name(upload.name)
    if not name or len(name) > MAX_NAME_LENGTH:
        raise DeskError(
            "files",
            f"an attachment needs a name of 1 to {MAX_NAME_LENGTH} characters",
            f"附件须有 1 至 {MAX_NAME_LENGTH} 个字的文件名",
        )
    if not upload.content or len(upload.content) > MAX_FILE_BYTES:
        raise DeskError(
            "files",
            f"“{name}” has {_mb(len(upload.content))} MB; an attachment has more than nothing and at most "
            f"{_mb(MAX_FILE_BYTES)} MB",
            f"附件“{name}”为 {_mb(len(upload.content))} MB；不能为空，且不超过 {_mb(MAX_FILE_BYTES)} MB",
            code="too_large" if upload.content else "empty",
            status=413 if upload.content else 422,
        )
    kind_of(upload)
    if not upload.reviewed:
        raise DeskError(
            "files_reviewed",
            f"declare for “{name}” that it passed the secrecy review; without it nothing is sent",
            f"附件“{name}”未声明已经保密审查；未声明的不予提交",
            code="not_reviewed",
        )


def kind_of(upload: Upload) -> Kind:
    """What an upload is, by its content; its name's ending must say the same. Raises :class:`DeskError` 415."""
    name, content = clean_name(upload.name), upload.content
    ending = name.rpartition(".")[2].lower()
    found = _by_content(content, ending)
    if found is None or _ENDINGS.get(ending) is not found:
        taken = ", ".join(_ENDINGS)
        raise DeskError(
            "files",
            f"“{name}” is no file of a kind that is taken, or its content is not what its ending says; taken are "
            f"{taken}, without macros",
            f"附件“{name}”的类型不被接受，或内容与后缀不符；可用类型：{taken}（不得含宏）",
            code="file_type",
            status=415,
        )
    return found


def _by_content(content: bytes, ending: str) -> Kind | None:
    if content.startswith(b"%PDF-"):
        return _PDF
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _PNG
    if content.startswith(b"\xff\xd8\xff"):
        return _JPEG
    if content.startswith(b"PK\x03\x04"):
        return _archive(content)
    return _text(content, ending)


def _archive(content: bytes) -> Kind | None:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, EOFError):
        return None
    if any(name.rpartition("/")[2].lower() == "vbaproject.bin" for name in names):
        return None
    if "OFD.xml" in names:
        return _OFD
    office = [kind for part, kind in _OFFICE.items() if part in names]
    return office[0] if "[Content_Types].xml" in names and office else None


def _text(content: bytes, ending: str) -> Kind | None:
    """Text in UTF-8 or GB18030 without control characters; which of the two kinds, only its ending can say."""
    for encoding in ("utf-8-sig", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
                return None
            return {"csv": _CSV, "txt": _TXT}.get(ending)
    return None


def clean_name(name: str) -> str:
    """A file's own name: no folder, no control characters, no direction marks."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs")).strip(" .")


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f}".removesuffix(".0")


def fields_of(kept: Sequence[Attachment]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What an entry says of its attachments: open fields, and particulars."""
    if not kept:
        return {}, {}
    return (
        {"files": len(kept), "files_reviewed": len(kept)},
        {"attachments": [each.to_value() for each in kept]},
    )
