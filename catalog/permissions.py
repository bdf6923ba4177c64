"""May this agency see this table: sharing class and grants, always with the clause that decides. Pure.

Sharing classes after 政务数据共享条例 (国务院令第809号) art. 14: 无条件共享 needs no grant; 有条件共享 and
未定 need one (deny by default); 不予共享 is not shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Databases whose published tables every signed-in agency may read: the catalogue itself.
OPEN_DATABASES = frozenset({"directory"})


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an agency may see a table now, and why, in both languages."""

    allowed: bool
    code: str
    reason_en: str
    reason_zh: str


def decide(role: str, agency: str, resource: Mapping[str, str], grants: Iterable[Mapping[str, str]]) -> Decision:
    """Decide for one published table.

    Args:
        role: the agency's role (agency | supervisor | data_authority).
        resource: database, table_name, provider, sharing_class.
        grants: the agency's grants in force today.
    """
    decided = _without_grant(role, agency, resource)
    if decided is not None:
        return decided
    for grant in grants:
        if (grant["database"], grant["table_name"]) == (resource["database"], resource["table_name"]):
            return Decision(
                True,
                "granted",
                f"granted until {grant['valid_to']} ({grant['basis']})",
                f"已获授权，至 {grant['valid_to']}（{grant['basis']}）",
            )
    if resource["sharing_class"] == "不予共享":
        return Decision(
            False,
            "not_shared",
            "not shared; the basis is stated in the directory (条例 arts. 14, 15)",
            "不予共享，依据见目录（条例第十四、十五条）",
        )
    return Decision(
        False,
        "not_yet_granted",
        "not yet granted: ask the provider for it; this is not a refusal",
        "尚未获得授权：请向提供单位申请；这不是拒绝",
    )


def _without_grant(role: str, agency: str, resource: Mapping[str, str]) -> Decision | None:
    """What allows the table without any grant, if anything does."""
    if resource["database"] in OPEN_DATABASES:
        return Decision(True, "directory", "the directory is open to every agency", "目录向各单位开放")
    if resource["provider"] == agency:
        return Decision(True, "own", "your own agency's data", "本单位提供的数据")
    if role == "supervisor":
        return Decision(True, "supervision", "supervising office; the reading is recorded", "监督机构查阅，查阅留痕")
    if resource["sharing_class"] == "无条件共享":
        return Decision(True, "unconditional", "shared unconditionally (条例 art. 14)", "无条件共享（条例第十四条）")
    return None
