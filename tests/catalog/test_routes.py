"""Addresses: what is on the list exists, everything else does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.routes import ROUTES, Access, match


@pytest.mark.parametrize(
    ("method", "path", "name", "resource", "format"),
    [
        ("GET", "/", "home", "home", "html"),
        ("GET", "/directory", "database", "directory", "html"),
        ("GET", "/directory.json", "database", "directory", "json"),
        ("GET", "/directory/resources", "table", "directory/resources", "html"),
        ("HEAD", "/directory/resources.json", "table", "directory/resources", "json"),
        ("GET", "/work/penalties.csv", "table", "work/penalties", "csv"),
        ("GET", "/work/penalties/12", "row", "work/penalties", "html"),
        ("GET", "/work/penalties/12.json", "row", "work/penalties", "json"),
        ("GET", "/log/receipt/0", "receipt", "receipt", "html"),
        ("GET", "/log/tile/0/x001/x234/067.p/8", "tile", "tile", "html"),
        ("HEAD", "/log/tile/1/000", "tile", "tile", "html"),
        ("GET", "/log/tile/entries/000.p/17", "entries", "entries", "html"),
        ("POST", "/sign-in", "sign-in", "sign-in", "html"),
        ("GET", "/-/static-plugins/liandong/liandong.css", "static", "static", "html"),
    ],
)
def test_known_addresses_have_their_route(method: str, path: str, name: str, resource: str, format: str) -> None:
    found = match(method, path)
    assert found is not None
    assert (found.route.name, found.resource, found.format) == (name, resource, format)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/directory/resources"),
        ("POST", "/directory/resources/-/insert"),
        ("GET", "/directory/resources/-/autocomplete"),
        ("GET", "/directory.db"),
        ("GET", "/directory/-/query"),
        ("GET", "/directory/-/query.json"),
        ("GET", "/directory/_rows.json"),
        ("GET", "/directory/_batches"),
        ("GET", "/ledger.db"),
        ("GET", "/ledger/entries.json"),
        ("GET", "/identity/tokens.json"),
        ("GET", "/_internal/catalog_tables.json"),
        ("GET", "/-/config.json"),
        ("GET", "/-/versions"),
        ("GET", "/-/permissions"),
        ("GET", "/work/penalties/1.blob"),
        ("GET", "/work%2fpenalties.json"),
        ("GET", "/work/penalties%2ejson"),
        ("GET", "//work/penalties.json"),
        ("GET", "/work/penalties.json/"),
        ("GET", "/work/../identity.db"),
        ("GET", "/Work/penalties.json"),
        ("GET", "/work/PENALTIES.json"),
        ("GET", "/work/penalties.JSON"),
        ("GET", "/log/receipt/007"),
        ("GET", "/log/tile/0/0"),
        ("GET", "/log/tile/00/000"),
        ("GET", "/log/tile/0/entries/000"),
        ("GET", "/log/tile/0/../entries/000"),
        ("GET", "/log/tile/%65ntries/000"),
        ("GET", "/log/tile/0/000.p/0"),
        ("POST", "/log/tile/0/000"),
        ("GET", "/log/receipt/-1"),
        ("OPTIONS", "/"),
        ("GET", "/-/static-plugins/liandong/../static"),
        ("GET", "/-/static-plugins/liandong/.hidden"),
        ("GET", "/-/static-plugins/liandong/fonts/"),
        ("GET", "/-/static-plugins/liandong/liandong.css/"),
        ("GET", "/-/static-plugins/liandong//liandong.css"),
        ("GET", "/-/static-plugins/elsewhere/app.css"),
        ("PUT", "/sign-in"),
    ],
)
def test_what_is_not_on_the_list_does_not_exist(method: str, path: str) -> None:
    assert match(method, path) is None


@given(st.text(max_size=60))
def test_any_path_matches_or_not_without_an_exception(path: str) -> None:
    found = match("GET", path)
    assert found is None or found.route in ROUTES


def test_only_what_shows_nothing_of_the_catalog_is_public() -> None:
    public = {route.name for route in ROUTES if route.access is Access.PUBLIC}
    assert public == {
        "static",
        "favicon",
        "sign-in",
        "language",
        "checkpoint",
        "vkey",
        "tile",
        "healthz",
        "readyz",
        "openapi",
    }


_PIECES = st.sampled_from(
    [
        "work",
        "penalties",
        "row",
        "query",
        "api",
        "batch",
        "log",
        "tile",
        "receipt",
        "agencies",
        "jtys",
        "keys",
        "add",
        "1",
    ]
)


@given(
    st.lists(_PIECES, min_size=1, max_size=5), st.sampled_from(["", ".json", ".csv"]), st.sampled_from(["GET", "POST"])
)
def test_an_address_fits_one_route_at_most(pieces: list[str], ending: str, method: str) -> None:
    path = f"/{'/'.join(pieces)}{ending}"
    fitting = [route.name for route in ROUTES if route.pattern.fullmatch(path) and method in route.methods]
    assert len(fitting) <= 1
    found = match(method, path)
    assert ([found.route.name] if found else []) == fitting
