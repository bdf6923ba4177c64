"""The register of agencies (单位): who takes part, of which type, in which role."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import Appended, Ledger

#: 类型 of 政务信息资源目录编制: town, subdistrict, development zone, department, vertically led.
TYPES = ("镇", "街道", "开发区", "部门", "垂直")
#: agency; supervisor (监督机构); data_authority (数据主管部门); operator (运维单位). Nobody has two.
ROLES = ("agency", "supervisor", "data_authority", "operator")


def register_agency(register: Register, ledger: Ledger, agency: Mapping[str, str | None]) -> Appended:
    """Register an agency, or its new name: keys id, name_zh, name_en, short_name, type, role, superior.

    Raises:
        EntryError: a field is missing or out of form.
    """
    fields = {
        "agency": agency["id"],
        **{name: agency[name] for name in ("name_zh", "name_en", "short_name", "type", "role")},
        "superior": agency.get("superior"),
    }
    return record(register, ledger, "agency.registered", fields)


def agencies(register: Register) -> list[dict[str, str]]:
    """All agencies, by role and id."""
    return [dict(row) for row in register.all("SELECT * FROM agencies ORDER BY role, id")]
