"""The policy file of c2sp.org/tlog-policy: what it takes, what it refuses, who makes a quorum."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NoteError
from ledger.log.policy import Policy
from tests.ledger.support import SIGNER, VKEY
from tests.ledger.witness_support import COSIGNERS, STRANGER, Tree, policy_text

A, B, C = (cosigner.key for cosigner in COSIGNERS)
LINES = f"log {VKEY}\nwitness a {A} http://a\nwitness b {B}\nwitness c {C} http://c\n"


def quorum_of(rest: str) -> set[frozenset[str]]:
    """The sets of witnesses that are a quorum."""
    policy = Policy.parse((LINES + rest).encode())
    names = {"a": A, "b": B, "c": C}
    sets = [set(some) for n in range(4) for some in itertools.combinations("abc", n)]
    return {frozenset(some) for some in sets if policy.is_quorum({names[name] for name in some})}


def sets(*words: str) -> set[frozenset[str]]:
    return {frozenset(word) for word in words}


@pytest.mark.parametrize(
    ("rest", "quorums"),
    [
        ("quorum none\n", sets("", "a", "b", "c", "ab", "ac", "bc", "abc")),
        ("quorum a\n", sets("a", "ab", "ac", "abc")),
        ("group g any a b\nquorum g\n", sets("a", "b", "ab", "ac", "bc", "abc")),
        ("group g all a b\nquorum g\n", sets("ab", "abc")),
        ("group g 2 a b c\nquorum g\n", sets("ab", "ac", "bc", "abc")),
        ("group g any a b\ngroup h all g c\nquorum h\n", sets("ac", "bc", "abc")),
        ("group g 1 a\nquorum b\n", sets("b", "ab", "bc", "abc")),
    ],
)
def test_who_makes_a_quorum(rest: str, quorums: set[frozenset[str]]) -> None:
    assert quorum_of(rest) == quorums


def test_what_a_policy_says() -> None:
    text = (
        f"# 示范县\n\n \t log\t{VKEY}   https://log.example/\n{LINES.partition(chr(10))[2]}  quorum  a \t\n  # end\n \t"
    )
    policy = Policy.parse(text.encode())
    assert policy.logs == (VKEY,)
    assert [(w.name, w.key, w.url) for w in policy.witnesses] == [
        ("a", A, "http://a"),
        ("b", B, ""),
        ("c", C, "http://c"),
    ]


def test_a_strangers_key_makes_no_quorum() -> None:
    policy = Policy.parse((LINES + "quorum a\n").encode())
    assert not policy.is_quorum({STRANGER.key})
    assert not policy.is_quorum(set())


def test_names_are_octets_and_need_not_be_utf_8() -> None:
    text = f"log {VKEY}\nwitness \xe2\x84 {A}\nquorum \xe2\x84\n".encode("latin-1")
    assert Policy.parse(text).is_quorum({A})


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ("", 5),  # no quorum
        ("quorum a", 5),  # no newline at the end
        ("quorum a\nquorum a\n", 6),
        ("quorum d\n", 5),
        ("quorum\n", 5),
        ("quorum a b\n", 5),
        ("group g all a d\nquorum g\n", 5),
        ("group g all\nquorum a\n", 5),
        ("group g 0 a\nquorum g\n", 5),
        ("group g 3 a b\nquorum g\n", 5),
        ("group g 01 a b\nquorum g\n", 5),
        ("group g +1 a b\nquorum g\n", 5),
        ("group g １ a b\nquorum g\n", 5),
        ("group g most a b\nquorum g\n", 5),
        ("group g any a a\nquorum g\n", 5),
        ("group g any a b\ngroup h any b c\nquorum h\n", 6),
        ("group g any g a\nquorum g\n", 5),
        ("group a any b\nquorum a\n", 5),
        ("group none any b\nquorum none\n", 5),
        ("group g any none\nquorum g\n", 5),
        (f"witness d {A}\nquorum a\n", 5),
        (f"witness a {STRANGER.key}\nquorum a\n", 5),
        (f"witness none {STRANGER.key}\nquorum a\n", 5),
        (f"witness d {VKEY}\nquorum a\n", 5),
        ("witness d\nquorum a\n", 5),
        (f"witness d {STRANGER.key} http://d extra\nquorum a\n", 5),
        (f"log {VKEY}\nquorum a\n", 5),
        (f"log {A}\nquorum a\n", 5),
        ("log x\nquorum a\n", 5),
        ("hello\nquorum a\n", 5),
        ("quorum a\r\n", 5),
        ("quorum a\0\n", 5),
        ("quorum a\x7f\n", 5),
    ],
)
def test_a_malformed_line_is_named(rest: str, line: int) -> None:
    with pytest.raises(NoteError) as caught:
        Policy.parse((LINES + rest).encode())
    assert f"line {line}:" in caught.value.en and f"第 {line} 行" in caught.value.zh


def test_a_policy_of_too_many_lines_is_refused() -> None:
    with pytest.raises(NoteError, match="lines"):
        Policy.parse(b"#\n" * 1_000 + b"quorum none\n")


def test_a_deep_chain_of_groups_is_no_problem() -> None:
    names = [f"g{n}" for n in range(900)]
    groups = "".join(f"group {name} any {below}\n" for name, below in zip(names, ["a", *names], strict=False))
    policy = Policy.parse((LINES + groups + f"quorum {names[-1]}\n").encode())
    assert policy.is_quorum({A}) and not policy.is_quorum({B})


def test_checkpoints_of_its_logs_are_opened_and_of_others_not() -> None:
    policy = Policy.parse(policy_text())
    signed = Tree.of(3).signed(3)
    line = COSIGNERS[0].signature_line(Tree.of(3).checkpoint(3).text(), 9)
    checkpoint, cosigned = policy.open_checkpoint(signed + line)
    assert (checkpoint.size, [item.time for item in cosigned]) == (3, [9])
    with pytest.raises(NoteError, match="no trusted key"):
        policy.open_checkpoint(Tree.of(3).signed(3, type(SIGNER)("other.example/log", SIGNER.private_key)))
    with pytest.raises(NoteError, match="names no log"):
        Policy.parse(b"quorum none\n").open_checkpoint(signed)


@given(
    st.lists(st.sampled_from([*LINES.encode().split(), b"group", b"quorum", b"none", b"any", b"2", b"\n", b"\n", b"#"]))
)
def test_only_our_errors_escape(words: list[bytes]) -> None:
    with contextlib.suppress(NoteError):
        Policy.parse(b" ".join(words) + b"\n").is_quorum({A})


@given(st.binary(max_size=200))
def test_only_our_errors_escape_from_any_bytes(data: bytes) -> None:
    for text in (data, LINES.encode() + data, b"log " + data, b"witness a " + data):
        with contextlib.suppress(NoteError):
            Policy.parse(text).is_quorum({A})
