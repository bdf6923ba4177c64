"""Values as files have them -> values as tables hold them. Pure functions; nothing is ever guessed.

Each type has one function, text -> typed value. What it cannot read beyond doubt it refuses
(:class:`RefusedValue`), and the row's caller gets a :class:`~ingest.problems.RowProblem` with row, column, value,
rule and fix. Normalising a normalised value changes nothing.

Storage: integer -> int; decimal -> text of digits (the column's NUMERIC affinity stores it as a number); date
``YYYY-MM-DD``; datetime ``YYYY-MM-DDThh:mm:ss+08:00``; boolean ``是`` or ``否``; list a JSON array of texts; the
rest text. An empty value is None, whatever its type.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ingest.codes import CodeList
from ingest.mapping import Column
from ingest.problems import RowProblem
from ingest.records import Raw, Record
from ingest.text import fold, fold_lines, invalid_character, narrow

Value: TypeAlias = "str | int | None"

#: The only legal time in China: a time without a zone is this.
BEIJING = timezone(timedelta(hours=8))

_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_INTEGER = re.compile(r"([+-]?)(0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)", re.ASCII)
_DECIMAL = re.compile(r"([+-]?)(0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?", re.ASCII)
_DATE = re.compile(r"(\d{4}) ?(?:([-/.]) ?(\d{1,2}) ?\2 ?(\d{1,2})|年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日)", re.ASCII)
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_MIDNIGHT = re.compile(r"[ T]00?:00(?::00(?:\.0+)?)?", re.ASCII)
_TIME = re.compile(
    # A fraction of a second other than zero is refused: it would be lost.
    r"[ T]?(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.0+)?)?|时(\d{1,2})分(?:(\d{1,2})秒)?) ?(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
#: A flat list of quoted strings or None as Python prints one: the only Python literal that is read.
#: Possessive, so that hostile input costs linear time.
_LITERAL = r"""(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|None)"""
_PYTHON_LIST = re.compile(rf"\[\s*+(?:{_LITERAL}\s*+(?:,\s*+{_LITERAL}\s*+)*+(?:,\s*+)?)?\]")
_LOOKS_LISTED = re.compile(r"""^\[\s*['"]|['"]\s*\]$""")
_MAX_LIST_CHARACTERS = 20_000
#: Longer than any number or date that can be stored.
_MAX_TYPED_CHARACTERS = 60

_BOOLEANS = {
    **dict.fromkeys(("是", "true", "yes", "y", "1"), "是"),
    **dict.fromkeys(("否", "false", "no", "n", "0"), "否"),
}


class RefusedValue(Exception):
    """A value that breaks ``rule``; ``details`` fill the rule's sentences."""

    def __init__(self, rule: str, **details: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.details = details


def to_integer(text: str) -> int:
    """Read a whole number: digits, an optional sign, well-formed thousands groups.

    Raises:
        RefusedValue: anything else (``0012`` is an identifier, not a number), or beyond 64 bits.
    """
    found = _INTEGER.fullmatch(narrow(text))
    if not found:
        raise RefusedValue("integer")
    # Python refuses to convert thousands of digits.
    value = int(found[1] + found[2].replace(",", "")) if len(text) <= _MAX_TYPED_CHARACTERS else 2**63
    if not -(2**63) <= value < 2**63:
        raise RefusedValue("integer_range")
    return value


def to_decimal(text: str) -> str:
    """Read a decimal number and return its shortest digits: ``1,200.50`` -> ``1200.5``.

    Raises:
        RefusedValue: a unit, an exponent, leading zeros; or more than the 15 significant digits SQLite keeps.
    """
    found = _DECIMAL.fullmatch(narrow(text))
    if not found:
        raise RefusedValue("decimal")
    if len(text) > _MAX_TYPED_CHARACTERS:
        raise RefusedValue("decimal_digits", got=str(len(text)))
    value = Decimal(f"{found[1]}{found[2].replace(',', '')}.{found[3] or '0'}")
    digits = f"{value:f}".rstrip("0").rstrip(".")
    significant = len(digits.lstrip("-0.").replace(".", ""))
    if significant > 15:
        raise RefusedValue("decimal_digits", got=str(significant))
    return "0" if digits in ("-0", "0", "") else digits


def to_date(text: str) -> str:
    """Read a date written year first (``2023-5-04``, ``2023/5/4``, ``2023年5月4日``, ``20230504``) as ISO.

    Raises:
        RefusedValue: another form, a day that does not exist, a time of day that would be lost.
    """
    if len(text) > _MAX_TYPED_CHARACTERS:
        raise RefusedValue("date")
    return _to_date(text)


@lru_cache(maxsize=4096)
def _to_date(text: str) -> str:
    day, rest = _date_at_start(narrow(text))
    if day is None or (rest and not _MIDNIGHT.fullmatch(rest)):
        raise RefusedValue("date")
    return day.isoformat()


def to_datetime(text: str) -> str:
    """Read a date with a time of day as ISO in Beijing time; a time without a zone is Beijing time.

    Raises:
        RefusedValue: no time of day, another form, or an instant that does not exist.
    """
    day, rest = _date_at_start(narrow(text))
    found = _TIME.fullmatch(rest) if rest else None
    if day is None or not found:
        raise RefusedValue("datetime")
    hour, minute, second, zh_minute, zh_second, zone = found.groups()
    try:
        parts = (int(hour), int(minute or zh_minute), int(second or zh_second or 0))
        value = datetime(day.year, day.month, day.day, *parts, tzinfo=_zone(zone))
        return value.astimezone(BEIJING).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise RefusedValue("datetime") from error


def to_boolean(text: str) -> str:
    """Read yes or no as ``是`` or ``否``.

    Raises:
        RefusedValue: neither.
    """
    value = _BOOLEANS.get(narrow(text).lower())
    if value is None:
        raise RefusedValue("boolean")
    return value


def to_url(text: str) -> str:
    """Return a full http(s) address unchanged.

    Raises:
        RefusedValue: another scheme, no host, white space, a user name or password.
    """
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        # Reading the port checks it.
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or " " in text:
        raise RefusedValue("url")
    return text


def to_code(text: str, codes: CodeList) -> str:
    """Return the canonical value for any of its words.

    Raises:
        RefusedValue: not in the list.
    """
    value = codes.canonical.get(text)
    if value is None:
        shown = list(codes.values)[:12]
        more = "…" if len(codes.values) > len(shown) else ""
        raise RefusedValue("code", codes=codes.name, allowed="、".join(shown) + more)
    return value


def to_items(raw: Raw, separators: tuple[str, ...]) -> list[str]:
    """Read a list of texts: a JSON list, a list written as a string, or a text with declared separators.

    Items are folded, empty ones (and nulls) dropped, order and repetitions kept.

    Raises:
        RefusedValue: a list of other things than texts, or brackets that hold no list.
    """
    if isinstance(raw, str):
        raw = _list_in(raw, separators)
    if not isinstance(raw, list):
        raise RefusedValue("list")
    items = []
    for item in raw:
        if item is not None and not isinstance(item, str):
            raise RefusedValue("list")
        folded = fold(item or "")
        if folded:
            items.append(folded)
    return items


def normalise_value(raw: Raw, column: Column) -> Value:
    """Return the value to store for ``raw`` in ``column``, None if nothing was said.

    Raises:
        RefusedValue: the value breaks a rule of its column.
    """
    if raw is None:
        text = ""
    elif column.type == "list" or (column.join is not None and (isinstance(raw, list) or column.separators)):
        text = _listed(raw, column)
    elif isinstance(raw, str):
        text = fold_lines(raw) if column.role == "free_text" else fold(raw)
    elif isinstance(raw, bool):
        text = "true" if raw else "false"
    else:
        is_list = isinstance(raw, list)
        raise RefusedValue("not_scalar", got="a list" if is_list else "an object", got_zh="列表" if is_list else "对象")
    if not text or text in column.blank:
        if column.required:
            raise RefusedValue("required")
        return None
    bad = invalid_character(text)
    if bad is not None:
        raise RefusedValue("invalid_character", code=f"U+{ord(bad):04X}")
    value = _TYPED[column.type](text) if column.type != "code" else to_code(text, _codes_of(column))
    if column.max_length is not None and len(text) > column.max_length:
        raise RefusedValue("max_length", got=str(len(text)), limit=str(column.max_length))
    return value


class RowNormaliser:
    """Normalises the records of one mapping; compiled once, used for every row."""

    def __init__(self, columns: tuple[Column, ...], key: tuple[str, ...]) -> None:
        self._columns = [
            (column, partial(normalise_value, column=_required(column) if column.field in key else column))
            for column in columns
        ]

    def normalise(self, record: Record) -> tuple[dict[str, Value], list[RowProblem]]:
        """Return the row's values by field, and what is wrong with it. Values that are refused are left out."""
        values: dict[str, Value] = {}
        problems: list[RowProblem] = []
        for column, normalised in self._columns:
            raw = record.values.get(column.source)
            try:
                values[column.field] = normalised(raw)
            except RefusedValue as refused:
                problems.append(RowProblem(record.number, column.source, shown(raw), refused.rule, refused.details))
        return values, problems


def shown(raw: Raw) -> str | None:
    """A raw value as a report shows it."""
    return raw if raw is None or isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)


def _required(column: Column) -> Column:
    """The same column, never empty: a row without its key cannot be told from others."""
    return replace(column, required=True)


def _codes_of(column: Column) -> CodeList:
    if column.codes is None:
        raise TypeError(f"column {column.field} has type code and no code list; the mapping loader forbids this")
    return column.codes


def _listed(raw: Raw, column: Column) -> str:
    if isinstance(raw, str) and fold(raw) in column.blank:
        return ""
    items = [item for item in to_items(raw, column.separators) if item not in column.blank]
    if column.join is not None:
        return column.join.join(items)
    return json.dumps(items, ensure_ascii=False) if items else ""


def _list_in(text: str, separators: tuple[str, ...]) -> list[Any]:
    stripped = text.strip()
    # 〔2021〕 and [2021]19号 are words; what looks like a list must be one.
    if (stripped.startswith("[") and stripped.endswith("]")) or _LOOKS_LISTED.search(stripped):
        return _bracketed(stripped)
    parts = ["\n".join(text.splitlines())]
    for separator in separators:
        parts = [piece for part in parts for piece in part.split(separator)]
    return list(parts)


def _bracketed(text: str) -> list[Any]:
    if len(text) > _MAX_LIST_CHARACTERS:
        raise RefusedValue("list")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not _PYTHON_LIST.fullmatch(text):
            raise RefusedValue("list") from error
        try:
            # Safe: the expression above admits a flat list of string literals and None, nothing else.
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError) as failure:
            raise RefusedValue("list") from failure
    if not isinstance(value, list):
        raise RefusedValue("list")
    return value


def _date_at_start(text: str) -> tuple[date | None, str]:
    """Return the date that ``text`` begins with, or None, and what follows it."""
    found = _DATE.match(text)
    if found:
        year, _, month, day, zh_month, zh_day = found.groups()
        parts = (year, month or zh_month, day or zh_day)
    else:
        found = _COMPACT_DATE.match(text)
        if not found:
            return None, ""
        parts = (found[1], found[2], found[3])
    rest = text[found.end() :]
    if rest[:1].isdigit() and "日" not in found[0]:
        return None, ""
    if not _FIRST_YEAR <= int(parts[0]) <= _LAST_YEAR:
        raise RefusedValue("date_range", got=parts[0])
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2])), rest
    except ValueError:
        return None, ""


def _zone(text: str | None) -> timezone:
    if text is None:
        return BEIJING
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


_TYPED: Mapping[str, Callable[[str], Value]] = {
    "text": str,
    "integer": to_integer,
    "decimal": to_decimal,
    "date": to_date,
    "datetime": to_datetime,
    "boolean": to_boolean,
    "url": to_url,
    "list": str,
}
