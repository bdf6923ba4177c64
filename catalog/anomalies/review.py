"""A supervising office's judgement of a flag, *normal* or *incident*, once: an entry that all can hold it to."""

from __future__ import annotations

from catalog.anomalies.rules import Flag
from catalog.errors import ForbiddenError, RequestError
from catalog.identity import duties
from catalog.identity.actor import Actor
from ledger import Appended, ConflictError, Ledger

KIND = "anomaly.reviewed"
VERDICTS = ("normal", "incident")
MAX_NOTE_LENGTH = 500


def review(ledger: Ledger, flag: Flag, verdict: str, note: str, actor: Actor) -> Appended:
    """Record what ``actor``'s office finds about a flag. The note and who wrote it are particulars.

    Raises:
        DutyError: 403, not an officer of a supervising office.
        RequestError: 409, it was reviewed before; 422, no verdict, or no note.
        LedgerUnavailableError: nothing was recorded.
    """
    duties.require(actor, "anomaly.review")
    if actor.officer is None:
        raise ForbiddenError(
            "in-person", "anomalies are reviewed by an officer who is signed in", "异常由人员登录后核查"
        )
    if verdict not in VERDICTS:
        raise RequestError(422, "choose normal or incident", "请选择“正常”或“事件”")
    text = note.strip()
    if not 2 <= len(text) <= MAX_NOTE_LENGTH:
        raise RequestError(
            422,
            f"say in a note of up to {MAX_NOTE_LENGTH} characters what was found",
            f"请写明核查情况，不超过 {MAX_NOTE_LENGTH} 字",
        )
    fields = {
        "anomaly": flag.id,
        "rule": flag.rule,
        "agency": flag.agency,
        "by": actor.agency,
        "verdict": verdict,
        # The first ones and the newest: whoever looks later sees how far this judgement went.
        "entries": sorted({*flag.entries, flag.last}),
    }
    try:
        return ledger.append(
            KIND, fields, particulars={"officer": actor.officer, "note": text}, once=(f"{KIND}:{flag.id}",)
        )
    except ConflictError as error:
        raise RequestError(
            409,
            "this was reviewed before; what was found then stands in the ledger",
            "该项已经核查过，结论已记入台账",
        ) from error
