"""Keys of conditional appends that an entry's own open fields give: each is used by one entry only (log.md L14).

They are no part of the entries, so where a file's entries came back from a copy they are made again from here. The
keys of signed requests are not among these: they hold a nonce, which no entry shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.rule_kinds import RULE_KINDS


def anchor(size: int) -> str:
    """Of ``checkpoint.anchored`` for the checkpoint of ``size`` entries."""
    return f"anchor:{size}"


def erased(seq: int, field: str) -> str:
    """Of ``particulars.erased`` for one field of entry ``seq``."""
    return f"erased:{seq}:{field}"


def rules(after: int | None) -> str:
    """Of whatever changes the rules: each follows another change, which no other follows."""
    return "rules:first" if after is None else f"rules:{after}"


def batch(name: str) -> str:
    """Of ``batch.ingested``."""
    return f"batch:{name}"


def reminder(entry: Mapping[str, Any]) -> str:
    """Of ``reminder.sent``: the same one is sent once, whichever process sends it."""
    return ":".join(["reminder", *(str(entry[name]) for name in ("case", "to", "stop", "stage", "day", "outbox"))])


#: The kinds whose key is the kind and one field that names what it is about.
_NAMED_BY = {
    "agency.key_added": "keyid",
    "agency.key_revoked": "keyid",
    "agency.token_revoked": "token",
    "grant.given": "grant",
    "grant.revoked": "grant",
    "access.suspended": "suspension",
    "access.restored": "suspension",
}
Entry = Mapping[str, Any]
_KEYS: dict[str, Callable[[Entry], tuple[str, ...]]] = {
    "checkpoint.anchored": lambda entry: (anchor(entry["size"]),),
    "particulars.erased": lambda entry: tuple(erased(entry["erases"], field) for field in entry["fields"]),
    "batch.ingested": lambda entry: (batch(entry["batch"]),),
    "reminder.sent": lambda entry: (reminder(entry),),
    # The kinds by which the county's rules change.
    **{kind.name: lambda entry: (rules(entry.get("after")),) for kind in RULE_KINDS},
}


def keys_of(entry: Entry) -> tuple[str, ...]:
    """The keys that ``entry``, decoded and checked against its schema, used; () where it used none that it shows."""
    kind = entry["kind"]
    if kind in _NAMED_BY:
        return (f"{kind}:{entry[_NAMED_BY[kind]]}",)
    return _KEYS[kind](entry) if kind in _KEYS else ()
