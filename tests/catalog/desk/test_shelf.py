"""The lists follow the ledger: the same made anew, in order, by several processes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.desk.shelf import FILE, Line, Shelf, put
from ledger.cases import read_case
from ledger.rules.deadlines import stamp
from tests.catalog.desk.conftest import Office


def everything(shelf: Shelf) -> list[tuple[object, ...]]:
    return list(shelf.all("SELECT * FROM cases ORDER BY number"))


def some_cases(office: Office) -> list[str]:
    numbers = [office.ask().number for _ in range(4)]
    office.move("scjg-1", numbers[0], "request.authenticated", {"method": "session"})
    office.move("scjg-1", numbers[0], "request.supplement_asked", {}, {"wanted": "请补充案件立案文书"})
    office.move("zhzf-1", numbers[1], "request.withdrawn")
    urgent = office.ask(urgent=True, urgent_reason="嫌疑车辆当日离开本县", approver="zhzf-2").number
    late = office.ask(channel="phone", received_at="2026-11-10T09:00+08:00").number
    return [*numbers, urgent, late]


def test_made_anew_from_the_ledger_it_is_the_same(office: Office) -> None:
    some_cases(office)
    before = everything(office.desk.shelf)
    other = Shelf(office.service.instance.path / "other.db")
    assert other.follow(office.service.ledger) == (0, frozenset())
    assert everything(other) == before
    other.close()


def test_each_line_is_what_the_case_itself_says(office: Office) -> None:
    for number in some_cases(office):
        assert office.desk.shelf.line(number) == Line.of(read_case(office.service.ledger, number))


def test_an_inbox_has_what_is_urgent_first_then_the_nearest_due(office: Office) -> None:
    *ordinary, urgent, late = some_cases(office)
    found = [line.number for line in office.desk.shelf.inbox("scjg", 50)]
    assert found == [urgent, late, *(number for number in ordinary if number != ordinary[1])]
    assert [line.number for line in office.desk.shelf.answered("scjg", 50)] == [ordinary[1]]
    assert [line.number for line in office.desk.shelf.awaiting_requester("zhzf", 50)] == [ordinary[0]]
    counts = office.desk.shelf.counts("scjg", stamp(office.desk.now()))
    assert counts == {"open": 5, "urgent": 1, "overdue": 1}


def test_pages_of_a_list_leave_out_nothing_and_repeat_nothing(office: Office) -> None:
    some_cases(office)
    whole = office.desk.shelf.inbox("scjg", 50)
    found: list[Line] = []
    while page := office.desk.shelf.inbox("scjg", 2, found[-1] if found else None):
        found += page
    assert found == whole
    sent = office.desk.shelf.outbox("zhzf", 50)
    assert office.desk.shelf.outbox("zhzf", 2, sent[1].last) == sent[2:4]


def test_another_ledger_or_form_has_it_made_anew(office: Office) -> None:
    numbers = some_cases(office)
    with office.desk.shelf.transaction() as db:
        db.execute("UPDATE meta SET value = 'x' WHERE key = 'prev'")
        db.execute("DELETE FROM cases WHERE number = ?", (numbers[0],))
    office.desk.follow()
    assert office.desk.shelf.line(numbers[0]) is not None


def test_a_file_of_another_version_is_made_anew(office: Office) -> None:
    numbers = some_cases(office)
    path = office.service.instance.path / "older.db"
    with closing(sqlite3.connect(path)) as older, older:
        older.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        older.execute("INSERT INTO meta VALUES ('taken', '3')")
        older.execute("CREATE TABLE cases (number TEXT)")
    shelf = Shelf(path)
    shelf.follow(office.service.ledger)
    assert shelf.line(numbers[0]) == office.desk.shelf.line(numbers[0])
    shelf.close()


def test_there_are_no_particulars_in_the_file(office: Office) -> None:
    office.ask(description="甲公司近三年的处罚情况")
    office.service.ledger.checkpoint()
    folder = office.service.instance.path
    for path in folder.glob(f"{FILE}*"):
        assert "甲公司".encode() not in path.read_bytes() and b"zhzf-1" not in path.read_bytes()
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600


def test_two_followers_take_each_entry_once(office: Office) -> None:
    other = Shelf(office.service.instance.path / FILE)
    some_cases(office)
    assert other.follow(office.service.ledger)[0] == 0
    assert len(everything(other)) == 6
    other.close()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), max_size=12))
def test_the_order_of_an_inbox_is_that_of_its_rule(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[bool, int, int]]
) -> None:
    """The index's order against the rule said plainly."""
    shelf = Shelf(tmp_path_factory.mktemp("shelf") / FILE)
    base = datetime.fromisoformat("2026-11-23T00:00:00+00:00")
    lines = []
    for number, (urgent, due, received) in enumerate(made):
        values: dict[str, object] = dict.fromkeys(Line.__slots__, "")
        values |= dict.fromkeys(("subjects", "drafted", "disputed", "last", "unjudged"), 0)
        values |= {"number": f"q-{number:05d}", "provider": "scjg", "is_open": 1, "urgent": int(urgent)}
        values |= {"due_at": stamp(base + timedelta(days=due)) if due else "", "received_at": f"r{received}"}
        lines.append(Line(**values))  # type: ignore[arg-type]
    with shelf.transaction() as db:
        put(db, lines)
    wanted = sorted(lines, key=lambda line: (-line.urgent, line.due_at or "~", line.received_at, line.number))
    assert shelf.inbox("scjg", 50) == wanted
    shelf.close()
