"""The request desk as a pure fold: the state of a case, from its entries alone (docs/spec/cases.md, ADR 0030).

- :mod:`states`: the words: acts, states, parties.
- :mod:`case`: what a case is; :mod:`timeliness`: what it has come to at an instant.
- :mod:`moves`: who may do what in which state; :mod:`guards` and :mod:`supervision`: what must hold besides.
- :mod:`fold`: entries to a case, refusing what was not allowed; :mod:`effects`: what a move changes.
- :mod:`drafting`: a checked move ready to append; :mod:`check`: whether a whole log's cases were allowed.
"""

from __future__ import annotations

from ledger.cases.case import Case, Deadline, Exit
from ledger.cases.check import Finding, check_cases, check_persons, findings
from ledger.cases.drafting import (
    Actor,
    CaseDraft,
    Words,
    append_again,
    draft_move,
    draft_opening,
    draft_program,
    known_officers,
    read_case,
)
from ledger.cases.fold import Refused, apply, fold, survey
from ledger.cases.moves import Allowed, allowed, allowed_to
from ledger.cases.states import Act, Party, State, Stop
from ledger.cases.timeliness import Reading, Timeliness, chain, missing_materials, readings, total_working_days, urgency

__all__ = [
    "Act",
    "Actor",
    "Allowed",
    "Case",
    "CaseDraft",
    "Deadline",
    "Exit",
    "Finding",
    "Party",
    "Reading",
    "Refused",
    "State",
    "Stop",
    "Timeliness",
    "Words",
    "allowed",
    "allowed_to",
    "append_again",
    "apply",
    "chain",
    "check_cases",
    "check_persons",
    "draft_move",
    "draft_opening",
    "draft_program",
    "findings",
    "fold",
    "known_officers",
    "missing_materials",
    "read_case",
    "readings",
    "survey",
    "total_working_days",
    "urgency",
]
