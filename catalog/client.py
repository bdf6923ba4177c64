"""``liandong query``: ask as an agency's system, signed, and keep what proves it."""

from __future__ import annotations

import hashlib
import json
import secrets
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from catalog import purpose_header
from catalog.algorithms import load_private_key
from catalog.errors import CatalogError, UsageError
from catalog.identity.key_statement import PrivateKey, key_id
from catalog.purpose import Purpose
from catalog.query.answers import hashed_part
from catalog.signatures import Message, sign
from ledger import Receipt
from ledger.instance import check_private, write_private
from ledger.log.note import VerifierKey

TIMEOUT_SECONDS = 30
#: Kinds whose entry commits to the answer's bytes.
_ANSWERED = frozenset({"query.served", "audit.read"})


class AnswerError(CatalogError):
    """The server answered with an error, or could not be reached."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask.

    Attributes:
        body: of a POST, JSON; None asks by GET.
        idempotency_key: of a call that writes: sent again with the same key, it is answered by the first receipt.
        purpose: why a GET asks; a POST says it in its body.
    """

    url: str
    body: bytes | None = None
    idempotency_key: str = ""
    purpose: Purpose | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with its receipt: what was asked with which key, the exact bytes, the entry's number, the receipt.

    Attributes:
        query: method and target as the server saw them.
        sent: the request's body; None for a GET.
        repeated: answered by the receipt of an earlier call with the same idempotency key.
    """

    query: str
    keyid: str
    body: bytes
    seq: int
    receipt: dict[str, Any]
    sent: bytes | None = None
    repeated: bool = False


def load_key(path: Path) -> PrivateKey:
    """Read a system's private key (PEM, PKCS #8): Ed25519 or P-256.

    Raises:
        UsageError: missing, not such a key.
        InstanceError: readable by others.
    """
    try:
        check_private(path)
        pem = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); give the PEM file made for this system",
            f"无法读取 {path}（{error.strerror}）；请指定为本系统生成的 PEM 文件",
        ) from error
    return load_private_key(pem, str(path))


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """What a TLS server must show: a certificate of the system's authorities, or of those in ``ca_file`` alone.

    Raises:
        UsageError: the file holds no certificates.
    """
    if ca_file is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"{ca_file} cannot be read as certificates in PEM ({error}); ask the operator for the authority's file",
            f"{ca_file} 无法作为 PEM 证书读取（{error}）；请向运维单位索取证书颁发机构的文件",
        ) from error


def query(question: Question, key: PrivateKey, *, ca_file: Path | None = None) -> Asked:
    """Ask, signed with ``key``, then fetch the receipt.

    Raises:
        UsageError: not an http(s) address, an unreadable ``ca_file``.
        AnswerError: refused, failed, unreachable, or answered without a ledger entry.
    """
    parts = urlsplit(question.url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(
            f"{question.url!r} is not an http address; copy it from the resource's page",
            f"{question.url!r} 不是 http 地址；请从资源页面复制",
        )
    with httpx2.Client(
        timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False, verify=trust(ca_file)
    ) as client:
        response = _ask(client, question, key)
        seq, path = response.headers.get("ledger-entry", ""), response.headers.get("ledger-receipt", "")
        if not seq.isdecimal() or not path.startswith("/"):
            raise AnswerError(
                "the answer names no ledger entry, so nothing proves it; do not use it, tell the operator",
                "答复未注明台账条目，无从证明；请勿使用，并告知运维单位",
            )
        receipt = _ask(client, Question(f"{parts.scheme}://{parts.netloc}{path}"), key)
    target = response.request.url.raw_path.decode("ascii")
    return Asked(
        f"{question.method} {target}",
        key_id(key.public_key()),
        response.content,
        int(seq),
        _json(receipt),
        question.body,
        repeated=response.headers.get("idempotency-replayed") == "true",
    )


def check(asked: Asked, key: VerifierKey) -> None:
    """Check the receipt, and that it is about this very answer.

    Raises:
        LedgerError: the receipt does not verify.
        AnswerError: it is about another answer.
    """
    receipt = Receipt.from_json(asked.receipt)
    entry = receipt.verify(key)
    opened = {name: opening.value for name, opening in receipt.openings.items()}
    expected: list[tuple[Any, Any]] = [(entry["seq"], asked.seq)]
    if not asked.repeated:
        expected += [
            (entry.get("auth"), "signature"),
            (entry.get("keyid"), asked.keyid),
            # The entry may hold the body's text too, below method and target.
            (str(opened.get("query")).partition("\n")[0], asked.query),
        ]
        if asked.sent is not None:
            expected.append((opened.get("body_sha256"), hashlib.sha256(asked.sent).hexdigest()))
        if entry["kind"] in _ANSWERED or asked.sent is None:
            expected.append((opened.get("answer_sha256"), hashlib.sha256(hashed_part(asked.body)).hexdigest()))
    if any(found != wanted for found, wanted in expected):
        raise AnswerError(
            f"the receipt is not about this answer (entry {entry['seq']}); keep both and tell the supervising office",
            f"回执与本次答复不符（第 {entry['seq']} 条）；请保存二者并报告监督机构",
        )


def save(asked: Asked, folder: Path) -> Path:
    """Keep the receipt (entry bytes, proof and openings) as a file, and a POST's body beside it; return its path.

    Raises:
        UsageError: they cannot be written.
    """
    path = folder / f"receipt-{asked.seq}.json"
    kept = {path: json.dumps(asked.receipt, ensure_ascii=False, indent=1).encode()}
    if asked.sent is not None:
        kept[folder / f"request-{asked.seq}.json"] = asked.sent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, content in kept.items():
            file.unlink(missing_ok=True)
            write_private(file, content)
    except OSError as error:
        raise UsageError(
            f"the receipt cannot be kept in {folder} ({error.strerror}); name another folder with --receipts",
            f"无法把回执存入 {folder}（{error.strerror}）；请用 --receipts 指定其他目录",
        ) from error
    return path


def _ask(client: httpx2.Client, question: Question, key: PrivateKey) -> httpx2.Response:
    headers = {"accept": "application/json"}
    if question.body is not None:
        headers["content-type"] = "application/json"
    if question.idempotency_key:
        headers["idempotency-key"] = question.idempotency_key
    request = client.build_request(question.method, question.url, headers=headers, content=question.body)
    # Signed is the address as it goes out, percent-encoded by the client library.
    message = Message(question.method, str(request.url), {})
    if question.purpose is not None:
        message.headers[purpose_header.NAME] = purpose_header.write(question.purpose)
    cover, nonce = tuple(message.headers), secrets.token_urlsafe(16)
    sign(message, question.body or b"", key, nonce, created=datetime.now(UTC), cover=cover)
    request.headers.update(message.headers)
    try:
        response = client.send(request)
    except httpx2.HTTPError as error:
        raise AnswerError(
            f"{question.url} cannot be reached ({error}); check the address, that the service is running and, with "
            "https, that --ca names the authority of its certificate",
            f"无法连接 {question.url}（{error}）；请核对地址，确认服务已启动；"
            "使用 https 时还须用 --ca 指定其证书颁发机构",
        ) from error
    if not 200 <= response.status_code < 300:
        raise _refused(response)
    return response


def _refused(response: httpx2.Response) -> AnswerError:
    try:
        body = response.json()
        zh, en = body.get("error_zh") or body["error"], body.get("error_en") or body["error"]
        failed = body.get("signature") or {}
    except (ValueError, KeyError, AttributeError):
        zh = en = response.reason_phrase
        failed = {}
    entry = response.headers.get("ledger-entry")
    noted_en, noted_zh = (f" (ledger entry {entry})", f"（台账第 {entry} 条）") if entry else ("", "")
    if isinstance(failed, dict) and failed.get("signature_base"):
        base = "\n  ".join(str(failed["signature_base"]).split("\n"))
        noted_en += f"\nserver's time {failed.get('server_time')}; the signature base that it computed:\n  {base}"
        noted_zh += f"\n服务器时间 {failed.get('server_time')}；其计算的签名基串见下方英文信息"
    return AnswerError(f"{response.status_code}: {en}{noted_en}", f"{response.status_code}：{zh}{noted_zh}")


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        value: dict[str, Any] = response.json()
    except ValueError as error:
        raise AnswerError("the receipt is not JSON", "回执不是 JSON") from error
    return value
