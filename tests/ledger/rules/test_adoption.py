"""The rules as entries make them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from ledger import ConflictError, Instance, Ledger, LedgerUnavailableError, Settings
from ledger import once as once_keys
from ledger.rule_archive import Archive, KeptRules, record, timeline_of
from ledger.rules import SHANGHAI, UnknownRuleError, adoption, deadline, packaged
from ledger.rules import Settings as ClockSettings
from ledger.rules.adoption import KINDS, Change
from ledger.rules.errors import AdoptionError, RuleDataError
from tests.ledger.rules.support import LOCAL_THREE, invented_2027

BOOK = packaged()


def no_text(digest: str) -> bytes:
    raise AssertionError(digest)


def entry(change: Change, seq: int = 7, **more: Any) -> dict[str, Any]:
    return {"kind": change.kind, "seq": seq, "t": "2026-11-25T00:00:00.000Z", "by": "sfj", **change.fields, **more}


CHANGES = [
    adoption.adopt_rule(BOOK, LOCAL_THREE),
    adoption.adopt_rule(
        BOOK,
        type(LOCAL_THREE).read(
            LOCAL_THREE.to_value()
            | {
                "id": "local.urgent",
                "valid_to": "2030-12-31",
                "clock": {"act": "query", "start": "received", "stop": "supplied", "at_once": True, "urgent": True},
            }
        ),
    ),
    adoption.adopt_rule(
        BOOK,
        type(LOCAL_THREE).read(
            LOCAL_THREE.to_value()
            | {
                "id": "local.application",
                "clock": {
                    "act": "application",
                    "start": "received",
                    "stop": "decided",
                    "working_days": 5,
                    "sharing_class": "conditional",
                    "extension": {"max_working_days": 5, "needs": ["consent"]},
                },
            }
        ),
    ),
    adoption.end_rule(BOOK, "d809.26", date(2030, 1, 1), "示例"),
    adoption.set_settings(BOOK, ClockSettings("close_of_business", time(17), 60), "示例"),
    adoption.set_ground(BOOK, "RG11", enabled=True, reason="示例"),
    adoption.adopt_calendar(BOOK, invented_2027()),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind)
def test_what_an_entry_says_gives_what_was_meant(change: Change) -> None:
    timeline = adoption.fold(BOOK, [entry(change)], no_text)
    assert timeline.current == change.rulebook != BOOK
    assert (timeline.head, timeline.before(7), timeline.before(8)) == (7, BOOK, change.rulebook)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind)
def test_an_entry_whose_digest_does_not_come_out_is_found_out(change: Change) -> None:
    name = "calendars" if "calendars" in change.fields else "register"
    with pytest.raises(AdoptionError, match="its content gives"):
        adoption.fold(BOOK, [entry(change, **{name: "0" * 64})], no_text)


def test_changes_follow_one_another() -> None:
    first = adoption.adopt_rule(BOOK, LOCAL_THREE)
    second = adoption.set_ground(first.rulebook, "RG11", enabled=True, reason="示例")
    timeline = adoption.fold(BOOK, [entry(first), entry(second, 9, after=7)], no_text)
    assert timeline.current == second.rulebook and timeline.before(9) == first.rulebook
    for after in ({}, {"after": 3}):
        with pytest.raises(AdoptionError, match="follows change"):
            adoption.fold(BOOK, [entry(first), entry(second, 9, **after)], no_text)


def test_a_calendar_with_a_name_too_few_is_refused() -> None:
    change = adoption.adopt_calendar(BOOK, invented_2027())
    with pytest.raises(AdoptionError, match="equally many"):
        adoption.fold(BOOK, [entry(change, holidays_en=[])], no_text)


def test_a_local_standard_cannot_be_adopted_as_law() -> None:
    change = adoption.adopt_rule(BOOK, LOCAL_THREE)
    with pytest.raises(RuleDataError, match="service standard"):
        adoption.fold(BOOK, [entry(change, standing="statutory")], no_text)


def test_another_kind_is_no_change_of_rules() -> None:
    with pytest.raises(AdoptionError, match="changes no rules"):
        adoption.fold(BOOK, [{"kind": "log.opened", "seq": 0, "t": ""}], no_text)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance.create(
        tmp_path / "instance",
        Settings("ledger.example/liandong/shifan", "示范县", "Shifan (invented)", "http://127.0.0.1:8001", demo=True),
    )


@pytest.fixture
def ledger(instance: Instance) -> Iterator[Ledger]:
    with instance.ledger() as opened:
        yield opened


def test_changes_are_recorded_and_read_again_from_the_ledger(instance: Instance, ledger: Ledger) -> None:
    archive = Archive(instance.path / "rules")
    start = adoption.adopt_register(BOOK, software="liandong 0", reason="启用")
    record(ledger, archive, timeline_of(ledger, archive), start, by="operator")
    for change_of in (
        lambda book: adoption.adopt_rule(book, LOCAL_THREE),
        lambda book: adoption.set_ground(book, "RG11", enabled=True, reason="示例"),
        lambda book: adoption.adopt_calendar(book, invented_2027()),
        lambda book: adoption.set_settings(book, ClockSettings(at_once_target_minutes=30), "示例"),
        lambda book: adoption.end_rule(book, "local.query", date(2027, 1, 31), "示例"),
    ):
        timeline = timeline_of(ledger, archive)
        record(ledger, archive, timeline, change_of(timeline.current), by="sfj", officer="o1")
    found = timeline_of(ledger, archive)
    assert found.steps[0].kind == "register.adopted" and len(found.steps) == 6
    assert sorted(KINDS) == sorted({step.kind for step in found.steps})
    received = datetime(2026, 12, 29, 9, tzinfo=SHANGHAI)
    assert deadline(found.current, "query", received).state == "due"
    assert deadline(found.before(1), "query", received).state == "no_clock"
    # Every text that an entry named is kept.
    for step in found.steps:
        for text in (step.rulebook.register, step.rulebook.calendars):
            assert archive.load(text.digest) == text.canonical
    for each in ledger.since(0, KINDS):
        assert ledger.used(once_keys.keys_of(each)[0]) == each["seq"]


def test_rules_kept_for_long_follow_what_is_new(instance: Instance, ledger: Ledger) -> None:
    archive = Archive(instance.path / "rules")
    kept = KeptRules(ledger, archive)
    assert kept.timeline().current == BOOK
    record(ledger, archive, kept.timeline(), adoption.adopt_rule(BOOK, LOCAL_THREE), by="sjj")
    assert kept.timeline().head == 0 and kept.timeline().current.register.clause("local.query") == LOCAL_THREE
    change = adoption.set_ground(kept.timeline().current, "RG11", enabled=True, reason="示例")
    record(ledger, archive, kept.timeline(), change, by="sfj")
    assert kept.timeline() == timeline_of(ledger, archive)


def test_of_two_who_change_the_same_rules_one_is_told(instance: Instance, ledger: Ledger) -> None:
    archive = Archive(instance.path / "rules")
    timeline = timeline_of(ledger, archive)
    record(ledger, archive, timeline, adoption.adopt_rule(BOOK, LOCAL_THREE), by="sfj")
    with pytest.raises(ConflictError):
        record(ledger, archive, timeline, adoption.set_ground(BOOK, "RG11", enabled=True, reason="示例"), by="sfj")
    assert timeline_of(ledger, archive).current.register.clause("local.query") == LOCAL_THREE


def test_a_text_that_was_changed_or_is_missing_is_not_used(instance: Instance) -> None:
    archive = Archive(instance.path / "rules")
    book = adoption.adopt_rule(BOOK, LOCAL_THREE).rulebook
    archive.save(book)
    file = archive.folder / f"{book.register.digest}.json"
    file.write_bytes(file.read_bytes().replace(b"three working days", b"four working days"))
    with pytest.raises(UnknownRuleError, match="was changed"):
        archive.load(book.register.digest)
    with pytest.raises(UnknownRuleError, match="not in"):
        archive.load("0" * 64)
    with pytest.raises(UnknownRuleError, match="no digest"):
        archive.load("../keys/log.pem")


def test_where_the_rules_cannot_be_kept_nothing_is_changed(instance: Instance, ledger: Ledger) -> None:
    (instance.path / "rules").rmdir()
    (instance.path / "rules").write_text("in the way")
    archive = Archive(instance.path / "rules")
    with pytest.raises(LedgerUnavailableError, match="nothing was changed"):
        record(ledger, archive, timeline_of(ledger, archive), adoption.adopt_rule(BOOK, LOCAL_THREE), by="sjj")
    assert ledger.since(0, KINDS) == []


def test_saving_twice_leaves_what_is_there(instance: Instance) -> None:
    archive = Archive(instance.path / "rules")
    archive.save(BOOK)
    before = {file.name: file.stat().st_mtime_ns for file in archive.folder.iterdir()}
    archive.save(BOOK)
    assert {file.name: file.stat().st_mtime_ns for file in archive.folder.iterdir()} == before
    assert set(before) == {f"{BOOK.register.digest}.json", f"{BOOK.calendars.digest}.json"}
