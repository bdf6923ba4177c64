"""The rules: whether what an agency did in an hour or a day is odd by its own history. Pure and deterministic.

A rule judges a *cell*, the sum of an agency's marks in one period, by the cells of the days before. Those are complete
when the day begins (time in the ledger never runs back), and within its period a cell only grows; so a flag, once
raised, stays, and what is flagged hangs on the entries alone, not on when somebody looked.

Medians are kept doubled: the median of an even number of values has a half, and no number here is a fraction.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from catalog.anomalies.marks import AUTH, AWAY, DAY, HOUR, OFF, PURPOSE, Key
from catalog.anomalies.thresholds import Thresholds

#: So many entries of a cell are named; the others are counted.
NAMED_ENTRIES = 100
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_.:/@-]{0,127}")


@dataclass(frozen=True, slots=True)
class Cell:
    """The sum of the marks of one key.

    Attributes:
        n: queries. ``amount``: rows, of AUTH attempts.
        entries: the first of them, at most :data:`NAMED_ENTRIES`, oldest first.
        count: how many entries there are. ``last``: the number of the newest.
    """

    key: Key
    n: int
    amount: int
    entries: tuple[int, ...] = ()
    count: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Flag:
    """What a rule found odd, with the numbers that say why. Nobody is named but the agency.

    Attributes:
        id: an identifier; the same rule, agency and period have the same.
        numbers: by name, whole; ``median2`` is twice the median.
    """

    id: str
    rule: str
    agency: str
    resource: str
    code: str
    period: str
    numbers: Mapping[str, int]
    entries: tuple[int, ...]
    count: int
    last: int


#: Cells of the same agency before the day of the one that is judged; for a purpose of the same table, any purpose.
Past = Sequence[Cell]
_Rule = Callable[[Cell, Past, Thresholds], Mapping[str, int] | None]


def judge(cell: Cell, past: Callable[[], Past], thresholds: Thresholds) -> Iterator[Flag]:
    """The flags of a cell.

    Args:
        past: gives the cells of the days before; asked for only where the cell alone does not decide already.
    """
    known: Past | None = None
    for rule, floor, decide in _RULES.get(cell.key.measure, ()):
        if floor(cell, thresholds):
            known = past() if known is None else known
            numbers = decide(cell, known, thresholds)
            if numbers is not None:
                yield _flag(rule, cell, numbers)


def first_day(day: str, thresholds: Thresholds) -> str:
    """The first day of the history by which ``day`` is judged."""
    return (date.fromisoformat(day) - timedelta(days=thresholds.history_days)).isoformat()


def median2(values: Sequence[int]) -> int:
    """Twice the median of whole numbers; of none, 0."""
    if not values:
        return 0
    ordered = sorted(values)
    middle = len(ordered) // 2
    return 2 * ordered[middle] if len(ordered) % 2 else ordered[middle - 1] + ordered[middle]


def _flag(rule: str, cell: Cell, numbers: Mapping[str, int]) -> Flag:
    key = cell.key
    name = ":".join(part for part in (rule, key.agency, key.resource, key.code, key.period) if part)
    if not _IDENTIFIER.fullmatch(name):
        name = f"{rule}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    shown = MappingProxyType(dict(numbers))
    return Flag(name, rule, key.agency, key.resource, key.code, key.period, shown, cell.entries, cell.count, cell.last)


# -- the rules --------------------------------------------------------------------------------------------------------


def _bulk(rule: str, value: Callable[[Cell], int]) -> _Rule:
    def decide(cell: Cell, past: Past, thresholds: Thresholds) -> Mapping[str, int] | None:
        limits = thresholds.of(rule)
        history = [value(each) for each in past if value(each) > 0]
        usual2 = median2(history)
        if len(history) < limits["least_hours"]:
            least2 = 2 * limits["without_history"]
        else:
            least2 = max(2 * limits["floor"], limits["factor"] * usual2)
        if 2 * value(cell) < least2:
            return None
        return {"value": value(cell), "median2": usual2, "hours": len(history), "factor": limits["factor"]}

    return decide


def _growth(cell: Cell, past: Past, thresholds: Thresholds) -> Mapping[str, int] | None:
    limits = thresholds.of("growth")
    if not past:
        return None
    first = min(each.key.period for each in past)
    days = (date.fromisoformat(cell.key.period) - date.fromisoformat(first)).days
    if days < limits["least_days"]:
        return None
    rows = [each.amount for each in past]
    usual2 = median2([*rows, *[0] * (days - len(rows))])
    if 2 * cell.amount < max(2 * limits["floor"], limits["factor"] * usual2):
        return None
    return {"value": cell.amount, "median2": usual2, "days": days, "factor": limits["factor"]}


def _new_purpose(cell: Cell, past: Past, thresholds: Thresholds) -> Mapping[str, int] | None:
    history = sum(each.n for each in past)
    known = {each.key.code for each in past}
    if history < thresholds.of("new_purpose")["least_history"] or cell.key.code in known:
        return None
    return {"value": cell.n, "history": history, "codes": len(known)}


def _purpose_shift(cell: Cell, past: Past, thresholds: Thresholds) -> Mapping[str, int] | None:
    limits = thresholds.of("purpose_shift")
    begin = first_day(cell.key.day, thresholds)
    recent = [each for each in past if each.key.period >= begin]
    history = sum(each.n for each in recent)
    before = sum(each.n for each in recent if each.key.code == cell.key.code)
    # A purpose that is new altogether is the other rule's.
    if history < limits["least_history"] or cell.key.code not in {each.key.code for each in past}:
        return None
    if before * 100 > limits["percent"] * history:
        return None
    return {"value": cell.n, "before": before, "history": history}


def _alone(value: Callable[[Cell], int]) -> _Rule:
    """The floor decides, whatever was before."""
    return lambda cell, _past, _thresholds: {"value": value(cell)}


def _n(cell: Cell) -> int:
    return cell.n


def _amount(cell: Cell) -> int:
    return cell.amount


def _from(rule: str, value: Callable[[Cell], int]) -> Callable[[Cell, Thresholds], bool]:
    return lambda cell, thresholds: value(cell) >= thresholds.of(rule)["floor"]


_RULES: Mapping[str, tuple[tuple[str, Callable[[Cell, Thresholds], bool], _Rule], ...]] = {
    HOUR: (
        ("bulk_rows", _from("bulk_rows", _amount), _bulk("bulk_rows", _amount)),
        ("bulk_queries", _from("bulk_queries", _n), _bulk("bulk_queries", _n)),
    ),
    DAY: (("growth", _from("growth", _amount), _growth),),
    OFF: (("off_hours", _from("off_hours", _n), _alone(_n)),),
    PURPOSE: (
        ("new_purpose", lambda cell, thresholds: True, _new_purpose),
        ("purpose_shift", _from("purpose_shift", _n), _purpose_shift),
    ),
    AWAY: (("turned_away", _from("turned_away", _n), _alone(_n)),),
    AUTH: (("auth_failed", _from("auth_failed", _amount), _alone(_amount)),),
}
#: Every rule, in the order in which they are listed.
NAMES = tuple(rule for rules in _RULES.values() for rule, _, _ in rules)
