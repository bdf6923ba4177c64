"""The rules as their words say them, over a whole list of entries: slow, with nothing of the program in it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from catalog.anomalies.thresholds import Thresholds

#: By rule, agency, resource, code and period: the value, and the entries.
Found = dict[tuple[str, str, str, str, str], tuple[int, list[int]]]


def flags(entries: list[dict[str, Any]], thresholds: Thresholds) -> Found:
    """Every flag that these entries give."""
    found: Found = {}
    served = [_local(entry) for entry in entries if entry["kind"] == "query.served"]
    served = [each for each in served if "/" in each["resource"] or each["resource"] == "batch"]
    for each in served:
        each["n"] = each.get("items", 1)
        each["rows"] = each.get("rows", 0)
    _bulk(found, served, thresholds)
    _growth(found, served, thresholds)
    _off_hours(found, served, thresholds)
    _purposes(found, served, thresholds)
    away = [_local(e) for e in entries if e["kind"] in ("query.referred", "query.refused", "query.failed")]
    for (agency, hour), group in _grouped(away, "requester", "hour").items():
        if len(group) >= thresholds.of("turned_away")["floor"]:
            found["turned_away", agency, "", "", hour] = len(group), _seqs(group)
    wrong = [_local(entry) for entry in entries if entry["kind"] == "auth.failed"]
    for (agency, hour), group in _grouped(wrong, "agency", "hour").items():
        attempts = sum(each.get("attempts", 1) for each in group)
        if attempts >= thresholds.of("auth_failed")["floor"]:
            found["auth_failed", agency, "", "", hour] = attempts, _seqs(group)
    return found


def _bulk(found: Found, served: list[dict[str, Any]], thresholds: Thresholds) -> None:
    for rule, what in (("bulk_rows", "rows"), ("bulk_queries", "n")):
        limits = thresholds.of(rule)
        for (agency, resource, hour), group in _grouped(served, "requester", "resource", "hour").items():
            value = sum(each[what] for each in group)
            hours: dict[str, int] = defaultdict(int)
            for each in served:
                if (each["requester"], each["resource"]) == (agency, resource) and _recent(each, hour, thresholds):
                    hours[each["hour"]] += each[what]
            history = [amount for amount in hours.values() if amount > 0]
            if len(history) < limits["least_hours"]:
                least: Fraction | int = limits["without_history"]
            else:
                least = max(limits["floor"], limits["factor"] * Fraction(statistics.median(history)))
            if value >= limits["floor"] and value >= least:
                found[rule, agency, resource, "", hour] = value, _seqs(group)


def _growth(found: Found, served: list[dict[str, Any]], thresholds: Thresholds) -> None:
    limits = thresholds.of("growth")
    for (agency, day), group in _grouped(served, "requester", "day").items():
        before = [each for each in served if each["requester"] == agency and _recent(each, day, thresholds)]
        if not before:
            continue
        first = date.fromisoformat(min(each["day"] for each in before))
        days = [(first + timedelta(days=n)).isoformat() for n in range((date.fromisoformat(day) - first).days)]
        rows = [sum(each["rows"] for each in before if each["day"] == one) for one in days]
        value = sum(each["rows"] for each in group)
        if (
            len(days) >= limits["least_days"]
            and value >= limits["floor"]
            and value >= limits["factor"] * Fraction(statistics.median(rows))
        ):
            found["growth", agency, "", "", day] = value, _seqs(group)


def _off_hours(found: Found, served: list[dict[str, Any]], thresholds: Thresholds) -> None:
    times = thresholds.working_time
    off = []
    for each in served:
        weekday = date.fromisoformat(each["day"]).isoweekday()
        works = each["day"] in times.working_days or (weekday in times.weekdays and each["day"] not in times.off_days)
        if each["auth"] == "session" and not (works and times.begins <= each["time"] < times.ends):
            off.append(each)
    for (agency, day), group in _grouped(off, "requester", "day").items():
        value = sum(each["n"] for each in group)
        if value >= thresholds.of("off_hours")["floor"]:
            found["off_hours", agency, "", "", day] = value, _seqs(group)


def _purposes(found: Found, served: list[dict[str, Any]], thresholds: Thresholds) -> None:
    stated = [each for each in served if "purpose" in each]
    shift = thresholds.of("purpose_shift")
    for (agency, resource, code, day), group in _grouped(stated, "requester", "resource", "purpose", "day").items():
        same = [each for each in stated if (each["requester"], each["resource"]) == (agency, resource)]
        ever = [each for each in same if each["day"] < day]
        key = (agency, resource, code, day)
        if all(each["purpose"] != code for each in ever):
            if len(ever) >= thresholds.of("new_purpose")["least_history"]:
                found["new_purpose", *key] = len(group), _seqs(group)
            continue
        recent = [each for each in same if _recent(each, day, thresholds)]
        before = sum(each["purpose"] == code for each in recent)
        if (
            len(group) >= shift["floor"]
            and len(recent) >= shift["least_history"]
            and Fraction(before, len(recent)) <= Fraction(shift["percent"], 100)
        ):
            found["purpose_shift", *key] = len(group), _seqs(group)


def _recent(each: dict[str, Any], period: str, thresholds: Thresholds) -> bool:
    day = date.fromisoformat(period[:10])
    return day - timedelta(days=thresholds.history_days) <= date.fromisoformat(each["day"]) < day


def _local(entry: dict[str, Any]) -> dict[str, Any]:
    local = datetime.strptime(entry["t"], "%Y-%m-%dT%H:%M:%S.%fZ") + timedelta(hours=8)
    day = local.date().isoformat()
    return {**entry, "day": day, "hour": f"{day}t{local.hour:02}", "time": local.strftime("%H:%M")}


def _grouped(entries: list[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        groups[tuple(entry[name] for name in names)].append(entry)
    return groups


def _seqs(group: list[dict[str, Any]]) -> list[int]:
    return [entry["seq"] for entry in group]
