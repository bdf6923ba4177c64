"""From where on the rules flag: read from ``thresholds.yml``, and where the county wants others from its own file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from catalog.errors import UsageError

#: In the instance's folder, optional.
OWN_FILE = "anomalies.yml"
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_WORKING_TIME = {"begins", "ends", "weekdays", "off_days", "working_days"}


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """When offices work, by the county's clock: ``begins`` ≤ time < ``ends`` as HH:MM, days as YYYY-MM-DD."""

    begins: str
    ends: str
    weekdays: frozenset[int]
    off_days: frozenset[str]
    working_days: frozenset[str]

    def covers(self, day: str, time: str) -> bool:
        """Whether ``day`` at ``time`` is working time."""
        works = day in self.working_days or (
            day not in self.off_days and date.fromisoformat(day).isoweekday() in self.weekdays
        )
        return works and self.begins <= time < self.ends


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All of them. ``digest``: of everything that decides, so that flags made with others are made anew."""

    history_days: int
    working_time: WorkingTime
    numbers: Mapping[str, Mapping[str, int]]
    digest: str

    def of(self, rule: str) -> Mapping[str, int]:
        """The numbers of one rule."""
        return self.numbers[rule]


@cache
def defaults() -> Thresholds:
    """Those that come with the program."""
    return _checked(_packaged(), "thresholds.yml")


def of_instance(folder: Path) -> Thresholds:
    """Those of an instance: the packaged ones, and what its own file says differently.

    Raises:
        UsageError: the file says something that there is not, or not in the right form.
    """
    file = folder / OWN_FILE
    if not file.exists():
        return defaults()
    try:
        own = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError, yaml.YAMLError) as error:
        # PyYAML lets Python's own errors out of odd scalars (the date 2026-02-30).
        raise _bad(str(file), (str(error) or type(error).__name__).splitlines()[0]) from error
    return _checked(_merged(_packaged(), own or {}, str(file)), str(file))


def _packaged() -> dict[str, Any]:
    text = (resources.files("catalog.anomalies") / "thresholds.yml").read_text(encoding="utf-8")
    value: dict[str, Any] = yaml.safe_load(text)
    return value


def _merged(base: dict[str, Any], own: Any, where: str) -> dict[str, Any]:
    if not isinstance(own, dict):
        raise _bad(where, "not a table of settings")
    for name, value in own.items():
        if name not in base:
            raise _bad(where, f"{name} is unknown; known are {', '.join(base)}")
        if isinstance(base[name], dict):
            base[name] = _merged(base[name], value, f"{where}: {name}")
        else:
            base[name] = value
    return base


def _checked(value: dict[str, Any], where: str) -> Thresholds:
    if value.get("format") != 1:
        raise _bad(where, "format is not 1")
    numbers = {
        name: numbers
        for name, numbers in value.items()
        if name not in ("format", "history_days", "working_time") and isinstance(numbers, dict)
    }
    for name, each in [*numbers.items(), ("", {"history_days": value["history_days"]})]:
        for key, number in each.items():
            if type(number) is not int or not 0 < number < 2**40:
                raise _bad(where, f"{name} {key} is not a whole number from 1".strip())
    digest = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
    return Thresholds(value["history_days"], _working_time(value["working_time"], where), numbers, digest)


def _working_time(value: dict[str, Any], where: str) -> WorkingTime:
    for name in ("begins", "ends"):
        if not isinstance(value[name], str) or not _CLOCK.fullmatch(value[name]):
            raise _bad(where, f'working_time {name} is not like "08:30"')
    weekdays = value["weekdays"]
    if not isinstance(weekdays, list) or not all(type(day) is int and 1 <= day <= 7 for day in weekdays):
        raise _bad(where, "working_time weekdays is not a list of 1 (Monday) to 7")
    days = {name: _days(value[name], f"working_time {name}", where) for name in ("off_days", "working_days")}
    return WorkingTime(value["begins"], value["ends"], frozenset(weekdays), **days)


def _days(value: Any, name: str, where: str) -> frozenset[str]:
    try:
        return frozenset(date.fromisoformat(str(day)).isoformat() for day in value)
    except (TypeError, ValueError) as error:
        raise _bad(where, f"{name} is not a list of days like 2026-10-01") from error


def _bad(where: str, why: str) -> UsageError:
    return UsageError(
        f"{where}: {why}; correct it, or take the line out: what is left out has its default",
        f"{where}：{why}；请更正或删去该行，未写的项用默认值",
    )
