"""Authenticating a request, or saying why that failed (认证通过、认证未通过). The clock started at receipt and runs on.

Source: 19号 三(四): 接到查询请求并认证后, 应当在接到查询请求之日起3个工作日内提供.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk import words
from catalog.desk.ask import free_text
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen


def _methods(looking: Looking) -> Sequence[Option]:
    return [Option(code, said) for code, said in words.METHODS.items()]


def _passed(given: Mapping[str, Any], looking: Looking) -> Said:
    note = free_text(given, "note", required=False, secrecy=True)
    return Said({"method": chosen(given, "method", _methods(looking))}, {"note": note})


def _failed(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said({}, {"reason": free_text(given, "reason", required=True, secrecy=True)})


FORMS = (
    MoveForm(
        "authenticate",
        "request.authenticated",
        ("认证通过", "Authenticate the request"),
        (
            "确认请求确由查询单位提出。期限自收到请求之日起算，不自认证之日起算：认证与否都不影响到期时间。",
            "Confirm that the asking agency did send it. The clock runs since receipt, not since "
            "authentication: the due "
            "time stays as it is.",
        ),
        (
            FormField("method", "choice", ("认证方式", "Authenticated by"), required=True, options=_methods),
            FormField("note", "text", ("说明（可不填）", "Note (may be left empty)")),
        ),
        _passed,
    ),
    MoveForm(
        "fail-authentication",
        "request.auth_failed",
        ("认证未通过", "Not authenticated"),
        (
            "写明哪里不符、怎样补正。这不是不予提供：期限照常计算，查询方可以就此提出争议，补正后应予认证。",
            "Say what does not fit and how it can be put right. This is no refusal: the clock runs on, the "
            "requester can "
            "dispute it, and once it is put right the request is to be authenticated.",
        ),
        (FormField("reason", "text", ("理由和补正办法", "Reason, and how to put it right"), required=True),),
        _failed,
    ),
)
