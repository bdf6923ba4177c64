"""May this agency see this table: sharing class, grants and suspensions, always with the clause that decides. Pure.

Sharing classes after 政务数据共享条例 (国务院令第809号, below: 条例) art. 14: 无条件共享 needs no grant and no purpose;
有条件共享 and 未定 need a grant (deny by default); 不予共享 is not shared, whatever was granted before it was published
so. A suspension (art. 27) goes before everything but an agency's own data and the directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Databases whose published tables every signed-in agency may read: the catalogue itself.
OPEN_DATABASES = frozenset({"directory"})
#: The code of purpose with which the supervising offices read: their leave is for supervision and nothing else.
SUPERVISION = "supervision"
#: A "no" that counts as a refusal (DESIGN §3), with its ground in the vocabulary of refusals and the clause. Any other
#: "no" does not.
REFUSALS: Mapping[str, str] = {
    "not_shared": "RG16 政务数据共享条例第十四条第三项、第十五条",
    "condition_unmet": "RG17 政务数据共享条例第十五条",
    "suspended": "RG18 政务数据共享条例第二十七条",
}
#: A "no" that a request to the provider may turn into a "yes": recorded as referred, never as refused.
REFERRALS = frozenset({"not_yet_granted", "purpose_not_covered"})


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an agency may see a table now, and why, in both languages.

    Attributes:
        allowed: it may, for the purpose that was stated; a column list may still narrow it.
        code: directory, own, supervision, unconditional or granted where it is allowed; else purpose_needed,
            purpose_not_covered, not_yet_granted, not_shared, suspended, condition_unmet or not_published.
        columns: the only columns that are open, in alphabetical order; None for all of them. With ``purpose_needed``:
            those that some purpose would open.
        grant_id: the oldest grant that decided.
        needs_purpose: each query of this table by this agency states its purpose.
        basis: the clause on which it rests, in the words of the rule, the directory, the grant or the suspension.
        suspension: the suspension's id, where one decided.
    """

    allowed: bool
    code: str
    reason_en: str
    reason_zh: str
    columns: tuple[str, ...] | None = None
    grant_id: str | None = None
    needs_purpose: bool = False
    basis: str = ""
    suspension: str | None = None

    @property
    def opens_table(self) -> bool:
        """Whether Datasette's own table permission may be given: the whole table, for some purpose at least.

        Datasette knows no columns and no purposes. The gate asks for the purpose before Datasette sees the request,
        and keeps from it whatever a column list narrows.
        """
        return (self.allowed or self.code == "purpose_needed") and self.columns is None

    @property
    def refused(self) -> bool:
        """Whether it is a refusal, which names its basis and is counted."""
        return self.code in REFUSALS


def decide(
    role: str,
    agency: str,
    resource: Mapping[str, Any],
    grants: Iterable[Mapping[str, Any]],
    suspensions: Iterable[Mapping[str, Any]],
    purpose_code: str | None = None,
    *,
    agency_type: str = "",
) -> Decision:
    """Decide for one published table.

    Args:
        role: the agency's role (agency | supervisor | data_authority | operator).
        resource: database, table_name, provider, sharing_class, and where they were published condition, basis,
            condition_types and condition_purposes (lists, or None).
        grants: the agency's grants in force today, oldest first: provider, database, table_name, id, purposes,
            columns, valid_to, basis. One by another than the table's provider opens nothing.
        suspensions: the agency's suspensions in force: id, resource (None: all), basis, reason.
        purpose_code: the code of the purpose that was stated, None where none was.
        agency_type: the agency's type in the register (:data:`catalog.identity.agencies.TYPES`), for conditions.
    """
    place = f"{resource['database']}/{resource['table_name']}"
    decided = _always(agency, resource) or _suspended(place, suspensions) or _unconditional(role, resource)
    if decided is None:
        decided = _supervised(purpose_code) if role == "supervisor" else _not_shared(resource)
    if decided is None:
        decided = _unmet(resource, purpose_code, agency_type)
    if decided is None:
        given = [grant for grant in grants if grant["provider"] == resource["provider"]]
        held = [grant for grant in given if f"{grant['database']}/{grant['table_name']}" == place]
        decided = _granted(held, purpose_code) if held else _NOT_YET_GRANTED
    return decided


def _always(agency: str, resource: Mapping[str, Any]) -> Decision | None:
    if resource["database"] in OPEN_DATABASES:
        return Decision(True, "directory", "the directory is open to every agency", "目录向各单位开放", basis=_ART_16)
    if resource["provider"] == agency:
        return Decision(True, "own", "your own agency's data", "本单位提供的数据", basis=_OWN)
    return None


def _unconditional(role: str, resource: Mapping[str, Any]) -> Decision | None:
    if resource["sharing_class"] == "无条件共享" and role != "operator":  # who runs the system is no 政府部门
        return Decision(
            True, "unconditional", "shared unconditionally (条例 art. 14)", "无条件共享（条例第十四条）", basis=_ART_14
        )
    return None


def _not_shared(resource: Mapping[str, Any]) -> Decision | None:
    if resource["sharing_class"] != "不予共享":
        return None
    basis = resource.get("basis") or ""
    return Decision(
        False,
        "not_shared",
        f"not shared (条例 arts. 14, 15); the basis published in the directory: {basis or 'none is stated'}",
        f"不予共享（条例第十四、十五条），目录公布的依据：{basis or '未写明'}",
        basis=basis or _ART_14,
    )


def _suspended(place: str, suspensions: Iterable[Mapping[str, Any]]) -> Decision | None:
    suspension = next((each for each in suspensions if each["resource"] in (None, place)), None)
    if suspension is None:
        return None
    what_en = "all sharing with your agency is" if suspension["resource"] is None else "your agency's access to it is"
    what_zh = "本单位的全部共享权限" if suspension["resource"] is None else "本单位对该数据的共享权限"
    # What is usually put down as the basis is that very article: it is not said twice.
    basis = "" if suspension["basis"].endswith("条例第二十七条") else suspension["basis"]
    return Decision(
        False,
        "suspended",
        f"{what_en} suspended (条例 art. 27{f'; {basis}' if basis else ''}): {suspension['reason']}",
        f"{what_zh}已暂停（条例第二十七条{f'；{basis}' if basis else ''}）：{suspension['reason']}",
        basis=suspension["basis"],
        suspension=suspension["id"],
    )


def _supervised(purpose_code: str | None) -> Decision:
    """Supervisors read whatever is not unconditional for supervision.

    The providers see what for, and each reading names its notice.
    """
    if purpose_code is None:
        return Decision(
            False,
            "purpose_needed",
            "open to the supervising offices; state the number of the notice of supervision first",
            "监督机构可以查阅；请先填写监督通知的文号",
            needs_purpose=True,
            basis=_SUPERVISION,
        )
    if purpose_code != SUPERVISION:
        return Decision(
            False,
            "purpose_not_covered",
            "the supervising offices read for supervision only: state that purpose",
            "监督机构只能以“监督”为事由查阅；请改填该事由",
            needs_purpose=True,
            basis=_SUPERVISION,
        )
    return Decision(
        True,
        "supervision",
        "supervising office; the reading is recorded",
        "监督机构查阅，查阅留痕",
        needs_purpose=True,
        basis=_SUPERVISION,
    )


def _unmet(resource: Mapping[str, Any], purpose_code: str | None, agency_type: str) -> Decision | None:
    """A published condition of which the register itself shows that it is unmet; anything else is for the provider."""
    types, purposes = resource.get("condition_types"), resource.get("condition_purposes")
    condition = resource.get("condition") or ""
    if types is not None and agency_type not in types:
        listed, got = "、".join(types), agency_type or "–"
        return _condition_unmet(
            condition, f"for agencies of type {listed}, yours is {got}", f"仅限{listed}，本单位类型为{got}"
        )
    if purposes is not None and purpose_code is not None and purpose_code not in purposes:
        listed = ", ".join(purposes)
        return _condition_unmet(
            condition,
            f"for purposes {listed}, yours is {purpose_code}",
            f"仅限事由 {listed}，本次事由为 {purpose_code}",
        )
    return None


def _condition_unmet(condition: str, en: str, zh: str) -> Decision:
    said_en, said_zh = (f": {condition}", f"：{condition}") if condition else ("", "")
    return Decision(
        False,
        "condition_unmet",
        f"a condition published in the directory is not met ({en}; 条例 art. 15){said_en}",
        f"不符合目录公布的共享条件（{zh}；条例第十五条）{said_zh}",
        needs_purpose=True,
        basis=condition or zh,
    )


def _granted(held: list[Mapping[str, Any]], purpose_code: str | None) -> Decision:
    """Several grants add up: what any of them opens for the purpose is open."""
    covering = held if purpose_code is None else [grant for grant in held if purpose_code in grant["purposes"]]
    if not covering:
        opened = sorted({code for grant in held for code in grant["purposes"]})
        return Decision(
            False,
            "purpose_not_covered",
            f"granted for other purposes only ({', '.join(opened)}): ask the provider to widen the grant; this is not "
            "a refusal",
            f"已有授权不包含本次事由（已授权事由：{'、'.join(opened)}）：请向提供单位申请扩大授权；这不是拒绝",
            needs_purpose=True,
            basis=_ART_25,
        )
    columns = _union(covering)
    first = next((grant for grant in covering if grant["columns"] is None), covering[0])
    if purpose_code is None:
        return Decision(
            False,
            "purpose_needed",
            f"granted until {first['valid_to']}; state what the query is for first",
            f"已获授权，至 {first['valid_to']}；请先说明查询事由",
            columns,
            first["id"],
            needs_purpose=True,
            basis=first["basis"],
        )
    some_en = f", {len(columns)} columns only" if columns is not None else ""
    some_zh = f"，限 {len(columns)} 个数据项" if columns is not None else ""
    return Decision(
        True,
        "granted",
        f"granted until {first['valid_to']}{some_en} ({first['basis']})",
        f"已获授权，至 {first['valid_to']}{some_zh}（{first['basis']}）",
        columns,
        first["id"],
        needs_purpose=True,
        basis=first["basis"],
    )


def _union(grants: Iterable[Mapping[str, Any]]) -> tuple[str, ...] | None:
    opened: set[str] = set()
    for grant in grants:
        if grant["columns"] is None:
            return None
        opened.update(grant["columns"])
    return tuple(sorted(opened))


_ART_14 = "政务数据共享条例第十四条"
_ART_16 = "政务数据共享条例第十六条"
_ART_25 = "政务数据共享条例第二十五条"
_OWN = "本单位数据"
_SUPERVISION = "行政执法监督条例、政府督查工作条例"
_NOT_YET_GRANTED = Decision(
    False,
    "not_yet_granted",
    "not yet granted (条例 arts. 14, 20): ask the provider for it; this is not a refusal",
    "尚未获得授权（条例第十四、二十条）：请向提供单位申请；这不是拒绝",
    needs_purpose=True,
    basis="政务数据共享条例第十四条、第二十条",
)
#: Nothing of that name is published: whether it exists is not said.
NOT_PUBLISHED = Decision(
    False,
    "not_published",
    "nothing here is published to your agency",
    "此处没有向本单位发布的数据",
    basis=_ART_16,
)
