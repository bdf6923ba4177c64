"""clients/java and clients/python against a live server, directly and through nginx with TLS below a prefix."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from catalog.attribution import check_attribution
from catalog.client import load_key
from ledger import Instance, Receipt
from ledger.instance import private_pem, write_private
from ledger.log.note import VerifierKey
from tests.catalog import rfc9421, signing
from tests.conftest import Running, serving
from tests.proxied import behind_nginx

CLIENTS = Path(__file__).resolve().parent.parent.parent / "clients"
GET = "/directory/resources.json?name__contains=许可&_size=1"
QUESTION = (
    '{"filters": [{"column": "name", "op": "search", "value": "许可"}], "columns": ["name"], "limit": 1}'.encode()
)

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@dataclass
class Site:
    """A demonstration that is served, reached directly or through nginx; keys of both kinds are registered."""

    running: Running
    ca: Path | None
    p256: Path

    @property
    def vkey(self) -> VerifierKey:
        return self.running.instance.verifier_key()


@pytest.fixture(scope="module", params=["direct", "proxied"])
def site(
    request: pytest.FixtureRequest, demo_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("clients")
    shutil.copytree(demo_template, folder / "demo")
    instance = Instance.open(folder / "demo")
    p256 = folder / "p256.pem"
    signing.add_key(instance, ec.generate_private_key(ec.SECP256R1()), p256)
    if request.param == "direct":
        with serving(instance) as running:
            yield Site(running, None, p256)
    else:
        with behind_nginx(instance, folder / "nginx", "/liandong") as (running, tls):
            yield Site(running, tls.authority, p256)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Java client as Java 8 would have it; any warning about the code fails."""
    out = tmp_path_factory.mktemp("classes")
    command = ["javac", "--release", "8", "-encoding", "UTF-8", "-Xlint:all,-options", "-Werror", "-d", str(out)]
    command.append(str(CLIENTS / "java/LiandongQuery.java"))
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(params=["python-ed25519", "python-p256", "java-p256"])
def client(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Run:
    """Run one of the clients with one of the keys: ``client(path, *options, sent=b"")``."""
    language, _, kind = request.param.partition("-")
    key = site.p256 if kind == "p256" else site.running.key_file
    program = [sys.executable, str(CLIENTS / "python/liandong_query.py")]
    if language == "java":
        program = ["java", "-cp", str(request.getfixturevalue("classes")), "LiandongQuery"]

    def run(path: str, *options: str, sent: bytes = b"", key: Path = key) -> subprocess.CompletedProcess[bytes]:
        ca = ["--ca", str(site.ca)] if site.ca else []
        url = path if "://" in path else site.running.url + path
        command = [*program, "--key", str(key), "--receipts", str(tmp_path / "receipts"), *ca, *options, url]
        return subprocess.run(command, input=sent, capture_output=True, check=False, timeout=120, cwd=tmp_path)

    return run


def kept(tmp_path: Path) -> list[Receipt]:
    files = sorted((tmp_path / "receipts").iterdir())
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    return [Receipt.from_json(json.loads(file.read_text(encoding="utf-8"))) for file in files]


def test_a_get_is_answered_and_its_receipt_shows_who_asked_what(site: Site, client: Run, tmp_path: Path) -> None:
    result = client(GET)
    assert result.returncode == 0, result.stderr.decode()
    assert "许可" in json.loads(result.stdout)["rows"][0]["name"]
    (receipt,) = kept(tmp_path)
    keyid = json.loads(receipt.entry)["keyid"]
    file = site.p256 if keyid.startswith("p256:") else site.running.key_file
    shown = check_attribution(receipt, load_key(file).public_key(), site.vkey)
    assert (shown.method, shown.keyid) == ("GET", keyid)
    assert shown.target_uri == f"{site.running.url}/directory/resources.json?name__contains=%E8%AE%B8%E5%8F%AF&_size=1"


def test_a_post_is_answered_and_its_body_was_signed(site: Site, client: Run, tmp_path: Path) -> None:
    question = tmp_path / "question.json"
    question.write_bytes(QUESTION)
    for options, sent in ((["--json", str(question)], b""), (["--json", "-"], QUESTION)):
        result = client(signing.API_PATH, *options, sent=sent)
        assert result.returncode == 0, result.stderr.decode()
        assert "许可" in json.dumps(json.loads(result.stdout)["rows"], ensure_ascii=False)
    for receipt in kept(tmp_path):
        receipt.verify(site.vkey)
        base = str(receipt.openings["signature_base"].value)
        assert f'"content-digest": {rfc9421.content_digest(QUESTION)}\n' in base


#: The demonstration grants this table for cases and joint enforcement.
GRANTED = "work/penalties"


@pytest.mark.parametrize("reference", ["2026-17", '案2026-3 "甲" 100%', 'a "quoted" \\ 2026-1'])
def test_a_purpose_goes_along_with_a_get_and_is_signed(site: Site, client: Run, tmp_path: Path, reference: str) -> None:
    without = client(f"/{GRANTED}.json?_size=1")
    assert without.returncode == 1 and b"403" in without.stderr
    why = ["--purpose", "joint", "--reference", reference, "--words", "夜间联合检查", "--participants", "zhzf scjg"]
    result = client(f"/{GRANTED}.json?_size=1", *why)
    assert result.returncode == 0, result.stderr.decode()
    (receipt,) = kept(tmp_path)
    opened = {name: opening.value for name, opening in receipt.openings.items()}
    assert json.loads(receipt.entry)["purpose"] == "joint"
    assert (opened["reference"], opened["purpose_text"], opened["participants"]) == (
        reference,
        "夜间联合检查",
        ["zhzf", "scjg"],
    )
    assert '"liandong-purpose": joint; reference=' in str(opened["signature_base"])


def test_a_query_of_the_api_is_answered_and_its_receipt_shows_the_whole_of_it(
    site: Site, client: Run, tmp_path: Path
) -> None:
    asked = {"columns": ["id"], "limit": 2, "purpose": {"code": "case", "reference": "案2026-17"}}
    sent = json.dumps(asked, ensure_ascii=False).encode()
    result = client(f"/api/query/{GRANTED}", "--json", "-", sent=sent)
    assert result.returncode == 0, result.stderr.decode()
    assert len(json.loads(result.stdout)["rows"]) == 2
    (receipt,) = kept(tmp_path)
    keyid = json.loads(receipt.entry)["keyid"]
    file = site.p256 if keyid.startswith("p256:") else site.running.key_file
    shown = check_attribution(receipt, load_key(file).public_key(), site.vkey)
    assert shown.content_digest == rfc9421.content_digest(sent)
    assert str(receipt.openings["query"].value).partition("\n")[2].encode() == sent


def test_a_repeated_call_with_the_same_key_gives_the_first_entry(site: Site, client: Run, tmp_path: Path) -> None:
    options = ["--json", "-", "--idempotency-key", f"call-{tmp_path}"[-100:].replace("/", "-")]
    first, second = (client(signing.API_PATH, *options, sent=QUESTION) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), second.stderr.decode()
    assert json.loads(second.stdout)["repeated"] is True
    (receipt,) = kept(tmp_path)
    assert json.loads(receipt.entry)["seq"] == json.loads(second.stdout)["ledger_entry"]
    other = client(signing.API_PATH, *options, sent=b"{}")
    assert other.returncode == 1 and b"409" in other.stderr


def test_refusals_are_said_in_both_languages(site: Site, client: Run, tmp_path: Path) -> None:
    missing = client("/work/nothing.json")
    assert missing.returncode == 1 and missing.stdout == b""
    assert "错误：".encode() in missing.stderr and b"Error: 403: nothing here is published" in missing.stderr
    nobody = client("http://127.0.0.1:1/directory.json")
    assert nobody.returncode == 1 and b"cannot be reached" in nobody.stderr
    unknown = tmp_path / "unknown.pem"
    write_private(unknown, private_pem(ec.generate_private_key(ec.SECP256R1())))
    refused = client(GET, key=unknown)
    assert refused.returncode == 1 and b"not registered" in refused.stderr
    assert b'\n"@signature-params": (' in refused.stderr and "未登记".encode() in refused.stderr


def test_wrong_use_ends_with_2(site: Site, client: Run, tmp_path: Path) -> None:
    public = tmp_path / "public.pem"
    public.write_bytes(site.p256.read_bytes())
    public.chmod(0o640)
    readable = client(GET, key=public)
    assert readable.returncode == 2 and b"chmod 600" in readable.stderr
    nothing = tmp_path / "nothing.pem"
    nothing.touch(0o600)
    assert client(GET, key=nothing).returncode == 2
    assert client(GET, key=tmp_path / "missing.pem").returncode == 2
    assert client("ftp://x/").returncode == 2
    assert client(GET, "--nonsense").returncode == 2
    assert client(GET, "--json", str(tmp_path / "missing.json")).returncode == 2
    assert not (tmp_path / "receipts").exists()


def without_public_key(pem: Path) -> bytes:
    """A P-256 key in PKCS #8 as some tools write it: the private number alone (RFC 5915 §3, publicKey left out)."""
    key = load_key(pem)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    private = key.private_numbers().private_value.to_bytes(32, "big")
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    inner = bytes.fromhex("30250201010420") + private
    der = bytes.fromhex("3041020100") + algorithm + bytes([0x04, len(inner)]) + inner
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n".encode()


def test_java_finds_the_key_id_or_is_told_it(site: Site, classes: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pem"
    write_private(bare, without_public_key(site.p256))
    ca = ["--ca", str(site.ca)] if site.ca else []
    program = ["java", "-cp", str(classes), "LiandongQuery", "--key", str(bare), *ca]
    url = site.running.url + "/directory.json"
    without = subprocess.run([*program, url], capture_output=True, check=False, cwd=tmp_path)
    assert without.returncode == 2 and b"--key-id" in without.stderr
    keyid = rfc9421.key_id(load_key(site.p256))
    told = subprocess.run([*program, "--key-id", keyid, url], capture_output=True, check=False, cwd=tmp_path)
    assert told.returncode == 0, told.stderr.decode()


def test_each_client_is_one_file_with_a_readme_in_both_languages() -> None:
    for folder in ("java", "python"):
        readme = (CLIENTS / folder / "README.md").read_text(encoding="utf-8")
        assert "签名" in readme and "signed" in readme
    python = (CLIENTS / "python/liandong_query.py").read_text(encoding="utf-8")
    assert not any(f"import {name}" in python or f"from {name}" in python for name in ("catalog", "ledger", "httpx"))
