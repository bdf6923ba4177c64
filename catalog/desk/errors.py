"""What is wrong with a request or a move, as pages and programs say it."""

from __future__ import annotations

from typing import Any

from catalog.errors import RequestError


class DeskError(RequestError):
    """422 unless said otherwise: something that was typed or sent cannot be taken.

    Attributes:
        code: stable, for programs.
        field: the field of the form, or the member of the body, at fault; empty where it is no one field.
    """

    def __init__(self, field: str, en: str, zh: str, *, code: str = "invalid", status: int = 422) -> None:
        super().__init__(status, en, zh)
        self.code = code
        self.field = field

    @property
    def details(self) -> dict[str, Any]:
        return {"code": self.code, **({"where": self.field} if self.field else {})}


class RowsError(DeskError):
    """The table of subjects has rows that cannot be taken: each is named, all at once.

    Attributes:
        rows: number of the row as people count it, in English and in Chinese what is wrong with it.
    """

    def __init__(self, rows: list[tuple[int, str, str]]) -> None:
        self.rows = rows
        number, en, zh = rows[0]
        more_en = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
        more_zh = f"；另有 {len(rows) - 1} 行有误" if len(rows) > 1 else ""
        super().__init__("subjects", f"row {number}: {en}{more_en}", f"第 {number} 行：{zh}{more_zh}", code="subjects")

    @property
    def details(self) -> dict[str, Any]:
        rows = [{"row": number, "error_en": en, "error_zh": zh} for number, en, zh in self.rows]
        return {**super().details, "rows": rows}


class NoCaseError(DeskError):
    """404: there is no such request, or it is none of the asker's."""

    def __init__(self) -> None:
        super().__init__(
            "",
            "there is no request of that number to or from your agency",
            "没有这个编号的、与本单位有关的请求",
            code="no_case",
            status=404,
        )


class FasterError(DeskError):
    """409: somebody else moved the case on since it was looked at; nothing was done.

    Attributes:
        revision: the newest entry now.
    """

    def __init__(self, what: tuple[str, str], who: tuple[str, str], at: str, revision: int) -> None:
        self.revision = revision
        super().__init__(
            "",
            f"somebody was faster: {what[0].lower()} by {who[0]} at {at} (entry {revision}); look at the request as it "
            "stands now, then decide anew: what you typed is still here",
            f"已有人先行办理：{who[1]}于 {at} {what[1]}（台账第 {revision} 条）；"
            "请查看最新状态后再办理，已填内容仍在表单中",
            code="faster",
            status=409,
        )

    @property
    def details(self) -> dict[str, Any]:
        return {**super().details, "revision": self.revision}


class NotAllowedError(DeskError):
    """The case does not allow the move: 403 for whom it is not to do, 409 for a state, 422 for how it is made."""

    def __init__(self, rule: str, en: str, zh: str) -> None:
        status = 403 if rule in ("C11", "C12", "C2") else 409 if rule in _OF_STATE else 422
        super().__init__("", en, zh, code=f"rule_{rule.lower()}", status=status)
        self.rule = rule

    @property
    def details(self) -> dict[str, Any]:
        return {**super().details, "rule": self.rule}


#: Rules of docs/spec/cases.md that say "not now" and not "not so".
_OF_STATE = frozenset({"C14", "C15", "C22", "C28", "C32", "C43", "C44", "C70", "C71", "C72"})
