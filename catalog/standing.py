"""Why an agency may or may not have a table: what was considered, what decided, what would change it. Pure.

DESIGN §5 and features.md row 23: the same text as in the refusal that the requester sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.grants import state
from catalog.permissions import Decision


@dataclass(frozen=True, slots=True)
class Considered:
    """A grant that was looked at; ``state``: in_force, not_yet, expired or revoked."""

    grant: Mapping[str, Any]
    state: str
    covers: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What would change the decision, in both languages; ``who`` is the agency that can do it."""

    en: str
    zh: str
    who: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One agency before one table.

    Attributes:
        by_purpose: the decision for each code of purpose, where a purpose is needed.
    """

    decision: Decision
    by_purpose: Mapping[str, Decision]
    considered: tuple[Considered, ...]
    changes: tuple[Change, ...] = field(default=())


def standing(
    decision: Decision,
    by_purpose: Mapping[str, Decision],
    grants: Iterable[Mapping[str, Any]],
    resource: Mapping[str, Any],
    day: str,
    data_authority: str,
) -> Standing:
    """Put together what :func:`catalog.permissions.decide` decided and looked at.

    Args:
        decision: without a purpose.
        grants: all grants of the agency on this table, in force or not.
        resource: the published table.
        data_authority: the id of the 政务数据共享主管部门.
    """
    opened = {grant_id for each in by_purpose.values() if each.allowed and (grant_id := each.grant_id)}
    considered = tuple(Considered(grant, state(dict(grant), day), grant["id"] in opened) for grant in grants)
    changes = tuple(_changes(decision, considered, resource, data_authority))
    return Standing(decision, by_purpose, considered, changes)


def _changes(
    decision: Decision, considered: tuple[Considered, ...], resource: Mapping[str, Any], data_authority: str
) -> Iterable[Change]:
    provider = resource["provider"]
    if decision.code == "not_yet_granted":
        for each in considered:
            if each.state == "not_yet":
                yield Change(
                    f"grant {each.grant['id']} begins on {each.grant['valid_from']}",
                    f"授权 {each.grant['id']} 自 {each.grant['valid_from']} 起生效",
                    provider,
                )
            if each.state == "expired":
                yield Change(
                    f"grant {each.grant['id']} ended on {each.grant['valid_to']}: ask for it to be renewed",
                    f"授权 {each.grant['id']} 已于 {each.grant['valid_to']} 到期：可申请续期",
                    provider,
                )
        yield Change("a grant by the provider: send it a request", "提供单位给予授权：向其提出请求", provider)
    elif decision.code == "purpose_needed":
        yield Change(
            "a purpose stated with the query, one of those that are granted",
            "查询时说明事由，且属于已授权的事由",
            "",
        )
    elif decision.code == "not_shared":
        yield Change(
            "the entry in the directory changed by its provider and published anew (条例 art. 17); dispute: art. 28",
            "由提供单位变更目录并重新发布（条例第十七条）；有异议的按第二十八条处理",
            provider,
        )
    elif decision.code == "suspended":
        yield Change(
            "access restored after what it was suspended for is put right (条例 art. 27)",
            "整改到位后恢复共享权限（条例第二十七条）",
            data_authority,
        )
    elif decision.code == "condition_unmet":
        yield Change(
            "the published condition met, or changed by the provider (条例 arts. 15, 17)",
            "符合目录公布的条件，或由提供单位变更该条件（条例第十五、十七条）",
            provider,
        )
