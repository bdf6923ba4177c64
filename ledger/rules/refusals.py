"""Whether a refusal is lawful on its face: a gate that no refusal passes without a ground in force that day.

It judges form, not truth: that the ground cited exists, was in force and enabled, that what it demands is there, that
no exception of the statute covers the requester, that two people signed. Whether it was *right* a supervisor says.
Source: 源政办发〔2021〕19号 三(四): 除法定事由外…不得以保守秘密为由拒绝; 条例 (令809) arts. 14, 21.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from ledger.fields import DATE
from ledger.rules.errors import UnknownRuleError
from ledger.rules.grounds import Citation, Demand, Ground, Negative
from ledger.rules.register import Register
from ledger.rules.text_checks import QUESTION, check_text, squeezed

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,63}")
_MAX_TEXT = 500
_BARE_SECRECY, _NOT_IN_REGISTER = "NL01", "NL13"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft refusal.

    Attributes:
        ground: code like RG01; an NL code is the negative list's and always rejected; empty where none is named.
        citation: id of the article in that ground.
        covers: ``whole`` | ``part`` of what was asked; where it is a part, the rest is to be served.
        fields: what the ground demands, by name.
        answers: to the ground's questions, by name.
        drafter, approver: two different officers.
        text: words to the requester; may be empty.
        confirmed: codes of questions about the text that the drafter has thought over.
    """

    ground: str
    citation: str = ""
    covers: str = "whole"
    fields: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, bool] = field(default_factory=dict)
    drafter: str = ""
    approver: str = ""
    text: str = ""
    confirmed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says.

    Attributes:
        code: what decided: ``allowed`` or why not, for programs.
        clause: the article relied on, or that stands in the way.
        reason_zh, reason_en: why. lawful_zh, lawful_en: what would be lawful instead; empty where it is allowed.
    """

    allowed: bool
    code: str
    clause: Citation | None
    reason_zh: str
    reason_en: str
    lawful_zh: str = ""
    lawful_en: str = ""


def decide_refusal(register: Register, refusal: Refusal, *, received_on: date, on: date) -> Decision:
    """Whether ``refusal`` may be sent on the day ``on``, for a request received on ``received_on`` (Asia/Shanghai).

    The article has to be in force on the day of the refusal. The first thing that stands in the way is named.
    """
    stopped = _stopped_by_text(refusal, names_no_document=False)
    if stopped is not None:
        return stopped
    if not refusal.ground or refusal.ground.startswith("NL"):
        return _without_ground(register, refusal)
    try:
        ground = register.ground(refusal.ground)
    except UnknownRuleError as error:
        return _refuse("unknown_ground", None, error.zh, error.en, *_CHOOSE)
    for found in _objections(register, ground, refusal, received_on, on):
        return found
    citation = _citation(ground, refusal.citation)
    return Decision(
        True,
        "allowed",
        citation,
        f"{ground.code} {ground.name_zh}" + (f"，{citation.label_zh}" if citation else ""),
        f"{ground.code} {ground.name_en}" + (f", {citation.label_en}" if citation else ""),
    )


_CHOOSE = (
    "从登记册中选择当日有效的事由和条款；没有的，按期提供",
    "Choose a ground and article in force from the register; else supply",
)


def _refuse(
    code: str, clause: Citation | None, reason_zh: str, reason_en: str, lawful_zh: str, lawful_en: str
) -> Decision:
    return Decision(False, code, clause, reason_zh, reason_en, lawful_zh, lawful_en)


def _negative(negative: Negative, clause: Citation | None = None) -> Decision:
    return _refuse(negative.code, clause, negative.why_zh, negative.why_en, negative.lawful_zh, negative.lawful_en)


def _without_ground(register: Register, refusal: Refusal) -> Decision:
    """Always rejected; the negative list says why this reason is none."""
    for negative in register.negatives:
        if negative.code == refusal.ground:
            return _negative(negative)
    # The bare word comes last: a text that claims something else as well is told about that.
    claimed = sorted(claims(register, refusal.text), key=lambda negative: negative.code == _BARE_SECRECY)
    if claimed:
        return _negative(claimed[0])
    return _refuse("no_ground", None, "没有写明法定事由", "no ground given by law is named", *_CHOOSE)


def claims(register: Register, text: str) -> tuple[Negative, ...]:
    """What of the negative list a text seems to claim."""
    dense = squeezed(text)
    return tuple(
        negative for negative in register.negatives if any(re.search(pattern, dense) for pattern in negative.patterns)
    )


def _objections(
    register: Register, ground: Ground, refusal: Refusal, received_on: date, on: date
) -> Iterator[Decision]:
    yield from _about_citation(register, ground, refusal.citation, on)
    if not ground.enabled:
        yield _refuse(
            "not_enabled",
            _citation(ground, refusal.citation),
            f"{ground.code} {ground.name_zh}尚未由县司法局启用",
            f"{ground.code} {ground.name_en} is not enabled by the justice bureau",
            "请县司法局决定是否启用；未启用前按期提供",
            "Ask the justice bureau to decide whether to enable it; until then supply in time",
        )
    if ground.terms:
        stopped = _stopped_by_text(refusal, names_no_document=True)
        if stopped is not None:
            yield stopped
    yield from _about_fields(ground, refusal.fields, received_on, on)
    yield from _about_term(ground, refusal.fields)
    yield from _about_questions(ground, refusal)
    yield from _about_scope(ground, refusal)
    yield from _about_officers(refusal)
    yield from _about_text(register, ground, refusal)


def _citation(ground: Ground, citation_id: str) -> Citation | None:
    return next((each for each in ground.citations if each.id == citation_id), None)


def _about_citation(register: Register, ground: Ground, citation_id: str, on: date) -> Iterator[Decision]:
    found = _citation(ground, citation_id)
    labels = ground.choosable(on)
    zh = "可选 " + "、".join(each.label_zh for each in labels) if labels else _CHOOSE[0]
    en = "Choose " + "; ".join(each.label_en for each in labels) if labels else _CHOOSE[1]
    if found is None:
        missing = next((each for each in register.negatives if each.code == _NOT_IN_REGISTER), None)
        why = (
            (missing.why_zh, missing.why_en)
            if missing
            else ("登记册中没有该条款", "the register does not have this article")
        )
        yield _refuse("unknown_article", None, *why, zh, en)
        return
    if not found.in_force(on):
        yield _out_of_force(ground, found, on, zh, en)
    elif not found.is_verified:
        yield _refuse(
            "unverified",
            found,
            f"{found.label_zh}的文本未经核对，不能选用",
            f"the text of {found.label_en} was not verified, so it cannot be chosen",
            zh,
            en,
        )


def _out_of_force(ground: Ground, found: Citation, on: date, zh: str, en: str) -> Decision:
    if found.valid_to is None or on < found.valid_from:
        return _refuse(
            "not_yet_in_force",
            found,
            f"{found.label_zh}自 {found.valid_from} 起有效，{on} 尚未有效",
            f"{found.label_en} holds from {found.valid_from}; on {on} it does not yet",
            zh,
            en,
        )
    instead = _citation(ground, found.instead or "")
    if instead is not None and instead.in_force(on):
        zh, en = f"现行规定为{instead.label_zh}", f"What holds now is {instead.label_en}"
        if not ground.enabled:
            zh += f"，所属 {ground.code} 须先由县司法局启用"
            en += f"; its ground {ground.code} must first be enabled by the justice bureau"
    return _refuse(
        "repealed",
        found,
        f"{found.label_zh}已由{found.repealed_by_zh}废止，{found.valid_to} 后失效",
        f"{found.label_en} was repealed by {found.repealed_by_en}; its last day was {found.valid_to}",
        zh,
        en,
    )


def _about_fields(ground: Ground, given: Mapping[str, str], received_on: date, on: date) -> Iterator[Decision]:
    known = {demand.name for demand in ground.demands}
    for name in given:
        if name not in known:
            yield _field(
                "unknown_field", f"{ground.code} 没有字段 {name[:40]}", f"{ground.code} has no field {name[:40]}"
            )
    for demand in ground.demands:
        value = given.get(demand.name, "").strip()
        if not value:
            if demand.required:
                yield _field("field_missing", f"缺少“{demand.zh}”", f"{demand.en} is missing")
            continue
        if not _fits(demand, value):
            yield _field("field_malformed", f"“{demand.zh}”格式不对", f"{demand.en} is out of form")
        elif demand.when is not None:
            yield from _about_day(demand, date.fromisoformat(value), received_on, on)


def _field(code: str, zh: str, en: str) -> Decision:
    return _refuse(code, None, zh, en, "补正后再提交", "Put it right and send it again")


def _fits(demand: Demand, value: str) -> bool:
    if demand.form == "day":
        return DATE.accepts(value)
    if demand.form == "choice":
        return value in demand.choices
    if demand.form == "number":
        return _NUMBER.fullmatch(value) is not None
    return len(value) <= _MAX_TEXT


def _about_day(demand: Demand, day: date, received_on: date, on: date) -> Iterator[Decision]:
    good, zh, en = {
        "not_after_refusal": (day <= on, f"晚于拒绝之日 {on}", f"after the day of the refusal, {on}"),
        "not_before_refusal": (
            day >= on,
            f"早于拒绝之日 {on}，已经届满",
            f"before the day of the refusal, {on}: it has ended",
        ),
        "before_receipt": (
            day < received_on,
            f"不在收到请求之日 {received_on} 之前",
            f"not before the day of receipt, {received_on}",
        ),
        "not_after_receipt": (
            day <= received_on,
            f"晚于收到请求之日 {received_on}",
            f"after the day of receipt, {received_on}",
        ),
    }[demand.when or ""]
    if not good:
        yield _refuse(f"day_{demand.when}", None, f"“{demand.zh}”{day} {zh}", f"{demand.en}, {day}, is {en}", *_CHOOSE)


def _about_term(ground: Ground, given: Mapping[str, str]) -> Iterator[Decision]:
    """保守国家秘密法 art. 20: a term not longer than its level allows, or a condition for release."""
    if not ground.terms:
        return
    until, condition = given.get("secret_until", ""), given.get("until_condition", "")
    if bool(until) == bool(condition):
        yield _field(
            "term_missing",
            "须写明保密期限届满日，或者未定期限而定有解密条件，二者择一",
            "want either the last day of its term, or that it has a condition for release instead",
        )
        return
    years = next((term.max_years for term in ground.terms if term.level == given["secrecy_level"]), None)
    if until and years is not None:
        begins, ends = date.fromisoformat(given["classified_on"]), date.fromisoformat(until)
        if ends < begins or ends > _years_later(begins, years):
            yield _refuse(
                "term_too_long",
                None,
                f"{given['secrecy_level']}级的保密期限自 {begins} 起不超过 {years} 年，不能到 {ends}",
                f"a term of that level lasts at most {years} years from {begins}, so not until {ends}",
                "核对确定日期、密级和期限；期限已满的自行解密，应当提供",
                "Check day, level and term; what has reached its term is no secret any more and is to be supplied",
            )


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def _about_questions(ground: Ground, refusal: Refusal) -> Iterator[Decision]:
    known = {question.name for question in ground.questions}
    for name in refusal.answers:
        if name not in known:
            yield _field("unknown_field", f"{ground.code} 没有问题 {name[:40]}", f"{ground.code} asks no {name[:40]}")
    for question in ground.questions:
        answer = refusal.answers.get(question.name)
        if type(answer) is not bool:
            yield _field("question_open", f"尚未回答：{question.zh}", f"not answered: {question.en}")
        elif answer != question.must_be:
            yield _refuse(
                "exception",
                _citation(ground, refusal.citation),
                question.why_zh,
                question.why_en,
                "按期提供",
                "Supply in time",
            )


def _about_scope(ground: Ground, refusal: Refusal) -> Iterator[Decision]:
    if refusal.covers not in ("whole", "part"):
        yield _field("scope", "须写明拒绝全部还是一部分", "say whether it covers the whole or a part")
    elif ground.scope == "part" and refusal.covers == "whole":
        yield _refuse(
            "part_only",
            _citation(ground, refusal.citation),
            f"{ground.code} 只能不提供{ground.part_zh}，不能拒绝全部",
            f"on {ground.code} only {ground.part_en} may be withheld, not the whole",
            f"隐去{ground.part_zh}，其余照常提供",
            f"Leave out {ground.part_en} and supply the rest",
        )


def _about_officers(refusal: Refusal) -> Iterator[Decision]:
    if not refusal.drafter or not refusal.approver:
        yield _field("approver_missing", "须有拟稿人和批准人", "want a drafter and an approver")
    elif refusal.drafter == refusal.approver:
        yield _field("same_officer", "批准人不能是拟稿人本人", "the approver must be another officer than the drafter")


def _about_text(register: Register, ground: Ground, refusal: Refusal) -> Iterator[Decision]:
    """On a good ground, words that claim something else are questioned; confirmed they stand."""
    for negative in claims(register, refusal.text):
        if negative.code in refusal.confirmed or (negative.code == _BARE_SECRECY and ground.secrecy):
            continue
        yield _refuse(
            "questioned",
            None,
            f"文字中像有“{negative.name_zh}”：{negative.why_zh}",
            f'the words seem to claim "{negative.name_en}": {negative.why_en}',
            f"改写文字，或者确认（{negative.code}）后再提交",
            f"Write it differently, or confirm it ({negative.code}) and send it again",
        )


def _stopped_by_text(refusal: Refusal, *, names_no_document: bool) -> Decision | None:
    for text in (refusal.text, *refusal.fields.values()):
        if type(text) is not str or len(text) > _MAX_TEXT:
            return _field("text_too_long", f"文字不得超过 {_MAX_TEXT} 字", f"want at most {_MAX_TEXT} characters")
        for found in check_text(text, names_no_document=names_no_document, may_speak_of_secrecy=True):
            if found.action != QUESTION:
                return _refuse(found.code, None, found.zh, found.en, "删去后再提交", "Take it out and send it again")
    return None
