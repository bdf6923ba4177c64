"""Grounds of refusal (法定事由) as dated data: which statute says it, what it demands, and what never is a ground.

Whether a refusal is lawful on its face is decided in :mod:`ledger.rules.refusals`; here is what the register knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.rules import shape
from ledger.rules.errors import RuleDataError

#: What a demanded field must look like: ``day`` YYYY-MM-DD; ``choice`` one of its choices; ``text``; ``number`` a
#: register number, entry or id in ASCII letters, digits and ``-_/.``, which cannot tell what a document says.
FORMS = ("text", "day", "choice", "number")
#: How a demanded day must lie: to the day of the refusal, or to the day on which the request was received.
WHEN = ("not_after_refusal", "not_before_refusal", "before_receipt", "not_after_receipt")
#: Whether a ground may cover all that was asked, or a part alone.
SCOPES = ("whole", "part")


@dataclass(frozen=True, slots=True)
class Demand:
    """A field that a refusal on this ground must have; ``when`` of :data:`WHEN`, for days."""

    name: str
    form: str
    zh: str
    en: str
    choices: tuple[str, ...] = ()
    required: bool = True
    when: str | None = None

    @classmethod
    def read(cls, value: Any, where: str) -> Demand:
        found = shape.only(value, where, ("name", "form", "zh", "en"), ("choices", "required", "when"))
        form = shape.choice(found["form"], f"{where}.form", FORMS)
        if (form == "choice") != ("choices" in found):
            raise RuleDataError(f"{where}: choices go with form choice", f"{where}：choices 与 form: choice 须同时出现")
        when = found.get("when")
        if when is not None:
            when = shape.choice(when, f"{where}.when", WHEN if form == "day" else ())
        return cls(
            shape.identifier(found["name"], f"{where}.name"),
            form,
            shape.text(found["zh"], f"{where}.zh", 100),
            shape.text(found["en"], f"{where}.en", 200),
            shape.many(found.get("choices", []), f"{where}.choices", shape.text),
            shape.flag(found.get("required", True), f"{where}.required"),
            when,
        )

    def to_value(self) -> dict[str, Any]:
        value: dict[str, Any] = {"name": self.name, "form": self.form, "zh": self.zh, "en": self.en}
        if self.when is not None:
            value["when"] = self.when
        if self.choices:
            value["choices"] = list(self.choices)
        if not self.required:
            value["required"] = False
        return value


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before the ground may be used; the refusal stands only if the answer is ``must_be``.

    ``why_*`` says why it does not stand otherwise: mostly the statute's own exception, which then covers the requester.
    """

    name: str
    zh: str
    en: str
    must_be: bool
    why_zh: str
    why_en: str

    @classmethod
    def read(cls, value: Any, where: str) -> Question:
        found = shape.only(value, where, ("name", "zh", "en", "must_be", "why_zh", "why_en"))
        return cls(
            shape.identifier(found["name"], f"{where}.name"),
            shape.text(found["zh"], f"{where}.zh", 200),
            shape.text(found["en"], f"{where}.en", 300),
            shape.flag(found["must_be"], f"{where}.must_be"),
            shape.text(found["why_zh"], f"{where}.why_zh", 300),
            shape.text(found["why_en"], f"{where}.why_en", 400),
        )

    def to_value(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "zh", "en", "must_be", "why_zh", "why_en")}


@dataclass(frozen=True, slots=True)
class Citation:
    """An article that a refusal may name.

    Attributes:
        quote: the article's words, or None where its text was not at hand: it is *unverified* and cannot be chosen.
        valid_from, valid_to: first and last day of the text that was read; None in ``valid_to`` while no end is set.
        repealed_by_zh, repealed_by_en: for one that ended, by what; ``instead``: the citation that says it now.
    """

    id: str
    statute_zh: str
    statute_en: str
    article_zh: str
    article_en: str
    quote: str | None
    valid_from: date
    valid_to: date | None = None
    source: str | None = None
    repealed_by_zh: str | None = None
    repealed_by_en: str | None = None
    instead: str | None = None

    @classmethod
    def read(cls, value: Any, where: str) -> Citation:
        required = ("id", "statute_zh", "statute_en", "article_zh", "article_en", "valid_from")
        optional = ("quote", "valid_to", "source", "repealed_by_zh", "repealed_by_en", "instead")
        found = shape.only(value, where, required, optional)
        where = shape.identifier(found["id"], f"{where}.id")
        if ("quote" in found) != ("source" in found):
            raise RuleDataError(f"{where}: a quote goes with its source", f"{where}：quote 与 source 须同时出现")
        if ("valid_to" in found) != ("repealed_by_zh" in found) or ("repealed_by_zh" in found) != (
            "repealed_by_en" in found
        ):
            raise RuleDataError(
                f"{where}: valid_to goes with repealed_by_zh and repealed_by_en",
                f"{where}：valid_to 须与 repealed_by_zh、repealed_by_en 同时出现",
            )
        first, last = shape.day(found["valid_from"], f"{where}.valid_from"), None
        if "valid_to" in found:
            last = shape.day(found["valid_to"], f"{where}.valid_to")
            if last < first:
                raise RuleDataError(f"{where}: it ends before it begins", f"{where}：失效早于生效")
        texts = {
            name: shape.text(found[name], f"{where}.{name}", 3_000)
            for name in (*required[1:5], "quote", "source", "repealed_by_zh", "repealed_by_en")
            if name in found
        }
        instead = shape.identifier(found["instead"], f"{where}.instead") if "instead" in found else None
        return cls(
            where,
            texts["statute_zh"],
            texts["statute_en"],
            texts["article_zh"],
            texts["article_en"],
            texts.get("quote"),
            first,
            last,
            texts.get("source"),
            texts.get("repealed_by_zh"),
            texts.get("repealed_by_en"),
            instead,
        )

    def to_value(self) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name in self.__slots__:
            found = getattr(self, name)
            if found is not None:
                value[name] = found.isoformat() if isinstance(found, date) else found
        return value

    @property
    def is_verified(self) -> bool:
        """Whether its text was read."""
        return self.quote is not None

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    @property
    def label_zh(self) -> str:
        return f"《{self.statute_zh}》{self.article_zh}"

    @property
    def label_en(self) -> str:
        return f"{self.statute_en}, {self.article_en}"


@dataclass(frozen=True, slots=True)
class Term:
    """How long a secret may stay one: for a level (a choice of ``secrecy_level``) at most so many years from
    ``classified_on`` to ``secret_until``; or, where no day could be set, ``until_condition``.

    Source: 保守国家秘密法 art. 20: 绝密级不超过三十年，机密级不超过二十年，秘密级不超过十年.
    """

    level: str
    max_years: int

    #: The demands that it needs.
    DEMANDS = ("secrecy_level", "classified_on", "secret_until", "until_condition")

    @classmethod
    def read(cls, value: Any, where: str) -> Term:
        found = shape.only(value, where, ("level", "max_years"))
        return cls(
            shape.text(found["level"], f"{where}.level", 20),
            shape.count(found["max_years"], f"{where}.max_years", 1, 100),
        )

    def to_value(self) -> dict[str, Any]:
        return {"level": self.level, "max_years": self.max_years}


@dataclass(frozen=True, slots=True)
class Ground:
    """A ground of refusal.

    Attributes:
        secrecy: whether it is one of secrecy; such a refusal is counted apart.
        scope: ``part``: it never covers all that was asked; ``part_zh``/``part_en`` say what alone may be withheld.
        enabled: whether the county's justice bureau (县司法局) lets it be chosen.
        terms: for state secrets, how long each level may last; then no document may be named anywhere in the refusal.
        note_zh, note_en: the doubt for which it ships disabled, or a caution; shown to whoever chooses it.
    """

    code: str
    name_zh: str
    name_en: str
    secrecy: bool
    scope: str
    enabled: bool
    citations: tuple[Citation, ...]
    demands: tuple[Demand, ...] = ()
    questions: tuple[Question, ...] = ()
    terms: tuple[Term, ...] = ()
    part_zh: str | None = None
    part_en: str | None = None
    note_zh: str | None = None
    note_en: str | None = None

    @classmethod
    def read(cls, value: Any, where: str = "ground") -> Ground:
        """A ground from its value (the inverse of :meth:`to_value`). Raises :class:`RuleDataError`."""
        texts = ("part_zh", "part_en", "note_zh", "note_en")
        required = ("code", "name_zh", "name_en", "secrecy", "scope", "enabled", "citations")
        found = shape.only(value, where, required, ("demands", "questions", "terms", *texts))
        where = _code(found["code"], f"{where}.code")
        scope = shape.choice(found["scope"], f"{where}.scope", SCOPES)
        if (scope == "part") != ("part_zh" in found):
            raise RuleDataError(
                f"{where}: part_zh and part_en go with scope part",
                f"{where}：part_zh、part_en 与 scope: part 须同时出现",
            )
        for zh, en in (texts[:2], texts[2:]):
            if (zh in found) != (en in found):
                raise RuleDataError(f"{where}: want {zh} and {en}", f"{where}：{zh} 与 {en} 须同时出现")
        made = cls(
            where,
            shape.text(found["name_zh"], f"{where}.name_zh", 60),
            shape.text(found["name_en"], f"{where}.name_en", 120),
            shape.flag(found["secrecy"], f"{where}.secrecy"),
            scope,
            shape.flag(found["enabled"], f"{where}.enabled"),
            shape.many(found["citations"], f"{where}.citations", Citation.read, at_least=1),
            shape.many(found.get("demands", []), f"{where}.demands", Demand.read),
            shape.many(found.get("questions", []), f"{where}.questions", Question.read),
            shape.many(found.get("terms", []), f"{where}.terms", Term.read),
            *(shape.text(found[name], f"{where}.{name}", 500) if name in found else None for name in texts),
        )
        made._check()
        return made

    def _check(self) -> None:
        for names in (
            [citation.id for citation in self.citations],
            [*(demand.name for demand in self.demands), *(question.name for question in self.questions)],
        ):
            if len(names) != len(set(names)):
                raise RuleDataError(f"{self.code}: a name comes twice", f"{self.code}：名称重复")
        demanded = {demand.name for demand in self.demands}
        if self.terms and not demanded.issuperset(Term.DEMANDS):
            raise RuleDataError(
                f"{self.code}: terms need the demands {', '.join(Term.DEMANDS)}",
                f"{self.code}：terms 需要 {'、'.join(Term.DEMANDS)} 这几个字段",
            )
        ids = {citation.id for citation in self.citations}
        for citation in self.citations:
            if citation.instead is not None and citation.instead not in ids:
                raise RuleDataError(
                    f"{citation.id}: instead names {citation.instead}, which {self.code} does not have",
                    f"{citation.id}：instead 指向 {citation.instead}，{self.code} 中没有",
                )

    def to_value(self) -> dict[str, Any]:
        """What canonical JSON is made of."""
        value: dict[str, Any] = {
            name: getattr(self, name) for name in ("code", "name_zh", "name_en", "secrecy", "scope", "enabled")
        }
        value["citations"] = [citation.to_value() for citation in self.citations]
        if self.demands:
            value["demands"] = [demand.to_value() for demand in self.demands]
        if self.questions:
            value["questions"] = [question.to_value() for question in self.questions]
        if self.terms:
            value["terms"] = [term.to_value() for term in self.terms]
        for name in ("part_zh", "part_en", "note_zh", "note_en"):
            if getattr(self, name) is not None:
                value[name] = getattr(self, name)
        return value

    def choosable(self, day: date) -> tuple[Citation, ...]:
        """The citations that a refusal of ``day`` may name: verified, in force; none while the ground is disabled."""
        if not self.enabled:
            return ()
        return tuple(each for each in self.citations if each.is_verified and each.in_force(day))


@dataclass(frozen=True, slots=True)
class Negative:
    """What is always rejected when it stands alone, and why.

    Attributes:
        patterns: regular expressions over the text in NFKC without blanks; a match says that the text claims this.
        lawful_zh, lawful_en: what would be lawful instead.
    """

    code: str
    name_zh: str
    name_en: str
    why_zh: str
    why_en: str
    lawful_zh: str
    lawful_en: str
    patterns: tuple[str, ...]

    @classmethod
    def read(cls, value: Any, where: str = "negative") -> Negative:
        texts = ("name_zh", "name_en", "why_zh", "why_en", "lawful_zh", "lawful_en")
        found = shape.only(value, where, ("code", *texts, "patterns"))
        where = _code(found["code"], f"{where}.code")
        return cls(
            where,
            **{name: shape.text(found[name], f"{where}.{name}", 500) for name in texts},
            patterns=shape.many(found["patterns"], f"{where}.patterns", shape.pattern),
        )

    def to_value(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "patterns"} | {
            "patterns": list(self.patterns)
        }


def _code(value: Any, where: str) -> str:
    code = shape.text(value, where, 4)
    if not (len(code) == 4 and code[:2] in ("RG", "NL") and code[2:].isascii() and code[2:].isdigit()):
        raise shape.bad(where, value, "a code like RG01 or NL01", "形如 RG01 或 NL01 的代码")
    return code


def read_grounds(value: Any, where: str) -> tuple[Ground, ...]:
    """The grounds of one file. Raises :class:`RuleDataError`."""
    found = shape.only(value, where, ("format", "grounds"))
    shape.count(found["format"], f"{where}.format", 1, 1)
    return shape.many(found["grounds"], f"{where}.grounds", Ground.read, at_least=1)


def read_negatives(value: Any, where: str) -> tuple[Negative, ...]:
    """The negative list. Raises :class:`RuleDataError`."""
    found = shape.only(value, where, ("format", "negatives"))
    shape.count(found["format"], f"{where}.format", 1, 1)
    return shape.many(found["negatives"], f"{where}.negatives", Negative.read, at_least=1)
