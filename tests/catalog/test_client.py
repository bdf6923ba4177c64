"""``liandong query`` against a service in a process of its own, over real HTTP."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.client import AnswerError, Asked, check, load_key
from catalog.identity.key_statement import key_id
from ledger import Receipt, TamperError
from ledger.instance import private_pem, write_private
from tests.conftest import Running, liandong


def ask(running: Running, path: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = ["query", running.url + path, "--key", str(running.key_file), "--receipts", str(folder), *more]
    return liandong(*arguments)


def test_a_signed_query_prints_the_answer_and_keeps_a_receipt_that_verifies(running: Running, tmp_path: Path) -> None:
    vkey = (running.instance.path / "log.vkey").read_text().strip()
    result = ask(running, "/directory/resources.json?_size=2", tmp_path / "receipts", "--vkey", vkey)
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)["rows"]) == 2
    assert "verified" in result.stderr
    (kept,) = (tmp_path / "receipts").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    checked = liandong("ledger", "check-receipt", str(kept), "--vkey", vkey)
    assert checked.returncode == 0, checked.stderr


def test_the_printed_curl_line_works_as_printed(running: Running) -> None:
    from catalog.demo import build

    lines = build.greeting(running.instance, "liandong").splitlines()
    (line,) = [line.strip() for line in lines if line.strip().startswith("curl")]
    result = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=True)
    assert len(json.loads(result.stdout)["rows"]) == 3


def test_chinese_in_the_address_is_signed_as_it_is_sent(running: Running, tmp_path: Path) -> None:
    result = ask(running, "/directory/resources.json?name__contains=许可&_size=1", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "许可" in json.loads(result.stdout)["rows"][0]["name"]


def test_a_refusal_ends_with_1_and_says_why_in_both_languages(running: Running, tmp_path: Path) -> None:
    result = ask(running, "/work/nothing.json", tmp_path)
    assert result.returncode == 1
    assert "错误：" in result.stderr
    assert "Error: " in result.stderr
    assert result.stdout == ""


def test_an_unknown_key_is_refused(running: Running, tmp_path: Path) -> None:
    write_private(tmp_path / "other.pem", private_pem(Ed25519PrivateKey.generate()))
    result = liandong("query", running.url + "/directory.json", "--key", str(tmp_path / "other.pem"))
    assert result.returncode == 1
    assert "not registered" in result.stderr


def test_a_key_that_others_can_read_is_refused_with_the_cure(running: Running, tmp_path: Path) -> None:
    key = tmp_path / "open.pem"
    key.write_bytes(running.key_file.read_bytes())
    key.chmod(0o644)
    result = liandong("query", running.url + "/directory.json", "--key", str(key))
    assert result.returncode == 2
    assert f"chmod 600 {key}" in result.stderr


_BROKEN_PEM = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("content", [b"", b"not a key", _BROKEN_PEM])
def test_a_file_that_is_no_key_is_a_usage_error(running: Running, tmp_path: Path, content: bytes) -> None:
    write_private(tmp_path / "bad.pem", content)
    result = liandong("query", running.url + "/", "--key", str(tmp_path / "bad.pem"))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("url", ["ftp://x/", "127.0.0.1:8001/", ""])
def test_what_is_no_address_is_a_usage_error(running: Running, url: str) -> None:
    result = liandong("query", url, "--key", str(running.key_file))
    assert result.returncode == 2


def test_another_spelling_of_the_address_is_refused_and_the_right_one_named(running: Running, tmp_path: Path) -> None:
    other = running.url.replace("127.0.0.1", "localhost")
    result = liandong("query", other + "/directory.json", "--key", str(running.key_file))
    assert result.returncode == 1
    assert f"{running.url}/directory.json" in result.stderr
    assert "与密钥或请求不符" in result.stderr


def test_a_purpose_goes_along_and_a_query_of_the_api_verifies(running: Running, tmp_path: Path) -> None:
    vkey = ["--vkey", str(running.instance.verifier_key())]
    without = ask(running, "/work/penalties.json?_size=1", tmp_path)
    assert without.returncode == 1 and "403" in without.stderr
    why = ["--purpose", "case", "--reference", "案2026-17"]
    result = ask(running, "/work/penalties.json?_size=1", tmp_path, *why, *vkey)
    assert result.returncode == 0 and "verified" in result.stderr, result.stderr
    question = tmp_path / "question.json"
    question.write_text('{"limit": 1, "purpose": {"code": "case", "reference": "案2026-17"}}', encoding="utf-8")
    result = ask(running, "/api/query/work/penalties", tmp_path, "--json", str(question), *vkey)
    assert result.returncode == 0 and "verified" in result.stderr, result.stderr
    assert len(json.loads(result.stdout)["rows"]) == 1


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_a_file_without_certificates_is_a_usage_error(running: Running, tmp_path: Path, content: bytes) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(content)
    for file in (ca, tmp_path / "missing.pem"):
        result = ask(running, "/directory.json", tmp_path / "r", "--ca", str(file))
        assert result.returncode == 2 and "Traceback" not in result.stderr and "--ca" not in result.stdout


def test_a_body_that_is_not_there_is_a_usage_error(running: Running, tmp_path: Path) -> None:
    result = ask(running, "/directory.json", tmp_path / "r", "--json", str(tmp_path / "missing.json"))
    assert result.returncode == 2


def test_a_failed_signature_is_told_with_the_servers_base_and_time(running: Running, tmp_path: Path) -> None:
    write_private(tmp_path / "other.pem", private_pem(Ed25519PrivateKey.generate()))
    result = liandong("query", running.url + "/directory.json", "--key", str(tmp_path / "other.pem"))
    assert f'"@target-uri": {running.url}/directory.json' in result.stderr
    assert "server's time 20" in result.stderr and "服务器时间" in result.stderr


def test_a_malformed_verifier_key_is_a_usage_error(running: Running) -> None:
    result = liandong("query", running.url + "/", "--key", str(running.key_file), "--vkey", "bad")
    assert result.returncode == 2


def test_nobody_at_the_address_is_said_plainly(running: Running) -> None:
    result = liandong("query", "http://127.0.0.1:1/directory.json", "--key", str(running.key_file))
    assert result.returncode == 1
    assert "cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr


class Unrecorded(http.server.BaseHTTPRequestHandler):
    """A server that answers without an entry, as a tampered one would."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def unrecorded() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Unrecorded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_without_an_entry_is_not_accepted(running: Running, unrecorded: str, tmp_path: Path) -> None:
    result = liandong("query", unrecorded + "/", "--key", str(running.key_file), "--receipts", str(tmp_path / "r"))
    assert result.returncode == 1
    assert "no ledger entry" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "r").exists()


def test_a_receipt_of_another_answer_is_refused(running: Running, tmp_path: Path) -> None:
    result = ask(running, "/directory/agencies.json", tmp_path)
    (kept,) = tmp_path.iterdir()
    receipt = json.loads(kept.read_text())
    seq = json.loads(receipt["entry"])["seq"]
    key = running.instance.verifier_key()
    body = result.stdout.encode().rstrip(b"\n")
    keyid = key_id(load_key(running.key_file).public_key())
    asked = Asked("GET /directory/agencies.json", keyid, body, seq, receipt)
    check(asked, key)
    check(replace(asked, query="", body=b"the first receipt", repeated=True), key)
    for other in (
        replace(asked, body=body + b" "),
        replace(asked, query="GET /directory/resources.json"),
        replace(asked, keyid="ed25519:00"),
        replace(asked, seq=seq + 1),
    ):
        with pytest.raises(AnswerError, match="not about this answer"):
            check(other, key)
    receipt["openings"]["answer_sha256"]["value"] = "0" * 64
    with pytest.raises(TamperError):
        check(asked, key)


def test_a_receipt_proves_the_query_and_the_signature(running: Running, tmp_path: Path) -> None:
    ask(running, "/directory/agencies.json?_size=1", tmp_path)
    (kept,) = tmp_path.iterdir()
    receipt = Receipt.from_json(json.loads(kept.read_text()))
    assert receipt.openings["query"].value == "GET /directory/agencies.json?_size=1"
    assert f"{running.url}/directory/agencies.json?_size=1" in str(receipt.openings["signature_base"].value)
