"""Which entry an answer makes."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.asking import Asked
from catalog.outcomes import kind_of, once_a_day, repeated
from catalog.permissions import NOT_PUBLISHED, Decision


def asked(code: str, *, allowed: bool = False, **more: Any) -> Asked:
    decision = Decision(allowed, code, "why", "为何", basis="依据", **more)
    return Asked("work/penalties", decision=decision)


def test_an_answer_is_served() -> None:
    assert kind_of(asked("granted", allowed=True), 200) == ("query.served", {})


@pytest.mark.parametrize("code", ["not_yet_granted", "purpose_not_covered"])
def test_what_a_request_may_open_is_referred(code: str) -> None:
    assert kind_of(asked(code), 403) == ("query.referred", {"clause": code})


@pytest.mark.parametrize(
    ("code", "ground"), [("not_shared", "RG16"), ("condition_unmet", "RG17"), ("suspended", "RG18")]
)
def test_a_refusal_names_its_ground_its_clause_and_its_basis(code: str, ground: str) -> None:
    kind, fields = kind_of(asked(code), 403)
    assert (kind, fields["basis"]) == ("query.refused", "依据")
    assert fields["clause"].startswith(f"{ground} 政务数据共享条例第")


def test_a_refusal_by_suspension_names_it() -> None:
    assert kind_of(asked("suspended", suspension="s-0001"), 403)[1]["suspension"] == "s-0001"


@pytest.mark.parametrize("code", ["purpose_needed", "not_published"])
def test_any_other_no_is_a_failure_with_its_reason(code: str) -> None:
    assert kind_of(asked(code), 403) == ("query.failed", {"reason": code})


def test_a_mistake_is_a_failure_whatever_was_decided() -> None:
    assert kind_of(asked("granted", allowed=True), 400) == ("query.failed", {})
    assert kind_of(asked("not_shared"), 400) == ("query.failed", {})
    assert kind_of(Asked("home"), 500) == ("query.failed", {})
    wrong = asked("granted", allowed=True)
    wrong.reason = "columns_only"
    assert kind_of(wrong, 403) == ("query.failed", {"reason": "columns_only"})


def test_a_repeated_refusal_points_to_the_first_of_the_day() -> None:
    fields = {"requester": "zhzf", "status": 403, "clause": "RG18 …", "basis": "依据", "suspension": "s-0001"}
    assert repeated(fields, 17) == {
        "requester": "zhzf",
        "status": 403,
        "reason": "refused_today",
        "refused_by": 17,
    }
    keys = {
        once_a_day(*key) for key in (("a", "x/y", "2026-01-01"), ("b", "x/y", "2026-01-01"), ("a", "x/y", "2026-01-02"))
    }
    assert len(keys) == 3


def test_what_is_not_published_is_no_refusal() -> None:
    assert not NOT_PUBLISHED.refused
