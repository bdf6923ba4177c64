"""Keys as files on an agency's machine: the private key, and the request that carries its statement to the register."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from catalog.errors import UsageError
from catalog.identity.key_statement import ALGORITHMS, ED25519, KeyStatementError, PrivateKey, Statement, key_id
from ledger.instance import write_private

#: What the file says it is: docs/spec/key-statement.md.
FORMAT = "liandong/agency-key/v1"
MAX_REQUEST_BYTES = 8 * 1024
_MEMBERS = {
    "format": r"liandong/agency-key/v1",
    "log": r"[!-~]{1,200}",
    "agency": r"[a-z][a-z0-9_-]{0,31}",
    "system": r"[a-z0-9][a-z0-9_.-]{0,63}",
    "algorithm": "|".join(map(re.escape, ALGORITHMS)),
    "public_key": r"(?:[0-9a-f]{2}){32,65}",
    "expires_at": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",
    "signature": r"(?:[0-9a-f]{2}){8,80}",
    "endorser": r"(?:ed25519|p256):[0-9a-f]{32}",
    "endorser_signature": r"(?:[0-9a-f]{2}){8,80}",
}
_MAY_BE_NULL = frozenset({"endorser", "endorser_signature"})


def new_key(path: Path, algorithm: str) -> PrivateKey:
    """Make a key and write it to ``path`` as PEM (PKCS #8), mode 0600; never over a file that is there.

    Raises:
        UsageError: the file exists, or cannot be written.
    """
    key: PrivateKey
    key = ed25519.Ed25519PrivateKey.generate() if algorithm == ED25519 else ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        write_private(path, pem)
    except FileExistsError as error:
        raise UsageError(
            f"{path} exists and is not overwritten: a lost key cannot be made again; choose another name",
            f"{path} 已存在，不予覆盖：密钥一旦丢失无法重做；请另取文件名",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); choose a folder that you may write",
            f"无法写入 {path}（{error.strerror}）；请选择有写权限的目录",
        ) from error
    return key


def to_json(statement: Statement) -> str:
    """The request file: the statement with its signatures, one member a line."""
    value = {
        "format": FORMAT,
        "log": statement.log,
        "agency": statement.agency,
        "system": statement.system,
        "algorithm": statement.algorithm,
        "public_key": statement.public_key.hex(),
        "expires_at": statement.expires_at,
        "signature": statement.signature.hex(),
        "endorser": statement.endorser,
        "endorser_signature": statement.endorser_signature.hex() or None,
    }
    return json.dumps(value, indent=1) + "\n"


def from_json(text: str) -> Statement:
    """Read a request file, strictly.

    Raises:
        KeyStatementError: not of the form, or not signed by the key that it is about.
    """
    try:
        value: Any = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is not JSON", "不是 JSON") from error
    if not isinstance(value, dict) or set(value) != set(_MEMBERS):
        raise _malformed(f"its members are not {', '.join(_MEMBERS)}", f"其成员应为 {'、'.join(_MEMBERS)}")
    for name, pattern in _MEMBERS.items():
        given = value[name]
        if given is None and name in _MAY_BE_NULL:
            continue
        if not isinstance(given, str) or not re.fullmatch(pattern, given):
            raise _malformed(f"{name} is out of form", f"{name} 不合格式")
    statement = Statement(
        value["log"],
        value["agency"],
        value["system"],
        value["algorithm"],
        bytes.fromhex(value["public_key"]),
        value["expires_at"],
        bytes.fromhex(value["signature"]),
        value["endorser"],
        bytes.fromhex(value["endorser_signature"] or ""),
    )
    statement.check_own_signature()
    return statement


def read_request(path: Path) -> Statement:
    """The statement in a request file.

    Raises:
        UsageError: the file cannot be read.
        KeyStatementError: as :func:`from_json`.
    """
    try:
        data = path.read_bytes()[: MAX_REQUEST_BYTES + 1]
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); name the request file made by `liandong key request`",
            f"无法读取 {path}（{error.strerror}）；请指定由 `liandong key request` 制作的申请文件",
        ) from error
    if len(data) > MAX_REQUEST_BYTES:
        raise _malformed(f"it is over {MAX_REQUEST_BYTES} bytes", f"超过 {MAX_REQUEST_BYTES} 字节")
    return from_json(data.decode("utf-8", "replace"))


def write_request(path: Path, statement: Statement) -> None:
    """Write a request file; it holds nothing secret. Raises :class:`UsageError` when it cannot be written."""
    try:
        path.write_text(to_json(statement), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); choose a folder that you may write",
            f"无法写入 {path}（{error.strerror}）；请选择有写权限的目录",
        ) from error


def name_of(statement: Statement) -> str:
    """The key's id."""
    return key_id(statement.key())


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member is given twice")
    return value


def _malformed(why_en: str, why_zh: str) -> KeyStatementError:
    return KeyStatementError(
        f"this is not a key request ({why_en}); make it with `liandong key request`",
        f"这不是密钥申请（{why_zh}）；请用 `liandong key request` 制作",
    )
