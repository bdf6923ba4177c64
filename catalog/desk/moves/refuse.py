"""Drafting a refusal and approving it (不予提供): by two officers, through the gate both times.

Source: 源政办发〔2021〕19号 三(四): 除法定事由外…不得以保守秘密为由拒绝; 条例 (令809) arts. 14, 15, 21.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog import i18n
from catalog.desk import gate
from catalog.desk.ask import free_text
from catalog.desk.errors import DeskError
from catalog.desk.gate import RefusalError
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said
from catalog.desk.moves.named import Named
from catalog.identity import officers
from catalog.query.shapes import ListOf, Text
from ledger.cases.guards import GROUND_FIELDS
from ledger.rules.grounds import Ground
from ledger.rules.refusals import Decision, Refusal
from ledger.rules.text_checks import check_text

_YES_NO = {"yes": True, "no": False}
#: What stands for whoever will approve, while nobody has: the gate wants somebody else than the drafter.
_DRAFT = "request.refusal_drafted"


def _fields(given: Mapping[str, Any], ground: Ground | None) -> dict[str, str]:
    """What the ground demands, from a form (``field_NAME``) or a call (``fields``); empty ones are left out."""
    said = given.get("fields")
    if isinstance(said, Mapping):
        return {str(name): str(value).strip() for name, value in said.items() if str(value).strip()}
    names = [demand.name for demand in ground.demands] if ground is not None else []
    return {name: text for name in names if (text := str(given.get(f"field_{name}") or "").strip())}


def _answers(given: Mapping[str, Any], ground: Ground | None) -> dict[str, bool]:
    said = given.get("answers")
    if isinstance(said, Mapping):
        return {str(name): value for name, value in said.items() if isinstance(value, bool)}
    names = [question.name for question in ground.questions] if ground is not None else []
    found = {name: _YES_NO.get(str(given.get(f"answer_{name}") or "")) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _confirmed(given: Mapping[str, Any]) -> frozenset[str]:
    said = given.get("confirmed")
    if isinstance(said, list):
        return frozenset(map(str, said))
    return frozenset((given.get("lists") or {}).get("confirmed", ()))


def drafted(given: Mapping[str, Any], looking: Looking) -> tuple[Refusal, str]:
    """The refusal that a draft says, and what it withholds."""
    ground = gate.ground_named(looking.desk.rules.current().register, str(given.get("ground") or ""))
    fields = _fields(given, ground)
    withheld = str(given.get("withheld") or fields.get("withheld") or "").strip()
    approvers = gate.other_approvers(looking)
    refusal = Refusal(
        ground=str(given.get("ground") or ""),
        citation=str(given.get("citation") or ""),
        covers=str(given.get("covers") or ("part" if ground is not None and ground.scope == "part" else "")),
        fields=fields,
        answers=_answers(given, ground),
        drafter=looking.officer or "",
        approver=approvers[0] if approvers else "",
        text=str(given.get("reason") or "").strip(),
        confirmed=_confirmed(given),
    )
    return refusal, withheld


def _read(given: Mapping[str, Any], looking: Looking) -> Said:
    refusal, withheld = drafted(given, looking)
    decision = gate.decide(looking, refusal)
    if not decision.allowed:
        raise RefusalError(decision, _place(decision, refusal))
    reason = free_text(given, "reason", required=False)
    register = looking.desk.rules.current().register
    citation = decision.clause
    if citation is None:
        raise DeskError("citation", "choose the article", "请选择条款")
    part = refusal.covers == "part"
    if part:
        withheld = free_text({"withheld": withheld}, "withheld", required=True)
        if gate.has_terms(register, refusal.ground):  # a state secret: what is withheld names no document either
            for found in check_text(withheld, names_no_document=True, may_speak_of_secrecy=True):
                raise DeskError("withheld", found.en, found.zh, code=found.code)
    fields = {
        "ground": refusal.ground,
        "citation": citation.id,
        "statute": citation.statute_zh,
        "article": citation.article_zh,
        "covers": refusal.covers,
        "demanded": sorted(refusal.fields),
        "register": register.digest,
    }
    values = {
        "fields": dict(refusal.fields),
        "answers": dict(refusal.answers),
        "confirmed": sorted(refusal.confirmed),
    }
    return Said(fields, {"demanded_values": values, "reason": reason, **({"withheld": withheld} if part else {})})


def _place(decision: Decision, refusal: Refusal) -> str:
    """The field of the form at fault, as far as the gate's code tells."""
    if decision.code in ("exception", "question_open"):
        return "answers"
    if decision.code in ("repealed", "unverified", "unknown_article", "not_yet_in_force"):
        return "citation"
    if decision.code in ("part_only", "scope"):
        return "covers"
    if decision.code.startswith(("field_", "day_", "term_", "not_listed", "not_suspended", "unknown_field")):
        return "fields"
    if decision.code in ("questioned", "classified_marking", "document_named", "id_number", "text_too_long"):
        return "reason"
    return "ground" if refusal.ground else "reason"


def _choosing(given: Mapping[str, Any], looking: Looking) -> dict[str, Any]:
    """What the page of a draft needs: the grounds, or the one that was chosen with all that it asks."""
    register = looking.desk.rules.current().register
    _, today = gate.days_of(looking)
    ground = gate.ground_named(register, str(given.get("ground") or ""))
    words = str(given.get("article") or "")[:100]
    return {
        "today": today,
        "ground": ground,
        "articles": gate.articles(ground, today) if ground is not None else (),
        "open_grounds": [each for each in register.grounds if each.choosable(today)],
        "closed_grounds": [each for each in register.grounds if not each.choosable(today)],
        "negatives": register.negatives,
        "article": words,
        "found": gate.look_up(register, words, today),
        "approvers": [_name(looking, login) for login in gate.other_approvers(looking)],
        "confirmed": _confirmed(given),
        "whole_open": looking.case.state.value not in ("partly_answered", "delivered"),
        "about_listing": _about_listing(looking, ground),
    }


def _about_listing(looking: Looking, ground: Ground | None) -> dict[str, str]:
    """What the ledger says to RG16 and RG17: filled in beforehand, checked afterwards."""
    resource = looking.case.resource
    if ground is None or resource is None or "catalog_entry" not in [demand.name for demand in ground.demands]:
        return {}
    published = looking.desk.service.resource(resource)
    if published is None:
        return {}
    return {
        "catalog_entry": str(published["published_seq"]),
        "published_on": str(published["published_at"])[:10],
        "catalog_basis": str(published["basis"] or ""),
    }


def _name(looking: Looking, login: str) -> str:
    found = officers.find(looking.desk.service.register, login)
    return i18n.choose(found["title_zh"], found["title_en"])


DRAFT = MoveForm(
    "refuse",
    _DRAFT,
    ("不予提供：拟稿", "Refuse: draft"),
    (
        "不予提供须有登记册中当日有效、县司法局已启用的法定事由，写齐该事由要求的内容，并由拟稿人以外的负责人"
        "批准。只涉及一部分的，其余照常提供。",
        "A refusal needs a ground given by law that is in the register, in force today and enabled by the "
        "justice bureau, all "
        "that the ground demands, and the approval of somebody other than its drafter. Where it covers a "
        "part, the rest is "
        "supplied.",
    ),
    (
        FormField("ground", "line", ("事由代码", "Code of the ground"), required=True),
        FormField("citation", "line", ("条款", "Article"), required=True),
        FormField("covers", "line", ("全部（whole）或者一部分（part）", "The whole (whole) or a part (part)")),
        FormField("fields", "named", ("事由要求的内容", "What the ground demands"), shape=Named("string")),
        FormField("answers", "named", ("例外问题的回答", "Answers to its questions"), shape=Named("boolean")),
        FormField("confirmed", "named", ("经核对的疑问", "Questions thought over"), shape=ListOf(Text(4, 4), 20)),
        FormField("withheld", "text", ("不予提供的部分", "What is withheld")),
        FormField("reason", "text", ("说明（可不填）", "Words to the requester (may be left empty)")),
    ),
    _read,
    danger=True,
    template="desk_refuse.html",
    context=_choosing,
)


# -- approving --------------------------------------------------------------------------------------------------------


def _approve(given: Mapping[str, Any], looking: Looking) -> Said:
    draft = looking.case.draft
    if draft is None:
        raise DeskError("", "nobody drafted a refusal", "尚无不予提供的拟稿", code="no_draft", status=409)
    kept = looking.desk.opened(draft.seq)
    values = kept.get("demanded_values") or {}
    if draft.content["register"] != looking.desk.rules.current().register.digest:
        raise DeskError(
            "",
            "the rules were changed since this was drafted; have it drafted anew under those in force",
            "拟稿之后规则已变更；请按现行规则重新拟稿",
            code="rules_changed",
            status=409,
        )
    refusal = Refusal(
        ground=str(draft.content["ground"]),
        citation=str(draft.content["citation"]),
        covers=str(draft.content["covers"]),
        fields=dict(values.get("fields", {})),
        answers=dict(values.get("answers", {})),
        drafter=str(kept.get("officer") or ""),
        approver=looking.officer or "",
        text=str(kept.get("reason") or ""),
        confirmed=frozenset(values.get("confirmed", ())),
    )
    decision = gate.decide(looking, refusal)
    if not decision.allowed:
        raise RefusalError(decision, "")
    fields = {"drafted": draft.seq, **{name: draft.content[name] for name in GROUND_FIELDS}}
    words = {name: kept[name] for name in ("demanded_values", "reason", "withheld") if kept.get(name)}
    return Said(fields, words)


def _approving(given: Mapping[str, Any], looking: Looking) -> dict[str, Any]:
    draft = looking.case.draft
    if draft is None:
        return {"draft": None}
    kept = looking.desk.opened(draft.seq)
    values = kept.get("demanded_values") or {}
    ground = gate.ground_named(looking.desk.rules.current().register, str(draft.content["ground"]))
    citation = (
        next((each for each in ground.citations if each.id == draft.content["citation"]), None) if ground else None
    )
    drafter = str(kept.get("officer") or "")
    return {
        "draft": draft,
        "ground": ground,
        "citation": citation,
        "said": [(demand, values.get("fields", {}).get(demand.name, "")) for demand in ground.demands]
        if ground
        else [],
        "answered": [(each, values.get("answers", {}).get(each.name)) for each in ground.questions] if ground else [],
        "reason": kept.get("reason", ""),
        "withheld": kept.get("withheld", ""),
        "drafter": _name(looking, drafter) if drafter else "",
        "own_draft": drafter == looking.officer,
    }


APPROVE = MoveForm(
    "approve-refusal",
    "request.refused",
    ("不予提供：批准", "Refuse: approve"),
    (
        "批准后即告知查询方；查询方可以提出争议、提请监督。拟稿人不得批准自己的拟稿。不同意的不必批准：直接答"
        "复，拟稿即作废。",
        "Approved, the requester is told; they can dispute it and lay it before a supervisor. Nobody approves "
        "their own draft. "
        "If you do not agree, do not approve: answer, and the draft is void.",
    ),
    (),
    _approve,
    danger=True,
    template="desk_approve.html",
    context=_approving,
)
FORMS = (DRAFT, APPROVE)
