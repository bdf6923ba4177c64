"""What people type into a refusal or request, looked at before anything is stored.

Three things are found by their form: a classified marking (stop: state secrets never enter this system), a number like
that of an identity card (belongs into the table of subjects, which is kept as a particular), and the bare claim of
secrecy (questioned). The patterns can miss and can hit wrongly; they protect people from slips, not from intent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

#: Not to be stored at all; to be written elsewhere; to be thought over.
STOP, POINT, QUESTION = "stop", "point", "question"

_LEVEL = "(?:绝密|机密|秘密)"
_MARKING = re.compile(
    rf"{_LEVEL}级?[★☆*]"  # 机密★20年
    rf"|密级[:是为]?{_LEVEL}"
    rf"|[【\[(〔<]{_LEVEL}级?[】\])〕>]"
    rf"|{_LEVEL}级?(?:文件|公文|材料|电报|资料|纪要)"
    rf"|^{_LEVEL}级$"
)
# 18 places, perhaps in groups; looked for at each place, since what stands before it may be digits too.
_ID_NUMBER = re.compile(r"(?<![0-9])(?=((?:[0-9][ -]?){17}[0-9Xx])(?![0-9]))")
_DOCUMENT_NUMBER = re.compile(r"[〔\[(【](?:19|20)[0-9]{2}[〕\])】](?:第)?[0-9]+号|《[^》]+》")
_BARE_SECRECY = re.compile(r"保密|秘密|涉密|机密|敏感|不宜(?:公开|提供)|不便(?:公开|提供|透露)|内部掌握")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. ``action`` of :data:`STOP`, :data:`POINT`, :data:`QUESTION`; nothing of the text is repeated."""

    code: str
    action: str
    zh: str
    en: str


_FINDINGS = {
    "classified_marking": Finding(
        "classified_marking",
        STOP,
        "文字中有密级标志。国家秘密不得进入本系统：请删去，只写本机关的登记号",
        "the text holds a classified marking; state secrets never enter this system: take it out and write only your "
        "agency's own register number",
    ),
    "document_named": Finding(
        "document_named",
        STOP,
        "文字中有文件的编号或者标题。以国家秘密为由拒绝时不得写明：请删去，只写本机关的登记号",
        "the text names a document by number or title; a refusal for a state secret must not: take it out and write "
        "only your agency's own register number",
    ),
    "id_number": Finding(
        "id_number",
        POINT,
        "文字中像有身份证件号码。请删去，填入查询对象表",
        "the text seems to hold an identity number; take it out and put it into the table of subjects",
    ),
    "secrecy_claim": Finding(
        "secrecy_claim",
        QUESTION,
        "文字像是只以保密为由。仅称保密不是法定事由：请写明法律的哪一条，或者改为提供",
        "the text reads like a bare claim of secrecy, which is no ground given by law; name an article, or supply",
    ),
}


def check_text(
    text: str, *, names_no_document: bool = False, may_speak_of_secrecy: bool = False
) -> tuple[Finding, ...]:
    """What is wrong with ``text``; the gravest first, each kind once.

    Args:
        names_no_document: stop document numbers and titles too (a refusal for a state secret).
        may_speak_of_secrecy: the text stands beside a ground of secrecy.
    """
    return tuple(_FINDINGS[code] for code in _codes(text, names_no_document, may_speak_of_secrecy))


def _codes(text: str, names_no_document: bool, may_speak_of_secrecy: bool) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", text)
    dense = squeezed(text)
    if _MARKING.search(dense):
        yield "classified_marking"
    if names_no_document and _DOCUMENT_NUMBER.search(dense):
        yield "document_named"
    if any(_tells_a_birthday(match[1]) for match in _ID_NUMBER.finditer(plain)):
        yield "id_number"
    if not may_speak_of_secrecy and _BARE_SECRECY.search(dense):
        yield "secrecy_claim"


def squeezed(text: str) -> str:
    """``text`` in NFKC without blanks: what patterns are looked for in."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def _tells_a_birthday(number: str) -> bool:
    """Places 7 to 14 are a day. The check digit is not asked: a mistyped number tells as much."""
    digits = re.sub("[ -]", "", number)
    try:
        return 1900 <= date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14])).year < 2100
    except ValueError:
        return False
