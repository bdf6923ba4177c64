"""docs/spec/vectors/items.json, checked by code written from entry.md E20-E22 and receipt.md R10, R11 alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "docs/spec/vectors/items.json").read_text(encoding="utf-8"))


class Refused(Exception):
    """The specification forbids it."""


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def leaf(commitment: bytes) -> bytes:
    return hashlib.sha256(b"\0" + commitment).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:k]), root(leaves[k:]))


def from_path(index: int, size: int, own: bytes, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2."""
    fn, sn, value = index, size - 1, own
    for each in path:
        if sn == 0:
            raise Refused("R11: a hash too many")
        if fn & 1 or fn == sn:
            value = node(each, value)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node(value, each)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Refused("R11: a hash missing")
    return value


def check(proof: dict[str, Any], items: int, items_root: str) -> None:
    if set(proof) != {"index", "salt", "value", "path"}:
        raise Refused("R10: members")
    if not all(re.fullmatch("[0-9a-f]{64}", text) for text in (proof["salt"], *proof["path"])):
        raise Refused("R10: hex")
    if not 0 <= proof["index"] < items:
        raise Refused("R11: index")
    message = f"items/{proof['index']}".encode() + b"\0" + canonical(proof["value"])
    commitment = hmac.new(bytes.fromhex(proof["salt"]), message, "sha256").digest()
    path = [bytes.fromhex(each) for each in proof["path"]]
    if from_path(proof["index"], items, leaf(commitment), path).hex() != items_root:
        raise Refused("R11: root")


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: case["desc"])
def test_a_batch_and_each_of_its_items(case: dict[str, Any]) -> None:
    leaves = [leaf(bytes.fromhex(each)) for each in case["commitments"]]
    assert root(leaves).hex() == case["items_root"], "E21"
    assert case["items"] == len(leaves) == len(case["proofs"])
    for proof in case["proofs"]:
        check(proof, case["items"], case["items_root"])


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["desc"])
def test_what_the_root_does_not_cover_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        check(case["proof"], case["items"], case["items_root"])
