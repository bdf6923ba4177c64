"""The moves of a case transfer (案件移送): steps before it, the letter, taken or returned, assistance.

Source: 源政办发〔2021〕19号 三(三), T1 to T8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.desk import words
from catalog.desk.ask import free_text, received_at
from catalog.desk.errors import DeskError
from catalog.desk.moves.base import FormField, Looking, MoveForm, Option, Said, chosen
from catalog.desk.moves.supervise import number_of
from catalog.query.shapes import ListOf, Text
from ledger import entries
from ledger.rules.deadlines import stamp


def _options(table: Mapping[str, words.Words]) -> list[Option]:
    return [Option(code, said) for code, said in table.items()]


def _steps(looking: Looking) -> Sequence[Option]:
    return _options(words.TRANSFER_STEPS)


def _materials(looking: Looking) -> Sequence[Option]:
    return [option for option in _options(words.MATERIALS) if option.value != "letter"]  # it always goes along


def _wants(looking: Looking) -> Sequence[Option]:
    return _options(words.WANTS)


def _yes_no(looking: Looking) -> Sequence[Option]:
    return [Option("yes", ("已接听", "yes")), Option("no", ("未接听", "no"))]


def _results(looking: Looking) -> Sequence[Option]:
    return [Option("taken", words.RESULTS["taken"]), Option("returned", words.RESULTS["returned"])]


def _owed(looking: Looking) -> Sequence[Option]:
    asked = looking.case.transfer.assistance if looking.case.transfer is not None else ()
    found = []
    for seq, given in asked:
        if not given:
            want = looking.desk.ledger.entry(seq).get("want", "")
            zh, en = words.WANTS.get(want, ("", ""))
            title = entries.current("transfer.assistance_asked")
            found.append(Option(str(seq), (f"第 {seq} 条 {title.title_zh} {zh}", f"entry {seq}: {en}")))
    return found


def _step(given: Mapping[str, Any], looking: Looking) -> Said:
    step = chosen(given, "step", _steps(looking))
    try:
        done = received_at({"received_at": given.get("done_at"), "local_time": True}, looking.now)
    except DeskError as error:
        raise DeskError("done_at", error.en, error.zh, code=error.code) from error
    fields = {"step": step, "done_at": stamp(done)}
    if step == "phone_notice":
        fields["answered"] = chosen(given, "answered", _yes_no(looking))
    return Said(fields, {"note": free_text(given, "note", required=True)})


def _letter(given: Mapping[str, Any], looking: Looking) -> Said:
    said = given.get("materials")
    picked = said if isinstance(said, list) else (given.get("lists") or {}).get("materials", [])
    materials = [code for code in words.MATERIALS if code in {"letter", *picked}]
    unknown = sorted(set(map(str, picked)) - set(words.MATERIALS))
    if unknown:
        raise DeskError("materials", f"no material {unknown[0][:40]!r}", f"没有这种材料：{unknown[0][:40]!r}")
    note = free_text(given, "note", required=False)
    return Said(
        {"materials": materials}, {"letter_number": free_text(given, "letter_number", required=True), "note": note}
    )


def _answer(given: Mapping[str, Any], looking: Looking) -> Said:
    result = chosen(given, "result", _results(looking))
    return Said({"result": result}, {"reason": free_text(given, "reason", required=result == "returned")})


def _ask(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said({"want": chosen(given, "want", _wants(looking))}, {"note": free_text(given, "note", required=False)})


def _give(given: Mapping[str, Any], looking: Looking) -> Said:
    return Said(
        {"asked": number_of(given, "asked", _owed(looking))}, {"note": free_text(given, "note", required=False)}
    )


_NOTE = FormField("note", "text", ("说明（可不填）", "Note (may be left empty)"))
FORMS = (
    MoveForm(
        "send-letter",
        "transfer.letter_sent",
        ("发出移送函", "Send the letter"),
        (
            "自通报之日起三个工作日内发出，有关材料、证据一并移送，不得压案不送。按清单勾选所附材料。",
            "Within three working days of the notice, with the materials and evidence. Tick what goes with it.",
        ),
        (
            FormField("letter_number", "line", ("移送函文号", "Number of the letter"), required=True),
            FormField(
                "materials",
                "checks",
                ("随移送函所附材料", "What goes with the letter"),
                options=_materials,
                shape=ListOf(Text(40, 1), 8),
            ),
            _NOTE,
        ),
        _letter,
        takes_files=True,
    ),
    MoveForm(
        "record-step",
        "transfer.step_recorded",
        ("记录移送前措施", "Record a step before the transfer"),
        (
            "先行的纠错、改正措施（没有的写明原因），责令停止、固定证据，以及需要立即采取强制措施时的现场电话告知。",
            "What was put right first (or why nothing), the order to stop, evidence secured, and the call "
            "from the scene "
            "where force is needed at once.",
        ),
        (
            FormField("step", "choice", ("措施", "Step"), required=True, options=_steps),
            FormField("done_at", "moment", ("何时", "When"), required=True),
            FormField("answered", "choice", ("电话告知是否接听", "Was the call answered"), options=_yes_no),
            FormField("note", "text", ("情况", "What was done"), required=True),
        ),
        _step,
        takes_files=True,
    ),
    MoveForm(
        "take",
        "transfer.answered",
        ("接收或退回移送", "Take or return the transfer"),
        (
            "退回的须写明理由。",
            "Returned with the reason.",
        ),
        (
            FormField("result", "choice", ("结果", "Result"), required=True, options=_results),
            FormField("reason", "text", ("理由（退回必填）", "Reason (where it is returned)")),
        ),
        _answer,
    ),
    MoveForm(
        "ask-assistance",
        "transfer.assistance_asked",
        ("请求配合", "Ask for assistance"),
        (
            "需要备案资料、技术鉴定、处置参考意见的，移送单位应积极配合。没有规定期限，用时如实显示。",
            "Filed records, a technical appraisal or an opinion, which the sender is to give. No time is set "
            "by rule; what it "
            "takes is shown.",
        ),
        (FormField("want", "choice", ("需要什么", "What is wanted"), required=True, options=_wants), _NOTE),
        _ask,
    ),
    MoveForm(
        "give-assistance",
        "transfer.assistance_given",
        ("提供配合", "Give assistance"),
        (
            "提供所请求的资料、鉴定或者意见。",
            "Give what was asked for.",
        ),
        (FormField("asked", "choice", ("对哪一条请求", "Which request"), required=True, options=_owed), _NOTE),
        _give,
        takes_files=True,
    ),
)
