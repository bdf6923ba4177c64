"""docs/threat-model.md, row by row: who notices a deed, with and without the log's key, before and after a witness.

Each deed is done to a real instance; then everybody looks who could notice:

- ``verify``: ``liandong ledger verify`` with the verifier key from outside the folder (and ``keys/head``, where it is);
- ``start``: the program itself, which opens the ledger and appends;
- ``push``: a real witness that is shown the newest checkpoint, by the log's own pusher;
- ``receipt``: somebody who kept a receipt from before the deed and compares its checkpoint with the log;
- ``time``: the bounds that witnesses' clocks prove, laid beside an entry's own ``t``.

:data:`ROWS` says who does notice, and that nobody else does: the page may not promise more than the program holds.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger import Instance, LedgerError, Receipt, Settings, entries
from ledger.audit import bounds as time_bounds
from ledger.log.guard import HeadGuard
from ledger.log.note import Note, Signer, TlogProof, VerifierKey, open_checkpoint
from ledger.log.policy import Policy
from ledger.log.push import Pusher, State
from ledger.log.store import Store
from ledger.log.verify import verify_file
from ledger.log.witness import Witness
from ledger.witnessing import Keeper, anchor
from tests.ledger.support import (
    ORIGIN,
    ROOT,
    START,
    append_some,
    attack,
    batch_fields,
    chain,
    checkpoint_wal,
    naive_root,
    random_source,
    rewrite,
    rows,
)
from tests.ledger.witness_support import Directly, new_witness, policy

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)
#: Entries 0 to 5; deeds are done to entry 3.
SIZE, TARGET = 6, 3
Objects = list[dict[str, Any]]


class Clock:
    """One clock for ledger and witness, a second on at each look; the ledger may be shown another."""

    def __init__(self) -> None:
        self._now = START

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def behind(self, by: timedelta) -> Callable[[], datetime]:
        return lambda: self() - by


@dataclass
class World:
    """An instance, the witness that may have seen its head, and what others hold from before the deed."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    receipts: list[Receipt] = field(default_factory=list)
    older: bytes = b""  # the ledger's file as it was with TARGET + 1 entries

    @property
    def instance(self) -> Instance:
        return Instance.open(self.folder / "demo")

    @property
    def ledger(self) -> Path:
        return self.instance.ledger_path

    @property
    def vkey(self) -> VerifierKey:
        """Known to everybody, from outside the folder."""
        return VerifierKey.parse((self.folder / "outside.vkey").read_text())

    @property
    def policy(self) -> Policy:
        return policy(urls=("http://w0",), log=self.vkey)

    def witness(self) -> Any:
        return new_witness(self.folder / "witness.db", logs=(self.vkey,), now=self.clock)

    def copy(self, folder: Path) -> World:
        shutil.copytree(self.folder, folder)
        return World(folder, self.clock, self.receipts, self.older)

    def objects(self) -> Objects:
        """The entries, without the anchors: who rewrites the log leaves them out."""
        found = [orjson.loads(data) for _, data, _ in rows(self.ledger)]
        return [entry for entry in found if entry["kind"] != "checkpoint.anchored"]


def build(folder: Path, *, seen: bool, slow: timedelta = timedelta()) -> World:
    """A ledger of six entries; with ``seen`` a witness cosigned them, and the ledger holds the anchor."""
    world = World(folder)
    instance = Instance.create(folder / "demo", SETTINGS)
    (folder / "outside.vkey").write_text(str(instance.verifier_key()))
    now = world.clock.behind(slow)
    with instance.ledger(now=now, random=random_source()) as book:
        append_some(book, TARGET + 1)
        checkpoint_wal(instance.ledger_path)
        world.older = instance.ledger_path.read_bytes()
        for n in range(TARGET + 1, SIZE):
            book.append("batch.ingested", batch_fields(n))
        if seen:
            with world.witness() as witness, closing(Store.open(instance.ledger_path)) as store:
                pusher = Pusher(store, world.vkey, world.policy, Directly(witness))
                assert [outcome.state for outcome in pusher.push()] == [State.COSIGNED]
                assert anchor(book, store, world.policy, SIZE) is not None
        world.receipts = [book.receipt(seq, with_openings=False) for seq in range(1, SIZE)]
    checkpoint_wal(instance.ledger_path)
    return world


# -- who looks ----------


def noticed(check: Callable[[World], None], world: World, folder: Path) -> bool:
    """Whether ``check``, on a copy of its own, raises one of our errors."""
    try:
        check(world.copy(folder))
    except LedgerError as error:
        assert error.en and error.zh
        return True
    return False


def verify(world: World) -> None:
    head = HeadGuard(world.instance.head_path, ORIGIN).read()
    known = [(head, "keys/head")] if head is not None else []
    keys = world.instance.key_chain(world.vkey)
    verify_file(world.ledger, keys, entries.check_entry, interchangeable=entries.interchangeable, known=known)


def start(world: World) -> None:
    with world.instance.ledger(now=world.clock) as book:
        book.append("batch.ingested", batch_fields(9))


def push(world: World) -> None:
    with world.witness() as witness, closing(Store.open(world.ledger)) as store:
        for outcome in Pusher(store, world.vkey, world.policy, Directly(witness)).push():
            if outcome.state is not State.COSIGNED:
                raise LedgerError(outcome.en, outcome.zh)


def compare_receipts(world: World) -> None:
    """The end of docs/spec/log.md, by hand: the root over the log's first n entries is that of the receipt's head."""
    hashes = [value for _, _, value in rows(world.ledger)]
    for receipt in world.receipts:
        receipt.verify(world.vkey)
        head = open_checkpoint(TlogProof.parse(receipt.proof).checkpoint, world.vkey)
        if len(hashes) < head.size or naive_root(hashes[: head.size]) != head.root:
            raise LedgerError("the log is not the one of the receipt", "台账与回执不符")


def compare_times(world: World) -> None:
    """No entry may say that it was written before what the anchors before it prove."""
    with closing(Store.open(world.ledger)) as store:
        bounds = time_bounds.load(store, world.policy)
        for seq, data, _ in rows(world.ledger):
            lo = bounds.bounds(seq).lo
            if lo is not None and datetime.fromisoformat(orjson.loads(data)["t"]) <= lo:
                raise LedgerError(f"entry {seq} says a time before it can have been written", "时间早于可能")


LOOKS: dict[str, Callable[[World], None]] = {
    "verify": verify,
    "start": start,
    "push": push,
    "receipt": compare_receipts,
    "time": compare_times,
}

# -- the deeds ----------

#: Does the deed; the key holder is given the log's signer, the file owner None.
Deed = Callable[[World, Signer | None], None]


def rewritten(world: World, signer: Signer | None, objects: Objects) -> None:
    """All chained anew from ``objects``; the key holder signs it and removes ``keys/head``, which is his too."""
    rewrite(world.ledger, chain(objects), signer)
    if signer is not None:
        world.instance.head_path.unlink()


def edit(world: World, signer: Signer | None) -> None:
    objects = world.objects()
    objects[TARGET]["rows_read"] = 7_777_777
    rewritten(world, signer, objects)


def delete(world: World, signer: Signer | None) -> None:
    objects = world.objects()
    del objects[TARGET]
    rewritten(world, signer, objects)


def insert(world: World, signer: Signer | None) -> None:
    objects = world.objects()
    objects.insert(TARGET, {**copy.deepcopy(objects[TARGET]), "batch": "never-was"})
    rewritten(world, signer, objects)


def reorder(world: World, signer: Signer | None) -> None:
    objects = world.objects()
    times = [entry["t"] for entry in objects]
    objects[TARGET], objects[TARGET + 1] = objects[TARGET + 1], objects[TARGET]
    rewritten(world, signer, [{**entry, "t": t} for entry, t in zip(objects, times, strict=True)])


def truncate(world: World, signer: Signer | None) -> None:
    """Cut together with the newest checkpoint; who has no key puts back an older one that the log did sign."""
    if signer is not None:
        rewritten(world, signer, world.objects()[: TARGET + 1])
        return
    (world.folder / "older.db").write_bytes(world.older)
    with closing(Store.open(world.folder / "older.db", read_only=True)) as store:
        size, note = store.checkpoint() or (0, b"")
    with attack(world.ledger) as db:
        db.execute("DELETE FROM entries WHERE seq > ?", (TARGET,))
        db.execute("DELETE FROM checkpoints")
        db.execute("INSERT INTO checkpoints (size, note) VALUES (?, ?)", (size, note.decode()))


def roll_back(world: World, signer: Signer | None) -> None:
    for file in world.ledger.parent.glob("ledger.db*"):
        file.unlink()
    world.ledger.write_bytes(world.older)
    world.ledger.chmod(0o600)
    if signer is not None:
        world.instance.head_path.unlink()


def fork(world: World, signer: Signer | None) -> None:
    """Another log for other eyes; the true one is kept elsewhere and shown to the others."""
    shutil.copy(world.ledger, world.folder / "true.db")
    edit(world, signer)


def backdate(world: World, signer: Signer | None) -> None:
    """The file owner writes an earlier time into an entry. The key holder needs no edit: :data:`SLOW` is his clock."""
    if signer is None:
        objects = world.objects()
        objects[TARGET]["t"] = objects[TARGET - 1]["t"]
        rewritten(world, signer, objects)
        return
    with world.instance.ledger(now=world.clock.behind(SLOW)) as book:
        book.append("batch.ingested", batch_fields(8))


def omit(world: World, signer: Signer | None) -> None:
    """A changed program answers and does not record: there is nothing to do to the ledger."""


def collude(world: World, signer: Signer | None) -> None:
    """Deleted, and the only requester concerned throws the receipts away."""
    delete(world, signer)
    world.receipts = []


SLOW = timedelta(hours=1)
NOBODY: frozenset[str] = frozenset()


def by(*looks: str) -> frozenset[str]:
    return frozenset(looks)


@dataclass(frozen=True)
class Row:
    """A row of the page. Who notices the file owner (no key) and the key holder, each before and after a witness.

    None: the deed is not the file owner's to do.
    """

    deed: Deed
    owner: tuple[frozenset[str] | None, frozenset[str] | None]
    holder: tuple[frozenset[str], frozenset[str]]
    slow: timedelta = timedelta()


OUTSIDE = (by("receipt"), by("receipt", "push"))
ALL = by("verify", "start", "push", "receipt")
#: Bounds are not computed from a kept cosigned checkpoint that the entries no longer lead to.
EVERYBODY = (ALL, ALL | {"time"})
#: What is left is whole, and a witness that has not seen more cosigns it; ``keys/head`` has.
SHORTER = (ALL - {"push"}, ALL)
ROWS = {
    "edit": Row(edit, EVERYBODY, OUTSIDE),
    "delete": Row(delete, EVERYBODY, OUTSIDE),
    "insert": Row(insert, EVERYBODY, OUTSIDE),
    "reorder": Row(reorder, EVERYBODY, OUTSIDE),
    "truncate": Row(truncate, SHORTER, OUTSIDE),
    "roll back": Row(roll_back, SHORTER, OUTSIDE),
    "fork": Row(fork, EVERYBODY, OUTSIDE),
    "backdate": Row(backdate, EVERYBODY, (NOBODY, by("time")), slow=SLOW),
    "omit": Row(omit, (None, None), (NOBODY, NOBODY)),
    "collude": Row(collude, (None, None), (NOBODY, by("push"))),
}


def expected(name: str, holds_key: bool, seen: bool) -> frozenset[str] | None:
    row = ROWS[name]
    return (row.holder if holds_key else row.owner)[seen]


CASES = [
    (name, holds_key, seen)
    for name in ROWS
    for holds_key in (False, True)
    for seen in (False, True)
    if expected(name, holds_key, seen) is not None
]


def described(case: tuple[str, bool, bool]) -> str:
    name, holds_key, seen = case
    return f"{name}, {'with' if holds_key else 'without'} the key, {'after' if seen else 'before'} a witness"


# -- the table ----------


def test_the_page_has_just_these_rows() -> None:
    english = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8").partition("\n## English\n")[2]
    deeds = re.findall(r"^\| ([a-z ]+?)(?: \(.*?\))? \|", english, re.M)
    assert deeds == ["deed", *ROWS]
    assert "tests/ledger/test_threats.py" in english


@pytest.mark.parametrize(("name", "holds_key", "seen"), CASES, ids=map(described, CASES))
def test_who_notices(tmp_path: Path, name: str, holds_key: bool, seen: bool) -> None:
    row = ROWS[name]
    world = build(tmp_path / "world", seen=seen, slow=row.slow if holds_key else timedelta())
    signer = Signer(ORIGIN, world.instance._private_key()) if holds_key else None
    row.deed(world, signer)
    assert {look for look, check in LOOKS.items() if noticed(check, world, tmp_path / look)} == expected(
        name, holds_key, seen
    )


@pytest.mark.parametrize("seen", [False, True])
def test_nobody_cries_wolf_over_a_ledger_to_which_nothing_was_done(tmp_path: Path, seen: bool) -> None:
    world = build(tmp_path / "world", seen=seen)
    assert [look for look, check in LOOKS.items() if noticed(check, world, tmp_path / look)] == []


# -- what the page says beyond the table ----------


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[tuple[World, Witness]]:
    world = build(tmp_path / "world", seen=True)
    with world.witness() as witness:
        yield world, witness


def shown(world: World, witness: Witness) -> State:
    with closing(Store.open(world.ledger)) as store:
        (outcome,) = Pusher(store, world.vkey, world.policy, Directly(witness)).push()
    return outcome.state


def newest(path: Path) -> bytes:
    with closing(Store.open(path, read_only=True)) as store:
        found = store.checkpoint()
    assert found is not None
    return found[1]


def test_edit_a_witness_that_refuses_keeps_both_heads_as_proof(seen: tuple[World, Witness]) -> None:
    world, witness = seen
    edit(world, Signer(ORIGIN, world.instance._private_key()))
    assert shown(world, witness) is State.CONFLICT
    (refusal,) = witness.refusals()
    heads = [open_checkpoint(note, world.vkey) for note in (refusal.seen_note, refusal.new_note)]
    assert refusal.proven and heads[0].size == heads[1].size == SIZE and heads[0].root != heads[1].root
    assert witness.is_red(ORIGIN)


def test_fork_two_signed_heads_of_one_size_are_proof_and_only_one_is_witnessed(seen: tuple[World, Witness]) -> None:
    world, witness = seen
    fork(world, Signer(ORIGIN, world.instance._private_key()))
    assert shown(world, witness) is State.CONFLICT
    with closing(Store.open(world.folder / "true.db", read_only=True)) as store:
        true = store.checkpoint_of(SIZE)
    assert true is not None
    forged = newest(world.ledger)
    for note, quorum in ((true, True), (forged, False)):
        head, cosigned = world.policy.open_checkpoint(note)
        assert head.size == SIZE and world.policy.is_quorum({item.key for item in cosigned}) is quorum
    assert open_checkpoint(true, world.vkey).root != open_checkpoint(forged, world.vkey).root


def test_fork_without_the_key_nobody_takes_the_second_log(tmp_path: Path) -> None:
    world = build(tmp_path / "world", seen=False)
    fork(world, None)
    assert Note.parse(newest(world.ledger)).text == Note.parse(newest(world.folder / "true.db")).text, "no new head"
    with pytest.raises(LedgerError):
        verify(world)


def test_omit_who_was_answered_without_a_receipt_knows_and_who_has_one_proves_a_later_omission(tmp_path: Path) -> None:
    world = build(tmp_path / "world", seen=False)
    asked = world.receipts[TARGET - 1]
    assert asked.verify(world.vkey)["seq"] == TARGET
    delete(world, Signer(ORIGIN, world.instance._private_key()))
    assert asked.verify(world.vkey)["seq"] == TARGET, "the receipt holds by itself"
    assert asked.entry not in [data for _, data, _ in rows(world.ledger)], "and the log lacks what it signed"


def test_collude_if_every_witness_joins_only_a_copy_in_other_hands_is_left(tmp_path: Path) -> None:
    world = build(tmp_path / "world", seen=True)
    kept = world.receipts[:1]
    collude(world, Signer(ORIGIN, world.instance._private_key()))
    (world.folder / "witness.db").unlink()  # the witness forgets what it saw
    assert not any(noticed(check, world, tmp_path / look) for look, check in LOOKS.items())
    world.receipts = kept
    assert noticed(compare_receipts, world, tmp_path / "kept")


def test_roll_back_the_service_itself_asks_its_witnesses_before_it_starts(tmp_path: Path) -> None:
    """``keys/head`` is put back too, so that the folder is whole in itself."""
    world = build(tmp_path / "world", seen=True)
    roll_back(world, Signer(ORIGIN, world.instance._private_key()))
    with (
        world.witness() as witness,
        world.instance.ledger(now=world.clock) as book,
        closing(Keeper(book, world.policy, Directly(witness), now=world.clock)) as keeper,
        pytest.raises(LedgerError, match="has cosigned 6 entries of this log, which has 4"),
    ):
        keeper.start()
