"""The proof: an append-only, hash-chained, signed ledger. It imports nothing of ingest or catalog."""

from ledger.book import Ledger, Receipt
from ledger.errors import (
    BilingualError,
    CanonicalError,
    ConflictError,
    EntryError,
    InstanceError,
    LedgerError,
    LedgerUnavailableError,
    NoteError,
    ProofError,
    RollbackError,
    TamperError,
    VersionTooNewError,
)
from ledger.instance import CATEGORIES, Instance, Settings
from ledger.log.sequencer import Appended, Expect

__all__ = [
    "CATEGORIES",
    "Appended",
    "BilingualError",
    "CanonicalError",
    "ConflictError",
    "EntryError",
    "Expect",
    "Instance",
    "InstanceError",
    "Ledger",
    "LedgerError",
    "LedgerUnavailableError",
    "NoteError",
    "ProofError",
    "Receipt",
    "RollbackError",
    "Settings",
    "TamperError",
    "VersionTooNewError",
]
