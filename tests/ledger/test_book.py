"""The ledger as others use it: entries by kind, receipts that prove them, openings that show one thing only."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import Ledger, Receipt, entries, errors
from ledger.errors import CanonicalError, ConflictError, EntryError, InstanceError, LedgerError, NoteError, TamperError
from ledger.log.commitment import commit
from ledger.log.note import Checkpoint, Signer, VerifierKey, open_checkpoint
from ledger.log.verify import verify_file
from tests.ledger.support import (
    KEY,
    OPENED,
    ORIGIN,
    ROOT,
    START,
    VKEY,
    append_some,
    attack,
    batch_fields,
    clock,
    leaf,
    make_ledger,
    random_source,
    rows,
    set_entry,
)

NUMBER = "999999202611230000"  # has the shape of an identity number, of an area code that no place has
ASKED = {
    "requester": "emergency",
    "auth": "signature",
    "resource": "work/permits",
    "route": "table",
    "status": 200,
    "elapsed_us": 1,
    "format": "json",
    "size_bytes": 1,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_ledger(tmp_path / "ledger.db", 4)


@pytest.fixture
def book(path: Path) -> Iterator[Ledger]:
    with Ledger(path, KEY, now=clock(START + timedelta(hours=1)), random=random_source(b"more")) as opened:
        yield opened


def changed_texts(text: str) -> Iterator[str]:
    """The text with each byte changed in two ways, where the result is still text."""
    data = text.encode()
    for place in range(len(data)):
        for bit in (place % 7, 7):
            bad = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            try:
                yield bad.decode()
            except UnicodeDecodeError:
                continue


# -- appending and reading ----------


def test_an_entry_is_read_back_as_it_was_given(book: Ledger) -> None:
    done = book.append("query.served", ASKED, particulars={"officer": NUMBER})
    entry = book.entry(done.seq)
    assert {key: entry[key] for key in ASKED} == ASKED
    assert (entry["kind"], entry["v"], entry["seq"], entry["log"]) == ("query.served", 2, 4, ORIGIN)
    assert list(entry["commit"]) == ["officer"]
    assert NUMBER not in done.entry.decode()
    assert book.newest(2)[0] == entry and book.newest(9, where={"requester": "emergency"}) == [entry]
    assert [e["seq"] for e in book.newest(9, where={"kind": "batch.ingested"})] == [3, 2, 1]
    assert verify_file(book.path, VKEY, entries.check_entry).size == 5


def test_tasks_append_without_blocking(book: Ledger) -> None:
    async def work() -> list[int]:
        done = await asyncio.gather(*(book.append_async("log.opened", OPENED) for _ in range(20)))
        return [item.seq for item in done]

    assert asyncio.run(work()) == list(range(4, 24))


def test_receipts_are_formed_while_threads_append(book: Ledger) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            book.append("log.opened", OPENED)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(60):
            newest = book.newest(1)[0]["seq"]
            assert book.receipt(newest, with_openings=True).verify(VKEY)["seq"] == newest
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert verify_file(book.path, VKEY).size > 4


def test_a_key_is_used_once(book: Ledger) -> None:
    done = book.append("log.opened", OPENED, once=["nonce:1"])
    assert book.used("nonce:1") == done.seq and book.used("nonce:2") is None
    with pytest.raises(ConflictError):
        book.append("log.opened", OPENED, once=["nonce:2", "nonce:1"])
    assert book.used("nonce:2") is None


@pytest.mark.parametrize(
    ("kind", "fields", "particulars", "error"),
    [
        ("log.closed", OPENED, {}, EntryError),
        ("log.opened", {**OPENED, "colour": "red"}, {}, EntryError),
        ("log.opened", {**OPENED, "seq": 4}, {}, EntryError),
        ("log.opened", {**OPENED, "prev": "0" * 64}, {}, EntryError),
        ("log.opened", {**OPENED, "t": "2026-11-23T00:00:00.000Z"}, {}, EntryError),
        ("log.opened", {**OPENED, "commit": {}}, {}, EntryError),
        ("log.opened", {**OPENED, "kind": "x"}, {}, EntryError),
        ("log.opened", {"county_zh": "县"}, {}, EntryError),
        ("log.opened", {**OPENED, "software": ""}, {}, EntryError),
        ("log.opened", {**OPENED, "software": "\ud800"}, {}, CanonicalError),
        ("log.opened", OPENED, {"officer": "x"}, EntryError),
        ("batch.ingested", batch_fields(), {"officer": "x"}, EntryError),
        ("batch.ingested", {**batch_fields(), "rows_read": 2**53}, {}, CanonicalError),
        pytest.param("batch.ingested", {**batch_fields(), "rows_read": 10**5_000}, {}, CanonicalError, id="huge"),
        pytest.param("batch.ingested", {**batch_fields(), "rows_read": -(10**5_000)}, {}, EntryError, id="-huge"),
        ("batch.ingested", batch_fields(), {"file_name": 1.5}, CanonicalError),
        ("batch.ingested", batch_fields(), {"file_name": "\ud800"}, CanonicalError),
        ("batch.ingested", batch_fields(), {"file_name": b"x"}, CanonicalError),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(
    book: Ledger, kind: str, fields: dict[str, Any], particulars: dict[str, Any], error: type[LedgerError]
) -> None:
    before = rows(book.path)
    with pytest.raises(error) as caught:
        book.append(kind, fields, particulars=particulars)
    assert caught.value.en and caught.value.zh
    with pytest.raises(error):
        asyncio.run(book.append_async(kind, fields, particulars=particulars))
    assert rows(book.path) == before


def test_entries_that_are_not_there_are_our_error(book: Ledger) -> None:
    for seq in (-1, 4, 2**63, 10**30):
        with pytest.raises(LedgerError):
            book.entry(seq)
        with pytest.raises(LedgerError):
            book.receipt(seq, with_openings=True)


def test_entries_are_looked_up_by_lookup_fields_only(book: Ledger) -> None:
    for field in ("auth", "kind' OR 1 --", "seq"):
        with pytest.raises(EntryError, match="not looked up"):
            book.newest(1, where={field: "x"})


def test_entries_of_a_kind_are_read_from_one_number_to_before_another(book: Ledger) -> None:
    kinds = ("batch.ingested", "log.opened")
    every = [entry["seq"] for entry in book.since(0, kinds)]
    assert every == [0, 1, 2, 3]
    for start in range(5):
        for until in range(6):
            found = [entry["seq"] for entry in book.since(start, kinds, until)]
            assert found == [seq for seq in every if start <= seq < until]
    assert [entry["seq"] for entry in book.since(0, ("batch.ingested",), 3)] == [1, 2]


def test_an_empty_ledger_has_no_checkpoint_and_says_so(tmp_path: Path) -> None:
    Ledger.create(tmp_path / "ledger.db", ORIGIN)
    with Ledger(tmp_path / "ledger.db", KEY) as empty:
        with pytest.raises(LedgerError, match="empty"):
            empty.checkpoint()
        with pytest.raises(LedgerError):
            empty.receipt(0, with_openings=False)
        assert empty.newest(5) == []
        assert empty.append("log.opened", OPENED).seq == 0
        assert open_checkpoint(empty.checkpoint(), VKEY).size == 1


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\u3000b", "\ud800"])
def test_a_log_cannot_be_named_what_no_key_can_be_named(tmp_path: Path, origin: str) -> None:
    with pytest.raises(NoteError):
        Ledger.create(tmp_path / "ledger.db", origin)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_is_not_there_is_not_made_by_opening(tmp_path: Path) -> None:
    with pytest.raises(InstanceError):
        Ledger(tmp_path / "ledger.db", KEY)
    assert list(tmp_path.iterdir()) == []


# -- receipts ----------


def test_every_receipt_verifies_from_the_first_to_the_last(book: Ledger) -> None:
    for seq in range(4):
        for with_openings in (False, True):
            receipt = book.receipt(seq, with_openings=with_openings)
            assert receipt.verify(VKEY) == book.entry(seq)
            again = Receipt.from_json(json.loads(json.dumps(receipt.to_json())))
            assert again == receipt and again.verify(VKEY)["seq"] == seq
            opened = {"file_name", "file_sha256"} if with_openings and seq else set()
            assert set(receipt.openings) == opened


def test_an_old_receipt_holds_when_the_log_has_grown(book: Ledger) -> None:
    old = book.receipt(3, with_openings=True)
    append_some(book, 20)
    assert old.verify(VKEY)["seq"] == 3
    new = book.receipt(3, with_openings=True)
    assert new.verify(VKEY) == old.verify(VKEY) and new.proof != old.proof


def test_the_wrong_key_is_refused(book: Ledger) -> None:
    receipt = book.receipt(2, with_openings=True)
    stranger = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    for signer in (Signer(ORIGIN, stranger), Signer("other.example/log", KEY)):
        with pytest.raises(NoteError):
            receipt.verify(signer.verifier)


@pytest.mark.parametrize("seq", [0, 3])
def test_every_changed_byte_of_entry_proof_and_openings_is_refused(book: Ledger, seq: int) -> None:
    good = book.receipt(seq, with_openings=True).to_json()
    bad: list[Any] = [{**good, "entry": text} for text in changed_texts(good["entry"])]
    bad += [{**good, "proof": text} for text in changed_texts(good["proof"])]
    for name, opening in good["openings"].items():
        others = {key: value for key, value in good["openings"].items() if key != name}
        bad += [{**good, "openings": {**others, text: opening}} for text in changed_texts(name)]
        for part in ("salt", "value"):
            for text in changed_texts(opening[part]):
                bad.append({**good, "openings": {**others, name: {**opening, part: text}}})
    assert len(bad) > 500
    for value in bad:
        with pytest.raises(LedgerError):
            Receipt.from_json(value).verify(VKEY)


def test_every_changed_byte_of_the_file_is_refused_or_says_the_same(book: Ledger) -> None:
    """A receipt is JSON, in which some bytes (white space, escapes) may change without another meaning."""
    receipt = book.receipt(3, with_openings=True)
    text = json.dumps(receipt.to_json(), ensure_ascii=False, indent=1)
    for changed in changed_texts(text):
        try:
            read = Receipt.from_json(orjson.loads(changed))
            read.verify(VKEY)
        except (orjson.JSONDecodeError, LedgerError):
            continue
        assert read == receipt


@pytest.mark.parametrize(
    "case",
    json.loads((ROOT / "docs/spec/vectors/receipts.json").read_text(encoding="utf-8"))["invalid"],
    ids=lambda case: case["desc"],
)
def test_the_bad_receipts_of_the_vectors_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(getattr(errors, case["want_error"])):
        Receipt.from_json(case["receipt"]).verify(VKEY)


def test_the_good_receipts_of_the_vectors_verify() -> None:
    found = json.loads((ROOT / "docs/spec/vectors/receipts.json").read_text(encoding="utf-8"))
    for case in found["valid"]:
        assert Receipt.from_json(case["receipt"]).verify(VerifierKey.parse(found["vkey"]))["seq"] == case["seq"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["entry", "proof", "openings", "salt", "value", "officer"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_value_at_all_makes_a_receipt_raise_anything_but_our_errors(value: Any) -> None:
    with pytest.raises(LedgerError):
        Receipt.from_json(value).verify(VKEY)


@pytest.mark.parametrize("value", [float("nan"), pytest.param(10**5_000, id="huge"), {"a": [[[1.5]]]}, "\ud800", b"x"])
def test_an_opening_with_a_value_outside_the_domain_is_refused(book: Ledger, value: Any) -> None:
    good = book.receipt(3, with_openings=True).to_json()
    good["openings"]["file_name"]["value"] = value
    with pytest.raises(LedgerError):
        Receipt.from_json(good).verify(VKEY)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"log": "other.example/log"}, r"other\.example"), ({"seq": 1}, "says seq 1, the proof index 0")],
)
def test_a_receipt_that_contradicts_its_own_entry_is_refused_though_the_log_signed_it(
    change: dict[str, Any], word: str
) -> None:
    """Only a faulty log signs entries that name another log or place; its receipts prove nothing."""
    chained = {"log": ORIGIN, "prev": "0" * 64, "seq": 0, "t": "2026-11-23T02:03:04.123Z"}
    value = {"kind": "log.opened", "v": 1, **OPENED, **chained, **change}
    entry = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    note = Checkpoint(ORIGIN, 1, leaf(entry)).sign(Signer(ORIGIN, KEY))
    with pytest.raises(EntryError, match=word):
        Receipt(entry, b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note, {}).verify(VKEY)


# -- openings ----------


def test_an_opening_shows_its_own_field_and_nothing_of_another(book: Ledger) -> None:
    """Every field but one is opened; nothing that was handed over opens, or is part of, the one that stays closed."""
    particulars = {
        "query": "GET /x", "officer": NUMBER, "answer_sha256": "ab" * 32, "body_sha256": "cd" * 32, "signature": "s",
    }  # fmt: skip
    done = book.append("query.served", ASKED, particulars=particulars)
    full = book.receipt(done.seq, with_openings=True)
    entry = full.verify(VKEY)
    closed = full.openings["officer"]
    released = {name: opening for name, opening in full.openings.items() if name != "officer"}
    assert Receipt(full.entry, full.proof, released).verify(VKEY) == entry
    handed_over = json.dumps(Receipt(full.entry, full.proof, released).to_json())
    assert NUMBER not in handed_over and closed.salt.hex() not in handed_over
    assert len({opening.salt for opening in full.openings.values()}) == len(particulars)
    known = [opening.salt for opening in released.values()]
    known += [bytes.fromhex(value) for value in entry["commit"].values()] + [bytes(32), full.entry[:32]]
    for guess in known:  # with any of these as salt a guesser who knows the number would be sure
        assert commit(guess, "officer", NUMBER) != entry["commit"]["officer"]
    assert commit(closed.salt, "officer", NUMBER) == entry["commit"]["officer"]


def test_nothing_but_its_own_commitment_depends_on_the_salt_that_stays_closed(tmp_path: Path) -> None:
    """Written twice with the same randomness but for one field's: all that is released of the others is the same.

    What does not change when the salt changes says nothing of it, so only the HMAC under the salt is left to a guesser.
    """
    particulars = {"query": "GET /x", "officer": NUMBER, "answer_sha256": "ab" * 32, "signature": "s"}
    released: list[dict[str, Any]] = []
    for run in range(2):
        path = tmp_path / f"{run}.db"
        Ledger.create(path, ORIGIN)
        drawn = iter(range(100))

        def random(count: int, run: int = run, drawn: Iterator[int] = drawn) -> bytes:
            field = list(particulars)[next(drawn)]
            seed = f"{field} {run}" if field == "officer" else field
            return random_source(seed.encode())(count)

        with Ledger(path, KEY, now=clock(), random=random) as book:
            receipt = book.receipt(book.append("query.served", ASKED, particulars=particulars).seq, with_openings=True)
        with attack(path) as db:
            sql = "SELECT field, key, ciphertext FROM particular_keys JOIN particulars USING (seq, field)"
            stored = {name: (key, text) for name, key, text in db.execute(sql)}
        entry = receipt.verify(VKEY)
        released.append({"openings": dict(receipt.openings), "stored": stored, "commit": entry.pop("commit"), **entry})
    one, two = released
    for part in ("openings", "stored", "commit"):
        assert one[part].pop("officer") != two[part].pop("officer")
    assert one == two and set(one["commit"]) == {"query", "answer_sha256", "signature"}


def test_the_same_particular_twice_commits_to_different_things(book: Ledger) -> None:
    seqs = [book.append("query.served", ASKED, particulars={"officer": NUMBER}).seq for _ in range(10)]
    assert len({book.entry(seq)["commit"]["officer"] for seq in seqs}) == 10


def test_particulars_lie_in_the_file_encrypted_only(path: Path) -> None:
    with Ledger(path, KEY, now=clock()) as book:
        book.append("query.served", ASKED, particulars={"officer": NUMBER, "query": "只在事项中出现的文字"})
        for file in path.parent.glob("ledger.db*"):
            content = file.read_bytes()
            assert NUMBER.encode() not in content and "只在事项中出现的文字".encode() not in content


EDITS = {
    "the ciphertext": "UPDATE particulars SET ciphertext = zeroblob(80) WHERE seq = 3 AND field = 'file_name'",
    "the key": "UPDATE particular_keys SET key = zeroblob(32) WHERE seq = 3 AND field = 'file_name'",
    "a key of no length": "UPDATE particular_keys SET key = x'' WHERE seq = 3",
    "a ciphertext of no length": "UPDATE particulars SET ciphertext = x'' WHERE seq = 3",
    "another entry's": """UPDATE particulars SET ciphertext =
        (SELECT ciphertext FROM particulars WHERE seq = 2 AND field = 'file_name') WHERE seq = 3""",
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_particular_is_not_handed_out(book: Ledger, name: str) -> None:
    with attack(book.path) as db:
        db.execute(EDITS[name])
    with pytest.raises(TamperError):
        book.receipt(3, with_openings=True)
    assert book.receipt(3, with_openings=False).verify(VKEY)["seq"] == 3


def test_an_erased_particular_is_absent_and_the_receipt_holds(book: Ledger) -> None:
    with attack(book.path) as db:
        db.execute("DELETE FROM particular_keys WHERE seq = 3 AND field = 'file_name'")
    receipt = book.receipt(3, with_openings=True)
    assert set(receipt.openings) == {"file_sha256"} and receipt.verify(VKEY)["seq"] == 3


# -- a file that was edited ----------


@pytest.mark.parametrize("what", ["an entry's byte", "its hash too", "a neighbour's hash", "the checkpoint"])
def test_no_receipt_is_handed_out_that_does_not_hold(book: Ledger, what: str) -> None:
    with attack(book.path) as db:
        if what == "the checkpoint":
            db.execute(
                "UPDATE checkpoints SET note = replace(note, char(10) || '4' || char(10), char(10) || '3' || char(10))"
            )
        elif what == "a neighbour's hash":
            db.execute("UPDATE entries SET hash = zeroblob(32) WHERE seq = 3")
        else:
            set_entry(
                db,
                2,
                rows(book.path)[2][1].replace(b'"rows_read":2', b'"rows_read":3'),
                rehash=what != "an entry's byte",
            )
    with pytest.raises(LedgerError) as caught:
        book.receipt(2, with_openings=True)
    assert isinstance(caught.value, NoteError if what == "the checkpoint" else TamperError)


def test_an_edited_file_refuses_new_entries_at_the_next_start(path: Path) -> None:
    with attack(path) as db:
        set_entry(db, 3, rows(path)[3][1].replace(b'"rows_read":3', b'"rows_read":4'), rehash=True)
    with Ledger(path, KEY) as book, pytest.raises(TamperError):
        book.append("log.opened", OPENED)


def test_reading_after_closing_is_our_error(path: Path) -> None:
    book = Ledger(path, KEY)
    book.close()
    for call in (lambda: book.entry(0), lambda: book.append("log.opened", OPENED), book.checkpoint):
        with pytest.raises(LedgerError):
            call()
    with sqlite3.connect(path) as db:
        db.execute("BEGIN EXCLUSIVE")  # nobody holds the file any more
