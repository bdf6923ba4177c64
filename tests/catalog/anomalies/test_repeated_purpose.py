"""Purposes that are copied rather than stated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.anomalies.repeated_purpose import (
    MOST_QUERIES_OF_ONE_REFERENCE,
    MOST_REFERENCES_OF_ONE_TEXT,
    MOST_RESOURCES_OF_ONE_REFERENCE,
    Stated,
    repeated_purposes,
)


def asked(seq: int, **more: str) -> Stated:
    usual = {"requester": "zhzf", "resource": "work/penalties", "code": "case", "reference": f"示{seq}"}
    return Stated(seq, **{**usual, **more})


def test_one_case_may_need_several_queries_of_several_tables() -> None:
    usual = [
        asked(n, reference="示1", resource=f"work/t{n % MOST_RESOURCES_OF_ONE_REFERENCE}")
        for n in range(MOST_QUERIES_OF_ONE_REFERENCE)
    ]
    assert repeated_purposes(usual) == []


def test_one_reference_for_very_many_queries_is_flagged() -> None:
    many = [asked(n, reference="示1") for n in range(MOST_QUERIES_OF_ONE_REFERENCE + 1)]
    (flag,) = repeated_purposes(reversed(many))
    assert (flag.what, flag.requester, flag.others) == ("reference", "zhzf", 1)
    assert flag.entries == tuple(range(MOST_QUERIES_OF_ONE_REFERENCE + 1))
    assert flag.id == "repeated-purpose.reference:0"


def test_one_reference_on_very_many_tables_is_flagged() -> None:
    many = [asked(n, reference="示1", resource=f"work/t{n}") for n in range(MOST_RESOURCES_OF_ONE_REFERENCE + 1)]
    (flag,) = repeated_purposes(many)
    assert flag.others == MOST_RESOURCES_OF_ONE_REFERENCE + 1


def test_the_same_words_under_very_many_references_are_flagged() -> None:
    many = [asked(n, words="核实当事人情况") for n in range(MOST_REFERENCES_OF_ONE_TEXT + 1)]
    (flag,) = repeated_purposes(many)
    assert (flag.what, flag.others) == ("words", MOST_REFERENCES_OF_ONE_TEXT + 1)
    assert repeated_purposes(many[1:]) == []
    assert repeated_purposes([asked(n, words="核实当事人情况", reference="示1") for n in range(20)]) == []


def test_another_comma_is_a_copy_too() -> None:
    texts = ["核实，情况", "核实 情况", "核实、情况。", "核实情况", "核实情况！"]
    assert len(repeated_purposes([asked(n, words=text) for n, text in enumerate(texts)])) == 1


def test_two_agencies_that_write_the_same_are_not_taken_together() -> None:
    many = [
        asked(n, words="核实", requester="zhzf" if n % 2 else "bjd") for n in range(2 * MOST_REFERENCES_OF_ONE_TEXT)
    ]
    assert repeated_purposes(many) == []


def test_what_was_erased_is_not_judged() -> None:
    assert repeated_purposes([asked(n, reference="", words="") for n in range(100)]) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 3)), max_size=80))
def test_order_does_not_matter_and_nothing_written_is_in_a_flag(rows: list[tuple[int, int, int]]) -> None:
    stated = [
        asked(seq, requester=f"a{a}", reference=f"号码{b}", words=f"说明文字{c}", resource=f"work/t{b}")
        for seq, (a, b, c) in enumerate(rows)
    ]
    flags = repeated_purposes(stated)
    assert flags == repeated_purposes(stated[::-1])
    assert "号码" not in repr(flags)
    assert "说明" not in repr(flags)
