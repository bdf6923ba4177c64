"""What somebody asked is erased from an instance that is being served: nothing of it is left in any of its files."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess

import httpx2

from ledger import Instance
from tests.conftest import liandong, serving
from tests.ledger.leftovers import leftovers, pairs

#: Rare characters, so that no pair of them stands in the data by chance.
SECRET = "龘靐齉爩籲癵"
OPTIONS = ("--ground", "依据示范县自拟规则第一条", "--by", "sfj", "--law-requires", "示例法第二条")


def erase(instance: Instance, seq: str) -> subprocess.CompletedProcess[str]:
    return liandong("ledger", "erase", seq, "-i", str(instance.path), *OPTIONS)


def test_what_was_asked_of_a_running_service_is_gone_from_every_file(demo: Instance) -> None:
    folder = demo.path.parent
    with serving(demo) as served:
        bearer = {"authorization": f"Bearer {served.token}"}

        def ask(value: str) -> httpx2.Response:
            params = {"name__contains": value, "_size": "1"}
            answer = httpx2.get(
                f"{served.url}/directory/resources.json", params=params, headers=bearer, trust_env=False
            )
            assert answer.status_code == 200, answer.text
            return answer

        secret = ask(SECRET)
        seq, receipt = secret.headers["ledger-entry"], secret.headers["ledger-receipt"]
        others = [ask(f"other {n}").headers["ledger-entry"] for n in range(20)]  # what lies after it moves
        opened = httpx2.get(f"{served.url}{receipt}", headers=bearer, trust_env=False).json()["openings"]["query"]
        assert "%E9%BE%98" in opened["value"] or SECRET in opened["value"]
        reader = sqlite3.connect(demo.ledger_path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM particulars").fetchone()
        unfinished = erase(demo, seq)
        assert unfinished.returncode == 1 and "not finished" in unfinished.stderr
        reader.close()
        done = erase(demo, seq)
        assert done.returncode == 0, done.stderr
        after = httpx2.get(f"{served.url}{receipt}", headers=bearer, trust_env=False).json()
        assert after["openings"] == {} and after["entry"]
        assert leftovers(folder, SECRET) == []
        ask("still served")
    assert leftovers(folder, SECRET) == [], "nor after the service ended"
    for needle in (opened["salt"].encode(), bytes.fromhex(opened["salt"]), opened["value"].encode()):
        assert not any(needle in file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert liandong("ledger", "verify", "-i", str(demo.path)).returncode == 0
    assert len(others) == 20


def test_a_search_index_that_still_knew_a_value_would_be_found(demo: Instance) -> None:
    """Whatever index an instance has is looked into: here one is put into it, by whole words and by pairs."""
    for words in (SECRET, " ".join(sorted(pairs(SECRET)))):
        with contextlib.closing(sqlite3.connect(demo.database_path("directory"), isolation_level=None)) as db:
            db.execute("CREATE VIRTUAL TABLE search USING fts5(words)")
            for n in range(50):
                db.execute("INSERT INTO search (rowid, words) VALUES (?, ?)", (n, f"其他 {n}"))
            assert leftovers(demo.path, SECRET) == []
            db.execute("INSERT INTO search (rowid, words) VALUES (99, ?)", (words,))
            assert "directory.db in the index search" in leftovers(demo.path, SECRET)
            db.execute("DROP TABLE search")
            db.execute("PRAGMA secure_delete = ON")
            db.execute("VACUUM")
        assert leftovers(demo.path, SECRET) == []
