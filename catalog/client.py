"""``liandong query``: ask as an agency's system, signed, and keep the receipt."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.errors import CatalogError, UsageError
from catalog.identity.key_statement import key_id
from catalog.signatures import Message, sign
from ledger import Receipt
from ledger.instance import check_private, write_private
from ledger.log.note import VerifierKey

TIMEOUT_SECONDS = 30


class AnswerError(CatalogError):
    """The server answered with an error, or could not be reached."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with its receipt: what was asked with which key, the exact bytes, the entry's number, the receipt."""

    query: str
    keyid: str
    body: bytes
    seq: int
    receipt: dict[str, Any]


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a system's private key (PEM, PKCS #8).

    Raises:
        UsageError: missing, not an Ed25519 key.
        InstanceError: readable by others.
    """
    try:
        check_private(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read as a private key ({error}); give the PEM file made for this system",
            f"{path} 无法作为私钥读取（{error}）；请指定为本系统生成的 PEM 文件",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"{path} is not an Ed25519 key; have your agency's admin make one",
            f"{path} 不是 Ed25519 密钥；请由本单位管理员生成",
        )
    return key


def query(url: str, key: Ed25519PrivateKey) -> Asked:
    """GET ``url`` signed with ``key``, then its receipt.

    Raises:
        UsageError: not an http(s) address.
        AnswerError: refused, failed, unreachable, or answered without a ledger entry.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(
            f"{url!r} is not an http address; copy it from the resource's page",
            f"{url!r} 不是 http 地址；请从资源页面复制",
        )
    with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client:
        response = _get(client, url, key)
        seq, path = response.headers.get("ledger-entry", ""), response.headers.get("ledger-receipt", "")
        if not seq.isdecimal() or not path.startswith("/"):
            raise AnswerError(
                "the answer names no ledger entry, so nothing proves it; do not use it, tell the operator",
                "答复未注明台账条目，无从证明；请勿使用，并告知运维单位",
            )
        receipt = _get(client, f"{parts.scheme}://{parts.netloc}{path}", key)
    target = response.request.url.raw_path.decode("ascii")
    return Asked(f"GET {target}", key_id(key.public_key()), response.content, int(seq), _json(receipt))


def check(asked: Asked, key: VerifierKey) -> None:
    """Check the receipt, and that it is about this very answer.

    Raises:
        LedgerError: the receipt does not verify.
        AnswerError: it is about another answer.
    """
    receipt = Receipt.from_json(asked.receipt)
    entry = receipt.verify(key)
    opened = {name: opening.value for name, opening in receipt.openings.items()}
    about_this = (
        (entry["kind"], entry["seq"], entry.get("auth"), entry.get("keyid"))
        == ("query.served", asked.seq, "signature", asked.keyid)
        and opened.get("query") == asked.query
        and opened.get("answer_sha256") == hashlib.sha256(asked.body).hexdigest()
    )
    if not about_this:
        raise AnswerError(
            f"the receipt is not about this answer (entry {entry['seq']}); keep both and tell the supervising office",
            f"回执与本次答复不符（第 {entry['seq']} 条）；请保存二者并报告监督机构",
        )


def save(asked: Asked, folder: Path) -> Path:
    """Keep the receipt as a file; return its path. Raises :class:`UsageError` when it cannot be written."""
    path = folder / f"receipt-{asked.seq}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        write_private(path, json.dumps(asked.receipt, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise UsageError(
            f"the receipt cannot be kept in {folder} ({error.strerror}); name another folder with --receipts",
            f"无法把回执存入 {folder}（{error.strerror}）；请用 --receipts 指定其他目录",
        ) from error
    return path


def _get(client: httpx2.Client, url: str, key: Ed25519PrivateKey) -> httpx2.Response:
    request = client.build_request("GET", url)
    # Signed is the address as it goes out, percent-encoded by the client library.
    message = Message("GET", str(request.url), {"accept": "application/json"})
    sign(message, b"", key, key_id(key.public_key()), secrets.token_urlsafe(16))
    request.headers.update(message.headers)
    try:
        response = client.send(request)
    except httpx2.HTTPError as error:
        raise AnswerError(
            f"{url} cannot be reached ({error}); check the address and that the service is running",
            f"无法连接 {url}（{error}）；请核对地址，并确认服务已启动",
        ) from error
    if response.status_code != 200:
        raise _refused(response)
    return response


def _refused(response: httpx2.Response) -> AnswerError:
    try:
        body = response.json()
        zh, en = body.get("error_zh") or body["error"], body.get("error_en") or body["error"]
    except (ValueError, KeyError, AttributeError):
        zh = en = response.reason_phrase
    entry = response.headers.get("ledger-entry")
    noted_en, noted_zh = (f" (ledger entry {entry})", f"（台账第 {entry} 条）") if entry else ("", "")
    return AnswerError(f"{response.status_code}: {en}{noted_en}", f"{response.status_code}：{zh}{noted_zh}")


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        value: dict[str, Any] = response.json()
    except ValueError as error:
        raise AnswerError("the receipt is not JSON", "回执不是 JSON") from error
    return value
