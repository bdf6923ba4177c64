"""The kinds of entries: which fields each has, which of them are open and which are committed particulars.

Each kind has a fixed, versioned schema, named in the entry by ``kind`` and ``v``. An unknown field is an error. A
reader that meets a kind or version it does not know says "too old for this log", never green and never "tampered".
docs/spec/kinds.md lists the kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from ledger.errors import EntryError, Fault, VersionTooNewError

#: Top-level fields by which entries are looked up (indexed in the store).
INDEX_FIELDS = ("kind", "requester")

_CHAIN = frozenset({"commit", "kind", "log", "prev", "seq", "t", "v"})
_HEX_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_.:/@-]{0,127}")
# [0-9], not \d: the latter takes full-width digits too.
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Field:
    """One open field: a test of its value and, for error messages, what is wanted."""

    accepts: Callable[[Any], bool]
    want_en: str
    want_zh: str
    required: bool = True

    def optional(self) -> Field:
        return Field(self.accepts, self.want_en, self.want_zh, required=False)


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _is_instant(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    """Of the form ``pattern`` and a day (and time) that exists."""

    def accepts(value: Any) -> bool:
        if type(value) is not str or not pattern.fullmatch(value):
            return False
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
        return True

    return accepts


IDENTIFIER = Field(_matches(_IDENTIFIER), "an identifier of lower-case ASCII", "由小写英文字母等组成的标识")
HASH = Field(_matches(_HEX_HASH), "a SHA-256 hash as 64 hex digits", "64 位十六进制的 SHA-256 值")
SIGNATURE = Field(_matches(_SIGNATURE), "an Ed25519 signature as 128 hex digits", "128 位十六进制的 Ed25519 签名")
DATE = Field(_is_instant(_DATE), "a date YYYY-MM-DD", "日期 YYYY-MM-DD")
TIMESTAMP = Field(_is_instant(_TIMESTAMP), "a UTC time YYYY-MM-DDThh:mm:ss.sssZ", "协调世界时 YYYY-MM-DDThh:mm:ss.sssZ")
COUNT = Field(lambda value: type(value) is int and value >= 0, "a whole number from 0", "不小于 0 的整数")
STATUS = Field(lambda value: type(value) is int and 100 <= value < 600, "an HTTP status", "HTTP 状态码")


def text(limit: int) -> Field:
    """Text of 1 to ``limit`` characters."""
    return Field(
        lambda value: type(value) is str and 0 < len(value) <= limit,
        f"text of 1 to {limit} characters",
        f"1 至 {limit} 个字的文本",
    )


def choice(*values: str) -> Field:
    """One of ``values``."""
    return Field(lambda value: value in values, "one of " + ", ".join(values), "其一：" + "、".join(values))


def list_of(field: Field) -> Field:
    """A list whose items are each a ``field``."""
    return Field(
        lambda value: type(value) is list and all(field.accepts(item) for item in value),
        f"a list, each {field.want_en}",
        f"列表，每项为{field.want_zh}",
    )


AUTH = choice("signature", "token", "session")


@dataclass(frozen=True, slots=True)
class Kind:
    """The schema of one kind in one version."""

    name: str
    version: int
    title_zh: str
    title_en: str
    fields: Mapping[str, Field]
    particulars: frozenset[str] = frozenset()


_ASKED: dict[str, Field] = {
    "requester": IDENTIFIER,
    "auth": AUTH,
    "keyid": IDENTIFIER.optional(),
    "resource": IDENTIFIER,
    "route": IDENTIFIER,
    "status": STATUS,
    "elapsed_us": COUNT,
}
_ASKED_PARTICULARS = frozenset({"query", "body_sha256", "officer", "signature_base", "signature"})

_ALL = (
    Kind(
        "log.opened",
        1,
        "台账启用",
        "Ledger opened",
        {"county_zh": text(100), "county_en": text(100), "software": text(100)},
    ),
    Kind(
        "checkpoint.anchored",
        1,
        "检查点锚定",
        "Checkpoint anchored",
        {
            "size": COUNT,
            "root": HASH,
            "cosigners": list_of(text(200)),
            "cosigned_at": list_of(COUNT),
            "checkpoint": text(16_000),
        },
    ),
    Kind(
        "fault.raised",
        1,
        "故障记录",
        "Fault raised",
        {"what": IDENTIFIER, "observed": text(500), "expected": text(500).optional()},
    ),
    Kind(
        "log.continued",
        1,
        "台账接续",
        "Log continued",
        # The first entry of a log that goes on where another, whose key was lost, ended: docs/guide/keys.md.
        {"county_zh": text(100), "county_en": text(100), "software": text(100), "checkpoint": text(20_000)},
    ),
    Kind(
        "key.rotated",
        1,
        "台账密钥更换",
        "Log key rotated",
        {"old_public_key": HASH, "public_key": HASH, "old_signature": SIGNATURE, "new_signature": SIGNATURE},
    ),
    Kind(
        "particulars.erased",
        1,
        "事项抹除",
        "Particulars erased",
        {
            "erases": COUNT,
            "fields": list_of(IDENTIFIER),
            "ground": text(500),
            "ground_code": IDENTIFIER.optional(),
            "law_requires": text(500).optional(),
            "by": IDENTIFIER,
        },
    ),
    Kind(
        "rules.adopted",
        1,
        "规则采用",
        "Rules adopted",
        {"rules": IDENTIFIER, "digest": HASH, "valid_from": DATE, "valid_to": DATE.optional()},
    ),
    Kind(
        "agency.registered",
        1,
        "机构登记",
        "Agency registered",
        {
            "agency": IDENTIFIER,
            "name_zh": text(100),
            "name_en": text(200),
            "type": text(20),
            "role": choice("agency", "supervisor", "data_authority"),
        },
    ),
    Kind(
        "agency.key_added",
        1,
        "机构密钥登记",
        "Agency key added",
        {
            "agency": IDENTIFIER,
            "system": IDENTIFIER,
            "keyid": IDENTIFIER,
            "algorithm": choice("ed25519"),
            "public_key": HASH,
        },
    ),
    Kind(
        "resource.published",
        1,
        "资源发布",
        "Resource published",
        {
            "resource": IDENTIFIER,
            "provider": IDENTIFIER,
            "sharing_class": choice("无条件共享", "有条件共享", "不予共享", "未定"),
        },
    ),
    Kind(
        "grant.given",
        1,
        "授权",
        "Grant given",
        {
            "grant": IDENTIFIER,
            "provider": IDENTIFIER,
            "grantee": IDENTIFIER,
            "resource": IDENTIFIER,
            "purposes": list_of(IDENTIFIER),
            "valid_from": DATE,
            "valid_to": DATE,
            "basis": text(500),
        },
    ),
    Kind(
        "batch.ingested",
        1,
        "数据批次入库",
        "Batch ingested",
        {
            "batch": IDENTIFIER,
            "database": IDENTIFIER,
            "table": IDENTIFIER,
            "mapping": IDENTIFIER,
            "mapping_digest": HASH,
            "rows_read": COUNT,
            "rows_added": COUNT,
            "rows_changed": COUNT,
            "rows_unchanged": COUNT,
            "rows_removed": COUNT,
            "rows_set_aside": COUNT,
        },
        frozenset({"file_name", "file_sha256"}),
    ),
    Kind(
        "query.served",
        1,
        "查询已答复",
        "Query served",
        {**_ASKED, "format": IDENTIFIER, "rows": COUNT.optional(), "size_bytes": COUNT},
        _ASKED_PARTICULARS | {"answer_sha256"},
    ),
    Kind(
        "query.referred",
        1,
        "查询转请求",
        "Query referred",
        {**_ASKED, "clause": text(200)},
        _ASKED_PARTICULARS,
    ),
    Kind("query.failed", 1, "查询失败", "Query failed", _ASKED, _ASKED_PARTICULARS),
    Kind(
        "audit.read",
        1,
        "查阅台账",
        "Ledger read",
        {**_ASKED, "size_bytes": COUNT},
        _ASKED_PARTICULARS | {"answer_sha256"},
    ),
)

KINDS: dict[tuple[str, int], Kind] = {(kind.name, kind.version): kind for kind in _ALL}


@cache
def current(name: str) -> Kind:
    """The newest version of kind ``name``.

    Raises:
        EntryError: there is no such kind.
    """
    versions = [kind for kind in _ALL if kind.name == name]
    if not versions:
        raise EntryError(f"there is no kind of entry {name!r}", f"没有名为 {name!r} 的条目种类")
    return max(versions, key=lambda kind: kind.version)


def check_entry(entry: Mapping[str, Any]) -> None:
    """Raise unless a decoded entry, chain fields included, fits the schema of its kind.

    Raises:
        VersionTooNewError: kind or version unknown here: the log is newer than this program.
        EntryError: a field is missing, unknown or out of form.
    """
    name, version = entry.get("kind"), entry.get("v")
    if type(name) is not str or type(version) is not int:
        raise EntryError("it lacks kind or v", "缺少 kind 或 v")
    kind = KINDS.get((name, version))
    if kind is None:
        raise VersionTooNewError(
            f"kind {_short(name)} version {_short(version)} is unknown to this program: "
            "it is too old for this log, install the newer version",
            f"本程序不认识种类 {_short(name)} 第 {_short(version)} 版：程序版本过旧，请安装新版本",
        )
    check_fields(kind, {key: value for key, value in entry.items() if key not in _CHAIN})
    _check_chain_fields(kind, entry)


def interchangeable(entry: Mapping[str, Any]) -> frozenset[str]:
    """The hashes and counts of a good entry of which :func:`check_entry` would take any other as well.

    A field of the entry is ``name``, a commitment ``commit.name``. Whatever is checked across fields must not be among
    them, nor a field whose schema asks for more than a hash or a count. As to ``prev``, ``seq`` and ``t``,
    :func:`check_entry` takes any other hash, count and instant.
    """
    return _interchangeable(entry["kind"], entry["v"])


@cache
def _interchangeable(name: str, version: int) -> frozenset[str]:
    kind = KINDS[name, version]
    free = {key for key, field in kind.fields.items() if field.accepts in (HASH.accepts, COUNT.accepts)}
    return frozenset(free | {f"commit.{particular}" for particular in kind.particulars})


def check_fields(kind: Kind, fields: Mapping[str, Any]) -> None:
    """Raise :class:`EntryError` unless ``fields`` are just the open fields that ``kind`` wants."""
    for key, value in fields.items():
        field = kind.fields.get(key)
        if field is None:
            raise EntryError(
                f"{kind.name}: unknown field {key!r}; known are {', '.join(kind.fields)}",
                f"{kind.name}：未知字段 {key!r}；已知字段为 {'、'.join(kind.fields)}",
                Fault(None, key, "no such field", _short(value)),
            )
        if not field.accepts(value):
            raise EntryError(
                f"{kind.name}.{key}: got {_short(value)}, want {field.want_en}",
                f"{kind.name}.{key}：得到 {_short(value)}，应为{field.want_zh}",
                Fault(None, key, field.want_en, _short(value)),
            )
    missing = [key for key, field in kind.fields.items() if field.required and key not in fields]
    if missing:
        raise EntryError(
            f"{kind.name}: field {missing[0]!r} is missing",
            f"{kind.name}：缺少字段 {missing[0]!r}",
            Fault(None, missing[0], kind.fields[missing[0]].want_en, "none"),
        )


def _check_chain_fields(kind: Kind, entry: Mapping[str, Any]) -> None:
    commitments = entry.get("commit", {})
    if type(commitments) is not dict or not all(
        name in kind.particulars and HASH.accepts(value) for name, value in commitments.items()
    ):
        raise EntryError(
            f"{kind.name}.commit: commitments only to {', '.join(sorted(kind.particulars)) or 'nothing'}",
            f"{kind.name}.commit：只能承诺 {'、'.join(sorted(kind.particulars)) or '（无）'}",
            Fault(None, "commit", ", ".join(sorted(kind.particulars)) or "nothing", _short(commitments)),
        )
    if "commit" in entry and not commitments:
        raise EntryError(f"{kind.name}.commit: left out when empty", f"{kind.name}.commit：为空时应省略")
    if not (HASH.accepts(entry.get("prev")) and COUNT.accepts(entry.get("seq"))):
        raise EntryError(f"{kind.name}: prev or seq out of form", f"{kind.name}：prev 或 seq 格式不对")
    if type(entry.get("log")) is not str:
        raise EntryError(f"{kind.name}: field 'log' is missing", f"{kind.name}：缺少字段 'log'")
    t = entry.get("t")
    if not TIMESTAMP.accepts(t):
        raise EntryError(
            f"{kind.name}.t: got {_short(t)}, want {TIMESTAMP.want_en}",
            f"{kind.name}.t：得到 {_short(t)}，应为{TIMESTAMP.want_zh}",
            Fault(None, "t", TIMESTAMP.want_en, _short(t)),
        )


def _short(value: object) -> str:
    if type(value) is int and value.bit_length() > 64:  # Python refuses to print one of many thousand digits
        return f"an integer of {value.bit_length()} bits"
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
