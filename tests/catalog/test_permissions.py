"""Decisions over sharing class and grants."""

from __future__ import annotations

import pytest

from catalog.permissions import decide

PENALTIES = {"database": "work", "table_name": "penalties", "provider": "scjg", "sharing_class": "有条件共享"}
GRANT = {"database": "work", "table_name": "penalties", "valid_to": "2027-12-31", "basis": "演示依据"}


@pytest.mark.parametrize("sharing_class", ["有条件共享", "未定", "不予共享"])
def test_without_a_grant_nothing_but_unconditional_is_allowed(sharing_class: str) -> None:
    assert not decide("agency", "zhzf", {**PENALTIES, "sharing_class": sharing_class}, []).allowed


def test_unconditional_sharing_needs_no_grant() -> None:
    assert decide("agency", "zhzf", {**PENALTIES, "sharing_class": "无条件共享"}, []).code == "unconditional"


def test_a_grant_opens_its_own_table_only() -> None:
    assert decide("agency", "zhzf", PENALTIES, [GRANT]).code == "granted"
    other = {**PENALTIES, "table_name": "permits"}
    assert decide("agency", "zhzf", other, [GRANT]).code == "not_yet_granted"


def test_a_provider_sees_its_own_data_and_a_supervisor_sees_all() -> None:
    assert decide("agency", "scjg", PENALTIES, []).code == "own"
    assert decide("supervisor", "sfj", {**PENALTIES, "sharing_class": "不予共享"}, []).code == "supervision"


def test_the_data_authority_has_no_leave_of_its_own() -> None:
    assert not decide("data_authority", "sjj", PENALTIES, []).allowed


def test_not_yet_granted_is_told_apart_from_not_shared() -> None:
    assert decide("agency", "zhzf", PENALTIES, []).code == "not_yet_granted"
    assert decide("agency", "zhzf", {**PENALTIES, "sharing_class": "不予共享"}, []).code == "not_shared"


def test_every_decision_says_why_in_both_languages() -> None:
    for sharing_class in ("无条件共享", "有条件共享", "不予共享", "未定"):
        for role, agency in (("agency", "zhzf"), ("agency", "scjg"), ("supervisor", "sfj")):
            decision = decide(role, agency, {**PENALTIES, "sharing_class": sharing_class}, [GRANT])
            assert decision.reason_en
            assert decision.reason_zh
