"""A request to the provider, filled in as far as the query itself says it: what stands beside "not yet granted".

No clock starts with it (DESIGN §3): it is a draft, and the asker sends it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from catalog.purpose import CODES, Purpose


@dataclass(frozen=True, slots=True)
class Draft:
    """A request that is ready to be sent.

    Attributes:
        act: 查询 or 共享申请, the acts whose clocks DESIGN §3 tells apart; the asker may change it.
        contact: who answers at the provider.
        items: what is asked for, by column; empty for the whole table.
    """

    resource: str
    title_zh: str
    title_en: str
    provider: str
    provider_zh: str
    provider_en: str
    requester: str
    requester_zh: str
    requester_en: str
    purpose: Purpose | None
    act: str = "查询"
    items: tuple[str, ...] = ()

    @property
    def contact_zh(self) -> str:
        return f"{self.provider_zh}政务数据共享工作机构"

    @property
    def contact_en(self) -> str:
        return f"data-sharing office of {self.provider_en}"

    @property
    def path(self) -> str:
        """The page of the draft. The purpose's particulars do not go into the address."""
        return "/request?" + urlencode({"resource": self.resource})

    def to_json(self) -> dict[str, Any]:
        """The draft for a program."""
        stated: dict[str, Any] | None = None
        if self.purpose is not None:
            stated = {"code": self.purpose.code, **self.purpose.particulars()}
        return {
            "act": self.act,
            "resource": self.resource,
            "title_zh": self.title_zh,
            "title_en": self.title_en,
            "requester": self.requester,
            "provider": self.provider,
            "provider_zh": self.provider_zh,
            "provider_en": self.provider_en,
            "contact_zh": self.contact_zh,
            "contact_en": self.contact_en,
            "purpose": stated,
            "items": list(self.items),
            "url": self.path,
        }

    def purpose_title(self) -> tuple[str, str]:
        """The purpose's code in Chinese and English; empty where none was stated."""
        code = CODES.get(self.purpose.code) if self.purpose is not None else None
        return (code.zh, code.en) if code is not None else ("", "")


def draft(
    resource: Mapping[str, Any],
    title: tuple[str, str],
    requester: str,
    agencies: Sequence[Mapping[str, str]],
    purpose: Purpose | None,
    items: Sequence[str] = (),
) -> Draft:
    """The draft of a request for a published table.

    Args:
        resource: database, table_name and provider.
        title: of the table, in Chinese and English.
        agencies: the register's agencies: id, name_zh, name_en.
    """
    names = {agency["id"]: (agency["name_zh"], agency["name_en"]) for agency in agencies}
    provider: str = resource["provider"]
    provider_zh, provider_en = names.get(provider, (provider, provider))
    requester_zh, requester_en = names.get(requester, (requester, requester))
    return Draft(
        resource=f"{resource['database']}/{resource['table_name']}",
        title_zh=title[0],
        title_en=title[1],
        provider=provider,
        provider_zh=provider_zh,
        provider_en=provider_en,
        requester=requester,
        requester_zh=requester_zh,
        requester_en=requester_en,
        purpose=purpose,
        items=tuple(items),
    )
