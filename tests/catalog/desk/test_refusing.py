"""No refusal without a ground in force that day: the gate over a real ledger, from a draft to its approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from catalog.administration import Administration
from catalog.desk import gate
from catalog.desk.errors import DeskError, NotAllowedError
from catalog.desk.gate import RefusalError
from catalog.identity.duties import DutyError
from ledger.cases import State, check_cases
from ledger.erasure import Erasure, erase
from ledger.errors import MoveError
from tests.catalog.desk.conftest import Office

INFORMANT = {
    "ground": "RG11",
    "citation": "hjfd.146",
    "field_withheld": "举报人姓名和联系方式",
    "answer_identity_only": "yes",
}
SEALED = {
    "ground": "RG03",
    "citation": "zacf.136",
    "covers": "whole",
    "field_register_number": "FC-2026-7",
    "answer_case_need": "no",
    "answer_state_provision": "no",
}
SECRET = {
    "ground": "RG01",
    "citation": "bmf.13",
    "covers": "whole",
    "field_original_authority": "示范市某局",
    "field_secrecy_level": "秘密",
    "field_classified_on": "2025-01-10",
    "field_secret_until": "2034-01-09",
    "field_register_number": "DJ-2026-3",
    "answer_authorised": "yes",
    "answer_outside_scope": "yes",
}


@pytest.fixture
def asked(office: Office) -> str:
    number = office.ask(provider="sthj", description="某企业近三年被举报和查处的情况").number
    office.send("sthj-1", number, "authenticate", method="session")
    return number


def state(office: Office, number: str) -> State:
    return office.desk.case(office.of("zhzf-1").actor, number).state


def enable(office: Office, code: str, login: str = "sfj-2") -> None:
    service = office.service
    Administration(service.instance, service.register, service.ledger, office.of(login).actor).set_ground(
        code, enabled=True, reason="示范县司法局研究决定（虚构）"
    )


def refused(office: Office, number: str, given: Mapping[str, Any], login: str = "sthj-1") -> RefusalError:
    """What the gate says; nothing may have been stored."""
    size = office.service.ledger.size()
    with pytest.raises(RefusalError) as caught:
        office.send(login, number, "refuse", **given)
    assert office.service.ledger.size() == size
    assert not caught.value.decision.allowed
    assert caught.value.decision.lawful_zh and caught.value.decision.lawful_en
    return caught.value


def test_article_57_is_refused_since_the_code_repealed_it_and_146_holds_once_the_bureau_enabled_it(
    office: Office, asked: str
) -> None:
    repealed = refused(office, asked, {**INFORMANT, "citation": "hbf.57"})
    assert repealed.code == "repealed" and repealed.field == "citation"
    assert "《生态环境法典》第一千二百四十二条废止，2026-08-14 后失效" in repealed.decision.reason_zh
    assert "《生态环境法典》第一百四十六条" in repealed.decision.lawful_zh and "县司法局" in repealed.decision.lawful_zh
    assert refused(office, asked, INFORMANT).code == "not_enabled"
    with pytest.raises(DutyError):
        enable(office, "RG11", "dcs-2")  # 督查室 supervises too, but that is not its to say
    enable(office, "RG11")
    assert refused(office, asked, {**INFORMANT, "citation": "hbf.57"}).code == "repealed"
    assert refused(office, asked, {**INFORMANT, "covers": "whole"}).code == "part_only"
    assert refused(office, asked, {**INFORMANT, "answer_identity_only": "no"}).code == "exception"
    office.send("sthj-1", asked, "answer-part", rows="处理决定\t日期\n责令改正\t2026-09-01\n")
    drafted = office.send("sthj-1", asked, "refuse", **INFORMANT)
    assert state(office, asked) is State.PARTLY_ANSWERED
    done = office.send("sthj-2", asked, "approve-refusal")
    assert state(office, asked) is State.ANSWERED  # the rest was served: answered, not refused
    entry = office.desk.ledger.entry(done.seq)
    assert (entry["ground"], entry["article"], entry["covers"]) == ("RG11", "第一百四十六条第一款", "part")
    assert entry["drafted"] == drafted.seq and entry["by_person"] == 2
    assert office.desk.opened(done.seq)["withheld"] == "举报人姓名和联系方式"
    assert check_cases(office.service.ledger.newest(10_000)[::-1]) == 1


def test_a_good_ground_refuses_the_whole(office: Office, asked: str) -> None:
    office.send("sthj-1", asked, "refuse", **SEALED)
    office.send("sthj-2", asked, "approve-refusal")
    assert state(office, asked) is State.REFUSED


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"answer_case_need": "yes"}, "exception"),  # 国家机关办案需要
        ({"answer_state_provision": "yes"}, "exception"),
        ({"answer_case_need": ""}, "question_open"),
        ({"field_register_number": ""}, "field_missing"),
        ({"field_register_number": "关于某某案的封存决定"}, "field_malformed"),
        ({"covers": ""}, "scope"),
        ({"citation": ""}, "unknown_article"),
        ({"citation": "zacf.999"}, "unknown_article"),
        ({"ground": "RG99"}, "unknown_ground"),
        ({"ground": "RG12", "citation": "gbf.34"}, "not_enabled"),
        ({"ground": "RG11", "citation": "cpzl.10"}, "unverified"),
        ({"reason": "本局领导指示不予提供"}, "questioned"),
        ({"reason": "机密★20年"}, "classified_marking"),
        ({"reason": "当事人 11010519491231002X 的记录已封存"}, "id_number"),
    ],
)
def test_what_is_rejected_says_why_and_what_would_be_lawful(
    office: Office, asked: str, change: Mapping[str, str], code: str
) -> None:
    assert refused(office, asked, {**SEALED, **change}).code == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("涉密，不宜提供", "NL01"),
        ("依照本局内部规定不对外提供", "NL02"),
        ("领导不同意", "NL03"),
        ("依据行政处罚法第五十条", "NL04"),
        ("系统尚未对接", "NL08"),
        ("材料不全", "NL09"),
        ("对方未缴费", "NL10"),
        ("联动执法方案待批准", "NL11"),
        ("暂时比较忙", "no_ground"),
    ],
)
def test_the_negative_list_is_never_a_ground(office: Office, asked: str, words: str, code: str) -> None:
    assert refused(office, asked, {"reason": words}).code == code
    if code.startswith("NL"):
        assert refused(office, asked, {"ground": code}).code == code


def test_words_that_were_thought_over_are_confirmed_and_stand(office: Office, asked: str) -> None:
    given = {**SEALED, "reason": "本局领导指示补正后另行告知"}
    assert "NL03" in refused(office, asked, given).decision.lawful_zh
    office.send("sthj-1", asked, "refuse", **given, lists={"confirmed": ["NL03"]})
    office.send("sthj-2", asked, "approve-refusal")


def test_a_state_secret_names_organ_level_date_and_term_and_no_document(office: Office, asked: str) -> None:
    assert refused(office, asked, {**SECRET, "field_secret_until": "2036-01-11"}).code == "term_too_long"
    assert refused(office, asked, {**SECRET, "field_secret_until": "2026-01-01"}).code == "day_not_before_refusal"
    assert refused(office, asked, {**SECRET, "field_secret_until": ""}).code == "term_missing"
    assert refused(office, asked, {**SECRET, "reason": "见示发〔2025〕3号"}).code == "document_named"
    size = office.service.ledger.size()
    with pytest.raises(DeskError) as named:
        office.send("sthj-1", asked, "refuse", **{**SECRET, "covers": "part", "withheld": "示发〔2025〕3号的附件"})
    assert (named.value.code, named.value.field) == ("document_named", "withheld")
    assert office.service.ledger.size() == size
    office.send("sthj-1", asked, "refuse", **SECRET)
    office.send("sthj-2", asked, "approve-refusal")
    assert state(office, asked) is State.REFUSED


def test_a_call_says_the_same_as_a_form(office: Office, asked: str) -> None:
    call = {
        "ground": "RG03",
        "citation": "zacf.136",
        "covers": "whole",
        "fields": {"register_number": "FC-2026-7"},
        "answers": {"case_need": False, "state_provision": False},
        "confirmed": [],
    }
    assert refused(office, asked, {**call, "answers": {"case_need": True}}).code == "exception"
    office.send("sthj-1", asked, "refuse", **call)


# -- two officers -----------------------------------------------------------------------------------------------------


def test_nobody_approves_their_own_draft(office: Office, asked: str) -> None:
    office.send("sthj-1", asked, "refuse", **SEALED)
    assert "approve-refusal" not in office.offered("sthj-1", asked)  # an answerer approves nothing
    office.send("sthj-2", asked, "answer-none", text="经查本局 2023 年至 2026 年案件库无相关记录")
    again = office.ask(provider="sthj", description="某企业近三年被举报和查处的情况").number
    office.send("sthj-1", again, "authenticate", method="session")
    with pytest.raises(RefusalError) as alone:  # the only approver would have to approve what they drafted
        office.send("sthj-2", again, "refuse", **SEALED)
    assert alone.value.code == "approver_missing"


def test_an_answer_makes_a_draft_void(office: Office, asked: str) -> None:
    office.send("sthj-1", asked, "refuse", **SEALED)
    office.send("sthj-1", asked, "answer-part", rows="年度\t件数\n2026\t1\n")
    assert "approve-refusal" not in office.offered("sthj-2", asked)
    with pytest.raises(DeskError):
        office.send("sthj-2", asked, "approve-refusal")


def test_under_other_rules_a_draft_is_drafted_anew(office: Office, asked: str) -> None:
    office.send("sthj-1", asked, "refuse", **SEALED)
    enable(office, "RG12")
    with pytest.raises(DeskError) as caught:
        office.send("sthj-2", asked, "approve-refusal")
    assert caught.value.code == "rules_changed" and caught.value.status == 409


def test_the_requester_refuses_nothing(office: Office, asked: str) -> None:
    with pytest.raises((NotAllowedError, DeskError)):
        office.send("zhzf-1", asked, "refuse", **SEALED)


# -- what the ledger knows --------------------------------------------------------------------------------------------


def test_not_shared_is_only_what_was_published_so_before_the_request(office: Office, asked: str) -> None:
    given = {
        "ground": "RG16",
        "citation": "d809.14",
        "covers": "whole",
        "field_published_on": "2026-01-05",
        "field_catalog_basis": "示范条例第三条",
    }
    published = office.service.ledger.newest(1, where={"kind": "resource.published"})[0]["seq"]
    for entry in (str(published), "999999", "12x"):
        assert refused(office, asked, {**given, "field_catalog_entry": entry}).code == "not_listed"
    suspension = {
        "ground": "RG18",
        "citation": "d809.27",
        "covers": "whole",
        "field_suspension": "s-0001",
        "field_suspended_on": "2026-01-05",
    }
    assert refused(office, asked, suspension).code == "not_suspended"


def test_an_article_is_found_by_the_words_that_people_use(office: Office) -> None:
    register = office.desk.rules.current().register
    (today,) = {office.looking("scjg-1", office.ask().number).now.date()}
    for words in ("环境保护法第五十七条", "《环境保护法》 第五十七条", "环境保护法第五十七条第三款"):
        (found,) = gate.look_up(register, words, today)
        assert found.citation.id == "hbf.57" and found.why is not None and "废止" in found.why[0]
    (sealed,) = gate.look_up(register, "治安管理处罚法第一百三十六条", today)
    assert sealed.why is None
    assert gate.look_up(register, "某部门规章第三条", today) == [] == gate.look_up(register, "", today)


# -- asked again ------------------------------------------------------------------------------------------------------


def test_the_log_is_asked_again_and_a_refusal_that_no_gate_saw_is_found(office: Office, asked: str) -> None:
    again = gate.recheck(office.service.ledger, office.desk.rules)
    office.send("sthj-1", asked, "refuse", **SECRET)
    done = office.send("sthj-2", asked, "approve-refusal")
    assert check_cases(office.service.ledger.newest(10_000)[::-1], gate=again) == 1
    # Words that were erased cannot be asked about; the article still is.
    erase(office.service.ledger, Erasure(done.seq, "示例规定", "sfj", law_requires="示例法"), office.desk.now())
    assert check_cases(office.service.ledger.newest(10_000)[::-1], gate=again) == 1
    other = office.ask(provider="sthj", description="某企业近三年被举报和查处的情况").number
    office.send("sthj-1", other, "authenticate", method="session")
    forged = {
        "ground": "RG11",
        "citation": "hbf.57",
        "statute": "环境保护法",
        "article": "第五十七条第三款",
        "covers": "whole",
        "demanded": [],
        "register": office.desk.rules.current().register.digest,
    }
    drafted = office.move("sthj-1", other, "request.refusal_drafted", forged)  # past the gate, as a defect would
    office.move("sthj-2", other, "request.refused", {"drafted": drafted.seq, **forged})
    entries = office.service.ledger.newest(10_000)[::-1]
    assert check_cases(entries) == 2  # in form
    with pytest.raises(MoveError) as caught:
        check_cases(entries, gate=again)
    assert caught.value.rule == "G23" and "废止" in caught.value.zh


def test_a_refusal_by_rules_that_were_not_in_force_is_found(office: Office, asked: str) -> None:
    before = office.desk.rules.current().register.digest
    enable(office, "RG12")
    old = {
        "ground": "RG03",
        "citation": "zacf.136",
        "statute": "治安管理处罚法",
        "article": "第一百三十六条",
        "covers": "whole",
        "demanded": [],
        "register": before,
    }
    drafted = office.move("sthj-1", asked, "request.refusal_drafted", old)
    office.move("sthj-2", asked, "request.refused", {"drafted": drafted.seq, **old})
    with pytest.raises(MoveError, match="not in force"):
        check_cases(
            office.service.ledger.newest(10_000)[::-1],
            gate=gate.recheck(office.service.ledger, office.desk.rules),
        )
