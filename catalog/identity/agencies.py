"""The register of agencies (单位): who takes part, of which type, in which role."""

from __future__ import annotations

import re
from collections.abc import Mapping

from catalog.errors import UsageError
from catalog.identity.duties import AGENCY_ROLE_WORDS, AGENCY_ROLES, OFFICE_WORDS
from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import Appended, Ledger

#: 类型 of 政务信息资源目录编制: town, subdistrict, development zone, department, vertically led.
TYPES = ("镇", "街道", "开发区", "部门", "垂直")
#: What entries say of commands that were run before an operator was registered.
RESERVED = "console"
_ID = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def register_agency(
    register: Register, ledger: Ledger, agency: Mapping[str, str | None], *, once: tuple[str, ...] = ()
) -> Appended:
    """Register an agency, or its new name: keys id, name_zh, name_en, short_name, type, role, superior.

    Raises:
        EntryError: a field is missing or out of form.
        ConflictError: a key in ``once`` was used: the same form was sent before.
    """
    fields = {
        "agency": agency["id"],
        **{name: agency[name] for name in ("name_zh", "name_en", "short_name", "type", "role")},
        "superior": agency.get("superior"),
    }
    return record(register, ledger, "agency.registered", fields, once=once)


def name_office(
    register: Register, ledger: Ledger, agency: str, office: str, *, by: str, officer: str | None
) -> Appended:
    """Name a supervising agency as the justice bureau (``justice``) or the inspection office, for good.

    Their acts differ: only the justice bureau enables grounds of refusal and issues letters and opinions (令825).

    Raises:
        UsageError: it is no supervising agency, has an office, or another has this one.
    """
    found = find(register, agency)
    if found is None or found["role"] != "supervisor":
        raise UsageError(
            f"{agency} is not registered as a supervising office; only one that is can be named",
            f"{agency} 未登记为监督机构；只能指定已登记的监督机构",
        )
    for holder, held in offices(register).items():
        if agency == holder or office == held:
            raise UsageError(
                f"{holder} is named as {OFFICE_WORDS[held][0]} already and stays so; each office has one agency, each "
                "agency one office",
                f"{holder} 已登记为{OFFICE_WORDS[held][1]}，不得更改；一个机构只有一项监督职责，一项职责只属一个机构",
            )
    fields = {"agency": agency, "office": office, "named_by": by}
    return record(register, ledger, "office.named", fields, particulars={"officer": officer})


def offices(register: Register) -> dict[str, str]:
    """Agency to office, of the supervising agencies that were named."""
    return {row["agency"]: row["office"] for row in register.all("SELECT * FROM offices")}


def check_new(register: Register, agency: Mapping[str, str | None]) -> None:
    """Raise unless an agency may be registered as given, beyond what the entry's own form asks.

    Raises:
        UsageError: id, type, role or a name is out of form, or the agency is registered with another role: an
            agency has one role for good, since what it endorsed or supervised would change its meaning.
    """
    if not _ID.fullmatch(agency["id"] or ""):
        raise UsageError(
            f"the agency's id {agency['id']!r} is not of 1 to 32 lower-case letters, digits, dashes and underscores, "
            "a letter first",
            f"单位代码 {agency['id']!r} 应由 1 至 32 个小写字母、数字、短横或下划线组成，以字母开头",
        )
    if agency["id"] == RESERVED:
        raise UsageError(
            f"the id {RESERVED!r} stands in entries for whoever runs commands on the server; choose another",
            f"单位代码 {RESERVED!r} 在台账中专指在服务器上运行命令的人；请另取",
        )
    for name, known in (("type", TYPES), ("role", AGENCY_ROLES)):
        if agency[name] not in known:
            raise UsageError(
                f"{name} {agency[name]!r} is none of {', '.join(known)}",
                f"{name} {agency[name]!r} 应为{'、'.join(known)}之一",
            )
    for name, limit in _LENGTHS.items():
        value = agency.get(name) or ""
        if len(value) > limit or not value.isprintable() or (not value.strip() and name != "superior"):
            raise UsageError(f"{name} is a text of 1 to {limit} characters", f"{name} 应为 1 至 {limit} 个字")
    found = find(register, agency["id"] or "")
    if found is not None and found["role"] != agency["role"]:
        raise UsageError(
            f"{agency['id']} is registered as {AGENCY_ROLE_WORDS[found['role']][0]} and stays so; nobody has two roles",
            f"{agency['id']} 已登记为{AGENCY_ROLE_WORDS[found['role']][1]}，不得更改；一个单位只有一种角色",
        )


#: Names and how long they may be.
_LENGTHS = {"name_zh": 100, "name_en": 200, "short_name": 50, "superior": 100}


def find(register: Register, agency: str) -> dict[str, str] | None:
    """One agency: id, name_zh, name_en, short_name, type, role, superior."""
    row = register.one("SELECT * FROM agencies WHERE id = ?", (agency,))
    return dict(row) if row else None


def agencies(register: Register) -> list[dict[str, str]]:
    """All agencies, by role and id."""
    return [dict(row) for row in register.all("SELECT * FROM agencies ORDER BY role, id")]
