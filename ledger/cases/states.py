"""The words of a case: acts, states, parties, and what they are called. Pure names, no rules."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    """What is asked for: 查询, 共享申请, 校核, 案件移送. Each has its own clauses, start and stop (DESIGN §3)."""

    QUERY = "query"
    APPLICATION = "application"
    CORRECTION = "correction"
    TRANSFER = "transfer"


class Stop(StrEnum):
    """The event that stops a clock."""

    DECIDED = "decided"
    SUPPLIED = "supplied"
    SENT = "sent"


#: Which event stops the clock that the receipt starts. An application has a second one, from decision to supply.
FIRST_STOP = {
    Act.QUERY: Stop.SUPPLIED,
    Act.APPLICATION: Stop.DECIDED,
    Act.CORRECTION: Stop.DECIDED,
    Act.TRANSFER: Stop.SENT,
}


class State(StrEnum):
    """Where a case stands. Late, overdue, on time are no states but computed (:mod:`ledger.cases.timeliness`)."""

    RECEIVED = "received"
    AUTH_FAILED = "auth_failed"
    AUTHENTICATED = "authenticated"
    SUPPLEMENT_ASKED = "supplement_asked"
    DECIDED = "decided"
    PARTLY_ANSWERED = "partly_answered"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    NO_RECORD = "no_record"
    REDIRECTED = "redirected"
    WITH_SUPERVISOR = "with_supervisor"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    NOTIFIED = "notified"
    LETTER_SENT = "letter_sent"
    TAKEN = "taken"
    RETURNED = "returned"

    @property
    def is_open(self) -> bool:
        """Whether the provider still owes something."""
        return self in OPEN


OPEN = frozenset(
    {
        State.RECEIVED,
        State.AUTH_FAILED,
        State.AUTHENTICATED,
        State.SUPPLEMENT_ASKED,
        State.DECIDED,
        State.PARTLY_ANSWERED,
        State.DELIVERED,
        State.NOTIFIED,
    }
)

#: State: in English and in Chinese.
STATE_WORDS = {
    State.RECEIVED: ("received", "已收到"),
    State.AUTH_FAILED: ("not authenticated, the clock runs on", "认证未通过（计时不停）"),
    State.AUTHENTICATED: ("authenticated, to be answered", "已认证，待答复"),
    State.SUPPLEMENT_ASKED: ("waiting for the requester's supplement, the clock runs on", "待查询方补充（计时不停）"),
    State.DECIDED: ("agreed to, to be supplied", "已同意，待提供"),
    State.PARTLY_ANSWERED: ("answered in part, the rest still owed", "已部分答复，其余待办"),
    State.DELIVERED: ("delivered offline, not yet confirmed", "已线下交付，待确认"),
    State.ANSWERED: ("answered", "已答复"),
    State.NO_RECORD: ("answered: no record", "已答复：无记录"),
    State.REDIRECTED: ("passed on to another agency", "已转其他单位"),
    State.WITH_SUPERVISOR: ("passed on twice, a supervisor names the provider", "再次转出，待监督机构指定"),
    State.REFUSED: ("refused", "不予提供"),
    State.WITHDRAWN: ("withdrawn", "已撤回"),
    State.NOTIFIED: ("notified, the letter is owed", "已通报，待发移送函"),
    State.LETTER_SENT: ("letter sent, not yet taken", "已发移送函，待接收"),
    State.TAKEN: ("transfer taken", "移送已接收"),
    State.RETURNED: ("transfer returned", "移送被退回"),
}


class Party(StrEnum):
    """Who acts. In a transfer the sender owes the letter: it is the provider, and the receiver the requester."""

    REQUESTER = "requester"
    PROVIDER = "provider"
    DATA_AUTHORITY = "data_authority"
    JUSTICE = "justice"
    INSPECTION = "inspection"
    PROGRAM = "program"


PARTY_WORDS = {
    Party.REQUESTER: ("the requester", "查询方"),
    Party.PROVIDER: ("the provider", "提供方"),
    Party.DATA_AUTHORITY: ("the data authority", "数据主管部门"),
    Party.JUSTICE: ("the justice bureau", "司法局"),
    Party.INSPECTION: ("the inspection office", "督查室"),
    Party.PROGRAM: ("the program", "系统"),
}

DUTY_WORDS = {
    "officer": ("officer", "查询人员"),
    "answerer": ("answerer", "经办人"),
    "approver": ("approver", "负责人"),
    "system": ("system", "业务系统"),
}
