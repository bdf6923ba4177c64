"""A mirror keeps just the entries that were cosigned, and gives them back as a directory that verifies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ledger.errors import InstanceError, LedgerError, LedgerUnavailableError, ProofError, TamperError
from ledger.log.keychain import KeyChain
from ledger.log.mirror import Mirror
from ledger.log.store import Store
from ledger.log.tiles import Tile
from ledger.log.verify_tiles import DirectorySource, verify_tiles
from ledger.log.witness_state import Seen
from tests.ledger.support import VKEY, attack, make_log, rows, set_entry

LONG = 600


class FromStore:
    """A published log that may lie: its bundles from a file, changed by ``lie``."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path, read_only=True)
        self.asked: list[str] = []
        self.lies: dict[str, bytes] = {}

    def read(self, path: str, max_bytes: int) -> bytes:
        self.asked.append(path)
        address = path.removeprefix("tile/")
        return self.lies.get(address, self.store.bundle(Tile.parse(address)))

    def seen(self) -> Seen:
        found = self.store.checkpoint()
        assert found is not None
        checkpoint = KeyChain(VKEY).open(found[1])
        return Seen(checkpoint.size, checkpoint.root, found[1], 1, 1)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("logs")
    return {size: make_log(folder / f"{size}.db", size, group=100) for size in (5, 300, LONG)}


def test_entries_are_fetched_as_they_are_cosigned_and_written_out_whole(logs: dict[int, Path], tmp_path: Path) -> None:
    """The three logs are one that grows: same clock, same drafts in groups of the same size."""
    mirror = Mirror(tmp_path / "mirror.db")
    with pytest.raises(ProofError, match="empty"):
        mirror.write(tmp_path / "none")
    source = FromStore(logs[300])
    assert (mirror.sync(source, source.seen()), mirror.sync(source, source.seen())) == (300, 0)
    mirror.close()
    mirror = Mirror(tmp_path / "mirror.db")
    source = FromStore(logs[LONG])
    assert mirror.sync(source, source.seen()) == 300 and mirror.size == LONG
    assert source.asked == ["tile/entries/001", "tile/entries/002.p/88"], "only what was missing"
    assert mirror.write(tmp_path / "out") == LONG
    mirror.close()
    verdict = verify_tiles(DirectorySource(tmp_path / "out"), KeyChain(VKEY), with_entries=True)
    assert (verdict.size, verdict.entries_checked) == (LONG, True)
    digest = hashlib.sha256((tmp_path / "out/tile/entries/000").read_bytes()).hexdigest()
    whole = b"".join(len(data).to_bytes(2, "big") + data for _, data, _ in rows(logs[LONG])[:256])
    assert digest == hashlib.sha256(whole).hexdigest()


def test_other_entries_than_the_cosigned_ones_are_not_kept(logs: dict[int, Path], tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.db")
    source = FromStore(logs[5])
    good = source.read("tile/entries/000.p/5", 1 << 20)
    for lie in (good.replace("第3条".encode(), "第4条".encode()), good[:-1], good + b"\0\0", b"", good[2:]):
        source.lies = {"entries/000.p/5": lie}
        with pytest.raises(LedgerError):
            mirror.sync(source, source.seen())
        assert mirror.size == 0
    source.lies = {"entries/000.p/5": good.replace("第3条".encode(), "第4条".encode())}
    with pytest.raises(TamperError, match="nothing was kept"):
        mirror.sync(source, source.seen())
    source.lies = {}
    assert mirror.sync(source, source.seen()) == 5
    mirror.close()


def test_a_rewritten_log_cannot_follow_what_was_mirrored(logs: dict[int, Path], tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.db")
    first = FromStore(logs[5])
    mirror.sync(first, first.seen())
    other = make_log(tmp_path / "other.db", 8, group=1)
    with attack(other) as db:
        set_entry(db, 7, rows(other)[7][1].replace(b'"n":7', b'"n":8'))
    source = FromStore(other)
    with pytest.raises(TamperError):
        mirror.sync(source, source.seen())
    assert mirror.size == 5
    mirror.close()


def test_a_mirror_says_why_it_cannot(logs: dict[int, Path], tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_bytes(b"junk" * 2_000)
    with pytest.raises(InstanceError, match="cannot be opened"):
        Mirror(tmp_path / "junk.db")
    mirror, other = Mirror(tmp_path / "mirror.db"), Mirror(tmp_path / "mirror.db")
    source = FromStore(logs[5])
    mirror._db.execute("PRAGMA busy_timeout = 10")
    other._db.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerUnavailableError, match="cannot be written"):
        mirror.sync(source, source.seen())
    other._db.execute("ROLLBACK")
    other.close()
    assert mirror.sync(source, source.seen()) == 5
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InstanceError, match="not empty"):
        mirror.write(tmp_path / "full")
    mirror.close()
