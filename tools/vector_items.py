"""Vectors of batches of items (entry.md E20-E22, receipt.md R10, R11)."""

from __future__ import annotations

from typing import Any

from ledger.book import Receipt
from ledger.items import draw_salts, items_root, prove_items, seal_items
from ledger.log.commitment import Opening
from tools.vector_log import Case, error_of, random_source

COUNTS = (1, 2, 3, 5, 8)


def item_vectors() -> Case:
    """Batches of some sizes with all paths, and items that are not what the root covers."""
    random = random_source()
    valid = []
    for count in COUNTS:
        values = [_lookup(n) for n in range(count)]
        openings = [Opening(salt, value) for salt, value in zip(draw_salts(count, random), values, strict=True)]
        sealed = seal_items(openings, random)
        proofs = prove_items(sealed.commitments, dict(enumerate(openings)))
        valid.append(
            {
                "desc": f"{count} items" if count > 1 else "one item: the root is its leaf",
                "items": count,
                "items_root": items_root(sealed.commitments),
                "commitments": sealed.commitments,
                "proofs": [proof.to_json() for proof in proofs],
            }
        )
    return {
        "about": "Batches (entry.md E20-E22): commitments of items, their root, paths (receipt.md R10, R11).",
        "valid": valid,
        "invalid": _bad(valid[3]),
    }


def _lookup(n: int) -> dict[str, Any]:
    return {
        "answer_sha256": f"{n:064x}",
        "column": "credit_code",
        "database": "work",
        "more": False,
        "rows": n,
        "table": "penalties",
        "value": f"91370000示例{n:06}",
    }


def _bad(batch: Case) -> list[Case]:
    good = batch["proofs"][2]
    other = batch["proofs"][3]
    flipped = ("1" if good["path"][0][0] == "0" else "0") + good["path"][0][1:]
    wrong: list[tuple[str, Case]] = [
        ("another value", {"value": other["value"]}),
        ("another salt", {"salt": other["salt"]}),
        ("another index", {"index": 3}),
        ("an index beyond the items", {"index": 5}),
        ("a negative index", {"index": -1}),
        ("a flipped bit in the path", {"path": [flipped, *good["path"][1:]]}),
        ("a hash missing", {"path": good["path"][:-1]}),
        ("a hash too many", {"path": [*good["path"], good["path"][0]]}),
        ("swapped hashes", {"path": [good["path"][1], good["path"][0], *good["path"][2:]]}),
        ("a salt in capitals", {"salt": good["salt"].upper()}),
        ("a hash of 31 bytes", {"path": [good["path"][0][:-2], *good["path"][1:]]}),
        ("a member too many", {"more": 1}),
        ("another root", {"items_root": "0" * 64}),
        ("another count", {"items": 4}),
    ]
    cases = []
    for desc, change in wrong:
        entry = {name: change.get(name, batch[name]) for name in ("items", "items_root")}
        item = {**good, **{name: value for name, value in change.items() if name not in entry}}
        cases.append({"desc": desc, **entry, "proof": item, "want_error": error_of(_check, item, entry)})
    return cases


def _check(item: Case, entry: Case) -> None:
    (read,) = Receipt.from_json({"entry": "", "proof": "", "openings": {}, "items": [item]}).items
    read.check(entry)
