"""No way round: every address, by every method, spelling and disguise, for everybody, is denied or recorded.

Planted values (``bypass/canaries.csv``) are looked for in all that leaves. ``bypass/golden.csv`` says what must come of
each of our addresses; ``bypass/datasette.csv`` which of Datasette's own are shut. A new address fails here until
somebody has decided about it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from catalog.routes import ROUTES, Access, match
from ledger import CATEGORIES
from tests.catalog.bypass import golden, tricks
from tests.catalog.bypass.addresses import decisions, examples, our_patterns, patterns
from tests.catalog.bypass.asking import headers_of
from tests.catalog.bypass.judge import Verdict, tried
from tests.catalog.bypass.world import ASKERS, BY_NAME, MAY_SEE, Asker, World, planted

ANONYMOUS, OFFICER, SUPERVISOR = BY_NAME["anonymous"], BY_NAME["officer"], BY_NAME["supervisor"]
TOKEN, OPERATOR = BY_NAME["token"], BY_NAME["operator"]


@pytest.fixture(scope="module")
def world(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with planted(demo_template, tmp_path_factory.mktemp("bypass") / "demo") as made:
        yield made


Results = dict[str, list[tuple[golden.Row, Verdict]]]


@pytest.fixture(scope="module")
def results(world: World) -> Results:
    """What came of each line of the golden table, by asker."""
    return {asker.name: [(row, golden.come_of(world, row, asker)) for row in golden.table()] for asker in ASKERS}


def outcomes(verdicts: Iterable[Verdict]) -> Counter[str]:
    return Counter(verdict.outcome for verdict in verdicts)


# -- decisions --------------------------------------------------------------------------------------------------------


def test_every_address_of_ours_has_a_decision_for_each_method_and_no_decision_is_stale() -> None:
    decided = {(row.route, row.method) for row in golden.table()}
    wanted = {(route.name, method) for route in ROUTES for method in route.methods}
    assert decided == wanted, "tests/catalog/bypass/golden.csv: add a line (see golden.py), or take the stale one out"
    for row in golden.table():
        found = match(row.method, row.target.partition("?")[0].replace("{own}", "0"))
        assert found is not None, row
        assert found.route.name == row.route, row


def test_every_address_of_datasette_has_a_decision(world: World) -> None:
    assert set(patterns(world.datasette)) == set(decisions()), "tests/catalog/bypass/datasette.csv: decide about it"
    named = {route.name for route in ROUTES} | {"shut"}
    assert set(decisions().values()) <= named


def test_every_page_that_we_register_lies_behind_one_of_our_routes(world: World) -> None:
    """A page without a line in ROUTES cannot be reached; it should not be there either."""
    behind = Counter[str]()
    for row in golden.table():
        path = row.target.partition("?")[0].replace("{own}", "0")
        for pattern, view in world.datasette._routes():
            if pattern.fullmatch(path) or pattern.match(path):
                behind[pattern.pattern] += view is not None
                break
    assert [pattern for pattern in our_patterns(world.datasette) if not behind[pattern]] == []


@pytest.mark.parametrize("asker", ASKERS, ids=lambda asker: asker.name)
def test_what_comes_of_each_address_is_what_was_decided(results: Results, asker: Asker) -> None:
    wrong = []
    for row, verdict in results[asker.name]:
        if verdict.outcome != row.outcomes[asker.name] or verdict.faults:
            wrong.append((row.method, row.target, f"decided {row.outcomes[asker.name]}", verdict))
    assert wrong == []


def test_who_may_see_a_planted_value_does_see_it_so_the_search_for_it_finds_it(results: Results) -> None:
    seen = {(name, asker) for asker, came in results.items() for _, verdict in came for name in verdict.seen}
    shown = {"granted", "ungranted", "unconditional", "directory", "keptback", "hiddencolumn"}
    assert seen >= {(name, asker) for name in shown for asker in MAY_SEE[name]}


# -- Datasette's own addresses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asker", [ANONYMOUS, OFFICER, SUPERVISOR, OPERATOR], ids=lambda asker: asker.name)
def test_datasettes_own_addresses_are_shut(world: World, asker: Asker) -> None:
    """SQL pages, write API, downloads, debug and settings pages: by every method they take, they do not exist."""
    came = []
    for pattern, decision in decisions().items():
        for path in examples(pattern):
            for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"):
                body = b'{"sql":"select 1","row":{"id":1},"rows":[{"id":1}]}' if method in ("POST", "PUT") else b""
                verdict = tried(world, asker, method, path, body=body)
                if match(method, path) is None:
                    assert verdict.outcome in ("sign-in", "gone"), (method, path, decision, verdict)
                came.append(verdict)
    assert outcomes(came)["sign-in" if asker is ANONYMOUS else "gone"] > 800


def test_what_writes_changes_nothing_even_with_a_good_body(world: World) -> None:
    def state() -> list[object]:
        found: list[object] = []
        for category in CATEGORIES:
            with closing(sqlite3.connect(world.instance.database_path(category))) as database:
                tables = database.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
                found += tables
                found += [
                    database.execute(f'SELECT count(*) FROM "{name}"').fetchone()
                    for name, sql in tables
                    if sql and sql[7:12] == "TABLE"
                ]
        return found

    before = state()
    as_json = headers_of([("content-type", "application/json")])
    calls = {
        "/work/penalties/-/insert": {"row": {"document_no": "x"}},
        "/work/penalties/-/upsert": {"rows": [{"id": 1, "document_no": "x"}]},
        "/work/penalties/-/drop": {"confirm": True},
        "/work/penalties/-/alter": {"operations": []},
        "/work/penalties/1/-/update": {"update": {"document_no": "x"}},
        "/work/penalties/1/-/delete": {},
        "/work/-/create": {"table": "made", "rows": [{"id": 1}]},
        "/work/-/execute-write": {"sql": "DELETE FROM penalties"},
        "/work/-/queries/store": {"name": "q", "sql": "select 1"},
        "/-/create-token": {},
        "/-/permissions": {},
    }
    for asker in ASKERS:
        for path, value in calls.items():
            verdict = tried(world, asker, "POST", path, *as_json, body=json.dumps(value).encode())
            assert verdict.outcome == ("sign-in" if asker is ANONYMOUS else "gone")
    assert state() == before


def test_ledger_and_register_are_not_attached(world: World) -> None:
    assert set(world.datasette.databases) == set(CATEGORIES)


# -- when recording fails ---------------------------------------------------------------------------------------------


def test_with_a_ledger_that_cannot_be_written_no_address_gives_data(demo_template: Path, tmp_path: Path) -> None:
    with planted(demo_template, tmp_path / "demo") as world:
        world.service.ledger._store._db.execute("PRAGMA query_only = 1")
        given = [
            (row.target, asker.name, verdict)
            for row in golden.table()
            if row.method in ("GET", "HEAD")
            for asker in (OFFICER, SUPERVISOR, TOKEN)
            if row.outcomes[asker.name] in ("served", "audited", "referred", "failed", "refused")
            if (verdict := golden.come_of(world, row, asker)).outcome != "unavailable" or verdict.seen or verdict.faults
        ]
        assert given == []


def test_what_leaves_no_entry_is_decided_one_by_one() -> None:
    """Only public addresses, and the askers' own affairs; ``unrecorded.txt`` names each: a new one is a decision."""
    unrecorded = [route.name for route in ROUTES if route.access not in (Access.RECORDED, Access.AUDIT)]
    assert sorted(unrecorded) == tricks.lines_of("unrecorded.txt")
