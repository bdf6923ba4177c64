"""Small reads without a thread: the schema from memory is the schema as it is, and one request costs one hop."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import Any

import pytest

from catalog import grants
from catalog.plugin import build
from catalog.service import Service
from ledger import Instance
from tests.conftest import InProcess, in_process

pytestmark = pytest.mark.anyio

TABLE = "/work/permits.json?_size=1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    async with in_process(demo) as running:
        yield running


async def rows(app: InProcess, path: str) -> list[dict[str, Any]]:
    response = await app.client.get(path, headers=app.bearer())
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["rows"]
    return found


async def test_a_column_added_while_serving_is_there_on_the_next_request(app: InProcess) -> None:
    assert "extra" not in (await rows(app, TABLE))[0]
    with closing(sqlite3.connect(app.service.instance.database_path("work"), isolation_level=None)) as db:
        db.execute("ALTER TABLE permits ADD COLUMN extra TEXT DEFAULT 'new'")
    assert (await rows(app, TABLE))[0]["extra"] == "new"
    assert (await rows(app, f"{TABLE}&extra__exact=new"))[0]["extra"] == "new"


async def test_a_table_made_and_published_while_serving_is_right_at_once(app: InProcess) -> None:
    path = "/work/fresh.json"
    assert (await app.client.get(path, headers=app.bearer())).status_code == 403, "nothing of that name is published"
    with closing(sqlite3.connect(app.service.instance.database_path("work"), isolation_level=None)) as db:
        db.execute("CREATE TABLE fresh (id INTEGER PRIMARY KEY, word TEXT)")
        db.execute("INSERT INTO fresh VALUES (1, 'first')")
    assert (await app.client.get(path, headers=app.bearer())).status_code == 403, "there, and not published"
    grants.publish(app.service.register, app.service.ledger, "work/fresh", "jtys", "无条件共享")
    assert await rows(app, path) == [{"id": 1, "word": "first"}]
    with closing(sqlite3.connect(app.service.instance.database_path("work"), isolation_level=None)) as db:
        db.execute("DROP TABLE fresh")
    assert (await app.client.get(path, headers=app.bearer())).status_code == 404


async def test_the_schema_that_datasette_is_told_is_the_one_that_it_would_read(demo: Instance) -> None:
    from datasette.database import Database

    with closing(sqlite3.connect(demo.database_path("work"), isolation_level=None)) as db:
        db.execute("CREATE TABLE kinds (code TEXT, part TEXT, word TEXT, PRIMARY KEY (code, part))")
        db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, permit INTEGER REFERENCES permits (id), text TEXT)")
        db.execute("CREATE VIRTUAL TABLE notes_fts USING fts5 (text, content='notes')")
        db.execute("CREATE VIEW short AS SELECT id FROM notes")
    service = Service.open(demo)
    datasette = build(service)
    await datasette.invoke_startup()
    ours = datasette.databases["work"]
    plain = Database(datasette, path=str(demo.database_path("work")), is_mutable=True)
    plain.name = "work"
    questions = (
        "table_exists",
        "view_exists",
        "primary_keys",
        "table_columns",
        "table_column_details",
        "fts_table",
        "foreign_keys_for_table",
    )
    for _ in range(2):  # read, and remembered
        for table in ("permits", "kinds", "notes", "notes_fts", "short", "absent"):
            for question in questions:
                assert await getattr(ours, question)(table) == await getattr(plain, question)(table), (question, table)
        assert await ours.derived_table_dependencies() == await plain.derived_table_dependencies()
    plain.close()
    datasette.close()
    service.close()


async def test_what_is_remembered_of_names_has_an_end(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.databases._REMEMBERED", 50)
    for n in range(120):
        assert (await app.client.get(f"/work/t{n}.json", headers=app.bearer())).status_code in (403, 404)
    assert (await rows(app, TABLE))[0]["id"] == 1


async def test_a_request_for_rows_costs_one_hop_to_a_thread(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datasette alone makes twelve. Counted, so that a new version of it that goes round ours is noticed."""
    from concurrent.futures import ThreadPoolExecutor

    hops: list[Callable[..., Any]] = []
    submit = ThreadPoolExecutor.submit

    def counted(self: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        hops.append(work)
        return submit(self, work, *args, **kwargs)

    await rows(app, TABLE)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", counted)
    await rows(app, TABLE)
    assert len(hops) == 2, "the rows, and the commit of the entry"


async def test_a_permission_once_decided_is_not_asked_of_sql_again(
    app: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the columns' types are, of the internal database; the anonymous are denied without asking."""
    from datasette.database import Database

    asked: list[str] = []
    execute = Database.execute

    async def counted(self: Database, sql: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(f"{self.name}: {sql}")
        return await execute(self, sql, *args, **kwargs)

    await rows(app, TABLE)
    monkeypatch.setattr(Database, "execute", counted)
    await rows(app, TABLE)
    internal = [statement for statement in asked if statement.startswith("__INTERNAL__")]
    assert len(internal) == 1 and not any("liandong_rules" in statement for statement in asked), asked
    assert len(asked) == 2
