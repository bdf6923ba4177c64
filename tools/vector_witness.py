"""Vectors of witnessing (docs/spec/witness.md): a script of requests to one witness, and samples for the page."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.cosignature import Cosigner
from ledger.log.merkle import consistency_proof, tree_root
from ledger.log.note import Checkpoint, Signer
from ledger.log.witness import Submission, Witness
from tools.vector_log import ORIGIN, OTHER, SIGNER, START, Case, Leaves

SEED = bytes(range(0x60, 0x80))
COSIGNER = Cosigner("witness.example/sfj", Ed25519PrivateKey.from_private_bytes(SEED))
SECOND = Cosigner("witness.example/dcs", Ed25519PrivateKey.from_private_bytes(bytes(range(0x80, 0xA0))))
TRUE = [b"entry %d" % n for n in range(12)]
FORGED = [*TRUE[:3], *(b"forged %d" % n for n in range(3, 12))]
_FIRST, _SECOND = 5, 9


def _clock() -> Callable[[], datetime]:
    ticks = iter(range(10**6))
    return lambda: (START + timedelta(minutes=5 * next(ticks))).astimezone(UTC)


def _signed(leaves: list[bytes], size: int, signer: Signer = SIGNER) -> bytes:
    return Checkpoint(signer.name, size, tree_root(size, Leaves(leaves))).sign(signer)


def _request(old: int, size: int, leaves: list[bytes] = TRUE, signer: Signer = SIGNER) -> bytes:
    proof = consistency_proof(old, size, Leaves(leaves[:size])) if old <= size else []
    return Submission(old, tuple(proof), _signed(leaves, size, signer)).to_bytes()


def _script() -> list[tuple[str, bytes]]:
    first, growth = _request(0, _FIRST), _request(_FIRST, _SECOND)
    head, _, note = growth.partition(b"\n\n")
    proof = head.split(b"\n")[1:]
    elsewhere = Signer("other.example/log", SIGNER.private_key)
    return [
        ("the first checkpoint that the witness sees, from size 0", first),
        ("sent again as if nothing had been seen: told the size", first),
        ("grown from 5 to 9 entries, with its proof", growth),
        ("the same size once more: cosigned again, at a later time", _request(_SECOND, _SECOND)),
        ("from a size that is no longer the newest", growth),
        ("the proof with its first hash left out", b"\n\n".join([b"\n".join([b"old 9", *proof[1:]]), note])),
        ("old size larger than the checkpoint's", _request(_SECOND, _FIRST)),
        ("old size with a leading zero", growth.replace(b"old 5", b"old 05")),
        ("old size in full-width digits", growth.replace(b"old 5", "old ５".encode())),
        ("sixty-four proof lines", b"old 9\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + _signed(TRUE, 12)),
        ("a proof line of 31 bytes", b"old 9\n" + base64.b64encode(bytes(31)) + b"\n\n" + _signed(TRUE, 12)),
        ("no empty line before the checkpoint", b"old 9\n" + _signed(TRUE, 12)),
        ("a log that the witness does not know", _request(_SECOND, 12, signer=elsewhere)),
        ("signed by another key of the log's name", _request(_SECOND, 12, signer=OTHER)),
        ("grown to 12, with a proof of zeros", Submission(9, (bytes(32),) * 4, _signed(TRUE, 12)).to_bytes()),
        ("another root for the size it has", _request(_SECOND, _SECOND, FORGED)),
        ("a rewritten history, honestly proved and signed with the log's own key", _request(_SECOND, 11, FORGED)),
        ("the true log again", _request(_SECOND, 12)),
    ]


def witness_vectors() -> Case:
    """Requests in their order, each with the witness's answer; signatures of Ed25519 are deterministic."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        Witness.create(path)
        witness = Witness(path, COSIGNER, [SIGNER.verifier], _clock())
        for desc, request in _script():
            reply = witness.add_checkpoint(request)
            case: Case = {"desc": desc, "request": request.decode(), "status": reply.status}
            if reply.status in (200, 409):  # the words of other answers are free
                case |= {"content_type": reply.content_type, "answer": reply.body.decode()}
            cases.append(case)
        proven = [
            {"size": refusal.size, "seen": refusal.seen_note.decode(), "new": refusal.new_note.decode()}
            for refusal in reversed(witness.refusals())
            if refusal.proven
        ]
        witness.close()
    return {
        "about": "Requests to one witness, in this order (witness.md W4-W10). It knows one log.",
        "log_vkey": str(SIGNER.verifier),
        "witness_vkey": str(COSIGNER.key),
        "witness_seed": SEED.hex(),
        "cases": cases,
        "proven_conflicts": proven,
    }


def samples() -> dict[str, str]:
    """The samples of witness.md."""
    checkpoint = Checkpoint(ORIGIN, _SECOND, tree_root(_SECOND, Leaves(TRUE)))
    lines = [
        cosigner.signature_line(checkpoint.text(), 1_795_399_384 + n) for n, cosigner in enumerate((COSIGNER, SECOND))
    ]
    policy = [
        f"log {SIGNER.verifier}",
        f"witness sfj {COSIGNER.key} http://192.0.2.1:8002",
        f"witness dcs {SECOND.key} http://192.0.2.2:8002",
        "group supervisors all sfj dcs",
        "quorum supervisors",
    ]
    return {
        "witness request": _request(_FIRST, _SECOND).decode().rstrip("\n"),
        "witness answer": lines[0].decode().rstrip("\n"),
        "witness checkpoint": (checkpoint.sign(SIGNER) + b"".join(lines)).decode().rstrip("\n"),
        "witness policy": "\n".join(policy),
        "witness key": str(COSIGNER.key),
    }
