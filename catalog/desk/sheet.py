"""A table that was sent as a file: an .xlsx workbook, or a text as it would be pasted."""

from __future__ import annotations

from catalog.desk import subjects
from catalog.desk.errors import DeskError
from catalog.desk.sent import SentFile
from catalog.desk.workbook import read_rows


def rows_of(file: SentFile, where: str) -> list[list[str]]:
    """The rows of a file.

    Args:
        where: the field of the form that its error is shown at.

    Raises:
        DeskError: 415, it is no table; 422, a workbook that cannot be taken.
    """
    if file.name.lower().endswith(".xlsx"):
        return read_rows(file.content)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return subjects.pasted(file.content.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise DeskError(
        where,
        "the table is neither an .xlsx workbook nor a text in UTF-8 or GB18030; save it as .xlsx",
        "表格不是 .xlsx 工作簿，也不是 UTF-8 或 GB18030 文本；请另存为 .xlsx",
        code="file_type",
        status=415,
    )
