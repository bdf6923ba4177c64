"""One call that loads one file: what the command line runs, and what pages will."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from ingest.batches import Batch, Recorder, reconcile
from ingest.load import Loader
from ingest.mapping import DATABASES, SourceMapping, find_mapping, packaged_mappings
from ingest.matching import detect_mapping
from ingest.quality import Report
from ingest.readers import SourceFile, open_source
from ingest.tables import tables_of

#: Given an open file, a context whose value is told how many more rows are done.
Progress: TypeAlias = Callable[[SourceFile], AbstractContextManager[Callable[[int], None]]]


def no_progress(_: SourceFile) -> AbstractContextManager[Callable[[int], None]]:
    """A :data:`Progress` that shows nothing."""
    return nullcontext(lambda _: None)


@dataclass(frozen=True)
class Options:
    """How to load: see the options of ``liandong ingest``. ``mapping`` is a name, a .yml path, or None to detect."""

    mapping: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    set_aside: bool = False
    dry_run: bool = False
    keep_all_problems: bool = False
    allow_removals: bool = False


@dataclass(frozen=True)
class Target:
    """Where to load.

    Attributes:
        database_path: from a database's name to its file.
        secret: 32 bytes, the instance's, for the hashes of rows.
        record: appends a batch's ledger entry.
        now: the clock, timezone-aware.
        random: gives that many random bytes.
    """

    database_path: Callable[[str], Path]
    secret: bytes = field(repr=False)
    record: Recorder
    now: Callable[[], datetime]
    random: Callable[[int], bytes]


def load_path(path: Path, target: Target, options: Options = Options(), progress: Progress = no_progress) -> Report:
    """Load the file at ``path`` as one batch and report.

    Raises:
        ReadError: the file cannot be read; nothing was written.
        MappingError: no such mapping, or it does not fit; nothing was written.
        LoadError: the database cannot be written; nothing was.
        RecordError: the rows are saved, their ledger entry is not yet.
    """
    named = find_mapping(options.mapping) if options.mapping else None
    known = dict(packaged_mappings())
    if named is not None:
        known[named.name] = named
    tables = tables_of(known.values())
    with open_source(path, delimiter=options.delimiter, encoding=options.encoding) as source:
        mapping: SourceMapping = named or detect_mapping(source, known.values())
        loader = Loader(
            target.database_path(mapping.database),
            tables[mapping.database, mapping.table],
            mapping,
            target.secret,
            target.record,
            target.now,
            target.random,
        )
        with progress(source) as done:
            return loader.load(
                source,
                set_aside=options.set_aside,
                allow_removals=options.allow_removals,
                dry_run=options.dry_run,
                keep_all_problems=options.keep_all_problems,
                progress=done,
            )


def reconcile_all(target: Target) -> list[Batch]:
    """Record what a crash left pending in any of the databases that exist; return those batches.

    Raises:
        LoadError: a database cannot be written.
        RecordError: the ledger refused.
    """
    paths = [target.database_path(name) for name in DATABASES]
    return [batch for path in paths if path.is_file() for batch in reconcile(path, target.record)]
