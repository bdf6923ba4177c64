"""No way round, continued: other methods, spellings, arguments, headers and credentials; see ``test_bypass.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.routes import match
from ledger import Instance
from tests.catalog.bypass import golden, tricks
from tests.catalog.bypass.asking import Header, Request, ask, headers_of
from tests.catalog.bypass.judge import SHUT, judge, tried
from tests.catalog.bypass.world import ASKERS, BY_NAME, Asker, World, planted

ANONYMOUS, OFFICER, SUPERVISOR = BY_NAME["anonymous"], BY_NAME["officer"], BY_NAME["supervisor"]
TOKEN, SIGNATURE, OPERATOR = BY_NAME["token"], BY_NAME["signature"], BY_NAME["operator"]
UNGRANTED, GRANTED = "/work/inspections.json", "/work/penalties.json"
#: Denied with an entry, or led to the plain form of the query.
ANSWERED = frozenset({"referred", "refused", "failed", "elsewhere"})


@pytest.fixture(scope="module")
def world(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with planted(demo_template, tmp_path_factory.mktemp("bypass") / "demo") as made:
        yield made


# -- methods, spellings, disguises ------------------------------------------------------------------------------------


def test_a_method_that_an_address_does_not_take_finds_nothing(world: World) -> None:
    targets = {row.route: row.target.replace("{own}", "0") for row in golden.table()}
    for target in targets.values():
        for method in tricks.METHODS:
            if match(method, target.partition("?")[0]) is None:
                for asker in (ANONYMOUS, SUPERVISOR):
                    verdict = tried(world, asker, method, target)
                    assert verdict.outcome == ("sign-in" if asker is ANONYMOUS else "gone"), (method, target, verdict)


@pytest.mark.parametrize("asker", [ANONYMOUS, OFFICER, SUPERVISOR, SIGNATURE], ids=lambda asker: asker.name)
@pytest.mark.parametrize("path", [UNGRANTED, GRANTED, "/ledger", "/-/config.json"])
def test_another_spelling_of_an_address_is_no_address(world: World, asker: Asker, path: str) -> None:
    for raw in tricks.spellings(path):
        for method in ("GET", "POST"):
            verdict = tried(world, asker, method, raw)
            # What the server gives for the plain path may come only where the gate reads that very path; no path at all
            # leads to the home page.
            if match(method, raw.partition(b"?")[0].decode("latin-1")) is None:
                denied = ("sign-in", "gone") if raw else ("elsewhere",)
                assert verdict.outcome in denied, (method, raw[:100], verdict)


def test_guesses_at_files_and_inner_tables_find_nothing(world: World) -> None:
    for path in tricks.GUESSES:
        for asker in (ANONYMOUS, OFFICER, SUPERVISOR, OPERATOR):
            verdict = tried(world, asker, "GET", path)
            assert verdict.outcome in SHUT | {"failed", "referred", "audited"}, (asker.name, path, verdict)


@pytest.mark.parametrize("asker", [OFFICER, BY_NAME["other"], BY_NAME["authority"], OPERATOR], ids=lambda a: a.name)
def test_no_argument_reaches_past_the_table(world: World, asker: Asker) -> None:
    """Of what is not open nothing comes by any argument; what is open is recorded with it, or refused."""
    for arguments in tricks.ARGUMENTS:
        for path in (
            UNGRANTED,
            GRANTED,
            "/work/permits",
            "/work/permits.csv",
            "/work/permits/1.json",
            "/work.json",
            "/work/narrowed.json",
        ):
            verdict = tried(world, asker, "GET", f"{path}?{arguments}".encode())
            assert verdict.outcome in SHUT | ANSWERED | {"served"}, (
                path,
                arguments,
                verdict,
            )


def test_a_hidden_column_does_not_show_by_sort_filter_facet_search_row_or_label(world: World) -> None:
    """A grant with a column list opens nothing of Datasette's pages: there, any of these would tell."""
    for way in tricks.HIDDEN_COLUMN:
        for place in (
            "",
            ".json",
            ".csv",
            "/1",
            "/1.json",
            ".blob",
            "/1.blob",
            "/1/secret",
            "/-/autocomplete",
            "/-/count",
        ):
            for asker in (OFFICER, TOKEN, SIGNATURE):
                verdict = tried(world, asker, "GET", f"/work/narrowed{place}?{way}")
                assert verdict.outcome in SHUT | ANSWERED, (place, way, verdict)


@pytest.mark.parametrize("fields", tricks.DRESS, ids=lambda fields: fields[0][0].decode())
def test_no_header_changes_what_an_address_is_or_who_asks(world: World, fields: tuple[Header, ...]) -> None:
    for asker in ASKERS:
        for target, method in (
            (UNGRANTED, "GET"),
            ("/directory/resources.json?_size=1", "GET"),
            ("/sign-in", "GET"),
            ("/ledger", "HEAD"),
        ):
            plain = tried(world, asker, method, target)
            dressed = tried(world, asker, method, target, *fields)
            assert dressed == plain, (asker.name, method, target, fields)


def test_credentials_that_are_none_open_nothing(world: World) -> None:
    for fields in tricks.FALSE_CREDENTIALS:
        for target in (GRANTED, "/directory/resources.json", "/", "/ledger", "/queries", "/metrics"):
            assert tried(world, ANONYMOUS, "GET", target, *fields).outcome == "sign-in", (fields, target)


def test_datasettes_own_signed_cookie_and_token_open_nothing(world: World) -> None:
    """Even signed with this instance's secret: who asks is decided before Datasette sees the request."""
    actor = {"id": "root", "agency": "sfj", "role": "supervisor", "auth": "session"}
    forged = world.datasette.sign({"a": actor}, "actor")
    token = "dstok_" + world.datasette.sign({"a": "root", "t": 1}, namespace="token")
    for fields in (headers_of([("cookie", f"ds_actor={forged}")]), headers_of([("authorization", f"Bearer {token}")])):
        for target in (GRANTED, UNGRANTED, "/-/actor.json", "/", "/ledger"):
            assert tried(world, ANONYMOUS, "GET", target, *fields).outcome == "sign-in"
    # Beside good credentials they add nothing.
    for target in (UNGRANTED, "/ledger", "/-/config.json"):
        assert tried(world, OFFICER, "GET", target, *headers_of([("cookie", f"ds_actor={forged}")])).outcome in SHUT | {
            "referred",
            "failed",
        }


def test_credentials_sent_twice_are_never_a_choice(world: World) -> None:
    """Two tokens are no token; a token goes before a cookie; a signature with a token is refused."""
    good = world.authenticate(TOKEN, Request("GET", GRANTED.encode())).headers
    assert tried(world, ANONYMOUS, "GET", GRANTED, *good, *good).outcome == "sign-in"
    supervisors = world.authenticate(SUPERVISOR, Request("GET", b"/ledger")).headers
    assert tried(world, TOKEN, "GET", "/ledger", *supervisors).outcome == "role"
    signed = world.authenticate(SIGNATURE, Request("GET", b"/directory/resources.json")).headers
    assert tried(world, ANONYMOUS, "GET", "/directory/resources.json", *good, *signed).outcome == "sign-in"


def test_a_signature_is_good_for_its_own_address_method_and_once(world: World) -> None:
    target = b"/directory/resources.json?_size=1"
    headers = world.authenticate(SIGNATURE, Request("GET", target)).headers
    for other in (
        Request("GET", b"/directory/resources.json?_size=2"),
        Request("HEAD", target),
        Request("GET", UNGRANTED.encode()),
    ):
        before = world.size
        response = world.ask_as_it_is(Request(other.method, other.target, headers))
        assert judge(world, ANONYMOUS, other, response, before).outcome == "sign-in"
    assert world.ask_as_it_is(Request("GET", target, headers)).status == 200
    before = world.size
    assert world.ask_as_it_is(Request("GET", target, headers)).status == 401
    assert world.size == before


# -- from inside ------------------------------------------------------------------------------------------------------


def test_the_internal_client_has_no_more_rights_than_anonymous(world: World) -> None:
    """Datasette's own client goes past the gate, so nobody must be anybody there."""
    for target in (
        GRANTED,
        UNGRANTED,
        "/work/permits.json",
        "/directory/resources.json",
        "/work.json",
        "/-/config.json",
    ):
        response = world.run(world.datasette.client.get(target))
        assert response.status_code in (403, 404), target
        assert "qzcanary" not in response.text


def test_a_request_from_outside_is_never_taken_for_one_from_inside(world: World) -> None:
    """The gate asks Datasette whether its own client asks; that must not carry over to what runs beside it."""
    request = Request("GET", UNGRANTED.encode())

    async def both() -> list[int]:
        inside = [asyncio.create_task(world.datasette.client.get("/work.json")) for _ in range(5)]
        outside = [asyncio.create_task(ask(world.app, request)) for _ in range(5)]
        await asyncio.gather(*inside)
        return [(await task).status for task in outside]

    assert world.run(both()) == [401] * 5


def test_below_a_path_of_the_public_address_nothing_else_opens(demo_template: Path, tmp_path: Path) -> None:
    """An instance that is served at https://host/prefix answers there and nowhere else."""

    def moved(instance: Instance) -> Instance:
        return instance.move_to("http://catalog.test/share")

    with planted(demo_template, tmp_path / "demo", moved) as world:
        request = Request("GET", b"/share/directory/resources.json?_size=1")
        assert world.ask(OFFICER, request).status == 200
        for raw in b"""
            /work/permits.json /shared/work/permits.json /share/../work/permits.json //share/work/permits.json
            /share//work/permits.json /share/share/work/permits.json /SHARE/work/permits.json /share%2Fwork/permits.json
            /x/../share/work/permits.json /share/-/config.json /share/work.db /share.json
        """.split():
            before = world.size
            response = world.ask(OFFICER, Request("GET", raw))
            assert response.status in (302, 401, 404), (raw, response.status)
            assert b"qzcanary" not in response.everything
            assert world.size == before
