"""Whether an entry fits the schema of its kind.

Each kind has a fixed, versioned schema, named in the entry by ``kind`` and ``v``. An unknown field is an error. A
reader that meets a kind or version it does not know says "too old for this log", never green and never "tampered".
docs/spec/kinds.md lists the kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ledger.errors import EntryError, Fault, VersionTooNewError
from ledger.fields import COUNT, HASH, TIMESTAMP, Kind
from ledger.kinds import ALL

#: Top-level fields by which entries are looked up.
LOOKUP_FIELDS = ("kind", "requester", "resource", "case")

_CHAIN = frozenset({"commit", "kind", "log", "prev", "seq", "t", "v"})

KINDS: dict[tuple[str, int], Kind] = {(kind.name, kind.version): kind for kind in ALL}


@cache
def current(name: str) -> Kind:
    """The newest version of kind ``name``.

    Raises:
        EntryError: there is no such kind.
    """
    versions = [kind for kind in ALL if kind.name == name]
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
                f"{kind.name}: unknown field {_short(key)}; known are {', '.join(kind.fields)}",
                f"{kind.name}：未知字段 {_short(key)}；已知字段为 {'、'.join(kind.fields)}",
                Fault(None, key[:60], "no such field", _short(value)),
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
