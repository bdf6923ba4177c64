"""docs/spec/witness.md and its vectors, checked by a witness written for this test from the page's text alone.

It shares no code with the program: own parsing, own hashing, the consistency proof by RFC 6962's recursive definition.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger import witnessing
from ledger.log import cadence, witness
from tests.ledger.support import ROOT

SPEC = ROOT / "docs" / "spec"
PAGE = (SPEC / "witness.md").read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads((SPEC / "vectors" / "witness.json").read_text(encoding="utf-8"))


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def key_of(vkey: str, kind: int) -> tuple[str, bytes, bytes]:
    """(name, key id, public key) of a vkey; W1."""
    name, key_id, rest = vkey.split("+", 2)
    raw = base64.b64decode(rest, validate=True)
    assert raw[0] == kind and len(raw) == 33
    assert sha(name.encode() + b"\n" + raw)[:4].hex() == key_id
    return name, bytes.fromhex(key_id), raw[1:]


LOG = key_of(VECTORS["log_vkey"], 1)
WITNESS = key_of(VECTORS["witness_vkey"], 4)


class Refused(Exception):
    pass


def must(condition: object, status: int) -> None:
    if not condition:
        raise Refused(status)


def number(text: str) -> int:
    must(re.fullmatch("0|[1-9][0-9]*", text, re.ASCII), 400)
    return int(text)


def hash_of(line: str) -> bytes:
    try:
        raw = base64.b64decode(line)
    except ValueError:
        raise Refused(400) from None
    must(len(raw) == 32 and base64.b64encode(raw).decode() == line, 400)
    return raw


def signatures(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    text, _, lines = note.rpartition("\n\n")
    must(text, 400)
    found = []
    for line in lines.splitlines():
        dash, name, payload = line.split(" ")
        must(dash == "—", 400)
        raw = base64.b64decode(payload)
        found.append((name, raw[:4], raw[4:]))
    return text + "\n", found


def is_signed(text: str, found: list[tuple[str, bytes, bytes]]) -> bool:
    for name, key_id, signature in found:
        if (name, key_id) == LOG[:2]:
            try:
                Ed25519PublicKey.from_public_bytes(LOG[2]).verify(signature, text.encode())
            except InvalidSignature:
                return False
            return True
    return False


def cosigned_time(text: str, signature: bytes) -> int:
    """W2."""
    time = int.from_bytes(signature[:8], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(WITNESS[2]).verify(signature[8:], message)
    return time


def subproof(old: int, new: int, whole: bool, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """RFC 6962 §2.1.2 read backwards: (old root, new root) that a proof leads to, taking hashes from its end."""
    if old == new:
        value = old_root if whole else proof.pop()
        return value, value
    k = 1
    while k * 2 < new:
        k *= 2
    last = proof.pop()
    if old <= k:
        left_old, left_new = subproof(old, k, whole, old_root, proof)
        return left_old, sha(b"\1" + left_new + last)
    right_old, right_new = subproof(old - k, new - k, False, old_root, proof)
    return sha(b"\1" + last + right_old), sha(b"\1" + last + right_new)


class Plain:
    """A witness by the page, W4 to W7."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.proven: list[int] = []

    def answer(self, request: str) -> tuple[int, str]:
        """Status, and the checkpoint's text where it is cosigned."""
        try:
            return 200, self.cosigns(request)
        except Refused as refused:
            return refused.args[0], ""

    def cosigns(self, request: str) -> str:
        head, separator, note = request.partition("\n\n")
        first, *lines = head.split("\n")
        must(separator and first.startswith("old ") and len(lines) <= 63, 400)
        old, proof = number(first[4:]), [hash_of(line) for line in lines]
        text, found = signatures(note)
        origin, size_line, root_line, end = text.split("\n")
        size, root = number(size_line), hash_of(root_line)
        must(not end, 400)
        must(origin == LOG[0], 404)
        must(is_signed(text, found), 403)
        must(old <= size, 400)
        if size in self.kept and self.kept[size] != root:
            self.proven.append(size)
            raise Refused(409)
        have = max(self.kept, default=0)
        must(old == have, 409)
        if old not in (0, size):
            self.check(old, size, root, proof)
        else:
            must(not proof, 422)
        self.kept[size] = root
        return text

    def check(self, old: int, size: int, root: bytes, proof: list[bytes]) -> None:
        try:
            old_root, new_root = subproof(old, size, True, self.kept[old], proof)
        except IndexError:
            raise Refused(422) from None
        must(not proof, 422)
        if new_root == root and old_root != self.kept[old]:
            self.proven.append(size)
        must((old_root, new_root) == (self.kept[old], root), 422)


def test_a_witness_by_the_page_answers_each_request_as_the_vectors_say() -> None:
    plain, times = Plain(), []
    for case in VECTORS["cases"]:
        status, text = plain.answer(case["request"])
        assert status == case["status"], case["desc"]
        if status == 409:
            assert (case["content_type"], case["answer"]) == ("text/x.tlog.size", f"{max(plain.kept)}\n")
        if status == 200:
            _, [(name, key_id, signature)] = signatures(f"{text}\n{case['answer']}")
            assert (name, key_id) == WITNESS[:2] and case["answer"].endswith("\n")
            times.append(cosigned_time(text, signature))
    assert times == sorted(set(times)) and len(times) > 3
    assert {case["status"] for case in VECTORS["cases"]} == {200, 400, 403, 404, 409, 422}
    assert plain.proven == [conflict["size"] for conflict in VECTORS["proven_conflicts"]]


def test_proven_conflicts_are_two_notes_that_the_log_signed() -> None:
    assert VECTORS["proven_conflicts"]
    for conflict in VECTORS["proven_conflicts"]:
        for note in (conflict["seen"], conflict["new"]):
            assert is_signed(*signatures(note))
        assert signatures(conflict["seen"])[0] != signatures(conflict["new"])[0]


def test_the_published_key_is_the_witnesses() -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["witness_seed"])).public_key()
    assert public.public_bytes_raw() == WITNESS[2]


def sample(name: str) -> str:
    found = re.search(f"<!-- begin {name} -->\n```text\n(.*?\n)```", PAGE, re.S)
    assert found
    return found[1]


def test_the_samples_of_the_page_hold() -> None:
    plain = Plain()
    plain.answer(VECTORS["cases"][0]["request"])
    status, text = plain.answer(sample("witness request"))
    assert status == 200
    noted, found = signatures(sample("witness checkpoint"))
    assert noted == text and is_signed(noted, found) and len(found) == 3
    _, [(name, _, signature)] = signatures(f"{text}\n{sample('witness answer')}")
    assert (name, cosigned_time(text, signature)) == (WITNESS[0], cosigned_time(text, found[1][2]))
    policy = sample("witness policy")
    assert VECTORS["log_vkey"] in policy and VECTORS["witness_vkey"] in policy


def test_the_musts_are_numbered_without_a_gap_and_the_figures_are_the_programs() -> None:
    numbers = [int(found) for found in re.findall(r"^- \*\*W([0-9]+)\*\* ", PAGE, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert witness.MAX_BODY_BYTES == 64 * 1024 and witness.MAX_PROOF_LINES == 63
    assert (cadence.INTERVAL.seconds, cadence.MARGIN.seconds, cadence.FIRST_RETRY.seconds) == (300, 60, 10)
    assert witnessing.OVERDUE.total_seconds() == 3_600
