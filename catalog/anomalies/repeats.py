"""Repeated purposes (:mod:`catalog.anomalies.repeated_purpose`) as flags among the others.

They are the one rule that needs particulars, so they are looked for each time among the newest queries and kept
nowhere: what was erased is not judged.
"""

from __future__ import annotations

from catalog.anomalies.repeated_purpose import RULE, Repeated, Stated, repeated_purposes
from catalog.anomalies.rules import NAMED_ENTRIES, Flag
from catalog.listing import local_time
from ledger import Ledger

#: So many of the newest queries are looked through: opening a purpose costs a decryption each.
LOOKED_THROUGH = 2_000


def repeats(ledger: Ledger, limit: int = LOOKED_THROUGH) -> list[Flag]:
    """The flags of repeated purposes among the newest answered queries, those with the newest entries first."""
    found = [_flag(ledger, each) for each in repeated_purposes(opened_purposes(ledger, limit))]
    return sorted(found, key=lambda flag: (-flag.last, flag.id))


def opened_purposes(ledger: Ledger, limit: int) -> list[Stated]:
    """The purposes that the newest answered queries stated."""
    stated = []
    for entry in ledger.newest(limit, where={"kind": "query.served"}):
        if "purpose" not in entry:
            continue
        opened = ledger.opened(entry["seq"])
        words = str(opened.get("purpose_text", ""))
        where = (entry["seq"], entry["requester"], entry["resource"], entry["purpose"])
        stated.append(Stated(*where, str(opened.get("reference", "")), words))
    return stated


def _flag(ledger: Ledger, repeated: Repeated) -> Flag:
    day = local_time(ledger.entry(repeated.entries[0])["t"])[:10]
    resource = repeated.resources[0] if len(repeated.resources) == 1 else ""
    numbers = {"value": len(repeated.entries), "others": repeated.others}
    named, last = repeated.entries[:NAMED_ENTRIES], repeated.entries[-1]
    return Flag(
        repeated.id, RULE, repeated.requester, resource, repeated.what, day, numbers, named, len(repeated.entries), last
    )
