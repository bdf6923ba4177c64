"""Whether a verified log contains what somebody kept outside of it: a checkpoint that the log once signed.

This is what catches the holder of the log's own key, who can rewrite everything in the file and sign it anew, but not
what lies in other hands. Like :mod:`ledger.log.verify` it shares no code with the write path.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import NoteError, ProofError, RollbackError, TamperError
from ledger.log.cosignature import Cosigned, CosignerKey, open_cosigned
from ledger.log.keychain import KeyChain
from ledger.log.merkle import HashReader, check_consistency, consistency_proof, tree_root
from ledger.log.note import Checkpoint, VerifierKey, open_checkpoint
from ledger.log.tiles import HEIGHT, Tile, TileReader
from ledger.log.verify import snapshot


@dataclass(frozen=True, slots=True)
class Outside:
    """A checkpoint of the log that was kept outside, its signatures verified.

    Attributes:
        where: the file it was in, for messages.
        cosigned: the known witnesses that cosigned it.
    """

    where: str
    checkpoint: Checkpoint
    cosigned: tuple[Cosigned, ...] = ()


def open_outside(
    note: bytes, where: str, keys: KeyChain, trusted: VerifierKey, witnesses: Sequence[CosignerKey]
) -> Outside:
    """Read a checkpoint that was kept outside.

    Args:
        keys: the log's keys over all rotations, as its entries say.
        trusted: the key that was given: it is believed even where the entries say that another one signed by then.

    Raises:
        NoteError: malformed, not signed by the log, or a known witness's cosignature does not verify.
    """
    try:
        try:
            key = keys.at(keys.open(note).size)
        except NoteError as error:
            try:
                open_checkpoint(note, trusted)
            except NoteError:
                raise error from None
            key = trusted
        return Outside(where, *open_cosigned(note, key, witnesses))
    except NoteError as error:
        raise NoteError(f"{where}: {error.en}", f"{where}：{error.zh}") from error


def check_outside(outside: Outside, size: int, root: bytes, reader: HashReader) -> None:
    """Raise unless the log of ``size`` entries with ``root``, verified before, extends what was kept outside.

    Args:
        reader: the log's hashes; what they say is proved against ``root``.

    Raises:
        RollbackError: the log is shorter.
        TamperError: its first entries are not those that the checkpoint covers.
    """
    kept, where = outside.checkpoint, outside.where
    who = ", ".join(item.key.name for item in outside.cosigned)
    by, by_zh = (f" and cosigned by {who}", f"并经 {who} 见证") if who else ("", "")
    if kept.size > size:
        raise RollbackError(
            f"{where} is a checkpoint of {kept.size} entries, signed by this log{by}; the log holds {size}: entries "
            f"were cut off, or an older copy was put in place. Keep {where}, it is the proof, and call the supervising "
            "offices",
            f"{where} 是本台账签名{by_zh}的检查点，涵盖 {kept.size} 条；而台账只有 {size} 条："
            f"末尾被截去，或被换成较旧的副本。请保存 {where} 作为证据，并联系监督机构",
        )
    try:
        check_consistency(kept.size, size, kept.root, root, consistency_proof(kept.size, size, reader))
    except ProofError as error:
        own = tree_root(kept.size, reader).hex()
        raise TamperError(
            f"{where} is a checkpoint of {kept.size} entries with root {kept.root.hex()}, signed by this log{by}; the "
            f"log's first {kept.size} entries have root {own} now: they were rewritten and signed anew by somebody who "
            f"holds the log's key. Keep {where}, it is the proof, and call the supervising offices",
            f"{where} 是本台账签名{by_zh}的检查点，{kept.size} 条的根为 {kept.root.hex()}；"
            f"而台账现有前 {kept.size} 条的根为 {own}：已被持有台账私钥者改写并重新签名。"
            f"请保存 {where} 作为证据，并联系监督机构",
        ) from error


@contextmanager
def hashes_of(path: Path, size: int) -> Iterator[HashReader]:
    """The hashes of the first ``size`` entries of the log file at ``path``, read apart from the write path."""
    with snapshot(path) as db:
        yield TileReader(size, lambda tile: _tile(db, tile))


def cosigned_by(path: Path, keys: KeyChain, witnesses: Sequence[CosignerKey]) -> dict[CosignerKey, tuple[int, int]]:
    """For each of ``witnesses`` the largest kept checkpoint that it cosigned: its size, and the witness's time.

    Raises:
        NoteError: a kept checkpoint is malformed, or a signature in it does not verify.
    """
    found: dict[CosignerKey, tuple[int, int]] = {}
    with snapshot(path) as db:
        rows = db.execute("SELECT note FROM checkpoints ORDER BY size DESC")
        while len(found) < len(witnesses) and (row := rows.fetchone()) is not None:
            key = keys.at(keys.open(row[0]).size)
            checkpoint, cosigned = open_cosigned(row[0], key, witnesses)
            for item in cosigned:
                found.setdefault(item.key, (checkpoint.size, item.time))
    return found


def _tile(db: sqlite3.Connection, tile: Tile) -> bytes:
    start, end = tile.start, tile.start + tile.width
    if not tile.level:
        rows = db.execute("SELECT hash FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq", (start, end))
    else:
        sql = "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
        rows = db.execute(sql, (tile.level * HEIGHT, start, end))
    return b"".join(row[0] for row in rows)
