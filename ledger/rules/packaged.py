"""The register and calendars that come with the program: its own YAML files, read and checked once."""

from __future__ import annotations

from functools import cache
from importlib import resources

from ledger.rules import shape
from ledger.rules.calendars import Calendar, Calendars
from ledger.rules.clauses import read_document
from ledger.rules.deadlines import Rulebook
from ledger.rules.grounds import read_grounds, read_negatives
from ledger.rules.register import Register

_DATA = resources.files("ledger.rules") / "data"


@cache
def packaged() -> Rulebook:
    """What a county begins with: national texts and 源政办发〔2021〕19号, each with the days on which it holds.

    Raises:
        RuleDataError: a file was damaged.
    """
    files = sorted(file.name for file in _DATA.iterdir() if file.name.endswith(".yml"))
    clauses = [clause for name in files if name.startswith("clauses_") for clause in read_document(_read(name), name)]
    calendars = [Calendar.read(_read(name), name) for name in files if name.startswith("calendar_")]
    grounds = [ground for name in files if name.startswith("grounds_") for ground in read_grounds(_read(name), name)]
    negatives = read_negatives(_read("negatives.yml"), "negatives.yml")
    return Rulebook(Register.of(clauses, grounds, negatives), Calendars.of(calendars))


def _read(name: str) -> dict[str, object]:
    return shape.read_yaml((_DATA / name).read_text(encoding="utf-8"), name)
