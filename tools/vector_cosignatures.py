"""Vectors of cosignatures (witness.md): notes that a log signed and a witness cosigned, and such as must be refused."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.cosignature import Cosigner, CosignerKey, open_cosigned
from tools.vector_log import ORIGIN, OTHER, SIGNER, Case, SampleLog, error_of, stray_bits

TIME = 1_795_399_384
WITNESS = Cosigner("witness.example/invented", Ed25519PrivateKey.from_private_bytes(b"\x41" * 32))
SECOND = Cosigner("见证方.example/二", Ed25519PrivateKey.from_private_bytes(b"\x42" * 32))
STRANGER = Cosigner("witness.example/stranger", Ed25519PrivateKey.from_private_bytes(b"\x43" * 32))
KEYS = [WITNESS.key, SECOND.key]


def cosignature_vectors(log: SampleLog) -> Case:
    note = log.checkpoints[4]
    text = note.rpartition(b"\n\n")[0] + b"\n"
    valid: list[tuple[str, bytes]] = [
        ("not cosigned", note),
        ("cosigned by one", note + WITNESS.signature_line(text, TIME)),
        (
            "by both, the later time first",
            note + SECOND.signature_line(text, TIME + 9) + WITNESS.signature_line(text, 0),
        ),
        ("at the last second that a time can say", note + WITNESS.signature_line(text, 2**63 - 1)),
        ("with a line of a witness whose key is unknown here", note + STRANGER.signature_line(text, TIME)),
        ("with an unknown key under a known name", note + _line(WITNESS.name, _payload(STRANGER, text))),
    ]
    return {
        "about": "Checkpoints that witnesses cosigned (cosignature/v1), to be opened with these keys; POSIX times.",
        "log_vkey": str(SIGNER.verifier),
        "witness_vkeys": [str(key) for key in KEYS],
        "valid": [{"desc": desc, "note": made.decode(), "cosigned": _times(made)} for desc, made in valid],
        "invalid": [
            {"desc": desc, **_text(made), "want_error": error_of(open_cosigned, made, SIGNER.verifier, KEYS)}
            for desc, made in _bad_notes(note, text, log.checkpoints[3])
        ],
        "invalid_keys": [
            {"desc": desc, "vkey": vkey, "want_error": error_of(CosignerKey.parse, vkey)} for desc, vkey in _bad_keys()
        ],
    }


def _text(note: bytes) -> Case:
    try:
        return {"note": note.decode()}
    except UnicodeDecodeError:
        return {"note_hex": note.hex()}


def _times(note: bytes) -> list[Case]:
    _, found = open_cosigned(note, SIGNER.verifier, KEYS)
    return [{"witness": item.key.name, "time": item.time} for item in found]


def _payload(cosigner: Cosigner, text: bytes, time: int = TIME) -> bytes:
    encoded = cosigner.signature_line(text, time).rstrip(b"\n").rpartition(b" ")[2]
    return base64.b64decode(encoded)


def _line(name: str, payload: bytes) -> bytes:
    return f"— {name} {base64.b64encode(payload).decode()}\n".encode()


def _bad_notes(note: bytes, text: bytes, smaller: bytes) -> list[tuple[str, bytes]]:
    good = _payload(WITNESS, text)
    key_id, time, signature = good[:4], good[4:12], good[12:]
    encoded = base64.b64encode(good).decode()

    def with_payload(payload: bytes) -> bytes:
        return note + _line(WITNESS.name, payload)

    def with_text(payload: str) -> bytes:
        return note + f"— {WITNESS.name} {payload}\n".encode()

    flipped = signature[:-1] + bytes([signature[-1] ^ 1])
    return [
        ("the witness's signature fails, the log's holds", with_payload(key_id + time + flipped)),
        ("one second later than was signed", with_payload(key_id + (TIME + 1).to_bytes(8) + signature)),
        ("a time of 2^63", with_payload(key_id + (2**63).to_bytes(8) + signature)),
        ("a time of 2^64 − 1", with_payload(key_id + b"\xff" * 8 + signature)),
        ("no time", with_payload(key_id + signature)),
        ("nothing after the key id but a time", with_payload(key_id + time)),
        ("a signature of 63 bytes", with_payload(good[:-1])),
        ("a signature of 65 bytes", with_payload(good + b"\0")),
        ("a plain signature, no cosignature", with_payload(key_id + time + WITNESS.private_key.sign(text))),
        ("over another checkpoint", with_payload(_payload(WITNESS, smaller.rpartition(b"\n\n")[0] + b"\n"))),
        ("of another witness under this name and id", with_payload(key_id + _payload(STRANGER, text)[4:])),
        ("the same witness twice", with_payload(good) + WITNESS.signature_line(text, TIME + 1)),
        ("one good and one that fails", with_payload(good) + _line(SECOND.name, SECOND.key.key_id + good[4:])),
        ("seventeen signatures", with_payload(good) + STRANGER.signature_line(text, TIME) * 15),
        ("without the log's signature", text + b"\n" + WITNESS.signature_line(text, TIME)),
        ("with another key's signature", text + b"\n" + OTHER.signature_line(text) + WITNESS.signature_line(text, 9)),
        ("base64 without padding", with_text(encoded.rstrip("="))),
        ("base64 with stray bits", with_text(stray_bits(encoded))),
        ("base64 with junk", with_text(encoded[:9] + "*" + encoded[9:])),
        ("base64 with a space inside", with_text(encoded[:8] + " " + encoded[8:])),
        ("a name with U+2028", note + f"— {WITNESS.name}\u2028 {encoded}\n".encode()),
        ("a name with U+00A0", note + f"— {WITNESS.name}\u00a0 {encoded}\n".encode()),
        ("a plus in the name", note + f"— {WITNESS.name}+ {encoded}\n".encode()),
        ("a tab in the line", note + f"— {WITNESS.name}\t {encoded}\n".encode()),
        ("an extension line that both signed", _extended(text)),
        ("a size with a leading zero that both signed", _resized(text)),
        ("an empty line between the signatures", note + b"\n" + WITNESS.signature_line(text, TIME)),
        ("no newline at the end", with_payload(good)[:-1]),
        ("not UTF-8", note + b"\xe2\x80\x94 witness\xff " + encoded.encode() + b"\n"),
    ]  # fmt: skip


def _extended(text: bytes) -> bytes:
    longer = text + b"extension\n"
    return longer + b"\n" + SIGNER.signature_line(longer) + WITNESS.signature_line(longer, TIME)


def _resized(text: bytes) -> bytes:
    other = text.replace(b"\n5\n", b"\n05\n")
    return other + b"\n" + SIGNER.signature_line(other) + WITNESS.signature_line(other, TIME)


def _bad_keys() -> list[tuple[str, str]]:
    name, public = WITNESS.name, WITNESS.key.public_key
    good = str(WITNESS.key)
    _, key_id, encoded = good.split("+", 2)
    of_type_01 = hashlib.sha256(name.encode() + b"\n\1" + public).hexdigest()[:8]
    return [
        ("empty", ""),
        ("a log's key, type 01", str(SIGNER.verifier)),
        ("type 01 under the id of type 04", f"{name}+{key_id}+{base64.b64encode(bytes([1]) + public).decode()}"),
        ("the id of type 01", f"{name}+{of_type_01}+{encoded}"),
        ("an ML-DSA-44 key's type", f"{name}+{key_id}+{base64.b64encode(bytes([6]) + public).decode()}"),
        ("another name", good.replace("invented", "other")),
        ("an id in capitals", f"{name}+{key_id.upper()}+{encoded}"),
        ("an id in full-width digits", f"{name}+{'０' * 8}+{encoded}"),
        ("a key of 31 bytes", f"{name}+{key_id}+{base64.b64encode(bytes([4]) + public[:-1]).decode()}"),
        ("base64 with junk", f"{name}+{key_id}+{encoded[:8]}*{encoded[8:]}"),
        ("base64 cut short", good[:-1]),
        ("a name with U+2028", good.replace(name, f"{name}\u2028")),
        ("a newline at the end", good + "\n"),
        ("of the log's origin", f"{ORIGIN}+{key_id}+{encoded}"),
    ]
