"""Rotating the log's key: announced in an entry that both keys sign, at one checkpoint that both keys sign.

The statement names both keys, so it leads from the old key to the new one and back: whoever trusts one of them can
check the whole log. docs/spec/log.md, "Rotation".
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from ledger.entries import check_entry
from ledger.errors import EntryError, NoteError, TamperError
from ledger.log import lookups
from ledger.log.keychain import KeyChain
from ledger.log.note import Signer, VerifierKey

KIND = "key.rotated"
#: What must occur in the bytes of an entry of this kind (canonical bytes have one spelling).
_MARK = b'"kind":"key.rotated"'


def message(old: VerifierKey, new: VerifierKey) -> bytes:
    """What both keys sign. Both vkeys name the origin, so a statement fits one log only."""
    return f"liandong/key-rotation/v1\n{old.name}\n{old}\n{new}\n".encode()


def statement(old: Signer, new: Signer) -> dict[str, Any]:
    """The fields of the entry that announces ``new``."""
    said = message(old.verifier, new.verifier)
    return {
        "old_public_key": old.verifier.public_key.hex(),
        "public_key": new.verifier.public_key.hex(),
        "old_signature": old.private_key.sign(said).hex(),
        "new_signature": new.private_key.sign(said).hex(),
    }


def chain(trusted: VerifierKey, entries: Iterable[bytes]) -> KeyChain:
    """The log's keys from one that is trusted and the log's entries; those of other kinds are passed over.

    Returns:
        A chain of ``trusted`` alone where no statement leads to or from it.

    Raises:
        TamperError: a statement that its keys did not sign, or that does not follow the one before.
    """
    keys: list[VerifierKey] = []
    later: list[tuple[int, VerifierKey]] = []
    for data in entries:
        found = _read(data, trusted.name)
        if found is None:
            continue
        seq, old, new = found
        if keys and keys[-1] != old:
            raise TamperError(
                f"entry {seq} rotates the key {old}, but the log's key was {keys[-1]}: it was altered",
                f"第 {seq} 条更换的是密钥 {old}，而当时台账的密钥为 {keys[-1]}：内容被改动",
            )
        keys = [*(keys or [old]), new]
        later.append((seq + 1, new))
    return KeyChain(keys[0], tuple(later)) if trusted in keys else KeyChain(trusted)


def chain_of_file(trusted: VerifierKey, path: Path) -> KeyChain:
    """:func:`chain` from a ledger's file, read apart from the write path.

    A file that cannot be read gives a chain of ``trusted`` alone: the verification that follows says what is wrong.
    """
    uri = path.absolute().as_uri()
    for suffix in ("?mode=ro", "?mode=ro&immutable=1"):
        # By the look-up table; where that or an altered entry fails, every entry is looked at.
        for by_kind in (True, False):
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(sqlite3.connect(uri + suffix, uri=True)) as db,
            ):
                return chain(trusted, _rotations(db, by_kind))
    return KeyChain(trusted)


def _rotations(db: sqlite3.Connection, by_kind: bool) -> list[bytes]:
    """The bytes of the entries that may rotate the key, in order."""
    values: dict[str, object] = {"mark": _MARK, "start": 0, "end": 2**62}
    where = "instr(CAST(entry AS BLOB), CAST(:mark AS BLOB))"
    if by_kind:
        wanted, named = lookups.seqs({"kind": [KIND]}, lookups.fields_of(db))
        where, values = f"seq IN ({wanted})", values | named
    sql = f"SELECT CAST(entry AS BLOB) FROM entries WHERE {where} ORDER BY seq"  # noqa: S608 - our own SQL
    return [row[0] for row in db.execute(sql, values)]


def _read(data: bytes, origin: str) -> tuple[int, VerifierKey, VerifierKey] | None:
    if _MARK not in data:
        return None
    try:
        entry = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None  # no statement; the verification of entries says what it is
    if not isinstance(entry, dict) or entry.get("kind") != KIND:
        return None
    try:
        check_entry(entry)
        old, new = (VerifierKey(origin, bytes.fromhex(entry[name])) for name in ("old_public_key", "public_key"))
        old.verify(bytes.fromhex(entry["old_signature"]), message(old, new))
        new.verify(bytes.fromhex(entry["new_signature"]), message(old, new))
    except (ValueError, NoteError, EntryError) as error:
        raise TamperError(
            f"a {KIND} entry is not signed by both its keys ({error}): it was altered",
            f"一条“台账密钥更换”未由新旧两把密钥签署（{error}）：内容被改动",
        ) from error
    return entry["seq"], old, new
