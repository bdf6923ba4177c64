"""Where an instance keeps its rules: texts by digest in ``rules/``, changes in the ledger.

A text is written before the entry that names it, and never removed: what an old entry relied on stays readable. What is
in force is not a file but the fold of the ledger's entries.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ledger import once
from ledger.errors import LedgerUnavailableError
from ledger.log.sequencer import Appended
from ledger.rules import adoption
from ledger.rules.adoption import Change, Timeline
from ledger.rules.deadlines import Rulebook
from ledger.rules.errors import UnknownRuleError
from ledger.rules.packaged import packaged

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Entries(Protocol):
    """What of a ledger is needed to read the rules."""

    def since(self, seq: int, kinds: Sequence[str], until: int | None = None) -> list[Any]: ...


class Appending(Entries, Protocol):
    """What of a ledger is needed to change them."""

    def append(
        self,
        kind: str,
        fields: Mapping[str, Any],
        *,
        particulars: Mapping[str, Any] | None = None,
        once: Sequence[str] = (),
    ) -> Appended: ...


class Archive:
    """Texts by digest in a folder: ``DIGEST.json``, canonical bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, digest: str) -> bytes:
        """The text of a digest.

        Raises:
            UnknownRuleError: it is not there, or what is there has another digest.
        """
        for text in (packaged().register, packaged().calendars):
            if text.digest == digest:
                return text.canonical
        try:
            data = self._file(digest).read_bytes()
        except OSError as error:
            raise UnknownRuleError(
                f"the rules of digest {digest} are not in {self.folder} ({error.strerror}); restore the file",
                f"{self.folder} 中没有摘要为 {digest} 的规则（{error.strerror}）；请从备份恢复该文件",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            raise UnknownRuleError(
                f"{self._file(digest)} has digest {found}: it was changed; restore it from a backup",
                f"{self._file(digest)} 的摘要为 {found}：文件被改动，请从备份恢复",
            )
        return data

    def save(self, rulebook: Rulebook) -> None:
        """Keep both texts of ``rulebook``; what is there already is left alone.

        Raises:
            LedgerUnavailableError: they could not be written.
        """
        try:
            for text in (rulebook.register, rulebook.calendars):
                self._write(self._file(text.digest), text.canonical)
        except OSError as error:
            raise LedgerUnavailableError(
                f"the rules cannot be written into {self.folder} ({error.strerror}); nothing was changed: free space "
                "or restore write permission",
                f"规则无法写入 {self.folder}（{error.strerror}），未作任何更改；请腾出空间或恢复写权限",
            ) from error

    def _write(self, file: Path, data: bytes) -> None:
        if file.exists():
            return
        self.folder.mkdir(exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        Path(unfinished).replace(file)

    def _file(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise UnknownRuleError(f"{digest[:80]!r} is no digest", f"{digest[:80]!r} 不是摘要")
        return self.folder / f"{digest}.json"


def timeline_of(entries: Entries, archive: Archive) -> Timeline:
    """The rules as the ledger makes them, from the packaged ones on. Raises as :func:`ledger.rules.adoption.fold`."""
    return adoption.fold(packaged(), entries.since(0, adoption.KINDS), archive.load)


class KeptRules:
    """The rules of a ledger that is open for long, kept up to date: asking again reads only what is new."""

    def __init__(self, entries: Entries, archive: Archive) -> None:
        self._entries, self._archive = entries, archive
        self._timeline = Timeline(packaged(), ())
        self._lock = threading.Lock()

    def timeline(self) -> Timeline:
        """As :func:`timeline_of`, at the cost of one look into an index where nothing changed."""
        with self._lock:
            head = self._timeline.head
            for entry in self._entries.since(0 if head is None else head + 1, adoption.KINDS):
                self._timeline = adoption.follow(self._timeline, entry, self._archive.load)
            return self._timeline


def record(
    ledger: Appending, archive: Archive, timeline: Timeline, change: Change, *, by: str, officer: str | None = None
) -> Appended:
    """Keep the changed rules and append the entry that says so; it holds from then on.

    Args:
        timeline: what ``change`` was made from.
        by: the agency whose act it is.

    Raises:
        ConflictError: the rules were changed meanwhile; nothing was appended.
        LedgerUnavailableError: nothing was appended.
    """
    archive.save(change.rulebook)
    fields = {**change.fields, "by": by}
    if timeline.head is not None:
        fields["after"] = timeline.head
    particulars = {"officer": officer} if officer else {}
    return ledger.append(change.kind, fields, particulars=particulars, once=[once.rules(timeline.head)])
