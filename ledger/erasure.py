"""Erasing particulars: key, salt and value destroyed, the entry and its proof left whole.

The decision goes into the ledger first (``particulars.erased``), then the stored particular goes: whoever opens a
ledger, be it after a crash or from a restored backup, first destroys whatever its entries say is erased.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger import once
from ledger.errors import ConflictError, LedgerError
from ledger.items import FIELD as ITEMS
from ledger.items import item_field
from ledger.log import canonical
from ledger.log.store import Store

if TYPE_CHECKING:
    from ledger.book import Ledger

KIND = "particulars.erased"
#: Particulars of a query are kept at least this long, unless a law requires otherwise (DESIGN §2).
KEPT_YEARS = 3


class ErasureRefusedError(LedgerError):
    """Nothing was erased: nothing to erase, or too early."""


class ErasureUnfinishedError(LedgerError):
    """Erased in the ledger, but copies may remain in the file or its WAL; run the command again."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is asked for.

    Attributes:
        fields: the particulars' names, ``items/17`` for one item of a batch, ``items`` for all; empty for all of the
            entry.
        ground: the legal ground, in words.
        by: identifier of who decided.
        law_requires: the law that requires it within three years, if it is that early.
    """

    seq: int
    ground: str
    by: str
    fields: tuple[str, ...] = ()
    ground_code: str = ""
    law_requires: str = ""


def erase(ledger: Ledger, wanted: Erasure, now: datetime) -> list[dict[str, Any]]:
    """Erase particulars of one entry; returns the ``particulars.erased`` entries that say so, this one's last.

    Repeating it finishes what was left unfinished and appends nothing again.

    Raises:
        ErasureRefusedError: the entry has no such particulars, or is younger than three years.
        EntryError: ground or identifier are out of form.
        ErasureUnfinishedError: a reader or a lack of disk space keeps old copies alive; run it again.
    """
    entry = ledger.entry(wanted.seq)
    committed = entry.get("commit", {})
    batch = [item_field(index) for index in range(entry.get("items", 0))]
    fields = sorted({*(wanted.fields or committed)} | ({*batch} if _names_all_items(wanted.fields) else set()))
    unknown = [name for name in fields if name not in committed and name not in batch]
    if unknown or not fields:
        raise ErasureRefusedError(
            f"entry {wanted.seq} commits to no {unknown[0] if unknown else 'particulars'}; it has "
            f"{', '.join(committed) or 'none'}",
            f"第 {wanted.seq} 条没有事项{f'“{unknown[0]}”' if unknown else ''}；现有：{'、'.join(committed) or '无'}",
        )
    erased = {name for said in _said(ledger, wanted.seq) for name in said["fields"]}
    left = [name for name in fields if name not in erased]
    if left:
        if not wanted.law_requires:
            _check_age(entry, now)
        _append(ledger, wanted, left)
    apply(ledger.path)
    return _said(ledger, wanted.seq)


def _names_all_items(fields: Sequence[str]) -> bool:
    """Whether all items of a batch go: with the commitments of all of them gone, none could be proven any more."""
    return not fields or ITEMS in fields


def apply(path: Path) -> int:
    """Destroy what the entries of the ledger at ``path`` say is erased; return how many particulars that were.

    Raises:
        ErasureUnfinishedError: copies may remain in the file.
    """
    store = Store.open(path)
    try:
        left = [
            (entry["erases"], name)
            for entry in _erased(store)
            for name in sorted(set(store.kept(entry["erases"])) & set(entry["fields"]))
        ]
        if left:
            store.destroy(left)
        if store.scrub_due and not store.scrub():
            raise _unfinished("another program still reads the old state", "仍有程序在读取旧内容")
    except sqlite3.Error as error:
        raise _unfinished(str(error), str(error)) from error
    finally:
        store.close()
    return len(left)


def _append(ledger: Ledger, wanted: Erasure, fields: Sequence[str]) -> None:
    said: dict[str, Any] = {"erases": wanted.seq, "fields": list(fields), "ground": wanted.ground, "by": wanted.by}
    if wanted.ground_code:
        said["ground_code"] = wanted.ground_code
    if wanted.law_requires:
        said["law_requires"] = wanted.law_requires
    with contextlib.suppress(ConflictError):  # another process said it at the same moment
        ledger.append(KIND, said, once=[once.erased(wanted.seq, name) for name in fields])


def _said(ledger: Ledger, seq: int) -> list[dict[str, Any]]:
    entries = ledger.newest(2**31, where={"kind": KIND})
    return [entry for entry in reversed(entries) if entry["erases"] == seq]


def _erased(store: Store) -> list[dict[str, Any]]:
    return [canonical.decode_object(row) for row in store.newest(2**31, where={"kind": KIND})]


def _check_age(entry: dict[str, Any], now: datetime) -> None:
    t = datetime.fromisoformat(entry["t"].replace("Z", "+00:00"))
    leap = (t.month, t.day) == (2, 29)
    until = t.replace(year=t.year + KEPT_YEARS, month=3, day=1) if leap else t.replace(year=t.year + KEPT_YEARS)
    if now.astimezone(UTC) < until:
        raise ErasureRefusedError(
            f"entry {entry['seq']} is of {entry['t']}; its particulars are kept until {until:%Y-%m-%d} unless a law "
            "requires otherwise: name that law with --law-requires",
            f"第 {entry['seq']} 条写于 {entry['t']}，事项应保存至 {until:%Y-%m-%d}；"
            "法律另有要求的，请用 --law-requires 写明该法律",
        )


def _unfinished(en: str, zh: str) -> ErasureUnfinishedError:
    return ErasureUnfinishedError(
        f"not finished: the particulars are erased from the ledger, but copies may remain in its file ({en}); end "
        "whatever reads or writes the ledger or free disk space, then run the same command again",
        f"尚未完成：事项已从台账抹除，但文件中可能仍有残留（{zh}）；请结束正在读写台账的程序或腾出磁盘空间，"
        "然后重新运行同一命令",
    )


__all__ = ["KEPT_YEARS", "KIND", "Erasure", "ErasureRefusedError", "ErasureUnfinishedError", "apply", "erase"]
