"""Compare every quoted article of the packaged rules with the statutes' texts: ``python tools/check_quotes.py FOLDER``.

FOLDER holds the texts as Markdown, one file a statute, named like ``数据安全法(2021-06-10).md``. What has no text there
is listed; a quote that is not in its text ends with 1. The texts are no part of the project.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ledger.rules import packaged  # noqa: E402
from ledger.rules.citations import article_number  # noqa: E402

_ARTICLE = re.compile(
    r"^(第[一二三四五六七八九十百千零]+条)[\s　](.*?)(?=^第[一二三四五六七八九十百千零]+条[\s　]|^#|\Z)", re.M | re.S
)


def articles(folder: Path) -> dict[tuple[str, int], str]:
    """(statute, number of article) -> its words, without blanks."""
    found = {}
    for file in folder.glob("*.md"):
        statute = file.name.partition("(")[0]
        for match in _ARTICLE.finditer(file.read_text(encoding="utf-8")):
            found[statute, article_number(match[1]) or 0] = re.sub(r"\s+", "", match[2])
    return found


def quotes() -> Iterator[tuple[str, str, str, str]]:
    """(where, statute, article, quote) of all that the packaged register quotes."""
    register = packaged().register
    for clause in register.clauses:
        yield clause.id, clause.name_zh, clause.article_zh, clause.quote
    for ground in register.grounds:
        for citation in ground.citations:
            if citation.quote is not None:
                yield f"{ground.code} {citation.id}", citation.statute_zh, citation.article_zh, citation.quote


def main() -> None:
    texts = articles(Path(sys.argv[1]))
    good, missing, wrong = 0, [], []
    for where, statute, article, quote in quotes():
        text = texts.get((statute, article_number(article) or 0))
        if text is None:
            missing.append(f"{where}: {statute} {article}")
        elif re.sub(r"\s+", "", quote) not in text:
            wrong.append(f"{where}: {statute} {article}")
        else:
            good += 1
    print(f"{good} quotes stand in their texts; no text at hand for {len(missing)}: {'; '.join(missing)}")
    for each in wrong:
        print(f"NOT in its text: {each}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
