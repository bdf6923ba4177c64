"""Decisions over sharing class, suspensions, conditions, grants and purposes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.permissions import REFERRALS, REFUSALS, Decision, decide

CLASSES = ("无条件共享", "有条件共享", "不予共享", "未定")
PENALTIES = {"database": "work", "table_name": "penalties", "provider": "scjg", "sharing_class": "有条件共享"}
GRANT = {
    "id": "g-1",
    "provider": "scjg",
    "database": "work",
    "table_name": "penalties",
    "purposes": ["case", "joint"],
    "columns": None,
    "valid_to": "2027-12-31",
    "basis": "演示依据",
}
NARROW = {**GRANT, "id": "g-2", "purposes": ["lead"], "columns": ["party", "decision_no"]}
SUSPENDED = {"id": "s-1", "resource": None, "basis": "条例第二十七条", "reason": "超范围使用"}


def ask(resource: dict[str, Any] = PENALTIES, *grants: dict[str, Any], **more: Any) -> Decision:
    """What an ordinary agency is told."""
    return decide("agency", "zhzf", resource, grants, more.pop("suspensions", []), more.pop("purpose", None), **more)


def classed(sharing_class: str, **more: Any) -> dict[str, Any]:
    return {**PENALTIES, "sharing_class": sharing_class, **more}


@pytest.mark.parametrize("sharing_class", ["有条件共享", "未定", "不予共享"])
def test_without_a_grant_nothing_but_unconditional_is_allowed(sharing_class: str) -> None:
    decision = ask(classed(sharing_class), purpose="case")
    assert not decision.allowed
    assert not decision.opens_table


def test_unconditional_sharing_needs_neither_grant_nor_purpose() -> None:
    decision = ask(classed("无条件共享"))
    assert (decision.code, decision.allowed, decision.needs_purpose) == ("unconditional", True, False)


def test_who_runs_the_system_is_no_department_and_has_no_unconditional_leave() -> None:
    assert decide("operator", "yw", classed("无条件共享"), [], []).code == "not_yet_granted"
    assert decide("operator", "yw", {**classed("无条件共享"), "database": "directory"}, [], []).code == "directory"


def test_a_grant_opens_its_own_table_only_and_for_its_purposes_only() -> None:
    assert ask(PENALTIES, GRANT, purpose="case").code == "granted"
    assert ask(PENALTIES, GRANT, purpose="permit").code == "purpose_not_covered"
    assert ask({**PENALTIES, "table_name": "permits"}, GRANT, purpose="case").code == "not_yet_granted"


def test_a_grant_by_another_than_the_provider_opens_nothing() -> None:
    taken_over = {**PENALTIES, "provider": "yjgl"}
    assert ask(taken_over, GRANT, purpose="case").code == "not_yet_granted"


def test_a_purpose_is_asked_for_before_anything_is_opened() -> None:
    decision = ask(PENALTIES, GRANT)
    assert (decision.allowed, decision.code, decision.needs_purpose) == (False, "purpose_needed", True)
    assert decision.opens_table


def test_grants_that_cover_the_purpose_add_up() -> None:
    more = {**NARROW, "id": "g-3", "columns": ["fine"]}
    assert ask(PENALTIES, NARROW, more, purpose="lead").columns == ("decision_no", "fine", "party")
    whole = ask(PENALTIES, NARROW, {**GRANT, "purposes": ["lead"]}, purpose="lead")
    assert (whole.columns, whole.grant_id) == (None, "g-1")


def test_a_whole_grant_for_another_purpose_does_not_widen_a_narrow_one() -> None:
    decision = ask(PENALTIES, GRANT, NARROW, purpose="lead")
    assert (decision.columns, decision.grant_id) == (("decision_no", "party"), "g-2")


def test_a_column_list_never_opens_the_table_of_datasette() -> None:
    assert not ask(PENALTIES, NARROW).opens_table
    decision = ask(PENALTIES, NARROW, purpose="lead")
    assert decision.allowed
    assert not decision.opens_table


def test_what_is_not_shared_stays_so_whatever_was_granted() -> None:
    decision = ask(classed("不予共享", basis="《演示法》第三条"), GRANT, purpose="case")
    assert (decision.code, decision.basis) == ("not_shared", "《演示法》第三条")
    assert "《演示法》第三条" in decision.reason_zh


def test_a_suspension_wins_over_everything_but_own_data_and_the_directory() -> None:
    for resource in (classed("无条件共享"), PENALTIES, classed("不予共享")):
        decision = ask(resource, GRANT, suspensions=[SUSPENDED], purpose="case")
        assert (decision.code, decision.suspension) == ("suspended", "s-1")
    assert decide("supervisor", "sfj", PENALTIES, [], [SUSPENDED], "supervision").code == "suspended"
    assert decide("agency", "scjg", PENALTIES, [], [SUSPENDED]).code == "own"
    assert ask({**PENALTIES, "database": "directory"}, suspensions=[SUSPENDED]).code == "directory"


def test_the_article_on_suspensions_is_named_once() -> None:
    for basis in ("条例第二十七条", "政务数据共享条例第二十七条"):
        decision = ask(PENALTIES, GRANT, suspensions=[{**SUSPENDED, "basis": basis}], purpose="case")
        assert decision.reason_zh.count("第二十七条") == 1
        assert decision.basis == basis
    decision = ask(PENALTIES, GRANT, suspensions=[{**SUSPENDED, "basis": "《演示办法》第九条"}], purpose="case")
    assert "条例第二十七条；《演示办法》第九条" in decision.reason_zh
    assert "条例 art. 27; 《演示办法》第九条" in decision.reason_en


def test_a_suspension_of_one_table_leaves_the_others() -> None:
    one = {**SUSPENDED, "resource": "work/penalties"}
    assert ask(PENALTIES, GRANT, suspensions=[one], purpose="case").code == "suspended"
    assert ask({**classed("无条件共享"), "table_name": "permits"}, suspensions=[one]).code == "unconditional"


def test_a_published_condition_that_the_register_shows_unmet_is_a_refusal() -> None:
    by_type = {**PENALTIES, "condition": "仅限县级部门", "condition_types": ["部门", "垂直"]}
    assert ask(by_type, GRANT, purpose="case", agency_type="镇").code == "condition_unmet"
    assert ask(by_type, GRANT, purpose="case", agency_type="部门").code == "granted"
    by_purpose = {**PENALTIES, "condition_purposes": ["case"]}
    assert ask(by_purpose, GRANT, purpose="joint").code == "condition_unmet"
    assert ask(by_purpose, GRANT).code == "purpose_needed"


def test_an_agency_of_unknown_type_does_not_pass_a_condition_on_types() -> None:
    assert ask({**PENALTIES, "condition_types": ["部门"]}, GRANT, purpose="case").code == "condition_unmet"


def test_a_provider_sees_its_own_data() -> None:
    assert decide("agency", "scjg", classed("不予共享"), [], []).code == "own"


def test_supervisors_read_everything_for_supervision_and_say_so_each_time() -> None:
    resource = classed("不予共享")
    assert decide("supervisor", "sfj", resource, [], []).code == "purpose_needed"
    assert decide("supervisor", "sfj", resource, [], [], "case").code == "purpose_not_covered"
    assert decide("supervisor", "sfj", resource, [], [], "supervision").code == "supervision"


def test_supervisors_read_what_is_unconditional_as_everybody_does() -> None:
    decision = decide("supervisor", "sfj", classed("无条件共享"), [], [])
    assert (decision.code, decision.needs_purpose) == ("unconditional", False)


def test_the_data_authority_has_no_leave_of_its_own() -> None:
    assert not decide("data_authority", "sjj", PENALTIES, [], [], "case").allowed


def test_only_three_kinds_of_no_are_refusals() -> None:
    assert set(REFUSALS) == {"not_shared", "condition_unmet", "suspended"}
    assert not ask().refused
    assert not ask(PENALTIES, GRANT, purpose="permit").refused
    assert ask(classed("不予共享")).refused


@given(
    st.sampled_from(("agency", "supervisor", "data_authority", "operator")),
    st.sampled_from(("zhzf", "scjg")),
    st.sampled_from(CLASSES),
    st.lists(st.sampled_from((GRANT, NARROW)), max_size=2),
    st.lists(st.just(SUSPENDED), max_size=1),
    st.sampled_from((None, "case", "lead", "permit", "supervision")),
)
def test_every_decision_says_why_and_on_what_and_is_of_one_sort(
    role: str,
    agency: str,
    sharing_class: str,
    grants: list[dict[str, Any]],
    suspensions: list[dict[str, Any]],
    purpose: str | None,
) -> None:
    decision = decide(role, agency, classed(sharing_class), grants, suspensions, purpose)
    assert decision.reason_en
    assert decision.reason_zh
    assert decision.basis
    sorts = (decision.allowed, decision.refused, decision.code in REFERRALS, decision.code == "purpose_needed")
    assert sum(sorts) == 1
    if decision.opens_table and agency != "scjg":
        assert decision.columns is None
        assert not suspensions
    if decision.needs_purpose and decision.allowed:
        assert purpose is not None
