"""The shapes of calls to the desk: what is parsed, and what ``/api/openapi.json`` says, are the same. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.desk.ask import ACTS, APPLICATION, CHANNELS, MAX_TEXT_LENGTH
from catalog.desk.files import MAX_FILE_BYTES, MAX_FILES, MAX_NAME_LENGTH, Upload
from catalog.desk.moves.base import FormField, MoveForm
from catalog.desk.subjects import MAX_LENGTH
from catalog.query.errors import BodyError
from catalog.query.model import PURPOSE
from catalog.query.shapes import Cases, Integer, ListOf, Member, OneOf, Record, Schema, Shape, Text, Truth
from ledger.cases.opening import MAX_SUBJECTS

_BASE64_LENGTH = -(-MAX_FILE_BYTES // 3) * 4


@dataclass(frozen=True, slots=True)
class Prose:
    """Text on several lines; other control characters are dropped where it is read."""

    max_length: int = MAX_TEXT_LENGTH

    def check(self, value: Any, where: str) -> None:
        if type(value) is not str or len(value) > self.max_length:
            raise BodyError(
                where, f"want a text of at most {self.max_length} characters", f"应为不超过 {self.max_length} 字的文字"
            )

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": self.max_length}


_AGENCY = Text(64, 1)
SUBJECT = Record(
    {
        "name": Member(Text(MAX_LENGTH), "Name of the subject.", "名称或姓名。"),
        "code": Member(Text(MAX_LENGTH), "Credit code, ID or plate number.", "统一社会信用代码、证件号码、车牌号。"),
        "note": Member(Text(MAX_LENGTH), "A note.", "备注。"),
    },
    "Subject",
)
FILE = Record(
    {
        "name": Member(Text(MAX_NAME_LENGTH, 1), "Name of the file.", "文件名。", required=True),
        "content": Member(
            Text(_BASE64_LENGTH, 1, "[A-Za-z0-9+/]+={0,2}", "base64", "base64"),
            "The file in base64 (RFC 4648 §4).",
            "文件内容的 base64（RFC 4648 第 4 节）。",
            required=True,
        ),
        "reviewed": Member(
            Truth(),
            "It passed the secrecy review: true.",
            "已经保密审查；须为 true。",
            required=True,
        ),
    },
    "File",
)
_FILES = Member(ListOf(FILE, MAX_FILES), "Attachments.", "附件。")
_SUBJECTS = Member(ListOf(SUBJECT, MAX_SUBJECTS), "Who is asked about.", "查询对象。")
_PLACE = Text(128, 1, "[a-z]+/[a-z][a-z0-9_]*", "a resource, database/table", "数据资源：数据库/数据表")

OPENING = Record(
    {
        "act": Member(OneOf(tuple(act.value for act in ACTS)), "What is asked.", "查询或共享申请。", required=True),
        "resource": Member(_PLACE, "Published data.", "目录中的数据；不在目录中的用 description 写明。"),
        "provider": Member(_AGENCY, "Id of the agency that is asked.", "被请求单位的代码。"),
        "description": Member(Prose(), "What is asked for.", "请求内容。"),
        "purpose": Member(PURPOSE, "What for.", "事由。", required=True),
        "subjects": _SUBJECTS,
        "application": Member(
            Record({name: Member(Prose(), "条例 art. 20.", "条例第二十条。") for name in APPLICATION}),
            "Of an application: basis, scene, scope, way, period.",
            "共享申请的依据、场景、范围、方式、时限。",
        ),
        "urgent": Member(Truth(), "Especially urgent.", "特别紧急。"),
        "urgent_reason": Member(Prose(), "Why it cannot wait.", "特别紧急的理由。"),
        "approver": Member(Text(64, 1), "Login of the approver who consents.", "同意的负责人账号。"),
        "channel": Member(OneOf(CHANNELS), "How it came; desk if left out.", "收件方式；默认 desk。"),
        "requester": Member(_AGENCY, "Who asked, of what came on paper.", "书面等收到的请求的查询单位。"),
        "received_at": Member(Text(40, 1), "When it came, with a zone (RFC 3339).", "收到时间，须带时区（RFC 3339）。"),
        "files": _FILES,
    },
    "Opening",
)


def move_shape(form: MoveForm) -> Record:
    """The shape of one kind of move."""
    said = Member(OneOf((form.slug,)), f"{form.title[1]}.", f"{form.title[0]}。", required=True)
    seen = Member(
        Integer(0),
        "The revision of the request that you looked at: 409 if it moved on.",
        "您所查看的案件版本 revision：已变化则为 409。",
    )
    members = {each.name: _member(each) for each in form.fields if each.kind != "sheet"}  # a call sends rows
    return Record({"move": said, "seen": seen, **members, **({"files": _FILES} if form.takes_files else {})}, form.slug)


def moves_shape(forms: tuple[MoveForm, ...]) -> Cases:
    """The shape of any move."""
    return Cases("move", tuple(move_shape(form) for form in forms))


def _member(each: FormField) -> Member:
    shapes: Mapping[str, Shape] = {
        "text": Prose(),
        "line": Text(200),
        "choice": Text(64),
        "number": Integer(1, 10**9 - 1),
        "rows": ListOf(SUBJECT, MAX_SUBJECTS),
        "check": Truth(),
        "day": Text(10),
        "moment": Text(40),
    }
    shape = each.shape or shapes[each.kind]
    return Member(shape, f"{each.words[1]}.", f"{each.words[0]}。", required=each.required)


def uploads_of(value: Any) -> tuple[Upload, ...]:
    """The attachments of a call whose shape was checked. Raises :class:`BodyError`."""
    found = []
    for index, each in enumerate(value or ()):
        try:
            content = base64.b64decode(each["content"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BodyError(f"files[{index}].content", "this is not base64", "不是 base64") from error
        found.append(Upload(each["name"], content, each["reviewed"]))
    return tuple(found)
