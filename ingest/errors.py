"""Errors of ingest: each says what was got, what was wanted, where, and the cure, in English and in Chinese."""

from __future__ import annotations

from ledger.errors import BilingualError


class IngestError(BilingualError):
    """Base of every error raised by :mod:`ingest`."""


class ReadError(IngestError):
    """A file that cannot be read as the format it claims to be."""


class MappingError(IngestError):
    """A mapping or code list that is not valid, is not known, or does not fit the file."""


class LoadError(IngestError):
    """The database refused: missing, locked, read-only, full, or not one of ours."""

    exit_code = 2


class RecordError(IngestError):
    """Rows are saved but their ledger entry is not yet: the batch stays pending until it is."""
