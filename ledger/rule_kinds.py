"""The kinds of entries by which a county's rules change, and the fields of any entry that relies on a deadline.

Each of these entries holds all that it changes and the digest of what came out, so that whoever has the entries and the
register that the log began with can fold them again (:mod:`ledger.rules.adoption`).
"""

from __future__ import annotations

from ledger.fields import COUNT, DATE, HASH, IDENTIFIER, TIMESTAMP, Field, Kind, choice, list_of, text

_OFFICER = frozenset({"officer"})
_ACT = choice("query", "application", "correction", "transfer")
_STOP = choice("decided", "supplied", "sent")
_STANDING = choice("statutory", "local_standard")
#: Which earlier change of the rules it follows, by number; left out by the first. Two at once cannot follow the same.
_AFTER: dict[str, Field] = {"after": COUNT.optional()}

#: What an entry says of the deadline that it relies on (``ledger.rules.Deadline.fields``). ``clock`` is its state; a
#: due time is left out where there is none. ``target_at`` is a local target for what is urgent, never law.
DEADLINE_FIELDS: dict[str, Field] = {
    "act": _ACT,
    "stop": _STOP,
    "clock": choice("due", "unconfirmed", "no_clock", "at_once"),
    "clause": IDENTIFIER.optional(),
    "standing": _STANDING.optional(),
    "working_days": COUNT.optional(),
    "due_at": TIMESTAMP.optional(),
    "urgent_clause": IDENTIFIER.optional(),
    "target_at": TIMESTAMP.optional(),
    "register": HASH,
    "calendars": HASH,
}

RULE_KINDS = (
    Kind(
        "register.adopted",
        1,
        "规则库采用",
        "Register adopted",
        # The whole register and calendars, kept by their digests: with what a log begins, or after an update of them.
        {
            "register": HASH,
            "calendars": HASH,
            "software": text(100),
            "reason": text(500),
            "by": IDENTIFIER,
            **_AFTER,
        },
        _OFFICER,
    ),
    Kind(
        "rule.adopted",
        1,
        "条款采用",
        "Rule adopted",
        # A renewal, or the county's own service standard: one clause more. Without working_days its clock says at once.
        {
            "clause": IDENTIFIER,
            "number": text(100),
            "name_zh": text(200),
            "name_en": text(200),
            "level": choice("law", "administrative_regulation", "normative_document", "service_standard"),
            "standing": _STANDING,
            "article_zh": text(100),
            "article_en": text(100),
            "quote": text(2_000),
            "gist_en": text(2_000),
            "valid_from": DATE,
            "valid_to": DATE.optional(),
            "source": text(500),
            "act": _ACT.optional(),
            "start": choice("received", "decided", "notified").optional(),
            "stop": _STOP.optional(),
            "working_days": COUNT.optional(),
            "urgency": choice("ordinary", "urgent").optional(),
            "sharing_class": choice("unconditional", "conditional").optional(),
            "extension_days": COUNT.optional(),
            "extension_needs": list_of(choice("consent", "notice")).optional(),
            "by": IDENTIFIER,
            "register": HASH,
            **_AFTER,
        },
        _OFFICER,
    ),
    Kind(
        "rule.ended",
        1,
        "条款终止",
        "Rule ended",
        {
            "clause": IDENTIFIER,
            "valid_to": DATE,
            "reason": text(500),
            "by": IDENTIFIER,
            "register": HASH,
            **_AFTER,
        },
        _OFFICER,
    ),
    Kind(
        "rules.set",
        1,
        "计时设置",
        "Settings of clocks",
        {
            "day_ends": choice("midnight", "close_of_business"),
            "close_of_business": text(5),
            "at_once_target_minutes": COUNT,
            "reason": text(500),
            "by": IDENTIFIER,
            "register": HASH,
            **_AFTER,
        },
        _OFFICER,
    ),
    Kind(
        "ground.set",
        1,
        "事由启用停用",
        "Ground set",
        {
            "ground": text(4),
            "state": choice("enabled", "disabled"),
            "reason": text(500),
            "by": IDENTIFIER,
            "register": HASH,
            **_AFTER,
        },
        _OFFICER,
    ),
    Kind(
        "calendar.adopted",
        1,
        "日历采用",
        "Calendar adopted",
        # Holiday number n is holidays_zh[n], from first[n] to last[n].
        {
            "year": COUNT,
            "notice": text(100),
            "issued": DATE,
            "source": text(500),
            "holidays_zh": list_of(text(40)),
            "holidays_en": list_of(text(80)),
            "first": list_of(DATE),
            "last": list_of(DATE),
            "make_up": list_of(DATE),
            "by": IDENTIFIER,
            "calendars": HASH,
            **_AFTER,
        },
        _OFFICER,
    ),
)
