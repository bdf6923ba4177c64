"""The keeper: when it pushes, that it anchors and does not chase its own anchors, and what it says when it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Ledger
from ledger.errors import InstanceError, LedgerError, LedgerUnavailableError, NoteError, RollbackError
from ledger.log.cadence import COUNTY_TIME
from ledger.log.policy import Policy
from ledger.log.push import State
from ledger.log.sequencer import Appended
from ledger.log.verify import verify_file
from ledger.log.witness import Reply
from ledger.witnessing import Keeper, import_cosigned, load_policy
from tests.ledger.support import KEY, ORIGIN, VKEY, append_some, random_source
from tests.ledger.witness_support import COSIGNERS, STRANGER, Directly, Tree, new_witness, policy, policy_text

MORNING = datetime(2026, 11, 23, 10, 0, tzinfo=COUNTY_TIME)


class Clock:
    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now.astimezone(UTC)

    def go(self, **span: float) -> None:
        self.now += timedelta(**span)


class World:
    """A ledger, two witnesses and one clock for all."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.path = folder / "ledger.db"
        Ledger.create(self.path, ORIGIN)
        self.book = Ledger(self.path, KEY, now=self.clock, random=random_source())
        append_some(self.book, 3)
        self._contexts = [new_witness(folder / f"w{n}.db", n, now=self.clock) for n in range(2)]
        self.send = Directly(*(context.__enter__() for context in self._contexts))
        self.due: list[datetime] = []
        self.keeper = self.new_keeper()

    def new_keeper(self, **options: Any) -> Keeper:
        return Keeper(self.book, policy(), self.send, now=self.clock, due_instants=lambda _: self.due, **options)

    def step(self) -> list[State]:
        return [outcome.state for outcome in self.keeper.step()]

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.book.newest(100)[::-1]]

    def faults(self) -> list[str]:
        return [entry["what"] for entry in self.book.newest(100, where={"kind": "fault.raised"})[::-1]]

    def close(self) -> None:
        self.keeper.close()
        self.book.close()
        for context in self._contexts:
            context.__exit__(None, None, None)


class FailsOnce(Ledger):
    """The same ledger, whose first append finds the disk full."""

    def __init__(self, book: Ledger) -> None:
        self.__dict__ = book.__dict__
        self.failed = False

    def append(self, *arguments: Any, **options: Any) -> Appended:
        if not self.failed:
            self.failed = True
            raise LedgerUnavailableError("the disk is full", "磁盘已满")
        return super().append(*arguments, **options)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


BOTH = [State.COSIGNED, State.COSIGNED]


def test_it_pushes_anchors_and_then_rests_though_the_anchor_is_an_entry(world: World) -> None:
    world.keeper.start()
    assert world.kinds()[-1] == "checkpoint.anchored" and world.keeper.new_entries() == 0
    for _ in range(100):
        world.clock.go(minutes=5)
        assert world.step() == []
    assert len(world.kinds()) == 4


def test_new_entries_go_out_after_five_minutes(world: World) -> None:
    world.keeper.start()
    append_some(world.book, 2)
    world.clock.go(minutes=4)
    assert world.step() == []
    world.clock.go(minutes=1)
    assert world.step() == BOTH
    assert world.kinds()[-1] == "checkpoint.anchored" and len(world.kinds()) == 7
    assert verify_file(world.path, VKEY).size == 7


def test_each_day_closes_and_opens_with_a_push_and_so_does_each_due_instant(world: World) -> None:
    world.keeper.start()
    world.due = [MORNING.replace(hour=17, minute=30)]
    pushed = []
    while world.clock.now < MORNING + timedelta(days=1):
        world.clock.go(seconds=30)
        if world.step():
            pushed.append(world.clock.now.strftime("%H:%M"))
    assert pushed == ["17:29", "17:31", "23:55", "00:05"]


def test_a_witness_that_is_down_is_asked_again_for_the_same_size_and_then_there_is_an_anchor(world: World) -> None:
    world.send.down = {1}
    world.keeper.start()
    assert "checkpoint.anchored" not in world.kinds()
    asked = 0
    for _ in range(12):
        world.clock.go(seconds=10)
        asked += len(world.step())
    assert 2 <= asked <= 5, "with growing pauses"
    world.send.down = set()
    world.clock.go(minutes=5)
    assert world.step() == [State.COSIGNED]
    assert world.book.newest(1)[0]["size"] == 3


def test_an_overdue_quorum_is_one_fault_until_there_is_a_quorum_again(world: World) -> None:
    world.send.down = {0, 1}
    world.keeper.start()
    for _ in range(36):
        world.clock.go(minutes=5)
        world.step()
    assert world.faults() == ["witness.overdue"]
    fault = world.book.newest(1, where={"kind": "fault.raised"})[0]
    assert "no quorum since size 0" in fault["observed"] and "3600 s" in fault["expected"]
    world.keeper.close()
    world.keeper = world.new_keeper()  # a restart does not say it again
    world.step()
    assert world.faults() == ["witness.overdue"]
    world.send.down = set()
    world.clock.go(minutes=6)
    assert world.step() == BOTH
    world.send.down = {0, 1}
    append_some(world.book, 2)
    for _ in range(13):
        world.clock.go(minutes=5)
        world.step()
    assert world.faults() == ["witness.overdue", "witness.overdue"]


def test_how_long_is_overdue_can_be_set(world: World) -> None:
    world.keeper.close()
    world.keeper = world.new_keeper(overdue=timedelta(minutes=7))
    world.send.down = {0, 1}
    world.keeper.start()
    world.clock.go(minutes=6)
    world.step()
    assert world.faults() == []
    world.clock.go(minutes=2)
    world.step()
    assert world.faults() == ["witness.overdue"]


def test_a_policy_without_quorum_waits_for_nobody(world: World) -> None:
    world.keeper.close()
    world.keeper = Keeper(world.book, Policy.parse(f"log {VKEY}\nquorum none\n".encode()), world.send, now=world.clock)
    world.keeper.start()
    world.clock.go(hours=9)
    assert world.step() == [] and world.faults() == []


def test_a_refusal_is_one_fault_and_the_other_witness_goes_on(world: World) -> None:
    refused = Reply(403, "text/plain", b"no\n")
    plain = world.send
    world.keeper.close()
    world.send = lambda url, body: refused if "w1" in url else plain(url, body)  # type: ignore[assignment]
    world.keeper = world.new_keeper()
    world.keeper.start()
    for _ in range(5):
        append_some(world.book, 1)
        world.clock.go(minutes=6)
        assert world.step() == [State.COSIGNED, State.REFUSED]
    assert world.faults() == ["witness.refused"]


def test_a_ledger_that_a_witness_is_ahead_of_does_not_start(world: World) -> None:
    ahead = Tree.of(50)
    assert world.send.witnesses[0].add_checkpoint(ahead.body(0, 50)).status == 200
    with pytest.raises(RollbackError, match="has cosigned 50 entries of this log, which has 3"):
        world.keeper.start()


def test_a_ledger_of_which_a_witness_has_seen_another_history_does_not_start(world: World) -> None:
    """It grew from an older copy past what the witness has: larger, and yet not the same."""
    other = Tree.of(50)
    assert world.send.witnesses[1].add_checkpoint(other.body(0, 2)).status == 200
    with pytest.raises(RollbackError, match=r"w1 .* another history"):
        world.keeper.start()
    assert world.kinds()[-1] != "checkpoint.anchored" and world.faults() == [], "nothing is appended to it"


def test_a_conflict_while_it_runs_is_a_fault(world: World) -> None:
    world.keeper.start()
    plain = world.send
    world.keeper.close()
    answers = Reply(422, "text/plain", b"no\n")
    world.send = lambda url, body: plain(url, body) if world.kinds()[-1] != "batch.ingested" else answers  # type: ignore[assignment]
    world.keeper = world.new_keeper()
    world.keeper.start()
    append_some(world.book, 2)
    world.clock.go(minutes=6)
    assert world.step() == [State.CONFLICT, State.CONFLICT]
    assert world.faults() == ["witness.conflict", "witness.conflict"]


def test_a_witness_that_forgot_is_one_fault(world: World, tmp_path: Path) -> None:
    world.keeper.start()
    with new_witness(tmp_path / "empty.db", 0, now=world.clock) as empty:
        world.send.witnesses[0] = empty
        for _ in range(3):
            append_some(world.book, 1)
            world.clock.go(minutes=6)
            assert world.step() == BOTH
    assert world.faults() == ["witness.forgot"]


def test_a_clock_that_was_set_back_does_not_stop_the_pushes(world: World) -> None:
    world.clock.go(days=3)
    world.keeper.start()
    world.clock.go(days=-3)
    append_some(world.book, 1)
    assert world.step() == BOTH, "at once: nobody knows how long it was since the last one"
    assert world.step() == []


def test_a_push_that_could_not_read_the_ledger_is_made_up_for(world: World) -> None:
    world.keeper.start()
    append_some(world.book, 1)
    world.clock.go(minutes=5)
    store = world.keeper._pusher._store
    good, store._db = store._db, sqlite3.connect(":memory:")
    with pytest.raises(LedgerUnavailableError):
        world.keeper.step()
    store._db.close()
    store._db = good
    world.clock.go(seconds=5)
    assert world.step() == [], "not at each look"
    world.clock.go(seconds=10)
    assert world.step() == BOTH


def test_what_cannot_be_read_is_our_error_at_every_step(world: World) -> None:
    """Any other would end the background task, and with it all witnessing, unseen."""
    world.send.down = {0, 1}
    world.keeper.start()
    world.clock.go(hours=2)
    store = world.keeper._store
    good, store._db = store._db, sqlite3.connect(":memory:")
    for _ in range(3):
        with pytest.raises(LedgerUnavailableError):
            world.keeper.step()
        world.clock.go(minutes=5)
    store._db.close()
    store._db = good
    world.send.down = set()
    world.clock.go(minutes=5)
    assert world.step() == BOTH


def test_an_anchor_that_could_not_be_written_is_written_later(world: World) -> None:
    world.keeper.close()
    world.keeper = world.new_keeper()
    world.keeper._ledger = FailsOnce(world.book)  # type: ignore[assignment]
    with pytest.raises(LedgerUnavailableError):
        world.keeper.start()
    world.clock.go(seconds=5)
    assert world.step() == []
    assert world.kinds()[-1] == "checkpoint.anchored"


def test_a_quorum_that_needs_a_witness_without_a_network_is_not_overdue_in_an_hour(world: World) -> None:
    world.keeper.close()
    by_file = policy(("http://w0", ""))
    world.keeper = Keeper(world.book, by_file, world.send, now=world.clock)
    world.keeper.start()
    world.clock.go(days=3)
    world.step()
    assert world.faults() == []
    world.clock.go(days=2)
    world.step()
    assert world.faults() == ["witness.overdue"]


def test_what_strangers_add_to_a_file_is_not_kept(world: World) -> None:
    """Else whoever carries the file fills the sixteen places with junk, and no other witness fits in."""
    store = world.keeper._store
    found = store.checkpoint()
    assert found is not None
    text = found[1].partition(b"\n\n")[0] + b"\n"
    junk = b"".join(STRANGER.signature_line(text, n) for n in range(14))
    signed = [found[1] + junk + COSIGNERS[n].signature_line(text, 1_795_000_000) for n in range(2)]
    append_some(world.book, 1)  # meanwhile the log goes on, and forgets its own plain checkpoint of that size
    checkpoint, anchored = import_cosigned(world.book, store, policy(), signed[0])
    assert (checkpoint.size, anchored) == (3, None)
    _, anchored = import_cosigned(world.book, store, policy(), signed[1])
    assert anchored is not None and anchored.seq == 4
    kept = store.checkpoint_of(3)
    assert kept is not None and STRANGER.name.encode() not in kept


def test_a_policy_must_name_the_log_and_be_readable(tmp_path: Path) -> None:
    path = tmp_path / "witnesses.policy"
    with pytest.raises(InstanceError, match=r"docs/spec/witness\.md"):
        load_policy(path, VKEY)
    path.write_bytes(policy_text(log=type(VKEY)(ORIGIN, STRANGER.key.public_key)))
    with pytest.raises(NoteError, match="does not name this ledger's key"):
        load_policy(path, VKEY)
    path.write_bytes(b"junk\n")
    with pytest.raises(LedgerError, match="line 1"):
        load_policy(path, VKEY)
    path.write_bytes(policy_text())
    assert load_policy(path, VKEY).witnesses
