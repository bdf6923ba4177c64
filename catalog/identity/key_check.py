"""Which keys of agencies may be relied on: said anew from the ledger alone, for whoever does not trust the register.

The operator keeps identity.db, so an auditor does not ask it: the entries are applied to an empty register, the root's
fingerprint comes from paper, and a register that says anything else is found out.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError
from catalog.identity import keys
from catalog.identity.projection import Since, follow
from catalog.identity.register import Register

#: What of a key must be the same in the register and in the ledger.
_SAME = ("keyid", "agency", "system", "algorithm", "public_key", "endorser", "added_seq", "expires_at", "revoked_at")


class KeyCheckError(CatalogError):
    """A key of the register, or the root of all, is not what it ought to be."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Checked:
    """What the ledger says of keys, as :func:`catalog.identity.keys.listing` and ``rejected`` give them."""

    keys: list[dict[str, Any]]
    rejected: list[dict[str, Any]]


def check(since: Since, root: str, identity_path: Path | None = None) -> Checked:
    """Read all keys anew from the entries.

    Args:
        since: gives the ledger's entries of some kinds.
        root: the fingerprint of the first supervising office's first key, from paper; blanks do not count.
        identity_path: the register of the service, to be compared; None where there is none.

    Raises:
        KeyCheckError: the root is another key, or the register says of a key what the ledger does not.
    """
    with tempfile.TemporaryDirectory() as folder, closing(Register.create(Path(folder) / "identity.db")) as register:
        follow(register, since)
        checked = Checked(keys.listing(register), keys.rejected(register))
    _check_root(checked.keys, root)
    if identity_path is not None:
        _compare({each["keyid"]: each for each in checked.keys}, _stored(identity_path))
    return checked


def _check_root(found: Iterable[Mapping[str, Any]], root: str) -> None:
    roots = [each for each in found if each["endorser"] is None]
    if not roots:
        raise KeyCheckError("the ledger holds no key of a supervising office", "台账中没有监督机构的密钥")
    for each in roots:
        if re.sub(r"\s", "", root).lower() != each["fingerprint"].replace(" ", ""):
            raise KeyCheckError(
                f"trust begins with key {each['keyid']} of {each['agency']}, fingerprint {each['fingerprint']}; that "
                "is not the one on paper: rely on no key of this ledger, and tell the supervising offices",
                f"信任始于 {each['agency']} 的密钥 {each['keyid']}，指纹 {each['fingerprint']}，与书面指纹不符："
                "本台账的密钥一概不可信，请报告监督机构",
            )


def _compare(said: Mapping[str, Mapping[str, Any]], stored: Iterable[Mapping[str, Any]]) -> None:
    for each in stored:
        entry = said.get(each["keyid"])
        if entry is None or any(entry[name] != each[name] for name in _SAME):
            raise KeyCheckError(
                f"the register holds key {each['keyid']} of {each['agency']} otherwise than the ledger says: somebody "
                "wrote into it past the ledger",
                f"身份库中 {each['agency']} 的密钥 {each['keyid']} 与台账所记不符：有人绕过台账改动了身份库",
            )


def _stored(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("SELECT * FROM keys")]
