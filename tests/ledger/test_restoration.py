"""An older copy of the instance was put back: its ledger is refilled from a mirror, whole or not at all."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from catalog.cli import main
from ledger import Instance, Settings, erasure, once
from ledger.cli_restore import describe
from ledger.errors import LedgerError, LedgerUnavailableError, NoteError, TamperError
from ledger.log.cosignature import open_cosigned
from ledger.log.merkle import tree_root
from ledger.log.note import Signer
from ledger.log.restore import RestoreError
from ledger.log.store import Store
from ledger.log.verify import verify_file
from ledger.log.verify_tiles import DirectorySource, UnreachableError
from ledger.restoration import UnrecordedError, explain, restore
from tests.ledger.support import (
    ORIGIN,
    ROOT,
    SIGNER,
    append_some,
    attack,
    batch_fields,
    chain,
    random_source,
    rewrite,
    rows,
    set_entry,
)
from tests.ledger.witness_support import COSIGNERS

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)
#: Entries in the older copy, and in all: a tile and more came after it.
OLD, ALL = 5, 300
SIGNED = {
    "requester": "zhzf",
    "auth": "signature",
    "keyid": "zhzf-sys",
    "resource": "work/permits",
    "route": "table",
    "status": 200,
    "elapsed_us": 900,
    "format": "json",
    "rows": 1,
    "size_bytes": 20,
}
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@dataclass
class World:
    """An instance that goes on (``new``), the folder as it was at :data:`OLD` entries, and the mirror's directory."""

    new: Instance
    backup: Path
    mirror: Path

    def put_back(self, folder: Path, *, with_head: bool = False) -> Instance:
        """The older copy in a new place; ``keys/head`` is the newer one, unless the backup brought its own."""
        shutil.copytree(self.backup, folder)
        if not with_head:
            shutil.copy(self.new.head_path, folder / "keys/head")
        return Instance.open(folder)

    def restore(self, instance: Instance, source: Path | None = None) -> Any:
        return restore(instance, DirectorySource(source or self.mirror), instance.verifier_key())


def grow(instance: Instance, count: int) -> None:
    with instance.ledger() as book:
        for n in range(count):
            book.append("batch.ingested", batch_fields(1_000 + n), particulars={"file_name": f"乙 {n}.csv"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"), OLD, ALL)


def make_world(folder: Path, old: int, size: int) -> World:
    made = Instance.create(folder / "new", SETTINGS, random_source())
    with made.ledger(random=random_source()) as book:
        append_some(book, old)
    shutil.copytree(made.path, folder / "backup")
    with made.ledger(random=random_source(b"later")) as book:
        book.append("query.served", SIGNED, particulars={"query": "x=1"}, once=["zhzf-sys:nonce-1"])
        erasure.erase(book, erasure.Erasure(2, "示例规定", "sfj", law_requires="示例法"), NOW)
        for n in range(size - old - 2):
            book.append("batch.ingested", batch_fields(50 + n), once=[once.batch(f"b{50 + n}")])
        book.export(folder / "mirror")
    return World(made, folder / "backup", folder / "mirror")


def content(path: Path) -> dict[str, list[Any]]:
    """All that the file holds of the log itself, in any order of writing."""
    with closing(sqlite3.connect(path)) as db:
        tables = ("meta", "entries", "nodes", "checkpoints")
        return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall()) for table in tables}


def test_what_is_missing_comes_back_byte_for_byte(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    with pytest.raises(TamperError, match="an older copy of the ledger was put in place"):
        instance.ledger()
    done = world.restore(instance)
    assert (done.refilled.before, done.refilled.size, done.beyond, done.newest_key) == (OLD, ALL, None, None)
    assert done.brought.kinds == {"query.served": 1, "particulars.erased": 1, "batch.ingested": ALL - OLD - 2}
    assert (done.brought.with_particulars, done.brought.signed_requests) == (1, 1)
    assert content(instance.ledger_path) == content(world.new.ledger_path)
    assert verify_file(instance.ledger_path, instance.verifier_key()).size == ALL
    with instance.ledger() as book:
        assert book.append("batch.ingested", batch_fields()).seq == ALL, "and it goes on"


def test_what_the_restored_entries_say_is_erased_is_erased_from_the_older_copy(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    with closing(Store.open(instance.ledger_path)) as store:
        assert store.kept(2) == ["file_name", "file_sha256"]
    done = world.restore(instance)
    assert (done.erased, done.unfinished) == (2, None)
    with closing(Store.open(instance.ledger_path)) as store:
        assert store.kept(2) == [] and store.kept(3) == ["file_name", "file_sha256"]


def test_the_keys_that_entries_show_are_used_up_again_and_those_of_signed_requests_are_said_to_be_gone(
    world: World, tmp_path: Path
) -> None:
    instance = world.put_back(tmp_path / "back")
    said = describe(world.restore(instance))
    assert "keys against replay of 1 signed requests" in said and "1 条签名请求的防重放键" in said
    with closing(Store.open(instance.ledger_path)) as store:
        assert store.once_seq(once.batch("b60")) == world_seq(world, "b60")
        assert store.once_seq(once.erased(2, "file_name")) == OLD + 1
        assert store.once_seq("zhzf-sys:nonce-1") is None


def world_seq(world: World, batch: str) -> int:
    with closing(Store.open(world.new.ledger_path, read_only=True)) as store:
        found = store.once_seq(once.batch(batch))
    assert found is not None
    return found


def test_the_keys_made_again_are_those_that_were_used() -> None:
    assert once.keys_of({"kind": "checkpoint.anchored", "size": 7}) == (once.anchor(7),)
    assert once.keys_of({"kind": "batch.ingested", "batch": "b1"}) == ("batch:b1",)
    assert once.keys_of({"kind": "query.served"}) == ()


def test_restoring_again_changes_nothing(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    world.restore(instance)
    before = content(instance.ledger_path)
    assert world.restore(instance).refilled.before == ALL
    assert content(instance.ledger_path) == before


def test_a_folder_put_back_with_its_own_old_head_learns_the_new_one(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back", with_head=True)
    world.restore(instance)
    assert instance.head_path.read_bytes() == world.new.head_path.read_bytes()


def test_a_ledger_that_is_gone_comes_back_from_nothing(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    for file in instance.path.glob("ledger.db*"):
        file.unlink()
    assert world.restore(instance).refilled.before == 0
    assert rows(instance.ledger_path) == rows(world.new.ledger_path)


def test_a_tail_that_was_cut_off_comes_back_with_the_checkpoint_that_remained(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.new.path, tmp_path / "cut")
    instance = Instance.open(tmp_path / "cut")
    with attack(instance.ledger_path) as db:
        db.execute("DELETE FROM entries WHERE seq >= 200")
    assert world.restore(instance).refilled.before == 200
    assert content(instance.ledger_path) == content(world.new.ledger_path)


def test_cosignatures_on_the_copys_checkpoint_are_kept_and_a_bad_one_refuses_it(world: World, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(world.mirror, mirror)
    plain = (mirror / "checkpoint").read_bytes()
    text = plain.partition(b"\n\n")[0] + b"\n"
    (mirror / "checkpoint").write_bytes(plain + COSIGNERS[0].signature_line(text, 1_763_863_000))
    instance = world.put_back(tmp_path / "back")
    keys = (COSIGNERS[0].key, COSIGNERS[1].key)
    done = restore(instance, DirectorySource(mirror), instance.verifier_key(), keys)
    assert [item.key.name for item in done.cosigned] == [COSIGNERS[0].name]
    with closing(Store.open(instance.ledger_path)) as store:
        ((size, note),) = list(store.cosigned())
        assert size == ALL and len(open_cosigned(note, instance.verifier_key(), keys)[1]) == 1
        assert [size for size, _ in store.checkpoints()] == [ALL]
    (mirror / "checkpoint").write_bytes(plain + COSIGNERS[0].signature_line(b"other\n5\nAAAA\n", 7))
    refused(world.put_back(tmp_path / "again"), mirror, NoteError, "does not verify", witnesses=(COSIGNERS[0].key,))


# -- what is refused, with nothing changed ----------


def refused(
    instance: Instance, source: Path, error: type[LedgerError], words: str, witnesses: tuple[Any, ...] = ()
) -> str:
    """Restoring fails and leaves every byte of the ledger as it was; returns the sentence."""
    before, head = content(instance.ledger_path), instance.head_path.read_bytes()
    with pytest.raises(error, match=words) as caught:
        restore(instance, DirectorySource(source), instance.verifier_key(), witnesses)
    assert (content(instance.ledger_path), instance.head_path.read_bytes()) == (before, head)
    assert caught.value.zh
    return caught.value.en


def test_a_shorter_copy_is_refused(world: World, tmp_path: Path) -> None:
    short = tmp_path / "short"
    with Instance.open(world.backup).ledger() as book:
        book.export(short)
    shutil.copytree(world.new.path, tmp_path / "new")
    refused(Instance.open(tmp_path / "new"), short, RestoreError, f"has {OLD} entries .* this ledger has {ALL}")


def test_two_histories_are_named_with_both_roots(world: World, tmp_path: Path) -> None:
    """Appended to the older copy before anybody restored it: the log signed two trees, and both stay as proof."""
    instance = world.put_back(tmp_path / "back", with_head=True)
    grow(instance, 2)
    with instance.ledger() as book:
        own = book.checkpoint().split(b"\n")[2]
    said = refused(instance, world.mirror, TamperError, f"two histories: for {OLD + 2} entries")
    assert base64.b64decode(own).hex() in said and said.count("root") >= 1
    with closing(Store.open(world.new.ledger_path, read_only=True)) as store:
        assert tree_root(OLD + 2, store).hex() in said


def test_a_kept_head_of_another_history_is_named_with_both_roots(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back", with_head=True)
    head = instance.head_path.read_bytes().split(b"\n")
    for size, root in ((ALL - 1, b"A" * 43 + b"="), (3, b"A" * 43 + b"=")):
        instance.head_path.write_bytes(b"%s\n%d\n%s\n" % (head[0], size, root))
        said = refused(instance, world.mirror, TamperError, f"two histories: for {size} entries")
        assert "00" * 32 in said and str(instance.head_path) in said


def test_an_altered_ledger_is_not_built_upon(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    entry = rows(instance.ledger_path)[3][1]
    altered = entry.replace(b'"rows_read":3', b'"rows_read":4')
    with attack(instance.ledger_path) as db:
        set_entry(db, 3, altered)
    refused(instance, world.mirror, TamperError, "entry 3 of this ledger is missing or its bytes were altered")
    with attack(instance.ledger_path) as db:
        set_entry(db, 3, altered, rehash=True)
    refused(instance, world.mirror, TamperError, "entry 3 of this ledger is not the one that the log signed")
    with attack(instance.ledger_path) as db:
        set_entry(db, 3, entry, rehash=True)
        db.execute("UPDATE checkpoints SET note = replace(note, '\n5\n', '\n6\n')")
    refused(instance, world.mirror, TamperError, "the checkpoint of size 5 in this ledger")


def test_an_altered_tree_is_not_built_upon(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.new.path, tmp_path / "new")
    instance = Instance.open(tmp_path / "new")
    with attack(instance.ledger_path) as db:
        db.execute("UPDATE nodes SET hash = zeroblob(32)")
    refused(instance, world.mirror, TamperError, "stored tree of this ledger differs")


def test_a_rewritten_ledger_signed_with_the_logs_key_is_a_fork(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back", with_head=True)
    with instance.ledger() as book:
        signer = Signer(ORIGIN, book._sequencer._signer.private_key)
        objects = [book.entry(seq) for seq in range(OLD)]
    objects[2]["rows_read"] = 77
    rewrite(instance.ledger_path, chain(objects), signer)
    instance.head_path.unlink()
    with pytest.raises(TamperError, match=f"two histories: for {OLD} entries"):
        world.restore(instance)


def damaged(folder: Path, file: str, change: Any) -> Path:
    path = folder / file
    path.write_bytes(change(path.read_bytes()))
    return folder


@pytest.mark.parametrize(
    ("file", "change", "error", "words"),
    [
        ("tile/entries/000", lambda data: data.replace(b"b60", b"b61"), TamperError, "entry"),
        ("tile/entries/001.p/44", lambda data: data[:-3], NoteError, "ends within an entry"),
        ("tile/0/000", lambda data: data[:64] + bytes(32) + data[96:], TamperError, "entry 2"),
        ("tile/1/000.p/1", lambda data: bytes(32), TamperError, "tiles disagree"),
        ("checkpoint", lambda data: data.replace(b"\n300\n", b"\n299\n"), NoteError, "does not verify"),
        ("checkpoint", lambda data: data.partition(b"\n\n")[0] + b"\n", NoteError, "no signatures"),
    ],
)
def test_a_damaged_or_unsigned_copy_is_refused(
    world: World, tmp_path: Path, file: str, change: Any, error: type[LedgerError], words: str
) -> None:
    shutil.copytree(world.mirror, tmp_path / "mirror")
    refused(world.put_back(tmp_path / "back"), damaged(tmp_path / "mirror", file, change), error, words)


def test_a_copy_signed_with_another_key_or_of_another_log_is_refused(world: World, tmp_path: Path) -> None:
    text = (world.mirror / "checkpoint").read_bytes().partition(b"\n\n")[0] + b"\n"
    shutil.copytree(world.mirror, tmp_path / "mirror")
    (tmp_path / "mirror/checkpoint").write_bytes(text + b"\n" + SIGNER.signature_line(text))
    refused(world.put_back(tmp_path / "back"), tmp_path / "mirror", NoteError, "no trusted key signed")
    other = Instance.create(tmp_path / "other", Settings("other.example/log", "乙县", "Yi", "http://127.0.0.1:1", True))
    with other.ledger() as book:
        append_some(book, 9)
        book.export(tmp_path / "others")
    with pytest.raises(NoteError, match="no trusted key signed"):
        world.restore(Instance.open(tmp_path / "back"), tmp_path / "others")
    with pytest.raises(LedgerError):
        restore(Instance.open(tmp_path / "back"), DirectorySource(tmp_path / "others"), other.verifier_key())


def test_a_copy_that_changes_while_it_is_read_is_refused(world: World, tmp_path: Path) -> None:
    class Changing(DirectorySource):
        """Good while it is verified, and something else afterwards."""

        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.read_once: set[str] = set()

        def read(self, path: str, max_bytes: int) -> bytes:
            data = super().read(path, max_bytes)
            if path in self.read_once and path.startswith("tile/entries"):
                return data.replace(b"b60", b"b61")
            self.read_once.add(path)
            return data

    instance = world.put_back(tmp_path / "back")
    before = content(instance.ledger_path)
    with pytest.raises(TamperError, match="it changed while it was read"):
        restore(instance, Changing(world.mirror), instance.verifier_key())
    assert content(instance.ledger_path) == before


def test_a_head_that_cannot_be_recorded_afterwards_is_said_and_the_entries_stay(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back", with_head=True)

    class Spoiling(DirectorySource):
        """While it is read somebody damages the record."""

        def read(self, path: str, max_bytes: int) -> bytes:
            if path.startswith("tile/entries"):
                instance.head_path.write_bytes(b"junk")
            return super().read(path, max_bytes)

    with pytest.raises(UnrecordedError, match=f"restored up to {ALL} entries") as caught:
        restore(instance, Spoiling(world.mirror), instance.verifier_key())
    assert "Nothing was restored" not in explain(caught.value).en
    assert rows(instance.ledger_path) == rows(world.new.ledger_path)


def test_a_ledger_in_use_is_left_alone(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back", with_head=True)
    with instance.ledger(), pytest.raises(LedgerUnavailableError, match="is in use"):
        world.restore(instance)
    reader = sqlite3.connect(f"file:{instance.ledger_path}?mode=ro", uri=True)
    reader.execute("SELECT count(*) FROM entries").fetchone()
    with pytest.raises(LedgerUnavailableError, match="is in use"):
        world.restore(instance)
    reader.close()
    assert world.restore(instance).refilled.size == ALL


def test_a_copy_without_entries_or_that_is_not_there_is_refused(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    refused(instance, tmp_path / "none", TamperError, "checkpoint is missing")
    for file in instance.path.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(LedgerError):
        world.restore(instance, tmp_path / "none")
    assert not instance.ledger_path.exists(), "no empty ledger is left where there was none"


# -- a copy that does not reach ----------


def test_entries_that_no_copy_holds_are_named_and_the_ledger_does_not_start(world: World, tmp_path: Path) -> None:
    """The mirror's last fetch was before the loss: keys/head knows of more, so this log ends here."""
    shutil.copytree(world.new.path, tmp_path / "new")
    longer = Instance.open(tmp_path / "new")
    grow(longer, 3)
    instance = world.put_back(tmp_path / "back")
    shutil.copy(longer.head_path, instance.head_path)
    done = world.restore(instance)
    assert done.refilled.size == ALL and done.beyond is not None and done.beyond[0].size == ALL + 3
    assert instance.head_path.read_bytes() == longer.head_path.read_bytes(), "the record never goes back"
    with pytest.raises(TamperError, match="older copy"):
        instance.ledger()
    with longer.ledger() as book:
        book.export(tmp_path / "mirror")
    assert world.restore(instance, tmp_path / "mirror").beyond is None, "another copy that has them does it"
    instance.ledger().close()


def test_a_key_that_was_rotated_since_is_said_to_be_missing(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.new.path, tmp_path / "new")
    longer = Instance.open(tmp_path / "new")
    newest = longer.rotate_key()
    with longer.ledger() as book:
        book.append("batch.ingested", batch_fields())
        book.export(tmp_path / "mirror")
    instance = world.put_back(tmp_path / "back")
    done = world.restore(instance, tmp_path / "mirror")
    assert done.newest_key == newest and str(newest) in describe(done)
    assert verify_file(instance.ledger_path, instance.key_chain()).size == ALL + 2
    shutil.copy(longer.path / "keys/log.pem", instance.path / "keys/log.pem")
    with instance.ledger() as book:
        assert book.append("batch.ingested", batch_fields()).seq == ALL + 2
    trusted = world.put_back(tmp_path / "again")
    done = restore(trusted, DirectorySource(tmp_path / "mirror"), newest)
    assert done.refilled.size == ALL + 2, "whoever trusts the new key alone finds the old one in the entries"


# -- the command ----------


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["restore", *[str(argument) for argument in arguments]])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_reports_and_verifies(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    result = run(world.mirror, "-i", instance.path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"restored entries {OLD} to {ALL - 1}" in result.stdout and "完好 OK" in result.stdout
    again = json.loads(run(world.mirror, "-i", instance.path, "--json", "--vkey", instance.verifier_key()).stdout)
    assert (again["first"], again["size"], again["missing"], again["kinds"]) == (ALL, ALL, None, {})


def test_the_command_says_what_is_still_missing_and_where_to_go(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    head = instance.head_path.read_bytes().split(b"\n")
    instance.head_path.write_bytes(b"%s\n%d\n%s\n" % (head[0], ALL + 4, head[2]))
    result = run(world.mirror, "-i", instance.path, "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["missing"] == [ALL, ALL + 3]
    assert f"entries {ALL} to {ALL + 3} are still missing" in result.stderr and "--continues" in result.stderr
    assert f"仍缺第 {ALL} 至 {ALL + 3} 条" in result.stderr


def test_the_command_says_that_nothing_was_changed(world: World, tmp_path: Path) -> None:
    instance = world.put_back(tmp_path / "back")
    before = content(instance.ledger_path)
    hashes = tmp_path / "hashes"
    with world.new.ledger() as book:
        book.export(hashes, with_entries=False)
    for source, code, words in (
        (tmp_path / "none", 2, "neither a directory nor an address"),
        (hashes, 1, "hashes only"),
        ("http://127.0.0.1:1/", 1, "hashes only"),
        ("http://127.0.0.1:1/?x", 2, "not an address"),
    ):
        result = run(source, "-i", instance.path)
        assert result.exit_code == code and words in result.stderr, result.stderr
        assert "Nothing was restored" in result.stderr and "未作恢复" in result.stderr
    result = run("http://127.0.0.1:1/", "-i", instance.path, "--token", "t")
    assert result.exit_code == UnreachableError.exit_code and "cannot be reached" in result.stderr
    assert content(instance.ledger_path) == before
    (instance.path / "witnesses.policy").write_bytes(b"junk\n")
    assert run(world.mirror, "-i", instance.path).exit_code == 1


# -- crashes ----------


# As in tests/ledger/log/test_sequencer_crash.py: the helper has no threads and forks a child for each statement; the
# child ends there, before or after it ran.
KILL_AT_EVERY_STATEMENT = """
import os, shutil, sqlite3, sys
from pathlib import Path
from ledger.log.verify import verify_file
from tests.ledger.test_restoration import content, make_world

OLD, ALL = 253, 259  # an inner node is completed on the way
folder = Path(sys.argv[1])
world = make_world(folder, OLD, ALL)
whole = content(world.new.ledger_path)
real = sqlite3.connect


class Dying(sqlite3.Connection):
    left, after = 0, False

    def count(self, run, *arguments):
        Dying.left -= 1
        if Dying.left == 0 and not Dying.after:
            os._exit(9)
        result = run(*arguments)
        if Dying.left == 0:
            os._exit(9)
        return result

    def execute(self, *arguments):
        return self.count(super().execute, *arguments)

    def executemany(self, *arguments):
        return self.count(super().executemany, *arguments)


def attempt(number, after):
    instance = world.put_back(folder / f"{number}-{after}")
    pid = os.fork()
    if pid == 0:
        Dying.left, Dying.after = number, after
        sqlite3.connect = lambda *a, **k: real(*a, **k, factory=Dying)
        world.restore(instance)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9), code
    key = instance.verifier_key()
    size = verify_file(instance.ledger_path, key).size
    assert size in (OLD, ALL), (number, after, size)
    assert size == ALL or code == 9
    done = world.restore(instance)
    assert done.unfinished is None and done.refilled.before == size
    assert content(instance.ledger_path) == whole, (number, after)
    shutil.rmtree(instance.path)
    return code, size


sizes = []
for after in (False, True):
    number = 1
    while True:
        code, size = attempt(number, after)
        if code == 0:
            break
        sizes.append(size)
        number += 1
    print(number)
assert set(sizes) == {OLD, ALL}
"""


def test_a_process_that_dies_before_or_after_any_statement_has_restored_all_or_nothing(tmp_path: Path) -> None:
    program = [sys.executable, "-c", KILL_AT_EVERY_STATEMENT, str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert before == after > 40, "each statement up to the end of the run was one point of death"
