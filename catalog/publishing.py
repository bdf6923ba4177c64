"""Which tables may be published as resources, and how: the data authority's act. DESIGN §4; 条例 arts. 14, 15.

Every published table has a sharing class. 不予共享 needs the statute and the article that say so; 有条件共享 says for
which scope and use.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog import grants
from catalog.errors import UsageError
from catalog.identity import agencies
from catalog.identity.duties import PROVIDERS
from catalog.identity.projection import record
from catalog.identity.register import Register
from ledger import CATEGORIES, Appended, Instance, Ledger

SHARING_CLASSES = ("无条件共享", "有条件共享", "不予共享", "未定")
_MAX_TEXT_LENGTH = 500
#: A statute in Chinese title marks or an English "Act/Law/Regulation …", and an article of it.
_BASIS = re.compile(r"《[^《》]+》.*第[〇零一二三四五六七八九十百千\d]+条", re.S)


@dataclass(frozen=True, slots=True)
class Publication:
    """A table and how it is to be shared; ``resource`` is ``database/table``.

    Attributes:
        types, purposes: what of the condition the register can check: types of agencies, codes of purpose.
    """

    resource: str
    provider: str
    sharing_class: str
    condition: str | None = None
    basis: str | None = None
    types: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()


def tables(instance: Instance) -> list[str]:
    """Tables of the six databases that may be published, as ``database/table``."""
    return [f"{category}/{table}" for category in CATEGORIES for table in _tables(instance.database_path(category))]


def _tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return [name for (name,) in rows if re.fullmatch(r"[a-z][a-z0-9_]*", name) and not name.startswith("sqlite_")]


def check(instance: Instance, register: Register, wanted: Publication) -> None:
    """Raise unless a table may be published so.

    Raises:
        UsageError: no such table or provider, or what the sharing class needs is missing.
    """
    if wanted.resource not in tables(instance):
        raise UsageError(
            f"there is no table {wanted.resource!r}; see `liandong resource list` (write it as DATABASE/TABLE)",
            f"没有数据表 {wanted.resource!r}；请查看 `liandong resource list`（写法为 数据库/表）",
        )
    provider = agencies.find(register, wanted.provider)
    if provider is None or provider["role"] not in PROVIDERS:
        raise UsageError(
            f"{wanted.provider!r} cannot provide data: it is not registered, or it is the operator, who only runs the "
            "system",
            f"{wanted.provider!r} 不能作为提供单位：未登记，或是只负责运行系统的运维单位",
        )
    if wanted.sharing_class not in SHARING_CLASSES:
        raise UsageError(
            f"the sharing class {wanted.sharing_class!r} is none of {', '.join(SHARING_CLASSES)}",
            f"共享属性 {wanted.sharing_class!r} 应为{'、'.join(SHARING_CLASSES)}之一",
        )
    if wanted.sharing_class == "不予共享" and not _BASIS.search(wanted.basis or ""):
        raise UsageError(
            "不予共享 needs --basis with the statute and its article, such as 《…法》第…条 (条例 arts. 14, 15)",
            "“不予共享”须用 --basis 写明法律、行政法规或国务院决定的名称和条款，如《……法》第……条（条例第十四、十五条）",
        )
    if wanted.sharing_class == "有条件共享" and not (wanted.condition or "").strip():
        raise UsageError(
            "有条件共享 needs --condition: for which scope and which use it is shared (条例 art. 15)",
            "“有条件共享”须用 --condition 写明共享范围和用途（条例第十五条）",
        )
    if (wanted.types or wanted.purposes) and wanted.sharing_class != "有条件共享":
        raise UsageError(
            "only 有条件共享 has conditions: leave types and purposes out, or share on conditions",
            "只有“有条件共享”才有条件：请去掉单位类型和事由，或改为有条件共享",
        )
    for text in (wanted.condition, wanted.basis):
        if text is not None and (len(text) > _MAX_TEXT_LENGTH or not text.strip()):
            raise UsageError(
                f"condition and basis are texts of 1 to {_MAX_TEXT_LENGTH} characters",
                f"共享条件和依据应为 1 至 {_MAX_TEXT_LENGTH} 个字",
            )


def publish(
    instance: Instance, register: Register, ledger: Ledger, wanted: Publication, officer: str | None
) -> Appended:
    """Publish a table, or publish it differently; it is so from the next request on. Raises as :func:`check`."""
    check(instance, register, wanted)
    return grants.publish(
        register,
        ledger,
        wanted.resource,
        wanted.provider,
        wanted.sharing_class,
        condition=wanted.condition,
        condition_types=wanted.types or None,
        condition_purposes=wanted.purposes or None,
        basis=wanted.basis,
        officer=officer,
    )


def withdraw(register: Register, ledger: Ledger, resource: str, reason: str, officer: str | None) -> Appended:
    """Withdraw a published table; nobody opens it from the next request on.

    Raises:
        UsageError: it is not published, or no reason is given.
    """
    found = published(register, resource)
    if found is None:
        raise UsageError(
            f"{resource!r} is not published; see `liandong resource list`",
            f"{resource!r} 未发布；请查看 `liandong resource list`",
        )
    if not 0 < len(reason.strip()) <= _MAX_TEXT_LENGTH:
        raise UsageError("give the reason in a sentence", "请用一句话写明撤回理由")
    fields = {"resource": resource, "provider": found["provider"], "reason": reason.strip()}
    return record(register, ledger, "resource.withdrawn", fields, particulars={"officer": officer})


def published(register: Register, resource: str) -> dict[str, Any] | None:
    """A published table's row, if it is published."""
    for found in grants.resources(register):
        if f"{found['database']}/{found['table_name']}" == resource:
            return found
    return None
