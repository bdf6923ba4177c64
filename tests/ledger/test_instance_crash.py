"""An instance whose process dies before or after any writing statement while it appends, erases, rotates its key."""

from __future__ import annotations

from pathlib import Path

from tests.ledger.support import child

# As in log/test_sequencer_crash.py: a helper without threads forks a child for each statement. Here the whole of an
# instance is at work: the head outside the database, particulars that are erased, and the log's key.
KILL_AT_EVERY_STATEMENT = """
import os, shutil, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from ledger import Instance, Settings, entries
from ledger.erasure import KIND, Erasure, erase
from ledger.log.verify import verify_file
from tests.ledger.support import ORIGIN, append_some, batch_fields, checkpoint_wal, rows

folder = Path(sys.argv[1])
real = sqlite3.connect


class Dying(sqlite3.Connection):
    left, after = 0, False

    def count(self, run, *arguments):
        if arguments[0].lstrip().upper().startswith("SELECT"):  # reading changes nothing: the one before is as good
            return run(*arguments)
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


def work(path, out):
    sqlite3.connect = lambda name, **k: real(name, **k if name == ":memory:" else {"factory": Dying, **k})
    instance = Instance.open(path)
    with instance.ledger() as book:
        done = book.append("batch.ingested", batch_fields(7), particulars={"file_name": "x" * 500})
        os.write(out, b"%d %s\\n" % (done.seq, done.hash.hex().encode()))
        wanted = Erasure(2, "invented", "sfj", ("file_name",), law_requires="invented")
        erase(book, wanted, datetime.now(UTC))
        os.write(out, b"erased yes\\n")
    instance.rotate_key()
    os.write(out, b"rotated yes\\n")
    with instance.ledger() as book:
        done = book.append("batch.ingested", batch_fields(8))
        os.write(out, b"%d %s\\n" % (done.seq, done.hash.hex().encode()))


def secrets_of(path):
    db = real(path / "ledger.db")
    found = [db.execute(f"SELECT {column} FROM {table} WHERE (seq, field) = (2, 'file_name')").fetchone()
             for column, table in (("ciphertext", "particulars"), ("key", "particular_keys"))]
    db.close()
    return [row[0] for row in found if row]


def attempt(number, after):
    path = folder / f"{number}-{after}"
    shutil.copytree(folder / "template", path)
    vkey = Instance.open(path).verifier_key()
    inlet, outlet = os.pipe()
    pid = os.fork()
    if pid == 0:
        Dying.left, Dying.after = number, after
        work(path, outlet)
        os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as pipe:
        acknowledged = dict(line.split() for line in pipe)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), code
    erased, rotated = acknowledged.pop("erased", ""), acknowledged.pop("rotated", "")
    instance = Instance.open(path)
    with instance.ledger() as book:  # never refused: what lies outside the database does not lead it
        size = book.append("batch.ingested", batch_fields(9)).seq + 1
        said = book.newest(9, where={"kind": KIND})
    stored = {str(seq): value.hex() for seq, _, value in rows(path / "ledger.db")}
    assert acknowledged.items() <= stored.items() and len(stored) == size, (number, after)
    assert verify_file(path / "ledger.db", instance.key_chain(vkey), entries.check_entry).size == size
    assert (instance.verifier_key() != vkey) or not rotated
    assert not (erased and not said) and len(said) <= 1
    if said:
        files = [file.read_bytes() for file in path.rglob("*") if file.is_file()]
        assert not any(secret in data for secret in secrets for data in files), (number, after)
    if rotated or instance.verifier_key() != vkey:
        assert not (path / "keys" / "log.pem.new").exists()
    shutil.rmtree(path)
    return code == 0


template = Instance.create(folder / "template", Settings(ORIGIN, "示范县", "Shifan", "http://127.0.0.1:8001", True))
with template.ledger() as book:
    append_some(book, 5)
checkpoint_wal(template.ledger_path)
secrets = secrets_of(template.path)
assert len(secrets) == 2
for after in (False, True):
    number = 1
    while not attempt(number, after):
        number += 1
    print(number)
"""


def test_an_instance_that_dies_before_or_after_any_statement_is_whole_and_goes_on(tmp_path: Path) -> None:
    process = child(KILL_AT_EVERY_STATEMENT, tmp_path)
    out, err = process.communicate(timeout=900)  # some hundred and sixty lives, each with its syncs
    assert process.returncode == 0, err
    before, after = map(int, out.split())
    assert before == after > 50, "each statement up to the end of the run was one point of death"
