"""Which entry an answer makes: served, referred, refused or failed. Pure. DESIGN §3, "No grant yet is not a refusal".

``query.refused`` is for a published 不予共享 entry, a published condition that the register shows unmet, and a recorded
suspension; once for each requester, resource and day, so that a program that tries a hundred times makes one refusal.
``query.referred`` is for what a request to the provider may open. Every other 4xx and 5xx is ``query.failed``.
"""

from __future__ import annotations

from typing import Any

from catalog.asking import Asked
from catalog.permissions import REFERRALS, REFUSALS

SERVED, REFERRED, REFUSED, FAILED = "query.served", "query.referred", "query.refused", "query.failed"


def kind_of(asked: Asked, status: int) -> tuple[str, dict[str, Any]]:
    """The kind of entry for an answer of HTTP ``status``, and the fields that only this kind has."""
    if status < 400:
        return SERVED, {}
    decision = asked.decision
    if status == 403 and decision is not None and not decision.allowed:
        if decision.code in REFERRALS:
            return REFERRED, {"clause": decision.code}
        if decision.refused:
            more = {"suspension": decision.suspension} if decision.suspension else {}
            return REFUSED, {"clause": REFUSALS[decision.code], "basis": decision.basis[:500], **more}
        return FAILED, {"reason": decision.code}
    return FAILED, {"reason": asked.reason} if asked.reason else {}


def once_a_day(requester: str, resource: str, day: str) -> str:
    """The key under which a refusal is recorded once."""
    return f"refused:{requester}:{resource}:{day}"


def repeated(fields: dict[str, Any], refused_by: int) -> dict[str, Any]:
    """The fields of ``query.failed`` for another attempt on the day of a refusal.

    Args:
        fields: those of the refusal that is not made again.
        refused_by: the entry of the refusal.
    """
    kept = {name: value for name, value in fields.items() if name not in ("clause", "basis", "suspension")}
    return {**kept, "reason": "refused_today", "refused_by": refused_by}
