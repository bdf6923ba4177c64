"""The gate: who is let in, what is recorded, and that nothing leaves unrecorded."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterator

import pytest

from catalog.plugin import build
from catalog.routes import Access
from catalog.service import Service
from ledger import Instance, Receipt
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

TABLE = "/directory/resources.json?_size=2"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


def error_shape(body: dict[str, object], status: int) -> None:
    """Datasette's one JSON error shape, with both languages beside it."""
    assert body["ok"] is False
    assert body["status"] == status
    assert body["errors"] == [body["error"]]
    assert {body["error_zh"], body["error_en"]} >= {body["error"]}


# -- anonymous --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [TABLE, "/", "/directory.json", "/work/penalties/1.json", "/nowhere", "/ledger"])
async def test_anonymous_programs_get_401_in_the_standard_shape_and_no_data(app: InProcess, path: str) -> None:
    before = len(app.entries())
    response = await app.client.get(path)
    assert response.status_code == 401
    error_shape(response.json(), 401)
    assert response.headers["www-authenticate"] == "Bearer"
    assert len(app.entries()) == before


async def test_anonymous_browsers_are_led_to_sign_in_and_back(app: InProcess) -> None:
    response = await app.client.get("/directory/resources?name__contains=许可", headers={"accept": "text/html"})
    assert response.status_code == 302
    assert response.headers["location"].startswith("/sign-in?next=/directory/resources%3Fname__contains")


async def test_the_sign_in_page_and_the_checkpoint_are_public(app: InProcess) -> None:
    assert (await app.client.get("/sign-in")).status_code == 200
    checkpoint = await app.client.get("/log/checkpoint")
    assert checkpoint.text.startswith("shifan.example/liandong\n")
    assert (await app.client.get("/log/vkey")).text.strip() == str(app.service.ledger.verifier_key)


async def test_errors_are_in_the_readers_language(app: InProcess) -> None:
    english = await app.client.get(TABLE, headers={"accept-language": "en-GB,en;q=0.9"})
    chinese = await app.client.get(TABLE, headers={"accept-language": "fr"})
    assert english.json()["error"] == english.json()["error_en"]
    assert chinese.json()["error"] == chinese.json()["error_zh"]


# -- recorded answers -------------------------------------------------------------------------------------------------


async def test_an_answer_names_its_entry_and_the_entry_says_what_was_asked(app: InProcess) -> None:
    response = await app.client.get(TABLE, headers=app.bearer(purpose=""))
    assert response.status_code == 200
    entry = app.entries()[int(response.headers["ledger-entry"])]
    assert entry["kind"] == "query.served"
    assert (entry["requester"], entry["auth"], entry["resource"], entry["route"]) == (
        "zhzf",
        "token",
        "directory/resources",
        "table",
    )
    assert (entry["status"], entry["format"], entry["rows"]) == (200, "json", 2)
    assert entry["size_bytes"] == len(response.content)
    assert entry["elapsed_us"] > 0
    assert set(entry["commit"]) == {"query", "answer_sha256"}


async def test_what_was_asked_stands_in_the_entry_as_a_commitment_only(app: InProcess) -> None:
    await app.client.get("/work/penalties.json?party__exact=示例餐饮店007", headers=app.bearer())
    assert b"party" not in app.service.ledger.receipt(len(app.entries()) - 1, with_openings=False).entry


async def test_the_receipt_is_there_for_the_requester_and_proves_the_answer(app: InProcess) -> None:
    response = await app.client.get(TABLE, headers=app.bearer())
    given = await app.client.get(response.headers["ledger-receipt"], headers=app.bearer())
    receipt = Receipt.from_json(given.json())
    entry = receipt.verify(app.service.ledger.verifier_key)
    assert entry["seq"] == int(response.headers["ledger-entry"])
    assert receipt.openings["answer_sha256"].value == hashlib.sha256(response.content).hexdigest()
    assert receipt.openings["query"].value == f"GET {TABLE}"


async def test_another_agencys_receipt_is_not_given(app: InProcess) -> None:
    response = await app.client.get(TABLE, headers=app.bearer())
    officer = await app.sign_in("scjg-1")
    given = await app.client.get(response.headers["ledger-receipt"], headers=officer)
    assert given.status_code == 403
    assert "proof" not in given.text
    missing = await app.client.get("/log/receipt/999999", headers=app.bearer())
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("/", "html"),
        ("/work", "html"),
        ("/work.json", "json"),
        ("/directory/resources", "html"),
        ("/directory/resources.csv", "csv"),
        ("/directory/resources/1", "html"),
        ("/directory/resources/1.json", "json"),
    ],
)
async def test_every_form_of_an_answer_is_recorded(app: InProcess, path: str, format: str) -> None:
    before = len(app.entries())
    response = await app.client.get(path, headers={**app.bearer(), "accept": "text/html"})
    assert response.status_code == 200, response.text
    assert [entry["format"] for entry in app.entries()[before:]] == [format]
    assert response.headers["cache-control"] == "private, no-store"


async def test_newline_delimited_json_is_recorded(app: InProcess) -> None:
    response = await app.client.get("/directory/resources.json?_shape=array&_nl=on&_size=3", headers=app.bearer())
    assert len(response.text.splitlines()) == 3
    assert app.entries()[-1]["size_bytes"] == len(response.content)


async def test_head_is_recorded_and_gives_no_body(app: InProcess) -> None:
    before = len(app.entries())
    response = await app.client.head(TABLE, headers=app.bearer())
    assert (response.status_code, response.content) == (200, b"")
    assert [entry["kind"] for entry in app.entries()[before:]] == ["query.served"]


async def test_a_table_without_a_grant_is_referred_with_its_clause_and_recorded(app: InProcess) -> None:
    conditional = next(
        f"/{r['database']}/{r['table_name']}.json"
        for r, decision in app.service.decisions("zhzf", "agency")
        if decision.code == "not_yet_granted"
    )
    response = await app.client.get(conditional, headers=app.bearer())
    assert response.status_code == 403
    error_shape(response.json(), 403)
    assert response.json()["code"] == "not_yet_granted"
    entry = app.entries()[-1]
    assert (entry["kind"], entry["clause"], entry["status"]) == ("query.referred", "not_yet_granted", 403)
    assert response.headers["ledger-entry"] == str(entry["seq"])


async def test_a_query_that_fails_is_recorded_as_failed(app: InProcess) -> None:
    response = await app.client.get("/directory/resources.json?_sort=no_such_column", headers=app.bearer())
    assert response.status_code == 400
    assert app.entries()[-1]["kind"] == "query.failed"
    missing = await app.client.get("/directory/nothing.json", headers=app.bearer())
    assert missing.status_code in (403, 404)
    assert app.entries()[-1]["status"] == missing.status_code


async def test_a_supervisor_reads_everything_and_that_is_recorded_too(app: InProcess) -> None:
    officer = await app.sign_in("sfj-1")
    assert (await app.client.get("/work/penalties", headers=officer)).status_code == 200
    assert (app.entries()[-1]["kind"], app.entries()[-1]["requester"]) == ("query.served", "sfj")
    assert (await app.client.get("/ledger", headers=officer)).status_code == 200
    assert app.entries()[-1]["kind"] == "audit.read"


async def test_an_officer_does_not_read_the_whole_ledger(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    assert (await app.client.get("/ledger", headers=officer)).status_code == 403


async def test_the_officer_who_asked_is_committed_to_not_named(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    await app.client.get("/directory/agencies", headers=officer)
    entry = app.entries()[-1]
    assert "zhzf-1" not in str({key: value for key, value in entry.items() if key != "commit"})
    receipt = app.service.ledger.receipt(entry["seq"], with_openings=True)
    assert receipt.openings["officer"].value == "zhzf-1"


# -- a ledger that cannot be written ----------------------------------------------------------------------------------


async def expect_503(app: InProcess) -> None:
    response = await app.client.get(TABLE, headers=app.bearer())
    assert response.status_code == 503
    error_shape(response.json(), 503)
    assert "rows" not in response.json()
    assert "30100199" not in response.text
    assert "ledger-entry" not in response.headers
    assert response.headers["retry-after"]


async def test_with_a_locked_ledger_no_data_leaves_and_service_resumes(app: InProcess) -> None:
    other = sqlite3.connect(app.service.instance.ledger_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await expect_503(app)
    other.execute("ROLLBACK")
    other.close()
    assert (await app.client.get(TABLE, headers=app.bearer())).status_code == 200


async def test_with_a_full_disk_no_data_leaves_and_service_resumes(app: InProcess) -> None:
    connection = app.service.ledger._store._db
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(60):  # what is left of the last pages takes a few entries more
        response = await app.client.get(TABLE, headers=app.bearer())
        if response.status_code != 200:
            break
    await expect_503(app)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert (await app.client.get(TABLE, headers=app.bearer())).status_code == 200


async def test_with_a_read_only_ledger_no_data_leaves(app: InProcess) -> None:
    app.service.ledger._store._db.execute("PRAGMA query_only = 1")
    await expect_503(app)


async def test_a_browser_gets_the_503_as_a_page(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    app.service.ledger._store._db.execute("PRAGMA query_only = 1")
    response = await app.client.get("/directory/resources", headers=officer)
    assert response.status_code == 503
    assert response.headers["content-type"].startswith("text/html")
    assert "<table" not in response.text


async def test_facet_values_count_as_rows_that_left(app: InProcess) -> None:
    url = "/directory/resources.json?_size=0&_facet=provider&_facet_size=max"
    response = await app.client.get(url, headers=app.bearer())
    given = len(response.json()["facet_results"]["results"]["provider"]["results"])
    assert given > 1
    assert app.entries()[-1]["rows"] == given


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [("_shape=array&_size=3", 3), ("_shape=object&_size=3", 3), ("_shape=array&_nl=on&_size=3", 3), ("_size=0", 0)],
)
async def test_rows_are_counted_in_every_shape_of_json(app: InProcess, arguments: str, rows: int) -> None:
    await app.client.get(f"/directory/resources.json?{arguments}", headers=app.bearer())
    assert app.entries()[-1]["rows"] == rows


async def test_head_records_that_nothing_left(app: InProcess) -> None:
    await app.client.head(TABLE, headers=app.bearer())
    assert (app.entries()[-1]["rows"], app.entries()[-1]["size_bytes"]) == (0, 0)


async def test_arguments_that_reach_into_other_tables_are_refused(app: InProcess) -> None:
    url = '/work/penalties.json?_through={"table":"inspections","column":"id","value":"1"}'
    response = await app.client.get(url, headers=app.bearer())
    assert response.status_code == 400
    assert "_through" in response.json()["error_en"]


@pytest.mark.parametrize(
    "arguments", ["id__gt=9223372036854775808", "name__in=[1", "_facet_array=name", "_facet=nope", "_sort=nope"]
)
async def test_a_mistake_in_the_address_is_the_askers_not_the_services(app: InProcess, arguments: str) -> None:
    response = await app.client.get(f"/directory/resources.json?{arguments}", headers=app.bearer())
    assert response.status_code in (200, 400), response.text
    assert app.entries()[-1]["kind"] in ("query.served", "query.failed")


async def test_what_was_searched_for_is_in_no_log(app: InProcess, capfd: pytest.CaptureFixture[str]) -> None:
    url = "/work/penalties.json?party_name=某某某&facts__arraycontains=x"
    await app.client.get(url, headers=app.bearer())
    printed = capfd.readouterr()
    assert "某某某" not in printed.out + printed.err


async def test_a_form_of_very_many_fields_is_refused(app: InProcess) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await app.client.post("/sign-in", content=b"a=1&" * 50, headers=form)).status_code == 400
    assert (await app.client.post("/sign-in", content=b"a=1&" * 50_000, headers=form)).status_code == 413


async def test_a_register_that_cannot_be_written_is_503_not_a_traceback(app: InProcess) -> None:
    app.service.register._db.execute("PRAGMA query_only = 1")
    response = await app.client.post("/sign-in", data={"login": "sfj-1", "password": app.passwords["sfj-1"]})
    assert response.status_code == 503
    error_shape(response.json(), 503)


# -- no way round -----------------------------------------------------------------------------------------------------


async def test_datasettes_own_cookies_and_tokens_open_nothing(app: InProcess, demo: Instance) -> None:
    datasette = build(app.service)
    await datasette.invoke_startup()
    cookie = datasette.sign({"a": {"id": "root", "agency": "sfj", "role": "supervisor"}}, "actor")
    response = await app.client.get(TABLE, headers={"cookie": f"ds_actor={cookie}"})
    assert response.status_code == 401
    response = await app.client.get(TABLE, headers={"authorization": "Bearer dstok_abc"})
    assert response.status_code == 401
    datasette.close()


async def test_a_token_wins_over_a_cookie_and_is_not_mixed_with_it(app: InProcess) -> None:
    officer = await app.sign_in("sfj-1")
    await app.client.get(TABLE, headers={**officer, **app.bearer()})
    entry = app.entries()[-1]
    assert (entry["requester"], entry["auth"]) == ("zhzf", "token")
    assert "officer" not in entry["commit"]


async def test_too_large_a_body_is_refused(app: InProcess) -> None:
    response = await app.client.post("/sign-in", content=b"x" * (2 * 1024 * 1024 + 1))
    assert response.status_code == 413


async def test_every_answer_carries_the_security_headers(app: InProcess) -> None:
    for path in ("/sign-in", TABLE, "/nowhere", "/log/checkpoint"):
        response = await app.client.get(path, headers=app.bearer())
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_every_route_has_a_decision() -> None:
    from catalog.routes import ROUTES

    assert all(isinstance(route.access, Access) for route in ROUTES)


async def test_signing_in_from_another_site_is_refused(app: InProcess) -> None:
    response = await app.client.post(
        "/sign-in",
        data={"login": "sfj-1", "password": app.passwords["sfj-1"]},
        headers={"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example"},
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("there", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere", "\\\\x", ""])
async def test_after_signing_in_nobody_is_sent_to_another_site(app: InProcess, there: str) -> None:
    response = await app.client.post(
        "/sign-in", data={"login": "sfj-1", "password": app.passwords["sfj-1"], "next": there}
    )
    assert response.headers["location"] == "/"


async def test_the_session_cookie_is_closed_to_scripts(app: InProcess) -> None:
    response = await app.client.post("/sign-in", data={"login": "sfj-1", "password": app.passwords["sfj-1"]})
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_a_session_ends_with_signing_out(app: InProcess) -> None:
    officer = await app.sign_in("zhzf-1")
    assert (await app.client.get("/", headers=officer)).status_code == 200
    await app.client.post("/sign-out", headers=officer)
    assert (await app.client.get("/", headers=officer)).status_code == 302


async def test_plain_datasette_refuses_an_instance_folder(demo: Instance) -> None:
    from datasette.app import Datasette
    from datasette.utils import StartupError

    datasette = Datasette(files=[str(demo.database_path("work"))])
    with pytest.raises(StartupError, match="liandong serve"):
        await datasette.invoke_startup()
    datasette.close()


async def test_elsewhere_the_plugin_does_nothing(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from datasette.app import Datasette

    database = tmp_path / "own.db"
    sqlite3.connect(database).execute("CREATE TABLE t (a)").connection.commit()
    datasette = Datasette(files=[str(database)])
    await datasette.invoke_startup()
    assert (await datasette.client.get("/own/t.json")).status_code == 200
    datasette.close()


def test_service_opens_and_closes(demo: Instance) -> None:
    Service.open(demo).close()
