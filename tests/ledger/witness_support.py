"""What the tests of witnesses share: fixed keys, a tree that can be forked, witnesses here and in other processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import WitnessError
from ledger.log.cosignature import Cosigner
from ledger.log.merkle import Frontier, Node, consistency_proof, leaf_hash
from ledger.log.note import Checkpoint, Signer, VerifierKey
from ledger.log.policy import Policy
from ledger.log.witness import Reply, Submission, Witness
from ledger.log.witness_page import Page
from ledger.witness_folder import WitnessFolder
from tests.ledger.support import ORIGIN, ROOT, SIGNER, VKEY, clock, random_source

NAMES = ("witness.example/sfj", "witness.example/dcs", "witness.example/third")
COSIGNERS = tuple(
    Cosigner(name, Ed25519PrivateKey.from_private_bytes(bytes([0x40 + n]) * 32)) for n, name in enumerate(NAMES)
)
STRANGER = Cosigner("witness.example/stranger", Ed25519PrivateKey.from_private_bytes(b"\x77" * 32))
CALL = "示范县司法局 0000-0000001 (invented)"


class Tree:
    """A log of invented leaves, complete in memory: any head of it can be signed and any growth proved."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.frontiers = [Frontier()]
        self.nodes: dict[Node, bytes] = {}
        for index, leaf in enumerate(leaves):
            frontier = self.frontiers[-1].copy()
            self.nodes[0, index] = leaf_hash(leaf)
            self.nodes.update(frontier.append(leaf_hash(leaf)))
            self.frontiers.append(frontier)

    @classmethod
    def of(cls, count: int, word: str = "entry", fork_at: int | None = None) -> Tree:
        """``count`` leaves; from ``fork_at`` on they are others than without it."""
        other = count if fork_at is None else fork_at
        return cls([f"{word} {n}".encode() if n < other else f"forged {n}".encode() for n in range(count)])

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        return [self.nodes[node] for node in nodes]

    def checkpoint(self, size: int, origin: str = ORIGIN) -> Checkpoint:
        return Checkpoint(origin, size, self.frontiers[size].root())

    def signed(self, size: int, signer: Signer = SIGNER) -> bytes:
        return self.checkpoint(size, signer.name).sign(signer)

    def submission(self, old: int, size: int, signer: Signer = SIGNER) -> Submission:
        proof = consistency_proof(old, size, self) if old <= size else []
        return Submission(old, tuple(proof), self.signed(size, signer))

    def body(self, old: int, size: int, signer: Signer = SIGNER) -> bytes:
        return self.submission(old, size, signer).to_bytes()


@contextlib.contextmanager
def new_witness(
    path: Path,
    n: int = 0,
    logs: Sequence[VerifierKey] = (VKEY,),
    now: Callable[[], datetime] | None = None,
) -> Iterator[Witness]:
    """Witness ``n`` with its state at ``path``, which is made if there is none."""
    if not path.exists():
        Witness.create(path)
    witness = Witness(path, COSIGNERS[n], logs, now or clock())
    try:
        yield witness
    finally:
        witness.close()


def policy_text(
    urls: Sequence[str] = ("http://w0", "http://w1"), quorum: str = "all", log: VerifierKey = VKEY
) -> bytes:
    """A policy of the first ``len(urls)`` witnesses, named w0, w1, …"""
    lines = [f"log {log}"]
    lines += [f"witness w{n} {COSIGNERS[n].key} {url}" for n, url in enumerate(urls)]
    lines.append(f"group supervisors {quorum} " + " ".join(f"w{n}" for n in range(len(urls))))
    return ("\n".join([*lines, "quorum supervisors"]) + "\n").encode()


def policy(*args: object, **options: object) -> Policy:
    return Policy.parse(policy_text(*args, **options))  # type: ignore[arg-type]


class Directly:
    """Reaches witnesses in this process, as ``send``; some of them may be down."""

    def __init__(self, *witnesses: Witness) -> None:
        self.witnesses = list(witnesses)
        self.down: set[int] = set()
        self.bodies: list[bytes] = []

    def __call__(self, url: str, body: bytes) -> Reply:
        assert url.endswith("/add-checkpoint")
        n = int(url.removesuffix("/add-checkpoint").removeprefix("http://w"))
        self.bodies.append(body)
        if n in self.down:
            raise WitnessError(f"{url} is down", f"{url} 未开机")
        return self.witnesses[n].add_checkpoint(body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Office:
    """A witness with a folder, which is served by a process of its own while :attr:`process` runs."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, folder: Path, n: int, logs: tuple[VerifierKey, ...] = (VKEY,)) -> Office:
        WitnessFolder.create(folder, NAMES[n], logs, Page(CALL), random_source(b"witness %d" % n))
        return cls(folder, free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> WitnessFolder:
        return WitnessFolder.open(self.folder)

    def start(self, *options: str, wrapper: str | None = None) -> None:
        """Serve; return when it listens. ``wrapper`` is Python code to run instead of the plain command."""
        program = ["-c", wrapper] if wrapper else ["-m", "catalog"]
        arguments = ["witness", "serve", "-w", str(self.folder), "--port", str(self.port), *options]
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
        )
        while True:
            assert self.process.poll() is None, "the witness ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None


def policy_of(log: VerifierKey, offices: Sequence[Office], quorum: str = "all") -> bytes:
    """The policy that names these offices' keys and addresses."""
    lines = [f"log {log}"]
    lines += [f"witness w{n} {office.open().cosigner.key} {office.url}" for n, office in enumerate(offices)]
    lines.append(f"group supervisors {quorum} " + " ".join(f"w{n}" for n in range(len(offices))))
    return ("\n".join([*lines, "quorum supervisors"]) + "\n").encode()
