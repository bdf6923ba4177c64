"""What a refused move says, who may do what next, and facts of a case that no state shows."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.case_kinds import ALL, BY
from ledger.cases import Party, State, allowed, allowed_to, apply, fold, survey
from ledger.cases.states import CODE_WORDS, DUTY_WORDS, PARTY_WORDS, STATE_WORDS
from ledger.errors import EntryError, MoveError, VersionTooNewError
from ledger.fields import Field
from tools.desk_refused import REFUSED
from tools.desk_stories import PROVIDER, REQUESTER, Story, stamp
from tools.desk_told import STORIES, story_of, told


def test_a_refused_move_says_the_state_and_who_may_do_what_next_in_both_languages() -> None:
    story = story_of("withdrawn in time")
    story.full()
    with pytest.raises(MoveError) as caught:
        fold(story.entries)
    assert caught.value.rule == "C14"
    assert "is withdrawn" in caught.value.en and "已撤回" in caught.value.zh
    assert "nobody has anything to do next" in caught.value.en and "无待办事项" in caught.value.zh

    story = story_of("a query was received")
    story.full()
    with pytest.raises(MoveError) as caught:
        fold(story.entries)
    assert "Next: the provider: request authenticated" in caught.value.en
    assert "下一步：提供方：认证通过" in caught.value.zh and "查询方：撤回请求" in caught.value.zh


def test_everything_has_its_words_in_both_languages() -> None:
    for words in (STATE_WORDS, PARTY_WORDS, DUTY_WORDS, CODE_WORDS):
        assert all(en and zh and en != zh for en, zh in words.values())
    assert set(STATE_WORDS) == set(State) and set(PARTY_WORDS) == set(Party)


def test_every_code_that_an_error_may_name_has_its_words() -> None:
    def codes(field: Field) -> set[str]:
        return set(field.want_en.removeprefix("one of ").split(", "))

    fields = {kind.name: kind.fields for kind in ALL}
    named = codes(BY["by_role"]) | codes(BY["by_duty"]) | codes(fields["request.received"]["act"])
    named |= codes(fields["request.answered"]["result"]) | codes(fields["request.disputed"]["step"])
    named |= codes(fields["order.issued"]["form"]) | codes(fields["order.issued"]["issuer"])
    assert named <= set(CODE_WORDS)


def test_no_entries_are_no_case() -> None:
    with pytest.raises(MoveError, match="no such case"):
        fold([])


def test_an_entry_that_was_not_allowed_has_no_effect_and_is_named() -> None:
    story = story_of("a query was authenticated")
    before = fold(story.entries)
    story.reviewed(1)
    story.full(rows=0)
    found, refused = survey(story.entries)
    assert found == before
    assert [(one.seq, one.kind) for one in refused] == [(2, "request.reviewed"), (3, "request.answered")]
    story.full()
    found, refused = survey(story.entries)
    assert found is not None and found.state is State.ANSWERED and len(refused) == 2


@pytest.mark.parametrize(
    "change", [{"by": None}, {"rows": -1}, {"result": "perhaps"}, {"colour": "red"}, {"case": "Q 1"}]
)
def test_an_entry_that_does_not_fit_its_schema_is_refused_before_its_case_is_asked(change: dict[str, Any]) -> None:
    story = story_of("a query was authenticated")
    entry = {**story.full(), **change}
    with pytest.raises(EntryError):
        apply(fold(told("a query was authenticated")), entry)
    assert survey([*story.entries[:-1], entry])[1][0].seq == 2


def test_a_version_that_this_program_does_not_know_is_no_broken_rule() -> None:
    story = story_of("a query was authenticated")
    story.full(v=2)
    for read in (fold, survey):
        with pytest.raises(VersionTooNewError):
            read(story.entries)


@pytest.mark.parametrize("name", STORIES)
def test_what_is_not_among_the_allowed_moves_is_refused_for_its_state_or_its_maker(name: str) -> None:
    """``allowed`` and the fold agree: every attack by a kind that is not offered fails, and none is offered twice."""
    case = fold(told(name))
    offered = [(one.kind, one.party) for one in allowed(case, case.last_at)]
    assert len(offered) == len(set(offered))
    for party in Party:
        duties = {"officer", "answerer", "approver", "system"}
        assert set(allowed_to(case, case.last_at, party, duties)) == {kind for kind, who in offered if who is party}
        if party is not Party.PROGRAM:
            assert allowed_to(case, case.last_at, party, ()) == allowed_to(case, case.last_at, party, ["admin"]) == ()


def test_the_operator_is_no_party_and_cannot_even_be_written_down() -> None:
    story = story_of("a query was authenticated")
    story.full(by="xxzx", by_role="operator")
    with pytest.raises(EntryError, match="by_role"):
        fold(story.entries)


def test_each_person_of_each_agency_is_counted_once() -> None:
    case = fold(told("a refusal found improper stopped nothing"))
    assert [(one.agency, one.number, one.seq) for one in case.persons] == [
        (REQUESTER, 1, 0), (PROVIDER, 1, 1), (PROVIDER, 2, 3), ("sfj", 1, 4),
    ]  # fmt: skip


def test_a_newer_draft_takes_the_place_of_the_older() -> None:
    story = story_of("a refusal is drafted")
    story.drafted(article="第十四条")
    assert fold(story.entries).draft is not None
    old = Story()
    old.entries, old.now = list(story.entries), story.now
    old.refused(drafted=2)
    with pytest.raises(MoveError, match="draft to approve is entry 3"):
        fold(old.entries)
    story.refused(article="第十四条")
    assert fold(story.entries).state is State.REFUSED


def test_an_answer_makes_a_draft_void() -> None:
    story = story_of("a refusal is drafted")
    story.partial()
    story.refused(drafted=2)
    with pytest.raises(MoveError) as caught:
        fold(story.entries)
    assert caught.value.rule == "C32"


def test_a_reminder_moves_no_revision_and_everything_else_does() -> None:
    story = story_of("a query was authenticated")
    before = fold(story.entries)
    story.reminder()
    after = fold(story.entries)
    assert (before.revision, after.revision, after.last) == (1, 1, 2)
    story.full()
    assert fold(story.entries).revision == 3


def test_no_kind_holds_a_fee_or_words_and_every_kind_of_a_person_says_who() -> None:
    for kind in ALL:
        assert not any("fee" in name or "amount" in name for name in kind.fields)
        free = [name for name, field in kind.fields.items() if field.want_en.startswith("text of")]
        assert set(free) <= {"ground", "statute", "article"}, "words are particulars"
        if "by" in kind.fields:
            assert set(BY) <= set(kind.fields) and "officer" in kind.particulars


def test_attacks_follow_stories_that_are_allowed() -> None:
    assert {name for name, *_ in REFUSED if name} <= set(STORIES)
    assert len({desc for _, _, desc, _ in REFUSED}) > 0.95 * len(REFUSED)


def test_the_second_letter_after_a_dispute_waits_to_be_taken_again() -> None:
    story = story_of("the transfer was returned")
    story.disputed(3)
    story.resolved("provide")
    assert fold(story.entries).state is State.NOTIFIED
    story.letter()
    assert fold(story.entries).state is State.LETTER_SENT


def test_a_case_that_was_passed_on_twice_again_waits_for_a_name_again() -> None:
    story = story_of("the supervisor named the provider")
    story.disputed(2)
    story.resolved("provide")
    assert fold(story.entries).state is State.AUTHENTICATED
    story.add("request.answered", "jtys", "", "text", result="redirected")
    case = fold(story.entries)
    assert case.state is State.WITH_SUPERVISOR and case.linked == "q-1.3"


def test_a_refusal_after_a_provider_was_named_and_the_case_opened_again_is_a_refusal() -> None:
    story = story_of("the supervisor named the provider")
    story.disputed(2)
    story.resolved("provide")
    drafted = story.drafted(by="jtys")
    story.refused(by="jtys", drafted=drafted["seq"])
    assert fold(story.entries).state is State.REFUSED


def test_what_came_on_paper_is_written_down_by_either_party_with_both_instants() -> None:
    story = Story()
    at = stamp(story.now)
    story.wait(hours=5).query(by=PROVIDER, channel="letter", received_at=at)
    case = fold(story.entries)
    assert case.received_at < case.recorded_at and case.deadlines[0].since == at
