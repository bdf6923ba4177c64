"""The law as dated data, and pure functions over it: when an answer is due, whether a refusal is lawful on its face.

What other modules use (stable):

- :func:`packaged` -> :class:`Rulebook` (``register``, ``calendars``, ``digests``), or
  :func:`ledger.rules.adoption.fold` over entries;
- :func:`deadline` (rulebook, act, started_at, …) -> :class:`Deadline` (``state``, ``due_at``, ``fields()``,
  ``is_late(at)``); :func:`extend` where the clause allows it; :func:`working` for the strip of days;
- :func:`ledger.rules.refusals.decide_refusal` -> ``Decision(allowed, clause, reason…)``;
  :func:`ledger.rules.text_checks.check_text` for what people type.

Nothing here reads a clock, a time zone of the machine, or randomness.
"""

from ledger.rules.calendars import Calendar, Calendars
from ledger.rules.clauses import ACTS, KINDS, LEVELS, SHARING_CLASSES, STARTS, STOPS, Clause
from ledger.rules.deadlines import (
    AT_ONCE,
    DUE,
    NO_CLOCK,
    SHANGHAI,
    STATES,
    UNCONFIRMED,
    Deadline,
    Rulebook,
    deadline,
    extend,
)
from ledger.rules.errors import (
    ExtensionError,
    InstantError,
    RuleDataError,
    RulesError,
    UnannouncedYearError,
    UnknownRuleError,
)
from ledger.rules.packaged import packaged
from ledger.rules.register import Register, Settings
from ledger.rules.working import WorkingDay, working

__all__ = [
    "ACTS",
    "AT_ONCE",
    "DUE",
    "KINDS",
    "LEVELS",
    "NO_CLOCK",
    "SHANGHAI",
    "SHARING_CLASSES",
    "STARTS",
    "STATES",
    "STOPS",
    "UNCONFIRMED",
    "Calendar",
    "Calendars",
    "Clause",
    "Deadline",
    "ExtensionError",
    "InstantError",
    "Register",
    "RuleDataError",
    "Rulebook",
    "RulesError",
    "Settings",
    "UnannouncedYearError",
    "UnknownRuleError",
    "WorkingDay",
    "deadline",
    "extend",
    "packaged",
    "working",
]
