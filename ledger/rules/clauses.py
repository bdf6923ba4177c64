"""Clauses: sentences of legal texts with the days on which they hold, and what clock they set.

A clause is what a deadline rests on. Nothing in code knows how many days a rule gives: it stands here as data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.rules import shape
from ledger.rules.errors import RuleDataError

#: What is asked for: 查询, 共享申请, 校核, 案件移送.
ACTS = ("query", "application", "correction", "transfer")
#: What starts a clock. Receipt, never authentication: 接到查询请求之日起 (源政办发〔2021〕19号 三(四)).
STARTS = ("received", "decided", "notified")
#: What stops it.
STOPS = ("decided", "supplied", "sent")
#: Sharing classes that the law gives different clocks: 条例 (令809) art. 21.
SHARING_CLASSES = ("unconditional", "conditional")
#: ``statutory``: a text that binds from outside the county's own service. ``local_standard``: the county's own target.
KINDS = ("statutory", "local_standard")
#: What sort of text it is; printed beside every figure. 法律, 行政法规, 规范性文件, 服务标准.
LEVELS = ("law", "administrative_regulation", "normative_document", "service_standard")
#: What an extension needs before it holds: 条例 art. 21, consent of the 主管部门 and notice to the requester.
EXTENSION_NEEDS = ("consent", "notice")

#: The event that starts and the one that stops the clock of an act, where nothing else is said.
USUAL_START = {"query": "received", "application": "received", "correction": "received", "transfer": "notified"}
USUAL_STOP = {"query": "supplied", "application": "decided", "correction": "decided", "transfer": "sent"}

_MAX_WORKING_DAYS = 366


@dataclass(frozen=True, slots=True)
class Extension:
    """How far a clause lets its time be extended, and what that needs (:data:`EXTENSION_NEEDS`)."""

    max_working_days: int
    needs: tuple[str, ...]

    @classmethod
    def read(cls, value: Any, where: str) -> Extension:
        found = shape.only(value, where, ("max_working_days", "needs"))
        return cls(
            shape.count(found["max_working_days"], f"{where}.max_working_days", 1, _MAX_WORKING_DAYS),
            shape.many(found["needs"], f"{where}.needs", lambda item, at: shape.choice(item, at, EXTENSION_NEEDS)),
        )

    def to_value(self) -> dict[str, Any]:
        return {"max_working_days": self.max_working_days, "needs": list(self.needs)}


@dataclass(frozen=True, slots=True)
class Clock:
    """What runs: for which act, from which event to which.

    Attributes:
        working_days: how many, the day of the start not counted; None means at once (立即), of which no number is law.
        urgent: for what is marked especially urgent (特别紧急): that and nothing else is at once.
        sharing_class: only for data of this class, else for any.
    """

    act: str
    start: str
    stop: str
    working_days: int | None
    urgent: bool = False
    sharing_class: str | None = None
    extension: Extension | None = None

    @classmethod
    def read(cls, value: Any, where: str) -> Clock:
        found = shape.only(
            value, where, ("act", "start", "stop"), ("working_days", "at_once", "urgent", "sharing_class", "extension")
        )
        at_once = shape.flag(found.get("at_once", False), f"{where}.at_once")
        if at_once == ("working_days" in found):
            raise RuleDataError(
                f"{where}: want either working_days or at_once: true",
                f"{where}：应有 working_days 或 at_once: true 之一",
            )
        urgent = shape.flag(found.get("urgent", False), f"{where}.urgent")
        if urgent != at_once:
            # Else a clause without a number would count as the strictest of those with one.
            raise RuleDataError(
                f"{where}: urgent and at_once go together", f"{where}：urgent 与 at_once 须同时为 true 或都不写"
            )
        days = None
        if not at_once:
            days = shape.count(found["working_days"], f"{where}.working_days", 1, _MAX_WORKING_DAYS)
        sharing_class = found.get("sharing_class")
        if sharing_class is not None:
            sharing_class = shape.choice(sharing_class, f"{where}.sharing_class", SHARING_CLASSES)
        extension = found.get("extension")
        return cls(
            shape.choice(found["act"], f"{where}.act", ACTS),
            shape.choice(found["start"], f"{where}.start", STARTS),
            shape.choice(found["stop"], f"{where}.stop", STOPS),
            days,
            urgent,
            sharing_class,
            None if extension is None else Extension.read(extension, f"{where}.extension"),
        )

    def to_value(self) -> dict[str, Any]:
        value: dict[str, Any] = {"act": self.act, "start": self.start, "stop": self.stop}
        value |= {"at_once": True} if self.working_days is None else {"working_days": self.working_days}
        if self.urgent:
            value["urgent"] = True
        if self.sharing_class is not None:
            value["sharing_class"] = self.sharing_class
        if self.extension is not None:
            value["extension"] = self.extension.to_value()
        return value


_DOCUMENT = ("number", "name_zh", "name_en", "level", "kind", "valid_from", "source")
_OWN = ("id", "article_zh", "article_en", "quote", "gist_en")
_OPTIONAL = ("valid_to", "clock")


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence of a text, quoted.

    Attributes:
        id: its name in entries, never used twice.
        number: the document's number, like 国务院令第809号.
        level, kind: of :data:`LEVELS` and :data:`KINDS`.
        quote: the sentence, as it stands; ``…`` where words between were left out.
        gist_en: what it says, in English; no official translation.
        valid_from, valid_to: first and last day on which it holds; ``valid_to`` None while no end is set.
        source: where the text was read.
        clock: the time it sets, if it sets one.
    """

    id: str
    number: str
    name_zh: str
    name_en: str
    level: str
    kind: str
    article_zh: str
    article_en: str
    quote: str
    gist_en: str
    valid_from: date
    valid_to: date | None
    source: str
    clock: Clock | None = None

    @classmethod
    def read(cls, value: Any, where: str = "clause") -> Clause:
        """A clause from its value (the inverse of :meth:`to_value`).

        Raises:
            RuleDataError: something is missing, unknown, empty, or out of form.
        """
        found = shape.only(value, where, (*_OWN, *_DOCUMENT), _OPTIONAL)
        own_id = shape.identifier(found["id"], f"{where}.id")
        where = own_id
        first, last = shape.day(found["valid_from"], f"{where}.valid_from"), found.get("valid_to")
        last = None if last is None else shape.day(last, f"{where}.valid_to")
        if last is not None and last < first:
            raise RuleDataError(
                f"{where}: valid_to {last} is before valid_from {first}",
                f"{where}：失效日期 {last} 早于生效日期 {first}",
            )
        level, kind = shape.choice(found["level"], f"{where}.level", LEVELS), found["kind"]
        kind = shape.choice(kind, f"{where}.kind", KINDS)
        if (level == "service_standard") != (kind == "local_standard"):
            raise RuleDataError(
                f"{where}: level {level} with kind {kind}: a service standard is local, law is not",
                f"{where}：层级 {level} 与类别 {kind} 不符：服务标准只是本地标准，不是法；法也不是服务标准",
            )
        clock = found.get("clock")
        return cls(
            own_id,
            shape.text(found["number"], f"{where}.number", 100),
            shape.text(found["name_zh"], f"{where}.name_zh", 200),
            shape.text(found["name_en"], f"{where}.name_en", 200),
            level,
            kind,
            shape.text(found["article_zh"], f"{where}.article_zh", 100),
            shape.text(found["article_en"], f"{where}.article_en", 100),
            shape.text(found["quote"], f"{where}.quote"),
            shape.text(found["gist_en"], f"{where}.gist_en"),
            first,
            last,
            shape.text(found["source"], f"{where}.source", 500),
            None if clock is None else Clock.read(clock, f"{where}.clock"),
        )

    def to_value(self) -> dict[str, Any]:
        """What canonical JSON is made of."""
        value: dict[str, Any] = {name: getattr(self, name) for name in (*_OWN, *_DOCUMENT) if name != "valid_from"}
        value["valid_from"] = self.valid_from.isoformat()
        if self.valid_to is not None:
            value["valid_to"] = self.valid_to.isoformat()
        if self.clock is not None:
            value["clock"] = self.clock.to_value()
        return value

    def in_force(self, day: date) -> bool:
        """Whether it holds on ``day``; the last day of its validity included."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    @property
    def label_zh(self) -> str:
        return f"{self.number} {self.article_zh}"

    @property
    def label_en(self) -> str:
        return f"{self.name_en} ({self.number}), {self.article_en}"


def read_document(value: Any, where: str) -> tuple[Clause, ...]:
    """The clauses of one file: ``document`` says once what all of its clauses share.

    Raises:
        RuleDataError: as :meth:`Clause.read`.
    """
    found = shape.only(value, where, ("format", "document", "clauses"))
    shape.count(found["format"], f"{where}.format", 1, 1)
    document = shape.only(found["document"], f"{where}.document", _DOCUMENT, ("valid_to",))
    clauses = shape.many(found["clauses"], f"{where}.clauses", shape.mapping, at_least=1)
    return tuple(Clause.read({**document, **each}, f"{where}.clauses[{n}]") for n, each in enumerate(clauses))
