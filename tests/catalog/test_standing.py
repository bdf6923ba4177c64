"""Why may we, why may we not: what was considered and what would change it."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.permissions import Decision
from catalog.standing import standing

RESOURCE = {"database": "work", "table_name": "penalties", "provider": "scjg"}
GRANT = {"id": "g-1", "valid_from": "2026-01-01", "valid_to": "2026-12-31", "revoked_at": None}


def stand(code: str, *grants: dict[str, Any], **by_purpose: Decision) -> Any:
    decision = Decision(False, code, "why", "为何")
    return standing(decision, by_purpose, grants, RESOURCE, "2026-11-23", "sjj")


@pytest.mark.parametrize(
    ("code", "who"),
    [
        ("not_yet_granted", "scjg"),
        ("not_shared", "scjg"),
        ("condition_unmet", "scjg"),
        ("suspended", "sjj"),
        ("purpose_needed", ""),
    ],
)
def test_every_no_says_what_would_change_it_and_who_can(code: str, who: str) -> None:
    (change,) = stand(code).changes
    assert change.who == who
    assert change.en
    assert change.zh


def test_what_is_open_needs_no_change() -> None:
    assert stand("granted").changes == ()


def test_grants_that_do_not_count_today_are_named_with_the_day() -> None:
    early = {**GRANT, "id": "g-2", "valid_from": "2027-01-01", "valid_to": "2027-12-31"}
    late = {**GRANT, "id": "g-3", "valid_to": "2026-06-30"}
    revoked = {**GRANT, "id": "g-4", "revoked_at": "2026-07-01T00:00:00.000Z"}
    found = stand("not_yet_granted", GRANT, early, late, revoked)
    assert [each.state for each in found.considered] == ["in_force", "not_yet", "expired", "revoked"]
    said = [change.en for change in found.changes]
    assert any("g-2 begins on 2027-01-01" in each for each in said)
    assert any("g-3 ended on 2026-06-30" in each for each in said)
    assert not any("g-4" in each for each in said)


def test_the_grant_that_opens_a_purpose_is_marked() -> None:
    found = stand("purpose_needed", GRANT, case=Decision(True, "granted", "", "", grant_id="g-1"))
    assert found.considered[0].covers
