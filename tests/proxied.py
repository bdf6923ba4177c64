"""A served demonstration behind a real nginx with TLS, configured as docs/guide/proxy.md says.

The certificate authority is made here for the run; only the clients of the tests are told of it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger import Instance
from tests.conftest import Running, free_port, serving

GUIDE = Path(__file__).resolve().parent.parent / "docs/guide/proxy.md"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


@dataclass(frozen=True)
class Tls:
    """A certificate for localhost and 127.0.0.1: files, and what Chromium is told to trust it by."""

    authority: Path
    certificate: Path
    key: Path
    spki_sha256: str


def make_tls(folder: Path) -> Tls:
    """An authority and a server certificate signed by it, good for a day."""
    now = datetime.now(UTC)
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "liandong tests")])

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority_name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))

    authority = certificate(authority_name, authority_key)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), server_key)
    server = server.add_extension(names, critical=False)
    files = Tls(folder / "authority.pem", folder / "server.pem", folder / "server.key", _spki(server_key))
    files.authority.write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(server.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files.key.write_bytes(
        server_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    files.key.chmod(0o600)
    return files


def _spki(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_key().public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def guides_configuration() -> str:
    """The nginx block of the guide."""
    (block,) = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


@contextlib.contextmanager
def nginx(folder: Path, server: str) -> Iterator[None]:
    """nginx with one ``server`` block in a process of its own; all its files in ``folder``."""
    temporary = "\n".join(
        f"    {name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nworker_processes 1;\n"
        f"events {{ worker_connections 64; }}\nhttp {{\n{temporary}\n{server}}}\n",
        encoding="utf-8",
    )
    # Started as root, its workers are another user, who must reach its folders.
    folder.chmod(0o755)
    command = [NGINX, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    process = subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.PIPE)
    try:
        port = int(re.findall(r"listen (?:127\.0\.0\.1:)?(\d+)", server)[0])
        while not _accepts(port):
            assert process.poll() is None, (folder / "error.log").read_text(encoding="utf-8")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def behind_nginx(
    instance: Instance,
    folder: Path,
    prefix: str = "",
    *,
    stripped: bool = False,
    more: str = "",
) -> Iterator[tuple[Running, Tls]]:
    """The served ``instance`` under https://localhost:PORT and ``prefix``.

    Args:
        stripped: the other form of ``proxy_pass``, which takes the prefix away.
        more: further lines for the location.
    """
    folder.mkdir(exist_ok=True)
    tls, port, inner = make_tls(folder), free_port(), free_port()
    server = guides_configuration()
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("server_name share.example.gov.cn;", "server_name localhost;"),
        ("/etc/nginx/tls/share.crt", str(tls.certificate)),
        ("/etc/nginx/tls/share.key", str(tls.key)),
        ("location /liandong/ {", f"location {prefix}/ {{ {more}"),
        ("proxy_pass http://127.0.0.1:8001;", f"proxy_pass http://127.0.0.1:{inner}{'/' if stripped else ''};"),
    ):
        assert server.count(old) == 1, old
        server = server.replace(old, new)
    with (
        serving(instance, public_url=f"https://localhost:{port}{prefix}", port=inner) as running,
        nginx(folder, server),
    ):
        yield running, tls
