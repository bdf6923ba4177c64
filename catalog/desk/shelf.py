"""Cases as lists need them, in a file of the instance that follows the ledger (``desk.db``).

An inbox opens from an index, whatever the number of cases; a case itself is always folded from its entries anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from catalog.following import LedgerFile
from ledger import Ledger
from ledger.case_kinds import ALL
from ledger.cases import Case, survey
from ledger.cases.fold import apply
from ledger.errors import EntryError, MoveError

FILE = "desk.db"
#: Entries of the ledger that are taken in one transaction.
WINDOW = 5_000
_FORM = {"format": "1"}
_KINDS = tuple(kind.name for kind in ALL if "case" in kind.fields)
_ERASED = "particulars.erased"
#: Sorts after every instant: what has no due time comes last.
_NEVER = "~"


@dataclass(frozen=True, slots=True)
class Line:
    """A case in a list. Instants in the form of ``t``.

    Attributes:
        number: the case's id, which people call it by.
        stop, due_at, clock, clause, standing: of the deadline that runs, else of the last; ``due_at`` empty where there
            is none.
        urgent: marked urgent and still open; ``target_at``: its local target.
        awaits: ``provider`` | ``requester`` | ``supervisor``, whose doing is awaited, or empty.
        drafted: a refusal was drafted and waits for its approval.
        lies_with: the offices whose doing is awaited: of ``data_authority``, ``justice``, ``inspection``, with blanks
            before and after each.
        unjudged: refusals, whole or part, without a verdict that stands.
    """

    number: str
    act: str
    requester: str
    provider: str
    resource: str
    purpose: str
    state: str
    is_open: int
    received_at: str
    stop: str
    due_at: str
    clock: str
    clause: str
    standing: str
    urgent: int
    target_at: str
    subjects: int
    awaits: str
    drafted: int
    disputed: int
    last: int
    last_kind: str
    last_at: str
    stopped_at: str
    lies_with: str
    unjudged: int

    @classmethod
    def of(cls, case: Case) -> Line:
        deadline = case.running() or case.current_deadlines()[-1]
        stopped = case.stopped_at(deadline.stop) or case.withdrawn_at or ""
        return cls(
            number=case.id,
            act=case.act,
            requester=case.requester,
            provider=case.provider,
            resource=case.resource or "",
            purpose=case.purpose or "",
            state=case.state,
            is_open=int(case.state.is_open),
            received_at=case.received_at,
            stop=deadline.stop,
            due_at=deadline.due_at or "",
            clock=deadline.clock,
            clause=deadline.clause or "",
            standing=deadline.standing or "",
            urgent=int(case.target_at is not None and case.state.is_open),
            target_at=case.target_at or "",
            subjects=case.subjects,
            awaits=_awaits(case),
            drafted=int(case.draft is not None),
            disputed=int(case.open_dispute is not None),
            last=case.last,
            last_kind=case.entries[case.last],
            last_at=case.last_at,
            stopped_at=stopped,
            unjudged=_unjudged(case),
            lies_with="".join(f" {office} " for office in _lies_with(case)),
        )


def _awaits(case: Case) -> str:
    if case.state.value == "with_supervisor":
        return "supervisor"
    if case.state.value == "letter_sent" or (case.open_dispute and case.open_dispute.step == "negotiation"):
        return "requester"
    if not case.state.is_open:
        return ""
    return "requester" if case.awaiting_supplement or case.state.value == "delivered" else "provider"


def _lies_with(case: Case) -> tuple[str, ...]:
    """Which offices besides the parties have something to do."""
    found = []
    dispute = case.open_dispute
    failed = case.disputes and (case.disputes[-1].step, case.disputes[-1].outcome) == ("data_authority", "not_settled")
    if (dispute is not None and dispute.step != "negotiation") or failed or case.extension_asked is not None:
        found.append("data_authority")
    asked = [seq for seq, kind in case.entries.items() if kind == "request.escalated"]
    acted = [seq for seq, kind in case.entries.items() if kind in _SUPERVISORS_ACTS]
    waits = case.state.value == "with_supervisor" or any(one.outcome is None for one in case.objections)
    for office in ("justice", "inspection"):
        laid = any(each.split(":")[1] == office for each in case.escalated)
        if waits or (laid and asked and max(asked) > max(acted, default=-1)):
            found.append(office)
    return tuple(found)


def _unjudged(case: Case) -> int:
    refusals = [exit.seq for exit in case.exits if exit.result in ("refused", "refused_part")]
    judged = {verdict.about for verdict in case.verdicts if not verdict.revoked}
    return sum(seq not in judged for seq in refusals)


_SUPERVISORS_ACTS = ("request.reviewed", "order.issued", "order.proposed")
_COLUMNS = tuple(field.name for field in fields(Line))
_TYPES = {"unjudged", "is_open", "urgent", "subjects", "drafted", "disputed", "last"}
_SCHEMA = f"""
CREATE TABLE cases (
  {", ".join(f"{name} {'INTEGER' if name in _TYPES else 'TEXT'} NOT NULL" for name in _COLUMNS)},
  due_key TEXT NOT NULL, -- due_at, and after every instant where there is none
  PRIMARY KEY (number)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox ON cases
  (provider, is_open, urgent, due_key, received_at, number);
CREATE INDEX lying ON cases (last DESC) WHERE lies_with <> '';
CREATE INDEX running ON cases (due_at, number) WHERE is_open = 1;
CREATE INDEX unjudged ON cases (last DESC) WHERE unjudged > 0;
CREATE INDEX outbox ON cases (requester, last DESC);
CREATE INDEX outbox_awaits ON cases (requester, awaits, last DESC);
CREATE INDEX answered ON cases (provider, is_open, last DESC);
CREATE TABLE attachments (
  seq INTEGER NOT NULL, stored TEXT NOT NULL, PRIMARY KEY (seq, stored)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachments_stored ON attachments (stored);
"""
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM cases"  # noqa: S608 - our own names


class Shelf(LedgerFile):
    """The file of one instance. ``path`` is made where it is missing."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA, ("cases", "attachments"), _FORM)

    # -- following the ledger -----------------------------------------------------------------------------------------

    def follow(self, ledger: Ledger, most: int | None = None) -> tuple[int, frozenset[str]]:
        """Take what is new in ``ledger``.

        Args:
            most: about so many entries now; None for all.

        Returns:
            How many entries are still to be taken, and the stored attachments that nothing names any more.

        Raises:
            LedgerError: the ledger cannot be read.
            RequestError: 503, the file cannot be written.
        """
        size, done, orphans = ledger.size(), 0, frozenset[str]()
        while True:
            with self.transaction() as db:
                start = self.begin(ledger, size)
                end = min(size, start + WINDOW)
                if start < end and (most is None or done < most):
                    orphans |= _take(db, ledger, start, end)
                    self.taken(ledger, end)
                    done += end - start
                    start = end
                if start >= size or (most is not None and done >= most):
                    return size - start, orphans

    # -- reading ------------------------------------------------------------------------------------------------------

    def inbox(self, agency: str, limit: int, after: Line | None = None) -> list[Line]:
        """Open cases that ``agency`` owes an answer to: urgent first, then the nearest due.

        Args:
            after: the last line of the page before.
        """
        found: list[Line] = []
        for urgent in (1, 0):
            if after is not None and urgent > after.urgent:
                continue
            condition, values = "", ()
            if after is not None and urgent == after.urgent:
                condition = "AND (due_key, received_at, number) > (?, ?, ?) "
                values = (after.due_at or _NEVER, after.received_at, after.number)  # type: ignore[assignment]
            rows = self.all(
                f"{_SELECT} WHERE provider = ? AND is_open = 1 AND urgent = ? {condition}"
                "ORDER BY due_key, received_at, number LIMIT ?",
                (agency, urgent, *values, limit - len(found)),
            )
            found += [Line(*row) for row in rows]
        return found

    def answered(self, agency: str, limit: int, before: int | None = None) -> list[Line]:
        """Cases that ``agency`` owed and that are closed, the newest first; ``before``: a line's ``last``."""
        rows = self.all(
            f"{_SELECT} WHERE provider = ? AND is_open = 0 AND last < ? ORDER BY last DESC LIMIT ?",
            (agency, 2**53 if before is None else before, limit),
        )
        return [Line(*row) for row in rows]

    def outbox(self, agency: str, limit: int, before: int | None = None) -> list[Line]:
        """Cases that ``agency`` asked, the newest move first; ``before``: a line's ``last``."""
        rows = self.all(
            f"{_SELECT} WHERE requester = ? AND last < ? ORDER BY last DESC LIMIT ?",
            (agency, 2**53 if before is None else before, limit),
        )
        return [Line(*row) for row in rows]

    def awaiting_requester(self, agency: str, limit: int) -> list[Line]:
        """Cases in which ``agency``, as who asked, is to do something."""
        rows = self.all(
            f"{_SELECT} WHERE requester = ? AND awaits = 'requester' ORDER BY last DESC LIMIT ?", (agency, limit)
        )
        return [Line(*row) for row in rows]

    def lying_with(self, office: str, limit: int) -> list[Line]:
        """Cases in which ``office`` has something to do, the newest move first."""
        rows = self.all(
            f"{_SELECT} WHERE lies_with <> '' AND instr(lies_with, ?) ORDER BY last DESC LIMIT ?",
            (f" {office} ", limit),
        )
        return [Line(*row) for row in rows]

    def unjudged(self, limit: int) -> list[Line]:
        """Cases of everybody with a refusal that nobody has judged, the newest move first."""
        rows = self.all(f"{_SELECT} WHERE unjudged > 0 ORDER BY last DESC LIMIT ?", (limit,))
        return [Line(*row) for row in rows]

    def overdue(self, at: str, limit: int) -> list[Line]:
        """Cases of everybody that are overdue at ``at`` (in the form of ``t``), the longest first."""
        rows = self.all(
            f"{_SELECT} WHERE is_open = 1 AND due_at <> '' AND due_at < ? ORDER BY due_at, number LIMIT ?", (at, limit)
        )
        return [Line(*row) for row in rows]

    def line(self, number: str) -> Line | None:
        """One case."""
        rows = self.all(f"{_SELECT} WHERE number = ?", (number,))
        return Line(*rows[0]) if rows else None

    def counts(self, agency: str, now: str) -> dict[str, int]:
        """What ``agency`` owes: open, urgent and overdue at ``now`` (in the form of ``t``)."""
        whose = "SELECT count(*) FROM cases WHERE provider = ? AND is_open = 1"
        ((is_open,),) = self.all(whose, (agency,))
        ((urgent,),) = self.all(f"{whose} AND urgent = 1", (agency,))
        ((overdue,),) = self.all(f"{whose} AND urgent IN (0, 1) AND due_key < ?", (agency, now))
        return {"open": is_open, "urgent": urgent, "overdue": overdue}

    def undated(self, after: str, limit: int) -> list[str]:
        """Numbers of open cases whose deadline has no date, from the one after ``after`` on."""
        rows = self.all(
            "SELECT number FROM cases WHERE is_open = 1 AND due_at = '' AND number > ? ORDER BY number LIMIT ?",
            (after, limit),
        )
        return [row[0] for row in rows]

    def names(self, stored: str) -> bool:
        """Whether an entry that was taken names a stored attachment."""
        return bool(self.all("SELECT 1 FROM attachments WHERE stored = ? LIMIT 1", (stored,)))

    def newest_number(self, prefix: str) -> str | None:
        """The highest case number that begins with ``prefix``."""
        rows = self.all("SELECT max(number) FROM cases WHERE number >= ? AND number < ?", (prefix, prefix + _NEVER))
        return rows[0][0] if rows else None


def _take(db: sqlite3.Connection, ledger: Ledger, start: int, end: int) -> frozenset[str]:
    """Take the entries ``start … end−1``; return the stored attachments that nothing names any more."""
    cases: dict[str, Case | None] = {}
    orphans: set[str] = set()
    for entry in ledger.since(start, (*_KINDS, _ERASED), end):
        if entry["kind"] == _ERASED:
            if "attachments" in entry["fields"]:
                orphans |= _forget(db, entry["erases"])
            continue
        number = entry["case"]
        if entry.get("files"):
            _remember(db, ledger, entry["seq"])
        if number not in cases:
            cases[number] = _before(db, ledger, number, entry["seq"])
        try:
            cases[number] = apply(cases[number], entry)
        except (EntryError, MoveError):
            continue  # what a case did not allow has no effect; the supervisors' check names it
    lines = [Line.of(case) for case in cases.values() if case is not None]
    put(db, lines)
    return frozenset(orphans)


def put(db: sqlite3.Connection, lines: Iterable[Line]) -> None:
    """Write lines, each in the place of the one of its number."""
    marks = ", ".join("?" * (len(_COLUMNS) + 1))
    rows = [(*astuple(line), line.due_at or _NEVER) for line in lines]
    db.executemany(f"INSERT OR REPLACE INTO cases VALUES ({marks})", rows)  # noqa: S608


def _before(db: sqlite3.Connection, ledger: Ledger, number: str, seq: int) -> Case | None:
    """The case as the entries before ``seq`` leave it."""
    if db.execute("SELECT 1 FROM cases WHERE number = ?", (number,)).fetchone() is None:
        return None
    found: Iterable[Any] = reversed(ledger.newest(2**31, before=seq, where={"case": number}))
    return survey(found)[0]


def _remember(db: sqlite3.Connection, ledger: Ledger, seq: int) -> None:
    """Which attachments an entry names, so that they go when it is erased."""
    named: Sequence[Any] = ledger.opened(seq).get("attachments", ())
    rows = [(seq, each["stored"]) for each in named if isinstance(each, dict) and "stored" in each]
    db.executemany("INSERT OR IGNORE INTO attachments VALUES (?, ?)", rows)


def _forget(db: sqlite3.Connection, seq: int) -> set[str]:
    found = {row[0] for row in db.execute("SELECT stored FROM attachments WHERE seq = ?", (seq,))}
    db.execute("DELETE FROM attachments WHERE seq = ?", (seq,))
    still = {name for name in found if db.execute("SELECT 1 FROM attachments WHERE stored = ?", (name,)).fetchone()}
    return found - still
