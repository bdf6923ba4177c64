"""Errors of the ledger.

Every error that a person can see carries its sentence twice, in Chinese and in English: what was got, what
was wanted, where, and the cure. Callers print both; nobody has to guess which language the reader has.
"""

from __future__ import annotations

from dataclasses import dataclass


class BilingualError(Exception):
    """Root of the three packages' error bases: one sentence with its cure, in English and in Chinese.

    ``exit_code`` is what the command line ends with: 1 for a check that failed, 2 for usage and environment.
    """

    exit_code = 1

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that a check found wrong, for programs: what the sentence says, in parts.

    Attributes:
        entry: seq of the entry, or None where the fault is no single entry's.
        field: a field of the entry, or ``hash``, ``bytes``, ``root of N entries``, ``level L, node N``.
        expected: what it would have to be; hashes and bytes in hex.
        found: what it is.
    """

    entry: int | None
    field: str
    expected: str
    found: str


class LedgerError(BilingualError):
    """Base of every error raised by :mod:`ledger`; ``fault`` where a check names one."""

    def __init__(self, en: str, zh: str, fault: Fault | None = None) -> None:
        super().__init__(en, zh)
        self.fault = fault


class CanonicalError(LedgerError):
    """A value or bytes outside the canonical domain of entries (docs/spec/entry.md)."""


class NoteError(LedgerError):
    """A signed note, verifier key, checkpoint or proof that is malformed or does not verify."""


class ProofError(LedgerError):
    """A Merkle proof that does not lead to the stated root."""


class EntryError(LedgerError):
    """An entry that does not fit the schema of its kind."""


class VersionTooNewError(LedgerError):
    """Something was written by a newer version of liandong than this one."""

    exit_code = 2


class ConflictError(LedgerError):
    """A conditional append lost: the case moved on (``expect``) or the key was used before (``once``)."""


class MoveError(LedgerError):
    """A move that a case does not allow: by whom, in which state, or as it is made; docs/spec/cases.md has the rules.

    Attributes:
        rule: the number of the rule in docs/spec/cases.md.
    """

    def __init__(self, rule: str, en: str, zh: str) -> None:
        super().__init__(en, zh)
        self.rule = rule


class LedgerUnavailableError(LedgerError):
    """The ledger cannot be written now (locked, read-only, disk full); nothing was acknowledged."""

    exit_code = 2


class TamperError(LedgerError):
    """Stored bytes are not what was signed. Names the first bad entry and what is wrong with it."""


class RollbackError(TamperError):
    """The ledger is older than what a witness has seen of it: a backup was restored, or entries were cut off."""


class WitnessError(LedgerError):
    """A witness that cannot be reached, or that answers something else than the protocol says."""


class InstanceError(LedgerError):
    """An instance folder that is missing, incomplete or not ours."""

    exit_code = 2


class ArgumentError(LedgerError):
    """Something given on the command line that cannot be meant."""

    exit_code = 2
