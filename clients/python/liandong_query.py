#!/usr/bin/env python3
"""联动签名查询客户端：单个文件，只需标准库和 cryptography。
A client for signed queries to liandong: one file, the standard library and `cryptography`.

    python3 liandong_query.py --key KEY.pem URL > answer.json
    python3 liandong_query.py --key KEY.pem --json QUESTION.json URL

It signs the request by RFC 9421 with the system's key (Ed25519, or ECDSA on P-256), prints the answer as it came and
keeps the receipt. Exit code 0: answered; 1: refused, failed or unreachable; 2: wrong use. As a module: `ask(...)`.
Python 3.8 or newer.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import secrets
import ssl
import stat
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

TIMEOUT_SECONDS = 30
PURPOSE = "Liandong-Purpose"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class QueryError(Exception):
    """What went wrong, in Chinese and English; ``exit_code`` 1, or 2 for wrong use."""

    def __init__(self, zh: str, en: str, exit_code: int = 1) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en
        self.exit_code = exit_code


class Answer(NamedTuple):
    """The answer's exact bytes, the number of its ledger entry, and the receipt's exact bytes."""

    body: bytes
    entry: int
    receipt: bytes


def ask(
    url: str,
    key: Any,
    body: bytes | None = None,
    *,
    purpose: str = "",
    idempotency_key: str = "",
    ca_file: str | None = None,
) -> Answer:
    """Ask by GET, or with ``body`` (JSON) by POST; then fetch the receipt.

    Args:
        key: of :func:`load_key`.
        purpose: of :func:`purpose_field`, why a GET asks; a POST says it in its body.
        idempotency_key: of a call that writes; sent again with the same key and body, it is done once.
        ca_file: certificates in PEM that alone are trusted.

    Raises:
        QueryError: refused, failed, unreachable, or answered without a ledger entry.
    """
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    headers.update({PURPOSE: purpose} if purpose else {})
    answer, fields = _send(url, key, body, headers, ca_file)
    entry, path = fields.get("Ledger-Entry") or "", fields.get("Ledger-Receipt") or ""
    if not entry.isdecimal() or not path.startswith("/"):
        raise QueryError("答复未注明台账条目，请勿使用", "the answer names no ledger entry; do not use it")
    parts = urlsplit(url)
    receipt, _ = _send(f"{parts.scheme}://{parts.netloc}{path}", key, None, {}, ca_file)
    return Answer(answer, int(entry), receipt)


def purpose_field(code: str, **parts: str) -> str:
    """The field that states a purpose: its code, and reference, words or participants (RFC 9651, an item)."""
    return code + "".join(f"; {name}={_string(text)}" for name, text in parts.items() if text)


def _string(text: str) -> str:
    if all(" " <= char <= "~" for char in text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    plain = (chr(byte) if 32 <= byte < 127 and chr(byte) not in '%"' else f"%{byte:02x}" for byte in text.encode())
    return '%"' + "".join(plain) + '"'


def load_key(path: str) -> Any:
    """The private key in a PEM file that only its owner may read.

    Raises:
        QueryError: readable by others, missing, or another kind of key.
    """
    try:
        if os.name == "posix" and stat.S_IMODE(Path(path).stat().st_mode) & 0o077:
            raise QueryError(f"{path} 可被他人读取；请运行 chmod 600", f"{path} can be read by others; chmod 600 it", 2)
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise QueryError(
            f"无法读取私钥 {path}（{error}）", f"cannot read the private key {path} ({error})", 2
        ) from error
    p256 = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    if not p256 and not isinstance(key, Ed25519PrivateKey):
        raise QueryError("密钥应为 Ed25519 或 P-256", "the key is neither Ed25519 nor P-256", 2)
    return key


def key_id(key: Any) -> str:
    """The id by which the service names the key: algorithm and 32 hex digits of the public key's SHA-256."""
    encoding, form = serialization.Encoding, serialization.PublicFormat
    if isinstance(key, Ed25519PrivateKey):
        name, raw = "ed25519", key.public_key().public_bytes(encoding.Raw, form.Raw)
    else:
        name, raw = "p256", key.public_key().public_bytes(encoding.X962, form.UncompressedPoint)
    return f"{name}:{hashlib.sha256(raw).hexdigest()[:32]}"


def sign_request(
    method: str, target_uri: str, purpose: str, body: bytes, key: Any, created: int, nonce: str
) -> dict[str, str]:
    """The header fields of RFC 9421 and, with a body, RFC 9530 that make a request signed.

    Args:
        target_uri: the whole address as it is sent.
        purpose: the field that states it, or empty.
    """
    values = [("@method", method), ("@target-uri", target_uri)]
    headers = {}
    if purpose:
        values.append((PURPOSE.lower(), purpose))
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers["Content-Digest"] = f"sha-256=:{digest}:"
        values.append(("content-digest", headers["Content-Digest"]))
    covered = " ".join(f'"{name}"' for name, _ in values)
    params = f'({covered});created={created};keyid="{key_id(key)}";nonce="{nonce}"'
    lines = [f'"{name}": {value}' for name, value in values]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    headers["Signature-Input"] = f"sig1={params}"
    headers["Signature"] = f"sig1=:{base64.b64encode(_sign(key, base.encode('ascii'))).decode()}:"
    return headers


def _sign(key: Any, message: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)
    # The library gives DER; the RFC wants r and s, 32 bytes each (§3.3.4).
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _send(url: str, key: Any, body: bytes | None, more: dict[str, str], ca_file: str | None) -> tuple[bytes, Any]:
    scheme, authority, target = _address(url)
    method = "GET" if body is None else "POST"
    signed = sign_request(
        method,
        f"{scheme}://{authority}{target}",
        more.get(PURPOSE, ""),
        body or b"",
        key,
        int(time.time()),
        secrets.token_urlsafe(16),
    )
    headers = {"Host": authority, "Accept": "application/json", "User-Agent": "liandong_query", **more, **signed}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        if scheme == "https":
            trusted = ssl.create_default_context(cafile=ca_file)
            connection: Any = http.client.HTTPSConnection(authority, timeout=TIMEOUT_SECONDS, context=trusted)
        else:
            connection = http.client.HTTPConnection(authority, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise QueryError(f"无法连接 {url}（{error}）", f"{url} cannot be reached ({error})") from error
    if not 200 <= response.status < 300:
        raise _refused(response.status, answer)
    return answer, response.headers


def _address(url: str) -> tuple[str, str, str]:
    """Scheme, host with port, and target of an address, spelled as it is sent and signed."""
    parts = urlsplit(quote(url, safe="".join(map(chr, range(33, 127)))))
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc or "@" in parts.netloc:
        raise QueryError(f"{url!r} 不是 http 地址", f"{url!r} is not an http address", 2)
    authority = parts.netloc.lower()
    default = f":{_DEFAULT_PORTS[parts.scheme]}"
    if authority.endswith(default):
        authority = authority[: -len(default)]
    return parts.scheme, authority, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _refused(status: int, answer: bytes) -> QueryError:
    try:
        said = json.loads(answer)
        zh, en = said.get("error_zh") or said["error"], said.get("error_en") or said["error"]
        signature = said.get("signature") or {}
    except (ValueError, KeyError, AttributeError):
        zh = en = http.client.responses.get(status, "")
        signature = {}
    if signature.get("signature_base"):
        en += f"\nserver's time {signature.get('server_time')}; the signature base that it computed:\n"
        en += signature["signature_base"]
    return QueryError(f"{status}：{zh}", f"{status}: {en}")


def save(answer: Answer, folder: str) -> Path:
    """Keep the receipt in ``folder``, readable by its owner only; return its path."""
    path = Path(folder) / f"receipt-{answer.entry}.json"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            path.unlink()
        with os.fdopen(os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(answer.receipt)
    except OSError as error:
        raise QueryError(f"无法保存回执 {path}（{error}）", f"cannot keep the receipt {path} ({error})", 2) from error
    return path


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise QueryError(f"无法读取 {name}（{error}）", f"cannot read {name} ({error})", 2) from error


def main() -> int:
    parser = argparse.ArgumentParser(description="联动签名查询 / a signed query to liandong")
    parser.add_argument("url", metavar="URL")
    parser.add_argument(
        "--key", required=True, metavar="FILE", help="本系统的私钥 PEM，权限 600 / private key, mode 600"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="以 POST 发送，- 为标准输入 / send by POST, - for standard input"
    )
    parser.add_argument("--purpose", default="", metavar="CODE", help="查询事由代码（GET）/ why a GET asks")
    parser.add_argument("--reference", default="", help="案号等依据编号 / the number that the purpose refers to")
    parser.add_argument("--words", default="", help="用途说明 / what it is for, in a few words")
    parser.add_argument(
        "--participants", default="", help="参与单位，空格分隔 / agencies that act together, with spaces"
    )
    parser.add_argument("--idempotency-key", default="", help="写入类调用的幂等键 / for a call that writes")
    parser.add_argument(
        "--receipts", default="receipts", metavar="DIR", help="保存回执的目录 / where receipts are kept"
    )
    parser.add_argument("--ca", metavar="FILE", help="只信任此证书颁发机构 / trust only this authority (PEM)")
    chosen = parser.parse_args()
    try:
        body = _read(chosen.json) if chosen.json is not None else None
        key = load_key(chosen.key)
        parts = {name: getattr(chosen, name) for name in ("reference", "words", "participants")}
        purpose = purpose_field(chosen.purpose, **parts) if chosen.purpose else ""
        answer = ask(chosen.url, key, body, purpose=purpose, idempotency_key=chosen.idempotency_key, ca_file=chosen.ca)
        path = save(answer, chosen.receipts)
    except QueryError as error:
        print(f"错误：{error.zh}\nError: {error.en}", file=sys.stderr)
        return error.exit_code
    sys.stdout.buffer.write(answer.body)
    print(f"台账第 {answer.entry} 条 ledger entry {answer.entry}，回执 receipt: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
