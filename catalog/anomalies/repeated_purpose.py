"""The same words, or the same reference, again and again: a purpose that was copied rather than stated. Pure.

One case may need several tables and several queries, so repetition alone says nothing; a flag is a question to the
agency, never a finding. Personal data stays out of it: a flag names entries and counts, not what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

RULE = "repeated-purpose"
#: The same reference is usual for one matter: only beyond so many queries, or on so many tables, is it odd.
MOST_QUERIES_OF_ONE_REFERENCE = 30
MOST_RESOURCES_OF_ONE_REFERENCE = 4
#: The same words under so many different references are a stock phrase.
MOST_REFERENCES_OF_ONE_TEXT = 4
_NOISE = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Stated:
    """One query's purpose, opened."""

    seq: int
    requester: str
    resource: str
    code: str
    reference: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A purpose that was repeated.

    Attributes:
        what: reference or words.
        entries: the queries, oldest first.
        others: how many different tables (of a reference), or references (of words).
    """

    requester: str
    what: str
    codes: tuple[str, ...]
    entries: tuple[int, ...]
    resources: tuple[str, ...]
    others: int

    @property
    def id(self) -> str:
        """An identifier of the flag: the same as long as it begins with the same entry."""
        return f"{RULE}.{self.what}:{self.entries[0]}"


def repeated_purposes(stated: Iterable[Stated]) -> list[Repeated]:
    """Flags over purposes of a span of time, the most repeated first."""
    by_reference: dict[tuple[str, str], list[Stated]] = {}
    by_words: dict[tuple[str, str], list[Stated]] = {}
    for each in sorted(stated, key=lambda one: one.seq):
        if reference := _core(each.reference):
            by_reference.setdefault((each.requester, reference), []).append(each)
        if words := _core(each.words):
            by_words.setdefault((each.requester, words), []).append(each)
    flags = [
        _flag("reference", found, len({each.resource for each in found}))
        for found in by_reference.values()
        if len(found) > MOST_QUERIES_OF_ONE_REFERENCE
        or len({each.resource for each in found}) > MOST_RESOURCES_OF_ONE_REFERENCE
    ]
    for found in by_words.values():
        references = {_core(each.reference) for each in found}
        if len(references) > MOST_REFERENCES_OF_ONE_TEXT:
            flags.append(_flag("words", found, len(references)))
    return sorted(flags, key=lambda flag: (-len(flag.entries), flag.entries[0]))


def _flag(what: str, found: list[Stated], others: int) -> Repeated:
    return Repeated(
        found[0].requester,
        what,
        tuple(sorted({each.code for each in found})),
        tuple(each.seq for each in found),
        tuple(sorted({each.resource for each in found})),
        others,
    )


def _core(text: str) -> str:
    """Without blanks, punctuation and case: a copy with another comma is a copy."""
    return _NOISE.sub("", text).casefold()
