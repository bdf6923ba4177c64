"""A batch of items in one entry: each proven alone, erased alone, and nothing said of the others."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ledger import CanonicalError, EntryError, Instance, Ledger, LedgerError, Receipt, Settings, TamperError
from ledger.cli import ledger as cli
from ledger.erasure import Erasure, ErasureRefusedError, erase
from ledger.items import ItemProof, draw_salts, item_field, item_index, items_root, prove_items, seal_items
from ledger.log.commitment import Opening
from ledger.log.merkle import leaf_hash, node_hash
from ledger.log.verify import verify_file
from tests.ledger.support import ORIGIN, START, clock

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)
LATER = START + timedelta(days=3 * 366)
SERVED = {
    "requester": "zhzf",
    "auth": "signature",
    "resource": "work/penalties",
    "route": "api-batch",
    "status": 200,
    "elapsed_us": 900,
    "format": "json",
    "rows": 3,
    "size_bytes": 400,
}


def lookup(n: int) -> dict[str, Any]:
    return {
        "column": "credit_code",
        "database": "work",
        "rows": n % 3,
        "table": "penalties",
        "value": f"91370000示例{n}",
    }


def openings(values: list[Any], seed: int = 1) -> list[Opening]:
    salts = draw_salts(len(values), random.Random(seed).randbytes)
    return [Opening(salt, value) for salt, value in zip(salts, values, strict=True)]


def append(book: Ledger, count: int) -> int:
    values = [lookup(n) for n in range(count)]
    batch = book.seal_items([Opening(salt, value) for salt, value in zip(book.salts(count), values, strict=True)])
    return book.append("query.served", SERVED, particulars={"query": "POST /api/query/batch"}, batch=batch).seq


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance.create(tmp_path / "demo", SETTINGS)
    with made.ledger(now=clock()) as book:
        append(book, 7)
        book.append("query.served", SERVED)
    return made


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, to the letter."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


# -- the root and its paths -------------------------------------------------------------------------------------------


@given(st.integers(1, 70), st.data())
def test_the_root_is_rfc_6962s_and_every_item_has_a_path_to_it(count: int, data: st.DataObject) -> None:
    batch = seal_items(openings([f"第{n}项" for n in range(count)]), random.Random(2).randbytes)
    leaves = [bytes.fromhex(each) for each in batch.commitments]
    assert batch.root == naive_root(leaves).hex() == items_root(batch.commitments)
    index = data.draw(st.integers(0, count - 1))
    (proof,) = prove_items(batch.commitments, {index: batch.openings[index]})
    proof.check({"items": count, "items_root": batch.root})


@given(st.integers(2, 40), st.data())
def test_another_value_salt_index_path_or_root_is_refused(count: int, data: st.DataObject) -> None:
    batch = seal_items(openings([f"第{n}项" for n in range(count)]), random.Random(2).randbytes)
    entry = {"items": count, "items_root": batch.root}
    index = data.draw(st.integers(0, count - 1))
    (proof,) = prove_items(batch.commitments, {index: batch.openings[index]})
    opening = proof.opening
    forged = [
        ItemProof(index, Opening(opening.salt, "另一项"), proof.path),
        ItemProof(index, Opening(bytes(32), opening.value), proof.path),
        ItemProof((index + 1) % count, opening, proof.path),
        ItemProof(index, opening, proof.path[:-1]),
        ItemProof(index, opening, (*proof.path, bytes(32))),
        ItemProof(index, opening, (bytes(32), *proof.path[1:])),
    ]
    for each in forged:
        with pytest.raises(TamperError):
            each.check(entry)
    with pytest.raises(TamperError):
        proof.check({"items": count, "items_root": "0" * 64})
    for without in ({}, {"items": index, "items_root": batch.root}, {"items": count}):
        with pytest.raises(EntryError):
            proof.check(without)


def test_equal_items_have_different_commitments() -> None:
    batch = seal_items(openings(["同", "同", "同"]), random.Random(2).randbytes)
    assert len(set(batch.commitments)) == 3


@pytest.mark.parametrize("values", [[], ["x"] * 1001])
def test_no_item_and_too_many_are_refused(values: list[str]) -> None:
    with pytest.raises(EntryError):
        seal_items(openings(values), random.Random(2).randbytes)


def test_a_value_outside_the_canonical_domain_is_refused() -> None:
    with pytest.raises(CanonicalError):
        seal_items(openings([1.5]), random.Random(2).randbytes)


@pytest.mark.parametrize(
    ("field", "index"),
    [("items/0", 0), ("items/17", 17), ("items/017", None), ("items", None), ("items/-1", None), ("query", None)],
)
def test_items_are_named_in_one_way(field: str, index: int | None) -> None:
    assert item_index(field) == index
    assert index is None or item_field(index) == field


# -- in the ledger ----------------------------------------------------------------------------------------------------


def test_an_entry_holds_the_count_and_the_root_and_nothing_of_the_items(instance: Instance) -> None:
    with instance.ledger() as book:
        entry = book.entry(0)
        receipt = book.receipt(0, with_openings=True)
    assert (entry["items"], set(entry["commit"])) == (7, {"query", "item_commitments"})
    assert "示例".encode() not in receipt.entry
    assert [item.opening.value for item in receipt.items] == [lookup(n) for n in range(7)]
    assert set(receipt.openings) == {"query"}
    receipt.verify(instance.verifier_key())


def test_a_receipt_without_openings_has_no_items(instance: Instance) -> None:
    with instance.ledger() as book:
        assert book.receipt(0, with_openings=False).items == ()
        assert book.receipt(1, with_openings=True).items == ()


def test_one_item_is_shown_alone(instance: Instance, tmp_path: Path) -> None:
    with instance.ledger() as book:
        receipt = book.receipt(0, with_openings=True)
    kept = tmp_path / "receipt.json"
    kept.write_text(json.dumps(receipt.to_json()), encoding="utf-8")
    shown = CliRunner().invoke(cli, ["disclose", str(kept), "--item", "3"])
    assert shown.exit_code == 0, shown.output
    assert "示例3" in shown.output
    assert "示例4" not in shown.output
    alone = tmp_path / "alone.json"
    alone.write_text(shown.output, encoding="utf-8")
    key = str(instance.verifier_key())
    checked = CliRunner().invoke(cli, ["check-receipt", str(alone), "--vkey", key])
    assert (checked.exit_code, "items 3" in checked.output) == (0, True), checked.output
    changed = json.loads(shown.output)
    changed["items"][0]["value"]["value"] = "91370000示例4"
    alone.write_text(json.dumps(changed), encoding="utf-8")
    refused = CliRunner().invoke(cli, ["check-receipt", str(alone), "--vkey", key])
    assert refused.exit_code == 1
    missing = CliRunner().invoke(cli, ["disclose", str(kept), "--item", "7"])
    assert missing.exit_code == 1


@pytest.mark.parametrize(
    "change",
    [
        {"path": "no list"},
        {"path": ["00"]},
        {"salt": "AA" * 32},
        {"salt": 5},
        {"index": "0"},
        {"index": True},
        {"more": 1},
    ],
)
def test_items_out_of_form_are_no_receipt(instance: Instance, change: dict[str, Any]) -> None:
    with instance.ledger() as book:
        value = book.receipt(0, with_openings=True).to_json()
    value["items"][0] |= change
    with pytest.raises(EntryError):
        Receipt.from_json(value)


def test_one_item_is_erased_and_all_others_still_prove(instance: Instance) -> None:
    with instance.ledger() as book:
        (said,) = erase(book, Erasure(0, "依据示范县自拟规则第一条", "sfj", ("items/3",)), LATER)
        assert said["fields"] == ["items/3"]
        receipt = book.receipt(0, with_openings=True)
        assert [item.index for item in receipt.items] == [0, 1, 2, 4, 5, 6]
        receipt.verify(instance.verifier_key())
        erase(book, Erasure(0, "依据示范县自拟规则第一条", "sfj", ("items/0", "query")), LATER)
        receipt = book.receipt(0, with_openings=True)
        assert ([item.index for item in receipt.items], receipt.openings) == ([1, 2, 4, 5, 6], {})
    verify_file(instance.ledger_path, instance.verifier_key())
    raw = instance.ledger_path.read_bytes()
    for part in ("示例3", "示例0"):
        assert part.encode() not in raw


@pytest.mark.parametrize("fields", [(), ("item_commitments",)])
def test_erasing_all_takes_every_item(instance: Instance, fields: tuple[str, ...]) -> None:
    with instance.ledger() as book:
        (said,) = erase(book, Erasure(0, "依据示范县自拟规则第一条", "sfj", fields), LATER)
        assert {f"items/{n}" for n in range(7)} | {"item_commitments"} <= set(said["fields"])
        assert book.receipt(0, with_openings=True).items == ()
        assert book._store.kept(0) == ([] if not fields else ["query"])


def test_an_item_that_is_not_there_is_not_erased(instance: Instance) -> None:
    with instance.ledger() as book, pytest.raises(ErasureRefusedError):
        erase(book, Erasure(0, "依据", "sfj", ("items/7",)), LATER)


def test_kinds_without_items_take_none(instance: Instance) -> None:
    with instance.ledger() as book, pytest.raises(LedgerError):
        batch = book.seal_items(openings(["x"]))
        failed = {key: SERVED[key] for key in ("requester", "auth", "resource", "route", "status", "elapsed_us")}
        book.append("query.failed", failed, batch=batch)
