"""The register of rules: which clause was in force on a day, and the digest that entries name.

A register never changes: adopting, ending or enabling something gives a new one with another digest, and the old one
goes on saying what held when an older entry relied on it. Loading a file is at the edge (:mod:`ledger.rules.packaged`,
:mod:`ledger.rule_archive`); nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, time
from functools import cached_property
from typing import Any

from ledger.log import canonical
from ledger.rules import shape
from ledger.rules.clauses import Clause
from ledger.rules.errors import RuleDataError, UnknownRuleError
from ledger.rules.grounds import Ground, Negative

#: When the last day ends. 民法典 art. 203: at 24:00, or where there are business hours, with their close.
DAY_ENDS = ("midnight", "close_of_business")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the county decides itself; in the digest, so that anybody can recompute what followed from it.

    Attributes:
        day_ends: of :data:`DAY_ENDS`, which of the two instants counts; both are always shown.
        close_of_business: local time at which offices close.
        at_once_target_minutes: what "at once" is measured against; a local target, never law.
    """

    day_ends: str = "midnight"
    close_of_business: time = time(17, 30)
    at_once_target_minutes: int = 120

    @classmethod
    def read(cls, value: Any, where: str = "settings") -> Settings:
        found = shape.only(value, where, ("day_ends", "close_of_business", "at_once_target_minutes"))
        close = shape.text(found["close_of_business"], f"{where}.close_of_business", 5)
        try:
            at = time.fromisoformat(close)
        except ValueError as error:
            raise shape.bad(f"{where}.close_of_business", close, "a time HH:MM", "时刻 HH:MM") from error
        if f"{at:%H:%M}" != close or at == time(0):
            raise shape.bad(f"{where}.close_of_business", close, "a time HH:MM after 00:00", "00:00 以后的时刻 HH:MM")
        return cls(
            shape.choice(found["day_ends"], f"{where}.day_ends", DAY_ENDS),
            at,
            shape.count(found["at_once_target_minutes"], f"{where}.at_once_target_minutes", 1, 7 * 24 * 60),
        )

    def to_value(self) -> dict[str, Any]:
        return {
            "day_ends": self.day_ends,
            "close_of_business": f"{self.close_of_business:%H:%M}",
            "at_once_target_minutes": self.at_once_target_minutes,
        }


@dataclass(frozen=True)
class Register:
    """All clauses, the grounds of refusal, what never is a ground, and the county's settings."""

    clauses: tuple[Clause, ...]
    grounds: tuple[Ground, ...] = ()
    negatives: tuple[Negative, ...] = ()
    settings: Settings = Settings()

    @classmethod
    def of(
        cls,
        clauses: Iterable[Clause],
        grounds: Iterable[Ground] = (),
        negatives: Iterable[Negative] = (),
        settings: Settings | None = None,
    ) -> Register:
        """A register, in order of ids and codes.

        Raises:
            RuleDataError: an id or code comes twice.
        """
        made = cls(
            tuple(sorted(clauses, key=lambda clause: clause.id)),
            tuple(sorted(grounds, key=lambda ground: ground.code)),
            tuple(sorted(negatives, key=lambda negative: negative.code)),
            settings or Settings(),
        )
        codes = [*(g.code for g in made.grounds), *(n.code for n in made.negatives)]
        for names in ([clause.id for clause in made.clauses], codes):
            for name in names:
                if names.count(name) > 1:
                    raise RuleDataError(f"{name} is there twice; want each once", f"{name} 重复出现，应各只有一个")
        return made

    @classmethod
    def read(cls, value: Any, where: str = "register") -> Register:
        """From :meth:`to_value`. Raises :class:`RuleDataError`."""
        found = shape.only(value, where, ("format", "clauses", "grounds", "negatives", "settings"))
        shape.count(found["format"], f"{where}.format", 1, 1)
        return cls.of(
            shape.many(found["clauses"], f"{where}.clauses", Clause.read),
            shape.many(found["grounds"], f"{where}.grounds", Ground.read),
            shape.many(found["negatives"], f"{where}.negatives", Negative.read),
            Settings.read(found["settings"], f"{where}.settings"),
        )

    def to_value(self) -> dict[str, Any]:
        return {
            "format": 1,
            "clauses": [clause.to_value() for clause in self.clauses],
            "grounds": [ground.to_value() for ground in self.grounds],
            "negatives": [negative.to_value() for negative in self.negatives],
            "settings": self.settings.to_value(),
        }

    @cached_property
    def canonical(self) -> bytes:
        """The bytes that :attr:`digest` is of."""
        return canonical.encode(self.to_value())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex: what entries name."""
        return hashlib.sha256(self.canonical).hexdigest()

    def clause(self, clause_id: str) -> Clause:
        """Raises :class:`UnknownRuleError`."""
        for each in self.clauses:
            if each.id == clause_id:
                return each
        raise UnknownRuleError(
            f"no clause {clause_id!r} in the register; `liandong rules show` lists them",
            f"规则库中没有条款 {clause_id!r}；用 `liandong rules show` 列出",
        )

    def ground(self, code: str) -> Ground:
        """Raises :class:`UnknownRuleError`."""
        for each in self.grounds:
            if each.code == code:
                return each
        raise UnknownRuleError(
            f"no ground {code!r} in the register; there are {', '.join(g.code for g in self.grounds)}",
            f"规则库中没有事由 {code!r}；现有 {'、'.join(g.code for g in self.grounds)}",
        )

    def in_force(self, day: date) -> tuple[Clause, ...]:
        """The clauses in force on ``day``."""
        return tuple(clause for clause in self.clauses if clause.in_force(day))

    def clock_clause(
        self,
        act: str,
        start: str,
        stop: str,
        day: date,
        *,
        sharing_class: str | None = None,
        urgent: bool = False,
    ) -> Clause | None:
        """The clause that sets the clock of an ``act`` received on ``day``; None where none is in force.

        The strictest binds, only among clauses of the same act, start and stop; of two alike the statutory one.
        ``urgent`` asks for the clause of at once (立即) instead of the one that counts days. A clause for one sharing
        class binds only where the data are known to be of that class.
        """
        found = [
            (clause.clock.working_days or 0, clause.kind != "statutory", clause.id, clause)
            for clause in self.clauses
            if clause.clock is not None
            and clause.in_force(day)
            and (clause.clock.act, clause.clock.start, clause.clock.stop) == (act, start, stop)
            and clause.clock.sharing_class in (None, sharing_class)
            and clause.clock.urgent == urgent
        ]
        return min(found)[-1] if found else None

    def adopt(self, clause: Clause) -> Register:
        """A register with one clause more. Raises :class:`RuleDataError` where its id is taken."""
        return Register.of((*self.clauses, clause), self.grounds, self.negatives, self.settings)

    def end(self, clause_id: str, valid_to: date) -> Register:
        """A register in which a clause ends with ``valid_to``, sooner than it said.

        Raises:
            UnknownRuleError: no such clause.
            RuleDataError: ``valid_to`` is before its first day, or later than it ends anyway: a text is not prolonged
                by ending it, a renewal is a clause of its own.
        """
        clause = self.clause(clause_id)
        if valid_to < clause.valid_from or (clause.valid_to is not None and valid_to > clause.valid_to):
            raise RuleDataError(
                f"{clause_id} holds from {clause.valid_from} to {clause.valid_to or 'no set end'}, so it cannot end "
                f"with {valid_to}; a renewal is adopted as a clause of its own",
                f"{clause_id} 有效期自 {clause.valid_from} 至 {clause.valid_to or '未定'}，不能止于 {valid_to}；"
                "延期须作为新条款采用",
            )
        ended = replace(clause, valid_to=valid_to)
        others = (each for each in self.clauses if each.id != clause_id)
        return Register.of((*others, ended), self.grounds, self.negatives, self.settings)

    def set_ground(self, code: str, *, enabled: bool) -> Register:
        """A register in which a ground may be chosen, or may not.

        Raises:
            UnknownRuleError: no such ground.
        """
        changed = replace(self.ground(code), enabled=enabled)
        others = (each for each in self.grounds if each.code != code)
        return Register.of(self.clauses, (*others, changed), self.negatives, self.settings)

    def set(self, settings: Settings) -> Register:
        """A register with other settings."""
        return Register.of(self.clauses, self.grounds, self.negatives, settings)
