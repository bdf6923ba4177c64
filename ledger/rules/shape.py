"""Values as they come from YAML or JSON, read strictly: an unknown key, a day that does not exist, an empty text fail.

Each reading takes the value and ``where`` it stands, for the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypeVar

import yaml

from ledger.fields import DATE, IDENTIFIER
from ledger.rules.errors import RuleDataError

T = TypeVar("T")
_SHOWN_CHARACTERS = 60


class _Loader(yaml.SafeLoader):
    """YAML without the two things that mislead: keys given twice, and dates that are read before they are checked."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {str(key) for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"key {min(twice)} given twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; dates stay text.

    Raises:
        RuleDataError: it is not YAML, gives a key twice, or holds something else than a mapping.
    """
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (it is a SafeLoader)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, yaml.YAMLError) as error:
        # PyYAML lets Python's own errors out of odd scalars.
        message = str(error).replace("\n", " ") or type(error).__name__
        raise RuleDataError(f"{where}: not good YAML: {message}", f"{where}：不是合格的 YAML：{message}") from error
    return mapping(value, where)


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A mapping whose keys are text."""
    if type(value) is not dict or not all(type(key) is str for key in value):
        raise bad(where, value, "a mapping", "映射")
    return value


def only(value: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> Mapping[str, Any]:
    """A mapping with all of ``required``, maybe some of ``optional``, and nothing else."""
    found = mapping(value, where)
    required = tuple(required)
    known = {*required, *optional}
    for key in found:
        if key not in known:
            raise RuleDataError(
                f"{where}: unknown key {key[:_SHOWN_CHARACTERS]!r}; known are {', '.join(sorted(known))}",
                f"{where}：未知的键 {key[:_SHOWN_CHARACTERS]!r}；可用的有 {'、'.join(sorted(known))}",
            )
    for key in required:
        if key not in found:
            raise RuleDataError(f"{where}: {key} is missing", f"{where}：缺少 {key}")
    return found


def text(value: Any, where: str, limit: int = 2_000) -> str:
    """Text of 1 to ``limit`` characters that is not blank and has no blanks around it."""
    if type(value) is not str or not value.strip() or value != value.strip() or len(value) > limit:
        raise bad(
            where, value, f"text of 1 to {limit} characters, no blanks around", f"1 至 {limit} 字的文本，首尾无空格"
        )
    return value


def identifier(value: Any, where: str) -> str:
    """A name of lower-case ASCII, as entries use it."""
    if not IDENTIFIER.accepts(value):
        raise bad(where, value, IDENTIFIER.want_en, IDENTIFIER.want_zh)
    return str(value)


def choice(value: Any, where: str, among: Iterable[str]) -> str:
    """One of ``among``."""
    among = tuple(among)
    if type(value) is not str or value not in among:
        raise bad(where, value, "one of " + ", ".join(among), "其一：" + "、".join(among))
    return value


def day(value: Any, where: str) -> date:
    """A day that exists, as YYYY-MM-DD."""
    if type(value) is not str or not DATE.accepts(value):
        raise bad(where, value, 'a day that exists, like "2026-11-25"', "存在的日期，如 “2026-11-25”")
    return date.fromisoformat(value)


def count(value: Any, where: str, low: int, high: int) -> int:
    """A whole number, ``low`` to ``high``."""
    if type(value) is not int or not low <= value <= high:
        raise bad(where, value, f"a whole number, {low} to {high}", f"{low} 至 {high} 的整数")
    return value


def flag(value: Any, where: str) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise bad(where, value, "true or false", "true 或 false")
    return value


def many(value: Any, where: str, read: Callable[[Any, str], T], at_least: int = 0) -> tuple[T, ...]:
    """A list, each item read by ``read``."""
    if type(value) is not list or len(value) < at_least:
        raise bad(where, value, f"a list of at least {at_least}", f"至少 {at_least} 项的列表")
    return tuple(read(item, f"{where}[{number}]") for number, item in enumerate(value))


def bad(where: str, got: Any, want_en: str, want_zh: str) -> RuleDataError:
    """The error that ``where`` does not hold what is wanted."""
    shown = repr(got)[:_SHOWN_CHARACTERS]
    return RuleDataError(f"{where}: got {shown}, want {want_en}", f"{where}：得到 {shown}，应为{want_zh}")


def pattern(value: Any, where: str) -> str:
    """A regular expression that compiles."""
    found = text(value, where, 300)
    try:
        re.compile(found)
    except re.error as error:
        raise bad(where, value, f"a regular expression ({error})", f"正则表达式（{error}）") from error
    return found
