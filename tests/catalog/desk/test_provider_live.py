"""The provider's pages over real HTTP: answering, the gate, the sheet, supervision; two officers answering at once."""

from __future__ import annotations

import io
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ledger import Instance
from ledger.cases import check_cases
from tests.catalog.desk.test_live import ask, browser, seen
from tests.conftest import Served, serving

ROWS = "决定书文号,当事人,罚款（元）\n示市监罚〔2026〕8号,甲公司（虚构）,00123\n"


@pytest.fixture(scope="module")
def served(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("provider") / "demo"
    shutil.copytree(demo_template, folder)
    with serving(Instance.open(folder), "--workers", "2") as running:
        yield running


def authenticated(served: Served, provider: str = "scjg", **change: str) -> str:
    with browser(served, "zhzf-1") as asker, browser(served, f"{provider}-1") as answerer:
        number = ask(asker, provider=provider, **change)
        sent = answerer.post(f"/requests/{number}/authenticate", data={"method": "session"})
        assert sent.status_code == 303, sent.text
    return number


def test_of_two_officers_answering_at_once_one_wins_and_the_other_is_told(served: Served) -> None:
    """Both looked at the same state; both answers leave at the same moment, through two workers."""
    numbers = [authenticated(served) for _ in range(5)]
    came: dict[str, list[httpx2.Response]] = {number: [] for number in numbers}
    with browser(served, "scjg-1") as answerer:
        revisions = [seen(answerer.get(f"/requests/{number}/answer").text) for number in numbers]
    ready = threading.Barrier(2)

    def answer(login: str) -> None:
        with browser(served, login) as client:
            for number, revision in zip(numbers, revisions, strict=True):
                ready.wait(timeout=60)
                data = {"seen": revision, "rows": ROWS, "text": f"{login} 的答复"}
                came[number].append(client.post(f"/requests/{number}/answer", data=data))

    threads = [threading.Thread(target=answer, args=(login,)) for login in ("scjg-1", "scjg-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, responses in came.items():
        assert sorted(response.status_code for response in responses) == [303, 409], number
        told = next(response for response in responses if response.status_code == 409)
        assert "已有人先行办理" in told.text and "的答复" in told.text and "示市监罚〔2026〕8号" in told.text
    with served.instance.ledger() as ledger:
        entries = ledger.newest(10_000)[::-1]
    answered = [entry["case"] for entry in entries if entry["kind"] == "request.answered"]
    assert sorted(answered) == sorted(numbers)
    check_cases(entries)


def test_an_answer_with_a_sheet_and_a_file_is_seen_by_the_requester_and_printed(served: Served) -> None:
    number = authenticated(served)
    with browser(served, "scjg-1") as answerer, browser(served, "zhzf-1") as asker:
        files = [
            ("files", ("处罚决定书.pdf", b"%PDF-1.7 x")),
            ("rows_file", ("清单.csv", ROWS.encode("gb18030"))),
        ]
        undeclared = answerer.post(f"/requests/{number}/answer", data={"text": "近三年一件"}, files=files)
        assert undeclared.status_code == 422 and "保密审查" in undeclared.text and "近三年一件" in undeclared.text
        assert (
            "示市监罚〔2026〕8号\t甲公司（虚构）\t00123" in undeclared.text
        )  # the sheet's rows stay, to be sent again
        data = {"text": "近三年一件", "files_reviewed": "1"}
        sent = answerer.post(f"/requests/{number}/answer", data=data, files=files)
        assert sent.status_code == 303, sent.text
        page = asker.get(f"/requests/{number}").text
        sheet = re.search(rf'href="([^"]*/requests/{number}/sheet/[0-9]+)"', page)
        table = re.search(rf'href="([^"]*/requests/{number}/subjects/[0-9]+)"', page)
        assert sheet is not None and table is not None
        assert "00123" in asker.get(table[1]).text
        for client in (asker, answerer):
            shown = client.get(sheet[1])
            assert shown.status_code == 200
            for words in ("行政执法信息查询结果单", number, "示执案〔2026〕17号", "00123", "处罚决定书.pdf", "印章"):
                assert words in shown.text, words
        assert "Result sheet" in asker.get(sheet[1], headers={"accept-language": "en"}).text
    with browser(served, "jtys-1") as other:
        assert other.get(sheet[1]).status_code == 404


def test_a_workbook_is_read_as_it_is(served: Served) -> None:
    number = authenticated(served)
    with browser(served, "scjg-1") as answerer:
        sent = answerer.post(f"/requests/{number}/answer", files={"rows_file": ("清单.xlsx", workbook())})
        assert sent.status_code == 303, sent.text
        broken = authenticated(served)
        refused = answerer.post(f"/requests/{broken}/answer", files={"rows_file": ("清单.xlsx", b"PK no workbook")})
        assert refused.status_code == 415


def workbook() -> bytes:
    cells = "".join(
        f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>{text}</t></is></c></row>'
        for number, text in ((1, "决定书文号"), (2, "示市监罚〔2026〕8号"))
    )
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{space}" xmlns:r="{rel}"><sheets><sheet name="a" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>'
        )
    return written.getvalue()


def test_the_gate_by_its_pages(served: Served) -> None:
    number = authenticated(served, "sthj")
    with browser(served, "sthj-1") as drafter, browser(served, "sthj-2") as approver:
        page = drafter.get(f"/requests/{number}/refuse").text
        assert "RG03" in page and "不得以保守秘密为由" in page
        found = drafter.get(f"/requests/{number}/refuse", params={"article": "环境保护法第五十七条"}).text
        assert "《生态环境法典》第一千二百四十二条废止" in found and "不能引用" in found
        bare = drafter.post(f"/requests/{number}/refuse", data={"reason": "涉密，不便提供"})
        assert bare.status_code == 422 and "RG01" in bare.text and "涉密，不便提供" in bare.text
        form = drafter.get(f"/requests/{number}/refuse", params={"ground": "RG03"}).text
        assert form.index("请求机关是否为办案需要查询") < form.index(
            "不得向任何单位和个人提供或者公开"
        )  # the exception first, then the text
        data = {
            "ground": "RG03",
            "citation": "zacf.136",
            "covers": "whole",
            "field_register_number": "FC-2026-7",
            "answer_case_need": "yes",
            "answer_state_provision": "no",
            "reason": "相关记录已依法封存",
        }
        stopped = drafter.post(f"/requests/{number}/refuse", data=data)
        assert stopped.status_code == 422 and "为办案需要查询的，封存不得对抗" in stopped.text
        assert "FC-2026-7" in stopped.text and "相关记录已依法封存" in stopped.text
        assert drafter.post(f"/requests/{number}/refuse", data={**data, "answer_case_need": "no"}).status_code == 303
        assert drafter.get(f"/requests/{number}/approve-refusal").status_code == 409
        shown = approver.get(f"/requests/{number}/approve-refusal").text
        assert "不得向任何单位和个人提供或者公开" in shown and "FC-2026-7" in shown
        assert approver.post(f"/requests/{number}/approve-refusal", data={"seen": seen(shown)}).status_code == 303
    with browser(served, "zhzf-1") as asker:
        page = asker.get(f"/requests/{number}").text
        assert "《治安管理处罚法》第一百三十六条" in page and "相关记录已依法封存" in page
        assert page.count("相关记录已依法封存") == 1  # the draft's words stay the provider's own


def test_a_supervisor_judges_and_each_look_is_recorded(served: Served) -> None:
    number = authenticated(served, "sthj")
    with browser(served, "sthj-1") as drafter, browser(served, "sthj-2") as approver:
        data = {"ground": "RG09", "citation": "jcf.18", "covers": "whole", "field_register_number": "JC-1",
                "answer_so_obtained": "yes"}  # fmt: skip
        sent = drafter.post(f"/requests/{number}/refuse", data=data)
        assert sent.status_code == 303, sent.text
        assert approver.post(f"/requests/{number}/approve-refusal", data={}).status_code == 303
    with browser(served, "zhzf-1") as asker:
        assert asker.get("/supervision").status_code == 403
        assert asker.get(f"/supervision/{number}").status_code == 403
        asker.post(f"/requests/{number}/escalate", data={"to": "justice", "reason": "提供方不是监察机关，事由不当"})
    with browser(served, "sfj-1") as justice, browser(served, "dcs-1") as inspection:
        assert number in justice.get("/supervision").text
        assert justice.get(f"/requests/{number}").status_code == 404
        page = justice.get(f"/supervision/{number}").text
        about = re.search(
            r'value="([0-9]+)"[^>]*>第 [0-9]+ 条 不予提供', justice.get(f"/supervision/{number}/review").text
        )
        assert about is not None and f"/supervision/{number}/review" in page
        sent = justice.post(
            f"/supervision/{number}/review",
            data={"about": about[1], "verdict": "improper", "reason": "提供方不是监察机关，引用条款不当"},
        )
        assert sent.status_code == 303 and sent.headers["location"].endswith(f"/supervision/{number}")
        assert inspection.get(f"/supervision/{number}/issue").text.count("督办函") < 4
    with served.instance.ledger() as ledger:
        reads = ledger.newest(100, where={"kind": "audit.read"})
    assert {"supervision", "supervised-case", "supervised-move"} <= {entry["route"] for entry in reads}


def test_a_redirect_leads_on_and_shows_the_whole_time(served: Served) -> None:
    number = authenticated(served)
    with browser(served, "scjg-1") as answerer, browser(served, "jtys-1") as other:
        data = {"to": "jtys", "text": "道路运输许可由交通运输局核发和管理"}
        assert answerer.post(f"/requests/{number}/redirect", data=data).status_code == 303
        linked = f"r{number[1:]}"
        assert linked in other.get("/requests").text
        page = other.get(f"/requests/{linked}").text
        assert number in page and "自首次收到起" in page
