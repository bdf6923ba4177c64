"""Confirming that what was delivered offline was received (确认收到)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    delivered = [exit.seq for exit in looking.case.exits if exit.result == "delivered_offline"]
    fields = {"answer": delivered[-1]} if delivered else {"answer": 0}
    return Said(fields, {"note": free_text(given, "note", required=False)})


FORM = MoveForm(
    "confirm",
    "request.delivery_confirmed",
    ("确认收到线下交付", "Confirm the delivery"),
    (
        "确认已经收到提供方线下交付的材料。确认后案件办结，答复时间以交付记录为准；未收到的不要确认，可以提出争议。",
        "Confirm that what the provider delivered offline was received. The case is closed then, at the time of the "
        "delivery; what did not arrive is not confirmed, it can be disputed.",
    ),
    (FormField("note", "text", ("说明（可不填）", "Note (may be left empty)")),),
    _read,
)
