"""Collect the messages of code and templates into catalog/locale/*/LC_MESSAGES/liandong.po.

Run it after changing a text: new messages come in untranslated, those no longer used go. ``--check`` changes nothing
and fails when a catalogue is not just that, or has a message untranslated or fuzzy.

    .venv/bin/python tools/messages.py
    .venv/bin/python tools/messages.py --check
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "catalog"
LOCALES = SOURCES / "locale"
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
_OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false", "encoding": "utf-8"}}
_HEADER = (
    "# 联动页面文字的译文；由 tools/messages.py 整理。\n"
    "# Translations of the pages' texts; kept in order by tools/messages.py."
)
_PLACEHOLDER = re.compile(r"%\(\w+\)s")


def extract() -> Catalog:
    """The messages in code and templates; where they stand is left out, so that moving code changes nothing."""
    template = Catalog(charset="utf-8")
    for _file, _line, message, comments, context in extract_from_dir(SOURCES, _METHODS, _OPTIONS):
        template.add(message, auto_comments=comments, context=context)
    return template


def merged(file: Path, template: Catalog) -> Catalog:
    """The catalogue in ``file`` with the messages of ``template``: no guessing of similar ones, none kept unused."""
    old = read_po(io.BytesIO(file.read_bytes()), locale=file.parent.parent.name)
    new = Catalog(locale=old.locale, header_comment=_HEADER, charset="utf-8", fuzzy=False)
    for message in template:
        if message.id:
            known = old.get(message.id, message.context)
            new.add(message.id, known.string if known else None, context=message.context)
            if known and known.fuzzy:
                new[message.id].flags.add("fuzzy")
    return new


def text_of(catalogue: Catalog, locale: str) -> bytes:
    """The bytes of a .po file: sorted, and without dates, so that the same messages give the same file."""
    out = io.BytesIO()
    write_po(out, catalogue, width=110, sort_output=True, omit_header=True)
    head = (
        f'{_HEADER}\nmsgid ""\nmsgstr ""\n"Language: {locale}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: nplurals={catalogue.num_plurals}; plural={catalogue.plural_expr};\\n"\n\n'
    )
    return head.encode() + out.getvalue().rstrip(b"\n") + b"\n"


def problems(file: Path, template: Catalog) -> list[str]:
    """What is wrong with the catalogue in ``file``, one line each."""
    found = []
    catalogue = merged(file, template)
    for message in catalogue:
        if message.id:
            strings = [message.string] if isinstance(message.string, str) else list(message.string or [])
            wanted = message.id if isinstance(message.id, str) else message.id[1]
            if not all(strings) or len(strings) != (catalogue.num_plurals if message.pluralizable else 1):
                found.append(f"untranslated: {message.id!r}")
            elif message.fuzzy:
                found.append(f"fuzzy: {message.id!r}")
            elif any(set(_PLACEHOLDER.findall(text)) != set(_PLACEHOLDER.findall(wanted)) for text in strings):
                found.append(f"placeholders differ: {message.id!r}")
    if not found and text_of(catalogue, file.parent.parent.name) != file.read_bytes():
        found.append("not in order, or with messages that are no longer used: run tools/messages.py")
    return [f"{file.relative_to(ROOT)}: {line}" for line in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something is missing")
    check = parser.parse_args().check
    template = extract()
    status = 0
    for file in sorted(LOCALES.glob("*/LC_MESSAGES/*.po")):
        if not check:
            file.write_bytes(text_of(merged(file, template), file.parent.parent.name))
        found = problems(file, template)
        print("\n".join(found) or f"{file.relative_to(ROOT)}: {len(template)} messages, all translated")
        status |= bool(found) and check
    return status


if __name__ == "__main__":
    sys.exit(main())
