"""YAML with places: every value knows its line and path, so that an error can say where it is.

Repeated keys, anchors and several documents are refused: PyYAML would silently keep the last of two equal keys.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from ingest.errors import MappingError

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file: a dict of nodes, a list of nodes, or a scalar, with its file, line and path."""

    value: Any
    file: str
    line: int
    path: str

    def fail(self, en: str, zh: str) -> MappingError:
        """An error at this place. The caller raises it."""
        at_en = f" at {self.path}" if self.path else ""
        at_zh = f"（{self.path}）" if self.path else ""
        return MappingError(
            f"{self.file}, line {self.line}{at_en}: {en}", f"{self.file} 第 {self.line} 行{at_zh}：{zh}"
        )

    def table(self, required: Collection[str] = (), optional: Collection[str] | None = None) -> dict[str, Node]:
        """Return this node's entries. ``optional=None`` allows any further key.

        Raises:
            MappingError: not a table, an unknown key, a required key missing.
        """
        if not isinstance(self.value, dict):
            raise self.fail("want keys and values here", "此处应为键值表")
        entries: dict[str, Node] = self.value
        for key in required:
            if key not in entries:
                raise self.fail(f"the key {key!r} is missing", f"缺少键“{key}”")
        if optional is not None:
            known = [*required, *optional]
            for key, node in entries.items():
                if key not in known:
                    raise node.fail(
                        f"unknown key {key!r}; known here: {', '.join(known)}",
                        f"未知的键“{key}”；此处可用：{'、'.join(known)}",
                    )
        return entries

    def items(self) -> list[Node]:
        """Return this node's elements.

        Raises:
            MappingError: not a list.
        """
        if not isinstance(self.value, list):
            raise self.fail("want a list here", "此处应为列表")
        return self.value

    def text(self) -> str:
        """Return this node's text.

        Raises:
            MappingError: not text, or empty. YAML reads 否, 无 as text, but ``no``, ``123`` and dates as other things.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.fail(
                f"want text, got {self.value!r}; put it in quotation marks",
                f"应为文本，得到 {self.value!r}；请加引号",
            )
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return this node's elements, each a text."""
        return tuple(item.text() for item in self.items())

    def texts_raw(self) -> tuple[str, ...]:
        """Return this node's elements, each a text that may be white space (a separator)."""
        for item in self.items():
            if not isinstance(item.value, str) or not item.value:
                raise item.fail(f"want text, got {item.value!r}", f"应为文本，得到 {item.value!r}")
        return tuple(item.value for item in self.items())

    def boolean(self) -> bool:
        """Return true or false.

        Raises:
            MappingError: anything else.
        """
        if not isinstance(self.value, bool):
            raise self.fail(f"want true or false, got {self.value!r}", f"应为 true 或 false，得到 {self.value!r}")
        return self.value

    def positive(self) -> int:
        """Return a whole number above zero.

        Raises:
            MappingError: anything else.
        """
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 1:
            raise self.fail(f"want a whole number above 0, got {self.value!r}", f"应为正整数，得到 {self.value!r}")
        return self.value

    def choice(self, allowed: Collection[str]) -> str:
        """Return a text that is one of ``allowed``.

        Raises:
            MappingError: another value; names the allowed ones.
        """
        value = self.text()
        if value not in allowed:
            raise self.fail(
                f"{value!r} is not known; want one of: {', '.join(allowed)}",
                f"无法识别“{value}”；应为：{'、'.join(allowed)}",
            )
        return value


def parse(data: bytes, file: str) -> Node:
    """Return the one document of a YAML file.

    Raises:
        MappingError: not UTF-8, not YAML, several documents, a repeated key, an anchor, over 1 MiB, or nested deeper
            than Python can follow.
    """
    whole = Node(None, file, 1, "")
    if len(data) > _MAX_BYTES:
        raise whole.fail("larger than 1 MiB; this is not a mapping", "超过 1 MiB；不是映射文件")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise whole.fail(
            f"not UTF-8 (byte at offset {error.start}); save it as UTF-8",
            f"不是 UTF-8（偏移 {error.start} 处的字节）；请另存为 UTF-8",
        ) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise whole.fail("the file is empty", "文件为空")
        return _Converter(file).convert(root, "")
    except RecursionError as error:
        raise whole.fail("nested too deeply; this is not a mapping", "嵌套过深；不是映射文件") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        place = Node(None, file, mark.line + 1 if mark else 1, "")
        raise place.fail(f"not valid YAML: {problem}", f"不是有效的 YAML：{problem}") from error


class _Converter:
    def __init__(self, file: str) -> None:
        self._file = file
        self._scalars = yaml.SafeLoader("")
        self._seen: set[int] = set()

    def convert(self, node: yaml.Node, path: str) -> Node:
        place = Node(None, self._file, node.start_mark.line + 1, path)
        if id(node) in self._seen:
            raise place.fail("anchors and aliases are not allowed; write it out", "不允许锚点和别名；请直接写出")
        self._seen.add(id(node))
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = self._entries(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.convert(item, f"{path}[{number}]") for number, item in enumerate(node.value, start=1)]
        else:
            try:
                value = self._scalars.construct_object(node)
            except (yaml.YAMLError, ValueError) as error:
                problem = getattr(error, "problem", None) or str(error)
                raise place.fail(f"cannot be read: {problem}", f"无法读取：{problem}") from error
        return Node(value, place.file, place.line, path)

    def _entries(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key_node, value_node in node.value:
            place = Node(None, self._file, key_node.start_mark.line + 1, path)
            key = self._scalars.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise place.fail(
                    f"the key {key_node.value!r} is not text; put it in quotation marks",
                    f"键 {key_node.value!r} 不是文本；请加引号",
                )
            if key in entries:
                raise place.fail(f"the key {key!r} occurs twice", f"键“{key}”重复")
            entries[key] = self.convert(value_node, f"{path}.{key}" if path else key)
        return entries
