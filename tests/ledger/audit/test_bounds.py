"""Between which instants an entry was made: what the witnesses' clocks prove, and nothing more."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.bounds import Bounds, TimeBounds, load
from ledger.book import Ledger
from ledger.errors import NoteError, TamperError
from ledger.log.cosignature import Cosigner
from ledger.log.store import Store
from ledger.witnessing import anchor, import_cosigned
from tests.ledger.support import KEY, ORIGIN, append_some, attack, clock, random_source, set_entry
from tests.ledger.witness_support import COSIGNERS, Tree, policy

A, B, C = COSIGNERS
TREE = Tree.of(200)
BOTH, ANY = policy(("", "")), policy(("", "", ""), "2")


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def cosigned(size: int, *times: tuple[Cosigner, int], tree: Tree = TREE) -> bytes:
    text = tree.checkpoint(size).text()
    return tree.signed(size) + b"".join(cosigner.signature_line(text, time) for cosigner, time in times)


def test_lo_is_the_earliest_of_the_newest_anchor_before_and_hi_the_latest_of_the_first_quorum_that_covers() -> None:
    ten, twenty = cosigned(10, (A, 1_000), (B, 1_003)), cosigned(20, (A, 2_005), (B, 2_000))
    bounds = TimeBounds(TREE, BOTH, [(10, ten), (20, twenty)], [ten, twenty])
    assert bounds.bounds(9) == Bounds(None, at(1_004), None, 10)
    assert bounds.bounds(10) == Bounds(None, at(2_006), None, 20), "the anchor itself is not after itself"
    assert bounds.bounds(11) == Bounds(at(1_000), at(2_006), 10, 20)
    assert bounds.bounds(20) == Bounds(at(1_000), None, 10, None)
    assert bounds.bounds(21) == Bounds(at(2_000), None, 20, None)
    assert bounds.bounds(11).width == timedelta(seconds=1_006) and bounds.bounds(9).width is None


def test_without_a_quorum_nothing_is_bounded() -> None:
    alone = cosigned(10, (A, 1_000))
    bounds = TimeBounds(TREE, BOTH, [(10, alone)], [alone, TREE.signed(12)])
    assert bounds.bounds(5) == bounds.bounds(15) == Bounds(None, None)
    nothing = TimeBounds(TREE, BOTH, [], [])
    assert nothing.bounds(0) == Bounds(None, None)


def test_the_quorum_counts_from_when_it_was_complete_and_one_more_signature_does_not_delay_it() -> None:
    note = cosigned(10, (A, 1_000), (B, 1_100), (C, 9_000))
    bounds = TimeBounds(TREE, ANY, [(10, note)], [note])
    assert bounds.bounds(3).hi == at(1_101)
    assert bounds.bounds(11).lo == at(1_000)


def test_a_late_signature_by_file_does_not_widen_what_a_larger_checkpoint_proved_before() -> None:
    by_file, later = cosigned(10, (A, 1_000), (B, 50_000)), cosigned(20, (A, 2_000), (B, 2_001))
    assert TimeBounds(TREE, BOTH, [], [by_file, later]).bounds(3) == Bounds(None, at(2_002), None, 20)


def test_clocks_that_contradict_one_another_are_said_to() -> None:
    early, late = cosigned(10, (A, 5_000), (B, 5_000)), cosigned(20, (A, 1_000), (B, 1_000))
    found = TimeBounds(TREE, BOTH, [(10, early)], [late]).bounds(12)
    assert (found.lo, found.hi) == (at(5_000), at(1_001)) and found.is_contradictory
    assert not Bounds(at(1), at(2)).is_contradictory and not Bounds(None, at(2)).is_contradictory


def test_a_forged_time_or_a_tree_that_is_not_this_logs_proves_nothing() -> None:
    good = cosigned(10, (A, 1_000), (B, 1_003))
    line = good.rstrip(b"\n").split(b" ")[-1]
    raw = base64.b64decode(line)
    forged = good.replace(line, base64.b64encode(raw[:11] + bytes([raw[11] ^ 1]) + raw[12:]))
    for note, error in ((forged, NoteError), (cosigned(10, (A, 1), (B, 1), tree=Tree.of(30, "x")), TamperError)):
        bounds = TimeBounds(TREE, BOTH, [(10, note)], [])
        for seq in (3, 15):
            with pytest.raises(error):
                bounds.bounds(seq)
    with pytest.raises(TamperError, match="more than there were"):
        TimeBounds(TREE, BOTH, [(5, good)], []).bounds(8)
    with pytest.raises(NoteError, match="9999"):
        TimeBounds(TREE, BOTH, [], [cosigned(10, (A, 2**60), (B, 2**60))]).bounds(3)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=8))
def test_it_agrees_with_the_definition_and_an_honest_instant_lies_within(steps: list[tuple[int, int, int]]) -> None:
    """A log that grows while time passes; every entry's true instant must lie in its bounds."""
    true: list[int] = []
    anchors: list[tuple[int, bytes]] = []
    notes: list[bytes] = []
    now = 1_000
    for grown, passed, slow in steps:
        for _ in range(grown):
            true.append(now)
        size = len(true)
        now += passed
        note = cosigned(size, (A, now), (B, now + slow))
        now += slow
        notes.append(note)
        now += 1  # a cosignature's second is over before what follows
        anchors.append((len(true), note))
        true.append(now)
    bounds = TimeBounds(TREE, BOTH, anchors, reversed(notes))
    for seq, instant in enumerate(true):
        found = bounds.bounds(seq)
        assert found.lo is None or found.lo < at(instant)
        assert found.hi is None or at(instant) <= found.hi
        assert not found.is_contradictory
        assert (found.lo is None) == (seq <= anchors[0][0])


# -- from a ledger ----------


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Ledger, Store]]:
    path = tmp_path / "ledger.db"
    Ledger.create(path, ORIGIN)
    with Ledger(path, KEY, now=clock(), random=random_source()) as book:
        store = Store.open(path)
        yield book, store
        store.close()


def sign_newest(book: Ledger, store: Store, time: int) -> bytes:
    """Both witnesses cosign the newest checkpoint, which comes back by file; returns it."""
    found = store.checkpoint()
    assert found is not None
    text = found[1].partition(b"\n\n")[0] + b"\n"
    note = found[1] + A.signature_line(text, time) + B.signature_line(text, time + 2)
    import_cosigned(book, store, BOTH, note)
    return note


def test_a_ledgers_entries_are_bounded_by_its_own_anchors(opened: tuple[Ledger, Store]) -> None:
    book, store = opened
    append_some(book, 4)
    note = sign_newest(book, store, 1_000)
    append_some(book, 3)
    sign_newest(book, store, 2_000)
    anchored = book.newest(1, where={"kind": "checkpoint.anchored"})[0]
    assert (anchored["seq"], anchored["size"], anchored["cosigned_at"]) == (8, 8, [2_000, 2_002])
    first = book.entry(4)
    assert (first["kind"], first["size"], first["checkpoint"]) == ("checkpoint.anchored", 4, note.decode())
    assert first["cosigners"] == [A.name, B.name] and len(first["root"]) == 64
    found = load(store, BOTH)
    assert found.bounds(2) == Bounds(None, at(1_003), None, 4)
    assert found.bounds(6) == Bounds(at(1_000), at(2_003), 4, 8)
    assert found.bounds(8) == Bounds(at(1_000), None, 4, None)
    assert anchor(book, store, BOTH, 8) is None, "an anchor is written once"


def test_with_the_kept_checkpoints_gone_the_anchors_in_the_log_still_bound(opened: tuple[Ledger, Store]) -> None:
    book, store = opened
    append_some(book, 4)
    sign_newest(book, store, 1_000)
    append_some(book, 1)
    with attack(book.path) as db:
        db.execute("DELETE FROM checkpoints WHERE cosigned = 1")
    assert load(store, BOTH).bounds(2) == Bounds(None, at(1_003), None, 4)


def test_an_anchor_whose_fields_differ_from_its_checkpoint_is_refused(opened: tuple[Ledger, Store]) -> None:
    book, store = opened
    append_some(book, 4)
    sign_newest(book, store, 1_000)
    data = store.entry(4)
    with attack(book.path) as db:
        set_entry(db, 4, data.replace(b'"size":4', b'"size":3'), rehash=True)
    with pytest.raises(TamperError, match="entry 4 says size 3"):
        load(store, BOTH)
