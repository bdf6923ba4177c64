"""The desk's words: codes of cases in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from catalog import i18n
from ledger import entries
from ledger.cases.states import STATE_WORDS, State
from ledger.rules.standing import ACT_WORDS, KIND_WORDS, STOP_WORDS

Words = tuple[str, str]  # Chinese, English

RESULTS: Mapping[str, Words] = {
    "full": ("全部提供", "given in full"),
    "partial": ("部分提供", "given in part"),
    "no_record": ("经查无记录", "no record"),
    "redirected": ("转由其他单位答复", "passed on to another agency"),
    "with_supervisor": ("再次转出，待指定", "passed on again, to be assigned"),
    "delivered_offline": ("线下交付", "delivered offline"),
    "refused": ("不予提供", "refused"),
    "refused_part": ("部分不予提供", "refused in part"),
    "letter": ("已发移送函", "letter sent"),
    "corrected": ("已更正", "corrected"),
    "upheld": ("原信息无误", "upheld"),
    "not_ours": ("非本单位信息", "not ours"),
    "improper": ("不当", "improper"),
    "taken": ("接收", "taken"),
    "returned": ("退回", "returned"),
}
CHANNELS: Mapping[str, Words] = {
    "desk": ("请求台", "the desk"),
    "letter": ("来函", "by letter"),
    "phone": ("电话", "by telephone"),
    "in_person": ("当面", "in person"),
}
METHODS: Mapping[str, Words] = {
    "signature": ("接口签名", "signature"),
    "token": ("接口令牌", "token"),
    "session": ("登录账号", "signed-in account"),
    "certificate": ("执法证件", "enforcement certificate"),
    "letter": ("公函和印章", "letter and seal"),
    "phone": ("回拨电话核实", "call back"),
}
CARRIERS: Mapping[str, Words] = {
    "paper": ("纸质", "paper"),
    "disc": ("光盘", "disc"),
    "private_line": ("专线", "private line"),
    "other": ("其他", "other"),
}
COVERS: Mapping[str, Words] = {
    "whole": ("所请求的全部", "all that was asked for"),
    "part": ("其中一部分，其余提供", "a part of it; the rest is supplied"),
}
TRANSFERS: Mapping[str, Words] = {
    "no_jurisdiction": ("不属于本部门管辖", "not in our jurisdiction"),
    "power_moved": ("行政处罚权已划转", "the power to punish was moved"),
    "crime": ("涉嫌犯罪（按相关法律规定办理）", "suspected crime (under the laws on it)"),
}
TRANSFER_STEPS: Mapping[str, Words] = {
    "corrective_measure": ("已先行纠错、改正", "put right first"),
    "no_corrective_measure": ("未先行纠错（写明原因）", "nothing put right first (say why)"),
    "stop_order": ("责令停止违法行为", "order to stop"),
    "evidence": ("录像、拍照固定证据", "evidence secured"),
    "phone_notice": ("现场电话告知", "call from the scene"),
}
MATERIALS: Mapping[str, Words] = {
    "letter": ("移送函", "letter"),
    "fact_statement": ("基本违法事实的书面材料", "statement of the facts"),
    "inspection_record": ("现场检查记录", "record of the inspection"),
    "scene_photos": ("现场照片", "photographs of the scene"),
    "reports": ("举报投诉材料", "reports and complaints"),
    "appraisal": ("检验报告、鉴定结论", "test report, appraisal"),
    "item_list": ("物品清单", "list of items"),
    "other": ("其他材料", "other"),
}
WANTS: Mapping[str, Words] = {
    "filed_records": ("备案资料", "filed records"),
    "technical_appraisal": ("技术鉴定", "technical appraisal"),
    "handling_opinion": ("处置参考意见", "opinion on handling"),
}
PLACES: Mapping[str, Words] = {
    "here": ("在本系统更正", "here, by a batch"),
    "source": ("在来源系统更正", "at its source"),
}
ORDERS: Mapping[str, Words] = {
    "urging_letter": ("行政执法监督督办函", "letter of demand"),
    "opinion": ("行政执法监督意见书", "opinion"),
    "decision": ("行政执法监督决定书（本级人民政府）", "decision (of the government)"),
    "inspection_opinion": ("督查意见", "inspection opinion"),
}
STEPS: Mapping[str, Words] = {
    "negotiation": ("双方协商", "negotiation"),
    "data_authority": ("数据主管部门协调", "mediation by the data authority"),
    "government": ("报本级人民政府决定", "decision of the government"),
}
OUTCOMES: Mapping[str, Words] = {
    "provide": ("应予提供，案件重新打开", "to be provided: the case opens again"),
    "stands": ("维持原答复，争议了结", "the answer stands: the dispute is over"),
    "not_settled": ("未达成一致", "no agreement"),
}
OFFICES: Mapping[str, Words] = {
    "justice": ("县司法局", "the justice bureau"),
    "inspection": ("县政府督查室", "the inspection office"),
}
TIMELINESS: Mapping[str, Words] = {
    "no_clock": (
        "没有有效期限：只列已用时间，不评按期或逾期",
        "no clock in force: elapsed time is shown, nobody is late",
    ),
    "unconfirmed": (
        "待确认：所跨年份的节假日安排尚未公布，不推算",
        "unconfirmed: the holidays of a year it runs into are not announced; nothing is guessed",
    ),
    "open": ("期限内", "in time so far"),
    "overdue": ("已逾期", "overdue"),
    "on_time": ("按期", "on time"),
    "late": ("迟于期限", "late"),
    "withdrawn": ("期限内撤回", "withdrawn in time"),
}


def word(table: Mapping[str, Words], code: str) -> str:
    """A code of a table in the reader's language; itself where the table lacks it."""
    return i18n.choose(*table[code]) if code in table else code


def state(code: str) -> str:
    """A state of a case."""
    en, zh = STATE_WORDS[State(code)]
    return i18n.choose(zh, en)


def act(code: str) -> str:
    """查询, 共享申请 …"""
    return i18n.choose(*ACT_WORDS[code])


def stop(code: str) -> str:
    """The event that stops a clock."""
    return i18n.choose(*STOP_WORDS[code])


def standing(code: str) -> str:
    """Statutory or the county's own: said beside every date."""
    return i18n.choose(*KIND_WORDS[code]) if code else ""


def kind(name: str) -> str:
    """A kind of entry."""
    found = entries.current(name)
    return i18n.choose(found.title_zh, found.title_en)
