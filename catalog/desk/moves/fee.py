"""Complaining of a fee that was demanded (收费投诉): one step, counted each quarter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said({}, {"note": free_text(given, "note", required=True)})


FORM = MoveForm(
    "fee",
    "fee.complained",
    ("投诉收费", "Complain of a fee"),
    (
        "查询和提供都不收费，本系统没有任何费用栏目。对方以任何名义要求付费的，在此写明，记入台账并按季统计。",
        "Neither asking nor answering costs anything, and there is no field for a fee anywhere. Write down here if "
        "payment was demanded under whatever name: it goes into the ledger and is counted each quarter.",
    ),
    (
        FormField(
            "note", "text", ("何人、何时、要求多少、以何名义", "Who, when, how much, under what name"), required=True
        ),
    ),
    _read,
)
