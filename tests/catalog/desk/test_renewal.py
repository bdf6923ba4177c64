"""A rule or a calendar is adopted: what had no date gets one as an entry, what had one keeps it, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from catalog.administration import Administration
from catalog.desk import renewal
from catalog.desk.desk import Desk
from catalog.desk.rulebooks import clock_fields
from ledger.cases import Actor, Words, check_cases, draft_opening, fold
from ledger.rules import Calendars, Clause, Rulebook, adoption, deadline, packaged
from ledger.rules.deadlines import stamp
from tests.catalog.desk.conftest import Office


def authority(office: Office) -> Administration:
    service = office.service
    return Administration(service.instance, service.register, service.ledger, office.of("sjj-2").actor)


def without_standard(office: Office) -> Clause:
    """End the demonstration's local standard; return it, to be adopted anew under another id."""
    clause = next(each for each in office.desk.rules.current().register.clauses if each.id == "sf-2026.answer")
    authority(office).change_rules(lambda book: adoption.end_rule(book, clause.id, date(2026, 11, 9), "演示"))
    return clause


def test_a_standard_that_holds_since_before_the_receipt_gives_a_date(office: Office) -> None:
    clause = without_standard(office)
    old = office.ask(channel="phone", received_at="2026-11-18T09:00+08:00").number
    number = office.ask(channel="phone", received_at="2026-11-20T09:00+08:00").number
    office.desk.follow()
    line = office.desk.shelf.line(number)
    assert line is not None and line.clock == "no_clock"
    size = office.service.ledger.size()
    again = replace(clause, id="sf-2026.again", valid_from=date(2026, 11, 10))
    cause = authority(office).change_rules(lambda book: adoption.adopt_rule(book, again)).seq
    for desk in (office.desk, Desk(office.service), office.desk):  # and another process, and later
        desk.follow()
    made = [office.service.ledger.entry(seq) for seq in range(size, office.service.ledger.size())]
    assert [(entry["kind"], entry.get("case"), entry.get("cause")) for entry in made] == [
        ("rule.adopted", None, None),
        ("deadline.set", number, cause),
    ]
    line = office.desk.shelf.line(number)
    assert line is not None and (line.clock, line.due_at, line.clause) == (
        "due", "2026-11-25T16:00:00.000Z", "sf-2026.again",
    )  # fmt: skip
    before = office.desk.shelf.line(old)
    assert before is not None and before.due_at == "2026-11-23T16:00:00.000Z"
    check_cases(office.service.ledger.newest(10_000)[::-1])


def test_a_rule_that_begins_after_the_receipt_gives_none(office: Office) -> None:
    clause = without_standard(office)
    number = office.ask(channel="phone", received_at="2026-11-20T09:00+08:00").number
    later = replace(clause, id="sf-2026.later", valid_from=date(2026, 11, 21))
    authority(office).change_rules(lambda book: adoption.adopt_rule(book, later))
    office.desk.follow()
    line = office.desk.shelf.line(number)
    assert line is not None and line.clock == "no_clock"


def test_what_has_ended_gets_no_date(office: Office) -> None:
    clause = without_standard(office)
    number = office.ask(channel="phone", received_at="2026-11-20T09:00+08:00").number
    office.move("zhzf-1", number, "request.withdrawn")
    again = replace(clause, id="sf-2026.again", valid_from=date(2026, 11, 10))
    authority(office).change_rules(lambda book: adoption.adopt_rule(book, again))
    size = office.service.ledger.size()
    office.desk.follow()
    assert office.service.ledger.size() == size


def test_a_year_that_was_not_announced_and_then_was(office: Office) -> None:
    """Pure: received on the last days of a year, with and without the calendar of the next."""
    known = packaged()
    years = {year: known.calendars.calendar(year) for year in known.calendars.years if year < 2026}
    short = Rulebook(known.register, Calendars.of(years.values()))
    received = datetime(2025, 12, 30, 2, tzinfo=UTC)
    given = deadline(short, "query", received)
    assert given.state == "unconfirmed"
    fields = {
        "requester": "zhzf", "provider": "scjg", "purpose": "case", "reference_kind": "case_number", "channel": "desk",
        "received_at": stamp(received), **clock_fields(given),
    }  # fmt: skip
    asker = Actor("zhzf", "agency", "officer", "zhzf-1", "session")
    draft = draft_opening(
        "request.received", "q-1", asker, received, fields, Words({"reference": "x", "description": "x"})
    )
    entry = {
        **draft.fields, "kind": draft.kind, "v": 1, "log": "x", "prev": "0" * 64, "seq": 0, "t": stamp(received),
        "commit": dict.fromkeys(("description", "officer", "reference"), "0" * 64),
    }  # fmt: skip
    case = fold([entry])
    assert list(renewal.missing(case, short, None)) == []
    (found,) = renewal.missing(case, known, None)
    assert (found["clock"], found["due_at"]) == ("due", stamp(deadline(known, "query", received).due_at or received))
