"""Vectors of verifier keys (log.md L5), tlog-proofs (receipt.md R3 to R7) and receipts (R1, R2, R8, R9)."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from ledger.book import Receipt
from ledger.log.note import TlogProof, VerifierKey
from tools.vector_cases import bad_notes, bad_texts
from tools.vector_log import KEY, ORIGIN, OTHER, SIGNER, Case, SampleLog, error_of, resigned, stray_bits


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
        *[
            (f"a name with U+{ord(character):04X}", _vkey(f"{name}{character}", b"\1" + public))
            for character in "\u2028\u2029\u00a0\u3000\u0085\x7f\x00\t"
        ],
        ("a plus in the name", _vkey(f"{name}+x", b"\1" + public)),
        ("an id in full-width digits", f"{name}+{'０' * 8}+{encoded}"),
        ("an id with 0x before it", f"{name}+0x{key_id[2:]}+{encoded}"),
        ("the type of a cosignature key", _vkey(name, b"\4" + public)),
        ("an unknown type", _vkey(name, b"\7" + public)),
        ("no type byte", _vkey(name, public)),
        ("a key of 31 bytes", _vkey(name, b"\1" + public[:-1])),
        ("a key of 33 bytes", f"{name}+{key_id}+{longer}"),
        ("padding where none belongs", f"{name}+{key_id}+{encoded}="),
        ("base64 cut short", f"{name}+{key_id}+{encoded[:-1]}"),
        ("base64 with junk", f"{name}+{key_id}+{encoded[:8]}*{encoded[8:]}"),
        ("base64 with a newline inside", f"{name}+{key_id}+{encoded[:8]}\n{encoded[8:]}"),
        ("base64 with a space inside", f"{name}+{key_id}+{encoded[:8]} {encoded[8:]}"),
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
            for text in (b"", b"03", b"+3", b"-3", b"3_0", b"3 ", "３".encode(), b"%d" % 2**63, b"1e0", b"0x3")
        ],
        ("an index line with a tab", made(first, b"index\t3", *hashes)),
        ("a NUL after the index", made(first, b"index 3\0", *hashes)),
        ("U+2028 instead of a newline", good.replace(b"index 3\n", "index 3\u2028".encode())),
        ("extra with stray bits", made(first, b"extra AAB=", index, *hashes)),
        ("two extra lines", made(first, b"extra AAAA", b"extra AAAA", index, *hashes)),
        ("two index lines", made(first, index, index, *hashes)),
        ("extra after the index", made(first, index, b"extra AAAA", *hashes)),
        ("extra that is not base64", made(first, b"extra *", index, *hashes)),
        ("a flipped bit", made(first, index, flipped, *hashes[1:])),
        ("a dropped hash", made(first, index, *hashes[:-1])),
        ("an added hash", made(first, index, *hashes, hashes[0])),
        ("swapped hashes", made(first, index, hashes[1], hashes[0], *hashes[2:])),
        ("a hash of 31 bytes", made(first, index, base64.b64encode(bytes(31)), *hashes[1:])),
        ("a hash without padding", made(first, index, hashes[0].rstrip(b"="), *hashes[1:])),
        ("a hash with stray bits", made(first, index, stray_bits(hashes[0].decode()).encode(), *hashes[1:])),
        ("a hash with junk", made(first, index, hashes[0][:8] + b"*" + hashes[0][8:], *hashes[1:])),
        ("a hash of 33 bytes", made(first, index, base64.b64encode(bytes(33)), *hashes[1:])),
        ("a hash in hex", made(first, index, parsed.hashes[0].hex().encode(), *hashes[1:])),
        ("an empty line among the hashes", made(first, index, hashes[0], b"", *hashes[1:])),
        ("sixty-four hashes", made(first, index, *[hashes[0]] * 64)),
        ("CR LF", good.replace(b"\n", b"\r\n")),
        ("no checkpoint", head + b"\n\n"),
        ("the checkpoint of a smaller log", head + b"\n\n" + log.checkpoints[3]),
        ("a checkpoint that another key signed", head + b"\n\n" + resigned(log.checkpoints[4], OTHER)),
        ("something after the checkpoint", good + b"x\n"),
        *[(f"its checkpoint: {desc}", head + b"\n\n" + note) for desc, note in _bad_checkpoints(log)],
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


def _bad_checkpoints(log: SampleLog) -> list[tuple[str, bytes]]:
    """A few of the checkpoints of checkpoints.json that nobody may take, in a proof either."""
    text = log.checkpoints[4].rpartition(b"\n\n")[0] + b"\n"
    own = SIGNER.signature_line(text)
    wanted = ("seventeen signatures", "the log's key, and its signature fails", "an extension line", "size '05'")
    wanted += ("a root of 31 bytes", "an origin with U+2028", "base64 with stray bits", "a tab")
    bad = [*bad_notes(text, own), *bad_texts(text.split(b"\n")[2])]
    return [(desc, note) for desc, note in bad if desc in wanted]


def _check_proof(proof: bytes, entry: bytes) -> None:
    TlogProof.parse(proof).verify(entry, SIGNER.verifier)


def receipt_vectors(log: SampleLog) -> Case:
    receipts = [receipt.to_json() for receipt in log.receipts]
    good = receipts[3]
    query = good["openings"]["query"]

    def with_openings(**openings: Any) -> Case:
        return {**good, "openings": {**good["openings"], **openings}}

    wrong: list[tuple[str, Any]] = [
        ("a list", [good]),
        ("openings as a list", {**good, "openings": []}),
        ("openings as null", {**good, "openings": None}),
        ("a proof that is no text", {**good, "proof": [good["proof"]]}),
        ("CR LF in the proof", {**good, "proof": good["proof"].replace("\n", "\r\n")}),
        ("a checkpoint that another key signed", {**good, "proof": _by_another_key(good["proof"])}),
        ("the entry in another spelling", {**good, "entry": good["entry"].replace('":', '": ', 1)}),
        ("a salt in full-width digits", with_openings(query={**query, "salt": "０" * 64})),
        ("an opening that is null", with_openings(query=None)),
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
            {"desc": "entry 3 with a member that nobody knows", "receipt": {**good, "note": "x"}, "seq": 3},
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


def _by_another_key(proof: str) -> str:
    head, _, checkpoint = proof.partition("\n\n")
    return f"{head}\n\n{resigned(checkpoint.encode(), OTHER).decode()}"


def _check_receipt(receipt: Any) -> None:
    Receipt.from_json(receipt).verify(SIGNER.verifier)
