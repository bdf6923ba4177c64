"""Stories of cases that are allowed: one a name. The vectors of docs/spec/cases.md are made of them. All invented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from tools.desk_stories import (
    AUTHORITY,
    INSPECTION,
    JUSTICE,
    LATER_DUE_AT,
    OTHER,
    PROVIDER,
    REQUESTER,
    START,
    SUPPLY_DUE_AT,
    THIRD,
    Entry,
    Story,
    clock,
    no_clock,
    stamp,
)

Part = Callable[[Story], Any]


def _asked(story: Story) -> None:
    story.query()


def _authenticated(story: Story) -> None:
    story.query()
    story.authenticated()


def _urgent(story: Story) -> None:
    at = story.now
    story.query(
        commit=dict.fromkeys(("approver", "officer", "reference", "urgent_reason"), "0" * 64),
        target_at=stamp(at + timedelta(minutes=30)),
        urgent_clause="sf-2021-19.3-4u",
        clock="at_once",
    )
    story.authenticated()


def _full(story: Story) -> None:
    _authenticated(story)
    story.full()


def _late(story: Story) -> None:
    _authenticated(story)
    story.wait(days=4).full()


def _overdue(story: Story) -> None:
    _authenticated(story)
    story.wait(days=4)
    story.reminder(stage="overdue", day=1)


def _partial(story: Story) -> None:
    _authenticated(story)
    story.partial(items=2, items_root="0" * 64, commit={"answer_sha256": "0" * 64, "item_commitments": "0" * 64})


def _part_refused(story: Story) -> None:
    _partial(story)
    story.drafted("part")
    story.refused("part")


def _part_refused_first(story: Story) -> None:
    _authenticated(story)
    story.drafted("part")
    story.refused("part")


def _drafted(story: Story) -> None:
    _authenticated(story)
    story.drafted()


def _part_drafted(story: Story) -> None:
    _authenticated(story)
    story.drafted("part")


def _refused(story: Story) -> None:
    _drafted(story)
    story.refused()


def _no_record(story: Story) -> None:
    _authenticated(story)
    story.no_record()


def _redirected(story: Story) -> None:
    _authenticated(story)
    story.redirected()


def _passed_on(story: Story) -> None:
    """A linked case, in which only the supervisor may send the request on."""
    story.case = "q-1.2"
    story.query(by=PROVIDER, provider=OTHER, parent="q-1", redirects=1)
    story.add("request.authenticated", OTHER, method="session")


def _with_supervisor(story: Story) -> None:
    _passed_on(story)
    story.add("request.answered", OTHER, "", "text", result="redirected")


def _assigned(story: Story) -> None:
    _with_supervisor(story)
    story.add("request.assigned", INSPECTION, to=THIRD, linked="q-1.3")


def _delivered(story: Story) -> None:
    _authenticated(story)
    story.delivered()


def _confirmed(story: Story) -> None:
    _delivered(story)
    story.wait(days=4).add("request.delivery_confirmed", REQUESTER, answer=2)


def _auth_failed(story: Story) -> None:
    story.query()
    story.add("request.auth_failed", PROVIDER)


def _authenticated_late(story: Story) -> None:
    _auth_failed(story)
    story.wait(days=1).authenticated()


def _supplement(story: Story) -> None:
    _authenticated(story)
    story.add("request.supplement_asked", PROVIDER)


def _supplemented(story: Story) -> None:
    _supplement(story)
    story.wait(days=2).add(
        "request.supplemented", REQUESTER, "", "attachments", "supplement", files=1, files_reviewed=1
    )


def _withdrawn(story: Story) -> None:
    story.query()
    story.add("request.withdrawn", REQUESTER)


def _withdrawn_late(story: Story) -> None:
    story.query()
    story.wait(days=4).add("request.withdrawn", REQUESTER)


def _no_clock(story: Story) -> None:
    base = no_clock()
    story.query(**dict.fromkeys(("clause", "standing", "working_days", "due_at")), **{"clock": base["clock"]})


def _answered_without_clock(story: Story) -> None:
    _no_clock(story)
    story.authenticated().full()


def _unconfirmed(story: Story) -> None:
    story.query(due_at=None, clock="unconfirmed")


def _clock_set(story: Story) -> None:
    _no_clock(story)
    story.add("deadline.set", cause=0, **clock())


def _confirmed_date(story: Story) -> None:
    _unconfirmed(story)
    story.authenticated().full()
    story.add("deadline.set", cause=0, **clock())


def _application(story: Story) -> None:
    story.application()
    story.authenticated()


def _agreed(story: Story) -> None:
    _application(story)
    supply = clock("application", "supplied", due_at=SUPPLY_DUE_AT, working_days=20, standing="statutory")
    story.add("request.decided", PROVIDER, **supply)


def _supplied(story: Story) -> None:
    _agreed(story)
    story.wait(days=5).full()


def _answered_by_approver(story: Story) -> None:
    _application(story)
    story.full(by_duty="approver")


def _full_by_file(story: Story) -> None:
    _authenticated(story)
    story.full(rows=None, files=1, files_reviewed=1, commit={"attachments": "0" * 64})


def _extension_asked(story: Story) -> None:
    _application(story)
    story.add("request.extension_asked", PROVIDER, days=10)


def _extended(story: Story) -> None:
    _extension_asked(story)
    longer = clock("application", "decided", due_at=LATER_DUE_AT, working_days=13, standing="statutory")
    story.add("request.extended", AUTHORITY, asked=2, days=10, **longer)


def _extended_into_an_unannounced_year(story: Story) -> None:
    _extension_asked(story)
    longer = clock("application", "decided", clock="unconfirmed", due_at=None, working_days=13, standing="statutory")
    story.add("request.extended", AUTHORITY, asked=2, days=10, **longer)
    due = clock("application", "decided", due_at="2027-01-07T16:00:00.000Z", working_days=13, standing="statutory")
    story.add("deadline.set", cause=0, **due, extension_days=10)


def _negotiating(story: Story) -> None:
    _no_record(story)
    story.disputed(2)


def _settled(story: Story) -> None:
    _negotiating(story)
    story.resolved("provide")


def _silence_after_settlement(story: Story) -> None:
    _settled(story)
    story.disputed(None)


def _mediated(story: Story) -> None:
    _negotiating(story)
    story.resolved("not_settled")
    story.disputed(2, "data_authority")


def _mediated_in_vain(story: Story) -> None:
    _mediated(story)
    story.resolved("not_settled", AUTHORITY)


def _before_government(story: Story) -> None:
    _mediated_in_vain(story)
    story.disputed(2, "government")


def _ordered(story: Story) -> None:
    _before_government(story)
    story.resolved("provide", AUTHORITY, "document")


def _silence(story: Story) -> None:
    _overdue(story)
    story.disputed(None)


def _escalated(story: Story) -> None:
    _silence(story)
    story.add("request.escalated", REQUESTER, to="justice")


def _improper(story: Story) -> None:
    _refused(story)
    story.reviewed(3)


def _objection(story: Story) -> None:
    story.add("order.objected", PROVIDER, about=4, by_person=2)


def _objected(story: Story) -> None:
    _improper(story)
    _objection(story)


def _revoked(story: Story) -> None:
    _improper(story)
    _objection(story)
    story.add("order.objection_answered", JUSTICE, objection=5, outcome="revoked")


def _upheld(story: Story) -> None:
    _refused(story)
    story.reviewed(3, "upheld")


def _urged(story: Story) -> None:
    _overdue(story)
    story.order(report_due_at="2026-12-04T16:00:00.000Z")


def _heeded(story: Story) -> None:
    _urged(story)
    story.full()
    story.add("order.reported", PROVIDER, order=3, by_person=2)


def _proposed(story: Story) -> None:
    _urged(story)
    story.add("order.proposed", JUSTICE, cause="unheeded", unheeded=3)


def _decision(story: Story) -> None:
    _proposed(story)
    story.order("decision", proposed=4)
    story.add("superior.notified", JUSTICE, agency=PROVIDER, about=5)


def _inspected(story: Story) -> None:
    _overdue(story)
    story.order("inspection_opinion")


def _fee(story: Story) -> None:
    _full(story)
    story.add("fee.complained", REQUESTER)


def _transfer(story: Story) -> None:
    story.transfer()
    story.add("transfer.step_recorded", PROVIDER, step="corrective_measure", done_at=stamp(START))
    story.add("transfer.step_recorded", PROVIDER, step="phone_notice", answered="yes", done_at=stamp(START))


def _letter(story: Story) -> None:
    _transfer(story)
    story.letter()


def _taken(story: Story) -> None:
    _letter(story)
    story.add("transfer.answered", REQUESTER, result="taken")
    story.add("transfer.assistance_asked", REQUESTER, want="technical_appraisal")


def _assisted(story: Story) -> None:
    _taken(story)
    story.add("transfer.assistance_given", PROVIDER, asked=5)


def _returned(story: Story) -> None:
    _letter(story)
    story.add("transfer.answered", REQUESTER, "", "reason", result="returned")


def _correction(story: Story) -> None:
    story.correction()


def _corrected(story: Story) -> None:
    _correction(story)
    story.add("correction.answered", PROVIDER, result="corrected", where="here", batch="2026-11-24-001")


def _not_ours(story: Story) -> None:
    _correction(story)
    story.add("correction.answered", PROVIDER, result="not_ours")


STORIES: Mapping[str, Part] = {
    "a query was received": _asked,
    "a query was authenticated": _authenticated,
    "an urgent query, against the county's own target": _urgent,
    "answered in full, in time": _full,
    "answered in full, late": _late,
    "not answered in time: overdue, with a reminder": _overdue,
    "answered in part: the rest is still owed": _partial,
    "answered in part, the rest refused on a ground": _part_refused,
    "a part refused, nothing given yet": _part_refused_first,
    "a refusal is drafted": _drafted,
    "a part refusal is drafted": _part_drafted,
    "refused by an approver who did not draft it": _refused,
    "no record": _no_record,
    "passed on to another agency": _redirected,
    "a linked case": _passed_on,
    "passed on a second time: to the supervisor": _with_supervisor,
    "the supervisor named the provider": _assigned,
    "delivered offline, not confirmed": _delivered,
    "delivered offline in time, confirmed later": _confirmed,
    "not authenticated: the clock runs on": _auth_failed,
    "authenticated after a first failure": _authenticated_late,
    "a supplement was asked for: the clock runs on": _supplement,
    "a supplement came after two days": _supplemented,
    "withdrawn in time": _withdrawn,
    "withdrawn after it was due: it was never answered": _withdrawn_late,
    "no clause in force: elapsed time only": _no_clock,
    "answered while no clause was in force": _answered_without_clock,
    "the year is not announced: never overdue": _unconfirmed,
    "a standard was adopted: a deadline where there was none": _clock_set,
    "a calendar was adopted after the answer": _confirmed_date,
    "an application was authenticated": _application,
    "an application was agreed to: the supply is due": _agreed,
    "an application was agreed to and supplied": _supplied,
    "an application answered at once, by the approver": _answered_by_approver,
    "answered in full, by a file": _full_by_file,
    "an extension was asked for": _extension_asked,
    "extended into a year that was not announced": _extended_into_an_unannounced_year,
    "the data authority consented to the extension": _extended,
    "no record, disputed: the agencies negotiate": _negotiating,
    "the negotiation ended with more to be given": _settled,
    "silence after the agreement is disputed": _silence_after_settlement,
    "the data authority mediates": _mediated,
    "mediated in vain": _mediated_in_vain,
    "the dispute lies before the government": _before_government,
    "the government decided that it is to be given": _ordered,
    "silence is disputed": _silence,
    "laid before the justice bureau": _escalated,
    "a refusal found improper stopped nothing": _improper,
    "the verdict is objected to": _objected,
    "the verdict was revoked on objection: the refusal stands": _revoked,
    "a refusal upheld": _upheld,
    "urged by the justice bureau": _urged,
    "urged, answered late and reported": _heeded,
    "a decision was proposed to the government": _proposed,
    "the government's decision, and its notice to the superior": _decision,
    "an opinion of the inspection office": _inspected,
    "a fee was demanded": _fee,
    "a transfer was notified": _transfer,
    "the transfer letter was sent": _letter,
    "the transfer was taken, assistance asked for": _taken,
    "assistance was given": _assisted,
    "the transfer was returned": _returned,
    "a correction was asked for": _correction,
    "corrected here, by a batch": _corrected,
    "a correction that is not ours": _not_ours,
}


def told(name: str) -> list[Entry]:
    """The entries of a story; of none where the name is empty."""
    return story_of(name).entries


def story_of(name: str) -> Story:
    """The story itself, to which more can be added."""
    story = Story()
    if name:
        STORIES[name](story)
    return story
