"""The table of subjects of a request: who or what is asked about, pasted or from a sheet, checked row by row. Pure.

Each row becomes an item of its own under the entry's root (docs/spec/entry.md E20), so that one subject can be proven
or erased without the others. No subject is ever in an open field.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.desk.errors import DeskError, RowsError
from ledger.cases.opening import MAX_SUBJECTS

MAX_LENGTH = 200
#: What a column may be called in a header: which of the three it is.
_HEADERS = {
    "name": ("名称", "姓名", "对象", "当事人", "企业名称", "单位名称", "name", "subject", "party"),
    "code": (
        "证件号码", "身份证号", "身份证号码", "统一社会信用代码", "信用代码", "代码", "号码", "车牌号",
        "code", "id", "number",
    ),
    "note": ("备注", "说明", "note", "remark"),
}  # fmt: skip
_ORDER = ("name", "code", "note")
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
#: A number that a spreadsheet rounded or wrote with an exponent: its last digits are lost.
_EXPONENT = re.compile(r"[0-9.]+E\+?[0-9]+")
_GROUPED = re.compile(r"[0-9][0-9 -]{14,24}[0-9Xx]")


@dataclass(frozen=True, slots=True)
class Subject:
    """One row. At least one of ``name`` and ``code`` is there."""

    name: str
    code: str
    note: str

    def to_value(self) -> dict[str, Any]:
        """The item's value: what is empty is left out."""
        return {name: text for name in _ORDER if (text := getattr(self, name))}

    @classmethod
    def of_value(cls, value: Any) -> Subject:
        given = value if isinstance(value, dict) else {}
        return cls(*(str(given.get(name, "")) for name in _ORDER))


def pasted(text: str) -> list[list[str]]:
    """The rows of a pasted table: columns by tabs as a sheet gives them, else by commas; a name alone is a row.

    Raises:
        DeskError: a quoted cell that has no end.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if "\t" in lines:
        return [line.split("\t") for line in lines.split("\n")]
    try:
        return list(csv.reader(io.StringIO(lines.replace("，", ",")), strict=False))
    except csv.Error as error:
        raise DeskError(
            "subjects",
            "the table cannot be read: a quotation mark has no end; take it out",
            "清单无法读取：引号没有成对；请删去多余的引号",
        ) from error


def read(rows: Sequence[Sequence[str]]) -> tuple[Subject, ...]:
    """The subjects of a table; its first row may name the columns, else they are name, code, note.

    Raises:
        DeskError: more than :data:`~ledger.cases.opening.MAX_SUBJECTS` rows.
        RowsError: every row that cannot be taken, each with its number and what is wrong.
    """
    columns, first = _columns(rows)
    found: list[Subject] = []
    wrong: list[tuple[int, str, str]] = []
    seen: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows[first:], start=first + 1):
        cells = [_clean(cell) for cell in row]
        if not any(cells):
            continue
        subject = _subject(cells, columns)
        problem = _problem(subject, cells, columns)
        key = (subject.code, "" if subject.code else subject.name)
        if problem is None and key in seen:
            problem = (f"the same as row {seen[key]}", f"与第 {seen[key]} 行重复")
        seen.setdefault(key, number)
        if problem is not None:
            wrong.append((number, *problem))
        found.append(subject)
    if len(found) > MAX_SUBJECTS:
        raise DeskError(
            "subjects",
            f"{len(found)} subjects; one request has at most {MAX_SUBJECTS}: split the list",
            f"查询对象 {len(found)} 个；一个请求最多 {MAX_SUBJECTS} 个，请拆分清单",
            code="too_many_subjects",
        )
    if wrong:
        raise RowsError(wrong)
    return tuple(found)


def of_values(values: Iterable[Any]) -> tuple[Subject, ...]:
    """The subjects of a call: objects with name, code, note. Raises as :func:`read`."""
    rows = [[str(each.get(name, "")) if isinstance(each, dict) else "" for name in _ORDER] for each in values]
    return read(rows) if rows else ()


def _columns(rows: Sequence[Sequence[str]]) -> tuple[dict[int, str], int]:
    """Which column is which, and the number of the first row of subjects."""
    if rows:
        titles = [_clean(cell).lower() for cell in rows[0]]
        named = {
            place: name for place, title in enumerate(titles) for name, known in _HEADERS.items() if title in known
        }
        # A row of titles only: a first subject whose note reads like one is a subject.
        if named and len(named) == sum(map(bool, titles)) == len(set(named.values())):
            return named, 1
    return dict(enumerate(_ORDER)), 0


def _subject(cells: Sequence[str], columns: dict[int, str]) -> Subject:
    values = {columns[place]: cell for place, cell in enumerate(cells) if place in columns}
    code = values.get("code", "")
    if _GROUPED.fullmatch(code):  # 370303 19900101 1234
        code = re.sub("[ -]", "", code)
    return Subject(values.get("name", ""), code.upper(), values.get("note", ""))


def _problem(subject: Subject, cells: Sequence[str], columns: dict[int, str]) -> tuple[str, str] | None:
    if not subject.name and not subject.code:
        return "neither a name nor a code", "缺少名称和代码"
    extra = [cell for place, cell in enumerate(cells) if cell and place not in columns]
    if extra:
        return "more columns than name, code, note", "列数过多：应为名称、代码、备注"
    for text in (subject.name, subject.code, subject.note):
        if len(text) > MAX_LENGTH:
            return f"a cell of more than {MAX_LENGTH} characters", f"单元格超过 {MAX_LENGTH} 字"
    return _code_problem(subject.code)


def _code_problem(code: str) -> tuple[str, str] | None:
    good = _is_id_number(code) or _is_credit_code(code)
    if _EXPONENT.fullmatch(code) or (not good and re.fullmatch("[0-9]{15}000", code)):
        return (
            "the code was rounded by a spreadsheet; format the column as text and type it anew",
            "号码已被电子表格取整；请将该列设为文本后重新填写",
        )
    if not good and (_ID_NUMBER.fullmatch(code) or _CREDIT_CODE.fullmatch(code)):
        return "the check digit of the identity number or credit code does not fit", "证件号码或信用代码的校验位不符"
    return None


def _is_id_number(code: str) -> bool:
    """Source: GB 11643-1999."""
    if not _ID_NUMBER.fullmatch(code):
        return False
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(code[:17]))
    return "10X98765432"[total % 11] == code[17]


def _is_credit_code(code: str) -> bool:
    """Source: GB 32100-2015, 附录 A."""
    if not _CREDIT_CODE.fullmatch(code):
        return False
    total = sum(_CREDIT_ALPHABET.index(char) * (3**place % 31) for place, char in enumerate(code[:17]))
    return _CREDIT_ALPHABET[(31 - total % 31) % 31] == code[17]


def _clean(cell: str) -> str:
    text = unicodedata.normalize("NFC", cell).replace("　", " ")
    return "".join(char for char in text if char.isprintable()).strip()
