"""The vectors of docs/spec, checked by a verifier written for this test from the specification's text alone.

The verifier uses nothing of ``ledger``: hashlib, hmac, json and an Ed25519 library. What it takes and refuses must be
what the vectors say, so an error that the program and its own vectors share shows here.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tools import make_vectors

SPEC = Path(__file__).resolve().parents[2] / "docs" / "spec"


class Refused(Exception):
    """The specification forbids it."""


class TooNew(Exception):
    """Entry.md E12: this reader does not know the kind or version."""


def must(condition: object, rule: str) -> None:
    if not condition:
        raise Refused(rule)


# -- entry.md ----------


def read_canonical(data: bytes) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        must(len({key for key, _ in pairs}) == len(pairs), "E5")
        return dict(pairs)

    def no(text: str) -> Any:
        raise Refused(f"E3 {text}")

    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=members, parse_float=no, parse_constant=no)
    except (ValueError, RecursionError) as error:
        raise Refused("E1") from error
    check_value(value, 16)
    must(write_canonical(value) == data, "E8")
    return value


def check_value(value: Any, depth: int) -> None:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, str):
        must(not any(0xD800 <= ord(character) < 0xE000 for character in value), "E6")
    elif isinstance(value, int):
        must(abs(value) <= 2**53 - 1, "E4")
    else:
        must(isinstance(value, list | dict), "E2")
        must(depth > 0, "E7")
        if isinstance(value, dict):
            must(all(re.fullmatch("[a-z][a-z0-9_]*", key) for key in value), "E5")
            value = list(value.values())
        for item in value:
            check_value(item, depth - 1)


def write_canonical(value: Any) -> bytes:
    check_value(value, 16)
    if isinstance(value, dict):
        return b"{" + b",".join(write_canonical(k) + b":" + write_canonical(v) for k, v in sorted(value.items())) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(write_canonical, value)) + b"]"
    if isinstance(value, str):
        short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
        escaped = (short.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x20 else c) for c in value)
        return b'"' + "".join(escaped).encode() + b'"'
    return {True: b"true", False: b"false", None: b"null"}[value] if not is_int(value) else b"%d" % value


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_hex(value: Any, digits: int = 64) -> bool:
    return isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value) is not None


def exists(text: str, form: str) -> bool:
    try:
        datetime.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


FORMS: list[tuple[str, Callable[[Any, str], bool]]] = [
    (
        "an identifier of lower-case ASCII",
        lambda v, _: isinstance(v, str) and bool(re.fullmatch(r"[a-z0-9][a-z0-9_.:/@-]{0,127}", v)),
    ),
    ("a SHA-256 hash as 64 hex digits", lambda v, _: is_hex(v)),
    (
        "a date YYYY-MM-DD",
        lambda v, _: (
            isinstance(v, str) and bool(re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", v)) and exists(v, "%Y-%m-%d")
        ),
    ),
    ("a whole number from 0", lambda v, _: is_int(v) and v >= 0),
    ("an HTTP status", lambda v, _: is_int(v) and 100 <= v <= 599),
    ("text of 1 to ([0-9]+) characters", lambda v, n: isinstance(v, str) and 1 <= len(v) <= int(n)),
    ("one of (.+)", lambda v, choices: v in choices.split(", ")),
    ("a list, each (.+)", lambda v, form: isinstance(v, list) and all(has_form(item, form) for item in v)),
]


def has_form(value: Any, form: str) -> bool:
    for pattern, accepts in FORMS:
        match = re.fullmatch(pattern, form)
        if match:
            return accepts(value, match[1] if match.groups() else "")
    raise AssertionError(f"kinds.md names a form that it does not define: {form}")


def kinds_of_the_page() -> dict[tuple[str, int], tuple[dict[str, tuple[str, bool]], set[str]]]:
    """(kind, version) -> (field -> (form, required), particulars), as kinds.md prints them."""
    found = {}
    for section in re.split("^### ", (SPEC / "kinds.md").read_text(encoding="utf-8"), flags=re.M)[1:]:
        heading = re.match(r"(\S+), version ([0-9]+)\n", section)
        assert heading
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+? \| (yes|no) .+?\|$", section, re.M)
        fields = {name: (form, required == "yes") for name, form, required in rows}
        (particulars,) = re.findall("^Particulars .*?: (.*)$", section, re.M)
        found[heading[1], int(heading[2])] = fields, set(re.findall("`(.+?)`", particulars))
    return found


KINDS = kinds_of_the_page()
CHAIN = {"log", "seq", "prev", "t", "kind", "v", "commit"}


def check_kind(entry: dict[str, Any]) -> None:
    kind, version = entry.get("kind"), entry.get("v")
    must(isinstance(kind, str) and is_int(version), "E12")
    if (kind, version) not in KINDS:
        raise TooNew
    fields, particulars = KINDS[kind, version]
    for name in entry.keys() - CHAIN:
        must(name in fields and has_form(entry[name], fields[name][0]), "E12")
    must(all(name in entry for name, (_, required) in fields.items() if required), "E12")
    if "commit" in entry:
        commit = entry["commit"]
        must(isinstance(commit, dict) and commit, "E13")
        must(all(name in particulars and is_hex(value) for name, value in commit.items()), "E13")


def commitment(salt: bytes, name: str, value: Any) -> str:
    must(len(salt) == 32, "E15")
    return hmac.new(salt, name.encode() + b"\0" + write_canonical(value), "sha256").hexdigest()


# -- log.md ----------


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def entry_hash(entry: bytes) -> bytes:
    return sha(b"\0" + entry)


def root_of(hashes: list[bytes]) -> bytes:
    if len(hashes) < 2:
        return hashes[0] if hashes else sha(b"")
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + root_of(hashes[:k]) + root_of(hashes[k:]))


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962 §2.1.1 read backwards: the root that ``path`` gives, consumed from its end."""
    if size == 1:
        must(not path, "L3")
        return leaf
    must(path, "L3")
    k = 1 << (size - 1).bit_length() - 1
    if index < k:
        return sha(b"\1" + root_by_path(leaf, index, k, path[:-1]) + path[-1])
    return sha(b"\1" + path[-1] + root_by_path(leaf, index - k, size - k, path[:-1]))


def check_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    must(0 <= index < size and all(len(value) == 32 for value in [leaf, root, *path]), "L3")
    must(root_by_path(leaf, index, size, path) == root, "L3")


def roots_by_proof(old: int, new: int, whole: bool, proof: list[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    """RFC 6962 §2.1.2 SUBPROOF read backwards: the old and new root that ``proof`` gives."""
    if old == new:
        if whole:
            must(not proof, "L4")
            return old_root, old_root
        must(len(proof) == 1, "L4")
        return proof[0], proof[0]
    must(proof, "L4")
    k = 1 << (new - 1).bit_length() - 1
    if old <= k:
        left = roots_by_proof(old, k, whole, proof[:-1], old_root)
        return left[0], sha(b"\1" + left[1] + proof[-1])
    right = roots_by_proof(old - k, new - k, False, proof[:-1], old_root)
    return sha(b"\1" + proof[-1] + right[0]), sha(b"\1" + proof[-1] + right[1])


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> None:
    must(0 <= old <= new and all(len(value) == 32 for value in [old_root, new_root, *proof]), "L4")
    if old == 0:
        must(not proof and old_root == sha(b""), "L4")
        must(new > 0 or new_root == sha(b""), "L4")
        return
    must(roots_by_proof(old, new, True, proof, old_root) == (old_root, new_root), "L4")


def number(text: str) -> int:
    must(re.fullmatch("0|[1-9][0-9]*", text, re.ASCII) and len(text) < 20 and int(text) < 2**63, "L7")
    return int(text)


def unbase64(text: str) -> bytes:
    must(re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) and len(text) % 4 == 0, "L7")
    raw = base64.b64decode(text)
    must(base64.b64encode(raw).decode() == text, "L7")
    return raw


def check_name(name: str) -> None:
    must(name and "+" not in name, "L5")
    must(not any(c.isspace() or unicodedata.category(c) in {"Cc", "Zs", "Zl", "Zp"} for c in name), "L5")


Key = tuple[str, bytes, bytes]


def read_vkey(vkey: str) -> Key:
    match = re.fullmatch(r"([^+]+)\+([0-9a-f]{8})\+(.+)", vkey, re.S)
    must(match, "L5")
    assert match
    check_name(match[1])
    raw = unbase64(match[3])
    must(len(raw) == 33 and raw[0] == 1, "L5")
    key_id = sha(match[1].encode() + b"\n" + raw)[:4]
    must(key_id.hex() == match[2], "L5")
    return match[1], key_id, raw[1:]


def open_checkpoint(note: bytes, key: Key) -> tuple[str, int, bytes]:
    must(len(note) <= 2**20, "L8")
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise Refused("L8") from error
    must(not any(ord(c) < 0x20 and c != "\n" for c in whole), "L8")
    cut = whole.rfind("\n\n")
    must(cut >= 0 and whole.endswith("\n"), "L8")
    text, lines = whole[: cut + 1], whole[cut + 2 :].split("\n")
    must(lines.pop() == "" and 1 <= len(lines) <= 16, "L8")
    signed = 0
    for line in lines:
        must(line.startswith("— "), "L8")
        name, _, encoded = line[2:].partition(" ")
        check_name(name)
        raw = unbase64(encoded)
        must(len(raw) > 4, "L8")
        if (name, raw[:4]) == key[:2]:
            try:
                Ed25519PublicKey.from_public_bytes(key[2]).verify(raw[4:], text.encode())
            except InvalidSignature as error:
                raise Refused("L9") from error
            signed += 1
    must(signed == 1, "L9")
    body = text.split("\n")
    must(len(body) == 4 and body[3] == "", "L6")
    check_name(body[0])
    root = unbase64(body[2])
    must(len(root) == 32, "L7")
    size = number(body[1])
    must(body[0] == key[0], "L9")
    return body[0], size, root


def check_log(entries: list[bytes], checkpoint: bytes, key: Key) -> None:
    """log.md L15, of a log given as a list of entries and its one checkpoint."""
    _, size, root = open_checkpoint(checkpoint, key)
    hashes: list[bytes] = []
    last_t = ""
    for seq, data in enumerate(entries):
        must(len(data) <= 65_535, "E9")
        entry = read_canonical(data)
        must(isinstance(entry, dict), "E1")
        must(entry.get("prev") == (hashes[-1].hex() if hashes else "0" * 64), "L15.3")
        must(is_int(entry.get("seq")) and entry["seq"] == seq and entry.get("log") == key[0], "L15.3")
        t = entry.get("t")
        must(isinstance(t, str) and re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", t), "E11")
        must(exists(t, "%Y-%m-%dT%H:%M:%S.%fZ") and t >= last_t, "E11")
        last_t = t
        check_kind(entry)
        hashes.append(entry_hash(data))
    must(entries and len(entries) == size, "L15.5")
    must(root_of(hashes) == root, "L15.4")


# -- receipt.md ----------


def check_proof(proof: bytes, entry: bytes, key: Key) -> tuple[int, int]:
    head, cut, checkpoint = proof.partition(b"\n\n")
    must(cut, "R3")
    try:
        lines = head.decode().split("\n")
    except UnicodeDecodeError as error:
        raise Refused("R3") from error
    must(lines.pop(0) == "c2sp.org/tlog-proof@v1", "R3")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:])
    must(lines and lines[0].startswith("index "), "R3")
    index = number(lines.pop(0)[6:])
    must(len(lines) <= 63, "R3")
    hashes = [unbase64(line) for line in lines]
    _, size, root = open_checkpoint(checkpoint, key)
    check_inclusion(entry_hash(entry), index, size, hashes, root)
    return index, size


def check_receipt(receipt: Any, key: Key) -> int:
    must(isinstance(receipt, dict) and {"entry", "proof", "openings"} <= receipt.keys(), "R1")
    must(isinstance(receipt["entry"], str) and isinstance(receipt["proof"], str), "R1")
    must(isinstance(receipt["openings"], dict), "R1")
    data = receipt["entry"].encode()
    index, _ = check_proof(receipt["proof"].encode(), data, key)
    entry = read_canonical(data)
    must(isinstance(entry, dict), "R8")
    check_kind(entry)
    must(entry["seq"] == index and entry["log"] == key[0], "R8")
    for name, opening in receipt["openings"].items():
        must(isinstance(opening, dict) and opening.keys() == {"salt", "value"} and is_hex(opening["salt"]), "R2")
        must(name in entry.get("commit", {}), "R9")
        must(commitment(bytes.fromhex(opening["salt"]), name, opening["value"]) == entry["commit"][name], "R9")
    return index


# -- the vectors ----------


def vectors(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((SPEC / "vectors" / f"{name}.json").read_text(encoding="utf-8"))
    return value


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def note_bytes(case: dict[str, Any]) -> bytes:
    if "note_hex" in case:
        return bytes.fromhex(case["note_hex"])
    if "note_repeated" in case:
        return "".join(text * count for text, count in case["note_repeated"]).encode()
    return str(case["note"]).encode()


def refused(case: dict[str, Any], check: Callable[..., object], *arguments: Any) -> None:
    want = TooNew if case["want_error"] == "VersionTooNewError" else Refused
    with pytest.raises(want):
        check(*arguments)
    assert case["desc"] and case["want_error"].endswith("Error")


def test_canonical_vectors() -> None:
    found = vectors("canonical")
    for case in found["valid"]:
        assert write_canonical(case["value"]) == case["text"].encode()
        assert read_canonical(case["text"].encode()) == case["value"]
    for case in found["invalid"]:
        refused(case, read_canonical, bytes.fromhex(case["hex"]))


def open_commitment(case: dict[str, Any]) -> None:
    must(is_hex(case["salt"]), "R2")
    must(commitment(bytes.fromhex(case["salt"]), case["field"], case["value"]) == case["commitment"], "E14")


def test_commitment_vectors() -> None:
    found = vectors("commitments")
    for case in found["valid"]:
        open_commitment(case)
    for case in found["invalid"]:
        refused(case, open_commitment, case)


def test_merkle_vectors() -> None:
    found = vectors("merkle")
    hashes, roots = unhex(found["leaf_hashes"]), unhex(found["roots"])
    assert hashes == [entry_hash(leaf) for leaf in unhex(found["leaves"])]
    assert roots == [root_of(hashes[:size]) for size in range(9)]
    for case in found["inclusion"]:
        size, index = case["size"], case["index"]
        check_inclusion(hashes[index], index, size, unhex(case["hashes"]), roots[size])
    for case in found["consistency"]:
        old, new = case["old"], case["new"]
        check_consistency(old, new, roots[old], roots[new], unhex(case["hashes"]))
    assert len(found["inclusion"]) == len(found["consistency"]) == 36
    for case in found["invalid_inclusion"]:
        leaf, root = unhex([case["leaf_hash"], case["root"]])
        refused(case, check_inclusion, leaf, case["index"], case["size"], unhex(case["hashes"]), root)
    for case in found["invalid_consistency"]:
        two = unhex([case["old_root"], case["new_root"]])
        refused(case, check_consistency, case["old"], case["new"], *two, unhex(case["hashes"]))


def test_key_vectors() -> None:
    found = vectors("keys")
    for case in found["valid"]:
        name, _, public = read_vkey(case["vkey"])
        assert (name, public.hex()) == (case["name"], case["public_key"])
    for case in found["invalid"]:
        refused(case, read_vkey, case["vkey"])


def test_checkpoint_vectors() -> None:
    found = vectors("checkpoints")
    key = read_vkey(found["vkey"])
    for case in found["valid"]:
        want = case["origin"], case["size"], bytes.fromhex(case["root"])
        assert open_checkpoint(note_bytes(case), key) == want
    for case in found["invalid"]:
        refused(case, open_checkpoint, note_bytes(case), key)


def test_proof_vectors() -> None:
    found = vectors("proofs")
    key, entry = read_vkey(found["vkey"]), found["entry"].encode()
    for case in found["valid"]:
        assert check_proof(case["proof"].encode(), entry, key) == (case["index"], case["size"])
    for case in found["invalid"]:
        refused(case, check_proof, case["proof"].encode(), entry, key)


def test_log_vectors() -> None:
    found = vectors("log")
    key = read_vkey(found["vkey"])
    entries = [text.encode() for text in found["entries"]]
    assert [entry_hash(entry).hex() for entry in entries] == found["hashes"]
    for size, note in enumerate(found["checkpoints"], start=1):
        check_log(entries[:size], note.encode(), key)
    for case in found["invalid"]:
        refused(case, check_log, [text.encode() for text in case["entries"]], case["checkpoint"].encode(), key)


def test_receipt_vectors() -> None:
    found = vectors("receipts")
    key = read_vkey(found["vkey"])
    for case in found["valid"]:
        assert check_receipt(case["receipt"], key) == case["seq"]
    for case in found["invalid"]:
        refused(case, check_receipt, case["receipt"], key)


# -- cosignatures, as witness.md and c2sp.org/tlog-cosignature have them ----------


def read_witness_key(vkey: str) -> Key:
    match = re.fullmatch(r"([^+]+)\+([0-9a-f]{8})\+(.+)", vkey, re.S)
    must(match, "type 04")
    assert match
    check_name(match[1])
    raw = unbase64(match[3])
    must(len(raw) == 33 and raw[0] == 4, "type 04")
    key_id = sha(match[1].encode() + b"\n" + raw)[:4]
    must(key_id.hex() == match[2], "key id")
    return match[1], key_id, raw[1:]


def open_cosigned(note: bytes, log: Key, witnesses: list[Key]) -> list[tuple[str, int]]:
    open_checkpoint(note, log)
    text, _, lines = note.rpartition(b"\n\n")
    found: list[tuple[str, int]] = []
    for line in lines.decode().splitlines():
        name, _, encoded = line[2:].partition(" ")
        raw = unbase64(encoded)
        for witness in witnesses:
            if (name, raw[:4]) == witness[:2]:
                must(len(raw) == 4 + 8 + 64, "timestamped signature")
                time = int.from_bytes(raw[4:12], "big")
                must(time < 2**63 and name not in [known for known, _ in found], "time, once")
                message = b"cosignature/v1\ntime %d\n%s\n" % (time, text)
                try:
                    Ed25519PublicKey.from_public_bytes(witness[2]).verify(raw[12:], message)
                except InvalidSignature as error:
                    raise Refused("cosignature") from error
                found.append((name, time))
    return found


def test_cosignature_vectors() -> None:
    found = vectors("cosignatures")
    log, witnesses = read_vkey(found["log_vkey"]), [read_witness_key(vkey) for vkey in found["witness_vkeys"]]
    for case in found["valid"]:
        want = [(item["witness"], item["time"]) for item in case["cosigned"]]
        assert open_cosigned(note_bytes(case), log, witnesses) == want
    for case in found["invalid"]:
        refused(case, open_cosigned, note_bytes(case), log, witnesses)
    for case in found["invalid_keys"]:
        refused(case, read_witness_key, case["vkey"])


# -- the files ----------


def read_tile(data: bytes, width: int) -> list[bytes]:
    must(len(data) == 32 * width, "L17")
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def read_bundle(data: bytes, width: int) -> list[bytes]:
    entries = []
    while data:
        must(len(data) >= 2, "L19")
        length = int.from_bytes(data[:2], "big")
        must(len(data) >= 2 + length, "L19")
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    must(len(entries) == width, "L19")
    return entries


def test_the_contents_of_tiles_and_bundles() -> None:
    found = vectors("tiles")
    entries = [text.encode() for text in found["entries"]]
    assert read_bundle(bytes.fromhex(found["bundle"]["hex"]), len(entries)) == entries
    assert read_tile(bytes.fromhex(found["tile"]["hex"]), len(entries)) == [entry_hash(entry) for entry in entries]
    assert (found["tile"]["path"], found["bundle"]["path"]) == ("0/000.p/4", "entries/000.p/4")
    for case in found["invalid_tiles"]:
        refused(case, read_tile, bytes.fromhex(case["hex"]), len(entries))
    for case in found["invalid_bundles"]:
        refused(case, read_bundle, bytes.fromhex(case["hex"]), len(entries))


def test_tile_vectors() -> None:
    found_in = vectors("tiles")

    def address(level: int | str, index: int, width: int) -> str:
        digits = f"{index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        path = "/".join([str(level), *(f"x{group}" for group in groups[:-1]), groups[-1]])
        return path if width == 256 else f"{path}.p/{width}"

    for case in found_in["valid"]:
        assert address(case["level"], case["index"], case["width"]) == case["path"], "L18"
    for case in found_in["sizes"]:
        want = []
        for level, nodes in ((0, case["size"]), (1, case["size"] // 256), ("entries", case["size"])):
            widths = [256] * (nodes // 256) + ([nodes % 256] if nodes % 256 else [])
            want += [address(level, index, width) for index, width in enumerate(widths)]
        assert case["tiles"] == want, "L17, L20"
    form = re.compile(
        r"([0-7]|entries)/(?!x000)(x[0-9]{3}/)*[0-9]{3}(\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
    )
    assert all(form.fullmatch(case["path"]) for case in found_in["valid"])

    # By number too: sizes are below 2^63, so a level has no more than 2^63 / 256^level nodes.
    def within(path: str) -> bool:
        level, _, rest = path.partition("/")
        index = int(re.sub("[x/]", "", rest.partition(".p/")[0]))
        return index < 2**63 >> 8 * (1 + (0 if level == "entries" else int(level)))

    assert not any(form.fullmatch(case["path"]) and within(case["path"]) for case in found_in["invalid"])


def test_rotation_vectors() -> None:
    found_in = vectors("rotations")
    origin = found_in["origin"]

    def vkey(public: bytes) -> str:
        key_id = hashlib.sha256(origin.encode() + b"\n\1" + public).digest()[:4].hex()
        return f"{origin}+{key_id}+{base64.b64encode(bytes([1]) + public).decode()}"

    def keys_of(entries: list[str]) -> list[tuple[int, str]]:
        found = [(0, found_in["trusted"])]
        for text in entries:
            entry = read_canonical(text.encode())
            old, new = bytes.fromhex(entry["old_public_key"]), bytes.fromhex(entry["public_key"])
            said = f"liandong/key-rotation/v1\n{origin}\n{vkey(old)}\n{vkey(new)}\n".encode()
            try:
                for key, signature in ((old, entry["old_signature"]), (new, entry["new_signature"])):
                    Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(signature), said)
            except InvalidSignature as error:
                raise Refused("L24") from error
            must(vkey(old) == found[-1][1], "L24")
            found.append((entry["seq"] + 1, vkey(new)))
        return found

    keys = keys_of(found_in["entries"])
    for case in found_in["keys"]:
        assert [key for begins, key in keys if case["size"] >= begins][-1] == case["vkey"], "L25"
    assert found_in["message"].splitlines()[2:] == [keys[0][1], keys[1][1]]
    for case in found_in["invalid"]:
        with pytest.raises(Refused):
            keys_of(case["entries"])
        assert case["want_error"] == "TamperError"


def test_vectors_samples_and_tables_are_what_the_program_writes_now() -> None:
    stale = [path.name for path, text in make_vectors.outputs() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run python tools/make_vectors.py and look at what changed"


def test_every_requirement_is_numbered_once_and_in_order() -> None:
    for page, letter in (("entry", "E"), ("log", "L"), ("receipt", "R")):
        text = (SPEC / f"{page}.md").read_text(encoding="utf-8")
        numbers = [int(n) for n in re.findall(rf"^- \*\*{letter}([0-9]+)\*\*", text, re.M)]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 8


def test_requirements_that_are_cited_exist() -> None:
    pages = {path: path.read_text(encoding="utf-8") for path in SPEC.glob("*.md")}
    known = set(re.findall(r"^- \*\*([ELR][0-9]+)\*\*", "\n".join(pages.values()), re.M))
    for path, text in pages.items():
        assert set(re.findall(r"\b([ELR][1-9][0-9]?)\b", text)) <= known, path.name


def test_kinds_md_lists_every_kind_of_the_program() -> None:
    from ledger import entries

    assert set(KINDS) == set(entries.KINDS)
    for name, kind in entries.KINDS.items():
        fields, particulars = KINDS[name]
        assert particulars == kind.particulars
        assert fields == {field: (form.want_en, form.required) for field, form in kind.fields.items()}
