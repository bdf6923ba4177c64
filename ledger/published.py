"""A published log as this project reads it: where it is, which keys it has, its entries. Nothing here is verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger import rotation
from ledger.errors import ArgumentError, NoteError
from ledger.log.export import CHECKPOINT_FILE
from ledger.log.keychain import KeyChain
from ledger.log.note import Checkpoint, Note, VerifierKey
from ledger.log.tiles import bundles_of, decode_bundle
from ledger.log.verify_tiles import MAX_BUNDLE_BYTES, MAX_CHECKPOINT_BYTES, DirectorySource, HttpSource, Source


@contextmanager
def open_source(source: str, token: str) -> Iterator[tuple[Source, bool]]:
    """An exported directory or an http(s) address, and whether entries are to be had there.

    Raises:
        ArgumentError: ``source`` is neither; nothing of it was looked at.
        UnreachableError: the address or the token is malformed.
    """
    if "://" in source:
        with HttpSource(source, token) as opened:
            yield opened, bool(token)
        return
    path = Path(source)
    if not path.is_dir():
        raise ArgumentError(
            f"{source!r} is neither a directory nor an address; name the directory that `liandong ledger export` "
            "wrote, or an address with https://",
            f"{source!r} 既不是目录也不是地址；请给出 `liandong ledger export` 写出的目录，或以 https:// 开头的地址",
        )
    if (path / "instance.yml").exists():
        raise ArgumentError(
            f"{source} is an instance folder, not a published log; verify it with `liandong ledger verify -i {source}`",
            f"{source} 是实例目录，不是公布的台账；请用 `liandong ledger verify -i {source}` 核验",
        )
    if not (path / CHECKPOINT_FILE).exists() and not (path / "tile").exists():
        raise ArgumentError(
            f"{source} holds no published log (neither {CHECKPOINT_FILE} nor tile/); name the directory that "
            "`liandong ledger export` wrote",
            f"{source} 中没有公布的台账（没有 {CHECKPOINT_FILE} 和 tile/）；请给出 `liandong ledger export` 写出的目录",
        )
    yield DirectorySource(path), (path / "tile" / "entries").is_dir()


def keys_of(source: Source, trusted: VerifierKey, with_entries: bool) -> KeyChain:
    """The trusted key; where it is not the one that signs now, what the entries derive from it.

    Raises:
        NoteError: the checkpoint is malformed, or ``trusted`` is said to have signed it and has not.
        LedgerError: what the entries say of keys does not hold, or they cannot be read.
    """
    data = source.read(CHECKPOINT_FILE, MAX_CHECKPOINT_BYTES)
    keys = KeyChain(trusted)
    try:
        keys.open(data)
    except NoteError:
        note = Note.parse(data)
        # A size that nobody signed is not followed through the entries.
        forged = any((trusted.name, trusted.key_id) == (found.name, found.key_id) for found in note.signatures)
        if forged or not with_entries:
            raise
        return rotation.chain(trusted, entries_of(source, Checkpoint.parse_text(note.text).size))
    return keys


def entries_of(source: Source, size: int) -> Iterator[bytes]:
    """The first ``size`` entries, a bundle at a time."""
    for bundle in bundles_of(size):
        yield from decode_bundle(source.read(f"tile/{bundle.path}", MAX_BUNDLE_BYTES), bundle)
