"""Moves on a real ledger: checked before they are appended, void where somebody was faster, in any process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Ledger
from ledger.cases import (
    Actor,
    Case,
    State,
    Words,
    append_again,
    check_cases,
    draft_move,
    draft_opening,
    draft_program,
    known_officers,
    read_case,
)
from ledger.entries import check_entry
from ledger.errors import ConflictError, EntryError, MoveError
from ledger.items import draw_salts
from ledger.log.commitment import Opening
from ledger.log.verify import verify_file
from ledger.once import keys_of
from tests.ledger.support import KEY, ORIGIN, VKEY, child, clock, finish, random_source
from tools.desk_stories import DUE_AT, OTHER, PROVIDER, REQUESTER, Entry, Story, ground, stamp
from tools.desk_stories import clock as clock_fields

NOW = datetime(2026, 11, 23, 2, 3, 4, tzinfo=UTC)
ASKER = Actor(REQUESTER, "agency", "officer", "scjg-1", "session")
ANSWERER = Actor(PROVIDER, "agency", "answerer", "yjgl-1", "session")
APPROVER = Actor(PROVIDER, "agency", "approver", "yjgl-2", "session")
SYSTEM = Actor(PROVIDER, "agency", "system", None, "signature", "yjgl-sys-1")


def asking(**change: Any) -> dict[str, Any]:
    fields = {
        "requester": REQUESTER, "provider": PROVIDER, "resource": "work/permits", "purpose": "case",
        "reference_kind": "case_number", "channel": "desk", "received_at": stamp(NOW), **clock_fields(),
    }  # fmt: skip
    return {**fields, **change}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    path = tmp_path / "ledger.db"
    Ledger.create(path, ORIGIN)
    with Ledger(path, KEY, now=clock(NOW), random=random_source()) as opened:
        for entry in Story().registered().entries:
            fields = {
                name: value for name, value in entry.items() if name not in ("log", "prev", "seq", "t", "kind", "v")
            }
            opened.append(entry["kind"], fields)
        yield opened


def move(book: Ledger, kind: str, actor: Actor, fields: Entry | None = None, **words: Any) -> Case:
    case = read_case(book, "q-1")
    now = NOW + timedelta(hours=1)
    draft_move(case, kind, actor, now, fields, Words(words), officers=known_officers(book, case)).append(book)
    return read_case(book, "q-1")


def begin(book: Ledger) -> Case:
    draft_opening("request.received", "q-1", ASKER, NOW, asking(), Words({"reference": "示案〔2026〕1号"})).append(book)
    return read_case(book, "q-1")


def everything(book: Ledger) -> list[Entry]:
    found = list(reversed(book.newest(10_000)))
    for entry in found:
        check_entry(entry)
    return found


def test_a_request_is_asked_drafted_refused_and_checked(book: Ledger) -> None:
    begin(book)
    move(book, "request.authenticated", ANSWERER, {"method": "session"})
    case = move(
        book, "request.refusal_drafted", ANSWERER, ground(), reason="已由某机关定密", demanded_values={"level": "秘密"}
    )
    assert case.draft is not None and case.draft.person == 1
    with pytest.raises(MoveError) as caught:
        move(
            book,
            "request.refused",
            Actor(PROVIDER, "agency", "approver", "yjgl-1", "session"),
            {**ground(), "drafted": case.last},
        )
    assert caught.value.rule == "C33"
    case = move(book, "request.refused", APPROVER, {**ground(), "drafted": case.last}, reason="已由某机关定密")
    assert case.state is State.REFUSED and [one.number for one in case.people(PROVIDER)] == [1, 2]
    entries = everything(book)
    assert check_cases(entries) == 1
    assert verify_file(book.path, VKEY).size == len(entries)
    # Words and names are in no entry; the officer's own receipt opens them.
    assert not any("定密" in str(entry) or "yjgl-1" in str(entry) or "示案" in str(entry) for entry in entries)
    receipt = book.receipt(case.last, with_openings=True)
    assert receipt.openings["reason"].value == "已由某机关定密"
    receipt.verify(VKEY)


def test_what_the_case_does_not_allow_is_not_appended(book: Ledger) -> None:
    case = begin(book)
    size = book.size()
    for kind, actor, fields in (
        ("request.answered", ANSWERER, {"result": "full", "rows": 1}),
        ("request.withdrawn", ANSWERER, {}),
        ("request.authenticated", ANSWERER, {"method": "telepathy"}),
        ("request.nothing", ANSWERER, {}),
    ):
        with pytest.raises((MoveError, EntryError)):
            draft_move(case, kind, actor, NOW, fields, officers=known_officers(book, case))
    assert book.size() == size


def test_a_case_id_is_used_once(book: Ledger) -> None:
    begin(book)
    with pytest.raises(ConflictError):
        begin(book)
    other = asking(**clock_fields("correction", "decided"))
    fields = {name: other[name] for name in other if name not in ("purpose", "reference_kind")}
    with pytest.raises(ConflictError):
        draft_opening("correction.received", "q-1", ASKER, NOW, fields, Words({"description": "金额有误"})).append(book)


def test_of_two_moves_from_one_look_the_second_is_told(book: Ledger) -> None:
    case = begin(book)
    known = known_officers(book, case)
    first = draft_move(case, "request.authenticated", ANSWERER, NOW, {"method": "session"}, officers=known)
    second = draft_move(case, "request.withdrawn", ASKER, NOW, officers=known)
    first.append(book)
    with pytest.raises(ConflictError, match="somebody else"):
        second.append(book)
    assert read_case(book, "q-1").state is State.AUTHENTICATED


def test_an_event_loop_appends_the_same(book: Ledger) -> None:
    case = begin(book)
    known = known_officers(book, case)
    drafts = [draft_move(case, "request.withdrawn", ASKER, NOW, officers=known) for _ in range(3)]

    async def work() -> list[Any]:
        return await asyncio.gather(*(draft.append_async(book) for draft in drafts), return_exceptions=True)

    results = asyncio.run(work())
    assert sorted(type(result).__name__ for result in results) == ["Appended", "ConflictError", "ConflictError"]


def test_a_call_that_is_repeated_under_its_key_is_one_entry(book: Ledger) -> None:
    case = begin(book)
    draft = draft_move(case, "request.withdrawn", ASKER, NOW, officers=known_officers(book, case))
    keyed = replace(draft, once=(*draft.once, "call:scjg:7"), expect=None)
    done = keyed.append(book)
    with pytest.raises(ConflictError, match=f"entry {done.seq}"):
        keyed.append(book)


def test_each_subject_of_a_request_is_proven_alone(book: Ledger) -> None:
    subjects = [{"name": f"示例公司{n}", "credit_code": f"91370000示例{n:06}"} for n in range(5)]
    batch = book.seal_items(
        [Opening(salt, one) for salt, one in zip(draw_salts(5, random_source()), subjects, strict=True)]
    )
    words = Words({"reference": "示案〔2026〕1号"}, batch)
    done = draft_opening("request.received", "q-1", ASKER, NOW, asking(), words).append(book)
    assert read_case(book, "q-1").subjects == 5
    shown = book.receipt(done.seq, with_openings=True).only([], [3])
    shown.verify(VKEY)
    assert [item.opening.value for item in shown.items] == [subjects[3]]


def test_too_many_subjects_are_refused_before_anything_is_stored(book: Ledger) -> None:
    salts = draw_salts(501, random_source())
    batch = book.seal_items([Opening(salt, {"n": n}) for n, salt in enumerate(salts)])
    with pytest.raises(MoveError) as caught:
        draft_opening("request.received", "q-1", ASKER, NOW, asking(), Words({"reference": "1"}, batch))
    assert caught.value.rule == "C6"


def test_a_reminder_is_sent_once_and_does_not_get_in_an_officers_way(book: Ledger) -> None:
    case = begin(book)
    fields = {"to": PROVIDER, "stop": "supplied", "stage": "before_due", "day": 1, "outbox": "smtp"}
    reminder = draft_program(case, "reminder.sent", NOW, fields)
    reminder.append(book)
    with pytest.raises(ConflictError):
        reminder.append(book)
    with pytest.raises(MoveError) as caught:
        draft_program(read_case(book, "q-1"), "reminder.sent", NOW, fields)
    assert caught.value.rule == "C72"
    entry = book.entry(book.size() - 1)
    assert keys_of(entry) == reminder.once and book.used(reminder.once[0]) == entry["seq"]

    def authenticate(now: Case) -> Any:
        return draft_move(now, "request.authenticated", SYSTEM, NOW, {"method": "signature"}, officers={})

    append_again(book, case, authenticate)  # the case as it was before the reminder
    assert read_case(book, "q-1").state is State.AUTHENTICATED
    assert check_cases(everything(book)) == 1


def test_trying_again_stops_where_somebody_else_moved_the_case_on(book: Ledger) -> None:
    case = begin(book)
    move(book, "request.authenticated", ANSWERER, {"method": "session"})
    with pytest.raises(ConflictError):
        append_again(
            book, case, lambda now: draft_move(now, "request.withdrawn", ASKER, NOW, officers=known_officers(book, now))
        )
    assert read_case(book, "q-1").state is State.AUTHENTICATED


def test_who_cannot_be_told_from_an_erased_person_cannot_act(book: Ledger) -> None:
    case = move_to_draft(book)
    with pytest.raises(MoveError) as caught:
        draft_move(case, "request.refused", APPROVER, NOW, {**ground(), "drafted": case.last}, officers={})
    assert caught.value.rule == "C13"


def move_to_draft(book: Ledger) -> Case:
    begin(book)
    move(book, "request.authenticated", SYSTEM, {"method": "signature"})
    return move(book, "request.refusal_drafted", ANSWERER, ground(), reason="已由某机关定密")


def test_an_entry_that_should_not_be_there_has_no_effect_and_stops_nobody(book: Ledger) -> None:
    case = begin(book)
    by = {"case": "q-1", "by": OTHER, "by_role": "agency", "by_duty": "answerer", "by_person": 1, "auth": "session"}
    book.append("request.answered", {**by, "result": "no_record"}, particulars={"text": "没有"})  # past the desk
    again = read_case(book, "q-1")
    assert (again.state, again.last, again.exits) == (State.RECEIVED, case.last + 1, ())
    case = move(book, "request.authenticated", ANSWERER, {"method": "session"})
    assert case.state is State.AUTHENTICATED
    with pytest.raises(MoveError) as caught:
        check_cases(everything(book))
    assert caught.value.rule == "C14"


def test_a_case_that_is_not_there_is_said_to_be_missing(book: Ledger) -> None:
    with pytest.raises(MoveError, match="no case q-9"):
        read_case(book, "q-9")
    by = {"case": "q-9", "by": OTHER, "by_role": "agency", "by_duty": "answerer", "by_person": 1, "auth": "session"}
    book.append("request.withdrawn", by)
    with pytest.raises(MoveError, match="nothing began case q-9"):
        read_case(book, "q-9")


def test_a_clock_that_is_behind_the_log_does_not_stop_the_desk(book: Ledger) -> None:
    case = begin(book)
    early = NOW - timedelta(days=1)
    draft = draft_move(
        case, "request.authenticated", ANSWERER, early, {"method": "session"}, officers=known_officers(book, case)
    )
    draft.append(book)
    assert check_cases(everything(book)) == 1


# Both look at all cases and decide before either appends: whoever loses is told by the ledger, not by a second look.
RACER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ledger.book import Ledger
from ledger.cases import Actor, Words, draft_move, known_officers, read_case
from ledger.errors import ConflictError
from tests.ledger.support import KEY
path, who = Path(sys.argv[1]), sys.argv[2]
actor = Actor("yjgl", "agency", "answerer", who, "session")
with Ledger(path, KEY) as book:
    drafts = []
    for number in range(20):
        case = read_case(book, f"q-{number}")
        known = known_officers(book, case)
        words = Words({"answer_sha256": "0" * 64, "text": who})
        fields = {"result": "full", "rows": 1}
        drafts.append(draft_move(case, "request.answered", actor, datetime.now(UTC), fields, words, officers=known))
    print("ready", flush=True)
    sys.stdin.readline()
    for number, draft in enumerate(drafts):
        try:
            print("won", number, draft.append(book).seq)
        except ConflictError as error:
            assert "somebody else was faster" in error.en and "先行办理" in error.zh
            print("lost", number, -1)
"""


def test_two_officers_in_two_processes_answer_each_case_once(book: Ledger) -> None:
    for number in range(20):
        name = f"q-{number}"
        words = Words({"reference": "示案〔2026〕1号"})
        draft_opening("request.received", name, ASKER, NOW, asking(due_at=DUE_AT), words).append(book)
        case = read_case(book, name)
        draft_move(case, "request.authenticated", SYSTEM, NOW, {"method": "signature"}, officers={}).append(book)
    racers = [child(RACER, book.path, f"yjgl-{who}", stdin=-1) for who in (1, 2)]
    for racer in racers:
        assert racer.stdout and racer.stdin and racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    lines = [line.split() for racer in racers for line in finish(racer).splitlines()]
    won = sorted(int(number) for outcome, number, _ in lines if outcome == "won")
    lost = sorted(int(number) for outcome, number, _ in lines if outcome == "lost")
    assert won == lost == list(range(20)), "each case was answered by one, and the other was told"
    entries = everything(book)
    assert check_cases(entries) == 20
    assert sum(entry["kind"] == "request.answered" for entry in entries) == 20
    assert verify_file(book.path, VKEY).size == len(entries)
