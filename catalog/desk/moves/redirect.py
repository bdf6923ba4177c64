"""Passing a request on to the agency that has the data (转办): a linked case with a clock of its own; twice, and a
supervising office names who has it. DESIGN §3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk import answers, linked
from catalog.desk.ask import free_text
from catalog.desk.moves.answer import can_answer
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen
from catalog.identity import duties
from catalog.identity.agencies import agencies


def others(looking: Looking) -> Sequence[Option]:
    """The agencies that are no party to the case."""
    case = looking.case
    return [
        Option(each["id"], (each["name_zh"], each["name_en"]))
        for each in agencies(looking.desk.service.register)
        if each["role"] in duties.PARTIES and each["id"] not in (case.requester, case.provider)
    ]


def _first_time(looking: Looking) -> bool:
    return looking.case.redirects == 0


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    fields: dict[str, Any] = {"result": "redirected"}
    if _first_time(looking):
        fields |= {
            "to": chosen(given, "to", others(looking)),
            "linked": linked.number_for(looking.desk, looking.case),
        }
    text = free_text(given, "text", required=True, secrecy=True)
    return Said(fields, {"text": text, "answer_sha256": answers.digest(answers.Table(), text)})


FORM = MoveForm(
    "redirect",
    "request.answered",
    ("转由其他单位答复", "Pass it on to another agency"),
    (
        "本单位没有、而其他单位持有该数据时使用。系统随即为查询方在该单位立案，另行计时，并显示总用时；本案到"
        "此办结。再次转出的，由监督机构指定提供单位。",
        "For data that you do not hold and another agency does. A linked request to that agency begins at "
        "once, with a clock "
        "of its own, and the total time is shown; yours is closed. Passed on a second time, a supervising "
        "office names who "
        "has it.",
    ),
    (
        FormField(
            "to",
            "choice",
            ("持有数据的单位", "The agency that has it"),
            required=True,
            options=others,
            shown=_first_time,
        ),
        FormField("text", "text", ("为何由该单位答复", "Why it is theirs to answer"), required=True),
    ),
    _read,
    offered=can_answer("redirected"),
)
