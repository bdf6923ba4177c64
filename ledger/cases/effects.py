"""What a move that is allowed changes in its case. One function a kind, no checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ledger.cases.case import (
    Case,
    Dispute,
    Exit,
    Objection,
    Order,
    RefusalDraft,
    Verdict,
    Wait,
)
from ledger.cases.guards import GROUND_FIELDS, reminder_of
from ledger.cases.opening import Entry, deadline
from ledger.cases.states import Stop
from ledger.cases.supervision import escalation_of

Effect = Callable[[Case, Entry], Case]


def authenticated(case: Case, entry: Entry) -> Case:
    return replace(_waited(case, entry), authenticated=True)


def auth_failed(case: Case, entry: Entry) -> Case:
    return replace(_wait(case, entry), auth_failed=True)


def supplement_asked(case: Case, entry: Entry) -> Case:
    return replace(_wait(case, entry), supplements=case.supplements + 1, awaiting_supplement=True)


def supplemented(case: Case, entry: Entry) -> Case:
    subjects = case.subjects + entry.get("items", 0)
    return replace(_waited(case, entry), awaiting_supplement=False, subjects=subjects)


def extension_asked(case: Case, entry: Entry) -> Case:
    return replace(case, extension_asked=(entry["seq"], entry["days"]))


def extended(case: Case, entry: Entry) -> Case:
    running = case.running()
    if running is None:
        return case
    longer = replace(deadline(entry, running.stop, running.since), extension_days=0)
    return replace(case, deadlines=(*case.deadlines, longer), extension_asked=None, extended=True)


def decided(case: Case, entry: Entry) -> Case:
    """The answer to an application; from here the time of the supply runs (条例 art. 22)."""
    supply = deadline(entry, Stop.SUPPLIED, entry["t"])
    case = replace(case, decided=entry["seq"], decided_at=entry["t"], draft=None)
    return replace(_waited(case, entry), awaiting_supplement=False, deadlines=(*case.deadlines, supply))


def answered(case: Case, entry: Entry) -> Case:
    result = entry["result"]
    if result == "redirected" and case.redirects:
        result = "with_supervisor"
    case = replace(_exit(case, entry, result), assigned=None)
    if result == "delivered_offline":
        return _wait(case, entry)
    return replace(case, linked=entry.get("linked", case.linked))


def delivery_confirmed(case: Case, entry: Entry) -> Case:
    return _waited(_exits(case, entry["answer"], confirmed=entry["seq"]), entry)


def refusal_drafted(case: Case, entry: Entry) -> Case:
    """The newest draft is the one to approve."""
    draft = RefusalDraft(entry["seq"], entry.get("by_person"), {name: entry[name] for name in GROUND_FIELDS})
    return replace(case, draft=draft)


def refused(case: Case, entry: Entry) -> Case:
    return _exit(case, entry, "refused" if entry["covers"] == "whole" else "refused_part")


def withdrawn(case: Case, entry: Entry) -> Case:
    return replace(_waited(case, entry), withdrawn_at=entry["t"], draft=None)


def assigned(case: Case, entry: Entry) -> Case:
    return replace(case, assigned=entry["to"], linked=entry["linked"])


def disputed(case: Case, entry: Entry) -> Case:
    dispute = Dispute(entry["seq"], entry["step"], entry.get("about"))
    return replace(case, disputes=(*case.disputes, dispute))


def resolved(case: Case, entry: Entry) -> Case:
    """``provide`` opens the case again; only the government's decision makes the exit as if it had not been."""
    dispute = next(one for one in case.disputes if one.seq == entry["dispute"])
    done = replace(dispute, outcome=entry["outcome"])
    case = replace(case, disputes=tuple(done if one is dispute else one for one in case.disputes))
    if entry["outcome"] != "provide" or dispute.about is None:
        return case
    change = {"ordered": True} if dispute.step == "government" else {"reopened": True}
    return _exits(case, dispute.about, **change)


def escalated(case: Case, entry: Entry) -> Case:
    return replace(case, escalated=(*case.escalated, escalation_of(entry)))


def reviewed(case: Case, entry: Entry) -> Case:
    verdict = Verdict(entry["seq"], entry["by"], entry["about"], entry["verdict"])
    return _judged(replace(case, verdicts=(*case.verdicts, verdict)), entry["about"])


def _judged(case: Case, about: int) -> Case:
    """Improper where any verdict that stands says so, else upheld where one does."""
    standing = {one.verdict for one in case.verdicts if one.about == about and not one.revoked}
    found = next((verdict for verdict in ("improper", "upheld") if verdict in standing), None)
    return _exits(case, about, verdict=found)


def fee_complained(case: Case, entry: Entry) -> Case:
    return replace(case, fee_complaints=case.fee_complaints + 1)


def order_proposed(case: Case, entry: Entry) -> Case:
    return replace(case, proposed=entry["seq"])


def order_issued(case: Case, entry: Entry) -> Case:
    order = Order(entry["seq"], entry["by"], entry["form"], entry["to"], entry.get("report_due_at"))
    proposed = None if entry["form"] == "decision" else case.proposed
    return replace(case, orders=(*case.orders, order), proposed=proposed)


def order_reported(case: Case, entry: Entry) -> Case:
    return _orders(case, entry["order"], reported=entry["seq"])


def order_objected(case: Case, entry: Entry) -> Case:
    return replace(case, objections=(*case.objections, Objection(entry["seq"], entry["by"], entry["about"])))


def objection_answered(case: Case, entry: Entry) -> Case:
    """Revoked: the verdict or order stands no more; what it had opened closes again."""
    objection = next(one for one in case.objections if one.seq == entry["objection"])
    done = replace(objection, outcome=entry["outcome"])
    case = replace(case, objections=tuple(done if one is objection else one for one in case.objections))
    if entry["outcome"] != "revoked":
        return case
    verdicts = tuple(replace(one, revoked=True) if one.seq == objection.about else one for one in case.verdicts)
    case = _orders(replace(case, verdicts=verdicts), objection.about, revoked=True)
    for one in verdicts:
        if one.seq == objection.about:
            case = _judged(case, one.about)
    return case


def unchanged(case: Case, entry: Entry) -> Case:
    return case


def step_recorded(case: Case, entry: Entry) -> Case:
    return _transfer(case, steps=(*(case.transfer.steps if case.transfer else ()), entry["step"]))


def letter_sent(case: Case, entry: Entry) -> Case:
    return _exit(_transfer(case, materials=tuple(entry["materials"]), result=None), entry, "letter")


def transfer_answered(case: Case, entry: Entry) -> Case:
    return _transfer(case, result=entry["result"])


def assistance_asked(case: Case, entry: Entry) -> Case:
    given = case.transfer.assistance if case.transfer else ()
    return _transfer(case, assistance=(*given, (entry["seq"], False)))


def assistance_given(case: Case, entry: Entry) -> Case:
    given = case.transfer.assistance if case.transfer else ()
    return _transfer(case, assistance=tuple((seq, done or seq == entry["asked"]) for seq, done in given))


def correction_answered(case: Case, entry: Entry) -> Case:
    return _exit(case, entry, entry["result"])


def deadline_set(case: Case, entry: Entry) -> Case:
    stop = Stop(entry["stop"])
    old = case.deadline(stop)
    since = old.since if old else case.received_at
    return replace(case, deadlines=(*case.deadlines, deadline(entry, stop, since)))


def reminder_sent(case: Case, entry: Entry) -> Case:
    return replace(case, reminders=case.reminders | {reminder_of(entry)})


# -- parts ----------


def _exit(case: Case, entry: Entry, result: str) -> Case:
    """What the requester had to do does not matter any more once it was answered; a draft neither."""
    case = replace(case, exits=(*case.exits, Exit(entry["seq"], entry["t"], result)), draft=None)
    case = _waited(case, entry)
    return case if result == "refused_part" else replace(case, awaiting_supplement=False)


def _exits(case: Case, seq: int, **change: Any) -> Case:
    return replace(case, exits=tuple(replace(one, **change) if one.seq == seq else one for one in case.exits))


def _orders(case: Case, seq: int, **change: Any) -> Case:
    return replace(case, orders=tuple(replace(one, **change) if one.seq == seq else one for one in case.orders))


def _transfer(case: Case, **change: Any) -> Case:
    return replace(case, transfer=replace(case.transfer, **change)) if case.transfer else case


def _wait(case: Case, entry: Entry) -> Case:
    """From here the requester's doing is awaited."""
    return replace(_waited(case, entry), waits=(*_waited(case, entry).waits, Wait(entry["t"], None, entry["kind"])))


def _waited(case: Case, entry: Entry) -> Case:
    """Whatever was awaited of the requester ends here."""
    return replace(
        case, waits=tuple(replace(one, until=entry["t"]) if one.until is None else one for one in case.waits)
    )


EFFECTS: dict[str, Effect] = {
    "request.authenticated": authenticated,
    "request.auth_failed": auth_failed,
    "request.supplement_asked": supplement_asked,
    "request.supplemented": supplemented,
    "request.extension_asked": extension_asked,
    "request.extended": extended,
    "request.decided": decided,
    "request.answered": answered,
    "request.delivery_confirmed": delivery_confirmed,
    "request.refusal_drafted": refusal_drafted,
    "request.refused": refused,
    "request.withdrawn": withdrawn,
    "request.assigned": assigned,
    "request.disputed": disputed,
    "request.resolved": resolved,
    "request.escalated": escalated,
    "request.reviewed": reviewed,
    "fee.complained": fee_complained,
    "order.proposed": order_proposed,
    "order.issued": order_issued,
    "order.reported": order_reported,
    "order.objected": order_objected,
    "order.objection_answered": objection_answered,
    "superior.notified": unchanged,
    "transfer.step_recorded": step_recorded,
    "transfer.letter_sent": letter_sent,
    "transfer.answered": transfer_answered,
    "transfer.assistance_asked": assistance_asked,
    "transfer.assistance_given": assistance_given,
    "correction.answered": correction_answered,
    "deadline.set": deadline_set,
    "reminder.sent": reminder_sent,
}
