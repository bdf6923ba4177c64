"""The case that a request becomes where it is passed on (转办): begun at once by the same act, for the same requester.

Its entry follows the one that names it. Where a crash kept it back, whoever looks at the first case next begins it, in
the name of who passed it on: both ways are this one function.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.desk.rulebooks import clock_fields, sharing_class_of
from ledger import ConflictError
from ledger.cases import Act, Actor, Case, Words, draft_opening
from ledger.rules import deadline

if TYPE_CHECKING:
    from catalog.desk.desk import Desk

#: The letters of numbers of linked cases: the rest is their first case's number.
_LETTERS = {Act.QUERY: "rsuvwxyz", Act.APPLICATION: "bdefghij"}
#: What of the opening is said again, open and not; the data's name stays out: the new provider holds other data.
_FIELDS = ("requester", "purpose", "reference_kind")
_WORDS = (
    "reference", "purpose_text", "participants", "description", "application", "approver", "urgent_reason",
    "attachments",
)  # fmt: skip


def number_for(desk: Desk, case: Case) -> str:
    """The number of the case that ``case`` is passed on as: its own with another letter, which nothing has yet."""
    for letter in _LETTERS[case.act]:
        number = letter + case.id[1:]
        if not _begun(desk, number):
            return number
    raise ConflictError(
        f"{case.id} was passed on too often; a supervising office names who has it",
        f"{case.id} 转办次数过多；请由监督机构指定提供单位",
    )


def begin(desk: Desk, case: Case) -> None:
    """Begin the case that ``case`` was passed on as, unless it is begun. Raises as :meth:`Ledger.append`."""
    if case.linked is None or _begun(desk, case.linked):
        return
    cause = next(
        entry
        for seq in sorted(case.entries, reverse=True)
        if (entry := desk.ledger.entry(seq)).get("linked") == case.linked
    )
    first = desk.ledger.entry(case.opened)
    opened = desk.opened(case.opened)
    received = datetime.fromisoformat(cause["t"])
    reckoned = deadline(
        desk.rules.current(),
        case.act.value,
        received,
        sharing_class=sharing_class_of(desk.service, case.resource),
        urgent=case.target_at is not None,
    )
    words = {name: opened[name] for name in _WORDS if opened.get(name)}
    # What was erased since must keep nobody from the case: it is said to be gone, and where it was.
    for name in _needed(case):
        words.setdefault(name, f"（已抹除，见 {case.id}）")
    files = len(words.get("attachments", ()))
    fields = {
        **({"files": files, "files_reviewed": files} if files else {}),
        **{name: first[name] for name in _FIELDS if name in first},
        "provider": cause["to"],
        "parent": case.id,
        "redirects": case.redirects + 1,
        "channel": "desk",
        "received_at": cause["t"],
        **clock_fields(reckoned),
    }
    words.setdefault("description", case.resource or case.id)
    values = [value for _, value in desk.items(case.opened)] if first.get("items") else []
    batch = desk.seal(values)
    officer = desk.opened(cause["seq"]).get("officer")
    acting = _as_before(cause, officer)
    draft = draft_opening("request.received", case.linked, acting, desk.now(), fields, Words(words, batch))
    with contextlib.suppress(ConflictError):  # begun by somebody else at the same moment
        draft.append(desk.ledger)


def _needed(case: Case) -> tuple[str, ...]:
    """What an opening cannot be without (docs/spec/cases.md C7)."""
    urgent = ("urgent_reason", "approver") if case.target_at is not None else ()
    application = ("application", "approver") if case.act is Act.APPLICATION else ()
    return ("reference", *urgent, *application)


def _as_before(cause: Mapping[str, Any], officer: str | None) -> Actor:
    """Who passed it on. Where nobody knows any more which officer that was, the agency's system stands for them."""
    duty = cause["by_duty"] if officer is not None else "system"
    return Actor(cause["by"], cause["by_role"], duty, officer, cause["auth"], cause.get("keyid"))


def _begun(desk: Desk, number: str) -> bool:
    return bool(desk.ledger.newest(1, where={"case": number}))
