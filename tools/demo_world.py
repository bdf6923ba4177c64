"""The invented world behind the demonstration data: chance from a fixed seed, days, identifiers, agencies, parties.

Used by make_demo_data.py and demo_cases.py. Identifiers are wrong on purpose: area
990000 does not exist and every check digit fails.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

SEED = 20260105
FIRST_DAY = date(2026, 1, 5)
LAST_DAY = date(2026, 11, 19)

SCJG, JTYS, YJGL = "示范县市场监督管理局", "示范县交通运输局", "示范县应急管理局"
ZHZF, GAJ, STHJ = "示范县综合行政执法局", "示范县公安局", "市生态环境局示范县分局"
JIAZHEN, BJD, JKQ = "示范县甲镇人民政府", "示范县丙街道办事处", "示范经济开发区管理委员会"
AUTHORITY_SERIAL = {SCJG: 1, ZHZF: 2, JTYS: 3, YJGL: 4, GAJ: 5, STHJ: 6, JIAZHEN: 7, BJD: 8, JKQ: 9}
ZONE = "示范经济开发区"
TOWNS = ("甲镇", "乙镇", "丙街道", "丁镇", "戊镇")

# Only to keep the invented papers off rest days of 2026; the calendar that counts lives with the rules.
REST_SPANS = ((2, 15, 2, 23), (4, 4, 4, 6), (5, 1, 5, 5), (6, 19, 6, 21), (9, 25, 9, 27), (10, 1, 10, 7))

CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

NOTE = {"数据说明": "演示数据"}

Row = dict[str, str]
T = TypeVar("T")


class Dice:
    """Chance from a fixed seed. Uses ``random()`` alone: only its sequence is promised across Python versions."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        """An integer from 0 to ``count`` - 1."""
        return int(self._random.random() * count)

    def between(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """One of ``items``."""
        return items[self.below(len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different ones of ``items``, in their own order."""
        left = list(range(len(items)))
        chosen = [left.pop(self.below(len(left))) for _ in range(count)]
        return [items[index] for index in sorted(chosen)]

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of 100 cases."""
        return self.below(100) < percent


@dataclass(frozen=True)
class Party:
    """An invented party; ``kind`` says which tables it turns up in."""

    kind: str
    name: str
    type: str
    code: str
    id_number: str
    head: str
    town: str


def wrong_credit_code(body: str) -> str:
    """``body`` (17 characters) with a last character that is *not* its check digit (GB 32100-2015, one beside)."""
    total = sum(CREDIT_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    right = (31 - total % 31) % 31
    return body + CREDIT_ALPHABET[(right + 1) % 31]


def wrong_id_number(body: str) -> str:
    """``body`` (17 digits) with a last digit that is *not* its check digit (GB 11643-1999, another one)."""
    total = sum(int(char) * weight for char, weight in zip(body, ID_WEIGHTS, strict=True))
    right = "10X98765432"[total % 11]
    return body + ("7" if right != "7" else "3")


def make_parties() -> list[Party]:
    """All parties, the same ones for every table, so that a look-up finds one party at several agencies."""
    plan = (
        ("food", "示例食品经营部", "个体工商户", 20),
        ("catering", "示例餐饮店", "个体工商户", 16),
        ("pharmacy", "示例大药房有限公司", "法人及非法人组织", 6),
        ("transport", "示例运输有限公司", "法人及非法人组织", 24),
        ("materials", "示例建材有限公司", "法人及非法人组织", 10),
        ("fuel", "示例加油站", "法人及非法人组织", 6),
        ("chemical", "示例化工有限公司", "法人及非法人组织", 12),
        ("machinery", "示例机械有限公司", "法人及非法人组织", 10),
        ("person", "演示当事人", "自然人", 12),
    )
    dice = Dice(f"{SEED}/parties")
    parties: list[Party] = []
    for kind, stem, party_type, count in plan:
        for number in range(1, count + 1):
            serial = len(parties) + 1
            prefix = "92990000" if party_type == "个体工商户" else "91990000"
            person = party_type == "自然人"
            parties.append(
                Party(
                    kind=kind,
                    name=f"{stem}{number:03d}",
                    type=party_type,
                    code="" if person else wrong_credit_code(f"{prefix}MADEM{serial:04d}"),
                    id_number=wrong_id_number(f"99000019000101{number:03d}") if person else "",
                    head="" if person else f"演示负责人{serial:03d}",
                    town=ZONE if kind in ("chemical", "machinery") else dice.pick(TOWNS),
                )
            )
    return parties


def of_kind(parties: Sequence[Party], *kinds: str) -> list[Party]:
    """The parties of these kinds."""
    return [party for party in parties if party.kind in kinds]


def authority_code(name: str) -> str:
    """The invented credit code of an agency, its check digit wrong like all others."""
    return wrong_credit_code(f"11990000MBDEM{AUTHORITY_SERIAL[name]:04d}")


def is_rest_day(day: date) -> bool:
    """Saturday, Sunday or a holiday of 2026 (make-up workdays are not used: nobody misses them here)."""
    spans = ((date(2026, a, b), date(2026, c, d)) for a, b, c, d in REST_SPANS)
    return day.weekday() >= 5 or any(first <= day <= last for first, last in spans)


def working_day(day: date) -> date:
    """``day`` itself, or the last one before it that is no rest day."""
    while is_rest_day(day):
        day -= timedelta(days=1)
    return day


def spread_days(dice: Dice, count: int, first: date = FIRST_DAY, last: date = LAST_DAY) -> list[date]:
    """``count`` days from ``first`` to ``last``, rising, none a rest day (``first`` must not be one)."""
    width = (last - first).days
    return sorted(working_day(first + timedelta(days=dice.between(0, width))) for _ in range(count))


def clock(dice: Dice, day: date, first_hour: int, last_hour: int) -> datetime:
    """A time on ``day`` between the hours, on a whole five minutes."""
    return datetime(day.year, day.month, day.day, dice.between(first_hour, last_hour), 5 * dice.below(12))


def listed(items: Sequence[str]) -> str:
    """A list in one cell, the way portals write it."""
    return "[" + ", ".join(f"'{item}'" for item in items) + "]" if items else ""


def stamp(moment: datetime) -> str:
    """Date and time for a cell, Beijing time."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def wan(hundreds: int) -> str:
    """An amount given in hundreds of yuan, written in units of 10,000 yuan."""
    return f"{hundreds / 100:.2f}"
