"""The cases of docs/spec/vectors/ that must be refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from ledger.log import canonical, merkle
from ledger.log.note import Signer
from tools.vector_log import (
    CT_LEAVES,
    KEY,
    ORIGIN,
    OTHER,
    SIGNER,
    WITNESS,
    Case,
    Leaves,
    SampleLog,
    error_of,
    hex_all,
    resigned,
    signed_head,
    stray_bits,
)


def bad_inclusion(reader: Leaves, roots: list[bytes]) -> list[Case]:
    index, size = 5, 8
    proof, leaf = merkle.inclusion_proof(index, size, reader), merkle.leaf_hash(CT_LEAVES[index])
    flipped = bytes([proof[1][0] ^ 1]) + proof[1][1:]
    cases = [
        ("a flipped bit", index, size, [proof[0], flipped, proof[2]], leaf, roots[8]),
        ("a dropped hash", index, size, proof[:-1], leaf, roots[8]),
        ("an added hash", index, size, [*proof, bytes(32)], leaf, roots[8]),
        ("swapped hashes", index, size, [proof[1], proof[0], proof[2]], leaf, roots[8]),
        ("a short hash", index, size, [proof[0], proof[1][:-1], proof[2]], leaf, roots[8]),
        ("another index", 4, size, proof, leaf, roots[8]),
        ("an index beyond the size", 8, size, proof, leaf, roots[8]),
        ("another size", index, 6, proof, leaf, roots[8]),
        ("another leaf", index, size, proof, merkle.leaf_hash(b"x"), roots[8]),
        ("another root", index, size, proof, leaf, roots[7]),
    ]
    return [
        {
            "desc": desc, "index": index, "size": size,
            "hashes": hex_all(hashes), "leaf_hash": leaf.hex(), "root": root.hex(),
            "want_error": error_of(merkle.check_inclusion, leaf, index, size, hashes, root),
        }
        for desc, index, size, hashes, leaf, root in cases
    ]  # fmt: skip


def bad_consistency(reader: Leaves, roots: list[bytes]) -> list[Case]:
    proof = merkle.consistency_proof(6, 8, reader)
    flipped = bytes([proof[0][0] ^ 1]) + proof[0][1:]
    cases = [
        ("a flipped bit", 6, 8, roots[6], roots[8], [flipped, *proof[1:]]),
        ("a dropped hash", 6, 8, roots[6], roots[8], proof[1:]),
        ("an added hash", 6, 8, roots[6], roots[8], [*proof, bytes(32)]),
        ("swapped hashes", 6, 8, roots[6], roots[8], [proof[1], proof[0], *proof[2:]]),
        ("another old size", 5, 8, roots[6], roots[8], proof),
        ("another new size", 6, 16, roots[6], roots[8], proof),
        ("another old root", 6, 8, roots[5], roots[8], proof),
        ("another new root", 6, 8, roots[6], roots[7], proof),
        ("roots exchanged", 6, 8, roots[8], roots[6], proof),
        ("equal sizes, other roots", 8, 8, roots[7], roots[8], []),
        ("equal sizes, a hash too many", 8, 8, roots[8], roots[8], [bytes(32)]),
        ("an old size beyond the new", 8, 7, roots[8], roots[7], []),
        ("an empty proof", 6, 8, roots[6], roots[8], []),
    ]
    return [
        {
            "desc": desc, "old": old, "new": new, "old_root": old_root.hex(), "new_root": new_root.hex(),
            "hashes": hex_all(hashes),
            "want_error": error_of(merkle.check_consistency, old, new, old_root, new_root, hashes),
        }
        for desc, old, new, old_root, new_root, hashes in cases
    ]  # fmt: skip


def bad_notes(text: bytes, own: bytes) -> list[tuple[str, bytes]]:
    """Notes over a good text that are malformed as notes, or whose signature is not good."""
    good = text + b"\n" + own
    signature = own.rsplit(b" ", 1)[1].rstrip(b"\n")
    raw = base64.b64decode(signature)
    line = f"— {ORIGIN} ".encode()

    def signed(payload: bytes) -> bytes:
        return text + b"\n" + line + payload + b"\n"

    broken = base64.b64encode(raw[:4] + bytes([raw[4] ^ 1]) + raw[5:])
    return [
        ("empty", b""),
        ("the text alone", text),
        ("no blank line", text + own),
        ("no signature line", text + b"\n"),
        ("no newline at the end", good[:-1]),
        ("two newlines at the end", good + b"\n"),
        ("an empty line before the signature", text + b"\n\n" + own),
        ("seventeen signatures", good + WITNESS.signature_line(text) * 16),
        ("the same key twice", good + own),
        ("the log's key, and its signature fails", signed(broken)),
        ("the log's signature fails, another copy of it holds", signed(broken) + own),
        ("a signature over another text", b"x" + good),
        ("signed by an unknown key alone", text + b"\n" + OTHER.signature_line(text)),
        ("the right key under another name", text + b"\n" + Signer("other.example", KEY).signature_line(text)),
        ("a hyphen for the dash", good.replace("—".encode(), b"-")),
        ("no space after the dash", good.replace("— ".encode(), "—".encode())),
        ("two spaces before the signature", good.replace(ORIGIN.encode() + b" ", ORIGIN.encode() + b"  ")),
        ("a signature line without a name", text + b"\n" + "—  ".encode() + signature + b"\n"),
        ("a signature line without a signature", text + b"\n" + line.rstrip() + b"\n"),
        ("a plus in an unknown signer's name", good + "— a+b ".encode() + signature + b"\n"),
        ("a signature of four bytes", signed(base64.b64encode(raw[:4]))),
        ("a signature of 63 bytes", signed(base64.b64encode(raw[:-1]))),
        ("a signature of 65 bytes", signed(base64.b64encode(raw + b"\0"))),
        ("base64 without padding", signed(signature.rstrip(b"="))),
        ("base64 with stray bits", signed(stray_bits(signature.decode()).encode())),
        ("base64 with junk", signed(signature[:8] + b"*" + signature[8:])),
        ("base64 with a newline inside", signed(signature[:8] + b"\n" + signature[8:])),
        ("base64 with a space inside", signed(signature[:8] + b" " + signature[8:])),
        ("base64 with more after the padding", signed(signature + b"AAAA")),
        ("CR LF", good.replace(b"\n", b"\r\n")),
        ("a tab", good.replace(b" ", b"\t")),
        ("a NUL", good.replace(ORIGIN.encode(), ORIGIN.encode() + b"\0")),
        ("not UTF-8", good.replace(b"ledger.example", b"ledger\xff")),
        ("a byte order mark", b"\xef\xbb\xbf" + good),
        ("more than a mebibyte", b"x" * (1 << 20) + b"\n\n" + own),
    ]


def bad_texts(root: bytes) -> list[tuple[str, bytes]]:
    """Notes with a good signature over a text that is no checkpoint."""
    origin = ORIGIN.encode()
    junk = root[:8] + b"*" + root[8:]
    texts: list[tuple[str, bytes]] = [
        *[
            (f"size {size.decode()!r}", b"%s\n%s\n%s\n" % (origin, size, root))
            for size in (
                b"", b"05", b"00", b"+5", b"-5", b"-0", b"5_0", b" 5", b"5 ", b"5.0", b"5e0", b"0x5", "５".encode(),
                "٥".encode(), b"five", str(2**63).encode(), b"9" * 5_000,
            )
        ],
        *[
            (f"a root of {length} bytes", b"%s\n5\n%s\n" % (origin, base64.b64encode(bytes(length))))
            for length in (0, 31, 33, 64)
        ],
        ("a root with junk in its base64", b"%s\n5\n%s\n" % (origin, junk)),
        ("a root with stray bits", b"%s\n5\n%s\n" % (origin, stray_bits(root.decode()).encode())),
        ("a root without padding", b"%s\n5\n%s\n" % (origin, root.rstrip(b"="))),
        ("a root in hex", b"%s\n5\n%s\n" % (origin, bytes(32).hex().encode())),
        ("an extension line", b"%s\n5\n%s\nextension\n" % (origin, root)),
        ("an empty extension line", b"%s\n5\n%s\n\n" % (origin, root)),
        ("no root", b"%s\n5\n" % origin),
        ("an empty line first", b"\n%s\n5\n%s\n" % (origin, root)),
        ("the origin of another log", b"other.example/log\n5\n%s\n" % root),
        ("an empty origin", b"\n5\n%s\n" % root),
        *[
            (f"an origin with U+{ord(character):04X}", b"%s%s\n5\n%s\n" % (origin, character.encode(), root))
            for character in " +\u00a0\u0085\u2003\u2028\u2029\u3000\x7f\t"
        ],
    ]  # fmt: skip
    return [(desc, text + b"\n" + SIGNER.signature_line(text)) for desc, text in texts]


def chained(objects: Sequence[dict[str, Any]], spell: Callable[[Any], bytes] = canonical.encode) -> list[bytes]:
    """Entries chained anew from the objects' own fields."""
    out: list[bytes] = []
    for seq, value in enumerate(objects):
        prev = merkle.leaf_hash(out[-1]) if out else bytes(32)
        out.append(spell({"log": ORIGIN, "prev": prev.hex(), "seq": seq, **value}))
    return out


def _chain_first(first: bytes, rest: Sequence[dict[str, Any]]) -> list[bytes]:
    out = [first]
    for seq, value in enumerate(rest, start=1):
        prev = merkle.leaf_hash(out[-1]).hex()
        out.append(canonical.encode({**value, "log": ORIGIN, "prev": prev, "seq": seq}))
    return out


def spell_anything(value: Any) -> bytes:
    """Like canonical.encode, floats included."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def bad_logs(log: SampleLog) -> list[Case]:
    good, head = log.entries, log.checkpoints[-1]
    fields = [
        {key: value for key, value in canonical.decode_object(entry).items() if key not in ("log", "prev", "seq")}
        for entry in good
    ]

    def changed(index: int, **change: Any) -> list[dict[str, Any]]:
        return [{**value, **change} if i == index else value for i, value in enumerate(fields)]

    edited = [*good[:3], good[3].replace(b'"elapsed_us":4821', b'"elapsed_us":1821'), good[4]]
    doubled = good[0].replace(b'"kind"', b'"county_zh":"\xe7\xa4\xba\xe8\x8c\x83\xe5\x8e\xbf","kind"', 1)
    appended = chained([*fields, fields[4]])
    unsigned = chained(changed(3, elapsed_us=1821))
    cases: list[tuple[str, list[bytes], bytes, str]] = [
        ("one digit of entry 3 edited", edited, head, "TamperError"),
        ("the same, and all that follows chained anew, without the key", unsigned, head, "TamperError"),
        ("two entries exchanged", [good[0], good[2], good[1], *good[3:]], head, "TamperError"),
        ("the first entry removed", good[1:], head, "TamperError"),
        ("an entry in the middle removed", [*good[:2], *good[3:]], head, "TamperError"),
        ("the last entry removed", good[:-1], head, "TamperError"),
        ("emptied", [], head, "TamperError"),
        ("an entry added that no checkpoint covers", appended, head, "TamperError"),
        ("an older checkpoint than the entries", good, log.checkpoints[3], "TamperError"),
        ("another key's checkpoint", good, resigned(head, OTHER), "NoteError"),
        ("a duplicate key in entry 0", [doubled, *good[1:]], head, "TamperError"),
    ]
    # From here on the log's own key signed what the specification forbids: a faulty or dishonest log.
    signed: list[tuple[str, list[bytes], str]] = [
        ("a duplicate key, chained and signed", _chain_first(doubled, fields[1:]), "TamperError"),
        ("a float", chained(changed(3, elapsed_us=4821.5), spell_anything), "TamperError"),
        ("a whole number as a float", chained(changed(3, elapsed_us=4821.0), spell_anything), "TamperError"),
        ("an integer of 2^53", chained(changed(3, elapsed_us=2**53), spell_anything), "TamperError"),
        ("spaces after the colons", chained(fields, lambda v: json.dumps(v, sort_keys=True).encode()), "TamperError"),
        ("a wrong seq", chained(changed(3, seq=2)), "TamperError"),
        ("a seq as text", chained(changed(3, seq="3")), "TamperError"),
        ("another log's name", chained(changed(3, log="other.example/log")), "TamperError"),
        ("a prev that names another entry", chained(changed(3, prev="00" * 32)), "TamperError"),
        ("time runs backwards", chained(changed(3, t="2020-01-01T00:00:00.000Z")), "TamperError"),
        ("time out of form", chained(changed(4, t="2026-11-23 02:10:00")), "TamperError"),
        ("an unknown kind", chained(changed(3, kind="query.guessed")), "VersionTooNewError"),
        ("a version to come", chained(changed(3, v=99)), "VersionTooNewError"),
        ("an unknown field", chained(changed(3, officer="officer-0007")), "EntryError"),
        ("a field out of form", chained(changed(3, status="200")), "EntryError"),
        ("a full-width digit in a version", chained(changed(0, v="１")), "EntryError"),
        ("a commitment to what is no particular", chained(changed(3, commit={"rows": "00" * 32})), "EntryError"),
        ("an empty commit", chained(changed(0, commit={})), "EntryError"),
    ]  # fmt: skip
    cases += [(f"signed by the log itself: {desc}", made, signed_head(made), want) for desc, made, want in signed]
    return [
        {"desc": desc, "entries": [e.decode() for e in made], "checkpoint": note.decode(), "want_error": want}
        for desc, made, note, want in cases
    ]
