"""Guessing is slow, no officer is kept out for ever, and a login that does not exist behaves like one that does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import AuthenticationError
from catalog.identity import failures, lockout, officers, sign_in
from catalog.identity.lockout import FREE_FAILURES, LONGEST_WAIT, LockedError, wait_after
from catalog.identity.officers import By
from tests.catalog.identity.conftest import PASSWORD, World


def guess(world: World, login: str = "a-1", browser: str = "") -> str:
    """What a wrong password is answered with."""
    with pytest.raises((AuthenticationError, LockedError)) as caught:
        sign_in.verify(world.door, login, "wrong", browser)
    return caught.value.en


def locked(message: str) -> bool:
    return "try again after" in message


@given(st.integers(min_value=0, max_value=10_000))
def test_the_wait_never_shrinks_and_never_passes_its_limit(failed: int) -> None:
    assert timedelta() <= wait_after(failed) <= wait_after(failed + 1) <= LONGEST_WAIT
    assert (wait_after(failed) == timedelta()) is (failed < FREE_FAILURES)


@pytest.mark.parametrize("login", ["a-1", "nobody"])
def test_after_some_failures_each_further_one_costs_twice_the_wait(world: World, login: str) -> None:
    for _ in range(FREE_FAILURES - 1):
        assert "wrong user name or password" in guess(world, login)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        assert f"(in {minutes} min)" in guess(world, login)
        world.clock.now += timedelta(minutes=minutes) - timedelta(seconds=1)
        with pytest.raises(LockedError):  # not even the right one
            sign_in.verify(world.door, login, PASSWORD)
        world.clock.now += timedelta(seconds=1)


def test_a_locked_login_says_in_both_languages_when_to_try_again(world: World) -> None:
    for _ in range(FREE_FAILURES):
        guess(world)
    with pytest.raises(LockedError) as caught:
        sign_in.verify(world.door, "a-1", PASSWORD)
    assert caught.value.status == 429 and caught.value.retry_after_seconds == 60
    assert "10:01:00" in caught.value.en and "10:01:00" in caught.value.zh  # Asia/Shanghai
    assert "admin unlock" in caught.value.en and "管理员解锁" in caught.value.zh


def test_the_right_password_after_the_wait_ends_the_run(world: World) -> None:
    for _ in range(FREE_FAILURES):
        guess(world)
    world.clock.now += timedelta(minutes=1)
    sign_in.verify(world.door, "a-1", PASSWORD)
    assert not locked(guess(world))


def test_a_day_without_attempts_ends_the_run(world: World) -> None:
    for _ in range(FREE_FAILURES - 1):
        guess(world)
    world.clock.now += timedelta(hours=24)
    assert not locked(guess(world))


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_guesses_sent_at_once_are_counted_before_they_are_checked(world: World, password: str) -> None:
    def attempt(_: int) -> str:
        try:
            sign_in.verify(world.door, "nobody", password)
        except LockedError:
            return "locked"
        except AuthenticationError:
            return "wrong"
        return "in"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(attempt, range(12)))
    # Five were checked: four wrong ones and the one that brought the lock; the rest were not looked at.
    assert found.count("wrong") == FREE_FAILURES - 1 and found.count("in") == 0


def test_who_guesses_elsewhere_does_not_lock_the_officers_own_browser(world: World) -> None:
    browser = sign_in.sign_in(world.door, "a-1", PASSWORD).browser
    for _ in range(FREE_FAILURES + 3):
        guess(world)
    assert locked(guess(world))
    assert sign_in.sign_in(world.door, "a-1", PASSWORD, browser=browser).browser == ""
    assert locked(guess(world)), "the others stay locked"


def test_a_known_browser_has_a_lock_of_its_own_and_is_good_for_its_officer_only(world: World) -> None:
    browser = sign_in.sign_in(world.door, "a-1", PASSWORD).browser
    for _ in range(FREE_FAILURES):
        guess(world, browser=browser)
    assert locked(guess(world, browser=browser))
    assert not locked(guess(world)), "elsewhere it is another count"
    for _ in range(FREE_FAILURES):
        guess(world, "a-2", browser)
    assert locked(guess(world, "a-2")), "to another officer the browser is unknown"


def test_a_browser_is_forgotten_in_time_and_by_a_reset(world: World) -> None:
    browser = sign_in.sign_in(world.door, "a-1", PASSWORD).browser
    assert lockout.is_known(world.register, "a-1", browser)
    assert not lockout.is_known(world.register, "a-2", browser)
    officers.reset(world.register, world.ledger, "a-1", by=By("a", "a-3"))
    assert not lockout.is_known(world.register, "a-1", browser)
    again = lockout.remember_browser(world.register, "a-1")
    world.clock.now += timedelta(days=lockout.BROWSER_DAYS)
    assert not lockout.is_known(world.register, "a-1", again)


def test_the_admin_unlocks_at_once(world: World) -> None:
    for _ in range(FREE_FAILURES):
        guess(world)
    assert lockout.locked_until(world.register, "a-1")
    officers.unlock(world.register, world.ledger, "a-1", by=By("a", "a-3"))
    assert lockout.locked_until(world.register, "a-1") is None
    sign_in.verify(world.door, "a-1", PASSWORD)


def test_what_was_typed_as_a_login_is_nowhere_in_the_files(world: World) -> None:
    typed = "my secret typed into the wrong field"
    guess(world, typed)
    world.unknown.write()
    stored = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert typed.encode() not in stored


def test_unknown_logins_do_not_fill_the_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "MAX_UNKNOWN", 3)
    for number in range(8):
        world.clock.now += timedelta(seconds=1)
        lockout.charge(world.register, b"s", f"unknown-{number}", "")
    assert len(world.register.all("SELECT * FROM sign_in_attempts WHERE officer IS NULL")) == 3
    lockout.charge(world.register, b"s", "a-1", "")
    assert len(world.register.all("SELECT * FROM sign_in_attempts")) == 4


def test_an_unknown_login_costs_the_same_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    really = sign_in.check_password
    monkeypatch.setattr(sign_in, "check_password", lambda p, s: checked.append(s) or really(p, s))
    texts = {guess(world, login) for login in ("a-1", "nobody", "", "A-1")}
    assert len(checked) == 4 and len(texts) == 1
    assert len({len(stored) for stored in checked}) == 1


# -- what becomes an entry --------------------------------------------------------------------------------------------


def test_the_first_failure_of_a_run_and_each_lock_out_are_entries_and_no_other_guess(world: World) -> None:
    for _ in range(FREE_FAILURES):
        guess(world)
    for _ in range(20):
        assert locked(guess(world))
    world.clock.now += timedelta(minutes=1)
    guess(world)
    failed = world.kinds("auth.failed")
    assert [(entry["reason"], entry["attempts"]) for entry in failed] == [
        ("wrong_password", 1),
        ("locked_out", 5),
        ("locked_out", 6),
    ]
    assert {(entry["agency"], entry["auth"]) for entry in failed} == {("a", "session")}
    assert "a-1" not in str(failed) and world.opened() == {"officer": "a-1"}


def test_unknown_logins_are_only_counted(world: World) -> None:
    for number in range(3):
        guess(world, f"nobody-{number}")
    assert world.kinds("auth.failed") == []
    world.unknown.write()
    assert failures.unknown_since(world.register, "2026-11-23") == 3
    assert failures.unknown_since(world.register, "2026-11-24") == 0


def test_unknown_credentials_are_written_down_now_and_then(world: World) -> None:
    world.unknown.count("token")
    assert failures.unknown_since(world.register, "2026-11-23") == 1
    for _ in range(50):
        world.unknown.count("signature")
    assert failures.unknown_since(world.register, "2026-11-23") == 1
    world.clock.now += timedelta(seconds=10)
    world.unknown.count("token")
    assert failures.unknown_since(world.register, "2026-11-23") == 52


def test_a_failing_key_is_an_entry_at_once_and_then_once_an_hour_with_its_count(world: World) -> None:
    known = failures.Known("a", "signature", "revoked", keyid="ed25519:00")
    assert failures.due(world.register, known) == 1
    for _ in range(30):
        assert failures.due(world.register, known) is None
    world.clock.now += timedelta(hours=1)
    assert failures.due(world.register, known) == 31
    assert failures.due(world.register, known) is None
    other = failures.Known("a", "token", "expired", token="token:00")
    assert failures.due(world.register, other) == 1
