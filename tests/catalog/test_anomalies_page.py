"""The page of flags: for supervising offices alone, recorded, and each judged once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from catalog.anomalies_page import period_text
from ledger import Instance
from tests.catalog.anomalies.history import asked, failed, turned_away
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

NOTE = "已电话核实，系年度专项检查（虚构）"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


def add(app: InProcess, fields: dict[str, Any], times: int = 1, **particulars: Any) -> int:
    """Entries as the service would make them, now."""
    plain = {name: value for name, value in fields.items() if name != "kind"}
    for _ in range(times):
        done = app.service.ledger.append(fields["kind"], plain, particulars=particulars)
    return done.seq


async def read(app: InProcess, path: str = "/anomalies", login: str = "sfj-1", **headers: str) -> str:
    response = await app.client.get(path, headers={**(await app.sign_in(login)), "accept-language": "en", **headers})
    assert response.status_code == 200, response.text
    return response.text


def flags_in(html: str) -> list[str]:
    return re.findall(r'<article class="flag" id="([^"]+)"', html)


def anomaly_in(html: str) -> str:
    found = re.search(r'name="anomaly" value="([^"]+)"', html)
    assert found is not None
    return found[1]


async def judge(app: InProcess, login: str = "sfj-1", **fields: str) -> Any:
    headers = {**(await app.sign_in(login)), "accept-language": "en"}
    return await app.client.post("/anomalies/review", data=fields, headers=headers)


async def test_without_anything_odd_it_says_so_and_the_look_is_recorded(app: InProcess) -> None:
    html = await read(app)
    assert "Nothing is beyond what is usual." in html
    entry = app.entries()[-1]
    assert (entry["kind"], entry["route"], entry["requester"]) == ("audit.read", "anomalies", "sfj")


async def test_a_flag_explains_itself_and_names_entries_and_no_officer(app: InProcess) -> None:
    seq = add(app, asked(rows=30_000, auth="session"), officer="zhzf-1", query="GET /x?name=某某某")
    html = await read(app)
    assert "Many rows at once" in html
    assert "30,000 rows in this hour" in html
    assert "too few to compare with" in html
    assert f'/ledger?before={seq + 1}">{seq}</a>' in html
    assert "zhzf-1" not in html
    assert "某某某" not in html
    chinese = await read(app, **{"accept-language": "zh"})
    assert "短时间内取得大量数据" in chinese
    assert "历史过少" in chinese


@pytest.mark.parametrize("login", ["zhzf-1", "zhzf-3", "sjj-1", "ywzx-1"])
async def test_others_do_not_see_it(app: InProcess, login: str) -> None:
    headers = await app.sign_in(login)
    assert (await app.client.get("/anomalies", headers=headers)).status_code == 403
    data = {"anomaly": "x", "verdict": "normal", "note": "x"}
    assert (await app.client.post("/anomalies/review", data=data, headers=headers)).status_code == 403
    assert (await app.client.get("/anomalies", headers=app.bearer())).status_code == 403


async def test_it_is_narrowed_by_agency_rule_and_state(app: InProcess) -> None:
    add(app, turned_away(), 30)
    add(app, failed("bjd", 25), query="GET /")
    assert len(flags_in(await read(app))) == 2
    assert len(flags_in(await read(app, "/anomalies?agency=bjd"))) == 1
    assert len(flags_in(await read(app, "/anomalies?rule=turned_away"))) == 1
    assert len(flags_in(await read(app, "/anomalies?state=open"))) == 2
    assert "No flag fits." in await read(app, "/anomalies?state=reviewed")
    assert "No flag fits." in await read(app, "/anomalies?agency=bjd&rule=turned_away")
    headers = await app.sign_in("sfj-1")
    for wrong in ("rule=nope", "state=nope", "before=x", "before=1-%27"):
        assert (await app.client.get(f"/anomalies?{wrong}", headers=headers)).status_code == 400


async def test_many_flags_are_in_pages(app: InProcess) -> None:
    for n in range(25):
        add(app, failed(f"unit{n}", 20), query="GET /")
    first = await read(app)
    assert len(flags_in(first)) == 20
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = await read(app, following[1].replace("&amp;", "&"))
    assert len(flags_in(second)) == 5
    assert not set(flags_in(first)) & set(flags_in(second))
    assert 'rel="next"' not in second


@pytest.mark.parametrize("verdict", ["normal", "incident"])
async def test_a_judgement_is_an_entry_once_with_a_sealed_note(app: InProcess, verdict: str) -> None:
    first = add(app, turned_away(), 30) - 29
    anomaly = anomaly_in(await read(app))
    response = await judge(app, anomaly=anomaly, verdict=verdict, note=NOTE, state="open")
    assert (response.status_code, response.headers["location"]) == (303, "/anomalies?state=open")
    (entry,) = [entry for entry in app.entries() if entry["kind"] == "anomaly.reviewed"]
    assert {name: entry[name] for name in ("anomaly", "rule", "agency", "by", "verdict")} == {
        "anomaly": anomaly,
        "rule": "turned_away",
        "agency": "zhzf",
        "by": "sfj",
        "verdict": verdict,
    }
    assert entry["entries"] == list(range(first, first + 30))
    assert set(entry["commit"]) == {"officer", "note"}
    assert NOTE not in str(entry)
    html = await read(app)
    assert NOTE in html
    assert "Justice Bureau" in html
    assert "sfj-1" not in html
    assert 'name="anomaly"' not in html
    again = await judge(app, login="dcs-1", anomaly=anomaly, verdict="normal", note="x" * 10)
    assert again.status_code == 409
    assert len([entry for entry in app.entries() if entry["kind"] == "anomaly.reviewed"]) == 1


async def test_what_comes_after_a_judgement_is_said(app: InProcess) -> None:
    add(app, turned_away(), 30)
    await judge(app, anomaly=anomaly_in(await read(app)), verdict="normal", note=NOTE)
    assert "More entries have come since." not in await read(app)
    add(app, turned_away())
    assert "More entries have come since." in await read(app)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"verdict": "normal", "note": ""}, "say in a note"),
        ({"verdict": "normal", "note": "x"}, "say in a note"),
        ({"verdict": "normal", "note": "x" * 501}, "say in a note"),
        ({"verdict": "", "note": NOTE}, "choose normal or incident"),
        ({"verdict": "guilty", "note": NOTE}, "choose normal or incident"),
    ],
)
async def test_a_judgement_that_says_nothing_is_asked_for_again(
    app: InProcess, fields: dict[str, str], said: str
) -> None:
    add(app, turned_away(), 30)
    response = await judge(app, anomaly=anomaly_in(await read(app)), **fields)
    assert response.status_code == 422
    assert said in response.text
    assert fields["note"][:500] in response.text
    assert not [entry for entry in app.entries() if entry["kind"] == "anomaly.reviewed"]
    assert (app.entries()[-1]["kind"], app.entries()[-1]["status"]) == ("audit.read", 422)


async def test_what_is_not_flagged_cannot_be_judged(app: InProcess) -> None:
    response = await judge(app, anomaly="bulk_rows:zhzf:work/penalties:2026-03-02t09", verdict="normal", note=NOTE)
    assert response.status_code == 404
    assert not [entry for entry in app.entries() if entry["kind"] == "anomaly.reviewed"]


async def test_an_administrator_of_the_office_reads_and_does_not_judge(app: InProcess) -> None:
    add(app, turned_away(), 30)
    anomaly = anomaly_in(await read(app))
    html = await read(app, login="sfj-3")
    assert flags_in(html)
    assert 'name="anomaly"' not in html
    assert (await judge(app, login="sfj-3", anomaly=anomaly, verdict="normal", note=NOTE)).status_code == 403


async def test_a_supervisors_system_reads_and_does_not_judge(app: InProcess, token_of: Callable[[str], str]) -> None:
    add(app, turned_away(), 30)
    headers = {"authorization": f"Bearer {token_of('sfj')}"}
    response = await app.client.get("/anomalies", headers=headers)
    assert response.status_code == 200
    data = {"anomaly": "turned_away:zhzf", "verdict": "normal", "note": NOTE}
    assert (await app.client.post("/anomalies/review", data=data, headers=headers)).status_code in (403, 404)


@pytest.fixture
def token_of(app: InProcess) -> Callable[[str], str]:
    from catalog.identity import tokens

    return lambda agency: tokens.add(app.service.register, app.service.ledger, agency, f"{agency}-sys", 1)


async def test_repeated_purposes_are_flags_too_and_stay_judged_as_they_grow(app: InProcess) -> None:
    fields = asked(purpose="case", rows=1)
    for n in range(6):
        add(app, fields, purpose_text="协助核实有关情况", reference=f"2026-{n}")
    html = await read(app)
    assert "The same purpose again and again" in html
    assert "the same words for 6 queries under 6 references" in html.lower()
    assert "协助核实有关情况" not in html
    await judge(app, anomaly=anomaly_in(html), verdict="incident", note=NOTE)
    add(app, fields, purpose_text="协助核实有关情况", reference="2026-9")
    html = await read(app, "/anomalies?rule=repeated-purpose")
    assert "7 queries under 7 references" in html
    assert NOTE in html
    assert "No flag fits." in await read(app, "/anomalies?rule=repeated-purpose&state=open")


async def test_a_long_ledger_is_looked_through_bit_by_bit(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    from catalog import anomalies_page
    from catalog.anomalies import shelf

    monkeypatch.setattr(shelf, "WINDOW", 20)
    monkeypatch.setattr(anomalies_page, "_AT_ONCE", 20)
    add(app, turned_away(), 60)
    assert "have still to be looked at" in await read(app)
    for _ in range(20):
        html = await read(app)
    assert "have still to be looked at" not in html
    assert flags_in(html)


def test_an_hour_is_said_from_and_to() -> None:
    assert period_text("2026-03-02t09") == "2026-03-02 09:00–10:00"
    assert period_text("2026-03-02t23") == "2026-03-02 23:00–24:00"
    assert period_text("2026-03-02") == "2026-03-02"
