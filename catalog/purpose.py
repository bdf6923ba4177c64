"""Why data is asked for (查询事由): a code, and the reference whose kind the code fixes. Pure. DESIGN §4."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from catalog.errors import RequestError

#: In the browser a purpose once stated holds so long for the same resource.
HOLDS = timedelta(hours=2)
MAX_REFERENCE_LENGTH = 60
MAX_WORDS_LENGTH = 200
MAX_PARTICIPANTS = 50


@dataclass(frozen=True, slots=True)
class Code:
    """One code of purpose, and what kind of reference it needs."""

    code: str
    zh: str
    en: str
    reference_zh: str
    reference_en: str
    shared: bool = False  # several agencies act together: lead and participants are named
    words: bool = False  # the code alone says too little


_PLAN = ("联动方案或通知文号", "number of the plan or notice")
CODES: Mapping[str, Code] = {
    item.code: item
    for item in (
        Code("case", "案件调查", "case investigation", "案号", "case number"),
        Code("inspection", "行政检查", "inspection", "检查任务号", "inspection task number"),
        Code(
            "joint", "联合执法", "joint enforcement", "联动方案或通知文号", "number of the plan or notice", shared=True
        ),
        Code(
            "coordinated",
            "协同执法",
            "coordinated enforcement",
            "联动方案或通知文号",
            "number of the plan or notice",
            shared=True,
        ),
        Code("transfer", "案件移送", "case transfer", "案号", "case number"),
        Code("lead", "线索核查", "following a lead", "线索编号", "lead number"),
        Code("permit", "许可审查", "permit review", "受理号", "number of the application"),
        Code("supervision", "监督", "supervision", "通知文号", "number of the notice"),
        Code("other", "其他", "other", "文号或编号", "document or reference number", words=True),
    )
}


@dataclass(frozen=True, slots=True)
class Purpose:
    """A stated purpose that was checked.

    Attributes:
        participants: ids of agencies that act together, the lead first; empty where nobody else takes part.
    """

    code: str
    reference: str
    words: str = ""
    participants: tuple[str, ...] = ()

    def particulars(self) -> dict[str, Any]:
        """What goes into the entry as commitments; the code itself is an open field."""
        values: dict[str, Any] = {"reference": self.reference, "purpose_text": self.words}
        if self.participants:
            values["participants"] = list(self.participants)
        return {name: value for name, value in values.items() if value}


class PurposeError(RequestError):
    """No purpose, or one that says nothing: 422. ``field`` is code, reference, words or participants."""

    def __init__(self, field: str, en: str, zh: str) -> None:
        super().__init__(422, en, zh)
        self.field = field


def parse(value: Mapping[str, Any], agencies: Sequence[str]) -> Purpose:
    """A purpose as it is given by a request or a form: code, reference, words, participants.

    Args:
        agencies: ids of the registered agencies, of which participants must be.

    Raises:
        PurposeError: which part is missing or says nothing, and what is wanted.
    """
    code = CODES.get(str(value.get("code", "")))
    if code is None:
        raise PurposeError(
            "code",
            f"state the purpose of the query, one of {', '.join(CODES)}",
            f"请说明查询事由，代码为 {'、'.join(f'{item.code}（{item.zh}）' for item in CODES.values())} 之一",
        )
    reference = _text(value, "reference", MAX_REFERENCE_LENGTH)
    if not reference or is_filler(reference) or not any(char.isnumeric() for char in reference):
        raise PurposeError(
            "reference",
            f"purpose {code.code} needs the {code.reference_en}, as it stands in your file",
            f"事由“{code.zh}”须填写{code.reference_zh}，按案卷上的写法填写",
        )
    words = _text(value, "words", MAX_WORDS_LENGTH)
    if (code.words and not words) or (words and is_filler(words)):
        raise PurposeError(
            "words",
            "say in a few words what the data is needed for",
            "请用几个字说明数据用途，不能只填“工作需要”之类的套话",
        )
    return Purpose(code.code, reference, words, _participants(code, value, agencies))


def check_party(purpose: Purpose, agency: str) -> Purpose:
    """``purpose``, where the agency that asks takes part in what it asks for, or nobody is said to.

    Raises:
        PurposeError: it asks for joint action of others.
    """
    if purpose.participants and agency not in purpose.participants:
        raise PurposeError(
            "participants",
            f"your own agency ({agency}) is not among those that take part; name all of them, the lead first",
            f"参加单位中没有本单位（{agency}）；请列明全部参加单位，牵头单位在前",
        )
    return purpose


def _participants(code: Code, value: Mapping[str, Any], agencies: Sequence[str]) -> tuple[str, ...]:
    given = value.get("participants") or ()
    if isinstance(given, str) or not all(isinstance(item, str) for item in given):
        given = ()
    unknown = [item for item in given if item not in agencies]
    if len(given) > MAX_PARTICIPANTS or unknown or len(set(given)) != len(given) or (code.shared and len(given) < 2):
        raise PurposeError(
            "participants",
            f"purpose {code.code} names the lead agency first and then the others, by their ids"
            + (f"; unknown: {unknown[0][:40]!r}" if unknown else ""),
            f"事由“{code.zh}”须列明牵头单位和参加单位（单位代码，牵头单位在前）"
            + (f"；未登记：{unknown[0][:40]!r}" if unknown else ""),
        )
    return tuple(given)


#: Words that fill a field and say nothing; compared without spaces, punctuation and case.
_FILLER = frozenset(
    [
        "工作需要",
        "因工作需要",
        "业务需要",
        "办案需要",
        "需要",
        "查询",
        "数据查询",
        "信息查询",
        "测试",
        "无",
        "暂无",
        "其他",
        "其它",
        "不详",
        "如题",
        "同上",
        "领导交办",
        "test",
        "testing",
        "none",
        "na",
        "query",
        "work",
        "data",
        "asdf",
        "qwerty",
    ]
)
_NOISE = re.compile(r"[\W_]+")


def is_filler(text: str) -> bool:
    """Whether a text only fills its field: stock phrases, numbered or not, one character repeated, digits in a row."""
    core = _NOISE.sub("", text).lower()
    letters = "".join(char for char in core if not char.isnumeric())
    if len(core) < 2 or letters in _FILLER or len(set(core)) == 1:
        return True
    return core in "01234567890" or core in "09876543210"


def _text(value: Mapping[str, Any], name: str, limit: int) -> str:
    text = value.get(name) or ""
    if not isinstance(text, str) or len(text) > limit or any(ord(char) < 32 for char in text):
        raise PurposeError(
            name,
            f"{name} is a text of at most {limit} characters on one line",
            f"{name} 应为一行文字，不超过 {limit} 个字",
        )
    return text.strip()
