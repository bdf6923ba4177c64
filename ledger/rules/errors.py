"""What the rules refuse. Each says what was got, what was wanted, where, and the cure."""

from __future__ import annotations

from ledger.errors import LedgerError


class RulesError(LedgerError):
    """Base of what :mod:`ledger.rules` raises."""


class RuleDataError(RulesError):
    """A file or value that is not a well-formed clause, ground or calendar."""


class UnknownRuleError(RulesError):
    """A clause, ground or digest that the register does not have."""


class InstantError(RulesError):
    """A time without a zone, or something that is no time."""


class ExtensionError(RulesError):
    """An extension that the clause does not allow, or a longer one than it allows."""


class UnannouncedYearError(RulesError):
    """Working days of a year whose holidays the State Council has not announced (or that is not loaded)."""

    def __init__(self, year: int) -> None:
        super().__init__(
            f"the working days of {year} are not announced, so nothing is counted in it; "
            f"adopt the calendar of {year} once its notice is issued",
            f"{year} 年的节假日安排尚未公布，不能推算；通知发布后请采用 {year} 年日历",
        )
        self.year = year


class AdoptionError(RulesError):
    """Entries about the rules that do not follow from one another: a digest that does not come out, a broken order."""
