"""A published log verified from an earlier verification on: only what is new is fetched; the old part is its prefix."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from ledger.errors import Fault, LedgerError, RollbackError, TamperError
from ledger.log.keychain import KeyChain
from ledger.log.merkle import node_hash
from ledger.log.note import Checkpoint
from ledger.log.tiles import Tile, bundles_of, encode_bundle, tiles_of
from ledger.log.verify_state import VerifiedState
from ledger.log.verify_tiles import TilesVerdict, verify_tiles
from tests.ledger.support import ORIGIN, SIGNER, VKEY, chain, leaf

KEYS = KeyChain(VKEY)
FORGED = chain({"kind": "test.noted", "v": 1, "n": n, "t": "2026-11-23T02:03:04.000Z"} for n in range(600))
SMALL = (1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 600)
LARGE = (65_279, 65_280, 65_535, 65_536, 65_537, 65_792, 66_000)


class Published:
    """A log of these leaves at one size, as files; what is read is written down.

    Args:
        entries: the entries behind the leaves, if bundles are published too.
    """

    def __init__(self, leaves: Sequence[bytes], size: int, entries: Sequence[bytes] = ()) -> None:
        @cache
        def root(start: int, end: int) -> bytes:
            """RFC 6962 §2.1 MTH."""
            if end - start == 1:
                return leaves[start]
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            return node_hash(root(start, middle), root(middle, end))

        self.root = root(0, size)
        self.reads: list[str] = []
        self.files = {"checkpoint": Checkpoint(ORIGIN, size, self.root).sign(SIGNER)}
        for tile in tiles_of(size):
            span = 256 ** (tile.level or 0)
            starts = range(tile.start * span, (tile.start + tile.width) * span, span)
            self.files[f"tile/{tile.path}"] = b"".join(root(start, start + span) for start in starts)
        for bundle in bundles_of(size) if entries else ():
            held = entries[bundle.start : bundle.start + bundle.width]
            self.files[f"tile/{bundle.path}"] = encode_bundle(held)

    def read(self, path: str, max_bytes: int) -> bytes:
        self.reads.append(path)
        return self.files[path]


def check(log: Published, since: VerifiedState | None = None, *, with_entries: bool = False) -> TilesVerdict:
    log.reads.clear()
    return verify_tiles(log, KEYS, with_entries=with_entries, since=since)


def state_of(log: Published, *, with_entries: bool = False) -> VerifiedState:
    found = check(log, with_entries=with_entries).state
    assert found is not None
    return found


HASHES = {"small": FORGED.hashes, "large": [leaf(b"%d" % n) for n in range(max(LARGE))]}


@pytest.mark.parametrize(("leaves", "sizes"), [("small", SMALL), ("large", LARGE)])
def test_from_any_size_to_any_larger_one_the_verdict_is_that_of_a_full_verification(
    leaves: str, sizes: tuple[int, ...]
) -> None:
    logs = {size: Published(HASHES[leaves], size) for size in sizes}
    states = {size: state_of(log) for size, log in logs.items()}
    for old in sizes:
        for new in sizes:
            if old > new:
                with pytest.raises(RollbackError, match=f"has {new} entries, the last verification saw {old}"):
                    check(logs[new], states[old])
                continue
            verdict = check(logs[new], states[old])
            assert verdict.state == states[new] and (verdict.since, verdict.root) == (old, logs[new].root)
            level_0 = {path for path in logs[new].reads if path.startswith("tile/0/")}
            assert len(level_0) <= (new + 255) // 256 - old // 256
            assert len(logs[new].reads) <= 8 + 2 * len(level_0), "and one or two of each higher level"


def test_a_state_is_read_back_from_its_json() -> None:
    state = state_of(Published(FORGED.hashes, 300))
    assert VerifiedState.from_json(state.to_json()) == state and not state.entries_seen


def rewritten(leaves: Sequence[bytes], place: int) -> list[bytes]:
    return [leaf(b"other") if n == place else value for n, value in enumerate(leaves)]


@pytest.mark.parametrize("place", [0, 255, 256, 400, 511, 512, 519])
def test_a_history_that_was_rewritten_and_signed_anew_is_named_with_both_roots(place: int) -> None:
    state = state_of(Published(FORGED.hashes, 520))
    other = Published(rewritten(FORGED.hashes, place), 600)
    assert check(other).size == 600, "whole in itself"
    with pytest.raises(RollbackError, match=r"root [0-9a-f]{64}, the last verification saw [0-9a-f]{64}") as caught:
        check(other, state)
    found = caught.value.fault
    assert found is not None and (found.field, found.expected) == ("root of 520 entries", state.root.hex())
    with pytest.raises(RollbackError):
        check(Published(rewritten(FORGED.hashes, place), 520), state)
    assert check(Published(rewritten(FORGED.hashes, 520), 600), state).size == 600, "what comes after may be anything"


class TwoFaced(Published):
    """Gives the old first tile once, and then one of another history that the checkpoint covers."""

    def __init__(self, honest: Published, other: Published, path: str) -> None:
        self.reads, self.files, self.root = [], dict(other.files), other.root
        self._honest, self._path = honest.files[path], path

    def read(self, path: str, max_bytes: int) -> bytes:
        first = path == self._path and path not in self.reads
        answer = super().read(path, max_bytes)
        return self._honest if first else answer


def test_a_server_that_answers_differently_the_second_time_is_found_out() -> None:
    state = state_of(Published(FORGED.hashes, 520))
    liar = TwoFaced(Published(FORGED.hashes, 600), Published(rewritten(FORGED.hashes, 515), 600), "tile/0/002.p/88")
    with pytest.raises(TamperError, match="now this, now that"):
        check(liar, state)


# -- with entries ----------


def published(size: int) -> Published:
    return Published(FORGED.hashes, size, FORGED.entries)


def test_bundles_of_old_entries_are_not_fetched_and_new_ones_are_checked() -> None:
    state = state_of(published(300), with_entries=True)
    assert state.entries_seen and state.last == FORGED.hashes[299]
    log = published(600)
    verdict = check(log, state, with_entries=True)
    assert verdict.state == state_of(published(600), with_entries=True)
    check(log, state, with_entries=True)
    assert [path for path in log.reads if "entries" in path] == ["tile/entries/001", "tile/entries/002.p/88"]


def edited(log: Published, seq: int) -> Published:
    bundle = next(bundle for bundle in bundles_of(600) if bundle.start <= seq < bundle.start + bundle.width)
    path = f"tile/{bundle.path}"
    log.files[path] = log.files[path].replace(b'"n":%d,' % seq, b'"n":%d,' % (seq + 1))
    return log


@pytest.mark.parametrize(("seq", "found"), [(10, False), (256, False), (299, False), (300, True), (599, True)])
def test_an_edit_of_what_is_new_is_named_and_of_what_is_old_not_looked_at(seq: int, found: bool) -> None:
    state = state_of(published(300), with_entries=True)
    log = edited(published(600), seq)
    if not found:
        assert check(log, state, with_entries=True).since == 300
    with pytest.raises(TamperError, match=f"^entry {seq}: its bytes hash to"):
        check(log, state if found else None, with_entries=True)


@pytest.mark.parametrize("change", [{"last": bytes(32)}, {"last_t": "2027-01-01T00:00:00.000Z"}])
def test_the_first_new_entry_must_follow_the_last_old_one(change: dict[str, object]) -> None:
    state = dataclasses.replace(state_of(published(300), with_entries=True), **change)  # type: ignore[arg-type]
    with pytest.raises(TamperError, match=r"^entry 300: "):
        check(published(600), state, with_entries=True)


def test_what_was_seen_as_hashes_only_does_not_count_as_seen() -> None:
    hashes_only = check(published(600), state_of(published(300)), with_entries=True).state
    assert hashes_only is not None and not hashes_only.entries_seen
    again = check(published(600), state_of(published(300), with_entries=True)).state
    assert again is not None and not again.entries_seen


@pytest.mark.parametrize("start", [0, 300, 600])
@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + bytes(32), lambda data: bytes(32) + data[32:]]
)
def test_every_tile_that_is_read_must_be_as_it_should_be(start: int, change: Callable[[bytes], bytes]) -> None:
    state = state_of(published(start), with_entries=True) if start else None
    log = published(600)
    check(log, state, with_entries=True)
    for path in [path for path in log.reads if path != "checkpoint"]:
        broken = published(600)
        broken.files[path] = change(broken.files[path])
        with pytest.raises(LedgerError):
            check(broken, state, with_entries=True)


def test_a_fault_is_told_in_parts() -> None:
    log = published(600)
    log.files["tile/1/000.p/2"] = log.files["tile/1/000.p/2"][:32] + bytes(32)
    with pytest.raises(TamperError) as caught:
        check(log)
    assert caught.value.fault == Fault(
        None, "level 8, node 1", published(512).files["tile/1/000.p/2"][32:].hex(), "00" * 32
    )
    assert Tile.parse("1/000.p/2").level == 1
