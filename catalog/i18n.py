"""Chinese first, English complete: gettext catalogues, and the language of the request at hand.

The message ids in code and templates are English; ``locale/zh_CN`` must translate every one of them (a test counts).
Catalogues are read from the .po files themselves, so there is no compiled file that could be stale.
"""

from __future__ import annotations

import gettext as stdlib_gettext
import io
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = ("zh", "en")
DEFAULT_LANGUAGE = "zh"
#: The value of the html element's lang attribute.
HTML_LANG = {"zh": "zh-CN", "en": "en"}
COOKIE = "liandong_language"

_PO_FILES = {"zh": Path(__file__).parent / "locale" / "zh_CN" / "LC_MESSAGES" / "liandong.po"}

language: ContextVar[str] = ContextVar("liandong_language", default=DEFAULT_LANGUAGE)


@cache
def translations(code: str) -> stdlib_gettext.NullTranslations:
    """The catalogue of a language; English is its own message ids."""
    path = _PO_FILES.get(code)
    if path is None:
        return stdlib_gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def gettext(message: str) -> str:
    """``message`` in the language of the request."""
    return translations(language.get()).gettext(message) if message else ""


def ngettext(singular: str, plural: str, n: int) -> str:
    """:func:`gettext` by number."""
    return translations(language.get()).ngettext(singular, plural, n)


def choose(zh: str, en: str) -> str:
    """Whichever of two texts of the data is in the request's language."""
    return en if language.get() == "en" and en else zh


def negotiate(cookie: str | None, accept_language: str) -> str:
    """The language of a request: the reader's own choice, else the browser's first that we have, else Chinese."""
    if cookie in LANGUAGES:
        return cookie
    for part in accept_language.split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return DEFAULT_LANGUAGE
