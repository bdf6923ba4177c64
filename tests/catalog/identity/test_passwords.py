"""Which passwords may be chosen, and how they are kept."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.identity.passwords import (
    NOBODY,
    PasswordError,
    check_choice,
    check_password,
    hash_password,
    normal,
    one_time,
)


def test_a_password_is_stored_as_scrypt_with_its_own_salt() -> None:
    one, other = hash_password("pass 密码", b"1" * 16), hash_password("pass 密码", b"2" * 16)
    assert one != other and "pass" not in one and one.startswith("scrypt$")
    assert check_password("pass 密码", one) and not check_password("Pass 密码", one)


def test_nobodys_password_is_nothing_that_can_be_typed() -> None:
    assert not check_password("", NOBODY)
    assert not check_password("A" * 43, NOBODY)


def test_a_password_is_the_same_whichever_keyboard_types_its_blanks_and_accents() -> None:
    stored = hash_password("caf\u00e9 am See, 12", b"1" * 16)
    assert check_password("cafe\u0301\u3000am\u00a0See, 12", stored)


def test_one_time_passwords_are_random_and_can_be_read_from_paper() -> None:
    made = {one_time(os.urandom) for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert [len(group) for group in password.split("-")] == [4, 4, 4, 4]
        assert not set(password) & set("01loiOI")
    assert one_time(lambda n: b"\xff" * n) != one_time(lambda n: b"\xfe" * n)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "天气晴朗适合爬山", "k7wq-m3xd-p9ra-t4hc", "雨后的 cedar 与 17 只鹭", "Tr0ub4dour&3xyz"],
)
def test_long_unrelated_words_may_be_chosen(password: str) -> None:
    check_choice(password, "zhzf-1")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "0 characters"),
        ("short one 1", "11 characters"),
        ("晴朗爬山雨后", "6 characters"),
        ("my zhzf-1 account", "user name"),
        ("My ZHZF-1 Account", "user name"),
        ("x" * 201, "over 200"),
        ("correct horse\n battery", "control"),
        ("password1234", "guessers"),
        ("Password@2026", "guessers"),
        ("admin1234567", "guessers"),
        ("Aa123456789!", "guessers"),
        ("qwertyuiop123", "guessers"),
        ("1qaz2wsx3edc", "guessers"),
        ("q1w2e3r4t5y6", "guessers"),
        ("aaaaaaaaaaaaaa", "guessers"),
        ("abcabcabcabc", "guessers"),
        ("xyxyxyxyxyxyxy", "guessers"),
        ("abcdefghijkl", "guessers"),
        ("987654321098", "guessers"),
        ("woaini1314520", "guessers"),
        ("我爱你我爱你我爱你", "guessers"),
        ("联动执法密码202612", "guessers"),
    ],
)
def test_what_is_guessed_first_may_not_be_chosen(password: str, words: str) -> None:
    with pytest.raises(PasswordError, match=words) as caught:
        check_choice(password, "zhzf-1")
    assert caught.value.status == 422
    assert caught.value.zh != caught.value.en
    assert not password or password not in caught.value.en + caught.value.zh


@given(st.text(max_size=300), st.from_regex(r"[a-z0-9][a-z0-9._-]{1,31}", fullmatch=True))
def test_any_text_is_taken_or_refused_and_normal_once_for_all(password: str, login: str) -> None:
    assert normal(normal(password)) == normal(password)
    try:
        check_choice(password, login)
    except PasswordError:
        return
    assert len(normal(password)) >= 8
