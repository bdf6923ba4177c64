"""An attacker who owns an instance's ledger file and copied its key, as a program of his own, with no code of ours.

    python tests/ledger/forger.py LEDGER.DB LOG.PEM SEQ FIELD VALUE [--cosigned replace|delete] [--anchors keep|forge]

He drops the triggers, edits a field of one entry, recomputes every hash, link and tree node after it, signs the newest
checkpoint anew with the log's own key and puts the triggers back. Of the checkpoints that witnesses cosigned he keeps
the bytes (default), puts ones with his own signature in their place, or deletes them; the anchors in the chain he keeps
as they are, or forges with a new root and without the signatures that he cannot make.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def root(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + root(hashes[:k]) + root(hashes[k:])).digest()


def canonical(value: dict[str, Any]) -> bytes:
    """RFC 8785, in the domain of entries."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Forger:
    """The whole log in memory, as he wants it to be."""

    def __init__(self, db: sqlite3.Connection, key: Ed25519PrivateKey) -> None:
        self.db = db
        self.key = key
        self.entries = [json.loads(row[0]) for row in db.execute("SELECT entry FROM entries ORDER BY seq")]
        self.origin: str = self.entries[0]["log"]
        self.hashes: list[bytes] = []
        self.bytes: list[bytes] = []

    def sign(self, size: int) -> str:
        text = f"{self.origin}\n{size}\n{base64.b64encode(root(self.hashes[:size])).decode()}\n"
        public = self.key.public_key().public_bytes_raw()
        key_id = hashlib.sha256(self.origin.encode() + b"\n\x01" + public).digest()[:4]
        signature = base64.b64encode(key_id + self.key.sign(text.encode())).decode()
        return f"{text}\n— {self.origin} {signature}\n"

    def rechain(self, forge_anchors: bool) -> None:
        prev = bytes(32)
        for entry in self.entries:
            entry["prev"] = prev.hex()
            if forge_anchors and entry["kind"] == "checkpoint.anchored":
                entry["root"] = root(self.hashes[: entry["size"]]).hex()
                entry["checkpoint"] = self.sign(entry["size"])
                entry["cosigners"], entry["cosigned_at"] = [], []
            self.bytes.append(canonical(entry))
            prev = leaf(self.bytes[-1])
            self.hashes.append(prev)

    def write(self, cosigned: str) -> None:
        db = self.db
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        db.execute("BEGIN")
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        for seq, (data, value) in enumerate(zip(self.bytes, self.hashes, strict=True)):
            db.execute("UPDATE entries SET entry = ?, hash = ? WHERE seq = ?", (data.decode(), value, seq))
        for level, index in db.execute("SELECT level, idx FROM nodes").fetchall():
            part = self.hashes[index << level : (index + 1) << level]
            db.execute("UPDATE nodes SET hash = ? WHERE level = ? AND idx = ?", (root(part), level, index))
        size = len(self.hashes)
        if cosigned == "delete":
            db.execute("DELETE FROM checkpoints")
        for (kept,) in db.execute("SELECT size FROM checkpoints").fetchall():
            if cosigned == "replace" or kept == size:
                db.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (self.sign(kept), kept))
        db.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, 0)", (size, self.sign(size)))
        for _, sql in guards:
            db.execute(sql)
        db.execute("COMMIT")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("seq", type=int)
    parser.add_argument("field")
    parser.add_argument("value")
    parser.add_argument("--cosigned", choices=("keep", "replace", "delete"), default="keep")
    parser.add_argument("--anchors", choices=("keep", "forge"), default="keep")
    arguments = parser.parse_args()
    key = load_pem_private_key(arguments.key.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    db = sqlite3.connect(arguments.ledger, isolation_level=None)
    forger = Forger(db, key)
    old = forger.entries[arguments.seq][arguments.field]
    forger.entries[arguments.seq][arguments.field] = type(old)(arguments.value)
    forger.rechain(arguments.anchors == "forge")
    forger.write(arguments.cosigned)
    db.close()
    print(
        f"entry {arguments.seq}: {arguments.field} {old!r} -> {arguments.value!r}, {len(forger.hashes)} entries signed"
    )


if __name__ == "__main__":
    main()
