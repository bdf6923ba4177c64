"""Install the bundle and make a first signed query; tests/test_bundle.py runs this where there is no network.

``python offline_session.py ARCHIVE FOLDER`` prints one JSON object about what happened. Where it stands in a network
namespace of its own it first switches the loopback device on (iproute2 may be missing, so by ioctl).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def switch_loopback_on() -> None:
    """``ip link set lo up`` without iproute2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def free_port() -> int:
    """A port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_query_line(log: Path, server: subprocess.Popen[str]) -> str:
    """The ``liandong query`` line, once the server has printed it; raise when it ended or a minute passed."""
    for _ in range(600):
        found = re.findall(r"^\s*(\S*liandong query .+)\n", log.read_text(), re.M)
        if found:
            (line,) = found
            return str(line)
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the demo printed no query line:\n{log.read_text()}")


def install(archive: Path, folder: Path) -> Path:
    """Unpack, run install.sh as the README in the archive says, return the bin/ folder."""
    subprocess.run(["tar", "xzf", str(archive), "-C", str(folder)], check=True)
    (unpacked,) = folder.glob("liandong-*-bundle")
    subprocess.run(["sh", f"{unpacked.name}/install.sh", "installed"], cwd=folder, check=True, stdout=sys.stderr)
    return folder / "installed/bin"


def first_query(binaries: Path, folder: Path) -> dict[str, object]:
    """Start the demo, run the ``liandong query`` line that it prints, stop it, verify the ledger."""
    port = free_port()
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    log = folder / "demo.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [binaries / "liandong", "demo", "county", "--port", str(port)],
            cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    try:
        line = wait_for_query_line(log, server)
        query = subprocess.run(
            ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    verify = subprocess.run(
        [binaries / "liandong", "ledger", "verify", "-i", "county"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {
        "line": line,
        "query": {"status": query.returncode, "out": query.stdout, "err": query.stderr},
        "verify": {"status": verify.returncode, "out": verify.stdout, "err": verify.stderr},
    }


def main() -> None:
    """Install, query, report."""
    archive, folder = Path(sys.argv[1]), Path(sys.argv[2])
    if "--own-network" in sys.argv:
        switch_loopback_on()
    report: dict[str, object] = {"interfaces": sorted(name for _, name in socket.if_nameindex())}
    binaries = install(archive, folder)
    report.update(first_query(binaries, folder))
    json.dump(report, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
