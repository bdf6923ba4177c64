"""JSON arrays and JSON Lines -> records. Numbers keep their own digits; a repeated key is refused, not overwritten."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TextIO

from ingest.errors import ReadError
from ingest.records import Record, Scan
from ingest.text import fold

_SPACE = re.compile(r"[ \t\r\n]*")
#: How much is read at a time.
READ_CHARACTERS = 1 << 18


class _RefusedValue(ValueError):
    """Something JSON's grammar allows or Python's parser accepts, and we do not."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedValue(f"the key {key!r} occurs twice", f"键“{key}”重复")
    return result


def _no_constant(name: str) -> NoReturn:
    raise _RefusedValue(f"{name} is not JSON", f"{name} 不是 JSON 值")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=_no_constant)


class _Columns:
    """Folds keys and collects them in order of first appearance."""

    def __init__(self) -> None:
        self._folded: dict[str, str] = {}

    def take(self, values: dict[str, Any]) -> dict[str, Any]:
        folded = self._folded
        for key in values:
            if key not in folded:
                folded[key] = fold(key)
        result = {folded[key]: value for key, value in values.items()}
        if len(result) != len(values):
            raise _RefusedValue("two keys differ only in white space", "有两个键仅空白不同")
        return result

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._folded.values()))


class JsonArray:
    """A JSON array of objects behind ``text``, read element by element. Row numbers count records from 1."""

    def __init__(self, text: Callable[[], TextIO], name: str, read_characters: int = READ_CHARACTERS) -> None:
        self._text = text
        self._name = name
        self._read_characters = read_characters

    def scan(self) -> Scan:
        """Parse the whole file once.

        Raises:
            ReadError: broken JSON (line and column), or not an array of objects.
        """
        columns = _Columns()
        rows = 0
        for number, values in self._objects():
            self._fold(columns, number, values)
            rows = number
        return Scan(columns.names, rows, 0)

    def records(self) -> Iterator[Record]:
        """Yield the elements."""
        columns = _Columns()
        for number, values in self._objects():
            yield Record(number, self._fold(columns, number, values))

    def _fold(self, columns: _Columns, number: int, values: dict[str, Any]) -> dict[str, Any]:
        try:
            return columns.take(values)
        except _RefusedValue as error:
            raise _at_record(self._name, number, error) from error

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        buffer = _Buffer(self._text(), self._name, self._read_characters)
        if buffer.next_mark() != "[":
            raise buffer.broken("want an array of objects: [ {…}, {…} ]", "应为对象数组：[ {…}, {…} ]")
        buffer.skip()
        number = 0
        if buffer.next_mark() == "]":
            buffer.skip()
        else:
            while True:
                number += 1
                yield number, buffer.next_object(number)
                mark = buffer.next_mark()
                if mark not in (",", "]"):
                    raise buffer.broken(f"want , or ] after record {number}", f"第 {number} 条记录之后应为 , 或 ]")
                buffer.skip()
                if mark == "]":
                    break
        if buffer.next_mark():
            raise buffer.broken("something follows the end of the array", "数组结束之后还有内容")


class JsonLines:
    """One JSON object a line behind ``text``. Row numbers are lines of the file."""

    def __init__(self, text: Callable[[], TextIO], name: str) -> None:
        self._text = text
        self._name = name

    def scan(self) -> Scan:
        """Parse the whole file once.

        Raises:
            ReadError: a line that is not one JSON object (line and column).
        """
        columns = _Columns()
        rows = blank = 0
        for line, values in self._objects():
            if values is None:
                blank += 1
            else:
                self._fold(columns, line, values)
                rows += 1
        return Scan(columns.names, rows, blank)

    def records(self) -> Iterator[Record]:
        """Yield the lines that are not blank."""
        columns = _Columns()
        for line, values in self._objects():
            if values is not None:
                yield Record(line, self._fold(columns, line, values))

    def _fold(self, columns: _Columns, line: int, values: dict[str, Any]) -> dict[str, Any]:
        try:
            return columns.take(values)
        except _RefusedValue as error:
            raise _broken(self._name, line, 1, error.en, error.zh) from error

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        for number, line in enumerate(self._text(), start=1):
            text = line.strip("\ufeff \t\r\n")
            if not text:
                yield number, None
                continue
            try:
                value = _DECODER.decode(text)
            except json.JSONDecodeError as error:
                column = line.index(text) + error.pos + 1
                raise _broken(
                    self._name, number, column, f"not JSON ({error.msg})", f"不是 JSON（{error.msg}）"
                ) from error
            except _RefusedValue as error:
                raise _broken(self._name, number, 1, error.en, error.zh) from error
            except RecursionError as error:
                raise _broken(self._name, number, 1, "nested too deeply", "嵌套过深") from error
            if not isinstance(value, dict):
                raise _broken(self._name, number, 1, "want one object {…} a line", "每行应为一个对象 {…}")
            yield number, value


class _Buffer:
    """A window over a text stream that parses one JSON value at a time and knows its line and column."""

    def __init__(self, stream: TextIO, name: str, read_characters: int) -> None:
        self._stream = stream
        self._name = name
        self._read_characters = read_characters
        self._text = stream.read(read_characters).removeprefix("\ufeff")
        self._position = 0
        self._line = 1
        self._column = 1
        self._ended = False

    def next_mark(self) -> str:
        """Return the next character that is not white space, without taking it; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._position)
            self._position = found.end() if found else self._position
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._more(self._read_characters):
                return ""

    def skip(self) -> None:
        """Take one character."""
        self._position += 1

    def next_object(self, number: int) -> dict[str, Any]:
        """Take one JSON object, reading on until it is whole; each failed try doubles what is read."""
        if self.next_mark() != "{":
            raise self.broken(f"record {number} is not an object {{…}}", f"第 {number} 条记录不是对象 {{…}}")
        wanted = self._read_characters
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                start = self._position
                if self._more(wanted):
                    wanted *= 2
                    continue
                self._position = error.pos - start + self._position
                raise self.broken(
                    f"not JSON ({error.msg}) in record {number}", f"第 {number} 条记录不是有效的 JSON（{error.msg}）"
                ) from error
            except _RefusedValue as error:
                raise _at_record(self._name, number, error) from error
            except RecursionError as error:
                raise self.broken(f"record {number} is nested too deeply", f"第 {number} 条记录嵌套过深") from error
            self._position = end
            return value  # type: ignore[no-any-return]

    def broken(self, en: str, zh: str) -> ReadError:
        """An error at the present position."""
        self._drop()
        return _broken(self._name, self._line, self._column, en, zh)

    def _more(self, characters: int) -> bool:
        if self._ended:
            return False
        self._drop()
        added = self._stream.read(characters)
        self._ended = not added
        self._text += added
        return bool(added)

    def _drop(self) -> None:
        """Forget what is behind the position, counting its lines."""
        passed = self._text[: self._position]
        lines = passed.count("\n")
        self._line += lines
        self._column = len(passed) - passed.rfind("\n") if lines else self._column + len(passed)
        self._text = self._text[self._position :]
        self._position = 0


def _broken(name: str, line: int, column: int, en: str, zh: str) -> ReadError:
    return ReadError(
        f"{name}, line {line}, column {column}: {en}; correct the file or export it again",
        f"{name} 第 {line} 行第 {column} 列：{zh}；请更正文件或重新导出",
    )


def _at_record(name: str, number: int, error: _RefusedValue) -> ReadError:
    return ReadError(
        f"{name}, record {number}: {error.en}; correct the file or export it again",
        f"{name} 第 {number} 条记录：{error.zh}；请更正文件或重新导出",
    )
