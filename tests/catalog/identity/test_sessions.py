from __future__ import annotations

from datetime import timedelta

import pytest

from catalog.identity import officers, sessions, sign_in
from catalog.identity.officers import By
from tests.catalog.identity.conftest import PASSWORD, World

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)


def enter(world: World, login: str = "a-1", user_agent: str = CHROME) -> str:
    return sign_in.sign_in(world.door, login, PASSWORD, user_agent=user_agent).session


def test_signing_in_makes_a_session_that_ends_after_its_hours(world: World) -> None:
    session = enter(world)
    actor = sessions.actor_of_session(world.register, session)
    assert actor is not None
    assert (actor.agency, actor.officer, actor.auth) == ("a", "a-1", "session")
    assert actor.roles == {"officer", "answerer"} and not actor.must_change and actor.deputises == {}
    for _ in range(2 * sessions.SESSION_HOURS - 1):
        world.clock.now += timedelta(minutes=30)
        assert sessions.actor_of_session(world.register, session) is not None
    world.clock.now += timedelta(minutes=30)
    assert sessions.actor_of_session(world.register, session) is None


def test_a_session_that_is_not_used_ends(world: World) -> None:
    session = enter(world)
    world.clock.now += timedelta(minutes=sessions.IDLE_MINUTES)
    assert sessions.actor_of_session(world.register, session) is None
    assert sessions.listing(world.register, "a-1", session) == []


def test_not_every_request_is_a_write(world: World) -> None:
    session = enter(world)
    before = world.register.version()
    for _ in range(20):
        world.clock.now += timedelta(seconds=2)
        sessions.actor_of_session(world.register, session)
    assert world.register.version() == before
    world.clock.now += timedelta(seconds=30)
    sessions.actor_of_session(world.register, session)
    assert world.register.version() != before


def test_signing_out_ends_the_session(world: World) -> None:
    session = enter(world)
    sessions.end(world.register, session)
    assert sessions.actor_of_session(world.register, session) is None
    sessions.end(world.register, session)


def test_an_officer_sees_their_own_sessions_and_ends_them(world: World) -> None:
    first = enter(world)
    world.clock.now += timedelta(minutes=5)
    second, other = enter(world, user_agent="curl/8"), enter(world, "a-2")
    listed = sessions.listing(world.register, "a-1", second)
    assert [(each.browser, each.current) for each in listed] == [("", True), ("Chrome 126 · Windows", False)]
    assert not sessions.end_one(world.register, "a-2", listed[1].id), "another's is not theirs to end"
    assert sessions.end_one(world.register, "a-1", listed[1].id)
    assert sessions.actor_of_session(world.register, first) is None
    third = enter(world)
    assert sessions.end_all(world.register, "a-1", but=third) == 1
    assert sessions.actor_of_session(world.register, second) is None
    assert sessions.actor_of_session(world.register, third) is not None
    assert sessions.actor_of_session(world.register, other) is not None


def test_the_secret_of_a_session_is_nowhere_in_the_files_and_its_id_says_nothing(world: World) -> None:
    session = enter(world)
    (listed,) = sessions.listing(world.register, "a-1", session)
    stored = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert session.encode() not in stored and session not in listed.id
    assert sessions.actor_of_session(world.register, listed.id) is None


def test_disabling_and_resetting_end_every_session(world: World) -> None:
    one, other = enter(world), enter(world)
    officers.reset(world.register, world.ledger, "a-1", by=By("a", "a-3"))
    assert sessions.actor_of_session(world.register, one) is None
    two = enter(world, "a-2")
    officers.disable(world.register, world.ledger, "a-2", by=By("a", "a-3"))
    officers.enable(world.register, world.ledger, "a-2", by=By("a", "a-3"))
    assert [sessions.actor_of_session(world.register, each) for each in (other, two)] == [None, None]


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (CHROME, "Chrome 126 · Windows"),
        (CHROME + " Edg/126.0", "Edge 126 · Windows"),
        (CHROME + " QIHU 360SE", "360 · Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox 128 · Linux"),
        ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer 11 · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1", "Safari 17 · iOS"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
        ("Firefox/" + "9" * 500, "Firefox " + "9" * 52),
    ],
)
def test_a_browser_is_told_in_a_word(user_agent: str, words: str) -> None:
    assert sessions.describe_browser(user_agent) == words
