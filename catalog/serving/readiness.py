"""Is this service fit to answer? What a load balancer and an operator ask, without a single datum in the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.service import Service
from catalog.serving.verifying import Verified
from ledger import BilingualError
from ledger.witnessing import OVERDUE, POLICY_FILE, anchored_size

#: An answer serves everybody who asks within this time: the checks take the ledger's write lock for a moment.
SAME_ANSWER_S = 1.0
#: Kinds of entries that the service writes of itself: they need no witness of their own to come.
_OWN_KINDS = frozenset({"checkpoint.anchored", "fault.raised"})
#: How far to look for the first entry that is not the service's own.
_LOOK_AHEAD = 1_000


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a service is not ready, or what to look at though it is."""

    what: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Witnessing:
    """How far the witnesses are behind.

    Attributes:
        size: entries in the newest checkpoint that a quorum cosigned.
        waiting_s: age of the oldest entry that waits for a quorum, seconds; 0 where none does.
    """

    size: int
    waiting_s: float


@dataclass(slots=True)
class Readiness:
    """What was found at one moment. Ready means: no reason against it."""

    at: str
    ledger: bool = True
    register: bool = True
    verified: Verified | None = None
    witnessing: Witnessing | None = None
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[Reason] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "ready": self.ready,
            "at": self.at,
            "ledger": {"writable": self.ledger},
            "register": {"readable": self.register},
            "verification": None,
            "witnesses": None,
        }
        if self.verified is not None:
            found["verification"] = {
                "ok": self.verified.ok,
                "at": self.verified.at,
                "whole_at": self.verified.whole_at,
                "size": self.verified.size,
            }
        if self.witnessing is not None:
            found["witnesses"] = {"size": self.witnessing.size, "waiting_s": round(self.witnessing.waiting_s)}
        for name, items in (("reasons", self.reasons), ("warnings", self.warnings)):
            found[name] = [{"what": item.what, "zh": item.zh, "en": item.en} for item in items]
        return found


class Checker:
    """Checks one service, at most once a second. Blocks: call it in a thread."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._last: tuple[float, Readiness] | None = None

    def check(self) -> Readiness:
        now = time.monotonic()
        if self._last is None or now - self._last[0] >= SAME_ANSWER_S:
            self._last = now, self._check()
        return self._last[1]

    def _check(self) -> Readiness:
        service = self._service
        found = Readiness(service.now().isoformat(timespec="seconds"))
        try:
            service.ledger.check_writable()
        except BilingualError as error:
            found.ledger = False
            found.reasons.append(Reason("ledger", error.en, error.zh))
        try:
            service.register.version()
            service.register.one("SELECT 1 FROM agencies LIMIT 1")
        except BilingualError as error:
            found.register = False
            found.reasons.append(Reason("register", error.en, error.zh))
        self._look_at_verification(found)
        self._look_at_witnesses(found)
        return found

    def _look_at_verification(self, found: Readiness) -> None:
        found.verified = verified = Verified.load(self._service.instance)
        if verified is None or not verified.en:
            return
        if verified.ok:
            found.warnings.append(Reason("verification", verified.en, verified.zh))
        else:
            en = f"the ledger was altered or is damaged: {verified.en}"
            found.reasons.append(Reason("verification", en, f"台账被改动或已损坏：{verified.zh}"))

    def _look_at_witnesses(self, found: Readiness) -> None:
        try:
            found.witnessing = waiting = witnessing(self._service)
        except BilingualError as error:  # the ledger: if it cannot be read that is a reason of its own
            found.ledger = False
            found.reasons.append(Reason("ledger", error.en, error.zh))
            return
        if waiting is not None and waiting.waiting_s > OVERDUE.total_seconds():
            hours = waiting.waiting_s / 3600
            # Not a reason: recording goes on without witnesses, and so must the service.
            found.warnings.append(
                Reason(
                    "witnesses",
                    f"entries wait for a quorum of witnesses since {hours:.1f} hours; see `liandong ledger status`",
                    f"有条目等待见证已 {hours:.1f} 小时；请查看 `liandong ledger status`",
                )
            )


def witnessing(service: Service) -> Witnessing | None:
    """How far the witnesses are; None where the instance has no policy. Raises :class:`LedgerError`."""
    if not (service.instance.path / POLICY_FILE).exists():
        return None
    size = anchored_size(service.ledger)
    newest = service.ledger.newest(1)
    end = newest[0]["seq"] + 1 if newest else 0
    for seq in range(size, min(end, size + _LOOK_AHEAD)):
        entry = service.ledger.entry(seq)
        if entry["kind"] not in _OWN_KINDS:
            waited = service.now() - datetime.fromisoformat(str(entry["t"]))
            return Witnessing(size, max(0.0, waited.total_seconds()))
    return Witnessing(size, 0.0)
