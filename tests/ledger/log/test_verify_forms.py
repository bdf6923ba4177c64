"""Verification by blocks says just what verification entry by entry says, whatever was done to the log."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import entries as kinds
from ledger.errors import LedgerError
from ledger.log import verify
from ledger.log.forms import Forms, UnrecognisedError
from ledger.log.verify import Verdict, verify_file
from tests.ledger.support import (
    OPENED,
    SIGNER,
    VKEY,
    Forged,
    attack,
    batch_fields,
    chain,
    leaf,
    new_store,
    rewrite,
    rows,
    set_entry,
)

HASH = "ab" * 32
ASKED = {"requester": "zhzf", "auth": "token", "resource": "work/permits", "route": "table", "status": 200}


def served(n: int) -> dict[str, Any]:
    chance = random.Random(n)
    value: dict[str, Any] = {
        "kind": "query.served", "v": 1, **ASKED, "elapsed_us": chance.randrange(10**6), "format": "json",
        "size_bytes": chance.randrange(10**5),
        "commit": {"query": chance.randbytes(32).hex(), "answer_sha256": chance.randbytes(32).hex()},
    }  # fmt: skip
    value["requester"] = chance.choice(("zhzf", "sfj", "yjj"))
    value["auth"] = chance.choice(("token", "session"))
    if chance.random() < 0.7:
        value["rows"] = chance.randrange(200)
    return value


def objects(count: int) -> list[dict[str, Any]]:
    some: list[dict[str, Any]] = [{"kind": "log.opened", "v": 1, **OPENED}]
    for n in range(1, count):
        other = {"kind": "batch.ingested", "v": 1, **batch_fields(n), "commit": {"file_name": HASH}}
        some.append(other if n % 9 == 0 else served(n))
    return [
        {**value, "t": f"2026-11-23T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}.000Z"}
        for n, value in enumerate(some)
    ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms") / "ledger.db"
    new_store(path).close()
    rewrite(path, chain(objects(700)), SIGNER)
    return path


def outcome(path: Path, *, fast: bool, schema: bool) -> Verdict | tuple[str, str, str]:
    check = kinds.check_entry if schema else None
    free = kinds.interchangeable if schema else None
    checks = verify.Checks.forms
    if not fast:
        verify.Checks.forms = lambda _: None  # type: ignore[method-assign]
    try:
        return verify_file(path, VKEY, check, interchangeable=free)
    except LedgerError as error:
        return type(error).__name__, error.en, error.zh
    finally:
        verify.Checks.forms = checks  # type: ignore[method-assign]


def same(path: Path) -> list[Verdict | tuple[str, str, str]]:
    """What is said with and without schemas, which must not depend on how it was checked."""
    said = []
    for schema in (False, True):
        fast, slow = outcome(path, fast=True, schema=schema), outcome(path, fast=False, schema=schema)
        assert fast == slow
        said.append(fast)
    return said


def test_almost_no_entry_is_decoded(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    real = verify.Chain.check_form

    def counted(self: Any, seq: int, entry: bytes, before: bytes) -> dict[str, Any]:
        decoded.append(seq)
        return real(self, seq, entry, before)

    monkeypatch.setattr(verify.Chain, "check_form", counted)
    for schema, at_most in ((False, 10), (True, 110)):
        decoded.clear()
        assert isinstance(outcome(template, fast=True, schema=schema), Verdict)
        assert 0 < len(decoded) < at_most, len(decoded)


def test_a_whole_log_is_whole_both_ways(template: Path) -> None:
    assert all(isinstance(said, Verdict) and said.size == 700 for said in same(template))


def resigned(path: Path, data: list[bytes]) -> None:
    """Write these entries with right hashes, tree and checkpoint: by the holder of the key, or a faulty log."""
    rewrite(path, Forged(data, [leaf(entry) for entry in data]), SIGNER)


def relinked(data: list[bytes], start: int) -> list[bytes]:
    """The same entries, with the links after ``start`` mended by their bytes."""
    done = data[: start + 1]
    for entry in data[start + 1 :]:
        place = entry.find(b'"prev":"')
        before = leaf(done[-1]).hex().encode()
        done.append(entry[: place + 8] + before + entry[place + 72 :] if place >= 0 else entry)
    return done


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EDITS = st.sampled_from(
    [
        b"0",
        b"9",
        b"a",
        b"g",
        b"A",
        b"-",
        b".",
        b"e",
        b"_",
        b" ",
        b"\n",
        b"\0",
        b"\x7f",
        b"\\",
        b'"',
        b",",
        b":",
        b"{",
        b"}",
        b"null",
        b"true",
        b"1.0",
        b"007",
        b"-0",
        b"1e3",
        b"9007199254740993",
        b'"x"',
        b"\\u0041",
        "县".encode(),
        b"\xff",
        b'","a":"',
        b',"a":1',
        b"[]",
        b"{}",
        b"abcdef0123456789" * 4,
        b"2026-02-30",
        b"24",
        b"60",
    ]
)


@SLOW
@given(data=st.data())
def test_any_edit_of_any_bytes_is_judged_alike_though_all_is_signed_again(
    template: Path, tmp_path: Path, data: st.DataObject
) -> None:
    path = Path(shutil.copy(template, tmp_path / "ledger.db"))
    stored = [entry for _, entry, _ in rows(template)]
    for _ in range(data.draw(st.integers(1, 3), "edits")):
        seq = data.draw(st.integers(0, 699), "seq")
        entry = stored[seq]
        begin = data.draw(st.integers(0, len(entry)), "begin")
        end = min(len(entry), begin + data.draw(st.sampled_from([0, 1, 1, 2, 10, 64]), "length"))
        stored[seq] = entry[:begin] + data.draw(EDITS, "new") + entry[end:]
        if data.draw(st.booleans(), "mend the links"):
            stored = relinked(stored, seq)
    resigned(path, stored)
    same(path)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([HASH, HASH[:-1], HASH.upper(), "token", "zhzf", "2026-11-23T00:00:00.000Z", "１"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "query", "Z", "officer"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@SLOW
@given(data=st.data())
def test_any_other_value_of_any_field_is_judged_alike(template: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = Path(shutil.copy(template, tmp_path / "ledger.db"))
    stored = [entry for _, entry, _ in rows(template)]
    seq = data.draw(st.integers(0, 699), "seq")
    value = orjson.loads(stored[seq])
    name = data.draw(st.sampled_from([*value, "commit", "new", "b"]), "name")
    new = data.draw(VALUES, "value")
    if name == "commit" and isinstance(value.get("commit"), dict) and data.draw(st.booleans(), "inside"):
        value["commit"][data.draw(st.sampled_from([*value["commit"], "officer", "x"]), "inner")] = new
    elif data.draw(st.booleans(), "removed"):
        value.pop(name, None)
    else:
        value[name] = new
    stored[seq] = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    resigned(path, relinked(stored, seq))
    same(path)


@SLOW
@given(data=st.data())
def test_any_change_of_rows_is_judged_alike(template: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = Path(shutil.copy(template, tmp_path / "ledger.db"))
    seq = data.draw(st.integers(0, 699), "seq")
    sql = data.draw(
        st.sampled_from(
            [
                "DELETE FROM entries WHERE seq = ?1",
                "DELETE FROM entries WHERE seq >= ?1",
                "UPDATE entries SET seq = seq + 1000 WHERE seq >= ?1",
                "UPDATE entries SET seq = -1 - seq WHERE seq <= ?1",
                "UPDATE entries SET hash = zeroblob(32) WHERE seq = ?1",
                "UPDATE entries SET hash = substr(hash, 1, 31) WHERE seq = ?1",
                "UPDATE entries SET hash = CAST(hash AS TEXT) WHERE seq = ?1",
                "UPDATE entries SET entry = entry || char(10) || entry WHERE seq = ?1",
                "UPDATE entries SET entry = '' WHERE seq = ?1",
                "UPDATE entries SET entry = seq WHERE seq = ?1",
                "UPDATE entries SET entry = CAST(entry AS BLOB) WHERE seq = ?1",
                "INSERT INTO entries SELECT -1 - ?1, entry, hash FROM entries WHERE seq = ?1",
                "DELETE FROM nodes WHERE idx = ?1 % 3",
                "UPDATE nodes SET hash = zeroblob(32) WHERE idx = ?1 % 3",
                "INSERT INTO checkpoints SELECT ?1, note, 1 FROM checkpoints WHERE size = 700",
            ]
        ),
        "sql",
    )
    with attack(path) as db:
        if data.draw(st.booleans(), "any type may be stored"):
            db.execute("ALTER TABLE entries RENAME TO strict_entries")
            db.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, entry, hash)")
            db.execute("INSERT INTO entries SELECT * FROM strict_entries")
            db.execute("DROP TABLE strict_entries")
        try:
            db.execute(sql, (seq,))
        except Exception:
            return
    same(path)


def test_an_entry_in_capitals_of_hex_is_not_taken_for_one_in_small_letters(template: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(template, tmp_path / "ledger.db"))
    stored = [entry for _, entry, _ in rows(template)]
    value = orjson.loads(stored[500])
    assert value["kind"] == "query.served"
    for name in ("prev", "commit"):
        changed = orjson.loads(stored[500])
        if name == "prev":
            changed["prev"] = value["prev"].upper()
        else:
            changed["commit"]["query"] = value["commit"]["query"].upper()
        edited = [*stored[:500], orjson.dumps(changed, option=orjson.OPT_SORT_KEYS), *stored[501:]]
        resigned(path, relinked(edited, 500))
        said = same(path)
        assert isinstance(said[1], tuple), "the schema wants small letters"
        assert isinstance(said[0], tuple) == (name == "prev")


def test_an_edit_of_the_first_and_the_last_entry_of_a_block_is_named(template: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(template, tmp_path / "ledger.db"))
    with attack(path) as db:
        for seq in (0, 1, 510, 511, 512, 513, 698, 699):
            data = rows(path)[seq][1]
            set_entry(db, seq, data.replace(b'"v":1', b'"v":2'))
            said = same(path)
            assert all(isinstance(item, tuple) and f"entry {seq}:" in item[1] for item in said)
            set_entry(db, seq, data)


# -- what a schema check leaves open ----------


def good_entry(kind: kinds.Kind) -> dict[str, Any]:
    candidates: list[Any] = [
        HASH, 7, 200, "2026-11-23T00:00:00.000Z", "2026-11-23", [], "token", "ed25519", "agency", "无条件共享", "x",
        "a text", [HASH], [1],
    ]  # fmt: skip
    value: dict[str, Any] = {
        "kind": kind.name,
        "v": kind.version,
        "log": "l",
        "prev": HASH,
        "seq": 1,
        "t": "2026-11-23T00:00:00.000Z",
    }
    for name, field in kind.fields.items():
        fits = [candidate for candidate in candidates if field.accepts(candidate)]
        if fits:
            value[name] = fits[0]
    if kind.particulars:
        value["commit"] = dict.fromkeys(sorted(kind.particulars), HASH)
    return value


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("seed", range(3))
def test_interchangeable_values_are_all_as_good(kind: kinds.Kind, seed: int) -> None:
    value = good_entry(kind)
    free = kinds.interchangeable(value)
    chance = random.Random(seed)

    def judged(entry: Mapping[str, Any]) -> str:
        try:
            kinds.check_entry(entry)
        except LedgerError as error:
            return error.en
        return ""

    before = judged(value)

    def other(old: Any) -> Any:
        return chance.randbytes(32).hex() if isinstance(old, str) else chance.randrange(10**15)

    for name in free & value.keys():
        if isinstance(value[name], (str, int)) and type(value[name]) is not bool:
            assert judged({**value, name: other(value[name])}) == before, name
    for name in value.get("commit", {}):
        assert f"commit.{name}" in free
        assert judged({**value, "commit": {**value["commit"], name: other(HASH)}}) == before
    changed = {**value, "prev": other(HASH), "seq": other(1), "t": "2031-01-31T23:59:59.999Z"}
    assert judged(changed) == before


def test_a_block_with_another_seq_or_prev_than_prescribed_is_not_recognised() -> None:
    data = chain(objects(50)).entries
    values = [orjson.loads(entry) for entry in data]
    prevs = [bytes.fromhex(value["prev"]) for value in values]

    def examine(place: int) -> dict[str, Any]:
        value: dict[str, Any] = values[place]
        return value

    assert Forms(None).check(data, 0, prevs, examine) == [value["t"].encode() for value in values]
    with pytest.raises(UnrecognisedError):
        Forms(None).check(data, 1, prevs, examine)
    with pytest.raises(UnrecognisedError):
        Forms(None).check(data, 0, [*prevs[:-1], bytes(32)], examine)
