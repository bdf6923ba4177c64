"""Write the test vectors of docs/spec/vectors/, docs/spec/kinds.md's tables and the samples in docs/spec/*.md.

``python tools/make_vectors.py`` writes them, ``--check`` only compares and ends with 1 if a file would change.
Everything in the vectors is invented (tools/vector_log.py); what must be refused is in tools/vector_cases.py.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
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
from ledger.log.note import Checkpoint, open_checkpoint  # noqa: E402
from tools.vector_cases import bad_consistency, bad_inclusion, bad_logs, bad_notes, bad_texts  # noqa: E402
from tools.vector_cosignatures import cosignature_vectors  # noqa: E402
from tools.vector_desk import desk_tables, desk_vectors  # noqa: E402
from tools.vector_items import item_vectors  # noqa: E402
from tools.vector_log import (  # noqa: E402
    CT_LEAVES,
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
)
from tools.vector_proofs import key_vectors, proof_vectors, receipt_vectors  # noqa: E402
from tools.vector_rules import rule_samples, rule_vectors  # noqa: E402
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
        **desk_tables(),
        **{name: _fence("text", text) for name, text in samples().items()},
        "deadline fields": _fence("json", rule_samples()[0]),
        "deadline working": _fence("text", rule_samples()[1]),
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
        "items": item_vectors(),
        "tiles": tile_vectors(),
        "rotations": rotation_vectors(),
        "log": log_vectors(log),
        "receipts": receipt_vectors(log),
        "cosignatures": cosignature_vectors(log),
        "witness": witness_vectors(),
        "cases": desk_vectors(),
        "rules": rule_vectors(),
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
