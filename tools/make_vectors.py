"""Write the test vectors of docs/spec/vectors/, docs/spec/kinds.md's tables and the samples in docs/spec/*.md.

``python tools/make_vectors.py`` writes them, ``--check`` only compares and ends with 1 if a file would change.
Everything in the vectors is invented (tools/vector_log.py); what must be refused is in tools/vector_cases.py.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ledger import entries  # noqa: E402
from ledger.book import Receipt  # noqa: E402
from ledger.log import canonical, commitment, merkle  # noqa: E402
from ledger.log.note import Checkpoint, TlogProof, VerifierKey, open_checkpoint  # noqa: E402
from tools.vector_cases import bad_consistency, bad_inclusion, bad_logs, bad_notes, bad_texts  # noqa: E402
from tools.vector_log import (  # noqa: E402
    CT_LEAVES,
    KEY,
    ORIGIN,
    OTHER,
    SEED,
    SIGNER,
    WITNESS,
    Case,
    Leaves,
    SampleLog,
    error_of,
    hex_all,
    random_source,
    resigned,
)
from tools.vector_tiles import rotation_vectors, tile_vectors  # noqa: E402
from tools.vector_witness import samples, witness_vectors  # noqa: E402

SPEC = ROOT / "docs" / "spec"
VECTORS = SPEC / "vectors"


def canonical_vectors() -> Case:
    values: list[tuple[str, Any]] = [
        ("an empty object", {}),
        ("empty containers", {"a": [], "b": {}, "c": ""}),
        ("literals", {"a": None, "b": True, "c": False}),
        ("whole numbers to the limits", [0, -1, 1, 2**53 - 1, -(2**53) + 1]),
        ("keys in ASCII order", {"b": 1, "a": 2, "a_": 3, "aa": 4, "a0": 5}),
        ("Chinese and characters beyond the basic plane stay as they are", "示范县 𠮷 😀"),
        (
            "control characters: short escapes where JSON has them, lower-case hex otherwise",
            "".join(map(chr, range(32))),
        ),
        ("what is not escaped: DEL, slash, line separators", "\x7f/\u2028\u2029"),
        ("quote and backslash", '"\\'),
        ("nested as deep as allowed", json.loads("[" * 16 + "]" * 16)),
    ]
    invalid = [
        ("not JSON", b"{"),
        ("a space", b'{"a": 1}'),
        ("a newline at the end", b'{"a":1}\n'),
        ("keys out of order", b'{"b":1,"a":2}'),
        ("a duplicate key", b'{"a":1,"a":1}'),
        ("a duplicate key with two values", b'{"a":1,"a":2}'),
        ("an escape that need not be", b'"\\u4e2d"'),
        ("capitals in an escape", b'"\\u001F"'),
        ("a float", b"1.5"),
        ("a whole number written as a float", b"1.0"),
        ("an exponent", b"1e3"),
        ("minus zero", b"-0"),
        ("2^53", b"9007199254740992"),
        ("NaN", b"NaN"),
        ("a capital key", b'{"A":1}'),
        ("a key beginning with a digit", b'{"0":1}'),
        ("a Chinese key", '{"县":1}'.encode()),
        ("a lone surrogate", b'"\\ud800"'),
        ("not UTF-8", b'"\xff"'),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("nested one level too deep", b"[" * 17 + b"]" * 17),
    ]
    return {
        "about": "Values and their canonical bytes (entry.md E1-E8); bytes that are not canonical.",
        "valid": [{"desc": desc, "value": value, "text": canonical.encode(value).decode()} for desc, value in values],
        "invalid": [
            {"desc": desc, "hex": data.hex(), "want_error": error_of(canonical.decode, data)} for desc, data in invalid
        ],
    }


def commitment_vectors() -> Case:
    random = random_source()
    salt = random(32)
    good = [
        ("query", "GET /work/permits.json"),
        ("officer", "officer-0007"),
        ("officer", ""),
        ("rows", [1, "二", None]),
    ]
    valid = []
    for field, value in good:
        made = commitment.commit(salt, field, value)
        valid.append(
            {"desc": f"{field}: {value!r}", "salt": salt.hex(), "field": field, "value": value, "commitment": made}
        )
    first = valid[0]
    wrong: list[tuple[str, Case]] = [
        ("another field's name", {"field": "officer"}),
        ("another value", {"value": "GET /work/permits.csv"}),
        ("another salt", {"salt": random(32).hex()}),
        ("a salt of 31 bytes", {"salt": salt.hex()[:-2]}),
        ("a salt in capitals", {"salt": salt.hex().upper()}),
        ("a value outside the canonical domain", {"value": 1.5}),
        ("another commitment", {"commitment": valid[1]["commitment"]}),
    ]
    invalid = []
    for desc, change in wrong:
        case = {**first, **change, "desc": desc}
        case["want_error"] = error_of(_open, case)
        invalid.append(case)
    return {"about": "Commitments to particulars (entry.md E14, E15).", "valid": valid, "invalid": invalid}


def _open(case: Case) -> None:
    Receipt.from_json(
        {"entry": "", "proof": "", "openings": {case["field"]: {"salt": case["salt"], "value": case["value"]}}}
    )
    commitment.check_opening(
        case["commitment"], case["field"], commitment.Opening(bytes.fromhex(case["salt"]), case["value"])
    )


def merkle_vectors() -> Case:
    reader = Leaves(CT_LEAVES)
    roots = [merkle.tree_root(size, reader) for size in range(9)]
    inclusion = [
        {"index": index, "size": size, "hashes": hex_all(merkle.inclusion_proof(index, size, reader))}
        for size in range(1, 9)
        for index in range(size)
    ]
    consistency = [
        {"old": old, "new": new, "hashes": hex_all(merkle.consistency_proof(old, new, reader))}
        for new in range(1, 9)
        for old in range(1, new + 1)
    ]
    return {
        "about": "RFC 6962 trees over the eight leaves of the Certificate Transparency tests (log.md L2-L4).",
        "leaves": [leaf.hex() for leaf in CT_LEAVES],
        "leaf_hashes": [merkle.leaf_hash(leaf).hex() for leaf in CT_LEAVES],
        "roots": hex_all(roots),
        "inclusion": inclusion,
        "consistency": consistency,
        "invalid_inclusion": bad_inclusion(reader, roots),
        "invalid_consistency": bad_consistency(reader, roots),
    }


def key_vectors() -> Case:
    good = [(name, key.public_key().public_bytes_raw()) for name, key in ((ORIGIN, KEY), ("示范县.example/台账", KEY))]
    public = good[0][1]
    name, key_id, encoded = str(SIGNER.verifier).split("+", 2)
    longer = base64.b64encode(b"\1" + public + b"\0").decode()
    bad = [
        ("empty", ""),
        ("a name alone", name),
        ("no key", f"{name}+{key_id}"),
        ("no name", f"+{key_id}+{encoded}"),
        ("an id that does not belong to the key", f"{name}+00000000+{encoded}"),
        ("an id in capitals", f"{name}+{key_id.upper()}+{encoded}"),
        ("an id of seven digits", f"{name}+{key_id[:-1]}+{encoded}"),
        ("another name, so another id", f"{name}x+{key_id}+{encoded}"),
        ("a space in the name", f"ledger example+{key_id}+{encoded}"),
        ("a newline in the name", f"{name}\n+{key_id}+{encoded}"),
        ("the type of a cosignature key", _vkey(name, b"\4" + public)),
        ("an unknown type", _vkey(name, b"\7" + public)),
        ("no type byte", _vkey(name, public)),
        ("a key of 31 bytes", _vkey(name, b"\1" + public[:-1])),
        ("a key of 33 bytes", f"{name}+{key_id}+{longer}"),
        ("padding where none belongs", f"{name}+{key_id}+{encoded}="),
        ("base64 cut short", f"{name}+{key_id}+{encoded[:-1]}"),
        ("base64 with junk", f"{name}+{key_id}+{encoded[:8]}*{encoded[8:]}"),
        ("the URL alphabet of base64", f"{name}+{key_id}+-_{encoded[2:]}"),
        ("a newline at the end", f"{name}+{key_id}+{encoded}\n"),
    ]
    return {
        "about": "Verifier keys (log.md L5): name, public key and their vkey; strings that are none.",
        "valid": [
            {"desc": name, "name": name, "public_key": raw.hex(), "vkey": str(VerifierKey(name, raw))}
            for name, raw in good
        ],
        "invalid": [
            {"desc": desc, "vkey": vkey, "want_error": error_of(VerifierKey.parse, vkey)} for desc, vkey in bad
        ],
    }


def _vkey(name: str, raw: bytes) -> str:
    key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(raw).decode()}"


def checkpoint_vectors(log: SampleLog) -> Case:
    head = open_checkpoint(log.checkpoints[-1], SIGNER.verifier)
    text = head.text()
    root = base64.b64encode(head.root)
    own = SIGNER.signature_line(text)
    valid = [
        ("as the log writes it", text + b"\n" + own),
        ("with a witness's line, whose key is unknown here", text + b"\n" + own + WITNESS.signature_line(text)),
        ("with an unknown key of the same name", text + b"\n" + OTHER.signature_line(text) + own),
        ("with sixteen signatures", text + b"\n" + own + WITNESS.signature_line(text) * 15),
        ("of an empty log", Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT).sign(SIGNER)),
        ("of the largest size", Checkpoint(ORIGIN, 2**63 - 1, head.root).sign(SIGNER)),
    ]
    return {
        "about": "Signed checkpoints (log.md L6-L9), to be opened with this verifier key.",
        "vkey": str(SIGNER.verifier),
        "valid": [{"desc": desc, **_note(note), **_head(note)} for desc, note in valid],
        "invalid": [
            {"desc": desc, **_note(note), "want_error": error_of(open_checkpoint, note, SIGNER.verifier)}
            for desc, note in [*bad_notes(text, own), *bad_texts(root)]
        ],
    }


def proof_vectors(log: SampleLog) -> Case:
    entry = log.entries[3]
    good = log.receipts[3].proof
    parsed = TlogProof.parse(good)
    head, checkpoint = good.split(b"\n\n", 1)
    lines = head.split(b"\n")
    hashes = lines[2:]

    def made(*lines: bytes) -> bytes:
        return b"\n".join(lines) + b"\n\n" + checkpoint

    first, index = lines[0], lines[1]
    flipped = base64.b64encode(bytes([parsed.hashes[0][0] ^ 1]) + parsed.hashes[0][1:])
    bad = [
        ("empty", b""),
        ("another version", made(b"c2sp.org/tlog-proof@v2", index, *hashes)),
        ("no header", made(index, *hashes)),
        ("no index", made(first, *hashes)),
        ("another index", made(first, b"index 2", *hashes)),
        ("an index beyond the size", made(first, b"index 5", *hashes)),
        *[
            (f"index {text.decode()!r}", made(first, b"index " + text, *hashes))
            for text in (b"", b"03", b"+3", b"-3", b"3_0", b"3 ", "３".encode())
        ],
        ("two index lines", made(first, index, index, *hashes)),
        ("extra after the index", made(first, index, b"extra AAAA", *hashes)),
        ("extra that is not base64", made(first, b"extra *", index, *hashes)),
        ("a flipped bit", made(first, index, flipped, *hashes[1:])),
        ("a dropped hash", made(first, index, *hashes[:-1])),
        ("an added hash", made(first, index, *hashes, hashes[0])),
        ("swapped hashes", made(first, index, hashes[1], hashes[0], *hashes[2:])),
        ("a hash of 31 bytes", made(first, index, base64.b64encode(bytes(31)), *hashes[1:])),
        ("a hash without padding", made(first, index, hashes[0].rstrip(b"="), *hashes[1:])),
        ("an empty line among the hashes", made(first, index, hashes[0], b"", *hashes[1:])),
        ("sixty-four hashes", made(first, index, *[hashes[0]] * 64)),
        ("CR LF", good.replace(b"\n", b"\r\n")),
        ("no checkpoint", head + b"\n\n"),
        ("the checkpoint of a smaller log", head + b"\n\n" + log.checkpoints[3]),
        ("a checkpoint that another key signed", head + b"\n\n" + resigned(log.checkpoints[4], OTHER)),
        ("something after the checkpoint", good + b"x\n"),
    ]
    with_extra = made(first, b"extra " + base64.b64encode(b"anything"), index, *hashes)
    return {
        "about": "tlog-proofs (receipt.md R3-R7) of this entry, to be checked with this verifier key.",
        "vkey": str(SIGNER.verifier),
        "entry": entry.decode(),
        "valid": [
            {"desc": "as the log writes it", "proof": good.decode(), "index": 3, "size": 5},
            {"desc": "with extra data, which proves nothing", "proof": with_extra.decode(), "index": 3, "size": 5},
        ],
        "invalid": [
            {"desc": desc, "proof": proof.decode(), "want_error": error_of(_check_proof, proof, entry)}
            for desc, proof in bad
        ],
    }


def _check_proof(proof: bytes, entry: bytes) -> None:
    TlogProof.parse(proof).verify(entry, SIGNER.verifier)


def log_vectors(log: SampleLog) -> Case:
    hashes = [merkle.leaf_hash(entry) for entry in log.entries]
    return {
        "about": "A log of five entries: bytes, hashes, checkpoints (entry.md, log.md); logs to be refused.",
        "private_key": SEED.hex(),
        "vkey": str(SIGNER.verifier),
        "entries": [entry.decode() for entry in log.entries],
        "hashes": hex_all(hashes),
        "checkpoints": [note.decode() for note in log.checkpoints],
        "invalid": bad_logs(log),
    }


def receipt_vectors(log: SampleLog) -> Case:
    receipts = [receipt.to_json() for receipt in log.receipts]
    good = receipts[3]
    query = good["openings"]["query"]

    def with_openings(**openings: Any) -> Case:
        return {**good, "openings": {**good["openings"], **openings}}

    wrong: list[tuple[str, Any]] = [
        ("a list", [good]),
        ("no proof", {"entry": good["entry"], "openings": {}}),
        ("no openings", {"entry": good["entry"], "proof": good["proof"]}),
        ("an entry that is no text", {**good, "entry": json.loads(good["entry"])}),
        ("one digit of the entry edited", {**good, "entry": good["entry"].replace("4821", "1821")}),
        ("a newline after the entry", {**good, "entry": good["entry"] + "\n"}),
        ("another entry's proof", {**good, "proof": receipts[2]["proof"]}),
        ("another entry's openings", {**good, "openings": receipts[2]["openings"]}),
        ("an opening of nothing committed", with_openings(clause=query)),
        ("another value", with_openings(query={**query, "value": "GET /work/permits.csv"})),
        ("a value of another type", with_openings(query={**query, "value": [query["value"]]})),
        ("a value that is a float", with_openings(query={**query, "value": 1.5})),
        ("another salt", with_openings(query={**query, "salt": "00" * 32})),
        ("another field's salt", with_openings(query={**query, "salt": good["openings"]["officer"]["salt"]})),
        ("a short salt", with_openings(query={**query, "salt": query["salt"][2:]})),
        ("a salt in capitals", with_openings(query={**query, "salt": query["salt"].upper()})),
        ("a salt with a space", with_openings(query={**query, "salt": " " + query["salt"]})),
        ("an opening with more in it", with_openings(query={**query, "note": "x"})),
        ("an opening without a value", with_openings(query={"salt": query["salt"]})),
    ]
    return {
        "about": "Receipts (receipt.md) of the entries of log.json, to be checked with this verifier key.",
        "vkey": str(SIGNER.verifier),
        "valid": [
            *[{"desc": f"entry {seq}", "receipt": receipt, "seq": seq} for seq, receipt in enumerate(receipts)],
            {"desc": "entry 3 without openings", "receipt": {**good, "openings": {}}, "seq": 3},
            {
                "desc": "entry 3 with one opening",
                "receipt": {**good, "openings": {"officer": good["openings"]["officer"]}},
                "seq": 3,
            },
        ],
        "invalid": [
            {"desc": desc, "receipt": receipt, "want_error": error_of(_check_receipt, receipt)}
            for desc, receipt in wrong
        ],
    }


def _check_receipt(receipt: Any) -> None:
    Receipt.from_json(receipt).verify(SIGNER.verifier)


def _note(note: bytes) -> Case:
    with contextlib.suppress(UnicodeDecodeError):
        if len(note) < 10_000:
            return {"note": note.decode()}
        return {"note_repeated": [[note[:1].decode(), 1 << 20], [note[1 << 20 :].decode(), 1]]}
    return {"note_hex": note.hex()}


def _head(note: bytes) -> Case:
    head = open_checkpoint(note, SIGNER.verifier)
    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}


def kinds_tables() -> str:
    """A section for each kind and version."""
    parts = []
    for kind in sorted(entries.KINDS.values(), key=lambda kind: (kind.name, kind.version)):
        parts.append(f"### {kind.name}, version {kind.version}\n\n{kind.title_zh} / {kind.title_en}\n")
        lines = ["| field 字段 | form | 格式 | required 必填 |", "|---|---|---|---|"]
        for name, field in kind.fields.items():
            required = "yes 是" if field.required else "no 否"
            lines.append(f"| `{name}` | {field.want_en} | {field.want_zh} | {required} |")
        parts.append("\n".join(lines) + "\n")
        names = ", ".join(f"`{name}`" for name in sorted(kind.particulars)) or "none 无"
        parts.append(f"Particulars 事项: {names}\n")
    return "\n".join(parts)


def blocks(log: SampleLog) -> dict[str, str]:
    """What stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` in the documents."""
    receipt = {**log.receipts[3].to_json(), "openings": {"officer": log.receipts[3].to_json()["openings"]["officer"]}}
    return {
        "entry": _fence("json", log.entries[3].decode()),
        "entry hash": _fence("text", merkle.leaf_hash(log.entries[3]).hex()),
        "vkey": _fence("text", str(SIGNER.verifier)),
        "checkpoint": _fence("text", log.checkpoints[4].decode().rstrip("\n")),
        "receipt": _fence("json", json.dumps(receipt, ensure_ascii=False, indent=1)),
        "proof": _fence("text", log.receipts[3].proof.decode().rstrip("\n")),
        "kinds": kinds_tables(),
        **{name: _fence("text", text) for name, text in samples().items()},
    }


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


def fill(text: str, found: dict[str, str]) -> str:
    """``text`` with each marked block replaced."""

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}\n{found[match[2]]}{match[3]}"

    return re.sub(r"(<!-- begin ([a-z ]+) -->)\n.*?(<!-- end \2 -->)", replace, text, flags=re.S)


def outputs() -> Iterator[tuple[Path, str]]:
    """Every file that this program writes, with what belongs in it."""
    with tempfile.TemporaryDirectory() as folder:
        log = SampleLog(Path(folder))
    made = {
        "canonical": canonical_vectors(),
        "commitments": commitment_vectors(),
        "merkle": merkle_vectors(),
        "keys": key_vectors(),
        "checkpoints": checkpoint_vectors(log),
        "proofs": proof_vectors(log),
        "tiles": tile_vectors(),
        "rotations": rotation_vectors(),
        "log": log_vectors(log),
        "receipts": receipt_vectors(log),
        "witness": witness_vectors(),
    }
    for name, value in made.items():
        yield VECTORS / f"{name}.json", json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    found = blocks(log)
    for page in sorted(SPEC.glob("*.md")):
        yield page, fill(page.read_text(encoding="utf-8"), found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if something would change")
    check = parser.parse_args().check
    changed = [
        (path, text) for path, text in outputs() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in changed:
        print(("would change " if check else "wrote ") + str(path.relative_to(ROOT)))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
