"""The check over a whole log's cases, and attacks on what one case alone cannot show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger.cases import Case, check_cases, check_persons, findings, fold
from ledger.errors import MoveError, VersionTooNewError
from tools.desk_refused import REFUSED
from tools.desk_stories import (
    AUTHORITY,
    INSPECTION,
    JUSTICE,
    OPERATOR,
    OTHER,
    PROVIDER,
    REQUESTER,
    THIRD,
    Entry,
    Story,
    clock,
    no_clock,
    stamp,
)
from tools.desk_told import STORIES, Part, story_of, told


def log(*parts: Part) -> list[Entry]:
    """Registrations, then what ``parts`` add, numbered on."""
    story = Story().registered()
    for part in parts:
        part(story)
    return story.entries


def rules(entries: list[Entry], **how: Any) -> list[str]:
    return [finding.rule for finding in findings(entries, **how)]


def query_and_redirect(story: Story) -> None:
    story.case = "q-1"
    story.query()
    story.authenticated()
    story.redirected()


def passed_on(**change: Any) -> Part:
    """The linked case, begun as the redirect promised but for ``change``."""

    def tell(story: Story) -> None:
        story.case = "q-1.2"
        since = story.entries[-1]["t"]
        base = {"by": PROVIDER, "provider": OTHER, "parent": "q-1", "redirects": 1, "received_at": since}
        story.query(**{**base, "by_duty": "answerer", **change})

    return tell


def whole_desk(story: Story) -> None:
    """Cases one after another and interleaved."""
    query_and_redirect(story)
    passed_on()(story)
    story.add("request.authenticated", OTHER, method="session")
    story.add("request.answered", OTHER, "", "text", result="redirected")
    story.add("request.assigned", INSPECTION, to=THIRD, linked="q-1.3")
    since = story.entries[-1]["t"]
    story.case = "q-1.3"
    base = {"by": INSPECTION, "by_role": "inspection", "provider": THIRD, "parent": "q-1.2", "redirects": 2}
    story.query(**base, received_at=since)
    story.case = "k-1"
    story.correction()
    batch = {"batch": "b-1", "database": "work", "table": "permits", "mapping": "permits", "mapping_digest": "0" * 64}
    names = ("rows_read", "rows_added", "rows_changed", "rows_unchanged", "rows_removed", "rows_set_aside")
    story.add("batch.ingested", **batch, **dict.fromkeys(names, 1))
    story.add("correction.answered", PROVIDER, result="corrected", where="here", batch="b-1")


def test_a_log_whose_cases_were_all_allowed_passes_and_is_counted() -> None:
    assert check_cases(log(whole_desk)) == 4
    assert check_cases(log()) == check_cases([]) == 0


#: Fields that name an entry of the case by its number.
REFERENCES = (
    "about", "answer", "asked", "cause", "dispute", "drafted", "objection", "order", "proposed", "seq", "unheeded",
)  # fmt: skip


def moved(entries: list[Entry]) -> list[Entry]:
    """A story after the registrations, with its references to its own entries."""
    before = Story().registered().entries
    return before + [
        {**entry, **{key: entry[key] + len(before) for key in REFERENCES if type(entry.get(key)) is int}}
        for entry in entries
    ]


#: What these name lies outside the case: :func:`whole_desk` and the attacks across cases have it.
ALONE = [name for name in STORIES if not {"parent", "batch", "cause"} & {key for entry in told(name) for key in entry}]


@pytest.mark.parametrize("name", ALONE)
def test_a_story_that_stands_alone_passes_in_a_log(name: str) -> None:
    assert rules(moved(told(name))) == []


@pytest.mark.parametrize(
    "attack",
    [attack for attack in REFUSED if attack[0] in ("", *ALONE) and attack[2] != "an entry of another case"],
    ids=lambda attack: f"{attack[1]} {attack[2]}",
)
def test_what_the_fold_refuses_is_found_in_a_log(attack: tuple[str, str, str, Part]) -> None:
    name, rule, _, tried = attack
    story = story_of(name)
    tried(story)
    entries = moved(story.entries)
    assert [(one.seq, one.rule) for one in findings(entries)] == [(entries[-1]["seq"], rule)]
    with pytest.raises(MoveError) as caught:
        check_cases(entries)
    assert caught.value.rule == rule


ACROSS: dict[str, tuple[str, Callable[[Story], Any]]] = {
    "an agency that is not registered": ("C83", lambda s: s.query(by="nobody", requester="nobody")),
    "a provider that is not registered": ("C83", lambda s: s.query(provider="nobody")),
    "the operator asks": ("C83", lambda s: s.query(by=OPERATOR, requester=OPERATOR)),
    "the operator is asked": ("C83", lambda s: s.query(provider=OPERATOR)),
    "an agency that says it is the data authority": (
        "C83",
        lambda s: (_extension(s), s.add("request.extended", OTHER, by_role="data_authority", **_consent(s))),
    ),
    "the inspection office says it is the justice bureau": (
        "C83",
        lambda s: (s.query(), s.order(by=INSPECTION, by_role="justice")),
    ),
    "the justice bureau says it is the inspection office": (
        "C83",
        lambda s: (s.query(), s.order("inspection_opinion", by=JUSTICE, by_role="inspection")),
    ),
    "a linked case that nobody passed on": ("C81", passed_on()),
    "passed on by somebody else": ("C81", lambda s: (query_and_redirect(s), passed_on(by=OTHER)(s))),
    "passed on to somebody else": ("C81", lambda s: (query_and_redirect(s), passed_on(provider=THIRD)(s))),
    "passed on for somebody else": ("C81", lambda s: (query_and_redirect(s), passed_on(requester=THIRD)(s))),
    "passed on as another act": (
        "C81",
        lambda s: (
            query_and_redirect(s),
            passed_on(
                **clock("application", "decided"),
                commit=dict.fromkeys(("reference", "application", "approver"), "0" * 64),
            )(s),
        ),
    ),
    "its clock begins later than the redirect": (
        "C81",
        lambda s: (query_and_redirect(s), passed_on(received_at=stamp(s.now))(s)),
    ),
    "passed on once, counted twice": ("C81", lambda s: (query_and_redirect(s), passed_on(redirects=2)(s))),
    "the promised case without a parent": (
        "C81",
        lambda s: (query_and_redirect(s), passed_on(by=REQUESTER, parent=None, redirects=None)(s)),
    ),
    "passed on and never begun": (
        "C82",
        lambda s: (query_and_redirect(s), s.add("office.named", agency=JUSTICE, office="justice", named_by=OPERATOR)),
    ),
    "passed on to a case that is there": ("C82", lambda s: (_another(s), query_and_redirect(s))),
    "two cases passed on to one": ("C82", lambda s: (query_and_redirect(s), passed_on()(s), _again(s))),
    "two cases passed on to one that never began": ("C82", lambda s: (query_and_redirect(s), _again(s))),
    "a batch that is not there": ("C85", lambda s: (s.correction(), s.add("correction.answered", PROVIDER, **_HERE))),
    "a batch of another table": ("C85", lambda s: (_other_batch(s), s.add("correction.answered", PROVIDER, **_HERE))),
    "a deadline set by nothing": ("C86", lambda s: (_no_clock(s), s.add("deadline.set", cause=0, **clock()))),
    "a superior that is not registered": (
        "C87",
        lambda s: (s.query(), s.add("superior.notified", JUSTICE, agency=REQUESTER, about=s.entries[-1]["seq"])),
    ),
}
_HERE = {"result": "corrected", "where": "here", "batch": "b-1"}


def _no_clock(story: Story) -> None:
    story.query(**dict.fromkeys(("clause", "standing", "working_days", "due_at")), **{"clock": no_clock()["clock"]})


def _extension(story: Story) -> None:
    story.application()
    story.add("request.extension_asked", PROVIDER, days=3)


def _consent(story: Story) -> Entry:
    due = clock("application", "decided", due_at="2026-12-10T16:00:00.000Z")
    return {"asked": story.entries[-1]["seq"], "days": 3, **due}


def _another(story: Story) -> None:
    story.case = "q-1.2"
    story.query()


def _again(story: Story) -> None:
    story.case = "q-7"
    story.query()
    story.authenticated()
    story.redirected(linked="q-1.2")


def _other_batch(story: Story) -> None:
    story.correction()
    names = ("rows_read", "rows_added", "rows_changed", "rows_unchanged", "rows_removed", "rows_set_aside")
    base = {"batch": "b-1", "database": "work", "table": "penalties", "mapping": "x", "mapping_digest": "0" * 64}
    story.add("batch.ingested", **base, **dict.fromkeys(names, 1))


@pytest.mark.parametrize("name", ACROSS)
def test_what_one_case_alone_cannot_show_is_found(name: str) -> None:
    rule, part = ACROSS[name]
    entries = log(part)
    found = rules(entries)
    assert rule in found, found
    with pytest.raises(MoveError) as caught:
        check_cases(entries)
    assert caught.value.rule == found[0] and "第" in caught.value.zh


def test_a_redirect_that_stands_last_may_still_be_followed_by_its_case() -> None:
    assert rules(log(query_and_redirect)) == []
    assert rules(log(query_and_redirect, passed_on())) == []


def test_a_registration_counts_from_its_entry_on() -> None:
    story = Story()
    story.query()
    story.case = "q-2"
    story.registered()
    story.query()
    assert rules(story.entries) == ["C83"]


def test_the_rules_are_asked_about_each_clock_and_each_refusal() -> None:
    asked: list[tuple[int, str, str, str]] = []
    judged: list[tuple[int, str]] = []

    def recount(entry: Entry, act: str, stop: str, since: str) -> None:
        asked.append((entry["seq"], act, stop, since))
        if entry["due_at"] > "2026-12-01":
            raise MoveError("R1", "counted otherwise", "计算不符")

    def gate(entry: Entry, case: Case) -> None:
        judged.append((entry["seq"], case.id))
        if entry["article"] != "第十三条":
            raise MoveError("R2", "no ground that day", "当日无此事由")

    def tell(story: Story) -> None:
        story.query()
        story.authenticated()
        story.drafted()
        story.refused(drafted=story.entries[-1]["seq"])
        story.case = "q-2"
        story.query(due_at="2026-12-03T16:00:00.000Z")
        story.case = "q-3"
        story.query()
        story.authenticated()
        story.drafted(article="第九条")
        story.refused(drafted=story.entries[-1]["seq"], article="第九条")

    entries = log(tell)
    first = len(Story().registered().entries)
    assert rules(entries, recount=recount, gate=gate) == ["R1", "R2"]
    assert [seq - first for seq, *_ in asked] == [0, 4, 5]
    assert asked[0][1:] == ("query", "supplied", entries[first]["received_at"])
    assert [seq - first for seq, _ in judged] == [3, 8]


def test_a_log_that_is_newer_than_the_program_is_neither_good_nor_broken() -> None:
    entries = log(lambda s: s.query(v=2))
    with pytest.raises(VersionTooNewError):
        check_cases(entries)


def test_numbers_of_persons_stand_for_officers_one_to_one() -> None:
    entries = told("refused by an approver who did not draft it")
    case = fold(entries)
    names: dict[int, str | None] = {0: "officer-1", 1: "answerer-7", 2: "answerer-7", 3: "approver-2"}
    check_persons(case, entries, names)
    check_persons(case, entries, {**names, 2: None})
    for wrong in ({3: "answerer-7"}, {2: "approver-2"}, {1: "approver-2"}, {1: "answerer-8"}):
        with pytest.raises(MoveError) as caught:
            check_persons(case, entries, {**names, **wrong})
        assert caught.value.rule == "C84"
    # The same login name in two agencies is two people.
    check_persons(case, entries, {**names, 0: "answerer-7"})


def test_the_data_authority_that_is_a_party_does_not_mediate_its_own_dispute() -> None:
    def tell(story: Story) -> None:
        story.query(provider=AUTHORITY)
        base = {"by_role": "agency"}
        story.add("request.authenticated", AUTHORITY, method="session", **base)
        story.add("request.answered", AUTHORITY, "", "text", result="no_record", **base)
        about = story.entries[-1]["seq"]
        story.disputed(about)
        story.resolved("not_settled")
        story.disputed(about, "data_authority")
        assert rules(story.entries) == []
        story.resolved("stands", AUTHORITY)

    assert rules(log(tell)) == ["C11"]
