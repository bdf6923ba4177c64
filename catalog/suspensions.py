"""Suspending an agency's access for misuse, and restoring it (条例 art. 27): each an entry of the ledger.

Art. 27 gives this to the 政务数据共享主管部门, and to a provider for its own data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.errors import UsageError
from catalog.grants import MAX_TEXT_LENGTH
from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import Appended, Ledger

ARTICLE = "政务数据共享条例第二十七条"


def suspend(
    register: Register,
    ledger: Ledger,
    suspension: Mapping[str, str | None],
    *,
    officer: str | None = None,
) -> Appended:
    """Suspend an agency's access: keys id, agency, resource (None: all of its access), by, basis, reason.

    Raises:
        UsageError: who suspends may not, the agency is unknown, or no reason is given.
        ConflictError: a suspension of that id was recorded before.
    """
    given = {name: (suspension.get(name) or "").strip() for name in ("id", "agency", "by", "basis", "reason")}
    resource = suspension.get("resource") or None
    agency = register.one("SELECT role FROM agencies WHERE id = ?", (given["agency"],))
    if agency is None:
        raise UsageError(
            f"there is no agency {given['agency']!r}; see `liandong agency list`",
            f"没有单位 {given['agency']!r}；请查看 `liandong agency list`",
        )
    _check_by(register, given["by"], resource)
    if not 0 < len(given["reason"]) <= MAX_TEXT_LENGTH or len(given["basis"]) > MAX_TEXT_LENGTH:
        raise UsageError(
            f"say what the agency did that its access is suspended for, in at most {MAX_TEXT_LENGTH} characters",
            f"请写明暂停共享的事由，即该单位的违规情形，不超过 {MAX_TEXT_LENGTH} 字",
        )
    if (
        resource is not None
        and register.one("SELECT 1 FROM resources WHERE database || '/' || table_name = ?", (resource,)) is None
    ):
        raise UsageError(
            f"{resource!r} is not published; see `liandong resource list` (write it as DATABASE/TABLE)",
            f"{resource!r} 未发布；请查看 `liandong resource list`（写法为 数据库/表）",
        )
    fields = {
        "suspension": given["id"],
        "agency": given["agency"],
        "resource": resource,
        "by": given["by"],
        "basis": given["basis"] or ARTICLE,
        "reason": given["reason"],
    }
    once = (f"access.suspended:{given['id']}",)
    return record(register, ledger, "access.suspended", fields, particulars={"officer": officer}, once=once)


def restore(
    register: Register, ledger: Ledger, suspension_id: str, by: str, reason: str, *, officer: str | None = None
) -> Appended:
    """Restore access that was suspended.

    Raises:
        UsageError: there is no such suspension in force, who restores may not, or no reason is given.
        ConflictError: somebody else restored it at the same moment.
    """
    row = register.one("SELECT * FROM suspensions WHERE id = ? AND restored_at IS NULL", (suspension_id,))
    if row is None:
        raise UsageError(
            f"there is no suspension {suspension_id!r} in force; see `liandong access list`",
            f"没有生效中的暂停 {suspension_id!r}；请查看 `liandong access list`",
        )
    _check_by(register, by, row["resource"])
    if not 0 < len(reason.strip()) <= MAX_TEXT_LENGTH:
        raise UsageError(
            f"say why access is restored, such as what was put right, in at most {MAX_TEXT_LENGTH} characters",
            f"请写明恢复共享的理由，如整改情况，不超过 {MAX_TEXT_LENGTH} 字",
        )
    fields = {"suspension": suspension_id, "agency": row["agency"], "by": by, "reason": reason.strip()}
    once = (f"access.restored:{suspension_id}",)
    return record(register, ledger, "access.restored", fields, particulars={"officer": officer}, once=once)


def every(register: Register) -> list[dict[str, Any]]:
    """All suspensions, newest first; ``restored_at`` None while one is in force."""
    return [dict(row) for row in register.all("SELECT * FROM suspensions ORDER BY seq DESC")]


def one(register: Register, suspension_id: str) -> dict[str, Any] | None:
    """A suspension by its id, restored or not."""
    row = register.one("SELECT * FROM suspensions WHERE id = ?", (suspension_id,))
    return dict(row) if row is not None else None


def next_id(register: Register) -> str:
    """The next free id for a suspension. Two processes may find the same one: using it twice is a ConflictError."""
    (number,) = register.one("SELECT count(*) + 1 FROM suspensions") or (1,)
    return f"s-{number:04}"


def _check_by(register: Register, by: str, resource: str | None) -> None:
    row = register.one("SELECT role FROM agencies WHERE id = ?", (by,))
    if row is not None and row["role"] == "data_authority":
        return
    own = resource is not None and register.one(
        "SELECT 1 FROM resources WHERE database || '/' || table_name = ? AND provider = ?", (resource, by)
    )
    if not own:
        raise UsageError(
            f"{by!r} may not suspend or restore this: that is the data authority's, and a provider's for its own data "
            "(条例 art. 27)",
            f"{by!r} 无权暂停或恢复：由政务数据共享主管部门决定，提供单位只能就本单位数据决定（条例第二十七条）",
        )
