"""The 查询结果单: one page to print for the case file (案卷), with room for the seal; longer tables are its annex."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import i18n
from catalog.desk import words
from catalog.desk.answers import Table
from catalog.desk.desk import Desk
from catalog.desk.errors import NoCaseError
from catalog.desk.files import Attachment
from catalog.desk.subjects import Subject
from catalog.desk.view import CaseView, ClockView, case_view
from catalog.forms import render_private
from catalog.identity.actor import Actor
from catalog.listing import local_time
from ledger.cases import Case

if TYPE_CHECKING:
    from datasette.app import Datasette

#: So much of a table stands on the sheet itself; a longer one is the annex, and the sheet says so.
ROWS_ON_SHEET, COLUMNS_ON_SHEET = 10, 8
SUBJECTS_ON_SHEET = 4
_ANSWERED, _REFUSED = "request.answered", "request.refused"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal, or the refused part of an answer."""

    seq: int
    ground: str
    article: str
    covers: str
    withheld: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResultSheet:
    """What the sheet says, for one of the parties.

    Attributes:
        digest: SHA-256 of the answer (docs/spec/cases.md C23).
        on_sheet: whether the table stands on the sheet, not in the annex.
        clock: the deadline that the answer met or missed.
    """

    seq: int
    at: str
    result: str
    reference: str
    participants: tuple[str, ...]
    subjects: tuple[Subject, ...]
    subjects_count: int
    text: str
    digest: str
    table: Table
    files: tuple[Attachment, ...]
    refused: tuple[Refused, ...]
    clock: ClockView | None
    on_sheet: bool


async def result_sheet(datasette: Datasette, desk: Desk, request: Request) -> Response:
    """The printed sheet of one answer or refusal, for the parties of its case."""
    actor: Actor = request.scope["liandong_credentials"].actor
    number, seq = request.url_vars["case"], int(request.url_vars["seq"])

    def look() -> dict[str, Any]:
        case = desk.case(actor, number)
        view = case_view(desk, actor, case)
        return {"section": "requests", "case": case, "view": view, "sheet": sheet_of(desk, actor, case, view, seq)}

    return await render_private(datasette, request, "desk_sheet.html", await asyncio.to_thread(look))


def sheet_of(desk: Desk, actor: Actor, case: Case, view: CaseView, seq: int) -> ResultSheet:
    """The sheet of entry ``seq``. Raises :class:`NoCaseError` where that is neither answer nor refusal of the case."""
    if case.entries.get(seq) not in (_ANSWERED, _REFUSED):
        raise NoCaseError()
    entry, opened, asked = desk.ledger.entry(seq), desk.opened(seq), desk.opened(case.opened)
    shown = actor.agency == case.requester or bool(actor.roles & {"answerer", "approver"})
    table = Table.of_items(value for _, value in desk.items(seq)) if entry.get("items") and shown else Table()
    named = [Subject.of_value(value) for _, value in desk.items(case.opened)] if case.subjects and shown else []
    result = entry.get("result") or ("refused" if entry["covers"] == "whole" else "refused_part")
    return ResultSheet(
        seq=seq,
        at=local_time(entry["t"]),
        result=words.word(words.RESULTS, result),
        reference=str(asked.get("reference", "")),
        participants=tuple(asked.get("participants", ())),
        subjects=tuple(named[:SUBJECTS_ON_SHEET]),
        subjects_count=case.subjects,
        text=str(opened.get("text", "")),
        digest=str(opened.get("answer_sha256", "")),
        table=table,
        files=desk.attachments(seq) if entry.get("files") else (),
        refused=tuple(_refused(desk, each) for each in sorted(case.entries) if case.entries[each] == _REFUSED),
        clock=_clock(view, case, seq),
        on_sheet=len(table.rows) <= ROWS_ON_SHEET and len(table.columns) <= COLUMNS_ON_SHEET,
    )


def _refused(desk: Desk, seq: int) -> Refused:
    entry, opened = desk.ledger.entry(seq), desk.opened(seq)
    ground = entry["ground"]
    found = next((each for each in desk.rules.of_register(entry).grounds if each.code == ground), None)
    name = i18n.choose(found.name_zh, found.name_en) if found is not None else ""
    return Refused(
        seq,
        f"{ground} {name}".strip(),
        f"《{entry['statute']}》{entry['article']}",
        words.word(words.COVERS, entry["covers"]),
        str(opened.get("withheld", "")),
        str(opened.get("reason", "")),
    )


def _clock(view: CaseView, case: Case, seq: int) -> ClockView | None:
    """The newest deadline that was set before the answer."""
    before = [clock for clock in view.clocks if clock.seq < seq]
    return before[-1] if before else None
