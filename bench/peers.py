"""Entry by entry, durable, the same payload, in one run: our ledger and what else there is to take.

The Python packages are installed by this bench into an environment of its own, from the package index that pip is
configured for; they are no dependencies of the project. What cannot be had is left out and named.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.log import bare_commits, one_by_one
from bench.rounds import Sample, interleave, table
from ledger import Instance, Settings
from ledger.log.note import Signer

PACKAGES = {"pymerkle": "7.0.0", "auditchain": "0.3.0", "rust-py-audit": "0.4.2"}

# Each reads a number of entries, appends them one by one, durably, and prints how many it made per second.
SCRIPTS = {
    "pymerkle": """
import sys, time
from pymerkle import SqliteTree
tree = SqliteTree(sys.argv[1])
payload = b"x" * 330
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        tree.append_entry(payload)
    print(int(line) / (time.perf_counter() - started), flush=True)
""",
    "auditchain": """
import sys, time
from auditchain import SqliteBackend, SyncAuditLog
log = SyncAuditLog(SqliteBackend(sys.argv[1]))
payload = {"text": "x" * 300}
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        log.append("zhzf", "query.served", metadata=payload)
    print(int(line) / (time.perf_counter() - started), flush=True)
""",
    "rust-py-audit": """
import sys, time
from rust_py_audit import AuditLogger
log = AuditLogger(app_name="bench", file_path=sys.argv[1], fsync=True)
payload = {"text": "x" * 300}
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        log.log(actor_id="zhzf", action="query.served", resource="r", resource_id="1", metadata=payload)
    print(int(line) / (time.perf_counter() - started), flush=True)
""",
}

TRIGGER_TABLE = """
CREATE TABLE data (id bigserial PRIMARY KEY, payload text);
CREATE TABLE audit (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), row_data jsonb);
CREATE FUNCTION audit_row() RETURNS trigger AS $$
BEGIN INSERT INTO audit (row_data) VALUES (to_jsonb(NEW)); RETURN NEW; END $$ LANGUAGE plpgsql;
CREATE TRIGGER audit AFTER INSERT ON data FOR EACH ROW EXECUTE FUNCTION audit_row();
"""


def run(folder: Path, rounds: int, count: int) -> str:
    """Measure and return a Markdown report."""
    with ExitStack() as stack:
        settings = Settings("bench.example/log", "测试", "Bench", "http://bench", demo=True)
        ledgers = {}
        for name in ("signed", "unsigned"):
            instance = Instance.create(folder / name, settings)
            ledgers[name] = stack.enter_context(instance.ledger())
        sides: dict[str, Callable[[], Sample]] = {
            "ours": lambda: one_by_one(ledgers["signed"], count, None),
            "ours, without the signature of each commit": lambda: _unsigned(
                lambda: one_by_one(ledgers["unsigned"], count, None)
            ),
            "bare one-row SQLite commit": bare_commits(folder / "bare.db", count),
        }
        missing = []
        python = _environment(folder / "venv")
        for name, version in PACKAGES.items():
            if python is not None and _install(python, f"{name}=={version}"):
                ask = stack.enter_context(_peer(python, SCRIPTS[name], folder / f"{name}.db"))
                sides[f"{name} {version}"] = lambda ask=ask: Sample(ask(count))  # type: ignore[misc]
            else:
                missing.append(name)
        socket = stack.enter_context(_postgres(folder / "postgres"))
        if socket is not None:
            sides["PostgreSQL, trigger audit table, 1 client"] = lambda: Sample(_pgbench(socket, count))
        else:
            missing.append("PostgreSQL")
        results = interleave(sides, rounds)
    rows = [
        (name, f"{result.per_second:.0f}/s", "1.00" if name == "ours" else f"{1 / result.ratio:.2f}")
        for name, result in results.items()
    ]
    report = table(("entry by entry, durable, 1 submitter", "rate", "ours is so many times as fast"), rows)
    return report + (f"\n\nNot to be had here: {', '.join(missing)}." if missing else "")


def _unsigned(work: Callable[[], Sample]) -> Sample:
    real, Signer.signature_line = Signer.signature_line, lambda _, __: b""  # type: ignore[method-assign]
    try:
        return work()
    finally:
        Signer.signature_line = real  # type: ignore[method-assign]


def _environment(folder: Path) -> Path | None:
    try:
        venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return folder / "bin/python"


def _install(python: Path, requirement: str) -> bool:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def _peer(python: Path, script: str, path: Path) -> Iterator[Callable[[int], float]]:
    process = subprocess.Popen([python, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(count: int) -> float:
        stdin.write(f"{count}\n")
        stdin.flush()
        return float(stdout.readline())

    try:
        yield ask
    finally:
        stdin.close()
        process.wait(timeout=30)


@contextmanager
def _postgres(folder: Path) -> Iterator[Path | None]:
    """A server of our own on a Unix socket in ``folder``, or None where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(found).parent for found in [shutil.which("initdb")] if found
    ]
    if not found or shutil.which("pgbench") is None:
        yield None
        return
    binaries = found[-1]
    folder.mkdir()
    # PostgreSQL refuses to run as root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
        for parent in folder.parents[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    cluster = folder / "data"
    made = subprocess.run(
        [*as_user, binaries / "initdb", "-D", cluster, "-A", "trust", "-U", "bench"], capture_output=True, check=False
    )
    if made.returncode != 0:
        yield None
        return
    server = subprocess.Popen(
        [*as_user, binaries / "postgres", "-D", cluster, "-k", folder, "-h", ""],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            prepare = ["psql", "-h", folder, "-U", "bench", "-q", "-c", TRIGGER_TABLE, "postgres"]
            if subprocess.run(prepare, capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield folder
    finally:
        server.terminate()
        server.wait(timeout=60)


def _pgbench(socket: Path, count: int) -> float:
    script = socket.parent / "insert.sql"
    script.write_text(f"INSERT INTO data (payload) VALUES ('{'x' * 330}');\n", encoding="utf-8")
    command = ["pgbench", "-h", socket, "-U", "bench", "-n", "-c", "1", "-t", str(count), "-f", script, "postgres"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in printed.splitlines() if line.startswith("tps"))
    return float(line.split()[2])
