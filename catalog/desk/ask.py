"""What a request must say before it is sent, from a form or a call: read and checked, nothing stored. Pure.

Source: 19号 三(四) (a query: purpose, content, urgency); 条例 (令809) art. 20 (an application: basis, scene,
scope, way, period, and the consent of the head of the 共享工作机构).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog import purpose
from catalog.desk.errors import DeskError
from catalog.desk.files import Upload
from catalog.desk.subjects import Subject
from catalog.purpose import Purpose, PurposeError
from ledger.cases.states import Act
from ledger.rules.deadlines import SHANGHAI
from ledger.rules.text_checks import QUESTION, check_text

MAX_TEXT_LENGTH = 2_000
MAX_LINE_LENGTH = 200
ACTS = (Act.QUERY, Act.APPLICATION)
CHANNELS = ("desk", "letter", "phone", "in_person")
#: 条例 art. 20, what an application names.
APPLICATION = ("basis", "scene", "scope", "way", "period")
#: The kind of reference that a purpose's code fixes, as the entry says it.
REFERENCE_KINDS = {
    "case": "case_number",
    "inspection": "task_number",
    "joint": "plan_number",
    "coordinated": "plan_number",
    "transfer": "case_number",
    "lead": "lead_number",
    "permit": "permit_number",
    "supervision": "notice_number",
    "other": "document_number",
}
_LOCAL_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Register:
    """What is known of agencies and data when a request is read.

    Attributes:
        agency: who records it.
        parties: ids of the agencies that ask and answer.
        providers: a published resource's provider, by ``database/table``.
        approvers: logins of the approvers of an agency today, by its id.
    """

    agency: str
    parties: frozenset[str]
    providers: Mapping[str, str]
    approvers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was checked.

    Attributes:
        description: what is asked for, in words.
        application: of an application, :data:`APPLICATION` by name.
        urgent_reason: not empty where it is especially urgent; then ``approver`` is the login of who approves that.
        received_at: when it came, where it came otherwise than over the desk.
    """

    act: Act
    requester: str
    provider: str
    resource: str | None
    description: str
    purpose: Purpose
    subjects: tuple[Subject, ...] = ()
    application: Mapping[str, str] = field(default_factory=dict)
    urgent_reason: str = ""
    approver: str = ""
    channel: str = "desk"
    received_at: datetime | None = None
    uploads: tuple[Upload, ...] = ()

    @property
    def is_urgent(self) -> bool:
        return bool(self.urgent_reason)


def read(
    given: Mapping[str, Any],
    register: Register,
    now: datetime,
    *,
    subjects: tuple[Subject, ...] = (),
    uploads: tuple[Upload, ...] = (),
) -> Ask:
    """The request that ``given`` says: act, provider, resource, description, purpose (code, reference, words,
    participants), application, urgent, urgent_reason, approver, channel, requester, received_at.

    Raises:
        DeskError: the first thing that is missing or cannot be, with its field.
    """
    act = _act(given)
    channel = str(given.get("channel") or "desk")
    if channel not in CHANNELS:
        raise DeskError("channel", f"channel is one of {', '.join(CHANNELS)}", f"收件方式应为{'、'.join(CHANNELS)}之一")
    resource, provider = _provider(given, register)
    requester = _requester(given, register, channel, provider)
    description = free_text(given, "description", required=resource is None)
    stated = _purpose(given, register)
    application = _application(given) if act is Act.APPLICATION else {}
    urgent = bool(given.get("urgent"))
    reason = free_text(given, "urgent_reason", required=urgent) if urgent else ""
    needs_approver = urgent or act is Act.APPLICATION
    return Ask(
        act,
        requester,
        provider,
        resource,
        description,
        stated,
        subjects,
        application,
        reason,
        _approver(given, register, requester) if needs_approver else "",
        channel,
        received_at(given, now) if channel != "desk" else None,
        uploads,
    )


def _act(given: Mapping[str, Any]) -> Act:
    value = given.get("act") or Act.QUERY.value
    if value not in [act.value for act in ACTS]:
        raise DeskError(
            "act",
            "choose what is asked: query (查询), or application (共享申请) for lasting access",
            "请选择请求类型：查询，或需要长期使用的共享申请",
        )
    return Act(value)


def _provider(given: Mapping[str, Any], register: Register) -> tuple[str | None, str]:
    resource = str(given.get("resource") or "").strip()
    named = str(given.get("provider") or "").strip()
    if resource:
        found = register.providers.get(resource)
        if found is None:
            raise DeskError(
                "resource",
                "there is no published data of that name; choose from the catalogue, or describe what is needed",
                "目录中没有该数据；请从目录选择，或改为文字描述",
            )
        if named and named != found:
            raise DeskError(
                "provider",
                f"that data is held by {found}; the request goes there",
                f"该数据由 {found} 提供，请求应向其提出",
            )
        return resource, found
    if named not in register.parties:
        raise DeskError(
            "provider",
            "choose the agency that is asked; an agency that is not registered cannot answer here",
            "请选择被请求的单位；未登记的单位不能在此答复",
        )
    return None, named


def _requester(given: Mapping[str, Any], register: Register, channel: str, provider: str) -> str:
    """Whoever asks over the desk asks for their own agency; what came on paper is written down by either side."""
    requester = str(given.get("requester") or register.agency)
    if requester not in register.parties:
        raise DeskError("requester", "choose the agency that asks, from the register", "请从登记册中选择查询单位")
    if requester == provider:
        raise DeskError("provider", "an agency does not ask itself", "不能向本单位提出请求；请选择另一单位")
    if register.agency not in (requester, provider if channel != "desk" else requester):
        raise DeskError(
            "requester",
            "over the desk you ask for your own agency; what came on paper is recorded by who sent or received it",
            "在线请求只能以本单位名义提出；书面、电话等收到的请求由收发双方之一登记",
        )
    return requester


def _purpose(given: Mapping[str, Any], register: Register) -> Purpose:
    stated = given.get("purpose")
    try:
        return purpose.parse(stated if isinstance(stated, Mapping) else {}, sorted(register.parties))
    except PurposeError as error:
        raise DeskError(f"purpose.{error.field}", error.en, error.zh) from error


def _application(given: Mapping[str, Any]) -> dict[str, str]:
    value = given.get("application")
    said = value if isinstance(value, Mapping) else {}
    return {name: free_text(said, name, required=True, place=f"application.{name}") for name in APPLICATION}


def _approver(given: Mapping[str, Any], register: Register, requester: str) -> str:
    """19号 三(四): 特别紧急…; 条例 art. 20: with the consent of the head of the office."""
    login = str(given.get("approver") or "").strip()
    if login not in register.approvers.get(requester, ()):
        raise DeskError(
            "approver",
            "name the approver (负责人) of the asking agency who consents: by login, and in that role today",
            "请选择同意本请求的查询单位负责人（今日具有该角色的账号）",
        )
    return login


#: The texts of requests, as messages call them.
_NAMES = {
    "description": ("what is asked for", "请求内容"),
    "urgent_reason": ("why it is especially urgent", "特别紧急的理由"),
    "basis": ("the legal basis of the use", "使用依据"),
    "scene": ("the business that needs it", "使用场景"),
    "scope": ("the scope: which data, of whom", "使用范围"),
    "way": ("the way of sharing", "共享方式"),
    "period": ("the period of use", "使用时限"),
    "reason": ("the reason", "理由"),
    "note": ("the note", "说明"),
    "wanted": ("what is to be supplemented", "需补充的内容"),
    "supplement": ("the supplement", "补充内容"),
    "text": ("the answer in words", "答复说明"),
    "terms": ("the terms of sharing", "共享条件"),
    "document": ("the document's number", "文号"),
    "withheld": ("what is withheld", "不予提供的部分"),
}


def free_text(given: Mapping[str, Any], name: str, *, required: bool, place: str = "", secrecy: bool = False) -> str:
    """A text that somebody typed, looked at before anything is stored (:mod:`ledger.rules.text_checks`).

    Args:
        place: the field's name, where it is not ``name``.
        secrecy: a bare claim of secrecy is refused here (a reason for not giving something).

    Raises:
        DeskError: it is missing, too long, holds a classified marking or an ID number.
    """
    value = given.get(name)
    text = value.strip() if isinstance(value, str) else ""
    en, zh = _NAMES.get(name, (name, name))
    if required and (not text or purpose.is_filler(text)):
        raise DeskError(
            place or name, f"write down {en}, in your own words", f"请填写{zh}，不能只填套话", code="missing"
        )
    if (value is not None and not isinstance(value, str)) or len(text) > MAX_TEXT_LENGTH:
        raise DeskError(
            place or name,
            f"{en}: a text of at most {MAX_TEXT_LENGTH} characters",
            f"{zh}应为不超过 {MAX_TEXT_LENGTH} 字的文字",
        )
    for found in check_text(text, may_speak_of_secrecy=not secrecy):
        if found.action != QUESTION or secrecy:
            raise DeskError(place or name, f"{en}: {found.en}", f"{zh}：{found.zh}", code=found.code)
    return "".join(char for char in text if char in "\n\t" or char.isprintable())


def received_at(given: Mapping[str, Any], now: datetime) -> datetime:
    """When something came on paper or by telephone: in the past, and with a zone, or as the form's county time.

    Raises:
        DeskError: no instant, one without a zone, or one to come.
    """
    text = str(given.get("received_at") or "").strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise DeskError(
            "received_at",
            "say when it was received, like 2026-11-23T09:30+08:00",
            "请填写收到时间，例如 2026-11-23T09:30+08:00",
        ) from error
    if found.tzinfo is None:
        if not (given.get("local_time") and _LOCAL_MINUTE.fullmatch(text)):
            raise DeskError(
                "received_at",
                f"the time {text} has no zone, so it is no instant; write it like {text[:16]}+08:00",
                f"时间 {text} 没有时区，无法确定时刻；请写成 {text[:16]}+08:00",
                code="no_zone",
            )
        found = found.replace(tzinfo=SHANGHAI)
    if found > now:
        raise DeskError(
            "received_at",
            f"{text} is still to come; the clock starts when the request was really received",
            f"{text} 尚未到来；应填写实际收到请求的时间，期限由此起算",
            code="future",
        )
    return found
