"""The shapes that a request's JSON may have: each checks a value, and describes itself as JSON Schema (2020-12).

So what is parsed and what ``/api/openapi.json`` says cannot differ. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from catalog.query.errors import BodyError

Schema = dict[str, Any]
#: Whole numbers that every JSON reader keeps exactly (RFC 8259 §6).
MAX_INTEGER = 2**53 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Shape(Protocol):
    """What a value may be."""

    def check(self, value: Any, where: str) -> None:
        """Raise :class:`BodyError` unless ``value`` has this shape; ``where`` is its place in the body."""

    def schema(self) -> Schema:
        """The same as JSON Schema."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text on one line: no control characters."""

    max_length: int
    min_length: int = 0
    pattern: str = ""
    want_en: str = ""
    want_zh: str = ""

    def check(self, value: Any, where: str) -> None:
        if type(value) is not str or not self.min_length <= len(value) <= self.max_length:
            raise _misfit(
                where,
                value,
                self.want_en or f"text of {self.min_length} to {self.max_length} characters",
                self.want_zh or f"{self.min_length} 至 {self.max_length} 个字的文本",
            )
        if _CONTROL.search(value) or (self.pattern and not re.fullmatch(self.pattern, value)):
            raise _misfit(
                where, value, self.want_en or "text without control characters", self.want_zh or "不含控制字符的文本"
            )

    def schema(self) -> Schema:
        pattern = f"^{self.pattern}$" if self.pattern else r"^[^\u0000-\u001f\u007f]*$"
        return {"type": "string", "minLength": self.min_length, "maxLength": self.max_length, "pattern": pattern}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in a range, both ends included; 20.0 is one too (JSON Schema 2020-12 validation §6.1.1)."""

    minimum: int = -MAX_INTEGER
    maximum: int = MAX_INTEGER

    def check(self, value: Any, where: str) -> None:
        whole = type(value) is int or (type(value) is float and value.is_integer())
        if not whole or not self.minimum <= value <= self.maximum:
            raise _misfit(
                where,
                value,
                f"a whole number from {self.minimum} to {self.maximum}",
                f"{self.minimum} 至 {self.maximum} 的整数",
            )

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not."""

    def check(self, value: Any, where: str) -> None:
        if type(value) not in (int, float) or not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise _misfit(where, value, "a number below 2^53", "绝对值小于 2^53 的数")

    def schema(self) -> Schema:
        return {"type": "number", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}


@dataclass(frozen=True, slots=True)
class Truth:
    """true or false."""

    def check(self, value: Any, where: str) -> None:
        if type(value) is not bool:
            raise _misfit(where, value, "true or false", "true 或 false")

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few texts."""

    values: tuple[str, ...]

    def check(self, value: Any, where: str) -> None:
        if type(value) is not str or value not in self.values:
            raise _misfit(where, value, "one of " + ", ".join(self.values), "其一：" + "、".join(self.values))

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items have one shape; ``unique`` where the same item twice makes no sense."""

    item: Shape
    maximum: int
    minimum: int = 0
    unique: bool = False

    def check(self, value: Any, where: str) -> None:
        if type(value) is not list or not self.minimum <= len(value) <= self.maximum:
            raise _misfit(
                where,
                value,
                f"a list of {self.minimum} to {self.maximum} items",
                f"{self.minimum} 至 {self.maximum} 项的列表",
            )
        for index, each in enumerate(value):
            self.item.check(each, f"{where}[{index}]")
        if self.unique and len(set(value)) != len(value):
            raise BodyError(where, "an item is given twice", "有重复项")

    def schema(self) -> Schema:
        unique = {"uniqueItems": True} if self.unique else {}
        return {
            "type": "array",
            "items": self.item.schema(),
            "minItems": self.minimum,
            "maxItems": self.maximum,
            **unique,
        }


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A value of one of several shapes, told apart by its JSON type."""

    by_type: Mapping[type, Shape]
    want_en: str
    want_zh: str

    def check(self, value: Any, where: str) -> None:
        shape = self.by_type.get(type(value))
        if shape is None:
            raise _misfit(where, value, self.want_en, self.want_zh)
        shape.check(value, where)

    def schema(self) -> Schema:
        distinct = {id(shape): shape for shape in self.by_type.values()}
        return {"anyOf": [shape.schema() for shape in distinct.values()]}


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object. ``about_en`` and ``about_zh`` say what it means."""

    shape: Shape
    about_en: str
    about_zh: str
    required: bool = False

    def schema(self) -> Schema:
        return {**self.shape.schema(), "description": f"{self.about_zh} {self.about_en}"}


@dataclass(frozen=True, slots=True)
class Record:
    """An object with these members and no others."""

    members: Mapping[str, Member]
    title: str = ""

    def check(self, value: Any, where: str) -> None:
        if type(value) is not dict:
            raise _misfit(where, value, "an object {…}", "对象 {…}")
        for name, each in value.items():
            member = self.members.get(name)
            if member is None:
                known = ", ".join(self.members)
                raise BodyError(
                    _below(where, name[:40]),
                    f"there is no such member; known are {known}",
                    f"没有该成员；可用：{known}",
                )
            member.shape.check(each, _below(where, name))
        missing = [name for name, member in self.members.items() if member.required and name not in value]
        if missing:
            raise BodyError(_below(where, missing[0]), "is missing", "缺少")

    def schema(self) -> Schema:
        required = [name for name, member in self.members.items() if member.required]
        return {
            "type": "object",
            **({"title": self.title} if self.title else {}),
            "properties": {name: member.schema() for name, member in self.members.items()},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Cases:
    """An object whose member ``by`` says which of several records it is; each record's ``by`` is a :class:`OneOf`."""

    by: str
    records: Sequence[Record]
    _by_value: dict[str, Record] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for record in self.records:
            said = record.members[self.by].shape
            if isinstance(said, OneOf):
                self._by_value.update(dict.fromkeys(said.values, record))

    def check(self, value: Any, where: str) -> None:
        if type(value) is not dict:
            raise _misfit(where, value, "an object {…}", "对象 {…}")
        said = value.get(self.by)
        record = self._by_value.get(said) if type(said) is str else None
        if record is None:
            OneOf(tuple(self._by_value)).check(said, _below(where, self.by))
        else:
            record.check(value, where)

    def schema(self) -> Schema:
        return {"oneOf": [record.schema() for record in self.records]}


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _misfit(where: str, value: object, want_en: str, want_zh: str) -> BodyError:
    got = _short(value)
    return BodyError(where, f"got {got}, want {want_en}", f"得到 {got}，应为{want_zh}")


def _short(value: object) -> str:
    """A value as an error shows it: never the whole of a long one, and of a container only what it is."""
    if value is None:
        return "null"
    if type(value) in (dict, list):
        return "{…}" if type(value) is dict else f"[…] ({len(value)})"  # type: ignore[arg-type]
    if type(value) is bool:
        return "true" if value else "false"
    shown = str(value)
    return repr(shown[:40] + "…") if len(shown) > 40 else repr(value)
