"""What a reader hands on: rows with their numbers, and what a pass over a file found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

#: A value as the file has it. A JSON number arrives as its own digits; a CSV cell is always a string.
Raw: TypeAlias = "str | bool | list[Any] | dict[str, Any] | None"

RowUnit: TypeAlias = Literal["line", "record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file: its number, and its values by folded header.

    ``cells`` is set only where a CSV line has another number of cells than the header: such a row has no values.
    """

    number: int
    values: dict[str, Raw]
    cells: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What a whole pass over a file finds: its columns in order of appearance, and how many rows it has."""

    columns: tuple[str, ...]
    rows: int
    blank_rows: int
