"""Finding an article in the register as people write it: 《环境保护法》第五十七条, 环境保护法 第57条."""

from __future__ import annotations

import re
import unicodedata

from ledger.rules.grounds import Citation, Ground
from ledger.rules.register import Register

_DIGITS = {character: number for number, character in enumerate("零一二三四五六七八九")}
_UNITS = {"十": 10, "百": 100, "千": 1_000}
_ARTICLE = re.compile(r"第?([零一二三四五六七八九十百千]+|[0-9]+)条?")


def find_citations(register: Register, statute: str, article: str) -> tuple[tuple[Ground, Citation], ...]:
    """All citations of the register that are this article of this statute, with their grounds; empty if none is."""
    name, number = _statute(statute), article_number(article)
    if number is None:
        return ()
    return tuple(
        (ground, citation)
        for ground in register.grounds
        for citation in ground.citations
        if _statute(citation.statute_zh) == name and article_number(citation.article_zh) == number
    )


def article_number(text: str) -> int | None:
    """The number of an article, 第一百四十六条 or 146; None where there is none. Paragraphs are passed over."""
    match = _ARTICLE.match(re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)))
    if match is None:
        return None
    if match[1].isascii():
        return int(match[1][:6])
    total, digit = 0, 0
    for character in match[1]:
        if character in _UNITS:
            total += (digit or 1) * _UNITS[character]
            digit = 0
        else:
            digit = _DIGITS[character]
    return total + digit


def _statute(text: str) -> str:
    name = re.sub(r"[\s《》]", "", unicodedata.normalize("NFKC", text))
    return name.removeprefix("中华人民共和国")
