"""CSV and TSV -> records, strictly: one header row, one delimiter, quotes that close."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import TextIO

from ingest.errors import ReadError
from ingest.records import Record, Scan
from ingest.text import fold

_DELIMITERS = (",", "\t", ";", "|")
_SAID = {",": "comma 逗号", "\t": "tab 制表符", ";": "semicolon 分号", "|": "bar 竖线"}

#: How a tab is written on a command line.
_WRITTEN = {"\\t": "\t", "tab": "\t"}


class CsvFile:
    """A delimited file behind ``text``, which gives it from the beginning each time it is called.

    Row numbers are lines of the file, the header being line 1; a quoted value may span lines, and its row
    bears the number of its first.
    """

    def __init__(
        self, text: Callable[[], TextIO], name: str, delimiter: str | None, *, tab_expected: bool = False
    ) -> None:
        self._text = text
        self._name = name
        self._delimiter = _WRITTEN.get(delimiter or "", delimiter) or self._find_delimiter(
            "\t" if tab_expected else ","
        )
        if len(self._delimiter) != 1 or self._delimiter in '"\r\n':
            raise ReadError(
                f"the delimiter {delimiter!r} is not one character; give , or ; or | or tab",
                f"分隔符 {delimiter!r} 不是单个字符；请用 , 或 ; 或 | 或 tab",
            )

    def scan(self) -> Scan:
        """Read the whole file once.

        Raises:
            ReadError: broken quotes, an over-long cell, a header with blanks or repetitions.
        """
        rows = blank = 0
        header: list[str] = []
        for line, cells in self._lines():
            if not header:
                header = self._header(line, cells)
            elif any(cell and not cell.isspace() for cell in cells):
                rows += 1
            else:
                blank += 1
        return Scan(tuple(header), rows, blank)

    def records(self) -> Iterator[Record]:
        """Yield each line with content; a line of another width than the header has no values but ``cells``."""
        header: list[str] = []
        for line, cells in self._lines():
            if not header:
                header = self._header(line, cells)
            elif len(cells) == len(header):
                if any(cell and not cell.isspace() for cell in cells):
                    yield Record(line, dict(zip(header, cells, strict=True)))
            elif any(cell and not cell.isspace() for cell in cells):
                yield Record(line, {}, cells=len(cells))

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(self._text(), delimiter=self._delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            if _is_over_long(error):
                raise self._over_long(line) from error
            raise ReadError(
                f"{self._name}, row beginning at line {line}: {error}; look for a quotation mark that does not "
                f"close or is not doubled (delimiter: {_SAID.get(self._delimiter, self._delimiter)})",
                f"{self._name} 自第 {line} 行起的一行无法解析（{error}）；请检查未闭合或未成对转义的引号"
                f"（分隔符：{_SAID.get(self._delimiter, self._delimiter)}）",
            ) from error

    def _over_long(self, line: int) -> ReadError:
        limit = csv.field_size_limit()
        return ReadError(
            f"{self._name}, row beginning at line {line}: a value is over {limit:,} characters long; look for a "
            "quotation mark that does not close, check that the file has line breaks, or name its --delimiter",
            f"{self._name} 自第 {line} 行起的一行：有一个值超过 {limit:,} 个字符；请检查未闭合的引号、文件是否有换行，"
            "或用 --delimiter 指明分隔符",
        )

    def _header(self, line: int, cells: list[str]) -> list[str]:
        header = [fold(cell) for cell in cells]
        for index, column in enumerate(header, start=1):
            if not column:
                raise ReadError(
                    f"{self._name}, line {line}: the header of column {index} is empty; name every column "
                    "(a title row above the header must be deleted)",
                    f"{self._name} 第 {line} 行：第 {index} 列没有列名；请为每列命名（表头上方的标题行须删除）",
                )
            if column in header[: index - 1]:
                raise ReadError(
                    f"{self._name}, line {line}: the header {column!r} occurs twice; rename one of them",
                    f"{self._name} 第 {line} 行：列名“{column}”重复；请改其中一个",
                )
        return header

    def _find_delimiter(self, expected: str) -> str:
        """The one delimiter that divides the header; the file's ending decides where none or several do."""
        self._delimiter = expected
        number, first = next(((n, line) for n, line in enumerate(self._text(), start=1) if line.strip()), (1, ""))
        try:
            dividing = [mark for mark in _DELIMITERS if len(next(csv.reader([first], delimiter=mark), [])) > 1]
        except csv.Error as error:
            if _is_over_long(error):
                raise self._over_long(number) from error
            raise ReadError(
                f"{self._name}, line {number}: the header cannot be read: {error}; check its quotation marks",
                f"{self._name} 第 {number} 行：无法解析表头（{error}）；请检查引号",
            ) from error
        if expected in dividing or not dividing:
            return expected
        if len(dividing) > 1:
            said = ", ".join(_SAID[mark] for mark in dividing)
            raise ReadError(
                f"{self._name}: the header could be divided by {said}; say which with --delimiter",
                f"{self._name}：表头可按 {said} 分隔；请用 --delimiter 指定",
            )
        return dividing[0]


def _is_over_long(error: csv.Error) -> bool:
    """Whether a value went over ``csv.field_size_limit``: the module has no class of its own for that."""
    return "field limit" in str(error)
