"""What leaves with an answer, and what its entry says of it: HEAD, conditions, parts, redirects, rows, whole files."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog import csv_answer, http
from catalog.http import Answer
from catalog.plugin import build
from catalog.service import Service
from catalog.spool import CHUNK_BYTES, Room
from ledger import Instance
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

TABLE = "/work/penalties"
#: A table whose rows are about nobody: further pages of a sorted list go by address.
SORTED = "/dynamics/activities"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


def sha256_of(app: InProcess, seq: int) -> Any:
    return app.service.ledger.receipt(seq, with_openings=True).openings["answer_sha256"].value


# -- nothing beside the body ------------------------------------------------------------------------------------------


async def test_head_says_nothing_of_a_row_in_its_headers(app: InProcess) -> None:
    response = await app.client.head(f"{SORTED}.json?_size=1&_sort=town", headers=app.bearer())
    assert response.status_code == 200
    assert "link" not in response.headers  # Datasette's names the next page by the last row's value
    entry = app.entries()[-1]
    assert (entry["kind"], entry["rows"], entry["size_bytes"]) == ("query.served", 0, 0)
    assert sha256_of(app, entry["seq"]) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    "path", [TABLE, f"{TABLE}.csv", f"{TABLE}.csv?_stream=1", f"{TABLE}/1", f"{TABLE}/1.json", "/"]
)
async def test_head_of_every_form_is_recorded_and_empty(app: InProcess, path: str) -> None:
    before = len(app.entries())
    response = await app.client.head(path, headers=app.bearer())
    assert (response.status_code, response.content) == (200, b"")
    assert [(entry["rows"], entry["size_bytes"]) for entry in app.entries()[before:]] == [(0, 0)]


async def test_the_next_page_is_named_in_the_body_only(app: InProcess) -> None:
    response = await app.client.get(f"{SORTED}.json?_size=1&_sort=town", headers=app.bearer())
    assert response.json()["next_url"]
    assert "link" not in response.headers


@pytest.mark.parametrize(
    "fields",
    [
        {"range": "bytes=0-9"},
        {"if-none-match": "*"},
        {"if-modified-since": "Wed, 01 Jan 2031 00:00:00 GMT"},
        {"if-match": '"x"'},
        {"range": "bytes=0-9", "if-range": '"x"'},
    ],
)
async def test_a_part_or_a_condition_gives_the_whole_answer(app: InProcess, fields: dict[str, str]) -> None:
    whole = await app.client.get(f"{TABLE}.json?_size=2", headers=app.bearer())
    response = await app.client.get(f"{TABLE}.json?_size=2", headers={**app.bearer(), **fields})
    assert (response.status_code, response.content) == (200, whole.content)
    assert sha256_of(app, int(response.headers["ledger-entry"])) == hashlib.sha256(whole.content).hexdigest()
    assert {"etag", "last-modified", "content-range"}.isdisjoint(response.headers)


async def test_a_redirect_carries_an_address_and_nothing_else(app: InProcess) -> None:
    before = len(app.entries())
    path = f"{TABLE}?_filter_column=town&_filter_op=exact&_filter_value=x"
    response = await app.client.get(path, headers=app.bearer())
    assert (response.status_code, response.content) == (302, b"")
    assert response.headers["location"] == f"{TABLE}?town__exact=x"
    assert len(app.entries()) == before


async def test_a_websocket_is_closed_before_it_is_open(app: InProcess) -> None:
    datasette = build(app.service)
    await datasette.invoke_startup()
    scope = {"type": "websocket", "path": "/work/penalties.json", "raw_path": b"/work/penalties.json", "headers": []}
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(event: Any) -> None:
        sent.append(event)

    await datasette.app()(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
    datasette.close()


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        (f"{TABLE}?_size=7", 7),
        (f"{TABLE}?_size=0", 0),
        (f"{TABLE}/3", 1),
        (f"{TABLE}/3.json", 1),
        (f"{TABLE}.csv?_size=9", 9),
        (f"{TABLE}.csv?_size=9&_header=off", 9),
        (f"{TABLE}.csv?_stream=1", 160),
        (f"{TABLE}.csv?_stream=1&_size=1", 160),
        (f"{TABLE}.csv?_stream=1&town=nowhere", 0),
        (f"{TABLE}.json?_size=5&_shape=arrays", 5),
        (f"{TABLE}.json?_size=5&_shape=arrayfirst", 5),
        (f"{TABLE}.json?_size=5&_shape=array&_nl=on", 5),
    ],
)
async def test_rows_are_counted_in_every_format(app: InProcess, path: str, rows: int) -> None:
    response = await app.client.get(path, headers={**app.bearer(), "accept": "text/html"})
    assert response.status_code == 200
    assert app.entries()[-1]["rows"] == rows


async def test_values_of_facets_count_on_pages_as_in_json(app: InProcess) -> None:
    counted = []
    for suffix in (".json", ""):
        path = f"{TABLE}{suffix}?_size=0&_facet=town"
        response = await app.client.get(path, headers={**app.bearer(), "accept": "text/html"})
        assert response.status_code == 200
        counted.append(app.entries()[-1]["rows"])
    assert counted[0] == counted[1] > 1


async def test_what_has_no_rows_says_none(app: InProcess) -> None:
    for path in ("/", "/work", "/work.json"):
        await app.client.get(path, headers={**app.bearer(), "accept": "text/html"})
        assert "rows" not in app.entries()[-1]


# -- whole files ------------------------------------------------------------------------------------------------------


async def test_the_whole_query_is_every_page_of_it(app: InProcess) -> None:
    path = f"{SORTED}.csv?_sort=town&_stream=1"
    whole = list(csv.reader(io.StringIO((await app.client.get(path, headers=app.bearer())).text)))
    pages: list[list[str]] = []
    following: str | None = ""
    while following is not None:
        asked = f"{SORTED}.json?_sort=town&_size=7&_shape=arrays" + (f"&_next={following}" if following else "")
        answer = (await app.client.get(asked, headers=app.bearer())).json()
        pages += [["" if cell is None else str(cell) for cell in row] for row in answer["rows"]]
        following = answer["next"]
    assert whole[1:] == pages
    assert whole[0][:2] == ["id", "data_note"]
    assert len(pages) > 7


async def test_one_page_of_csv_may_be_asked_for_at_its_place(app: InProcess) -> None:
    answer = (await app.client.get(f"{TABLE}.json?_size=3", headers=app.bearer())).json()
    response = await app.client.get(f"{TABLE}.csv?_size=3&_next={answer['next']}&_col=town", headers=app.bearer())
    assert [row.split(",")[0] for row in response.text.splitlines()] == ["id", "4", "5", "6"]


@pytest.mark.parametrize("arguments", ["_stream=1&_next=3", "_stream=1&_sort=nope", "_stream=1&_col=nope", "_size=x"])
async def test_a_mistake_is_an_error_not_a_short_file(app: InProcess, arguments: str) -> None:
    response = await app.client.get(f"{TABLE}.csv?{arguments}", headers=app.bearer())
    assert response.status_code == 400
    assert response.json()["error_zh"]
    assert app.entries()[-1]["kind"] == "query.failed"


async def small_answers(demo: Instance) -> Any:
    """The demonstration with a limit of 1 MB an answer, and a table larger than that."""
    settings = demo.path / "datasette.yml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("max_csv_mb: 512", "max_csv_mb: 1"), "utf-8")
    with closing(sqlite3.connect(demo.database_path("work"))) as connection, connection:
        connection.execute("UPDATE penalties SET facts = printf('%.9000c', 'x')")
    return in_process(demo)


async def test_an_answer_over_the_limit_is_413_and_none_of_it_leaves(demo: Instance) -> None:
    async with await small_answers(demo) as app:
        response = await app.client.get(f"{TABLE}.csv?_stream=1", headers=app.bearer())
        assert response.status_code == 413
        assert "xxxx" not in response.text
        assert "max_csv_mb" in response.json()["error_en"]
        entry = app.entries()[-1]
        assert (entry["kind"], entry["status"]) == ("query.failed", 413)
        assert (await app.client.get(f"{TABLE}.csv?_size=50", headers=app.bearer())).status_code == 200


def after_the_first_page(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen while a whole query is being read."""
    page = csv_answer._TableQuery.page

    async def then(self: Any, place: str | None) -> Any:
        found = await page(self, place)
        happens()
        return found

    monkeypatch.setattr(csv_answer._TableQuery, "page", then)


def make_long(demo: Instance) -> None:
    """Sixteen times the rows: more than a page."""
    with closing(sqlite3.connect(demo.database_path("work"))) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(penalties)") if row[1] != "id"]
        listed = ", ".join(columns)
        connection.execute(
            f"INSERT INTO penalties ({listed}) SELECT {listed} FROM penalties p, (SELECT 1 FROM penalties LIMIT 15)"
        )


async def test_an_error_in_the_middle_is_an_error_and_nothing_of_the_beginning_leaves(
    app: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def table_goes() -> None:
        with closing(sqlite3.connect(app.service.instance.database_path("work"))) as connection:
            connection.execute("ALTER TABLE penalties RENAME TO gone")

    make_long(app.service.instance)
    after_the_first_page(monkeypatch, table_goes)
    response = await app.client.get(f"{TABLE}.csv?_stream=1", headers=app.bearer())
    assert response.status_code == 400
    assert "document_no" not in response.text
    assert app.entries()[-1]["kind"] == "query.failed"


async def test_a_grant_that_ends_in_the_middle_ends_the_file(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def revoked() -> None:
        app.service.register.write("UPDATE grants SET revoked_at = '2026-01-01'")
        app.service.register.write("UPDATE resources SET sharing_class = '有条件共享'")

    make_long(app.service.instance)
    after_the_first_page(monkeypatch, revoked)
    response = await app.client.get(f"{TABLE}.csv?_stream=1", headers=app.bearer())
    assert response.status_code == 403
    assert "document_no" not in response.text
    assert app.entries()[-1]["kind"] == "query.referred"


async def test_a_whole_query_that_lasts_too_long_is_stopped(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    make_long(app.service.instance)
    monkeypatch.setattr(csv_answer, "MAX_SECONDS", 0.0)
    response = await app.client.get(f"{TABLE}.csv?_stream=1", headers=app.bearer())
    assert response.status_code == 413
    assert "document_no" not in response.text
    assert app.entries()[-1]["kind"] == "query.failed"


async def test_bytes_in_a_cell_are_written_as_base64(app: InProcess) -> None:
    with closing(sqlite3.connect(app.service.instance.database_path("work"))) as connection, connection:
        connection.execute("UPDATE permits SET permit_content = X'00FF' WHERE id = 1")
    response = await app.client.get("/work/permits.csv?id=1&_col=permit_content", headers=app.bearer())
    assert response.text.splitlines()[1] == "1,AP8="


# -- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        "_trace=1",
        "_labels=on",
        "_label=town",
        "_timelimit=1",
        "_ttl=100",
        "_fts_table=x",
        "_facet_m2m=x",
        "_blob_column=facts",
        "_invented=1",
        "_extra=debug",
        "_extra=count,request",
        "_extra=foreign_key_tables",
        "_extra=invented",
    ],
)
@pytest.mark.parametrize("suffix", ["", ".json", ".csv", "/1.json"])
async def test_an_argument_that_is_not_on_the_list_is_refused(app: InProcess, arguments: str, suffix: str) -> None:
    response = await app.client.get(f"{TABLE}{suffix}?{arguments}", headers=app.bearer())
    assert response.status_code == 400
    assert {"error_zh", "error_en"} <= set(response.json())


@pytest.mark.parametrize(
    "arguments",
    [
        "_size=1&_sort=town&_col=town&_shape=objects&_nocount=1&_nofacet=1&_nosuggest=1",
        "_size=1&_sort_desc=town&_nocol=facts&_json=facts&_extra=count,columns",
        "_size=1&_extra=columns&_extra=query",
        "_facet=town&_facet_size=3&_size=1",
        "_batch__notblank=1&_size=1",
        "town=x",
    ],
)
async def test_what_pages_and_programs_need_is_on_the_list(app: InProcess, arguments: str) -> None:
    response = await app.client.get(f"{TABLE}.json?{arguments}", headers=app.bearer())
    assert response.status_code == 200, response.text


async def test_spools_lie_in_a_private_folder_and_none_is_left(app: InProcess) -> None:
    folder = app.service.instance.path / "spool"
    assert folder.stat().st_mode & 0o777 == 0o700
    await app.client.get(f"{TABLE}.csv?_stream=1", headers=app.bearer())
    assert list(folder.iterdir()) == []


async def test_a_service_is_opened_twice_over_one_folder_of_spools(demo: Instance) -> None:
    for service in (Service.open(demo), Service.open(demo)):
        datasette = build(service)
        await datasette.invoke_startup()
        datasette.app()
        datasette.close()
        service.close()


async def test_a_client_that_takes_nothing_any_more_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool on disk holds room that others need; a small answer is the server's to send and holds none."""
    monkeypatch.setattr(http, "STALL_SECONDS", 0.05)
    room = Room(tmp_path / "spool", 8 * CHUNK_BYTES)
    with closing(room.open()) as spool:
        await spool.write(b"x" * (3 * CHUNK_BYTES))
        taken: list[Any] = []

        async def send(event: Any) -> None:
            taken.append(event)
            if len(taken) == 3:
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            await Answer(200, [], spool).send(send)
        assert [len(event.get("body", b"")) for event in taken] == [0, CHUNK_BYTES, CHUNK_BYTES]
