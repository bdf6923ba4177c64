"""The rules in force, and those that an entry relied on, as the ledger makes them; read again when they change."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ledger import Ledger
from ledger.log import canonical
from ledger.rule_archive import Archive, timeline_of
from ledger.rules import Calendars, Clause, Register, Rulebook, UnannouncedYearError, WorkingDay, deadlines, workdays
from ledger.rules.adoption import KINDS, Timeline, follow
from ledger.rules.working import working

if TYPE_CHECKING:
    from catalog.service import Service

#: From a published entry's sharing class to the clauses' own word; what is undetermined has none.
SHARING_CLASS = {"无条件共享": "unconditional", "有条件共享": "conditional"}


class Rulebooks:
    """The rules of one ledger. Threads share it."""

    def __init__(self, ledger: Ledger, archive: Archive) -> None:
        self._ledger = ledger
        self._archive = archive
        self._lock = threading.Lock()
        self._seen = 0
        self._timeline: Timeline | None = None

    def timeline(self) -> Timeline:
        """How the rules changed, up to now. Raises :class:`RulesError`, :class:`LedgerError`."""
        with self._lock:
            size = self._ledger.size()
            if self._timeline is None:
                self._timeline = timeline_of(self._ledger, self._archive)
            else:
                for entry in self._ledger.since(self._seen, KINDS, size):
                    self._timeline = follow(self._timeline, entry, self._archive.load)
            # What was appended while it was read is in it already.
            self._seen = max(size, (self._timeline.head or 0) + 1)
            return self._timeline

    def current(self) -> Rulebook:
        """The rules that a request received now relies on."""
        return self.timeline().current

    def of_entry(self, entry: Mapping[str, Any]) -> Rulebook:
        """The rules that an entry with clock fields relied on, by the digests that it names."""
        found = self.timeline().before(entry["seq"])
        if found.digests == {"register": entry["register"], "calendars": entry["calendars"]}:
            return found
        load, where = self._archive.load, f"entry {entry['seq']}"
        return Rulebook(
            Register.read(canonical.decode(load(entry["register"])), where),
            Calendars.read(canonical.decode(load(entry["calendars"])), where),
        )

    def of_register(self, entry: Mapping[str, Any]) -> Register:
        """The register that an entry names by its digest: of a refusal."""
        found = self.timeline().before(entry["seq"]).register
        if found.digest == entry["register"]:
            return found
        return Register.read(canonical.decode(self._archive.load(entry["register"])), f"entry {entry['seq']}")

    def working_of(self, entry: Mapping[str, Any], since: str) -> tuple[Clause | None, tuple[WorkingDay, ...]]:
        """The clause that an entry's deadline rests on, and its days: counted or skipped, and why.

        Args:
            since: when its clock began, in the form of ``t``.
        """
        book = self.of_entry(entry)
        clause = next((each for each in book.register.clauses if each.id == entry.get("clause")), None)
        started = datetime.fromisoformat(since)
        given = deadlines.Deadline(
            state=entry["clock"],
            act=entry["act"],
            start=clause.clock.start if clause is not None and clause.clock is not None else "",
            stop=entry["stop"],
            started_at=started,
            day_zero=deadlines.local_day(started),
            register=book.digests["register"],
            calendars=book.digests["calendars"],
            working_days=entry.get("working_days"),
        )
        return clause, working(book.calendars, given)

    def working_days(self, start: str, end: str) -> int | None:
        """Working days from an instant to another, the day of the first not counted; None: a year is not announced."""
        first, last = (deadlines.local_day(datetime.fromisoformat(each)) for each in (start, end))
        try:
            return workdays.count_after(self.current().calendars, first, last)
        except UnannouncedYearError:
            return None


def sharing_class_of(service: Service, resource: str | None) -> str | None:
    """The clauses' own word for a published resource's sharing class; None where it is undetermined or no such data."""
    published = service.resource(resource) if resource is not None else None
    return SHARING_CLASS.get(published["sharing_class"]) if published is not None else None


def clock_fields(given: deadlines.Deadline) -> dict[str, Any]:
    """What an entry says of a deadline: its fields, and by how many days its clause lets it be extended."""
    clock = given.clause.clock if given.clause is not None else None
    extension = clock.extension if clock is not None else None
    more = {"extension_days": extension.max_working_days} if extension is not None else {}
    return {**given.fields(), **more}
