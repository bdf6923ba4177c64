"""What came of a request, in one word, and whether that may be: denied, or recorded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from catalog.routes import Access, match
from tests.catalog.bypass.asking import Header, Request, Response
from tests.catalog.bypass.world import MAY_SEE, OWN_AFFAIR, Asker, World, canary

_RECORDED = {
    "query.served": "served",
    "query.referred": "referred",
    "query.refused": "refused",
    "query.failed": "failed",
    "audit.read": "audited",
}
#: Outcomes with which data leaves, and an entry says so.
GIVING = frozenset({"served", "audited"})
#: Outcomes with which nothing leaves.
SHUT = frozenset({"sign-in", "gone", "role", "wrong"})
#: What stands in for the outcome where no entry was made.
_DENIED = {401: "sign-in", 403: "role", 404: "gone", 405: "gone"}
#: What stands before the last line of an answer to POST /api/query, which names the entry: docs/spec/query.md.
_LAST_LINE = b'\n,"ledger":'
_SIGN_IN = "/sign-in?next="


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a request.

    Attributes:
        outcome: sign-in, gone, role, wrong, unavailable (denied without an entry); served, audited, referred, refused,
            failed (recorded); public, own, elsewhere (a redirect), which give nothing of the catalogue.
        seen: the planted values in the answer.
        faults: what must not be, in words.
    """

    outcome: str
    seen: frozenset[str]
    faults: tuple[str, ...]


def judge(world: World, asker: Asker, request: Request, response: Response, before: int) -> Verdict:
    """Judge an answer.

    Args:
        before: the ledger's size before the request.
    """
    entries = world.entries_from(before)
    outcome = _outcome(request, response, entries)
    everything = response.everything.lower()
    seen = frozenset(name for name in MAY_SEE if canary(name).encode() in everything)
    faults = [
        f"it holds a stored secret: {secret[:12]!r}…" for secret in world.secrets if secret in response.everything
    ]
    may = MAY_SEE if outcome in GIVING else OWN_AFFAIR if outcome == "own" else {}
    allowed = {name for name in seen if asker.name in may.get(name, ())}
    faults += [f"{asker.name} must not see the planted value {name!r} ({outcome})" for name in sorted(seen - allowed)]
    if entries:
        faults += _faults_of_entry(world, asker, request, response, entries)
    elif outcome in ("public", "own"):
        faults += _faults_of_unrecorded(asker, request)
    if request.method == "HEAD" and response.body:
        faults.append("an answer to HEAD has a body")
    return Verdict(outcome, seen, tuple(faults))


def _outcome(request: Request, response: Response, entries: list[dict[str, Any]]) -> str:
    for entry in entries:
        if entry["kind"] in _RECORDED:
            # Of the refusals of a day the first is one, and the others name it.
            return "refused" if "refused_by" in entry else _RECORDED[entry["kind"]]
    if 300 <= response.status < 400:
        return "sign-in" if response.header("location").startswith(_SIGN_IN) else "elsewhere"
    if response.status in _DENIED:
        return _DENIED[response.status]
    if response.status >= 500:
        return "unavailable" if response.status == 503 else f"broken {response.status}"
    if response.status >= 400:
        return "wrong"
    found = match(request.method, request.raw_path.decode("latin-1"))
    access = found.route.access if found else None
    return {Access.PUBLIC: "public", Access.SIGNED_IN: "own", Access.OPERATION: "own"}.get(access, "UNRECORDED")  # type: ignore[arg-type]


def _faults_of_entry(
    world: World, asker: Asker, request: Request, response: Response, entries: list[dict[str, Any]]
) -> list[str]:
    """An entry opens to this request, this asker and these bytes."""
    if len(entries) > 1:
        return [f"{len(entries)} entries for one request: {[entry['kind'] for entry in entries]}"]
    (entry,) = entries
    if entry["kind"] not in _RECORDED:
        return []  # something of the account or the desk: its own suite says what it holds
    opened = world.opened(entry["seq"])
    wanted = {
        "requester": (entry["requester"], asker.agency),
        "auth": (entry["auth"], asker.auth),
        "status": (entry["status"], response.status),
        "query": (opened.get("query", "").partition("\n")[0], f"{request.method} {request.target.decode('latin-1')}"),
        "officer": (opened.get("officer", ""), asker.login),
        "ledger-entry": (response.header("ledger-entry"), str(entry["seq"])),
        "cache-control": (response.header("cache-control"), "private, no-store"),
    }
    if asker.auth == "signature":
        wanted["signature"] = (bool(opened.get("signature")) and bool(opened.get("signature_base")), True)
    if request.method == "POST":
        wanted["body_sha256"] = (opened.get("body_sha256", ""), hashlib.sha256(request.body).hexdigest())
    if _RECORDED[entry["kind"]] in GIVING:
        given = _hashed(entry, response.body)
        wanted["answer_sha256"] = (opened.get("answer_sha256"), hashlib.sha256(given).hexdigest())
        wanted["size_bytes"] = (entry["size_bytes"], len(given))
    return [f"the entry's {name} is {got!r}, not {want!r}" for name, (got, want) in wanted.items() if got != want]


def _hashed(entry: dict[str, Any], body: bytes) -> bytes:
    """What of a body its entry's digest covers: all, but for the line that names the entry."""
    part, line, named = body.rpartition(_LAST_LINE)
    if not entry["route"].startswith("api-") or not line:
        return body
    ledger = json.loads(b'{"ledger":' + named)
    assert set(ledger) <= {"ledger", "receipt"}
    assert ledger["ledger"]["entry"] == entry["seq"]
    return part


def _faults_of_unrecorded(asker: Asker, request: Request) -> list[str]:
    found = match(request.method, request.raw_path.decode("latin-1"))
    if found is None:
        return ["something was answered at an address that is not on the list"]
    if asker.name == "anonymous" and found.route.access is not Access.PUBLIC:
        return ["an anonymous asker was answered at an address that is not public"]
    return []


def tried(world: World, asker: Asker, method: str, target: bytes | str, *more: Header, body: bytes = b"") -> Verdict:
    """What comes of a request; any fault in it fails the test."""
    raw = target.encode() if isinstance(target, str) else target
    request = Request(method, raw, more, body)
    before = world.size
    verdict = judge(world, asker, request, world.ask(asker, request), before)
    assert not verdict.faults, (asker.name, request.shown, verdict)
    return verdict
