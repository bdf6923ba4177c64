"""The desk over real HTTP between real processes: two officers at once, forms that keep what was typed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from ledger import Instance, Receipt
from ledger.cases import check_cases
from tests.conftest import Served, serving

ASK = {
    "act": "query",
    "provider": "scjg",
    "description": "示例企业近三年的行政处罚情况",
    "code": "case",
    "reference": "示执案〔2026〕17号",
}


@pytest.fixture(scope="module")
def served(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("desk") / "demo"
    shutil.copytree(demo_template, folder)
    with serving(Instance.open(folder), "--workers", "2") as running:
        yield running


@contextmanager
def browser(served: Served, login: str, language: str = "zh-CN") -> Iterator[httpx2.Client]:
    headers = {"accept": "text/html", "accept-language": language}
    with httpx2.Client(base_url=served.url, trust_env=False, headers=headers, timeout=30) as client:
        data = {"login": login, "password": served.passwords[login]}
        assert client.post("/sign-in", data=data).status_code == 302
        yield client


def ask(client: httpx2.Client, **change: str) -> str:
    response = client.post("/requests/new", data={**ASK, **change})
    assert response.status_code == 303, response.text
    return re.fullmatch(r".*/requests/([^/]+)/receipt", response.headers["location"])[1]  # type: ignore[index]


def seen(page: str) -> str:
    return re.search(r'name="seen" value="([0-9]+)"', page)[1]  # type: ignore[index]


def test_a_request_from_the_form_to_its_receipt_and_back(served: Served) -> None:
    with browser(served, "zhzf-1") as asker, browser(served, "scjg-1") as provider:
        number = ask(asker, subjects="示例企业（虚构）\t\t\n虚构建材厂\t\t")
        receipt = asker.get(f"/requests/{number}/receipt").text
        assert number in receipt and receipt.count('class="day day-') >= 4 and "起算日，当天不计入" in receipt
        assert number in asker.get("/requests/sent").text
        inbox = provider.get("/requests").text
        assert number in inbox and re.search(r"剩 [0-9] 个工作日|今日到期", inbox)
        page = provider.get(f"/requests/{number}").text
        assert "示例企业近三年的行政处罚情况" in page
        seq = re.search(rf"/requests/{number}/subjects/([0-9]+)", page)[1]  # type: ignore[index]
        assert "虚构建材厂" in provider.get(f"/requests/{number}/subjects/{seq}").text
        signed = Receipt.from_json(json.loads(asker.get(f"/requests/{number}/entries/{seq}.json").text))
        entry = signed.verify(served.instance.verifier_key())
        assert entry["case"] == number and entry["clock"] == "due"
        others = Receipt.from_json(json.loads(provider.get(f"/requests/{number}/entries/{seq}.json").text))
        assert "officer" in signed.openings and "officer" not in others.openings
        assert asker.post(f"/requests/{number}/withdraw", data={"reason": "已另行取得"}).status_code == 303
        assert "已撤回" in provider.get("/requests?show=closed").text


def test_of_two_officers_at_once_one_wins_and_the_other_is_told(served: Served) -> None:
    """Through two workers: both looked at the same state, both send at the same moment."""
    with browser(served, "zhzf-1") as asker:
        numbers = [ask(asker) for _ in range(6)]
        revisions = [seen(asker.get(f"/requests/{number}/withdraw").text) for number in numbers]
    came: dict[str, list[httpx2.Response]] = {number: [] for number in numbers}
    ready = threading.Barrier(2)

    def move(login: str, slug: str) -> None:
        with browser(served, login) as client:
            for number, revision in zip(numbers, revisions, strict=True):
                ready.wait(timeout=60)
                data = {"seen": revision, "note": f"{login} 写下的说明", "reason": f"{login} 写下的说明"}
                came[number].append(client.post(f"/requests/{number}/{slug}", data=data))

    threads = [threading.Thread(target=move, args=each) for each in (("zhzf-1", "withdraw"), ("zhzf-2", "fee"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, responses in came.items():
        assert sorted(response.status_code for response in responses) == [303, 409], number
        told = next(response for response in responses if response.status_code == 409)
        assert "已有人先行办理" in told.text and "写下的说明" in told.text


def test_what_was_typed_stays_whatever_is_wrong(served: Served) -> None:
    for language, words in (("zh-CN", "尚未发出"), ("en", "Nothing was sent")):
        with browser(served, "zhzf-1", language) as asker:
            typed = {
                **ASK,
                "reference": "示执案〔2026〕99号",
                "subjects": "甲,,\n,,只有备注",
                "application_scene": "场景甲",
            }
            response = asker.post("/requests/new", data=typed)
            assert response.status_code == 422 and words in response.text
            for text in ("示执案〔2026〕99号", "只有备注", "场景甲", ASK["description"]):
                assert text in response.text, text


@pytest.mark.parametrize(
    ("name", "content", "declared", "status"),
    [
        ("程序.exe", b"MZ", "1", 415),
        ("伪装.pdf", b"MZ", "1", 415),
        ("未声明.pdf", b"%PDF-1.7", "", 422),
        ("过大.pdf", b"%PDF-1.7" + b"x" * (10 * 2**20), "1", 413),
    ],
)
def test_a_file_that_is_not_taken_is_named_and_the_form_stays(
    served: Served, name: str, content: bytes, declared: str, status: int
) -> None:
    with browser(served, "zhzf-1") as asker:
        data = {**ASK, **({"files_reviewed": declared} if declared else {})}
        response = asker.post("/requests/new", data=data, files={"files": (name, content)})
        assert response.status_code == status and name in response.text and ASK["description"] in response.text
        assert not list((served.instance.path / "files").glob("??/*"))


def test_files_and_a_sheet_come_with_the_form(served: Served) -> None:
    with browser(served, "zhzf-1") as asker, browser(served, "scjg-1") as provider:
        sheet = "名称,代码\n甲公司（虚构）,\n".encode("gb18030")
        response = asker.post(
            "/requests/new",
            data={**ASK, "files_reviewed": "1"},
            files=[("files", ("立案文书.pdf", b"%PDF-1.7 x")), ("subjects_file", ("清单.csv", sheet))],
        )
        assert response.status_code == 303, response.text
        number = response.headers["location"].split("/")[-2]
        page = provider.get(f"/requests/{number}").text
        link = re.search(rf'href="([^"]*/requests/{number}/files/[0-9]+/0)"', page)[1]  # type: ignore[index]
        given = provider.get(link)
        assert given.content == b"%PDF-1.7 x" and "立案文书.pdf" in page
        entry = provider.get(f"/queries/{given.headers['ledger-entry']}").text  # opened to the agency that read it
        assert hashlib.sha256(given.content).hexdigest() in entry and link in entry
        assert given.headers["content-security-policy"] and given.headers["x-content-type-options"] == "nosniff"
        with browser(served, "bjd-1") as other:
            assert other.get(link).status_code == 404


def test_an_address_that_is_no_move_or_no_case_does_not_exist(served: Served) -> None:
    with browser(served, "zhzf-1") as asker:
        number = ask(asker)
        for path in (f"/requests/{number}/nothing", "/requests/q-20200101-00001", f"/requests/{number}/files/0/0"):
            assert asker.get(path).status_code == 404, path


def test_a_form_sent_twice_is_one_request(served: Served) -> None:
    with browser(served, "zhzf-1") as asker:
        once = "o" * 24
        assert ask(asker, once=once) == ask(asker, once=once)


def test_the_whole_log_is_in_order_at_the_end(served: Served) -> None:
    with served.instance.ledger() as ledger:
        entries = ledger.newest(100_000)[::-1]
    assert check_cases(entries) > 8
