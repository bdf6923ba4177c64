"""Asking for a supplement, once and for all that is missing (一次性告知, 条例 art. 21). The clock runs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said({}, {"wanted": free_text(given, "wanted", required=True, secrecy=True)})


FORM = MoveForm(
    "ask-supplement",
    "request.supplement_asked",
    ("要求补充", "Ask for a supplement"),
    (
        "只能要求一次，请把缺少的全部写明（条例第二十一条）。等待期间期限照常计算，等待天数单独列出；不等补充"
        "也可以先答复。",
        "It can be asked for once: say all that is missing (条例 art. 21). The clock runs on meanwhile, the "
        "days of waiting "
        "are shown beside it; you may answer without it.",
    ),
    (FormField("wanted", "text", ("需补充的全部内容", "All that is to be supplemented"), required=True),),
    _read,
)
