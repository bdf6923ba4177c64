"""Signed queries: what the agency asked can be shown with its public key, and the client checks the answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from catalog import client
from catalog.attribution import AttributionError, check_attribution
from catalog.client import AnswerError, Question, load_key
from ledger import Receipt
from ledger.log.commitment import Opening, commit
from tests.conftest import Running

PURPOSE = {"code": "case", "reference": "示演立案〔2026〕17号"}
QUERY = {"filters": [{"column": "party_name", "op": "search", "value": "餐饮"}], "limit": 2, "purpose": PURPOSE}
BATCH = {
    "lookups": [
        {"database": "work", "table": "penalties", "column": "party_name", "value": f"示例餐饮店{n:03}"}
        for n in range(3)
    ],
    "purpose": PURPOSE,
}


def ask(running: Running, path: str, value: Any, *, indent: int | None = None) -> client.Asked:
    body = json.dumps(value, ensure_ascii=False, indent=indent).encode()
    return client.query(Question(running.url + path, body), load_key(running.key_file))


@pytest.mark.parametrize(("path", "value"), [("/api/query/work/penalties", QUERY), ("/api/query/batch", BATCH)])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_signed_query_is_answered_and_nobody_can_deny_it(
    running: Running, path: str, value: Any, indent: int | None
) -> None:
    asked = ask(running, path, value, indent=indent)
    vkey = running.instance.verifier_key()
    client.check(asked, vkey)
    shown = check_attribution(Receipt.from_json(asked.receipt), load_key(running.key_file).public_key(), vkey)
    assert (shown.method, shown.target_uri) == ("POST", running.url + path)
    assert json.loads(asked.receipt["entry"])["auth"] == "signature"


def test_the_receipt_of_a_query_holds_the_signed_body_itself(running: Running) -> None:
    asked = ask(running, "/api/query/work/penalties", QUERY, indent=1)
    said = asked.receipt["openings"]["query"]["value"]
    assert said.partition("\n")[2].encode() == asked.sent
    assert asked.receipt["openings"]["body_sha256"]["value"] == hashlib.sha256(asked.sent or b"").hexdigest()


def test_a_receipt_of_another_answer_is_refused(running: Running) -> None:
    asked = ask(running, "/api/query/work/penalties", QUERY)
    vkey = running.instance.verifier_key()
    first, _, last = asked.body.partition(b"\n")
    with pytest.raises(AnswerError):
        client.check(replace(asked, body=first.replace(b"2026", b"2025") + b"\n" + last), vkey)
    with pytest.raises(AnswerError):
        client.check(replace(asked, sent=b"{}"), vkey)
    # The last line is the server's word, which the receipt itself proves: it is not hashed.
    client.check(replace(asked, body=first + b"\n" + last.replace(b"receipt", b"Receipt")), vkey)


def test_a_body_that_is_not_the_signed_one_is_found(running: Running) -> None:
    asked = ask(running, "/api/query/work/penalties", QUERY)
    receipt = Receipt.from_json(asked.receipt)
    query = receipt.openings["query"]
    forged = Opening(query.salt, str(query.value).replace("餐饮", "运输"))
    entry = json.loads(receipt.entry)
    entry["commit"]["query"] = commit(forged.salt, "query", forged.value)
    again = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    changed = replace(receipt, entry=again, openings={**receipt.openings, "query": forged})
    with pytest.raises(AttributionError, match="body"):
        check_attribution(changed, load_key(running.key_file).public_key())
