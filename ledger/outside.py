"""What people keep of a ledger outside of it, as files: checkpoints, receipts, proofs, a witness's export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from ledger.book import Receipt
from ledger.errors import EntryError, LedgerError, NoteError
from ledger.log.cosignature import CosignerKey
from ledger.log.keychain import KeyChain
from ledger.log.note import PROOF_HEADER, TlogProof, VerifierKey
from ledger.log.verify_outside import Outside, open_outside

#: An export of a witness that cosigned every five minutes for years.
MAX_FILE_BYTES = 1 << 30


def read_outside(
    file: Path, keys: KeyChain, trusted: VerifierKey, witnesses: Sequence[CosignerKey] = ()
) -> tuple[Outside, ...]:
    """The checkpoints in ``file``: a checkpoint, a receipt, a tlog-proof, or what `liandong witness export` wrote.

    Raises:
        EntryError: none of these, or a receipt whose own proof does not hold.
        NoteError: a checkpoint is malformed or not signed by the log, or a known witness's signature does not verify.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise EntryError(
            f"{file} cannot be read ({error.strerror}); name an existing checkpoint or receipt",
            f"无法读取 {file}（{error.strerror}）；请指定存在的检查点或回执文件",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise EntryError(f"{file} is larger than {MAX_FILE_BYTES} bytes", f"{file} 超过 {MAX_FILE_BYTES} 字节")
    return tuple(open_outside(note, str(file), keys, trusted, witnesses) for note in _notes(file, data, keys, trusted))


def _notes(file: Path, data: bytes, keys: KeyChain, trusted: VerifierKey) -> Iterator[bytes]:
    if not data.startswith(b"{"):
        yield TlogProof.parse(data).checkpoint if data.startswith(PROOF_HEADER) else data
        return
    value = parse_json(file, data)
    if isinstance(value, dict) and "cosigned" in value:
        yield from _exported(file, value["cosigned"], trusted.name)
        return
    receipt = Receipt.from_json(value)
    note = TlogProof.parse(receipt.proof).checkpoint
    outside = open_outside(note, str(file), keys, trusted, ())
    try:
        # By the key that signed: the entry of a receipt proves nothing unless its own proof leads to the checkpoint.
        receipt.verify(_signer(note, outside, keys, trusted))
    except LedgerError as error:
        raise EntryError(
            f"{file}: the receipt does not hold in itself: {error.en}", f"{file}：回执本身不成立：{error.zh}"
        ) from error
    yield note


def _signer(note: bytes, outside: Outside, keys: KeyChain, trusted: VerifierKey) -> VerifierKey:
    try:
        keys.open(note)
    except NoteError:
        return trusted
    return keys.at(outside.checkpoint.size)


def _exported(file: Path, notes: Any, origin: str) -> list[bytes]:
    """A witness's checkpoints of the log; it may have seen others too."""
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise EntryError(
            f"{file} is not what `liandong witness export` writes", f"{file} 不是 `liandong witness export` 写出的文件"
        )
    found = [note.encode() for note in notes if note.partition("\n")[0] == origin]
    if not found:
        raise EntryError(f"{file} holds no checkpoint of {origin}", f"{file} 中没有 {origin} 的检查点")
    return found


def parse_json(file: Path, data: bytes) -> Any:
    """JSON in which no member is given twice.

    Raises:
        EntryError: it is not.
    """
    try:
        value: Any = orjson.loads(data)  # unlike json it refuses hostile nesting and numbers cleanly
        # A reader could believe the first of two members of one name where a program takes the last.
        json.loads(data, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise EntryError(
            f"{file} cannot be read as a receipt ({error}); fetch it again from /log/receipt/NUMBER",
            f"{file} 无法作为回执读取（{error}）；请从 /log/receipt/编号 重新获取",
        ) from error
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member is given twice")
    return value
