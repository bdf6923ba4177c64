"""The gate that every refusal of the desk passes, when it is drafted and again when it is approved.

What the register says is :func:`ledger.rules.refusals.decide_refusal`; here are the facts that only this ledger knows:
what the catalogue listed when the request was received, who is suspended, who could approve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from catalog.desk.errors import DeskError
from catalog.identity import officers
from ledger import Ledger
from ledger.cases import Case
from ledger.errors import MoveError
from ledger.rules import Register, UnknownRuleError
from ledger.rules.deadlines import local_day
from ledger.rules.grounds import Citation, Ground
from ledger.rules.refusals import Decision, Refusal, decide_refusal
from ledger.rules.text_checks import squeezed

if TYPE_CHECKING:
    from catalog.desk.moves.base import Looking
    from catalog.desk.rulebooks import Rulebooks

#: Grounds that rest on what the ledger holds, with the demand that names the entry or the suspension.
_NOT_SHARED, _CONDITION_UNMET, _SUSPENDED = "RG16", "RG17", "RG18"
_LISTED_AS = {_NOT_SHARED: "不予共享", _CONDITION_UNMET: "有条件共享"}


class RefusalError(DeskError):
    """422: a refusal that may not be sent, with what stands in the way and what would be lawful.

    Attributes:
        decision: of the gate.
    """

    def __init__(self, decision: Decision, field: str = "ground") -> None:
        self.decision = decision
        en = decision.reason_en + (f"; lawful would be: {decision.lawful_en}" if decision.lawful_en else "")
        zh = decision.reason_zh + (f"；合法的做法：{decision.lawful_zh}" if decision.lawful_zh else "")
        super().__init__(field, en, zh, code=decision.code)

    @property
    def details(self) -> dict[str, Any]:
        clause = self.decision.clause
        said = {"clause_zh": clause.label_zh, "clause_en": clause.label_en} if clause is not None else {}
        return {**super().details, "lawful_zh": self.decision.lawful_zh, "lawful_en": self.decision.lawful_en, **said}


def days_of(looking: Looking) -> tuple[date, date]:
    """The day on which the request was received, and today, in Asia/Shanghai."""
    return local_day(datetime.fromisoformat(looking.case.received_at)), local_day(looking.now)


def decide(looking: Looking, refusal: Refusal) -> Decision:
    """Whether ``refusal`` may be sent in the case that ``looking`` looks at, today."""
    register = looking.desk.rules.current().register
    received_on, today = days_of(looking)
    decision = decide_refusal(register, refusal, received_on=received_on, on=today)
    return (_belied_by_the_ledger(looking, refusal, decision) or decision) if decision.allowed else decision


def other_approvers(looking: Looking) -> list[str]:
    """Logins of the provider's approvers today, without whoever looks."""
    return [
        each["id"]
        for each in officers.listing(looking.desk.service.register, looking.case.provider)
        if "approver" in each["roles"] and not each["disabled_at"] and each["id"] != looking.officer
    ]


def _belied_by_the_ledger(looking: Looking, refusal: Refusal, decision: Decision) -> Decision | None:
    """RG16 to RG18 rest on entries of this ledger: what it does not say cannot be claimed (DESIGN §4)."""
    if refusal.ground in _LISTED_AS:
        return _not_listed(looking, refusal, decision)
    if refusal.ground == _SUSPENDED:
        row = looking.desk.service.register.one(
            "SELECT 1 FROM suspensions WHERE id = ? AND agency = ? AND since <= ? AND restored_at IS NULL",
            (refusal.fields["suspension"], looking.case.requester, looking.case.received_at),
        )
        if row is None:
            return _against(
                decision,
                "not_suspended",
                f"{refusal.fields['suspension']} 不是收到请求前对该单位作出且仍有效的暂停共享",
                f"{refusal.fields['suspension']} is no suspension of that agency from before the request that "
                f"still holds",
            )
    return None


def _not_listed(looking: Looking, refusal: Refusal, decision: Decision) -> Decision | None:
    wanted, number = _LISTED_AS[refusal.ground], refusal.fields["catalog_entry"]
    entry: Mapping[str, Any] = {}
    if number.isascii() and number.isdigit() and int(number) < looking.desk.ledger.size():
        entry = looking.desk.ledger.entry(int(number))
    listed = (
        entry.get("kind") == "resource.published"
        and entry["resource"] == looking.case.resource
        and entry["sharing_class"] == wanted
        and entry["t"] < looking.case.received_at
    )
    if listed:
        return None
    return _against(
        decision,
        "not_listed",
        f"台账第 {number} 条不是收到请求之前将该数据列为“{wanted}”的目录发布",
        f"entry {number} did not publish this data as {wanted} before the request was received",
    )


def _against(decision: Decision, code: str, zh: str, en: str) -> Decision:
    return Decision(
        False, code, decision.clause, zh, en, "核对台账；没有的，按期提供", "Check the ledger; else supply in time"
    )


def recheck(ledger: Ledger, rules: Rulebooks) -> Callable[[Mapping[str, Any], Case], None]:
    """The gate for :func:`ledger.cases.check_cases`: each refusal of the log is asked again, by the rules of its day.

    What was erased of a refusal cannot be asked about any more: then its article alone is.
    """

    def check(entry: Mapping[str, Any], case: Case) -> None:
        register, day = rules.timeline().before(entry["seq"]).register, local_day(datetime.fromisoformat(entry["t"]))
        if register.digest != entry["register"]:
            raise MoveError(
                "G23",
                f"the refusal of entry {entry['seq']} rests on a register that was not in force then",
                f"第 {entry['seq']} 条不予提供所依据的规则库当时并不有效",
            )
        kept, drafted = ledger.opened(entry["seq"]), ledger.entry(entry["drafted"])
        values = kept.get("demanded_values")
        refusal = Refusal(
            ground=entry["ground"],
            citation=entry["citation"],
            covers=entry["covers"],
            fields=dict((values or {}).get("fields", {})),
            answers=dict((values or {}).get("answers", {})),
            drafter=f"{drafted['by']}:{drafted.get('by_person')}",
            approver=f"{entry['by']}:{entry.get('by_person')}",
            text=str(kept.get("reason", "")),
            confirmed=frozenset((values or {}).get("confirmed", ())),
        )
        received_on = local_day(datetime.fromisoformat(case.received_at))
        decision = decide_refusal(register, refusal, received_on=received_on, on=day)
        if not decision.allowed and (values is not None or decision.code in _OF_ARTICLE):
            raise MoveError(
                "G23",
                f"the refusal of entry {entry['seq']} was not lawful on its face: {decision.reason_en}",
                f"第 {entry['seq']} 条不予提供形式上不合法：{decision.reason_zh}",
            )

    return check


#: What the gate says of the open part of an entry.
_OF_ARTICLE = frozenset(
    {"unknown_ground", "unknown_article", "repealed", "not_yet_in_force", "unverified", "not_enabled"}
)


# -- what a page shows ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Article:
    """An article of a ground on a day. ``why``: why it cannot be cited then, Chinese and English; None: it can."""

    ground: Ground
    citation: Citation
    why: tuple[str, str] | None


def articles(ground: Ground, today: date) -> Sequence[Article]:
    """The articles of a ground; those that can be cited first."""
    found = [Article(ground, each, _why_not(ground, each, today)) for each in ground.citations]
    return sorted(found, key=lambda article: article.why is not None)


def _why_not(ground: Ground, citation: Citation, today: date) -> tuple[str, str] | None:
    register = Register((), (ground,), ())
    # Asked of the gate itself, with everything else left out: what it says first is about the article.
    said = decide_refusal(register, Refusal(ground.code, citation.id), received_on=today, on=today)
    if said.code in ("repealed", "not_yet_in_force", "unverified", "not_enabled"):
        return f"{said.reason_zh}。{said.lawful_zh}", f"{said.reason_en}. {said.lawful_en}"
    return None


def look_up(register: Register, words: str, today: date) -> list[Article]:
    """The articles that people mean by words like 环境保护法第五十七条."""
    dense = squeezed(words).replace("《", "").replace("》", "")
    if not dense:
        return []
    found = [article for ground in register.grounds for article in articles(ground, today)]
    named = [(article, f"{article.citation.statute_zh}{article.citation.article_zh}") for article in found]
    return [article for article, name in named if dense in name or name.startswith(dense) or dense.startswith(name)]


def has_terms(register: Register, code: str) -> bool:
    """Whether a ground is one of state secrets."""
    ground = ground_named(register, code)
    return ground is not None and bool(ground.terms)


def ground_named(register: Register, code: str) -> Ground | None:
    """A ground, or None where the register has none of that code."""
    try:
        return register.ground(code)
    except UnknownRuleError:
        return None
