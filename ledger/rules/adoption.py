"""The rules of a county as its ledger's entries make them: each change is an entry; folded they give the register.

An entry holds what it changes and the digest of what came out. So the same entries give the same register everywhere,
and an entry that claims another digest than its content gives is found out. Pure: entries and texts are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.log import canonical
from ledger.rule_kinds import RULE_KINDS
from ledger.rules.calendars import Calendar, Calendars
from ledger.rules.clauses import Clause
from ledger.rules.deadlines import Rulebook
from ledger.rules.errors import AdoptionError
from ledger.rules.register import Register, Settings

#: The kinds that :func:`fold` reads.
KINDS = tuple(sorted(kind.name for kind in RULE_KINDS))

#: Canonical bytes by SHA-256 in hex.
Load = Callable[[str], bytes]
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What an entry is to say, and the rules that follow. ``by`` and ``after`` are put in by who appends it."""

    kind: str
    fields: dict[str, Any]
    rulebook: Rulebook


@dataclass(frozen=True, slots=True)
class Step:
    """The rules from entry ``seq``, made at ``t``, on."""

    seq: int
    t: str
    kind: str
    rulebook: Rulebook


@dataclass(frozen=True, slots=True)
class Timeline:
    """How the rules changed. ``base`` held before the first step; ``current`` holds now."""

    base: Rulebook
    steps: tuple[Step, ...]

    @property
    def current(self) -> Rulebook:
        return self.steps[-1].rulebook if self.steps else self.base

    @property
    def head(self) -> int | None:
        """The newest change's number: what the next one follows."""
        return self.steps[-1].seq if self.steps else None

    def before(self, seq: int) -> Rulebook:
        """The rules that an entry ``seq`` could rely on."""
        earlier = [step.rulebook for step in self.steps if step.seq < seq]
        return earlier[-1] if earlier else self.base


def fold(base: Rulebook, entries: Iterable[Entry], load: Load) -> Timeline:
    """The rules as ``entries`` of :data:`KINDS`, oldest first, make them.

    Args:
        base: what held before any of them: the packaged rules.
        load: texts by digest, for ``register.adopted``.

    Raises:
        AdoptionError: an entry's digest is not that of what it says, or it does not follow the change before it.
        RulesError: what an entry says cannot be.
    """
    timeline = Timeline(base, ())
    for entry in entries:
        timeline = follow(timeline, entry, load)
    return timeline


def follow(timeline: Timeline, entry: Entry, load: Load) -> Timeline:
    """``timeline`` with one entry more. Raises as :func:`fold`."""
    if entry.get("after") != timeline.head:
        raise AdoptionError(
            f"entry {entry['seq']} says that it follows change {entry.get('after')}, the last one is {timeline.head}",
            f"第 {entry['seq']} 条称其接续第 {entry.get('after')} 条，而最后一次变更是第 {timeline.head} 条",
        )
    rulebook = _applied(timeline.current, entry, load)
    for name, digest in rulebook.digests.items():
        if entry.get(name, digest) != digest:
            raise AdoptionError(
                f"entry {entry['seq']} ({entry['kind']}) names {name} {entry[name]}, its content gives {digest}: "
                "it was made with other rules or changed; keep it as evidence",
                f"第 {entry['seq']} 条（{entry['kind']}）所称 {name} 为 {entry[name]}，"
                f"按其内容应为 {digest}：所据规则不同或被改动，请留作证据",
            )
    return Timeline(timeline.base, (*timeline.steps, Step(entry["seq"], entry["t"], entry["kind"], rulebook)))


def _applied(rulebook: Rulebook, entry: Entry, load: Load) -> Rulebook:
    register, calendars, seq = rulebook.register, rulebook.calendars, f"entry {entry['seq']}"
    match entry["kind"]:
        case "register.adopted":
            return Rulebook(
                Register.read(canonical.decode(load(entry["register"])), seq),
                Calendars.read(canonical.decode(load(entry["calendars"])), seq),
            )
        case "rule.adopted":
            return Rulebook(register.adopt(clause_of(entry)), calendars)
        case "rule.ended":
            return Rulebook(register.end(entry["clause"], date.fromisoformat(entry["valid_to"])), calendars)
        case "rules.set":
            names = ("day_ends", "close_of_business", "at_once_target_minutes")
            return Rulebook(register.set(Settings.read({name: entry[name] for name in names}, seq)), calendars)
        case "ground.set":
            enabled = entry["state"] == "enabled"
            return Rulebook(register.set_ground(entry["ground"], enabled=enabled), calendars)
        case "calendar.adopted":
            return Rulebook(register, calendars.adopt(calendar_of(entry)))
        case other:
            raise AdoptionError(f"{seq}: {other} changes no rules", f"{seq}：{other} 不变更规则")


def adopt_register(rulebook: Rulebook, *, software: str, reason: str) -> Change:
    """The whole of ``rulebook``: with what a log begins, or after an update of the packaged rules."""
    return Change("register.adopted", {**rulebook.digests, "software": software, "reason": reason}, rulebook)


def adopt_rule(rulebook: Rulebook, clause: Clause) -> Change:
    """One clause more: a renewal, or the county's own service standard. Raises :class:`RuleDataError`."""
    changed = Rulebook(rulebook.register.adopt(clause), rulebook.calendars)
    return Change("rule.adopted", {**_clause_fields(clause), "register": changed.register.digest}, changed)


def end_rule(rulebook: Rulebook, clause_id: str, valid_to: date, reason: str) -> Change:
    """A clause ends with ``valid_to``. Raises as :meth:`Register.end`."""
    changed = Rulebook(rulebook.register.end(clause_id, valid_to), rulebook.calendars)
    fields = {"clause": clause_id, "valid_to": valid_to.isoformat(), "reason": reason}
    return Change("rule.ended", {**fields, "register": changed.register.digest}, changed)


def set_settings(rulebook: Rulebook, settings: Settings, reason: str) -> Change:
    """Other settings of clocks."""
    changed = Rulebook(rulebook.register.set(settings), rulebook.calendars)
    fields = {**settings.to_value(), "reason": reason, "register": changed.register.digest}
    return Change("rules.set", fields, changed)


def set_ground(rulebook: Rulebook, code: str, *, enabled: bool, reason: str) -> Change:
    """A ground may be chosen, or not any more. Raises :class:`UnknownRuleError`."""
    changed = Rulebook(rulebook.register.set_ground(code, enabled=enabled), rulebook.calendars)
    fields = {"ground": code, "state": "enabled" if enabled else "disabled", "reason": reason}
    return Change("ground.set", {**fields, "register": changed.register.digest}, changed)


def adopt_calendar(rulebook: Rulebook, calendar: Calendar) -> Change:
    """The calendar of a year that was announced, or announced anew."""
    changed = Rulebook(rulebook.register, rulebook.calendars.adopt(calendar))
    value = calendar.to_value()
    fields = {
        **{name: value[name] for name in ("year", "notice", "issued", "source", "make_up")},
        "holidays_zh": [holiday.name_zh for holiday in calendar.holidays],
        "holidays_en": [holiday.name_en for holiday in calendar.holidays],
        "first": [holiday.first.isoformat() for holiday in calendar.holidays],
        "last": [holiday.last.isoformat() for holiday in calendar.holidays],
        "calendars": changed.calendars.digest,
    }
    return Change("calendar.adopted", fields, changed)


def calendar_of(entry: Entry) -> Calendar:
    """The calendar that an entry ``calendar.adopted`` holds. Raises :class:`RuleDataError`."""
    where = f"entry {entry['seq']}"
    lists = [entry[name] for name in ("holidays_zh", "holidays_en", "first", "last")]
    if len({len(each) for each in lists}) != 1:
        raise AdoptionError(
            f"{where}: names, first and last days of holidays are not equally many",
            f"{where}：假期的名称、首日、末日数目不一",
        )
    keys = ("name_zh", "name_en", "first", "last")
    holidays = [dict(zip(keys, each, strict=True)) for each in zip(*lists, strict=True)]
    value = {name: entry[name] for name in ("year", "notice", "issued", "source", "make_up")}
    return Calendar.read({"format": 1, **value, "holidays": holidays}, where)


_CLAUSE = ("number", "name_zh", "name_en", "level", "article_zh", "article_en", "quote", "gist_en", "source")


def clause_of(entry: Entry) -> Clause:
    """The clause that an entry ``rule.adopted`` holds. Raises :class:`RuleDataError`."""
    value: dict[str, Any] = {"id": entry["clause"], "kind": entry["standing"]}
    value |= {name: entry[name] for name in (*_CLAUSE, "valid_from")}
    if "valid_to" in entry:
        value["valid_to"] = entry["valid_to"]
    if "act" in entry:
        clock = {name: entry[name] for name in ("act", "start", "stop", "sharing_class") if name in entry}
        clock |= {"working_days": entry["working_days"]} if "working_days" in entry else {"at_once": True}
        clock["urgent"] = entry.get("urgency") == "urgent"
        if "extension_days" in entry:
            needs = entry.get("extension_needs", [])
            clock["extension"] = {"max_working_days": entry["extension_days"], "needs": needs}
        value["clock"] = clock
    return Clause.read(value, f"entry {entry['seq']}")


def _clause_fields(clause: Clause) -> dict[str, Any]:
    found: dict[str, Any] = {"clause": clause.id, "standing": clause.kind}
    found |= {name: getattr(clause, name) for name in _CLAUSE}
    found["valid_from"] = clause.valid_from.isoformat()
    found["valid_to"] = None if clause.valid_to is None else clause.valid_to.isoformat()
    clock = clause.clock
    if clock is not None:
        found |= {name: getattr(clock, name) for name in ("act", "start", "stop", "working_days", "sharing_class")}
        found["urgency"] = "urgent" if clock.urgent else "ordinary"
        if clock.extension is not None:
            found["extension_days"] = clock.extension.max_working_days
            found["extension_needs"] = list(clock.extension.needs)
    return {name: value for name, value in found.items() if value is not None}
