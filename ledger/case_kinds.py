"""The kinds of entries of the request desk: one kind, one act. What each act may follow is in :mod:`ledger.cases`.

Every kind but the program's own says who acted: the agency, the role in which it acts, the officer's role, the number
of the person in this case (docs/spec/cases.md, P3) and how they were known. All words are particulars: an entry holds
codes, counts and instants.
"""

from __future__ import annotations

from ledger.fields import AUTH, COUNT, HASH, IDENTIFIER, TIMESTAMP, Field, Kind, choice, list_of, text
from ledger.rule_kinds import DEADLINE_FIELDS

#: Roles in which an agency acts: a party to the case, the data authority (政务数据共享主管部门), the county's justice
#: bureau (县司法局, 行政执法监督机构) or its inspection office (县政府督查室). The operator acts in no case.
AGENCY_ROLES = ("agency", "data_authority", "justice", "inspection")
#: In which role the officer acts; ``system``: a program of the agency that signed or showed its token.
DUTIES = ("officer", "answerer", "approver", "system")
OFFICES = ("justice", "inspection")

CASE: dict[str, Field] = {"case": IDENTIFIER}
#: Who acted.
BY: dict[str, Field] = {
    **CASE,
    "by": IDENTIFIER,
    "by_role": choice(*AGENCY_ROLES),
    "by_duty": choice(*DUTIES),
    "by_person": COUNT.optional(),
    "auth": AUTH,
    "keyid": IDENTIFIER.optional(),
}
#: What an entry says of the deadline that it relies on, so that anybody can count again (DESIGN §3), and by how many
#: working days its clause lets it be extended.
CLOCK: dict[str, Field] = {**DEADLINE_FIELDS, "extension_days": COUNT.optional()}
#: How it came: over the desk, or on paper and by telephone with somebody writing it down.
_RECEIPT: dict[str, Field] = {"channel": choice("desk", "letter", "phone", "in_person"), "received_at": TIMESTAMP}
#: Attachments: how many, and of how many 保密审查 was declared; names and SHA-256 are the particular ``attachments``.
FILES: dict[str, Field] = {"files": COUNT.optional(), "files_reviewed": COUNT.optional()}
#: A table of subjects, or of answers to it, each provable alone: entry.md E20-E22.
_ITEMS: dict[str, Field] = {"items": COUNT.optional(), "items_root": HASH.optional()}
#: The ground of a refusal, and which of the fields that it demands were filled in (their values are a particular).
_GROUND: dict[str, Field] = {
    "ground": text(4),
    "citation": IDENTIFIER,
    "statute": text(100),
    "article": text(50),
    "covers": choice("whole", "part"),
    "demanded": list_of(IDENTIFIER),
    "register": HASH,
}
_GROUND_PARTICULARS = frozenset({"demanded_values", "reason", "withheld"})

_OFFICER = frozenset({"officer"})
_SIGNED = frozenset({"officer", "body_sha256", "signature_base", "signature"})
_NOTE = _OFFICER | {"note"}
_PURPOSE_PARTICULARS = frozenset({"reference", "purpose_text", "participants"})
_FILES = frozenset({"attachments"})

_REQUESTS = (
    Kind(
        "request.received",
        1,
        "收到请求",
        "Request received",
        # 19号 三(四); 条例 art. 20. Of a linked case: its parent, and how often it was passed on.
        {
            **BY,
            "requester": IDENTIFIER,
            "provider": IDENTIFIER,
            "resource": IDENTIFIER.optional(),
            "purpose": IDENTIFIER,
            "reference_kind": IDENTIFIER,
            "parent": IDENTIFIER.optional(),
            "redirects": COUNT.optional(),
            **_RECEIPT,
            **CLOCK,
            **FILES,
            **_ITEMS,
        },
        _SIGNED
        | _PURPOSE_PARTICULARS
        | _FILES
        | {"description", "application", "approver", "urgent_reason", "item_commitments"},
    ),
    Kind(
        "request.authenticated",
        1,
        "认证通过",
        "Request authenticated",
        {**BY, "method": choice("signature", "token", "session", "certificate", "letter", "phone")},
        _NOTE,
    ),
    Kind("request.auth_failed", 1, "认证未通过", "Request not authenticated", BY, _OFFICER | {"reason"}),
    Kind("request.supplement_asked", 1, "要求补充", "Supplement asked for", BY, _OFFICER | {"wanted"}),
    Kind(
        "request.supplemented",
        1,
        "已补充",
        "Request supplemented",
        {**BY, **FILES, **_ITEMS},
        _SIGNED | _FILES | {"supplement", "item_commitments"},
    ),
    Kind(
        "request.extension_asked",
        1,
        "申请延长期限",
        "Extension asked for",
        {**BY, "days": COUNT},
        _OFFICER | {"reason"},
    ),
    Kind(
        "request.extended",
        1,
        "同意延长期限",
        "Extension consented to",
        {**BY, "asked": COUNT, "days": COUNT, **CLOCK},
        _NOTE,
    ),
    Kind(
        "request.decided",
        1,
        "同意共享",
        "Sharing agreed to",
        # 条例 art. 21: the answer; art. 22: from it the time runs in which the data is to be supplied.
        {**BY, **CLOCK},
        _NOTE | {"terms"},
    ),
    Kind(
        "request.answered",
        1,
        "答复",
        "Request answered",
        {
            **BY,
            "result": choice("full", "partial", "no_record", "redirected", "delivered_offline"),
            "rows": COUNT.optional(),
            "carrier": choice("paper", "disc", "private_line", "other").optional(),
            "to": IDENTIFIER.optional(),
            "linked": IDENTIFIER.optional(),
            **FILES,
            **_ITEMS,
        },
        _SIGNED | _FILES | {"text", "answer_sha256", "item_commitments"},
    ),
    Kind("request.delivery_confirmed", 1, "确认收到", "Delivery confirmed", {**BY, "answer": COUNT}, _NOTE),
    Kind(
        "request.refusal_drafted",
        1,
        "不予提供拟稿",
        "Refusal drafted",
        {**BY, **_GROUND},
        _OFFICER | _GROUND_PARTICULARS,
    ),
    Kind(
        "request.refused",
        1,
        "不予提供",
        "Request refused",
        {**BY, "drafted": COUNT, **_GROUND},
        _OFFICER | _GROUND_PARTICULARS,
    ),
    Kind("request.withdrawn", 1, "撤回请求", "Request withdrawn", BY, _OFFICER | {"reason"}),
    Kind(
        "request.assigned",
        1,
        "指定提供单位",
        "Provider named",
        # A request that was passed on twice: the supervising office says who has it.
        {**BY, "to": IDENTIFIER, "linked": IDENTIFIER},
        _OFFICER | {"reason"},
    ),
)

_DISPUTES = (
    Kind(
        "request.disputed",
        1,
        "提出争议",
        "Dispute raised",
        # 条例 art. 28: the agencies negotiate, then the data authority, then the government.
        {**BY, "step": choice("negotiation", "data_authority", "government"), "about": COUNT.optional()},
        _OFFICER | {"reason"},
    ),
    Kind(
        "request.resolved",
        1,
        "争议处理结果",
        "Dispute step concluded",
        {**BY, "dispute": COUNT, "outcome": choice("provide", "stands", "not_settled")},
        _OFFICER | {"reason", "document"},
    ),
    Kind(
        "request.escalated",
        1,
        "提请监督",
        "Laid before a supervisor",
        {**BY, "to": choice(*OFFICES), "about": COUNT.optional()},
        _OFFICER | {"reason"},
    ),
    Kind(
        "request.reviewed",
        1,
        "监督认定",
        "Verdict of a supervisor",
        {**BY, "about": COUNT, "verdict": choice("upheld", "improper")},
        _OFFICER | {"reason"},
    ),
    Kind("fee.complained", 1, "收费投诉", "Fee complained of", BY, _NOTE),
)

_ORDERS = (
    Kind(
        "order.proposed",
        1,
        "提请制发监督决定书",
        "Decision proposed to the government",
        # 令825 art. 29: a weighty matter, or an order that was not heeded.
        {**BY, "cause": choice("weighty", "unheeded"), "unheeded": COUNT.optional()},
        _OFFICER | {"reason", "document"},
    ),
    Kind(
        "order.issued",
        1,
        "制发监督文书",
        "Supervision document issued",
        # 令825 arts. 27-29: 督办函, 意见书, 监督决定书; 督查意见 is the inspection office's.
        {
            **BY,
            "form": choice("urging_letter", "opinion", "decision", "inspection_opinion"),
            "issuer": choice("justice", "government", "inspection"),
            "to": IDENTIFIER,
            "about": COUNT.optional(),
            "proposed": COUNT.optional(),
            "report_due_at": TIMESTAMP.optional(),
        },
        _OFFICER | {"reason", "document"},
    ),
    Kind("order.reported", 1, "报送纠正情况", "Correction reported", {**BY, "order": COUNT}, _NOTE),
    Kind("order.objected", 1, "提出异议", "Objection raised", {**BY, "about": COUNT}, _OFFICER | {"reason"}),
    Kind(
        "order.objection_answered",
        1,
        "异议处理结果",
        "Objection answered",
        {**BY, "objection": COUNT, "outcome": choice("stands", "revoked")},
        _OFFICER | {"reason"},
    ),
    Kind(
        "superior.notified",
        1,
        "告知上一级主管部门",
        "Superior notified",
        # 令825 art. 42(2): of an agency that is led from above.
        {**BY, "agency": IDENTIFIER, "about": COUNT},
        _OFFICER | {"superior", "reason", "document"},
    ),
)

#: T3, T4 of the transfer checklist.
MATERIALS = (
    "letter",
    "fact_statement",
    "inspection_record",
    "scene_photos",
    "reports",
    "appraisal",
    "item_list",
    "other",
)
_TRANSFERS = (
    Kind(
        "transfer.notified",
        1,
        "移送通报",
        "Transfer notified",
        # 19号 三(三): whoever transfers a case tells the receiver first; the letter is due from that day.
        {
            **BY,
            "sender": IDENTIFIER,
            "receiver": IDENTIFIER,
            "transfer": choice("no_jurisdiction", "power_moved", "crime"),
            **_RECEIPT,
            **CLOCK,
        },
        _SIGNED | {"description", "receiver_person_role", "reference"},
    ),
    Kind(
        "transfer.step_recorded",
        1,
        "移送前措施记录",
        "Step before the transfer",
        # T5-T7: what was done first, evidence secured, and the call where force was needed at once.
        {
            **BY,
            "step": choice("corrective_measure", "no_corrective_measure", "stop_order", "evidence", "phone_notice"),
            "done_at": TIMESTAMP,
            "answered": choice("yes", "no").optional(),
            **FILES,
        },
        _NOTE | _FILES,
    ),
    Kind(
        "transfer.letter_sent",
        1,
        "发出移送函",
        "Transfer letter sent",
        {**BY, "materials": list_of(choice(*MATERIALS)), **FILES},
        _SIGNED | _FILES | {"letter_number", "note"},
    ),
    Kind(
        "transfer.answered",
        1,
        "接收或退回移送",
        "Transfer taken or returned",
        {**BY, "result": choice("taken", "returned")},
        _OFFICER | {"reason"},
    ),
    Kind(
        "transfer.assistance_asked",
        1,
        "请求配合",
        "Assistance asked for",
        {**BY, "want": choice("filed_records", "technical_appraisal", "handling_opinion")},
        _NOTE,
    ),
    Kind(
        "transfer.assistance_given",
        1,
        "提供配合",
        "Assistance given",
        {**BY, "asked": COUNT, **FILES},
        _NOTE | _FILES,
    ),
)

_CORRECTIONS = (
    Kind(
        "correction.received",
        1,
        "收到校核申请",
        "Correction asked for",
        # 条例 art. 26: of a row, or of what an entry of this log gave.
        {
            **BY,
            "requester": IDENTIFIER,
            "provider": IDENTIFIER,
            "resource": IDENTIFIER,
            "served": COUNT.optional(),
            **_RECEIPT,
            **CLOCK,
            **FILES,
        },
        _SIGNED | _FILES | {"description", "row"},
    ),
    Kind(
        "correction.answered",
        1,
        "校核结果",
        "Correction answered",
        {
            **BY,
            "result": choice("corrected", "upheld", "not_ours"),
            "where": choice("here", "source").optional(),
            "batch": IDENTIFIER.optional(),
        },
        _SIGNED | {"text"},
    ),
)

_PROGRAM = (
    Kind(
        "deadline.set",
        1,
        "期限确定",
        "Deadline set",
        # A calendar or a rule was adopted: what had no date gets one, and what had one keeps it.
        {**CASE, "cause": COUNT, **CLOCK},
    ),
    Kind(
        "reminder.sent",
        1,
        "提醒",
        "Reminder sent",
        {
            **CASE,
            "to": IDENTIFIER,
            "stop": choice("decided", "supplied", "sent"),
            "stage": choice("before_due", "due_today", "overdue"),
            "day": COUNT,
            "outbox": choice("smtp", "webhook"),
        },
        frozenset({"address"}),
    ),
    Kind(
        "office.named",
        1,
        "监督职责登记",
        "Supervising office named",
        # Which supervising agency is the justice bureau and which the inspection office.
        {"agency": IDENTIFIER, "office": choice(*OFFICES), "named_by": IDENTIFIER},
        _OFFICER,
    ),
)

#: All of them; the last group is written by the program or the operator, not in a case's course by a person.
ALL = (*_REQUESTS, *_DISPUTES, *_ORDERS, *_TRANSFERS, *_CORRECTIONS, *_PROGRAM)
