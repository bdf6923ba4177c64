"""Withdrawing a request (撤回)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said({}, {"reason": free_text(given, "reason", required=False)})


FORM = MoveForm(
    "withdraw",
    "request.withdrawn",
    ("撤回请求", "Withdraw the request"),
    (
        "撤回后提供方不再需要答复，案件结束；如仍需要，应另行提出。已发生的办理记录保留在台账中。",
        "The provider owes no answer any more and the case ends; what is still needed is asked anew. What happened "
        "stays in the ledger.",
    ),
    (FormField("reason", "text", ("理由（可不填）", "Reason (may be left empty)")),),
    _read,
    danger=True,
)
