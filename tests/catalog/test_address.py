"""The public address: its parts, what lies below it, and what Datasette is given in place of what was sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.address import PublicAddress
from catalog.cookies import session_cookie
from catalog.errors import RequestError, UsageError
from catalog.routes import ROUTES
from tests.catalog.sample_paths import sample_path

ROOT = PublicAddress.of("https://share.example.gov.cn")
BELOW = PublicAddress.of("http://portal.example.gov.cn:8080/gov/share-1")


def scope(path: str, **more: object) -> dict[str, object]:
    """What a server gives for a request with this raw path."""
    headers = [(b"Host", b"evil.example"), (b"x-forwarded-proto", b"gopher"), (b"accept", b"*/*")]
    given = {"type": "http", "scheme": "ftp", "server": ("10.0.0.1", 1), "path": path, "headers": headers}
    return {**given, "raw_path": path.encode(), **more}


def test_the_parts_of_an_address() -> None:
    assert (ROOT.base_url, ROOT.prefix, ROOT.secure, ROOT.port) == ("/", "", True, 443)
    assert (BELOW.base_url, BELOW.prefix, BELOW.secure, BELOW.port) == ("/gov/share-1/", "/gov/share-1", False, 8080)
    assert BELOW.url("/gov/share-1/x?y=1") == "http://portal.example.gov.cn:8080/gov/share-1/x?y=1"
    assert PublicAddress.of("http://[::1]:8001").authority == "[::1]:8001"


def test_scheme_host_and_root_path_are_ours_whatever_was_sent() -> None:
    placed = BELOW.placed(scope("/gov/share-1/directory/resources", root_path="/other"))
    assert (placed["scheme"], placed["server"]) == ("http", ("portal.example.gov.cn", 8080))
    assert (placed["root_path"], placed["path"], placed["raw_path"]) == (
        "/gov/share-1",
        "/directory/resources",
        b"/directory/resources",
    )
    assert [value for name, value in placed["headers"] if name.lower() == b"host"] == [b"portal.example.gov.cn:8080"]
    assert (b"accept", b"*/*") in placed["headers"]


def test_the_raw_path_is_kept_byte_for_byte_below_the_prefix() -> None:
    raw = b"/gov/share-1/work/a%2Fb%e8?x=1"
    placed = BELOW.placed(scope("/gov/share-1/work/a/b", raw_path=raw))
    assert placed["raw_path"] == b"/work/a%2Fb%e8"


@pytest.mark.parametrize(
    "path", ["/", "/directory", "/gov", "/gov/share-1", "/gov/share-12/x", "/gov/share-1x", "/%67ov/share-1/x"]
)
def test_what_does_not_lie_below_the_prefix_is_refused_with_the_cure(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        BELOW.placed(scope(path))
    assert caught.value.status == 404
    assert "proxy_pass" in caught.value.en and "http://portal.example.gov.cn:8080/gov/share-1/" in caught.value.zh


@given(st.text(st.characters(codec="latin-1"), max_size=30))
def test_at_the_root_everything_lies_below(path: str) -> None:
    assert ROOT.below(f"/{path}") == f"/{path}"
    assert BELOW.below(f"/gov/share-1/{path}") == f"/{path}"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_no_prefix_may_begin_like_an_address_of_ours(route) -> None:  # type: ignore[no-untyped-def]
    first = sample_path(route).split("/")[1]
    if first and first[0].isalpha() and "." not in first:
        with pytest.raises(UsageError) as caught:
            PublicAddress.of(f"https://host.example/{first}/x")
        assert first in caught.value.en and caught.value.zh


def test_the_sessions_cookie_is_bound_as_tightly_as_browsers_allow() -> None:
    assert session_cookie(ROOT) == "__Host-liandong_session"
    assert session_cookie(PublicAddress.of("https://host.example/share")) == "__Secure-liandong_session"
    assert session_cookie(BELOW) == "liandong_session"
