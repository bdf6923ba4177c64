"""What begins a case that is no request: a correction (校核), a transfer (案件移送). Read, checked. Pure.

Source: 条例 (令809) art. 26; 19号 三(三): 应事先通报接收部门, 并在通报之日起3个工作日内发出移送函.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.desk.ask import CHANNELS, Register, free_text, received_at
from catalog.desk.errors import DeskError
from catalog.desk.files import Upload
from ledger.cases.states import Act

TRANSFERS = ("no_jurisdiction", "power_moved", "crime")
_MAX_ROW_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Opening:
    """The first entry of a case.

    Attributes:
        fields, particulars: of its kind (docs/spec/kinds.md), without clock and attachments.
        started_at: when it was received or notified, where that was not now.
    """

    kind: str
    act: Act
    fields: Mapping[str, Any] = field(default_factory=dict)
    particulars: Mapping[str, Any] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    started_at: datetime | None = None


def read_correction(
    given: Mapping[str, Any], register: Register, uploads: tuple[Upload, ...], served: Mapping[str, Any] | None
) -> Opening:
    """A correction that ``given`` asks for: resource, row, description.

    Args:
        served: the entry of the agency's own query that gave the data, where one is named.

    Raises:
        DeskError: the first thing that is missing or cannot be, with its field.
    """
    resource = str(given.get("resource") or "").strip()
    provider = register.providers.get(resource)
    if provider is None:
        raise DeskError(
            "resource",
            "say which published data is wrong: from its row, or from the query that gave it",
            "请写明哪项已发布的数据有误：从该行或者从得到它的查询进入",
        )
    if provider == register.agency:
        raise DeskError(
            "resource",
            "this is your own data: correct it where it is kept and load it again",
            "这是本单位的数据：请在来源处更正后重新入库",
        )
    if served is not None and (served.get("kind"), served.get("requester")) != ("query.served", register.agency):
        raise DeskError("served", "that entry is no query of your agency", "该条目不是本单位的查询")
    row = str(given.get("row") or "").strip()[:_MAX_ROW_LENGTH]
    return Opening(
        "correction.received",
        Act.CORRECTION,
        {
            "requester": register.agency,
            "provider": provider,
            "resource": resource,
            "channel": "desk",
            **({"served": served["seq"]} if served is not None else {}),
        },
        {"description": free_text(given, "description", required=True), "row": row},
        uploads,
    )


def read_transfer(given: Mapping[str, Any], register: Register, now: datetime) -> Opening:
    """A notice of a transfer that ``given`` records: receiver, transfer, channel, received_at, description,
    receiver_person_role, reference. Raises :class:`DeskError`."""
    receiver = str(given.get("receiver") or "")
    if receiver not in register.parties or receiver == register.agency:
        raise DeskError("receiver", "choose the agency that receives the case", "请选择接收单位")
    if given.get("transfer") not in TRANSFERS:
        raise DeskError("transfer", f"transfer is one of {', '.join(TRANSFERS)}", "请选择移送类型")
    channel = str(given.get("channel") or "desk")
    if channel not in CHANNELS:
        raise DeskError("channel", f"channel is one of {', '.join(CHANNELS)}", "请选择通报方式")
    return Opening(
        "transfer.notified",
        Act.TRANSFER,
        {"sender": register.agency, "receiver": receiver, "transfer": given["transfer"], "channel": channel},
        {
            "description": free_text(given, "description", required=True),
            "receiver_person_role": free_text(given, "receiver_person_role", required=False),
            "reference": free_text(given, "reference", required=True),
        },
        started_at=received_at(given, now) if channel != "desk" else None,
    )
