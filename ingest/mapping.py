"""Mapping files: how the columns of a source become the declared columns of a table.

The format is documented in docs/guide/mappings.md. Loading is strict: whatever is not understood is an error
with its file, line and path, so that a mapping never does less than it says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from ingest import yaml_strict
from ingest.codes import CODES_FILE, CodeList, packaged_codes
from ingest.errors import MappingError
from ingest.label import Label, label_at
from ingest.text import fold
from ingest.yaml_strict import Node

DATABASES = ("directory", "work", "dynamics", "monitoring", "alerts", "documents")
TYPES = ("text", "integer", "decimal", "date", "datetime", "boolean", "url", "list", "code")
MODES = ("append", "snapshot")
ROLES = ("subject_id", "party", "document_no", "date", "amount", "personal", "free_text")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: The surrogate key and SQLite's own names for it.
_RESERVED_FIELDS = {"id", "rowid", "oid"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where it comes from (``source``), where it goes (``field``), and what it may hold."""

    source: str
    field: str
    type: str
    title: Label
    description: Label | None = None
    required: bool = False
    role: str | None = None
    max_length: int | None = None
    blank: frozenset[str] = frozenset()
    separators: tuple[str, ...] = ()
    join: str | None = None
    codes: CodeList | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A source column that is deliberately not taken, and why."""

    source: str
    reason: Label


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """One mapping file, validated. ``digest`` is the hex SHA-256 of its bytes."""

    name: str
    title: Label
    database: str
    table: str
    mode: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    digest: str
    description: Label | None = None
    source: Label | None = None
    constants: tuple[tuple[str, str], ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """Every column of the file that the mapping knows, taken or ignored."""
        return frozenset([column.source for column in self.columns] + [item.source for item in self.ignored])

    def column(self, field: str) -> Column:
        """The column that fills ``field``; it must exist."""
        return next(column for column in self.columns if column.field == field)


def parse_mapping(data: bytes, file: str, codes: Mapping[str, CodeList] | None = None) -> SourceMapping:
    """Return the mapping in ``data``; ``file`` is named in errors and its stem must be the mapping's name.

    Raises:
        MappingError: anything not understood: unknown keys, types or code lists, duplicate fields, a key that is
            not among the fields; with file, line, path and the cure.
    """
    known_codes = packaged_codes() if codes is None else codes
    root = yaml_strict.parse(data, file)
    entries = root.table(
        ("name", "title", "target", "mode", "key", "columns"), ("description", "source", "constants", "ignore")
    )
    name = _identifier(entries["name"])
    if name != Path(file).stem:
        raise entries["name"].fail(
            f"the name is {name!r}, the file's is {Path(file).stem!r}; make them equal",
            f"名称为“{name}”，文件名为“{Path(file).stem}”；两者应一致",
        )
    target = entries["target"].table(("database", "table"), ())
    columns = tuple(_column(node, known_codes) for node in entries["columns"].items())
    _refuse_repeats(entries["columns"], columns)
    return SourceMapping(
        name=name,
        title=label_at(entries["title"]),
        description=label_at(entries["description"]) if "description" in entries else None,
        database=target["database"].choice(DATABASES),
        table=_identifier(target["table"]),
        mode=entries["mode"].choice(MODES),
        key=_key(entries["key"], columns),
        source=label_at(entries["source"]) if "source" in entries else None,
        columns=columns,
        constants=_constants(entries.get("constants"), columns),
        ignored=_ignored(entries.get("ignore"), columns),
        digest=hashlib.sha256(data).hexdigest(),
    )


@cache
def packaged_mappings() -> Mapping[str, SourceMapping]:
    """The mappings shipped in ``ingest/mappings``, by name.

    Raises:
        MappingError: one of them is not valid.
    """
    folder = resources.files("ingest.mappings")
    files = sorted(
        (item for item in folder.iterdir() if item.name.endswith(".yml") and item.name != CODES_FILE),
        key=lambda item: item.name,
    )
    mappings = [parse_mapping(item.read_bytes(), item.name) for item in files]
    return {mapping.name: mapping for mapping in mappings}


def find_mapping(name_or_path: str) -> SourceMapping:
    """Return a packaged mapping by its name, or the mapping in a file by a path ending in .yml.

    Raises:
        MappingError: no such mapping (lists the known ones), or no such file, or not valid.
    """
    if not name_or_path.endswith((".yml", ".yaml")):
        known = packaged_mappings()
        if name_or_path not in known:
            raise MappingError(
                f"no mapping named {name_or_path!r}; known: {', '.join(known)}; or give the path of a .yml file",
                f"没有名为“{name_or_path}”的映射；可用：{'、'.join(known)}；也可给出 .yml 文件的路径",
            )
        return known[name_or_path]
    path = Path(name_or_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MappingError(
            f"cannot read the mapping {path}: {error.strerror}; check the path",
            f"无法读取映射文件 {path}：{error.strerror}；请检查路径",
        ) from error
    return parse_mapping(data, path.name)


def _identifier(node: Node) -> str:
    value = node.text()
    if not _NAME.fullmatch(value):
        raise node.fail(
            f"{value!r} is not a name; want a–z, then a–z, 0–9 and _, at most 63 characters",
            f"“{value}”不能作名称；应以 a–z 开头，只含 a–z、0–9 和 _，至多 63 个字符",
        )
    return value


def _source(node: Node) -> str:
    value = node.text()
    if value != fold(value):
        raise node.fail(
            f"{value!r} has superfluous white space; headers are compared without it",
            f"“{value}”含多余空白；比较列名时会去掉空白",
        )
    return value


def _column(node: Node, codes: Mapping[str, CodeList]) -> Column:
    entries = node.table(
        ("source", "field", "type", "title"),
        ("required", "description", "role", "max_length", "blank", "separators", "join", "codes"),
    )
    kind = entries["type"].choice(TYPES)
    field = _identifier(entries["field"])
    if field in _RESERVED_FIELDS:
        raise entries["field"].fail(f"{field!r} is reserved; choose another name", f"“{field}”为保留名；请换一个")
    _only_for(entries, "max_length", kind, ("text", "url"))
    _only_for(entries, "separators", kind, ("list", "text"))
    _only_for(entries, "join", kind, ("text",))
    _only_for(entries, "codes", kind, ("code",))
    if kind == "code" and "codes" not in entries:
        raise node.fail("type code needs the key 'codes'", "code 类型须有键“codes”")
    if kind == "text" and "separators" in entries and "join" not in entries:
        raise node.fail(
            "separators of a text need the key 'join': what stands between the parts when stored",
            "text 类型写了 separators，须同时写“join”（存储时各部分之间的分隔）",
        )
    if "separators" in entries and "\r" in "".join(entries["separators"].texts_raw()):
        raise entries["separators"].fail("write a line break as \\n, not \\r", "换行请写 \\n，不写 \\r")
    return Column(
        source=_source(entries["source"]),
        field=field,
        type=kind,
        title=label_at(entries["title"]),
        description=label_at(entries["description"]) if "description" in entries else None,
        required=entries["required"].boolean() if "required" in entries else False,
        role=entries["role"].choice(ROLES) if "role" in entries else None,
        max_length=entries["max_length"].positive() if "max_length" in entries else None,
        blank=frozenset(_source(item) for item in entries["blank"].items()) if "blank" in entries else frozenset(),
        separators=entries["separators"].texts_raw() if "separators" in entries else (),
        join=entries["join"].text() if "join" in entries else None,
        codes=_code_list(entries["codes"], codes) if "codes" in entries else None,
    )


def _only_for(entries: Mapping[str, Node], key: str, kind: str, kinds: Collection[str]) -> None:
    if key in entries and kind not in kinds:
        raise entries[key].fail(
            f"{key!r} belongs to type {' or '.join(kinds)}, this column is {kind}",
            f"“{key}”只用于 {'、'.join(kinds)} 类型，本列为 {kind}",
        )


def _code_list(node: Node, codes: Mapping[str, CodeList]) -> CodeList:
    return codes[node.choice(tuple(codes))]


def _refuse_repeats(node: Node, columns: tuple[Column, ...]) -> None:
    if not columns:
        raise node.fail("at least one column is needed", "至少需要一列")
    for what_en, what_zh, values in (
        ("field", "字段", [column.field for column in columns]),
        ("source column", "来源列", [column.source for column in columns]),
    ):
        for index, value in enumerate(values):
            if value in values[:index]:
                raise node.items()[index].fail(f"the {what_en} {value!r} occurs twice", f"{what_zh}“{value}”重复")


def _key(node: Node, columns: tuple[Column, ...]) -> tuple[str, ...]:
    fields = node.texts()
    if not fields:
        raise node.fail("name at least one field that identifies a row", "至少写一个能标识一行的字段")
    for index, item in enumerate(node.items()):
        if item.value not in [column.field for column in columns]:
            raise item.fail(
                f"the key {item.value!r} is not a field of this mapping's columns",
                f"标识“{item.value}”不在本映射的字段之中",
            )
        if item.value in fields[:index]:
            raise item.fail(f"the key {item.value!r} occurs twice", f"标识“{item.value}”重复")
    return fields


def _constants(node: Node | None, columns: tuple[Column, ...]) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    filled = {column.field for column in columns}
    for field, value in node.table().items():
        if field in filled:
            raise value.fail(
                f"{field!r} is also filled by a column; keep one of the two", f"“{field}”已由某列填写；两者只留其一"
            )
    return tuple((field, value.text()) for field, value in node.table().items())


def _ignored(node: Node | None, columns: tuple[Column, ...]) -> tuple[Ignored, ...]:
    if node is None:
        return ()
    taken = {column.source for column in columns}
    for source, reason in node.table().items():
        if source in taken:
            raise reason.fail(f"{source!r} is both mapped and ignored", f"“{source}”既被映射又被忽略")
        if source != fold(source):
            raise reason.fail(f"{source!r} has superfluous white space", f"“{source}”含多余空白")
    return tuple(Ignored(source, label_at(reason)) for source, reason in node.table().items())
