"""Folding of text: what makes two spellings of the same words the same string, and nothing more."""

from __future__ import annotations

import re

#: Characters that show nothing and carry no meaning in Chinese text: BOM, zero-width space, word joiner.
_INVISIBLE = re.compile("[\ufeff\u200b\u2060]")

#: Controls, lone surrogates, the replacement character (somebody decoded this text wrongly before us) and
#: direction overrides (which make a name display as another one).
_INVALID = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffd\ufffe\uffff\u202a-\u202e\u2066-\u2069]")

_FULL_WIDTH = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def fold(text: str) -> str:
    """Return ``text`` with every run of white space (CR, LF, tab, 　) made one space and the ends trimmed.

    Invisible characters go too. Idempotent.
    """
    return " ".join(_INVISIBLE.sub("", text).split())


def fold_lines(text: str) -> str:
    """:func:`fold` line by line: line breaks stay as LF, blank lines go. For free text. Idempotent."""
    lines = (fold(line) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def narrow(text: str) -> str:
    """Return ``text`` with full-width forms (１２．５，／) made ASCII: used inside numbers and dates only."""
    return text if text.isascii() else text.translate(_FULL_WIDTH)


def invalid_character(text: str) -> str | None:
    """Return the first character that no stored text may contain, or None."""
    found = _INVALID.search(text)
    return found.group() if found else None
