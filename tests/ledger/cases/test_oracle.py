"""Random moves by random people against a naive oracle: tables written out, and the whole history told again each time.

Where the fold keeps facts and derives the state, the oracle strikes voided exits from the history and tells the rest
once more. Both must take and refuse the same moves, and agree on the state and on when the clock was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.cases import Case, State, Stop, allowed_to, apply, fold, survey
from ledger.cases.fold import party_of
from ledger.errors import MoveError
from tools.desk_stories import (
    AUTHORITY,
    INSPECTION,
    JUSTICE,
    OTHER,
    PROVIDER,
    REQUESTER,
    ROLES,
    Entry,
    Story,
)

#: State: what the parties may do in it. Written by hand from docs/spec/cases.md.
ANSWERS = {"full", "partial", "no_record", "redirected", "offline"}
MAY: dict[str, set[str]] = {
    "received": {"auth", "auth_failed", "withdraw"},
    "auth_failed": {"auth", "withdraw"},
    "authenticated": {"supplement", *ANSWERS, "draft_whole", "draft_part", "refuse", "withdraw"},
    "supplement_asked": {"supplemented", *ANSWERS, "draft_whole", "draft_part", "refuse", "withdraw"},
    "partly_answered": {"full", "partial", "offline", "draft_part", "refuse", "withdraw"},
    "delivered": {"full", "partial", "offline", "confirm", "draft_part", "refuse", "withdraw"},
    "answered": set(),
    "no_record": set(),
    "redirected": set(),
    "refused": set(),
    "withdrawn": set(),
}
ASKER = {"officer", "approver", "system"}
#: Move: agency, and the officer's roles.
WHO: dict[str, tuple[str, set[str]]] = {
    "auth": (PROVIDER, {"answerer", "approver", "system"}),
    "auth_failed": (PROVIDER, {"answerer", "approver"}),
    "supplement": (PROVIDER, {"answerer", "approver"}),
    **dict.fromkeys(ANSWERS, (PROVIDER, {"answerer", "approver", "system"})),
    "draft_whole": (PROVIDER, {"answerer", "approver"}),
    "draft_part": (PROVIDER, {"answerer", "approver"}),
    "refuse": (PROVIDER, {"approver"}),
    "supplemented": (REQUESTER, ASKER),
    "withdraw": (REQUESTER, ASKER),
    "confirm": (REQUESTER, {"officer", "approver"}),
    "negotiate": (REQUESTER, {"officer", "approver"}),
    "settle": (REQUESTER, {"officer", "approver"}),
    "leave": (REQUESTER, {"officer", "approver"}),
    "improper": (JUSTICE, {"officer", "approver"}),
    "upheld": (JUSTICE, {"officer", "approver"}),
}
MOVES = sorted(WHO)
EXITS = {*ANSWERS, "refuse"}
CLOSE = {"full": "answered", "no_record": "no_record", "redirected": "redirected"}


@dataclass
class Told:
    """One accepted move."""

    name: str
    seq: int
    at: str
    person: tuple[str, int | None]
    struck: bool = False  # found improper
    reopened: bool = False  # settled by agreement
    covers: str = ""


def retell(history: list[Told]) -> str:
    """The state, told from the beginning without the exits that do not stand."""
    before, given, part, closed = "received", [], False, None
    for told in history:
        match told.name:
            case "auth" | "supplemented":
                before = "authenticated"
            case "auth_failed":
                before = "auth_failed"
            case "supplement":
                before = "supplement_asked"
            case "withdraw":
                return "withdrawn"
        if told.name in EXITS and told.covers != "part":
            before = "authenticated"  # whatever was awaited of the requester does not matter any more
        if told.struck or told.reopened:
            continue
        if told.name == "confirm":
            delivery = [one for one in history if one.name == "offline" and one.seq < told.seq][-1]
            closed = closed if delivery.struck or delivery.reopened else "answered"
        elif told.name in CLOSE:
            closed = CLOSE[told.name]
        elif told.name == "refuse" and told.covers == "whole":
            closed = "refused"
        elif told.name == "refuse":
            part = True
        elif told.name in ("partial", "offline"):
            given.append(told.name)
        if part and "partial" in given:
            closed = "answered"
    if closed:
        return closed
    full = [one for one in history if one.name == "full" and not (one.struck or one.reopened)]
    assert not full
    if given:
        return "delivered" if given[-1] == "offline" else "partly_answered"
    return before


def first_stop(history: list[Told]) -> str | None:
    """When the duty was first done, told from the beginning without what was found improper."""
    standing = [told for told in history if not told.struck]
    ends = [one.at for one in standing if one.name in CLOSE or (one.name == "refuse" and one.covers == "whole")]
    parts = [one.at for one in standing if one.name == "refuse" and one.covers == "part"]
    ends += [max(one.at, parts[0]) for one in standing if one.name == "partial" and parts]
    confirmed = [one for one in history if one.name == "confirm"]
    for told in confirmed:
        delivery = [one for one in history if one.name == "offline" and one.seq < told.seq][-1]
        ends += [] if delivery.struck else [delivery.at]
    return min(ends, default=None)


#: Where a run begins, so that many get far.
STARTS: list[tuple[str, ...]] = [
    (),
    ("auth",),
    ("auth", "supplement"),
    ("auth", "supplement", "supplemented"),
    ("auth", "draft_part"),
    ("auth", "draft_whole"),
    ("auth", "partial", "draft_part"),
    ("auth", "draft_whole", "refuse"),
    ("auth", "partial", "draft_part", "refuse"),
    ("auth", "offline"),
]

ACTORS = st.tuples(
    st.sampled_from([PROVIDER, PROVIDER, PROVIDER, REQUESTER, REQUESTER, JUSTICE, OTHER, AUTHORITY, INSPECTION]),
    st.sampled_from(["officer", "answerer", "approver", "approver", "system"]),
    st.sampled_from([1, 1, 2, 3]),
)


class Desk(RuleBasedStateMachine):
    """Both sides, move by move."""

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start: tuple[str, ...]) -> None:
        self.story = Story()
        self.case: Case = fold([self.story.query()])
        self.history: list[Told] = []
        self.people: dict[str, int] = {REQUESTER: 1}
        self.draft: tuple[int, str, int | None] | None = None
        self.dispute: Told | None = None
        self.judged: set[int] = set()
        self.refused = 0
        for name in start:
            person = 2 if name == "refuse" else 1
            self.try_move(name, (WHO[name][0], "approver", person), 1)

    def entry(self, name: str, by: str, duty: str, person: int) -> Entry:
        """An entry that is right in all but, perhaps, its moment and its maker."""
        covers = self.draft[1] if self.draft else "whole"
        exits = [told for told in self.history if told.name in EXITS]
        about = exits[-1].seq if exits else 0
        fields: dict[str, Any] = {"by": by, "by_role": ROLES.get(by, "agency"), "by_duty": duty, "by_person": person}
        if duty == "system":
            fields["by_person"] = None
        story = self.story
        match name:
            case "auth":
                return story.add("request.authenticated", by, method="session", **fields)
            case "auth_failed":
                return story.add("request.auth_failed", by, **fields)
            case "supplement":
                return story.add("request.supplement_asked", by, **fields)
            case "supplemented":
                return story.add("request.supplemented", by, **fields)
            case "full":
                return story.full(**fields)
            case "partial":
                return story.partial(**fields)
            case "no_record":
                return story.no_record(**fields)
            case "redirected":
                return story.redirected(**fields)
            case "offline":
                return story.delivered(**fields)
            case "confirm":
                answers = [told.seq for told in self.history if told.name == "offline"]
                return story.add("request.delivery_confirmed", by, answer=answers[-1] if answers else 0, **fields)
            case "draft_whole" | "draft_part":
                return story.drafted(name.removeprefix("draft_"), **fields)
            case "refuse":
                drafted = self.draft[0] if self.draft else 0
                return story.refused(covers, **{"drafted": drafted, **fields})
            case "withdraw":
                return story.add("request.withdrawn", by, **fields)
            case "negotiate":
                return story.disputed(about, **fields)
            case "settle" | "leave":
                opened = self.dispute.seq if self.dispute else 0
                outcome = "provide" if name == "settle" else "stands"
                return story.resolved(outcome, **{**fields, "dispute": opened})
            case _:
                return story.reviewed(about, name, **fields)

    def expected(self, name: str, by: str, duty: str, person: int) -> bool:
        agency, duties = WHO[name]
        judge = name in ("improper", "upheld")
        if by != agency and not (judge and by == INSPECTION):
            return False
        if duty not in duties or (duty != "system" and person > self.people.get(by, 0) + 1):
            return False
        state, exits = retell(self.history), [told for told in self.history if told.name in EXITS]
        withheld = any(
            told.name == "refuse" and told.covers == "part" and not told.struck and not told.reopened
            for told in self.history
        )
        if name in ("negotiate",):
            return state != "withdrawn" and self.dispute is None and bool(exits)
        if name in ("settle", "leave"):
            return self.dispute is not None
        if judge:
            return bool(exits) and (by, exits[-1].seq) not in self.judged
        if name not in MAY[state]:
            return False
        if name == "supplement":
            return not any(told.name == "supplement" for told in self.history)
        if name in ANSWERS and withheld:
            return name in ("partial", "offline")
        if name in ("draft_whole", "draft_part"):
            return not withheld
        if name == "refuse":
            return self.draft is not None and duty != "system" and person != self.draft[2]
        return True

    @rule(name=st.sampled_from(MOVES), actor=ACTORS, hours=st.integers(0, 30))
    def any_move(self, name: str, actor: tuple[str, str, int], hours: int) -> None:
        self.try_move(name, actor, hours)

    @rule(
        choice=st.integers(0, 999), duty=st.sampled_from(["officer", "answerer", "approver"]), person=st.integers(1, 2)
    )
    def a_move_of_this_state(self, choice: int, duty: str, person: int) -> None:
        """By the right agency, in any role, by either person: refused for what is between state and agency."""
        may = sorted(MAY[retell(self.history)] - {"withdraw"}) or ["improper", "upheld", "negotiate"]
        name = may[choice % len(may)]
        self.try_move(name, (WHO[name][0], duty, person), 1)

    @rule(choice=st.integers(0, 999), person=st.sampled_from([2, 1]), again=st.booleans())
    def a_move_that_is_allowed(self, choice: int, person: int, again: bool) -> None:
        """Most random moves are refused: this one goes on, towards refusals and their approval where it can."""
        may = [name for name in MOVES if name != "withdraw" and self.expected(name, WHO[name][0], "approver", person)]
        may += [name for name in may if again and name in ("draft_part", "draft_whole", "refuse", "improper")] * 3
        if may:
            name = may[choice % len(may)]
            self.try_move(name, (WHO[name][0], "approver", person), 1)

    def try_move(self, name: str, actor: tuple[str, str, int], hours: int) -> None:
        by, duty, person = actor
        self.story.wait(hours=hours)
        want = self.expected(name, by, duty, person)
        entry = self.entry(name, by, duty, person)
        if want:
            party = party_of(self.case, entry)
            assert party and entry["kind"] in allowed_to(self.case, entry["t"], party, [duty])
            self.case = apply(self.case, entry)
            self.remember(name, entry)
            return
        with pytest.raises(MoveError) as caught:
            apply(self.case, entry)
        assert caught.value.en and caught.value.zh
        self.refused += 1

    def remember(self, name: str, entry: Entry) -> None:
        person = entry.get("by_person")
        if person:
            self.people[entry["by"]] = max(person, self.people.get(entry["by"], 0))
        told = Told(name, entry["seq"], entry["t"], (entry["by"], person))
        exits = [one for one in self.history if one.name in EXITS]
        match name:
            case "draft_whole" | "draft_part":
                self.draft = (entry["seq"], name.removeprefix("draft_"), person)
            case "refuse":
                told.covers = self.draft[1] if self.draft else ""
            case "negotiate":
                self.dispute, self.disputed = told, exits[-1]
            case "settle":
                self.disputed.reopened = True
                self.dispute = None
            case "leave":
                self.dispute = None
            case "improper" | "upheld":
                self.judged.add((entry["by"], exits[-1].seq))
                exits[-1].struck |= name == "improper"
        if name in EXITS or name == "withdraw":
            self.draft = None
        self.history.append(told)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "case"):
            return
        assert self.case.state == State(retell(self.history))
        assert self.case.stopped_at(Stop.SUPPLIED) == first_stop(self.history)

    @invariant()
    def what_was_refused_has_no_effect(self) -> None:
        if not hasattr(self, "case"):
            return
        found, refused = survey(self.story.entries)
        assert found == self.case and len(refused) == self.refused


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=120, stateful_step_count=20, deadline=None)
